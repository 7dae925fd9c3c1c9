//! CumSum and CumProd: running sums and products along an axis.
//!
//! The transpose of a sum is the running sum from the other end. Of a product, yⱼ = x₁ ⋯ xⱼ, it is
//! gxᵢ = x₁ ⋯ xᵢ₋₁ rᵢ with rᵢ = gyᵢ + xᵢ₊₁ rᵢ₊₁: nothing is divided, so that zeros are as good as any number.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::onnx::node::{NodeContext, resolve_axis};
use crate::op::{Built, Lower, Operator, Saved, Step};

#[derive(Debug, Clone)]
struct CumSum {
    n: usize,
    inner: usize,
    /// Each element is left out of its own sum.
    exclusive: bool,
    reverse: bool,
}

impl Operator for CumSum {}

impl<T: Scalar> Lower<T> for CumSum {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl CumSum {
    fn run<T: Scalar>(&self, x: &[T], y: &mut [T], reverse: bool) {
        let block = self.n * self.inner;
        for (x, y) in x.chunks_exact(block).zip(y.chunks_exact_mut(block)) {
            for lane in 0..self.inner {
                let mut total = T::ZERO;
                for i in 0..self.n {
                    let i = if reverse { self.n - 1 - i } else { i };
                    let at = lane + i * self.inner;
                    let before = total;
                    total += x[at];
                    y[at] = if self.exclusive { before } else { total };
                }
            }
        }
    }
}

impl<T: Scalar> Step<T> for CumSum {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        self.run(x[0], y, self.reverse);
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        self.run(gy, gx, !self.reverse);
    }
}

#[derive(Debug, Clone)]
struct CumProd(CumSum);

impl Operator for CumProd {}

impl<T: Scalar> Lower<T> for CumProd {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl CumProd {
    /// The places of each lane in the order in which they are multiplied.
    fn lanes(&self, len: usize) -> impl Iterator<Item = impl DoubleEndedIterator<Item = usize>> {
        let CumSum {
            n, inner, reverse, ..
        } = self.0;
        (0..len / n).map(move |lane| {
            let first = lane / inner * n * inner + lane % inner;
            (0..n).map(move |i| first + inner * if reverse { n - 1 - i } else { i })
        })
    }
}

impl<T: Scalar> Step<T> for CumProd {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let x = x[0];
        for lane in self.lanes(x.len()) {
            let mut product = T::ONE;
            for at in lane {
                let before = product;
                product *= x[at];
                y[at] = if self.0.exclusive { before } else { product };
            }
        }
        if let Some(saved) = saved {
            saved.values.clear();
            saved.values.extend_from_slice(x);
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let x = saved.values.as_slice();
        let cotangents = gy.chunks_exact(x.len()).zip(gx.chunks_exact_mut(x.len()));
        for (gy, gx) in cotangents {
            for lane in self.lanes(x.len()) {
                let lane: Vec<usize> = lane.collect();
                let mut rest = T::ZERO;
                for &at in lane.iter().rev() {
                    // An exclusive product at a place is without the place: its own cotangent joins after it.
                    let (own, after) = match self.0.exclusive {
                        true => (T::ZERO, gy[at]),
                        false => (gy[at], T::ZERO),
                    };
                    gx[at] = own + rest;
                    rest = after + x[at] * gx[at];
                }
                let mut product = T::ONE;
                for at in lane {
                    gx[at] *= product;
                    product *= x[at];
                }
            }
        }
    }
}

/// Reads a CumSum node.
pub(super) fn sum(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    Ok(Built::step(read(node)?, vec![x.value], x.shape.clone()))
}

/// Reads a CumProd node.
pub(super) fn product(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let op = CumProd(read(node)?);
    Ok(Built::step(op, vec![x.value], x.shape.clone()))
}

/// What the two have in common.
fn read(node: &NodeContext<'_>) -> Result<CumSum, EngineError> {
    let x = node.input(0)?;
    let axis = node.required_constant(1, "axis")?.numbers();
    let axis = axis.first().map_or(0, |&axis| axis as i64);
    let axis = resolve_axis(axis, x.shape.len())?;
    if x.shape.contains(&0) {
        return Err(EngineError::shape(format!(
            "a value of shape {:?} is empty",
            x.shape
        )));
    }
    Ok(CumSum {
        n: x.shape[axis],
        inner: x.shape[axis + 1..].iter().product(),
        exclusive: node.flag("exclusive", false),
        reverse: node.flag("reverse", false),
    })
}
