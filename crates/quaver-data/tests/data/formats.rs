//! Every format, read as it is meant to be.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use crate::common::*;
use image::ImageFormat;
use quaver_data::{DataErrorKind, Layout, OpenOptions, Sample, check_labels, open};
use zip::CompressionMethod;

const STORED: CompressionMethod = CompressionMethod::Stored;
const DEFLATED: CompressionMethod = CompressionMethod::Deflated;

fn sample(values: &[f64], label: Option<usize>) -> Sample {
    Sample {
        values: values.to_vec(),
        label,
        key: None,
    }
}

#[test]
fn npz_is_read_stored_and_deflated() {
    let x = npy_f32(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let y = npy_i64(&[2, 1], &[7, 0]);
    for method in [STORED, DEFLATED] {
        let place = Place::new();
        let path = place.write("a.npz", &npz(&[("x", &x), ("y", &y)], method));
        let data = open_default(&path).unwrap();
        assert_eq!((data.len(), data.shape()), (2, &[3][..]));
        assert_eq!(data.read(1).unwrap(), sample(&[4.0, 5.0, 6.0], Some(0)));
        assert_eq!(data.label(0).unwrap(), Some(7));
        let error = data.read(2).unwrap_err();
        assert_eq!(error.kind(), DataErrorKind::OutOfRange);
        check_labels(&*data, 8).unwrap();
        assert_eq!(
            check_labels(&*data, 7).unwrap_err().kind(),
            DataErrorKind::Labels
        );
    }
}

#[test]
fn npz_has_other_keys_or_no_labels() {
    let x = npy_f32(&[2, 1], &[1.0, 2.0]);
    let y = npy_f32(&[2], &[3.0, 4.0]);
    let place = Place::new();
    let path = place.write("a.npz", &npz(&[("images", &x), ("t", &y)], DEFLATED));
    let mut options = OpenOptions {
        x_key: "images".to_owned(),
        ..OpenOptions::default()
    };
    let data = open(&path, &options, None).unwrap();
    assert_eq!(data.label(0).unwrap(), None);
    options.y_key = "t".to_owned();
    let data = open(&path, &options, None).unwrap();
    assert_eq!(data.read(1).unwrap(), sample(&[2.0], Some(4)));
}

#[test]
fn npy_takes_labels_from_every_kind_of_file() {
    let place = Place::new();
    let path = place.write("x.npy", &npy_f32(&[3, 1], &[1.0, 2.0, 3.0]));
    let labels: [(&str, Vec<u8>); 8] = [
        ("y.npy", npy_i64(&[3], &[2, 0, 1])),
        ("y.npy.gz", gz(&npy_i64(&[3, 1, 1], &[2, 0, 1]))),
        (
            "big.npy",
            npy_with("'>u2'", false, "(3,)", &[0, 2, 0, 0, 0, 1]),
        ),
        ("y.txt", b"2\n0\n1\n\n".to_vec()),
        ("bom.txt", b"\xef\xbb\xbf2\r\n0\r\n1".to_vec()),
        ("savetxt.txt.gz", gz(b"2.000000000000000000e+00\n0\n1.0\n")),
        ("y-idx1-ubyte", idx(8, &[3], &[2, 0, 1])),
        ("y-idx1-ubyte.gz", gz(&idx(8, &[3], &[2, 0, 1]))),
    ];
    for (name, bytes) in labels {
        let options = OpenOptions {
            labels: Some(place.write(name, &bytes)),
            ..OpenOptions::default()
        };
        let data = open(&path, &options, None).unwrap();
        let labels: Vec<_> = (0..3).map(|i| data.label(i).unwrap().unwrap()).collect();
        assert_eq!(labels, [2, 0, 1], "{name}");
    }
}

#[test]
fn npy_headers_of_all_versions_and_number_types_are_read() {
    let place = Place::new();
    let check = |bytes: &[u8], values: &[f64]| {
        let path = place.write("x.npy", bytes);
        assert_eq!(open_default(&path).unwrap().read(0).unwrap().values, values);
    };
    check(&npy_with("'|b1'", false, "(1, 2)", &[0, 1]), &[0.0, 1.0]);
    check(
        &npy_with("'|i1'", false, "(1L, 2L)", &[255, 1]),
        &[-1.0, 1.0],
    );
    check(
        &npy_with("\">i4\"", false, "(1,1)", &[0, 0, 1, 0]),
        &[256.0],
    );
    check(&npy_with("'<f2'", false, "(1, 1)", &[0, 0x3e]), &[1.5]);
    // With one long axis Fortran order is no different.
    check(&npy_with("'|u1'", true, "(1, 2)", &[3, 4]), &[3.0, 4.0]);
    let header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1)}\n";
    for version in [2, 3] {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        bytes.push(9);
        check(&bytes, &[9.0]);
        // Without a known ending of its name the file is recognised by its first bytes.
        let path = place.write("x.data", &bytes);
        assert_eq!(open_default(&path).unwrap().len(), 1);
    }
}

