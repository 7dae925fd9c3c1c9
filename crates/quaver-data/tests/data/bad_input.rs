//! Data and options that are refused, and what is said about them.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use crate::common::*;
use image::ImageFormat;
use quaver_data::DataErrorKind::{Format, Io, Labels, NotFinite, Option, Shape};
use quaver_data::{DataErrorKind, Layout, OpenOptions, open};
use zip::CompressionMethod::{Deflated, Stored};

/// Opens what is at `name` and reads all samples and labels; says what the first error was.
fn first_error(
    place: &Place,
    name: &str,
    options: &OpenOptions,
    expected: std::option::Option<&[usize]>,
) -> (DataErrorKind, String) {
    let result = open(&place.path().join(name), options, expected).and_then(|data| {
        for index in 0..data.len() {
            data.label(index)?;
            data.read(index)?;
        }
        Ok(())
    });
    let Err(error) = result else {
        panic!("{name} was read without an error");
    };
    (error.kind(), error.to_string())
}

/// The error is of this kind, and its one line names the file and holds the essential fact.
fn check(found: (DataErrorKind, String), kind: DataErrorKind, name: &str, fact: &str) {
    let (found_kind, message) = found;
    assert_eq!(found_kind, kind, "{name}: {message}");
    assert!(message.contains(name), "{name}: {message}");
    assert!(message.contains(fact), "{name}, {fact}: {message}");
    assert!(!message.contains('\n'), "{name}: {message}");
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let x = npy_f32(&[2, 3], &[0.0; 6]);
    let npz_x = npz(&[("x", &x)], Stored);
    let mut version = x.clone();
    version[6] = 9;
    let mut bad_checksum = npz(&[("x", &x)], Deflated);
    // The checksum in the local header and in the central directory.
    for offset in 0..bad_checksum.len() - 20 {
        for (signature, checksum) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)] {
            if bad_checksum[offset..].starts_with(signature) {
                bad_checksum[offset + checksum] ^= 1;
            }
        }
    }
    let huge = "(4611686018427387904, 16)";
    // Samples without values, and so many of them that no memory holds their labels.
    let hollow_x = npy_with("'|u1'", false, "(4611686018427387904, 0)", &[]);
    let hollow_y = npy_with("'|u1'", false, "(4611686018427387904,)", &[]);
    let huge_idx = idx(8, &[u32::MAX, u32::MAX, u32::MAX], &[]);
    let labels_3 = npy_i64(&[3], &[0, 1, 2]);
    let good = picture(2, 2, [1, 2, 3], ImageFormat::Png);
    let cifar_10 = cifar(&[&[1], &[2]]);
    let both = vec![0; 3073 * 3074];
    type Case<'a> = (&'a str, Vec<u8>, DataErrorKind, &'a str);
    #[rustfmt::skip]
    let cases: Vec<Case> = vec![
        ("empty.npy", vec![], Format, "truncated"),
        ("start.npy", x[..9].to_vec(), Format, "truncated"),
        ("header.npy", x[..40].to_vec(), Format, "truncated"),
        ("data.npy", x[..x.len() - 1].to_vec(), Format, "23 bytes of data where its header declares 24"),
        ("longer.npy", [&x[..], &[0]].concat(), Format, "more data than the 24 bytes"),
        ("magic.npy", b"PK\x03\x04 and more".to_vec(), Format, "does not begin with \\x93NUMPY"),
        ("version.npy", version, Format, "version 9"),
        ("fortran.npy", npy_with("'<f4'", true, "(2, 3)", &[0; 20]), Format, "20 bytes of data where its header declares 24"),
        ("object.npy", npy_with("'|O'", false, "(2, 3)", &[0; 24]), Format, "Python objects"),
        ("structured.npy", npy_with("[('a', '<f4')]", false, "(2, 3)", &[0; 24]), Format, "structured"),
        ("complex.npy", npy_with("'<c8'", false, "(2, 3)", &[0; 48]), Format, "<c8"),
        ("order.npy", npy_with("'|f4'", false, "(2, 3)", &[0; 24]), Format, "|f4"),
        ("minus.npy", npy_with("'<f4'", false, "(2, -3)", &[]), Format, "malformed"),
        ("digits.npy", npy_with("'<f4'", false, "(99999999999999999999, 1)", &[]), Format, "malformed"),
        ("huge.npy", npy_with("'<f4'", false, huge, &[]), Format, "no file can hold"),
        ("large.npy", npy_with("'<f4'", false, "(1, 1099511627776)", &[]), Format, "truncated"),
        ("scalar.npy", npy_with("'<f4'", false, "()", &[0; 4]), Shape, "single number"),
        ("vector.npy", npy_f32(&[4], &[0.0; 4]), Shape, "the first axis counts the samples"),
        ("none.npy", npy_f32(&[0, 3], &[]), Format, "no samples"),
        ("hollow.npy", npy_f32(&[3, 0], &[]), Shape, "hold no values"),
        ("hollow.npz", npz(&[("x", &hollow_x), ("y", &hollow_y)], Stored), Shape, "hold no values"),
        ("many.npz", npz(&[("x", &npy_with("'<f4'", false, "(1099511627776, 0)", &[])), ("y", &npy_with("'<f4'", false, "(1099511627776,)", &[]))], Stored), Shape, "hold no values"),
        ("nan.npy", npy_f32(&[2, 2], &[0.0, 0.0, 0.0, f32::NAN]), NotFinite, "sample 1 holds NaN"),
        ("inf.npy", npy_f32(&[2, 1], &[f32::INFINITY, 0.0]), NotFinite, "sample 0 holds an infinite"),
        ("empty.npz", vec![], Format, ".npz archive"),
        ("cut.npz", npz_x[..npz_x.len() - 30].to_vec(), Format, ".npz archive"),
        ("text.npz", b"no archive at all".to_vec(), Format, ".npz archive"),
        ("nokeys.npz", npz(&[], Stored), Option, "no array at all"),
        ("keys.npz", npz(&[("images", &x), ("labels", &x)], Stored), Option, "\"images\", \"labels\": choose one with --x-key"),
        ("count.npz", npz(&[("x", &x), ("y", &labels_3)], Stored), Labels, "[y]: 3 labels for 2 samples"),
        ("onehot.npz", npz(&[("x", &x), ("y", &x)], Deflated), Labels, "labels have shape [2, 3]"),
        ("minus.npz", npz(&[("x", &x), ("y", &npy_i64(&[2], &[0, -1]))], Deflated), Labels, "label -1 of sample 1"),
        ("half.npz", npz(&[("x", &x), ("y", &npy_f32(&[2], &[0.5, 1.0]))], Stored), Labels, "label 0.5 of sample 0"),
        ("nan.npz", npz(&[("x", &x), ("y", &npy_f32(&[2], &[0.0, f32::NAN]))], Stored), Labels, "label NaN of sample 1"),
        ("cuty.npz", npz(&[("x", &x), ("y", &labels_3[..labels_3.len() - 9])], Stored), Labels, "3 labels"),
        ("cutx.npz", npz(&[("x", &x[..x.len() - 4])], Deflated), Format, "[x]: truncated: 20 bytes"),
        ("longx.npz", npz(&[("x", &[&x[..], &[0; 99]].concat())], Deflated), Format, "[x]: has more data"),
        ("fortran.npz", npz(&[("x", &npy_with("'<f4'", true, huge, &[0; 24]))], Stored), Format, "no file can hold"),
        ("checksum.npz", bad_checksum, Format, "corrupt"),
        ("empty-ubyte", vec![], Format, "truncated"),
        ("magic-ubyte", b"\x93NUMPY and more".to_vec(), Format, "not an idx file"),
        ("type-ubyte", idx(0x0a, &[1, 1, 1], &[0]), Format, "not an idx file"),
        ("axes-ubyte", idx(8, &[1, 1, 1], &[0])[..14].to_vec(), Format, "truncated"),
        ("cut-ubyte", idx(8, &[2, 2, 2], &[0; 7]), Format, "7 bytes of data where its header declares 8"),
        ("huge-ubyte", huge_idx.clone(), Format, "no file can hold"),
        ("huge-ubyte.gz", gz(&huge_idx), Format, "no file can hold"),
        ("none-ubyte", idx(8, &[0, 2, 2], &[]), Format, "no samples"),
        ("cut-ubyte.gz", gz(&idx(8, &[2, 2, 2], &[0; 7])), Format, "truncated"),
        ("bomb-ubyte.gz", gz(&idx(8, &[1, 1, 1], &vec![0; 1 << 20])), Format, "more data than the 1 bytes"),
        ("broken-ubyte.gz", gz(&idx(8, &[2, 2, 2], &[0; 8]))[..25].to_vec(), Format, "truncated"),
        ("empty.bin", vec![], Format, "no samples"),
        ("cut.bin", cifar_10[..6000].to_vec(), Format, "6000 bytes"),
        ("both.bin", both, Format, "both of CIFAR-10"),
        ("label.bin", cifar(&[&[1], &[10]]), Format, "record 1 has label 10"),
        ("unknown.dat", b"who knows".to_vec(), Format, "in no format that is recognised: choose one of npz, npy, idx"),
        ("unknown", vec![], Format, "in no format"),
        ("empty/notes.txt", vec![], Format, "no samples"),
        ("bare/a/notes.txt", vec![], Format, "no samples"),
        ("deep/train/cat/a.png", good.clone(), Format, "one level down only"),
        ("broken/a/broken.png", good[..40].to_vec(), Format, "cannot be decoded"),
        ("text/a/text.jpg", b"no image".to_vec(), Format, "cannot be decoded"),
        ("void/a/void.bmp", vec![], Format, "cannot be decoded"),
    ];
    for (name, bytes, kind, fact) in cases {
        let place = Place::new();
        place.write(name, &bytes);
        // What is in a folder is opened as a dataset of images.
        let top = name.split('/').next().unwrap();
        let found = first_error(&place, top, &OpenOptions::default(), None);
        check(found, kind, top, fact);
    }
}

