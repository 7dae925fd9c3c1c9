//! Predictions, Jacobians and class Grams against differences, each other and the scores.

use quaver::demo::{GlyphOptions, GlyphSet};
use quaver::{
    ClassGram, Dataset, Error, ErrorKind, InMemory, LabelChoice, Model, Network, Prediction,
    RunOptions, ScoreOptions,
};

const N: usize = 784;
const K: usize = 10;

fn identity() -> Vec<f64> {
    (0..K * K)
        .map(|at| f64::from(u8::from(at / K == at % K)))
        .collect()
}

fn predictions(model: &Model, data: &dyn Dataset, threads: usize) -> Vec<Prediction> {
    let options = RunOptions {
        threads: threads.try_into().ok(),
        ..RunOptions::default()
    };
    let mut all = Vec::new();
    let emit = |index, prediction| {
        assert_eq!(index, all.len());
        all.push(prediction);
        Ok(())
    };
    model.predict_each::<f64>(data, &options, emit).unwrap();
    all
}

fn rows(model: &Model, data: &dyn Dataset, wrt: &str, cotangents: &[f64]) -> Vec<Vec<f64>> {
    let mut all = Vec::new();
    let emit = |_, rows| {
        all.push(rows);
        Ok(())
    };
    let options = RunOptions::default();
    model
        .vjp_each::<f64>(data, wrt, |_| cotangents, &options, emit)
        .unwrap();
    all
}

