//! Spectra of many small symmetric matrices at once, as far as one direction sees them.
//!
//! Of a positive semidefinite M (n × n) with eigenpairs (θ_i, v_i) and the last unit vector e, a map of influence asks
//! for two numbers per pixel: the share Σ (v_i·e)² of e that lies along eigenvalues above a cut, and the share
//! Σ (v_i·e)² θ_i/(θ_i + λ) that a budget λ leaves of it. Eight matrices go side by side through the same steps, so that
//! vectors of the machine are full although a matrix is tiny.
//!
//! Both come from Cholesky factors where that is exact. M + λI = L Lᵀ gives the second: with s the last pivot without
//! its λ, eᵀM(M + λI)⁻¹e = s/(s + λ), a quotient that loses no digits at either end. And if M − τI has a factor with
//! τ ≥ cut then no eigenvalue is below the cut, and the first is 1. Only what fails this test is decomposed: Householder
//! reflections that leave e alone make M tridiagonal, and implicit QL steps carry the components of e along.

use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Matrices side by side.
const LANES: usize = 8;

/// One number of each of the matrices side by side.
type Lanes = [f64; LANES];

/// Below this share of the trace a budget is lost in the rounding of a Cholesky factor.
const RESOLVED: f64 = 1e-10;

/// An eigenvalue that is exactly zero comes out as up to this, times n and the largest one.
const NOISE: f64 = 4.0 * f64::EPSILON;

/// QL steps per eigenvalue; about two are needed.
const MAX_STEPS: usize = 40;

/// What is asked of each matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Eigenvalues above `rtol` times the largest count.
    pub rtol: f64,
    /// λ, in the units of M; may be infinite.
    pub lambda: f64,
}

/// The answers for a row of matrices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    /// Σ (v_i·e)² over the eigenvalues that count, in [0, 1]; 1 to the last bit if all do.
    pub kept: Vec<f64>,
    /// Σ (v_i·e)² θ_i/(θ_i + λ), in [0, 1].
    pub budgeted: Vec<f64>,
    /// How many eigenvalues count.
    pub rank: Vec<u32>,
}

/// Buffers to be used again.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    matrices: Vec<Lanes>,
    factor: Vec<Lanes>,
    tridiagonal: Tridiagonal,
    /// The matrices that have to be decomposed.
    undecided: Vec<usize>,
}

/// d and e of a tridiagonal matrix, e_i between i and i + 1, and the components of two vectors in its coordinates.
#[derive(Debug, Clone, Default)]
struct Tridiagonal {
    d: Vec<Lanes>,
    e: Vec<Lanes>,
    /// Of the last unit vector.
    unit: Vec<Lanes>,
    /// Of the last column of M.
    column: Vec<Lanes>,
}

/// The number of entries of a lower triangle.
pub fn n_packed(n: usize) -> usize {
    n * (n + 1) / 2
}

fn at(row: usize, col: usize) -> usize {
    row * (row + 1) / 2 + col
}

/// Answers `question` for `width` matrices n × n, of which `planes` holds the lower triangles, entry by entry:
/// M_ij of matrix x is `planes[(i (i + 1)/2 + j) width + x]`, i ≥ j.
///
/// # Panics
/// If there are no rows, or `planes` is not n (n + 1)/2 × `width`.
pub fn shares(
    planes: &[f64],
    n: usize,
    width: usize,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    struct Job<'a>(
        &'a [f64],
        usize,
        usize,
        Question,
        &'a mut Scratch,
        &'a mut Shares,
    );
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, _: S) {
            answer(self.0, self.1, self.2, self.3, self.4, self.5);
        }
    }
    assert!(n > 0, "a matrix has rows");
    assert_eq!(planes.len(), n_packed(n) * width, "n (n + 1)/2 × width");
    let job = Job(planes, n, width, question, scratch, shares);
    dispatch(Isa::best(), job);
}

