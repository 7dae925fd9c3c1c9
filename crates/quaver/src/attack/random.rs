//! Random numbers that belong to a seed, a sample and an attack, and to nothing else.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A stream of random numbers: PCG-XSL-RR 128/64 (O'Neill 2014), so that a seed means the same on every machine.
pub(super) struct Random(Pcg64);

impl Random {
    /// The stream of the given parts: a seed, a sample, an attack. Each is mixed in, so that neighbours have nothing in
    /// common.
    pub(super) fn new(parts: &[u64]) -> Self {
        let mixed = parts.iter().fold(0, |state, &part| {
            Pcg64::seed_from_u64(state ^ part).next_u64()
        });
        Self(Pcg64::seed_from_u64(mixed))
    }

    /// Uniform on [0, 1), a multiple of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform on `low..high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform on 0..n: the high word of a product, whose bias is below n / 2⁶⁴.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// Standard normal, by the polar method of Box & Muller (1958).
    pub(super) fn normal(&mut self) -> f64 {
        // 1 − u is never zero, so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream() {
        let first = |parts: &[u64]| Random::new(parts).unit();
        assert_eq!(first(&[1, 2, 3]), first(&[1, 2, 3]));
        let others = [[1, 2, 4], [1, 3, 3], [2, 2, 3], [3, 2, 1]];
        assert!(others.iter().all(|parts| first(parts) != first(&[1, 2, 3])));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = Random::new(&[7]);
        let n = 100_000;
        let mean = |f: &mut dyn FnMut() -> f64| (0..n).map(|_| f()).sum::<f64>() / f64::from(n);
        // Five standard errors of each mean.
        let error = |variance: f64| 5.0 * (variance / f64::from(n)).sqrt();
        assert!((mean(&mut || random.unit()) - 0.5).abs() < error(1.0 / 12.0));
        assert!(mean(&mut || random.normal()).abs() < error(1.0));
        assert!((mean(&mut || random.normal().powi(2)) - 1.0).abs() < error(2.0));
        assert!((mean(&mut || random.normal().powi(4)) - 3.0).abs() < error(96.0));
        assert!((mean(&mut || random.below(7) as f64) - 3.0).abs() < error(4.0));
        assert!((0..1000).all(|_| random.below(3) < 3 && random.between(2.0, 3.0) >= 2.0));
    }
}
