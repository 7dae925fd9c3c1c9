//! 3×3 convolutions of stride 1 with fewer multiplications (Winograd 1980; Lavin & Gray, arXiv 1509.09308).
//!
//! F(m×m, 3×3) computes a tile of m×m outputs from (m+2)×(m+2) inputs as Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A, the
//! products taken over all channels at once: (m+2)² small matrix products. m = 2 needs 4, m = 4 needs 2.25
//! multiplications per output where the definition needs 9.
//!
//! m = 4 interpolates at 0, ±1/√2, ±√2 and ∞ rather than at 0, ±1, ±2, ∞: the transforms then have entries of
//! similar size, and the error in single precision is about a third.

mod place;
mod transform;
mod weights;

use std::ops::Range;

use crate::buffer::{aligned, apart};
use crate::packed::{ABREAST, Dense, PANEL, Packed, ROWS, Start, product};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::{Done, Scalar};

pub(crate) use place::Tiling;
use place::{Place, partial};
pub use transform::Tile;
use transform::{Constants, Input, both_axes, transform_output};

/// A 3×3 convolution of stride 1, its weights transformed and packed.
#[derive(Debug)]
pub(crate) struct Winograd<T> {
    tiling: Tiling,
    /// One C × O matrix per point.
    weights: Vec<Packed<T>>,
    bias: Option<Vec<T>>,
}

/// What stays in the second-level cache while other things pass through: bytes.
const CACHE: usize = 384 << 10;

/// How many tiles are transformed and multiplied together: those whose transforms stay in a cache beside the sums of a panel of
/// outputs, or, where fetching the weights again for every few of them costs more than fetching transforms from memory, all.
fn at_once(n_tiles: usize, tile: Bytes, n_panels: usize, weights: usize) -> usize {
    // As many as the rows of a product's tile, however they are grouped.
    let whole = |n: usize| (n / 12 * 12).clamp(12, ROWS).min(n_tiles.max(1));
    let fetched = |block: usize| {
        let weights = match weights > CACHE {
            true => n_tiles.div_ceil(block) * weights,
            false => 0,
        };
        // Written, and read for every panel.
        let transforms = match block * (tile.read + tile.written) > CACHE {
            true => (1 + n_panels) * n_tiles * tile.read,
            false => 0,
        };
        weights + transforms
    };
    let (few, all) = (whole(CACHE / (tile.read + tile.written)), whole(ROWS));
    if fetched(all) < fetched(few) {
        all
    } else {
        few
    }
}

/// What the transforms of a tile take.
#[derive(Clone, Copy)]
struct Bytes {
    /// Of what it reads.
    read: usize,
    /// Of a panel of what it writes.
    written: usize,
}

impl<T: Scalar> Winograd<T> {
    /// `weight(o, c, tap)` in row-major order of the nine taps.
    pub(crate) fn new(
        isa: Isa,
        tiling: Tiling,
        weight: impl Fn(usize, usize, usize) -> T,
        bias: Option<Vec<T>>,
    ) -> Self {
        let size = (tiling.c_in, tiling.c_out);
        let mut taps = [[0.0; ABREAST]; 9];
        let weights = Packed::several(isa, size, tiling.tile.points(), |c, first, points| {
            for (tap, taps) in taps.iter_mut().enumerate() {
                for (i, x) in taps.iter_mut().enumerate() {
                    *x = weight((first + i).min(tiling.c_out - 1), c, tap).to_f64();
                }
            }
            tiling.tile.transform_weights(&taps, points);
        });
        Self {
            tiling,
            weights,
            bias,
        }
    }

    /// y (V × output positions × O) ← the convolution of x (V × input positions × C).
    pub(crate) fn run(&self, x: &[T], y: &mut [T], scratch: &mut Vec<T>, done: &mut Done<'_, T>) {
        let n_images = x.len() / self.tiling.n_input();
        assert_eq!(y.len(), n_images * self.tiling.n_output());
        let isa = self.weights[0].isa();
        let job = Job {
            conv: self,
            n_images,
            x,
            y,
            scratch,
            done,
        };
        match self.tiling.tile {
            Tile::Two => dispatch(isa, Tiled::<T, 4>(job)),
            Tile::Four => dispatch(isa, Tiled::<T, 6>(job)),
        }
    }
}

struct Job<'a, 'd, T> {
    conv: &'a Winograd<T>,
    n_images: usize,
    x: &'a [T],
    y: &'a mut [T],
    scratch: &'a mut Vec<T>,
    done: &'a mut Done<'d, T>,
}

/// A job with N = m + 2 points per axis.
struct Tiled<'a, 'd, T, const N: usize>(Job<'a, 'd, T>);

