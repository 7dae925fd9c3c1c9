//! Arrays in Fortran order. Their first axis, which counts the samples, runs fastest, so that the numbers of one sample lie
//! as far apart as there are samples.
//!
//! Samples are gathered many at a time: what lies beside a number of one is a number of the next. Nothing is written, and
//! what is held does not grow with the array.

use std::sync::Arc;

use crate::DataError;
use crate::element::ArrayHeader;
use crate::file::Region;
use crate::table::Recent;

/// Samples that are gathered together take at most so many bytes; one that takes more is gathered alone.
const BLOCK_BYTES: usize = 1 << 22;

/// So many blocks are kept for the samples that are asked for next.
const BLOCKS_KEPT: usize = 3;

/// Gaps up to a page of the system are read over, for it fetches them anyway...
const PAGE: usize = 1 << 12;

/// ...and so much is read at once.
const STRETCH: usize = 1 << 16;

/// The samples of an array in Fortran order.
pub(crate) struct Columns {
    region: Region,
    /// Bytes of a number.
    size: usize,
    /// The number of samples.
    count: usize,
    /// The shape of one.
    shape: Vec<usize>,
    n_values: usize,
    /// Samples in a block.
    per_block: usize,
    blocks: Recent<usize, Arc<Vec<u8>>>,
}

impl Columns {
    /// Of the array in `region`, which is as long as `header` says.
    pub(crate) fn new(region: Region, header: &ArrayHeader) -> Self {
        let shape = header.shape.get(1..).unwrap_or_default().to_vec();
        let n_values = shape.iter().product();
        let size = header.element.size();
        Self {
            region,
            size,
            count: header.shape.first().copied().unwrap_or(0),
            shape,
            n_values,
            per_block: (BLOCK_BYTES / (n_values * size).max(1)).max(1),
            blocks: Recent::new(BLOCKS_KEPT),
        }
    }

    /// The bytes of sample `index`, its numbers in C order.
    pub(crate) fn read(&self, index: usize) -> Result<Vec<u8>, DataError> {
        if self.per_block == 1 {
            return self.gather(index, 1);
        }
        let first = index - index % self.per_block;
        let n = self.per_block.min(self.count - first);
        let block = self
            .blocks
            .get(first, || Ok(Arc::new(self.gather(first, n)?)))?;
        let bytes = self.n_values * self.size;
        Ok(block[(index - first) * bytes..][..bytes].to_vec())
    }

    /// The bytes of `n` samples from `first` on, one after another.
    fn gather(&self, first: usize, n: usize) -> Result<Vec<u8>, DataError> {
        let (wanted, stride) = (n * self.size, self.count * self.size);
        let together = match stride <= PAGE.max(4 * wanted) {
            true => (STRETCH / stride).max(1),
            false => 1,
        };
        let mut block = vec![0; n * self.n_values * self.size];
        let mut stretch = Vec::new();
        let mut places = places(&self.shape);
        for start in (0..self.n_values).step_by(together) {
            let n_columns = together.min(self.n_values - start);
            stretch.resize((n_columns - 1) * stride + wanted, 0);
            let offset = start * stride + first * self.size;
            self.region.read(offset as u64, &mut stretch)?;
            for (column, place) in stretch.chunks(stride).zip(&mut places) {
                let numbers = column[..wanted].chunks_exact(self.size);
                for (sample, number) in numbers.enumerate() {
                    let at = (sample * self.n_values + place) * self.size;
                    block[at..at + self.size].copy_from_slice(number);
                }
            }
        }
        Ok(block)
    }
}

/// The numbers of a whole array in C order, given in Fortran order.
pub(crate) fn in_c_order(numbers: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut ordered = vec![0.0; numbers.len()];
    for (&number, place) in numbers.iter().zip(places(shape)) {
        ordered[place] = number;
    }
    ordered
}

/// Where the numbers of an array of this shape, taken in Fortran order, are in C order.
fn places(shape: &[usize]) -> impl Iterator<Item = usize> {
    let mut stride = 1_usize;
    let mut axes = Vec::new();
    for &length in shape.iter().rev() {
        // A header may declare any number of axes of length 1.
        if length != 1 {
            axes.push((length, stride, 0));
        }
        // Beside an axis of no length the others may be beyond all bounds.
        stride = length.wrapping_mul(stride);
    }
    axes.reverse();
    let mut next = 0;
    (0..stride).map(move |_| {
        let place = next;
        for (length, stride, at) in &mut axes {
            *at += 1;
            next += *stride;
            if at < length {
                break;
            }
            next -= *length * *stride;
            *at = 0;
        }
        place
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_transposed() {
        // numpy.arange(24).reshape(2, 3, 4).ravel("F")
        let expected = [
            0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23,
        ];
        assert!(places(&[2, 3, 4]).eq(expected));
        assert!(places(&[1, 2, 1, 3, 4, 1]).eq(expected));
        assert!(places(&[5]).eq(0..5));
        assert!(places(&[]).eq([0]));
        assert_eq!(places(&[2, 0]).count(), 0);
        let numbers: Vec<f64> = (0..6).map(f64::from).collect();
        assert_eq!(
            in_c_order(&numbers, &[2, 3]),
            [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
        );
    }
}
