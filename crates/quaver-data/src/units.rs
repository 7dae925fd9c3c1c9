//! How what a network is given relates to the numbers in the data.

use crate::transform::Channels;

/// The affine map from the numbers of the data to what a network is given, value = (raw · scale − mean) / std with
/// `mean` and `std` of its channel, and the range of the numbers where the format bounds them.
///
/// For whoever perturbs values and must say by how much, or keep them what the data can hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    scale: f64,
    /// Per channel, or one value for all.
    mean: Vec<f64>,
    std: Vec<f64>,
    channels_last: bool,
    range: Option<(f64, f64)>,
}

impl Default for Units {
    /// The values are the numbers themselves, and nothing is known of their range.
    fn default() -> Self {
        Self {
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
            channels_last: false,
            range: None,
        }
    }
}

impl Units {
    /// Numbers that are multiplied by `scale` and lie in `range`, if that is known.
    pub fn scaled(scale: f64, range: Option<(f64, f64)>) -> Self {
        Self {
            scale,
            range,
            ..Self::default()
        }
    }

    pub(crate) fn standardised(
        scale: f64,
        mean: &[f64],
        std: &[f64],
        channels: Channels,
        range: Option<(f64, f64)>,
    ) -> Self {
        Self {
            scale,
            mean: mean.to_vec(),
            std: std.to_vec(),
            channels_last: channels == Channels::Last,
            range,
        }
    }

    pub(crate) fn of_unknown_range(self) -> Self {
        Self {
            range: None,
            ..self
        }
    }

    /// The least and the greatest number that the format can hold: 0 and 255 for bytes. `None` where it does not say.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// Whether the channels are the last axis of what the network is given, and not the first.
    pub fn channels_last(&self) -> bool {
        self.channels_last
    }

    /// For each of `n` values of a sample the (factor, offset) with value = factor · raw + offset.
    pub fn affine(&self, n: usize) -> Vec<(f64, f64)> {
        let n_channels = self.mean.len();
        let run = match self.channels_last {
            true => 1,
            false => (n / n_channels).max(1),
        };
        let of_channel = |channel: usize| {
            let std = self.std[channel];
            (self.scale / std, -self.mean[channel] / std)
        };
        (0..n).map(|i| of_channel(i / run % n_channels)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_channel_factors_follow_the_layout() {
        let (mean, std) = ([1.0, 2.0], [2.0, 4.0]);
        let first = Units::standardised(0.5, &mean, &std, Channels::First, Some((0.0, 255.0)));
        let (red, blue) = ((0.25, -0.5), (0.125, -0.5));
        assert_eq!(first.affine(4), [red, red, blue, blue]);
        let last = Units::standardised(0.5, &mean, &std, Channels::Last, None);
        assert_eq!(last.affine(4), [red, blue, red, blue]);
        assert!(last.channels_last() && first.range() == Some((0.0, 255.0)));
        assert_eq!(Units::default().affine(2), [(1.0, 0.0); 2]);
    }
}
