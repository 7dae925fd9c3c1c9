//! The library's error as Python's: `quaver.QuaverError` and its subclasses, with the same texts.

use pyo3::PyErr;
use quaver::{Error, ErrorKind};

mod classes {
    pyo3::import_exception!(quaver.errors, QuaverError);
    pyo3::import_exception!(quaver.errors, ModelError);
    pyo3::import_exception!(quaver.errors, DataError);
    pyo3::import_exception!(quaver.errors, OptionError);
}

/// The exception that says what `error` says.
pub fn raised(error: Error) -> PyErr {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Model => classes::ModelError::new_err(text),
        ErrorKind::Data => classes::DataError::new_err(text),
        ErrorKind::Option => classes::OptionError::new_err(text),
        _ => classes::QuaverError::new_err(text),
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
