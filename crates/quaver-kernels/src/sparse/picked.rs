//! Of what is written, only the channels that are wanted.
//!
//! What goes back to a ReLU is asked for where its slope is not zero: at each position by the same channels, about half of them,
//! for all V cotangents. Their columns of a row of the weights are picked out of two vectors into one, as often as it takes: half
//! as many multiply–adds are done, each with a full vector.

use super::{Active, MOST_ROWS, Spot, Written, rows_at_once};
use crate::direct::{Direct, OUTSIDE};
use crate::packed::{PANEL, Panels, each_row};
use crate::simd::{Moves, Simd};
use crate::{Buffer, Scalar};

/// Panels side by side, whose columns are picked from.
pub(super) const SIDE: usize = 2;

/// Vectors, and the most columns, of these.
const VECTORS: usize = SIDE * PANEL;
const MOST: usize = VECTORS * 16;

/// Sums of an image that are wanted lie so far from those of the next: what a vector holds behind them is stored too.
const PITCH: usize = MOST + 16;

/// For fewer cotangents the smallest tile is too large; each is much code.
const FEWEST: usize = 7;

/// Whether columns can be picked for V images. Where a cotangent is several of them, which differ in what is wanted, they cannot.
pub(super) fn fits<T: Scalar>(conv: &Direct<T>, v: usize, wanted: &[u8]) -> bool {
    let (isa, o) = (conv.isa(), conv.o());
    isa.moves::<T>()
        && v >= FEWEST
        && o.is_multiple_of(2 * isa.lanes::<T>())
        && wanted.len() == conv.n_written() * o
}

pub(super) struct Picked<'a, T, V> {
    moves: Moves<V>,
    /// Written positions × O.
    wanted: &'a [u8],
    to: Written<T>,
    chosen: Chosen<T>,
    /// V × PITCH: one position's sums that are wanted.
    sums: Buffer<T>,
    /// Where there is more than one list, positions of a block × V × MOST: sums between lists, slot by slot.
    between: Buffer<T>,
}

impl<'a, T: Scalar, V: Copy> Picked<'a, T, V> {
    /// For blocks of so many positions, where columns can be picked ([`fits`]).
    #[inline(always)]
    pub(super) fn new<S: Simd<T, V = V>>(
        simd: S,
        wanted: &'a [u8],
        to: Written<T>,
        n_lists: usize,
        block: usize,
    ) -> Option<Self> {
        let moves = simd.moves()?;
        assert_eq!(
            wanted.len(),
            to.n * to.o,
            "what is wanted of each cotangent"
        );
        let n_between = if n_lists > 1 { block * to.v * MOST } else { 0 };
        Some(Self {
            moves,
            wanted,
            to,
            chosen: Chosen::default(),
            sums: Buffer::new(to.v * PITCH),
            between: Buffer::new(n_between),
        })
    }

    /// The columns of a spot that are wanted; nothing, and false, if to pick them is not worth it.
    #[inline(always)]
    pub(super) fn run<S: Simd<T, V = V>>(
        &mut self,
        simd: S,
        active: &Active<'_, T>,
        weights: &Panels<'_, T>,
        spot: &Spot<'_>,
    ) -> bool {
        let (to, moves) = (self.to, self.moves);
        let wanted = &self.wanted[spot.position * to.o + spot.column..][..spot.width];
        self.chosen.find(simd, moves, wanted);
        if self.chosen.n_slots * S::LANES >= spot.width {
            return false;
        }
        let is_last = spot.list + 1 == active.n_lists;
        let panel = weights.panel(spot.column);
        let rows = rows_at_once::<T, S>(to.v);
        for row in (0..to.v).step_by(rows) {
            let between = (spot.place * to.v + row) * MOST;
            let tile = Tile {
                simd,
                moves,
                active,
                spot,
                chosen: &self.chosen,
                first: row,
                n_rows: rows.min(to.v - row),
                panel: panel.at,
                step: panel.step,
                sums: is_last.then(|| self.sums.as_mut_ptr().wrapping_add(row * PITCH)),
                between: self.between.as_mut_ptr().wrapping_add(between),
            };
            // SAFETY: positions lie inside of the images, lists hold channels below C, and n_rows images are left; the panels
            // have a row of `width` columns for every tap and channel.
            unsafe { tile.run_any() };
        }
        if is_last {
            // SAFETY: `width` columns of a position, which are whole vectors.
            unsafe { self.write(simd, spot) };
        }
        true
    }

