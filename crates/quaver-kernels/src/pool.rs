//! Pooling over up to three spatial axes, channels-first.

use crate::Scalar;
use crate::window::Window;

/// The index recorded for a window that lies wholly in the padding.
pub const NOWHERE: u32 = u32::MAX;

/// y (C × output positions) ← the largest value of each window of x (C × input positions), and `argmax` the
/// input position within the channel. At a tie the first position in row-major order wins; that is also the
/// subgradient: the whole cotangent goes there. Padding never wins.
pub fn max<T: Scalar>(window: &Window, x: &[T], y: &mut [T], argmax: &mut Vec<u32>) {
    let (n_in, n_out) = (window.n_input(), window.n_output());
    argmax.clear();
    argmax.resize(y.len(), NOWHERE);
    y.fill(T::NEG_INFINITY);
    let channels = y
        .chunks_exact_mut(n_out)
        .zip(argmax.chunks_exact_mut(n_out));
    for ((y, argmax), x) in channels.zip(x.chunks_exact(n_in)) {
        for tap in window.taps() {
            window.rows(tap, |to, from, len| {
                let mut position = from;
                for (y, argmax) in y[to..to + len].iter_mut().zip(&mut argmax[to..to + len]) {
                    if *argmax == NOWHERE || x[position] > *y {
                        *y = x[position];
                        *argmax = position as u32;
                    }
                    position += window.stride[2];
                }
            });
        }
    }
}

/// gx (V × C × input positions) ← the transpose of [`max`] at the recorded positions.
pub fn max_backward<T: Scalar>(window: &Window, argmax: &[u32], gy: &[T], gx: &mut [T]) {
    let (n_in, n_out) = (window.n_input(), window.n_output());
    gx.fill(T::ZERO);
    let cotangents = gy.chunks_exact(argmax.len());
    let channels = argmax.len() / n_out;
    for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(channels * n_in)) {
        let per_channel = gy.chunks_exact(n_out).zip(argmax.chunks_exact(n_out));
        for ((gy, argmax), gx) in per_channel.zip(gx.chunks_exact_mut(n_in)) {
            for (&g, &at) in gy.iter().zip(argmax) {
                if at != NOWHERE {
                    gx[at as usize] += g;
                }
            }
        }
    }
}

/// y (C × output positions) ← the sum of each window of x, times `factor` of that output position.
pub fn weighted_sum<T: Scalar>(window: &Window, factor: &[T], x: &[T], y: &mut [T]) {
    y.fill(T::ZERO);
    let channels = y.chunks_exact_mut(window.n_output());
    for (y, x) in channels.zip(x.chunks_exact(window.n_input())) {
        for tap in window.taps() {
            window.rows(tap, |to, from, len| {
                let x = x[from..].iter().step_by(window.stride[2]);
                for (y, &x) in y[to..to + len].iter_mut().zip(x) {
                    *y += x;
                }
            });
        }
        for (y, &factor) in y.iter_mut().zip(factor) {
            *y *= factor;
        }
    }
}

/// gx (… × input positions) ← the transpose of [`weighted_sum`]; any leading axes.
pub fn weighted_sum_backward<T: Scalar>(window: &Window, factor: &[T], gy: &[T], gx: &mut [T]) {
    gx.fill(T::ZERO);
    let channels = gx.chunks_exact_mut(window.n_input());
    for (gx, gy) in channels.zip(gy.chunks_exact(window.n_output())) {
        for tap in window.taps() {
            window.rows(tap, |from, to, len| {
                let gx = gx[to..].iter_mut().step_by(window.stride[2]);
                let gy = gy[from..from + len].iter().zip(&factor[from..from + len]);
                for (gx, (&gy, &factor)) in gx.zip(gy) {
                    *gx += gy * factor;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{self, AXES};

    fn wave(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    /// The input positions that output position `position` sees.
    fn seen(w: &Window, position: usize) -> Vec<usize> {
        let at = [
            position / (w.output[1] * w.output[2]),
            position / w.output[2] % w.output[1],
            position % w.output[2],
        ];
        w.taps()
            .filter_map(|tap| {
                let s: Option<Vec<usize>> = (0..AXES).map(|a| w.source(a, at[a], tap[a])).collect();
                s.map(|s| (s[0] * w.input[1] + s[1]) * w.input[2] + s[2])
            })
            .collect()
    }

    #[test]
    fn pools_agree_with_the_definition() {
        for w in window::tests::samples() {
            let (n_in, n_out, channels) = (w.n_input(), w.n_output(), 2);
            let x = wave(channels * n_in, 0.71);
            let factor = wave(n_out, 0.4);
            let (mut y, mut argmax) = (vec![f64::NAN; channels * n_out], Vec::new());
            max(&w, &x, &mut y, &mut argmax);
            let mut sum = vec![f64::NAN; channels * n_out];
            weighted_sum(&w, &factor, &x, &mut sum);
            for c in 0..channels {
                for o in 0..n_out {
                    let seen = seen(&w, o);
                    let values = || seen.iter().map(|&i| x[c * n_in + i]);
                    let want = values().fold(f64::NEG_INFINITY, f64::max);
                    assert_eq!(y[c * n_out + o].to_bits(), want.to_bits(), "{w:?}");
                    let want = values().sum::<f64>() * factor[o];
                    assert!((sum[c * n_out + o] - want).abs() < 1e-12, "{w:?}");
                }
            }
            let u = wave(3 * channels * n_out, 0.23);
            let mut gx = vec![f64::NAN; 3 * channels * n_in];
            weighted_sum_backward(&w, &factor, &u, &mut gx);
            for v in 0..3 {
                let left: f64 = sum
                    .iter()
                    .zip(&u[v * sum.len()..])
                    .map(|(a, b)| a * b)
                    .sum();
                let right: f64 = x.iter().zip(&gx[v * x.len()..]).map(|(a, b)| a * b).sum();
                assert!((left - right).abs() < 1e-10, "{w:?}");
            }
            max_backward(&w, &argmax, &u, &mut gx);
            for v in 0..3 {
                let u = &u[v * y.len()..][..y.len()];
                let left: f64 = y
                    .iter()
                    .zip(u)
                    .filter(|(y, _)| y.is_finite())
                    .map(|(a, b)| a * b)
                    .sum();
                let right: f64 = x.iter().zip(&gx[v * x.len()..]).map(|(a, b)| a * b).sum();
                assert!((left - right).abs() < 1e-10, "{w:?}");
            }
        }
    }

    #[test]
    fn the_first_of_equal_values_wins() {
        let w = Window {
            input: [1, 2, 2],
            output: [1, 1, 1],
            kernel: [1, 2, 2],
            stride: [1, 2, 2],
            dilation: [1; AXES],
            pad: [0; AXES],
        };
        let (mut y, mut argmax) = (vec![0.0f32], Vec::new());
        max(&w, &[1.0, 3.0, 3.0, 3.0], &mut y, &mut argmax);
        assert_eq!((y[0], argmax[0]), (3.0, 1));
    }
}
