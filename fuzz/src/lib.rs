//! What the targets share: bytes become a file, since that is what Quaver reads, and the file is read.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use quaver_data::{OpenOptions, open};
use quaver_engine::{Graph, ImportOptions};
use quaver_report::Page;
use quaver_store::Store;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder of this process.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

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

/// A folder of two images, called `a/a.png` and `b/b.png`.
static IMAGES: LazyLock<PathBuf> = LazyLock::new(|| {
    let image = include_bytes!("../../crates/quaver-data/tests/fixtures/pillow_source.png");
    write("images/b/b.png", image);
    let first = write("images/a/a.png", image);
    let class = first.parent().expect("a folder");
    class.parent().expect("a folder").to_owned()
});

/// Reads the bytes as the labels of a dataset whose samples have names.
pub fn read_labels(bytes: &[u8]) {
    let labels = Some(write("labels", bytes));
    read_all(
        &IMAGES,
        &OpenOptions {
            labels,
            ..OpenOptions::default()
        },
    );
}

/// Reads the bytes as a class map.
pub fn read_class_map(bytes: &[u8]) {
    let class_map = Some(write("classes", bytes));
    read_all(
        &IMAGES,
        &OpenOptions {
            class_map,
            ..OpenOptions::default()
        },
    );
}

/// Reads the bytes as a store: its description up to the first zero byte, and after it one part, whose checksum is right.
pub fn read_store(bytes: &[u8]) {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    let part = bytes.get(end + 1..).unwrap_or_default();
    let digest: String = Sha256::digest(part)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let seal = format!("{{\"sha256\": \"{digest}\", \"n_samples\": 1, \"n_failed\": 0}}");
    let manifest = write("store/store.json", &bytes[..end]);
    write("store/part-000000.parquet", part);
    write("store/part-000000.json", seal.as_bytes());
    let Ok(store) = Store::open(manifest.parent().expect("a folder")) else {
        return;
    };
    for wrt in [&[] as &[&str], &["layers", "params"], &["input+params"]] {
        let wrt: Vec<String> = wrt.iter().map(|&term| term.to_owned()).collect();
        let Ok(selection) = store.select(&wrt) else {
            continue;
        };
        let mut read = quaver::Source::reader(&selection);
        for position in 0..store.samples().len().min(MOST_READ) {
            let _ = read(position);
        }
    }
}

/// Reads the bytes as the numbers of a page, and draws it.
pub fn read_page(bytes: &[u8]) {
    let Ok(page) = std::str::from_utf8(bytes)
        .map_err(drop)
        .and_then(|json| Page::from_json(json).map_err(drop))
    else {
        return;
    };
    let json = page.to_json();
    let _ = page.to_html();
    let again = Page::from_json(&json).expect("a page reads its own numbers");
    let _ = Page::gathered("both", [page, again]).to_html();
}

/// Reads the bytes as a model whose weights may lie in a file beside it.
pub fn read_external(bytes: &[u8]) {
    write("model/weights", &[1; 256]);
    let _ = Graph::read(&write("model/model.onnx", bytes), &ImportOptions::default());
}

/// Reads the bytes as a file of preprocessing.
pub fn read_transform(bytes: &[u8]) {
    let _ = OpenOptions::default().read_transform(&write("transform", bytes));
}
