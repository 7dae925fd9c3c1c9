//! Convolution of cotangents that are zero in the same places.
//!
//! Behind a ReLU or a max-pool every cotangent of a sample is zero where the slope is: at each position the same channels, half
//! of them and more, for all V. Those terms are left out, V rows at a time. Nothing is approximated: what is left out is zero.

mod gradients;

use std::ops::Range;

use crate::buffer::{aligned, fetch};
use crate::direct::{Direct, OUTSIDE, Phase};
use crate::packed::{Columns, PANEL, Panels, Start, each_row};
use crate::simd::{Kernel, Simd};
use crate::{Done, Scalar};

pub(crate) use gradients::{gradients, gradients_cost, space};

/// Fewer cotangents than this keep too few sums in flight.
const FEWEST: usize = 3;

/// What is read again for every panel of the weights should stay in the second-level cache, zeros included: bytes.
const BLOCK: usize = 512 << 10;

/// The same where the weights, of more than `FAR` bytes, come from farther away for every block: fewer and larger ones then.
const LARGE_BLOCK: usize = 1280 << 10;
const FAR: usize = 1 << 20;

/// Channels that a list goes over, at most: their rows of a panel should stay in the second-level cache. Sums are stored and fetched
/// again between a position's lists.
const DEPTH: usize = 512;

/// Rows of the largest tile.
const MOST_ROWS: usize = 12;

/// Channels looked at together.
const LINE: usize = 16;

/// What lists of the share `active` of the numbers that are read cost, relative to the full product of `n_terms` multiply–adds
/// with each: a term of theirs takes 1.15 times as long, and making them what so many terms do. The numbers are measured.
pub(crate) fn cost(v: usize, n_terms: usize, active: f64) -> f64 {
    let making = 20.0 + 64.0 / v as f64;
    making / n_terms.max(1) as f64 + 1.15 * active
}

/// What lists cost `conv` for the images x (V × positions × C), relative to the full product, and 1 where there can be none.
#[inline(always)]
pub(crate) fn cost_of<T: Scalar>(conv: &Direct<T>, x: &[T], v: usize) -> f64 {
    let (n, c) = (conv.n_read(), conv.c());
    let fits = v >= FEWEST && n * c > 0 && u16::try_from(c).is_ok() && u32::try_from(n * c).is_ok();
    match fits {
        true => cost(v, conv.n_terms(), share(x, v, n, c)).min(1.0),
        false => 1.0,
    }
}

/// Of V images, positions × C each, the channels of a position that are not zero in all of them.
pub(crate) struct Active<'a, T> {
    x: &'a [T],
    v: usize,
    n: usize,
    c: usize,
    /// Lists per position.
    n_lists: usize,
    /// The first position of which there are lists now.
    first: usize,
    /// Where each list starts and ends, those of a position one after another.
    lists: Vec<(u32, u32)>,
    channels: Vec<u16>,
    /// V for each of `channels`, and room for MOST_ROWS more. Where they lie in x the images of a position are often a power of
    /// two apart, and fall on the same few places of a cache.
    values: &'a mut [T],
}

impl<'a, T: Scalar> Active<'a, T> {
    /// Room for the lists of x (V × positions × C), which `conv` is to read; `None` if too few are zero to be worth it.
    #[inline(always)]
    pub(crate) fn seek(
        conv: &Direct<T>,
        x: &'a [T],
        v: usize,
        scratch: &'a mut Vec<T>,
    ) -> Option<Self> {
        let (n, c) = (conv.n_read(), conv.c());
        if cost_of(conv, x, v) >= 1.0 {
            return None;
        }
        let at_once = if conv.is_pointwise() {
            block::<T>(v, (c, conv.n_terms()), n)
        } else {
            n
        };
        Some(Self {
            x,
            v,
            n,
            c,
            n_lists: c.div_ceil(DEPTH),
            first: 0,
            lists: Vec::new(),
            channels: Vec::new(),
            values: aligned(scratch, at_once * c.next_multiple_of(LINE) * v + MOST_ROWS),
        })
    }

