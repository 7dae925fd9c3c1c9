//! What a store is made from, and what can be asked of it in place of a network and data.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Place, refused, text};

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

/// Maps and attacks need the network: they open what the store says that it was made from, with what was said of it then.
#[test]
fn a_store_stands_for_its_network_and_data() {
    let place = Place::with("--samples 70");
    let options = "--scale 1/255 --limit 64 --labels y.txt";
    let labels: Vec<String> = (0..70).map(|at| (at % 10).to_string()).collect();
    std::fs::write(place.path("y.txt"), labels.join("\n")).unwrap();
    place.succeed(&format!(
        "score net.onnx glyphs.npz {options} --store grams --quiet"
    ));
    for (task, chosen) in [
        ("map", "--indices 3,50 --label true --scales 1,3"),
        ("attack", "--limit 9 --attack fgsm,fi-pixel --pixels 1"),
    ] {
        let outputs = |subject: &str| {
            let more = match task {
                "map" => "-o maps --report page.html --json",
                _ => "-o rows.csv --save adv.npz --report page.html --json",
            };
            let said = place.succeed(&format!("{task} {subject} {chosen} {more} --quiet"));
            let names: &[&str] = match task {
                "map" => &[
                    "maps/maps.json",
                    "maps/glyphs-00003.npz",
                    "maps/glyphs-00050.png",
                ],
                _ => &["rows.csv", "adv.npz"],
            };
            let pages = ["page.html", "page.json"];
            let files = names.iter().chain(&pages).map(|name| place.read(name));
            (said, files.collect::<Vec<_>>())
        };
        let options = options.replace("--limit 64", "");
        let whole = outputs(&format!("net.onnx glyphs.npz {options}"));
        assert!(whole == outputs("grams"), "{task}");
    }
    refused(&place, "map grams --indices 3,64", &["64", "grams"]);
    refused(&place, "attack grams --scale 1/255", &["--scale", "grams"]);
    refused(&place, "map grams --head logits", &["--head", "grams"]);
    refused(&place, "map grams glyphs.npz", &["grams", "alone"]);
    refused(&place, "attack grams glyphs.npz", &["grams", "alone"]);
    refused(&place, "map net.onnx", &["data"]);

    // From another folder, found from the store's own.
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    let from_there = |line: &str| {
        let mut command = place.command(line);
        command
            .current_dir(place.path("elsewhere"))
            .output()
            .unwrap()
    };
    let output = from_there("attack ../grams --limit 3 --attack fgsm --quiet");
    assert!(output.status.success(), "{}", text(&output.stderr));

    // What is no longer what it was, or not there, is named.
    let tasks = ["map grams --limit 1", "attack grams --limit 1"];
    let told = |file: &str, what: &str| {
        for task in tasks {
            refused(&place, task, &["grams", file, what]);
        }
    };
    for file in ["net.onnx", "glyphs.npz", "y.txt"] {
        let before = place.read(file);
        std::fs::remove_file(place.path(file)).unwrap();
        told(file, "does not exist");
        let mut other = before.clone();
        other.push(b'\n');
        std::fs::write(place.path(file), other).unwrap();
        told(file, "has changed");
        // The same beside the store is as good, whatever is where it was.
        std::fs::write(place.path("grams").join(file), &before).unwrap();
        for task in tasks {
            place.succeed(&format!("{task} --quiet"));
        }
        std::fs::remove_file(place.path("grams").join(file)).unwrap();
        std::fs::write(place.path(file), before).unwrap();
    }
}

#[test]
fn a_shard_stands_for_its_samples_and_a_list_of_indices_for_what_was_in_it() {
    let place = Place::with("--samples 200");
    let line = "score net.onnx glyphs.npz --scale 1/255 --quiet";
    place.succeed(&format!("{line} --store part --shard 2/3"));
    let found = place.json("attack part --attack fgsm --json --quiet --limit 2 -o rows.csv");
    assert_eq!(found["run"]["indices"], "64-127");
    let rows = String::from_utf8(place.read("rows.csv")).unwrap();
    assert!(rows.lines().nth(1).unwrap().starts_with("64,"), "{rows}");
    refused(&place, "attack part --indices 3", &["sample 3", "part"]);

    std::fs::write(place.path("chosen.txt"), "5\n9-20\n").unwrap();
    place.succeed(&format!("{line} --indices @chosen.txt --store few"));
    let found = place.json("attack few --attack fgsm --json --quiet -o rows.csv");
    assert_eq!(found["summary"]["n_samples"], 13);
    std::fs::write(place.path("chosen.txt"), "5\n9-21\n").unwrap();
    refused(&place, "attack few", &["chosen.txt", "has changed"]);
    std::fs::write(place.path("chosen.txt"), "6\n9-20\n").unwrap();
    let again = format!("{line} --indices @chosen.txt --store few");
    refused(&place, &again, &["indices_file differs"]);
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

#[test]
fn stores_are_compared_by_the_blocks_that_both_have() {
    let place = Place::with("--samples 60");
    let line = "score net.onnx glyphs.npz --scale 1/255 -q";
    place.succeed(&format!(
        "{line} --limit 30 --wrt input,params --store train"
    ));
    place.succeed(&format!("{line} --indices 30-59 --store test"));
    place.succeed(&format!("{line} --wrt params --store params"));
    let compare = "compare --resamples 20 --json";
    let output = place.run(&format!("{compare} --train train --test test"));
    let notes = text(&output.stderr);
    assert!(notes.contains("params: only train has it"), "{notes}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let models = found["models"].as_array().unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0]["block"], "input");
    assert_eq!(models[0]["model"], "net.onnx");
    let only = "compare --train test --test params";
    refused(&place, only, &["no block is in both sets"]);

    std::fs::copy(place.path("net.onnx"), place.path("same.onnx")).unwrap();
    place.succeed("score same.onnx glyphs.npz --scale 1/255 -q --store same");
    place.succeed("compare --train same --test test --resamples 20 -q");
    // The same with a doc_string, which Quaver cannot know to be nothing.
    let other = [place.read("net.onnx"), b"\x32\x01x".to_vec()].concat();
    std::fs::write(place.path("other.onnx"), other).unwrap();
    place.succeed("score other.onnx glyphs.npz --scale 1/255 -q --store other");
    let other = "compare --train other --test test";
    refused(
        &place,
        other,
        &["different networks", "other.onnx", "net.onnx"],
    );
}
