//! Gather with indices that come with the sample: rows of an embedding table for token ids.
//!
//! The ids themselves carry no cotangent; the rows that were looked up are the natural value to differentiate by.

use quaver_kernels::Scalar;

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step, Trained};

#[derive(Debug, Clone)]
struct Lookup {
    /// The table and the indices.
    operands: Vec<Operand>,
    /// How many rows there are to choose from.
    n_rows: usize,
    /// The length of a row.
    inner: usize,
    n_indices: usize,
}

impl Operator for Lookup {
    fn trains(&self, role: usize) -> bool {
        role == 0
    }

    fn carries(&self, input: usize) -> bool {
        !matches!(self.operands[1], Operand::Input(at) if at == input)
    }
}

impl<T: Scalar> Lower<T> for Lookup {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            shape: self.clone(),
            sources: self.operands.iter().map(Source::of).collect(),
        })
    }
}

struct Lowered<T> {
    shape: Lookup,
    sources: Vec<Source<T>>,
}

impl Lookup {
    /// The row that an index means, if there is one; negative ones count from the end.
    fn row<T: Scalar>(&self, index: T) -> Option<usize> {
        let index = index.to_f64();
        let row = if index < 0.0 {
            index + self.n_rows as f64
        } else {
            index
        };
        (row >= 0.0 && row < self.n_rows as f64).then_some(row as usize)
    }
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let Lookup {
            n_rows,
            inner,
            n_indices,
            ..
        } = self.shape;
        let (table, indices) = (self.sources[0].values(x), self.sources[1].values(x));
        for (at, y) in y.chunks_exact_mut(inner).enumerate() {
            match self.shape.row(indices[at % n_indices]) {
                Some(row) => {
                    let row = (at / n_indices) * n_rows + row;
                    y.copy_from_slice(&table[row * inner..][..inner]);
                }
                // A step cannot fail; not-a-number reaches the output, where it is an error.
                None => y.fill(T::from_f64(f64::NAN)),
            }
        }
        if let Some(saved) = saved {
            let rows = indices
                .iter()
                .map(|&i| self.shape.row(i).unwrap_or(0) as u32);
            saved.index.clear();
            saved.index.extend(rows);
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let Lookup {
            n_rows,
            inner,
            n_indices,
            ..
        } = self.shape;
        gx.fill(T::ZERO);
        // Cotangents only lead the outer axes, so one loop serves both.
        for (at, gy) in gy.chunks_exact(inner).enumerate() {
            let row = (at / n_indices) * n_rows + saved.index[at % n_indices] as usize;
            for (gx, &gy) in gx[row * inner..][..inner].iter_mut().zip(gy) {
                *gx += gy;
            }
        }
    }

    fn param_rows(&self, param: Trained, x: &[&[T]], gy: &[T], rows: &mut [T], _: &mut Vec<T>) {
        let Lookup {
            n_rows,
            inner,
            n_indices,
            ..
        } = self.shape;
        let indices = self.sources[1].values(x);
        let per_cotangent = gy.len() / param.n_cotangents;
        let cotangents = gy.chunks_exact(per_cotangent);
        for (gy, table) in cotangents.zip(rows.chunks_exact_mut(param.n_elements)) {
            for (at, gy) in gy.chunks_exact(inner).enumerate() {
                // An index out of range has made the output not-a-number already.
                let row = self.shape.row(indices[at % n_indices]).unwrap_or(0);
                let row = (at / n_indices) * n_rows + row;
                for (table, &gy) in table[row * inner..][..inner].iter_mut().zip(gy) {
                    *table += gy;
                }
            }
        }
    }
}

/// Rows of input 0 along `axis`, at the places that input 1 says.
pub(super) fn build(node: &NodeContext<'_>, axis: usize) -> Result<Built, EngineError> {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    let (outer, inner) = (&x.shape[..axis], &x.shape[axis + 1..]);
    let shape = [outer, &indices.shape, inner].concat();
    let (operands, values) = operands(&[x, indices])?;
    let op = Lookup {
        operands,
        n_rows: x.shape[axis],
        inner: inner.iter().product(),
        n_indices: indices.shape.iter().product(),
    };
    if x.shape.contains(&0) || op.n_indices == 0 {
        return Err(EngineError::shape(format!(
            "indices of shape {:?} into axis {axis} of {:?}",
            indices.shape, x.shape
        )));
    }
    Ok(Built::layer(op, values, shape, vec![0]))
}
