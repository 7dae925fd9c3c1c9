//! The command as its users meet it: what goes to stdout, what to stderr, what is left on the disk, how it ends.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Place, text};

/// With files that are damaged, and labels that do not fit.
fn place() -> Place {
    let place = Place::with("--samples 300");
    let network = place.read("net.onnx");
    fs::write(place.path("cut.onnx"), &network[..1000]).unwrap();
    let data = place.read("glyphs.npz");
    fs::write(place.path("cut.npz"), &data[..data.len() / 2]).unwrap();
    fs::write(place.path("labels.txt"), "12\n".repeat(300)).unwrap();
    fs::write(place.path("few.txt"), "1\n2\n").unwrap();
    fs::create_dir(place.path("empty")).unwrap();
    place
}

#[test]
fn bad_input_is_one_line_that_names_it_and_leaves_nothing() {
    let place = place();
    let before = place.files();
    // The command, and what its message must name.
    let cases = [
        ("score none.onnx glyphs.npz -o o.csv", "none.onnx"),
        ("score glyphs.npz glyphs.npz -o o.csv", "not an ONNX file"),
        ("score cut.onnx glyphs.npz -o o.csv", "cut.onnx"),
        ("score net.onnx none.npz -o o.csv", "none.npz"),
        ("score net.onnx cut.npz -o o.csv", "cut.npz"),
        ("score net.onnx empty -o o.csv", "empty"),
        ("score net.onnx glyphs.npz --x-key z -o o.csv", "--x-key"),
        (
            "score net.onnx glyphs.npz --labels labels.txt -o o.csv",
            "12",
        ),
        (
            "score net.onnx glyphs.npz --labels few.txt -o o.csv",
            "few.txt",
        ),
        ("score net.onnx glyphs.npz --indices 300 -o o.csv", "300"),
        ("score net.onnx glyphs.npz --label 10 -o o.csv", "10"),
        ("score net.onnx glyphs.npz --rtol 1 -o o.csv", "rtol"),
        ("score net.onnx glyphs.npz --lambda -1 -o o.csv", "lambda"),
        ("score net.onnx glyphs.npz --std 0 -o o.csv", "std"),
        (
            "score net.onnx glyphs.npz --output nothing -o o.csv",
            "nothing",
        ),
        (
            "score net.onnx glyphs.npz --input-shape 3,32,32 -o o.csv",
            "net.onnx",
        ),
        ("score net.onnx glyphs.npz -o o.xls", ".xls"),
        ("inspect cut.onnx", "cut.onnx"),
        ("demo --samples 10 --mislabelled 11", "11"),
        ("demo --mislabelled 0 --overlaid 0", "--mislabelled"),
    ];
    for (line, named) in cases {
        let output = place.run(line);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert_eq!(message.lines().count(), 1, "{line}: {message}");
        assert!(message.starts_with("quaver: "), "{line}: {message}");
        assert!(message.contains(named), "{line}: {message}");
        assert!(output.stdout.is_empty(), "{line}");
        assert_eq!(place.files(), before, "{line}");
    }
    // What the option parser refuses says how the command is used, on more lines.
    for line in [
        "score net.onnx",
        "score net.onnx glyphs.npz --scale x",
        "nonsense",
    ] {
        let output = place.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    let output = place.run("score net.onnx glyphs.npz -o none/o.csv");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn rows_are_the_same_for_any_number_of_threads_and_in_any_format() {
    let place = place();
    let score = |more: &str| {
        let output = place.run(&format!("score net.onnx glyphs.npz --scale 1/255 {more}"));
        assert!(output.status.success(), "{}", text(&output.stderr));
        output
    };
    for extension in ["csv", "parquet", "ndjson"] {
        let [one, two] = [1, 2].map(|n| {
            let name = format!("t{n}.{extension}");
            score(&format!("--threads {n} --compat 0.001 -o {name}"));
            fs::read(place.path(&name)).unwrap()
        });
        assert!(one == two && !one.is_empty(), "{extension}");
    }
    let lines = fs::read_to_string(place.path("t1.csv")).unwrap();
    assert_eq!(lines.lines().count(), 301);
    let header = lines.lines().next().unwrap();
    // FI never without rank, ceiling and saturation.
    assert!(header.contains("fi,rank,fi_max,saturation"), "{header}");
    assert!(header.ends_with("compat_fi,compat_rank,error"), "{header}");

    let streamed = score("--threads 2 --compat 0.001 -o - --quiet");
    assert!(streamed.stderr.is_empty());
    let stored = fs::read_to_string(place.path("t1.ndjson")).unwrap();
    let parse = |text: &str| -> Vec<serde_json::Value> {
        let rows = text.lines().map(serde_json::from_str);
        rows.collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(parse(text(&streamed.stdout)), parse(&stored));
}

#[test]
fn chosen_samples_keep_their_index() {
    let place = place();
    let line = "score net.onnx glyphs.npz --scale 1/255 --indices 7,250-252 --json --quiet";
    let output = place.run(line);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = result["most_influential"].as_array().unwrap();
    let mut indices: Vec<i64> = rows
        .iter()
        .map(|row| row["index"].as_i64().unwrap())
        .collect();
    indices.sort_unstable();
    assert_eq!(indices, [7, 250, 251, 252]);
    assert_eq!(result["summary"]["n_samples"], 4);
    assert!(
        result["summary"]["verdict"]
            .as_str()
            .unwrap()
            .contains("saturated")
    );
    let fi: Vec<f64> = rows.iter().map(|row| row["fi"].as_f64().unwrap()).collect();
    assert!(fi.is_sorted_by(|a, b| a >= b), "{fi:?}");
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let place = place();
    let mut child = place
        .command("score net.onnx glyphs.npz --scale 1/255 -o -")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_no_output_but_what_it_goes_on_from() {
    let place = place();
    // The same samples over and over: a run that is far too long to end by itself.
    let list = "0-299\n".repeat(10_000);
    fs::write(place.path("list.txt"), list).unwrap();
    let before = place.files();
    let child = place
        .command("score net.onnx glyphs.npz --indices @list.txt -o o.csv")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let has_begun = || place.files().len() > before.len();
    while !has_begun() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The handler is set just after the file is begun.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let kept = place.path("o.csv.partial");
    let left: Vec<PathBuf> = place
        .files()
        .into_iter()
        .filter(|file| *file != kept)
        .collect();
    assert_eq!(left, before);
    assert!(kept.join("store.json").is_file());
    let said = text(&output.stderr);
    assert!(
        said.lines().count() == 1 && said.contains("goes on"),
        "{said}"
    );
}

#[test]
fn inspect_says_what_a_model_is() {
    let place = place();
    let output = place.run("inspect net.onnx --json");
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["n_classes"], 10);
    assert_eq!(facts["n_params"], 23_946);
    assert_eq!(facts["head"]["kind"], "logits");
    assert_eq!(facts["layers"].as_array().unwrap().len(), 4);
    assert_eq!(facts["operators"]["Conv"], 3);
    let params = facts["params"].as_array().unwrap();
    let layers = facts["layers"].as_array().unwrap();
    let names = |list: &[serde_json::Value], key: &str| -> Vec<String> {
        list.iter()
            .map(|one| one[key].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(params[0]["layers"][0], layers[0]["name"]);
    let numbers = params.iter().map(|param| {
        let dims = param["shape"].as_array().unwrap().iter();
        dims.map(|n| n.as_u64().unwrap()).product::<u64>()
    });
    assert_eq!(numbers.sum::<u64>(), 23_946);
    let output = place.run("inspect net.onnx");
    let page = text(&output.stdout);
    assert!(
        page.contains("23946") && page.contains("supported"),
        "{page}"
    );
    for name in [names(params, "name"), names(layers, "name")].concat() {
        assert!(
            page.contains(&name),
            "{name} is a block, and not in\n{page}"
        );
    }
    let output = place.run("inspect cut.onnx --json");
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &facts["supported"]),
        (Some(2), &false.into())
    );
}

#[test]
fn the_demo_writes_a_page_and_the_table_behind_it() {
    let place = place();
    let output = place.run("demo --samples 400 --out there --quiet");
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(text(&output.stdout).contains("ROC-AUC"));
    let read = |name: &str| fs::read_to_string(place.path("there").join(name)).unwrap();
    assert_eq!(read("demo.csv").lines().count(), 401);
    let page = read("demo.html");
    assert!(page.contains("The most influential pictures") && page.contains("<svg"));
    assert!(no_address(&page));
    assert!(read("demo.json").contains("The most influential pictures"));
    assert!(Path::new(&place.path("there")).read_dir().unwrap().count() == 3);
}

/// A page that is complete in itself fetches nothing. (Names of XML vocabularies are not fetched.)
fn no_address(page: &str) -> bool {
    let rest = page.replace("http://www.w3.org/", "");
    !rest.contains("http://") && !rest.contains("https://")
}
