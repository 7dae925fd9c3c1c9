//! `quaver attack` as its users meet it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;

use common::{Place, text};

#[test]
fn bad_input_is_one_line_that_names_it_and_leaves_nothing() {
    let place = Place::with("--samples 60");
    let before = place.files();
    for (line, named) in [
        ("attack net.onnx none.npz -o o.csv", "none.npz"),
        ("attack net.onnx glyphs.npz --attack cw -o o.csv", "\"cw\""),
        (
            "attack net.onnx glyphs.npz --epsilon 0 -o o.csv",
            "epsilon 0",
        ),
        (
            "attack net.onnx glyphs.npz --target 10 -o o.csv",
            "class 10",
        ),
        ("attack net.onnx glyphs.npz --pixels 0 -o o.csv", "pixels 0"),
        (
            "attack net.onnx glyphs.npz --bounds 0,9 --scale 1/255 -o o.csv",
            "could be attacked",
        ),
        ("attack net.onnx glyphs.npz -o o.xls", ".xls"),
        ("attack net.onnx glyphs.npz --save o.zip", ".npz"),
        ("attack net.onnx glyphs.npz --report o.txt", ".html"),
        (
            "attack net.onnx glyphs.npz --y-key none --bounds 0,255",
            "none",
        ),
    ] {
        let output = place.run(&format!("{line} --quiet"));
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert_eq!(message.lines().count(), 1, "{line}: {message}");
        assert!(message.contains(named), "{line}: {message}");
        assert!(output.stdout.is_empty(), "{line}");
        assert_eq!(place.files(), before, "{line}");
    }
}

#[test]
fn what_is_saved_is_what_was_found() {
    let place = Place::with("--samples 60");
    let line = "attack net.onnx glyphs.npz --scale 1/255 --attack reach-pixel,pgd-linf,deepfool --epsilon 4/255,8/255";
    let mut outputs = Vec::new();
    for threads in [1, 2] {
        let files = "-o rows.csv --save adv.npz --report page.html --json --quiet";
        let output = place.run(&format!("{line} --threads {threads} {files}"));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let read = |name: &str| fs::read(place.path(name)).unwrap();
        let files = ["rows.csv", "adv.npz", "page.html", "page.json"].map(read);
        outputs.push((output.stdout, files));
    }
    assert!(outputs[0] == outputs[1]);
    let (stdout, [rows, _, page, numbers]) = &outputs[0];
    // The page's numbers are a page again, which `quaver report` gathers with others.
    let numbers: serde_json::Value = serde_json::from_slice(numbers).unwrap();
    assert_eq!(numbers["run"]["command"], "attack");
    let gathered = place.run("report page.json page.json -o both.html");
    assert!(gathered.status.success(), "{}", text(&gathered.stderr));
    // Three attacks, one of them at two radii.
    assert_eq!(text(rows).lines().count(), 1 + 60 * 4);
    assert!(text(page).contains("What the attacks did") && text(page).contains("<svg"));
    assert!(text(page).contains("<h1>Robustness of net.onnx</h1>"));
    let result: serde_json::Value = serde_json::from_slice(stdout).unwrap();
    let attacks = result["summary"]["attacks"].as_array().unwrap();
    let successes: u64 = attacks
        .iter()
        .map(|a| a["successes"].as_u64().unwrap())
        .sum();
    let attacked: u64 = attacks
        .iter()
        .map(|a| a["attacked"].as_u64().unwrap())
        .sum();
    assert!(successes > 0 && attacks.len() == 4);
    // The perturbed samples, read back by the ordinary reader with the same preprocessing, are classified otherwise as
    // often as the attacks say.
    let score = "score net.onnx adv.npz --x-key x_adv --scale 1/255 --json --quiet -o back.csv";
    let output = place.run(score);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let back: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let summary = &back["summary"];
    assert_eq!(summary["n_samples"].as_u64(), Some(attacked));
    assert_eq!(summary["n_correct"].as_u64(), Some(attacked - successes));
}

#[test]
fn bounds_may_be_those_of_the_data() {
    let place = Place::with("--samples 60");
    let line =
        "attack net.onnx glyphs.npz --scale 1/255 --attack fgsm --limit 5 --bounds auto --json";
    let output = place.run(line);
    assert!(
        text(&output.stderr).contains("bounds 0,"),
        "{}",
        text(&output.stderr)
    );
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let bounds = &result["run"]["bounds"];
    // No pixel of the five pictures is fully black, so that less than 255 is seen.
    let high = bounds[1].as_f64().unwrap();
    assert!(bounds[0] == 0.0 && high > 150.0 && high < 255.0, "{bounds}");
    // One row per sample and attack on stdout, the summary on stderr.
    let output = place.run("attack net.onnx glyphs.npz --scale 1/255 --attack fgsm --limit 5 -o -");
    assert_eq!(text(&output.stdout).lines().count(), 5);
    assert!(text(&output.stderr).contains("fgsm"));
}

/// Bytes go from 0 to 255, whoever says their labels; and the file that says them belongs to the run.
#[test]
fn labels_from_another_file_leave_the_range_of_the_data_known_and_are_recorded() {
    let place = Place::with("--samples 20");
    let picture = |at: usize| (0..28 * 28).map(move |pixel| ((pixel * 7 + at * 31) % 256) as u8);
    let pixels: Vec<u8> = (0..4).flat_map(picture).collect();
    let images = [
        &[0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 28],
        &*pixels,
    ]
    .concat();
    fs::write(place.path("pictures.idx"), images).unwrap();
    let predicted = "score net.onnx pictures.idx --scale 1/255 --label predicted -o p.csv --quiet";
    assert!(place.run(predicted).status.success());
    let rows = place.read("p.csv");
    let rows = text(&rows);
    let header = rows.lines().next().unwrap().split(',');
    let at = header.clone().position(|name| name == "predicted").unwrap();
    let labels: Vec<&str> = rows
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(at).unwrap())
        .collect();
    fs::write(place.path("labels.txt"), labels.join("\n")).unwrap();
    let line = "attack net.onnx pictures.idx --labels labels.txt --scale 1/255 --attack fgsm --json --quiet";
    let output = place.run(line);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["run"]["bounds"], serde_json::json!([0.0, 255.0]));
    assert_eq!(result["run"]["labels"]["path"], "labels.txt");
    assert!(
        result["run"]["labels"]["sha256"].is_string(),
        "{}",
        result["run"]["labels"]
    );
}
