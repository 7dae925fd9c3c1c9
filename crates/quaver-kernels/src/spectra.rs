//! Spectra of many small symmetric matrices at once, as far as one direction sees them.
//!
//! Of a positive semidefinite M (n × n) with eigenpairs (θ_i, v_i) and the last unit vector e, a map of influence asks
//! for two numbers per pixel: the share Σ (v_i·e)² of e that lies along eigenvalues above a cut, and the share
//! Σ (v_i·e)² θ_i/(θ_i + λ) that a budget λ leaves of it. Eight matrices go side by side through the same steps, so that
//! vectors of the machine are full although a matrix is tiny.
//!
//! Both come from factors where that is exact. M + λI = L D Lᵀ gives the second: with s the last pivot without
//! its λ, eᵀM(M + λI)⁻¹e = s/(s + λ), a quotient that loses no digits at either end. And if M − τI has positive pivots
//! with τ ≥ cut then no eigenvalue is below the cut, and the first is 1. Only what fails this test is decomposed:
//! Householder reflections that leave e alone make M tridiagonal, and implicit QL steps carry the components of e along.
//!
//! Where M sums fewer than n vectors, M = Fᵀ F, their products N = F Fᵀ say the same with less arithmetic
//! ([`shares_of_few`]): with g = F e, the second is gᵀ(N + λI)⁻¹g, and if N − τI has positive pivots, all of the
//! eigenvalues that are not zero count and the first is gᵀN⁻¹g. Both are the last pivots, with the other sign, of N
//! bordered by g and 0.

mod decompose;
mod factor;
mod householder;
mod ql;

use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::simd_pair::Pair;
use decompose::decompose;
use factor::{Entry, Pivots, pivots};
use ql::Tridiagonal;

/// Matrices that are factored side by side.
const LANES: usize = 8;

/// One number of each of the matrices that are factored side by side.
type Lanes = [f64; LANES];

/// Matrices that are decomposed side by side: QL steps are one long chain, and the longest vectors' run two at once.
const WIDE: usize = 16;

/// One number of each of the matrices that are decomposed side by side.
type Wide = [f64; WIDE];

/// Below this share of the trace a budget is lost in the rounding of a Cholesky factor.
const RESOLVED: f64 = 1e-10;

/// An eigenvalue that is exactly zero comes out as up to this, times n and the largest one.
const NOISE: f64 = 4.0 * f64::EPSILON;

/// What is asked of each matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Eigenvalues above `rtol` times the largest count.
    pub rtol: f64,
    /// λ, in the units of M; may be infinite.
    pub lambda: f64,
}

impl Question {
    /// No eigenvalue of an n × n matrix is told from zero below this, times the largest.
    fn resolved_rtol(&self, n: usize) -> f64 {
        self.rtol.max(NOISE * n as f64)
    }
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

impl Shares {
    fn resize(&mut self, width: usize) {
        self.kept.resize(width, 0.0);
        self.budgeted.resize(width, 0.0);
        self.rank.resize(width, 0);
    }

    fn set(&mut self, x: usize, kept: f64, budgeted: f64, rank: u32) {
        self.kept[x] = kept;
        self.budgeted[x] = budgeted;
        self.rank[x] = rank;
    }
}

/// Buffers to be used again.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// Matrices to be factored, once per shift, and a column of each.
    pair: Vec<Entry<2>>,
    triple: Vec<Entry<3>>,
    /// Matrices to be decomposed.
    matrices: Vec<Wide>,
    work: Vec<Wide>,
    tridiagonal: Tridiagonal,
    /// The matrices that have to be decomposed.
    undecided: Vec<usize>,
}

/// The matrices of a row: what [`shares`] takes.
#[derive(Clone, Copy)]
struct Matrices<'a> {
    planes: &'a [f64],
    n: usize,
    width: usize,
}

