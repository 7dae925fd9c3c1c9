//! Pointwise convolution of cotangents, only where what comes of it is wanted.
//!
//! What goes back to a ReLU is asked for where its slope is not zero: at each position by the same channels, about half of them,
//! for all V cotangents. Each of those is an inner product of a row of the weights, and the others are not computed. Where the
//! cotangents themselves are zero in many places [`crate::sparse`] leaves out as much by less.

use crate::buffer::{aligned, apart, fetch};
use crate::packed::{PANEL, Panels};
use crate::simd::{Isa, Kernel, Simd};
use crate::{Done, Scalar};

/// Channels of a tile.
const CHANNELS: usize = 4;

/// Cotangents of a tile: with these channels as many sums, and numbers to multiply, as there are registers.
const COTANGENTS: usize = 3;

/// What it costs to compute a share `wanted` of the numbers written at `n` positions of all cotangents together, `n_terms`
/// multiply–adds each, relative to all of them by the full product: what is done for each of them beside its terms costs what some
/// dozens of terms do, and the weights are laid out anew. The numbers are measured.
pub(crate) fn cost(isa: Isa, n_terms: usize, n: usize, wanted: f64) -> f64 {
    let n_terms = n_terms.max(1) as f64;
    match isa {
        Isa::Avx512 => 0.07 + 14.0 / n.max(1) as f64 + (1.0 + 50.0 / n_terms) * wanted,
        _ => (1.3 + 70.0 / n_terms) * wanted,
    }
}

/// The share of elements that are wanted, at a few positions everywhere of `wanted` (positions × `c`).
pub(crate) fn share(wanted: &[u8], c: usize) -> f64 {
    const LOOKED_AT: usize = 16;
    let n = wanted.len() / c.max(1);
    let step = n.div_ceil(LOOKED_AT).max(1);
    let (mut n_wanted, mut n_seen) = (0, 0);
    for position in wanted.chunks_exact(c.max(1)).step_by(step) {
        n_wanted += position.iter().filter(|&&is| is != 0).count();
        n_seen += c;
    }
    n_wanted as f64 / n_seen.max(1) as f64
}

/// gx ← gy Wᵀ at the elements that are wanted, and zero at all others.
pub(crate) struct Job<'a, 'd, T> {
    /// W, C × O: of the way forward.
    pub weights: Panels<'a, T>,
    /// What they are multiplied by, O.
    pub slope: Option<&'a [T]>,
    /// V × positions × O.
    pub gy: &'a [T],
    /// V × positions × C.
    pub gx: &'a mut [T],
    /// Positions × C: not 0 where wanted.
    pub wanted: &'a [u8],
    pub scratch: &'a mut Vec<T>,
    /// Given what is complete.
    pub done: &'a mut Done<'d, T>,
}

impl<T: Scalar> Kernel<T> for Job<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job {
            weights,
            slope,
            gy,
            gx,
            wanted,
            scratch,
            done,
        } = self;
        let (c, o) = (weights.k(), weights.n());
        let n = wanted.len() / c;
        let v = gx.len() / wanted.len();
        assert!(
            wanted.len() == n * c && gx.len() == v * n * c && gy.len() == v * n * o,
            "V cotangents of as many positions as are asked for"
        );
        let pitch = apart(o);
        let (lines, rows) = aligned(scratch, (v + c) * pitch).split_at_mut(v * pitch);
        // Behind a line's numbers are zeros up to a whole vector, as behind those of the weights.
        lines.fill(T::ZERO);
        unpack::<T, S>(weights, rows, pitch);
        if let Some(slope) = slope {
            for row in rows.chunks_exact_mut(pitch) {
                row.iter_mut()
                    .zip(slope)
                    .for_each(|(w, &slope)| *w *= slope);
            }
        }
        let mut channels: Vec<u32> = vec![0; c + CHANNELS];
        for (position, wanted) in wanted.chunks_exact(c).enumerate() {
            let mut n_wanted = 0;
            for (channel, &is) in wanted.iter().enumerate() {
                // Without a branch: which are wanted is anyone's guess.
                channels[n_wanted] = channel as u32;
                n_wanted += usize::from(is != 0);
            }
            for (image, line) in lines.chunks_exact_mut(pitch).enumerate() {
                line[..o].copy_from_slice(&gy[(image * n + position) * o..][..o]);
                gx[(image * n + position) * c..][..c].fill(T::ZERO);
            }
            // The next position's cotangents are on their way while this one's are worked on.
            let tiles = channels[..n_wanted].chunks(CHANNELS);
            let ahead = (v * o).div_ceil(tiles.len().max(1)).next_multiple_of(16);
            for (tile, some) in tiles.enumerate() {
                for at in (tile * ahead..((tile + 1) * ahead).min(v * o)).step_by(16) {
                    let (image, at) = (at / o, at % o);
                    fetch(
                        gy.as_ptr()
                            .wrapping_add((image * n + position + 1) * o + at),
                    );
                }
                let mut first = 0;
                while first < v {
                    let tile = Tile {
                        simd,
                        rows,
                        n: o.next_multiple_of(S::LANES),
                        lines: &lines[first * pitch..],
                        pitch,
                        channels: some,
                    };
                    let n_cotangents = COTANGENTS.min(v - first);
                    // SAFETY: so many lines are left, and as long as rows they all are.
                    let sums = unsafe {
                        match n_cotangents {
                            COTANGENTS => tile.run::<COTANGENTS>(),
                            2 => tile.run::<2>(),
                            _ => tile.run::<1>(),
                        }
                    };
                    for (k, sums) in sums[..n_cotangents].iter().enumerate() {
                        let gx = &mut gx[((first + k) * n + position) * c..][..c];
                        for (&channel, &sum) in some.iter().zip(sums) {
                            gx[channel as usize] = sum;
                        }
                    }
                    first += n_cotangents;
                }
            }
            for image in 0..v {
                let start = (image * n + position) * c;
                done(start, &mut gx[start..][..c]);
            }
        }
    }
}

