//! Why a command ends early, and with which exit status.

use std::fmt;
use std::io;
use std::process::ExitCode;

use quaver::ErrorKind;
use quaver_report::{ReportError, ReportErrorKind};

/// The end of a command that did not do its job.
#[derive(Debug)]
pub enum Failure {
    /// An option, a model or data that cannot be used.
    Input(String),
    /// An output that cannot be written.
    Output(String),
    /// Some samples have no scores; all others do, and outputs are written.
    Samples(String),
    /// Ctrl-C or a request to terminate; what is said of it.
    Interrupted(String),
    /// There is nothing left to do, and all is well.
    Done,
    /// Whoever read the output has seen enough.
    ClosedPipe,
}

impl Failure {
    /// What to tell the user; nothing if nobody listens.
    pub fn message(&self) -> Option<&str> {
        match self {
            Failure::Input(message) | Failure::Output(message) | Failure::Samples(message) => {
                Some(message)
            }
            Failure::Interrupted(message) => Some(message),
            Failure::ClosedPipe | Failure::Done => None,
        }
    }

    /// The exit status, as `quaver --help` documents it.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::ClosedPipe | Failure::Done => 0,
            Failure::Output(_) => 1,
            Failure::Input(_) => 2,
            Failure::Samples(_) => 3,
            Failure::Interrupted(_) => 130,
        })
    }

    /// A failure to write to stdout.
    pub fn stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Output(format!("stdout: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().unwrap_or("nothing left to do"))
    }
}

impl std::error::Error for Failure {}

impl From<quaver::Error> for Failure {
    fn from(error: quaver::Error) -> Self {
        match error.kind() {
            ErrorKind::Interrupted => {
                Failure::Interrupted("interrupted; no output was left behind".to_owned())
            }
            // What a command's own function reports is a failure to write.
            ErrorKind::Caller | ErrorKind::Output => Failure::Output(error.to_string()),
            _ => Failure::Input(error.to_string()),
        }
    }
}

impl From<quaver::DataError> for Failure {
    fn from(error: quaver::DataError) -> Self {
        Failure::Input(error.to_string())
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error.kind() {
            ReportErrorKind::Format => Failure::Input(error.to_string()),
            _ => Failure::Output(error.to_string()),
        }
    }
}
