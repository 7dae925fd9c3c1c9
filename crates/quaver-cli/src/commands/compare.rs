//! `quaver compare`: is a network as sensitive on one set as on another, and is another network less so?

use std::path::{Path, PathBuf};

use clap::Args;
use quaver::compare::{BlockComparison, CompareStudy, Side, columns};
use quaver::statistics::Bootstrap;
use quaver::table::{Column, Value};
use quaver_report::{RunRecord, TableWriter, TextOptions, text_table};
use quaver_store::{Store, is_store};
use serde_json::json;

use crate::arguments::number;
use crate::console::Console;
use crate::failure::Failure;
use crate::pages::{
    self, Compared, compared_table, comparison, comparison_page, distinct_names, overview_table,
};
use crate::scoring::{ScoringArgs, Subject};

/// Compare the sensitivity of two sets of data, training and test, under one network or several.
///
/// The objective is about the predicted class: how easily is the decision moved? For FI and its companions both
/// distributions are compared, over all samples and class by class: Kolmogorov-Smirnov, Mann-Whitney with the
/// probability that a test sample has the larger value, and quantiles with bootstrap intervals. With several networks
/// their accuracy stands beside their sensitivity, for choosing one.
#[derive(Debug, Args)]
#[command(
    mut_arg("label", |label| label.default_value("predicted")),
    mut_arg("labels", |labels| labels.hide(true)),
    after_help = "\
Examples:
  quaver compare net.onnx --train train.npz --test test.npz --report compare.html
  quaver compare a.onnx --model b.onnx --model c.onnx --train train.npz --test test.npz
  quaver compare net.onnx --train train.npy --train-labels train-y.npy \\
    --test test.npy --test-labels test-y.npy --scale 1/255 --limit 5000
  quaver compare --train train-grams --test test-grams    # stores of one network"
)]
pub struct Compare {
    /// ONNX file; none if both sets are stores of Grams.
    #[arg(value_name = "MODEL")]
    first: Option<PathBuf>,

    /// One more network for the same data. May be given several times.
    #[arg(long = "model", value_name = "MODEL")]
    others: Vec<PathBuf>,

    /// The first set: a data file or folder; without MODEL a store.
    #[arg(long, value_name = "DATA")]
    train: PathBuf,

    /// The second set.
    #[arg(long, value_name = "DATA")]
    test: PathBuf,

    /// File of labels of the first set, for its accuracy: .npy, idx, or text with one label per line.
    #[arg(long, value_name = "FILE")]
    train_labels: Option<PathBuf>,

    /// File of labels of the second set.
    #[arg(long, value_name = "FILE")]
    test_labels: Option<PathBuf>,

    /// Write every comparison as a row of FILE (.parquet, .csv, .ndjson).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write a page to look at, one file, and its numbers beside it as JSON.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// One JSON object on stdout in place of the text.
    #[arg(long)]
    json: bool,

    /// How often both sets are drawn again for the intervals.
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().n_resamples, value_parser = at_least_one)]
    resamples: usize,

    /// The share of resampled differences that an interval holds, between 0 and 1.
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = share)]
    confidence: f64,

    /// Seed of the resampling.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    scoring: ScoringArgs,
}

/// Reads a number of draws.
fn at_least_one(text: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|&n| n > 0);
    n.ok_or_else(|| "give a whole number, at least 1".to_owned())
}

/// Reads a number between 0 and 1.
fn share(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    match value > 0.0 && value < 1.0 {
        true => Ok(value),
        false => Err("give a number between 0 and 1, such as 0.95".to_owned()),
    }
}

/// What was found of one network.
struct Found {
    name: String,
    blocks: Vec<BlockComparison>,
}

impl Compare {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        pages::check(self.report.as_ref())?;
        if let Some(path) = &self.out {
            quaver_report::check_table_path(path)?;
        }
        if let (None, Some(other)) = (&self.first, self.others.first()) {
            return Err(Failure::Input(format!(
                "--model {}: two stores have one network; give MODEL before it and the data of both sets",
                other.display()
            )));
        }
        let mut found = Vec::new();
        let mut record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", "compare")
            .with("resamples", self.resamples)
            .with("confidence", self.confidence)
            .with("seed", self.seed);
        let mut class_names = None;
        let mut names = Vec::new();
        let mut failed = Ok(());
        let models: Vec<Option<&PathBuf>> = match &self.first {
            None => vec![None],
            Some(first) => std::iter::once(first)
                .chain(&self.others)
                .map(Some)
                .collect(),
        };
        let paths: Vec<&Path> = models.iter().flatten().map(|path| path.as_path()).collect();
        let mut network_names = distinct_names(&paths).into_iter();
        for model in models {
            let name = match model {
                Some(_) => network_names.next().unwrap_or_default(),
                None => {
                    let [train, test] = [self.store(&self.train)?, self.store(&self.test)?];
                    train.check_same_network(&test)?;
                    train.network_name()
                }
            };
            let mut study: Option<CompareStudy> = None;
            for (side, data, labels) in [
                (Side::First, &self.train, &self.train_labels),
                (Side::Second, &self.test, &self.test_labels),
            ] {
                let mut scoring = self.scoring.clone();
                scoring.data.labels.clone_from(labels);
                let subject = match model {
                    Some(model) => Subject::Network {
                        model,
                        data: Some(data),
                    },
                    None => Subject::Store(data),
                };
                names.push(subject.data_name());
                let job = scoring.open(console, &subject)?;
                let source = job.source(console)?;
                let described = source.description();
                class_names = class_names.or(described.class_names.clone());
                let set = if side == Side::First { "train" } else { "test" };
                let of_run = job.record("compare", described)?;
                record = record.with(format!("{name}, {set}"), json!(of_run));
                let study = study.get_or_insert_with(|| {
                    CompareStudy::new(described.n_outputs, self.bootstrap())
                });
                let tally = job.each(console, &*source, |scored| {
                    if let Ok(scores) = scored {
                        scores.iter().for_each(|score| study.add(side, score));
                    }
                    Ok(())
                })?;
                failed = failed.and(tally.verdict());
            }
            let Some(study) = study else { continue };
            let report = study.finish()?;
            for (block, side) in &report.unmatched {
                let set = [&self.train, &self.test][usize::from(*side == Side::Second)].display();
                console.note(format_args!("{block}: only {set} has it; left out"));
            }
            let blocks = report.blocks;
            found.push(Found { name, blocks });
        }

