//! `quaver attack`: how far a sample is from being classified otherwise, and whether a map finds the weak spots.

mod archive;
mod arguments;
mod output;

use std::path::PathBuf;

use clap::Args;
use quaver::{AttackSummary, AttackTable, Error, LabelChoice};

use crate::arguments::{DataArgs, ModelArgs, check_labels};
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;
use crate::pages;
use crate::rows::{self, Rows};
use crate::sources::Sources;
use archive::Archive;
use arguments::AttackArgs;
use output::Run;
use quaver_results::Examples;

/// How many failed samples are told of one by one.
const TOLD: usize = 5;

/// Attack every sample: measures how robust the network is, and whether the map of FI finds its weak spots.
///
/// Only samples that the network classifies as their label says are attacked. Perturbed samples never leave the range
/// of the data (--bounds). Radii are shares of that range: 8/255 is eight grey levels of 255, whatever --scale, --mean
/// and --std make of them. Without -o a summary is printed; with it every sample, attack and radius is a row of FILE.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver attack model.onnx data.npz --bounds 0,1
  quaver attack cifar.onnx test_batch.bin --scale 1/255 \\
    --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --limit 100
  quaver attack net.onnx data.npz --bounds 0,1 --attack fi-pixel,random-pixel,best-pixel \\
    --pixels 1 -o pixels.csv
  quaver attack net.onnx data.npz --bounds 0,1 --attack pgd-linf --epsilon 1/255,2/255,4/255 \\
    --report robustness.html
  quaver attack net.onnx data.npz --bounds 0,1 --attack one-pixel --target 3 --queries 20000 \\
    --save adversarial.npz
  quaver attack grams --bounds 0,1 --limit 100        # what the store was made from

docs/attacks.md says what each attack does and where it comes from. Attacks exist here to measure
robustness.")]
pub struct Attack {
    /// ONNX file, and data file or folder; or a store of Grams (score --store) alone.
    #[arg(value_names = ["MODEL", "DATA"], num_args = 1..=2, required = true)]
    subject: Vec<PathBuf>,

    /// Write one row per sample, attack and radius to FILE (.parquet, .csv, .ndjson), or as NDJSON to stdout (-).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write a page with plots and examples to FILE (.html), and its numbers beside it (.json).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write the perturbed samples to FILE (.npz): x_adv in the numbers of the data, y, success, attack, index.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// One JSON object on stdout in place of the summary.
    #[arg(long)]
    json: bool,

    /// End at the first sample that cannot be read or attacked [default: it is a row with an error].
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    attack_args: AttackArgs,

    #[command(flatten)]
    data_args: DataArgs,

    #[command(flatten)]
    model_args: ModelArgs,
}

impl Attack {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        pages::check(self.report.as_ref())?;
        rows::check(self.out.as_deref(), self.json)?;
        let stop = stop_flag()?;
        let sources = Sources::new(&self.subject, &self.data_args, &self.model_args)?;
        let (model, data) = (&sources.model, &sources.data[0]);
        let dataset = sources.dataset(data)?;
        let options = self.attack_args.options(&*dataset, stop)?;
        if options.label == LabelChoice::True {
            check_labels(&*dataset, data, model, true)?;
        }
        let bounds = options.bounds_of(&*dataset)?;
        let plan = options.plan()?;
        if self.attack_args.bounds_are_seen() {
            let text = "the least and the greatest number in these data";
            console.note(format_args!(
                "bounds {},{}: {text}",
                bounds.low, bounds.high
            ));
        }
        let table = AttackTable::new(&*dataset, &options);
        let columns = table.columns();
        let run = Run {
            command: self,
            options: &options,
            bounds,
            sources: &sources,
            dataset: &*dataset,
        };
        let record = run.record()?;
        let mut rows = Rows::create(self.out.as_deref(), &columns, &record)?;
        let mut archive = match &self.save {
            Some(path) => Some(Archive::create(path, dataset.shape(), &plan)?),
            None => None,
        };
        let mut examples = Examples::new(&*dataset, bounds, self.report.is_some());
        let mut summary = AttackSummary::new();
        let (mut failed, mut failure) = (0, None);
        let progress = console.progress(dataset.len());
        let ended = model.attack_each(&*dataset, &options, stop, |raided| {
            progress.step();
            let attacked = match raided {
                Ok(attacked) => attacked,
                Err(failure) if self.strict => return Err(failure.into_error()),
                Err(reason) => {
                    failed += 1;
                    if failed <= TOLD {
                        progress.suspend(|| console.note(format_args!("{reason}; left out")));
                    }
                    let row = table.failed_row(&reason);
                    return rows
                        .write(&row)
                        .map_err(|error| caller(&mut failure, error));
                }
            };
            summary.add(&attacked);
            examples.add(&attacked);
            let mut keep = || -> Result<(), Failure> {
                if let Some(archive) = &mut archive {
                    archive.add(&attacked)?;
                }
                table.rows(&attacked).try_for_each(|row| rows.write(&row))
            };
            keep().map_err(|error| caller(&mut failure, error))
        });
        let elapsed = progress.elapsed().as_secs_f64();
        drop(progress);
        ended.map_err(|error| failure.take().unwrap_or_else(|| Failure::from(error)))?;
        let n_samples = failed + summary.n_samples() as usize;
        if summary.n_samples() == 0 {
            let data = data.display();
            return Err(Failure::Input(format!(
                "{data}: none of the {n_samples} samples could be attacked"
            )));
        }
        rows.finish()?;
        if let Some(archive) = archive {
            archive.finish()?;
        }
        console.detail(format_args!("{n_samples} samples in {elapsed:.2} s"));
        run.report(console, &summary, &examples, record)?;
        match failed {
            0 => Ok(()),
            failed => Err(Failure::Samples(format!(
                "{failed} of {n_samples} samples could not be attacked"
            ))),
        }
    }
}

/// Keeps the failure to write, for the library knows only that its caller failed.
fn caller(kept: &mut Option<Failure>, failure: Failure) -> Error {
    let error = Error::caller(failure.to_string());
    *kept = Some(failure);
    error
}
