//! The demo's pictures as a file for other programs.

use std::path::Path;

use quaver::demo::{GlyphOptions, GlyphSet, SIDE};
use quaver_report::NpzWriter;

use crate::failure::Failure;

/// Writes an `.npz` with x, uint8 (N, 1, 28, 28), and y, int64 (N), the labels that the data claim.
pub fn write(path: &Path, options: &GlyphOptions) -> Result<(), Failure> {
    let set = GlyphSet::generate(options)?;
    let glyphs = set.glyphs();
    let pixels = glyphs.iter().flat_map(|glyph| glyph.pixels.iter().copied());
    let labels = glyphs.iter().map(|glyph| i64::from(glyph.label));
    let mut npz = NpzWriter::create(path)?;
    npz.array(
        "x",
        &[glyphs.len(), 1, SIDE, SIDE],
        pixels.map(Ok::<u8, Failure>),
    )?;
    npz.array("y", &[glyphs.len()], labels.map(Ok::<i64, Failure>))?;
    Ok(npz.finish()?)
}
