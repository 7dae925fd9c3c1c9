//! The random numbers of everything that has a seed: simulated data, resampling.
//!
//! Written out here, because results that can be made again must not hang on a dependency that may change its streams.

/// A counter run through a 64-bit mixing function (the SplitMix64 generator). Small, and good enough for drawing
/// pictures and for resampling; not for cryptography.
pub(crate) struct Random {
    state: u64,
}

/// 2⁶⁴ divided by the golden ratio, made odd: the step of the counter.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The sequence of `index` in `stream`: sequences of one seed do not depend on each other.
    pub(crate) fn new(seed: u64, stream: impl Into<u64>, index: u64) -> Self {
        let state = [stream.into(), index]
            .into_iter()
            .fold(mix(seed.wrapping_add(STEP)), |state, part| {
                mix(state ^ part.wrapping_mul(STEP))
            });
        Self { state }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Uniform on `0..n`: the high word of a product, whose bias is below n / 2⁶⁴.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform on [0, 1), a multiple of 2⁻⁵³.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Nearly standard normal: the sum of three uniforms, scaled to variance 1. It lies in [−3, 3], so that no glyph is
    /// bent out of all recognition.
    pub(crate) fn normal(&mut self) -> f64 {
        2.0 * (self.unit() + self.unit() + self.unit() - 1.5)
    }

    /// `n_wanted` different numbers below `n`, in random order (Fisher–Yates, stopped early).
    pub(crate) fn some_of(&mut self, n: usize, n_wanted: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in 0..n_wanted {
            order.swap(i, i + self.below((n - i) as u64) as usize);
        }
        order.truncate(n_wanted);
        order
    }
}

/// A bijection of the 64-bit words in which every input bit reaches every output bit.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
