//! The library's error as Python's: `quaver.QuaverError` and its subclasses, with the same texts.

use pyo3::PyErr;
use quaver::{Error, ErrorKind};
use quaver_report::{ReportError, ReportErrorKind};

mod classes {
    pyo3::import_exception!(quaver.errors, QuaverError);
    pyo3::import_exception!(quaver.errors, ModelError);
    pyo3::import_exception!(quaver.errors, DataError);
    pyo3::import_exception!(quaver.errors, OptionError);
    pyo3::import_exception!(quaver.errors, OutputError);
    pyo3::import_exception!(quaver.errors, StoreError);
}

/// The exception that says what `error` says.
pub fn raised(error: Error) -> PyErr {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Model => classes::ModelError::new_err(text),
        ErrorKind::Data => classes::DataError::new_err(text),
        ErrorKind::Option => classes::OptionError::new_err(text),
        ErrorKind::Output => classes::OutputError::new_err(text),
        ErrorKind::Store => classes::StoreError::new_err(text),
        _ => classes::QuaverError::new_err(text),
    }
}

/// The exception that says why something could not be written.
pub fn of_report(error: ReportError) -> PyErr {
    let text = error.to_string();
    match error.kind() {
        ReportErrorKind::Format => classes::OptionError::new_err(text),
        _ => classes::OutputError::new_err(text),
    }
}

/// An exception about data that Python handed over.
pub fn data_error(text: impl Into<String>) -> PyErr {
    classes::DataError::new_err(text.into())
}

/// An exception about an option that Python handed over.
pub fn option_error(text: impl Into<String>) -> PyErr {
    classes::OptionError::new_err(text.into())
}