    /// Makes the lists of `positions`, in place of those before.
    #[inline(always)]
    pub(crate) fn fill<S: Simd<T>>(&mut self, simd: S, positions: Range<usize>) {
        let (v, c) = (self.v, self.c);
        self.first = positions.start;
        self.lists.clear();
        self.channels.clear();
        self.channels
            .reserve(positions.len() * c.next_multiple_of(LINE));
        let channels = self.channels.as_mut_ptr();
        let (mut list, mut len) = (0, 0);
        let mut line = vec![T::ZERO; v * LINE];
        for position in positions {
            for start in (0..c).step_by(LINE) {
                let any = self.read(simd, position, start, &mut line);
                let first = len;
                for (lane, any) in any.iter().enumerate() {
                    // SAFETY: there is room for every channel. Without a branch: which are active is anyone's guess.
                    unsafe { channels.add(len).write((start + lane) as u16) };
                    len += usize::from(*any != T::ZERO);
                }
                let values = &mut self.values[first * v..len * v];
                for (at, values) in values.chunks_exact_mut(v).enumerate() {
                    // SAFETY: written above; a lane is below LINE, and `line` has LINE elements for every image.
                    unsafe {
                        let lane = usize::from(channels.add(first + at).read()) - start;
                        for (image, value) in values.iter_mut().enumerate() {
                            *value = *line.as_ptr().add(image * LINE + lane);
                        }
                    }
                }
                let behind = start + LINE;
                if behind.is_multiple_of(DEPTH) || behind >= c {
                    self.lists.push((list as u32, len as u32));
                    list = len;
                }
            }
        }
        // SAFETY: so many were written.
        unsafe { self.channels.set_len(len) };
    }

    /// Copies LINE channels of a position in all images to `line`, zeros behind the last, and adds up their magnitudes: nothing
    /// is lost in such sums.
    #[inline(always)]
    fn read<S: Simd<T>>(
        &self,
        simd: S,
        position: usize,
        start: usize,
        line: &mut [T],
    ) -> [T; LINE] {
        let zero = simd.splat(T::ZERO);
        let width = LINE.min(self.c - start);
        assert!(line.len() >= self.v * LINE, "a line for every image");
        let mut any = [T::ZERO; LINE];
        for lane in (0..LINE).step_by(S::LANES) {
            let mut sizes = zero;
            for image in 0..self.v {
                let x = &self.x[(image * self.n + position) * self.c + start..][..width];
                // SAFETY: a whole vector is read where there is one; `line` has LINE elements for every image.
                unsafe {
                    let x = if width == LINE {
                        simd.load(x.as_ptr().add(lane))
                    } else {
                        let mut rest = [T::ZERO; LINE];
                        rest[..width].copy_from_slice(x);
                        simd.load(rest.as_ptr().add(lane))
                    };
                    simd.store(line.as_mut_ptr().add(image * LINE + lane), x);
                    sizes = simd.add(sizes, simd.max(x, simd.sub(zero, x)));
                }
            }
            // SAFETY: LINE is a multiple of LANES.
            unsafe { simd.store(any.as_mut_ptr().add(lane), sizes) };
        }
        any
    }

    /// A list of a position that is filled: its channels, and where V values for each begin; behind them MOST_ROWS more can be
    /// read.
    #[inline(always)]
    fn of(&self, position: usize, list: usize) -> (&[u16], *const T) {
        let (start, end) = self.lists[(position - self.first) * self.n_lists + list];
        let (start, end) = (start as usize, end as usize);
        (
            &self.channels[start..end],
            self.values[start * self.v..].as_ptr(),
        )
    }
}

/// The share of channels that are not zero in all images, at a few positions everywhere.
#[inline(always)]
fn share<T: Scalar>(x: &[T], v: usize, n: usize, c: usize) -> f64 {
    const LOOKED_AT: usize = 8;
    let (mut n_active, mut n_seen) = (0, 0);
    for position in (0..n).step_by(n.div_ceil(LOOKED_AT)) {
        for start in (0..c).step_by(LINE) {
            let width = LINE.min(c - start);
            let mut any = [T::ZERO; LINE];
            for image in 0..v {
                let x = &x[(image * n + position) * c + start..][..width];
                any.iter_mut().zip(x).for_each(|(any, x)| *any += x.abs());
            }
            n_active += any[..width].iter().filter(|any| **any != T::ZERO).count();
        }
        n_seen += c;
    }
    n_active as f64 / n_seen as f64
}

