//! What lumping loses, from one more cotangent.

use crate::error::{GeometryError, check_finite};

/// A random-sign cotangent v = Σ ε_k √(p_k/p_rest) (e_k − q) over the rest, q = p/p_rest there (derived).
#[derive(Debug, Clone, PartialEq)]
pub struct LossProbe {
    cotangent: Vec<f64>,
    p_rest: f64,
}

impl LossProbe {
    pub(super) fn new(q: &[f64], p_rest: f64, seed: u64, index: usize) -> Self {
        let signed: Vec<f64> = q
            .iter()
            .enumerate()
            .map(|(k, q)| random_sign(seed, index, k) * q.sqrt())
            .collect();
        let total: f64 = signed.iter().sum();
        let cotangent = signed.iter().zip(q).map(|(s, q)| s - q * total).collect();
        Self { cotangent, p_rest }
    }

    /// v (K values), of size 1 whatever p_rest.
    pub fn cotangent(&self) -> &[f64] {
        &self.cotangent
    }

    /// An unbiased estimate of the Fisher trace that lumping lost, tr G − tr G_lumped = Σ p_k ‖J_k − J̄‖² over the rest,
    /// from ‖vᵀJ‖². In nats/\[ω\]². Its standard deviation is up to √2 times its mean: average over samples, or ask for
    /// several.
    ///
    /// # Errors
    /// `NotFinite`.
    pub fn lost_trace(&self, squared_norm: f64) -> Result<f64, GeometryError> {
        check_finite("squared norm of the probe: value", &[squared_norm])?;
        Ok(self.p_rest * squared_norm)
    }

    /// The same relative to the whole, given the Fisher trace of the lumped problem: between 0 and 1.
    ///
    /// # Errors
    /// `NotFinite`.
    pub fn relative_loss(
        &self,
        squared_norm: f64,
        lumped_trace: f64,
    ) -> Result<f64, GeometryError> {
        check_finite("lumped Fisher trace: value", &[lumped_trace])?;
        let lost = self.lost_trace(squared_norm)?;
        Ok(if lost == 0.0 {
            0.0
        } else {
            lost / (lost + lumped_trace)
        })
    }
}

/// ±1 as a function of its arguments alone, so that no order of samples or threads changes it: the top bit of
/// SplitMix64 (Steele, Lea & Flood 2014), mixed once for each argument.
fn random_sign(seed: u64, index: usize, class: usize) -> f64 {
    let mix = |state: u64, value: usize| {
        let mut x = (state ^ value as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    if mix(mix(mix(seed, 0), index), class) >> 63 == 0 {
        1.0
    } else {
        -1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_fair_and_independent() {
        let n = 40_000;
        for (index, class) in [(1, 0), (0, 1), (1, 1)] {
            let sum: f64 = (0..n)
                .map(|i| random_sign(7, i, 0) * random_sign(7, i + index, class))
                .sum();
            assert!(
                sum.abs() < 5.0 * f64::from(n as u32).sqrt(),
                "{index} {class} {sum}"
            );
        }
        let sum: f64 = (0..n).map(|i| random_sign(0, i, 3)).sum();
        assert!(sum.abs() < 5.0 * f64::from(n as u32).sqrt());
        assert_eq!(random_sign(1, 2, 3), random_sign(1, 2, 3));
    }
}
