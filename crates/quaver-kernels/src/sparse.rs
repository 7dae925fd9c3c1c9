//! Convolution of cotangents that are zero in the same places.
//!
//! Behind a ReLU or a max-pool every cotangent of a sample is zero where the slope is: at each position the same channels, half
//! of them and more, for all V. Those terms are left out, V rows at a time; and where only some channels of what is written are
//! wanted, the others are left out too ([`picked`]). Nothing is approximated: what is left out is zero, or not asked for.

mod active;
mod gradients;
mod picked;
mod tile;

use crate::buffer::{fetch, fetch_to_write};
use crate::direct::{Direct, Phase};
use crate::packed::{Columns, PANEL, Panels, Start};
use crate::simd::{Isa, Kernel, Simd};
use crate::{Done, Scalar, wanted};

pub(crate) use active::Active;
use active::share;
pub(crate) use gradients::{gradients, gradients_cost, space};
use picked::{Picked, SIDE};
use tile::Tile;

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

/// Panels of the weights side by side where what is written may be wanted in part.
pub(crate) fn panels_side_by_side<T>(isa: Isa) -> usize {
    if isa.moves::<T>() { SIDE } else { 1 }
}

/// What lists cost, for V cotangents of which the share `active` is not zero, relative to the full product of `n_terms`
/// multiply–adds with each number that is read, if the share `wanted` of what is written is picked out. The numbers are measured:
/// making lists costs what so many terms do, and a term takes more or less of its time.
pub(crate) fn cost<T>(isa: Isa, v: usize, n_terms: usize, active: f64, wanted: f64) -> f64 {
    let n_terms = n_terms.max(1) as f64;
    if isa.moves::<T>() && v <= LINE {
        let making = 4.0 + 90.0 / v as f64;
        let picked = (0.16 + 1.1 * wanted).min(1.0);
        return 0.13 + making / n_terms + 0.88 * active * picked;
    }
    let making = 20.0 + 64.0 / v as f64;
    making / n_terms + 1.15 * active
}

/// What lists cost `conv` for the images x (V × positions × C), relative to the full product, and 1 where there can be none.
#[inline(always)]
pub(crate) fn cost_of<T: Scalar>(
    conv: &Direct<T>,
    x: &[T],
    v: usize,
    wanted: Option<&[u8]>,
) -> f64 {
    let (n, c, o) = (conv.n_read(), conv.c(), conv.o());
    let fits = v >= FEWEST && n * c > 0 && u16::try_from(c).is_ok() && u32::try_from(n * c).is_ok();
    if !fits || conv.n_terms() == 0 {
        return 1.0;
    }
    let wanted = wanted.filter(|wanted| picked::fits(conv, v, wanted));
    let wanted = wanted.map_or(1.0, |wanted| wanted::share(wanted, o));
    let active = share(x, v, n, c);
    cost::<T>(conv.isa(), v, conv.n_terms(), active, wanted).min(1.0)
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
    /// Written positions × O: 0 where it does not matter what is written; where sums start from zero.
    pub wanted: Option<&'a [u8]>,
    /// V × written positions × O.
    pub y: &'a mut [T],
    /// Given what is complete with this phase.
    pub done: &'a mut Done<'d, T>,
}

impl<T: Scalar> Kernel<T> for Job<'_, '_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job {
            conv,
            phase,
            weights,
            start,
            active,
            wanted,
            y,
            done,
        } = self;
        let (v, c) = (active.v, active.c);
        let to = Written {
            n: conv.n_written(),
            o: weights.n(),
            v,
            y: y.as_mut_ptr(),
        };
        assert_eq!(y.len(), v * to.n * to.o, "as many images as are read");
        let n_taps = phase.taps.len();
        let block = block::<T>(v, (c, n_taps * to.o), phase.to.len()).max(1);
        let n_lists = active.n_lists;
        let mut picked = wanted
            .filter(|wanted| picked::fits(conv, v, wanted))
            .and_then(|wanted| Picked::new(simd, wanted, to, n_lists, block));
        // Columns gone through together.
        let columns = PANEL * S::LANES * if picked.is_some() { SIDE } else { 1 };
        for first in (0..phase.to.len()).step_by(block) {
            let last = (first + block).min(phase.to.len());
            if conv.is_pointwise() {
                active.fill(simd, first..last);
            }
            for column in (0..to.o).step_by(columns) {
                for list in 0..n_lists {
                    let next = Ahead::new(&weights, (column, columns, list), active);
                    for at in first..last {
                        let spot = Spot {
                            place: at - first,
                            position: phase.to[at] as usize,
                            from: &phase.from[at * n_taps..][..n_taps],
                            list,
                            column,
                            width: columns.min(to.o - column),
                        };
                        next.fetch(n_taps, at - first, last - first);
                        if list + 1 == n_lists
                            && let Some(&position) = phase.to[..last].get(at + 1)
                        {
                            to.fetch(position as usize, column, spot.width);
                        }
                        if S::MAY_MOVE
                            && let Some(picked) = &mut picked
                            && picked.run(simd, active, &weights, &spot)
                        {
                            continue;
                        }
                        spot.run(simd, active, &weights, start, to);
                    }
                }
            }
            if conv.is_in_order() {
                for image in 0..v {
                    let at = to.at(image, phase.to[first] as usize, 0);
                    // SAFETY: positions that follow each other, of an image; nothing else holds them meanwhile.
                    let written =
                        unsafe { std::slice::from_raw_parts_mut(at, (last - first) * to.o) };
                    done((image * to.n + first) * to.o, written);
                }
            }
        }
    }
}