#[test]
fn paths_without_a_file() {
    let place = Place::new();
    let options = OpenOptions::default();
    for name in ["absent.npz", "absent"] {
        check(
            first_error(&place, name, &options, None),
            Io,
            name,
            "does not exist",
        );
    }
    place.write("x.npy", &npy_f32(&[1, 1], &[0.0]));
    let options = OpenOptions {
        labels: Some(place.path().join("absent.txt")),
        ..OpenOptions::default()
    };
    let found = first_error(&place, "x.npy", &options, None);
    check(found, Io, "absent.txt", "does not exist");
}

#[test]
fn a_folder_of_tables_is_named_by_a_pattern() {
    let place = Place::new();
    place.write("saved/state.json", b"{}");
    place.write("saved/data-00000-of-00001.arrow", b"");
    let found = first_error(&place, "saved", &OpenOptions::default(), None);
    check(found, Format, "saved", "saved/*.arrow'");
    place.write("other/readme.md", b"");
    let found = first_error(&place, "other", &OpenOptions::default(), None);
    check(found, Format, "other", "no samples");
}

#[test]
fn line_breaks_in_names_do_not_break_the_line() {
    let place = Place::new();
    let x = npy_f32(&[1, 1], &[0.0]);
    place.write("a.npz", &npz(&[("two\nlines", &x)], Stored));
    let found = first_error(&place, "a.npz", &OpenOptions::default(), None);
    check(found, Option, "a.npz", "two\\nlines");
}

