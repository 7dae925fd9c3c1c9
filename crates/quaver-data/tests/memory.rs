//! Memory does not grow with the length of the data.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use std::fs::{self, OpenOptions};

use common::*;

/// The most memory this process has held so far, in KiB.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[test]
fn four_gibibytes_are_read_in_little_memory() {
    let place = Place::new();
    let n_samples = 1 << 20;
    // In Fortran order a sample is spread over all of the file, and some are enough.
    for (is_fortran, step) in [(false, 1009), (true, 100_003)] {
        let header = npy_with("'<f4'", is_fortran, "(1048576, 1024)", &[]);
        let path = place.write("x.npy", &header);
        // The zeros are a hole in the file, which takes no room on the disk.
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(header.len() as u64 + (4 << 30)).unwrap();
        let data = open_default(&path).unwrap();
        assert_eq!((data.len(), data.shape()), (n_samples, &[1024][..]));
        for index in (0..n_samples).step_by(step) {
            assert_eq!(data.read(index).unwrap().values, [0.0; 1024]);
        }
    }
    let peak = peak_memory();
    assert!(peak < 64 * 1024, "{peak} KiB");
}
