//! How a convolution is cut into tiles, where a tile lies, and what it reads there.

use super::transform::Tile;
use crate::Scalar;
use crate::simd::Simd;

/// The sizes of a 3×3 convolution of stride 1, and its tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tiling {
    pub tile: Tile,
    pub c_in: usize,
    pub c_out: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub pad: [usize; 2],
}

impl Tiling {
    /// Tiles per image, down and across.
    #[inline(always)]
    pub(super) fn across(&self) -> [usize; 2] {
        self.output.map(|n| n.div_ceil(self.tile.outputs()))
    }

    /// Elements of the images that are complete when the first `n_tiles` tiles of them are: whole rows of tiles.
    pub(super) fn n_complete(&self, n_tiles: usize) -> usize {
        let [down, across] = self.across();
        let rows = n_tiles / across;
        let [height, width] = self.output;
        let in_image = (rows % down * self.tile.outputs()).min(height);
        (rows / down * height + in_image) * width * self.c_out
    }

    /// Elements of one image that is read.
    pub(super) fn n_input(&self) -> usize {
        self.input[0] * self.input[1] * self.c_in
    }

    /// Elements of one image that is written.
    pub(super) fn n_output(&self) -> usize {
        self.output[0] * self.output[1] * self.c_out
    }
}

/// A tile of an image.
pub(super) struct Place {
    pub image: usize,
    /// The first output row and column.
    pub row: usize,
    pub column: usize,
}

impl Place {
    /// Of tile `index` of m × m outputs, `across` of which make an image.
    #[inline(always)]
    pub(super) fn new(across: [usize; 2], index: usize, m: usize) -> Self {
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

    /// A vector of channels at each of the first `side` × `side` positions from (row, column) − pad on, zero outside of
    /// the image (positions × C).
    #[expect(clippy::too_many_arguments)]
    #[inline(always)]
    pub(super) fn load<T: Scalar, S: Simd<T>, const N: usize>(
        &self,
        simd: S,
        side: usize,
        image: &[T],
        [height, width]: [usize; 2],
        pad: [usize; 2],
        c: usize,
        channel: usize,
    ) -> [[S::V; N]; N] {
        let whole = channel + S::LANES <= c;
        let mut t = [[simd.splat(T::ZERO); N]; N];
        for (i, t) in t.iter_mut().enumerate().take(side) {
            let row = (self.row + i).wrapping_sub(pad[0]);
            if row >= height {
                continue;
            }
            for (j, t) in t.iter_mut().enumerate().take(side) {
                let column = (self.column + j).wrapping_sub(pad[1]);
                if column >= width {
                    continue;
                }
                let at = (row * width + column) * c + channel;
                // SAFETY: row and column are inside; a vector that would cross the end of the channels is
                // assembled from what there is.
                unsafe {
                    *t = if whole {
                        simd.load(image.as_ptr().add(at))
                    } else {
                        partial(simd, &image[at..at + c - channel])
                    };
                }
            }
        }
        t
    }
}

/// A vector of the given elements, then zeros.
#[inline(always)]
pub(super) fn partial<T: Scalar, S: Simd<T>>(simd: S, from: &[T]) -> S::V {
    let mut lanes = [T::ZERO; 16];
    lanes[..from.len()].copy_from_slice(from);
    // SAFETY: no vector has more than 16 elements.
    unsafe { simd.load(lanes.as_ptr()) }
}
