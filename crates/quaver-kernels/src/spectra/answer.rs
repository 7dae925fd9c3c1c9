//! What factors say of a row of matrices, and whom they leave to be decomposed.

use super::factor::{Entry, Matrices, Pivots, pivots};
use super::{LANES, Lanes, RESOLVED, Spectra, at, load, n_packed, store};
use crate::simd::Simd;

impl Spectra {
    #[inline(always)]
    pub(super) fn answer<S: Simd<f64>>(&mut self, simd: S, n: usize, planes: &[f64], first: usize) {
        let width = self.width(planes);
        let (rtol, lambda) = (self.question.resolved_rtol(n), self.question.lambda);
        let mut pair = std::mem::take(&mut self.pair);
        pair.resize(n_packed(n) + n, Entry::ZERO);
        let (rest, column) = pair.split_at_mut(n_packed(n));
        for part in Part::all(planes, width, first) {
            let matrices = if part.count == LANES {
                Matrices::new(&planes[part.start..], width)
            } else {
                for (lanes, plane) in self.few.iter_mut().zip(planes.chunks_exact(width)) {
                    *lanes = part.lanes(plane);
                }
                Matrices::new(self.few.as_flattened(), LANES)
            };
            let traces = matrices.traces(simd, n);
            let cut = scaled(simd, -rtol, &traces);
            let shifts = Entry([[lambda; LANES], cut]);
            let Pivots { last, mut least } = pivots(simd, matrices, n, &shifts, rest, column);
            let mut found = Found::default();
            for at in (0..LANES).step_by(S::LANES) {
                let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
                let left = simd.max(load(simd, &last.0[0], at), zero);
                // Where nothing is left there is nothing to divide, whatever λ.
                let all = simd.add(left, simd.splat(lambda));
                let share = simd.div(left, simd.choose(zero, left, all, one));
                store(simd, &mut found.budgeted, at, share);
                store(simd, &mut found.kept, at, one);
                let end = simd.add(load(simd, &last.0[1], at), load(simd, &cut, at));
                let lesser = simd.min(load(simd, &least.0[1], at), end);
                store(simd, &mut least.0[1], at, lesser);
            }
            found.settle(simd, &traces, &least.0[1], lambda);
            self.conclude(simd, n, n as u32, &found, part);
        }
        self.pair = pair;
    }

    #[inline(always)]
    pub(super) fn answer_few<S: Simd<f64>>(
        &mut self,
        simd: S,
        (n, m): (usize, usize),
        vectors: &[Vec<f64>],
        planes: &[f64],
        first: usize,
    ) {
        let width = self.width(planes);
        let (rtol, lambda) = (self.question.resolved_rtol(n), self.question.lambda);
        let mut triple = std::mem::take(&mut self.triple);
        triple.resize(n_packed(m + 1) + m + 1, Entry::ZERO);
        let (rest, column) = triple.split_at_mut(n_packed(m + 1));
        let mut bordered = std::mem::take(&mut self.bordered);
        bordered.resize(n_packed(m + 1), [0.0; LANES]);
        for part in Part::all(planes, width, first) {
            let lanes = |vector: &[f64], at: usize| part.lanes(&vector[at * width..][..width]);
            for i in 0..m {
                for j in 0..=i {
                    let mut sum = [0.0; LANES];
                    for at in 0..n {
                        let (a, b) = (lanes(&vectors[i], at), lanes(&vectors[j], at));
                        for lane in 0..LANES {
                            sum[lane] += a[lane] * b[lane];
                        }
                    }
                    bordered[at(i, j)] = sum;
                }
                bordered[at(m, i)] = lanes(&vectors[i], n - 1);
            }
            bordered[at(m, m)] = [0.0; LANES];
            let matrices = Matrices::new(bordered.as_flattened(), LANES);
            let traces = matrices.traces(simd, m);
            let cut = scaled(simd, -rtol, &traces);
            let shifts = Entry([[lambda; LANES], cut, [0.0; LANES]]);
            let Pivots { last, least } = pivots(simd, matrices, m + 1, &shifts, rest, column);
            let mut found = Found::default();
            for at in (0..LANES).step_by(S::LANES) {
                let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
                for (shares, last) in [
                    (&mut found.kept, &last.0[2]),
                    (&mut found.budgeted, &last.0[0]),
                ] {
                    let share = simd.sub(zero, load(simd, last, at));
                    store(simd, shares, at, simd.min(simd.max(share, zero), one));
                }
            }
            found.settle(simd, &traces, &least.0[1], lambda);
            self.conclude(simd, n, m as u32, &found, part);
        }
        (self.triple, self.bordered) = (triple, bordered);
    }

