//! What a reverse pass does to cotangents between layers.

use crate::Scalar;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Zeroes the elements of g (V × mask) where the mask is 0.
pub fn mask<T: Scalar>(g: &mut [T], mask: &[u8]) {
    struct Job<'a, T>(&'a mut [T], &'a [u8]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            for g in self.0.chunks_exact_mut(self.1.len().max(1)) {
                for (g, &keep) in g.iter_mut().zip(self.1) {
                    *g = g.masked(keep);
                }
            }
        }
    }
    dispatch(Isa::best(), Job(g, mask));
}

/// total ← total + g.
///
/// # Panics
/// If the lengths differ.
pub fn add<T: Scalar>(total: &mut [T], g: &[T]) {
    struct Job<'a, T>(&'a mut [T], &'a [T]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            for (total, &g) in self.0.iter_mut().zip(self.1) {
                *total += g;
            }
        }
    }
    assert_eq!(total.len(), g.len(), "sums of one length");
    dispatch(Isa::best(), Job(total, g));
}

/// y ← x · scale + shift, with scale and shift repeating.
pub fn affine<T: Scalar>(x: &[T], y: &mut [T], scale: &[T], shift: &[T]) {
    struct Job<'a, T>(&'a [T], &'a mut [T], &'a [T], &'a [T]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            let Job(x, y, scale, shift) = self;
            let n = scale.len().max(1);
            for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
                for (((y, &x), &scale), &shift) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                    *y = x * scale + shift;
                }
            }
        }
    }
    dispatch(Isa::best(), Job(x, y, scale, shift));
}

/// g ← g · scale, with scale repeating.
pub fn scale<T: Scalar>(g: &mut [T], scale: &[T]) {
    struct Job<'a, T>(&'a mut [T], &'a [T]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            for g in self.0.chunks_exact_mut(self.1.len().max(1)) {
                for (g, &scale) in g.iter_mut().zip(self.1) {
                    *g *= scale;
                }
            }
        }
    }
    dispatch(Isa::best(), Job(g, scale));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_selects_and_lets_no_infinity_through() {
        let kept = [0, 0, 0xFF, 0, 0xFF];
        let mut g = [f32::INFINITY, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        mask(&mut g, &kept);
        assert_eq!(g, [0.0, 0.0, 2.0, 0.0, 4.0, 0.0, 0.0, 7.0, 0.0, 9.0]);
    }

    #[test]
    fn repeating_factors_repeat() {
        let mut y = [0.0f64; 4];
        affine(&[1.0, 2.0, 3.0, 4.0], &mut y, &[2.0, 3.0], &[0.5, 0.0]);
        assert_eq!(y, [2.5, 6.0, 6.5, 12.0]);
        scale(&mut y, &[2.0, 0.0]);
        add(&mut y, &[1.0; 4]);
        assert_eq!(y, [6.0, 1.0, 14.0, 1.0]);
    }
}
