//! Tasks that need more than a store holds find the network and the data that it was made from, whatever they are.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;

use common::{Place, refused};
use serde_json::Value as Json;

/// What was found, and not what it was found from.
fn found(place: &Place, line: &str) -> Json {
    let mut all = place.json(&format!("{line} --json -q"));
    all.as_object_mut().unwrap().remove("run");
    for network in all["networks"].as_array_mut().into_iter().flatten() {
        network.as_object_mut().unwrap().remove("network");
        for layer in network["layers"].as_array_mut().into_iter().flatten() {
            layer.as_object_mut().unwrap().remove("network");
        }
    }
    all
}

fn npy(shape: &str, values: impl Iterator<Item = f32>) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    let mut bytes = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes()].concat();
    bytes.extend(values.flat_map(f32::to_le_bytes));
    bytes
}

#[test]
fn known_outliers_are_asked_of_the_data() {
    let place = Place::with("--samples 200 --mislabelled 0 --overlaid 0");
    place.succeed("simulate overlay glyphs.npz -o a.npz -q --outliers 40 --seed 4");
    let truth = |at: usize| u8::from(at % 10 == 3).to_string() + "\n";
    fs::write(
        place.path("truth.txt"),
        (0..240).map(truth).collect::<String>(),
    )
    .unwrap();
    let line = "outliers net.onnx a.npz --scale 1/255";
    for (name, chosen) in [
        ("grams", ""),
        ("few", "--indices 5-69,190-230"),
        ("part", "--shard 3/3"),
    ] {
        let store = format!("{line} {chosen} --store {name}").replace("outliers", "score");
        place.succeed(&format!("{store} -q"));
        let chosen = chosen.replace("--shard 3/3", "--indices 128-239");
        for truth in ["truth", "truth.txt"] {
            assert_eq!(
                found(&place, &format!("outliers {name} --truth {truth}")),
                found(&place, &format!("{line} {chosen} --truth {truth}")),
                "{name} {truth}"
            );
        }
        // Without being asked, a store does not look for what may be gone.
        let found = found(&place, &format!("outliers {name}"));
        assert!(found["blocks"][0]["n_outliers"].is_null());
    }
    refused(
        &place,
        "outliers grams --truth no",
        &["--truth no", "no such file", "\"truth\""],
    );
    refused(&place, "outliers grams --truth y", &["--truth y", "0 or 1"]);
    fs::write(place.path("short.txt"), "1\n0\n").unwrap();
    refused(
        &place,
        "outliers grams --truth short.txt",
        &["--truth short.txt", "240"],
    );
    // It is the data that are asked, and not the network.
    fs::remove_file(place.path("net.onnx")).unwrap();
    place.succeed("outliers grams --truth truth -q");
    fs::rename(place.path("a.npz"), place.path("b.npz")).unwrap();
    for truth in ["truth", "truth.txt"] {
        let line = format!("outliers grams --truth {truth}");
        refused(&place, &line, &["grams", "a.npz", "does not exist"]);
    }
    place.succeed("outliers grams -q");
    fs::copy(place.path("b.npz"), place.path("grams/a.npz")).unwrap();
    place.succeed("outliers grams --truth truth -q");
    fs::write(place.path("grams/a.npz"), b"other").unwrap();
    refused(
        &place,
        "outliers grams --truth truth",
        &["a.npz", "has changed"],
    );
}

#[test]
fn known_outliers_may_be_a_column() {
    let place = Place::with("--samples 1");
    let names: Vec<String> = (0..784).map(|at| format!("p{at}")).collect();
    let columns = names.join(",");
    let mut rows = format!("{columns},label,odd,word\n");
    for row in 0..70_usize {
        for at in 0..784 {
            rows += &format!("{},", (row * 31 + at * at) % 251);
        }
        rows += &format!("{},{},w\n", row % 10, row % 2);
    }
    fs::write(place.path("t.csv"), rows).unwrap();
    fs::write(
        place.path("odd.txt"),
        (0..70)
            .map(|row| format!("{}\n", row % 2))
            .collect::<String>(),
    )
    .unwrap();
    let line = format!("net.onnx t.csv --scale 1/255 --columns {columns}");
    place.succeed(&format!("score {line} --store grams -q"));
    let expected = found(&place, &format!("outliers {line} --truth odd.txt"));
    assert_eq!(expected["blocks"][0]["n_outliers"], 35);
    assert_eq!(
        expected,
        found(&place, &format!("outliers {line} --truth odd"))
    );
    assert_eq!(expected, found(&place, "outliers grams --truth odd"));
    refused(
        &place,
        "outliers grams --truth even",
        &["--truth even", "\"even\"", "t.csv"],
    );
    refused(
        &place,
        "outliers grams --truth label",
        &["--truth label", "0 or 1"],
    );
    // Where nothing has a name, the labels must not be taken for it.
    fs::write(
        place.path("x.npy"),
        npy("(64, 784)", (0..64 * 784).map(|at| (at % 7) as f32)),
    )
    .unwrap();
    let line = "outliers net.onnx x.npy --label predicted";
    refused(
        &place,
        &format!("{line} --truth odd"),
        &["--truth odd", "x.npy", "give a file"],
    );
}

