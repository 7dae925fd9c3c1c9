//! Small operators that are others put together: Mean, CastLike, DequantizeLinear and Clip with moving bounds.

use super::activation;
use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::NodeContext;
use crate::onnx::proto::AttributeProto;
use crate::onnx::tensors::data_type;
use crate::op::Built;
use crate::tensor::Element;

/// The mean of all inputs, broadcast.
pub(super) fn mean(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let n = node.inputs.len();
    let names = (0..n).map(|at| node.name(at));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut body = Body::new(node);
    let sum = body.op("Sum", &names);
    let n = body.number(n as f64)?;
    let y = body.op("Div", &[&sum, &n]);
    body.returns(y)
}

/// Input 0 as the kind of number that input 1 holds.
pub(super) fn cast_like(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let to = match node.input(1)?.element {
        Element::Float => data_type::DOUBLE,
        Element::Int => data_type::INT64,
        Element::Bool => data_type::BOOL,
    };
    let mut body = Body::new(node);
    let to = vec![AttributeProto::int("to", i64::from(to))];
    let y = body.with("Cast", &[node.name(0)?], to);
    body.returns(y)
}

/// (x − zero point) · scale, of the whole value or per place of an axis.
pub(super) fn dequantize(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, scale) = (node.input(0)?, node.input(1)?);
    let blocks = node.int("block_size", 0);
    if blocks != 0 || scale.shape.len() > 1 {
        return Err(EngineError::unsupported(format!(
            "attribute block_size = {blocks} with a scale of shape {:?}",
            scale.shape
        )));
    }
    let mut spread = vec![1; x.shape.len()];
    if let &[n] = scale.shape.as_slice()
        && !x.shape.is_empty()
    {
        spread[node.axis("axis", 1, x.shape.len()).unwrap_or(0)] = n;
    }
    let mut body = Body::new(node);
    let to_float = || vec![AttributeProto::int("to", i64::from(data_type::DOUBLE))];
    let mut y = body.with("Cast", &[node.name(0)?], to_float());
    if node.optional(2).is_some() {
        let zero = body.with("Cast", &[node.name(2)?], to_float());
        let zero = body.reshape(&zero, &spread);
        y = body.op("Sub", &[&y, &zero]);
    }
    let scale = body.reshape(node.name(1)?, &spread);
    let y = body.op("Mul", &[&y, &scale]);
    body.returns(y)
}

/// min(max(x, low), high), whether the bounds are constants or not.
pub(super) fn clip(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let bounds = || [1, 2].into_iter().filter_map(|at| node.optional(at));
    let is_real = node.input(0)?.element == Element::Float;
    if is_real && bounds().all(|bound| bound.constant.is_some()) {
        return activation::clip(node);
    }
    let mut body = Body::new(node);
    let mut y = node.name(0)?.clone();
    for (at, op_type) in [(1, "Max"), (2, "Min")] {
        if node.optional(at).is_some() {
            y = body.op(op_type, &[&y, node.name(at)?]);
        }
    }
    body.returns(y)
}
