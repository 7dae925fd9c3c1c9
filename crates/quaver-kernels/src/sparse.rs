//! Convolution of cotangents that are zero in the same places.
//!
//! Behind a ReLU or a max-pool every cotangent of a sample is zero where the slope is: at each position the same channels, half
//! of them and more, for all V. Those terms are left out, V rows at a time. Nothing is approximated: what is left out is zero.

use crate::Scalar;
use crate::direct::{Direct, OUTSIDE, Phase};
use crate::packed::{Columns, PANEL, Panels, Start, each_row};
use crate::simd::{Isa, Kernel, Simd};

/// Fewer cotangents than this keep too few sums in flight.
pub(crate) const FEWEST: usize = 3;

/// What is read while a panel of the weights stays in the nearest cache should stay in the next: bytes.
const BLOCK: usize = 256 << 10;

/// Bytes of a panel of weights that should stay in the nearest cache: a list goes over the channels that fit.
const PANEL_BYTES: usize = 16 << 10;

/// Rows of the largest tile.
const MOST_ROWS: usize = 12;

/// Channels looked at together.
const LINE: usize = 16;

/// What of x (V × positions × channels) is not zero in all images, position by position.
pub(crate) struct Active<T> {
    /// Where the list of each position and PANEL_BYTES of channels starts, and the end of the last.
    starts: Vec<u32>,
    /// Lists per position.
    n_lists: usize,
    channels: Vec<u16>,
    /// V for each of `channels`. Where they lie in x the images of one position are often a power of two apart, and fall on
    /// the same few places of a cache.
    values: Vec<T>,
}

impl<T: Scalar> Active<T> {
    /// Of `v` images; `None` if too few are zero to be worth it.
    #[inline(always)]
    pub(crate) fn find(isa: Isa, x: &[T], v: usize, n: usize, c: usize) -> Option<Self> {
        // A product of lists costs about this much more per term.
        const WORTH: f64 = 0.8;
        let fits = u16::try_from(c).is_ok() && u32::try_from(n * c).is_ok();
        if v < FEWEST || !fits || n * c == 0 {
            return None;
        }
        let most = (WORTH * (n * c) as f64) as usize;
        let depth = PANEL_BYTES / (PANEL * isa.lanes::<T>() * size_of::<T>());
        let n_lists = c.div_ceil(depth);
        let mut active = Self {
            starts: Vec::with_capacity(n * n_lists + 1),
            n_lists,
            channels: vec![0; most + LINE],
            values: vec![T::ZERO; (most + LINE) * v + MOST_ROWS],
        };
        let mut len = 0;
        let mut line = vec![T::ZERO; v * LINE];
        for position in 0..n {
            for start in (0..c).step_by(LINE) {
                if start % depth == 0 {
                    active.starts.push(len as u32);
                }
                let width = LINE.min(c - start);
                // Sums of magnitudes: nothing is lost in them, and they cost what reading costs.
                let mut any = [T::ZERO; LINE];
                for (x, line) in x.chunks_exact(n * c).zip(line.chunks_exact_mut(LINE)) {
                    let x = &x[position * c + start..][..width];
                    line[..width].copy_from_slice(x);
                    for (any, x) in any.iter_mut().zip(&*line) {
                        *any += x.abs();
                    }
                }
                for (channel, any) in any[..width].iter().enumerate() {
                    // Without a branch: which channels are active is anyone's guess.
                    active.channels[len] = (start + channel) as u16;
                    let values = &mut active.values[len * v..][..v];
                    for (value, line) in values.iter_mut().zip(line.chunks_exact(LINE)) {
                        *value = line[channel];
                    }
                    len += usize::from(*any != T::ZERO);
                }
                if len > most {
                    return None;
                }
            }
        }
        active.starts.push(len as u32);
        Some(active)
    }

    /// A list: its channels, and where V values for each begin; behind them MOST_ROWS more can be read.
    #[inline(always)]
    fn of(&self, position: usize, list: usize, v: usize) -> (&[u16], *const T) {
        let at = position * self.n_lists + list;
        let (start, end) = (self.starts[at] as usize, self.starts[at + 1] as usize);
        (
            &self.channels[start..end],
            self.values[start * v..].as_ptr(),
        )
    }
}

