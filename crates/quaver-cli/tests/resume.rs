//! Runs that are killed lose nothing, and runs that are told how much memory there is stay below it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

fn quaver(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quaver"));
    command
        .current_dir(folder)
        .args(line.split_whitespace())
        .env_remove("QUAVER_THREADS")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn place(n_samples: usize) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let network = include_bytes!("../../quaver/assets/demo_glyphs.onnx");
    fs::write(place.path().join("net.onnx"), network).unwrap();
    let export = format!("demo --export-data glyphs.npz --samples {n_samples} --quiet");
    assert!(quaver(place.path(), &export).status().unwrap().success());
    place
}

/// Kills the run that `line` says again and again, a little later each time by a small congruence, until one run is
/// faster than its death. How often it was killed.
fn kill_until_done(folder: &Path, line: &str, seed: u64) -> usize {
    let mut state = seed;
    let mut killed = 0;
    loop {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let patience = 5 + (state >> 33) % 60 + 25 * killed as u64;
        let mut child = quaver(folder, line).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(patience));
        match child.try_wait().unwrap() {
            Some(status) => {
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(status.success(), "after {killed} kills: {said}");
                return killed;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
        }
    }
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let place = place(2000);
    let folder = place.path();
    let score = "score net.onnx glyphs.npz --wrt input,layers";
    assert!(
        quaver(folder, &format!("{score} -o expected.parquet"))
            .status()
            .unwrap()
            .success()
    );
    let expected = fs::read(folder.join("expected.parquet")).unwrap();
    for seed in [1, 2] {
        let line = format!("{score} --store grams{seed} -o scores{seed}.parquet");
        let killed = kill_until_done(folder, &line, seed);
        assert!(killed > 0, "it was never killed");
        assert_eq!(
            fs::read(folder.join(format!("scores{seed}.parquet"))).unwrap(),
            expected
        );
    }
    let killed = kill_until_done(folder, &format!("{score} -o plain.parquet"), 3);
    assert!(killed > 0, "it was never killed");
    assert_eq!(fs::read(folder.join("plain.parquet")).unwrap(), expected);
    let left = |name: &str| name.starts_with('.') || name.ends_with(".partial");
    let partial = folder.join("plain.parquet.partial");
    assert!(!partial.exists(), "{}", partial.display());
    // What a kill may leave is hidden temporary files, which no reader takes for results.
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let visible = names.filter(|name| !left(&name.to_string_lossy()));
    assert_eq!(visible.count(), 8);
}

#[test]
fn the_peak_stays_below_the_memory_that_was_given() {
    const LIMIT: u64 = 64 << 20;
    let place = place(4000);
    let line = "score net.onnx glyphs.npz --wrt input,layers --threads 64 --memory 64M";
    let mut child = quaver(place.path(), line).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = high.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    assert!(peak > 0 && peak < LIMIT, "{peak} bytes");
}
