//! The commands: one file each, one line each here.

mod analyze;
mod attack;
mod demo;
mod inspect;
mod merge;
mod score;

use clap::Subcommand;

use crate::console::Console;
use crate::failure::Failure;

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Inspect(inspect::Inspect),
    Score(Box<score::Score>),
    Analyze(Box<analyze::Analyze>),
    Merge(merge::Merge),
    Attack(Box<attack::Attack>),
    Demo(demo::Demo),
}

impl Command {
    /// Does it.
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        match self {
            Command::Inspect(command) => command.run(console),
            Command::Score(command) => command.run(console),
            Command::Analyze(command) => command.run(console),
            Command::Merge(command) => command.run(console),
            Command::Attack(command) => command.run(console),
            Command::Demo(command) => command.run(console),
        }
    }
}
