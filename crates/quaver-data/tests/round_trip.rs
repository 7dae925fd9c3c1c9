//! Arrays as another library writes them are read back, whatever their number type and byte order.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::*;
use npyz::{AutoSerialize, DType, WriteOptions, WriterBuilder};
use proptest::prelude::*;
use zip::CompressionMethod::{Deflated, Stored};

/// The `values` in an array of samples of `per_sample` values each, with numbers of the type `descr`.
fn written<T: AutoSerialize>(descr: &str, per_sample: usize, values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let shape = [(values.len() / per_sample) as u64, per_sample as u64];
    let mut writer = WriteOptions::new()
        .dtype(DType::Plain(descr.parse().unwrap()))
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    for value in values {
        writer.push(value).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn check(bytes: &[u8], per_sample: usize, values: &[f64]) {
    let place = Place::new();
    for (name, bytes) in [
        ("x.npy", bytes.to_vec()),
        ("x.npy.gz", gz(bytes)),
        ("stored.npz", npz(&[("x", bytes)], Stored)),
        ("deflated.npz", npz(&[("x", bytes)], Deflated)),
    ] {
        let data = open_default(&place.write(name, &bytes)).unwrap();
        assert_eq!(data.shape(), [per_sample]);
        let read: Vec<f64> = (0..data.len())
            .flat_map(|index| data.read(index).unwrap().values)
            .collect();
        assert_eq!(read, values, "{name}");
    }
}

macro_rules! round_trips {
    ($($name:ident: $type:ty, $values:expr, [$($descr:literal),*];)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(16))]
            $(
                #[test]
                fn $name(
                    per_sample in 1_usize..5,
                    all in prop::collection::vec($values, 4..40),
                ) {
                    let all: &[$type] = &all[..all.len() / per_sample * per_sample];
                    let expected: Vec<f64> = all.iter().map(|&value| value as f64).collect();
                    for descr in [$($descr),*] {
                        check(&written(descr, per_sample, all), per_sample, &expected);
                    }
                }
            )*
        }
    };
}

round_trips! {
    u1: u8, any::<u8>(), ["|u1"];
    i1: i8, any::<i8>(), ["|i1"];
    u2: u16, any::<u16>(), ["<u2", ">u2"];
    i2: i16, any::<i16>(), ["<i2", ">i2"];
    u4: u32, any::<u32>(), ["<u4", ">u4"];
    i4: i32, any::<i32>(), ["<i4", ">i4"];
    u8: u64, any::<u64>(), ["<u8", ">u8"];
    i8: i64, any::<i64>(), ["<i8", ">i8"];
    f4: f32, prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL, ["<f4", ">f4"];
    f8: f64, prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL, ["<f8", ">f8"];
}
