//! 3×3 convolutions of stride 1 with fewer multiplications (Winograd 1980; Lavin & Gray, arXiv 1509.09308).
//!
//! F(m×m, 3×3) computes a tile of m×m outputs from (m+2)×(m+2) inputs as Aᵀ[(G g Gᵀ) ∘ (Bᵀ d B)]A, the
//! products taken over all channels at once: (m+2)² small matrix products. m = 2 needs 4, m = 4 needs 2.25
//! multiplications per output where the definition needs 9.
//!
//! m = 4 interpolates at 0, ±1/√2, ±√2 and ∞ rather than at 0, ±1, ±2, ∞: the transforms then have entries of
//! similar size, and the error in single precision is about a third.

use crate::Scalar;
use crate::buffer::aligned;
use crate::packed::{Dense, Packed, Start, product};
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Outputs of a tile per axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    /// F(2×2, 3×3).
    Two,
    /// F(4×4, 3×3).
    Four,
}

impl Tile {
    /// m.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Tile::Two => 2,
            Tile::Four => 4,
        }
    }

    /// (m + 2)².
    pub(crate) fn points(self) -> usize {
        (self.outputs() + 2).pow(2)
    }

    /// G: what a kernel's three taps become along one axis, at each of the m + 2 points.
    fn weights(self) -> &'static [[f64; 3]] {
        // The points ±p have denominators 2p²(p² − q²), 0 has a²b² = 1, with a² = 1/2 and b² = 2.
        const A: f64 = std::f64::consts::FRAC_1_SQRT_2;
        const B: f64 = std::f64::consts::SQRT_2;
        const AT_A: f64 = -1.5;
        const AT_B: f64 = 6.0;
        match self {
            Tile::Two => &[
                [1.0, 0.0, 0.0],
                [0.5, 0.5, 0.5],
                [0.5, -0.5, 0.5],
                [0.0, 0.0, 1.0],
            ],
            Tile::Four => &[
                [1.0, 0.0, 0.0],
                [1.0 / AT_A, A / AT_A, 0.5 / AT_A],
                [1.0 / AT_A, -A / AT_A, 0.5 / AT_A],
                [1.0 / AT_B, B / AT_B, 2.0 / AT_B],
                [1.0 / AT_B, -B / AT_B, 2.0 / AT_B],
                [0.0, 0.0, 1.0],
            ],
        }
    }
}

/// The constants of F(4×4, 3×3), broadcast.
#[derive(Clone, Copy)]
struct Constants<V> {
    a: V,
    b: V,
    half: V,
    two: V,
    minus_half: V,
    minus_two: V,
    minus_five_halves: V,
    /// a³ and b³.
    a_cubed: V,
    b_cubed: V,
}

impl<V: Copy> Constants<V> {
    #[inline(always)]
    fn new<T: Scalar, S: Simd<T, V = V>>(simd: S) -> Self {
        let splat = |x: f64| simd.splat(T::from_f64(x));
        let a = std::f64::consts::FRAC_1_SQRT_2;
        let b = std::f64::consts::SQRT_2;
        Self {
            a: splat(a),
            b: splat(b),
            half: splat(0.5),
            two: splat(2.0),
            minus_half: splat(-0.5),
            minus_two: splat(-2.0),
            minus_five_halves: splat(-2.5),
            a_cubed: splat(a * a * a),
            b_cubed: splat(b * b * b),
        }
    }
}

/// Bᵀ d along one axis, N = m + 2 points.
#[inline(always)]
fn transform_input<T: Scalar, S: Simd<T>, const N: usize>(
    s: S,
    c: Constants<S::V>,
    d: [S::V; N],
) -> [S::V; N] {
    let mut t = d;
    if N == 4 {
        t[0] = s.sub(d[0], d[2]);
        t[1] = s.add(d[1], d[2]);
        t[2] = s.sub(d[2], d[1]);
        t[3] = s.sub(d[1], d[3]);
    } else {
        let even_a = s.mul_add(c.minus_two, d[2], d[4]);
        let odd_a = s.mul(c.a, s.mul_add(c.minus_two, d[1], d[3]));
        let even_b = s.mul_add(c.minus_half, d[2], d[4]);
        let odd_b = s.mul(c.b, s.mul_add(c.minus_half, d[1], d[3]));
        t[0] = s.add(s.mul_add(c.minus_five_halves, d[2], d[0]), d[4]);
        t[1] = s.add(even_a, odd_a);
        t[2] = s.sub(even_a, odd_a);
        t[3] = s.add(even_b, odd_b);
        t[4] = s.sub(even_b, odd_b);
        t[5] = s.add(s.mul_add(c.minus_five_halves, d[3], d[1]), d[5]);
    }
    t
}

