//! The commands: one file each, one line each here.

mod analyze;
mod attack;
mod compare;
mod demo;
mod inspect;
mod layers;
mod map;
mod merge;
mod outliers;
mod report;
mod score;
mod simulate;

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
    Outliers(Box<outliers::Outliers>),
    Compare(Box<compare::Compare>),
    Layers(Box<layers::Layers>),
    Map(Box<map::Map>),
    Simulate(simulate::Simulate),
    Report(report::Report),
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
            Command::Outliers(command) => command.run(console),
            Command::Compare(command) => command.run(console),
            Command::Layers(command) => command.run(console),
            Command::Map(command) => command.run(console),
            Command::Simulate(command) => command.run(console),
            Command::Report(command) => command.run(console),
            Command::Attack(command) => command.run(console),
            Command::Demo(command) => command.run(console),
        }
    }
}
