//! ReduceMean and ReduceSum over any axes. The cotangent of a sum goes to each of its terms.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::onnx::node::{NodeContext, resolve_axes};
use crate::op::{Built, Lower, Operator, Saved, Step};
use crate::tensor::{Element, Tensor, broadcast_index, n_elements};

#[derive(Debug, Clone)]
struct Reduce {
    /// For every element of the input, the element of the output it is added to.
    into: Vec<u32>,
    n_out: usize,
    factor: f64,
}

impl Operator for Reduce {}

impl<T: Scalar> Lower<T> for Reduce {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> Step<T> for Reduce {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        y.fill(T::ZERO);
        for (&x, &into) in x[0].iter().zip(&self.into) {
            y[into as usize] += x;
        }
        let factor = T::from_f64(self.factor);
        y.iter_mut().for_each(|y| *y *= factor);
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let factor = T::from_f64(self.factor);
        let cotangents = gy.chunks_exact(self.n_out);
        for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(self.into.len())) {
            for (gx, &into) in gx.iter_mut().zip(&self.into) {
                *gx = gy[into as usize] * factor;
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mean,
    Sum,
}

/// What a reduction runs over.
pub(super) struct Groups {
    /// For every element of the input, the element of the output it goes into.
    pub into: Vec<u32>,
    pub n_out: usize,
    /// The output's shape.
    pub shape: Vec<usize>,
}

impl Groups {
    /// The same `value` for every group: where there is nothing to reduce.
    pub fn of_nothing(self, value: f64) -> Result<Built, EngineError> {
        let values = vec![value; self.n_out];
        let tensor = Tensor::of(Element::Float, self.shape, values)?;
        Ok(Built::Constant(tensor))
    }
}

/// Reads the axes to reduce over, by default all. `None` when the node says to do nothing without axes.
pub(super) fn groups(node: &NodeContext<'_>) -> Result<Option<Groups>, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let axes = node.ints_or_input("axes", 1)?.unwrap_or_default();
    let axes = match axes.as_slice() {
        [] if node.flag("noop_with_empty_axes", false) => return Ok(None),
        [] => (0..rank).collect(),
        axes => resolve_axes(axes, rank)?,
    };
    let kept: Vec<usize> = (0..rank)
        .map(|axis| {
            if axes.contains(&axis) {
                1
            } else {
                x.shape[axis]
            }
        })
        .collect();
    n_elements(&kept)?;
    if x.shape.contains(&0) && x.element != Element::Float {
        return Err(EngineError::shape("it reduces integers without elements"));
    }
    let shape = if node.flag("keepdims", true) {
        kept.clone()
    } else {
        (0..rank)
            .filter(|axis| !axes.contains(axis))
            .map(|axis| x.shape[axis])
            .collect()
    };
    Ok(Some(Groups {
        into: broadcast_index(&kept, &x.shape),
        n_out: kept.iter().product(),
        shape,
    }))
}

fn build(node: &NodeContext<'_>, kind: Kind) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let Some(groups) = groups(node)? else {
        return Ok(Built::Alias);
    };
    if groups.into.is_empty() {
        return groups.of_nothing(match kind {
            Kind::Mean => f64::NAN,
            Kind::Sum => 0.0,
        });
    }
    let op = Reduce {
        factor: match kind {
            Kind::Mean => groups.n_out as f64 / groups.into.len() as f64,
            Kind::Sum => 1.0,
        },
        into: groups.into,
        n_out: groups.n_out,
    };
    Ok(Built::step(op, vec![x.value], groups.shape))
}

/// The mean over `axes`.
pub(super) fn mean(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, Kind::Mean)
}

/// The sum over `axes`.
pub(super) fn sum(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, Kind::Sum)
}