/// Positions, of n, that are gone through together, as evenly as can be: c numbers are read at each, and multiplied by so many.
fn block<T>(v: usize, (c, n_terms): (usize, usize), n: usize) -> usize {
    let is_far = c * n_terms * size_of::<T>() > FAR;
    let bytes = if is_far { LARGE_BLOCK } else { BLOCK };
    let most = (bytes / (v * c * size_of::<T>())).clamp(1, 32);
    n.div_ceil(n.div_ceil(most).max(1))
}

/// Rows of a tile for V cotangents: as many as there are registers for, evenly.
fn rows_at_once<T: Scalar, S: Simd<T>>(v: usize) -> usize {
    let most = if S::REGISTERS >= 32 { MOST_ROWS } else { 6 };
    v.div_ceil(v.div_ceil(most))
}

/// A phase of a convolution without groups.
pub(crate) struct Job<'a, 'x, 'd, T> {
    pub conv: &'a Direct<T>,
    pub phase: &'a Phase,
    pub weights: Panels<'a, T>,
    pub start: Start<'a, T>,
    /// Filled, but for a pointwise convolution.
    pub active: &'a mut Active<'x, T>,
    /// V × written positions × O.
    pub y: &'a mut [T],
    /// Given what is complete with this phase.
    pub done: &'a mut Done<'d, T>,
}

impl<T: Scalar> Kernel<T> for Job<'_, '_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let (phase, weights, active) = (self.phase, self.weights, self.active);
        let (c, o) = (active.c, weights.n());
        let n_to = self.conv.n_written();
        let v = active.v;
        assert_eq!(self.y.len(), v * n_to * o, "as many images as are read");
        let n_taps = phase.taps.len();
        let rows = rows_at_once::<T, S>(v);
        let block = block::<T>(v, (c, n_taps * o), phase.to.len()).max(1);
        let y = self.y.as_mut_ptr();
        let n_lists = active.n_lists;
        for first in (0..phase.to.len()).step_by(block) {
            let last = (first + block).min(phase.to.len());
            if self.conv.is_pointwise() {
                active.fill(simd, first..last);
            }
            let mut column = 0;
            while column < o {
                let (panel, vectors) = weights.panel(column);
                for list in 0..n_lists {
                    let next = Ahead::new(&weights, (column, list), active);
                    for at in first..last {
                        next.fetch(n_taps, at - first, last - first);
                        for row in (0..v).step_by(rows) {
                            let to = row * n_to + phase.to[at] as usize;
                            let tile = Tile {
                                simd,
                                active,
                                list,
                                goes_on: list > 0,
                                from: &phase.from[at * n_taps..][..n_taps],
                                first: row,
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
                            unsafe { tile.run_any(vectors) };
                        }
                    }
                }
                column += vectors * S::LANES;
            }
            if self.conv.is_in_order() {
                for image in 0..v {
                    let start = (image * n_to + first) * o;
                    // SAFETY: positions that follow each other, of an image; nothing else holds them meanwhile.
                    let written =
                        unsafe { std::slice::from_raw_parts_mut(y.add(start), (last - first) * o) };
                    (self.done)(start, written);
                }
            }
        }
    }
}

/// The rows of a panel that come after those of a list: they lie in memory that was not looked at for long, and lists read them
/// with gaps, which the machine does not foresee.
struct Ahead<T> {
    /// Of the first tap, and from there to the next.
    rows: *const T,
    tap: usize,
    n: usize,
}

impl<T: Scalar> Ahead<T> {
    #[inline(always)]
    fn new(
        weights: &Panels<'_, T>,
        (column, list): (usize, usize),
        active: &Active<'_, T>,
    ) -> Self {
        let (_, vectors) = weights.panel(column);
        let (column, list) = match list + 1 < active.n_lists {
            true => (column, list + 1),
            false => (column + vectors * weights.isa().lanes::<T>(), 0),
        };
        if column >= weights.n() {
            return Self {
                rows: std::ptr::null(),
                tap: 0,
                n: 0,
            };
        }
        let (panel, vectors) = weights.panel(column);
        let width = vectors * weights.isa().lanes::<T>();
        let channel = list * DEPTH;
        Self {
            rows: panel.wrapping_add(channel * width),
            tap: active.c * width,
            n: DEPTH.min(active.c - channel) * width,
        }
    }

