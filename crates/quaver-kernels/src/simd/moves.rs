//! Elements of vectors, found and moved: what only some instruction sets do by single instructions.

use std::any::TypeId;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::marker::PhantomData;
use std::mem::transmute_copy;

/// What there is one of for an instruction set that has them, and for no other.
#[cfg(target_arch = "x86_64")]
type Proof = pulp::x86::V4;
#[cfg(not(target_arch = "x86_64"))]
type Proof = std::convert::Infallible;

/// The moves of vectors `V` of 16 elements of four bytes. Places are indices of elements, as many as a vector has, and lie in a
/// vector themselves; bits stand for elements, the lowest for the first.
#[derive(Clone, Copy)]
pub struct Moves<V>(Proof, PhantomData<V>);

/// By AVX-512.
macro_rules! machine {
    ($self:ident, $move:expr) => {{
        #[cfg(target_arch = "x86_64")]
        // SAFETY: there is a proof that the machine has AVX-512, whose vectors V is.
        unsafe {
            $move
        }
        #[cfg(not(target_arch = "x86_64"))]
        match $self.0 {}
    }};
}

impl<V: Copy> Moves<V> {
    /// Those of `simd`, an instruction set of pulp's whose vectors of four bytes an element are `V`, if it has them.
    #[inline(always)]
    pub(super) fn of<S: pulp::Simd>(simd: S) -> Option<Self> {
        // SAFETY: of the same type.
        let proof = || unsafe { transmute_copy::<S, Proof>(&simd) };
        (TypeId::of::<S>() == TypeId::of::<Proof>()).then(|| Self(proof(), PhantomData))
    }

    /// Which of 16 bytes are not zero, from `bytes` on.
    ///
    /// # Safety
    /// So many are readable.
    #[inline(always)]
    pub unsafe fn bytes(self, bytes: *const u8) -> u16 {
        machine!(self, {
            let x = _mm_loadu_si128(bytes.cast());
            _mm_test_epi8_mask(x, x)
        })
    }

    /// Which elements of a have any bit set.
    #[inline(always)]
    pub fn nonzero(self, a: V) -> u16 {
        machine!(self, _mm512_test_epi32_mask(whole(a), whole(a)))
    }

    /// The places at which `bits` are set, counted from `first`, side by side; behind them any.
    #[inline(always)]
    pub fn places(self, bits: u16, first: usize) -> V {
        machine!(self, {
            let all = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let all = _mm512_add_epi32(all, _mm512_set1_epi32(first as i32));
            vector(_mm512_maskz_compress_epi32(bits, all))
        })
    }

    /// The places, counted from `start` instead of 0.
    #[inline(always)]
    pub fn from(self, start: usize, places: V) -> V {
        machine!(self, {
            let start = _mm512_set1_epi32(start as i32);
            vector(_mm512_sub_epi32(whole(places), start))
        })
    }

    /// The elements at `places`, of a and, behind them, b; elsewhere any of these.
    #[inline(always)]
    pub fn pick(self, places: V, a: V, b: V) -> V {
        machine!(
            self,
            vector(_mm512_permutex2var_epi32(whole(a), whole(places), whole(b)))
        )
    }

    /// The places that riffle two vectors: their first halves, and their second ones.
    #[inline(always)]
    pub fn riffles(self) -> [V; 2] {
        machine!(self, {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            [vector(first), vector(second)]
        })
    }

    /// The elements of a, from the first on, where `bits` are set, and zeros elsewhere.
    #[inline(always)]
    pub fn spread(self, bits: u16, a: V) -> V {
        machine!(self, vector(_mm512_maskz_expand_epi32(bits, whole(a))))
    }
}

/// Any vector as the machine's.
///
/// # Safety
/// It is one of AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn whole<V>(a: V) -> __m512i {
    // SAFETY: any bits are a vector.
    unsafe { transmute_copy(&a) }
}

/// The reverse of [`whole`].
///
/// # Safety
/// V is a vector of AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn vector<V>(a: __m512i) -> V {
    // SAFETY: any bits are a vector.
    unsafe { transmute_copy(&a) }
}

#[cfg(test)]
mod tests {
    use crate::Scalar;
    use crate::simd::{Isa, Kernel, Simd, dispatch};

    /// Every move, element by element; how often it was looked at.
    struct Check<'a>(&'a mut usize);

    impl<T: Scalar> Kernel<T> for Check<'_> {
        fn run<S: Simd<T>>(self, simd: S) {
            let Some(moves) = simd.moves() else { return };
            let lanes = S::LANES;
            assert_eq!(lanes, 16);
            let elements = |x: S::V| {
                let mut found = vec![T::ZERO; lanes];
                // SAFETY: as many as a vector has.
                unsafe { simd.store(found.as_mut_ptr(), x) };
                found
            };
            let numbers = |first: usize| -> Vec<T> {
                let numbers = first..first + lanes;
                numbers.map(|x| T::from_f64(x as f64)).collect()
            };
            // SAFETY: as many as a vector has.
            let [a, b] = [1, 101].map(|first| unsafe { simd.load(numbers(first).as_ptr()) });
            let both = [numbers(1), numbers(101)].concat();
            for bits in [0, 1, 0b1010_0110, 0xFFFF, 0x8001, 0x5A3C] {
                let is = |at: usize| bits >> at & 1 == 1;
                let bytes: Vec<u8> = (0..16).map(|at| if is(at) { 0x80 } else { 0 }).collect();
                // SAFETY: no vector has more than 16 elements.
                assert_eq!(unsafe { moves.bytes(bytes.as_ptr()) }, bits);
                let spread = moves.spread(bits, a);
                assert_eq!(moves.nonzero(spread), bits);
                let mut rest = numbers(1).into_iter();
                let want: Vec<T> = (0..lanes)
                    .map(|at| {
                        if is(at) {
                            rest.next().unwrap()
                        } else {
                            T::ZERO
                        }
                    })
                    .collect();
                assert_eq!(elements(spread), want);
                // Of both vectors, from the third element on.
                let picked = moves.pick(moves.from(0, moves.places(bits, 3)), a, b);
                let less = moves.pick(moves.from(2, moves.places(bits, 3)), a, b);
                let set = (0..lanes).filter(|&at| is(at));
                for ((at, picked), less) in set.zip(elements(picked)).zip(elements(less)) {
                    assert_eq!((picked, less), (both[at + 3], both[at + 1]));
                }
                *self.0 += 1;
            }
            let [first, second] = moves
                .riffles()
                .map(|places| elements(moves.pick(places, a, b)));
            for (at, x) in first.iter().chain(&second).enumerate() {
                assert_eq!(*x, both[at / 2 + at % 2 * lanes]);
            }
        }
    }

    #[test]
    fn elements_go_where_they_are_said_to() {
        for isa in Isa::available() {
            let (mut n, mut none) = (0, 0);
            dispatch::<f32, _>(isa, Check(&mut n));
            dispatch::<f64, _>(isa, Check(&mut none));
            assert_eq!(n > 0, isa.moves::<f32>(), "{isa:?}");
            assert_eq!(none > 0, isa.moves::<f64>(), "{isa:?}");
        }
    }
}
