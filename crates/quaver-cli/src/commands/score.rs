//! `quaver score`: the influence measure of every sample.

mod output;
mod summaries;

use std::path::PathBuf;

use clap::Args;
use quaver::outliers::OutlierStudy;
use quaver::{MEASURES, ScoreTable};
use quaver_report::Page;

use crate::console::Console;
use crate::failure::Failure;
use crate::pages::{self, Subjects};
use crate::ranking::Ranking;
use crate::rows::{self, Rows};
use crate::scoring::{ScoringArgs, SubjectArgs};
use output::Run;
use summaries::Summaries;

/// Score every sample: the influence measure FI with rank, ceiling and saturation, and companions that do not saturate.
///
/// DATA is an .npz or .npy array file, a table (Parquet, Arrow, Feather, CSV, TSV), tar shards (WebDataset), a folder of
/// images, an idx file (MNIST) or CIFAR binary records; a pattern in quotes stands for several files. Unless --wrt says
/// otherwise the whole input is the perturbed block. Without -o the most influential samples and a summary are printed;
/// with it every sample and block is a row of FILE and the summary is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver score model.onnx data.npz
  quaver score model.onnx data.npz -o scores.parquet --report scores.html
  quaver score mnist.onnx t10k-images-idx3-ubyte.gz --scale 1/255    # labels lie beside them
  quaver score cifar.onnx test_batch.bin --scale 1/255 \\
    --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  quaver score net.onnx 'train-{000..127}.tar' -o scores.parquet \\
    --transform preprocessor_config.json
  quaver score net.onnx photos/ --resize 224x224 --label predicted --limit 100
  quaver score model.onnx data.npz --wrt layers -o layers.parquet
  quaver score model.onnx data.npz --wrt input --wrt params --wrt input+params --objective margin
  quaver score model.onnx data.npz -o - | jq .fi
  quaver score model.onnx data.npz --plan
  quaver score model.onnx data.npz --store grams        # then: quaver analyze grams")]
pub struct Score {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,

    /// Write one row per sample to FILE (.parquet, .csv, .ndjson), or as NDJSON to stdout (-).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write a page to look at, one file, and its numbers beside it as JSON.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// One JSON object on stdout in place of the summary.
    #[arg(long)]
    json: bool,

    /// How many of the most influential samples to print.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,

    /// Column by which the samples printed are chosen.
    #[arg(long, value_name = "COLUMN", default_value = "fi", value_parser = RANK_BY)]
    rank_by: String,

    #[command(flatten)]
    scoring: ScoringArgs,
}

/// Columns in which a larger number means a more sensitive sample.
const RANK_BY: [&str; 9] = [
    "fi",
    "saturation",
    "fi_lambda",
    "fisher_trace",
    "fisher_lambda_max",
    "effective_rank",
    "grad_norm",
    "jacobian_norm",
    "logit_jacobian_norm",
];

impl Score {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        self.run_as("score", console)
    }

    /// The same under another name.
    pub fn run_as(&self, command: &str, console: &Console) -> Result<(), Failure> {
        pages::check(self.report.as_ref())?;
        rows::check(self.out.as_deref(), self.json)?;
        let mut job = self.scoring.open(console, &self.subject.subject()?)?;
        if let Some(path) = self.out.as_deref().filter(|path| path.as_os_str() != "-") {
            job.keep_beside(path);
        }
        let source = job.source(console)?;
        let described = source.description();
        let table = ScoreTable::new(described, &job.options);
        let columns = table.columns();
        let record = job.record(command, described)?;
        let rank_by = columns
            .iter()
            .position(|column| column.name == self.rank_by);
        let mut ranking = Ranking::new(rank_by.unwrap_or_default(), self.top);
        let mut summaries = Summaries::new(&described.blocks, described.n_outputs);
        let mut rows = Rows::create(self.out.as_deref(), &columns, &record)?;
        let mut for_page = self
            .report
            .as_ref()
            .map(|_| OutlierStudy::new(described.n_outputs, None));
        let tally = job.each(console, &*source, |scored| match scored {
            Ok(scores) => scores.iter().try_for_each(|score| {
                summaries.add(score);
                if let Some(page) = &mut for_page {
                    page.add(score)?;
                }
                let row = table.row(score);
                ranking.add(&row);
                rows.write(&row)
            }),
            Err(failure) => rows.write(&table.failed_row(failure)),
        })?;
        rows.finish()?;
        job.finish()?;
        if let (Some(path), Some(study)) = (&self.report, for_page) {
            let subject = self.subject.subject()?;
            let out = self
                .out
                .as_deref()
                .map(pages::file_name)
                .unwrap_or_default();
            let subjects = Subjects::new(job.dataset(), described.class_names.as_deref());
            let title = format!("Sensitivity of {}", subject.model_name());
            let lead = format!(
                "How strongly its output reacts to a change of each sample of {}.",
                subject.data_name()
            );
            let is_of_study = MEASURES.iter().any(|measure| measure.name == self.rank_by);
            let rank_by = if is_of_study { &self.rank_by } else { "fi" };
            let sections = pages::study(&study.finish()?, &subjects, rank_by, &out);
            pages::write(
                console,
                path,
                Page::new(title).lead(lead),
                sections,
                &record,
            )?;
        }
        let run = Run {
            command: self,
            options: &job.options,
            n_failed: tally.failed,
            one_block: described.blocks.len() == 1,
        };
        run.report(console, &columns, &summaries, ranking.into_rows(), record)?;
        tally.verdict()
    }
}
