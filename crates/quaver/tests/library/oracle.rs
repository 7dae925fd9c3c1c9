//! From an ONNX file and samples to measures, against float64 oracles of another framework.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeMap;

use crate::common::{Arrays, data};
use quaver::{InMemory, LabelChoice, LoadOptions, Model, Precision, ScoreOptions};

/// The largest differences by quantity, relative and in units of what is tolerated.
type Worst = BTreeMap<String, f64>;

fn note(worst: &mut Worst, what: &str, got: f64, want: f64, tolerance: f64) {
    let error = (got - want).abs() / want.abs().max(f64::MIN_POSITIVE) / tolerance;
    let entry = worst.entry(what.to_owned()).or_insert(0.0);
    *entry = entry.max(error);
}

/// Whether no eigenvalue comes within a factor of `margin` of the cut, so that rounding cannot decide its side.
fn clear_cut(spectrum: &[f64], rtol: f64, margin: f64) -> bool {
    let cut = rtol * spectrum.iter().copied().fold(0.0, f64::max);
    spectrum
        .iter()
        .all(|&l| l > margin * cut || l < cut / margin)
}

/// Scores one model's samples for one label choice and compares; gives the numbers of values of FI that lie on a
/// cut, and of all.
fn compare(
    model: &Model,
    arrays: &mut Arrays,
    (lab, label): (&str, LabelChoice),
    precision: Precision,
    worst: &mut Worst,
) -> (usize, usize) {
    let (shape, x) = arrays.get("x");
    let (_, y) = arrays.get("y");
    let (probs_shape, probs) = arrays.get("probs");
    let k = probs_shape[1];
    let labels = y.iter().map(|&y| y as usize).collect();
    let dataset = InMemory::new(&shape[1..], x, Some(labels)).unwrap();
    let (tolerance, margin): (f64, f64) = match precision {
        Precision::F32 => (1e-3, 1.5),
        Precision::F64 => (1e-8, 1.001),
    };
    let (mut unclear, mut n) = (0, 0);
    for (rtol, lambda, compat) in [
        ("1e-06", "0.01", "0.001"),
        ("1e-10", "1", "1e-08"),
        ("1e-06", "100", "0.001"),
    ] {
        if precision == Precision::F32 && rtol == "1e-10" {
            continue; // finer than single precision resolves
        }
        let options = ScoreOptions {
            label,
            rtol: Some(rtol.parse().unwrap()),
            lambda: lambda.parse().unwrap(),
            compat: Some(compat.parse().unwrap()),
            precision,
            ..ScoreOptions::default()
        };
        for (i, score) in model.score(&dataset, &options).unwrap().iter().enumerate() {
            let m = &score.measures;
            let mut want = |name: &str| arrays.get(&format!("{lab}_{name}")).1;
            // Where the prediction is confident, 1 − p has lost digits in the oracle's own double precision.
            let p = &probs[i * k..][..k];
            let others: f64 = p.iter().sum::<f64>() - p[score.predicted.unwrap()];
            let tolerance = tolerance.max(2.0 * f64::EPSILON / others);
            note(
                worst,
                "p_label",
                score.p_label.unwrap(),
                p[score.label.unwrap()],
                tolerance,
            );
            for (name, got) in [
                ("fi_max", m.fi_max),
                ("fisher_trace", m.fisher_trace),
                ("fisher_lambda_max", m.fisher_lambda_max),
                ("grad_norm", m.grad_norm),
                ("jacobian_norm", m.jacobian_norm),
                ("logit_jacobian_norm", m.logit_jacobian_norm),
            ] {
                note(worst, name, got, want(name)[i], tolerance);
            }
            let fi_lambda = want(&format!("fi_lambda{lambda}"))[i];
            note(worst, "fi_lambda", m.fi_lambda, fi_lambda, tolerance);
            let spectrum = &want("spectrum")[i * k..][..k];
            n += 1;
            if clear_cut(spectrum, options.rtol(), margin) {
                let fi = want(&format!("fi_rtol{rtol}"))[i];
                note(worst, "fi", m.fi, fi, tolerance);
                let rank = want(&format!("rank_rtol{rtol}"))[i];
                assert_eq!(m.rank as f64, rank, "{lab} {i} rtol {rtol}");
            } else {
                unclear += 1;
            }
            // The published program's cut is absolute: ranks that differ tell a value on the cut.
            let compat_rank = want(&format!("compat{compat}_rank"))[i];
            let got = m.compat.unwrap();
            if got.rank as f64 == compat_rank {
                let fi = want(&format!("compat{compat}_fi"))[i];
                note(worst, "compat_fi", got.fi, fi, tolerance);
            } else {
                unclear += 1;
            }
        }
    }
    (unclear, n)
}

fn agrees(precision: Precision) {
    let Some(data) = data() else { return };
    let (mut unclear, mut n) = (0, 0);
    let mut failures = Vec::new();
    for name in [
        "akamaster_resnet20_cifar10",
        "burn_mnist_cnn",
        "mfipso_resnet32_cifar10",
        "mfipso_resnet32_mnist",
        "mlperftiny_mobilenetv1_vww96",
        "mlperftiny_resnet8_cifar10",
        "onepixel_lenet_cifar10",
        "titu1994_densenet40-12_cifar10",
    ] {
        let path = data.join(format!("models/{name}.onnx"));
        let model = Model::load(path, &LoadOptions::default()).unwrap();
        let mut arrays = Arrays::open(&data.join(format!("oracle/{name}.npz")));
        let mut worst = Worst::new();
        for label in [
            ("true", LabelChoice::True),
            ("pred", LabelChoice::Predicted),
        ] {
            let counts = compare(&model, &mut arrays, label, precision, &mut worst);
            unclear += counts.0;
            n += counts.1;
        }
        eprintln!("{name}: {worst:?}");
        let beyond = worst
            .iter()
            .filter(|(_, error)| error.is_nan() || **error >= 1.0);
        failures.extend(beyond.map(|(what, error)| format!("{name} {what}: {error:.2} times")));
    }
    eprintln!("{unclear} values on a cut, {n} samples");
    assert!(
        failures.is_empty(),
        "beyond what is tolerated: {failures:#?}"
    );
    assert!(unclear * 3 < n, "{unclear} of {n} lie on a cut");
}

#[test]
fn measures_agree_in_double_precision() {
    agrees(Precision::F64);
}

#[test]
fn measures_agree_in_single_precision() {
    agrees(Precision::F32);
}
