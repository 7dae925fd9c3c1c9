//! `quaver map` as its users meet it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;

use common::Place;
use npyz::NpyFile;
use serde_json::Value as Json;
use zip::ZipArchive;

/// Shapes and values of all arrays of a file.
fn arrays(place: &Place, name: &str) -> BTreeMap<String, (Vec<u64>, Vec<f64>)> {
    let mut archive = ZipArchive::new(File::open(place.path(name)).unwrap()).unwrap();
    let n = archive.len();
    let read = |at: usize| {
        let member = archive.by_index(at).unwrap();
        let name = member.name().unwrap().trim_end_matches(".npy").to_owned();
        let array = NpyFile::new(member).unwrap();
        let shape = array.shape().to_vec();
        (name, (shape, array.into_vec().unwrap()))
    };
    (0..n).map(read).collect()
}

const LINE: &str = "map net.onnx glyphs.npz --scale 1/255 --precision f64";

#[test]
fn arrays_have_every_measure_scale_and_channel() {
    let place = Place::with("--samples 12");
    let line = format!("{LINE} --indices 3,5 --scales 1,5 --compat 1e-3 -o maps --quiet");
    place.succeed(&line);
    let arrays = arrays(&place, "maps/glyphs-00003.npz");
    let measures = [
        "fi",
        "saturation",
        "rank",
        "fi_lambda",
        "fisher_trace",
        "gradient2",
        "compat_fi",
    ];
    for measure in measures {
        for scale in [1, 5] {
            let (shape, channels) = &arrays[&format!("{measure}_scale{scale}")];
            assert_eq!(shape, &[1, 28, 28], "{measure}");
            let (shape, all) = &arrays[&format!("{measure}_scale{scale}_all")];
            assert_eq!(shape, &[28, 28], "{measure}");
            // There is one channel only.
            assert_eq!(channels, all, "{measure}");
        }
    }
    let (_, pixels) = &arrays["fisher_trace_scale1_all"];
    let (_, windows) = &arrays["fisher_trace_scale5_all"];
    // Grams add: the trace of a window is the sum over its pixels, cut at the border.
    for (row, column) in [(0usize, 0usize), (13, 9), (27, 14)] {
        let rows = row.saturating_sub(2)..(row + 3).min(28);
        let sum: f64 = rows
            .flat_map(|r| (column.saturating_sub(2)..(column + 3).min(28)).map(move |c| r * 28 + c))
            .map(|at| pixels[at])
            .sum();
        let window = windows[row * 28 + column];
        assert!((window - sum).abs() <= 1e-9 * sum, "{window} {sum}");
    }
    // And that of all pixels is what the score of the whole image says.
    let all: Json =
        serde_json::from_slice(&fs::read(place.path("maps/maps.json")).unwrap()).unwrap();
    let image = &all["images"][0];
    for (at, map) in image["maps"].as_array().unwrap().iter().enumerate() {
        assert!(map["compat_fi"]["max"].as_f64().is_some(), "{at}: {map}");
    }
    let text = place.succeed(&line);
    assert!(text.contains("compat_fi_largest"), "{text}");
    let text = place.succeed(&format!("{LINE} --indices 3 -o plain --quiet"));
    assert!(!text.contains("compat"), "{text}");
    let (total, whole) = (
        pixels.iter().sum::<f64>(),
        image["whole_image"]["fisher_trace"].as_f64().unwrap(),
    );
    assert!((total - whole).abs() <= 1e-9 * whole, "{total} {whole}");
    assert_eq!(image["index"], 3);
    assert_eq!(all["images"][1]["name"], "glyphs-00005");
}

#[test]
fn channels_add_up() {
    let place = Place::with("--samples 12");
    let data = std::env::var_os("QUAVER_TEST_DATA")
        .map_or_else(|| PathBuf::from("../../../shared/data"), PathBuf::from);
    let (network, batch) = (
        data.join("models/mlperftiny_resnet8_cifar10.onnx"),
        data.join("cifar10/test_batch_first932.bin"),
    );
    if !network.is_file() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no data at {}",
            data.display()
        );
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: no data at {}", data.display());
        }
        return;
    }
    fs::copy(network, place.path("r.onnx")).unwrap();
    fs::copy(batch, place.path("batch.bin")).unwrap();
    place.succeed("map r.onnx batch.bin --limit 1 --scales 3 -o maps --quiet --precision f64");
    let arrays = arrays(&place, "maps/batch-00000.npz");
    for measure in ["fisher_trace", "gradient2"] {
        let (shape, channels) = &arrays[&format!("{measure}_scale3")];
        assert_eq!(shape, &[3, 32, 32]);
        let (_, all) = &arrays[&format!("{measure}_scale3_all")];
        for (at, all) in all.iter().enumerate() {
            let sum: f64 = (0..3).map(|c| channels[c * 1024 + at]).sum();
            assert!((sum - all).abs() <= 1e-12 * all, "{measure} {at}");
        }
    }
}