impl<'a> Matrices<'a> {
    fn new(planes: &'a [f64], n: usize, width: usize) -> Self {
        assert!(n > 0, "a matrix has rows");
        assert_eq!(planes.len(), n_packed(n) * width, "n (n + 1)/2 × width");
        Self { planes, n, width }
    }
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
    let matrices = Matrices::new(planes, n, width);
    shares_on(Isa::best(), matrices, question, scratch, shares);
}

fn shares_on(
    isa: Isa,
    matrices: Matrices<'_>,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    struct Job<'a>(Matrices<'a>, Question, &'a mut Scratch, &'a mut Shares);
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, simd: S) {
            // Ten classes: loops of a known length.
            let Job(matrices, question, scratch, shares) = self;
            match matrices.n {
                9 => answer(
                    simd,
                    Matrices { n: 9, ..matrices },
                    question,
                    scratch,
                    shares,
                ),
                _ => answer(simd, matrices, question, scratch, shares),
            }
        }
    }
    let job = Job(matrices, question, scratch, shares);
    dispatch(isa, job);
}

/// The same for matrices that are sums of a few vectors' outer products, Σ f fᵀ over fewer than n of them, or as many:
/// component i of vector f of matrix x is `vectors[f][i width + x]`.
///
/// # Panics
/// As [`shares`], and if a vector is not n × `width`.
pub fn shares_of_few(
    vectors: &[Vec<f64>],
    planes: &[f64],
    n: usize,
    width: usize,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    struct Job<'a>(
        &'a [Vec<f64>],
        Matrices<'a>,
        Question,
        &'a mut Scratch,
        &'a mut Shares,
    );
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, simd: S) {
            answer_few(simd, self.0, self.1, self.2, self.3, self.4);
        }
    }
    let matrices = Matrices::new(planes, n, width);
    for vector in vectors {
        assert_eq!(vector.len(), n * width, "n × width");
    }
    let job = Job(vectors, matrices, question, scratch, shares);
    dispatch(Isa::best(), job);
}

#[inline(always)]
fn answer<S: Simd<f64>>(
    simd: S,
    matrices: Matrices<'_>,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    let Matrices { planes, n, width } = matrices;
    shares.resize(width);
    scratch.pair.resize(n_packed(n) + n, Entry::ZERO);
    scratch.undecided.clear();
    let rtol = question.resolved_rtol(n);
    let (pair, column) = scratch.pair.split_at_mut(n_packed(n));
    for start in (0..width).step_by(LANES) {
        let count = LANES.min(width - start);
        for (entry, plane) in pair.iter_mut().zip(planes.chunks_exact(width)) {
            let lanes = lanes_of(&plane[start..start + count]);
            *entry = Entry([lanes; 2]);
        }
        let traces = sum((0..n).map(|i| pair[at(i, i)].0[0]));
        let cut = traces.map(|trace| -rtol * trace);
        let shifts = Entry([[question.lambda; LANES], cut]);
        let Pivots { last, least } = pivots(simd, pair, n, &shifts, column);
        for lane in 0..count {
            let x = start + lane;
            if traces[lane] <= 0.0 {
                shares.set(x, 0.0, 0.0, 0);
                continue;
            }
            let with_budget = budgeted(last.0[0][lane], question.lambda);
            shares.set(x, 1.0, with_budget, n as u32);
            let is_full = least.0[1][lane].min(last.0[1][lane] + cut[lane]) > 0.0;
            if !(is_full && question.lambda >= RESOLVED * traces[lane]) {
                scratch.undecided.push(x);
            }
        }
    }
    decompose_undecided(simd, matrices, question, scratch, shares);
}

