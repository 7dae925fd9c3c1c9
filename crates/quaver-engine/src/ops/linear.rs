//! y = x W + b with a constant W: what Gemm and most MatMuls are.

use std::sync::Arc;

use quaver_kernels::Scalar;
use quaver_kernels::gemm::{Matrix, Mode, gemm};
use quaver_kernels::layout::transpose;
use quaver_kernels::sums::{bias_gram, bias_rows};
use quaver_kernels::weights::{LayerShape, weight_gram, weight_rows};

use super::affine::Affine;
use crate::op::{Lower, Operator, Saved, Step, Trained};
use crate::tensor::Tensor;

/// How a constant weight is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// in × out.
    InputsFirst,
    /// out × in.
    OutputsFirst,
}

/// x is M × in, y is M × out.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub m: usize,
    pub n_in: usize,
    pub n_out: usize,
    pub weight: Tensor,
    pub stored: Stored,
    /// Multiplies the product.
    pub alpha: f64,
    /// Added to the product, one row for all of M or one for each, already multiplied by beta.
    pub bias: Option<Vec<f64>>,
    /// Multiplies the bias.
    pub beta: f64,
    /// Whether the bias is given as one number per output.
    pub bias_is_row: bool,
    /// What follows per output column: a batch normalisation that was folded in.
    pub affine: Option<Affine>,
}

impl Operator for Linear {
    fn macs(&self) -> u64 {
        (self.m * self.n_in * self.n_out) as u64
    }

    fn trains(&self, role: usize) -> bool {
        role == 1 || role == 2 && self.bias_is_row
    }

    fn with_affine(&self, scale: &[f64], shift: &[f64]) -> Option<Arc<dyn Operator>> {
        if scale.len() != self.n_out {
            return None;
        }
        let next = Affine::new(scale, shift);
        let affine = match &self.affine {
            None => next,
            Some(first) => first.then(&next),
        };
        Some(Arc::new(Linear {
            affine: Some(affine),
            ..self.clone()
        }))
    }
}

impl<T: Scalar> Lower<T> for Linear {
    fn lower(&self) -> Box<dyn Step<T>> {
        let weight: Vec<f64> = self
            .weight
            .floats()
            .expect("the builder admits only floats");
        // Outputs lead in memory: rows of W are what a matrix–vector product runs along.
        let at = |o: usize, i: usize| match self.stored {
            Stored::InputsFirst => weight[i * self.n_out + o],
            Stored::OutputsFirst => weight[o * self.n_in + i],
        };
        let scale = |o: usize| self.affine.as_ref().map_or(1.0, |affine| affine.scale[o]);
        let shift = |o: usize| self.affine.as_ref().map_or(0.0, |affine| affine.shift[o]);
        let weight = (0..self.n_out)
            .flat_map(|o| (0..self.n_in).map(move |i| (o, i)))
            .map(|(o, i)| T::from_f64(self.alpha * at(o, i) * scale(o)))
            .collect();
        let bias = match (&self.bias, &self.affine) {
            (None, None) => None,
            (None, Some(affine)) => Some(affine.shift.iter().map(|&b| T::from_f64(b)).collect()),
            (Some(bias), _) => Some(
                bias.iter()
                    .enumerate()
                    .map(|(i, &b)| T::from_f64(b * scale(i % self.n_out) + shift(i % self.n_out)))
                    .collect(),
            ),
        };
        Box::new(Lowered {
            m: self.m,
            n_in: self.n_in,
            n_out: self.n_out,
            weight,
            bias,
            stored: self.stored,
            factors: [T::from_f64(self.alpha), T::from_f64(self.beta)],
        })
    }
}

struct Lowered<T> {
    m: usize,
    n_in: usize,
    n_out: usize,
    /// out × in.
    weight: Vec<T>,
    bias: Option<Vec<T>>,
    stored: Stored,
    /// Of the product and of the bias: what the gradients of their parameters are multiplied by.
    factors: [T; 2],
}

impl<T: Scalar> Lowered<T> {
    fn layer(&self) -> LayerShape {
        LayerShape {
            positions: self.m,
            inputs: self.n_in,
            outputs: self.n_out,
        }
    }

    fn weight(&self) -> Matrix<'_, T> {
        Matrix::new(&self.weight, self.n_out, self.n_in)
    }
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let mode = match &self.bias {
            None => Mode::Overwrite,
            Some(bias) => {
                for y in y.chunks_mut(bias.len()) {
                    y.copy_from_slice(bias);
                }
                Mode::Accumulate
            }
        };
        gemm(
            y,
            mode,
            Matrix::new(x[0], self.m, self.n_in),
            self.weight().transposed(),
        );
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let rows = gy.len() / self.n_out;
        gemm(
            gx,
            Mode::Overwrite,
            Matrix::new(gy, rows, self.n_out),
            self.weight(),
        );
    }

    fn param_rows(
        &self,
        param: Trained,
        x: &[&[T]],
        gy: &[T],
        rows: &mut [T],
        scratch: &mut Vec<T>,
    ) {
        let n = param.n_cotangents * param.n_elements;
        let mut formed = vec![T::ZERO; n];
        if param.role == 2 {
            bias_rows(self.n_out, gy, &mut formed);
        } else {
            weight_rows(self.layer(), x[0], gy, &mut formed, scratch);
            if self.stored == Stored::OutputsFirst {
                let inputs_first = formed.clone();
                transpose(self.n_in, self.n_out, &inputs_first, &mut formed);
            }
        }
        let factor = self.factors[param.role - 1];
        for (row, formed) in rows.iter_mut().zip(formed) {
            *row += factor * formed;
        }
    }

    fn param_gram(
        &self,
        param: Trained,
        x: &[&[T]],
        gy: &[T],
        s: &mut [f64],
        scratch: &mut Vec<T>,
    ) {
        let mut unscaled = vec![0.0; s.len()];
        if param.role == 2 {
            bias_gram(self.n_out, param.n_cotangents, gy, None, &mut unscaled);
        } else {
            weight_gram(self.layer(), x[0], gy, None, &mut unscaled, scratch);
        }
        let factor = self.factors[param.role - 1].to_f64().powi(2);
        for (s, unscaled) in s.iter_mut().zip(unscaled) {
            *s += factor * unscaled;
        }
    }
}