/// Aᵀ t along one axis; the first m of the N entries are the outputs.
#[inline(always)]
fn transform_output<T: Scalar, S: Simd<T>, const N: usize>(
    s: S,
    c: Constants<S::V>,
    t: [S::V; N],
) -> [S::V; N] {
    let mut y = t;
    if N == 4 {
        y[0] = s.add(s.add(t[0], t[1]), t[2]);
        y[1] = s.sub(s.sub(t[1], t[2]), t[3]);
    } else {
        let (sum_a, diff_a) = (s.add(t[1], t[2]), s.sub(t[1], t[2]));
        let (sum_b, diff_b) = (s.add(t[3], t[4]), s.sub(t[3], t[4]));
        y[0] = s.add(t[0], s.add(sum_a, sum_b));
        y[1] = s.mul_add(c.a, diff_a, s.mul(c.b, diff_b));
        y[2] = s.mul_add(c.half, sum_a, s.mul(c.two, sum_b));
        y[3] = s.add(s.mul_add(c.a_cubed, diff_a, s.mul(c.b_cubed, diff_b)), t[5]);
    }
    y
}

/// A 3×3 convolution of stride 1, its weights transformed and packed.
#[derive(Debug)]
pub(crate) struct Winograd<T> {
    tile: Tile,
    c_in: usize,
    c_out: usize,
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    pad: [usize; 2],
    /// One C × O matrix per point.
    weights: Vec<Packed<T>>,
    bias: Option<Vec<T>>,
}

/// Tiles whose transforms together should stay in the second-level cache: bytes.
const BLOCK: usize = 384 << 10;

impl<T: Scalar> Winograd<T> {
    /// `weight(o, c, tap)` in row-major order of the nine taps.
    #[expect(clippy::too_many_arguments)]
    pub(crate) fn new(
        isa: Isa,
        tile: Tile,
        (c_in, c_out): (usize, usize),
        input: [usize; 2],
        output: [usize; 2],
        pad: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> T,
        bias: Option<Vec<T>>,
    ) -> Self {
        let g = tile.weights();
        let weights = (0..tile.points())
            .map(|point| {
                let (row, column) = (g[point / g.len()], g[point % g.len()]);
                Packed::new(isa, c_in, c_out, |c, o| {
                    let mut sum = 0.0;
                    for tap in 0..9 {
                        sum += row[tap / 3] * column[tap % 3] * weight(o, c, tap).to_f64();
                    }
                    T::from_f64(sum)
                })
            })
            .collect();
        Self {
            tile,
            c_in,
            c_out,
            input,
            output,
            pad,
            weights,
            bias,
        }
    }

    /// y (V × output positions × O) ← the convolution of x (V × input positions × C).
    pub(crate) fn run(&self, x: &[T], y: &mut [T], scratch: &mut Vec<T>) {
        let n_images = x.len() / (self.input[0] * self.input[1] * self.c_in);
        assert_eq!(
            y.len(),
            n_images * self.output[0] * self.output[1] * self.c_out
        );
        let isa = self.weights[0].isa();
        let job = Job {
            conv: self,
            n_images,
            x,
            y,
            scratch,
        };
        match self.tile {
            Tile::Two => dispatch(isa, Tiled::<T, 4>(job)),
            Tile::Four => dispatch(isa, Tiled::<T, 6>(job)),
        }
    }
}

struct Job<'a, T> {
    conv: &'a Winograd<T>,
    n_images: usize,
    x: &'a [T],
    y: &'a mut [T],
    scratch: &'a mut Vec<T>,
}

/// A job with N = m + 2 points per axis.
struct Tiled<'a, T, const N: usize>(Job<'a, T>);

impl<T: Scalar, const N: usize> Kernel<T> for Tiled<'_, T, N> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job {
            conv,
            n_images,
            x,
            y,
            scratch,
        } = self.0;
        let m = N - 2;
        // Rounded up to whole vectors, so that transforms need no remainder.
        let c_padded = conv.c_in.next_multiple_of(S::LANES);
        let o_padded = conv.c_out.next_multiple_of(S::LANES);
        let across = [conv.output[0].div_ceil(m), conv.output[1].div_ceil(m)];
        let n_tiles = n_images * across[0] * across[1];
        let per_tile = N * N * (c_padded + o_padded);
        let block = (BLOCK / size_of::<T>() / per_tile)
            .clamp(12, 96)
            .min(n_tiles.max(1));
        let points = N * N;
        let space = aligned(scratch, block * per_tile);
        let (inputs, outputs) = space.split_at_mut(points * block * c_padded);
        let constants = Constants::new(simd);
        for first in (0..n_tiles).step_by(block) {
            let count = block.min(n_tiles - first);
            for tile in 0..count {
                let place = Place::new(across, first + tile, m);
                // SAFETY: `tile` < `block`, and each point's stretch of `inputs` is block × c_padded long.
                unsafe {
                    let to = inputs.as_mut_ptr().add(tile * c_padded);
                    place.read::<T, S, N>(simd, constants, conv, x, to, block * c_padded);
                }
            }
            for (point, weights) in conv.weights.iter().enumerate() {
                let mut rows = Dense {
                    a: inputs[point * block * c_padded..].as_ptr(),
                    a_stride: c_padded,
                    c: outputs[point * block * o_padded..].as_mut_ptr(),
                    c_stride: o_padded,
                };
                // SAFETY: `count` ≤ `block` rows of c_in ≤ c_padded and c_out ≤ o_padded elements lie in them.
                unsafe { product(simd, count, weights.view(), Start::Zero, &mut rows) };
            }
            for tile in 0..count {
                let place = Place::new(across, first + tile, m);
                // SAFETY: as above.
                unsafe {
                    let from = outputs.as_ptr().add(tile * o_padded);
                    place.write::<T, S, N>(simd, constants, conv, from, block * o_padded, y);
                }
            }
        }
    }
}