#[inline(always)]
fn answer_few<S: Simd<f64>>(
    simd: S,
    vectors: &[Vec<f64>],
    matrices: Matrices<'_>,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    let Matrices { n, width, .. } = matrices;
    let m = vectors.len();
    shares.resize(width);
    scratch.triple.resize(n_packed(m + 1) + m + 1, Entry::ZERO);
    scratch.undecided.clear();
    let rtol = question.resolved_rtol(n);
    let (triple, column) = scratch.triple.split_at_mut(n_packed(m + 1));
    for start in (0..width).step_by(LANES) {
        let count = LANES.min(width - start);
        let part = |vector: &[f64], at: usize| {
            lanes_of(&vector[at * width + start..at * width + start + count])
        };
        for i in 0..m {
            for j in 0..=i {
                let mut sum = [0.0; LANES];
                for at in 0..n {
                    let (a, b) = (part(&vectors[i], at), part(&vectors[j], at));
                    for lane in 0..LANES {
                        sum[lane] += a[lane] * b[lane];
                    }
                }
                triple[at(i, j)] = Entry([sum; 3]);
            }
            triple[at(m, i)] = Entry([part(&vectors[i], n - 1); 3]);
        }
        triple[at(m, m)] = Entry::ZERO;
        let traces = sum((0..m).map(|i| triple[at(i, i)].0[0]));
        let cut = traces.map(|trace| -rtol * trace);
        let shifts = Entry([[question.lambda; LANES], cut, [0.0; LANES]]);
        let Pivots { last, least } = pivots(simd, triple, m + 1, &shifts, column);
        for (lane, &trace) in traces[..count].iter().enumerate() {
            let x = start + lane;
            if trace <= 0.0 {
                shares.set(x, 0.0, 0.0, 0);
                continue;
            }
            let share = |pivot: f64| (-pivot).clamp(0.0, 1.0);
            shares.set(x, share(last.0[2][lane]), share(last.0[0][lane]), m as u32);
            if !(least.0[1][lane] > 0.0 && question.lambda >= RESOLVED * trace) {
                scratch.undecided.push(x);
            }
        }
    }
    decompose_undecided(simd, matrices, question, scratch, shares);
}

/// Decomposes what factors have not decided.
#[inline(always)]
fn decompose_undecided<S: Simd<f64>>(
    simd: S,
    matrices: Matrices<'_>,
    question: Question,
    scratch: &mut Scratch,
    shares: &mut Shares,
) {
    let Matrices { planes, n, width } = matrices;
    let undecided = std::mem::take(&mut scratch.undecided);
    scratch.matrices.resize(n_packed(n), [0.0; WIDE]);
    for some in undecided.chunks(WIDE) {
        for (lanes, plane) in scratch.matrices.iter_mut().zip(planes.chunks_exact(width)) {
            for (lane, value) in lanes.iter_mut().enumerate() {
                *value = plane[some[lane.min(some.len() - 1)]];
            }
        }
        let rtol = question.resolved_rtol(n);
        decompose(Pair(simd), some, n, rtol, question.lambda, scratch, shares);
    }
    scratch.undecided = undecided;
}

/// Up to [`LANES`] values, and zeros.
#[inline(always)]
fn lanes_of(values: &[f64]) -> Lanes {
    match values.try_into() {
        Ok(lanes) => lanes,
        Err(_) => std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(0.0)),
    }
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
fn sum<const N: usize>(terms: impl Iterator<Item = [f64; N]>) -> [f64; N] {
    let mut sum = [0.0; N];
    for term in terms {
        for (sum, x) in sum.iter_mut().zip(&term) {
            *sum += x;
        }
    }
    sum
}

/// The vector from `start` on.
#[inline(always)]
fn load<S: Simd<f64>, const N: usize>(simd: S, lanes: &[f64; N], start: usize) -> S::V {
    debug_assert!(start + S::LANES <= N);
    // SAFETY: steps of S::LANES, which divides N, from 0 stay inside.
    unsafe { simd.load(lanes.as_ptr().add(start)) }
}

#[inline(always)]
fn store<S: Simd<f64>, const N: usize>(simd: S, lanes: &mut [f64; N], start: usize, x: S::V) {
    debug_assert!(start + S::LANES <= N);
    // SAFETY: as above.
    unsafe { simd.store(lanes.as_mut_ptr().add(start), x) }
}

#[cfg(test)]
mod tests;
