//! The inputs of a graph: the batch axis becomes 1, axes left open come from the options.

use std::collections::HashSet;

use super::{Importer, Shapes, elements};
use crate::graph::Value;
use crate::import::ImportOptions;
use crate::onnx::proto::{Dimension, GraphProto, TypeProtoTensor, ValueInfoProto};
use crate::onnx::tensors::data_type;
use crate::tensor::n_elements;
use crate::{EngineError, EngineErrorKind};

/// Declares every input whose name is in `used`. Integers and truth values (token ids, masks) are inputs like
/// any other; only that nothing can be differentiated by them.
pub(super) fn declare(
    importer: &mut Importer,
    proto: &GraphProto,
    used: &HashSet<&str>,
    options: &ImportOptions,
    shapes: Shapes,
) -> Result<(), EngineError> {
    let given = given(proto, used);
    for input in &given {
        let place = |e: EngineError| e.within(format_args!("input '{}'", input.name));
        let tensor = tensor_type(input).map_err(place)?;
        let shape = match shapes {
            Shapes::OneSample => shape(tensor, options, given.len()),
            Shapes::Whole => whole(tensor),
        };
        let id = importer.declare(Value::variable(
            input.name.clone(),
            shape.map_err(place)?,
            elements::of_type(tensor.elem_type),
        ))?;
        importer.graph.values[id.index()].is_raw = true;
        importer.graph.inputs.push(id);
    }
    if given.is_empty() && shapes == Shapes::OneSample {
        return Err(EngineError::format(
            "the outputs do not depend on any input",
        ));
    }
    Ok(())
}

/// What is given with every sample.
fn given<'a>(proto: &'a GraphProto, used: &HashSet<&str>) -> Vec<&'a ValueInfoProto> {
    // Before IR version 4, initializers had to be listed among the inputs too.
    let initializers: HashSet<&str> = proto.initializer.iter().map(|i| i.name.as_str()).collect();
    proto
        .input
        .iter()
        .filter(|input| used.contains(input.name.as_str()))
        .filter(|input| !initializers.contains(input.name.as_str()))
        .collect()
}

/// Whether every input that is used leaves the length of its first axis, the batch, open.
pub(super) fn has_open_batch(proto: &GraphProto, used: &HashSet<&str>) -> bool {
    given(proto, used).into_iter().all(|input| {
        let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        shape.is_none_or(|shape| shape.dim.first().is_some_and(|dim| dim.dim_value <= 0))
    })
}

fn tensor_type(input: &ValueInfoProto) -> Result<&TypeProtoTensor, EngineError> {
    let tensor = input
        .r#type
        .as_ref()
        .and_then(|t| t.tensor_type.as_ref())
        .ok_or_else(|| EngineError::unsupported("it is not a tensor"))?;
    let t = tensor.elem_type;
    if data_type::is_float(t) || data_type::is_integer(t) || t == data_type::BOOL {
        Ok(tensor)
    } else {
        Err(EngineError::unsupported(format!(
            "it holds {} values; numbers are supported",
            data_type::name(t)
        )))
    }
}

/// Every axis as declared.
fn whole(tensor: &TypeProtoTensor) -> Result<Vec<usize>, EngineError> {
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let dims: Option<Vec<usize>> = dims.iter().map(known).collect();
    let dims = dims.ok_or_else(|| EngineError::shape("an axis is open or empty"))?;
    n_elements(&dims)?;
    Ok(dims)
}

fn shape(
    tensor: &TypeProtoTensor,
    options: &ImportOptions,
    n_inputs: usize,
) -> Result<Vec<usize>, EngineError> {
    let given = options.input_shape.as_deref();
    let dims = match (&tensor.shape, given) {
        (Some(shape), _) => shape.dim.as_slice(),
        (None, Some(given)) => return with_batch(given),
        (None, None) => {
            return Err(EngineError::new(
                EngineErrorKind::Option,
                "the model does not say its shape; give the shape of one sample (--input-shape)",
            ));
        }
    };
    let Some((batch, rest)) = dims.split_first() else {
        return Err(EngineError::unsupported(
            "it is a single number, without a batch axis",
        ));
    };
    if batch.dim_value > 1 {
        return Err(EngineError::unsupported(format!(
            "it has a fixed batch of {}; export the model with a batch of 1 or with a dynamic batch axis",
            batch.dim_value
        )));
    }
    // With several inputs the shape is meant for those that leave theirs open.
    let is_open = rest.iter().any(|dim| known(dim).is_none());
    if let Some(given) = given
        && (is_open || n_inputs == 1)
    {
        let fits = given.len() == rest.len()
            && rest
                .iter()
                .zip(given)
                .all(|(dim, &given)| known(dim).is_none_or(|dim| dim == given));
        if !fits {
            return Err(EngineError::new(
                EngineErrorKind::Option,
                format!(
                    "the shape {given:?} was given for a sample of shape {}",
                    describe(rest)
                ),
            ));
        }
        return with_batch(given);
    }
    let rest: Option<Vec<usize>> = rest.iter().map(known).collect();
    match rest {
        Some(rest) => with_batch(&rest),
        None => Err(EngineError::new(
            EngineErrorKind::Option,
            format!(
                "its shape {} is open; give the shape of one sample (--input-shape)",
                describe(&dims[1..])
            ),
        )),
    }
}

fn with_batch(sample: &[usize]) -> Result<Vec<usize>, EngineError> {
    let shape = [&[1], sample].concat();
    match n_elements(&shape)? {
        0 => Err(EngineError::shape(format!(
            "a sample of shape {sample:?} is empty"
        ))),
        _ => Ok(shape),
    }
}

fn known(dim: &Dimension) -> Option<usize> {
    usize::try_from(dim.dim_value).ok().filter(|&dim| dim > 0)
}

fn describe(dims: &[Dimension]) -> String {
    let dims: Vec<String> = dims
        .iter()
        .map(|dim| match known(dim) {
            Some(dim) => dim.to_string(),
            None if dim.dim_param.is_empty() => "?".to_owned(),
            None => dim.dim_param.clone(),
        })
        .collect();
    format!("[{}]", dims.join(", "))
}
