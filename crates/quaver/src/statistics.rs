//! Two sets of numbers compared: whether their distributions differ, in what, and by how much.
//!
//! All of them take values in order ([`Sorted`]); infinite values are ordinary ends of the order. Nothing here knows what
//! the numbers are.

mod holm;
mod kolmogorov;
mod quantiles;
mod ranks;

pub use holm::holm;
pub use kolmogorov::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use quantiles::{Bootstrap, QuantileDifference};
pub use ranks::{MannWhitney, mann_whitney, rank_correlation};

/// Numbers in increasing order, none of them NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// The numbers of `values` in order, NaN left out.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The numbers.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The quantile at a share in [0, 1], linear between order statistics (type 7 of Hyndman & Fan 1996, the default of
    /// NumPy and R); `None` without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let (below, above, weight) = place_of(share, self.len())?;
        Some(between(self.0[below], self.0[above], weight))
    }
}

/// The two order statistics of `n` around a quantile, counted from 0, and the weight of the upper one.
fn place_of(share: f64, n: usize) -> Option<(usize, usize, f64)> {
    let last = n.checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = (at.floor() as usize).min(last);
    Some((below, (below + 1).min(last), at - below as f64))
}

/// The mean of two numbers, of which the first is not the larger: what lies in the middle of an even number of them.
pub(crate) fn midway(low: f64, high: f64) -> f64 {
    between(low, high, 0.5)
}

/// Linear interpolation that keeps infinite ends: ∞ − ∞ has no value, but two equal ends have nothing between them.
fn between(low: f64, high: f64, weight: f64) -> f64 {
    match low == high || weight == 0.0 {
        true => low,
        false => low + weight * (high - low),
    }
}

/// The values of two sets together, in order, as runs of equal ones: of each run its value, and how many of it are in
/// the first and in the second set.
fn runs<'a>(a: &'a Sorted, b: &'a Sorted) -> impl Iterator<Item = (f64, usize, usize)> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let value = match (a.0.get(i), b.0.get(j)) {
            (Some(x), Some(y)) => x.min(*y),
            (Some(one), None) | (None, Some(one)) => *one,
            (None, None) => return None,
        };
        let count = |values: &[f64]| values.iter().take_while(|x| **x == value).count();
        let (n_a, n_b) = (count(&a.0[i..]), count(&b.0[j..]));
        (i, j) = (i + n_a, j + n_b);
        Some((value, n_a, n_b))
    })
}

#[cfg(test)]
mod tests;
