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

/// Rows with zeros around them: as many on both sides as windows reach, and a vector behind those, which is read and not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padded {
    /// Values in a row.
    pub width: usize,
    /// Zeros before them.
    pub margin: usize,
}

impl Padded {
    /// From one row to the next.
    pub fn pitch(self) -> usize {
        self.width + 2 * self.margin + LONGEST
    }
}

/// No vector has more elements of double precision.
const LONGEST: usize = 8;

/// Sums of `side` neighbours, centred, in each row of `rows`: `sums`, without padding, ← windows.
///
/// Of many neighbours, sums of 2, 4, 8, … are doubled from each other, and `side` is put together from them.
///
/// # Panics
/// If `side` is even or reaches beyond the margin, `rows` is not made of rows, or `sums` is of another length.
pub fn along_rows(
    rows: &[f64],
    shape: Padded,
    side: usize,
    scratch: &mut Vec<f64>,
    sums: &mut [f64],
) {
    struct Job<'a>(&'a [f64], Padded, usize, &'a mut Vec<f64>, &'a mut [f64]);
    impl Kernel<f64> for Job<'_> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, simd: S) {
            let Job(rows, shape, side, scratch, sums) = self;
            let first = shape.margin - side / 2;
            let pairs = rows
                .chunks_exact(shape.pitch())
                .zip(sums.chunks_exact_mut(shape.width));
            for (row, sums) in pairs {
                if side <= SMALL {
                    gather(simd, side, &row[first..], sums);
                } else {
                    scratch.clear();
                    scratch.extend_from_slice(&row[first..][..shape.width + side - 1]);
                    double(side, scratch, sums);
                }
            }
        }
    }
    assert!(side % 2 == 1, "a window has a centre");
    assert!(side / 2 <= shape.margin, "windows within the margin");
    assert!(
        rows.len().is_multiple_of(shape.pitch()),
        "rows of one length"
    );
    assert_eq!(
        rows.len() / shape.pitch() * shape.width,
        sums.len(),
        "as many sums as values"
    );
    dispatch(Isa::best(), Job(rows, shape, side, scratch, sums));
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
            let mut lanes = [0.0; LONGEST];
            // SAFETY: no vector is longer.
            unsafe { simd.store(lanes.as_mut_ptr(), sum) };
            sums.copy_from_slice(&lanes[..sums.len()]);
        }
    }
}

/// The same, overwriting what it reads.
#[inline(always)]
fn double(side: usize, doubled: &mut [f64], sums: &mut [f64]) {
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
/// Of many, rows are taken in blocks of `side`. A window is the end of one block and the beginning of the next (van Herk 1992,
/// Gil & Werman 1993, there for maxima), and both are running sums.
#[derive(Debug, Clone)]
pub struct DownColumns {
    side: usize,
    /// The block that is coming in. Of many rows, what has not been overwritten yet are sums to the end of the block before.
    block: Vec<Vec<f64>>,
    /// The sum of what has come in of the block; of few rows it is not asked for, and empty.
    beginning: Vec<f64>,
    /// Rows of the block that have come in.
    filled: usize,
    /// Whether the middle of a window has come in.
    has_begun: bool,
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
            beginning: vec![0.0; if side > SMALL { n } else { 0 }],
            // Rows above the image.
            filled: side / 2,
            has_begun: false,
            sums: vec![0.0; n],
        }
    }

    /// The next row, to be written before [`DownColumns::push`]: zeros for one below the image.
    pub fn coming(&mut self) -> &mut [f64] {
        &mut self.block[self.filled]
    }

    /// Takes the row that was written; gives the sums around the row `side`/2 above it, if that is in the image.
    pub fn push(&mut self) -> Option<&[f64]> {
        let are_many = self.side > SMALL;
        if are_many {
            add(&mut self.beginning, &self.block[self.filled]);
        }
        self.filled += 1;
        let is_whole = self.filled == self.side;
        if is_whole {
            self.filled = 0;
            self.has_begun = true;
        }
        if are_many && is_whole {
            for above in (0..self.side - 1).rev() {
                let (head, tail) = self.block.split_at_mut(above + 1);
                add(&mut head[above], &tail[0]);
            }
            self.beginning.fill(0.0);
        }
        match are_many {
            _ if !self.has_begun => return None,
            // A row by itself, or the sum to the end of a block that ends here.
            _ if self.side == 1 || (are_many && is_whole) => return Some(&self.block[0]),
            true => total(&[&self.beginning, &self.block[self.filled]], &mut self.sums),
            false => total(&self.block, &mut self.sums),
        }
        Some(&self.sums)
    }
}

/// `sum` ← the sum of some rows, element by element in their order.
///
/// # Panics
/// If a row is not as long as `sum`.
pub fn total<R: AsRef<[f64]>>(rows: &[R], sum: &mut [f64]) {
    struct Job<'a, R>(&'a [R], &'a mut [f64]);
    impl<R: AsRef<[f64]>> Kernel<f64> for Job<'_, R> {
        #[inline(always)]
        fn run<S: Simd<f64>>(self, simd: S) {
            let Job(rows, sum) = self;
            let n = sum.len();
            let whole = n - n % S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                let mut total = simd.splat(0.0);
                for row in rows {
                    // SAFETY: every row has n elements, as the sum has.
                    total = unsafe { simd.add(total, simd.load(row.as_ref().as_ptr().add(at))) };
                }
                // SAFETY: as above.
                unsafe { simd.store(sum.as_mut_ptr().add(at), total) };
            }
            for (at, sum) in sum.iter_mut().enumerate().skip(whole) {
                *sum = 0.0;
                for row in rows {
                    *sum += row.as_ref()[at];
                }
            }
        }
    }
    for row in rows {
        assert_eq!(row.as_ref().len(), sum.len(), "rows of one length");
    }
    dispatch(Isa::best(), Job(rows, sum));
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

    /// Sums of all windows of an image, with a margin that is wider than they need.
    fn windows(image: &[f64], width: usize, side: usize) -> Vec<f64> {
        let shape = Padded {
            width,
            margin: side / 2 + 1,
        };
        let mut padded = vec![0.0; image.len() / width * shape.pitch()];
        let rows = padded.chunks_exact_mut(shape.pitch());
        for (row, values) in rows.zip(image.chunks_exact(width)) {
            row[shape.margin..][..width].copy_from_slice(values);
        }
        let mut down = DownColumns::new(side, width);
        let (mut sums, mut scratch) = (Vec::new(), Vec::new());
        for row in padded.chunks_exact(shape.pitch()) {
            along_rows(row, shape, side, &mut scratch, down.coming());
            sums.extend_from_slice(down.push().unwrap_or(&[]));
        }
        for _ in 0..side / 2 {
            down.coming().fill(0.0);
            sums.extend_from_slice(down.push().unwrap_or(&[]));
        }
        sums
    }

    #[test]
    fn sums_of_windows() {
        for (width, height) in [(1, 1), (5, 4), (17, 9), (3, 20)] {
            let image = image(width, height);
            for side in [1, 3, 5, 7, 9, 15, 31] {
                let sums = windows(&image, width, side);
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
        let sums = windows(&image, width, 3);
        assert!((sums[8 * width + 8] / 9e-20 - 1.0).abs() < 1e-14);
    }
}
