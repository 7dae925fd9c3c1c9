//! What ranks say: whether one set has the larger values, and whether two measures order samples alike.

use std::f64::consts::SQRT_2;

use super::{Sorted, runs};

/// Two sets compared by the ranks of their values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// U of the second set: pairs in which its value is the larger one, ties counting half.
    pub u: f64,
    /// The effect size: the probability that a value of the second set is larger than one of the first, ties counting
    /// half. 0.5 is no difference.
    pub superiority: f64,
    /// The two-sided probability of so large a difference if both sets come from one distribution: the normal limit with
    /// corrections for ties and for continuity.
    pub p_value: f64,
}

/// The test of Mann and Whitney (Wilcoxon's rank sum test); `None` if one of the sets is empty.
pub fn mann_whitney(a: &Sorted, b: &Sorted) -> Option<MannWhitney> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (m, n) = (a.len() as f64, b.len() as f64);
    let total = m + n;
    // Counted twice, to stay with whole numbers.
    let (mut twice_u, mut below, mut ties) = (0u128, 0u128, 0.0);
    for (_, n_a, n_b) in runs(a, b) {
        twice_u += n_b as u128 * (2 * below + n_a as u128);
        below += n_a as u128;
        let tied = (n_a + n_b) as f64;
        ties += tied * tied * tied - tied;
    }
    let u = twice_u as f64 / 2.0;
    let variance = match total > 1.0 {
        true => m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0))),
        false => 0.0,
    };
    let off = ((u - m * n / 2.0).abs() - 0.5).max(0.0);
    // Where all values are equal there is nothing to tell the sets apart by.
    let p_value = match variance > 0.0 {
        true => libm::erfc(off / variance.sqrt() / SQRT_2),
        false => 1.0,
    };
    Some(MannWhitney {
        u,
        superiority: u / (m * n),
        p_value,
    })
}

/// Spearman's rank correlation of two measures of the same samples, ties sharing their mean rank; `None` if there are
/// fewer than two samples, or one of the measures is the same for all.
pub fn rank_correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len().min(y.len());
    let (x, y) = (ranks(&x[..n]), ranks(&y[..n]));
    let mean = (n as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let spread = product(&x, &x) * product(&y, &y);
    (spread > 0.0).then(|| (product(&x, &y) / spread.sqrt()).clamp(-1.0, 1.0))
}

/// The rank of every value, from 1; equal values share their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        for &at in tied {
            ranks[at] = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        }
        before += tied.len();
    }
    ranks
}
