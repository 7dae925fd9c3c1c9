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

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && !is_help(error.kind()) => {
            Console::new(false, false).error(one_line(
                &error.render().to_string(),
                named(std::env::args_os()).as_deref(),
            ));
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
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

/// Whether help was asked for, or is what somebody needs who gave nothing at all.
fn is_help(kind: ErrorKind) -> bool {
    kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// What is wrong with the command line, on one line as every other error: what clap says, less the usage that it repeats,
/// for which there is the help of `command`.
fn one_line(rendered: &str, command: Option<&str>) -> String {
    let said = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let said = said.split("Usage: ").next().unwrap_or(said);
    let said = said.split("For more information").next().unwrap_or(said);
    let parts = said.split("\n\n").map(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        words.join(" ")
    });
    // That a misspelt option could be a value is of no help to anybody.
    let helps = |part: &String| !part.is_empty() && !part.starts_with("tip: to pass");
    let parts: Vec<String> = parts.filter(helps).collect();
    let command = command.map_or_else(String::new, |name| format!("{name} "));
    format!("{} (quaver {command}--help)", parts.join("; "))
}

/// The name of the command in a command line.
fn named(words: impl IntoIterator<Item = OsString>) -> Option<String> {
    let words = words.into_iter().skip(1);
    let command = Cli::command();
    let is_name = |word: OsString| Some(command.find_subcommand(word)?.get_name().to_owned());
    words.map(is_name).next()?
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_wrong_command_line_is_told_on_one_line() {
        let told = |words: &[&str]| {
            let error = Cli::try_parse_from(words).unwrap_err();
            let command = named(words.iter().map(OsString::from));
            one_line(&error.render().to_string(), command.as_deref())
        };
        assert_eq!(
            told(&["quaver", "score", "a.onnx", "b.npz", "--limi", "3"]),
            "unexpected argument '--limi' found; tip: a similar argument exists: '--limit' (quaver score --help)"
        );
        assert_eq!(
            told(&["quaver", "compare", "a.onnx"]),
            "the following required arguments were not provided: --train <DATA> --test <DATA> (quaver compare --help)"
        );
        assert_eq!(
            told(&["quaver", "score", "a.onnx", "b.npz", "--nothing-like-it"]),
            "unexpected argument '--nothing-like-it' found (quaver score --help)"
        );
        let told = told(&["quaver", "map", "a.onnx", "--label", "x"]);
        assert!(
            !told.contains('\n') && told.contains("number of a class"),
            "{told}"
        );
    }
}
