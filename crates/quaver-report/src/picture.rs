//! Small pictures inside a page, as PNG data URIs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{ReportError, ReportErrorKind};

const PNG_URI: &str = "data:image/png;base64,";

/// The pixels of a picture, row by row from the top.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    /// One byte per pixel, 0 black.
    Gray(&'a [u8]),
    /// Three bytes per pixel: red, green, blue.
    Rgb(&'a [u8]),
    /// Four bytes per pixel: red, green, blue, and 255 where the page does not shine through.
    Rgba(&'a [u8]),
}

impl Pixels<'_> {
    fn channels(&self) -> usize {
        match self {
            Pixels::Gray(_) => 1,
            Pixels::Rgb(_) => 3,
            Pixels::Rgba(_) => 4,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Pixels::Gray(bytes) | Pixels::Rgb(bytes) | Pixels::Rgba(bytes) => bytes,
        }
    }

    fn check(&self, width: usize, height: usize) -> Result<(), ReportError> {
        let want = width
            .checked_mul(height)
            .and_then(|pixels| pixels.checked_mul(self.channels()));
        let have = self.bytes().len();
        if have == 0 || want != Some(have) {
            let message = format!(
                "a picture of {width}×{height} pixels and {} channels cannot have {have} bytes",
                self.channels()
            );
            return Err(ReportError::new(ReportErrorKind::Picture, message));
        }
        Ok(())
    }
}

/// The picture as a `data:image/png` address, without loss.
pub fn png_data_uri(
    width: usize,
    height: usize,
    pixels: Pixels<'_>,
) -> Result<String, ReportError> {
    let bytes = png_bytes(width, height, pixels)?;
    let mut uri = PNG_URI.to_owned();
    STANDARD.encode_string(&bytes, &mut uri);
    Ok(uri)
}

/// The picture as the bytes of a PNG file.
pub(crate) fn png_bytes(
    width: usize,
    height: usize,
    pixels: Pixels<'_>,
) -> Result<Vec<u8>, ReportError> {
    pixels.check(width, height)?;
    let mut bytes = Vec::new();
    encode(width, height, pixels, &mut bytes)?;
    Ok(bytes)
}

fn encode(
    width: usize,
    height: usize,
    pixels: Pixels<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), ReportError> {
    let failed = |error: &dyn std::fmt::Display| {
        ReportError::new(
            ReportErrorKind::Picture,
            format!("a picture of {width}×{height} pixels cannot be encoded: {error}"),
        )
    };
    let size = |length: usize| u32::try_from(length).map_err(|error| failed(&error));
    let mut encoder = png::Encoder::new(bytes, size(width)?, size(height)?);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(match pixels {
        Pixels::Gray(_) => png::ColorType::Grayscale,
        Pixels::Rgb(_) => png::ColorType::Rgb,
        Pixels::Rgba(_) => png::ColorType::Rgba,
    });
    let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
    writer
        .write_image_data(pixels.bytes())
        .map_err(|error| failed(&error))?;
    writer.finish().map_err(|error| failed(&error))
}

/// The longer side of an embedded thumbnail: twice the size it is first shown at.
const LARGEST: usize = 64;
/// The longer side on the page, before it is enlarged.
const SHOWN: usize = 32;

/// A small picture in a table row or a figure.
///
/// Pictures of more than 64 pixels a side are averaged down to that, or a page of a hundred photographs would be a
/// hundred photographs large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    #[serde(deserialize_with = "read_uri")]
    pub(crate) uri: String,
    pub(crate) alt: String,
    /// The size on the page, in CSS pixels.
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Few pixels, to be shown as the squares they are.
    pub(crate) pixelated: bool,
}

/// A page shows no picture but those it brings along.
fn read_uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let uri = String::deserialize(deserializer)?;
    match uri.starts_with(PNG_URI) {
        true => Ok(uri),
        false => Err(D::Error::custom(
            "a picture's address does not start with data:image/png",
        )),
    }
}

