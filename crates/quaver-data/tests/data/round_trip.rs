//! Arrays as another library writes them are read back, whatever their number type and byte order.

use crate::common::*;
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Rows are found wherever line breaks, quotes and byte order marks lie.
    #[test]
    fn tables_of_text(
        n_columns in 1_usize..5,
        cells in prop::collection::vec((prop::num::f64::NORMAL, any::<bool>(), 0_usize..3), 4..80),
        names in any::<bool>(),
        mark in any::<bool>(),
        line_break in prop_oneof!["\n", "\r\n", "\n\n"],
        last in any::<bool>(),
    ) {
        let rows: Vec<_> = cells.chunks_exact(n_columns).collect();
        let mut lines = Vec::new();
        if names {
            // A name with everything in it that has to be quoted.
            lines.push((0..n_columns).map(|j| format!("\"c, \"\"{j}\n\"")).collect::<Vec<_>>().join(","));
        }
        for row in &rows {
            let cells = row.iter().map(|(value, quoted, spaces)| {
                let spaces = " ".repeat(*spaces);
                match quoted {
                    true => format!("\"{value:e}{spaces}\""),
                    false => format!("{spaces}{value:e}"),
                }
            });
            lines.push(cells.collect::<Vec<_>>().join(","));
        }
        let text = lines.join(line_break.as_str());
        let mark = if mark { "\u{feff}" } else { "" };
        let end = if last { line_break.as_str() } else { "" };
        let place = Place::new();
        let data = open_default(&place.write("x.csv", format!("{mark}{text}{end}").as_bytes())).unwrap();
        prop_assert_eq!((data.len(), data.shape()), (rows.len(), &[n_columns][..]));
        for (index, row) in rows.iter().enumerate() {
            let expected: Vec<f64> = row.iter().map(|(value, ..)| *value).collect();
            prop_assert_eq!(data.read(index).unwrap().values, expected);
        }
    }
}
