//! `quaver merge`: parts computed on many machines made one store.

use std::path::PathBuf;

use clap::Args;

use crate::console::Console;
use crate::failure::Failure;

/// Join the stores that `--shard` made into one, after checking that they fit together: same model, data and options,
/// nothing missing and nothing twice.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver score model.onnx data.npz --store part1 --shard 1/2
  quaver score model.onnx data.npz --store part2 --shard 2/2
  quaver merge grams part1 part2
  quaver analyze grams -o scores.parquet")]
pub struct Merge {
    /// Folder of the new store.
    out: PathBuf,

    /// Folders of the parts, in any order.
    #[arg(required = true)]
    parts: Vec<PathBuf>,
}

impl Merge {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        let store = quaver_store::merge(&self.out, &self.parts)?;
        console.note(format_args!(
            "{} samples in {}",
            store.samples().len(),
            self.out.display()
        ));
        Ok(())
    }
}