/// rows (C, `pitch` apart) ← the rows of the weights, which lie in panels.
#[inline(always)]
fn unpack<T: Scalar, S: Simd<T>>(weights: Panels<'_, T>, rows: &mut [T], pitch: usize) {
    for column in (0..weights.n()).step_by(PANEL * S::LANES) {
        let panel = weights.panel(column);
        let width = panel.vectors * S::LANES;
        for (at, row) in rows.chunks_exact_mut(pitch).enumerate() {
            // SAFETY: a panel has a row of its width for every one of the weights'.
            let from = unsafe { std::slice::from_raw_parts(panel.at.add(at * panel.step), width) };
            row[column..column + width].copy_from_slice(from);
        }
    }
}

/// A few channels of a position by a few cotangents.
struct Tile<'a, T, S> {
    simd: S,
    /// The weights by channels, and the cotangents from the first on, `pitch` apart.
    rows: &'a [T],
    n: usize,
    lines: &'a [T],
    pitch: usize,
    channels: &'a [u32],
}

impl<T: Scalar, S: Simd<T>> Tile<'_, T, S> {
    /// The sums of V cotangents, one by one.
    ///
    /// # Safety
    /// There are so many lines, and lines and rows have `n` numbers each, a multiple of the vectors' length.
    #[inline(always)]
    unsafe fn run<const V: usize>(&self) -> [[T; CHANNELS]; COTANGENTS] {
        let simd = self.simd;
        let mut acc = [[simd.splat(T::ZERO); CHANNELS]; V];
        // Of fewer channels the last is taken again, and its sums are not looked at.
        let last = self.channels.len() - 1;
        let rows: [*const T; CHANNELS] = std::array::from_fn(|at| {
            self.rows[self.channels[at.min(last)] as usize * self.pitch..].as_ptr()
        });
        let lines: [*const T; V] = std::array::from_fn(|at| self.lines[at * self.pitch..].as_ptr());
        for at in (0..self.n).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut g = [simd.splat(T::ZERO); V];
                for image in 0..V {
                    g[image] = simd.load(lines[image].add(at));
                }
                for channel in 0..CHANNELS {
                    let w = simd.load(rows[channel].add(at));
                    for image in 0..V {
                        acc[image][channel] = simd.mul_add(w, g[image], acc[image][channel]);
                    }
                }
            }
        }
        let mut sums = [[T::ZERO; CHANNELS]; COTANGENTS];
        for image in 0..V {
            for channel in 0..CHANNELS {
                sums[image][channel] = simd.sum(acc[image][channel]);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use crate::conv::Conv;
    use crate::conv::tests::backward;
    use crate::simd::Isa;
    use crate::sparse::tests::{conv, cotangents, places};

    fn pointwise(isa: Isa, size: usize, c_in: usize, c_out: usize) -> Conv<f64> {
        conv(isa, (1, 1, size), (c_in, c_out))
    }

    #[test]
    fn what_is_wanted_is_there() {
        for isa in Isa::available() {
            for (size, c_in, c_out) in [(5, 7, 130), (6, 33, 257), (5, 130, 196), (7, 5, 171)] {
                let conv = pointwise(isa, size, c_in, c_out);
                let (n_in, n_out) = (size * size * c_in, size * size * c_out);
                for (v, share) in [(3, 0.4), (4, 0.1), (9, 0.3), (10, 0.0), (13, 0.35)] {
                    let (gy, wanted) = (cotangents(n_out, v, 0.0), places(n_in, share));
                    assert!(conv.rows_for(&gy, &wanted).is_some(), "{c_out} {share}");
                    let (mut all, mut some) = (vec![f64::NAN; v * n_in], vec![f64::NAN; v * n_in]);
                    backward(&conv, &gy, &mut all, None);
                    backward(&conv, &gy, &mut some, Some(&wanted));
                    for (at, (all, some)) in all.iter().zip(&some).enumerate() {
                        let want = if wanted[at % n_in] == 0 { 0.0 } else { *all };
                        assert!((some - want).abs() < 1e-12 * (1.0 + want.abs()), "{isa:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_else_is_left_out_where_that_costs_more() {
        let conv = pointwise(Isa::best(), 8, 64, 256);
        let (n_in, n_out) = (64 * 64, 64 * 256);
        let taken = |v, zeros, share| {
            let gy = cotangents(n_out, v, zeros);
            conv.rows_for(&gy, &places(n_in, share)).is_some()
        };
        assert!(taken(9, 0.0, 0.5));
        assert!(!taken(9, 0.0, 0.9), "nearly all of it is wanted");
        assert!(!taken(9, 0.9, 0.5), "what is read is mostly zero");
        assert!(!taken(2, 0.0, 0.5), "too few cotangents");
        let wide = pointwise(Isa::best(), 8, 64, 16);
        let gy = cotangents(64 * 16, 9, 0.0);
        assert!(
            wide.rows_for(&gy, &places(n_in, 0.5)).is_none(),
            "short sums"
        );
    }
}
