//! The gradients of a convolution's weights in Winograd's domain.
//!
//! J_k = Gᵀ[Σ (Bᵀ d B) ∘ (A δ_k Aᵀ)]G, the sum over tiles: what a tile reads is transformed once for all cotangents, the
//! products over tiles are (m + 2)² matrices C × O, and only their sums are taken back to nine taps. m = 4 needs a quarter of
//! the multiplications of the definition.

use super::place::{Place, Tiling};
use super::transform::{Constants, Cotangent, Input, Tile, both_axes, transform_gradient};
use crate::Scalar;
use crate::buffer::apart;
use crate::packed::{Panels, Start, Transposed, place, product};
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Tiles worked on together: the depth of the products.
const BLOCK: usize = 64;

/// Sums over tiles that should stay in the second-level cache: bytes.
const SUMS: usize = 160 << 10;

impl Tiling {
    /// Multiply–adds of the gradients for V cotangents of `n_images`; those of the transforms count as many times as they are measured to
    /// cost.
    pub(crate) fn gradient_cost(&self, n_images: usize, v: usize) -> usize {
        let (c, o, points) = (self.c_in, self.c_out, self.tile.points());
        let tiles = self.across().iter().product::<usize>() * n_images;
        let blocks = tiles.div_ceil(BLOCK);
        let products = v * tiles * points * c * o;
        let transforms = 4 * points * (tiles * (c + v * o) + blocks * v * c * o);
        products + transforms
    }

    /// Elements that [`Tiling::gradients`] needs beside its result.
    pub(crate) fn gradient_space<T: Scalar>(&self, n_images: usize) -> usize {
        self.plan::<T>(n_images).n_elements()
    }

    fn plan<T: Scalar>(&self, n_images: usize) -> Plan {
        let lanes = Isa::best().lanes::<T>();
        let points = self.tile.points();
        let c_padded = self.c_in.next_multiple_of(lanes);
        let o_padded = self.c_out.next_multiple_of(lanes);
        let n_tiles = n_images * self.across().iter().product::<usize>();
        let block = BLOCK.min(n_tiles);
        // Whole tiles of the product's kernel, as many channels as the sums have room for.
        let channels = (SUMS / size_of::<T>() / (points * o_padded))
            .max(12)
            .min(self.c_in)
            .next_multiple_of(12);
        Plan {
            points,
            c_padded,
            o_padded,
            n_tiles,
            block,
            channels,
            input_apart: apart(block * c_padded),
            cotangent_apart: apart(block * o_padded),
            sum_apart: apart(channels * o_padded),
        }
    }

    /// rows (V × taps × C × O) ← the gradients, from what the layer reads, x (N × input positions × C), and the cotangents
    /// of what it writes, gy (V × N × output positions × O). `space` starts on a cache line.
    pub(crate) fn gradients<T: Scalar>(&self, x: &[T], gy: &[T], rows: &mut [T], space: &mut [T]) {
        let n_images = x.len() / self.n_input();
        assert!(
            rows.len().is_multiple_of(9 * self.c_in * self.c_out),
            "rows are V × taps × C × O"
        );
        let v = rows.len() / (9 * self.c_in * self.c_out);
        assert_eq!(
            gy.len(),
            v * n_images * self.n_output(),
            "gy is V × N × output positions × O"
        );
        let job = Job {
            of: self,
            plan: self.plan::<T>(n_images),
            n_images,
            x,
            gy,
            rows,
            space,
        };
        match self.tile {
            Tile::Two => dispatch(Isa::best(), Tiled::<T, 4>(job)),
            Tile::Four => dispatch(Isa::best(), Tiled::<T, 6>(job)),
        }
    }
}

/// How the work is cut.
#[derive(Clone, Copy)]
struct Plan {
    points: usize,
    c_padded: usize,
    o_padded: usize,
    n_tiles: usize,
    /// Tiles worked on together.
    block: usize,
    /// Channels read whose sums are made together.
    channels: usize,
    /// From one point to the next.
    input_apart: usize,
    cotangent_apart: usize,
    sum_apart: usize,
}

impl Plan {
    fn n_elements(&self) -> usize {
        self.points * (self.input_apart + self.cotangent_apart + self.sum_apart)
    }
}

struct Job<'a, T> {
    of: &'a Tiling,
    plan: Plan,
    n_images: usize,
    x: &'a [T],
    gy: &'a [T],
    rows: &'a mut [T],
    space: &'a mut [T],
}

/// A job with N = m + 2 points per axis.
struct Tiled<'a, T, const N: usize>(Job<'a, T>);