#[inline(always)]
fn answer(
    planes: &[f64],
    n: usize,
    width: usize,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    shares.kept.resize(width, 0.0);
    shares.budgeted.resize(width, 0.0);
    shares.rank.resize(width, 0);
    scratch.matrices.resize(n_packed(n), [0.0; LANES]);
    scratch.factor.resize(n_packed(n), [0.0; LANES]);
    scratch.undecided.clear();
    let rtol = question.rtol.max(NOISE * n as f64);
    for start in (0..width).step_by(LANES) {
        let count = LANES.min(width - start);
        for (lanes, plane) in scratch.matrices.iter_mut().zip(planes.chunks_exact(width)) {
            let values = &plane[start..start + count];
            lanes[count..].fill(0.0);
            lanes[..count].copy_from_slice(values);
        }
        let traces = trace(&scratch.matrices, n);
        let (last, _) = pivots(
            &scratch.matrices,
            n,
            &[question.lambda; LANES],
            &mut scratch.factor,
        );
        let cut = traces.map(|trace| -rtol * trace);
        let (above, all_above) = pivots(&scratch.matrices, n, &cut, &mut scratch.factor);
        for lane in 0..count {
            let x = start + lane;
            shares.budgeted[x] = budgeted(last[lane], question.lambda);
            shares.kept[x] = 1.0;
            shares.rank[x] = n as u32;
            let is_full = all_above[lane] && above[lane] + cut[lane] > 0.0;
            let is_resolved = question.lambda >= RESOLVED * traces[lane];
            if traces[lane] <= 0.0 {
                shares.kept[x] = 0.0;
                shares.budgeted[x] = 0.0;
                shares.rank[x] = 0;
            } else if !(is_full && is_resolved) {
                scratch.undecided.push(x);
            }
        }
    }
    let undecided = std::mem::take(&mut scratch.undecided);
    for some in undecided.chunks(LANES) {
        for (lanes, plane) in scratch.matrices.iter_mut().zip(planes.chunks_exact(width)) {
            for (lane, value) in lanes.iter_mut().enumerate() {
                *value = plane[some[lane.min(some.len() - 1)]];
            }
        }
        decompose(some, n, rtol, question.lambda, scratch, shares);
    }
    scratch.undecided = undecided;
}

#[inline(always)]
fn budgeted(last: f64, lambda: f64) -> f64 {
    let last = last.max(0.0);
    if lambda.is_infinite() || last == 0.0 {
        0.0
    } else {
        last / (last + lambda)
    }
}

#[inline(always)]
fn trace(m: &[Lanes], n: usize) -> Lanes {
    let mut sum = [0.0; LANES];
    for i in 0..n {
        for (sum, x) in sum.iter_mut().zip(&m[at(i, i)]) {
            *sum += x;
        }
    }
    sum
}

/// The last pivot of the Cholesky factor of M + shift I, less its own shift, and whether all others are positive.
#[inline(always)]
fn pivots(m: &[Lanes], n: usize, shift: &Lanes, l: &mut [Lanes]) -> (Lanes, [bool; LANES]) {
    let mut positive = [true; LANES];
    let mut last = [0.0; LANES];
    for j in 0..n {
        // Row j of L, against the rows above it.
        for k in 0..j {
            let mut sum = m[at(j, k)];
            for t in 0..k {
                let (a, b) = (&l[at(j, t)], &l[at(k, t)]);
                for lane in 0..LANES {
                    sum[lane] -= a[lane] * b[lane];
                }
            }
            // The diagonal holds reciprocals.
            let inverse = &l[at(k, k)];
            for lane in 0..LANES {
                sum[lane] *= inverse[lane];
            }
            l[at(j, k)] = sum;
        }
        let mut pivot = m[at(j, j)];
        for t in 0..j {
            let a = &l[at(j, t)];
            for lane in 0..LANES {
                pivot[lane] -= a[lane] * a[lane];
            }
        }
        if j + 1 == n {
            last = pivot;
            break;
        }
        let mut inverse = [0.0; LANES];
        for lane in 0..LANES {
            let shifted = pivot[lane] + shift[lane];
            positive[lane] &= shifted > 0.0;
            inverse[lane] = 1.0 / shifted.max(f64::MIN_POSITIVE).sqrt();
        }
        l[at(j, j)] = inverse;
    }
    (last, positive)
}

