//! Inner products of Jacobian rows, accumulated in `f64` whatever the rows are.

use std::ops::Range;

use crate::Scalar;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Long rows are cut so that a stretch of all of them, in double precision, stays in the nearest cache.
const STRETCH: usize = 256;

/// Rows by as many rows are multiplied at once: nine sums stay in registers, and every number that is fetched is used
/// three times.
const SIDE: usize = 3;

/// No vector has more elements of double precision.
const MOST_LANES: usize = 8;

/// S ← J Jᵀ for `rows` of shape V × n; S is V × V, row-major, symmetric to the last bit.
///
/// Products and sums are `f64`: an `f32` Jacobian loses nothing more here.
///
/// # Panics
/// If the rows do not divide into V, or S is not V × V.
pub fn gram<T: Scalar>(rows: &[T], n_rows: usize, s: &mut [f64]) {
    s.fill(0.0);
    accumulate(rows, rows, n_rows, s);
}

/// S ← S + A Bᵀ for `a` and `b` of shape V × n whose product is known to be symmetric: half of it is computed.
///
/// # Panics
/// If the rows do not divide into V, or S is not V × V.
pub fn accumulate<T: Scalar>(a: &[T], b: &[T], n_rows: usize, s: &mut [f64]) {
    accumulate_scaled(a, b, n_rows, None, s);
}

/// Factors of the columns of a matrix, each of `each` columns that follow each other, repeating.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factors<'a, T> {
    pub values: &'a [T],
    pub each: usize,
}

impl<'a, T: Scalar> Factors<'a, T> {
    /// A slope as factors, if there is one.
    pub(crate) fn of(slope: Option<&'a [T]>, each: usize) -> Option<Self> {
        slope.map(|values| Self { values, each })
    }

    /// Those of the columns from `start` on.
    #[inline(always)]
    fn fill(&self, start: usize, into: &mut [f64]) {
        let mut at = 0;
        while at < into.len() {
            let column = start + at;
            let value = column / self.each % self.values.len();
            let rest = into[at..].iter_mut();
            if self.each == 1 {
                let run = rest.zip(&self.values[value..]);
                run.for_each(|(factor, value)| *factor = value.to_f64());
                at += self.values.len() - value;
            } else {
                let n = self.each - column % self.each;
                rest.take(n)
                    .for_each(|factor| *factor = self.values[value].to_f64());
                at += n;
            }
        }
    }
}

/// S ← S + A D (B D)ᵀ, D being diagonal: `factors`, or 1 where there are none. Otherwise as [`accumulate`].
pub(crate) fn accumulate_scaled<T: Scalar>(
    a: &[T],
    b: &[T],
    n_rows: usize,
    factors: Option<Factors<'_, T>>,
    s: &mut [f64],
) {
    assert_eq!(a.len(), b.len(), "rows of one length");
    assert_eq!(s.len(), n_rows * n_rows, "S is V × V");
    if n_rows == 0 || a.is_empty() {
        return;
    }
    assert!(a.len().is_multiple_of(n_rows), "rows of one length");
    let job = Job {
        a,
        b,
        n_rows,
        factors,
        s,
    };
    dispatch(Isa::best(), job);
}

struct Job<'a, T> {
    a: &'a [T],
    b: &'a [T],
    n_rows: usize,
    factors: Option<Factors<'a, T>>,
    s: &'a mut [f64],
}

impl<T: Scalar> Kernel<f64> for Job<'_, T> {
    #[inline(always)]
    fn run<S: Simd<f64>>(self, simd: S) {
        let Self {
            a,
            b,
            n_rows,
            factors,
            s,
        } = self;
        let n = a.len() / n_rows;
        let is_square = std::ptr::eq(a, b);
        // Rows that are not there, and elements behind the last, are zeros.
        let n_padded = n_rows.next_multiple_of(SIDE);
        let stride = STRETCH.min(n.next_multiple_of(MOST_LANES));
        let mut wide = vec![0.0; n_padded * stride * (1 + usize::from(!is_square))];
        let (wide_a, wide_b) = wide.split_at_mut(n_padded * stride);
        let mut by_column = [1.0; STRETCH];
        for start in (0..n).step_by(STRETCH) {
            let count = STRETCH.min(n - start);
            let stretch = start..start + count;
            if let Some(factors) = factors {
                factors.fill(start, &mut by_column[..count]);
                if !is_square {
                    // Those of A stand for those of B too.
                    by_column.iter_mut().for_each(|factor| *factor *= *factor);
                }
            }
            let by_column = factors.map(|_| &by_column);
            widen(a, n, stretch.clone(), by_column, wide_a, stride);
            if !is_square {
                widen(b, n, stretch, None, wide_b, stride);
            }
            let wide_b = if is_square { &*wide_a } else { &*wide_b };
            for i in (0..n_rows).step_by(SIDE) {
                for j in (0..=i).step_by(SIDE) {
                    let of =
                        |wide: &[f64], at: usize| wide[at * stride..][..SIDE * stride].as_ptr();
                    let (a, b) = (of(wide_a, i), of(wide_b, j));
                    // SAFETY: SIDE rows follow either, each a whole number of vectors that covers `count`.
                    let sums = unsafe { products(simd, a, b, stride, count.div_ceil(S::LANES)) };
                    for (k, sums) in sums.iter().enumerate().take(n_rows - i) {
                        for (l, sum) in sums.iter().enumerate().take(n_rows - j) {
                            s[(i + k) * n_rows + j + l] += sum;
                        }
                    }
                }
            }
        }
        for i in 0..n_rows {
            for j in 0..i {
                s[j * n_rows + i] = s[i * n_rows + j];
            }
        }
    }
}

