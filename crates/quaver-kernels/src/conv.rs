//! Convolution over up to three spatial axes, with groups: forward, and backward to its input.
//!
//! Channels-first. A group is one matrix product over unfolded patches ("im2col"); 1×1 convolutions skip the
//! unfolding, depthwise ones go tap by tap without a product.

use crate::Scalar;
use crate::gemm::{Matrix, Mode, gemm};
use crate::window::{AXES, Window};

/// The shape of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvShape {
    /// How the kernel slides.
    pub window: Window,
    /// Input channels C.
    pub c_in: usize,
    /// Output channels O.
    pub c_out: usize,
    /// Groups; divides both C and O.
    pub groups: usize,
}

impl ConvShape {
    fn c_group(&self) -> usize {
        self.c_in / self.groups
    }

    fn o_group(&self) -> usize {
        self.c_out / self.groups
    }

    /// Multiply–accumulates of one forward pass.
    pub fn macs(&self) -> u64 {
        (self.c_out * self.c_group() * self.window.n_taps() * self.window.n_output()) as u64
    }

    /// The shape of the convolution that carries cotangents back, if it is one: the same kernel flipped, over
    /// the output positions. Strided convolutions are not.
    fn adjoint(&self) -> Option<ConvShape> {
        let w = &self.window;
        let mut pad = [0; AXES];
        for (axis, pad) in pad.iter_mut().enumerate() {
            *pad = (w.dilation[axis] * (w.kernel[axis] - 1)).checked_sub(w.pad[axis])?;
        }
        (w.stride == [1; AXES]).then(|| ConvShape {
            window: Window {
                input: w.output,
                output: w.input,
                pad,
                ..w.clone()
            },
            c_in: self.c_out,
            c_out: self.c_in,
            groups: self.groups,
        })
    }
}

/// A convolution with its weights, ready to run.
#[derive(Debug)]
pub struct Conv<T> {
    shape: ConvShape,
    /// O × C/groups × taps.
    weight: Vec<T>,
    bias: Option<Vec<T>>,
    adjoint: Option<Box<Conv<T>>>,
}

impl<T: Scalar> Conv<T> {
    /// `weight` is O × C/groups × taps, `bias` O.
    ///
    /// # Panics
    /// If the sizes do not fit the shape.
    pub fn new(shape: ConvShape, weight: Vec<T>, bias: Option<Vec<T>>) -> Self {
        let taps = shape.window.n_taps();
        assert_eq!(weight.len(), shape.c_out * shape.c_group() * taps);
        assert!(bias.as_ref().is_none_or(|b| b.len() == shape.c_out));
        let (c_group, o_group) = (shape.c_group(), shape.o_group());
        let adjoint = shape.adjoint().map(|adjoint| {
            // C × O/groups × taps, taps reversed.
            let mut flipped = vec![T::ZERO; weight.len()];
            for group in 0..shape.groups {
                for o in 0..o_group {
                    for c in 0..c_group {
                        for tap in 0..taps {
                            flipped
                                [((group * c_group + c) * o_group + o) * taps + (taps - 1 - tap)] =
                                weight[((group * o_group + o) * c_group + c) * taps + tap];
                        }
                    }
                }
            }
            Box::new(Conv {
                shape: adjoint,
                weight: flipped,
                bias: None,
                adjoint: None,
            })
        });
        Self {
            shape,
            weight,
            bias,
            adjoint,
        }
    }

