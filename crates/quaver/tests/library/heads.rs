//! Models beyond one input and one softmax: several inputs, token ids, several labels, regressions; and samples that
//! fail without taking others with them. Every number against central differences of the outputs.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use quaver::{
    AttackOptions, Bounds, ErrorKind, HeadChoice, InMemory, LabelChoice, LoadOptions, Model,
    Network, ObjectiveChoice, Precision, Score, ScoreOptions, Source, score_each,
};

fn path(name: &str) -> PathBuf {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    models.join(format!("{name}.onnx"))
}

fn load(name: &str, head: HeadChoice, noise: f64) -> Model {
    let options = LoadOptions {
        head,
        noise,
        ..LoadOptions::default()
    };
    Model::load(path(name), &options).unwrap()
}

fn double() -> ScoreOptions {
    ScoreOptions {
        precision: Precision::F64,
        ..ScoreOptions::default()
    }
}

/// The network's outputs at `x`.
fn outputs(model: &Model, x: &[f64]) -> Vec<f64> {
    let data = InMemory::new(model.input_shape(), x.to_vec(), None).unwrap();
    let network = Network::new(model, &data, &double()).unwrap();
    let evaluated = network.reader()(0).unwrap();
    evaluated.unwrap().outputs
}

/// ∂outputs/∂x at `at`, K × n by central differences.
fn jacobian(model: &Model, x: &[f64], at: std::ops::Range<usize>) -> Vec<Vec<f64>> {
    const STEP: f64 = 1e-5;
    let column = |i: usize| {
        let moved = |by: f64| {
            let mut x = x.to_vec();
            x[i] += by;
            outputs(model, &x)
        };
        let (above, below) = (moved(STEP), moved(-STEP));
        let column: Vec<f64> = above
            .iter()
            .zip(&below)
            .map(|(a, b)| (a - b) / (2.0 * STEP))
            .collect();
        column
    };
    let columns: Vec<Vec<f64>> = at.map(column).collect();
    let row = |k: usize| columns.iter().map(|column| column[k]).collect();
    (0..model.n_classes()).map(row).collect()
}

fn score(
    model: &Model,
    x: &[f64],
    label: Option<usize>,
    target: Option<Vec<f64>>,
    options: &ScoreOptions,
) -> Vec<Score> {
    let labels = label.map(|label| vec![label]);
    let data = InMemory::new(model.input_shape(), x.to_vec(), labels).unwrap();
    let targets = target.map(|t| InMemory::new(&[t.len()], t, None).unwrap());
    let mut network = Network::new(model, &data, options).unwrap();
    if let Some(targets) = &targets {
        network = network.with_targets(targets).unwrap();
    }
    let mut scores = Vec::new();
    score_each(&network, options, &AtomicBool::new(false), |scored| {
        scores.extend(scored.map_err(quaver::SampleFailure::into_error)?);
        Ok(())
    })
    .unwrap();
    scores
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-7 * b.abs().max(1e-3), "{a} is not {b}");
}