/// What is written: V images of n positions × O.
#[derive(Clone, Copy)]
struct Written<T> {
    n: usize,
    o: usize,
    v: usize,
    y: *mut T,
}

impl<T: Scalar> Written<T> {
    #[inline(always)]
    fn at(&self, image: usize, position: usize, column: usize) -> *mut T {
        let at = (image * self.n + position) * self.o + column;
        self.y.wrapping_add(at)
    }

    /// From image to image.
    fn step(&self) -> usize {
        self.n * self.o
    }

    /// Asks for some columns of a position, in all images, to be on their way: as many places, far apart, as there are images are
    /// not foreseen by the machine.
    #[inline(always)]
    fn fetch(&self, position: usize, column: usize, width: usize) {
        for image in 0..self.v {
            for column in (column..column + width).step_by(64 / size_of::<T>()) {
                fetch_to_write(self.at(image, position, column));
            }
        }
    }
}

/// Some columns of a position, and one of its lists.
struct Spot<'a> {
    /// Among the positions of a block.
    place: usize,
    position: usize,
    /// Read through each tap.
    from: &'a [u32],
    list: usize,
    column: usize,
    width: usize,
}

impl Spot<'_> {
    /// All columns.
    #[inline(always)]
    fn run<T: Scalar, S: Simd<T>>(
        &self,
        simd: S,
        active: &Active<'_, T>,
        weights: &Panels<'_, T>,
        start: Start<'_, T>,
        to: Written<T>,
    ) {
        let rows = rows_at_once::<T, S>(to.v);
        for column in (self.column..self.column + self.width).step_by(PANEL * S::LANES) {
            let panel = weights.panel(column);
            for row in (0..to.v).step_by(rows) {
                let tile = Tile {
                    simd,
                    active,
                    list: self.list,
                    goes_on: self.list > 0,
                    from: self.from,
                    first: row,
                    panel: panel.at,
                    step: panel.step,
                    columns: Columns {
                        // Added when the sums are complete, as by the full product.
                        start: match self.list + 1 == active.n_lists {
                            true => start,
                            false => Start::Zero,
                        },
                        column,
                        width: (to.o - column).min(panel.vectors * S::LANES),
                    },
                    y: to.at(row, self.position, column),
                    y_image: to.step(),
                    n_rows: rows.min(to.v - row),
                };
                // SAFETY: positions lie inside of the images, lists hold channels below C, and n_rows images are left; a panel
                // has a row for every tap and channel.
                unsafe { tile.run_any(panel.vectors) };
            }
        }
    }
}

/// The rows of panels that come after those of a list: they lie in memory that was not looked at for long, and lists read them
/// with gaps, which the machine does not foresee.
struct Ahead<T> {
    /// Of the first tap, and from there to the next.
    rows: *const T,
    tap: usize,
    n: usize,
}

