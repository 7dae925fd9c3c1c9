//! Symmetric matrices side by side become tridiagonal by reflections of all coordinates but the last.

use super::ql::Tridiagonal;
use super::{LANES, Lanes, at, load, store};
use crate::simd::Simd;

/// M, which is overwritten, becomes `t`. `work` holds n entries.
#[inline(always)]
pub(super) fn tridiagonalise<S: Simd<f64>>(
    simd: S,
    m: &mut [Lanes],
    n: usize,
    work: &mut [Lanes],
    t: &mut Tridiagonal,
) {
    for lanes in [&mut t.d, &mut t.e, &mut t.unit, &mut t.column] {
        lanes.clear();
        lanes.resize(n, [0.0; LANES]);
    }
    for i in (1..n).rev() {
        let (above, row) = m.split_at_mut(at(i, 0));
        t.d[i] = row[i];
        if i == 1 {
            t.e[0] = row[0];
            break;
        }
        for start in (0..LANES).step_by(S::LANES) {
            let alpha = reflect(simd, above, &mut row[..i], &mut work[..i], start);
            store(simd, &mut t.e[i - 1], start, alpha);
        }
    }
    t.d[0] = m[0];
    t.unit[n - 1] = [1.0; LANES];
    t.column[n - 1] = t.d[n - 1];
    if n > 1 {
        t.column[n - 2] = t.e[n - 2];
    }
}

/// The row x becomes (0, …, 0, α), and what is above it, A, is reflected with it: with v = x − α e and h = ‖v‖²/2,
/// q = A v/h − (vᵀA v/2h²) v and A ← A − v qᵀ − q vᵀ. Gives α.
#[inline(always)]
fn reflect<S: Simd<f64>>(
    simd: S,
    a: &mut [Lanes],
    v: &mut [Lanes],
    q: &mut [Lanes],
    start: usize,
) -> S::V {
    let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
    let n = v.len();
    let mut squares = zero;
    for x in v.iter() {
        let x = load(simd, x, start);
        squares = simd.mul_add(x, x, squares);
    }
    let size = simd.sqrt(squares);
    let end = load(simd, &v[n - 1], start);
    let alpha = simd.choose(end, zero, size, simd.sub(zero, size));
    let half = simd.sub(squares, simd.mul(end, alpha));
    let inverse = simd.choose(zero, half, simd.div(one, half), zero);
    store(simd, &mut v[n - 1], start, simd.sub(end, alpha));

    for row in 0..n {
        // Half of A is there: what is right of the diagonal lies below it.
        let mut sum = zero;
        for (a, v) in a[at(row, 0)..=at(row, row)].iter().zip(v.iter()) {
            sum = simd.mul_add(load(simd, a, start), load(simd, v, start), sum);
        }
        for (below, v) in (row + 1..n).zip(&v[row + 1..n]) {
            let a = load(simd, &a[at(below, row)], start);
            sum = simd.mul_add(a, load(simd, v, start), sum);
        }
        store(simd, &mut q[row], start, sum);
    }
    let mut product = zero;
    for (q, v) in q.iter_mut().zip(v.iter()) {
        let scaled = simd.mul(load(simd, q, start), inverse);
        product = simd.mul_add(scaled, load(simd, v, start), product);
        store(simd, q, start, scaled);
    }
    let along = simd.mul(simd.splat(-0.5), simd.mul(inverse, product));
    for (q, v) in q.iter_mut().zip(v.iter()) {
        let moved = simd.mul_add(along, load(simd, v, start), load(simd, q, start));
        store(simd, q, start, moved);
    }
    for row in 0..n {
        let minus_v = simd.sub(zero, load(simd, &v[row], start));
        let minus_q = simd.sub(zero, load(simd, &q[row], start));
        let row = &mut a[at(row, 0)..=at(row, row)];
        for ((a, v), q) in row.iter_mut().zip(v.iter()).zip(q.iter()) {
            let less = simd.mul_add(minus_v, load(simd, q, start), load(simd, a, start));
            let less = simd.mul_add(minus_q, load(simd, v, start), less);
            store(simd, a, start, less);
        }
    }
    alpha
}
