//! Sums over windows that slide over an image, cut at its border.
//!
//! Nothing is ever subtracted. A summed-area table takes each window as a difference of sums over most of the image,
//! and the rounding of those swamps a window where the network is not sensitive; here every sum has as many terms as
//! its window. Small windows are added up as they are; of larger ones the cost hardly depends on the side: its logarithm along
//! rows, three additions down columns.

use crate::elementwise::add;
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Windows of no larger side are sums of what is in them, one by one.
const SMALL: usize = 9;

/// Sums of `side` neighbours, centred, in each of the rows of length `width`: `sums` ← windows of `rows`.
///
/// Of many neighbours, sums of 2, 4, 8, … are doubled from each other, and `side` is put together from them.
///
/// # Panics
/// If `side` is even, `rows` is not made of rows, or `sums` is of another length.
pub fn along_rows(
    rows: &[f64],
    width: usize,
    side: usize,
    scratch: &mut Vec<f64>,
    sums: &mut [f64],
) {
    struct Job<'a>(&'a [f64], usize, usize, &'a mut Vec<f64>, &'a mut [f64]);
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, simd: S) {
            let Job(rows, width, side, scratch, sums) = self;
            if side == 1 {
                return sums.copy_from_slice(rows);
            }
            let n_padded = width + side - 1;
            scratch.clear();
            if side > SMALL {
                scratch.resize(n_padded, 0.0);
                let pairs = rows.chunks_exact(width).zip(sums.chunks_exact_mut(width));
                return pairs.for_each(|(row, sums)| slide(row, side, scratch, sums));
            }
            // All rows first: what was written just now comes late where it is read askew. Whole vectors read beyond the end.
            let pitch = n_padded + S::LANES;
            scratch.resize(rows.len() / width * pitch, 0.0);
            for (row, padded) in rows
                .chunks_exact(width)
                .zip(scratch.chunks_exact_mut(pitch))
            {
                padded[side / 2..][..width].copy_from_slice(row);
            }
            let padded = scratch.chunks_exact(pitch);
            for (sums, padded) in sums.chunks_exact_mut(width).zip(padded) {
                gather(simd, side, padded, sums);
            }
        }
    }
    assert!(side % 2 == 1, "a window has a centre");
    assert!(rows.len().is_multiple_of(width), "rows of one length");
    assert_eq!(rows.len(), sums.len(), "as many sums as values");
    dispatch(Isa::best(), Job(rows, width, side, scratch, sums));
}

/// sums_x ← padded_x + … + padded_{x + side − 1}; `padded` has S::LANES more than these ask for.
#[inline(always)]
fn gather<S: Simd<f64>>(simd: S, side: usize, padded: &[f64], sums: &mut [f64]) {
    assert!(
        padded.len() + 1 >= sums.len() + side + S::LANES,
        "padded by a window and a vector"
    );
    for (at, sums) in sums.chunks_mut(S::LANES).enumerate() {
        let padded = padded[at * S::LANES..].as_ptr();
        // SAFETY: a vector starts at each of `side` places from one of the sums on; what is behind the last is there.
        let sum = unsafe {
            let mut sum = simd.load(padded);
            for i in 1..side {
                sum = simd.add(sum, simd.load(padded.add(i)));
            }
            sum
        };
        if sums.len() == S::LANES {
            // SAFETY: a whole vector.
            unsafe { simd.store(sums.as_mut_ptr(), sum) };
        } else {
            let mut lanes = [0.0; 8];
            // SAFETY: no vector has more elements of double precision.
            unsafe { simd.store(lanes.as_mut_ptr(), sum) };
            sums.copy_from_slice(&lanes[..sums.len()]);
        }
    }
}

#[inline(always)]
fn slide(row: &[f64], side: usize, doubled: &mut [f64], sums: &mut [f64]) {
    let radius = side / 2;
    doubled[..radius].fill(0.0);
    doubled[radius..radius + row.len()].copy_from_slice(row);
    doubled[radius + row.len()..].fill(0.0);
    // doubled_x is the sum of `length` padded values from x on; sums_x of those from x + done back to x.
    sums.fill(0.0);
    let (mut length, mut done) = (1, 0);
    loop {
        if side & length != 0 {
            for (sum, more) in sums.iter_mut().zip(&doubled[done..]) {
                *sum += more;
            }
            done += length;
        }
        if done == side {
            return;
        }
        // Beyond the end there are zeros.
        let n = doubled.len();
        for x in 0..n - length {
            doubled[x] += doubled[x + length];
        }
        length *= 2;
    }
}