    /// The shape given to [`Conv::new`].
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// y (O × output positions) ← conv(x (C × input positions)). `scratch` grows to what is needed.
    pub fn forward(&self, x: &[T], y: &mut [T], scratch: &mut Vec<T>) {
        let ConvShape { window, groups, .. } = &self.shape;
        let (c_group, o_group) = (self.shape.c_group(), self.shape.o_group());
        let (n_in, n_out, taps) = (window.n_input(), window.n_output(), window.n_taps());
        match &self.bias {
            Some(bias) => {
                for (y, &b) in y.chunks_exact_mut(n_out).zip(bias) {
                    y.fill(b);
                }
            }
            None => y.fill(T::ZERO),
        }
        for group in 0..*groups {
            let x = &x[group * c_group * n_in..][..c_group * n_in];
            let y = &mut y[group * o_group * n_out..][..o_group * n_out];
            let w = &self.weight[group * o_group * c_group * taps..][..o_group * c_group * taps];
            if c_group == 1 {
                for (o, y) in y.chunks_exact_mut(n_out).enumerate() {
                    for (tap, &w) in window.taps().zip(&w[o * taps..]) {
                        window.rows(tap, |to, from, len| {
                            let x = x[from..].iter().step_by(window.stride[2]);
                            for (y, &x) in y[to..to + len].iter_mut().zip(x) {
                                *y += w * x;
                            }
                        });
                    }
                }
                continue;
            }
            let patches = if window.is_identity() {
                x
            } else {
                unfold(x, window, scratch);
                &scratch[..c_group * taps * n_out]
            };
            gemm(
                y,
                Mode::Accumulate,
                Matrix::new(w, o_group, c_group * taps),
                Matrix::new(patches, c_group * taps, n_out),
            );
        }
    }

    /// gx (V × C × input positions) ← the transpose of the convolution, applied to each of the V cotangents
    /// gy (V × O × output positions).
    pub fn backward_data(&self, gy: &[T], gx: &mut [T], scratch: &mut Vec<T>) {
        let n_in = self.shape.c_in * self.shape.window.n_input();
        let n_out = self.shape.c_out * self.shape.window.n_output();
        for (gy, gx) in gy.chunks_exact(n_out).zip(gx.chunks_exact_mut(n_in)) {
            match &self.adjoint {
                Some(adjoint) => adjoint.forward(gy, gx, scratch),
                None => self.scatter_back(gy, gx, scratch),
            }
        }
    }

    fn scatter_back(&self, gy: &[T], gx: &mut [T], scratch: &mut Vec<T>) {
        let ConvShape { window, groups, .. } = &self.shape;
        let (c_group, o_group) = (self.shape.c_group(), self.shape.o_group());
        let (n_in, n_out, taps) = (window.n_input(), window.n_output(), window.n_taps());
        gx.fill(T::ZERO);
        for group in 0..*groups {
            let gy = &gy[group * o_group * n_out..][..o_group * n_out];
            let gx = &mut gx[group * c_group * n_in..][..c_group * n_in];
            let w = &self.weight[group * o_group * c_group * taps..][..o_group * c_group * taps];
            if c_group == 1 {
                for (o, gy) in gy.chunks_exact(n_out).enumerate() {
                    for (tap, &w) in window.taps().zip(&w[o * taps..]) {
                        window.rows(tap, |from, to, len| {
                            let gx = gx[to..].iter_mut().step_by(window.stride[2]);
                            for (gx, &gy) in gx.zip(&gy[from..from + len]) {
                                *gx += w * gy;
                            }
                        });
                    }
                }
                continue;
            }
            grow(scratch, c_group * taps * n_out);
            gemm(
                scratch,
                Mode::Overwrite,
                Matrix::new(w, o_group, c_group * taps).transposed(),
                Matrix::new(gy, o_group, n_out),
            );
            fold(scratch, window, gx);
        }
    }
}

fn grow<T: Scalar>(scratch: &mut Vec<T>, len: usize) {
    if scratch.len() < len {
        scratch.resize(len, T::ZERO);
    }
}

/// patches (channels · taps × output positions) ← x (channels × input positions), zero outside.
fn unfold<T: Scalar>(x: &[T], window: &Window, patches: &mut Vec<T>) {
    let (n_in, n_out, taps) = (window.n_input(), window.n_output(), window.n_taps());
    let channels = x.len() / n_in;
    grow(patches, channels * taps * n_out);
    let mut rows = patches.chunks_exact_mut(n_out);
    for x in x.chunks_exact(n_in) {
        for (tap, patch) in window.taps().zip(&mut rows) {
            patch.fill(T::ZERO);
            window.rows(tap, |to, from, len| {
                if window.stride[2] == 1 {
                    patch[to..to + len].copy_from_slice(&x[from..from + len]);
                } else {
                    let x = x[from..].iter().step_by(window.stride[2]);
                    for (patch, &x) in patch[to..to + len].iter_mut().zip(x) {
                        *patch = x;
                    }
                }
            });
        }
    }
}

