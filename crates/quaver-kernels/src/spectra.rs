//! Spectra of many small symmetric matrices at once, as far as one direction sees them.
//!
//! Of a positive semidefinite M (n × n) with eigenpairs (θ_i, v_i) and the last unit vector e, a map of influence asks
//! for two numbers per pixel: the share Σ (v_i·e)² of e that lies along eigenvalues above a cut, and the share
//! Σ (v_i·e)² θ_i/(θ_i + λ) that a budget λ leaves of it. Sixteen matrices go side by side through the same steps, so that
//! vectors of the machine are full although a matrix is tiny. Rows of matrices come one after the other; what has to be decomposed
//! waits until there are enough of it.
//!
//! Both come from factors where that is exact. M + λI = L D Lᵀ gives the second: with s the last pivot without
//! its λ, eᵀM(M + λI)⁻¹e = s/(s + λ), a quotient that loses no digits at either end. And if M − τI has positive pivots
//! with τ ≥ cut then no eigenvalue is below the cut, and the first is 1. Only what fails this test is decomposed:
//! Householder reflections that leave e alone make M tridiagonal, and implicit QL steps carry the components of e along.
//!
//! Where M sums fewer than n vectors, M = Fᵀ F, their products N = F Fᵀ say the same with less arithmetic
//! ([`Spectra::row_of_few`]): with g = F e, the second is gᵀ(N + λI)⁻¹g, and if N − τI has positive pivots, all of the
//! eigenvalues that are not zero count and the first is gᵀN⁻¹g. Both are the last pivots, with the other sign, of N
//! bordered by g and 0.

mod answer;
mod decompose;
mod factor;
mod householder;
mod ql;

use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::simd_pair::Pair;
use decompose::Pending;
use factor::Entry;

/// Matrices that go side by side: factors and QL steps are long chains, and the longest vectors' run two at once.
const LANES: usize = 16;

/// One number of each of the matrices that go side by side.
type Lanes = [f64; LANES];

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

/// The answers, matrix by matrix.
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
    /// Answers for `n_matrices` that do not move anything.
    fn new(n_matrices: usize) -> Self {
        Self {
            kept: vec![0.0; n_matrices],
            budgeted: vec![0.0; n_matrices],
            rank: vec![0; n_matrices],
        }
    }

    fn set(&mut self, at: usize, kept: f64, budgeted: f64, rank: u32) {
        self.kept[at] = kept;
        self.budgeted[at] = budgeted;
        self.rank[at] = rank;
    }
}

/// Answers one question about many n × n matrices that come in rows, of which it reads the lower triangles, entry by entry: M_ij
/// of matrix x of a row is `planes[(i (i + 1)/2 + j) width + x]`, i ≥ j.
#[derive(Debug)]
pub struct Spectra {
    isa: Isa,
    n: usize,
    question: Question,
    found: Shares,
    /// What factors overwrite, once per shift.
    pair: Vec<Entry<2>>,
    triple: Vec<Entry<3>>,
    /// The last matrices of a row.
    few: Vec<Lanes>,
    /// Those that few vectors say the same by.
    bordered: Vec<Lanes>,
    pending: Pending,
}

impl Spectra {
    /// For `n_matrices` n × n matrices in all.
    ///
    /// # Panics
    /// If n is 0.
    pub fn new(n: usize, question: Question, n_matrices: usize) -> Self {
        Self::on(Isa::best(), n, question, n_matrices)
    }

    fn on(isa: Isa, n: usize, question: Question, n_matrices: usize) -> Self {
        assert!(n > 0, "a matrix has rows");
        Self {
            isa,
            n,
            question,
            found: Shares::new(n_matrices),
            pair: Vec::new(),
            triple: Vec::new(),
            few: vec![[0.0; LANES]; n_packed(n)],
            bordered: Vec::new(),
            pending: Pending::new(n),
        }
    }

    /// The matrices of a row, the first of which is number `first` of all.
    ///
    /// # Panics
    /// If `planes` is not n (n + 1)/2 × width, or there are more matrices than were said.
    pub fn row(&mut self, planes: &[f64], first: usize) {
        struct Job<'a>(&'a mut Spectra, &'a [f64], usize);
        impl Kernel<f64> for Job<'_> {
            #[inline(always)]
            fn run<S: Simd<f64>>(self, simd: S) {
                let Job(spectra, planes, first) = self;
                let simd = Pair(simd);
                // Ten classes: loops of a known length.
                match spectra.n {
                    9 => spectra.answer(simd, 9, planes, first),
                    n => spectra.answer(simd, n, planes, first),
                }
            }
        }
        dispatch(self.isa, Job(self, planes, first));
    }

    /// The same for matrices that are sums of a few vectors' outer products, Σ f fᵀ over fewer than n of them, or as many:
    /// component i of vector f of matrix x is `vectors[f][i width + x]`.
    ///
    /// # Panics
    /// As [`Spectra::row`], and if a vector is not n × width.
    pub fn row_of_few(&mut self, vectors: &[Vec<f64>], planes: &[f64], first: usize) {
        struct Job<'a>(&'a mut Spectra, &'a [Vec<f64>], &'a [f64], usize);
        impl Kernel<f64> for Job<'_> {
            #[inline(always)]
            fn run<S: Simd<f64>>(self, simd: S) {
                let Job(spectra, vectors, planes, first) = self;
                let simd = Pair(simd);
                match (spectra.n, vectors.len()) {
                    // Ten classes, three channels.
                    (9, 3) => spectra.answer_few(simd, (9, 3), vectors, planes, first),
                    (n, m) => spectra.answer_few(simd, (n, m), vectors, planes, first),
                }
            }
        }
        let width = self.width(planes);
        for vector in vectors {
            assert_eq!(vector.len(), self.n * width, "n × width");
        }
        dispatch(self.isa, Job(self, vectors, planes, first));
    }

    /// The same for matrices f fᵀ, whose one eigenvalue is ‖f‖²: their traces, and their last diagonal entries.
    ///
    /// # Panics
    /// If these are not as many, or there are more matrices than were said.
    pub fn row_of_one(&mut self, traces: &[f64], last: &[f64], first: usize) {
        assert_eq!(traces.len(), last.len(), "one of each");
        let lambda = self.question.lambda;
        for (x, (&trace, &last)) in traces.iter().zip(last).enumerate() {
            if trace <= 0.0 {
                continue;
            }
            let kept = match self.n {
                1 => 1.0,
                _ => (last / trace).min(1.0),
            };
            self.found.set(first + x, kept, last / (trace + lambda), 1);
        }
    }

    /// All answers.
    pub fn finish(mut self) -> Shares {
        struct Job<'a>(&'a mut Spectra);
        impl Kernel<f64> for Job<'_> {
            #[inline(always)]
            fn run<S: Simd<f64>>(self, simd: S) {
                let Spectra {
                    n,
                    question,
                    found,
                    pending,
                    ..
                } = self.0;
                pending.decompose(Pair(simd), *n, *question, found);
            }
        }
        dispatch(self.isa, Job(&mut self));
        self.found
    }

    fn width(&self, planes: &[f64]) -> usize {
        let n_entries = n_packed(self.n);
        assert!(
            planes.len().is_multiple_of(n_entries),
            "n (n + 1)/2 × width"
        );
        planes.len() / n_entries
    }
}

/// The number of entries of a lower triangle.
pub fn n_packed(n: usize) -> usize {
    n * (n + 1) / 2
}

fn at(row: usize, col: usize) -> usize {
    row * (row + 1) / 2 + col
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
