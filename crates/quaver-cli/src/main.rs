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
  quaver demo                                      the main job, on pictures it draws itself
  quaver inspect model.onnx                        what the model is, and whether it is supported
  quaver score model.onnx data.npz                 the most influential samples, and a summary
  quaver score model.onnx data.npz -o scores.csv   one row per sample
  quaver score model.onnx data.npz --store grams   keep class Grams; interrupted runs go on
  quaver analyze grams --objective margin          other measures from them, without the network
  quaver outliers model.onnx train.npz --report outliers.html
                                                   suspicious samples, by every measure, as a page
  quaver compare model.onnx --train train.npz --test test.npz
                                                   as sensitive on test data as on training data?

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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Lines that the help would break cannot be copied as they stand.
    #[test]
    fn examples_fit_the_width_of_the_help() {
        let whole = Cli::command();
        let check = |command: &clap::Command| {
            let text = command.get_after_help().map(|text| text.to_string());
            for line in text.unwrap_or_default().lines() {
                let width = line.chars().count();
                assert!(width < 100, "{}: {width}: {line}", command.get_name());
            }
        };
        check(&whole);
        whole.get_subcommands().for_each(check);
    }
}