/// A stretch of every row in double precision, times the factors of its columns, zeros behind it.
#[inline(always)]
fn widen<T: Scalar>(
    rows: &[T],
    n: usize,
    stretch: Range<usize>,
    factors: Option<&[f64; STRETCH]>,
    wide: &mut [f64],
    stride: usize,
) {
    for (row, wide) in rows.chunks_exact(n).zip(wide.chunks_exact_mut(stride)) {
        let wide_row = wide.iter_mut().zip(&row[stretch.clone()]);
        match factors {
            None => wide_row.for_each(|(wide, x)| *wide = x.to_f64()),
            Some(factors) => {
                let wide_row = wide_row.zip(factors);
                wide_row.for_each(|((wide, x), factor)| *wide = x.to_f64() * factor);
            }
        }
        wide[stretch.len()..].fill(0.0);
    }
}

/// The inner products of SIDE rows from `a` on with SIDE rows from `b` on.
///
/// # Safety
/// Rows are `stride` apart, and `n_vectors` whole vectors of each are readable.
#[inline(always)]
unsafe fn products<S: Simd<f64>>(
    simd: S,
    a: *const f64,
    b: *const f64,
    stride: usize,
    n_vectors: usize,
) -> [[f64; SIDE]; SIDE] {
    let mut sums = [[simd.splat(0.0); SIDE]; SIDE];
    for at in 0..n_vectors {
        // SAFETY: the caller's promise.
        unsafe {
            let at = at * S::LANES;
            let mut x = [simd.splat(0.0); SIDE];
            for (k, x) in x.iter_mut().enumerate() {
                *x = simd.load(a.add(k * stride + at));
            }
            for l in 0..SIDE {
                let y = simd.load(b.add(l * stride + at));
                for (sums, &x) in sums.iter_mut().zip(&x) {
                    sums[l] = simd.mul_add(x, y, sums[l]);
                }
            }
        }
    }
    let mut totals = [[0.0; SIDE]; SIDE];
    for (totals, sums) in totals.iter_mut().zip(sums) {
        for (total, sum) in totals.iter_mut().zip(sums) {
            let mut lanes = [0.0; MOST_LANES];
            // SAFETY: no vector has more elements.
            unsafe { simd.store(lanes.as_mut_ptr(), sum) };
            *total = lanes[..S::LANES].iter().sum();
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition() {
        for &(v, n) in &[(1, 1), (3, 7), (9, 1500), (4, 512), (5, 0)] {
            let rows: Vec<f32> = (0..v * n).map(|i| (i as f32 * 0.37).sin()).collect();
            let mut s = vec![f64::NAN; v * v];
            gram(&rows, v, &mut s);
            for i in 0..v {
                for j in 0..v {
                    let want: f64 = (0..n)
                        .map(|t| f64::from(rows[i * n + t]) * f64::from(rows[j * n + t]))
                        .sum();
                    assert!((s[i * v + j] - want).abs() <= 1e-12 * (1.0 + want.abs()));
                    assert_eq!(s[i * v + j].to_bits(), s[j * v + i].to_bits());
                }
            }
        }
    }

    #[test]
    fn factors_repeat_over_columns() {
        let (v, values) = (4, [0.5, -2.0, 3.0]);
        for each in [1, 5, 200] {
            let n = 2 * each * values.len();
            let rows: Vec<f64> = (0..v * n).map(|i| (i as f64 * 0.37).sin()).collect();
            let factor = |at: usize| values[at % n / each % values.len()];
            let scaled: Vec<f64> = (0..v * n).map(|at| rows[at] * factor(at)).collect();
            let (mut want, mut found) = (vec![1.0; v * v], vec![1.0; v * v]);
            accumulate(&scaled, &scaled, v, &mut want);
            let factors = Factors {
                values: &values,
                each,
            };
            accumulate_scaled(&rows, &rows, v, Some(factors), &mut found);
            for (want, found) in want.iter().zip(&found) {
                assert!((want - found).abs() < 1e-12 * n as f64);
            }
        }
    }
}