    /// Takes what the factors say of a part of a row, where what moves is of rank `rank` unless it is open.
    #[inline(always)]
    fn conclude<S: Simd<f64>>(
        &mut self,
        simd: S,
        n: usize,
        rank: u32,
        found: &Found,
        part: Part<'_>,
    ) {
        for lane in 0..part.count {
            let moves = found.moves[lane];
            let rank = if moves > 0.0 { rank } else { 0 };
            let (kept, budgeted) = (moves * found.kept[lane], moves * found.budgeted[lane]);
            self.found.set(part.number(lane), kept, budgeted, rank);
        }
        let n_open: f64 = found.is_open[..part.count].iter().sum();
        if n_open == LANES as f64 {
            self.pending.push_all(part);
        } else if n_open > 0.0 {
            for (lane, &is_open) in found.is_open[..part.count].iter().enumerate() {
                if is_open > 0.0 {
                    self.pending.push(part, lane);
                }
            }
        }
        if self.pending.is_full() {
            self.pending
                .decompose(simd, n, self.question, &mut self.found);
        }
    }
}

/// What the factors say of the matrices side by side.
#[derive(Default)]
struct Found {
    kept: Lanes,
    budgeted: Lanes,
    /// 1 where the matrix is not zero, 0 elsewhere.
    moves: Lanes,
    /// 1 where it has to be decomposed.
    is_open: Lanes,
}

impl Found {
    /// Matrices whose `least` pivot is positive have no eigenvalue below the cut; the others are open, and those where λ is
    /// lost in rounding.
    #[inline(always)]
    fn settle<S: Simd<f64>>(&mut self, simd: S, traces: &Lanes, least: &Lanes, lambda: f64) {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        for at in (0..LANES).step_by(S::LANES) {
            let trace = load(simd, traces, at);
            let moves = simd.choose(zero, trace, one, zero);
            let lost = simd.mul(simd.splat(RESOLVED), trace);
            let open = simd.choose(zero, load(simd, least, at), zero, moves);
            let open = simd.choose(simd.splat(lambda), lost, moves, open);
            store(simd, &mut self.moves, at, moves);
            store(simd, &mut self.is_open, at, open);
        }
    }
}

#[inline(always)]
fn scaled<S: Simd<f64>>(simd: S, by: f64, lanes: &Lanes) -> Lanes {
    let mut scaled = [0.0; LANES];
    for start in (0..LANES).step_by(S::LANES) {
        let product = simd.mul(simd.splat(by), load(simd, lanes, start));
        store(simd, &mut scaled, start, product);
    }
    scaled
}

/// Up to [`LANES`] matrices of a row.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    planes: &'a [f64],
    width: usize,
    /// The first, in the row.
    start: usize,
    count: usize,
    /// The first, among all matrices.
    first: usize,
}

impl<'a> Part<'a> {
    /// The parts of a row whose first matrix is number `first` of all.
    fn all(planes: &'a [f64], width: usize, first: usize) -> impl Iterator<Item = Self> {
        (0..width).step_by(LANES).map(move |start| Self {
            planes,
            width,
            start,
            count: LANES.min(width - start),
            first: first + start,
        })
    }

    /// The numbers of these matrices in a row of one entry, and zeros.
    #[inline(always)]
    fn lanes(&self, row: &[f64]) -> Lanes {
        let values = &row[self.start..self.start + self.count];
        if let Ok(lanes) = values.try_into() {
            return lanes;
        }
        let mut lanes = [0.0; LANES];
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = *value;
        }
        lanes
    }

    /// Rows of numbers, entry by entry, that start with these matrices.
    #[inline(always)]
    pub(super) fn entries(&self) -> impl Iterator<Item = &'a [f64]> {
        let start = self.start;
        let rows = self.planes.chunks_exact(self.width);
        rows.map(move |row| &row[start..])
    }

    /// The number of a matrix among all.
    #[inline(always)]
    pub(super) fn number(&self, lane: usize) -> usize {
        self.first + lane
    }
}
