//! One position of a few images by one panel of the weights.

use super::Active;
use crate::Scalar;
use crate::direct::OUTSIDE;
use crate::packed::{Columns, PANEL, each_row};
use crate::simd::Simd;

/// One position of a few images by one panel.
pub(super) struct Tile<'a, 'x, T, S> {
    pub simd: S,
    pub active: &'a Active<'x, T>,
    /// Which of a position's lists.
    pub list: usize,
    /// Whether sums go on from those that were stored.
    pub goes_on: bool,
    /// Read through each tap.
    pub from: &'a [u32],
    /// The first image, of V.
    pub first: usize,
    /// The panel, and elements from row to row.
    pub panel: *const T,
    pub step: usize,
    pub columns: Columns<'a, T>,
    pub y: *mut T,
    pub y_image: usize,
    pub n_rows: usize,
}

impl<T: Scalar, S: Simd<T>> Tile<'_, '_, T, S> {
    /// The tile by a panel of so many vectors.
    #[inline(always)]
    pub unsafe fn run_any(&self, vectors: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if vectors == PANEL {
                self.run_rows::<PANEL>()
            } else {
                self.run_rows::<1>()
            }
        }
    }

    #[inline(always)]
    unsafe fn run_rows<const NV: usize>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            // Each is much code: larger ones only where there are registers for them, fewer for the narrow panel at the end.
            if S::REGISTERS >= 32 && self.n_rows > 6 {
                if NV == PANEL && self.n_rows <= 9 {
                    return self.run::<9, NV>();
                }
                return self.run::<12, NV>();
            }
            match self.n_rows {
                ..=3 => self.run::<3, NV>(),
                4 if NV == PANEL => self.run::<4, NV>(),
                5 if NV == PANEL => self.run::<5, NV>(),
                _ => self.run::<6, NV>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn run<const MR: usize, const NV: usize>(&self) {
        let simd = self.simd;
        let mut acc = [[simd.splat(T::ZERO); NV]; MR];
        if self.goes_on {
            each_row!(I < MR {
                if I < self.n_rows {
                    // SAFETY: the caller's promise; these were stored here.
                    acc[I] = unsafe { self.columns.load(simd, self.y.wrapping_add(I * self.y_image)) };
                }
            });
        }
        for (tap, &from) in self.from.iter().enumerate() {
            if from == OUTSIDE {
                continue;
            }
            let (channels, values) = self.active.of(from as usize, self.list);
            // SAFETY: the caller's promise; there are V values for each channel.
            unsafe {
                let b = self.panel.wrapping_add(tap * self.active.c * self.step);
                let mut a = values.add(self.first);
                for &channel in channels {
                    let channel = channel as usize;
                    let b = b.wrapping_add(channel * self.step);
                    let first = simd.load(b);
                    let second = if NV > 1 {
                        simd.load(b.add(S::LANES))
                    } else {
                        first
                    };
                    each_row!(I < MR {
                        // A tile that hangs over the end reads on into the next values, and does not store.
                        let x = simd.splat(*a.add(I));
                        acc[I][0] = simd.mul_add(x, first, acc[I][0]);
                        if NV > 1 {
                            acc[I][NV - 1] = simd.mul_add(x, second, acc[I][NV - 1]);
                        }
                    });
                    a = a.add(self.active.v);
                }
            }
        }
        each_row!(I < MR {
            if I < self.n_rows {
                // SAFETY: the caller's promise.
                unsafe {
                    let y = self.y.wrapping_add(I * self.y_image);
                    self.columns.store(simd, y, acc[I]);
                }
            }
        });
    }
}
