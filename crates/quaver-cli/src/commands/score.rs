//! `quaver score`: the influence measure of every sample.

mod output;
mod summaries;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use quaver::{
    Classes, Error, ErrorKind, LabelChoice, Model, ObjectiveChoice, Precision, ScoreOptions,
    ScoreTable,
};

use crate::arguments::{DataArgs, ModelArgs, label_choice, number, parsed};
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;
use crate::ranking::Ranking;
use output::{Rows, Run};
use summaries::Summaries;

/// Score every sample: the influence measure FI with rank, ceiling and saturation, and companions that do not saturate.
///
/// DATA is an .npz or .npy array file, an idx file (MNIST, gzipped or not), CIFAR-10 or CIFAR-100 binary records, or a
/// folder of images with one sub-folder per class. Unless --wrt says otherwise the whole input is the perturbed block.
/// Without -o the most influential samples and a summary are printed; with it every sample and block is a row of FILE
/// and the summary is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver score model.onnx data.npz
  quaver score model.onnx data.npz -o scores.parquet
  quaver score mnist.onnx t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz --scale 1/255
  quaver score cifar.onnx test_batch.bin --scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  quaver score net.onnx photos/ --resize 224x224 --label predicted --limit 100
  quaver score model.onnx data.npz --wrt layers -o layers.parquet
  quaver score model.onnx data.npz --wrt input --wrt params --wrt input+params --objective margin
  quaver score model.onnx data.npz -o - | jq .fi")]
pub struct Score {
    /// ONNX file.
    model: PathBuf,

    /// Data file or folder.
    data: PathBuf,

    /// Write one row per sample to FILE (.parquet, .csv, .ndjson), or as NDJSON to stdout (-).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

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
    measure_args: MeasureArgs,

    #[command(flatten)]
    data_args: DataArgs,

    #[command(flatten)]
    model_args: ModelArgs,
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

/// What is computed, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Measures")]
struct MeasureArgs {
    /// Whose -log p is the objective: true (the label in the data), predicted, or the number of a class.
    #[arg(long, value_name = "LABEL", default_value = "true", value_parser = label_choice)]
    label: LabelChoice,

    /// What is perturbed, one block each: input, params, layers, param:NAME, layer:NAME, value:NAME; NAME may hold
    /// * and ?, and + joins terms into one block (input+params). May be given several times.
    #[arg(
        long,
        value_name = "BLOCK",
        default_value = "input",
        value_delimiter = ','
    )]
    wrt: Vec<String>,

    /// Objective f: nll (-log p), prob, margin, margin:A,B, log-odds, entropy, or cross-entropy:T0,T1,...
    #[arg(long, value_name = "F", default_value = "nll", value_parser = parsed::<ObjectiveChoice>)]
    objective: ObjectiveChoice,

    /// Classes kept apart, the rest merged: all, a number, or auto:TOL [default: all below 64 classes, else auto:0.01].
    #[arg(long, value_name = "M", value_parser = parsed::<Classes>)]
    classes: Option<Classes>,

    /// Compute 3x3 convolutions by their definition: slower, rounds differently.
    #[arg(long)]
    no_winograd: bool,

    /// Eigenvalues above RTOL times the largest count towards the rank [default: 1e-6 in f32, 1e-10 in f64].
    #[arg(long, value_name = "RTOL", value_parser = number, allow_negative_numbers = true)]
    rtol: Option<f64>,

    /// Budget of FI_lambda: 1 / sigma², sigma being the size of a plausible perturbation in input units.
    #[arg(long, value_name = "LAMBDA", default_value = "1", value_parser = number, allow_negative_numbers = true)]
    lambda: f64,

    /// Add compat_fi and compat_rank: the published program's arithmetic with its EPS (0.001 there).
    #[arg(long, value_name = "EPS", value_parser = number, allow_negative_numbers = true)]
    compat: Option<f64>,

    /// Number type the network is run in.
    #[arg(long, value_parser = ["f32", "f64"], default_value = "f32")]
    precision: String,

    /// Worker threads; the results are the same for any number [default: all cores].
    #[arg(long, value_name = "N", env = "QUAVER_THREADS")]
    threads: Option<NonZeroUsize>,
}

impl MeasureArgs {
    fn options(&self) -> ScoreOptions {
        ScoreOptions {
            label: self.label,
            rtol: self.rtol,
            wrt: self.wrt.clone(),
            objective: self.objective.clone(),
            classes: self.classes,
            winograd: !self.no_winograd,
            lambda: self.lambda,
            compat: self.compat,
            precision: match self.precision.as_str() {
                "f64" => Precision::F64,
                _ => Precision::F32,
            },
            threads: self.threads,
        }
    }
}

impl Score {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        if let Some(path) = &self.out
            && path.as_os_str() != "-"
        {
            quaver_report::check_table_path(path)?;
        }
        let options = self.measure_args.options();
        let model = Model::load(&self.model, &self.model_args.options())?;
        let dataset = self.data_args.open(&self.data, model.input_shape())?;
        if options.label == LabelChoice::True {
            quaver::check_labels(&*dataset, model.n_classes())
                .map_err(|error| Failure::Input(format!("{}: {error}", self.data.display())))?;
        }
        console.detail(format_args!(
            "{}: {} classes, input {:?}, head {}",
            self.model.display(),
            model.n_classes(),
            model.input_shape(),
            model.head().kind.name()
        ));
        console.detail(format_args!(
            "{}: {} samples of shape {:?}",
            self.data.display(),
            dataset.len(),
            dataset.shape()
        ));
        let blocks = model.blocks(&options.wrt)?;
        let table = ScoreTable::new(&*dataset, model.n_classes(), &options);
        let columns = table.columns();
        let run = Run {
            command: self,
            options: &options,
            class_names: dataset.class_names(),
        };
        let record = run.record()?;
        let rank_by = columns
            .iter()
            .position(|column| column.name == self.rank_by);
        let mut ranking = Ranking::new(rank_by.unwrap_or_default(), self.top);
        let mut summaries = Summaries::new(&blocks, model.n_classes());
        let mut rows = Rows::create(self.out.as_deref(), &columns, &record)?;

        let stop = stop_flag()?;
        let progress = console.progress(dataset.len());
        let mut failure = None;
        let scored = model.score_each(&*dataset, &options, stop, |score| {
            if summaries.add(&score) {
                progress.step();
            }
            let row = table.row(&score);
            ranking.add(&row);
            rows.write(&row).map_err(|error| {
                let caller = Error::caller(error.to_string());
                failure = Some(error);
                caller
            })
        });
        let elapsed = progress.elapsed().as_secs_f64();
        drop(progress);
        scored.map_err(|error| failure.take().unwrap_or_else(|| self.of_data(error)))?;
        rows.finish()?;
        console.detail(format_args!(
            "{} samples in {elapsed:.2} s, {:.1} a second",
            summaries.n_samples(),
            summaries.n_samples() as f64 / elapsed
        ));
        run.report(console, &columns, &summaries, ranking.into_rows(), record)
    }

    /// An error of the data, with the data's name before it.
    fn of_data(&self, error: Error) -> Failure {
        let data = self.data.display().to_string();
        let is_named = error.kind() != ErrorKind::Data || error.to_string().contains(&data);
        match Failure::from(error) {
            Failure::Input(message) if !is_named => Failure::Input(format!("{data}: {message}")),
            other => other,
        }
    }
}