#[test]
fn labels_that_do_not_fit() {
    let place = Place::new();
    place.write("x.npy", &npy_f32(&[3, 1], &[0.0; 3]));
    #[rustfmt::skip]
    let cases: [(&str, Vec<u8>, DataErrorKind, &str); 14] = [
        ("few.txt", b"0\n1\n".to_vec(), Labels, "2 labels for 3 samples"),
        ("many.txt", b"0\n1\n2\n3\n".to_vec(), Labels, "more than 3 labels"),
        ("empty.txt", vec![], Labels, "0 labels"),
        ("word.txt", b"0\ncat\n2\n".to_vec(), Labels, "label \"cat\" of sample 1"),
        ("minus.txt", b"0\n1\n-2\n".to_vec(), Labels, "label \"-2\" of sample 2"),
        ("half.txt", b"0.5\n1\n2\n".to_vec(), Labels, "label \"0.5\" of sample 0"),
        ("gap.txt", b"0\n\n1\n2\n".to_vec(), Labels, "label \"\" of sample 1"),
        ("y.npz", npz(&[("y", &npy_i64(&[3], &[0, 1, 2]))], Stored), Labels, "holds neither an array"),
        ("line.txt", vec![b'0'; 100], Labels, "of sample 0"),
        ("binary.txt", vec![0xff; 100], Labels, "of sample 0"),
        ("few.npy", npy_i64(&[2], &[0, 1]), Labels, "2 labels for 3 samples"),
        ("row.npy", npy_i64(&[1, 3], &[0, 1, 2]), Labels, "shape [1, 3]"),
        ("cut.npy", npy_with("'<i8'", false, "(3,)", &[0; 23]), Format, "truncated"),
        ("long.idx", idx(8, &[3], &[0; 4]), Format, "more data than the 3 labels"),
    ];
    for (name, bytes, kind, fact) in cases {
        for (name, bytes) in [
            (name.to_owned(), bytes.clone()),
            (format!("{name}.gz"), gz(&bytes)),
        ] {
            let options = OpenOptions {
                labels: Some(place.write(&name, &bytes)),
                ..OpenOptions::default()
            };
            check(
                first_error(&place, "x.npy", &options, None),
                kind,
                &name,
                fact,
            );
        }
    }
}

