//! Vectors of either number type on whichever instruction set the machine turns out to have.
//!
//! A [`Kernel`] is written once against [`Simd`]; [`dispatch`] compiles it for every instruction set that the
//! `pulp` library covers (AVX-512, AVX2 with FMA, NEON), and for the target's baseline, and picks one at run time. Everything a
//! kernel calls must be `#[inline(always)]`: only inlined code is compiled with the wider instructions.

mod moves;

use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::Scalar;
pub use moves::Moves;

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// What every machine of the target has, without fused multiply–add: SSE2 on x86-64.
    Portable,
    /// What `pulp` finds best on a machine that is not x86-64: NEON on arm64.
    Native,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 (F, BW, CD, DQ, VL).
    Avx512,
}

impl Isa {
    /// The best that this machine has; looked up once.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| *Self::available().last().expect("portable code always runs"))
    }

    /// All that this machine has, the best last.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V3::try_new().is_some() {
                found.push(Self::Avx2);
            }
            if pulp::x86::V4::try_new().is_some() {
                found.push(Self::Avx512);
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        found.push(Self::Native);
        found
    }

    /// Whether it has [`Simd::moves`] of `T`.
    pub(crate) fn moves<T>(self) -> bool {
        self == Self::Avx512 && size_of::<T>() == 4
    }

    /// Elements of `T` in a vector.
    pub fn lanes<T>(self) -> usize {
        match self {
            #[cfg(not(target_arch = "x86_64"))]
            Self::Portable => 4,
            Self::Portable | Self::Native => 16 / size_of::<T>(),
            Self::Avx2 => 32 / size_of::<T>(),
            Self::Avx512 => 64 / size_of::<T>(),
        }
    }
}

/// Arithmetic on vectors of `T`.
pub trait Simd<T>: Copy {
    /// A vector.
    type V: Copy;
    /// Elements in a vector.
    const LANES: usize;
    /// Vector registers, of which a tile may fill all but a few.
    const REGISTERS: usize;

    fn splat(self, x: T) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `yes` where a < b, `no` elsewhere.
    fn choose(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The smaller of two numbers; either of them if one is none.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of two numbers; either of them if one is none.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a b + c, with one rounding where the machine does it so.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of all elements.
    fn sum(self, a: Self::V) -> T;

    /// False where there is none of [`Simd::moves`]: what asks for it first is not compiled in vain.
    const MAY_MOVE: bool = false;

    /// How elements of single precision are moved within vectors, where that takes single instructions. In double precision
    /// a vector has half as many, and less would be gained than there is to compile.
    #[inline(always)]
    fn moves(self) -> Option<Moves<Self::V>> {
        None
    }

    /// # Safety
    /// `LANES` elements from `at` on are readable; no alignment is asked for.
    #[inline(always)]
    unsafe fn load(self, at: *const T) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Self::V>().read_unaligned() }
    }

    /// # Safety
    /// `LANES` elements from `at` on are writable; no alignment is asked for.
    #[inline(always)]
    unsafe fn store(self, at: *mut T, x: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<Self::V>().write_unaligned(x) }
    }
}

/// A `pulp` instruction set, read as [`Simd`] of one number type.
#[derive(Clone, Copy)]
struct On<S>(S);

/// What every machine of the target has. A fused multiply–add would be a call to a slow library function here, so
/// a b + c is rounded twice.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// The 128-bit vectors that are part of x86-64. Written with the machine's own types: of arrays the compiler keeps
/// sums in memory, one instruction per element.
#[cfg(target_arch = "x86_64")]
mod baseline {
    use std::arch::x86_64::*;

    use super::{Portable, Simd};

