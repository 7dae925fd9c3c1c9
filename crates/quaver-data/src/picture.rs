//! Image files to numbers.

use std::io::{BufRead, Seek};
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageError, ImageReader, Limits, Luma};

use crate::file::Region;
use crate::{DataError, DataErrorKind};

/// The extensions of the formats that can be decoded, in lower case.
pub(crate) const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];

/// No image may be wider or higher.
pub(crate) const LONGEST_SIDE: usize = 1 << 15;

/// No file may be longer, and a decoder may hold no more bytes, the decoded image included.
const MOST_BYTES: u64 = 1 << 29;

/// A height and a width.
pub(crate) type Size = (usize, usize);

/// The size of the image at `path`, from its header.
pub(crate) fn size(path: &Path) -> Result<Size, DataError> {
    let (width, height) = reader(path)?
        .into_dimensions()
        .map_err(|error| undecodable(path, error))?;
    Ok((height as usize, width as usize))
}

/// What the image at `path` is decoded to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) size: Size,
    /// Whether an image of another size is resized; else it is refused.
    pub(crate) resize: bool,
    /// One channel, and not three.
    pub(crate) grey: bool,
}

impl Target {
    /// The values from 0 to 255 of the image at `path`, as `[C, H, W]`.
    ///
    /// Transparency is dropped, and the orientation that a camera notes is not applied.
    pub(crate) fn decode(self, path: &Path) -> Result<Vec<f64>, DataError> {
        let image = reader(path)?
            .decode()
            .map_err(|error| undecodable(path, error))?
            .into_rgb8();
        let refuse = |message: String| Err(DataError::at(DataErrorKind::Format, path, message));
        let found = (image.height() as usize, image.width() as usize);
        if found.0 == 0 || found.1 == 0 {
            return refuse("has no pixels".to_owned());
        }
        let (height, width) = self.size;
        if found != self.size && !self.resize {
            return refuse(format!(
                "is {}x{} now, and was {height}x{width} when the folder was opened",
                found.0, found.1
            ));
        }
        let resize = found != self.size;
        let (height, width) = (height as u32, width as u32);
        if self.grey {
            let mut grey = GrayImage::from_fn(image.width(), image.height(), |x, y| {
                Luma([luma(image.get_pixel(x, y).0)])
            });
            if resize {
                grey = imageops::resize(&grey, width, height, FilterType::Triangle);
            }
            return Ok(planes(grey.as_raw(), 1));
        }
        let mut image = image;
        if resize {
            image = imageops::resize(&image, width, height, FilterType::Triangle);
        }
        Ok(planes(image.as_raw(), 3))
    }
}

/// A decoder with limits for the image at `path`, of the format that its first bytes tell.
fn reader(path: &Path) -> Result<ImageReader<impl BufRead + Seek>, DataError> {
    let region = Region::open(path)?;
    // The decoder of JPEG reads the whole file into memory.
    if region.len() > MOST_BYTES {
        return Err(DataError::at(
            DataErrorKind::Format,
            path,
            format_args!("has {} bytes, too many for an image", region.len()),
        ));
    }
    let mut reader = ImageReader::new(region.reader())
        .with_guessed_format()
        .map_err(|error| DataError::reading(path, error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE as u32);
    limits.max_image_height = Some(LONGEST_SIDE as u32);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    Ok(reader)
}

fn undecodable(path: &Path, error: ImageError) -> DataError {
    DataError::at(
        DataErrorKind::Format,
        path,
        format_args!("cannot be decoded as an image: {error}"),
    )
    .with_source(error)
}

/// Grey by the ITU-R 601 weights in the integer arithmetic of Pillow, by which networks in grey are trained.
fn luma(pixel: [u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    ((19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16) as u8
}

/// The values of `[H, W, C]` pixels as `[C, H, W]`.
fn planes(pixels: &[u8], channels: usize) -> Vec<f64> {
    let plane = |channel| pixels.iter().skip(channel).step_by(channels);
    (0..channels)
        .flat_map(plane)
        .map(|&value| f64::from(value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_what_it_is() {
        for value in 0..=255 {
            assert_eq!(luma([value; 3]), value);
        }
    }

    #[test]
    fn pixels_are_taken_apart_into_planes() {
        assert_eq!(
            planes(&[1, 2, 3, 4, 5, 6], 3),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }
}
