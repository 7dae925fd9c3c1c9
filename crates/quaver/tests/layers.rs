//! A study of layers against its own scores.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use quaver::demo::{GlyphOptions, GlyphSet, model};
use quaver::layers::{LAYER_MEASURES, LayerStudy};
use quaver::verify::{Disturbance, VerifyOptions, verify_layers};
use quaver::{LoadOptions, Model, Precision, Score, ScoreOptions};

fn scores() -> Vec<Score> {
    let glyphs = GlyphSet::generate(&GlyphOptions {
        n_samples: 31,
        mislabelled: 0,
        overlaid: 0,
        ..Default::default()
    })
    .unwrap();
    let options = ScoreOptions {
        wrt: vec!["layers".to_owned(), "params".to_owned()],
        ..ScoreOptions::default()
    };
    model().unwrap().score(&glyphs, &options).unwrap()
}

#[test]
fn medians_are_those_of_the_scores() {
    let scores = scores();
    let mut study = LayerStudy::default();
    scores.iter().for_each(|score| study.add(score));
    let report = study.finish();
    assert!(report.layers.len() >= 4);
    for layer in &report.layers {
        let mut traces: Vec<f64> = scores
            .iter()
            .filter(|score| score.block == layer.block)
            .map(|score| score.relative.unwrap().fisher_trace)
            .collect();
        assert_eq!((traces.len(), layer.n_samples), (31, 31));
        traces.sort_by(f64::total_cmp);
        assert_eq!(
            layer.quartiles("rel_fisher_trace").unwrap().median,
            traces[15]
        );
        // compat_fi was not asked for.
        for measure in LAYER_MEASURES.iter().filter(|m| m.name != "compat_fi") {
            let q = layer.quartiles(measure.name).unwrap();
            assert!(q.first <= q.median && q.median <= q.third);
            assert_eq!(layer.values(measure.name).len(), 31);
        }
        assert!(layer.quartiles("none").is_none());
    }
    // All parameters together are the sum of the layers: no layer has a larger trace.
    let order = report.ranked_by("fisher_trace");
    assert_eq!(&*order[0].block, "params");
    assert!(
        report.verdict().contains("saturated in"),
        "{}",
        report.verdict()
    );
}

#[test]
fn the_order_of_the_layers_is_that_of_the_network() {
    let scores = scores();
    let mut study = LayerStudy::default();
    scores.iter().for_each(|score| study.add(score));
    let names: Vec<_> = study
        .finish()
        .layers
        .into_iter()
        .map(|layer| layer.block)
        .collect();
    let first: Vec<_> = scores
        .iter()
        .take(names.len())
        .map(|score| score.block.clone())
        .collect();
    assert_eq!(names, first);
}

/// Small noise has the divergence that the metric says, and the order of the layers is the predicted one.
#[test]
fn disturbed_layers_react_as_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, include_bytes!("../assets/demo_glyphs.onnx")).unwrap();
    let load = LoadOptions::default();
    let network = Model::load(&path, &load).unwrap();
    let glyphs = GlyphSet::generate(&GlyphOptions {
        n_samples: 60,
        mislabelled: 0,
        overlaid: 0,
        ..Default::default()
    })
    .unwrap();
    let wrt = vec!["layers".to_owned()];
    let options = ScoreOptions {
        wrt: wrt.clone(),
        precision: Precision::F64,
        ..ScoreOptions::default()
    };
    let mut study = LayerStudy::default();
    let scores = network.score(&glyphs, &options).unwrap();
    scores.iter().for_each(|score| study.add(score));
    let report = study.finish();
    let blocks = network.blocks(&wrt).unwrap();
    let stop = AtomicBool::new(false);
    let verify = |options: &VerifyOptions| {
        verify_layers(
            &path,
            &load,
            &glyphs,
            (&blocks, &report),
            options,
            &stop,
            || (),
        )
    };
    let options = VerifyOptions {
        strengths: vec![1e-3],
        draws: 40,
        precision: Precision::F64,
        ..VerifyOptions::default()
    };
    let found = verify(&options).unwrap();
    assert_eq!(found.layers.len(), blocks.len());
    for layer in &found.layers {
        // 40 draws of a quadratic form of a few directions: a fifth of it is three standard deviations or more.
        let ratio = layer.mean_kl / layer.predicted_kl.unwrap();
        assert!((ratio - 1.0).abs() < 0.35, "{}: {ratio}", layer.block);
        assert!(layer.agreement > 0.95);
    }
    let order = found
        .agreements
        .iter()
        .find(|a| a.measure == "predicted_kl");
    assert!(
        order.unwrap().correlation.unwrap() > 0.7,
        "{:?}",
        found.agreements
    );
    // Without any parameters left a layer says nothing of the picture.
    let knocked = |seed, threads| {
        verify(&VerifyOptions {
            disturbance: Disturbance::Knockout,
            strengths: vec![0.05, 1.0],
            draws: 1,
            seed,
            threads: NonZeroUsize::new(threads),
            ..VerifyOptions::default()
        })
        .unwrap()
    };
    let found = knocked(1, 1);
    assert!(found.accuracy.unwrap() > 0.9);
    for pair in found.layers.chunks_exact(2) {
        assert!(pair[1].mean_kl > pair[0].mean_kl && pair[1].accuracy.unwrap() < 0.5);
    }
    assert_eq!(found, knocked(1, 3));
    assert_ne!(found, knocked(2, 1));
    let bad = VerifyOptions {
        strengths: vec![-1.0],
        ..VerifyOptions::default()
    };
    assert!(
        verify(&bad)
            .unwrap_err()
            .to_string()
            .contains("strength -1")
    );
}
