//! A folder to run the command in.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test's helper")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value as Json;
use tempfile::TempDir;

/// A folder with the demo's network, net.onnx, and pictures for it, glyphs.npz.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    /// With the pictures that these options of `quaver demo` ask for.
    pub fn with(pictures: &str) -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let network = include_bytes!("../../../quaver/assets/demo_glyphs.onnx");
        fs::write(place.path("net.onnx"), network).unwrap();
        place.succeed(&format!("demo --export-data glyphs.npz --quiet {pictures}"));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quaver"));
        command
            .current_dir(self.folder.path())
            .args(line.split_whitespace())
            .env_remove("QUAVER_THREADS");
        command
    }

    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    pub fn succeed(&self, line: &str) -> String {
        let output = self.run(line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {message}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, line: &str) -> Json {
        serde_json::from_str(&self.succeed(line)).unwrap()
    }
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs a line that is refused with one line of words, `named` among them, and status 2.
pub fn refused(place: &Place, line: &str, named: &[&str]) {
    let output = place.run(line);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{line}: {said}");
    assert_eq!(said.lines().count(), 1, "{line}: {said}");
    for name in named {
        assert!(said.contains(name), "{line}: {said}");
    }
}
