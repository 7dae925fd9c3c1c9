//! The network and the pictures that need no file.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use quaver::Dataset as _;
use quaver::curves::{PrecisionRecall, Roc};
use quaver::demo::{GlyphOptions, GlyphSet, Origin, SIDE};

use crate::error::{data_error, raised};
use crate::hints::{Array, Reals};
use crate::model::Model;

/// The demo's network: three convolutions, 28 × 28 grey values from 0 to 1, ten classes of glyphs.
#[pyfunction]
pub fn demo_model() -> PyResult<Model> {
    Model::from_bytes(quaver::demo::network())
}

/// Pictures of glyphs for it: grey values (N, 1, 28, 28) float64, labels (N,) int64, and what each picture is.
#[pyfunction]
#[pyo3(signature = (n_samples = 4000, *, seed = 1, mislabelled = None, overlaid = None))]
#[allow(clippy::type_complexity, reason = "a tuple")]
pub fn demo_glyphs<'py>(
    py: Python<'py>,
    n_samples: usize,
    seed: u64,
    mislabelled: Option<usize>,
    overlaid: Option<usize>,
) -> PyResult<(Array<'py, f64>, Array<'py, i64>, Vec<&'static str>)> {
    let shares = GlyphOptions::with_outliers(n_samples, seed);
    let options = GlyphOptions {
        mislabelled: mislabelled.unwrap_or(shares.mislabelled),
        overlaid: overlaid.unwrap_or(shares.overlaid),
        ..shares
    };
    let set = py.detach(|| GlyphSet::generate(&options)).map_err(raised)?;
    let mut values = Vec::with_capacity(n_samples * SIDE * SIDE);
    for index in 0..set.len() {
        let sample = set.read(index).map_err(|error| raised(error.into()))?;
        values.extend(sample.values);
    }
    let labels = set
        .glyphs()
        .iter()
        .map(|glyph| glyph.label.into())
        .collect();
    let truth = set.glyphs().iter().map(|glyph| match glyph.origin {
        Origin::Clean => "clean",
        Origin::Mislabelled { .. } => "mislabelled",
        Origin::Overlaid { .. } => "overlaid",
    });
    Ok((
        Array::new(py, values, &[n_samples, 1, SIDE, SIDE])?,
        Array::new(py, labels, &[n_samples])?,
        truth.collect(),
    ))
}

/// How well `scores` rank what is `positive` first, the larger the more so: roc_auc, pr_auc, average_precision.
#[pyfunction]
pub fn detection<'py>(
    py: Python<'py>,
    scores: Vec<f64>,
    positive: Vec<bool>,
) -> PyResult<Reals<'py>> {
    let areas = |error: quaver::curves::CurveError| data_error(error.to_string());
    let roc = Roc::new(&scores, &positive).map_err(areas)?;
    let curve = PrecisionRecall::new(&scores, &positive).map_err(areas)?;
    let found = PyDict::new(py);
    found.set_item("roc_auc", roc.auc)?;
    found.set_item("pr_auc", curve.auc)?;
    found.set_item("average_precision", curve.average_precision)?;
    Ok(Reals(found))
}
