//! Which of an input's axes are a height, a width and channels.

use crate::{Error, ErrorKind};

/// No image has more channels than this where its channels come last.
const MOST_CHANNELS_LAST: usize = 4;

/// A network's input as an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageAxes {
    /// C.
    pub channels: usize,
    /// H.
    pub height: usize,
    /// W.
    pub width: usize,
    /// Whether the network is given (H, W, C) and not (C, H, W).
    pub channels_last: bool,
}

/// What of a pixel is perturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// One channel, from 0.
    Channel(usize),
    /// All channels together.
    All,
}

impl ImageAxes {
    /// Of one sample's shape: (C, H, W); (H, W, C) where the last axis alone is as short as the channels of an image;
    /// (H, W); or (W), a strip one pixel high.
    ///
    /// # Errors
    /// For any other number of axes.
    pub fn of(shape: &[usize]) -> Result<Self, Error> {
        let (channels, height, width, channels_last) = match *shape {
            [h, w, c] if c <= MOST_CHANNELS_LAST && h > MOST_CHANNELS_LAST => (c, h, w, true),
            [c, h, w] => (c, h, w, false),
            [h, w] => (1, h, w, false),
            [w] => (1, 1, w, false),
            _ => {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!(
                        "the network's input of shape {shape:?} is no image: a map needs a height, a width and channels"
                    ),
                ));
            }
        };
        Ok(Self {
            channels,
            height,
            width,
            channels_last,
        })
    }

    /// H W.
    pub fn n_pixels(&self) -> usize {
        self.height * self.width
    }

    /// Every channel alone, then all of them together; a grey image has but one region.
    pub fn regions(&self) -> Vec<Region> {
        let channels = (0..self.channels).map(Region::Channel);
        match self.channels {
            1 => vec![Region::All],
            _ => channels.chain([Region::All]).collect(),
        }
    }

    /// The position in [`regions`](Self::regions); `None` for a channel that is not there.
    pub(crate) fn place(&self, region: Region) -> Option<usize> {
        match region {
            Region::All if self.channels == 1 => Some(0),
            Region::All => Some(self.channels),
            Region::Channel(c) => (c < self.channels).then_some(c),
        }
    }

    /// Where a row of pixels of one channel starts in the input, and how far apart they are.
    pub(crate) fn row(&self, channel: usize, y: usize) -> (usize, usize) {
        match self.channels_last {
            true => (y * self.width * self.channels + channel, self.channels),
            false => ((channel * self.height + y) * self.width, 1),
        }
    }

    /// The values of an input as (C, H, W).
    pub fn channels_first(&self, values: &[f64]) -> Vec<f64> {
        let rows = (0..self.channels).flat_map(|c| (0..self.height).map(move |y| (c, y)));
        rows.flat_map(|(c, y)| {
            let (start, step) = self.row(c, y);
            values[start..]
                .iter()
                .step_by(step)
                .take(self.width)
                .copied()
        })
        .collect()
    }
}

impl Region {
    /// A word for it: `all`, or the number of the channel.
    pub fn name(self) -> String {
        match self {
            Region::All => "all".to_owned(),
            Region::Channel(c) => format!("channel{c}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let axes = |shape: &[usize]| {
            let axes = ImageAxes::of(shape).unwrap();
            (axes.channels, axes.height, axes.width, axes.channels_last)
        };
        assert_eq!(axes(&[3, 32, 24]), (3, 32, 24, false));
        assert_eq!(axes(&[32, 24, 3]), (3, 32, 24, true));
        assert_eq!(axes(&[1, 4, 4]), (1, 4, 4, false));
        assert_eq!(axes(&[28, 28]), (1, 28, 28, false));
        assert_eq!(axes(&[13]), (1, 1, 13, false));
        assert!(ImageAxes::of(&[2, 3, 4, 5]).is_err());
    }

    #[test]
    fn channels_last_becomes_channels_first() {
        let axes = ImageAxes::of(&[5, 2, 3]).unwrap();
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        let first = axes.channels_first(&values);
        assert_eq!(&first[..4], &[0.0, 3.0, 6.0, 9.0]);
        assert_eq!(&first[10..12], &[1.0, 4.0]);
        assert_eq!(axes.regions().len(), 4);
        assert_eq!(axes.place(Region::Channel(3)), None);
    }
}