#[test]
fn shapes_that_do_not_fit_the_network() {
    let place = Place::new();
    place.write("hwc.npy", &npy_f32(&[2, 4, 4, 3], &[0.0; 96]));
    place.write("one.npy", &npy_f32(&[3, 4, 4], &[0.0; 48]));
    place.write("ten.bin", &cifar(&[&[1]]));
    place.write("mixed/a/a.png", &picture(2, 3, [0; 3], ImageFormat::Png));
    place.write("mixed/a/b.png", &picture(3, 2, [0; 3], ImageFormat::Png));
    place.write("same/a/a.png", &picture(2, 3, [0; 3], ImageFormat::Png));
    let nchw = OpenOptions::default();
    let nhwc = OpenOptions {
        layout: Layout::Nhwc,
        ..OpenOptions::default()
    };
    type Case<'a> = (&'a str, &'a OpenOptions, &'a [usize], &'a str);
    #[rustfmt::skip]
    let cases: [Case; 8] = [
        ("hwc.npy", &nchw, &[3, 4, 4], "[4, 4, 3] do not fit the network's input of shape [3, 4, 4]: they would with --layout nhwc"),
        ("hwc.npy", &nhwc, &[4, 4, 3, 1], "they would without --layout nhwc"),
        ("hwc.npy", &nchw, &[3, 5, 5], "[4, 4, 3] do not fit the network's input of shape [3, 5, 5]"),
        ("one.npy", &nchw, &[3, 4, 4], "give it a first axis"),
        ("ten.bin", &nchw, &[1, 28, 28], "[3, 32, 32] do not fit"),
        ("mixed", &nchw, &[3, 8, 9], "b.png: is 2x3, and the images before it are 3x2: make all of one size with --resize 8x9"),
        ("same", &nchw, &[3, 8, 9], "[3, 3, 2] do not fit the network's input of shape [3, 8, 9]: they would with --resize 8x9"),
        ("same", &nchw, &[1, 8, 9], "[1, 3, 2] do not fit the network's input of shape [1, 8, 9]: they would with --resize 8x9"),
    ];
    for (name, options, expected, fact) in cases {
        let found = first_error(&place, name, options, Some(expected));
        check(found, Shape, name, fact);
    }
    check(
        first_error(&place, "mixed", &nchw, None),
        Shape,
        "b.png",
        "--resize HxW",
    );
}

#[test]
fn options_that_do_not_fit_the_data() {
    let place = Place::new();
    place.write("x.npy", &npy_f32(&[1, 3, 2, 2], &[1e38; 12]));
    place.write("flat.npy", &npy_f32(&[1, 12], &[0.0; 12]));
    place.write("x.npz", &npz(&[("x", &npy_f32(&[1, 1], &[0.0]))], Stored));
    place.write("ten.bin", &cifar(&[&[1]]));
    place.write("folder/a/a.png", &picture(2, 2, [0; 3], ImageFormat::Png));
    let with = |change: fn(&mut OpenOptions)| {
        let mut options = OpenOptions::default();
        change(&mut options);
        options
    };
    let nhwc = || with(|options| options.layout = Layout::Nhwc);
    #[rustfmt::skip]
    let cases = [
        ("x.npy", with(|options| options.std = vec![0.0]), Option, "std is 0"),
        ("x.npy", with(|options| options.mean = vec![0.0; 2]), Option, "each of the 3 channels"),
        ("folder", with(|options| options.std = vec![1.0; 2]), Option, "each of the 3 channels"),
        ("x.npy", with(|options| options.scale = f64::INFINITY), Option, "scale is inf"),
        ("x.npy", with(|options| options.scale = 1e300), NotFinite, "sample 0"),
        ("x.npy", with(|options| options.resize = Some((2, 2).into())), Option, "resize"),
        ("folder", with(|options| options.resize = Some((0, 2).into())), Option, "resize is 0x2"),
        ("folder", with(|options| options.labels = Some("y.txt".into())), Option, "sub-folders"),
        ("folder", nhwc(), Option, "layout nhwc"),
        ("ten.bin", nhwc(), Option, "layout nhwc"),
        ("flat.npy", nhwc(), Option, "layout nhwc"),
        ("x.npy", with(|options| options.format = Some("png".to_owned())), Option, "no format \"png\", only npz, npy"),
        ("ten.bin", with(|options| options.format = Some("cifar100".to_owned())), Format, "no whole records of CIFAR-100, 3074 bytes each"),
        ("x.npy", with(|options| options.format = Some("npz".to_owned())), Format, ".npz archive"),
        ("x.npy", with(|options| options.format = Some("folder".to_owned())), Io, "x.npy"),
        ("folder", with(|options| options.format = Some("npy".to_owned())), Io, "not a regular file"),
        ("x.npz", with(|options| options.y_key = "z".to_owned()), Option, "no array \"z\", only \"x\": choose one with --y-key"),
    ];
    for (name, options, kind, fact) in cases {
        check(first_error(&place, name, &options, None), kind, "", fact);
    }
}
