//! `quaver outliers`: which samples are unlike what the network learnt, and which measure says so.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use quaver::outliers::{OutlierBlock, OutlierReport, OutlierStudy, truth};
use quaver::table::Value;
use quaver::{DataErrorKind, MEASURES, OpenOptions};
use quaver_report::{Page, RunRecord, TableWriter, TextOptions, text_table};
use serde_json::json;

use crate::console::Console;
use crate::failure::Failure;
use crate::pages::{self, Subjects, file_name, study};
use crate::scoring::{Job, ScoringArgs, Subject, SubjectArgs};

/// Rank samples by how unlike they are what the network learnt, and say which measure finds known outliers.
///
/// The objective is about the label in the data: a mislabelled or unusual sample is one whose loss reacts strongly. FI
/// stands beside saturation, fi_lambda, grad_norm, jacobian_norm, margin_radius and p_label, with the agreement of
/// each with FI. Where outliers are known (--truth, or an array `truth` in the .npz, as simulate writes it), the areas
/// under ROC and precision-recall curves of every measure say which one finds them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver outliers net.onnx train.npz --report outliers.html
  quaver simulate overlay mnist.npz -o overlaid.npz
  quaver outliers net.onnx overlaid.npz --scale 1/255 --report outliers.html -o outliers.parquet
  quaver outliers net.onnx data.npy --labels y.npy --truth is_outlier.npy
  quaver outliers net.onnx data.npz --truth bad --rank-by fi_lambda --top 50")]
pub struct Outliers {
    #[command(flatten)]
    subject: SubjectArgs,

    /// Which samples are outliers, 1 or 0 each: a file as for --labels, or the name of an array or column of the data
    /// [default: the array truth of an .npz; of a store only what is given here].
    #[arg(long, value_name = "FILE|KEY")]
    truth: Option<String>,

    /// Write one row per sample and block to FILE (.parquet, .csv, .ndjson).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write a page to look at, one file, and its numbers beside it as JSON.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// One JSON object on stdout in place of the text.
    #[arg(long)]
    json: bool,

    /// How many of the most suspicious samples to print.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,

    /// Measure by which samples are ranked.
    #[arg(long, value_name = "MEASURE", default_value = "fi", value_parser = PossibleValuesParser::new(MEASURES.map(|m| m.name)))]
    rank_by: String,

    #[command(flatten)]
    scoring: ScoringArgs,
}

/// The array of an .npz file that says which samples are outliers.
const KEY: &str = "truth";

impl Outliers {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        pages::check(self.report.as_ref())?;
        if let Some(path) = &self.out {
            quaver_report::check_table_path(path)?;
        }
        self.scoring.measures.check_ranking(&self.rank_by)?;
        let subject = self.subject.subject()?;
        let job = self.scoring.open(console, &subject)?;
        let truth = self.truth(console, &subject, &job)?;
        let source = job.source(console)?;
        let described = source.description();
        let record = job.record("outliers", described)?;
        let (mut by, truth) = truth.unzip();
        let mut gathered = OutlierStudy::new(described.n_outputs, truth);
        let who = match &self.truth {
            Some(_) => "--truth".to_owned(),
            None => format!("{}: its array {KEY}", subject.data_name()),
        };
        let of_truth = |error: quaver::Error| Failure::Input(format!("{who}: {error}"));
        let tally = job.each(console, &*source, |scored| match scored {
            Ok(scores) => scores
                .iter()
                .try_for_each(|s| gathered.add(s))
                .map_err(of_truth),
            Err(_) => Ok(()),
        })?;
        // What nobody asked for must not end the run.
        if self.truth.is_none()
            && let Some(why) = gathered.forget_useless_truth()
        {
            console.note(format_args!("{who} is not used: {why}"));
            by = None;
        }
        let found = gathered.finish().map_err(of_truth)?;
        let record = record.with("truth", by);

