//! Sums of cotangents over positions: the gradients of what a layer adds to its channels and multiplies them by.

use crate::Scalar;
use crate::gram::{Factors, accumulate_scaled};
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// S (V × V) ← S + the class Gram of a bias: of the cotangents gy (V × T × O) summed over positions; those of output o times
/// `slope[o]`, if that is given.
pub fn bias_gram<T: Scalar>(
    outputs: usize,
    v: usize,
    gy: &[T],
    slope: Option<&[T]>,
    s: &mut [f64],
) {
    let mut rows = vec![T::ZERO; v * outputs];
    bias_rows(outputs, gy, &mut rows);
    accumulate_scaled(&rows, &rows, v, Factors::of(slope, 1), s);
}

/// rows (V × O) ← rows + the cotangents gy (V × T × O) summed over positions.
pub fn bias_rows<T: Scalar>(outputs: usize, gy: &[T], rows: &mut [T]) {
    struct Job<'a, T>(usize, &'a [T], &'a mut [T]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            let Job(o, gy, rows) = self;
            let n_rows = rows.len() / o;
            let of_cotangents = gy.chunks_exact(gy.len() / n_rows);
            for (row, gy) in rows.chunks_exact_mut(o).zip(of_cotangents) {
                for line in gy.chunks_exact(o) {
                    row.iter_mut().zip(line).for_each(|(row, &g)| *row += g);
                }
            }
        }
    }
    if outputs > 0 && !rows.is_empty() {
        dispatch(Isa::best(), Job(outputs, gy, rows));
    }
}

/// `sums` (V × O) ← `sums` + the cotangents gy (V × T × O) summed over positions, and `products` (V × O) ← `products` + the same,
/// each times x (T × O): gy is read once for both.
///
/// # Panics
/// If the lengths do not fit.
pub fn affine_rows<T: Scalar>(
    outputs: usize,
    x: &[T],
    gy: &[T],
    sums: &mut [T],
    products: &mut [T],
) {
    struct Job<'a, T>(usize, &'a [T], &'a [T], &'a mut [T], &'a mut [T]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            let Job(o, x, gy, sums, products) = self;
            let rows = sums.chunks_exact_mut(o).zip(products.chunks_exact_mut(o));
            for ((sum, product), gy) in rows.zip(gy.chunks_exact(x.len())) {
                for (line, x) in gy.chunks_exact(o).zip(x.chunks_exact(o)) {
                    let found = sum.iter_mut().zip(product.iter_mut());
                    for ((sum, product), (&g, &x)) in found.zip(line.iter().zip(x)) {
                        *sum += g;
                        *product += g * x;
                    }
                }
            }
        }
    }
    assert!(
        sums.len() == products.len() && gy.len() * outputs == sums.len() * x.len(),
        "V cotangents of as many positions as are read"
    );
    if outputs > 0 && !x.is_empty() {
        dispatch(Isa::best(), Job(outputs, x, gy, sums, products));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_sees_the_sum_over_positions() {
        let gy = [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0];
        let mut s = [0.0; 4];
        bias_gram(2, 2, &gy, None, &mut s);
        assert_eq!(s, [52.0, 520.0, 520.0, 5200.0]);
    }

    #[test]
    fn sums_and_products_agree_with_the_definition() {
        for (v, t, o) in [(1, 1, 3), (3, 4, 5), (2, 11, 17), (9, 6, 32), (2, 0, 3)] {
            let wave = |n: usize, step: f64| -> Vec<f64> {
                (0..n).map(|i| (i as f64 * step).sin()).collect()
            };
            let (x, gy) = (wave(t * o, 0.7), wave(v * t * o, 0.3));
            // Added to what is there.
            let (mut alone, mut sums, mut products) =
                (vec![1.0; v * o], vec![1.0; v * o], vec![2.0; v * o]);
            if t > 0 {
                bias_rows(o, &gy, &mut alone);
            }
            affine_rows(o, &x, &gy, &mut sums, &mut products);
            for at in 0..v * o {
                let (k, channel) = (at / o, at % o);
                let g = |position: usize| gy[(k * t + position) * o + channel];
                let sum: f64 = (0..t).map(g).sum();
                let product: f64 = (0..t).map(|p| g(p) * x[p * o + channel]).sum();
                assert!((sums[at] - 1.0 - sum).abs() < 1e-13);
                assert!((alone[at] - 1.0 - sum).abs() < 1e-13);
                assert!((products[at] - 2.0 - product).abs() < 1e-13);
            }
        }
    }
}
