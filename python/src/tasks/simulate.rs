//! `quaver.simulate`: data with outliers of which it is known where they are.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use quaver::Dataset as _;
use quaver::simulate::{MislabelOptions, OverlayOptions, Simulated, mislabel, overlay};

use crate::error::{data_error, raised};
use crate::hints::{Array, Facts};
use crate::samples::{Labels, Samples, View};

/// The arrays of `quaver.simulate.overlay`.
#[pyfunction]
#[pyo3(signature = (x, y = None, *, n_outliers = None, max_shift = 4, background = 0.0, seed = 0))]
pub fn simulate_overlay<'py>(
    py: Python<'py>,
    x: Samples<'py>,
    y: Option<Labels>,
    n_outliers: Option<usize>,
    max_shift: usize,
    background: f64,
    seed: u64,
) -> PyResult<Facts<'py>> {
    let options = OverlayOptions {
        n_outliers,
        max_shift,
        background,
        seed,
    };
    let view = x.as_it_is(y)?;
    let made = py.detach(|| overlay(&view, &options)).map_err(raised)?;
    arrays(py, &made, &view)
}

/// The arrays of `quaver.simulate.mislabel`.
#[pyfunction]
#[pyo3(signature = (x, y = None, *, n_outliers = None, seed = 0))]
pub fn simulate_mislabel<'py>(
    py: Python<'py>,
    x: Samples<'py>,
    y: Option<Labels>,
    n_outliers: Option<usize>,
    seed: u64,
) -> PyResult<Facts<'py>> {
    let options = MislabelOptions { n_outliers, seed };
    let view = x.as_it_is(y)?;
    let made = py.detach(|| mislabel(&view, &options)).map_err(raised)?;
    arrays(py, &made, &view)
}

/// What the command line writes: x (N, ...), y, truth, source, y_source and shift.
fn arrays<'py>(py: Python<'py>, made: &Simulated<'_>, view: &View<'_>) -> PyResult<Facts<'py>> {
    let n = made.len();
    let read = py.detach(|| -> Result<Vec<f64>, quaver::DataError> {
        let mut values = Vec::new();
        for at in 0..n {
            values.extend(made.read(at)?.values);
        }
        Ok(values)
    });
    let values = read.map_err(|error| raised(error.into()))?;
    let shape = [&[n], made.shape()].concat();
    let arrays = PyDict::new(py);
    // Whole numbers stay bytes, and everything else is what a network takes.
    match values
        .iter()
        .all(|v| v.fract() == 0.0 && (0.0..=255.0).contains(v))
    {
        true => {
            let bytes = values.iter().map(|&value| value as u8).collect();
            arrays.set_item("x", Array::<u8>::new(py, bytes, &shape)?)?;
        }
        false => {
            let single = values.iter().map(|&value| value as f32).collect();
            arrays.set_item("x", Array::<f32>::new(py, single, &shape)?)?;
        }
    }
    let origins = made.origins();
    let whole = |at: usize| at as i64;
    let labels = origins.iter().map(|origin| whole(origin.label)).collect();
    arrays.set_item("y", Array::<i64>::new(py, labels, &[n])?)?;
    let truth = origins.iter().map(|origin| u8::from(origin.is_outlier()));
    arrays.set_item("truth", Array::<u8>::new(py, truth.collect(), &[n])?)?;
    let sources = || origins.iter().flat_map(|o| [Some(o.source), o.other]);
    let source = sources().map(|at| at.map_or(-1, |at| whole(view.original_index(at))));
    arrays.set_item("source", Array::<i64>::new(py, source.collect(), &[n, 2])?)?;
    let label = |at: usize| -> PyResult<i64> {
        let label = view
            .label(at)
            .map_err(|error| data_error(error.to_string()))?;
        Ok(label.map_or(-1, whole))
    };
    let labels: PyResult<Vec<i64>> = sources().map(|at| at.map_or(Ok(-1), label)).collect();
    arrays.set_item("y_source", Array::<i64>::new(py, labels?, &[n, 2])?)?;
    let shifts = origins
        .iter()
        .flat_map(|origin| origin.shifts.as_flattened());
    let shifts = shifts.map(|&by| by as i64).collect();
    arrays.set_item("shift", Array::<i64>::new(py, shifts, &[n, 4])?)?;
    Ok(Facts(arrays))
}
