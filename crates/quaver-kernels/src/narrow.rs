//! Convolution that writes few channels, as the way back to a picture does: three numbers would leave most of a vector empty.
//!
//! What a position sends through every tap is computed at once, as one product of its channels with a matrix of taps × channels
//! written, which fills vectors; a position that is written then adds up what was sent to it.

use crate::buffer::aligned;
use crate::direct::{Links, OUTSIDE};
use crate::packed::{Dense, Packed, Start, product};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::{Done, Scalar};

/// The most channels that are written this way. So many numbers are added up at once, of which O are meant.
const MOST: usize = 4;

/// What is sent within an image may take so much memory: bytes.
const SPACE: usize = 16 << 20;

/// Whether a convolution that reads so many positions and writes `o` channels through so many taps can be computed this way.
pub(crate) fn fits<T>(n_from: usize, o: usize, n_taps: usize) -> bool {
    o <= MOST && n_taps > 1 && n_from * n_taps * o * size_of::<T>() <= SPACE
}

/// A convolution without groups, in one direction, that writes few channels.
#[derive(Debug)]
pub(crate) struct Narrow<T> {
    isa: Isa,
    /// Positions read and written.
    n_from: usize,
    n_to: usize,
    /// Channels read and written.
    c: usize,
    o: usize,
    /// C × (taps · O).
    weights: Packed<T>,
    phases: Vec<Gather>,
}

/// Positions that are written through one number of taps.
#[derive(Debug)]
struct Gather {
    to: Vec<u32>,
    /// Where what was sent to each of them lies, one for every tap.
    sent: Vec<u32>,
}

impl<T: Scalar> Narrow<T> {
    /// `weight(c, o, tap)` with c read and o written.
    pub(crate) fn new(
        isa: Isa,
        (c, o): (usize, usize),
        n_taps: usize,
        links: Links,
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        assert!(o <= MOST, "few channels");
        let n_sent = n_taps * o;
        let nothing = links.n_from * n_sent;
        let phases = links.phases.into_iter().map(|phase| {
            let taps = phase.taps.iter().cycle();
            let sent = phase.from.iter().zip(taps).map(|(&from, tap)| match from {
                OUTSIDE => nothing as u32,
                from => (from as usize * n_sent + tap * o) as u32,
            });
            Gather {
                sent: sent.collect(),
                to: phase.to,
            }
        });
        Self {
            isa,
            n_from: links.n_from,
            n_to: links.n_to,
            c,
            o,
            weights: Packed::new(isa, (c, n_sent), 1, |c| {
                let weight = &weight;
                move |at| weight(c, at % o, at / o)
            }),
            phases: phases.collect(),
        }
    }

    /// y (V × written positions × O) ← x (V × read positions × C).
    pub(crate) fn run(&self, x: &[T], y: &mut [T], scratch: &mut Vec<T>, done: &mut Done<'_, T>) {
        let (n_x, n_y) = (self.n_from * self.c, self.n_to * self.o);
        assert!(
            x.len().is_multiple_of(n_x) && y.len() == x.len() / n_x * n_y,
            "as many images are written as are read"
        );
        // Zeros behind what is sent: for positions outside, and read with the last one's.
        let n_sent = self.n_from * self.weights.view().n();
        let sent = aligned(scratch, n_sent + MOST);
        sent[n_sent..].fill(T::ZERO);
        let images = x.chunks_exact(n_x).zip(y.chunks_exact_mut(n_y));
        for (image, (x, y)) in images.enumerate() {
            let job = Job {
                conv: self,
                x,
                sent: &mut *sent,
                y: &mut *y,
            };
            dispatch(self.isa, job);
            done(image * n_y, y);
        }
    }
}

/// One image.
struct Job<'a, T> {
    conv: &'a Narrow<T>,
    x: &'a [T],
    /// Read positions × taps · O, and zeros.
    sent: &'a mut [T],
    y: &'a mut [T],
}

impl<T: Scalar> Kernel<T> for Job<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job { conv, x, sent, y } = self;
        let weights = conv.weights.view();
        assert!(x.len() == conv.n_from * conv.c && sent.len() >= conv.n_from * weights.n() + MOST);
        let mut rows = Dense {
            a: x.as_ptr(),
            a_stride: conv.c,
            c: sent.as_mut_ptr(),
            c_stride: weights.n(),
        };
        // SAFETY: both lengths were checked above.
        unsafe { product(simd, conv.n_from, weights, Start::Zero, &mut rows) };
        for gather in &conv.phases {
            match conv.o {
                1 => gather.run::<T, 1>(sent, y),
                2 => gather.run::<T, 2>(sent, y),
                3 => gather.run::<T, 3>(sent, y),
                _ => gather.run::<T, 4>(sent, y),
            }
        }
    }
}

impl Gather {
    /// Adds up what was sent to each position.
    #[inline(always)]
    fn run<T: Scalar, const O: usize>(&self, sent: &[T], y: &mut [T]) {
        let n_taps = self.sent.len() / self.to.len().max(1);
        for (at, &to) in self.to.iter().enumerate() {
            let mut sum = [T::ZERO; MOST];
            for &from in &self.sent[at * n_taps..][..n_taps] {
                if let Some(sent) = sent[from as usize..].first_chunk::<MOST>() {
                    for (sum, x) in sum.iter_mut().zip(sent) {
                        *sum += *x;
                    }
                }
            }
            y[to as usize * O..][..O].copy_from_slice(&sum[..O]);
        }
    }
}