/// The transpose of [`unfold`]: x += the patches, each where it came from.
fn fold<T: Scalar>(patches: &[T], window: &Window, x: &mut [T]) {
    let (n_in, n_out) = (window.n_input(), window.n_output());
    let mut rows = patches.chunks_exact(n_out);
    for x in x.chunks_exact_mut(n_in) {
        for (tap, patch) in window.taps().zip(&mut rows) {
            window.rows(tap, |from, to, len| {
                let x = x[to..].iter_mut().step_by(window.stride[2]);
                for (x, &patch) in x.zip(&patch[from..from + len]) {
                    *x += patch;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window;

    fn wave(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    /// The definition, position by position.
    fn naive(shape: &ConvShape, weight: &[f64], bias: Option<&[f64]>, x: &[f64]) -> Vec<f64> {
        let w = &shape.window;
        let (c_group, o_group) = (shape.c_group(), shape.o_group());
        let mut y = Vec::new();
        for o in 0..shape.c_out {
            for position in 0..w.n_output() {
                let at = [
                    position / (w.output[1] * w.output[2]),
                    position / w.output[2] % w.output[1],
                    position % w.output[2],
                ];
                let mut sum = bias.map_or(0.0, |b| b[o]);
                for c in 0..c_group {
                    for (t, tap) in w.taps().enumerate() {
                        let source: Option<Vec<usize>> =
                            (0..AXES).map(|a| w.source(a, at[a], tap[a])).collect();
                        if let Some(s) = source {
                            let channel = o / o_group * c_group + c;
                            let i = (channel * w.input[0] + s[0]) * w.input[1] + s[1];
                            sum += weight[(o * c_group + c) * w.n_taps() + t]
                                * x[i * w.input[2] + s[2]];
                        }
                    }
                }
                y.push(sum);
            }
        }
        y
    }

    #[test]
    fn forward_and_backward_agree_with_the_definition() {
        for window in window::tests::samples() {
            for (c_in, c_out, groups) in [(1, 1, 1), (3, 4, 1), (4, 6, 2), (3, 3, 3), (2, 6, 2)] {
                let shape = ConvShape {
                    window: window.clone(),
                    c_in,
                    c_out,
                    groups,
                };
                let (n_in, n_out) = (window.n_input() * c_in, window.n_output() * c_out);
                let weight = wave(c_out * c_in / groups * window.n_taps(), 0.9);
                let bias = wave(c_out, 1.7);
                let x = wave(n_in, 0.31);
                let conv = Conv::new(shape.clone(), weight.clone(), Some(bias.clone()));
                let (mut y, mut scratch) = (vec![f64::NAN; n_out], Vec::new());
                conv.forward(&x, &mut y, &mut scratch);
                let want = naive(&shape, &weight, Some(&bias), &x);
                for (y, want) in y.iter().zip(&want) {
                    assert!((y - want).abs() < 1e-12, "{shape:?}");
                }

                // ⟨conv(x), u⟩ = ⟨x, convᵀ(u)⟩ for two cotangents at once, without the bias.
                let u = wave(2 * n_out, 0.53);
                let mut gx = vec![f64::NAN; 2 * n_in];
                conv.backward_data(&u, &mut gx, &mut scratch);
                let linear = naive(&shape, &weight, None, &x);
                for v in 0..2 {
                    let left: f64 = linear.iter().zip(&u[v * n_out..]).map(|(a, b)| a * b).sum();
                    let right: f64 = x.iter().zip(&gx[v * n_in..]).map(|(a, b)| a * b).sum();
                    assert!(
                        (left - right).abs() < 1e-10 * (1.0 + left.abs()),
                        "{shape:?}"
                    );
                }
            }
        }
    }
}
