//! Files with wrong bytes anywhere in them give errors, or other values, and never a panic.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use common::*;
use image::ImageFormat;
use quaver_data::{DataErrorKind, OpenOptions, open};
use rand_like::Numbers;

/// Numbers that look random and are the same in every run.
mod rand_like {
    pub struct Numbers(pub u64);

    impl Numbers {
        pub fn below(&mut self, n: usize) -> usize {
            // Knuth's MMIX generator; its high bits are good enough to pick bytes with.
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
            self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) % n as u64) as usize
        }
    }
}

/// Opens and reads the dataset in which the file `name` lies; errors are fine.
fn try_all(place: &Place, name: &str, bytes: &[u8]) -> Result<(), DataErrorKind> {
    place.write(name, bytes);
    let top = place.path().join(name.split('/').next().unwrap());
    let attempt = |resize| {
        let options = OpenOptions {
            resize,
            ..OpenOptions::default()
        };
        let data = open(&top, &options, None)?;
        // Damage can turn a few samples into very many small ones.
        for index in 0..data.len().min(8) {
            data.label(index)?;
            data.read(index)?;
        }
        Ok(())
    };
    let mut result = attempt(None);
    if name.starts_with("folder") {
        result = attempt(Some((3, 4).into())).and(result);
    }
    result.map_err(|error: quaver_data::DataError| {
        assert!(!error.to_string().contains('\n'), "{error}");
        error.kind()
    })
}

#[test]
fn truncated_anywhere() {
    for (name, bytes) in valid_files() {
        let place = Place::new();
        let whole = try_all(&place, name, &bytes);
        // One of the images is broken on purpose.
        if !name.contains("images") && !name.contains("shard") {
            assert_eq!(whole, Ok(()), "{name}");
        }
        // Larger files at some lengths only.
        for length in (0..bytes.len()).step_by(1 + bytes.len() / 1000) {
            let result = try_all(&place, name, &bytes[..length]);
            // Decoders of images forgive a missing end, text may end anywhere, and so may a stream of messages and a
            // tar archive, between two of them.
            let forgiving = ["folder", "x.csv", "stream", "tar"];
            if !forgiving.iter().any(|part| name.contains(part)) {
                assert!(result.is_err(), "{name} cut to {length} bytes");
            }
        }
    }
}

#[test]
fn damaged_anywhere() {
    let rounds = std::env::var("QUAVER_TEST_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    let mut numbers = Numbers(1);
    for (name, bytes) in valid_files() {
        let place = Place::new();
        for _ in 0..rounds {
            let mut bytes = bytes.clone();
            for _ in 0..=numbers.below(4) {
                let position = numbers.below(bytes.len());
                bytes[position] = match numbers.below(3) {
                    0 => 0xff,
                    1 => 0,
                    _ => numbers.below(256) as u8,
                };
            }
            let _ = try_all(&place, name, &bytes);
        }
    }
}

#[test]
fn labels_damaged_anywhere() {
    let place = Place::new();
    let x = place.write("x.npy", &npy_f32(&[2, 1], &[0.0; 2]));
    let mut numbers = Numbers(2);
    for bytes in [
        npy_i64(&[2], &[1, 0]),
        gz(&npy_i64(&[2], &[1, 0])),
        idx(8, &[2], &[1, 0]),
        b"1\n0\n".to_vec(),
    ] {
        for _ in 0..400 {
            let mut bytes = bytes.clone();
            let position = numbers.below(bytes.len());
            bytes[position] = numbers.below(256) as u8;
            let options = OpenOptions {
                labels: Some(place.write("labels", &bytes)),
                ..OpenOptions::default()
            };
            let _ = open(&x, &options, None);
        }
    }
}

/// Peak memory of this process must not follow what a file only claims.
#[cfg(target_os = "linux")]
fn peak_memory_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn claims_cost_no_memory() {
    let place = Place::new();
    let refuse = |name: &str, bytes: &[u8]| {
        let path = place.write(name, bytes);
        let result = open_default(&path).and_then(|data| data.read(0).map(|_| ()));
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains(name) && !message.contains('\n'),
            "{message}"
        );
    };
    // A message of an Arrow stream that claims two gigabytes.
    refuse("claim.arrow", &[255, 255, 255, 255, 0, 0, 0, 0x7f, 1, 2, 3]);
    // A footer of Parquet that claims more than the file.
    refuse("claim.parquet", b"PAR1....\xff\xff\xff\x7fPAR1");
    // A tar member whose size lies past the end, and a name of gigabytes.
    for (name, kind) in [("size.tar", b'0'), ("name.tar", b'L')] {
        let mut header = tar_header("a.png", kind);
        header[124..136].copy_from_slice(b"77777777777\0");
        refuse(name, &with_checksum(header));
    }
    // A picture of 32,000 by 32,000 pixels in a few bytes.
    let mut bomb = picture(1, 1, [0; 3], ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0x7d, 0, 0, 0, 0x7d, 0]);
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    place.write("bomb/a/a.png", &bomb);
    let data = open_default(&place.path().join("bomb"));
    assert!(data.and_then(|data| data.read(0)).is_err());
    let peak = peak_memory_kib();
    assert!(peak < 768 * 1024, "{peak} KiB");
}