    /// Asks for a part of them, of `n_parts`.
    #[inline(always)]
    fn fetch(&self, n_taps: usize, part: usize, n_parts: usize) {
        let line = 64 / size_of::<T>();
        let n = self.n.div_ceil(n_parts).next_multiple_of(line);
        for tap in 0..n_taps {
            for at in (part * n..((part + 1) * n).min(self.n)).step_by(line) {
                fetch(self.rows.wrapping_add(tap * self.tap + at));
            }
        }
    }
}

/// One position of a few images by one panel.
struct Tile<'a, 'x, T, S> {
    simd: S,
    active: &'a Active<'x, T>,
    /// Which of a position's lists.
    list: usize,
    /// Whether sums go on from those that were stored.
    goes_on: bool,
    /// Read through each tap.
    from: &'a [u32],
    /// The first image, of V.
    first: usize,
    panel: *const T,
    columns: Columns<'a, T>,
    y: *mut T,
    y_image: usize,
    n_rows: usize,
}

impl<T: Scalar, S: Simd<T>> Tile<'_, '_, T, S> {
    /// The tile by a panel of so many vectors.
    #[inline(always)]
    unsafe fn run_any(&self, vectors: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if vectors == PANEL {
                self.run_rows::<PANEL>()
            } else {
                self.run_rows::<1>()
            }
        }
    }

    #[inline(always)]
    unsafe fn run_rows<const NV: usize>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            // Each is much code: larger ones only where there are registers for them, fewer for the narrow panel at the end.
            if S::REGISTERS >= 32 && self.n_rows > 6 {
                if NV == PANEL && self.n_rows <= 9 {
                    return self.run::<9, NV>();
                }
                return self.run::<12, NV>();
            }
            match self.n_rows {
                ..=3 => self.run::<3, NV>(),
                4 if NV == PANEL => self.run::<4, NV>(),
                5 if NV == PANEL => self.run::<5, NV>(),
                _ => self.run::<6, NV>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn run<const MR: usize, const NV: usize>(&self) {
        let simd = self.simd;
        let mut acc = [[simd.splat(T::ZERO); NV]; MR];
        if self.goes_on {
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
            let (channels, values) = self.active.of(from as usize, self.list);
            // SAFETY: the caller's promise; there are V values for each channel.
            unsafe {
                let b = self.panel.add(tap * self.active.c * NV * S::LANES);
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
                    a = a.add(self.active.v);
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
pub(crate) mod tests {
    use super::*;
    use crate::conv::tests::{backward, seeks};
    use crate::conv::{Conv, ConvOptions, ConvShape};
    use crate::simd::Isa;
    use crate::window::{AXES, Window};

    /// Cotangents of which a share is zero in the same places.
    pub(crate) fn cotangents(n: usize, v: usize, zeros: f64) -> Vec<f64> {
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
                // Several lists a position.
                (1, 1, 2, 40, 1100),
                (3, 2, 3, 35, 700),
                (3, 1, 4, 9, 16),
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
                let mut n_sought = 0;
                for (v, zeros) in [
                    (3, 0.5),
                    (4, 0.9),
                    (9, 0.5),
                    (10, 1.0),
                    (13, 0.3),
                    (25, 0.7),
                ] {
                    let gy = cotangents(n_out, v, zeros);
                    n_sought += usize::from(seeks(&conv, &gy, v));
                    let mut together = vec![f64::NAN; v * n_in];
                    backward(&conv, &gy, &mut together, None);
                    for (gy, together) in gy.chunks_exact(n_out).zip(together.chunks_exact(n_in)) {
                        // One alone is never searched for zeros.
                        let mut alone = vec![f64::NAN; n_in];
                        conv.backward_data(gy, &mut alone, &mut Vec::new());
                        for (a, b) in alone.iter().zip(together) {
                            assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "{isa:?} {a} {b}");
                        }
                    }
                }
                assert!(n_sought > 1, "{kernel} {stride} {c_in} {c_out}");
            }
        }
    }

    #[test]
    fn what_is_nearly_full_is_taken_as_it_is() {
        assert!(share(&cotangents(40 * 20, 9, 0.1), 9, 20, 40) > 0.8);
        assert!(share(&cotangents(40 * 20, 9, 0.6), 9, 20, 40) < 0.5);
        assert_eq!(share(&[0.0f64; 4 * 3 * 5], 4, 3, 5), 0.0);
    }
}
