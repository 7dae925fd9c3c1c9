//! Work without the interpreter, and a look at it now and then: for Ctrl-C and for progress.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use quaver::{Error, ErrorKind};

use crate::error::raised;

/// How long the interpreter is left alone. A look at it may have to wait for other Python threads.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Counts samples, and looks at the interpreter between two of them.
pub struct Ticker {
    /// A tqdm bar, if one is wanted.
    bar: Option<Py<PyAny>>,
    /// Samples that the bar does not know of.
    unseen: usize,
    last_look: Instant,
    exception: Option<PyErr>,
}

/// Does `work` without holding the interpreter, on `total` samples; `progress` is `quaver._progress.bar`'s.
pub fn detached<R: Send>(
    py: Python<'_>,
    total: usize,
    progress: Option<bool>,
    work: impl FnOnce(&mut Ticker) -> Result<R, Error> + Send,
) -> PyResult<R> {
    let bar = py
        .import("quaver._progress")?
        .call_method1("bar", (total, progress))?;
    let mut ticker = Ticker {
        bar: (!bar.is_none()).then(|| bar.unbind()),
        unseen: 0,
        last_look: Instant::now(),
        exception: None,
    };
    let result = py.detach(|| work(&mut ticker));
    if let Some(bar) = &ticker.bar {
        bar.call_method1(py, "update", (ticker.unseen,))?;
        bar.call_method0(py, "close")?;
    }
    match ticker.exception {
        Some(exception) => Err(exception),
        None => result.map_err(raised),
    }
}

impl Ticker {
    /// One more sample is done; an error if Python wants to stop.
    pub fn step(&mut self) -> Result<(), Error> {
        self.unseen += 1;
        if self.last_look.elapsed() < BETWEEN_LOOKS {
            return Ok(());
        }
        self.last_look = Instant::now();
        let looked = Python::attach(|py| -> PyResult<()> {
            py.check_signals()?;
            if let Some(bar) = &self.bar {
                bar.call_method1(py, "update", (self.unseen,))?;
                self.unseen = 0;
            }
            Ok(())
        });
        looked.map_err(|exception| {
            self.exception = Some(exception);
            Error::new(ErrorKind::Interrupted, "interrupted")
        })
    }
}
