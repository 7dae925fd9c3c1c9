//! Images to another size, with the very bytes that Pillow gives: networks are trained on its pixels.
//!
//! A pixel of the result is a weighted mean of those around its place in the source. The filter's support grows with
//! the factor by which an image shrinks, so that no pixel is left out (antialiasing). Rows come first, then columns,
//! each rounded to bytes, with weights in fixed point of 22 bits (Pillow, `Resample.c`).

use std::f64::consts::PI;
use std::fmt;

use crate::picture::Size;

/// How pixels between those of an image are found. All but `Nearest` are antialiased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interpolation {
    /// The pixel whose area holds the place.
    Nearest,
    /// The mean of the area.
    Box,
    /// A triangle, one pixel to either side.
    #[default]
    Bilinear,
    /// A windowed sinc, one pixel to either side.
    Hamming,
    /// Cubic convolution with a = −1/2 (Keys 1981), two pixels to either side.
    Bicubic,
    /// A sinc under a sinc, three pixels to either side.
    Lanczos,
}

impl Interpolation {
    /// Every way with its name, in the order of the numbers that Pillow gives them.
    pub(crate) const ALL: [(&'static str, Self, u64); 6] = [
        ("nearest", Self::Nearest, 0),
        ("lanczos", Self::Lanczos, 1),
        ("bilinear", Self::Bilinear, 2),
        ("bicubic", Self::Bicubic, 3),
        ("box", Self::Box, 4),
        ("hamming", Self::Hamming, 5),
    ];

    /// The names by which it is chosen.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, ..)| *name)
    }

    /// The way of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, ..)| *known == name);
        found.map(|&(_, way, _)| way)
    }

    /// How far the filter reaches.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The filter at a distance.
    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (x * PI).sin() / (x * PI)
            }
        };
        let distance = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming if distance >= 1.0 => 0.0,
            Self::Hamming => sinc(x) * (0.54 + 0.46 * (PI * x).cos()),
            Self::Bicubic if distance < 1.0 => (1.5 * distance - 2.5) * distance * distance + 1.0,
            Self::Bicubic if distance < 2.0 => {
                (((distance - 5.0) * distance + 8.0) * distance - 4.0) * -0.5
            }
            Self::Bicubic => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, way, _)| way == self);
        f.write_str(found.map_or("", |(name, ..)| name))
    }
}

const PRECISION: u32 = 22;

/// What one pixel of the result is made of along an axis: the first pixel of the source and the weights from it on.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

/// The `[H, W, C]` pixels of an image of size `from` at size `to`.
pub(crate) fn resize(
    pixels: Vec<u8>,
    channels: usize,
    from: Size,
    to: Size,
    how: Interpolation,
) -> Vec<u8> {
    if from == to {
        return pixels;
    }
    if how == Interpolation::Nearest {
        return nearest(&pixels, channels, from, to);
    }
    let wide = match from.1 == to.1 {
        true => pixels,
        false => along_rows(&pixels, channels, from.1, &taps(from.1, to.1, how)),
    };
    match from.0 == to.0 {
        true => wide,
        false => along_columns(&wide, channels * to.1, &taps(from.0, to.0, how)),
    }
}

fn taps(from: usize, to: usize, how: Interpolation) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = how.support() * stretch;
    let tap = |pixel: usize| {
        let centre = (pixel as f64 + 0.5) * scale;
        // Casts of negative numbers saturate at 0, which is where Pillow clips them.
        let first = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let weight = |x: usize| how.weight((x as f64 - centre + 0.5) / stretch);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let unit = f64::from(1 << PRECISION);
        let fixed =
            |weight: f64| (weight * unit / if sum == 0.0 { 1.0 } else { sum }).round() as i32;
        Tap {
            first,
            weights: weights.into_iter().map(fixed).collect(),
        }
    };
    (0..to).map(tap).collect()
}

fn rounded(sum: i64) -> u8 {
    ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
}

fn along_rows(pixels: &[u8], channels: usize, width: usize, taps: &[Tap]) -> Vec<u8> {
    let mut result = Vec::with_capacity(pixels.len() / width * taps.len());
    for row in pixels.chunks_exact(width * channels) {
        for tap in taps {
            let sources = &row[tap.first * channels..];
            for channel in 0..channels {
                let values = sources[channel..].iter().step_by(channels);
                let products = values
                    .zip(&tap.weights)
                    .map(|(&value, &weight)| i64::from(value) * i64::from(weight));
                result.push(rounded(products.sum()));
            }
        }
    }
    result
}

/// `row` is the number of values in a row.
fn along_columns(pixels: &[u8], row: usize, taps: &[Tap]) -> Vec<u8> {
    let mut result = Vec::with_capacity(row * taps.len());
    let mut sums = vec![0_i64; row];
    for tap in taps {
        sums.fill(0);
        let rows = pixels[tap.first * row..].chunks_exact(row);
        for (values, &weight) in rows.zip(&tap.weights) {
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += i64::from(value) * i64::from(weight);
            }
        }
        result.extend(sums.iter().map(|&sum| rounded(sum)));
    }
    result
}

fn nearest(pixels: &[u8], channels: usize, from: Size, to: Size) -> Vec<u8> {
    let places = |from: usize, to: usize| -> Vec<usize> {
        let scale = from as f64 / to as f64;
        // Added up, as Pillow does: a product would round to other pixels now and then.
        let mut place = scale * 0.5;
        let mut places = Vec::with_capacity(to);
        for _ in 0..to {
            places.push((place as usize).min(from - 1));
            place += scale;
        }
        places
    };
    let columns = places(from.1, to.1);
    let mut result = Vec::with_capacity(to.0 * to.1 * channels);
    for row in places(from.0, to.0) {
        let row = &pixels[row * from.1 * channels..][..from.1 * channels];
        for column in &columns {
            result.extend_from_slice(&row[column * channels..][..channels]);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_colour_stays_one_colour() {
        for (_, how, _) in Interpolation::ALL {
            for to in [(1, 1), (3, 5), (20, 31)] {
                let result = resize([7, 99, 255].repeat(8 * 9), 3, (8, 9), to, how);
                assert_eq!(result, [7, 99, 255].repeat(to.0 * to.1), "{how:?}");
            }
        }
    }

    #[test]
    fn halving_by_a_box_is_the_mean() {
        let pixels = vec![0, 10, 20, 31, 5, 5, 6, 6];
        let result = resize(pixels, 1, (2, 4), (1, 2), Interpolation::Box);
        // Rows first: (0 + 10) / 2, (20 + 31) / 2 up; then columns.
        assert_eq!(result, [5, 16]);
    }
}
