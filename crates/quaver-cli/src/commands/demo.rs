//! `quaver demo`: the main job with nothing but the program.

mod export;
mod page;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use quaver::demo::{Demo as Study, Detection, GlyphOptions, Origin};
use quaver::table::{Column, Kind, Value};
use quaver::{ScoreOptions, ScoreTable, Summary};
use quaver_report::{RunRecord, TableWriter, TextOptions, text_table};
use serde_json::json;

use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;

/// Find planted outliers among pictures that the program draws itself, and write a report to look at.
///
/// A small network was trained on these very pictures, some of which have a wrong label or show two glyphs laid over
/// each other. Which measure finds them? Writes demo.html and demo.csv.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver demo
  quaver demo --out results
  quaver demo --export-data glyphs.npz     the pictures themselves, for other programs")]
pub struct Demo {
    /// Folder for the report; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "quaver-demo")]
    out: PathBuf,

    /// One JSON object on stdout in place of the text.
    #[arg(long)]
    json: bool,

    /// How many pictures.
    #[arg(long, value_name = "N", default_value_t = GlyphOptions::default().n_samples)]
    samples: usize,

    /// Seed of the pictures; 1 gives those the network was trained on.
    #[arg(long, value_name = "SEED", default_value_t = GlyphOptions::default().seed)]
    seed: u64,

    /// How many of them get a wrong label [default: 2 %].
    #[arg(long, value_name = "N")]
    mislabelled: Option<usize>,

    /// How many of them are two glyphs laid over each other [default: 2 %].
    #[arg(long, value_name = "N")]
    overlaid: Option<usize>,

    /// Worker threads; the results are the same for any number [default: all cores].
    #[arg(long, value_name = "N", env = "QUAVER_THREADS")]
    threads: Option<NonZeroUsize>,

    /// Write the pictures to FILE (.npz with x, grey values from 0 to 255 for --scale 1/255, and y) and do nothing else.
    #[arg(long, value_name = "FILE")]
    export_data: Option<PathBuf>,
}

/// Reads one number off a score.
type Measure = fn(&quaver::Score) -> f64;

/// The measures whose rankings are compared: column, and how it is read off a score.
const MEASURES: [(&str, Measure); 3] = [
    ("fi", |score| score.measures.fi),
    ("grad_norm", |score| score.measures.grad_norm),
    ("fi_lambda", |score| score.measures.fi_lambda),
];

/// What came out.
struct Outcome {
    study: Study,
    summary: Summary,
    detections: Vec<(&'static str, Detection)>,
    record: RunRecord,
}

impl Demo {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        let options = self.options();
        if let Some(path) = &self.export_data {
            export::write(path, &options)?;
            console.note(format_args!(
                "{} pictures written to {}",
                options.n_samples,
                path.display()
            ));
            return Ok(());
        }
        let outcome = self.study(console, &options)?;
        std::fs::create_dir_all(&self.out)
            .map_err(|error| Failure::Output(format!("{}: {error}", self.out.display())))?;
        let (table, page) = (self.out.join("demo.csv"), self.out.join("demo.html"));
        outcome.write_table(&table)?;
        page::build(&outcome)?.save(&page)?;
        let text = match self.json {
            true => outcome.json().to_json_pretty(),
            false => outcome.text(),
        };
        console.result(&text)?;
        console.note(format_args!(
            "\nreport: {}\ntable:  {}",
            page.display(),
            table.display()
        ));
        Ok(())
    }

    fn options(&self) -> GlyphOptions {
        let shares = GlyphOptions::with_outliers(self.samples, self.seed);
        GlyphOptions {
            mislabelled: self.mislabelled.unwrap_or(shares.mislabelled),
            overlaid: self.overlaid.unwrap_or(shares.overlaid),
            ..shares
        }
    }