/// A phase of a convolution without groups.
pub(crate) struct Job<'a, T> {
    pub conv: &'a Direct<T>,
    pub phase: &'a Phase,
    pub weights: Panels<'a, T>,
    pub start: Start<'a, T>,
    pub active: &'a Active<T>,
    /// V.
    pub n_images: usize,
    /// V × written positions × O.
    pub y: &'a mut [T],
}

impl<T: Scalar> Kernel<T> for Job<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let (phase, weights) = (self.phase, self.weights);
        let (c, o) = (self.conv.c(), weights.n());
        let n_to = self.conv.n_written();
        let v = self.n_images;
        assert_eq!(self.y.len(), v * n_to * o, "as many images as are read");
        let n_taps = phase.taps.len();
        // As many rows at once as there are registers for, evenly.
        let most = if S::REGISTERS >= 32 { MOST_ROWS } else { 6 };
        let rows = v.div_ceil(v.div_ceil(most));
        let block = (BLOCK / (v * c * size_of::<T>())).clamp(1, 32);
        let y = self.y.as_mut_ptr();
        let n_lists = self.active.n_lists;
        for first in (0..phase.to.len()).step_by(block) {
            let last = (first + block).min(phase.to.len());
            let mut column = 0;
            while column < o {
                let (panel, vectors) = weights.panel(column);
                for step in 0..n_lists * (last - first) {
                    let (list, at) = (step / (last - first), first + step % (last - first));
                    for row in (0..v).step_by(rows) {
                        let to = row * n_to + phase.to[at] as usize;
                        let tile = Tile {
                            simd,
                            active: self.active,
                            list,
                            from: &phase.from[at * n_taps..][..n_taps],
                            first: row,
                            v,
                            c,
                            panel,
                            columns: Columns {
                                // Added when the sums are complete, as by the full product.
                                start: match list + 1 == n_lists {
                                    true => self.start,
                                    false => Start::Zero,
                                },
                                column,
                                width: (o - column).min(vectors * S::LANES),
                            },
                            y: y.wrapping_add(to * o + column),
                            y_image: n_to * o,
                            n_rows: rows.min(v - row),
                        };
                        // SAFETY: positions lie inside of the images, lists hold channels below c, and n_rows images
                        // are left; a panel has a row for every tap and channel.
                        unsafe {
                            match (tile.n_rows, vectors) {
                                (..=3, PANEL) => tile.run::<3, PANEL>(),
                                (..=3, _) => tile.run::<3, 1>(),
                                (4, PANEL) => tile.run::<4, PANEL>(),
                                (4, _) => tile.run::<4, 1>(),
                                (5, PANEL) => tile.run::<5, PANEL>(),
                                (5, _) => tile.run::<5, 1>(),
                                (6, PANEL) => tile.run::<6, PANEL>(),
                                (6, _) => tile.run::<6, 1>(),
                                (..=9, PANEL) => tile.run::<9, PANEL>(),
                                (..=9, _) => tile.run::<9, 1>(),
                                (_, PANEL) => tile.run::<12, PANEL>(),
                                (_, _) => tile.run::<12, 1>(),
                            }
                        }
                    }
                }
                column += vectors * S::LANES;
            }
        }
    }
}

/// One position of a few images by one panel.
struct Tile<'a, T, S> {
    simd: S,
    active: &'a Active<T>,
    /// Which of the lists; sums go on from those of the ones before.
    list: usize,
    /// Read through each tap.
    from: &'a [u32],
    /// The first image, of V.
    first: usize,
    v: usize,
    c: usize,
    panel: *const T,
    columns: Columns<'a, T>,
    y: *mut T,
    y_image: usize,
    n_rows: usize,
}

