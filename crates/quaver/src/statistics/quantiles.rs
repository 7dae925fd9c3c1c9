//! By how much quantiles differ, with intervals from resampling.

use super::{Sorted, between, place_of};
use crate::random::Random;

/// How intervals are found (Efron's percentile bootstrap).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// How often both sets are drawn again. Default: 1000.
    pub n_resamples: usize,
    /// The share of the resampled differences that an interval holds. Default: 0.95.
    pub confidence: f64,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            n_resamples: 1000,
            confidence: 0.95,
            seed: 0,
        }
    }
}

/// One quantile of two sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileDifference {
    /// Which quantile: 0.5 is the median.
    pub share: f64,
    /// That of the first set.
    pub first: f64,
    /// That of the second set.
    pub second: f64,
    /// The interval of the first.
    pub first_interval: (f64, f64),
    /// The interval of the second.
    pub second_interval: (f64, f64),
    /// Second less first.
    pub difference: f64,
    /// The interval of the difference.
    pub interval: (f64, f64),
}

impl Bootstrap {
    /// The differences of the quantiles at `shares`; empty if one of the sets is.
    ///
    /// Both sets are drawn again with replacement, each from a sequence of random numbers that depends on the seed and the
    /// number of the draw alone; all quantiles are read off the same draws.
    pub fn quantile_differences(
        &self,
        a: &Sorted,
        b: &Sorted,
        shares: &[f64],
    ) -> Vec<QuantileDifference> {
        if a.is_empty() || b.is_empty() {
            return Vec::new();
        }
        let mut drawn = vec![[Vec::new(), Vec::new(), Vec::new()]; shares.len()];
        let mut counts = Vec::new();
        for draw in 0..self.n_resamples as u64 {
            let mut resampled = |set: u64, values: &Sorted| {
                let mut random = Random::new(self.seed, set, draw);
                resampled_quantiles(values.values(), shares, &mut random, &mut counts)
            };
            let (first, second) = (resampled(0, a), resampled(1, b));
            for (drawn, (first, second)) in drawn.iter_mut().zip(first.into_iter().zip(second)) {
                let [firsts, seconds, differences] = drawn;
                firsts.push(first);
                seconds.push(second);
                differences.push(minus(second, first));
            }
        }
        let interval = |values: Vec<f64>| {
            let sorted = Sorted::new(values);
            let end = |share: f64| sorted.quantile(share).unwrap_or(f64::NAN);
            let outside = (1.0 - self.confidence) / 2.0;
            (end(outside), end(1.0 - outside))
        };
        let shares = shares.iter().zip(drawn);
        let differences = shares.filter_map(|(&share, [firsts, seconds, differences])| {
            let (first, second) = (a.quantile(share)?, b.quantile(share)?);
            Some(QuantileDifference {
                share,
                first,
                second,
                first_interval: interval(firsts),
                second_interval: interval(seconds),
                difference: minus(second, first),
                interval: interval(differences),
            })
        });
        differences.collect()
    }
}

/// Two equal infinities do not differ.
fn minus(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { a - b }
}

/// Quantiles of as many values drawn with replacement. The draws are counted and not sorted: the k-th smallest draw is
/// where the counts have come to k.
fn resampled_quantiles(
    sorted: &[f64],
    shares: &[f64],
    random: &mut Random,
    counts: &mut Vec<u32>,
) -> Vec<f64> {
    let n = sorted.len();
    counts.clear();
    counts.resize(n, 0);
    for _ in 0..n {
        counts[random.below(n as u64) as usize] += 1;
    }
    let mut wanted: Vec<usize> = shares
        .iter()
        .filter_map(|share| place_of(*share, n))
        .flat_map(|(below, above, _)| [below, above])
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = Vec::with_capacity(wanted.len());
    let mut drawn = 0;
    for (value, count) in sorted.iter().zip(counts.iter()) {
        drawn += *count as usize;
        while wanted.get(found.len()).is_some_and(|place| *place < drawn) {
            found.push(*value);
        }
    }
    let at = |place: usize| {
        let found = wanted
            .binary_search(&place)
            .ok()
            .and_then(|at| found.get(at));
        found.copied().unwrap_or(f64::NAN)
    };
    let quantile = |share: &f64| {
        let (below, above, weight) = place_of(*share, n)?;
        Some(between(at(below), at(above), weight))
    };
    shares.iter().filter_map(quantile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_draws_is_sorting_them() {
        let values: Vec<f64> = (0..57).map(|k| f64::from(k * k % 41)).collect();
        let sorted = Sorted::new(values);
        let shares = [0.0, 0.05, 0.25, 0.5, 0.9, 1.0];
        for draw in 0..20 {
            let mut random = Random::new(3, 0u64, draw);
            let naive: Vec<f64> = (0..57)
                .map(|_| sorted.values()[random.below(57) as usize])
                .collect();
            let naive = Sorted::new(naive);
            let expected: Vec<f64> = shares.iter().map(|s| naive.quantile(*s).unwrap()).collect();
            let mut random = Random::new(3, 0u64, draw);
            let mut counts = Vec::new();
            let got = resampled_quantiles(sorted.values(), &shares, &mut random, &mut counts);
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn intervals_cover_as_often_as_they_say() {
        // The median of a uniform distribution on [0, 1) is 0.5; that on [0.2, 1.2) is 0.7.
        let (mut covered, n_trials) = (0, 300);
        for trial in 0..n_trials {
            let mut random = Random::new(11, 7u64, trial);
            let a = Sorted::new((0..80).map(|_| random.unit()).collect());
            let b = Sorted::new((0..60).map(|_| 0.2 + random.unit()).collect());
            let bootstrap = Bootstrap {
                n_resamples: 200,
                confidence: 0.9,
                seed: trial,
            };
            let found = bootstrap.quantile_differences(&a, &b, &[0.5])[0];
            covered += u32::from((found.interval.0..=found.interval.1).contains(&0.2));
        }
        // Three standard deviations of a binomial around 0.9 are 0.052; the percentile interval is a little wide.
        let share = f64::from(covered) / n_trials as f64;
        assert!((0.84..=0.97).contains(&share), "{share}");
    }

    #[test]
    fn what_is_infinite_stays_so() {
        let infinite = Sorted::new(vec![f64::INFINITY; 3]);
        let found = Bootstrap::default().quantile_differences(&infinite, &infinite, &[0.5])[0];
        assert_eq!((found.difference, found.interval), (0.0, (0.0, 0.0)));
        let finite = Sorted::new(vec![1.0, 2.0]);
        let found = Bootstrap::default().quantile_differences(&finite, &infinite, &[0.5])[0];
        assert_eq!(found.difference, f64::INFINITY);
        let none = Sorted::new(vec![]);
        assert!(
            Bootstrap::default()
                .quantile_differences(&finite, &none, &[0.5])
                .is_empty()
        );
    }
}
