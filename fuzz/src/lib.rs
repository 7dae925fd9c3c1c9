//! What the targets share: bytes become a file, since that is what Quaver reads, and the file is read.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use quaver_data::{OpenOptions, open};
use tempfile::TempDir;

/// A folder of this process.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

static QUIET: Once = Once::new();

/// So many samples of a dataset are read.
const MOST_READ: usize = 16;

fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

fn read_all(path: &Path, options: &OpenOptions) {
    let Ok(data) = open(path, options, None) else {
        return;
    };
    for index in 0..data.len().min(MOST_READ) {
        let _ = (data.label(index), data.key(index), data.read(index));
    }
}

/// Reads the bytes as a dataset of a format. Panics that the reader catches, of decoders that are not ours, are none.
pub fn read_data(format: &str, bytes: &[u8]) {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let options = OpenOptions {
        format: Some(format.to_owned()),
        ..OpenOptions::default()
    };
    read_all(&write("data", bytes), &options);
}

/// Reads the bytes as an image, as it is and resized.
pub fn read_image(bytes: &[u8]) {
    let file = write("folder/image.png", bytes);
    let folder = file.parent().expect("a folder");
    read_all(folder, &OpenOptions::default());
    let resized = OpenOptions {
        resize: Some((7, 5).into()),
        ..OpenOptions::default()
    };
    read_all(folder, &resized);
}

/// Reads the bytes as a file of preprocessing.
pub fn read_transform(bytes: &[u8]) {
    let _ = OpenOptions::default().read_transform(&write("transform", bytes));
}
