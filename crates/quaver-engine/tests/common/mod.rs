//! Where the shared test data is, and how its arrays are read.
#![allow(dead_code, reason = "not every test uses every helper")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test's helper")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use npyz::NpyFile;
use zip::ZipArchive;
use zip::read::ZipFile;

/// The data folder; `None`, said aloud, where a user does not have it. In CI its absence is a failure.
pub fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("QUAVER_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "test data not found at {}",
        folder.display()
    );
    eprintln!(
        "skipped: no test data at {} (set QUAVER_TEST_DATA)",
        folder.display()
    );
    None
}

/// An `.npz` archive of arrays: a ZIP archive of `.npy` files.
pub struct Arrays(ZipArchive<BufReader<File>>);

impl Arrays {
    pub fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(ZipArchive::new(BufReader::new(file)).unwrap())
    }

    fn array(&mut self, name: &str) -> NpyFile<ZipFile<'_, BufReader<File>>> {
        let entry = self.0.by_name(&format!("{name}.npy"));
        NpyFile::new(entry.unwrap_or_else(|e| panic!("array {name}: {e}"))).unwrap()
    }

    /// An array of strings.
    pub fn names(&mut self, name: &str) -> Vec<String> {
        self.array(name).into_vec().unwrap()
    }

    /// Shape and values of a floating-point or integer array.
    pub fn get(&mut self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let array = self.array(name);
        let shape = array.shape().iter().map(|&n| n as usize).collect();
        let dtype = array.dtype().descr();
        let values = if dtype.contains("f4") {
            array
                .into_vec::<f32>()
                .unwrap()
                .into_iter()
                .map(f64::from)
                .collect()
        } else if dtype.contains("f8") {
            array.into_vec::<f64>().unwrap()
        } else {
            array
                .into_vec::<i64>()
                .unwrap()
                .into_iter()
                .map(|x| x as f64)
                .collect()
        };
        (shape, values)
    }
}

/// max |a − b| / max |b|.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    difference / b.iter().map(|b| b.abs()).fold(f64::MIN_POSITIVE, f64::max)
}