        let mut all_in = String::new();
        if let Some(path) = &self.out {
            write_rows(&found, path, &record)?;
            all_in = file_name(path);
            console.note(format_args!("rows written to {}", path.display()));
        }
        if let Some(path) = &self.report {
            let subjects = Subjects::new(job.dataset(), described.class_names.as_deref());
            let page = Page::new(format!("Outliers in {}", subject.data_name())).lead(format!(
                "How strongly the loss of {} reacts to a change of each sample, and which samples stand out.",
                subject.model_name()
            ));
            let sections = study(&found, &subjects, &self.rank_by, &all_in);
            pages::write(console, path, page, sections, &record)?;
        }
        console.result(&match self.json {
            true => self.json(&found, &record).to_json_pretty(),
            false => self.text(&found),
        })?;
        tally.verdict()
    }

    /// Which samples are outliers, where that is known, and who says so.
    fn truth(
        &self,
        console: &Console,
        subject: &Subject<'_>,
        job: &Job<'_>,
    ) -> Result<Option<(String, Vec<bool>)>, Failure> {
        let args = &self.scoring.data;
        let (data, mut options, inputs) = match (job.store(), &self.truth) {
            // What there is must not depend on whether the data are where they were.
            (Some(_), None) => return Ok(None),
            (Some(store), Some(_)) => {
                let data = store.reopen_data(None, None)?;
                (data.path, data.open, data.inputs)
            }
            (None, _) => {
                let data = args.first(subject.data())?.to_owned();
                (data, args.options()?, args.input.clone())
            }
        };
        if let Some(input) = inputs.first() {
            input.choose(&mut options);
        }
        let by_key = |key: &str| quaver::open_part(&data, key, &options);
        let (name, said) = match self.truth.as_deref() {
            None => match data.extension().is_some_and(|is| is == "npz") {
                true => (KEY, by_key(KEY)),
                false => return Ok(None),
            },
            Some(file) if Path::new(file).exists() => {
                let labels = Some(PathBuf::from(file));
                let options = OpenOptions { labels, ..options };
                (file, quaver::open(&data, &options, None))
            }
            // The arrays of an .npz file are files in it, by names like this one.
            Some(file) if file.ends_with(".npy") => {
                return Err(Failure::Input(format!("--truth {file}: no such file")));
            }
            Some(key) => (key, by_key(key)),
        };
        let named = |why: &dyn std::fmt::Display| Failure::Input(format!("--truth {name}: {why}"));
        let said = match said {
            // There is none.
            Err(error) if self.truth.is_none() && error.kind() == DataErrorKind::Option => {
                return Ok(None);
            }
            Err(error) if self.truth.is_none() => {
                console.note(format_args!("{error}: array {KEY} is not used"));
                return Ok(None);
            }
            Err(error) if Path::new(name).exists() => return Err(named(&error)),
            Err(error) => {
                let why = error.to_string();
                let hints = [
                    ": choose one with --y-key",
                    ": choose one with --label-column",
                ];
                let why = hints.iter().find_map(|hint| why.strip_suffix(hint));
                let why = why.map_or_else(|| error.to_string(), str::to_owned);
                return Err(named(&format_args!("no such file; {why}")));
            }
            Ok(said) => match truth(&*said) {
                Ok(said) => said,
                Err(error) if self.truth.is_none() => {
                    let data = subject.data_name();
                    console.note(format_args!("{data}: its array {KEY} is not used: {error}"));
                    return Ok(None);
                }
                Err(error) => return Err(named(&error)),
            },
        };
        Ok(Some((name.to_owned(), said)))
    }

    fn text(&self, found: &OutlierReport) -> String {
        let mut text = String::new();
        for block in &found.blocks {
            if found.blocks.len() > 1 {
                text.push_str(&format!("{}\n\n", block.block));
            }
            text.push_str(&self.block_text(block));
        }
        text
    }

    fn block_text(&self, block: &OutlierBlock) -> String {
        let options = TextOptions::default();
        let mut text = String::new();
        let order = block.ranked_by(&self.rank_by);
        let rows: Vec<Vec<Value>> = order
            .iter()
            .take(self.top)
            .map(|at| block.row(&block.samples[*at]))
            .collect();
        if !rows.is_empty() {
            let (n, by) = (rows.len(), &self.rank_by);
            let table = text_table(&block.columns(), &rows, &options);
            text.push_str(&format!(
                "the {n} most suspicious samples by {by}\n\n{table}\n"
            ));
        }
        let (columns, rows) = block.detection_table();
        let table = text_table(&columns, &rows, &options);
        text.push_str(&match block.n_outliers() {
            Some(n) => {
                let share = n as f64 / block.samples.len() as f64;
                format!(
                    "{} samples, {n} known outliers; how well a measure ranks them first (chance: roc_auc 0.5, \
                     pr_auc {share:.3})\n\n{table}\n",
                    block.samples.len()
                )
            }
            None => format!(
                "{} samples; how the rankings by other measures agree with that by FI\n\n{table}\n",
                block.samples.len()
            ),
        });
        text.push_str(&format!("{}\n", block.summary.verdict()));
        text
    }

    fn json(&self, found: &OutlierReport, record: &RunRecord) -> RunRecord {
        let block = |block: &OutlierBlock| {
            let (columns, rows) = block.detection_table();
            let measures: Vec<RunRecord> = rows
                .iter()
                .map(|row| RunRecord::of_row(&columns, row))
                .collect();
            let top = block.ranked_by(&self.rank_by);
            let top = top.iter().take(self.top).map(|at| &block.samples[*at]);
            let columns = block.columns();
            let top: Vec<RunRecord> = top
                .map(|sample| RunRecord::of_row(&columns, &block.row(sample)))
                .collect();
            json!({
                "block": &*block.block,
                "n_samples": block.samples.len(),
                "n_outliers": block.n_outliers(),
                "accuracy": block.summary.accuracy(),
                "saturated_share": block.summary.saturated_share(),
                "verdict": block.summary.verdict(),
                "measures": measures,
                "most_suspicious": top,
            })
        };
        let blocks: Vec<serde_json::Value> = found.blocks.iter().map(block).collect();
        RunRecord::new()
            .with("run", json!(record))
            .with("blocks", blocks)
    }
}

fn write_rows(found: &OutlierReport, path: &Path, record: &RunRecord) -> Result<(), Failure> {
    let Some(first) = found.blocks.first() else {
        return Ok(());
    };
    let mut columns = first.columns();
    let block =
        quaver::table::Column::new("block", quaver::table::Kind::Text, "What is perturbed.");
    columns.insert(1, block);
    let mut table = TableWriter::create(path, &columns, record)?;
    for block in &found.blocks {
        for sample in &block.samples {
            let mut row = block.row(sample);
            row.insert(1, Value::Text(block.block.to_string()));
            table.write_row(&row)?;
        }
    }
    Ok(table.finish()?)
}
