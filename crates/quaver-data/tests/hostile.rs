//! Files with wrong bytes anywhere in them give errors, or other values, and never a panic.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use common::*;
use image::ImageFormat;
use quaver_data::{DataErrorKind, OpenOptions, open};
use rand_like::Numbers;
use zip::CompressionMethod::{Deflated, Stored};

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

/// A valid file of every format and packing, under the name by which it is recognised.
fn valid_files() -> Vec<(&'static str, Vec<u8>)> {
    let x = npy_f32(&[2, 3], &[0.5; 6]);
    let y = npy_i64(&[2], &[1, 0]);
    let images = idx(8, &[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
    vec![
        ("stored.npz", npz(&[("x", &x), ("y", &y)], Stored)),
        ("deflated.npz", npz(&[("x", &x), ("y", &y)], Deflated)),
        ("x.npy", x.clone()),
        ("x.npy.gz", gz(&x)),
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
    ]
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
        assert_eq!(try_all(&place, name, &bytes), Ok(()), "{name}");
        for length in 0..bytes.len() {
            let result = try_all(&place, name, &bytes[..length]);
            // Decoders of images forgive a missing end.
            if !name.starts_with("folder") {
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
