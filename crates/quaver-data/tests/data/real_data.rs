//! Real datasets, where they are at hand.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use npyz::NpyFile;
use quaver_data::{Dataset, OpenOptions, check_labels, open};

/// The folder of real data. Without it a test is skipped, but not in CI.
fn data_folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("QUAVER_TEST_DATA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no test data at {}",
        folder.display()
    );
    eprintln!("skipped: no test data at {}", folder.display());
    None
}

fn labels(data: &dyn Dataset, count: usize) -> Vec<usize> {
    (0..count)
        .map(|index| data.label(index).unwrap().unwrap())
        .collect()
}

#[test]
fn mnist() {
    let Some(folder) = data_folder() else { return };
    let options = OpenOptions::default();
    for (name, count, first) in [
        ("t10k-images-idx3-ubyte.gz", 10_000, [7, 2, 1, 0, 4]),
        ("train-images-idx3-ubyte.gz", 60_000, [5, 0, 4, 1, 9]),
    ] {
        let path = folder.join("mnist").join(name);
        let data = open(&path, &options, Some(&[1, 28, 28])).unwrap();
        assert_eq!((data.len(), data.shape()), (count, &[1, 28, 28][..]));
        assert_eq!(labels(&*data, 5), first);
        check_labels(&*data, 10).unwrap();
        let mut bytes = Vec::new();
        let mut file = GzDecoder::new(fs::File::open(&path).unwrap());
        file.read_to_end(&mut bytes).unwrap();
        for index in [0, 1, count - 1] {
            let start = 16 + 784 * index;
            let pixels = bytes[start..start + 784]
                .iter()
                .map(|&byte| f64::from(byte));
            let sample = data.read(index).unwrap();
            assert_eq!(sample.values, pixels.collect::<Vec<f64>>());
            assert_eq!(sample.label, data.label(index).unwrap());
        }
    }
}

#[test]
fn cifar10() {
    let Some(folder) = data_folder() else { return };
    let folder = folder.join("cifar10");
    let options = OpenOptions::default();
    let path = folder.join("test_batch_first932.bin");
    let data = open(&path, &options, Some(&[3, 32, 32])).unwrap();
    assert_eq!(data.len(), 932);
    let all = fs::read(folder.join("test_labels_10000.u8")).unwrap();
    let first: Vec<usize> = all[..932].iter().map(|&label| usize::from(label)).collect();
    assert_eq!(labels(&*data, 932), first);
    let names = data.class_names().unwrap();
    assert_eq!(
        (names.len(), &*names[0], &*names[9]),
        (10, "airplane", "truck")
    );
    let bytes = fs::read(&path).unwrap();
    let record = &bytes[931 * 3073 + 1..];
    let pixels: Vec<f64> = record.iter().map(|&byte| f64::from(byte)).collect();
    assert_eq!(data.read(931).unwrap().values, pixels);
    let train = folder.join("data_batch_1_first4000.bin");
    assert_eq!(open(&train, &options, None).unwrap().len(), 4000);
}

#[test]
fn npz_files_as_another_reader_reads_them() {
    let Some(folder) = data_folder() else { return };
    let mut n_files = 0;
    for entry in fs::read_dir(folder.join("oracle")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "npz") {
            continue;
        }
        n_files += 1;
        let data = open(&path, &OpenOptions::default(), None).unwrap();
        let mut zip = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
        let x = NpyFile::new(zip.by_name("x.npy").unwrap()).unwrap();
        let shape: Vec<usize> = x.shape().iter().map(|&axis| axis as usize).collect();
        assert_eq!((data.len(), data.shape()), (shape[0], &shape[1..]));
        let values: Vec<f32> = x.into_vec().unwrap();
        let y = NpyFile::new(zip.by_name("y.npy").unwrap()).unwrap();
        let labels: Vec<i64> = y.into_vec().unwrap();
        let per_sample = values.len() / shape[0];
        for (index, values) in values.chunks(per_sample).enumerate() {
            let sample = data.read(index).unwrap();
            assert_eq!(sample.label, Some(labels[index] as usize));
            let equal = sample
                .values
                .iter()
                .zip(values)
                .all(|(&a, &b)| a == f64::from(b));
            assert!(equal, "{} sample {index}", path.display());
        }
    }
    assert!(n_files > 0);
}

