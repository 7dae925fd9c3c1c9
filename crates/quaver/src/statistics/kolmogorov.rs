//! The test of Kolmogorov and Smirnov: how far apart do two empirical distribution functions come?

use std::f64::consts::PI;

use super::{Sorted, runs};

/// Up to this product of sizes p is exact: the paths through a grid of so many points are counted.
const EXACT: usize = 1_000_000;

/// Two empirical distribution functions compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// D = sup |F_a − F_b|, between 0 and 1.
    pub statistic: f64,
    /// The smallest value at which the functions are that far apart.
    pub location: f64,
    /// Whether F_b lies above F_a there: b has more small values.
    pub second_is_smaller: bool,
    /// The probability of a D as large as this one if both sets come from one distribution.
    pub p_value: f64,
    /// Whether `p_value` is exact, given the ties; else it is the limit for large sets, which ties make too large.
    pub is_exact: bool,
}

/// The two-sided test; `None` if one of the sets is empty.
///
/// Up to sizes whose product is a million p is exact: the share of the ways in which the pooled values could have been dealt to
/// two sets of these sizes that give a D as large (Hodges 1958; with ties, Schröer & Trenkler 1995, only ends of runs of
/// equal values count). Beyond, Kolmogorov's limit at D √(mn/(m + n)).
pub fn kolmogorov_smirnov(a: &Sorted, b: &Sorted) -> Option<KolmogorovSmirnov> {
    let (m, n) = (a.len(), b.len());
    if m == 0 || n == 0 {
        return None;
    }
    // In whole numbers: i/m − j/n = (i n − j m)/(m n).
    let apart = |i: usize, j: usize| (i as i128 * n as i128 - j as i128 * m as i128).unsigned_abs();
    let (mut i, mut j) = (0, 0);
    let mut widest = (0, f64::NAN, false);
    let mut ends = vec![false; m + n + 1];
    for (value, n_a, n_b) in runs(a, b) {
        (i, j) = (i + n_a, j + n_b);
        ends[i + j] = true;
        let here = apart(i, j);
        if here > widest.0 || widest.1.is_nan() {
            let second_is_smaller = j as u128 * m as u128 > i as u128 * n as u128;
            widest = (here, value, second_is_smaller);
        }
    }
    let (distance, location, second_is_smaller) = widest;
    let statistic = distance as f64 / (m as f64 * n as f64);
    let is_exact = m.checked_mul(n).is_some_and(|product| product <= EXACT);
    let p_value = match is_exact {
        true => exact(m, n, &ends, |i, j| apart(i, j) >= distance),
        false => {
            let (m, n) = (m as f64, n as f64);
            limit(statistic * (m * n / (m + n)).sqrt())
        }
    };
    Some(KolmogorovSmirnov {
        statistic,
        location,
        second_is_smaller,
        p_value,
        is_exact,
    })
}

/// The probability that a random path from (0, 0) to (m, n) is at an end of a run outside of the corridor. Of the paths to
/// (i, j) a share of i/(i + j) comes from (i − 1, j); summing shares of what is outside, and not of what is inside, keeps
/// small probabilities accurate.
fn exact(m: usize, n: usize, ends: &[bool], is_outside: impl Fn(usize, usize) -> bool) -> f64 {
    let mut outside = vec![0.0; n + 1];
    for i in 0..=m {
        for j in 0..=n {
            outside[j] = if ends[i + j] && is_outside(i, j) {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                let from_left = i as f64 / (i + j) as f64;
                let left = from_left * outside[j];
                let below = match j {
                    0 => 0.0,
                    _ => (1.0 - from_left) * outside[j - 1],
                };
                left + below
            };
        }
    }
    outside[n].min(1.0)
}

/// Kolmogorov's limit P(K ≥ x) = 2 Σ (−1)^(k−1) exp(−2 k² x²); for small x by the theta function's other series.
fn limit(x: f64) -> f64 {
    if x < 1.0 {
        if x < 0.04 {
            return 1.0;
        }
        let term = |k: i32| (-f64::from((2 * k - 1).pow(2)) * PI * PI / (8.0 * x * x)).exp();
        let below: f64 = (1..=4).map(term).sum();
        return 1.0 - (2.0 * PI).sqrt() / x * below;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    };
    (1..=6).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_scipy() {
        // scipy.special.kolmogorov
        let cases = [
            (0.3, 0.9999906941986655),
            (0.5, 0.9639452436648751),
            (0.99, 0.2808738392255489),
            (1.0, 0.26999967167735456),
            (1.5, 0.022217962616525127),
            (3.0, 3.045995948942526e-08),
            (8.0, 5.14441874528483e-56),
        ];
        for (x, expected) in cases {
            let got = limit(x);
            assert!((got - expected).abs() <= 1e-12 * expected, "{x}: {got:e}");
        }
        assert_eq!(limit(0.0), 1.0);
    }

    #[test]
    fn exact_p_counts_every_way_to_deal_the_values() {
        let cases: [(&[f64], &[f64]); 5] = [
            (&[1.0, 2.0, 3.0], &[2.5, 3.5, 4.5, 5.0]),
            (&[1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 3.0]),
            (&[0.0, 0.0, 0.0, 1.0], &[0.0, 1.0, 1.0, 1.0, 1.0]),
            (&[1.0, f64::INFINITY], &[f64::INFINITY, f64::INFINITY]),
            (&[5.0], &[5.0, 5.0]),
        ];
        for (a, b) in cases {
            let sorted = |values: &[f64]| Sorted::new(values.to_vec());
            let test = kolmogorov_smirnov(&sorted(a), &sorted(b)).unwrap();
            let pooled: Vec<f64> = a.iter().chain(b).copied().collect();
            let (mut n_ways, mut n_as_far) = (0, 0);
            for chosen in 0u32..1 << pooled.len() {
                if chosen.count_ones() as usize != a.len() {
                    continue;
                }
                let (mut first, mut second) = (Vec::new(), Vec::new());
                for (at, value) in pooled.iter().enumerate() {
                    match chosen >> at & 1 {
                        1 => first.push(*value),
                        _ => second.push(*value),
                    }
                }
                // D straight from its definition.
                let share = |values: &[f64], at: f64| {
                    values.iter().filter(|value| **value <= at).count() as f64 / values.len() as f64
                };
                let gap = |at: &f64| (share(&first, *at) - share(&second, *at)).abs();
                let distance = pooled.iter().map(gap).fold(0.0, f64::max);
                n_ways += 1;
                n_as_far += u32::from(distance >= test.statistic - 1e-9);
            }
            let expected = f64::from(n_as_far) / f64::from(n_ways);
            assert!((test.p_value - expected).abs() < 1e-12, "{a:?} {b:?}");
            assert!(test.is_exact);
        }
    }
}
