//! Where attacks move: the unit box, in which 0 is the least and 1 the greatest number that the data can hold.
//!
//! A budget of 8/255 means the same for a network that takes bytes, fractions or standardised values, and for every
//! channel of a standardised one; it is the convention of the literature.

use std::sync::atomic::{AtomicBool, Ordering};

use quaver_data::{Dataset, Units};

use crate::{Error, ErrorKind};

/// The range of the raw numbers of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The least number.
    pub low: f64,
    /// The greatest number.
    pub high: f64,
}

impl Bounds {
    /// The least and the greatest raw number in `dataset`, which is read through. Samples that cannot be read are passed
    /// over. Setting `stop` ends it early.
    ///
    /// # Errors
    /// If no sample can be read; [`ErrorKind::Interrupted`] after `stop` was set.
    pub fn seen(dataset: &dyn Dataset, stop: &AtomicBool) -> Result<Self, Error> {
        let n = dataset.shape().iter().product();
        let affine = dataset.units().affine(n);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for index in 0..dataset.len() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            let Ok(sample) = dataset.read(index) else {
                continue;
            };
            for (value, (factor, offset)) in sample.values.iter().zip(&affine) {
                let raw = whole((value - offset) / factor);
                (low, high) = (low.min(raw), high.max(raw));
            }
        }
        Self { low, high }.check()
    }

    /// high − low.
    pub fn width(self) -> f64 {
        self.high - self.low
    }

    pub(super) fn check(self) -> Result<Self, Error> {
        let usable = self.low.is_finite() && self.high.is_finite() && self.low < self.high;
        match usable {
            true => Ok(self),
            false => Err(Error::new(
                ErrorKind::Option,
                format!(
                    "bounds {},{}: give two finite numbers, the smaller first (--bounds 0,255)",
                    self.low, self.high
                ),
            )),
        }
    }
}

/// A raw number, the whole one it was before rounding where it is as good as that: bytes come back as they were.
fn whole(raw: f64) -> f64 {
    let nearest = raw.round();
    match (raw - nearest).abs() <= 1e-9 * (1.0 + raw.abs()) {
        true => nearest,
        false => raw,
    }
}

/// A value may lie outside the bounds by this share of their width before it counts as outside: rounding.
const SLACK: f64 = 1e-6;

/// The affine map between the unit box and what the network is given, coordinate by coordinate:
/// value = factor · u + offset.
#[derive(Debug, Clone)]
pub(super) struct Space {
    factors: Vec<f64>,
    offsets: Vec<f64>,
    bounds: Bounds,
}

impl Space {
    pub(super) fn new(units: &Units, bounds: Bounds, n: usize) -> Self {
        let map =
            |(factor, offset): (f64, f64)| (factor * bounds.width(), factor * bounds.low + offset);
        let (factors, offsets) = units.affine(n).into_iter().map(map).unzip();
        Self {
            factors,
            offsets,
            bounds,
        }
    }

    /// The point of the unit box at which the network is given `x`.
    ///
    /// # Errors
    /// Says which number lies outside the bounds.
    pub(super) fn to_unit(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let map = self.factors.iter().zip(&self.offsets);
        let unit = |((factor, offset), x): ((&f64, &f64), &f64)| (x - offset) / factor;
        let u: Vec<f64> = map.zip(x).map(unit).collect();
        if let Some(outside) = u.iter().find(|u| !(-SLACK..=1.0 + SLACK).contains(*u)) {
            let Bounds { low, high } = self.bounds;
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "holds {}, which is outside the bounds {low} to {high} of the data (--bounds)",
                    self.raw(*outside)
                ),
            ));
        }
        Ok(u.into_iter().map(|u| u.clamp(0.0, 1.0)).collect())
    }

    /// What the network is given at `u`. Where `u` is the start it is exactly what it was there.
    pub(super) fn to_input(&self, u: &[f64], start: &[f64], x: &[f64]) -> Vec<f64> {
        let moved = |i: usize| match u[i] == start[i] {
            true => x[i],
            false => self.factors[i] * u[i] + self.offsets[i],
        };
        (0..u.len()).map(moved).collect()
    }

    /// Derivatives by the network's input become derivatives by u.
    pub(super) fn pull_back(&self, rows: &mut [f64]) {
        for row in rows.chunks_exact_mut(self.factors.len()) {
            row.iter_mut().zip(&self.factors).for_each(|(g, f)| *g *= f);
        }
    }

    /// The raw number at the coordinate `u`.
    pub(super) fn raw(&self, u: f64) -> f64 {
        whole(self.bounds.low + u * self.bounds.width())
    }
}