#[test]
fn a_saturated_map_says_so() {
    let place = Place::with("--samples 12");
    let files = "--limit 1 --scales 1,9 -o maps --report maps.html";
    let text = place.succeed(&format!("{LINE} {files}"));
    assert!(
        text.contains("saturated") && text.contains("full_rank"),
        "{text}"
    );
    let all: Json =
        serde_json::from_slice(&fs::read(place.path("maps/maps.json")).unwrap()).unwrap();
    let maps = all["images"][0]["maps"].as_array().unwrap();
    let of = |scale: u64| {
        let found = maps
            .iter()
            .find(|m| m["scale"] == scale && m["region"] == "all");
        found.unwrap().clone()
    };
    assert_eq!(
        (&of(9)["verdict"], &of(9)["shown"]),
        (&"saturated".into(), &"fi_lambda".into())
    );
    assert_ne!(of(1)["verdict"], "saturated");
    let page = fs::read_to_string(place.path("maps.html")).unwrap();
    assert!(page.contains("At scale 9 FI is saturated") && page.contains("class=\"wide\""));
    assert!(
        page.contains("<h1>Maps of glyphs.npz</h1>") && page.contains("the answer of net.onnx")
    );
    let picture = image::open(place.path("maps/glyphs-00000.png")).unwrap();
    assert!(picture.width() > 4 * 224 && picture.height() > 3 * 224);
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let place = Place::with("--samples 12");
    for (threads, out) in [(1, "one"), (3, "three")] {
        place.succeed(&format!(
            "{LINE} --limit 4 --scales 3 --threads {threads} -o {out} -q"
        ));
    }
    for file in ["glyphs-00002.npz", "glyphs-00002.png", "maps.json"] {
        let read = |folder: &str| fs::read(place.path(folder).join(file)).unwrap();
        assert!(read("one") == read("three"), "{file}");
    }
}

#[test]
fn bad_input_is_one_line_that_names_it_and_leaves_nothing() {
    let place = Place::with("--samples 12");
    fs::write(place.path("broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let before = place.files();
    for (line, named) in [
        ("map none.onnx glyphs.npz", "none.onnx"),
        ("map net.onnx none.npz", "none.npz"),
        ("map net.onnx glyphs.npz --scales 2", "scale 2"),
        ("map net.onnx glyphs.npz --indices 12", "12"),
        ("map net.onnx glyphs.npz --label 10", "10"),
        ("map net.onnx broken.png", "broken.png"),
    ] {
        let output = place.run(&format!("{line} -o maps -q"));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert_eq!(message.lines().count(), 1, "{line}: {message}");
        assert!(message.contains(named), "{line}: {message}");
        let _ = fs::remove_dir(place.path("maps"));
        assert_eq!(place.files(), before, "{line}");
    }
}

#[test]
fn an_image_that_cannot_be_read_is_left_out() {
    let place = Place::with("--samples 12");
    let picture = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([(9 * x + 7 * y) as u8]));
    fs::create_dir(place.path("other")).unwrap();
    for name in ["a.png", "a.bmp", "other/a.png"] {
        picture.save(place.path(name)).unwrap();
    }
    fs::write(place.path("broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let line = "map net.onnx a.png broken.png a.bmp other/a.png --scale 1/255 --scales 3 -o maps";
    let output = place.run(line);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains("broken.png") && message.contains("1 of 4 images"),
        "{message}"
    );
    // Files of the same name do not overwrite each other.
    for name in ["a", "a-2", "a-3"] {
        assert!(
            place.path("maps").join(format!("{name}.npz")).is_file(),
            "{name}"
        );
    }
    let output = place.run(&format!("{line} --strict -q"));
    assert_eq!(output.status.code(), Some(2));
}
