//! The two number types the kernels run on.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// `f32` or `f64`. Sealed: kernels are written and tested for these two only.
pub trait Scalar:
    sealed::Sealed
    + Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + MulAssign
    + Sum
    + 'static
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Minus infinity, the neutral element of `max`.
    const NEG_INFINITY: Self;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
    /// The same value, exactly.
    fn to_f64(self) -> f64;
    /// e to the power of `self`.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The absolute value.
    fn abs(self) -> Self;
    /// Neither NaN nor infinite.
    fn is_finite(self) -> bool;
    /// `self` to a real power.
    fn powf(self, exponent: Self) -> Self;
    /// `self` where `keep` is 0xFF, zero where it is 0: a select that vectorises and lets no infinity through.
    fn masked(self, keep: u8) -> Self;

    /// Single-threaded C ← αAB + βC on raw strided matrices; see [`crate::gemm::gemm`] for the checked form.
    ///
    /// # Safety
    /// As `gemm::gemm`: every element addressed by the shapes and strides lies in the matrices' allocations,
    /// and C overlaps neither A nor B.
    #[doc(hidden)]
    #[expect(clippy::too_many_arguments)]
    unsafe fn raw_gemm(
        m: usize,
        n: usize,
        k: usize,
        c: *mut Self,
        c_strides: (isize, isize),
        accumulate: bool,
        a: *const Self,
        a_strides: (isize, isize),
        b: *const Self,
        b_strides: (isize, isize),
    );
}

mod sealed {
    use crate::simd::{Isa, Kernel, vectorize};

    /// Keeps [`super::Scalar`] to these two types, and ties each to its vectors.
    pub trait Sealed: Sized {
        fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K);
    }

    impl Sealed for f32 {
        fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) {
            vectorize(isa, kernel);
        }
    }

    impl Sealed for f64 {
        fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) {
            vectorize(isa, kernel);
        }
    }
}

macro_rules! scalar {
    ($t:ty, $bits:ty) => {
        impl Scalar for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEG_INFINITY: Self = <$t>::NEG_INFINITY;

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn exp(self) -> Self {
                <$t>::exp(self)
            }
            #[inline]
            fn ln(self) -> Self {
                <$t>::ln(self)
            }
            #[inline]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline]
            fn tanh(self) -> Self {
                <$t>::tanh(self)
            }
            #[inline]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }
            fn is_finite(self) -> bool {
                <$t>::is_finite(self)
            }
            #[inline]
            fn powf(self, exponent: Self) -> Self {
                <$t>::powf(self, exponent)
            }
            #[inline(always)]
            fn masked(self, keep: u8) -> Self {
                <$t>::from_bits(self.to_bits() & <$bits>::from_ne_bytes([keep; size_of::<$bits>()]))
            }

            unsafe fn raw_gemm(
                m: usize,
                n: usize,
                k: usize,
                c: *mut Self,
                (c_row, c_col): (isize, isize),
                accumulate: bool,
                a: *const Self,
                (a_row, a_col): (isize, isize),
                b: *const Self,
                (b_row, b_col): (isize, isize),
            ) {
                // The gemm crate computes C ← alpha·C + beta·A·B, and reads C only if told to.
                // SAFETY: the caller's promise is the one gemm asks for.
                unsafe {
                    gemm::gemm(
                        m,
                        n,
                        k,
                        c,
                        c_col,
                        c_row,
                        accumulate,
                        a,
                        a_col,
                        a_row,
                        b,
                        b_col,
                        b_row,
                        Self::ONE,
                        Self::ONE,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            }
        }
    };
}

scalar!(f32, u32);
scalar!(f64, u64);
