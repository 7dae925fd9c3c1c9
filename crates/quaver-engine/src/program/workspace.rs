//! One thread's memory: forward buffers, what steps saved, and a pool of cotangents.

use std::sync::Arc;

use quaver_kernels::{Buffer, Scalar};

use crate::op::Saved;

/// Buffers that one thread reuses from sample to sample; after the first sample nothing is allocated.
pub struct Workspace<T> {
    pub(super) slots: Vec<Buffer<T>>,
    pub(super) saved: Vec<Saved<T>>,
    pub(super) scratch: Vec<T>,
    pub(super) pool: Pool<T>,
    /// The cotangents of each value during a reverse pass.
    pub(super) cotangent_of: Vec<Option<Arc<Buffer<T>>>>,
    pub(super) gradients: Vec<Arc<Buffer<T>>>,
    /// The class Grams of parameters without gradients; empty for other values.
    pub(super) grams: Vec<Vec<f64>>,
}

impl<T: Scalar> Workspace<T> {
    pub(super) fn new(slots: &[usize], n_steps: usize, n_values: usize, n_wrt: usize) -> Self {
        Self {
            slots: slots.iter().map(|&n| Buffer::new(n)).collect(),
            saved: (0..n_steps).map(|_| Saved::default()).collect(),
            scratch: Vec::new(),
            pool: Pool { free: Vec::new() },
            cotangent_of: (0..n_values).map(|_| None).collect(),
            gradients: Vec::new(),
            grams: vec![Vec::new(); n_wrt],
        }
    }

    /// The memory it holds, in bytes; it grows to its final size with the first sample.
    pub fn n_bytes(&self) -> usize {
        let of_buffers = |buffers: &mut dyn Iterator<Item = usize>| -> usize {
            buffers.map(|n| n * size_of::<T>()).sum()
        };
        let saved = |saved: &Saved<T>| {
            saved.mask.capacity()
                + saved.index.capacity() * size_of::<u32>()
                + saved.values.capacity() * size_of::<T>()
        };
        of_buffers(&mut self.slots.iter().map(Buffer::capacity))
            + of_buffers(&mut self.pool.free.iter().map(Buffer::capacity))
            + of_buffers(&mut self.gradients.iter().map(|buffer| buffer.capacity()))
            + self.saved.iter().map(saved).sum::<usize>()
            + self.scratch.capacity() * size_of::<T>()
    }

    /// The rows Jᵀ·cotangent (V × n) for the `index`-th value differentiated by, after a reverse pass; for a
    /// parameter that one layer alone uses, as it is, they are not formed, and this is empty.
    ///
    /// # Panics
    /// Before the first reverse pass, or when there are not that many values.
    pub fn gradient(&self, index: usize) -> &[T] {
        &self.gradients[index]
    }

    /// S (V × V) ← J Jᵀ of the `index`-th value differentiated by, after a reverse pass of V cotangents.
    ///
    /// # Panics
    /// As [`Workspace::gradient`], or if S is not V × V.
    pub fn gram(&self, index: usize, s: &mut [f64]) {
        let gram = &self.grams[index];
        if gram.is_empty() {
            let n_cotangents = s.len().isqrt();
            quaver_kernels::gram::gram(&self.gradients[index], n_cotangents, s);
        } else {
            s.copy_from_slice(gram);
        }
    }
}

/// Cotangent buffers that nobody holds.
pub(super) struct Pool<T> {
    free: Vec<Buffer<T>>,
}

impl<T: Scalar> Pool<T> {
    /// A buffer of length `n` with unspecified content: the smallest that is large enough, else the largest.
    pub(super) fn take(&mut self, n: usize) -> Buffer<T> {
        let best = (0..self.free.len()).min_by_key(|&at| {
            let capacity = self.free[at].capacity();
            (capacity < n, capacity.abs_diff(n))
        });
        match best {
            Some(at) => {
                let mut buffer = self.free.swap_remove(at);
                buffer.set_len(n);
                buffer
            }
            None => Buffer::new(n),
        }
    }

    /// A buffer of `n` zeros.
    pub(super) fn zeros(&mut self, n: usize) -> Arc<Buffer<T>> {
        let mut buffer = self.take(n);
        buffer.fill(T::ZERO);
        Arc::new(buffer)
    }

    /// Takes a buffer back if this was its last holder.
    pub(super) fn give(&mut self, buffer: Arc<Buffer<T>>) {
        if let Ok(buffer) = Arc::try_unwrap(buffer) {
            self.free.push(buffer);
        }
    }

    /// The same values in a buffer that nobody else holds.
    pub(super) fn unique(&mut self, buffer: Arc<Buffer<T>>) -> Arc<Buffer<T>> {
        if Arc::strong_count(&buffer) == 1 {
            return buffer;
        }
        let mut copy = self.take(buffer.len());
        copy.copy_from_slice(&buffer);
        Arc::new(copy)
    }
}
