//! The terminal: results go to stdout, everything else to stderr.

use std::fmt;
use std::io::{self, Write};

use crate::failure::Failure;
use crate::progress::Progress;

/// How much is said, and where.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
    verbose: bool,
}

impl Console {
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose }
    }

    /// Writes a result.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        written
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::stdout(&error))
    }

    /// Says something about the work, unless the user wants quiet.
    pub fn note(&self, text: impl fmt::Display) {
        if !self.quiet {
            line(format_args!("{text}"));
        }
    }

    /// Says what only a user who asked for it wants to know.
    pub fn detail(&self, text: impl fmt::Display) {
        if self.verbose {
            line(format_args!("{text}"));
        }
    }

    /// Says why the command failed: always, on one line.
    pub fn error(&self, text: impl fmt::Display) {
        line(format_args!("quaver: {text}"));
    }

    /// A progress bar over `n` samples; invisible when quiet or when stderr is no terminal.
    pub fn progress(&self, n: usize) -> Progress {
        Progress::new(n, !self.quiet)
    }
}

/// Writes a line to stderr. When even that fails there is nobody left to tell.
fn line(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
