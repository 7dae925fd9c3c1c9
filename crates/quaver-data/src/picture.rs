//! Image files to numbers: decoding, colours, size, crop.

use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::{ImageError, ImageReader, Limits};

use crate::file::Region;
use crate::resample::{Interpolation, resize};
use crate::{DataError, DataErrorKind, OpenOptions};

/// The extensions of the formats that can be decoded, in lower case.
pub(crate) const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];

/// No image may be wider or higher.
pub(crate) const LONGEST_SIDE: usize = 1 << 15;

/// No encoded image may be longer.
pub(crate) const MOST_ENCODED: u64 = 1 << 28;

/// A decoder may hold no more bytes, the decoded image included, and neither may a resized image.
const MOST_BYTES: u64 = 1 << 29;

/// A height and a width.
pub(crate) type Size = (usize, usize);

/// To what size an image is brought before it is cropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Exactly this height and width, whatever that does to its proportions.
    Exact(usize, usize),
    /// In proportion, so that the shorter side has this length; the longer one is rounded down.
    Shorter(usize),
}

impl From<(usize, usize)> for Resize {
    fn from((height, width): (usize, usize)) -> Self {
        Self::Exact(height, width)
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(height, width) => write!(f, "{height}x{width}"),
            Self::Shorter(side) => write!(f, "{side}"),
        }
    }
}

/// The middle of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// Its height and width, in pixels.
    pub size: (usize, usize),
    /// On which side there is one pixel more when the border is odd.
    pub centre: Centre,
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.size.0, self.size.1)
    }
}

/// Where the middle of an odd border lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Centre {
    /// Half of the border, half a pixel rounded to an even number, as torchvision does.
    #[default]
    HalfToEven,
    /// Half of the border, rounded down, as Hugging Face's image processors do.
    Down,
}

impl Centre {
    fn offset(self, border: usize) -> usize {
        match (self, border % 4) {
            (Self::HalfToEven, 3) => border / 2 + 1,
            _ => border / 2,
        }
    }
}

/// The channels of an image, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red, as OpenCV and Caffe have them.
    Bgr,
    /// One channel, by the ITU-R 601 weights.
    Grey,
}

impl Colours {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("rgb", Self::Rgb), ("bgr", Self::Bgr), ("grey", Self::Grey)];

    /// The names by which they are chosen.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    /// The colours of this name; `gray` is `grey`.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "gray" { "grey" } else { name };
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|&(_, colours)| colours)
    }

    /// The number of channels.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Grey => 1,
        }
    }
}

impl fmt::Display for Colours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, colours)| colours == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

/// What is done to every image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    resize: Option<Resize>,
    crop: Option<Crop>,
    interpolation: Interpolation,
}

impl Plan {
    /// Checks what the options say of images.
    pub(crate) fn new(options: &OpenOptions) -> Result<Self, DataError> {
        let check = |what: &str, height: usize, width: usize| {
            let sides = 1..=LONGEST_SIDE;
            if sides.contains(&height) && sides.contains(&width) {
                return Ok(());
            }
            Err(DataError::new(
                DataErrorKind::Option,
                format!("{what} is {height}x{width}: each side must be from 1 to {LONGEST_SIDE}"),
            ))
        };
        match options.resize {
            Some(Resize::Exact(height, width)) => check("resize", height, width)?,
            Some(Resize::Shorter(side)) => check("resize", side, side)?,
            None => {}
        }
        if let Some(Crop { size, .. }) = options.crop {
            check("crop", size.0, size.1)?;
        }
        if let (Some(resize), Some(Crop { size, .. })) = (options.resize, options.crop) {
            let too_small = match resize {
                Resize::Exact(height, width) => size.0 > height || size.1 > width,
                Resize::Shorter(side) => size.0.min(size.1) > side,
            };
            if too_small {
                return Err(DataError::new(
                    DataErrorKind::Option,
                    format!(
                        "crop is {}x{}, larger than what resize leaves",
                        size.0, size.1
                    ),
                ));
            }
        }
        Ok(Self {
            resize: options.resize,
            crop: options.crop,
            interpolation: options.interpolation,
        })
    }

    /// The size that every image will have, where that does not depend on the image.
    pub(crate) fn size(&self) -> Option<Size> {
        match (self.crop, self.resize) {
            (Some(crop), _) => Some(crop.size),
            (None, Some(Resize::Exact(height, width))) => Some((height, width)),
            (None, Some(Resize::Shorter(_)) | None) => None,
        }
    }

    /// The size that an image of size `found` will have.
    pub(crate) fn size_of(&self, found: Size) -> Size {
        self.size().unwrap_or_else(|| self.resized(found))
    }

    fn resized(&self, (height, width): Size) -> Size {
        match self.resize {
            None => (height, width),
            Some(Resize::Exact(height, width)) => (height, width),
            Some(Resize::Shorter(side)) if height <= width => (side, side * width / height.max(1)),
            Some(Resize::Shorter(side)) => (side * height / width.max(1), side),
        }
    }

