//! Operators whose result is a place or marks one: ArgMax, ArgMin and OneHot. Nothing flows back through them.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::onnx::node::{NodeContext, resolve_axis};
use crate::op::{Built, Lower, Operator, Saved, Step};
use crate::tensor::n_elements;

#[derive(Debug, Clone)]
struct Extreme {
    n: usize,
    inner: usize,
    smallest: bool,
    last: bool,
}

impl Operator for Extreme {
    fn carries(&self, _: usize) -> bool {
        false
    }
}

impl<T: Scalar> Lower<T> for Extreme {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> Step<T> for Extreme {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        for (at, y) in y.iter_mut().enumerate() {
            let start = at / self.inner * self.n * self.inner + at % self.inner;
            let value = |i: usize| x[0][start + i * self.inner];
            let best = (1..self.n).fold(0, |best, i| {
                let better = if self.smallest {
                    value(i) < value(best)
                } else {
                    value(i) > value(best)
                };
                if better || self.last && value(i) == value(best) {
                    i
                } else {
                    best
                }
            });
            *y = T::from_f64(best as f64);
        }
    }
}

fn extreme(node: &NodeContext<'_>, smallest: bool) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", 0, x.shape.len())?;
    if x.shape.contains(&0) {
        return Err(EngineError::shape(format!(
            "a value of shape {:?} is empty",
            x.shape
        )));
    }
    let op = Extreme {
        n: x.shape[axis],
        inner: x.shape[axis + 1..].iter().product(),
        smallest,
        last: node.flag("select_last_index", false),
    };
    let mut shape = x.shape.clone();
    if node.flag("keepdims", true) {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    Ok(Built::step(op, vec![x.value], shape))
}

/// Where the largest is.
pub(super) fn arg_max(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    extreme(node, false)
}

/// Where the smallest is.
pub(super) fn arg_min(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    extreme(node, true)
}

#[derive(Debug, Clone)]
struct OneHot {
    depth: usize,
    inner: usize,
    off: f64,
    on: f64,
}

impl Operator for OneHot {
    fn carries(&self, _: usize) -> bool {
        false
    }
}

impl<T: Scalar> Lower<T> for OneHot {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> Step<T> for OneHot {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        y.fill(T::from_f64(self.off));
        for (at, x) in x[0].iter().enumerate() {
            let x = x.to_f64();
            let place = if x < 0.0 { x + self.depth as f64 } else { x };
            if place >= 0.0 && place < self.depth as f64 {
                let start = at / self.inner * self.depth * self.inner + at % self.inner;
                y[start + place as usize * self.inner] = T::from_f64(self.on);
            }
        }
    }
}

/// One of two values, the second at the places that input 0 says.
pub(super) fn one_hot(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let depth = node.required_constant(1, "depth")?.numbers();
    let depth = depth.first().map_or(0, |&depth| depth as usize);
    let &[off, on] = node.required_constant(2, "values")?.numbers().as_slice() else {
        return Err(EngineError::format("its values (input 2) are not two"));
    };
    let axis = resolve_axis(node.int("axis", -1), x.shape.len() + 1)?;
    let mut shape = x.shape.clone();
    shape.insert(axis, depth);
    if n_elements(&shape)? == 0 {
        return Err(EngineError::shape(format!(
            "a result of shape {shape:?} is empty"
        )));
    }
    let inner = x.shape[axis..].iter().product();
    let op = OneHot {
        depth,
        inner,
        off,
        on,
    };
    Ok(Built::step(op, vec![x.value], shape))
}
