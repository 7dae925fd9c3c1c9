//! What happens around a source while it is read: many threads at once, and files that shrink or go.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::fs::{self, OpenOptions};

use crate::common::*;

/// The values, label and key of a sample, or why there are none.
fn seen(data: &dyn quaver_data::Dataset, index: usize) -> String {
    format!("{:?}", data.read(index))
}

#[test]
fn many_threads_read_what_one_does() {
    const THREADS: usize = 8;
    for (name, bytes) in valid_files() {
        let place = Place::new();
        place.write(name, &bytes);
        let top = place.path().join(name.split('/').next().unwrap());
        let data = open_default(&top).unwrap();
        let n = data.len();
        let alone: Vec<String> = (0..n).map(|index| seen(&*data, index)).collect();
        // A dataset of its own, so that nothing has been read before.
        let data = open_default(&top).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (data, alone) = (&data, &alone);
                scope.spawn(move || {
                    // Some go forwards, some backwards, some jump; all of them twice.
                    for step in 0..2 * n {
                        let index = match thread % 3 {
                            0 => step % n,
                            1 => n - 1 - step % n,
                            _ => (step * 7 + thread) % n,
                        };
                        assert_eq!(seen(&**data, index), alone[index], "{name}, {index}");
                    }
                });
            }
        });
    }
}

/// A file that was cut short after it was opened gives an error of the source, not of a sample: a run stops there, and
/// can go on once the file is whole again.
#[test]
fn a_file_that_shrinks_while_it_is_read_ends_the_run() {
    let mut refused = Vec::new();
    for (name, bytes) in valid_files() {
        // What is packed is unpacked when it is opened; a folder has a file for each sample.
        if name.ends_with(".gz") || name.starts_with("deflated") || name.starts_with("folder") {
            continue;
        }
        let place = Place::new();
        let path = place.write(name, &bytes);
        let data = open_default(&path).unwrap();
        let whole: Vec<String> = (0..data.len()).map(|index| seen(&*data, index)).collect();
        let data = open_default(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        // Nothing is left of any sample's bytes.
        file.set_len(4).unwrap();
        for (index, whole) in whole.iter().enumerate() {
            match data.read(index) {
                // It was decoded with another one, before.
                Ok(_) => assert_eq!(seen(&*data, index), *whole, "{name}"),
                Err(error) => {
                    // A sample that was broken all along is still that.
                    assert!(
                        !error.is_of_sample() || whole.starts_with("Err"),
                        "{name}: {error}"
                    );
                    refused.push(name);
                }
            }
        }
        fs::write(&path, &bytes).unwrap();
        let again: Vec<String> = (0..data.len()).map(|index| seen(&*data, index)).collect();
        assert_eq!(again, whole, "{name}");
    }
    refused.dedup();
    for part in [
        "npz", "npy", "idx", "csv", "parquet", "feather", "arrow", "tar",
    ] {
        let some = refused.iter().any(|name| name.contains(part));
        assert!(some, "no error of {part} among {refused:?}");
    }
}

#[test]
fn an_image_that_goes_is_one_sample_and_a_folder_that_goes_is_all() {
    let place = Place::new();
    let image = picture(2, 2, [1, 2, 3], image::ImageFormat::Png);
    for name in ["images/a/0.png", "images/a/1.png", "images/b/2.png"] {
        place.write(name, &image);
    }
    let root = place.path().join("images");
    let data = open_default(&root).unwrap();
    fs::remove_file(root.join("a/1.png")).unwrap();
    assert!(data.read(0).is_ok() && data.read(2).is_ok());
    let error = data.read(1).unwrap_err();
    assert!(error.is_of_sample() && error.to_string().contains("a/1.png"));
    // As when a disk is unmounted: its folder is there, and empty.
    for folder in ["a", "b"] {
        fs::remove_dir_all(root.join(folder)).unwrap();
    }
    assert!(!data.read(0).unwrap_err().is_of_sample());
    fs::remove_dir(&root).unwrap();
    assert!(!data.read(0).unwrap_err().is_of_sample());
}
