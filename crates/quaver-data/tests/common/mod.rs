//! Writes small datasets of every format.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use quaver_data::{DataError, Dataset, OpenOptions, open};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A folder of its own, removed at the end of the test.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, in a sub-folder too, and says where it is.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

pub fn open_default(path: &Path) -> Result<Box<dyn Dataset>, DataError> {
    open(path, &OpenOptions::default(), None)
}

/// An array with the `descr`, order and shape as given, whether or not they fit the data.
pub fn npy_with(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn shape_text(shape: &[usize]) -> String {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    format!("({axes})")
}

pub fn npy_f32(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    npy_with("'<f4'", false, &shape_text(shape), &data)
}

pub fn npy_i64(shape: &[usize], values: &[i64]) -> Vec<u8> {
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    npy_with("'<i8'", false, &shape_text(shape), &data)
}

pub fn npz(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (key, bytes) in members {
        writer.start_file(format!("{key}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn idx(code: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    for axis in shape {
        bytes.extend(axis.to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Records with the given labels; the values of record `i` are `i` in red, 100 in green and 200 in blue.
pub fn cifar(labels: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, labels) in labels.iter().enumerate() {
        bytes.extend(*labels);
        for value in [index as u8, 100, 200] {
            bytes.extend([value; 1024]);
        }
    }
    bytes
}

/// An image in one colour.
pub fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image)
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

/// A valid file of every format and packing, under the name by which it is recognised.
pub fn valid_files() -> Vec<(&'static str, Vec<u8>)> {
    let x = npy_f32(&[2, 3], &[0.5; 6]);
    let y = npy_i64(&[2], &[1, 0]);
    let images = idx(8, &[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
    vec![
        (
            "stored.npz",
            npz(&[("x", &x), ("y", &y)], CompressionMethod::Stored),
        ),
        (
            "deflated.npz",
            npz(&[("x", &x), ("y", &y)], CompressionMethod::Deflated),
        ),
        ("x.npy", x.clone()),
        ("x.npy.gz", gz(&x)),
        (
            "fortran.npy",
            npy_with("'<f4'", true, "(2, 3, 2)", &[1; 48]),
        ),
        ("images.idx", images.clone()),
        ("images.idx.gz", gz(&images)),
        (
            "folder/a/a.png",
            picture(7, 5, [1, 200, 30], ImageFormat::Png),
        ),
        (
            "folder/a/a.jpg",
            picture(7, 5, [1, 200, 30], ImageFormat::Jpeg),
        ),
        (
            "folder/a/a.bmp",
            picture(7, 5, [1, 200, 30], ImageFormat::Bmp),
        ),
        (
            "folder/a/a.webp",
            picture(7, 5, [1, 200, 30], ImageFormat::WebP),
        ),
        ("x.csv", b"a,b,label\n1,2,0\n\"3\",4,1\n".to_vec()),
        ("columns.parquet", fixture("columns_snappy.parquet")),
        ("gzip.parquet", fixture("columns_gzip.parquet")),
        ("zstd.parquet", fixture("columns_zstd.parquet")),
        ("lists.parquet", fixture("lists.parquet")),
        ("images.parquet", fixture("images.parquet")),
        ("lz4.feather", fixture("fixed_lz4.feather")),
        ("stream.arrow", fixture("fixed_stream.arrow")),
        ("names.arrow", fixture("names.arrow")),
        ("arrays.tar", fixture("arrays.tar")),
        ("shard.tar", fixture("shard.tar")),
    ]
}

/// A file that another library wrote.
pub fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}
