//! `quaver layers` as its users meet it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;

use common::Place;
use serde_json::Value as Json;

const LINE: &str = "layers net.onnx glyphs.npz --scale 1/255 --precision f64";

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

#[test]
fn medians_are_those_of_the_scores() {
    let place = Place::with("--samples 40");
    let found = place.json(&format!("{LINE} --json -q --compat 1e-3"));
    let scores = place.succeed(
        "score net.onnx glyphs.npz --scale 1/255 --precision f64 --wrt layers,params --compat 1e-3 -o - -q",
    );
    let scores: Vec<Json> = scores
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let layers = found["networks"][0]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 5);
    for layer in layers {
        for measure in [
            "fi",
            "saturation",
            "fi_max",
            "rank",
            "rel_fi_lambda",
            "compat_fi",
        ] {
            let of_layer = scores
                .iter()
                .filter(|score| score["block"] == layer["layer"]);
            let expected = median(
                of_layer
                    .map(|score| score[measure].as_f64().unwrap())
                    .collect(),
            );
            let have = layer[measure].as_f64().unwrap();
            assert!(
                (have - expected).abs() <= 1e-9 * expected.abs(),
                "{measure}: {have} {expected}"
            );
        }
    }
}

#[test]
fn a_store_gives_the_same_table() {
    let place = Place::with("--samples 40");
    place.succeed(
        "score net.onnx glyphs.npz --scale 1/255 --precision f64 --wrt layers,params --store grams -o s.csv -q",
    );
    let table = |text: String| -> Vec<String> { text.lines().skip(1).map(str::to_owned).collect() };
    assert_eq!(
        table(place.succeed(LINE)),
        table(place.succeed("layers grams"))
    );
}

#[test]
fn layers_are_disturbed_for_real() {
    let place = Place::with("--samples 40");
    let line = format!("{LINE} --json -q --strengths 0.001,0.2 --draws 4");
    let found = place.json(&format!("{line} --verify noise --threads 1"));
    let verified = &found["networks"][0]["verification"];
    let layers = verified["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 5 * 2);
    for layer in layers.iter().filter(|layer| layer["strength"] == 0.001) {
        // Four draws of a divergence that varies with the direction: its size must be right, no more.
        let ratio = layer["mean_kl"].as_f64().unwrap() / layer["predicted_kl"].as_f64().unwrap();
        assert!((0.2..5.0).contains(&ratio), "{layer}");
    }
    let again = place.json(&format!("{line} --verify noise --threads 3"));
    assert_eq!(&again["networks"][0]["verification"], verified);
    let other = place.json(&format!("{line} --verify noise --seed 1"));
    assert_ne!(&other["networks"][0]["verification"], verified);
    // A thousandth of a small layer may be nothing at all.
    let line = format!("{LINE} --json -q --strengths 0.2");
    let knocked = place.json(&format!("{line} --verify knockout"));
    let layers = knocked["networks"][0]["verification"]["layers"]
        .as_array()
        .unwrap();
    assert!(layers.iter().all(|layer| layer["predicted_kl"].is_null()));
    assert!(
        layers
            .iter()
            .all(|layer| layer["mean_kl"].as_f64().unwrap() > 0.0)
    );
}

#[test]
fn networks_stand_side_by_side() {
    let place = Place::with("--samples 40");
    fs::copy(place.path("net.onnx"), place.path("twin.onnx")).unwrap();
    let text = place.succeed(&format!(
        "{LINE} --model twin.onnx --report l.html -o l.csv"
    ));
    // Names of layers are whole.
    assert!(text.contains("13/Gemm") && !text.contains('…'), "{text}");
    assert!(text.contains("FI is saturated in all 5 blocks"), "{text}");
    let rows = fs::read_to_string(place.path("l.csv")).unwrap();
    assert_eq!(rows.lines().count(), 1 + 2 * 5);
    let of = |network: &str| -> Vec<String> {
        let rows = rows.lines().filter_map(|row| row.strip_prefix(network));
        rows.map(str::to_owned).collect()
    };
    assert!(of("net.onnx").len() == 5 && of("net.onnx") == of("twin.onnx"));
    let page = fs::read_to_string(place.path("l.html")).unwrap();
    assert!(page.contains("on the samples of glyphs.npz."));
    assert!(page.contains("Layers of net.onnx, twin.onnx") && page.matches("<svg").count() >= 8);
}

#[test]
fn bad_input_is_one_line_that_names_it() {
    let place = Place::with("--samples 40");
    for (options, named) in [
        ("--verify noise --strengths 0", "strength 0"),
        ("--verify knockout --strengths 2", "strength 2"),
        ("--verify noise --draws 0", "0 draws"),
        ("--model none.onnx", "none.onnx"),
        ("-o l.xls", ".xls"),
    ] {
        let output = place.run(&format!("{LINE} {options} -q"));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options}: {message}");
        assert!(message.contains(named), "{options}: {message}");
        assert_eq!(message.lines().count(), 1, "{options}: {message}");
    }
}
