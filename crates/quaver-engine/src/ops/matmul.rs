//! MatMul: y = A B over the last two axes, the axes before them broadcast (NumPy's rule).
//!
//! With a constant matrix B it is a dense layer. Otherwise each product of the batch has the transposes
//! gA = gy Bᵀ and gB = Aᵀ gy.

use quaver_kernels::Scalar;
use quaver_kernels::gemm::{Matrix, Mode, gemm};

use super::linear::{Linear, Stored};
use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};
use crate::tensor::{broadcast, broadcast_index};

#[derive(Debug, Clone)]
struct MatMul {
    m: usize,
    k: usize,
    n: usize,
    /// A and B.
    operands: Vec<Operand>,
    /// For each product, which matrix of A and which of B.
    pairs: Vec<[u32; 2]>,
}

impl Operator for MatMul {
    fn macs(&self) -> u64 {
        (self.pairs.len() * self.m * self.k * self.n) as u64
    }
}

impl<T: Scalar> Lower<T> for MatMul {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            shape: self.clone(),
            sources: self.operands.iter().map(Source::of).collect(),
        })
    }
}

struct Lowered<T> {
    shape: MatMul,
    sources: Vec<Source<T>>,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let MatMul { m, k, n, pairs, .. } = &self.shape;
        let (a, b) = (self.sources[0].values(x), self.sources[1].values(x));
        for (y, &[at_a, at_b]) in y.chunks_exact_mut(m * n).zip(pairs) {
            let a = Matrix::new(&a[at_a as usize * m * k..], *m, *k);
            let b = Matrix::new(&b[at_b as usize * k * n..], *k, *n);
            gemm(y, Mode::Overwrite, a, b);
        }
        if let Some(saved) = saved {
            saved.values.clear();
            saved.values.extend_from_slice(a);
            saved.values.extend_from_slice(b);
            saved.index.clear();
            saved.index.push(a.len() as u32);
        }
    }

    fn vjp(&self, input: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let MatMul { m, k, n, pairs, .. } = &self.shape;
        let (a, b) = saved.values.split_at(saved.index[0] as usize);
        let n_gx = match self.sources[0] {
            Source::Input(at) if at == input => a.len(),
            _ => b.len(),
        };
        gx.fill(T::ZERO);
        let cotangents = gy.chunks_exact(pairs.len() * m * n);
        for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(n_gx)) {
            for (gy, &[at_a, at_b]) in gy.chunks_exact(m * n).zip(pairs) {
                let (at_a, at_b) = (at_a as usize * m * k, at_b as usize * k * n);
                let gy = Matrix::new(gy, *m, *n);
                if matches!(self.sources[0], Source::Input(at) if at == input) {
                    let b = Matrix::new(&b[at_b..], *k, *n);
                    gemm(
                        &mut gx[at_a..][..m * k],
                        Mode::Accumulate,
                        gy,
                        b.transposed(),
                    );
                } else {
                    let a = Matrix::new(&a[at_a..], *m, *k);
                    gemm(
                        &mut gx[at_b..][..k * n],
                        Mode::Accumulate,
                        a.transposed(),
                        gy,
                    );
                }
            }
        }
    }
}

/// Reads a MatMul node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (a, b) = (node.input(0)?, node.input(1)?);
    // A vector is a row on the left and a column on the right, and loses that axis again.
    let mut a_shape = a.shape.clone();
    let mut b_shape = b.shape.clone();
    let (a_vector, b_vector) = (a_shape.len() == 1, b_shape.len() == 1);
    if a_vector {
        a_shape.insert(0, 1);
    }
    if b_vector {
        b_shape.push(1);
    }
    let mismatch = || {
        EngineError::shape(format!(
            "A of shape {:?} does not multiply B of shape {:?}",
            a.shape, b.shape
        ))
    };
    let (Some((a_batch, &[m, k])), Some((b_batch, &[b_rows, n]))) =
        (a_shape.split_last_chunk(), b_shape.split_last_chunk())
    else {
        return Err(mismatch());
    };
    if b_rows != k || k == 0 {
        return Err(mismatch());
    }
    let batch = broadcast(a_batch, b_batch)?;
    let mut shape = batch.clone();
    if !a_vector {
        shape.push(m);
    }
    if !b_vector {
        shape.push(n);
    }
    if let (None, Some(weight)) = (&a.constant, &b.constant)
        && b_batch.is_empty()
        && weight.is_float()
    {
        let op = Linear {
            m: batch.iter().product::<usize>() * m,
            n_in: k,
            n_out: n,
            weight: weight.clone(),
            stored: Stored::InputsFirst,
            alpha: 1.0,
            bias: None,
            beta: 1.0,
            bias_is_row: false,
            affine: None,
        };
        return Ok(Built::layer(op, vec![a.value], shape, vec![1]));
    }
    let index_a = broadcast_index(a_batch, &batch);
    let index_b = broadcast_index(b_batch, &batch);
    let (operands, values) = operands(&[a, b])?;
    let op = MatMul {
        m,
        k,
        n,
        operands,
        pairs: index_a
            .into_iter()
            .zip(index_b)
            .map(|(a, b)| [a, b])
            .collect(),
    };
    Ok(Built::layer(op, values, shape, vec![0, 1]))
}
