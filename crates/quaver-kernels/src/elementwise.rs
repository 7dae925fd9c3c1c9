//! What a reverse pass does to cotangents between layers.

use crate::Scalar;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// What the elements of a cotangent are multiplied by, repeating where the cotangent is longer.
#[derive(Debug, Clone, Copy)]
pub enum Slopes<'a, T> {
    /// 1 where the byte is 0xFF and 0 where it is 0. Selected rather than multiplied, so that an infinite cotangent does not
    /// become NaN.
    Bits(&'a [u8]),
    /// Any numbers.
    Factors(&'a [T]),
}

impl<T: Scalar> Slopes<'_, T> {
    /// g ← the slopes times g, a stretch that begins at element `start` of a cotangent.
    pub fn apply(self, start: usize, g: &mut [T]) {
        match self {
            Slopes::Bits(bits) => each_period(bits, start, g, mask),
            Slopes::Factors(factors) => each_period(factors, start, g, scale),
        }
    }
}

/// Runs `act` on the part of g before the first whole repetition, on whole repetitions, and on what is left.
fn each_period<T, F>(repeating: &[F], start: usize, g: &mut [T], act: impl Fn(&mut [T], &[F])) {
    let n = repeating.len().max(1);
    let at = start % n;
    let (head, g) = g.split_at_mut(if at == 0 { 0 } else { g.len().min(n - at) });
    let (whole, tail) = g.split_at_mut(g.len() - g.len() % n);
    if !head.is_empty() {
        act(head, &repeating[at..][..head.len()]);
    }
    if !whole.is_empty() {
        act(whole, repeating);
    }
    if !tail.is_empty() {
        act(tail, &repeating[..tail.len()]);
    }
}

/// Zeroes the elements of g (V × mask) where the mask is 0.
fn mask<T: Scalar>(g: &mut [T], mask: &[u8]) {
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
fn scale<T: Scalar>(g: &mut [T], scale: &[T]) {
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

    /// Wherever a stretch begins and ends, it is scaled as it would be as a part of the whole.
    #[test]
    fn a_stretch_is_scaled_as_in_the_whole() {
        let (factors, bits) = ([2.0, 3.0, 5.0], [0xFF, 0, 0xFF]);
        for slopes in [Slopes::Factors(&factors), Slopes::Bits(&bits)] {
            let all: Vec<f64> = (1..=11).map(f64::from).collect();
            let want: Vec<f64> = (0..11)
                .map(|at| match slopes {
                    Slopes::Factors(f) => all[at] * f[at % 3],
                    Slopes::Bits(b) => all[at] * f64::from(b[at % 3] & 1),
                })
                .collect();
            for start in 0..11 {
                for end in start..=11 {
                    let mut g = all[start..end].to_vec();
                    slopes.apply(start, &mut g);
                    assert_eq!(g, want[start..end], "{slopes:?} {start}..{end}");
                }
            }
        }
    }
}
