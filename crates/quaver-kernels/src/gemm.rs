//! Matrix products on checked, strided views.

use crate::Scalar;

/// Whether a kernel overwrites its output or adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The output's old content is ignored.
    Overwrite,
    /// The result is added to what is there.
    Accumulate,
}

/// A read-only `rows × cols` matrix inside a slice.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// The row-major matrix that fills the start of `values`.
    ///
    /// # Panics
    /// If `values` is shorter than `rows * cols`.
    pub fn new(values: &'a [T], rows: usize, cols: usize) -> Self {
        assert!(
            rows * cols <= values.len(),
            "a {rows}×{cols} matrix needs more than {} values",
            values.len()
        );
        Self {
            values,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        }
    }

    /// The same values read as the transpose.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// C ← A B, or C ← C + A B. C is row-major and fills the start of `c`.
///
/// # Panics
/// If the shapes do not chain or `c` is too short.
pub fn gemm<T: Scalar>(c: &mut [T], mode: Mode, a: Matrix<'_, T>, b: Matrix<'_, T>) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "inner dimensions differ");
    assert!(
        m * n <= c.len(),
        "a {m}×{n} product needs more than {} values",
        c.len()
    );
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if mode == Mode::Overwrite {
            c[..m * n].fill(T::ZERO);
        }
        return;
    }
    let strides = |x: Matrix<'_, T>| (x.row_stride as isize, x.col_stride as isize);
    // SAFETY: `Matrix::new` checked that rows × cols values are there and transposition permutes them;
    // C was checked above and, being borrowed mutably, overlaps neither A nor B.
    unsafe {
        T::raw_gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            (n as isize, 1),
            mode == Mode::Accumulate,
            a.values.as_ptr(),
            strides(a),
            b.values.as_ptr(),
            strides(b),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(
        m: usize,
        n: usize,
        k: usize,
        a: impl Fn(usize, usize) -> f64,
        b: impl Fn(usize, usize) -> f64,
    ) -> Vec<f64> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                c[i * n + j] = (0..k).map(|l| a(i, l) * b(l, j)).sum();
            }
        }
        c
    }

    #[test]
    fn agrees_with_the_naive_loop_in_every_orientation() {
        for &(m, n, k) in &[(1, 1, 1), (3, 5, 7), (16, 33, 9), (10, 1, 64), (1, 17, 0)] {
            let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 0.3).cos()).collect();
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let view = |x, rows, cols, t| {
                    if t {
                        Matrix::new(x, cols, rows).transposed()
                    } else {
                        Matrix::new(x, rows, cols)
                    }
                };
                let want = naive(
                    m,
                    n,
                    k,
                    |i, l| if ta { a[l * m + i] } else { a[i * k + l] },
                    |l, j| if tb { b[j * k + l] } else { b[l * n + j] },
                );
                let mut c = vec![f64::NAN; m * n];
                gemm(
                    &mut c,
                    Mode::Overwrite,
                    view(&a, m, k, ta),
                    view(&b, k, n, tb),
                );
                let mut twice = c.clone();
                gemm(
                    &mut twice,
                    Mode::Accumulate,
                    view(&a, m, k, ta),
                    view(&b, k, n, tb),
                );
                for i in 0..m * n {
                    assert!((c[i] - want[i]).abs() < 1e-12, "{m}×{n}×{k} {ta} {tb}");
                    assert!((twice[i] - 2.0 * want[i]).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "inner dimensions differ")]
    fn mismatched_shapes_panic() {
        let a = [0.0f32; 6];
        gemm(
            &mut [0.0; 9],
            Mode::Overwrite,
            Matrix::new(&a, 3, 2),
            Matrix::new(&a, 3, 2),
        );
    }
}