#[test]
fn idx_is_read_in_all_number_types() {
    let place = Place::new();
    let cases: [(u8, &[u8], f64); 6] = [
        (0x08, &[200], 200.0),
        (0x09, &[200], -56.0),
        (0x0b, &[1, 0], 256.0),
        (0x0c, &[0xff, 0xff, 0xff, 0xfe], -2.0),
        (0x0d, &[0x3f, 0xc0, 0, 0], 1.5),
        (0x0e, &[0xc0, 0, 0, 0, 0, 0, 0, 0], -2.0),
    ];
    for (code, number, value) in cases {
        let bytes = idx(code, &[1, 1, 2], &[number, number].concat());
        for (name, bytes) in [("a.idx", bytes.clone()), ("a.gz", gz(&bytes))] {
            let data = open_default(&place.write(name, &bytes)).unwrap();
            assert_eq!(data.shape(), [1, 1, 2]);
            assert_eq!(data.read(0).unwrap(), sample(&[value, value], None));
        }
    }
}

#[test]
fn idx_finds_the_labels_beside_the_images() {
    let images = idx(8, &[2, 1, 1], &[10, 20]);
    let labels = idx(8, &[2], &[5, 6]);
    for (images_name, labels_name) in [
        ("t-images-idx3-ubyte", "t-labels-idx1-ubyte"),
        ("t-images-idx3-ubyte.gz", "t-labels-idx1-ubyte.gz"),
        ("t-images-idx3-ubyte.gz", "t-labels-idx1-ubyte"),
        ("t-images-idx3-ubyte", "t-labels-idx1-ubyte.gz"),
        ("t-images.idx3-ubyte", "t-labels.idx1-ubyte"),
    ] {
        let place = Place::new();
        let pack = |name: &str, bytes: &[u8]| match name.ends_with(".gz") {
            true => gz(bytes),
            false => bytes.to_vec(),
        };
        let path = place.write(images_name, &pack(images_name, &images));
        assert_eq!(open_default(&path).unwrap().label(1).unwrap(), None);
        place.write(labels_name, &pack(labels_name, &labels));
        let data = open(&path, &OpenOptions::default(), Some(&[1])).unwrap();
        assert_eq!(data.read(1).unwrap(), sample(&[20.0], Some(6)));
    }
}

#[test]
fn cifar_records_are_told_apart_by_their_length() {
    let place = Place::new();
    let ten = place.write("ten.bin", &cifar(&[&[3], &[9]]));
    let hundred = place.write("hundred.bin", &cifar(&[&[19, 99], &[0, 42]]));
    let names: Vec<String> = (0..10).map(|i| format!("class {i}")).collect();
    let data = open_default(&ten).unwrap();
    assert_eq!(data.class_names(), None);
    place.write(
        "batches.meta.txt",
        format!("{}\n\n", names.join("\n")).as_bytes(),
    );
    let data10 = open(&ten, &OpenOptions::default(), Some(&[3, 32, 32])).unwrap();
    assert_eq!(data10.class_names(), Some(&names[..]));
    let data100 = open_default(&hundred).unwrap();
    for (data, labels) in [(data10, [3, 9]), (data100, [99, 42])] {
        assert_eq!((data.len(), data.shape()), (2, &[3, 32, 32][..]));
        let sample = data.read(1).unwrap();
        assert_eq!(sample.label, Some(labels[1]));
        assert_eq!(data.label(0).unwrap(), Some(labels[0]));
        let corners = [0, 1023, 1024, 2048, 3071].map(|i| sample.values[i]);
        assert_eq!(corners, [1.0, 1.0, 100.0, 200.0, 200.0]);
    }
}

