//! Networks that others trained classify real images as well as their authors say, read with their preprocessing.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::path::Path;

use crate::common::data;
use quaver::{LoadOptions, Model, OpenOptions};
use quaver_engine::Program;

/// The share of samples, in percent, whose largest logit is the label's.
fn accuracy(model: &Model, path: &Path, options: &OpenOptions) -> f64 {
    let dataset = quaver::open(path, options, Some(model.input_shape())).unwrap();
    let graph = model.graph();
    let program = Program::<f32>::new(graph, model.head().logits, graph.inputs()).unwrap();
    let is_correct = |workspace: &mut _, index: usize| {
        let sample = dataset.read(index).unwrap();
        let values: Vec<f32> = sample.values.iter().map(|&value| value as f32).collect();
        let logits = program.forward(workspace, &[&values]).unwrap();
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        best == sample.label
    };
    let count = |first: usize| {
        let mut workspace = program.workspace();
        let indices = (first..dataset.len()).step_by(2);
        indices
            .filter(|&index| is_correct(&mut workspace, index))
            .count()
    };
    let correct = std::thread::scope(|scope| {
        let odd = scope.spawn(|| count(1));
        count(0) + odd.join().unwrap()
    });
    100.0 * correct as f64 / dataset.len() as f64
}

fn check(name: &str, images: &str, options: &OpenOptions, percent: f64, rounding: f64) {
    let Some(data) = data() else { return };
    let path = data.join(format!("models/{name}.onnx"));
    let model = Model::load(path, &LoadOptions::default()).unwrap();
    let options = OpenOptions {
        labels: options.labels.as_ref().map(|labels| data.join(labels)),
        ..options.clone()
    };
    let got = accuracy(&model, &data.join(images), &options);
    assert!(
        (got - percent).abs() <= rounding,
        "{name}: {got} for {percent}"
    );
}

fn preprocessing(scale: f64, mean: &[f64], std: &[f64]) -> OpenOptions {
    OpenOptions {
        scale,
        mean: mean.to_vec(),
        std: std.to_vec(),
        ..OpenOptions::default()
    }
}

#[test]
fn on_cifar10() {
    let imagenet = preprocessing(1.0 / 255.0, &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]);
    let lenet = preprocessing(
        1.0,
        &[125.307, 122.95, 113.865],
        &[62.9932, 62.0887, 66.7048],
    );
    let raw = OpenOptions::default();
    for (name, options, percent) in [
        ("akamaster_resnet20_cifar10", &imagenet, 91.6),
        ("akamaster_resnet32_cifar10", &imagenet, 93.0),
        ("mfipso_resnet32_cifar10", &raw, 92.0),
        ("titu1994_densenet40-12_cifar10", &raw, 94.2),
        ("mlperftiny_resnet8_cifar10", &raw, 87.8),
        ("onepixel_lenet_cifar10", &lenet, 74.4),
    ] {
        check(
            name,
            "cifar10/test_batch_first932.bin",
            options,
            percent,
            0.05,
        );
    }
}

#[test]
fn on_mnist() {
    let unit = preprocessing(1.0 / 255.0, &[], &[]);
    let standard = preprocessing(1.0 / 255.0, &[0.1307], &[0.3081]);
    let raw = OpenOptions::default();
    for (name, options, percent, rounding) in [
        ("mfipso_resnet32_mnist", &unit, 99.25, 0.005),
        ("burn_mnist_cnn", &standard, 99.2, 0.05),
        ("onnxzoo_mnist-8", &raw, 98.9, 0.05),
        ("rten_mnist_cnn", &standard, 77.2, 0.05),
    ] {
        let options = OpenOptions {
            labels: Some("mnist/t10k-labels-idx1-ubyte.gz".into()),
            ..options.clone()
        };
        let images = "mnist/t10k-images-idx3-ubyte.gz";
        check(name, images, &options, percent, rounding + 1e-9);
    }
}