    /// Writes what is wanted, and zeros between.
    ///
    /// # Safety
    /// The spot lies inside of what is written, and its width is a multiple of the vectors' length.
    #[inline(always)]
    unsafe fn write<S: Simd<T, V = V>>(&self, simd: S, spot: &Spot<'_>) {
        for vector in 0..spot.width / S::LANES {
            let column = spot.column + vector * S::LANES;
            let (bits, before) = (self.chosen.bits[vector], self.chosen.before[vector]);
            for (image, sums) in self.sums.chunks_exact(PITCH).enumerate() {
                // SAFETY: behind the last sum there is room for a vector; the caller's promise.
                unsafe {
                    let sums = simd.load(sums.as_ptr().add(before));
                    let to = self.to.at(image, spot.position, column);
                    simd.store(to, self.moves.spread(bits, sums));
                }
            }
        }
    }
}

/// Which of the columns of a spot are wanted, and the vectors, here slots, that they are picked into.
struct Chosen<T> {
    /// The columns, side by side, as places; behind them any.
    columns: [T; PITCH],
    /// For each vector which columns are wanted, and how many before.
    bits: [u16; VECTORS],
    before: [usize; VECTORS],
    slots: [Slot; VECTORS],
    n_slots: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Its first, among the wanted.
    first: usize,
    /// The column at which the two vectors begin that it is picked from.
    start: usize,
}

impl<T: Scalar> Default for Chosen<T> {
    fn default() -> Self {
        Self {
            columns: [T::ZERO; PITCH],
            bits: [0; VECTORS],
            before: [0; VECTORS],
            slots: [Slot::default(); VECTORS],
            n_slots: 0,
        }
    }
}

impl<T: Scalar> Chosen<T> {
    /// Looks at a byte for each of two or four vectors' columns.
    #[inline(always)]
    fn find<S: Simd<T>>(&mut self, simd: S, moves: Moves<S::V>, wanted: &[u8]) {
        let lanes = S::LANES;
        assert!(wanted.len() <= VECTORS * lanes, "as many vectors");
        let (mut n, mut all) = (0, 0u64);
        for (vector, wanted) in wanted.chunks_exact(lanes).enumerate() {
            // SAFETY: a byte for each element of a vector; behind n columns, no more than MOST, there is room for one.
            let bits = unsafe {
                let bits = moves.bytes(wanted.as_ptr());
                let places = moves.places(bits, vector * lanes);
                simd.store(self.columns.as_mut_ptr().add(n), places);
                bits
            };
            (self.bits[vector], self.before[vector]) = (bits, n);
            n += bits.count_ones() as usize;
            all |= u64::from(bits) << (vector * lanes);
        }
        (self.n_slots, n) = (0, 0);
        while all != 0 {
            // As far to the right as two vectors can begin.
            let start = (all.trailing_zeros() as usize).min(wanted.len() - 2 * lanes);
            self.slots[self.n_slots] = Slot { first: n, start };
            self.n_slots += 1;
            let seen = all & (u64::MAX >> (64 - start - 2 * lanes));
            if seen.count_ones() as usize <= lanes {
                n += seen.count_ones() as usize;
                all &= !seen;
            } else {
                n += lanes;
                (0..lanes).for_each(|_| all &= all - 1);
            }
        }
    }
}

/// The wanted columns of a position, for a few images.
struct Tile<'a, 'x, T, S: Simd<T>> {
    simd: S,
    moves: Moves<S::V>,
    active: &'a Active<'x, T>,
    spot: &'a Spot<'a>,
    chosen: &'a Chosen<T>,
    /// The first image, of V, and how many.
    first: usize,
    n_rows: usize,
    /// The panels side by side, and elements from row to row.
    panel: *const T,
    step: usize,
    /// Of the first image, PITCH apart, if the last list completes them.
    sums: Option<*mut T>,
    /// Of the first image, MOST apart.
    between: *mut T,
}

impl<T: Scalar, S: Simd<T>> Tile<'_, '_, T, S> {
    #[inline(always)]
    unsafe fn run_any(&self) {
        // More slots than there are registers for go one after another.
        let most = if self.n_rows > 9 { 2 } else { 3 };
        let n = self.chosen.n_slots;
        let mut first = 0;
        while first < n {
            let n_slots = (n - first).min(most);
            // SAFETY: the caller's promise.
            unsafe {
                match (self.n_rows, n_slots) {
                    (..=9, 1) => self.run::<9, 1>(first),
                    (..=9, 2) => self.run::<9, 2>(first),
                    (..=9, _) => self.run::<9, 3>(first),
                    (_, 1) => self.run::<MOST_ROWS, 1>(first),
                    _ => self.run::<MOST_ROWS, 2>(first),
                }
            }
            first += n_slots;
        }
    }

