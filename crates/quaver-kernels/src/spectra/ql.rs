//! Implicit QL steps on tridiagonal matrices side by side, which carry two vectors along.

use super::{LANES, Lanes, load, store};
use crate::simd::Simd;

/// QL steps per eigenvalue; about two are needed.
const MAX_STEPS: usize = 40;

/// d and e of a tridiagonal matrix, e_i between i and i + 1, and the components of two vectors in its coordinates.
#[derive(Debug, Clone, Default)]
pub(super) struct Tridiagonal {
    pub(super) d: Vec<Lanes>,
    pub(super) e: Vec<Lanes>,
    /// Of the last unit vector.
    pub(super) unit: Vec<Lanes>,
    /// Of the last column of M.
    pub(super) column: Vec<Lanes>,
}

/// Implicit QL steps until no matrix has an off-diagonal left. The matrices have trace 1.
#[inline(always)]
pub(super) fn diagonalise<S: Simd<f64>>(simd: S, t: &mut Tridiagonal, n: usize) {
    for start in (0..LANES).step_by(S::LANES) {
        for l in 0..n {
            for _ in 0..MAX_STEPS {
                let ends = ends(simd, t, n, l, start);
                let bottom = largest(simd, ends, start);
                if bottom == l {
                    break;
                }
                step(simd, t, l, bottom, ends, start);
            }
        }
    }
}

/// The largest of whole numbers.
#[inline(always)]
fn largest<S: Simd<f64>>(simd: S, ends: S::V, start: usize) -> usize {
    let mut found = [0.0; LANES];
    store(simd, &mut found, start, ends);
    // Halves against each other: one after the other they are a long chain.
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        let (low, high) = found.split_at_mut(n);
        for (low, &mut high) in low.iter_mut().zip(high) {
            *low = if *low < high { high } else { *low };
        }
    }
    found[0] as usize
}

/// Where the block that starts at l ends, matrix by matrix.
#[inline(always)]
fn ends<S: Simd<f64>>(simd: S, t: &Tridiagonal, n: usize, l: usize, start: usize) -> S::V {
    let negligible = simd.splat(0.5 * f64::EPSILON);
    let mut ends = simd.splat((n - 1) as f64);
    for i in (l..n - 1).rev() {
        let e = load(simd, &t.e[i], start);
        let size = simd.max(e, simd.sub(simd.splat(0.0), e));
        ends = simd.choose(negligible, size, ends, simd.splat(i as f64));
    }
    ends
}

/// One QL step with Wilkinson's shift on the blocks l..=end, of which `bottom` is the last end.
#[inline(always)]
fn step<S: Simd<f64>>(
    simd: S,
    t: &mut Tridiagonal,
    l: usize,
    bottom: usize,
    ends: S::V,
    start: usize,
) {
    let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
    let smallest = simd.splat(f64::MIN_POSITIVE);
    let (mut s, mut c, mut p) = (one, one, zero);
    let mut g = shifted(simd, t, l, bottom, ends, start);
    for i in (l..bottom).rev() {
        // Below the end of its block a matrix rests: its state is that of a beginning.
        let here = simd.splat(i as f64);
        let below = simd.splat((i + 1) as f64);
        let e = load(simd, &t.e[i], start);
        let d = load(simd, &t.d[i], start);
        let d_below = load(simd, &t.d[i + 1], start);
        let f = simd.mul(s, e);
        let b = simd.mul(c, e);
        let r = simd.sqrt(simd.mul_add(f, f, simd.mul(g, g)));
        let inverse = simd.div(one, simd.max(r, smallest));
        let sine = simd.mul(f, inverse);
        let cosine = simd.choose(zero, r, simd.mul(g, inverse), one);
        let rest = simd.sub(d_below, p);
        let twice = simd.add(cosine, cosine);
        let turn = simd.mul_add(simd.sub(d, rest), sine, simd.mul(twice, b));
        let moved = simd.mul(sine, turn);
        let new_d = simd.add(rest, moved);
        let new_g = simd.sub(simd.mul(cosine, turn), b);

        let kept_d = simd.choose(here, ends, new_d, d_below);
        store(simd, &mut t.d[i + 1], start, kept_d);
        // Past the end of its block there is nothing to couple to.
        let kept_e = simd.choose(below, ends, r, load(simd, &t.e[i + 1], start));
        store(simd, &mut t.e[i + 1], start, kept_e);
        let (sine_here, cosine_here) = (
            simd.choose(here, ends, sine, zero),
            simd.choose(here, ends, cosine, one),
        );
        for z in [&mut t.unit, &mut t.column] {
            let (above, under) = (load(simd, &z[i], start), load(simd, &z[i + 1], start));
            let first = simd.mul_add(sine_here, above, simd.mul(cosine_here, under));
            let minus = simd.sub(zero, simd.mul(sine_here, under));
            let second = simd.mul_add(cosine_here, above, minus);
            store(simd, &mut z[i + 1], start, first);
            store(simd, &mut z[i], start, second);
        }
        s = simd.choose(here, ends, sine, s);
        c = simd.choose(here, ends, cosine, c);
        p = simd.choose(here, ends, moved, p);
        g = simd.choose(here, ends, new_g, g);
    }
    let first = simd.splat(l as f64);
    let d = load(simd, &t.d[l], start);
    let new_d = simd.choose(first, ends, simd.sub(d, p), d);
    store(simd, &mut t.d[l], start, new_d);
    let e = load(simd, &t.e[l], start);
    let new_e = simd.choose(first, ends, g, e);
    store(simd, &mut t.e[l], start, new_e);
}

/// The last diagonal entry of each block less Wilkinson's shift.
#[inline(always)]
fn shifted<S: Simd<f64>>(
    simd: S,
    t: &Tridiagonal,
    l: usize,
    bottom: usize,
    ends: S::V,
    start: usize,
) -> S::V {
    let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
    let (d, e) = (load(simd, &t.d[l], start), load(simd, &t.e[l], start));
    let gap = simd.sub(load(simd, &t.d[l + 1], start), d);
    // Where e is zero the matrix rests.
    let twice = simd.choose(zero, simd.mul(e, e), simd.add(e, e), one);
    let half = simd.div(gap, twice);
    let root = simd.sqrt(simd.mul_add(half, half, one));
    let signed = simd.choose(half, zero, simd.sub(half, root), simd.add(half, root));
    let mut last = d;
    for i in l + 1..=bottom {
        // i = end: neither i < end nor end < i.
        let here = simd.splat(i as f64);
        let this = load(simd, &t.d[i], start);
        last = simd.choose(here, ends, last, simd.choose(ends, here, last, this));
    }
    simd.add(simd.sub(last, d), simd.div(e, signed))
}
