//! Inner products of Jacobian rows, accumulated in `f64` whatever the rows are.

use crate::Scalar;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Long rows are cut so that a stretch of all V of them stays in the nearest cache.
const STRETCH: usize = 512;

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
    struct Job<'a, T>(&'a [T], &'a [T], usize, &'a mut [f64]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            add_products(self.0, self.1, self.2, self.3);
        }
    }
    assert_eq!(a.len(), b.len(), "rows of one length");
    assert_eq!(s.len(), n_rows * n_rows, "S is V × V");
    dispatch(Isa::best(), Job(a, b, n_rows, s));
}

#[inline(always)]
fn add_products<T: Scalar>(rows: &[T], others: &[T], n_rows: usize, s: &mut [f64]) {
    if n_rows == 0 || rows.is_empty() {
        return;
    }
    assert!(rows.len().is_multiple_of(n_rows), "rows of one length");
    let n = rows.len() / n_rows;
    for start in (0..n).step_by(STRETCH) {
        let end = (start + STRETCH).min(n);
        for i in 0..n_rows {
            let a = &rows[i * n + start..i * n + end];
            for j in 0..=i {
                let b = &others[j * n + start..j * n + end];
                s[i * n_rows + j] += dot(a, b);
            }
        }
    }
    for i in 0..n_rows {
        for j in 0..i {
            s[j * n_rows + i] = s[i * n_rows + j];
        }
    }
}

/// Σ aᵢ bᵢ in `f64`, in eight independent sums so that the machine can overlap them; always in the same order.
#[inline(always)]
fn dot<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for lane in 0..8 {
            sums[lane] += a[lane].to_f64() * b[lane].to_f64();
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(a, b)| a.to_f64() * b.to_f64())
        .sum();
    sums.iter().sum::<f64>() + rest
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
}