#[test]
fn layers_are_disturbed_in_the_network_that_a_store_was_made_from() {
    let place = Place::with("--samples 80");
    let line =
        "net.onnx glyphs.npz --scale 1/255 --indices 3-70 --wrt layers,params --precision f64";
    place.succeed(&format!("score {line} --store grams -q"));
    for how in ["noise", "knockout", "knockout-units"] {
        let verify = format!("--verify {how} --strengths 0.05,0.2 --draws 2 --seed 7");
        assert_eq!(
            found(&place, &format!("layers grams {verify}")),
            found(&place, &format!("layers {line} {verify}")),
            "{how}"
        );
    }
    let verify = "layers grams --verify noise --draws 1";
    refused(
        &place,
        &format!("{verify} --model net.onnx"),
        &["--model", "grams"],
    );
    refused(&place, &format!("{verify} --wrt input"), &["input"]);
    refused(
        &place,
        &format!("{verify} --scale 1"),
        &["--scale", "grams"],
    );
    for file in ["net.onnx", "glyphs.npz"] {
        let before = place.read(file);
        fs::write(place.path(file), [&before[..], b"\n"].concat()).unwrap();
        refused(&place, verify, &["grams", file, "has changed"]);
        fs::remove_file(place.path(file)).unwrap();
        refused(&place, verify, &["grams", file, "does not exist"]);
        fs::write(place.path(file), before).unwrap();
    }
    // Only the input's Grams: there is nothing to disturb.
    place.succeed("score net.onnx glyphs.npz --scale 1/255 --store inputs -q");
    refused(&place, "layers inputs --verify noise", &["parameters"]);
}

#[test]
fn inputs_that_were_given_one_by_one_are_found_one_by_one() {
    let place = Place::with("--samples 1");
    let model = include_bytes!("../../quaver/tests/models/two_inputs.onnx");
    fs::write(place.path("two.onnx"), model).unwrap();
    let values = |n: usize| (0..n).map(|at| (at as f32 * 0.7).sin());
    fs::write(place.path("a.npy"), npy("(70, 2)", values(140))).unwrap();
    fs::write(place.path("b.npy"), npy("(70, 3)", values(210))).unwrap();
    let labels: String = (0..70).map(|at| format!("{}\n", at % 3)).collect();
    fs::write(place.path("y.txt"), labels).unwrap();
    let truth: String = (0..70).map(|at| format!("{}\n", at % 2)).collect();
    fs::write(place.path("truth.txt"), truth).unwrap();
    let line = "two.onnx --input b=b.npy --input a=a.npy --labels y.txt";
    place.succeed(&format!("score {line} --wrt input,layers --store grams -q"));
    for (task, more) in [
        ("outliers", "--truth truth.txt --wrt input"),
        ("layers", "--verify noise --draws 2 --wrt layers"),
    ] {
        assert_eq!(
            found(&place, &format!("{task} grams {more}")),
            found(&place, &format!("{task} {line} {more}")),
            "{task}"
        );
    }
    let attack = |subject: &str| {
        let more = "--bounds -1,1 --attack fgsm,pgd-linf --limit 40";
        let page = "-o rows.csv --report page.html --json -q";
        let said = place.succeed(&format!("attack {subject} {more} {page}"));
        let files = ["rows.csv", "page.html", "page.json"].map(|name| place.read(name));
        (said, files)
    };
    let whole = attack(line);
    assert!(whole == attack("grams"));
    let said: Json = serde_json::from_str(&whole.0).unwrap();
    assert_eq!(said["run"]["inputs"][1]["file"]["path"], "a.npy");
    refused(&place, "map grams", &["several inputs"]);
    refused(&place, &format!("map {line}"), &["several inputs"]);
    refused(&place, &format!("attack {line} a.npy"), &["--input"]);
    refused(
        &place,
        "attack grams --input a=a.npy",
        &["--input", "grams"],
    );
    for file in ["a.npy", "b.npy", "y.txt"] {
        let before = place.read(file);
        fs::write(place.path(file), [&before[..], b"\n"].concat()).unwrap();
        refused(&place, "attack grams", &["grams", file, "has changed"]);
        fs::remove_file(place.path(file)).unwrap();
        refused(
            &place,
            "layers grams --verify noise",
            &["grams", file, "does not exist"],
        );
        fs::write(place.path(file), before).unwrap();
    }

    // One input may be named too, and an array in its file.
    let inspected = place.json("inspect net.onnx --json");
    let name = inspected["inputs"][0]["name"].as_str().unwrap().to_owned();
    place.succeed("demo --export-data glyphs.npz --quiet --samples 70");
    let line = format!("net.onnx --input {name}=glyphs.npz:x --scale 1/255");
    place.succeed(&format!("score {line} --store named -q"));
    let map = |subject: &str| {
        place.succeed(&format!(
            "map {subject} --scales 1,3 --indices 4,69 -o maps -q"
        ));
        ["maps/maps.json", "maps/glyphs-00069.npz"].map(|name| place.read(name))
    };
    assert!(map("named") == map(&line));
}

/// What is looked up in a table has no neighbours to move to.
#[test]
fn token_ids_are_not_attacked() {
    let place = Place::with("--samples 1");
    let model = include_bytes!("../../quaver/tests/models/tokens.onnx");
    fs::write(place.path("tokens.onnx"), model).unwrap();
    let inspected = place.json("inspect tokens.onnx --json");
    let mut line = "attack tokens.onnx --bounds 0,1".to_owned();
    for input in inspected["inputs"].as_array().unwrap() {
        let name = input["name"].as_str().unwrap();
        let length = input["shape"][0].as_u64().unwrap() as usize;
        let shape = format!("(2, {length})");
        fs::write(
            place.path(&format!("{name}.npy")),
            npy(&shape, (0..2 * length).map(|_| 1.0)),
        )
        .unwrap();
        line += &format!(" --input {name}={name}.npy");
    }
    refused(
        &place,
        &format!("{line} --label predicted"),
        &["whole numbers"],
    );
}
