//! The `quaver` command: reads options, calls the library, writes what comes back.
//!
//! Deliberately absent: any computation. What a command prints, a caller of the library can have.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod console;
mod failure;
mod interrupt;
mod pages;
mod progress;
mod ranking;
mod rows;
mod scoring;
mod sources;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use console::Console;

/// How sensitive is a trained classifier: to what, and where?
///
/// Reads a network (ONNX) and data (files), and measures how the network's output distribution moves when its input
/// is perturbed. Needs no training framework.
#[derive(Debug, Parser)]
#[command(name = "quaver", version, max_term_width = 100, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Say on stderr what is done, and how long it took.
    #[arg(long, short, global = true)]
    verbose: bool,
}

const AFTER_HELP: &str = "\
Examples:
  quaver demo                                      the main job on pictures the program draws itself
  quaver inspect model.onnx                        what the model is, and whether it can be differentiated
  quaver score model.onnx data.npz                 the most influential samples, and a summary
  quaver score model.onnx data.npz -o scores.csv   one row per sample
  quaver score model.onnx data.npz --store grams   keep the class Grams; an interrupted run goes on
  quaver analyze grams --objective margin          other measures from them, without the network
  quaver outliers model.onnx train.npz --report outliers.html
                                                   suspicious samples, by every measure, as a page
  quaver compare model.onnx --train train.npz --test test.npz
                                                   is it as sensitive on test data as on training data?

Exit status:
  0 done   1 an output could not be written   2 bad input: an option, a model, data
  3 done, but some samples could not be read or scored   130 interrupted";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(cli.quiet, cli.verbose);
    match cli.command.run(&console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                console.error(message);
            }
            failure.exit_code()
        }
    }
}
