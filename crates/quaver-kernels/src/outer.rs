//! Outer products of many short vectors at once.

use crate::Scalar;
use crate::moving::Padded;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Some coordinates of a Jacobian: `width` of them from `start` on, `step` apart, out of rows of length `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The length of a row.
    pub n: usize,
    /// The first coordinate.
    pub start: usize,
    /// From one coordinate to the next.
    pub step: usize,
    /// How many coordinates.
    pub width: usize,
}

/// `vectors` (V × width) ← A J over a stretch of the coordinates of J (V × n), A (V × V) row-major.
///
/// # Panics
/// If the stretch leaves J, A is not V × V, or `vectors` is not V × width.
pub fn transformed<T: Scalar>(
    a: &[f64],
    jacobian: &[T],
    stretch: Stretch,
    gathered: &mut Vec<f64>,
    vectors: &mut [f64],
) {
    struct Job<'a>(&'a [f64], &'a [f64], usize, &'a mut [f64]);
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, _: S) {
            let Job(a, x, width, vectors) = self;
            let n_rows = x.len() / width;
            for (a, vector) in a.chunks_exact(n_rows).zip(vectors.chunks_exact_mut(width)) {
                vector.fill(0.0);
                for (a, x) in a.iter().zip(x.chunks_exact(width)) {
                    for (sum, x) in vector.iter_mut().zip(x) {
                        *sum += a * x;
                    }
                }
            }
        }
    }
    let Stretch {
        n,
        start,
        step,
        width,
    } = stretch;
    assert!(jacobian.len().is_multiple_of(n), "rows of one length");
    let n_rows = jacobian.len() / n;
    assert_eq!(a.len(), n_rows * n_rows, "A is V × V");
    assert_eq!(vectors.len(), n_rows * width, "vectors are V × width");
    gathered.clear();
    for row in jacobian.chunks_exact(n) {
        let values = row[start..].iter();
        match step {
            1 => gathered.extend(values.take(width).map(|x| x.to_f64())),
            _ => gathered.extend(values.step_by(step).take(width).map(|x| x.to_f64())),
        }
    }
    assert_eq!(gathered.len(), n_rows * width, "the stretch lies in a row");
    dispatch(Isa::best(), Job(a, gathered, width, vectors));
}

/// `planes` (V (V + 1)/2 rows) ← the lower triangles of f fᵀ for the columns f of `vectors` (V × width), entry by
/// entry as [`Spectra`](crate::spectra::Spectra) reads them, but padded. What lies around the rows stays as it is.
///
/// # Panics
/// If the lengths do not fit.
pub fn products(vectors: &[f64], shape: Padded, planes: &mut [f64]) {
    struct Job<'a>(&'a [f64], Padded, &'a mut [f64]);
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, _: S) {
            let Job(vectors, shape, planes) = self;
            let mut planes = planes.chunks_exact_mut(shape.pitch());
            for (i, a) in vectors.chunks_exact(shape.width).enumerate() {
                let others = vectors.chunks_exact(shape.width).take(i + 1);
                for (b, plane) in others.zip(&mut planes) {
                    let plane = &mut plane[shape.margin..][..shape.width];
                    for ((product, a), b) in plane.iter_mut().zip(a).zip(b) {
                        *product = a * b;
                    }
                }
            }
        }
    }
    let n = vectors.len() / shape.width;
    assert_eq!(planes.len(), crate::spectra::n_packed(n) * shape.pitch());
    dispatch(Isa::best(), Job(vectors, shape, planes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition() {
        let (v, n) = (3, 20);
        let jacobian: Vec<f32> = (0..v * n).map(|i| (i as f32 * 0.37).sin()).collect();
        let a: Vec<f64> = (0..v * v).map(|i| (i as f64 * 1.3).cos()).collect();
        let stretch = Stretch {
            n,
            start: 2,
            step: 3,
            width: 5,
        };
        let shape = Padded {
            width: 5,
            margin: 2,
        };
        let (mut vectors, mut planes) = (vec![0.0; v * 5], vec![0.5; 6 * shape.pitch()]);
        transformed(&a, &jacobian, stretch, &mut Vec::new(), &mut vectors);
        products(&vectors, shape, &mut planes);
        for row in planes.chunks_exact(shape.pitch()) {
            assert!(row[..2].iter().chain(&row[7..]).all(|&x| x == 0.5));
        }
        for x in 0..5 {
            let f: Vec<f64> = (0..v)
                .map(|i| {
                    let entry = |j: usize| f64::from(jacobian[j * n + 2 + 3 * x]);
                    (0..v).map(|j| a[i * v + j] * entry(j)).sum()
                })
                .collect();
            for i in 0..v {
                assert!((vectors[i * 5 + x] - f[i]).abs() < 1e-14);
                for j in 0..=i {
                    let found = planes[(i * (i + 1) / 2 + j) * shape.pitch() + 2 + x];
                    assert!((found - f[i] * f[j]).abs() < 1e-14);
                }
            }
        }
    }
}
