//! The inputs of a graph: the batch axis becomes 1, axes left open come from the options.

use super::Importer;
use crate::graph::Value;
use crate::import::ImportOptions;
use crate::onnx::proto::{Dimension, GraphProto, NodeProto, ValueInfoProto};
use crate::onnx::tensors::data_type;
use crate::tensor::n_elements;
use crate::{EngineError, EngineErrorKind};

/// Declares every input that the nodes in `live` read.
pub(super) fn declare(
    importer: &mut Importer,
    proto: &GraphProto,
    live: &[&NodeProto],
    options: &ImportOptions,
) -> Result<(), EngineError> {
    let mut declared = 0;
    for input in &proto.input {
        // Before IR version 4, initializers had to be listed among the inputs too.
        let is_initializer = proto.initializer.iter().any(|i| i.name == input.name);
        let is_read = live.iter().any(|node| node.input.contains(&input.name));
        if is_initializer || !is_read {
            continue;
        }
        declared += 1;
        let shape =
            shape(input, options).map_err(|e| e.within(format_args!("input '{}'", input.name)))?;
        let id = importer.declare(Value {
            name: input.name.clone(),
            shape,
            constant: None,
            initializer: None,
        })?;
        importer.graph.inputs.push(id);
    }
    if declared == 0 {
        return Err(EngineError::format(
            "the outputs do not depend on any input",
        ));
    }
    if declared > 1 && options.input_shape.is_some() {
        return Err(EngineError::new(
            EngineErrorKind::Option,
            format!("an input shape was given, but the model has {declared} inputs"),
        ));
    }
    Ok(())
}

fn shape(input: &ValueInfoProto, options: &ImportOptions) -> Result<Vec<usize>, EngineError> {
    let tensor = input
        .r#type
        .as_ref()
        .and_then(|t| t.tensor_type.as_ref())
        .ok_or_else(|| EngineError::unsupported("it is not a tensor"))?;
    if !data_type::is_float(tensor.elem_type) {
        return Err(EngineError::unsupported(format!(
            "it holds {} values; only floating-point inputs can be perturbed",
            data_type::name(tensor.elem_type)
        )));
    }
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
    if let Some(given) = given {
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
