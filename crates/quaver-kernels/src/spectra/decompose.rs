//! Eigenvalues, and what they say: Householder reflections make a matrix tridiagonal, QL steps diagonal.

use super::answer::Part;
use super::householder::tridiagonalise;
use super::ql::{Tridiagonal, diagonalise};
use super::{LANES, Lanes, NOISE, Question, RESOLVED, Shares, at, load, n_packed, store};
use crate::simd::Simd;

/// Matrices that wait to be decomposed.
#[derive(Debug)]
pub(super) struct Pending {
    /// Their entries: as many as are decomposed together, and what may come at once.
    entries: Vec<[f64; 2 * LANES]>,
    /// Their numbers among all.
    whose: [usize; 2 * LANES],
    n_waiting: usize,
    matrices: Vec<Lanes>,
    work: Vec<Lanes>,
    tridiagonal: Tridiagonal,
}

impl Pending {
    pub(super) fn new(n: usize) -> Self {
        Self {
            entries: vec![[0.0; 2 * LANES]; n_packed(n)],
            whose: [0; 2 * LANES],
            n_waiting: 0,
            matrices: vec![[0.0; LANES]; n_packed(n)],
            work: vec![[0.0; LANES]; n],
            tridiagonal: Tridiagonal::default(),
        }
    }

    /// Whether there are as many as are decomposed together: then they have to be before more come.
    pub(super) fn is_full(&self) -> bool {
        self.n_waiting >= LANES
    }

    /// One of some matrices.
    pub(super) fn push(&mut self, part: Part<'_>, lane: usize) {
        let at = self.n_waiting;
        for (lanes, row) in self.entries.iter_mut().zip(part.entries()) {
            lanes[at] = row[lane];
        }
        self.whose[at] = part.number(lane);
        self.n_waiting += 1;
    }

    /// Some matrices, which are [`LANES`].
    #[inline(always)]
    pub(super) fn push_all(&mut self, part: Part<'_>) {
        let at = self.n_waiting;
        for (lanes, row) in self.entries.iter_mut().zip(part.entries()) {
            lanes[at..at + LANES].copy_from_slice(&row[..LANES]);
        }
        for (lane, whose) in self.whose[at..at + LANES].iter_mut().enumerate() {
            *whose = part.number(lane);
        }
        self.n_waiting += LANES;
    }

    /// Answers for up to [`LANES`] of those that wait, from their eigenvalues.
    #[inline(always)]
    pub(super) fn decompose<S: Simd<f64>>(
        &mut self,
        simd: S,
        n: usize,
        question: Question,
        found: &mut Shares,
    ) {
        let Question { lambda, .. } = question;
        let rtol = question.resolved_rtol(n);
        let traces = self.scale(simd, n);
        tridiagonalise(
            simd,
            &mut self.matrices,
            n,
            &mut self.work,
            &mut self.tridiagonal,
        );
        let t = &mut self.tridiagonal;
        let column_norm = norm(simd, &t.column);
        diagonalise(simd, t, n);
        // The factor has the digits that the decomposition leaves to rounding, unless λ is lost in it.
        let mut is_lost = [false; LANES];
        let mut scaled = [0.0; LANES];
        for lane in 0..LANES {
            is_lost[lane] = lambda < RESOLVED * traces[lane];
            scaled[lane] = lambda / traces[lane];
        }
        let lambda = is_lost.contains(&true).then_some(&scaled);
        let mut says = Said::default();
        for start in (0..LANES).step_by(S::LANES) {
            says.read(simd, t, n, rtol, &column_norm, lambda, start);
        }
        let count = self.n_waiting.min(LANES);
        for (lane, &whose) in self.whose[..count].iter().enumerate() {
            found.rank[whose] = says.rank[lane] as u32;
            found.kept[whose] = says.kept[lane];
            if is_lost[lane] {
                found.budgeted[whose] = says.budgeted[lane];
            }
        }
        self.move_up(count);
    }

