//! What is in a model, as plain data.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use quaver::Port;

use crate::error::raised;
use crate::hints::Facts;
use crate::options::load_options;

/// Says what an ONNX file holds: inputs, outputs, head, layers with their parameters, operators, counts.
///
/// That it returns says that every operator is supported. `classifier` is False for a network without a head that is a
/// distribution over classes, and `reason` says why.
///
/// Raises `ModelError` naming what is not supported.
#[pyfunction]
#[pyo3(signature = (path, *, output = None, input_shape = None, head = "detect"))]
pub fn inspect<'py>(
    py: Python<'py>,
    path: PathBuf,
    output: Option<String>,
    input_shape: Option<Vec<usize>>,
    head: &str,
) -> PyResult<Facts<'py>> {
    let options = load_options(output, input_shape, head)?;
    let found = py.detach(|| quaver::inspect(&path, &options));
    let found = found.map_err(raised)?;
    let facts = PyDict::new(py);
    facts.set_item("inputs", ports(py, &found.inputs)?)?;
    facts.set_item("outputs", ports(py, &found.outputs)?)?;
    facts.set_item("classifier", found.head.is_ok())?;
    let (kind, logits, n_classes, reason) = match &found.head {
        Ok(head) => (
            Some(head.kind.name()),
            Some(&head.logits),
            Some(head.n_classes),
            None,
        ),
        Err(reason) => (None, None, None, Some(reason)),
    };
    facts.set_item("reason", reason)?;
    facts.set_item("head", kind)?;
    facts.set_item("differentiated", logits)?;
    facts.set_item("n_classes", n_classes)?;
    facts.set_item("n_params", found.n_params)?;
    facts.set_item("macs", found.macs)?;
    let operators = PyDict::new(py);
    for (name, count) in &found.operators {
        operators.set_item(name, count)?;
    }
    facts.set_item("operators", operators)?;
    let layers = PyList::empty(py);
    for layer in &found.layers {
        let one = PyDict::new(py);
        let params = PyDict::new(py);
        for (name, shape) in &layer.params {
            params.set_item(name, shape.clone())?;
        }
        one.set_item("name", &layer.name)?;
        one.set_item("operator", &layer.op_type)?;
        one.set_item("n_params", layer.n_params())?;
        one.set_item("params", params)?;
        one.set_item("output_shape", layer.output_shape.clone())?;
        one.set_item("macs", layer.macs)?;
        layers.append(one)?;
    }
    facts.set_item("layers", layers)?;
    Ok(Facts(facts))
}

fn ports<'py>(py: Python<'py>, ports: &[Port]) -> PyResult<Bound<'py, PyDict>> {
    let shapes = PyDict::new(py);
    for port in ports {
        shapes.set_item(&port.name, port.shape.clone())?;
    }
    Ok(shapes)
}

/// The ONNX operators that are supported, by name.
#[pyfunction]
pub fn operators() -> Vec<&'static str> {
    quaver::operators().map(|operator| operator.name).collect()
}
