//! Values that do not depend on the sample: constants, shapes, and casts of both.

use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::NodeContext;
use crate::onnx::tensors::{self, data_type};
use crate::op::Built;
use crate::tensor::{Data, Element, MAX_ELEMENTS, Tensor, n_elements, strides};

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

/// The number of elements of input 0.
pub(super) fn size(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let n = node.input(0)?.shape.iter().product::<usize>();
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    Tensor::new(Vec::new(), Data::Int(vec![n])).map(Built::Constant)
}

/// From a start up to a limit in steps.
pub(super) fn range(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let read = |at: usize, role: &str| -> Result<(f64, Element), EngineError> {
        let tensor = node.required_constant(at, role)?;
        let first = tensor.numbers().first().copied();
        let first = first.ok_or_else(|| EngineError::format(format!("its {role} is empty")))?;
        Ok((first, tensor.element()))
    };
    let ((start, element), (limit, _)) = (read(0, "start")?, read(1, "limit")?);
    let (delta, _) = read(2, "delta")?;
    let n = ((limit - start) / delta).ceil().max(0.0);
    if !n.is_finite() || n > MAX_ELEMENTS as f64 {
        return Err(EngineError::format(format!(
            "from {start} to {limit} in steps of {delta}"
        )));
    }
    let n = n as usize;
    let values = (0..n).map(|i| start + i as f64 * delta).collect();
    Tensor::of(element, vec![n], values).map(Built::Constant)
}

/// Ones on a diagonal, in the shape of input 0.
pub(super) fn eye_like(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let &[rows, columns] = x.shape.as_slice() else {
        return Err(EngineError::shape(format!(
            "a value of shape {:?} is no matrix",
            x.shape
        )));
    };
    let k = i128::from(node.int("k", 0));
    let one = |at: usize| (at % columns) as i128 == (at / columns) as i128 + k;
    let values = (0..rows * columns)
        .map(|at| f64::from(u8::from(one(at))))
        .collect();
    let element = match node.attribute("dtype") {
        None => x.element,
        Some(to) if data_type::is_float(to.i as i32) => Element::Float,
        Some(to) if to.i as i32 == data_type::BOOL => Element::Bool,
        Some(_) => Element::Int,
    };
    Tensor::of(element, x.shape.clone(), values).map(Built::Constant)
}

/// Where a constant is not 0: one row of places per axis.
pub(super) fn non_zero(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.required_constant(0, "input")?;
    let places = x
        .numbers()
        .into_iter()
        .enumerate()
        .filter(|&(_, x)| x != 0.0);
    let places: Vec<usize> = places.map(|(at, _)| at).collect();
    let axes = strides(x.shape()).into_iter().zip(x.shape());
    let rows = axes.flat_map(|(stride, &dim)| {
        let along = places.iter().map(move |at| at / stride % dim);
        along.map(|at| i64::try_from(at).unwrap_or(i64::MAX))
    });
    let shape = vec![x.shape().len(), places.len()];
    Tensor::new(shape, Data::Int(rows.collect())).map(Built::Constant)
}

/// What depends on the sample stays in the precision the network is run in; only its kind may change.
fn cast_at_run_time(node: &NodeContext<'_>, from: Element, to: i32) -> Result<Built, EngineError> {
    let op_type = match from {
        Element::Float if data_type::is_float(to) => return Ok(Built::Alias),
        _ if data_type::is_float(to) => "Real",
        _ if data_type::is_integer(to) => "Truncate",
        _ if to == data_type::BOOL => "IsTrue",
        _ => {
            return Err(EngineError::unsupported(format!(
                "attribute to = {}",
                data_type::name(to)
            )));
        }
    };
    let mut body = Body::new(node);
    let y = body.private(op_type, &[node.name(0)?], Vec::new());
    body.returns(y)
}

/// Another number type. Values that depend on the sample stay in the precision the network is run in.
pub(super) fn cast(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let to = i32::try_from(node.int("to", 0)).unwrap_or(0);
    let Some(constant) = &x.constant else {
        return cast_at_run_time(node, x.element, to);
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