#[test]
fn layout_scale_mean_and_std_apply_when_a_sample_is_read() {
    let place = Place::new();
    let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let path = place.write("x.npy", &npy_f32(&[1, 2, 2, 3], &values));
    let options = OpenOptions {
        layout: Layout::Nhwc,
        scale: 2.0,
        mean: vec![0.0, 2.0, 4.0],
        std: vec![3.0],
        ..OpenOptions::default()
    };
    let channel = [0.0, 2.0, 4.0, 6.0];
    let expected = [channel, channel, channel].concat();
    // Flattened samples keep their channels.
    for shape in [&[3, 2, 2][..], &[12]] {
        let data = open(&path, &options, Some(shape)).unwrap();
        assert_eq!(data.shape(), shape);
        assert_eq!(data.read(0).unwrap().values, expected);
    }
}

#[test]
fn folders_of_images_are_classes_in_the_order_of_their_names() {
    let place = Place::new();
    let formats = [
        ("zebra/a.png", ImageFormat::Png),
        ("ant/b.bmp", ImageFormat::Bmp),
        ("ant/a.WEBP", ImageFormat::WebP),
        ("ant/c.jpeg", ImageFormat::Jpeg),
    ];
    for (name, format) in formats {
        place.write(name, &picture(5, 4, [200, 200, 200], format));
    }
    place.write("ant/notes.txt", b"no image");
    place.write(".hidden/a.png", b"no image");
    place.write("readme.txt", b"no image");
    let data = open_default(place.path()).unwrap();
    let names = ["ant".to_owned(), "zebra".to_owned()];
    assert_eq!(data.class_names(), Some(&names[..]));
    assert_eq!((data.len(), data.shape()), (4, &[3, 4, 5][..]));
    let separator = std::path::MAIN_SEPARATOR;
    for (index, (key, label)) in [
        ("ant/a.WEBP", 0),
        ("ant/b.bmp", 0),
        ("ant/c.jpeg", 0),
        ("zebra/a.png", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let sample = data.read(index).unwrap();
        assert_eq!(sample.key, Some(key.replace('/', &separator.to_string())));
        assert_eq!(
            (sample.label, data.label(index).unwrap()),
            (Some(label), Some(label))
        );
        assert_eq!(sample.values.len(), 60);
        assert!(
            sample
                .values
                .iter()
                .all(|value| (value - 200.0).abs() <= 1.0)
        );
    }
}

#[test]
fn images_come_in_grey_or_colour_and_in_the_size_asked_for() {
    let place = Place::new();
    place.write("a/a.png", &picture(4, 2, [255, 0, 0], ImageFormat::Png));
    let options = OpenOptions::default();
    let colour = open(place.path(), &options, Some(&[3, 2, 4])).unwrap();
    let red: Vec<f64> = [[255.0; 8], [0.0; 8], [0.0; 8]].concat();
    assert_eq!(colour.read(0).unwrap().values, red);
    let flat = open(place.path(), &options, Some(&[24])).unwrap();
    assert_eq!(flat.read(0).unwrap().values, red);
    for shape in [&[1, 2, 4][..], &[8], &[2, 4]] {
        let grey = open(place.path(), &options, Some(shape)).unwrap();
        assert_eq!(grey.shape(), shape);
        // Pillow's grey of pure red.
        assert_eq!(grey.read(0).unwrap().values, [76.0; 8]);
    }
    place.write("a/b.png", &picture(9, 9, [0, 0, 255], ImageFormat::Png));
    let options = OpenOptions {
        resize: Some((3, 2).into()),
        std: vec![255.0],
        ..OpenOptions::default()
    };
    let resized = open(place.path(), &options, Some(&[3, 3, 2])).unwrap();
    let blue: Vec<f64> = [[0.0; 6], [0.0; 6], [1.0; 6]].concat();
    assert_eq!(resized.read(1).unwrap().values, blue);
    let grey = open(place.path(), &options, Some(&[1, 3, 2])).unwrap();
    assert_eq!(grey.read(0).unwrap().values, [76.0 / 255.0; 6]);
}

#[test]
fn several_threads_read_one_file_at_once() {
    let values: Vec<f32> = (0..1000).map(|value| value as f32).collect();
    let x = npy_f32(&[250, 4], &values);
    for bytes in [npz(&[("x", &x)], STORED), npz(&[("x", &x)], DEFLATED)] {
        let place = Place::new();
        let data = open_default(&place.write("a.npz", &bytes)).unwrap();
        std::thread::scope(|scope| {
            for start in 0..4 {
                let data = &data;
                scope.spawn(move || {
                    for index in (start..250).step_by(4) {
                        let first = data.read(index).unwrap().values[0];
                        assert_eq!(first, 4.0 * index as f64);
                    }
                });
            }
        });
    }
}

#[test]
fn tables_are_read_past_the_chunks_they_are_scanned_in() {
    let place = Place::new();
    // Chunks end between rows, between cells, within cells and within line breaks.
    for (offset, line_break) in (0..8).flat_map(|offset| [(offset, "\n"), (offset, "\r\n")]) {
        let mut text = format!("a{},label{line_break}", "a".repeat(offset));
        let n_rows = 50_000;
        for row in 0..n_rows {
            text.push_str(&format!("{},{}{line_break}", row % 10, row % 7));
        }
        let data = open_default(&place.write("x.csv", text.as_bytes())).unwrap();
        assert_eq!(data.len(), n_rows, "{offset}");
        for row in (0..n_rows).step_by(997).chain(n_rows - 9..n_rows) {
            let expected = sample(&[(row % 10) as f64], Some(row % 7));
            assert_eq!(data.read(row).unwrap(), expected);
        }
    }
}

#[test]
fn an_image_file_is_a_sample_without_a_label() {
    let place = Place::new();
    let coloured = image::RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 200]));
    for name in ["a.png", "b.BMP"] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let format = ImageFormat::from_path(name).unwrap();
        coloured.write_to(&mut bytes, format).unwrap();
        let path = place.write(name, bytes.get_ref());
        let data = open(&path, &OpenOptions::default(), Some(&[3, 2, 3])).unwrap();
        assert_eq!((data.len(), data.shape()), (1, &[3, 2, 3][..]));
        let read = data.read(0).unwrap();
        assert_eq!((read.label, read.key.as_deref()), (None, Some(name)));
        let planes = [
            [0., 1., 2., 0., 1., 2.],
            [0., 0., 0., 1., 1., 1.],
            [200.; 6],
        ];
        assert_eq!(read.values, planes.concat(), "{name}");
        // A network for grey pictures gets one.
        let data = open(&path, &OpenOptions::default(), Some(&[1, 2, 3])).unwrap();
        assert_eq!(data.shape(), &[1, 2, 3]);
        let labels = OpenOptions {
            labels: Some(path.clone()),
            ..OpenOptions::default()
        };
        let refused = open(&path, &labels, None).err().unwrap();
        assert!(refused.to_string().contains("--label"), "{refused}");
    }
    // What cannot be decoded is told by the file's name, and only once it is read.
    let path = place.write("c.png", b"\x89PNG\r\n\x1a\n");
    let opened = open(&path, &OpenOptions::default(), Some(&[3, 2, 3]));
    let refused = match opened {
        Err(refused) => refused,
        Ok(data) => data.read(0).unwrap_err(),
    };
    assert!(refused.to_string().contains("c.png"), "{refused}");
}
