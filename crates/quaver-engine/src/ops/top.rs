//! TopK: the largest or smallest values along an axis, in order, and where they are. Each value's cotangent goes to
//! where it came from, the first in order at a tie; places carry none.

use std::sync::Arc;

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Spec, Step};

#[derive(Debug, Clone)]
struct Top {
    n: usize,
    inner: usize,
    k: usize,
    largest: bool,
    /// Whether the output is the places rather than the values.
    places: bool,
}

impl Operator for Top {
    fn carries(&self, _: usize) -> bool {
        !self.places
    }
}

impl<T: Scalar> Lower<T> for Top {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl Top {
    /// The first k places of a lane, the best first.
    fn best<T: Scalar>(&self, value: impl Fn(usize) -> T) -> Vec<usize> {
        // Adding 0 makes −0 equal to 0; a total order keeps the sort sound whatever the values are.
        let key = |i: usize| value(i).to_f64() + 0.0;
        let mut order: Vec<usize> = (0..self.n).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = if self.largest { (b, a) } else { (a, b) };
            key(a).total_cmp(&key(b))
        });
        order.truncate(self.k);
        order
    }
}

impl<T: Scalar> Step<T> for Top {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let (n, inner, k) = (self.n, self.inner, self.k);
        let mut from = vec![0u32; y.len()];
        for lane in 0..x[0].len() / n {
            let (outer, within) = (lane / inner, lane % inner);
            let place = |i: usize| (outer * n + i) * inner + within;
            for (rank, i) in self.best(|i| x[0][place(i)]).into_iter().enumerate() {
                let to = (outer * k + rank) * inner + within;
                y[to] = match self.places {
                    true => T::from_f64(i as f64),
                    false => x[0][place(i)],
                };
                from[to] = place(i) as u32;
            }
        }
        if let Some(saved) = saved {
            saved.index = from;
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        gx.fill(T::ZERO);
        let n_out = saved.index.len();
        let n_in = n_out / self.k * self.n;
        for (gy, gx) in gy.chunks_exact(n_out).zip(gx.chunks_exact_mut(n_in)) {
            for (&gy, &from) in gy.iter().zip(&saved.index) {
                gx[from as usize] += gy;
            }
        }
    }
}

/// Reads a TopK node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", -1, x.shape.len())?;
    // Before opset 10 the number was an attribute.
    let k = match node.attribute("k") {
        Some(k) => k.i,
        None => {
            let k = node.required_constant(1, "number k")?.numbers();
            k.first().map_or(0, |&k| k as i64)
        }
    };
    let k = usize::try_from(k)
        .ok()
        .filter(|&k| k > 0 && k <= x.shape[axis]);
    let k = k.filter(|_| !x.shape.contains(&0)).ok_or_else(|| {
        EngineError::shape(format!("a number k beyond axis {axis} of {:?}", x.shape))
    })?;
    let mut shape = x.shape.clone();
    shape[axis] = k;
    let spec = |places: bool| Spec {
        op: Arc::new(Top {
            n: x.shape[axis],
            inner: x.shape[axis + 1..].iter().product(),
            k,
            largest: node.flag("largest", true),
            places,
        }),
        inputs: vec![x.value],
        shape: shape.clone(),
        params: Vec::new(),
    };
    Ok(Built::Steps(vec![spec(false), spec(true)]))
}
