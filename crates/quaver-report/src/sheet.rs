//! A sheet of pictures as one PNG file: images and heat maps with titles, notes and colour bars.

use std::convert::Infallible;
use std::path::Path;

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_6X13};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Text;

use crate::atomic::atomic_write;
use crate::error::ReportError;
use crate::html::{Panel, scale_end};
use crate::picture::{Pixels, Thumbnail, png_bytes};

/// The longer side of a picture on the sheet, at least; small pictures are enlarged by whole factors.
const SIDE: usize = 224;
/// Room around a picture.
const GAP: usize = 14;
/// The height of a line of text.
const LINE: usize = 15;
/// The height of a colour bar.
const BAR: usize = 9;
/// The width of a character.
const LETTER: usize = 6;
/// The share of the heat map in a picture laid over an image.
const OPACITY: f64 = 0.6;

/// A colour of the map viridis (Smith & van der Walt 2015), whose steps look equally large: the polynomial of degree 6
/// that Zucker fitted to its table. `share` runs from 0 to 1.
pub fn viridis(share: f64) -> [u8; 3] {
    const COEFFICIENTS: [[f64; 3]; 7] = [
        [0.2777273272234177, 0.005407344544966578, 0.3340998053353061],
        [0.1050930431085774, 1.404613529898575, 1.384590162594685],
        [-0.3308618287255563, 0.214847559468213, 0.09509516302823659],
        [-4.634230498983486, -5.799100973351585, -19.33244095627987],
        [6.228269936347081, 14.17993336680509, 56.69055260068105],
        [4.776384997670288, -13.74514537774601, -65.35303263337234],
        [-5.435455855934631, 4.645852612178535, 26.3124352495832],
    ];
    let share = if share.is_nan() {
        0.0
    } else {
        share.clamp(0.0, 1.0)
    };
    std::array::from_fn(|c| {
        let terms = COEFFICIENTS.iter().rev();
        byte(terms.fold(0.0, |sum, coefficients| sum * share + coefficients[c]))
    })
}

