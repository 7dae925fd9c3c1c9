//! `quaver analyze`: measures again, from a store, without the network.

use clap::{Arg, Args};
use quaver_store::is_store;

use super::score::Score;
use crate::console::Console;
use crate::failure::Failure;
use crate::scoring::Subject;

/// Compute any measure again from a store of Grams, in seconds and without the network.
///
/// Another objective, label, lambda or tolerance; --wrt chooses and adds up the blocks that the store holds, --classes
/// merges classes that it has apart. Rows, summary and page are those of `score`.
#[derive(Debug, Args)]
#[command(
    mut_args(of_a_store),
    override_usage = "quaver analyze [OPTIONS] <STORE>",
    after_help = "\
Examples:
  quaver score model.onnx data.npz --wrt input,layers --store grams
  quaver analyze grams --lambda 100 --objective margin
  quaver analyze grams --wrt params --wrt input+params -o scores.parquet
  quaver analyze grams --wrt 'layer:*conv*' --label predicted
  quaver analyze grams --classes 5"
)]
pub struct Analyze {
    #[command(flatten)]
    score: Score,
}

/// Of the options of `score`, those about the network and its data were decided when the store was filled: they are
/// refused with a store, and not shown.
fn of_a_store(arg: Arg) -> Arg {
    const DECIDED: [&str; 8] = [
        "store",
        "store_as",
        "shard",
        "plan",
        "memory",
        "targets",
        "no_winograd",
        "precision",
    ];
    match (arg.get_id().as_str(), arg.get_help_heading()) {
        ("subject", _) => arg
            .value_names(["STORE"])
            .num_args(1)
            .help("Folder of a store of Grams (score --store)"),
        (_, Some("Data" | "Model")) => arg.hide(true),
        (name, _) if DECIDED.contains(&name) => arg.hide(true),
        _ => arg,
    }
}

impl Analyze {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        match self.score.subject.subject()? {
            Subject::Store(_) => self.score.run_as("analyze", console),
            Subject::Network { model, .. } if is_store(model) => Err(Failure::Input(format!(
                "{}: give one store, and nothing else",
                model.display()
            ))),
            Subject::Network { model, .. } => Err(Failure::Input(format!(
                "{}: is not a store of Grams; `quaver score MODEL DATA --store DIR` makes one",
                model.display()
            ))),
        }
    }
}
