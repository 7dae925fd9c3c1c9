//! The ONNX project's own cases for single operators, in double precision.
//!
//! `QUAVER_ONNX_NODE_TESTS` names the folder that the Python package `onnx` carries
//! (`onnx/backend/test/data/node`). The cases that pass are listed in `backend_nodes.txt`; the list may only grow,
//! and `QUAVER_BLESS=1` writes it anew.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use quaver_engine::conformance::{Array, array, run};

const LIST: &str = "tests/backend_nodes.txt";

fn folder() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("QUAVER_ONNX_NODE_TESTS") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "QUAVER_ONNX_NODE_TESTS is not set"
        );
        eprintln!("skipped: QUAVER_ONNX_NODE_TESTS is not set");
        return None;
    };
    Some(folder.into())
}

/// `input_0.pb`, `input_1.pb`, … as far as they go.
fn tensors(folder: &Path, stem: &str) -> Vec<Vec<u8>> {
    (0..)
        .map(|at| std::fs::read(folder.join(format!("{stem}_{at}.pb"))))
        .map_while(Result::ok)
        .collect()
}

fn close(got: &Array, want: &Array) -> bool {
    // The expectations were computed in the case's own type, and some were written down with four digits.
    let (relative, absolute) = match want.data_type {
        10 | 16 => (2e-2, 2e-2),
        _ => (1e-3, 1e-6),
    };
    let near = |(a, b): (&f64, &f64)| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= absolute + relative * b.abs()
    };
    got.shape == want.shape && got.values.iter().zip(&want.values).all(near)
}

/// Runs one case, first with all inputs given at run time and then with ever more of them as constants, as what
/// is an attribute in spirit (shapes, axes, weights) has to be.
fn check(case: &Path) -> Result<(), String> {
    let model = std::fs::read(case.join("model.onnx")).map_err(|e| e.to_string())?;
    let data = case.join("test_data_set_0");
    let inputs = tensors(&data, "input");
    let want: Result<Vec<Array>, _> = tensors(&data, "output").iter().map(|b| array(b)).collect();
    let want = want.map_err(|e| e.to_string())?;
    if want.is_empty() {
        return Err("no outputs".to_owned());
    }
    let arrays: Result<Vec<Array>, _> = inputs.iter().map(|b| array(b)).collect();
    let arrays = arrays.map_err(|e| e.to_string())?;
    let is_float = |at: usize| matches!(arrays[at].data_type, 1 | 10 | 11 | 16);
    let bindings: [&dyn Fn(usize) -> bool; 5] = [
        &|_| false,
        &|at| !is_float(at),
        &|at| at > 0,
        &|at| at > 0 || !is_float(at),
        &|_| true,
    ];
    let mut first = None;
    for is_bound in bindings {
        match run(&model, &inputs, is_bound) {
            Err(e) => first = first.or(Some(e.to_string())),
            // What can be read at all must be right.
            Ok(got)
                if got.len() == want.len() && got.iter().zip(&want).all(|(g, w)| close(g, w)) =>
            {
                return Ok(());
            }
            Ok(got) => {
                let show = |arrays: &[Array]| -> String {
                    let parts = arrays
                        .iter()
                        .map(|a| format!("{:?} {:?}", a.shape, &a.values[..a.values.len().min(8)]));
                    parts.collect::<Vec<_>>().join("; ")
                };
                return Err(format!("WRONG: {} for {}", show(&got), show(&want)));
            }
        }
    }
    Err(first.unwrap_or_default())
}

#[test]
fn the_specifications_own_cases_pass() {
    let Some(folder) = folder() else { return };
    let mut passing = BTreeSet::new();
    let mut failing = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("model.onnx").is_file() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match check(&path) {
            Ok(()) => {
                passing.insert(name);
            }
            Err(why) => failing.push((name, why)),
        }
    }
    failing.sort();
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(LIST);
    if std::env::var_os("QUAVER_BLESS").is_some() {
        let lines: String = passing.iter().map(|name| format!("{name}\n")).collect();
        std::fs::write(&list, lines).unwrap();
    }
    if let Some(report) = std::env::var_os("QUAVER_ONNX_REPORT") {
        let lines = failing.iter().map(|(name, why)| format!("{name}: {why}\n"));
        std::fs::write(report, lines.collect::<String>()).unwrap();
    }
    let text = std::fs::read_to_string(&list).unwrap();
    let listed: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let lost: Vec<String> = failing
        .iter()
        .filter(|(name, _)| listed.contains(name))
        .map(|(name, why)| format!("{name}: {why}"))
        .collect();
    assert!(
        lost.is_empty(),
        "cases that passed before:\n{}",
        lost.join("\n")
    );
    // Another version of the package has other cases; only those it has are compared.
    let new: Vec<&String> = passing.difference(&listed).collect();
    assert!(
        new.is_empty(),
        "cases that pass and are not listed (QUAVER_BLESS=1 adds them): {new:?}"
    );
}

/// Whatever is wrong with a file, it is an error and not a panic: the cases with a few bytes changed.
#[test]
fn damaged_cases_do_not_panic() {
    let Some(folder) = folder() else { return };
    let listed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(LIST)).unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % n
    };
    for name in listed.lines() {
        let case = folder.join(name);
        let Ok(model) = std::fs::read(case.join("model.onnx")) else {
            continue;
        };
        let inputs = tensors(&case.join("test_data_set_0"), "input");
        for round in 0..4 {
            let (mut model, mut inputs) = (model.clone(), inputs.clone());
            let damaged = match inputs.len() {
                n if n > 0 && round == 0 => &mut inputs[draw(n)],
                _ => &mut model,
            };
            for _ in 0..=draw(2) {
                let at = draw(damaged.len());
                // Small numbers reach axes, sizes and types; large ones are but too large.
                damaged[at] = draw(9) as u8;
            }
            let bound = draw(3);
            let _ = run(&model, &inputs, &|at| at >= bound);
        }
    }
}