#[test]
fn predictions_are_those_of_the_scores() {
    let (model, set) = (
        quaver::demo::model().unwrap(),
        GlyphSet::generate(&GlyphOptions::clean(40, 3)).unwrap(),
    );
    let options = ScoreOptions {
        label: LabelChoice::Predicted,
        precision: quaver::Precision::F64,
        ..ScoreOptions::default()
    };
    let scores = model.score(&set, &options).unwrap();
    let all = predictions(&model, &set, 1);
    assert_eq!(all, predictions(&model, &set, 3));
    for (score, prediction) in scores.iter().zip(&all) {
        assert_eq!(score.predicted, prediction.predicted);
        assert_eq!(
            score.p_predicted,
            score.predicted.map(|at| prediction.p[at])
        );
        assert!((prediction.p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn jacobians_are_slopes_of_the_logits() {
    let model = quaver::demo::model().unwrap();
    // Noise, and not glyphs: on an even background the maxima of pooling windows are ties, and have no slope.
    let noise = (0..3 * N as u64).map(|i| (i * i * 7919 % 10007) as f64 / 10007.0);
    let set = InMemory::new(&[1, 28, 28], noise.collect(), None).unwrap();
    let jacobians = rows(&model, &set, "input", &identity());
    assert_eq!(model.vjp_shape("input").unwrap(), [1, 28, 28]);
    for (index, jacobian) in jacobians.iter().enumerate() {
        let x = set.read(index).unwrap().values;
        // A pseudo-random direction, no multiple of anything.
        let v: Vec<f64> = (0..N)
            .map(|i| ((i * i * 7919 + 3 * i) % 1009) as f64 / 1009.0 - 0.5)
            .collect();
        let t = 1e-6;
        let moved = [t, -t]
            .iter()
            .flat_map(|t| x.iter().zip(&v).map(move |(x, v)| x + t * v))
            .collect();
        let moved = InMemory::new(&[1, 28, 28], moved, None).unwrap();
        let ends = predictions(&model, &moved, 2);
        for k in 0..K {
            let slope = (ends[0].outputs[k] - ends[1].outputs[k]) / (2.0 * t);
            let product: f64 = jacobian[k * N..(k + 1) * N]
                .iter()
                .zip(&v)
                .map(|(j, v)| j * v)
                .sum();
            assert!(
                (slope - product).abs() < 1e-6 * (1.0 + slope.abs()),
                "{slope} {product}"
            );
        }
    }
}

#[test]
fn grams_are_those_of_the_jacobians() {
    let model = quaver::demo::model().unwrap();
    let set = GlyphSet::generate(&GlyphOptions::clean(3, 5)).unwrap();
    let inspected: Vec<String> = model
        .blocks(&["value:*".to_owned()])
        .unwrap()
        .iter()
        .map(|b| b.name.to_string())
        .collect();
    let joined = format!("input+{}", inspected[0]);
    for wrt in ["input", &inspected[0], &joined] {
        let options = ScoreOptions {
            wrt: vec![wrt.to_owned()],
            precision: quaver::Precision::F64,
            ..ScoreOptions::default()
        };
        let network = Network::new(&model, &set, &options).unwrap();
        let mut grams = Vec::new();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let emit = |evaluated: quaver::Evaluated| {
            grams.push(evaluated.unwrap().grams);
            Ok(())
        };
        let all = 0..3;
        quaver::evaluate_each(&network, std::slice::from_ref(&all), None, &stop, emit).unwrap();
        assert_eq!(grams.len(), 3);
        for (gram, jacobian) in grams.iter().zip(rows(&model, &set, wrt, &identity())) {
            let n = jacobian.len() / K;
            let row = |k: usize| &jacobian[k * n..(k + 1) * n];
            let full: Vec<f64> = (0..K * K)
                .map(|at| {
                    row(at / K)
                        .iter()
                        .zip(row(at % K))
                        .map(|(a, b)| a * b)
                        .sum()
                })
                .collect();
            let full = ClassGram::from_full(K, &full).unwrap();
            assert_eq!(gram.len(), 1);
            for (a, b) in gram[0].values().iter().zip(full.values()) {
                assert!((a - b).abs() < 1e-10 * full.trace(), "{wrt}: {a} {b}");
            }
        }
    }
}

#[test]
fn a_product_is_the_combination_of_the_rows() {
    let model = quaver::demo::model().unwrap();
    let set = GlyphSet::generate(&GlyphOptions::clean(2, 5)).unwrap();
    let c: Vec<f64> = (0..K).map(|k| (k * k) as f64 - 20.0).collect();
    let jacobians = rows(&model, &set, "input", &identity());
    for (product, jacobian) in rows(&model, &set, "input", &c).iter().zip(jacobians) {
        for (i, product) in product.iter().enumerate() {
            let sum: f64 = (0..K).map(|k| c[k] * jacobian[k * N + i]).sum();
            assert!((product - sum).abs() < 1e-9 * (1.0 + sum.abs()));
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let model = quaver::demo::model().unwrap();
    let blank = InMemory::new(&[1, 28, 28], vec![0.5; N], None).unwrap();
    let small = InMemory::new(&[1, 2, 2], vec![0.5; 4], None).unwrap();
    let infinite = InMemory::new(&[1, 28, 28], vec![f64::INFINITY; N], None).unwrap();
    let run = |data: &dyn Dataset, wrt: &str, cotangents: &[f64]| -> Error {
        let options = RunOptions::default();
        model
            .vjp_each::<f64>(data, wrt, |_| cotangents, &options, |_, _| Ok(()))
            .unwrap_err()
    };
    let ten = [1.0; K];
    for (error, kind, named) in [
        (run(&small, "input", &ten), ErrorKind::Data, "[1, 2, 2]"),
        (run(&infinite, "input", &ten), ErrorKind::Model, "sample 0"),
        (run(&blank, "params", &ten), ErrorKind::Option, "not kept"),
        (run(&blank, "layers", &ten), ErrorKind::Option, "of one"),
        (run(&blank, "inputs", &ten), ErrorKind::Option, "'inputs'"),
        (
            run(&blank, "input", &ten[1..]),
            ErrorKind::Option,
            "9 numbers",
        ),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let stop = |_, _| Err(Error::new(ErrorKind::Interrupted, "enough"));
    let error = model
        .predict_each::<f32>(&blank, &RunOptions::default(), stop)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Interrupted, "enough")
    );
}

#[test]
fn several_inputs_follow_each_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/two_inputs.onnx");
    let model = Model::load(path, &quaver::LoadOptions::default()).unwrap();
    let (n, k) = (model.input_shape()[0], model.n_classes());
    let x: Vec<f64> = (0..n).map(|i| 0.3 * i as f64 - 0.5).collect();
    let t = 1e-6;
    let mut moved = Vec::new();
    for i in 0..2 * n {
        let mut x = x.clone();
        x[i / 2] += if i % 2 == 0 { t } else { -t };
        moved.extend(x);
    }
    let data = InMemory::new(&[n], x, None).unwrap();
    let unit: Vec<f64> = (0..k * k)
        .map(|at| f64::from(u8::from(at / k == at % k)))
        .collect();
    let jacobian = &rows(&model, &data, "input", &unit)[0];
    let ends = predictions(&model, &InMemory::new(&[n], moved, None).unwrap(), 1);
    for (at, entry) in jacobian.iter().enumerate() {
        let (k, i) = (at / n, at % n);
        let slope = (ends[2 * i].outputs[k] - ends[2 * i + 1].outputs[k]) / (2.0 * t);
        assert!(
            (slope - entry).abs() < 1e-6 * (1.0 + slope.abs()),
            "{slope} {entry}"
        );
    }
}

#[test]
fn directions_carry_the_influence() {
    let model = quaver::demo::model().unwrap();
    let set = GlyphSet::generate(&GlyphOptions::clean(6, 5)).unwrap();
    let options = ScoreOptions {
        precision: quaver::Precision::F64,
        ..ScoreOptions::default()
    };
    let scores = model.score(&set, &options).unwrap();
    let jacobians = rows(&model, &set, "input", &identity());
    let predicted = predictions(&model, &set, 1);
    let mut seen = 0;
    let label = |index: usize, _| set.label(index).unwrap().unwrap();
    let emit = |index: usize, found: quaver::Influence| {
        seen += 1;
        let fi = scores[index].measures.fi;
        assert!((found.fi - fi).abs() < 1e-8 * fi, "{} {fi}", found.fi);
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let along = dot(&found.gradient, &found.direction);
        assert!((along - fi).abs() < 1e-6 * fi, "{along} {fi}");
        // hᵀ G h = ∇f G⁺ G G⁺ ∇fᵀ = FI too: the variance of the slopes of the logits along h under p.
        let p = &predicted[index].p;
        let jacobian = &jacobians[index];
        let slopes: Vec<f64> = (0..K)
            .map(|k| dot(&jacobian[k * N..(k + 1) * N], &found.direction))
            .collect();
        let mean = dot(p, &slopes);
        let variance: f64 = (0..K).map(|k| p[k] * (slopes[k] - mean).powi(2)).sum();
        assert!((variance - fi).abs() < 1e-6 * fi, "{variance} {fi}");
        // The gradient is that of −log p_y.
        let y = set.label(index).unwrap().unwrap();
        for i in (0..N).step_by(97) {
            let slope: f64 = (0..K).map(|k| p[k] * jacobian[k * N + i]).sum();
            assert!((slope - jacobian[y * N + i] - found.gradient[i]).abs() < 1e-8);
        }
        Ok(())
    };
    model
        .influence_each::<f64>(&set, "input", label, 1e-10, &RunOptions::default(), emit)
        .unwrap();
    assert_eq!(seen, 6);
}
