//! Eigenvalues, and what they say: Householder reflections make a matrix tridiagonal, QL steps diagonal.

use super::householder::tridiagonalise;
use super::ql::diagonalise;
use super::{NOISE, RESOLVED, Scratch, Shares, WIDE, at, budgeted, sum};
use crate::simd::Simd;

/// The answers for the matrices `some` from their eigenvalues.
#[inline(always)]
pub(super) fn decompose<S: Simd<f64>>(
    simd: S,
    some: &[usize],
    n: usize,
    rtol: f64,
    lambda: f64,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    let traces = sum((0..n).map(|i| scratch.matrices[at(i, i)]));
    let inverse = traces.map(|trace| 1.0 / trace);
    for lanes in &mut scratch.matrices {
        for lane in 0..WIDE {
            lanes[lane] *= inverse[lane];
        }
    }
    scratch.work.resize(n, [0.0; WIDE]);
    tridiagonalise(
        simd,
        &mut scratch.matrices,
        n,
        &mut scratch.work,
        &mut scratch.tridiagonal,
    );
    let t = &mut scratch.tridiagonal;
    let mut column_norm = [0.0; WIDE];
    for lanes in &t.column {
        for lane in 0..WIDE {
            column_norm[lane] += lanes[lane] * lanes[lane];
        }
    }
    diagonalise(simd, t, n);
    for (lane, &x) in some.iter().enumerate() {
        let largest = t.d.iter().fold(0.0f64, |max, d| max.max(d[lane]));
        let norm = column_norm[lane].sqrt();
        let (mut kept, mut with_budget, mut rank) = (0.0, 0.0, 0);
        for i in 0..n {
            let theta = t.d[i][lane];
            // Below this an eigenvalue is its own rounding.
            if theta <= NOISE * n as f64 * largest {
                continue;
            }
            // v·e comes with an error of ε as it is, and of ε ‖M e‖/θ as v·(M e)/θ: the better of the two.
            let along = match norm < theta {
                true => t.column[i][lane] / theta,
                false => t.unit[i][lane],
            };
            let share = along * along;
            with_budget += share * budgeted(theta * traces[lane], lambda);
            if theta > rtol * largest {
                rank += 1;
                kept += share;
            }
        }
        shares.rank[x] = rank;
        shares.kept[x] = if rank as usize == n {
            1.0
        } else {
            kept.min(1.0)
        };
        // The factor has the digits that the decomposition leaves to rounding, unless λ is lost in it.
        if lambda < RESOLVED * traces[lane] {
            shares.budgeted[x] = with_budget.min(1.0);
        }
    }
}