    /// NS slots from `first` on.
    #[inline(always)]
    unsafe fn run<const MR: usize, const NS: usize>(&self, first: usize) {
        let (simd, moves) = (self.simd, self.moves);
        let slots = &self.chosen.slots[first..first + NS];
        let zero = simd.splat(T::ZERO);
        // Loops, not closures: what is called is compiled without the wider instructions.
        let (mut places, mut starts) = ([zero; NS], [0; NS]);
        for (slot, &Slot { first, start }) in slots.iter().enumerate() {
            // SAFETY: a slot begins at one of the columns, behind which there is room for a vector.
            let columns = unsafe { simd.load(self.chosen.columns.as_ptr().add(first)) };
            (places[slot], starts[slot]) = (moves.from(start, columns), start);
        }
        let mut acc = [[zero; NS]; MR];
        if self.spot.list > 0 {
            each_row!(I < MR {
                if I < self.n_rows {
                    for (slot, acc) in acc[I].iter_mut().enumerate() {
                        // SAFETY: the caller's promise; these were stored here.
                        *acc = unsafe { simd.load(self.between(I, first + slot)) };
                    }
                }
            });
        }
        for (tap, &from) in self.spot.from.iter().enumerate() {
            if from == OUTSIDE {
                continue;
            }
            let (channels, values) = self.active.of(from as usize, self.spot.list);
            let rows = self.panel.wrapping_add(tap * self.active.c * self.step);
            // SAFETY: the caller's promise; there are V values for each channel, and two vectors from a slot's start on.
            unsafe {
                let mut a = values.add(self.first);
                for &channel in channels {
                    let row = rows.wrapping_add(usize::from(channel) * self.step);
                    let mut w = [zero; NS];
                    for slot in 0..NS {
                        let at = row.wrapping_add(starts[slot]);
                        w[slot] =
                            moves.pick(places[slot], simd.load(at), simd.load(at.add(S::LANES)));
                    }
                    each_row!(I < MR {
                        // A tile that hangs over the end reads on into the next values, and does not store.
                        let x = simd.splat(*a.add(I));
                        acc[I][0] = simd.mul_add(x, w[0], acc[I][0]);
                        if NS > 1 {
                            acc[I][1 % NS] = simd.mul_add(x, w[1 % NS], acc[I][1 % NS]);
                        }
                        if NS > 2 {
                            acc[I][2 % NS] = simd.mul_add(x, w[2 % NS], acc[I][2 % NS]);
                        }
                    });
                    a = a.add(self.active.v);
                }
            }
        }
        each_row!(I < MR {
            if I < self.n_rows {
                // SAFETY: the caller's promise. In order: what a slot stores behind its own the next one overwrites.
                unsafe {
                    simd.store(self.sums(I, first, slots[0]), acc[I][0]);
                    if NS > 1 {
                        simd.store(self.sums(I, first + 1, slots[1 % NS]), acc[I][1 % NS]);
                    }
                    if NS > 2 {
                        simd.store(self.sums(I, first + 2, slots[2 % NS]), acc[I][2 % NS]);
                    }
                }
            }
        });
    }

    /// Where a slot's sums lie between lists.
    #[inline(always)]
    fn between(&self, row: usize, slot: usize) -> *mut T {
        self.between.wrapping_add(row * MOST + slot * S::LANES)
    }