    macro_rules! baseline {
        ($t:ty, $v:ty, $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $sqrt:ident, $less:ident, $and:ident, $andnot:ident, $or:ident, $min:ident, $max:ident) => {
            impl Simd<$t> for Portable {
                type V = $v;
                const LANES: usize = 16 / size_of::<$t>();
                const REGISTERS: usize = 16;

                #[inline(always)]
                fn splat(self, x: $t) -> $v {
                    // SAFETY: SSE2 is part of x86-64.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                fn add(self, a: $v, b: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $add(a, b) }
                }
                #[inline(always)]
                fn sub(self, a: $v, b: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $sub(a, b) }
                }
                #[inline(always)]
                fn mul(self, a: $v, b: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $mul(a, b) }
                }
                #[inline(always)]
                fn div(self, a: $v, b: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $div(a, b) }
                }
                #[inline(always)]
                fn sqrt(self, a: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $sqrt(a) }
                }
                #[inline(always)]
                fn choose(self, a: $v, b: $v, yes: $v, no: $v) -> $v {
                    // SAFETY: as above.
                    unsafe {
                        let mask = $less(a, b);
                        $or($and(mask, yes), $andnot(mask, no))
                    }
                }
                #[inline(always)]
                fn min(self, a: $v, b: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $min(a, b) }
                }
                #[inline(always)]
                fn max(self, a: $v, b: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $max(a, b) }
                }
                #[inline(always)]
                fn mul_add(self, a: $v, b: $v, c: $v) -> $v {
                    // SAFETY: as above.
                    unsafe { $add($mul(a, b), c) }
                }
                #[inline(always)]
                fn sum(self, a: $v) -> $t {
                    let mut elements = [0.0; 16 / size_of::<$t>()];
                    // SAFETY: as many as a vector has.
                    unsafe { self.store(elements.as_mut_ptr(), a) };
                    elements.iter().sum()
                }
            }
        };
    }

    baseline!(
        f32,
        __m128,
        _mm_set1_ps,
        _mm_add_ps,
        _mm_sub_ps,
        _mm_mul_ps,
        _mm_div_ps,
        _mm_sqrt_ps,
        _mm_cmplt_ps,
        _mm_and_ps,
        _mm_andnot_ps,
        _mm_or_ps,
        _mm_min_ps,
        _mm_max_ps
    );
    baseline!(
        f64,
        __m128d,
        _mm_set1_pd,
        _mm_add_pd,
        _mm_sub_pd,
        _mm_mul_pd,
        _mm_div_pd,
        _mm_sqrt_pd,
        _mm_cmplt_pd,
        _mm_and_pd,
        _mm_andnot_pd,
        _mm_or_pd,
        _mm_min_pd,
        _mm_max_pd
    );
}

