//! Files as other libraries write them: pandas, pyarrow, polars, Pillow, tarfile. `tools/data_fixtures.py` made them.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::*;
use quaver_data::{
    DataError, DataErrorKind, Dataset, InputFile, Interpolation, Joined, OpenOptions, Resize, open,
    open_part,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn with(change: impl FnOnce(&mut OpenOptions)) -> OpenOptions {
    let mut options = OpenOptions::default();
    change(&mut options);
    options
}

fn message(result: Result<Box<dyn Dataset>, DataError>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

/// Reads all samples backwards and forwards, from several threads too.
fn check(
    data: &dyn Dataset,
    shape: &[usize],
    value: impl Fn(usize, usize) -> f64 + Sync,
    label: impl Fn(usize) -> Option<usize> + Sync,
) {
    assert_eq!((data.len(), data.shape()), (20, shape));
    let n: usize = shape.iter().product();
    let check = |index: usize| {
        let sample = data.read(index).unwrap();
        let expected: Vec<f64> = (0..n).map(|k| value(index, k)).collect();
        assert_eq!(sample.values, expected);
        assert_eq!(
            (sample.label, data.label(index).unwrap()),
            (label(index), label(index))
        );
        assert_eq!(sample.key, data.key(index));
    };
    (0..20).chain((0..20).rev()).for_each(check);
    std::thread::scope(|scope| {
        for start in 0..4 {
            scope.spawn(move || (start..20).step_by(4).for_each(check));
        }
    });
}

#[test]
fn columns_of_numbers() {
    for name in [
        "columns_gzip.parquet",
        "columns_snappy.parquet",
        "columns_zstd.parquet",
        "columns_lz4.parquet",
        "columns_none.parquet",
        "columns_polars.parquet",
        "columns_pandas.parquet",
        "columns.csv",
        "columns_pandas.csv",
        "columns_semicolon.csv",
    ] {
        eprintln!("{name}");
        let path = fixture(name);
        let data = open(&path, &OpenOptions::default(), Some(&[3])).unwrap();
        check(
            &*data,
            &[3],
            |i, j| i as f64 + j as f64 / 4.0,
            |i| Some(i % 3),
        );
        let options = with(|options| {
            options.columns = vec!["f2".to_owned(), "f0".to_owned()];
            options.label_column = Some("label".to_owned());
        });
        let data = open(&path, &options, None).unwrap();
        check(
            &*data,
            &[2],
            |i, j| i as f64 + [0.5, 0.0][j],
            |i| Some(i % 3),
        );
        let absent = with(|options| options.label_column = Some("nobody".to_owned()));
        let message = message(open(&path, &absent, None));
        assert!(
            message.contains("has no column \"nobody\", only ") && message.contains("\"f0\""),
            "{message}"
        );
    }
}

#[test]
fn keys_say_row_group_and_row() {
    let data = open_default(&fixture("columns_snappy.parquet")).unwrap();
    assert!(data.has_keys());
    assert_eq!(data.key(8).unwrap(), "row group 1, row 1");
    let data = open_default(&fixture("fixed_lz4.feather")).unwrap();
    assert_eq!(data.key(19).unwrap(), "batch 2, row 5");
}

#[test]
fn names_are_classes_in_sorted_order_or_by_a_map() {
    let place = Place::new();
    let map = place.write("map.json", br#"{"dog": 0, "cat": 1, "ant": 2}"#);
    for name in ["names.parquet", "names.arrow"] {
        let data = open_default(&fixture(name)).unwrap();
        assert_eq!(data.class_names().unwrap(), ["ant", "cat", "dog"]);
        check(
            &*data,
            &[3],
            |i, j| i as f64 + j as f64 / 4.0,
            |i| Some([1, 0, 2][i % 3]),
        );
        let options = with(|options| options.class_map = Some(map.clone()));
        let data = open(&fixture(name), &options, None).unwrap();
        assert_eq!(data.class_names().unwrap(), ["dog", "cat", "ant"]);
        check(
            &*data,
            &[3],
            |i, j| i as f64 + j as f64 / 4.0,
            |i| Some([1, 2, 0][i % 3]),
        );
    }
}

#[test]
fn lists_are_arrays() {
    for name in [
        "lists.parquet",
        "lists_gzip.parquet",
        "fixed_lz4.feather",
        "fixed_zstd.feather",
        "fixed_stream.arrow",
    ] {
        eprintln!("{name}");
        let data = open_default(&fixture(name)).unwrap();
        check(
            &*data,
            &[2, 3],
            |i, k| i as f64 + k as f64 / 8.0,
            |i| Some(i % 3),
        );
        let data = open(&fixture(name), &OpenOptions::default(), Some(&[6])).unwrap();
        check(
            &*data,
            &[6],
            |i, k| i as f64 + k as f64 / 8.0,
            |i| Some(i % 3),
        );
    }
    let message = message(open_default(&fixture("tokens.parquet")));
    assert!(
        message.contains("\"input_ids\", \"attention_mask\" could each"),
        "{message}"
    );
}

#[test]
fn inputs_are_read_side_by_side() {
    let inputs = [("mask".to_owned(), vec![4]), ("ids".to_owned(), vec![4])];
    let path = fixture("tokens.parquet");
    let file = |text: &str| {
        text.replace("FILE", path.to_str().unwrap())
            .parse::<InputFile>()
            .unwrap()
    };
    let files = [file("ids=FILE:input_ids"), file("mask=FILE:attention_mask")];
    let options = OpenOptions::default();
    let data = Joined::open(&inputs, &files, &options).unwrap();
    let value = |i: usize, k: usize| [1.0, 1.0, 0.0, 0.0, i as f64, i as f64 + 1.0, 0.0, 0.0][k];
    check(&*data, &[8], value, |i| Some(i % 3));
    let place = Place::new();
    let x = npy_f32(&[20, 4], &[0.5; 80]);
    let archive = place.write("a.npz", &npz(&[("m", &x)], zip::CompressionMethod::Stored));
    let from_npz: InputFile = format!("mask={}:m", archive.display()).parse().unwrap();
    let data = Joined::open(&inputs, &[from_npz, files[0].clone()], &options).unwrap();
    assert_eq!(
        data.read(3).unwrap().values,
        [0.5, 0.5, 0.5, 0.5, 3.0, 4.0, 0.0, 0.0]
    );
    assert_eq!(data.label(4).unwrap(), Some(1));
    let short = place.write("short.npy", &npy_f32(&[3, 4], &[0.0; 12]));
    let wide = place.write("wide.npy", &npy_f32(&[20, 5], &[0.0; 100]));
    for (files, fact) in [
        (vec![files[0].clone()], "input \"mask\" is missing"),
        (
            vec![files[0].clone(), files[0].clone()],
            "\"ids\" is given twice",
        ),
        (
            vec![file("other=FILE")],
            "no input \"other\", only \"mask\", \"ids\"",
        ),
        (
            vec![
                files[0].clone(),
                format!("mask={}", short.display()).parse().unwrap(),
            ],
            "input \"ids\" has 20 samples",
        ),
        (
            vec![
                files[0].clone(),
                format!("mask={}", wide.display()).parse().unwrap(),
            ],
            "input \"mask\": ",
        ),
    ] {
        let message = message(Joined::open(&inputs, &files, &options));
        assert!(message.contains(fact), "{message}");
    }
    assert!("FILE".parse::<InputFile>().is_err() && "=FILE".parse::<InputFile>().is_err());
}

/// The six pictures of which the third is broken, the same in every container.
#[test]
fn one_broken_image_is_one_broken_sample() {
    let place = Place::new();
    let parquet = open(
        &fixture("images.parquet"),
        &OpenOptions::default(),
        Some(&[3, 5, 4]),
    )
    .unwrap();
    assert_eq!(parquet.class_names().unwrap(), ["zero", "one", "two"]);
    let arrow = open(
        &fixture("images.arrow"),
        &OpenOptions::default(),
        Some(&[3, 5, 4]),
    )
    .unwrap();
    let tar = open(
        &fixture("shard.tar"),
        &OpenOptions::default(),
        Some(&[3, 5, 4]),
    )
    .unwrap();
    assert_eq!(tar.key(0).unwrap(), "train/0000");
    assert_eq!(tar.key(4).unwrap(), format!("train/{}", "x".repeat(150)));
    let gz = place.write("shard.tgz", &gz(&fs::read(fixture("shard.tar")).unwrap()));
    let gz = open(&gz, &OpenOptions::default(), Some(&[3, 5, 4])).unwrap();
    // The link in the archive is no sample.
    for (data, last) in [
        (&parquet, None),
        (&arrow, None),
        (&tar, Some(2)),
        (&gz, Some(2)),
    ] {
        assert_eq!(data.len(), 6);
        for index in 0..6 {
            let expected = if index == 5 { last } else { Some(index % 3) };
            assert_eq!(data.label(index).unwrap(), expected);
            if index == 2 {
                let error = data.read(index).unwrap_err();
                assert!(
                    error.is_of_sample() && error.kind() == DataErrorKind::Format,
                    "{error}"
                );
                assert!(error.to_string().contains("cannot be decoded"), "{error}");
                continue;
            }
            assert_eq!(
                data.read(index).unwrap().values,
                parquet.read(index).unwrap().values
            );
        }
    }
}

#[test]
fn arrays_in_a_shard() {
    let data = open_default(&fixture("arrays.tar")).unwrap();
    assert_eq!((data.len(), data.shape()), (3, &[2, 3][..]));
    let sample = data.read(2).unwrap();
    assert_eq!((sample.values, sample.label), (vec![2.0; 6], Some(2)));
}

#[test]
fn codecs_that_are_not_read_are_named() {
    let file = fixture("columns_brotli.parquet");
    let said = message(open(&file, &OpenOptions::default(), None));
    assert!(
        said.contains("Brotli") && said.contains("Zstandard"),
        "{said}"
    );
}

#[test]
fn a_column_or_array_may_be_asked_for_in_place_of_the_labels() {
    for name in ["columns_gzip.parquet", "columns_pandas.csv", "names.arrow"] {
        let data = open_part(&fixture(name), "f0", &OpenOptions::default()).unwrap();
        assert_eq!(data.len(), 20, "{name}");
        assert!((0..20).all(|row| data.label(row).unwrap() == Some(row)));
    }
    let place = Place::new();
    let arrays = [
        ("x", npy_f32(&[2, 1], &[0.0; 2])),
        ("odd", npy_i64(&[2], &[0, 1])),
    ];
    let arrays: Vec<(&str, &[u8])> = arrays.iter().map(|(k, a)| (*k, a.as_slice())).collect();
    let archive = npz(&arrays, zip::CompressionMethod::Stored);
    let archive = place.write("a.npz", &archive);
    let data = open_part(&archive, "odd", &OpenOptions::default()).unwrap();
    assert_eq!(data.label(1).unwrap(), Some(1));
    for (path, fact) in [
        (fixture("columns_none.parquet"), "has no column \"even\""),
        (archive, "has no array \"even\""),
        (
            fixture("arrays.tar"),
            "neither arrays nor columns by names (tar)",
        ),
    ] {
        let said = message(open_part(&path, "even", &OpenOptions::default()));
        assert!(said.contains(fact), "{said}");
    }
}

#[test]
fn patterns_stand_for_several_files() {
    let place = Place::new();
    for shard in ["part-00.tar", "part-01.tar", "part-02.tar"] {
        place.write(shard, &fs::read(fixture("arrays.tar")).unwrap());
    }
    for pattern in [
        "part-{00..02}.tar",
        "part-*.tar",
        "part-{00,01,02}.tar",
        "part-0?.tar",
    ] {
        let data = open_default(&place.path().join(pattern)).unwrap();
        assert_eq!(data.len(), 9);
        let sample = data.read(5).unwrap();
        assert_eq!((sample.values, sample.label), (vec![2.0; 6], Some(2)));
        assert_eq!(sample.key.unwrap(), "part-01.tar: 2");
        assert_eq!(data.read(9).unwrap_err().kind(), DataErrorKind::OutOfRange);
    }
    for (pattern, fact) in [
        ("none-*.tar", "matches no file"),
        ("part-{0..", "brace"),
        ("part-{00..03}.tar", "does not exist"),
    ] {
        let message = message(open_default(&place.path().join(pattern)));
        assert!(message.contains(fact), "{message}");
    }
}

/// The very pixels of Pillow, by every filter, larger, smaller, and in one direction.
#[test]
fn resized_as_pillow_does() {
    let place = Place::new();
    place.write(
        "s/a/source.png",
        &fs::read(fixture("pillow_source.png")).unwrap(),
    );
    for filter in Interpolation::names() {
        for (height, width) in [(9, 14), (40, 37), (23, 8)] {
            let options = with(|options| {
                options.resize = Some(Resize::Exact(height, width));
                options.interpolation = Interpolation::named(filter).unwrap();
            });
            let ours = open(&place.path().join("s"), &options, None)
                .unwrap()
                .read(0)
                .unwrap();
            let name = format!("pillow_{filter}_{height}x{width}.png");
            place.write(
                &format!("{filter}{height}/a/a.png"),
                &fs::read(fixture(&name)).unwrap(),
            );
            let theirs = open_default(&place.path().join(format!("{filter}{height}")))
                .unwrap()
                .read(0)
                .unwrap();
            assert_eq!(ours.values, theirs.values, "{name}");
        }
    }
    let options = with(|options| options.resize = Some(Resize::Exact(9, 14)));
    let ours = open(&place.path().join("s"), &options, Some(&[1, 9, 14]))
        .unwrap()
        .read(0)
        .unwrap();
    place.write(
        "grey/a/a.png",
        &fs::read(fixture("pillow_grey_9x14.png")).unwrap(),
    );
    let theirs = open(
        &place.path().join("grey"),
        &OpenOptions::default(),
        Some(&[1, 9, 14]),
    )
    .unwrap();
    assert_eq!(ours.values, theirs.read(0).unwrap().values);
}