impl<T: Scalar, const N: usize> Kernel<T> for Tiled<'_, T, N> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job {
            of,
            plan,
            n_images,
            x,
            gy,
            rows,
            space,
        } = self.0;
        let (m, isa) = (N - 2, Isa::best());
        let (c, o) = (of.c_in, of.c_out);
        let across = of.across();
        let Plan {
            points,
            c_padded,
            o_padded,
            n_tiles,
            block,
            channels,
            input_apart,
            cotangent_apart,
            sum_apart,
        } = plan;
        assert!(
            points == N * N && space.len() >= plan.n_elements() && c_padded % S::LANES == 0,
            "planned for these vectors"
        );
        let (inputs, space) = space.split_at_mut(points * input_apart);
        let (cotangents, sums) = space.split_at_mut(points * cotangent_apart);
        let constants = Constants::new(simd);
        let (n_input, n_output) = (of.n_input(), of.n_output());
        for first in (0..n_tiles).step_by(block) {
            let count = block.min(n_tiles - first);
            for tile in 0..count {
                let place = Place::new(across, first + tile, m);
                let image = &x[place.image * n_input..][..n_input];
                for channel in (0..c).step_by(S::LANES) {
                    let d = place.load::<T, S, N>(simd, N, image, of.input, of.pad, c, channel);
                    let t = both_axes::<Input, T, S, N>(simd, constants, d);
                    for (point, &t) in t.as_flattened().iter().enumerate() {
                        // SAFETY: `tile` < `block`, and vectors cover c_padded.
                        unsafe {
                            let to = inputs.as_mut_ptr();
                            simd.store(to.add(point * input_apart + tile * c_padded + channel), t);
                        }
                    }
                }
            }
            let of_cotangents = gy.chunks_exact(n_images * n_output);
            for (gy, row) in of_cotangents.zip(rows.chunks_exact_mut(9 * c * o)) {
                for tile in 0..count {
                    let at = Place::new(across, first + tile, m);
                    let image = &gy[at.image * n_output..][..n_output];
                    for channel in (0..o).step_by(S::LANES) {
                        let d = at.load::<T, S, N>(simd, m, image, of.output, [0, 0], o, channel);
                        let t = both_axes::<Cotangent, T, S, N>(simd, constants, d);
                        let (start, width) = place(count, o, channel, S::LANES);
                        for (point, &t) in t.as_flattened().iter().enumerate() {
                            // SAFETY: a point's panels are count × o_padded long.
                            unsafe {
                                let to = cotangents.as_mut_ptr().add(point * cotangent_apart);
                                simd.store(to.add(start + tile * width), t);
                            }
                        }
                    }
                }
                for c_first in (0..c).step_by(channels) {
                    let c_count = channels.min(c - c_first);
                    for point in 0..points {
                        let panels = &cotangents[point * cotangent_apart..];
                        let panels = Panels::laid(isa, count, o, panels);
                        let mut rows = Transposed {
                            a: inputs[point * input_apart + c_first..].as_ptr(),
                            a_stride: c_padded,
                            c: sums[point * sum_apart..].as_mut_ptr(),
                            c_stride: o_padded,
                        };
                        // SAFETY: `count` rows of inputs hold `c_count` elements from `c_first` on, and the sums of
                        // a point are `channels` rows.
                        unsafe { product(simd, c_count, panels, Start::Zero, &mut rows) };
                    }
                    for at in 0..c_count {
                        let finish = Finish {
                            sums: &sums[at * o_padded..],
                            stride: sum_apart,
                            row: &mut row[(c_first + at) * o..],
                            tap: c * o,
                            o,
                            is_first: first == 0,
                        };
                        finish.run::<S, N>(simd, constants);
                    }
                }
            }
        }
    }
}

/// What the sums of one input channel become.
struct Finish<'a, T> {
    /// Point q's from `q · stride` on.
    sums: &'a [T],
    stride: usize,
    /// Tap t's from `t · tap` on.
    row: &'a mut [T],
    tap: usize,
    o: usize,
    /// Whether nothing is there yet to be added to.
    is_first: bool,
}

impl<T: Scalar> Finish<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>, const N: usize>(self, simd: S, constants: Constants<S::V>) {
        let Self {
            sums,
            stride,
            row,
            tap,
            o,
            is_first,
        } = self;
        for channel in (0..o).step_by(S::LANES) {
            let zero = simd.splat(T::ZERO);
            let mut half = [[zero; N]; 3];
            for j in 0..N {
                let mut column = [zero; N];
                for (i, column) in column.iter_mut().enumerate() {
                    let from = &sums[(i * N + j) * stride + channel..][..S::LANES];
                    // SAFETY: a whole vector.
                    *column = unsafe { simd.load(from.as_ptr()) };
                }
                let column = transform_gradient(simd, constants, column);
                for i in 0..3 {
                    half[i][j] = column[i];
                }
            }
            for (i, half) in half.iter().enumerate() {
                let taps = transform_gradient(simd, constants, *half);
                for (j, &value) in taps.iter().enumerate() {
                    let to = &mut row[(3 * i + j) * tap + channel..];
                    if channel + S::LANES <= o {
                        let to = to[..S::LANES].as_mut_ptr();
                        // SAFETY: a whole vector.
                        unsafe {
                            let value = if is_first {
                                value
                            } else {
                                simd.add(simd.load(to), value)
                            };
                            simd.store(to, value);
                        }
                        continue;
                    }
                    let mut lanes = [T::ZERO; 16];
                    // SAFETY: no vector has more than 16 elements.
                    unsafe { simd.store(lanes.as_mut_ptr(), value) };
                    for (to, &value) in to[..o - channel].iter_mut().zip(&lanes) {
                        *to = if is_first { value } else { *to + value };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_of_both_sizes_give_the_same_gradients() {
        let wave =
            |n: usize, step: f64| -> Vec<f64> { (0..n).map(|i| (i as f64 * step).sin()).collect() };
        let (n_images, v) = (2, 3);
        let of = |tile: Tile| {
            let tiling = Tiling {
                tile,
                c_in: 9,
                c_out: 17,
                input: [7, 10],
                output: [7, 9],
                pad: [1, 0],
            };
            let x = wave(n_images * tiling.n_input(), 0.37);
            let gy = wave(v * n_images * tiling.n_output(), 0.73);
            let mut rows = vec![f64::NAN; v * 9 * tiling.c_in * tiling.c_out];
            let mut space = vec![0.0; tiling.gradient_space::<f64>(n_images)];
            tiling.gradients(&x, &gy, &mut rows, &mut space);
            rows
        };
        for (two, four) in of(Tile::Two).iter().zip(of(Tile::Four)) {
            assert!(
                (two - four).abs() < 1e-12 * (1.0 + two.abs()),
                "{two} {four}"
            );
        }
    }
}