    /// Where a slot's sums are to be stored.
    #[inline(always)]
    fn sums(&self, row: usize, slot: usize, Slot { first, .. }: Slot) -> *mut T {
        match self.sums {
            Some(sums) => sums.wrapping_add(row * PITCH + first),
            None => self.between(row, slot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::tests::backward;
    use crate::simd::Isa;
    use crate::sparse::tests::{conv, cotangents, narrowed, places};

    /// What is wanted against the same of the whole; how much of the rest was left out, of how much.
    fn check<T: Scalar>(isa: Isa, tolerance: f64) -> (usize, usize) {
        let (mut n_out, mut n) = (0, 0);
        for (window, channels) in [
            ((1, 1, 5), (128, 150)),
            // Two panels at the end instead of four, and one.
            ((1, 1, 4), (160, 90)),
            ((1, 1, 4), (144, 90)),
            ((3, 1, 4), (64, 40)),
            ((3, 2, 5), (96, 33)),
            // Several lists.
            ((1, 1, 3), (96, 1150)),
            ((3, 2, 5), (64, 600)),
        ] {
            let conv = conv::<T>(isa, window, channels);
            let window = &conv.shape().window;
            let n_in = window.n_input() * channels.0;
            for v in [7, 9, 12, 14, 20] {
                let gy = cotangents(window.n_output() * channels.1, v, 0.6);
                let gy = narrowed::<T>(&gy);
                let mut all = vec![T::ZERO; v * n_in];
                backward(&conv, &gy, &mut all, None);
                for share in [0.0, 0.1, 0.3, 0.5, 0.65, 0.8, 1.0] {
                    let wanted = places(n_in, share);
                    let mut some = vec![T::from_f64(f64::NAN); v * n_in];
                    backward(&conv, &gy, &mut some, Some(&wanted));
                    for (at, (some, all)) in some.iter().zip(&all).enumerate() {
                        let (some, all) = (some.to_f64(), all.to_f64());
                        if wanted[at % n_in] == 0 {
                            n_out += usize::from(some == 0.0 && all != 0.0);
                            n += 1;
                        } else {
                            let is_near = (some - all).abs() < tolerance * (1.0 + all.abs());
                            assert!(is_near, "{isa:?} {channels:?} {v} {share}: {some} {all}");
                        }
                    }
                }
            }
        }
        (n_out, n)
    }

    #[test]
    fn what_is_wanted_is_what_it_is_in_the_whole() {
        for isa in Isa::available() {
            check::<f64>(isa, 1e-12);
            let (n_out, n) = check::<f32>(isa, 1e-4);
            let is_picked = n_out > n / 2;
            assert!(is_picked || !isa.moves::<f32>(), "{isa:?}: {n_out} of {n}");
        }
    }

    /// A graph may fold another axis into that of samples: a cotangent is several images then, each with its own wants.
    #[test]
    fn cotangents_of_several_images_are_taken_back_whole() {
        for isa in Isa::available() {
            for window in [(1, 1, 4), (3, 2, 5)] {
                let conv = conv::<f32>(isa, window, (64, 128));
                let window = &conv.shape().window;
                let n_in = 2 * window.n_input() * 64;
                let gy = cotangents(2 * window.n_output() * 128, 9, 0.6);
                let gy = narrowed::<f32>(&gy);
                let (mut all, mut some) = (vec![0.0; 9 * n_in], vec![0.0; 9 * n_in]);
                let wanted = places(n_in, 0.4);
                backward(&conv, &gy, &mut all, None);
                backward(&conv, &gy, &mut some, Some(&wanted));
                for (at, (some, all)) in some.iter().zip(&all).enumerate() {
                    let is_near = (some - all).abs() < 1e-4 * (1.0 + all.abs());
                    assert!(wanted[at % n_in] == 0 || is_near, "{isa:?} {some} {all}");
                }
            }
        }
    }

    #[test]
    fn slots_cover_all_that_is_wanted_once() {
        struct Check<'a>(&'a [u8]);
        impl<T: Scalar> crate::simd::Kernel<T> for Check<'_> {
            fn run<S: Simd<T>>(self, simd: S) {
                let Some(moves) = simd.moves() else { return };
                let wanted = &self.0[..VECTORS * S::LANES];
                for wanted in [wanted, &wanted[..2 * S::LANES]] {
                    let mut chosen = Chosen::<T>::default();
                    chosen.find(simd, moves, wanted);
                    let mut columns = (0..wanted.len()).filter(|&column| wanted[column] != 0);
                    let slots = &chosen.slots[..chosen.n_slots];
                    let ends = slots.iter().skip(1).map(|slot| slot.first);
                    let n = columns.clone().count();
                    for (slot, end) in slots.iter().zip(ends.chain([n])) {
                        assert!(end > slot.first && end - slot.first <= S::LANES);
                        assert!(slot.start + 2 * S::LANES <= wanted.len());
                        for column in columns.by_ref().take(end - slot.first) {
                            assert!(column >= slot.start && column < slot.start + 2 * S::LANES);
                        }
                    }
                    assert_eq!(columns.next(), None);
                }
            }
        }
        for share in [0.0, 0.02, 0.2, 0.4, 0.5, 0.6, 0.9, 1.0] {
            for start in 0..40 {
                let wanted = places(MOST + start, share);
                crate::simd::dispatch::<f32, _>(Isa::best(), Check(&wanted[start..]));
            }
        }
    }
}
