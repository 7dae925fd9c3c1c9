//! Lists of what is not zero, in all images of a position together.

use std::ops::Range;

use super::{DEPTH, LINE, block, cost_of};
use crate::Scalar;
use crate::buffer::aligned;
use crate::direct::Direct;
use crate::simd::{Moves, Simd};

/// For each place of a line: written out, for rows of a transposition to stay in registers.
macro_rules! each_of_line {
    ($i:ident $body:block) => {
        each_of_line!(@ $i $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $i:ident $body:block $($n:literal)*) => {
        {
            $({
                const $i: usize = $n;
                $body
            })*
        }
    };
}

pub(super) use each_of_line;

/// Of V images, positions × C each, the channels of a position that are not zero in all of them.
pub(crate) struct Active<'a, T> {
    pub(super) x: &'a [T],
    pub(super) v: usize,
    pub(super) n: usize,
    pub(super) c: usize,
    /// Lists per position.
    pub(super) n_lists: usize,
    /// The first position of which there are lists now.
    pub(super) first: usize,
    /// Where each list starts and ends, those of a position one after another.
    pub(super) lists: Vec<(u32, u32)>,
    pub(super) channels: Vec<u16>,
    /// V for each of `channels`, and room for LINE more. Where they lie in x the images of a position are often a power of
    /// two apart, and fall on the same few places of a cache.
    pub(super) values: &'a mut [T],
}

impl<'a, T: Scalar> Active<'a, T> {
    /// Room for the lists of x (V × positions × C), which `conv` is to read; `None` if too few are zero to be worth it, where all that
    /// is written is, or what is `wanted`.
    #[inline(always)]
    pub(crate) fn seek(
        conv: &Direct<T>,
        x: &'a [T],
        v: usize,
        wanted: Option<&[u8]>,
        scratch: &'a mut Vec<T>,
    ) -> Option<Self> {
        let (n, c) = (conv.n_read(), conv.c());
        if cost_of(conv, x, v, wanted) >= 1.0 {
            return None;
        }
        let at_once = if conv.is_pointwise() {
            block::<T>(v, (c, conv.n_terms()), n)
        } else {
            n
        };
        Some(Self {
            x,
            v,
            n,
            c,
            n_lists: c.div_ceil(DEPTH),
            first: 0,
            lists: Vec::new(),
            channels: Vec::new(),
            values: aligned(scratch, at_once * c.next_multiple_of(LINE) * v + LINE),
        })
    }

    /// Makes the lists of `positions`, in place of those before.
    #[inline(always)]
    pub(crate) fn fill<S: Simd<T>>(&mut self, simd: S, positions: Range<usize>) {
        let c = self.c;
        self.first = positions.start;
        self.lists.clear();
        self.channels.clear();
        self.channels
            .reserve(positions.len() * c.next_multiple_of(LINE));
        let (mut list, mut len) = (0, 0);
        let mut line = vec![T::ZERO; self.v * LINE];
        let moves = simd.moves().filter(|_| self.v <= LINE);
        for position in positions {
            for start in (0..c).step_by(LINE) {
                len = match moves {
                    Some(moves) if S::MAY_MOVE => {
                        self.append_columns(simd, moves, (position, start), len)
                    }
                    _ => self.append(simd, (position, start), len, &mut line),
                };
                let behind = start + LINE;
                if behind.is_multiple_of(DEPTH) || behind >= c {
                    self.lists.push((list as u32, len as u32));
                    list = len;
                }
            }
        }
        // SAFETY: so many were written.
        unsafe { self.channels.set_len(len) };
    }

    /// Adds what is not zero of LINE channels of a position from `start` on to the `len` channels that there are, and returns how
    /// many there are then.
    #[inline(always)]
    fn append<S: Simd<T>>(
        &mut self,
        simd: S,
        (position, start): (usize, usize),
        len: usize,
        line: &mut [T],
    ) -> usize {
        let any = self.read(simd, position, start, line);
        let channels = self.channels.as_mut_ptr();
        let mut end = len;
        for (lane, any) in any.iter().enumerate() {
            // SAFETY: there is room for every channel. Without a branch: which are active is anyone's guess.
            unsafe { channels.add(end).write((start + lane) as u16) };
            end += usize::from(*any != T::ZERO);
        }
        let values = &mut self.values[len * self.v..end * self.v];
        for (at, values) in values.chunks_exact_mut(self.v).enumerate() {
            // SAFETY: written above; a lane is below LINE, and `line` has LINE elements for every image.
            unsafe {
                let lane = usize::from(channels.add(len + at).read()) - start;
                for (image, value) in values.iter_mut().enumerate() {
                    *value = *line.as_ptr().add(image * LINE + lane);
                }
            }
        }
        end
    }

    /// The same by vectors.
    #[inline(always)]
    fn append_columns<S: Simd<T>>(
        &mut self,
        simd: S,
        moves: Moves<S::V>,
        (position, start): (usize, usize),
        mut len: usize,
    ) -> usize {
        // What is stored through pointers might be `self`, for all that the compiler knows.
        let v = self.v;
        let (channels, values) = (self.channels.as_mut_ptr(), self.values.as_mut_ptr());
        let (columns, bits) = self.columns(simd, moves, position, start);
        each_of_line!(I {
            // SAFETY: there is room for every channel, and for a vector behind the last. Without a branch, as above.
            unsafe {
                channels.add(len).write((start + I) as u16);
                simd.store(values.add(len * v), columns[I]);
            }
            len += usize::from(bits >> I & 1);
        });
        len
    }