/// Where a tile lies.
struct Place {
    image: usize,
    /// The first output row and column.
    row: usize,
    column: usize,
}

impl Place {
    #[inline(always)]
    fn new(across: [usize; 2], index: usize, m: usize) -> Self {
        let (image, rest) = (
            index / (across[0] * across[1]),
            index % (across[0] * across[1]),
        );
        Self {
            image,
            row: rest / across[1] * m,
            column: rest % across[1] * m,
        }
    }

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
        let [height, width] = conv.input;
        let c = conv.c_in;
        let image = &x[self.image * height * width * c..][..height * width * c];
        let zero = simd.splat(T::ZERO);
        let mut channel = 0;
        while channel < c {
            let whole = channel + S::LANES <= c;
            let mut t = [[zero; N]; N];
            for (i, t) in t.iter_mut().enumerate() {
                let row = (self.row + i).wrapping_sub(conv.pad[0]);
                if row >= height {
                    continue;
                }
                for (j, t) in t.iter_mut().enumerate() {
                    let column = (self.column + j).wrapping_sub(conv.pad[1]);
                    if column >= width {
                        continue;
                    }
                    let at = (row * width + column) * c + channel;
                    // SAFETY: row and column are inside; a vector that would cross the end of the channels
                    // is assembled from what there is.
                    unsafe {
                        *t = if whole {
                            simd.load(image.as_ptr().add(at))
                        } else {
                            partial(simd, &image[at..at + c - channel])
                        };
                    }
                }
            }
            let mut half = [[zero; N]; N];
            for j in 0..N {
                let column =
                    transform_input(simd, constants, std::array::from_fn::<_, N, _>(|i| t[i][j]));
                for i in 0..N {
                    half[i][j] = column[i];
                }
            }
            for (i, half) in half.iter().enumerate() {
                let row = transform_input(simd, constants, *half);
                for (j, &value) in row.iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe { simd.store(to.add((i * N + j) * stride + channel), value) };
                }
            }
            channel += S::LANES;
        }
    }

    /// Transforms the products of the tile, point q's at `from + q · stride`, into its outputs.
    ///
    /// # Safety
    /// Whole vectors that cover O elements are readable at each of those places.
    #[expect(
        clippy::needless_range_loop,
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
        y: &mut [T],
    ) {
        let m = N - 2;
        let [height, width] = conv.output;
        let o = conv.c_out;
        let image = &mut y[self.image * height * width * o..][..height * width * o];
        let (rows, columns) = ((height - self.row).min(m), (width - self.column).min(m));
        let mut channel = 0;
        while channel < o {
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
                    simd.load(from.add((i * N + j) * stride + channel))
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
            channel += S::LANES;
        }
    }
}

/// A vector of the given elements, then zeros.
#[inline(always)]
fn partial<T: Scalar, S: Simd<T>>(simd: S, from: &[T]) -> S::V {
    let mut lanes = [T::ZERO; 16];
    lanes[..from.len()].copy_from_slice(from);
    // SAFETY: no vector has more than 16 elements.
    unsafe { simd.load(lanes.as_ptr()) }
}

#[cfg(test)]
mod tests {
    use crate::conv::{Conv, ConvOptions, ConvShape};
    use crate::window::{AXES, Window};
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
            window: Window {
                input: [1, size[0], size[1]],
                output: [1, size[0] + 2 * pad[0] - 2, size[1] + 2 * pad[1] - 2],
                kernel: [1, 3, 3],
                stride: [1; AXES],
                dilation: [1; AXES],
                pad: [0, pad[0], pad[1]],
            },
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
        fast.backward_data(&cast(&u), &mut g_fast, &mut Vec::new());
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