#[cfg(unix)]
#[test]
fn links_lead_out_of_a_folder_only_when_they_may() {
    let place = Place::new();
    let secret = place.write(
        "elsewhere/a.png",
        &picture(2, 2, [1, 2, 3], ImageFormat::Png),
    );
    place.write(
        "images/cat/b.png",
        &picture(2, 2, [1, 2, 3], ImageFormat::Png),
    );
    let link = place.path().join("images/cat/a.png");
    std::os::unix::fs::symlink(&secret, &link).unwrap();
    let root = place.path().join("images");
    let message = open_default(&root).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("--follow-links"), "{message}");
    let options = OpenOptions {
        follow_links: true,
        ..OpenOptions::default()
    };
    assert_eq!(open(&root, &options, None).unwrap().len(), 2);
    // Inside the folder they may; and one that leads nowhere is one broken sample.
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("b.png", &link).unwrap();
    std::os::unix::fs::symlink("gone.png", root.join("cat/c.png")).unwrap();
    let data = open_default(&root).unwrap();
    assert!(data.read(0).is_ok() && data.read(1).is_ok());
    let error = data.read(2).unwrap_err();
    assert!(error.is_of_sample(), "{error}");
}

#[test]
fn one_bad_row_is_one_bad_sample() {
    let place = Place::new();
    let text = b"a;b;label\n1;2;0\n3;x;1\n4\n5;6;minus\n7;nan;1\n8;;0\n\"9\n\";10;1\n11;12;0";
    let data = open_default(&place.write("rows.csv", text)).unwrap();
    assert_eq!(data.len(), 8);
    let errors: Vec<String> = (0..8)
        .filter_map(|index| data.read(index).err())
        .map(|error| {
            assert!(error.is_of_sample(), "{error}");
            error.to_string()
        })
        .collect();
    let facts = [
        "row 1: column \"b\" holds \"x\"",
        "row 2: has 1 cells in a table of 3 columns",
        "row 3: label \"minus\"",
        "row 4: sample 4 holds NaN",
        "row 5: column \"b\" is empty",
    ];
    assert_eq!(errors.len(), facts.len(), "{errors:?}");
    for (error, fact) in errors.iter().zip(facts) {
        assert!(error.contains(fact), "{error}");
    }
    assert_eq!(data.read(6).unwrap().values, [9.0, 10.0]);
    assert_eq!(data.read(7).unwrap().values, [11.0, 12.0]);
}

#[test]
fn one_bad_row_group_leaves_the_others() {
    let mut bytes = fixture("columns_none.parquet");
    // The first page of the first row group, just after the magic number.
    bytes[4..40].fill(0xff);
    let place = Place::new();
    let data = open_default(&place.write("group.parquet", &bytes)).unwrap();
    let good: Vec<usize> = (0..data.len())
        .filter(|&index| data.read(index).is_ok())
        .collect();
    assert_eq!(good, (7..20).collect::<Vec<_>>());
    let error = data.read(3).unwrap_err();
    assert!(error.is_of_sample(), "{error}");
}

#[cfg(target_os = "linux")]
fn tar_header(name: &str, kind: u8) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header
}

#[cfg(target_os = "linux")]
fn with_checksum(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// The checksum of PNG chunks, bit by bit.
#[cfg(target_os = "linux")]
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes
        .iter()
        .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
