//! Gemm: y = α A' B' + β C; with B and C constant, a dense layer. The transpose is gA = α gy B'ᵀ.

use super::linear::{Linear, Stored};
use crate::EngineError;
use crate::compose::{Body, Name};
use crate::onnx::node::NodeContext;
use crate::op::Built;
use crate::tensor::broadcast_index;

/// With factors that depend on the sample: a product, a scaling and a sum.
fn general(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let mut body = Body::new(node);
    let mut factor = |at: usize, attribute: &str| -> Result<Name, EngineError> {
        Ok(match node.flag(attribute, false) {
            true => body.transpose(node.name(at)?, &[1, 0]),
            false => node.name(at)?.clone(),
        })
    };
    let (a, b) = (factor(0, "transA")?, factor(1, "transB")?);
    let alpha = body.number(node.float("alpha", 1.0))?;
    let mut y = body.op("MatMul", &[&a, &b]);
    y = body.op("Mul", &[&y, &alpha]);
    if node.optional(2).is_some() {
        let beta = body.number(node.float("beta", 1.0))?;
        let c = body.op("Mul", &[node.name(2)?, &beta]);
        y = body.op("Add", &[&y, &c]);
    }
    body.returns(y)
}

/// Reads a Gemm node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let a = node.input(0)?;
    let fixed = |at: usize| node.optional(at).is_none_or(|x| x.constant.is_some());
    if node.flag("transA", false) || !fixed(1) || !fixed(2) {
        return general(node);
    }
    let b = node.required_constant(1, "weight B")?;
    let c = node.constant(2, "bias C")?;
    let (&[m, n_in], &[rows, cols]) = (a.shape.as_slice(), b.shape()) else {
        return Err(EngineError::shape(format!(
            "A of shape {:?} and B of shape {:?}: both must be matrices",
            a.shape,
            b.shape()
        )));
    };
    let (stored, b_in, n_out) = match node.flag("transB", false) {
        false => (Stored::InputsFirst, rows, cols),
        true => (Stored::OutputsFirst, cols, rows),
    };
    if b_in != n_in || !b.is_float() {
        return Err(EngineError::shape(format!(
            "B of shape {:?} does not multiply A of shape {:?}",
            b.shape(),
            a.shape
        )));
    }
    let beta = node.float("beta", 1.0);
    let bias = match c {
        None => None,
        Some(c) => {
            let wrong = || {
                EngineError::shape(format!(
                    "C of shape {:?} does not spread over [{m}, {n_out}]",
                    c.shape()
                ))
            };
            let values: Vec<f64> = c.floats().ok_or_else(wrong)?;
            let spreads = c.shape().len() <= 2
                && c.shape()
                    .iter()
                    .rev()
                    .zip([n_out, m])
                    .all(|(&from, to)| from == 1 || from == to);
            if !spreads {
                return Err(wrong());
            }
            let index = broadcast_index(c.shape(), &[m, n_out]);
            Some(index.iter().map(|&i| beta * values[i as usize]).collect())
        }
    };
    let op = Linear {
        m,
        n_in,
        n_out,
        weight: b.clone(),
        stored,
        alpha: node.float("alpha", 1.0),
        bias,
        beta,
        bias_is_row: c.is_some_and(|c| c.n_elements() == n_out),
        affine: None,
    };
    Ok(Built::layer(op, vec![a.value], vec![m, n_out], vec![1, 2]))
}
