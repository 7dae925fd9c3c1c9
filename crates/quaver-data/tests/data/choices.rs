//! What can be chosen with options beyond what the data say of themselves.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use crate::common::*;
use quaver_data::{Dataset, Layout, OpenOptions, Subset, format_names, open};

fn of_format(name: &str) -> OpenOptions {
    OpenOptions {
        format: Some(name.to_owned()),
        ..OpenOptions::default()
    }
}

#[test]
fn every_format_has_a_name_of_its_own() {
    let mut names: Vec<&str> = format_names().collect();
    assert!(names.contains(&"npz") && names.contains(&"folder"));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_chosen_format_overrides_the_name_of_the_file() {
    let place = Place::new();
    let path = place.write("misnamed.bin", &npy_f32(&[2, 1], &[1.0, 2.0]));
    assert!(open_default(&path).is_err());
    let data = open(&path, &of_format("npy"), None).unwrap();
    assert_eq!(data.read(1).unwrap().values, [2.0]);
}

#[test]
fn cifar_100_has_fine_and_coarse_labels() {
    let place = Place::new();
    let path = place.write("train.bin", &cifar(&[&[19, 99], &[0, 42]]));
    let names = |count: usize, kind: &str| -> Vec<String> {
        (0..count).map(|i| format!("{kind} {i}")).collect()
    };
    for (file, names) in [
        ("fine_label_names.txt", names(100, "fine")),
        ("coarse_label_names.txt", names(20, "coarse")),
    ] {
        place.write(file, names.join("\n").as_bytes());
    }
    for (format, labels, kind, count) in [
        ("cifar", [99, 42], "fine", 100),
        ("cifar100", [99, 42], "fine", 100),
        ("cifar100-coarse", [19, 0], "coarse", 20),
    ] {
        let data = open(&path, &of_format(format), Some(&[3, 32, 32])).unwrap();
        let found = [0, 1].map(|index| data.label(index).unwrap().unwrap());
        assert_eq!(found, labels, "{format}");
        assert_eq!(data.class_names(), Some(&names(count, kind)[..]));
        assert_eq!(data.read(1).unwrap().values[0], 1.0);
    }
}

#[test]
fn records_of_either_length_are_told_by_name_or_by_choice() {
    let place = Place::new();
    let path = place.write("both.bin", &vec![0; 3073 * 3074]);
    let message = open_default(&path).map(|_| ()).unwrap_err().to_string();
    assert!(
        message.contains("--format cifar10 or cifar100"),
        "{message}"
    );
    let count = |format| open(&path, &of_format(format), None).unwrap().len();
    assert_eq!([count("cifar10"), count("cifar100")], [3074, 3073]);
    place.write("fine_label_names.txt", b"");
    assert_eq!(open_default(&path).unwrap().len(), 3073);
    place.write("batches.meta.txt", b"");
    assert!(open_default(&path).is_err());
}

#[test]
fn channels_stay_last_for_a_network_that_wants_them_there() {
    let place = Place::new();
    let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let path = place.write("x.npy", &npy_f32(&[1, 2, 2, 3], &values));
    let options = OpenOptions {
        layout: Layout::Nhwc,
        mean: vec![0.0, 1.0, 2.0],
        ..OpenOptions::default()
    };
    let data = open(&path, &options, Some(&[2, 2, 3])).unwrap();
    assert_eq!(data.shape(), [2, 2, 3]);
    let pixels = [0.0, 3.0, 6.0, 9.0].map(|value| [value; 3]);
    assert_eq!(data.read(0).unwrap().values, pixels.concat());
    // Where both orders have the network's shape, its channels are first.
    let values: Vec<f32> = (0..8).map(|value| value as f32).collect();
    let path = place.write("cube.npy", &npy_f32(&[1, 2, 2, 2], &values));
    let options = OpenOptions {
        layout: Layout::Nhwc,
        ..OpenOptions::default()
    };
    let data = open(&path, &options, Some(&[2, 2, 2])).unwrap();
    let expected = [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0];
    assert_eq!(data.read(0).unwrap().values, expected);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_without_waiting_for_its_writer() {
    let place = Place::new();
    let path = place.path().join("pipe.npy");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mkfifo");
        return;
    }
    let message = open_default(&path).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("not a regular file"), "{message}");
}

#[test]
fn units_say_what_was_done_to_the_numbers() {
    let place = Place::new();
    let path = place.write(
        "x.npy",
        &npy_with(
            "'|u1'",
            false,
            "(2, 2, 1, 2)",
            &[0, 51, 102, 153, 204, 255, 0, 255],
        ),
    );
    let options = OpenOptions {
        scale: 1.0 / 255.0,
        mean: vec![0.5, 0.25],
        std: vec![0.5, 2.0],
        ..OpenOptions::default()
    };
    let dataset = open(&path, &options, None).unwrap();
    let subset = Subset::new(dataset, vec![1]).unwrap();
    let units = subset.units();
    assert_eq!(units.range(), Some((0.0, 255.0)));
    let mapped: Vec<f64> = units
        .affine(4)
        .iter()
        .zip([204.0, 255.0, 0.0, 255.0])
        .map(|((factor, offset), raw)| factor * raw + offset)
        .collect();
    let values = subset.read(0).unwrap().values;
    assert!(
        mapped
            .iter()
            .zip(&values)
            .all(|(a, b)| (a - b).abs() < 1e-12)
    );
}