impl Thumbnail {
    /// A picture and the words for those who cannot see it.
    pub fn new(
        width: usize,
        height: usize,
        pixels: Pixels<'_>,
        alt: impl Into<String>,
    ) -> Result<Self, ReportError> {
        Self::within(width, height, pixels, alt.into(), (LARGEST, SHOWN))
    }

    /// A picture whose longer side may have up to `side` pixels, shown at the largest whole multiple that fits into
    /// `side`: for pictures in which single pixels are what matters.
    pub fn enlarged(
        width: usize,
        height: usize,
        pixels: Pixels<'_>,
        alt: impl Into<String>,
        side: usize,
    ) -> Result<Self, ReportError> {
        let side = side.max(1);
        Self::within(width, height, pixels, alt.into(), (side, side))
    }

    fn within(
        width: usize,
        height: usize,
        pixels: Pixels<'_>,
        alt: String,
        (largest, shown): (usize, usize),
    ) -> Result<Self, ReportError> {
        pixels.check(width, height)?;
        let step = width.max(height).div_ceil(largest);
        let (small_width, small_height) = (width.div_ceil(step), height.div_ceil(step));
        let uri = if step == 1 {
            png_data_uri(width, height, pixels)?
        } else {
            let small = averaged(width, height, pixels, step);
            let small = match pixels {
                Pixels::Gray(_) => Pixels::Gray(&small),
                Pixels::Rgb(_) => Pixels::Rgb(&small),
                Pixels::Rgba(_) => Pixels::Rgba(&small),
            };
            png_data_uri(small_width, small_height, small)?
        };
        let longer = small_width.max(small_height);
        let scale = |length: usize| match longer <= shown {
            // Whole multiples keep every pixel equally large.
            true => length * (shown / longer),
            false => (length * shown).div_ceil(longer),
        };
        Ok(Self {
            uri,
            alt,
            width: scale(small_width),
            height: scale(small_height),
            pixelated: longer <= shown,
        })
    }

    /// A picture of the values of a sample, if its shape is that of one: `[H, W]`, `[1, H, W]` or `[3, H, W]`. The smallest
    /// value is black and the largest white, whatever was subtracted and divided by before.
    pub fn of_values(shape: &[usize], values: &[f64], alt: impl Into<String>) -> Option<Self> {
        /// Fewer rows or columns are a table and no picture.
        const SMALLEST: usize = 4;
        let (channels, height, width) = match *shape {
            [height, width] => (1, height, width),
            [channels @ (1 | 3), height, width] => (channels, height, width),
            _ => return None,
        };
        if height.min(width) < SMALLEST || values.len() != channels * height * width {
            return None;
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let byte = |value: f64| match high > low {
            true => (255.0 * (value - low) / (high - low)).round() as u8,
            false => 0,
        };
        let n_pixels = height * width;
        let pixels: Vec<u8> = (0..n_pixels)
            .flat_map(|pixel| (0..channels).map(move |channel| channel * n_pixels + pixel))
            .map(|at| byte(values[at]))
            .collect();
        let pixels = match channels {
            1 => Pixels::Gray(&pixels),
            _ => Pixels::Rgb(&pixels),
        };
        Self::new(width, height, pixels, alt).ok()
    }

    /// How the style sheet scales it.
    pub(crate) fn class(&self) -> &'static str {
        if self.pixelated { "pixels" } else { "photo" }
    }
}

