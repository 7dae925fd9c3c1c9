//! Small files that unpack to very much are refused by a line that says so, and cost neither memory nor the disk.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::io::Write;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use bytes::Bytes;
use common::*;
use flate2::write::ZlibEncoder;
use image::ImageFormat;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use zip::CompressionMethod;

/// A gibibyte and a little more, in a mebibyte: members of a gzip file add up.
fn gz_of_zeros(start: &[u8]) -> Vec<u8> {
    let zeros = gz(&vec![0; 1 << 24]);
    [gz(start), zeros.repeat(65)].concat()
}

/// A column of one page, whose header says that it unpacks to two gigabytes.
fn parquet_page() -> Vec<u8> {
    const ROWS: i64 = 100;
    let column = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let batch = RecordBatch::try_from_iter([("a", column as _)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_write_page_header_statistics(true)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let n_bytes = writer.flush().map(|()| writer.bytes_written()).unwrap();
    let mut bytes = writer.into_inner().unwrap();
    // After the magic number come the header and the values, and nothing else before the index of pages.
    let values: Vec<u8> = (0..ROWS).flat_map(i64::to_le_bytes).collect();
    let start = bytes.windows(values.len()).position(|w| w == values);
    let header = &mut bytes[4..start.unwrap()];
    assert!(n_bytes > header.len());
    let mut forged = vec![
        0x15, 0x00, // a page of data,
        0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, // 2³¹ − 1 bytes unpacked,
        0x15, 0xc0, 0x0c, // 800 as they are,
        0x2c, 0x15, 0xc8, 0x01, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, // 100 values,
        0x18, // and some text to fill the rest.
    ];
    let rest = header.len() - forged.len() - 3;
    forged.push(rest as u8);
    forged.resize(forged.len() + rest + 2, 0);
    header.copy_from_slice(&forged);
    bytes
}

/// A page that unpacks to a gibibyte, and says nothing of it: written as numbers, and then called packed by gzip.
fn parquet_gzip() -> Vec<u8> {
    let packed = gz_of_zeros(b"");
    let (numbers, _) = packed.as_chunks::<8>();
    let column = Int64Array::from_iter_values(numbers.iter().map(|n| i64::from_le_bytes(*n)));
    let batch = RecordBatch::try_from_iter([("a", Arc::new(column) as _)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX)
        .set_write_batch_size(usize::MAX)
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let mut bytes = writer.into_inner().unwrap();
    let written = Bytes::from(bytes.clone());
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&written);
    let mut metadata = metadata.unwrap().into_builder();
    let groups = metadata.take_row_groups().into_iter().map(|group| {
        let mut group = group.into_builder();
        let columns = group.take_columns().into_iter().map(|column| {
            let column = column.into_builder();
            let packed = Compression::GZIP(GzipLevel::default());
            column.set_compression(packed).build().unwrap()
        });
        let columns = columns.collect();
        group.set_column_metadata(columns).build().unwrap()
    });
    let metadata = metadata.set_row_groups(groups.collect()).build();
    // The old footer stays where it is, and nobody looks at it.
    ParquetMetaDataWriter::new(&mut bytes, &metadata)
        .finish()
        .unwrap();
    bytes
}

/// Buffers of which each says, in its first eight bytes, that it unpacks to two gigabytes.
fn arrow_batch() -> Vec<u8> {
    let mut bytes = fixture("fixed_lz4.feather");
    // Seven rows of six floats, and of one integer.
    for length in [7 * 6 * 4, 7 * 8_u64] {
        let sought = length.to_le_bytes();
        for at in (0..bytes.len() - 16).step_by(8) {
            // A frame of LZ4 follows.
            if bytes[at..at + 8] == sought && bytes[at + 8..at + 12] == [0x04, 0x22, 0x4d, 0x18] {
                bytes[at..at + 8].copy_from_slice(&(1_u64 << 31).to_le_bytes());
            }
        }
    }
    bytes
}

/// Pictures that say they are as large as their formats allow.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let one = |format| picture(1, 1, [1, 2, 3], format);
    let mut jpeg = one(ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    let mut bmp = one(ImageFormat::Bmp);
    for at in [18, 22] {
        bmp[at..at + 4].copy_from_slice(&60_000_i32.to_le_bytes());
    }
    let mut webp = one(ImageFormat::WebP);
    let size = webp.windows(4).position(|w| w == b"VP8L").unwrap() + 9;
    webp[size..size + 3].fill(0xff);
    webp[size + 3] |= 0x0f;
    // A comment of 256 mebibytes, packed, in a picture of one pixel.
    let mut png = one(ImageFormat::Png);
    let mut packed = ZlibEncoder::new(b"zTXtk\0\0".to_vec(), flate2::Compression::fast());
    for _ in 0..1 << 8 {
        packed.write_all(&[0; 1 << 20]).unwrap();
    }
    let text = packed.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(&text);
    let length = (text.len() - 4) as u32;
    let chunk = [
        &length.to_be_bytes(),
        text.as_slice(),
        &crc.sum().to_be_bytes(),
    ]
    .concat();
    png.splice(33..33, chunk);
    vec![
        ("a.jpg", jpeg),
        ("a.bmp", bmp),
        ("a.webp", webp),
        ("a.png", png),
    ]
}

#[test]
fn bombs_are_refused() {
    let place = Place::new();
    let many = npy_with("'<f4'", false, "(1073741824, 4)", &[0; 1 << 16]);
    for (name, bytes, fact) in [
        (
            "x.npz",
            npz(&[("x", &many)], CompressionMethod::Deflated),
            "declares 17179869184 bytes",
        ),
        ("x.npy.gz", gz(&many), "declares 17179869184 bytes"),
        (
            "x.tar.gz",
            gz_of_zeros(&fixture("arrays.tar")),
            "unpacks to more than",
        ),
        (
            "x.csv.gz",
            gz_of_zeros(b"a,b\n1,2\n"),
            "unpacks to more than",
        ),
        (
            "x.parquet",
            parquet_page(),
            "unpacks to more than half a gibibyte",
        ),
        (
            "gzip.parquet",
            parquet_gzip(),
            "has a page that unpacks to more than the",
        ),
        ("x.feather", arrow_batch(), "has a record batch of"),
    ] {
        let path = place.write(name, &bytes);
        let read = open_default(&path).and_then(|data| data.read(0).map(drop));
        let message = read.unwrap_err().to_string();
        assert!(
            message.contains(name) && message.contains(fact),
            "{message}"
        );
        assert!(!message.contains('\n'), "{message}");
    }
    for (name, bytes) in pictures() {
        let path = place.write(&format!("images_{name}/{name}"), &bytes);
        let data = open_default(path.parent().unwrap());
        let read = data.and_then(|data| data.read(0).map(drop));
        // What is not asked for is passed over.
        if name == "a.png" {
            assert!(read.is_ok(), "{read:?}");
            continue;
        }
        let message = read.unwrap_err().to_string();
        assert!(
            message.contains(name) && !message.contains('\n'),
            "{message}"
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let peak = line.unwrap().split_whitespace().nth(1);
    let peak: usize = peak.unwrap().parse().unwrap();
    assert!(peak < 256 * 1024, "{peak} KiB");
}

/// Names and links in an archive are read as names, and nothing is ever written or followed.
#[test]
fn an_archive_cannot_reach_out() {
    let place = Place::new();
    let mut archive = tar::Builder::new(Vec::new());
    let array = npy_f32(&[2], &[1.0, 2.0]);
    let mut header = tar::Header::new_ustar();
    for (name, kind, target) in [
        ("link.npy", tar::EntryType::Symlink, "/etc/passwd"),
        ("hard.npy", tar::EntryType::Link, "../../secret.npy"),
        ("pipe.npy", tar::EntryType::Fifo, "x"),
        ("device.npy", tar::EntryType::Char, "x"),
    ] {
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_path(name).unwrap();
        header.set_link_name(target).unwrap();
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
    }
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(array.len() as u64);
    let name = &mut header.as_ustar_mut().unwrap().name;
    name.fill(0);
    name[..16].copy_from_slice(b"../../escape.npy");
    header.set_cksum();
    archive.append(&header, array.as_slice()).unwrap();
    let folder = place.path().join("a/b/c");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("shard.tar");
    std::fs::write(&path, archive.into_inner().unwrap()).unwrap();
    let data = open_default(&path).unwrap();
    assert_eq!(data.len(), 1);
    let sample = data.read(0).unwrap();
    assert_eq!(sample.values, [1.0, 2.0]);
    assert_eq!(sample.key.as_deref(), Some("../../escape"));
    assert!(!place.path().join("a/escape.npy").exists());
}
