//! Softmax and LogSoftmax over one axis (before opset 13: over everything from that axis on).
//!
//! With s = softmax(x): softmax has the transpose s (g − Σ s g), log softmax g − s Σ g.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Flow, Lower, Operator, Saved, Step};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Softmax,
    LogSoftmax,
}

/// The axis of length `n`, with the product of the axes after it.
#[derive(Debug, Clone)]
struct Softmax {
    kind: Kind,
    n: usize,
    inner: usize,
}

impl Operator for Softmax {
    fn n_normalised(&self) -> Option<usize> {
        Some(self.n)
    }
}

impl<T: Scalar> Lower<T> for Softmax {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl Softmax {
    /// Where each lane starts; its elements are `inner` apart.
    fn lanes(&self, len: usize) -> impl Iterator<Item = usize> + use<> {
        let (n, inner) = (self.n, self.inner);
        (0..len / (n * inner)).flat_map(move |outer| (0..inner).map(move |i| outer * n * inner + i))
    }

    fn lane(&self, start: usize) -> impl Iterator<Item = usize> + use<> {
        let inner = self.inner;
        (0..self.n).map(move |i| start + i * inner)
    }
}

impl<T: Scalar> Step<T> for Softmax {
    fn forward(
        &self,
        x: &[&[T]],
        y: &mut [T],
        saved: Option<&mut Saved<T>>,
        probabilities: &mut Vec<T>,
    ) {
        let x = x[0];
        probabilities.clear();
        probabilities.resize(x.len(), T::ZERO);
        for start in self.lanes(x.len()) {
            let largest = self
                .lane(start)
                .map(|i| x[i])
                .fold(T::NEG_INFINITY, |a, b| if b > a { b } else { a });
            let mut total = T::ZERO;
            for i in self.lane(start) {
                let e = (x[i] - largest).exp();
                probabilities[i] = e;
                total += e;
            }
            let log_total = total.ln();
            for i in self.lane(start) {
                probabilities[i] = probabilities[i] / total;
                y[i] = match self.kind {
                    Kind::Softmax => probabilities[i],
                    Kind::LogSoftmax => x[i] - largest - log_total,
                };
            }
        }
        if let Some(saved) = saved {
            saved.values.clone_from(probabilities);
        }
    }

    fn flow(&self, _: usize) -> Flow {
        Flow::InPlace
    }

    fn vjp_in_place(&self, _: usize, saved: &Saved<T>, g: &mut [T]) {
        let s = &saved.values;
        for g in g.chunks_exact_mut(s.len()) {
            for start in self.lanes(s.len()) {
                match self.kind {
                    Kind::Softmax => {
                        let mut mean = T::ZERO;
                        self.lane(start).for_each(|i| mean += s[i] * g[i]);
                        self.lane(start).for_each(|i| g[i] = s[i] * (g[i] - mean));
                    }
                    Kind::LogSoftmax => {
                        let mut total = T::ZERO;
                        self.lane(start).for_each(|i| total += g[i]);
                        self.lane(start).for_each(|i| g[i] = g[i] - s[i] * total);
                    }
                }
            }
        }
    }
}

fn build(node: &NodeContext<'_>, kind: Kind) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let op = if node.opset >= 13 {
        let axis = node.axis("axis", -1, x.shape.len())?;
        Softmax {
            kind,
            n: x.shape[axis],
            inner: x.shape[axis + 1..].iter().product(),
        }
    } else {
        let axis = node.axis("axis", 1, x.shape.len())?;
        Softmax {
            kind,
            n: x.shape[axis..].iter().product(),
            inner: 1,
        }
    };
    Ok(Built::step(op, vec![x.value], x.shape.clone()))
}

/// softmax(x).
pub(super) fn softmax(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, Kind::Softmax)
}

/// log softmax(x).
pub(super) fn log_softmax(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, Kind::LogSoftmax)
}
