//! outliers, simulate, compare and report as their users meet them.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;

use common::{Place, refused};
use serde_json::Value as Json;

fn area(found: &Json, measure: &str, name: &str) -> f64 {
    let measures = found["blocks"][0]["measures"].as_array().unwrap();
    let of = measures
        .iter()
        .find(|row| row["measure"] == measure)
        .unwrap();
    of[name].as_f64().unwrap()
}

#[test]
fn simulated_outliers_are_found_again() {
    let place = Place::with("--samples 300 --mislabelled 0 --overlaid 0");
    for (kind, more) in [("overlay", "--outliers 60"), ("mislabel", "--outliers 60")] {
        let simulate =
            |name: &str| format!("simulate {kind} glyphs.npz -o {name} --seed 4 {more} -q");
        place.succeed(&simulate("a.npz"));
        place.succeed(&simulate("b.npz"));
        assert!(
            place.read("a.npz") == place.read("b.npz"),
            "same seed, same bytes"
        );
        let line = "outliers net.onnx a.npz --scale 1/255 --json -q --report page.html -o rows.csv --top 5";
        let found = place.json(line);
        let block = &found["blocks"][0];
        assert_eq!(block["n_outliers"], 60);
        assert_eq!(
            block["n_samples"],
            if kind == "overlay" { 360 } else { 300 }
        );
        assert_eq!(block["most_suspicious"].as_array().unwrap().len(), 5);
        assert!(area(&found, "fi", "roc_auc") > 0.85, "{kind}: {block}");
        assert!(area(&found, "fi_lambda", "roc_auc") > 0.85, "{kind}");
        assert_eq!(area(&found, "fi", "rank_correlation_with_fi"), 1.0);
        let page: Json = serde_json::from_slice(&place.read("page.json")).unwrap();
        assert_eq!(page["run"]["truth"], "truth");
        assert_eq!(page["run"]["model"]["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(page["run"]["data"]["sha256"].as_str().unwrap().len(), 64);
        let rows = String::from_utf8(place.read("rows.csv")).unwrap();
        assert_eq!(
            rows.lines().count() as u64,
            1 + block["n_samples"].as_u64().unwrap()
        );
        assert!(rows.lines().next().unwrap().ends_with(",outlier"));
    }
}

#[test]
fn truth_may_be_a_file_and_bad_truth_is_named() {
    let place = Place::with("--samples 300 --mislabelled 0 --overlaid 0");
    let lines = |value: &dyn Fn(usize) -> &'static str| -> String {
        (0..300).map(|at| format!("{}\n", value(at))).collect()
    };
    fs::write(
        place.path("truth.txt"),
        lines(&|at| if at % 10 == 3 { "1" } else { "0" }),
    )
    .unwrap();
    fs::write(place.path("none.txt"), lines(&|_| "0")).unwrap();
    fs::write(
        place.path("odd.txt"),
        lines(&|at| if at == 7 { "2" } else { "1" }),
    )
    .unwrap();
    fs::write(place.path("few.txt"), "1\n0\n").unwrap();
    let line = "outliers net.onnx glyphs.npz --scale 1/255 --json -q";
    let found = place.json(&format!("{line} --truth truth.txt --indices 0-49"));
    assert_eq!(found["blocks"][0]["n_outliers"], 5);
    let found = place.json(line);
    assert!(found["blocks"][0]["n_outliers"].is_null());
    for (truth, named) in [
        ("none.txt", "none"),
        ("odd.txt", "sample 7"),
        ("few.txt", "few.txt"),
        ("nowhere", "nowhere"),
    ] {
        let output = place.run(&format!("{line} --truth {truth}"));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.contains("--truth") && message.contains(named),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

/// An array called truth that nobody asked about must not end a run.
#[test]
fn an_array_of_truth_that_is_of_no_use_is_passed_over() {
    let place = Place::with("--samples 100 --mislabelled 0 --overlaid 0");
    place.succeed("simulate overlay glyphs.npz -o a.npz -q --outliers 20");
    let line = "outliers net.onnx a.npz --scale 1/255 --json --limit 50";
    let output = place.run(line);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("truth is not used: none of"), "{notes}");
    let found: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["blocks"][0]["n_outliers"].is_null() && found["run"]["truth"].is_null());
    refused(
        &place,
        &format!("{line} --truth truth"),
        &["--truth: none of"],
    );
    // The arrays of an .npz file are called so inside it.
    refused(
        &place,
        &format!("{line} --truth truth.npy"),
        &["no such file"],
    );
}

#[test]
fn rankings_by_what_is_not_there_are_refused() {
    let place = Place::with("--samples 20");
    let line = "net.onnx glyphs.npz --scale 1/255 -q";
    let compat = "--rank-by compat_fi";
    refused(
        &place,
        &format!("outliers {line} {compat}"),
        &["--compat EPS"],
    );
    refused(
        &place,
        &format!("layers {line} {compat}"),
        &["--compat EPS"],
    );
    let both = format!("{compat} --compat 1e-3");
    let text = place.succeed(&format!("outliers {line} {both}"));
    assert!(text.contains("by compat_fi"), "{text}");
    let text = place.succeed(&format!("score {line} --compat 1e-3"));
    assert!(text.contains("compat_fi"), "{text}");
    refused(
        &place,
        &format!("layers {line} --wrt input"),
        &["noise_kl", "input has none"],
    );
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_work() {
    let place = Place::with("--samples 20");
    fs::create_dir(place.path("page.html")).unwrap();
    fs::create_dir(place.path("numbers.json")).unwrap();
    fs::create_dir(place.path("rows.csv")).unwrap();
    let line = "net.onnx glyphs.npz --scale 1/255";
    for (line, named) in [
        (format!("outliers {line} --report page.html"), "page.html"),
        (
            format!("score {line} -o a.csv --report numbers.html"),
            "numbers.json",
        ),
        (
            format!("layers {line} --report a.html -o rows.csv"),
            "rows.csv",
        ),
    ] {
        let output = place.run(&line);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.starts_with(&format!("quaver: {named}: ")),
            "{message}"
        );
        assert!(!place.path("a.csv").exists() && !place.path("a.html").exists());
    }
}

#[test]
fn sets_and_networks_are_compared() {
    let place = Place::with("--samples 300 --mislabelled 0 --overlaid 0");
    place.succeed("simulate overlay glyphs.npz -o overlaid.npz -q --outliers 100");
    fs::copy(place.path("net.onnx"), place.path("twin.onnx")).unwrap();
    let line =
        "compare net.onnx --train glyphs.npz --test overlaid.npz --scale 1/255 --resamples 50 -q";
    let found = place.json(&format!(
        "{line} --model twin.onnx --json --report c.html -o c.parquet"
    ));
    let models = found["models"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    assert_eq!(models[0]["fi_lambda_test"], models[1]["fi_lambda_test"]);
    assert!(models[0]["accuracy_train"].as_f64() > models[0]["accuracy_test"].as_f64());
    let comparisons = found["comparisons"].as_array().unwrap();
    let overall = comparisons
        .iter()
        .find(|row| row["class"].is_null() && row["measure"] == "fi_lambda");
    let overall = overall.unwrap();
    assert!(overall["superiority"].as_f64().unwrap() > 0.5);
    assert!(overall["q50_low"].as_f64() <= overall["q50_difference"].as_f64());
    assert_eq!(
        (overall["n_first"].as_u64(), overall["n_second"].as_u64()),
        (Some(300), Some(400))
    );
    let again = place.succeed(&format!("{line} --threads 1"));
    assert_eq!(again, place.succeed(&format!("{line} --threads 3")));
    assert!(again.contains("superiority"));

    place.succeed("score net.onnx glyphs.npz --scale 1/255 --report s.html --wrt input,layers -q");
    place.succeed("report c.json s.json -o all.html --title Both -q");
    let page = String::from_utf8(place.read("all.html")).unwrap();
    assert!(page.contains("<h1>Both</h1>") && page.contains("Sensitivity of net.onnx"));
    let whole: Json = serde_json::from_slice(&place.read("all.json")).unwrap();
    let part: Json = serde_json::from_slice(&place.read("c.json")).unwrap();
    // Everything of it, one level further down.
    let mut section = part["sections"][0].clone();
    section["depth"] = 1.into();
    assert_eq!(whole["sections"][1], section);
}

#[test]
fn bad_input_is_one_line_that_names_it_and_leaves_nothing() {
    let place = Place::with("--samples 300 --mislabelled 0 --overlaid 0");
    fs::write(place.path("no.json"), "{\"is\": 1}").unwrap();
    let names = || {
        let entries = fs::read_dir(place.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    for (line, named) in [
        ("simulate overlay none.npz -o o.npz", "none.npz"),
        (
            "simulate overlay glyphs.npz -o o.npz --max-shift 28",
            "28x28",
        ),
        (
            "simulate mislabel glyphs.npz -o o.npz --outliers 301",
            "301",
        ),
        (
            "compare net.onnx --train glyphs.npz --test none.npz",
            "none.npz",
        ),
        ("outliers net.onnx glyphs.npz --report r.json", "r.json"),
        ("report none.json -o o.html", "none.json"),
        ("report no.json -o o.html", "no.json"),
    ] {
        let output = place.run(&format!("{line} -q"));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert_eq!(message.lines().count(), 1, "{line}: {message}");
        assert!(message.contains(named), "{line}: {message}");
        assert_eq!(names(), before, "{line}");
    }
}

#[test]
fn files_of_one_name_are_told_apart() {
    let place = Place::with("--samples 40");
    for folder in ["a", "b"] {
        fs::create_dir(place.path(folder)).unwrap();
        fs::copy(place.path("net.onnx"), place.path(folder).join("net.onnx")).unwrap();
    }
    let data = "--train glyphs.npz --test glyphs.npz --scale 1/255";
    let line = format!("compare a/net.onnx --model b/net.onnx {data} --resamples 10 --json -q");
    let found = place.json(&line);
    let name = |at: usize| found["models"][at]["model"].as_str().unwrap();
    assert_eq!((name(0), name(1)), ("a/net.onnx", "b/net.onnx"));
    assert!(found["run"].get("a/net.onnx, train").is_some());
    assert!(found["run"].get("b/net.onnx, test").is_some());
    let line = "layers a/net.onnx glyphs.npz --model b/net.onnx --scale 1/255 -q";
    let text = place.succeed(line);
    assert!(
        text.contains("a/net.onnx: ") && text.contains("b/net.onnx: "),
        "{text}"
    );
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let place = Place::with("--samples 20");
    let line = "glyphs.npz --scale 1/255";
    place.succeed(&format!("score net.onnx {line} --store grams -q"));
    for (line, named) in [
        (
            "compare --train grams --test grams --model net.onnx",
            "one network",
        ),
        (
            "compare net.onnx --train grams --test grams",
            "leave the network out",
        ),
        ("layers grams glyphs.npz", "give it alone"),
        ("analyze grams grams", "one store"),
        (
            "compare --train grams --test grams --resamples 0",
            "at least 1",
        ),
        (
            "score net.onnx glyphs.npz --scale 1/255 -o - --json",
            "--json",
        ),
        ("score net.onnx glyphs.npz --layout nhwc", "[28, 1, 28]"),
    ] {
        refused(&place, line, &[named]);
    }
}
