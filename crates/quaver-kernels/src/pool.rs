//! Pooling over up to three spatial axes, channels-last.

use crate::Scalar;
use crate::direct::{Links, OUTSIDE};
use crate::window::Window;

/// The index recorded for a window that lies wholly in the padding.
pub const NOWHERE: u32 = u32::MAX;

/// Which input positions each output position sees.
#[derive(Debug, Clone)]
pub struct Pool {
    links: Links,
    channels: usize,
    n_taps: usize,
}

impl Pool {
    /// A window sliding over values of `channels` channels.
    pub fn new(window: &Window, channels: usize) -> Self {
        Self {
            links: Links::forward(window),
            channels,
            n_taps: window.n_taps(),
        }
    }

    /// Output positions with the input positions they see, in row-major order of the taps.
    fn windows(&self) -> impl Iterator<Item = impl Iterator<Item = usize> + '_> + '_ {
        let from = &self.links.phases[0].from;
        from.chunks_exact(self.n_taps).map(|from| {
            let inside = from.iter().filter(|&&from| from != OUTSIDE);
            inside.map(|&from| from as usize)
        })
    }

    /// y (output positions × C) ← the largest value of each window of x (input positions × C), and `argmax`
    /// the index in x. At a tie the first position in row-major order wins; that is also the subgradient: the
    /// whole cotangent goes there. Padding never wins.
    pub fn max<T: Scalar>(&self, x: &[T], y: &mut [T], argmax: &mut Vec<u32>) {
        let c = self.channels;
        argmax.clear();
        argmax.resize(y.len(), NOWHERE);
        y.fill(T::NEG_INFINITY);
        let outputs = y.chunks_exact_mut(c).zip(argmax.chunks_exact_mut(c));
        for ((y, argmax), window) in outputs.zip(self.windows()) {
            for from in window {
                let first = from * c;
                let x = &x[first..][..c];
                for (channel, (y, argmax)) in y.iter_mut().zip(&mut *argmax).enumerate() {
                    if *argmax == NOWHERE || x[channel] > *y {
                        *y = x[channel];
                        *argmax = (first + channel) as u32;
                    }
                }
            }
        }
    }

    /// gx (V × input positions × C) ← the transpose of [`Pool::max`] at the recorded indices.
    pub fn max_backward<T: Scalar>(&self, argmax: &[u32], gy: &[T], gx: &mut [T]) {
        gx.fill(T::ZERO);
        let cotangents = gy.chunks_exact(argmax.len());
        for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(self.links.n_from * self.channels)) {
            for (&g, &at) in gy.iter().zip(argmax) {
                if at != NOWHERE {
                    gx[at as usize] += g;
                }
            }
        }
    }

    /// y (output positions × C) ← the sum of each window of x, times `factor` of that output position.
    pub fn weighted_sum<T: Scalar>(&self, factor: &[T], x: &[T], y: &mut [T]) {
        let c = self.channels;
        y.fill(T::ZERO);
        for ((y, window), &factor) in y.chunks_exact_mut(c).zip(self.windows()).zip(factor) {
            for from in window {
                for (y, &x) in y.iter_mut().zip(&x[from * c..][..c]) {
                    *y += x;
                }
            }
            y.iter_mut().for_each(|y| *y *= factor);
        }
    }

    /// gx (V × input positions × C) ← the transpose of [`Pool::weighted_sum`].
    pub fn weighted_sum_backward<T: Scalar>(&self, factor: &[T], gy: &[T], gx: &mut [T]) {
        let c = self.channels;
        gx.fill(T::ZERO);
        let cotangents = gx.chunks_exact_mut(self.links.n_from * c);
        for (gx, gy) in cotangents.zip(gy.chunks_exact(self.links.n_to * c)) {
            for ((gy, window), &factor) in gy.chunks_exact(c).zip(self.windows()).zip(factor) {
                for from in window {
                    for (gx, &gy) in gx[from * c..][..c].iter_mut().zip(gy) {
                        *gx += gy * factor;
                    }
                }
            }
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
            let pool = Pool::new(&w, channels);
            pool.max(&x, &mut y, &mut argmax);
            let mut sum = vec![f64::NAN; channels * n_out];
            pool.weighted_sum(&factor, &x, &mut sum);
            for c in 0..channels {
                for o in 0..n_out {
                    let seen = seen(&w, o);
                    let values = || seen.iter().map(|&i| x[i * channels + c]);
                    let want = values().fold(f64::NEG_INFINITY, f64::max);
                    assert_eq!(y[o * channels + c].to_bits(), want.to_bits(), "{w:?}");
                    let want = values().sum::<f64>() * factor[o];
                    assert!((sum[o * channels + c] - want).abs() < 1e-12, "{w:?}");
                }
            }
            let u = wave(3 * channels * n_out, 0.23);
            let mut gx = vec![f64::NAN; 3 * channels * n_in];
            pool.weighted_sum_backward(&factor, &u, &mut gx);
            for v in 0..3 {
                let left: f64 = sum
                    .iter()
                    .zip(&u[v * sum.len()..])
                    .map(|(a, b)| a * b)
                    .sum();
                let right: f64 = x.iter().zip(&gx[v * x.len()..]).map(|(a, b)| a * b).sum();
                assert!((left - right).abs() < 1e-10, "{w:?}");
            }
            pool.max_backward(&argmax, &u, &mut gx);
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
        Pool::new(&w, 1).max(&[1.0, 3.0, 3.0, 3.0], &mut y, &mut argmax);
        assert_eq!((y[0], argmax[0]), (3.0, 1));
    }
}