/// Sums of `side` rows, centred, of an image that comes row by row from the top.
///
/// Rows are taken in blocks of `side`. A window is the end of one block and the beginning of the next (van Herk 1992,
/// Gil & Werman 1993, there for maxima), and both are running sums.
#[derive(Debug, Clone)]
pub struct DownColumns {
    side: usize,
    /// The block that is coming in; what has not been overwritten yet are sums to the end of the block before.
    block: Vec<Vec<f64>>,
    /// The sum of what has come in of the block.
    beginning: Vec<f64>,
    /// Rows of the block that have come in.
    filled: usize,
    /// Whether there is a block before.
    has_block: bool,
    sums: Vec<f64>,
}

impl DownColumns {
    /// For rows of `n` values.
    ///
    /// # Panics
    /// If `side` is even.
    pub fn new(side: usize, n: usize) -> Self {
        assert!(side % 2 == 1, "a window has a centre");
        Self {
            side,
            block: vec![vec![0.0; n]; side],
            beginning: vec![0.0; n],
            // Rows above the image.
            filled: side / 2,
            has_block: false,
            sums: vec![0.0; n],
        }
    }

    /// Takes the next row, or a row below the image; gives the sums around the row `side`/2 above it, if that is in the
    /// image.
    pub fn push(&mut self, row: Option<&[f64]>) -> Option<&[f64]> {
        let at = self.filled;
        match row {
            Some(row) => {
                self.block[at].copy_from_slice(row);
                add(&mut self.beginning, row);
            }
            None => self.block[at].fill(0.0),
        }
        self.filled += 1;
        if self.filled == self.side {
            for above in (0..self.side - 1).rev() {
                let (head, tail) = self.block.split_at_mut(above + 1);
                add(&mut head[above], &tail[0]);
            }
            self.filled = 0;
            self.has_block = true;
            self.beginning.fill(0.0);
            return Some(&self.block[0]);
        }
        if !self.has_block {
            return None;
        }
        self.sums.copy_from_slice(&self.beginning);
        add(&mut self.sums, &self.block[self.filled]);
        Some(&self.sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: usize, height: usize) -> Vec<f64> {
        (0..width * height)
            .map(|i| (i as f64 * 0.7).sin())
            .collect()
    }

    fn naive(image: &[f64], width: usize, height: usize, side: usize) -> Vec<f64> {
        let radius = side / 2;
        let near =
            |centre: usize, n: usize| centre.saturating_sub(radius)..(centre + radius + 1).min(n);
        let sum = |at: usize| {
            let (y, x) = (at / width, at % width);
            let rows = near(y, height);
            rows.map(|y| near(x, width).map(|x| image[y * width + x]).sum::<f64>())
                .sum()
        };
        (0..width * height).map(sum).collect()
    }

    #[test]
    fn sums_of_windows() {
        for (width, height) in [(1, 1), (5, 4), (17, 9), (3, 20)] {
            let image = image(width, height);
            for side in [1, 3, 5, 7, 9, 15, 31] {
                let mut along = vec![0.0; image.len()];
                along_rows(&image, width, side, &mut Vec::new(), &mut along);
                let mut down = DownColumns::new(side, width);
                let mut sums = Vec::new();
                for row in along.chunks_exact(width) {
                    sums.extend_from_slice(down.push(Some(row)).unwrap_or(&[]));
                }
                for _ in 0..side / 2 {
                    sums.extend_from_slice(down.push(None).unwrap_or(&[]));
                }
                let expected = naive(&image, width, height, side);
                assert_eq!(sums.len(), expected.len(), "{width} {height} {side}");
                for (found, expected) in sums.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-13, "{width} {height} {side}");
                }
            }
        }
    }

    /// A faint corner beside a bright one keeps all its digits.
    #[test]
    fn what_is_large_elsewhere_does_not_blur_a_window() {
        let (width, height) = (12, 12);
        let mut image = vec![1e-20; width * height];
        image[0] = 1e20;
        let mut along = vec![0.0; image.len()];
        along_rows(&image, width, 3, &mut Vec::new(), &mut along);
        let mut down = DownColumns::new(3, width);
        let mut sums = Vec::new();
        for row in along.chunks_exact(width) {
            sums.extend_from_slice(down.push(Some(row)).unwrap_or(&[]));
        }
        sums.extend_from_slice(down.push(None).unwrap_or(&[]));
        assert!((sums[8 * width + 8] / 9e-20 - 1.0).abs() < 1e-14);
    }
}