    /// Takes the first matrices, of trace 1 then, and gives their traces.
    #[inline(always)]
    fn scale<S: Simd<f64>>(&mut self, simd: S, n: usize) -> Lanes {
        let mut traces = [0.0; LANES];
        for start in (0..LANES).step_by(S::LANES) {
            let mut trace = simd.splat(f64::MIN_POSITIVE);
            for i in 0..n {
                trace = simd.add(trace, load(simd, &self.entries[at(i, i)], start));
            }
            store(simd, &mut traces, start, trace);
            let inverse = simd.div(simd.splat(1.0), trace);
            for (scaled, lanes) in self.matrices.iter_mut().zip(&self.entries) {
                let lanes = simd.mul(load(simd, lanes, start), inverse);
                store(simd, scaled, start, lanes);
            }
        }
        traces
    }

    /// Those behind the first `count` are the first now.
    #[inline(always)]
    fn move_up(&mut self, count: usize) {
        self.n_waiting -= count;
        if self.n_waiting > 0 {
            for lanes in &mut self.entries {
                lanes.copy_within(LANES.., 0);
            }
            self.whose.copy_within(LANES.., 0);
        }
    }
}

#[inline(always)]
fn norm<S: Simd<f64>>(simd: S, vectors: &[Lanes]) -> Lanes {
    let mut norm = [0.0; LANES];
    for start in (0..LANES).step_by(S::LANES) {
        let mut squares = simd.splat(0.0);
        for lanes in vectors {
            let x = load(simd, lanes, start);
            squares = simd.mul_add(x, x, squares);
        }
        store(simd, &mut norm, start, simd.sqrt(squares));
    }
    norm
}

/// What eigenvalues say of the matrices side by side.
#[derive(Default)]
struct Said {
    kept: Lanes,
    budgeted: Lanes,
    rank: Lanes,
}

impl Said {
    /// Adds the eigenvalues up for one vector of matrices; `lambda` in units of their traces, where it is asked for.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "all of one decomposition")]
    fn read<S: Simd<f64>>(
        &mut self,
        simd: S,
        t: &Tridiagonal,
        n: usize,
        rtol: f64,
        column_norm: &Lanes,
        lambda: Option<&Lanes>,
        start: usize,
    ) {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        let mut largest = zero;
        for d in &t.d {
            largest = simd.max(largest, load(simd, d, start));
        }
        let cut = simd.mul(simd.splat(rtol), largest);
        // Below this an eigenvalue is its own rounding.
        let noise = simd.mul(simd.splat(NOISE * n as f64), largest);
        let norm = load(simd, column_norm, start);
        let (mut kept, mut rank, mut budgeted) = (zero, zero, zero);
        for ((d, unit), column) in t.d.iter().zip(&t.unit).zip(&t.column) {
            let theta = load(simd, d, start);
            let resolved = simd.choose(noise, theta, theta, one);
            // v·e comes with an error of ε as it is, and of ε ‖M e‖/θ as v·(M e)/θ: the better of the two.
            let ratio = simd.div(load(simd, column, start), resolved);
            let along = simd.choose(norm, theta, ratio, load(simd, unit, start));
            let share = simd.mul(along, along);
            kept = simd.add(kept, simd.choose(cut, theta, share, zero));
            rank = simd.add(rank, simd.choose(cut, theta, one, zero));
            if let Some(lambda) = lambda {
                let all = simd.add(resolved, load(simd, lambda, start));
                let left = simd.div(simd.mul(share, resolved), all);
                budgeted = simd.add(budgeted, simd.choose(noise, theta, left, zero));
            }
        }
        // 1 to the last bit where all eigenvalues count.
        let below_full = simd.splat(n as f64 - 0.5);
        let kept = simd.choose(below_full, rank, one, simd.min(kept, one));
        store(simd, &mut self.kept, start, kept);
        store(simd, &mut self.rank, start, rank);
        store(simd, &mut self.budgeted, start, simd.min(budgeted, one));
    }
}