impl<T: Scalar> Ahead<T> {
    /// After a list over so many columns.
    #[inline(always)]
    fn new(
        weights: &Panels<'_, T>,
        (column, columns, list): (usize, usize, usize),
        active: &Active<'_, T>,
    ) -> Self {
        let (column, list) = match list + 1 < active.n_lists {
            true => (column, list + 1),
            false => (column + columns, 0),
        };
        if column >= weights.n() {
            return Self {
                rows: std::ptr::null(),
                tap: 0,
                n: 0,
            };
        }
        let panel = weights.panel(column);
        let channel = list * DEPTH;
        Self {
            rows: panel.at.wrapping_add(channel * panel.step),
            tap: active.c * panel.step,
            n: DEPTH.min(active.c - channel) * panel.step,
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

    /// 0xFF for a share of n places, anywhere.
    pub(crate) fn places(n: usize, share: f64) -> Vec<u8> {
        let chosen = cotangents(n, 1, 1.0 - share).into_iter();
        chosen.map(|x| if x == 0.0 { 0 } else { 0xFF }).collect()
    }

    /// A convolution by its definition, of squares.
    pub(crate) fn conv<T: Scalar>(
        isa: Isa,
        (kernel, stride, size): (usize, usize, usize),
        (c_in, c_out): (usize, usize),
    ) -> Conv<T> {
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
        let weight = (0..n_weights).map(|i| T::from_f64((i as f64 * 0.9).sin()));
        let options = ConvOptions {
            isa,
            winograd: false,
            ..ConvOptions::default()
        };
        Conv::new(shape, &weight.collect::<Vec<_>>(), None, options)
    }

    pub(crate) fn narrowed<T: Scalar>(x: &[f64]) -> Vec<T> {
        x.iter().map(|&x| T::from_f64(x)).collect()
    }

    /// All cotangents together against each alone, which is never searched for zeros.
    fn agrees_with_one_by_one<T: Scalar>(isa: Isa, tolerance: f64) {
        for (window, channels) in [
            ((1, 1, 5), (130, 150)),
            ((3, 2, 9), (7, 21)),
            ((3, 2, 6), (33, 300)),
            // Several lists a position.
            ((1, 1, 2), (40, 1100)),
            ((3, 2, 3), (35, 700)),
            ((3, 1, 4), (9, 16)),
            ((2, 3, 8), (16, 40)),
        ] {
            let conv = conv::<T>(isa, window, channels);
            let window = &conv.shape().window;
            let n_in = window.n_input() * channels.0;
            let n_out = window.n_output() * channels.1;
            let mut n_sought = 0;
            for (v, zeros) in [
                (3, 0.5),
                (4, 0.9),
                (9, 0.5),
                (10, 1.0),
                (13, 0.3),
                (25, 0.7),
            ] {
                let gy = narrowed::<T>(&cotangents(n_out, v, zeros));
                n_sought += usize::from(seeks(&conv, &gy, v));
                let mut together = vec![T::from_f64(f64::NAN); v * n_in];
                backward(&conv, &gy, &mut together, None);
                for (gy, together) in gy.chunks_exact(n_out).zip(together.chunks_exact(n_in)) {
                    let mut alone = vec![T::from_f64(f64::NAN); n_in];
                    conv.backward_data(gy, &mut alone, &mut Vec::new());
                    for (a, b) in alone.iter().zip(together) {
                        let (a, b) = (a.to_f64(), b.to_f64());
                        let is_near = (a - b).abs() < tolerance * (1.0 + a.abs());
                        assert!(is_near, "{isa:?} {channels:?} {v}: {a} {b}");
                    }
                }
            }
            assert!(n_sought > 1, "{channels:?}");
        }
    }

    #[test]
    fn leaving_out_zeros_changes_nothing() {
        for isa in Isa::available() {
            agrees_with_one_by_one::<f64>(isa, 1e-12);
            agrees_with_one_by_one::<f32>(isa, 1e-4);
        }
    }

    #[test]
    fn a_number_that_is_none_is_not_left_out() {
        for isa in Isa::available() {
            let conv = conv::<f32>(isa, (1, 1, 4), (64, 128));
            let (n_in, n_out) = (16 * 64, 16 * 128);
            let mut gy = narrowed::<f32>(&cotangents(n_out, 9, 0.7));
            // Beside zeros in all other cotangents.
            let place = (0..n_out).find(|&place| gy[place] == 0.0).unwrap();
            gy[4 * n_out + place] = f32::NAN;
            let mut gx = vec![0.0; 9 * n_in];
            assert!(seeks(&conv, &gy, 9));
            conv.backward_data(&gy, &mut gx, &mut Vec::new());
            let n = gx.iter().filter(|x| x.is_nan()).count();
            assert_eq!(n, 64, "{isa:?}: a position of one of them");
        }
    }

    #[test]
    fn what_is_nearly_full_is_taken_as_it_is() {
        assert!(share(&cotangents(40 * 20, 9, 0.1), 9, 20, 40) > 0.8);
        assert!(share(&cotangents(40 * 20, 9, 0.6), 9, 20, 40) < 0.5);
        assert_eq!(share(&[0.0f64; 4 * 3 * 5], 4, 3, 5), 0.0);
    }
}
