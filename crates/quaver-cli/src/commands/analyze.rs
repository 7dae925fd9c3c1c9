//! `quaver analyze`: measures again, from a store, without the network.

use clap::Args;

use super::score::Score;
use crate::console::Console;
use crate::failure::Failure;

/// Compute any measure again from a store of Grams, in seconds and without the network.
///
/// Takes the options of `score`: another objective, label, lambda or tolerance; --wrt chooses and adds up the blocks that
/// the store holds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver score model.onnx data.npz --wrt input,layers --store grams
  quaver analyze grams --lambda 100 --objective margin
  quaver analyze grams --wrt params --wrt input+params -o scores.parquet
  quaver analyze grams --wrt 'layer:*conv*' --label predicted")]
pub struct Analyze {
    #[command(flatten)]
    score: Score,
}

impl Analyze {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        self.score.run_as("analyze", console)
    }
}
