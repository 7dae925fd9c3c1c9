//! Operators that keep every value and its place in memory: only the shape changes, cotangents pass unchanged.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::{NodeContext, resolve_axes};
use crate::op::{Built, Flow, Lower, Operator, Saved, Step};
use crate::tensor::{Element, Tensor, n_elements};

#[derive(Debug, Clone)]
struct Relabel;

impl Operator for Relabel {}

impl<T: Scalar> Lower<T> for Relabel {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Relabel)
    }
}

impl<T: Scalar> Step<T> for Relabel {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        y.copy_from_slice(x[0]);
    }

    fn flow(&self, _: usize) -> Flow {
        Flow::Pass
    }
}

fn relabel(node: &NodeContext<'_>, shape: Vec<usize>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    if let Some(constant) = &x.constant {
        return constant.reshaped(&shape).map(Built::Constant);
    }
    if x.shape == shape {
        return Ok(Built::Alias);
    }
    if x.shape.iter().product::<usize>() != shape.iter().product() {
        return Err(EngineError::shape(format!(
            "{:?} cannot be reshaped to {shape:?}",
            x.shape
        )));
    }
    Ok(Built::step(Relabel, vec![x.value], shape))
}

/// Another shape of as many elements: 0 keeps an axis (unless allowzero), −1 is what remains.
pub(super) fn reshape(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let wanted = node
        .ints_or_input("shape", 1)?
        .ok_or_else(|| EngineError::format("its shape (input 1) is missing"))?;
    let allow_zero = node.flag("allowzero", false);
    let mismatch = || EngineError::shape(format!("{:?} cannot be reshaped to {wanted:?}", x.shape));
    let mut shape = Vec::with_capacity(wanted.len());
    let mut rest = None;
    for (axis, &dim) in wanted.iter().enumerate() {
        shape.push(match dim {
            -1 if rest.is_none() => {
                rest = Some(axis);
                1
            }
            0 if !allow_zero => *x.shape.get(axis).ok_or_else(mismatch)?,
            dim => usize::try_from(dim).map_err(|_| mismatch())?,
        });
    }
    if let Some(axis) = rest {
        let known = crate::tensor::n_elements(&shape)?;
        let total: usize = x.shape.iter().product();
        if known == 0 || !total.is_multiple_of(known) {
            return Err(mismatch());
        }
        shape[axis] = total / known;
    }
    relabel(node, shape)
}

/// Two axes: the product of those before `axis`, and of the others.
pub(super) fn flatten(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    // Unlike other axes, this one may be the rank itself.
    let rank = i64::try_from(x.shape.len()).unwrap_or(i64::MAX);
    let axis = node.int("axis", 1);
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis })
        .ok()
        .filter(|&axis| axis <= x.shape.len())
        .ok_or_else(|| {
            EngineError::format(format!(
                "attribute axis = {axis} of a value with {rank} axes"
            ))
        })?;
    let (outer, inner) = x.shape.split_at(axis);
    relabel(node, vec![outer.iter().product(), inner.iter().product()])
}

/// Removes axes of length 1: those given, or all.
pub(super) fn squeeze(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axes = match node.ints_or_input("axes", 1)? {
        Some(axes) => resolve_axes(&axes, x.shape.len())?,
        None => (0..x.shape.len())
            .filter(|&axis| x.shape[axis] == 1)
            .collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| x.shape[axis] != 1) {
        return Err(EngineError::shape(format!(
            "axis {axis} of {:?} is not of length 1",
            x.shape
        )));
    }
    let kept = (0..x.shape.len()).filter(|axis| !axes.contains(axis));
    relabel(node, kept.map(|axis| x.shape[axis]).collect())
}

/// Inserts axes of length 1.
pub(super) fn unsqueeze(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axes = node
        .ints_or_input("axes", 1)?
        .ok_or_else(|| EngineError::format("its axes (input 1) are missing"))?;
    let axes = resolve_axes(&axes, x.shape.len() + axes.len())?;
    let mut shape = x.shape.clone();
    for &axis in &axes {
        shape.insert(axis, 1);
    }
    relabel(node, shape)
}

/// x itself.
pub(super) fn identity(_: &NodeContext<'_>) -> Result<Built, EngineError> {
    Ok(Built::Alias)
}

/// x itself, and a mask that is true throughout: nothing is dropped in inference.
pub(super) fn dropout(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let training = node
        .constant(2, "training_mode")?
        .and_then(|t| t.integers());
    if training.is_some_and(|mode| mode.first() == Some(&1)) {
        return Err(EngineError::unsupported(
            "training_mode is on: export the model in evaluation mode",
        ));
    }
    if node.proto.output.get(1).is_none_or(String::is_empty) {
        return Ok(Built::Alias);
    }
    let shape = node.input(0)?.shape.clone();
    let n = n_elements(&shape)?;
    let mut body = Body::new(node);
    let x = body.op("Identity", &[&node.proto.input[0]]);
    let mask = body.tensor(Tensor::of(Element::Bool, shape, vec![1.0; n])?);
    body.finish(vec![Some(x), Some(mask)])
}
