//! Values that do not depend on the sample: constants, shapes, and casts of both.

use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::onnx::tensors::{self, data_type};
use crate::op::Built;
use crate::tensor::{Data, Tensor, n_elements};

/// The tensor of an attribute, in whichever form it is given.
pub(super) fn constant(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let tensor = if let Some(value) = node.attribute("value").and_then(|a| a.t.as_ref()) {
        tensors::tensor(value, None)?
    } else if let Some(value) = node.attribute("value_float") {
        Tensor::new(Vec::new(), Data::F32(vec![value.f]))?
    } else if let Some(value) = node.attribute("value_int") {
        Tensor::new(Vec::new(), Data::Int(vec![value.i]))?
    } else if let Some(value) = node.attribute("value_floats") {
        Tensor::new(vec![value.floats.len()], Data::F32(value.floats.clone()))?
    } else if let Some(value) = node.attribute("value_ints") {
        Tensor::ints(value.ints.clone())
    } else {
        return Err(EngineError::unsupported(
            "a constant that is neither a tensor nor numbers (sparse and string constants are not read)",
        ));
    };
    Ok(Built::Constant(tensor))
}

/// A tensor of the shape given by input 0, filled with one value (0 by default).
pub(super) fn constant_of_shape(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let shape: Option<Vec<usize>> = node
        .required_constant(0, "shape")?
        .integers()
        .and_then(|dims| dims.iter().map(|&dim| usize::try_from(dim).ok()).collect());
    let shape =
        shape.ok_or_else(|| EngineError::format("its shape (input 0) is not made of sizes"))?;
    let n = n_elements(&shape)?;
    let data = match node.attribute("value").and_then(|a| a.t.as_ref()) {
        None => Data::F32(vec![0.0; n]),
        Some(value) => match tensors::tensor(value, None)?.data() {
            Data::F32(x) if x.len() == 1 => Data::F32(vec![x[0]; n]),
            Data::F64(x) if x.len() == 1 => Data::F64(vec![x[0]; n]),
            Data::Int(x) if x.len() == 1 => Data::Int(vec![x[0]; n]),
            Data::Bool(x) if x.len() == 1 => Data::Bool(vec![x[0]; n]),
            _ => return Err(EngineError::format("attribute value is not one number")),
        },
    };
    Tensor::new(shape, data).map(Built::Constant)
}

/// The shape of input 0 (axes `start` to `end`): shapes are known at load, the batch axis being 1.
pub(super) fn shape(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = i64::try_from(x.shape.len()).unwrap_or(i64::MAX);
    let bound = |axis: i64| {
        let axis = if axis < 0 { axis + rank } else { axis };
        usize::try_from(axis.clamp(0, rank)).unwrap_or(0)
    };
    let (start, end) = (bound(node.int("start", 0)), bound(node.int("end", rank)));
    let dims = x.shape.get(start..end).unwrap_or_default();
    let dims = dims
        .iter()
        .map(|&dim| i64::try_from(dim).unwrap_or(i64::MAX));
    Ok(Built::Constant(Tensor::ints(dims.collect())))
}

/// Another number type. Values that depend on the sample stay in the precision the network is run in.
pub(super) fn cast(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let to = i32::try_from(node.int("to", 0)).unwrap_or(0);
    let Some(constant) = &x.constant else {
        return if data_type::is_float(to) {
            Ok(Built::Alias)
        } else {
            Err(EngineError::unsupported(format!(
                "attribute to = {} for a value computed from the sample: it has no derivative",
                data_type::name(to)
            )))
        };
    };
    let data = match (constant.data(), to) {
        (Data::F32(_) | Data::F64(_), to) if data_type::is_float(to) => return Ok(Built::Alias),
        (Data::Int(x), to) if data_type::is_float(to) => {
            Data::F64(x.iter().map(|&x| x as f64).collect())
        }
        (Data::Bool(x), to) if data_type::is_float(to) => {
            Data::F64(x.iter().map(|&x| f64::from(u8::from(x))).collect())
        }
        (Data::F32(x), data_type::BOOL) => Data::Bool(x.iter().map(|&x| x != 0.0).collect()),
        (Data::F64(x), data_type::BOOL) => Data::Bool(x.iter().map(|&x| x != 0.0).collect()),
        (Data::Int(x), data_type::BOOL) => Data::Bool(x.iter().map(|&x| x != 0).collect()),
        (Data::Bool(_), data_type::BOOL) => return Ok(Built::Alias),
        (_, to) if data_type::is_integer(to) => Data::Int(match constant.data() {
            Data::F32(x) => x.iter().map(|&x| x as i64).collect(),
            Data::F64(x) => x.iter().map(|&x| x as i64).collect(),
            Data::Int(x) => x.clone(),
            Data::Bool(x) => x.iter().map(|&x| i64::from(x)).collect(),
        }),
        _ => {
            return Err(EngineError::unsupported(format!(
                "attribute to = {}",
                data_type::name(to)
            )));
        }
    };
    Tensor::new(constant.shape().to_vec(), data).map(Built::Constant)
}