/// The answers for the matrices `some` from their eigenvalues.
#[inline(always)]
fn decompose(
    some: &[usize],
    n: usize,
    rtol: f64,
    lambda: f64,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    let traces = trace(&scratch.matrices, n);
    let inverse = traces.map(|trace| 1.0 / trace);
    for lanes in &mut scratch.matrices {
        for lane in 0..LANES {
            lanes[lane] *= inverse[lane];
        }
    }
    tridiagonalise(
        &mut scratch.matrices,
        n,
        &mut scratch.factor,
        &mut scratch.tridiagonal,
    );
    let t = &mut scratch.tridiagonal;
    let mut column_norm = [0.0; LANES];
    for lanes in &t.column {
        for lane in 0..LANES {
            column_norm[lane] += lanes[lane] * lanes[lane];
        }
    }
    diagonalise(t, n);
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
        // The Cholesky factor has the digits that the decomposition leaves to rounding, unless λ is lost in it.
        if lambda < RESOLVED * traces[lane] {
            shares.budgeted[x] = with_budget.min(1.0);
        }
    }
}

/// M becomes tridiagonal by reflections of all coordinates but the last. `work` holds n lanes or more.
#[inline(always)]
fn tridiagonalise(m: &mut [Lanes], n: usize, work: &mut [Lanes], t: &mut Tridiagonal) {
    for lanes in [&mut t.d, &mut t.e, &mut t.unit, &mut t.column] {
        lanes.clear();
        lanes.resize(n, [0.0; LANES]);
    }
    for i in (1..n).rev() {
        t.d[i] = m[at(i, i)];
        if i == 1 {
            t.e[0] = m[at(1, 0)];
            break;
        }
        // x = M_i,0..i becomes (0, …, 0, α).
        let mut squares = [0.0; LANES];
        for k in 0..i {
            let x = &m[at(i, k)];
            for lane in 0..LANES {
                squares[lane] += x[lane] * x[lane];
            }
        }
        let (mut alpha, mut inverse) = ([0.0; LANES], [0.0; LANES]);
        let end = &mut m[at(i, i - 1)];
        for lane in 0..LANES {
            alpha[lane] = -squares[lane].sqrt().copysign(end[lane]);
            // ‖v‖²/2 of v = x − α e.
            let half = squares[lane] - end[lane] * alpha[lane];
            inverse[lane] = if half > 0.0 { 1.0 / half } else { 0.0 };
            end[lane] -= alpha[lane];
        }
        t.e[i - 1] = alpha;
        // q = A v/h − (vᵀA v/2h²) v, A ← A − v qᵀ − q vᵀ.
        let mut product = [0.0; LANES];
        for row in 0..i {
            let mut sum = [0.0; LANES];
            for col in 0..i {
                let a = &m[if col <= row {
                    at(row, col)
                } else {
                    at(col, row)
                }];
                let v = &m[at(i, col)];
                for lane in 0..LANES {
                    sum[lane] += a[lane] * v[lane];
                }
            }
            let v = &m[at(i, row)];
            for lane in 0..LANES {
                sum[lane] *= inverse[lane];
                product[lane] += sum[lane] * v[lane];
            }
            work[row] = sum;
        }
        for row in 0..i {
            let v = &m[at(i, row)];
            for lane in 0..LANES {
                work[row][lane] -= 0.5 * inverse[lane] * product[lane] * v[lane];
            }
        }
        for row in 0..i {
            for col in 0..=row {
                let (v, w) = (m[at(i, row)], m[at(i, col)]);
                let (q, r) = (&work[row], &work[col]);
                let a = &mut m[at(row, col)];
                for lane in 0..LANES {
                    a[lane] -= v[lane] * r[lane] + q[lane] * w[lane];
                }
            }
        }
    }
    t.d[0] = m[0];
    t.unit[n - 1] = [1.0; LANES];
    t.column[n - 1] = t.d[n - 1];
    if n > 1 {
        t.column[n - 2] = t.e[n - 2];
    }
}