impl<T: Scalar, S: Simd<T>> Tile<'_, T, S> {
    #[inline(always)]
    unsafe fn run<const MR: usize, const NV: usize>(&self) {
        let simd = self.simd;
        let mut acc = [[simd.splat(T::ZERO); NV]; MR];
        if self.list > 0 {
            each_row!(I < MR {
                if I < self.n_rows {
                    // SAFETY: the caller's promise; these were stored here.
                    acc[I] = unsafe { self.columns.load(simd, self.y.wrapping_add(I * self.y_image)) };
                }
            });
        }
        for (tap, &from) in self.from.iter().enumerate() {
            if from == OUTSIDE {
                continue;
            }
            let (channels, values) = self.active.of(from as usize, self.list, self.v);
            // SAFETY: the caller's promise; there are V values for each channel.
            unsafe {
                let b = self.panel.add(tap * self.c * NV * S::LANES);
                let mut a = values.add(self.first);
                for &channel in channels {
                    let channel = channel as usize;
                    let b = b.add(channel * (NV * S::LANES));
                    let first = simd.load(b);
                    let second = if NV > 1 {
                        simd.load(b.add(S::LANES))
                    } else {
                        first
                    };
                    each_row!(I < MR {
                        // A tile that hangs over the end reads on into the next values, and does not store.
                        let x = simd.splat(*a.add(I));
                        acc[I][0] = simd.mul_add(x, first, acc[I][0]);
                        if NV > 1 {
                            acc[I][NV - 1] = simd.mul_add(x, second, acc[I][NV - 1]);
                        }
                    });
                    a = a.add(self.v);
                }
            }
        }
        each_row!(I < MR {
            if I < self.n_rows {
                // SAFETY: the caller's promise.
                unsafe {
                    let y = self.y.wrapping_add(I * self.y_image);
                    self.columns.store(simd, y, acc[I]);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::conv::{Conv, ConvOptions, ConvShape};
    use crate::window::{AXES, Window};

    /// Cotangents of which a share is zero in the same places.
    fn cotangents(n: usize, v: usize, zeros: f64) -> Vec<f64> {
        let value = |at: usize| {
            let place = at % n;
            let draw = (place as f64 * 12.9898).sin() * 43758.5453;
            match draw - draw.floor() < zeros {
                true => 0.0,
                false => (at as f64 * 0.37).sin(),
            }
        };
        (0..v * n).map(value).collect()
    }

    #[test]
    fn leaving_out_zeros_changes_nothing() {
        for isa in Isa::available() {
            for (kernel, stride, size, c_in, c_out) in [
                (1, 1, 5, 130, 150),
                (3, 2, 9, 7, 21),
                (3, 2, 6, 33, 300),
                (3, 1, 4, 3, 16),
                (2, 3, 8, 16, 40),
            ] {
                let shape = ConvShape {
                    window: Window {
                        input: [1, size, size],
                        output: [1, (size - 1) / stride + 1, (size - 1) / stride + 1],
                        kernel: [1, kernel, kernel],
                        stride: [1, stride, stride],
                        dilation: [1; AXES],
                        pad: [0, kernel / 2, kernel / 2],
                    },
                    c_in,
                    c_out,
                    groups: 1,
                };
                let n_weights = c_in * c_out * kernel * kernel;
                let weight: Vec<f64> = (0..n_weights).map(|i| (i as f64 * 0.9).sin()).collect();
                let options = ConvOptions {
                    isa,
                    winograd: false,
                    ..ConvOptions::default()
                };
                let conv = Conv::new(shape, &weight, None, options);
                let window = &conv.shape().window;
                let (n_in, n_out) = (window.n_input() * c_in, window.n_output() * c_out);
                for (v, zeros) in [
                    (3, 0.5),
                    (4, 0.9),
                    (9, 0.5),
                    (10, 1.0),
                    (13, 0.3),
                    (25, 0.7),
                ] {
                    let gy = cotangents(n_out, v, zeros);
                    let found = Active::find(isa, &gy, v, window.n_output(), c_out);
                    assert!(found.is_some(), "{v} {zeros}");
                    let mut together = vec![f64::NAN; v * n_in];
                    conv.backward_data(&gy, &mut together, &mut Vec::new());
                    for (gy, together) in gy.chunks_exact(n_out).zip(together.chunks_exact(n_in)) {
                        // One alone is never searched for zeros.
                        let mut alone = vec![f64::NAN; n_in];
                        conv.backward_data(gy, &mut alone, &mut Vec::new());
                        for (a, b) in alone.iter().zip(together) {
                            assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "{isa:?} {a} {b}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_nearly_full_is_taken_as_it_is() {
        assert!(Active::find(Isa::best(), &cotangents(40 * 20, 9, 0.1), 9, 20, 40).is_none());
        assert!(Active::<f64>::find(Isa::best(), &[], 9, 0, 40).is_none());
    }
}
