//! Two vectors as one of twice the length.

use crate::simd::Simd;

/// Twice the vectors of `S`: for long chains of dependent operations, of which two then run at once.
#[derive(Clone, Copy)]
pub(crate) struct Pair<S>(pub(crate) S);

impl<T, S: Simd<T>> Simd<T> for Pair<S> {
    type V = [S::V; 2];
    const LANES: usize = 2 * S::LANES;
    const REGISTERS: usize = S::REGISTERS / 2;

    #[inline(always)]
    fn splat(self, x: T) -> Self::V {
        let x = self.0.splat(x);
        [x, x]
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.add(a[0], b[0]), self.0.add(a[1], b[1])]
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.sub(a[0], b[0]), self.0.sub(a[1], b[1])]
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.mul(a[0], b[0]), self.0.mul(a[1], b[1])]
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.div(a[0], b[0]), self.0.div(a[1], b[1])]
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        [self.0.sqrt(a[0]), self.0.sqrt(a[1])]
    }
    #[inline(always)]
    fn choose(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        [
            self.0.choose(a[0], b[0], yes[0], no[0]),
            self.0.choose(a[1], b[1], yes[1], no[1]),
        ]
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.min(a[0], b[0]), self.0.min(a[1], b[1])]
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        [self.0.max(a[0], b[0]), self.0.max(a[1], b[1])]
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        [
            self.0.mul_add(a[0], b[0], c[0]),
            self.0.mul_add(a[1], b[1], c[1]),
        ]
    }
    #[inline(always)]
    fn sum(self, a: Self::V) -> T {
        self.0.sum(self.0.add(a[0], a[1]))
    }
}
