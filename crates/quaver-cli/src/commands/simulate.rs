//! `quaver simulate`: data with outliers of which it is known where they are.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use quaver::simulate::{MislabelOptions, OverlayOptions, Simulated, mislabel, overlay};
use quaver::{Dataset, Sample};
use quaver_report::{NpzWriter, check_npz_path};

use crate::arguments::{DataArgs, number};
use crate::console::Console;
use crate::failure::Failure;

/// Make data with known outliers from any labelled pictures: to train on, or to see whether a network notices.
///
/// Writes an .npz with x and y as score and outliers read them; truth (1 for an outlier); source (N, 2), the indices of the
/// one or two samples each was made from, -1 for none; y_source (N, 2), their labels; and shift (N, 4), by how far the
/// first and the second picture were moved right and down. x is uint8 if all values are whole numbers up to 255, else
/// float32.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver simulate overlay train-images-idx3-ubyte.gz -o overlaid.npz    # labels lie beside them
  quaver simulate mislabel photos.npz --outliers 500 --seed 7 -o mislabelled.npz
  quaver outliers net.onnx overlaid.npz --scale 1/255 --report outliers.html")]
pub struct Simulate {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Add pictures that are two pictures of different classes laid over each other, with the label of one of them.
    ///
    /// The simulated outliers of Shu & Zhu (AAAI-19, Figure 3): both pictures are shifted at random, and every pixel
    /// is the larger of both. They follow after the samples themselves, which stay as they are.
    Overlay(Box<Overlay>),
    /// Change labels at random to those of other classes.
    Mislabel(Box<Mislabel>),
}

#[derive(Debug, Args)]
struct Common {
    /// Labelled data: a file or folder, as for score.
    data: PathBuf,

    /// The .npz file to write.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// How many outliers [default: one for every ten samples].
    #[arg(long, value_name = "N")]
    outliers: Option<usize>,

    /// Seed: the same seed makes the same outliers.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    data_args: DataArgs,
}

#[derive(Debug, Args)]
struct Overlay {
    #[command(flatten)]
    common: Common,

    /// The largest shift along each axis, in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = OverlayOptions::default().max_shift)]
    max_shift: usize,

    /// What a shift leaves empty has this value.
    #[arg(long, value_name = "VALUE", default_value = "0", value_parser = number, allow_negative_numbers = true)]
    background: f64,
}

#[derive(Debug, Args)]
struct Mislabel {
    #[command(flatten)]
    common: Common,
}

impl Simulate {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        let common = match &self.kind {
            Kind::Overlay(overlay) => &overlay.common,
            Kind::Mislabel(mislabel) => &mislabel.common,
        };
        check_npz_path(&common.out)?;
        let data = common.data_args.open_as_is(&common.data)?;
        let simulated = match &self.kind {
            Kind::Overlay(args) => {
                let options = OverlayOptions {
                    n_outliers: common.outliers,
                    max_shift: args.max_shift,
                    background: args.background,
                    seed: common.seed,
                };
                overlay(&*data, &options)
            }
            Kind::Mislabel(_) => {
                let options = MislabelOptions {
                    n_outliers: common.outliers,
                    seed: common.seed,
                };
                mislabel(&*data, &options)
            }
        };
        let simulated = simulated
            .map_err(|error| Failure::Input(format!("{}: {error}", common.data.display())))?;
        common.write(&simulated, &*data)?;
        let is_outlier = |origin: &&quaver::simulate::Origin| origin.is_outlier();
        console.note(format_args!(
            "{} samples, {} of them outliers, written to {}",
            simulated.len(),
            simulated.origins().iter().filter(is_outlier).count(),
            common.out.display()
        ));
        Ok(())
    }
}

impl Common {
    fn write(&self, simulated: &Simulated<'_>, data: &dyn Dataset) -> Result<(), Failure> {
        let n = simulated.len();
        let mut shape = vec![n];
        shape.extend(simulated.shape());
        let mut npz = NpzWriter::create(&self.out)?;
        let samples = || (0..n).map(|at| simulated.read(at).map_err(Failure::from));
        if are_bytes(samples())? {
            npz.array("x", &shape, values(samples(), |value| value as u8))?;
        } else {
            npz.array("x", &shape, values(samples(), |value| value as f32))?;
        }
        let origins = simulated.origins();
        let index = |at: usize| Ok::<i64, Failure>(data.original_index(at) as i64);
        let label = |at: usize| -> Result<i64, Failure> {
            Ok(data.label(at)?.map_or(-1, |label| label as i64))
        };
        let labels = origins
            .iter()
            .map(|origin| Ok::<i64, Failure>(origin.label as i64));
        npz.array("y", &[n], labels)?;
        let truth = origins
            .iter()
            .map(|origin| Ok::<u8, Failure>(origin.is_outlier().into()));
        npz.array("truth", &[n], truth)?;
        let sources = origins.iter().flat_map(|o| [Some(o.source), o.other]);
        npz.array(
            "source",
            &[n, 2],
            sources.clone().map(|at| at.map_or(Ok(-1), index)),
        )?;
        npz.array(
            "y_source",
            &[n, 2],
            sources.map(|at| at.map_or(Ok(-1), label)),
        )?;
        let shifts = origins
            .iter()
            .flat_map(|origin| origin.shifts.as_flattened());
        npz.array(
            "shift",
            &[n, 4],
            shifts.map(|by| Ok::<i64, Failure>(*by as i64)),
        )?;
        Ok(npz.finish()?)
    }
}

/// Whether all values are whole numbers from 0 to 255.
fn are_bytes(mut samples: impl Iterator<Item = Result<Sample, Failure>>) -> Result<bool, Failure> {
    let is_byte = |value: &f64| value.fract() == 0.0 && (0.0..=255.0).contains(value);
    samples.try_fold(true, |so_far, sample| {
        Ok(so_far && sample?.values.iter().all(is_byte))
    })
}

/// All values of all samples, one after another.
fn values<T>(
    samples: impl Iterator<Item = Result<Sample, Failure>>,
    as_stored: impl Fn(f64) -> T + Copy,
) -> impl Iterator<Item = Result<T, Failure>> {
    samples.flat_map(move |sample| {
        let (values, error) = match sample {
            Ok(sample) => (sample.values, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let values = values.into_iter().map(move |value| Ok(as_stored(value)));
        values.chain(error)
    })
}