/// Implicit QL steps until no lane has an off-diagonal left. The matrices have trace 1.
#[inline(always)]
fn diagonalise(t: &mut Tridiagonal, n: usize) {
    for l in 0..n {
        for _ in 0..MAX_STEPS {
            // Where the block that starts at l ends, lane by lane.
            let mut end = [n - 1; LANES];
            for i in (l..n - 1).rev() {
                for (end, e) in end.iter_mut().zip(&t.e[i]) {
                    if e.abs() <= 0.5 * f64::EPSILON {
                        *end = i;
                    }
                }
            }
            let bottom = end.iter().copied().max().unwrap_or(l);
            if bottom == l {
                break;
            }
            step(t, l, bottom, &end);
        }
    }
}

/// One QL step with Wilkinson's shift on the blocks l..=end.
#[inline(always)]
fn step(t: &mut Tridiagonal, l: usize, bottom: usize, end: &[usize; LANES]) {
    let (mut start, mut g) = ([0.0; LANES], [0.0; LANES]);
    let (mut s, mut c, mut p) = ([1.0; LANES], [1.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let e = t.e[l][lane];
        let half = if e == 0.0 {
            0.0
        } else {
            (t.d[l + 1][lane] - t.d[l][lane]) / (2.0 * e)
        };
        let root = (half * half + 1.0).sqrt();
        start[lane] = t.d[end[lane]][lane] - t.d[l][lane] + e / (half + root.copysign(half));
    }
    for i in (l..bottom).rev() {
        let (e, d, below) = (t.e[i], t.d[i], t.d[i + 1]);
        let (mut new_e, mut new_d) = ([0.0; LANES], [0.0; LANES]);
        let mut active = [false; LANES];
        for lane in 0..LANES {
            let begins = i + 1 == end[lane];
            let (s0, c0, p0, g0) = match begins {
                true => (1.0, 1.0, 0.0, start[lane]),
                false => (s[lane], c[lane], p[lane], g[lane]),
            };
            let f = s0 * e[lane];
            let b = c0 * e[lane];
            let r = (f * f + g0 * g0).sqrt();
            let inverse = if r > 0.0 { 1.0 / r } else { 0.0 };
            let (s1, c1) = (f * inverse, if r > 0.0 { g0 * inverse } else { 1.0 });
            let shifted = below[lane] - p0;
            let turn = (d[lane] - shifted) * s1 + 2.0 * c1 * b;
            active[lane] = i < end[lane];
            new_e[lane] = if begins { 0.0 } else { r };
            p[lane] = s1 * turn;
            new_d[lane] = shifted + p[lane];
            g[lane] = c1 * turn - b;
            (s[lane], c[lane]) = (s1, c1);
        }
        for lane in 0..LANES {
            if active[lane] {
                t.d[i + 1][lane] = new_d[lane];
                // Past the end of its block there is nothing to couple to.
                if i + 1 < end[lane] {
                    t.e[i + 1][lane] = new_e[lane];
                }
            }
            let (s1, c1) = if active[lane] {
                (s[lane], c[lane])
            } else {
                (0.0, 1.0)
            };
            for z in [&mut t.unit, &mut t.column] {
                let (above, here) = (z[i][lane], z[i + 1][lane]);
                z[i + 1][lane] = s1 * above + c1 * here;
                z[i][lane] = c1 * above - s1 * here;
            }
        }
    }
    for lane in 0..LANES {
        if end[lane] > l {
            t.d[l][lane] -= p[lane];
            t.e[l][lane] = g[lane];
            if end[lane] < t.e.len() - 1 {
                t.e[end[lane]][lane] = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
