//! GatherElements and GatherND with indices that come with the sample. The indices carry no cotangent.

use quaver_kernels::Scalar;

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};
use crate::tensor::{n_elements, strides};

#[derive(Debug, Clone)]
struct Pick {
    /// The data and the indices.
    operands: Vec<Operand>,
    n_in: usize,
    /// How many consecutive elements are taken at once.
    inner: usize,
    /// For each of them, where its indices start to count.
    bases: Vec<u32>,
    /// Length and stride of the axes that the indices run along.
    axes: Vec<(usize, usize)>,
}

impl Operator for Pick {
    fn carries(&self, input: usize) -> bool {
        !matches!(self.operands[1], Operand::Input(at) if at == input)
    }
}

impl<T: Scalar> Lower<T> for Pick {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            shape: self.clone(),
            sources: self.operands.iter().map(Source::of).collect(),
        })
    }
}

struct Lowered<T> {
    shape: Pick,
    sources: Vec<Source<T>>,
}

impl Pick {
    /// Where element `at` starts, if its indices lie inside; negative ones count from the end.
    fn start<T: Scalar>(&self, at: usize, indices: &[T]) -> Option<usize> {
        let tuple = &indices[at * self.axes.len()..][..self.axes.len()];
        let mut start = self.bases[at] as usize;
        for (index, &(length, stride)) in tuple.iter().zip(&self.axes) {
            let index = index.to_f64();
            let index = if index < 0.0 {
                index + length as f64
            } else {
                index
            };
            if !(index >= 0.0 && index < length as f64) {
                return None;
            }
            start += index as usize * stride;
        }
        Some(start)
    }
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let (data, indices) = (self.sources[0].values(x), self.sources[1].values(x));
        for (at, y) in y.chunks_exact_mut(self.shape.inner).enumerate() {
            match self.shape.start(at, indices) {
                Some(start) => y.copy_from_slice(&data[start..][..self.shape.inner]),
                // A step cannot fail; not-a-number reaches the output, where it is an error.
                None => y.fill(T::from_f64(f64::NAN)),
            }
        }
        if let Some(saved) = saved {
            let starts = 0..self.shape.bases.len();
            let starts = starts.map(|at| self.shape.start(at, indices).unwrap_or(0) as u32);
            saved.index.clear();
            saved.index.extend(starts);
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let inner = self.shape.inner;
        gx.fill(T::ZERO);
        let cotangents = gy.chunks_exact(self.shape.bases.len() * inner);
        for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(self.shape.n_in)) {
            for (gy, &start) in gy.chunks_exact(inner).zip(&saved.index) {
                for (gx, &gy) in gx[start as usize..][..inner].iter_mut().zip(gy) {
                    *gx += gy;
                }
            }
        }
    }
}

fn build(
    node: &NodeContext<'_>,
    bases: Vec<u32>,
    axes: Vec<(usize, usize)>,
    inner: usize,
    shape: Vec<usize>,
) -> Result<Built, EngineError> {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    if n_elements(&shape)? == 0 || x.shape.contains(&0) {
        return Err(EngineError::shape(format!(
            "indices of shape {:?} into a value of shape {:?}",
            indices.shape, x.shape
        )));
    }
    let (operands, values) = operands(&[x, indices])?;
    let op = Pick {
        operands,
        n_in: x.shape.iter().product(),
        inner,
        bases,
        axes,
    };
    Ok(Built::layer(op, values, shape, vec![0]))
}

/// For each place of the indices, the element at that place but for the index along `axis`.
pub(super) fn elements(node: &NodeContext<'_>, axis: usize) -> Result<Built, EngineError> {
    let (x, shape) = (&node.input(0)?.shape, node.input(1)?.shape.clone());
    let fits = shape.len() == x.len() && (0..x.len()).all(|at| at == axis || shape[at] <= x[at]);
    if !fits {
        return Err(EngineError::shape(format!(
            "indices of shape {shape:?} for a value of shape {x:?}"
        )));
    }
    let (from, to) = (strides(x), strides(&shape));
    let base = |at: usize| -> u32 {
        let others = (0..x.len()).filter(|&d| d != axis);
        others
            .map(|d| (at / to[d] % shape[d] * from[d]) as u32)
            .sum()
    };
    let bases = (0..n_elements(&shape)?).map(base).collect();
    build(node, bases, vec![(x[axis], from[axis])], 1, shape)
}

/// Slices at the places that the last axis of the indices says.
pub(super) fn slices(node: &NodeContext<'_>, batch: usize) -> Result<Built, EngineError> {
    let (x, indices) = (&node.input(0)?.shape, &node.input(1)?.shape);
    let depth = indices.last().copied().unwrap_or(0);
    let fits = depth > 0
        && batch < indices.len()
        && batch + depth <= x.len()
        && x[..batch] == indices[..batch];
    if !fits {
        return Err(EngineError::shape(format!(
            "indices of shape {indices:?} (batch_dims {batch}) for a value of shape {x:?}"
        )));
    }
    let lead = &indices[..indices.len() - 1];
    let (axes, rest) = x[batch..].split_at(depth);
    let per_batch: usize = lead[batch..].iter().product();
    let length: usize = x[batch..].iter().product();
    let bases = (0..n_elements(lead)?).map(|at| (at / per_batch.max(1) * length) as u32);
    let stride = strides(x);
    let axes = axes.iter().copied().zip(stride[batch..].iter().copied());
    let shape = [lead, rest].concat();
    build(
        node,
        bases.collect(),
        axes.collect(),
        rest.iter().product(),
        shape,
    )
}