    fn study(&self, console: &Console, options: &GlyphOptions) -> Result<Outcome, Failure> {
        let n_classes = quaver::demo::model()?.n_classes();
        let mut summary = Summary::new(n_classes);
        let progress = console.progress(options.n_samples);
        let study = Study::run(options, self.threads, stop_flag()?, |score| {
            summary.add(score);
            progress.step();
        })?;
        let elapsed = progress.elapsed();
        drop(progress);
        console.detail(format_args!(
            "{} pictures scored in {:.2} s",
            options.n_samples,
            elapsed.as_secs_f64()
        ));
        let detections = MEASURES
            .iter()
            .map(|&(name, measure)| Ok((name, study.detection(measure)?)))
            .collect::<Result<_, quaver::curves::CurveError>>()
            .map_err(|error| {
                Failure::Input(format!(
                    "{error}: plant some outliers, and not only outliers (--mislabelled, --overlaid)"
                ))
            })?;
        let record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", "demo")
            .with("samples", options.n_samples)
            .with("seed", options.seed)
            .with("mislabelled", options.mislabelled)
            .with("overlaid", options.overlaid)
            .with("label", "true (the label that the data claim)")
            .with("rtol", ScoreOptions::default().rtol())
            .with("lambda", ScoreOptions::default().lambda)
            .with("precision", "f32");
        Ok(Outcome {
            study,
            summary,
            detections,
            record,
        })
    }
}

impl Outcome {
    fn n_planted(&self) -> usize {
        let glyphs = self.study.set.glyphs();
        let planted = |glyph: &&quaver::demo::Glyph| glyph.origin != Origin::Clean;
        glyphs.iter().filter(planted).count()
    }

    /// The scores' columns, and the truth about each picture.
    fn columns(&self) -> Vec<Column> {
        let mut columns = self.table().columns();
        columns.push(Column::new(
            "truth",
            Kind::Text,
            "What the picture is: clean, mislabelled, or overlaid.",
        ));
        columns
    }

    fn rows(&self) -> impl Iterator<Item = Vec<Value>> {
        let glyphs = self.study.set.glyphs();
        self.study.scores.iter().map(move |score| {
            let mut row = self.table().row(score);
            row.push(truth(&glyphs[score.index].origin).into());
            row
        })
    }

    fn table(&self) -> ScoreTable {
        self.study.table()
    }

    fn write_table(&self, path: &Path) -> Result<(), Failure> {
        let mut writer = TableWriter::create(path, &self.columns(), &self.record)?;
        for row in self.rows() {
            writer.write_row(&row)?;
        }
        Ok(writer.finish()?)
    }

    fn text(&self) -> String {
        let columns = ["measure", "ROC-AUC", "PR-AUC", "average precision"];
        let kinds = [Kind::Text, Kind::Float, Kind::Float, Kind::Float];
        let columns: Vec<Column> = columns
            .into_iter()
            .zip(kinds)
            .map(|(name, kind)| Column::new(name, kind, ""))
            .collect();
        let rows: Vec<Vec<Value>> = self
            .detections
            .iter()
            .map(|(name, found)| {
                vec![
                    (*name).into(),
                    found.roc.auc.into(),
                    found.precision_recall.auc.into(),
                    found.precision_recall.average_precision.into(),
                ]
            })
            .collect();
        let (n, planted) = (self.study.scores.len(), self.n_planted());
        let (correct, labelled) = self.summary.n_correct();
        format!(
            "{n} pictures, {planted} of them planted outliers; the network agrees with {correct} of {labelled} labels\n\n\
             how well a measure ranks the outliers first (chance: ROC-AUC 0.5, PR-AUC {:.2})\n\n{}\n{}\n",
            planted as f64 / n as f64,
            text_table(&columns, &rows, &TextOptions::default()),
            self.summary.verdict(),
        )
    }

    fn json(&self) -> RunRecord {
        let detection: serde_json::Map<String, serde_json::Value> = self
            .detections
            .iter()
            .map(|(name, found)| {
                let areas = json!({
                    "roc_auc": found.roc.auc,
                    "pr_auc": found.precision_recall.auc,
                    "average_precision": found.precision_recall.average_precision,
                });
                ((*name).to_owned(), areas)
            })
            .collect();
        RunRecord::new()
            .with("run", json!(self.record))
            .with("n_samples", self.study.scores.len())
            .with("n_planted", self.n_planted())
            .with("accuracy", self.summary.accuracy())
            .with("saturated_share", self.summary.saturated_share())
            .with("detection", detection)
            .with("verdict", self.summary.verdict())
    }
}

/// A word for what was done to a picture.
fn truth(origin: &Origin) -> &'static str {
    match origin {
        Origin::Clean => "clean",
        Origin::Mislabelled { .. } => "mislabelled",
        Origin::Overlaid { .. } => "overlaid",
    }
}
