//! What a store is made from, and what can be asked of it in place of a network and data.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Place, text};

fn refused(place: &Place, line: &str, named: &[&str]) {
    let output = place.run(line);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{line}: {said}");
    assert_eq!(said.lines().count(), 1, "{line}: {said}");
    for name in named {
        assert!(said.contains(name), "{line}: {said}");
    }
}

#[test]
fn a_pattern_is_traced_to_each_of_its_files() {
    let place = Place::with("--samples 100");
    place.succeed("demo --export-data glyphs2.npz --quiet --samples 50 --seed 5");
    let line = "score net.onnx glyphs*.npz --scale 1/255 --quiet";
    let found = place.json(&format!("{line} --json"));
    assert_eq!(found["summary"]["n_samples"], 150);
    let data = &found["run"]["data"];
    assert_eq!(data["path"], "glyphs*.npz");
    let files = data["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(files[1]["name"], "glyphs2.npz");
    assert_eq!(files[1]["sha256"].as_str().unwrap().len(), 64);
    place.succeed(&format!("{line} --store grams -o rows.csv"));
    let rows = String::from_utf8(place.read("rows.csv")).unwrap();
    assert!(rows.lines().last().unwrap().contains("glyphs2.npz: 49"));
    place.succeed("demo --export-data glyphs3.npz --quiet --samples 50 --seed 6");
    refused(&place, &format!("{line} --store grams"), &["data differs"]);
}

#[test]
fn labels_beside_the_images_are_part_of_what_a_store_is_made_from() {
    let place = Place::with("--samples 1");
    let header = |code: &[u8], axes: &[u32]| -> Vec<u8> {
        let axes = axes.iter().flat_map(|axis| axis.to_be_bytes());
        [0, 0]
            .into_iter()
            .chain(code.iter().copied())
            .chain(axes)
            .collect()
    };
    let mut images = header(&[8, 3], &[4, 28, 28]);
    images.extend((0..4 * 784_u32).map(|at| (at * at % 251) as u8));
    let labels = |values: [u8; 4]| {
        let bytes = [header(&[8, 1], &[4]), values.to_vec()].concat();
        std::fs::write(place.path("t-labels-idx1-ubyte"), bytes).unwrap();
    };
    std::fs::write(place.path("t-images-idx3-ubyte"), images).unwrap();
    let line = "score net.onnx t-images-idx3-ubyte --scale 1/255 --store grams --quiet";
    labels([0, 1, 2, 3]);
    place.succeed(line);
    labels([0, 1, 2, 4]);
    refused(&place, line, &["data differs"]);
    labels([0, 1, 2, 3]);
    place.succeed(line);
}

#[test]
fn what_was_decided_when_a_store_was_filled_is_refused() {
    let place = Place::with("--samples 64");
    place.succeed("score net.onnx glyphs.npz --scale 1/255 --store grams --quiet");
    for option in [
        "--limit 5",
        "--indices 1,2",
        "--scale 2",
        "--labels glyphs.npz",
        "--head logits",
        "--output y",
        "--precision f64",
        "--memory 1G",
        "--no-winograd",
        "--transform t.toml",
    ] {
        let name = option.split(' ').next().unwrap();
        for command in ["analyze", "score", "outliers", "layers"] {
            refused(
                &place,
                &format!("{command} grams {option}"),
                &[name, "grams"],
            );
        }
    }
    for subject in ["net.onnx", "nothing", "."] {
        refused(
            &place,
            &format!("analyze {subject}"),
            &[subject, "not a store"],
        );
    }
    let output = place.run("analyze net.onnx glyphs.npz");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn classes_are_merged_from_a_store_as_by_the_network() {
    let place = Place::with("--samples 64");
    let line = "score net.onnx glyphs.npz --scale 1/255 --wrt input,layers --precision f64 --quiet";
    place.succeed(&format!("{line} --store whole"));
    for classes in ["3", "auto:0.05"] {
        place.succeed(&format!("{line} --classes {classes} -o network.csv"));
        place.succeed(&format!(
            "analyze whole --classes {classes} -o store.csv -q"
        ));
        let [network, store] =
            ["network.csv", "store.csv"].map(|name| String::from_utf8(place.read(name)).unwrap());
        assert!(network.lines().next().unwrap().contains("n_classes_kept"));
        assert_eq!(network.lines().count(), store.lines().count());
        for (a, b) in network.lines().zip(store.lines()) {
            for (a, b) in a.split(',').zip(b.split(',')) {
                match (a.parse::<f64>(), b.parse::<f64>()) {
                    (Ok(a), Ok(b)) => {
                        assert!((a - b).abs() <= 1e-8 * a.abs().max(1e-12), "{a} {b}");
                    }
                    _ => assert_eq!(a, b),
                }
            }
        }
    }
    place.succeed(&format!("{line} --classes 3 --store merged"));
    place.succeed("analyze merged --classes 3 -q");
    refused(&place, "analyze merged --classes 4", &["--classes 4", "3"]);
}

#[test]
fn samples_that_cannot_be_read_are_counted_by_every_task() {
    let place = Place::with("--samples 64");
    // A folder of pictures, one of them cut short.
    let name = place.path("picture.png");
    let grey = |x: u32, y: u32| image::Luma([(x * y % 251) as u8]);
    image::GrayImage::from_fn(28, 28, grey).save(&name).unwrap();
    let picture = place.read("picture.png");
    for at in 0..64 {
        let name = place.path(&format!("pictures/{}/{at:02}.png", at % 4));
        std::fs::create_dir_all(name.parent().unwrap()).unwrap();
        let length = if at == 7 {
            picture.len() / 2
        } else {
            picture.len()
        };
        std::fs::write(name, &picture[..length]).unwrap();
    }
    for line in [
        "score net.onnx pictures",
        "score net.onnx pictures --store grams",
        "analyze grams",
        "outliers net.onnx pictures",
        "layers net.onnx pictures",
        "layers net.onnx pictures --verify noise --draws 1",
        "compare net.onnx --train pictures --test glyphs.npz",
    ] {
        let output = place.run(&format!("{line} --rtol 1e-3 -o rows.csv"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{line}: {said}");
        assert!(said.contains("1 of 64 samples"), "{line}: {said}");
        assert!(place.path("rows.csv").is_file(), "{line}");
        std::fs::remove_file(place.path("rows.csv")).unwrap();
    }
}