#[test]
fn photographs() {
    let Some(folder) = data_folder() else { return };
    let place = tempfile::tempdir().unwrap();
    for (class, name) in [
        ("3", "wonnx_mnist_3.jpg"),
        ("7", "wonnx_mnist_7.jpg"),
        ("swan", "captum_swan-3299528_1280.jpg"),
    ] {
        fs::create_dir(place.path().join(class)).unwrap();
        let to = place.path().join(class).join(name);
        fs::copy(folder.join("photos").join(name), to).unwrap();
    }
    let expected = [1, 28, 28];
    let error = open(place.path(), &OpenOptions::default(), Some(&expected));
    let message = error.map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("--resize 28x28"), "{message}");
    assert!(message.contains("swan"), "{message}");
    let options = OpenOptions {
        resize: Some((28, 28).into()),
        ..OpenOptions::default()
    };
    let data = open(place.path(), &options, Some(&expected)).unwrap();
    for index in 0..3 {
        let values = data.read(index).unwrap().values;
        assert_eq!(values.len(), 784);
        assert!(values.iter().all(|value| (0.0..=255.0).contains(value)));
    }
}

#[test]
fn tables_of_numbers() {
    let Some(folder) = data_folder() else { return };
    let folder = folder.join("tabular");
    for (name, label, n_rows, n_columns) in [
        ("linfa-iris.csv.gz", "species", 150, 4),
        ("linfa-winequality-red.csv.gz", "quality", 1599, 11),
    ] {
        let path = folder.join(name);
        let options = OpenOptions {
            label_column: Some(label.to_owned()),
            ..OpenOptions::default()
        };
        let data = open(&path, &options, Some(&[n_columns])).unwrap();
        assert_eq!(data.len(), n_rows);
        let mut text = String::new();
        let mut file = GzDecoder::new(fs::File::open(&path).unwrap());
        file.read_to_string(&mut text).unwrap();
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), n_rows);
        for (index, row) in rows.iter().enumerate() {
            let mut cells: Vec<f64> = row.split(',').map(|cell| cell.parse().unwrap()).collect();
            let label = cells.pop().map(|label| label as usize);
            let sample = data.read(index).unwrap();
            assert_eq!((sample.values, sample.label), (cells, label));
        }
    }
    // Without names of its columns.
    let data = open(
        &folder.join("linfa-diabetes_data.csv.gz"),
        &OpenOptions::default(),
        None,
    );
    let data = data.unwrap();
    assert_eq!((data.len(), data.shape()), (442, &[10][..]));
    assert_eq!(data.read(0).unwrap().values[0], 3.807_590_643_342_41e-2);
}

#[test]
fn classes_of_imagenet() {
    let Some(folder) = data_folder() else { return };
    let place = tempfile::tempdir().unwrap();
    for class in ["n01855672", "n01440764"] {
        fs::create_dir(place.path().join(class)).unwrap();
        let to = place.path().join(class).join("a.jpg");
        fs::copy(folder.join("photos/wonnx_mnist_3.jpg"), to).unwrap();
    }
    for (file, goose) in [
        ("imagenet_class_index.json", "goose"),
        ("imagenet_synset.txt", "goose"),
    ] {
        let options = OpenOptions {
            class_map: Some(folder.join("labels").join(file)),
            ..OpenOptions::default()
        };
        let data = open(place.path(), &options, None).unwrap();
        assert_eq!(labels(&*data, 2), [0, 99], "{file}");
        assert_eq!(data.class_names().unwrap()[99], goose);
    }
    // A flat folder, with labels by the names of its files.
    let flat = place.path().join("n01440764");
    fs::copy(flat.join("a.jpg"), flat.join("b.jpg")).unwrap();
    let file = place.path().join("val.txt");
    for text in [
        "b.jpg n01855672\na.jpg n01440764\nelsewhere.jpg 5\n",
        "ImageId,PredictionString\nb,n01855672 1 2 3 4\na,0\n",
        "0\n99\n",
    ] {
        fs::write(&file, text).unwrap();
        let options = OpenOptions {
            labels: Some(file.clone()),
            class_map: Some(folder.join("labels/imagenet_class_index.json")),
            ..OpenOptions::default()
        };
        let data = open(&flat, &options, None).unwrap();
        assert_eq!(labels(&*data, 2), [0, 99], "{text}");
    }
}
