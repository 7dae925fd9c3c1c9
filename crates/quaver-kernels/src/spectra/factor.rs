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

/// Factors M + shift I = L D Lᵀ for every shift. `m` holds M once per shift and is overwritten; `column` holds n entries.
#[inline(always)]
pub(super) fn pivots<S: Simd<f64>, const SHIFTS: usize>(
    simd: S,
    m: &mut [Entry<SHIFTS>],
    n: usize,
    shifts: &Entry<SHIFTS>,
    column: &mut [Entry<SHIFTS>],
) -> Pivots<SHIFTS> {
    let (m, column) = (&mut m[..n_packed(n)], &mut column[..n]);
    let one = simd.splat(1.0);
    let smallest = simd.splat(f64::MIN_POSITIVE);
    let mut least = Entry([[f64::INFINITY; LANES]; SHIFTS]);
    for start in (0..LANES).step_by(S::LANES) {
        let mut inverse = [one; SHIFTS];
        for k in 0..n - 1 {
            for (shift, inverse) in inverse.iter_mut().enumerate() {
                let pivot = load(simd, &m[at(k, k)].0[shift], start);
                let shifted = simd.add(pivot, load(simd, &shifts.0[shift], start));
                let lesser = simd.min(load(simd, &least.0[shift], start), shifted);
                store(simd, &mut least.0[shift], start, lesser);
                *inverse = simd.div(one, simd.max(shifted, smallest));
            }
            for i in k + 1..n {
                let row = &mut m[at(i, k)..=at(i, i)];
                let Some((first, row)) = row.split_first_mut() else {
                    continue;
                };
                let mut minus = inverse;
                for (shift, minus) in minus.iter_mut().enumerate() {
                    let first = load(simd, &first.0[shift], start);
                    store(simd, &mut column[i].0[shift], start, first);
                    *minus = simd.mul(*minus, simd.sub(simd.splat(0.0), first));
                }
                for (entry, other) in row.iter_mut().zip(&column[k + 1..=i]) {
                    for (shift, &minus) in minus.iter().enumerate() {
                        let old = load(simd, &entry.0[shift], start);
                        let other = load(simd, &other.0[shift], start);
                        let new = simd.mul_add(minus, other, old);
                        store(simd, &mut entry.0[shift], start, new);
                    }
                }
            }
        }
    }
    Pivots {
        last: m[at(n - 1, n - 1)],
        least,
    }
}
