//! Memory that starts on a cache line.

use std::ops::{Deref, DerefMut};

use crate::Scalar;

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// `n` values that start on a cache line, in an allocation that may be larger and is kept when n changes.
#[derive(Debug, Default)]
pub struct Buffer<T> {
    values: Vec<T>,
    start: usize,
    n: usize,
}

impl<T: Scalar> Buffer<T> {
    /// `n` zeros.
    pub fn new(n: usize) -> Self {
        let mut buffer = Self {
            values: Vec::new(),
            start: 0,
            n: 0,
        };
        buffer.set_len(n);
        buffer
    }

    /// Makes it `n` values long, of unspecified content; memory is allocated only if it has to grow.
    pub fn set_len(&mut self, n: usize) {
        if n > self.capacity() {
            let slack = LINE / size_of::<T>();
            // Not resized: what is there would be copied for nothing.
            self.values = vec![T::ZERO; n + slack];
            self.start = self.values.as_ptr().align_offset(LINE).min(slack);
        }
        self.n = n;
    }

    /// The largest length that needs no allocation.
    pub fn capacity(&self) -> usize {
        self.values.len().saturating_sub(LINE / size_of::<T>())
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.start..self.start + self.n]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.n]
    }
}

/// `n` elements of `scratch`, which grows to hold them, starting on a cache line.
pub(crate) fn aligned<T: Scalar>(scratch: &mut Vec<T>, n: usize) -> &mut [T] {
    let slack = LINE / size_of::<T>();
    if scratch.len() < n + slack {
        scratch.resize(n + slack, T::ZERO);
    }
    let skip = scratch.as_ptr().align_offset(LINE).min(slack);
    &mut scratch[skip..skip + n]
}

/// The distance between rows of length `n`: whole cache lines, and an odd number of them, since rows a power of
/// two apart would fall on the same few places of the cache.
pub(crate) fn apart(n: usize) -> usize {
    (n.div_ceil(16) | 1) * 16
}

/// Asks for the cache line at an address, wherever that is, to be on its way to the second-level cache.
#[inline(always)]
pub(crate) fn fetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an address that is none is passed over.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The same to be written.
#[inline(always)]
pub(crate) fn fetch_to_write<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an address that is none is passed over.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_ET0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_change_and_the_start_stays_on_a_line() {
        let mut buffer = Buffer::<f32>::new(5);
        assert_eq!(&*buffer, &[0.0; 5]);
        for n in [0, 100, 3, 1000] {
            buffer.set_len(n);
            assert_eq!(buffer.len(), n);
            assert!(n == 0 || buffer.as_ptr().addr().is_multiple_of(LINE));
        }
        assert!(buffer.capacity() >= 1000);
    }
}
