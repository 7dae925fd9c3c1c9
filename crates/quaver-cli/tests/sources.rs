//! What a run was made from may change under its hands: then it says so, and goes on once all is as it was.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs::{self, OpenOptions};
use std::process::Stdio;
use std::time::Duration;

use common::Place;

fn floats(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

/// An array of `n` samples of this shape, as NumPy writes it.
fn npy(n: usize, shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {shape}), }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
}

#[test]
fn a_store_knows_weights_in_files_of_their_own() {
    let place = Place::with("--samples 1");
    // y = x W with W (3 × 4) from byte 16 of the file `weights` on.
    let model = include_bytes!("weights_beside.onnx");
    fs::write(place.path("linear.onnx"), model).unwrap();
    let weights = |factor: f32| {
        let bytes = floats((0..64).map(|i| (factor * i as f32).sin()));
        fs::write(place.path("weights"), bytes).unwrap();
    };
    let x = floats((0..6 * 3).map(|i| i as f32 / 4.0));
    fs::write(place.path("x.npy"), npy(6, "3", &x)).unwrap();
    weights(1.0);
    let line = "score linear.onnx x.npy --label predicted --store grams -o scores.csv";
    place.succeed(line);
    let expected = place.read("scores.csv");
    weights(2.0);
    let output = place.run(line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("its model differs"), "{said}");
    let record = String::from_utf8(place.read("grams/store.json")).unwrap();
    assert!(record.contains("\"weights\""), "{record}");
    weights(1.0);
    place.succeed(line);
    assert!(place.read("scores.csv") == expected);
}

#[test]
fn data_that_shrink_while_they_are_scored_end_the_run_which_then_goes_on() {
    const N: usize = 4000;
    let place = Place::with("--samples 1");
    let values = floats((0..N * 784).map(|i| (i as f32 * 0.37).sin().max(0.0)));
    let whole = npy(N, "1, 28, 28", &values);
    let data = place.path("x.npy");
    fs::write(&data, &whole).unwrap();
    let line = |name: &str| {
        format!(
            "score net.onnx x.npy --label predicted --wrt input,layers --store {name} -o {name}.parquet --threads 1"
        )
    };
    place.succeed(&line("expected"));
    // The run may be faster than this thread: then it is given another chance.
    let cut_short = (0..10).find_map(|attempt| {
        let name = format!("run{attempt}");
        let mut command = place.command(&line(&name));
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        let part = place.path(&name).join("part-000001.json");
        while !part.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let file = OpenOptions::new().write(true).open(&data).unwrap();
        file.set_len(128).unwrap();
        let output = child.wait_with_output().unwrap();
        fs::write(&data, &whole).unwrap();
        (!output.status.success()).then_some((name, output))
    });
    let (name, output) = cut_short.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("became shorter while it was read"), "{said}");
    let scores = format!("{name}.parquet");
    assert!(!place.path(&scores).exists());
    place.succeed(&line(&name));
    assert!(place.read(&scores) == place.read("expected.parquet"));
}