/// From the range 0 to 1.
fn byte(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// One picture with what belongs to it.
#[derive(Debug, Clone)]
pub struct Tile {
    title: String,
    note: String,
    width: usize,
    height: usize,
    /// Red, green, blue.
    pixels: Vec<[u8; 3]>,
    bar: Option<(f64, f64)>,
}

impl Tile {
    /// A picture of these colours, row by row.
    pub fn picture(title: impl Into<String>, width: usize, pixels: Vec<[u8; 3]>) -> Self {
        Self {
            title: title.into(),
            note: String::new(),
            width: width.max(1),
            height: pixels.len() / width.max(1),
            pixels,
            bar: None,
        }
    }

    /// A heat map of `values`, row by row, from the smallest to the largest.
    pub fn heat(title: impl Into<String>, width: usize, values: &[f64]) -> Self {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let low = finite.clone().fold(f64::INFINITY, f64::min).min(f64::MAX);
        let high = finite.fold(f64::NEG_INFINITY, f64::max).max(low);
        Self::heat_within(title, width, values, (low, high))
    }

    /// A heat map of `values`, row by row, whose colours run from one given value to another.
    pub fn heat_within(
        title: impl Into<String>,
        width: usize,
        values: &[f64],
        (low, high): (f64, f64),
    ) -> Self {
        let span = high - low;
        let share = |value: &f64| {
            if span > 0.0 {
                (value - low) / span
            } else {
                0.0
            }
        };
        let pixels = values.iter().map(|value| viridis(share(value))).collect();
        Self {
            bar: Some((low, high)),
            ..Self::picture(title, width, pixels)
        }
    }

    /// The same laid over an image of the same size, whose colours are turned to grey.
    #[must_use]
    pub fn over(mut self, image: &[[u8; 3]]) -> Self {
        for (pixel, below) in self.pixels.iter_mut().zip(image) {
            let grey = below.iter().map(|&c| f64::from(c)).sum::<f64>() / 3.0;
            for colour in pixel {
                let mixed = OPACITY * f64::from(*colour) + (1.0 - OPACITY) * grey;
                *colour = byte(mixed / 255.0);
            }
        }
        self
    }

    /// Adds a line below the title: what the reader must know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The same under another title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The same for a page, which sets the text itself; `alt` says it in words.
    ///
    /// # Errors
    /// `Picture` if it is too large to be encoded.
    pub fn to_panel(&self, alt: impl Into<String>) -> Result<Panel, ReportError> {
        let bytes = self.pixels.as_flattened();
        let (width, height) = (self.width, self.height);
        let picture = Thumbnail::enlarged(width, height, Pixels::Rgb(bytes), alt, SIDE)?;
        let panel = Panel::new(picture, &*self.title).note(&*self.note);
        Ok(match self.bar {
            Some((low, high)) => panel.range(low, high),
            None => panel,
        })
    }

    /// How many screen pixels a pixel becomes.
    fn factor(&self) -> usize {
        (SIDE / self.width.max(self.height)).max(1)
    }
}

/// Tiles in rows under a heading.
#[derive(Debug, Clone)]
pub struct Sheet {
    heading: Vec<String>,
    rows: Vec<Vec<Tile>>,
}

impl Sheet {
    /// A sheet with these lines on top, of text in ASCII.
    pub fn new(heading: Vec<String>) -> Self {
        Self {
            heading,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    #[must_use]
    pub fn row(mut self, tiles: Vec<Tile>) -> Self {
        self.rows.push(tiles);
        self
    }

    /// The size of a cell: that of the largest tile.
    fn cell(&self) -> (usize, usize) {
        let tiles = self.rows.iter().flatten();
        let sizes = tiles.map(|t| {
            let text = t.title.len().max(t.note.len()) * LETTER;
            (
                (t.width * t.factor()).max(text).max(SIDE),
                t.height * t.factor(),
            )
        });
        let (width, height) = sizes.fold((0, 0), |(w, h), (tw, th)| (w.max(tw), h.max(th)));
        (width + GAP, height + 3 * LINE + BAR + GAP)
    }

    fn draw(&self) -> Canvas {
        let (cell_width, cell_height) = self.cell();
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let letters = self.heading.iter().map(String::len).max().unwrap_or(0);
        let width = (n_columns * cell_width).max(letters * LETTER + GAP) + GAP;
        let top = GAP + self.heading.len() * (LINE + 2);
        let mut canvas = Canvas::new(width, top + self.rows.len() * cell_height + GAP);
        for (at, line) in self.heading.iter().enumerate() {
            canvas.text(line, GAP, GAP + at * (LINE + 2), [20, 20, 20]);
        }
        for (row, tiles) in self.rows.iter().enumerate() {
            for (column, tile) in tiles.iter().enumerate() {
                canvas.tile(tile, GAP + column * cell_width, top + row * cell_height);
            }
        }
        canvas
    }

    /// The sheet as the bytes of a PNG file.
    ///
    /// # Errors
    /// `Picture` if it has no tile, or is too large to be encoded.
    pub fn to_png(&self) -> Result<Vec<u8>, ReportError> {
        let canvas = self.draw();
        png_bytes(canvas.width, canvas.height, Pixels::Rgb(&canvas.bytes))
    }

    /// Writes it to the file at `path`.
    ///
    /// # Errors
    /// As for [`to_png`](Self::to_png); `Io`.
    pub fn save(&self, path: &Path) -> Result<(), ReportError> {
        atomic_write(path, &self.to_png()?)
    }
}

/// Something to draw on.
struct Canvas {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            bytes: vec![255; width * height * 3],
        }
    }

    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            self.bytes[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// A line of text whose upper left corner is at (x, y).
    fn text(&mut self, text: &str, x: usize, y: usize, colour: [u8; 3]) {
        let style = MonoTextStyle::new(&FONT_6X13, Rgb888::new(colour[0], colour[1], colour[2]));
        let at = Point::new(x as i32, (y + LINE - 4) as i32);
        match Text::new(text, at, style).draw(self) {
            Ok(_) => (),
            Err(never) => match never {},
        }
    }

    fn tile(&mut self, tile: &Tile, left: usize, top: usize) {
        self.text(&tile.title, left, top, [20, 20, 20]);
        self.text(&tile.note, left, top + LINE, [176, 48, 16]);
        let (factor, top) = (tile.factor(), top + 2 * LINE + 2);
        let (width, height) = (tile.width * factor, tile.height * factor);
        for y in 0..height {
            for x in 0..width {
                self.set(
                    left + x,
                    top + y,
                    tile.pixels[y / factor * tile.width + x / factor],
                );
            }
        }
        let Some((low, high)) = tile.bar else { return };
        let top = top + height + 4;
        for x in 0..width {
            let colour = viridis(x as f64 / (width - 1).max(1) as f64);
            (0..BAR).for_each(|y| self.set(left + x, top + y, colour));
        }
        let (low, high) = (ascii(&scale_end(low)), ascii(&scale_end(high)));
        self.text(&low, left, top + BAR, [90, 90, 90]);
        let right = (left + width).saturating_sub(high.len() * LETTER);
        self.text(&high, right, top + BAR, [90, 90, 90]);
    }
}

/// A typeset number in the characters that the font has: 1.2×10⁻³ becomes 1.2e-3.
fn ascii(number: &str) -> String {
    let mut text = number.replace("×10", "e").replace(['−', '⁻'], "-");
    for (raised, plain) in "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().zip("0123456789".chars()) {
        text = text.replace(raised, &plain.to_string());
    }
    if text.starts_with("10") && number.starts_with("10") && !number.is_ascii() {
        // A bare power of ten.
        text = text.replacen("10", "1e", 1);
    }
    text
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(at, colour) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y)) {
                self.set(x, y, [colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::typeset;

    /// Entries of the table that the polynomial was fitted to.
    #[test]
    fn colours_of_viridis() {
        for (share, expected) in [
            (0.0, [68, 1, 84]),
            (0.25, [59, 82, 139]),
            (0.5, [33, 145, 140]),
            (0.75, [94, 201, 98]),
            (1.0, [253, 231, 37]),
        ] {
            for (found, expected) in viridis(share).into_iter().zip(expected) {
                assert!(found.abs_diff(expected) <= 5, "{share}: {found} {expected}");
            }
        }
        assert_eq!(viridis(f64::NAN), viridis(0.0));
    }

    #[test]
    fn lightness_grows() {
        let lightness = |share: f64| {
            let [r, g, b] = viridis(share).map(f64::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        assert!(
            (0..50).all(|i| lightness(f64::from(i) / 50.0) < lightness(f64::from(i + 1) / 50.0))
        );
    }

    #[test]
    fn a_sheet_shows_its_pixels() {
        let tile = Tile::heat("title", 2, &[0.0, 1.0, 0.5, 0.25]);
        assert_eq!(tile.bar, Some((0.0, 1.0)));
        let sheet =
            Sheet::new(vec!["heading".to_owned()]).row(vec![tile.clone(), tile.note("flat")]);
        let canvas = sheet.draw();
        // The upper left pixel of the first tile, below heading, title and note.
        let (x, y) = (GAP + 3, GAP + LINE + 2 + 2 * LINE + 2 + 3);
        let at = (y * canvas.width + x) * 3;
        assert_eq!(canvas.bytes[at..at + 3], viridis(0.0));
        let at = at + 112 * 3;
        assert_eq!(canvas.bytes[at..at + 3], viridis(1.0));
        assert_eq!(&sheet.to_png().unwrap()[1..4], b"PNG");
    }

    #[test]
    fn values_that_do_not_differ() {
        let tile = Tile::heat("", 2, &[3.0; 4]);
        assert!(tile.pixels.iter().all(|&pixel| pixel == viridis(0.0)));
        assert_eq!(
            ascii(&typeset(1.5e-7, 3)).find(|c: char| !c.is_ascii()),
            None
        );
    }
}