impl<T: Scalar, const N: usize> Kernel<T> for Tiled<'_, '_, T, N> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job {
            conv,
            n_images,
            x,
            y,
            scratch,
            done,
        } = self.0;
        let m = N - 2;
        // Rounded up to whole vectors, so that transforms need no remainder.
        let c_padded = conv.tiling.c_in.next_multiple_of(S::LANES);
        let o_padded = conv.tiling.c_out.next_multiple_of(S::LANES);
        let across = conv.tiling.across();
        let n_tiles = n_images * across[0] * across[1];
        let width = PANEL * S::LANES;
        let points = N * N;
        let bytes = |channels: usize| points * channels * size_of::<T>();
        let tile = Bytes {
            read: bytes(c_padded),
            written: bytes(width),
        };
        let n_panels = o_padded.div_ceil(width);
        let block = at_once(n_tiles, tile, n_panels, bytes(c_padded * o_padded));
        // From one point to the next.
        let (input_apart, output_apart) = (apart(block * c_padded), apart(block * width));
        let space = aligned(scratch, points * (input_apart + output_apart));
        let (inputs, outputs) = space.split_at_mut(points * input_apart);
        let constants = Constants::new(simd);
        let mut n_complete = 0;
        for first in (0..n_tiles).step_by(block) {
            let count = block.min(n_tiles - first);
            for tile in 0..count {
                let place = Place::new(across, first + tile, m);
                // SAFETY: `tile` < `block`, and each point's stretch of `inputs` is block × c_padded long.
                unsafe {
                    let to = inputs.as_mut_ptr().add(tile * c_padded);
                    place.read::<T, S, N>(simd, constants, conv, x, to, input_apart);
                }
            }
            // Panel by panel, so that sums are still in a cache when they are transformed.
            for panel in (0..conv.tiling.c_out).step_by(width) {
                for (point, weights) in conv.weights.iter().enumerate() {
                    let mut rows = Dense {
                        a: inputs[point * input_apart..].as_ptr(),
                        a_stride: c_padded,
                        c: outputs[point * output_apart..].as_mut_ptr(),
                        c_stride: width,
                    };
                    let weights = weights.view().one(panel);
                    // SAFETY: `count` ≤ `block` rows of c_in ≤ c_padded and at most `width` elements lie in them.
                    unsafe {
                        product(simd, count, weights, Start::Zero, &mut rows);
                    }
                }
                for tile in 0..count {
                    let place = Place::new(across, first + tile, m);
                    let channels = panel..conv.tiling.c_out.min(panel + width);
                    // SAFETY: as above.
                    unsafe {
                        let from = outputs.as_ptr().add(tile * width);
                        place.write::<T, S, N>(
                            simd,
                            constants,
                            conv,
                            from,
                            output_apart,
                            channels,
                            y,
                        );
                    }
                }
            }
            let complete = conv.tiling.n_complete(first + count);
            done(n_complete, &mut y[n_complete..complete]);
            n_complete = complete;
        }
    }
}