        let compared: Vec<Compared<'_>> = found
            .iter()
            .flat_map(|Found { name, blocks }| blocks.iter().map(move |block| (name, block)))
            .map(|(model, block)| Compared { model, block })
            .collect();
        if let Some(path) = &self.out {
            write_rows(&compared, path, &record)?;
            console.note(format_args!("rows written to {}", path.display()));
        }
        if let Some(path) = &self.report {
            // Of two parts of the same data their own names say nothing.
            let names = match names.as_slice() {
                [train, test, ..] if train != test => [train.clone(), test.clone()],
                _ => {
                    let mut names = distinct_names(&[&self.train, &self.test]).into_iter();
                    std::array::from_fn(|_| names.next().unwrap_or_default())
                }
            };
            let networks: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
            let page = comparison_page(&networks, names.each_ref().map(String::as_str));
            let sections = comparison(&compared, class_names.as_deref());
            pages::write(console, path, page, sections, &record)?;
        }
        console.result(&match self.json {
            true => json(&compared, &record).to_json_pretty(),
            false => text(&compared),
        })?;
        failed
    }

    fn store(&self, folder: &Path) -> Result<Store, Failure> {
        match is_store(folder) {
            true => Ok(Store::open(folder)?),
            false => Err(Failure::Input(format!(
                "{}: give the model before it, or a store (--store), which this is not",
                folder.display()
            ))),
        }
    }

    fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            n_resamples: self.resamples,
            confidence: self.confidence,
            seed: self.seed,
        }
    }
}

fn write_rows(compared: &[Compared<'_>], path: &Path, record: &RunRecord) -> Result<(), Failure> {
    let (columns, rows) = compared_table(compared);
    let mut table = TableWriter::create(path, &columns, record)?;
    for row in rows {
        table.write_row(&row)?;
    }
    Ok(table.finish()?)
}

/// What the terminal's table shows of every comparison.
const SHOWN: [&str; 12] = [
    "measure",
    "q50_first",
    "q50_second",
    "q50_difference",
    "q50_low",
    "q50_high",
    "superiority",
    "p_mann_whitney",
    "p_mann_whitney_holm",
    "ks",
    "p_ks",
    "p_ks_holm",
];

fn text(compared: &[Compared<'_>]) -> String {
    let options = TextOptions::uncut();
    let (heads, rows) = overview_table(compared);
    let mut text = format!(
        "accuracy beside sensitivity (medians)\n\n{}\n",
        text_table(&heads[..], &rows, &options)
    );
    let columns = columns();
    let shown: Vec<usize> = SHOWN
        .iter()
        .filter_map(|name| columns.iter().position(|column| column.name == *name))
        .collect();
    let heads: Vec<Column> = shown.iter().map(|at| columns[*at].clone()).collect();
    for one in compared {
        let rows = one.block.rows();
        let overall = rows.iter().take(one.block.overall.len());
        let overall: Vec<Vec<Value>> = overall
            .map(|row| shown.iter().map(|at| row[*at].clone()).collect())
            .collect();
        let [first, second] = one.block.sets.each_ref().map(|set| set.summary.n_samples());
        text.push_str(&format!(
            "{}, {}: {first} samples against {second} (first: train, second: test)\n\n{}\n{}\n",
            one.model,
            one.block.block,
            text_table(&heads, &overall, &options),
            one.block.sets[1].summary.verdict(),
        ));
    }
    text
}

fn json(compared: &[Compared<'_>], record: &RunRecord) -> RunRecord {
    let (heads, rows) = overview_table(compared);
    let overview: Vec<RunRecord> = rows
        .iter()
        .map(|row| RunRecord::of_row(&heads, row))
        .collect();
    let (columns, rows) = compared_table(compared);
    let rows: Vec<RunRecord> = rows
        .iter()
        .map(|row| RunRecord::of_row(&columns, row))
        .collect();
    RunRecord::new()
        .with("run", json!(record))
        .with("models", json!(overview))
        .with("comparisons", json!(rows))
}
