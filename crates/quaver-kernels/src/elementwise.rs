//! What a reverse pass does to cotangents between layers.

use crate::Scalar;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Sets 0xFF where x > 0, 0 elsewhere, and y ← max(x, 0); NaN passes through.
pub fn relu<T: Scalar>(x: &[T], y: &mut [T], mask: Option<&mut Vec<u8>>) {
    struct Job<'a, T>(&'a [T], &'a mut [T], Option<&'a mut Vec<u8>>);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, _: S) {
            for (y, &x) in self.1.iter_mut().zip(self.0) {
                *y = if x <= T::ZERO { T::ZERO } else { x };
            }
            if let Some(mask) = self.2 {
                mask.clear();
                mask.resize(self.0.len(), 0);
                for (mask, &x) in mask.iter_mut().zip(self.0) {
                    *mask = if x > T::ZERO { 0xFF } else { 0 };
                }
            }
        }
    }
    dispatch(Isa::best(), Job(x, y, mask));
}

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
    fn the_mask_is_the_slope_of_relu() {
        let x = [-1.0f32, 0.0, 2.0, f32::NAN, f32::MIN_POSITIVE];
        let (mut y, mut kept) = ([9.0; 5], Vec::new());
        relu(&x, &mut y, Some(&mut kept));
        assert_eq!(&y[..3], &[0.0, 0.0, 2.0]);
        assert!(y[3].is_nan());
        assert_eq!(kept, [0, 0, 0xFF, 0, 0xFF]);
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
