//! What callers of the library rely on: determinism, an end on request, errors that say what is wrong.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use crate::common::data;
use quaver::demo::{GlyphOptions, GlyphSet};
use quaver::{ErrorKind, InMemory, LabelChoice, LoadOptions, Model, ScoreOptions};

fn glyphs(n: usize) -> (Model, GlyphSet) {
    let set = GlyphSet::generate(&GlyphOptions::clean(n, 3)).unwrap();
    (quaver::demo::model().unwrap(), set)
}

#[test]
fn scores_do_not_depend_on_the_number_of_threads() {
    let (model, set) = glyphs(60);
    let [one, two, five] = [1, 2, 5].map(|n| {
        let options = ScoreOptions {
            threads: NonZeroUsize::new(n),
            ..ScoreOptions::default()
        };
        model.score(&set, &options).unwrap()
    });
    assert!(one == two && one == five && one.len() == 60);
}

#[test]
fn a_run_ends_on_request() {
    let (model, set) = glyphs(200);
    let stop = AtomicBool::new(false);
    let mut n = 0;
    let options = ScoreOptions::default();
    let error = model
        .score_each(&set, &options, &stop, |_| {
            n += 1;
            stop.store(n >= 3, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(n < 200);
}

#[test]
fn what_does_not_fit_is_named() {
    let (model, _) = glyphs(1);
    let blank = |n: usize, labels: Option<Vec<usize>>| {
        InMemory::new(&[1, 28, 28], vec![0.5; n * 784], labels).unwrap()
    };
    let class = |class: usize| ScoreOptions {
        label: LabelChoice::Class(class),
        ..ScoreOptions::default()
    };
    let usual = ScoreOptions::default();
    let small = InMemory::new(&[1, 2, 2], vec![0.5; 4], Some(vec![0])).unwrap();
    let infinite = vec![f64::INFINITY; 784];
    let infinite = InMemory::new(&[1, 28, 28], infinite, Some(vec![0])).unwrap();
    for (dataset, options, kind, named) in [
        (
            blank(2, Some(vec![0, 10])),
            &usual,
            ErrorKind::Data,
            "label 10",
        ),
        (blank(1, None), &usual, ErrorKind::Data, "--labels"),
        (blank(0, None), &usual, ErrorKind::Data, "no samples"),
        (blank(1, None), &class(10), ErrorKind::Option, "class 10"),
        (small, &usual, ErrorKind::Data, "[1, 2, 2]"),
        (infinite, &usual, ErrorKind::Model, "sample 0"),
    ] {
        let error = model.score(&dataset, options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn a_regressor_is_no_classifier() {
    let Some(data) = data() else { return };
    let path = data.join("models/mlperftiny_ad01_autoencoder.onnx");
    let error = Model::load(&path, &LoadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    let text = error.to_string();
    assert!(
        text.contains("not a classifier") && text.contains("ad01"),
        "{text}"
    );
    let seen = quaver::inspect(&path, &LoadOptions::default()).unwrap();
    assert!(seen.head.is_err() && seen.n_params > 0 && seen.macs > 0);
}