impl Place {
    /// Transforms the tile's inputs; point q's C values go to `to + q · stride`.
    ///
    /// # Safety
    /// Whole vectors that cover C elements are writable at each of those places.
    #[inline(always)]
    unsafe fn read<T: Scalar, S: Simd<T>, const N: usize>(
        &self,
        simd: S,
        constants: Constants<S::V>,
        conv: &Winograd<T>,
        x: &[T],
        to: *mut T,
        stride: usize,
    ) {
        let [height, width] = conv.tiling.input;
        let c = conv.tiling.c_in;
        let image = &x[self.image * height * width * c..][..height * width * c];
        let mut channel = 0;
        while channel < c {
            let d = self.load::<T, S, N>(
                simd,
                N,
                image,
                conv.tiling.input,
                conv.tiling.pad,
                c,
                channel,
            );
            let t = both_axes::<Input, T, S, N>(simd, constants, d);
            for (point, &value) in t.as_flattened().iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { simd.store(to.add(point * stride + channel), value) };
            }
            channel += S::LANES;
        }
    }

    /// Transforms the products of the tile, point q's at `from + q · stride`, into its outputs of `channels`.
    ///
    /// # Safety
    /// Whole vectors that cover as many elements are readable at each of those places.
    #[expect(
        clippy::needless_range_loop,
        clippy::too_many_arguments,
        reason = "a column of one array, a row of another"
    )]
    #[inline(always)]
    unsafe fn write<T: Scalar, S: Simd<T>, const N: usize>(
        &self,
        simd: S,
        constants: Constants<S::V>,
        conv: &Winograd<T>,
        from: *const T,
        stride: usize,
        channels: Range<usize>,
        y: &mut [T],
    ) {
        let m = N - 2;
        let [height, width] = conv.tiling.output;
        let o = conv.tiling.c_out;
        let image = &mut y[self.image * height * width * o..][..height * width * o];
        let (rows, columns) = ((height - self.row).min(m), (width - self.column).min(m));
        for channel in channels.clone().step_by(S::LANES) {
            let count = S::LANES.min(o - channel);
            let bias = match &conv.bias {
                // SAFETY: a whole vector is read only where there is one.
                Some(bias) if count == S::LANES => unsafe { simd.load(bias[channel..].as_ptr()) },
                Some(bias) => partial(simd, &bias[channel..]),
                None => simd.splat(T::ZERO),
            };
            let mut half = [[bias; N]; N];
            for j in 0..N {
                // SAFETY: the caller's promise.
                let t: [S::V; N] = std::array::from_fn(|i| unsafe {
                    simd.load(from.add((i * N + j) * stride + channel - channels.start))
                });
                let column = transform_output(simd, constants, t);
                for i in 0..m {
                    half[i][j] = column[i];
                }
            }
            for (i, half) in half.iter().enumerate().take(rows) {
                let row = transform_output(simd, constants, *half);
                for (j, &value) in row.iter().enumerate().take(columns) {
                    let at = ((self.row + i) * width + self.column + j) * o + channel;
                    let value = simd.add(value, bias);
                    let to = &mut image[at..at + count];
                    if count == S::LANES {
                        // SAFETY: `to` is a whole vector.
                        unsafe { simd.store(to.as_mut_ptr(), value) };
                    } else {
                        let mut lanes = [T::ZERO; 16];
                        // SAFETY: no vector has more than 16 elements.
                        unsafe { simd.store(lanes.as_mut_ptr(), value) };
                        to.copy_from_slice(&lanes[..count]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::conv::tests::backward;
    use crate::conv::{Conv, ConvOptions, ConvShape};
    use crate::window;
    use crate::{Isa, Scalar};

    fn noise(n: usize, mut seed: u64) -> Vec<f64> {
        (0..n)
            .map(|_| {
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
            })
            .collect()
    }

    fn shape(size: [usize; 2], pad: [usize; 2], c_in: usize, c_out: usize) -> ConvShape {
        ConvShape {
            window: window::tests::three_by_three(size, pad),
            c_in,
            c_out,
            groups: 1,
        }
    }

    /// The largest difference between Winograd's algorithm in `T` and the definition in `f64`, forward and
    /// back, relative to the largest value.
    fn error<T: Scalar>(shape: &ConvShape, isa: Isa, seed: u64) -> f64 {
        let w = &shape.window;
        let cast = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let weight = noise(shape.c_in * shape.c_out * 9, seed);
        let bias = noise(shape.c_out, seed + 1);
        let n_images = 3;
        let x = noise(n_images * w.n_input() * shape.c_in, seed + 2);
        let u = noise(n_images * w.n_output() * shape.c_out, seed + 3);
        let options = |winograd| ConvOptions {
            isa,
            winograd,
            n_cotangents: n_images,
        };
        let exact = Conv::new(shape.clone(), &weight, Some(bias.clone()), options(false));
        let fast = Conv::new(
            shape.clone(),
            &cast(&weight),
            Some(cast(&bias)),
            options(true),
        );
        let (mut y, mut y_fast) = (vec![0.0; u.len()], vec![T::ZERO; u.len()]);
        let (mut g, mut g_fast) = (vec![0.0; x.len()], vec![T::ZERO; x.len()]);
        exact.forward(&x, &mut y, &mut Vec::new());
        exact.backward_data(&u, &mut g, &mut Vec::new());
        fast.forward(&cast(&x), &mut y_fast, &mut Vec::new());
        backward(&fast, &cast(&u), &mut g_fast, None);
        let worst = |a: &[f64], b: &[T]| {
            let size = a.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            let pairs = a.iter().zip(b);
            pairs.fold(0.0, |m: f64, (a, b)| m.max((a - b.to_f64()).abs())) / size
        };
        worst(&y, &y_fast).max(worst(&g, &g_fast))
    }

    #[test]
    fn agrees_with_the_definition_on_every_size_and_instruction_set() {
        let mut seed = 1;
        for isa in Isa::available() {
            for size in [[4, 4], [5, 7], [8, 3], [9, 16], [2, 13]] {
                for pad in [[1, 1], [0, 1], [2, 0], [0, 0]] {
                    if size[0] + 2 * pad[0] < 3 {
                        continue;
                    }
                    for (c_in, c_out) in [(8, 8), (17, 9), (33, 70)] {
                        seed += 10;
                        let error = error::<f64>(&shape(size, pad, c_in, c_out), isa, seed);
                        assert!(
                            error < 1e-13,
                            "{isa:?} {size:?} {pad:?} {c_in} {c_out}: {error:e}"
                        );
                    }
                }
            }
        }
    }

    /// The bound that the documentation states: the largest error in single precision, relative to the
    /// largest output, is below 8e-6 for 16 to 512 channels.
    #[test]
    fn the_error_in_single_precision_is_bounded() {
        for (channels, seed) in [(16, 7), (64, 8), (512, 9)] {
            let error = error::<f32>(
                &shape([16, 16], [1, 1], channels, channels),
                Isa::best(),
                seed,
            );
            assert!(error < 8e-6, "{channels} channels: {error:e}");
        }
    }
}