/// Four elements, for the compiler to make of them what the machine has.
#[cfg(not(target_arch = "x86_64"))]
impl<T: Scalar> Simd<T> for Portable {
    type V = [T; 4];
    const LANES: usize = 4;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn splat(self, x: T) -> [T; 4] {
        [x; 4]
    }
    #[inline(always)]
    fn add(self, a: [T; 4], b: [T; 4]) -> [T; 4] {
        [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
    }
    #[inline(always)]
    fn sub(self, a: [T; 4], b: [T; 4]) -> [T; 4] {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
    }
    #[inline(always)]
    fn mul(self, a: [T; 4], b: [T; 4]) -> [T; 4] {
        [a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]]
    }
    #[inline(always)]
    fn div(self, a: [T; 4], b: [T; 4]) -> [T; 4] {
        [a[0] / b[0], a[1] / b[1], a[2] / b[2], a[3] / b[3]]
    }
    #[inline(always)]
    fn sqrt(self, a: [T; 4]) -> [T; 4] {
        a.map(T::sqrt)
    }
    #[inline(always)]
    fn choose(self, a: [T; 4], b: [T; 4], yes: [T; 4], no: [T; 4]) -> [T; 4] {
        std::array::from_fn(|at| if a[at] < b[at] { yes[at] } else { no[at] })
    }
    #[inline(always)]
    fn min(self, a: [T; 4], b: [T; 4]) -> [T; 4] {
        std::array::from_fn(|at| if a[at] < b[at] { a[at] } else { b[at] })
    }
    #[inline(always)]
    fn max(self, a: [T; 4], b: [T; 4]) -> [T; 4] {
        std::array::from_fn(|at| if a[at] > b[at] { a[at] } else { b[at] })
    }
    #[inline(always)]
    fn mul_add(self, a: [T; 4], b: [T; 4], c: [T; 4]) -> [T; 4] {
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn sum(self, a: [T; 4]) -> T {
        (a[0] + a[1]) + (a[2] + a[3])
    }
}

macro_rules! simd {
    ($t:ty, $v:ident, $lanes:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $sqrt:ident, $less:ident, $select:ident, $min:ident, $max:ident, $mul_add:ident, $sum:ident) => {
        impl<S: pulp::Simd> Simd<$t> for On<S> {
            type V = S::$v;
            const LANES: usize = S::$lanes;
            const REGISTERS: usize = S::REGISTER_COUNT;
            const MAY_MOVE: bool = S::$lanes == 16;

            #[inline(always)]
            fn splat(self, x: $t) -> S::$v {
                self.0.$splat(x)
            }
            #[inline(always)]
            fn add(self, a: S::$v, b: S::$v) -> S::$v {
                self.0.$add(a, b)
            }
            #[inline(always)]
            fn sub(self, a: S::$v, b: S::$v) -> S::$v {
                self.0.$sub(a, b)
            }
            #[inline(always)]
            fn mul(self, a: S::$v, b: S::$v) -> S::$v {
                self.0.$mul(a, b)
            }
            #[inline(always)]
            fn div(self, a: S::$v, b: S::$v) -> S::$v {
                self.0.$div(a, b)
            }
            #[inline(always)]
            fn sqrt(self, a: S::$v) -> S::$v {
                self.0.$sqrt(a)
            }
            #[inline(always)]
            fn choose(self, a: S::$v, b: S::$v, yes: S::$v, no: S::$v) -> S::$v {
                self.0.$select(self.0.$less(a, b), yes, no)
            }
            #[inline(always)]
            fn min(self, a: S::$v, b: S::$v) -> S::$v {
                self.0.$min(a, b)
            }
            #[inline(always)]
            fn max(self, a: S::$v, b: S::$v) -> S::$v {
                self.0.$max(a, b)
            }
            #[inline(always)]
            fn mul_add(self, a: S::$v, b: S::$v, c: S::$v) -> S::$v {
                self.0.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn sum(self, a: S::$v) -> $t {
                self.0.$sum(a)
            }
            #[inline(always)]
            fn moves(self) -> Option<Moves<S::$v>> {
                if <Self as Simd<$t>>::MAY_MOVE {
                    Moves::of(self.0)
                } else {
                    None
                }
            }
        }
    };
}

simd!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    sqrt_f32s,
    less_than_f32s,
    select_f32s,
    min_f32s,
    max_f32s,
    mul_add_f32s,
    reduce_sum_f32s
);
simd!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    sqrt_f64s,
    less_than_f64s,
    select_f64s,
    min_f64s,
    max_f64s,
    mul_add_f64s,
    reduce_sum_f64s
);

/// A computation on vectors of `T`, written once.
pub trait Kernel<T> {
    fn run<S: Simd<T>>(self, simd: S);
}

/// Hands a [`Kernel`] to `pulp`.
pub(crate) struct Adapter<K, T>(K, PhantomData<T>);

macro_rules! adapter {
    ($t:ty) => {
        impl<K: Kernel<$t>> pulp::WithSimd for Adapter<K, $t> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, simd: S) {
                self.0.run(On(simd));
            }
        }
    };
}

adapter!(f32);
adapter!(f64);

/// Runs `kernel` on `isa`.
pub(crate) fn dispatch<T: Scalar, K: Kernel<T>>(isa: Isa, kernel: K) {
    T::dispatch(isa, kernel);
}

/// [`dispatch`] for one number type.
pub(crate) fn vectorize<T: Scalar, K: Kernel<T>>(isa: Isa, kernel: K)
where
    Adapter<K, T>: pulp::WithSimd<Output = ()>,
    Portable: Simd<T>,
{
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 if let Some(simd) = pulp::x86::V4::try_new() => {
            pulp::Simd::vectorize(simd, Adapter(kernel, PhantomData));
        }
        Isa::Avx2 if let Some(simd) = pulp::x86::V3::try_new() => {
            pulp::Simd::vectorize(simd, Adapter(kernel, PhantomData));
        }
        _ => kernel.run(Portable),
    }
    #[cfg(not(target_arch = "x86_64"))]
    match isa {
        Isa::Native => pulp::Arch::new().dispatch(Adapter(kernel, PhantomData)),
        _ => kernel.run(Portable),
    }
}
