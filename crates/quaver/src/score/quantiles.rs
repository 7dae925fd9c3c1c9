//! Quantiles of any number of values in bounded memory.

use std::collections::BTreeMap;

use crate::statistics::midway;

/// Bits of the mantissa that are kept: values within one part in 2¹¹ of each other may be taken for one another.
const MANTISSA_BITS: u32 = 10;
const DROPPED_BITS: u32 = f64::MANTISSA_DIGITS - 1 - MANTISSA_BITS;

/// A histogram of non-negative numbers whose bins have the same relative width, 2⁻¹⁰. Exponent and mantissa together
/// are 21 bits, which bounds the number of bins.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Quantiles {
    bins: BTreeMap<u64, u64>,
    count: u64,
    largest: f64,
}

impl Quantiles {
    /// Adds a value, which must not be negative or NaN.
    pub(super) fn add(&mut self, value: f64) {
        // The bits of non-negative floats are ordered as the floats are.
        *self
            .bins
            .entry(value.to_bits() >> DROPPED_BITS)
            .or_default() += 1;
        self.count += 1;
        self.largest = self.largest.max(value);
    }

    /// The median, of an even number of values the mean of the two in the middle, to within 2⁻¹¹ relative; `None` without
    /// values.
    pub(super) fn median(&self) -> Option<f64> {
        let last = self.count.checked_sub(1)?;
        Some(midway(self.at(last / 2)?, self.at(self.count / 2)?))
    }

    /// The value at a place in order, counted from 0.
    fn at(&self, place: u64) -> Option<f64> {
        let mut below = 0;
        for (&bin, &count) in &self.bins {
            below += count;
            if below > place {
                let low = f64::from_bits(bin << DROPPED_BITS);
                let high = f64::from_bits((bin + 1) << DROPPED_BITS);
                // Zero and infinity are bins of their own; the rest answer with their middle.
                let exact = low == 0.0 || !high.is_finite();
                let middle = if exact { low } else { 0.5 * (low + high) };
                // A share must not come out above 1 because its bin reaches beyond.
                return Some(middle.min(self.largest));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_agree_with_sorting() {
        let mut state = 1u64;
        for n in 1..300 {
            let mut quantiles = Quantiles::default();
            let mut values: Vec<f64> = (0..n)
                .map(|_| {
                    state = state
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
                    10f64.powf(600.0 * unit - 300.0)
                })
                .collect();
            values.iter().for_each(|&value| quantiles.add(value));
            values.sort_by(f64::total_cmp);
            let exact = 0.5 * values[(n - 1) / 2] + 0.5 * values[n / 2];
            let median = quantiles.median().unwrap();
            assert!((median - exact).abs() <= exact / 2048.0, "{median} {exact}");
        }
    }

    #[test]
    fn a_median_is_no_larger_than_the_largest_value() {
        let mut quantiles = Quantiles::default();
        quantiles.add(1.0);
        assert_eq!(quantiles.median(), Some(1.0));
    }

    #[test]
    fn ends() {
        assert_eq!(Quantiles::default().median(), None);
        for value in [0.0, f64::INFINITY] {
            let mut quantiles = Quantiles::default();
            quantiles.add(value);
            assert_eq!(quantiles.median(), Some(value));
        }
    }
}