/// How the values of a sample are grouped into pixels: the channels of one place are one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pixels {
    /// C.
    pub channels: usize,
    /// H; 1 for samples that are no pictures, whose every value is a pixel of its own.
    pub height: usize,
    /// W.
    pub width: usize,
    /// Whether the channels are the last axis.
    pub channels_last: bool,
}

impl Pixels {
    /// The pixels of a sample of the given shape: `[C, H, W]`, `[H, W, C]` where the channels are last, or `[H, W]`.
    /// In a sample of another number of axes every value is a pixel.
    pub fn of(shape: &[usize], channels_last: bool) -> Self {
        let (channels, height, width) = match *shape {
            [h, w, c] if channels_last => (c, h, w),
            [c, h, w] => (c, h, w),
            [h, w] => (1, h, w),
            _ => (1, 1, shape.iter().product()),
        };
        Self {
            channels,
            height,
            width,
            channels_last: channels_last && shape.len() == 3,
        }
    }

    /// H · W.
    pub fn count(self) -> usize {
        self.height * self.width
    }

    /// The positions of a pixel's values in the sample, channel by channel.
    pub fn coordinates(self, pixel: usize) -> impl Iterator<Item = usize> {
        (0..self.channels).map(move |channel| match self.channels_last {
            true => pixel * self.channels + channel,
            false => channel * self.count() + pixel,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_places() {
        let first = Pixels::of(&[3, 2, 4], false);
        assert_eq!((first.count(), first.channels), (8, 3));
        assert_eq!(first.coordinates(5).collect::<Vec<_>>(), [5, 13, 21]);
        let last = Pixels::of(&[2, 4, 3], true);
        assert_eq!((last.height, last.width), (2, 4));
        assert_eq!(last.coordinates(5).collect::<Vec<_>>(), [15, 16, 17]);
        assert_eq!(
            Pixels::of(&[7], true).coordinates(3).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(Pixels::of(&[5, 6], false).count(), 30);
    }

    #[test]
    fn the_unit_box_is_the_bounds() {
        let bounds = Bounds {
            low: -1.0,
            high: 3.0,
        };
        let space = Space::new(&Units::scaled(0.5, None), bounds, 3);
        // Raw −1, 1, 3 are given to the network as −0.5, 0.5, 1.5.
        let x = [-0.5, 0.5, 1.5];
        let u = space.to_unit(&x).unwrap();
        assert_eq!(u, [0.0, 0.5, 1.0]);
        assert_eq!(space.to_input(&[1.0, 0.5, 0.0], &u, &x), [1.5, 0.5, -0.5]);
        let mut rows = vec![1.0; 6];
        space.pull_back(&mut rows);
        assert_eq!(rows, [2.0; 6]);
        let error = space.to_unit(&[-0.5, 0.5, 1.6]).unwrap_err();
        assert!(error.to_string().contains("holds 3.2"), "{error}");
        assert!(
            Bounds {
                low: 1.0,
                high: 1.0
            }
            .check()
            .is_err()
        );
        assert!(
            Bounds {
                low: 0.0,
                high: f64::INFINITY
            }
            .check()
            .is_err()
        );
    }
}
