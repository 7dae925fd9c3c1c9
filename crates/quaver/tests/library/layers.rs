//! A study of layers against its own scores.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use quaver::demo::{GlyphOptions, GlyphSet, model};
use quaver::layers::{LAYER_MEASURES, LayerStudy};
use quaver::verify::{Disturbance, VerifyOptions, verify_layers};
use quaver::{LoadOptions, Model, Precision, RunOptions, Score, ScoreOptions};

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
    std::fs::write(&path, include_bytes!("../../assets/demo_glyphs.onnx")).unwrap();
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

/// A unit that is knocked out is one that no later layer hears of: where a ReLU of nothing follows it, the network
/// answers as one whose next layer does not read that unit.
#[test]
fn a_unit_knocked_out_is_a_unit_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    std::fs::write(&path, include_bytes!("../../assets/demo_glyphs.onnx")).unwrap();
    let load = LoadOptions::default();
    let glyphs = GlyphSet::generate(&GlyphOptions {
        n_samples: 6,
        mislabelled: 0,
        overlaid: 0,
        ..Default::default()
    })
    .unwrap();
    // The weights of the convolutions and of the dense layer, in order, with their shapes.
    let mut weights: Vec<(String, Vec<usize>)> = Vec::new();
    let network = Model::load_edited(&path, &load, |initializer, _| {
        if initializer.shape.len() > 1 {
            weights.push((initializer.name.clone(), initializer.shape.clone()));
        }
    })
    .unwrap();
    let mut trained: Vec<String> = Vec::new();
    for layer in network.graph().layers(network.head().logits) {
        trained.push(layer.params[0].0.clone());
    }
    weights.sort_by_key(|(name, _)| trained.iter().position(|known| known == name));
    assert_eq!(weights.len(), 4, "{weights:?}");
    let options = RunOptions {
        threads: None,
        ..RunOptions::default()
    };
    let log_p = |model: &Model| -> Vec<Vec<f64>> {
        let mut answers = Vec::new();
        let answer = |_, prediction: quaver::Prediction| {
            answers.push(prediction.p);
            Ok(())
        };
        model
            .predict_each::<f64>(&glyphs, &options, answer)
            .unwrap();
        answers
    };
    let whole = log_p(&network);
    let kl = |other: &[Vec<f64>]| {
        let one = |(p, q): (&Vec<f64>, &Vec<f64>)| -> f64 {
            p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum()
        };
        whole.iter().zip(other).map(one).sum::<f64>() / whole.len() as f64
    };
    let wrt = ["layers".to_owned()];
    let blocks = network.blocks(&wrt).unwrap();
    let report = LayerStudy::default().finish();
    let stop = AtomicBool::new(false);
    let mut options = VerifyOptions {
        disturbance: Disturbance::KnockoutUnits,
        strengths: vec![0.0],
        draws: 1,
        precision: Precision::F64,
        ..VerifyOptions::default()
    };
    let mut seen = std::collections::BTreeSet::new();
    for at in 0..3 {
        let n_units = weights[at].1[0];
        let (next, shape) = &weights[at + 1];
        // Every input channel of the next layer in turn is not read.
        let inner: usize = shape[2..].iter().product();
        let without: Vec<f64> = (0..n_units)
            .map(|unit| {
                let deaf = Model::load_edited(&path, &load, |initializer, values| {
                    if initializer.name == *next {
                        let channels = values.chunks_mut(inner);
                        let heard = channels.enumerate();
                        heard
                            .filter(|(channel, _)| channel % n_units == unit)
                            .for_each(|(_, weights)| weights.fill(0.0));
                    }
                });
                kl(&log_p(&deaf.unwrap()))
            })
            .collect();
        for seed in 0..4 {
            (options.strengths[0], options.seed) = (1.0 / n_units as f64, seed);
            let found = verify_layers(
                &path,
                &load,
                &glyphs,
                (&blocks[at..=at], &report),
                &options,
                &stop,
                || (),
            );
            let observed = found.unwrap().layers[0].mean_kl;
            let near = |kl: &f64| (kl / observed - 1.0).abs() < 1e-6;
            let unit = without.iter().position(near);
            assert!(
                unit.is_some(),
                "layer {at}: {observed} is none of {without:?}"
            );
            seen.insert((at, unit));
        }
    }
    // Not the same unit each time.
    assert!(seen.len() > 6, "{seen:?}");
    // All units of a layer: the sample is not heard of any more, and all answers are one.
    options.strengths[0] = 1.0;
    let found = verify_layers(
        &path,
        &load,
        &glyphs,
        (&blocks, &report),
        &options,
        &stop,
        || (),
    )
    .unwrap();
    assert_eq!((found.layers.len(), found.left_out.len()), (4, 0));
    let constant = |layer: usize| {
        let dead = Model::load_edited(&path, &load, |initializer, values| {
            let members = &blocks[layer].members;
            if members.iter().any(|member| **member == *initializer.name) {
                values.fill(0.0);
            }
        });
        log_p(&dead.unwrap())
    };
    for (at, layer) in found.layers.iter().enumerate() {
        let answers = constant(at);
        assert!(answers.iter().all(|p| *p == answers[0]));
        assert!((layer.mean_kl / kl(&answers) - 1.0).abs() < 1e-9);
    }
}

/// A layer whose units are not known is left out by name; a network of such layers alone is refused.
#[test]
fn layers_without_units_are_left_out() {
    let path = std::path::Path::new("tests/models/tokens.onnx");
    let load = LoadOptions::default();
    let network = Model::load(path, &load).unwrap();
    let blocks = network.blocks(&["layers".to_owned()]).unwrap();
    let embedding = blocks.iter().position(|b| b.name.contains("embedding"));
    let embedding = &blocks[embedding.unwrap()];
    let data = quaver::InMemory::new(network.input_shape(), vec![1.0; 8], None);
    let report = LayerStudy::default().finish();
    let verify = |blocks: &[quaver::Block]| {
        verify_layers(
            path,
            &load,
            data.as_ref().unwrap(),
            (blocks, &report),
            &VerifyOptions {
                disturbance: Disturbance::KnockoutUnits,
                draws: 1,
                ..VerifyOptions::default()
            },
            &AtomicBool::new(false),
            || (),
        )
    };
    let found = verify(&blocks).unwrap();
    assert_eq!(found.left_out, std::slice::from_ref(&embedding.name));
    assert!(found.layers.iter().all(|d| d.block != embedding.name));
    let refused = verify(std::slice::from_ref(embedding)).unwrap_err();
    assert!(
        refused.to_string().contains("no layer has units"),
        "{refused}"
    );
}