    /// LINE channels of a position, each with the images, of which there are no more than LINE, in a vector, zeros behind the last;
    /// and which of them are not zero in all images.
    #[inline(always)]
    pub(super) fn columns<S: Simd<T>>(
        &self,
        simd: S,
        moves: Moves<S::V>,
        position: usize,
        start: usize,
    ) -> ([S::V; LINE], u16) {
        let zero = simd.splat(T::ZERO);
        let (mut rows, mut sizes) = ([zero; LINE], zero);
        let width = LINE.min(self.c - start);
        let x = &self.x[position * self.c + start..];
        each_of_line!(I {
            if I < self.v {
                let x = vector(simd, &x[I * self.n * self.c..][..width], 0);
                rows[I] = x;
                sizes = simd.add(sizes, simd.max(x, simd.sub(zero, x)));
            }
        });
        (transposed(moves, rows), moves.nonzero(sizes))
    }

    /// Copies LINE channels of a position in all images to `line`, zeros behind the last, and adds up their magnitudes: nothing
    /// is lost in such sums.
    #[inline(always)]
    pub(super) fn read<S: Simd<T>>(
        &self,
        simd: S,
        position: usize,
        start: usize,
        line: &mut [T],
    ) -> [T; LINE] {
        let zero = simd.splat(T::ZERO);
        let width = LINE.min(self.c - start);
        assert!(line.len() >= self.v * LINE, "a line for every image");
        let mut any = [T::ZERO; LINE];
        for lane in (0..LINE).step_by(S::LANES) {
            let mut sizes = zero;
            for image in 0..self.v {
                let x = &self.x[(image * self.n + position) * self.c + start..][..width];
                let x = vector(simd, x, lane);
                // SAFETY: `line` has LINE elements for every image.
                unsafe { simd.store(line.as_mut_ptr().add(image * LINE + lane), x) };
                sizes = simd.add(sizes, simd.max(x, simd.sub(zero, x)));
            }
            // SAFETY: LINE is a multiple of LANES.
            unsafe { simd.store(any.as_mut_ptr().add(lane), sizes) };
        }
        any
    }

    /// A list of a position that is filled: its channels, and where V values for each begin; behind them LINE more can be read.
    #[inline(always)]
    pub(super) fn of(&self, position: usize, list: usize) -> (&[u16], *const T) {
        let (start, end) = self.lists[(position - self.first) * self.n_lists + list];
        let (start, end) = (start as usize, end as usize);
        (
            &self.channels[start..end],
            self.values[start * self.v..].as_ptr(),
        )
    }
}

/// The vector of a line that starts at `lane`, which LANES divides; zeros behind the line's end.
#[inline(always)]
fn vector<T: Scalar, S: Simd<T>>(simd: S, line: &[T], lane: usize) -> S::V {
    // SAFETY: LINE elements, of which a vector starts at `lane`.
    unsafe {
        if line.len() == LINE {
            return simd.load(line.as_ptr().add(lane));
        }
        let mut whole = [T::ZERO; LINE];
        whole[..line.len()].copy_from_slice(line);
        simd.load(whole.as_ptr().add(lane))
    }
}

/// LINE rows as columns: four times rows i and i + 8 are riffled to rows 2i and 2i + 1.
#[inline(always)]
fn transposed<V: Copy>(moves: Moves<V>, mut rows: [V; LINE]) -> [V; LINE] {
    let [first, second] = moves.riffles();
    macro_rules! riffle {
        ($($i:literal)*) => {{
            let from = rows;
            $(
                rows[2 * $i] = moves.pick(first, from[$i], from[$i + 8]);
                rows[2 * $i + 1] = moves.pick(second, from[$i], from[$i + 8]);
            )*
        }};
    }
    riffle!(0 1 2 3 4 5 6 7);
    riffle!(0 1 2 3 4 5 6 7);
    riffle!(0 1 2 3 4 5 6 7);
    riffle!(0 1 2 3 4 5 6 7);
    rows
}

/// The share of channels that are not zero in all images, at a few positions everywhere.
#[inline(always)]
pub(super) fn share<T: Scalar>(x: &[T], v: usize, n: usize, c: usize) -> f64 {
    const LOOKED_AT: usize = 8;
    let (mut n_active, mut n_seen) = (0, 0);
    for position in (0..n).step_by(n.div_ceil(LOOKED_AT)) {
        for start in (0..c).step_by(LINE) {
            let width = LINE.min(c - start);
            let mut any = [T::ZERO; LINE];
            for image in 0..v {
                let x = &x[(image * n + position) * c + start..][..width];
                any.iter_mut().zip(x).for_each(|(any, x)| *any += x.abs());
            }
            n_active += any[..width].iter().filter(|any| **any != T::ZERO).count();
        }
        n_seen += c;
    }
    n_active as f64 / n_seen as f64
}