#[test]
fn several_inputs_are_one_block_or_one_each() {
    let model = load("two_inputs", HeadChoice::Detect, 1.0);
    assert_eq!(model.input_shape(), [5]);
    let names: Vec<&str> = model.inputs().iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let x = [0.3, -0.7, 1.1, 0.2, -0.4];
    let options = ScoreOptions {
        wrt: ["input", "input:a", "input:b", "input:a+input:b"]
            .map(str::to_owned)
            .to_vec(),
        ..double()
    };
    let scores = score(&model, &x, Some(1), None, &options);
    let softmax = |z: &[f64]| -> Vec<f64> {
        let total: f64 = z.iter().map(|z| z.exp()).sum();
        z.iter().map(|z| z.exp() / total).collect()
    };
    let p = softmax(&outputs(&model, &x));
    for (score, at) in scores.iter().zip([0..5, 0..2, 2..5, 0..5]) {
        let j = jacobian(&model, &x, at);
        // grad f = Σ p_k J_k − J_y; tr G = Σ p_k ‖J_k − J̄‖².
        let n = j[0].len();
        let mean: Vec<f64> = (0..n)
            .map(|i| (0..3).map(|k| p[k] * j[k][i]).sum())
            .collect();
        let norm: f64 = (0..n).map(|i| (mean[i] - j[1][i]).powi(2)).sum();
        let trace: f64 = (0..3)
            .map(|k| p[k] * (0..n).map(|i| (j[k][i] - mean[i]).powi(2)).sum::<f64>())
            .sum();
        close(score.measures.grad_norm, norm.sqrt());
        close(score.measures.fisher_trace, trace);
    }
    assert_eq!(scores[0].measures, scores[3].measures);
    let wrong = InMemory::new(&[4], vec![0.0; 4], None).unwrap();
    let error = model.score(&wrong, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[test]
fn token_models_are_perturbed_in_their_embeddings() {
    let model = load("tokens", HeadChoice::Detect, 1.0);
    assert_eq!(model.input_shape(), [8]);
    let x = [3.0, 1.0, 5.0, 2.0, 1.0, 1.0, 1.0, 0.0];
    let options = ScoreOptions {
        wrt: ["input", "value:embedded", "params"]
            .map(str::to_owned)
            .to_vec(),
        ..double()
    };
    let scores = score(&model, &x, Some(0), None, &options);
    assert_eq!(scores[0].measures, scores[1].measures);
    assert!(scores[0].measures.grad_norm > 0.0 && scores[2].measures.grad_norm > 0.0);
    // The masked token plays no part: another in its place changes nothing.
    let mut other = x;
    other[3] = 4.0;
    let others = score(&model, &other, Some(0), None, &options);
    assert_eq!(scores[0].measures, others[0].measures);
    let error = model.blocks(&["input:ids".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("input:ids"), "{error}");
}

#[test]
fn several_labels_each_with_a_fisher_information_of_its_own() {
    let detected = Model::load(path("multi_label"), &LoadOptions::default()).unwrap_err();
    assert!(
        detected.to_string().contains("--head multi-label"),
        "{detected}"
    );
    let model = load("multi_label", HeadChoice::MultiLabel, 1.0);
    let x = [0.5, -1.0, 0.25, 2.0];
    let z = outputs(&model, &x);
    let j = jacobian(&model, &x, 0..4);
    let p: Vec<f64> = z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
    let labels = [1.0, 0.0, 1.0];
    let scores = score(&model, &x, None, Some(labels.to_vec()), &double());
    let gradient = (0..4).map(|i| {
        let sum: f64 = (0..3).map(|k| (p[k] - labels[k]) * j[k][i]).sum();
        sum * sum
    });
    close(scores[0].measures.grad_norm, gradient.sum::<f64>().sqrt());
    let trace = (0..3).map(|k| p[k] * (1.0 - p[k]) * j[k].iter().map(|j| j * j).sum::<f64>());
    close(scores[0].measures.fisher_trace, trace.sum());
    // Three outputs, four inputs: full rank, and the ceiling Σ (p − t)²/(p (1 − p)).
    let ceiling = (0..3).map(|k| (p[k] - labels[k]).powi(2) / (p[k] * (1.0 - p[k])));
    assert_eq!(scores[0].measures.rank, 3);
    close(scores[0].measures.fi, ceiling.sum());
    assert_eq!((scores[0].label, scores[0].p_label), (None, None));
    let predicted = ScoreOptions {
        label: LabelChoice::Predicted,
        ..double()
    };
    assert!(score(&model, &x, None, None, &predicted)[0].measures.fi > 0.0);
    let data = InMemory::new(&[4], x.to_vec(), None).unwrap();
    let error = model.score(&data, &double()).unwrap_err();
    assert!(error.to_string().contains("--targets"), "{error}");
}

#[test]
fn a_regression_has_the_geometry_of_its_noise() {
    let sigma = 0.5;
    let model = load("regression", HeadChoice::Regression, sigma);
    let x = [0.5, -1.0, 0.25, 2.0];
    let y = outputs(&model, &x);
    let j = jacobian(&model, &x, 0..4);
    let target = vec![y[0] + 0.3, y[1] - 0.2];
    let scores = score(&model, &x, None, Some(target), &double());
    let trace: f64 = j.iter().flatten().map(|j| j * j).sum::<f64>() / sigma.powi(2);
    close(scores[0].measures.fisher_trace, trace);
    // Full rank: FI = ‖y − μ‖²/σ².
    close(scores[0].measures.fi, (0.09 + 0.04) / sigma.powi(2));
    let data = InMemory::new(&[4], x.to_vec(), None).unwrap();
    let predicted = ScoreOptions {
        label: LabelChoice::Predicted,
        ..double()
    };
    let error = model.score(&data, &predicted).unwrap_err();
    assert!(error.to_string().contains("predicted"), "{error}");
}

#[test]
fn soft_labels_are_read_sample_by_sample() {
    let model = load("two_inputs", HeadChoice::Detect, 1.0);
    let x = [0.3, -0.7, 1.1, 0.2, -0.4];
    let soft = |objective: &str| ScoreOptions {
        objective: objective.parse::<ObjectiveChoice>().unwrap(),
        ..double()
    };
    let target = vec![0.2, 0.5, 0.3];
    let each = score(&model, &x, None, Some(target), &soft("cross-entropy"));
    let all = score(
        &model,
        &x,
        Some(0),
        None,
        &soft("cross-entropy:0.2,0.5,0.3"),
    );
    assert_eq!(each[0].measures, all[0].measures);
    assert!(each[0].measures.fi > 0.0);
}

#[test]
fn a_sample_that_fails_takes_no_other_with_it() {
    let model = load("two_inputs", HeadChoice::Detect, 1.0);
    let mut values = vec![0.1; 15];
    values[7] = f64::NAN;
    let data = InMemory::new(&[5], values, Some(vec![0, 1, 2])).unwrap();
    let mut seen = Vec::new();
    let options = ScoreOptions::default();
    let never = AtomicBool::new(false);
    model
        .score_each(&data, &options, &never, |scored| {
            seen.push(
                scored
                    .map(|scores| scores[0].index)
                    .map_err(|e| e.to_string()),
            );
            Ok(())
        })
        .unwrap();
    assert_eq!((&seen[0], &seen[2]), (&Ok(0), &Ok(2)));
    assert!(
        seen[1].as_ref().unwrap_err().starts_with("sample 1: "),
        "{seen:?}"
    );
}

#[test]
fn a_distribution_is_not_taken_for_logits_whatever_computes_it() {
    let x = [0.3, -0.7, 1.1, 0.2, -0.4, 0.1, 0.9, -1.2];
    let data = InMemory::new(&[4], x.to_vec(), None).unwrap();
    for precision in [Precision::F32, Precision::F64] {
        let options = ScoreOptions {
            precision,
            ..ScoreOptions::default()
        };
        let open = |head| {
            let model = load("confused", head, 1.0);
            Network::new(&model, &data, &options).map(|_| ())
        };
        let refused = open(HeadChoice::Detect).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Model);
        assert!(refused.to_string().contains("'y'"), "{refused}");
        open(HeadChoice::Logits).unwrap();
        let attack = |head| {
            let options = AttackOptions {
                attacks: vec!["fgsm".to_owned()],
                label: LabelChoice::Predicted,
                bounds: Some(Bounds {
                    low: -2.0,
                    high: 2.0,
                }),
                precision,
                ..AttackOptions::default()
            };
            let never = AtomicBool::new(false);
            load("confused", head, 1.0).attack_each(&data, &options, &never, |_| Ok(()))
        };
        let refused = attack(HeadChoice::Detect).unwrap_err();
        assert!(refused.to_string().contains("'y'"), "{refused}");
        attack(HeadChoice::Logits).unwrap();
    }
}
