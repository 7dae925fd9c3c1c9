//! Every network of the test data loads, runs, and differentiates; what is not a classifier says so.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod common;

use common::data;
use quaver_engine::{Graph, Head, HeadChoice, HeadKind, ImportOptions, Program};

#[test]
fn every_model_runs_and_is_differentiated() {
    let Some(data) = data() else { return };
    let mut models: Vec<_> = std::fs::read_dir(data.join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "onnx"))
        .collect();
    models.sort();
    assert_eq!(models.len(), 12);
    for path in models {
        let graph = Graph::read(&path, &ImportOptions::default()).unwrap();
        let regressor = path.ends_with("mlperftiny_ad01_autoencoder.onnx");
        let head = if regressor {
            let refusal = Head::find(&graph, HeadChoice::Detect)
                .unwrap_err()
                .to_string();
            assert!(refusal.contains("not a classifier"), "{refusal}");
            Head::find(&graph, HeadChoice::Logits).unwrap()
        } else {
            Head::find(&graph, HeadChoice::Detect).unwrap()
        };
        let input = graph.inputs()[0];
        let program = Program::<f64>::new(&graph, head.logits, &[input]).unwrap();
        let at = |t: f64| -> Vec<f64> {
            (0..graph.n_elements(input))
                .map(|i| 0.5 + 0.5 * (i as f64 * 0.7).sin() + t * (i as f64 * 1.3).cos())
                .collect()
        };
        let mut workspace = program.workspace();
        let mut run = |t: f64| program.forward(&mut workspace, &[&at(t)]).unwrap().to_vec();
        let h = 1e-7;
        let (plus, minus) = (run(h), run(-h));
        run(0.0);
        let cotangent: Vec<f64> = (0..plus.len()).map(|k| (k as f64).cos()).collect();
        program.backward(&mut workspace, &cotangent);
        let want: f64 = (0..plus.len())
            .map(|k| cotangent[k] * (plus[k] - minus[k]) / (2.0 * h))
            .sum();
        let direction = (0..graph.n_elements(input)).map(|i| (i as f64 * 1.3).cos());
        let got: f64 = workspace
            .gradient(0)
            .iter()
            .zip(direction)
            .map(|(g, d)| g * d)
            .sum();
        assert!(
            (want - got).abs() < 1e-5 * want.abs().max(1.0),
            "{}: differences give {want}, the reverse pass {got}",
            path.display()
        );
    }
}

#[test]
fn heads_are_recognised() {
    let Some(data) = data() else { return };
    for (name, kind, n_classes) in [
        ("burn_mnist_cnn", HeadKind::LogSoftmax, 10),
        ("akamaster_resnet20_cifar10", HeadKind::Logits, 10),
        ("mlperftiny_mobilenetv1_vww96", HeadKind::Logits, 2),
    ] {
        let path = data.join(format!("models/{name}.onnx"));
        let graph = Graph::read(&path, &ImportOptions::default()).unwrap();
        let head = Head::find(&graph, HeadChoice::Detect).unwrap();
        assert_eq!((head.kind, head.n_classes), (kind, n_classes), "{name}");
    }
}
