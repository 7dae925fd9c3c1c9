//! CumSum: running sums along an axis. The transpose is the running sum from the other end.

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

/// Reads a CumSum node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
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
    let op = CumSum {
        n: x.shape[axis],
        inner: x.shape[axis + 1..].iter().product(),
        exclusive: node.flag("exclusive", false),
        reverse: node.flag("reverse", false),
    };
    Ok(Built::step(op, vec![x.value], x.shape.clone()))
}
