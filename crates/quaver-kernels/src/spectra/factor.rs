//! Factors of shifted matrices, several shifts side by side.

use super::{LANES, Lanes, at, load, n_packed, store};
use crate::simd::Simd;

/// One entry of the matrices side by side, for each of the shifts.
/// Aligned, so that no vector of it lies across two cache lines.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Entry<const SHIFTS: usize>(pub(super) [Lanes; SHIFTS]);

impl<const SHIFTS: usize> Entry<SHIFTS> {
    pub(super) const ZERO: Self = Self([[0.0; LANES]; SHIFTS]);
}

/// What the factors say, shift by shift.
pub(super) struct Pivots<const SHIFTS: usize> {
    /// The last pivot, less its own shift.
    pub(super) last: Entry<SHIFTS>,
    /// The smallest of all others.
    pub(super) least: Entry<SHIFTS>,
}

/// Matrices side by side where they lie: entry after entry, `pitch` numbers apart, [`LANES`] of each.
#[derive(Clone, Copy)]
pub(super) struct Matrices<'a> {
    entries: &'a [f64],
    pitch: usize,
}

impl<'a> Matrices<'a> {
    pub(super) fn new(entries: &'a [f64], pitch: usize) -> Self {
        Self { entries, pitch }
    }

    /// Some numbers of an entry.
    #[inline(always)]
    pub(super) fn load<S: Simd<f64>>(&self, simd: S, entry: usize, start: usize) -> S::V {
        let at = entry * self.pitch + start;
        let lanes = &self.entries[at..at + S::LANES];
        // SAFETY: a whole vector.
        unsafe { simd.load(lanes.as_ptr()) }
    }

    /// Numbers of the diagonal added up.
    #[inline(always)]
    pub(super) fn traces<S: Simd<f64>>(&self, simd: S, n: usize) -> Lanes {
        let mut traces = [0.0; LANES];
        for start in (0..LANES).step_by(S::LANES) {
            let mut sum = simd.splat(0.0);
            for i in 0..n {
                sum = simd.add(sum, self.load(simd, at(i, i), start));
            }
            store(simd, &mut traces, start, sum);
        }
        traces
    }
}

/// Factors M + shift I = L D Lᵀ for every shift. `rest` and `column`, n (n + 1)/2 and n entries, are overwritten.
#[inline(always)]
pub(super) fn pivots<S: Simd<f64>, const SHIFTS: usize>(
    simd: S,
    m: Matrices<'_>,
    n: usize,
    shifts: &Entry<SHIFTS>,
    rest: &mut [Entry<SHIFTS>],
    column: &mut [Entry<SHIFTS>],
) -> Pivots<SHIFTS> {
    let (rest, column) = (&mut rest[..n_packed(n)], &mut column[..n]);
    let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
    let smallest = simd.splat(f64::MIN_POSITIVE);
    let mut least = Entry([[f64::INFINITY; LANES]; SHIFTS]);
    let mut last = Entry::ZERO;
    for start in (0..LANES).step_by(S::LANES) {
        let mut inverse = [one; SHIFTS];
        for k in 0..n - 1 {
            for (shift, inverse) in inverse.iter_mut().enumerate() {
                let pivot = left(simd, m, k, at(k, k), &rest[at(k, k)].0[shift], start);
                let shifted = simd.add(pivot, load(simd, &shifts.0[shift], start));
                let lesser = simd.min(load(simd, &least.0[shift], start), shifted);
                store(simd, &mut least.0[shift], start, lesser);
                *inverse = simd.div(one, simd.max(shifted, smallest));
            }
            for i in k + 1..n {
                let mut minus = inverse;
                for (shift, minus) in minus.iter_mut().enumerate() {
                    let first = left(simd, m, k, at(i, k), &rest[at(i, k)].0[shift], start);
                    store(simd, &mut column[i].0[shift], start, first);
                    *minus = simd.mul(*minus, simd.sub(zero, first));
                }
                for j in k + 1..=i {
                    let cell = &mut rest[at(i, j)];
                    for (shift, &minus) in minus.iter().enumerate() {
                        let old = left(simd, m, k, at(i, j), &cell.0[shift], start);
                        let other = load(simd, &column[j].0[shift], start);
                        let new = simd.mul_add(minus, other, old);
                        store(simd, &mut cell.0[shift], start, new);
                    }
                }
            }
        }
        for (shift, last) in last.0.iter_mut().enumerate() {
            let end = at(n - 1, n - 1);
            let pivot = left(simd, m, n - 1, end, &rest[end].0[shift], start);
            store(simd, last, start, pivot);
        }
    }
    Pivots { last, least }
}

/// An entry of what k columns have left, for one shift: `rest`, or where there were none yet the matrices where they lie.
#[inline(always)]
fn left<S: Simd<f64>>(
    simd: S,
    m: Matrices<'_>,
    k: usize,
    entry: usize,
    rest: &Lanes,
    start: usize,
) -> S::V {
    match k {
        0 => m.load(simd, entry, start),
        _ => load(simd, rest, start),
    }
}