    /// The bytes of the encoded image as `[H, W, C]`, which must come to be of size `size`.
    ///
    /// Transparency is dropped, and the orientation that a camera notes is not applied. Messages call it `name`.
    pub(crate) fn decode(
        &self,
        name: &Path,
        encoded: &[u8],
        colours: Colours,
        size: Size,
    ) -> Result<Vec<u8>, DataError> {
        let refuse = |message: String| Err(DataError::at(DataErrorKind::Format, name, message));
        let image = reader(name, encoded)?
            .decode()
            .map_err(|error| undecodable(name, error))?
            .into_rgb8();
        let found = (image.height() as usize, image.width() as usize);
        if found.0 == 0 || found.1 == 0 {
            return refuse("has no pixels".to_owned());
        }
        let pixels = match colours {
            Colours::Rgb => image.into_raw(),
            Colours::Bgr => image
                .pixels()
                .flat_map(|&image::Rgb([r, g, b])| [b, g, r])
                .collect(),
            Colours::Grey => image.pixels().map(|pixel| luma(pixel.0)).collect(),
        };
        let resized = self.resized(found);
        let n_bytes = (resized.0 as u64).saturating_mul(resized.1 as u64);
        if n_bytes == 0 || n_bytes.saturating_mul(colours.count() as u64) > MOST_BYTES {
            return refuse(format!(
                "is {}x{}, and cannot be resized to {}x{}",
                found.0, found.1, resized.0, resized.1
            ));
        }
        let pixels = resize(pixels, colours.count(), found, resized, self.interpolation);
        let (pixels, cropped) = match self.crop {
            Some(crop) if crop.size.0 > resized.0 || crop.size.1 > resized.1 => {
                return refuse(format!(
                    "is {}x{}, smaller than the crop of {}x{}: resize it first",
                    resized.0, resized.1, crop.size.0, crop.size.1
                ));
            }
            Some(crop) => (cut(&pixels, colours.count(), resized, crop), crop.size),
            None => (pixels, resized),
        };
        if cropped != size {
            return Err(DataError::at(
                DataErrorKind::Shape,
                name,
                format_args!(
                    "is {}x{}, and {}x{} is needed: make all images of one size with --resize {}x{}",
                    cropped.0, cropped.1, size.0, size.1, size.0, size.1
                ),
            ));
        }
        Ok(pixels)
    }
}

/// The bytes of the image file at `path`, unless there are more than an image has.
pub(crate) fn encoded(path: &Path) -> Result<Vec<u8>, DataError> {
    let region = Region::open(path)?;
    if region.len() > MOST_ENCODED {
        return Err(DataError::at(
            DataErrorKind::Format,
            path,
            format_args!("has {} bytes, too many for an image", region.len()),
        ));
    }
    region.bytes(0, region.len())
}

/// The size of an encoded image, from its header.
pub(crate) fn size(name: &Path, encoded: &[u8]) -> Result<Size, DataError> {
    let (width, height) = reader(name, encoded)?
        .into_dimensions()
        .map_err(|error| undecodable(name, error))?;
    Ok((height as usize, width as usize))
}

/// A decoder with limits, of the format that the first bytes tell.
fn reader<'a>(name: &Path, encoded: &'a [u8]) -> Result<ImageReader<Cursor<&'a [u8]>>, DataError> {
    let mut reader = ImageReader::new(Cursor::new(encoded))
        .with_guessed_format()
        .map_err(|error| DataError::reading(name, error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE as u32);
    limits.max_image_height = Some(LONGEST_SIDE as u32);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    Ok(reader)
}

fn undecodable(name: &Path, error: ImageError) -> DataError {
    DataError::at(
        DataErrorKind::Format,
        name,
        format_args!("cannot be decoded as an image: {error}"),
    )
    .with_source(error)
}

/// The middle of `[H, W, C]` pixels.
fn cut(pixels: &[u8], channels: usize, (height, width): Size, crop: Crop) -> Vec<u8> {
    let top = crop.centre.offset(height - crop.size.0);
    let left = crop.centre.offset(width - crop.size.1);
    let rows = pixels.chunks_exact(width * channels);
    rows.skip(top)
        .take(crop.size.0)
        .flat_map(|row| &row[left * channels..(left + crop.size.1) * channels])
        .copied()
        .collect()
}

/// Grey by the ITU-R 601 weights in the integer arithmetic of Pillow, by which networks in grey are trained.
fn luma(pixel: [u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    ((19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16) as u8
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
    fn odd_borders_are_halved_as_each_library_does() {
        // Python's int(round(border / 2)) and border // 2.
        let even = [0, 0, 1, 2, 2, 2, 3, 4];
        let down = [0, 0, 1, 1, 2, 2, 3, 3];
        for border in 0..8 {
            assert_eq!(Centre::HalfToEven.offset(border), even[border]);
            assert_eq!(Centre::Down.offset(border), down[border]);
        }
    }

    #[test]
    fn the_middle_is_cut_out() {
        let pixels: Vec<u8> = (0..4 * 5 * 2).collect();
        let crop = Crop {
            size: (2, 3),
            centre: Centre::Down,
        };
        let expected = [12, 13, 14, 15, 16, 17, 22, 23, 24, 25, 26, 27];
        assert_eq!(cut(&pixels, 2, (4, 5), crop), expected);
    }
}