/// Every `step × step` square as its mean; squares at the right and lower edges may be smaller.
fn averaged(width: usize, height: usize, pixels: Pixels<'_>, step: usize) -> Vec<u8> {
    let (bytes, channels) = (pixels.bytes(), pixels.channels());
    let mut small = Vec::new();
    for top in (0..height).step_by(step) {
        for left in (0..width).step_by(step) {
            let rows = top..(top + step).min(height);
            let columns = left..(left + step).min(width);
            let n_pixels = rows.len() * columns.len();
            for channel in 0..channels {
                let mut sum = 0;
                for y in rows.clone() {
                    for x in columns.clone() {
                        sum += usize::from(bytes[(y * width + x) * channels + channel]);
                    }
                }
                let mean = (sum + n_pixels / 2) / n_pixels;
                small.push(u8::try_from(mean).expect("a mean of bytes is a byte"));
            }
        }
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_pixels_where_they_are_a_picture() {
        let planes: Vec<f64> = (0..48).map(|k| f64::from(k) / 47.0 - 3.0).collect();
        let made = Thumbnail::of_values(&[3, 4, 4], &planes, "a").unwrap();
        let byte = |at: usize| (255.0 * at as f64 / 47.0).round() as u8;
        let pixels: Vec<u8> = (0..16)
            .flat_map(|pixel| [byte(pixel), byte(16 + pixel), byte(32 + pixel)])
            .collect();
        assert_eq!(
            made,
            Thumbnail::new(4, 4, Pixels::Rgb(&pixels), "a").unwrap()
        );
        assert!(Thumbnail::of_values(&[4, 4], &[2.0; 16], "flat").is_some());
        for shape in [&[48][..], &[1, 2, 24], &[2, 4, 6], &[1, 4, 4]] {
            assert!(
                Thumbnail::of_values(shape, &planes, "").is_none(),
                "{shape:?}"
            );
        }
    }

    fn decode(uri: &str) -> (u32, u32, Vec<u8>) {
        let bytes = uri.strip_prefix("data:image/png;base64,").unwrap();
        let bytes = STANDARD.decode(bytes).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn pictures_come_back() {
        let gray: Vec<u8> = (0..6).map(|i| i * 40).collect();
        let uri = png_data_uri(3, 2, Pixels::Gray(&gray)).unwrap();
        assert_eq!(decode(&uri), (3, 2, gray.clone()));
        let uri = png_data_uri(1, 2, Pixels::Rgb(&gray)).unwrap();
        assert_eq!(decode(&uri), (1, 2, gray));
        let clear = [9, 8, 7, 255, 0, 0, 0, 0];
        let uri = png_data_uri(2, 1, Pixels::Rgba(&clear)).unwrap();
        assert_eq!(decode(&uri), (2, 1, clear.to_vec()));
    }

    #[test]
    fn large_pictures_are_averaged() {
        let mut bytes = vec![0; 130 * 100 * 3];
        bytes[..3].copy_from_slice(&[90, 9, 255]);
        let thumbnail = Thumbnail::new(130, 100, Pixels::Rgb(&bytes), "a cat").unwrap();
        let (width, height, pixels) = decode(&thumbnail.uri);
        assert_eq!((width, height), (44, 34));
        assert_eq!(pixels[..4], [10, 1, 28, 0]);
        assert_eq!((thumbnail.width, thumbnail.pixelated), (32, false));
    }

    #[test]
    fn small_pictures_are_shown_at_whole_multiples() {
        for (side, shown) in [(28, 28), (32, 32), (8, 32), (10, 30), (1, 32)] {
            let bytes = vec![0; side * side];
            let thumbnail = Thumbnail::new(side, side, Pixels::Gray(&bytes), "").unwrap();
            assert_eq!((thumbnail.width, thumbnail.pixelated), (shown, true));
        }
    }

    #[test]
    fn enlarged_pictures_keep_every_pixel() {
        let bytes: Vec<u8> = (0..66 * 32).map(|at| at as u8).collect();
        let picture = Thumbnail::enlarged(66, 32, Pixels::Gray(&bytes), "", 132).unwrap();
        let (width, height, pixels) = decode(&picture.uri);
        assert_eq!((width, height, pixels), (66, 32, bytes));
        assert_eq!(
            (picture.width, picture.height, picture.pixelated),
            (132, 64, true)
        );
    }

    #[test]
    fn pixels_that_do_not_fit() {
        let cases = [
            (2, 2, Pixels::Gray(&[0; 3])),
            (1, 1, Pixels::Rgb(&[0; 1])),
            (0, 0, Pixels::Gray(&[])),
            (usize::MAX, 2, Pixels::Rgb(&[0; 3])),
        ];
        for (width, height, pixels) in cases {
            let error = png_data_uri(width, height, pixels).unwrap_err();
            assert_eq!(error.kind(), ReportErrorKind::Picture);
            assert!(Thumbnail::new(width, height, pixels, "").is_err());
        }
    }
}
