//! The demo's pictures as a file for other programs.

use std::io::{Cursor, Write};
use std::path::Path;

use npyz::WriterBuilder;
use quaver::demo::{GlyphOptions, GlyphSet, SIDE};
use quaver_report::atomic_write;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::failure::Failure;

/// Writes an `.npz` with x, uint8 (N, 1, 28, 28), and y, int64 (N), the labels that the data claim.
pub fn write(path: &Path, options: &GlyphOptions) -> Result<(), Failure> {
    let set = GlyphSet::generate(options)?;
    let glyphs = set.glyphs();
    let (n, side) = (glyphs.len() as u64, SIDE as u64);
    let pixels = glyphs.iter().flat_map(|glyph| glyph.pixels.iter().copied());
    let labels = glyphs.iter().map(|glyph| i64::from(glyph.label));
    let arrays = [
        ("x.npy", npy(&[n, 1, side, side], pixels)),
        ("y.npy", npy(&[n], labels)),
    ];
    let archive =
        archive(arrays).map_err(|error| Failure::Output(format!("{}: {error}", path.display())))?;
    Ok(atomic_write(path, &archive)?)
}

fn npy<T: npyz::AutoSerialize>(
    shape: &[u64],
    values: impl Iterator<Item = T>,
) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::<T>::new().default_dtype();
    let mut writer = options.shape(shape).writer(&mut bytes).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    Ok(bytes)
}

fn archive<const N: usize>(
    arrays: [(&str, std::io::Result<Vec<u8>>); N],
) -> std::io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        archive.start_file(name, SimpleFileOptions::default())?;
        archive.write_all(&bytes?)?;
    }
    Ok(archive.finish()?.into_inner())
}
