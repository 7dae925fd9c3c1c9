//! Every objective of every family against explicit n × n algebra, with gradients by finite differences of the
//! textbook formula.

use crate::common::cases::{Case, case, close, explicit, first, gradient, value};
use faer::Mat;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quaver_geometry::{
    Analysis, Bernoullis, Family, Gaussian, Measures, Objective, ObjectiveChoice, Output, Settings,
    Truth, direction, measure,
};

fn settings() -> Settings {
    Settings::new(1e-11, 0.7, None).unwrap()
}

fn measures(case: &Case, objective: Objective) -> Measures {
    let (output, gram) = (case.output(), case.gram());
    Analysis::new(&output, &gram, objective, &settings())
        .unwrap()
        .measures()
        .unwrap()
}

fn clear(m: &Measures) -> bool {
    let largest = m.spectrum[0];
    m.spectrum
        .iter()
        .all(|l| !(1e-14..1e-7).contains(&(l / largest)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(7), ..Default::default() })]

    #[test]
    fn every_measure_is_its_definition(case in case()) {
        for objective in case.objectives() {
            let (m, g, f) = (measures(&case, objective), case.metric(), gradient(&case, objective));
            prop_assert!(close(case.output().value(objective).unwrap(), value(&case, &case.z, objective), 1e-9));
            prop_assert!(close(m.grad_norm, f.norm_l2(), 1e-5), "{objective:?} {} {}", m.grad_norm, f.norm_l2());
            let trace: f64 = (0..case.n).map(|i| g[(i, i)]).sum();
            prop_assert!(close(m.fisher_trace, trace, 1e-9));
            prop_assert!(close(m.jacobian_norm, case.mean_jacobian().norm_l2(), 1e-9));
            let norm = case.centred_jacobian().svd().unwrap().S().column_vector()[0];
            prop_assert!(close(m.logit_jacobian_spectral_norm, norm, 1e-9));
            prop_assert!(m.fi <= m.fi_max && (0.0..=1.0).contains(&m.saturation));
            let budget = explicit(&g, &f, 0.7);
            prop_assert!(close(m.fi_lambda, budget, 2e-5), "{objective:?} {} {budget}", m.fi_lambda);
            if clear(&m) && m.spectrum.iter().all(|l| *l == 0.0 || l / m.spectrum[0] > 1e-4) {
                let fi = explicit(&g, &f, 0.0);
                prop_assert!(close(m.fi, fi, 1e-4), "{objective:?} {} {fi}", m.fi);
            }
        }
    }

    #[test]
    fn the_ceiling_is_what_the_last_bias_reaches(case in case()) {
        let (k, identity) = (case.k(), Case { j: case.identity(), n: case.k(), ..case.clone() });
        for objective in case.objectives() {
            let whole = measures(&identity, objective);
            prop_assert_eq!(whole.rank, identity.output().n_free());
            prop_assert_eq!(whole.fi, whole.fi_max);
            let fi = explicit(&identity.metric(), &gradient(&identity, objective), 0.0);
            prop_assert!(close(whole.fi_max, fi, 1e-5), "{objective:?} {} {fi}", whole.fi_max);
            // The sum over directions itself, which full rank short-cuts.
            let sum = Settings::new(1e-11, 1e-13, None).unwrap();
            let (output, gram) = (identity.output(), identity.gram());
            let m = Analysis::new(&output, &gram, objective, &sum).unwrap().measures().unwrap();
            prop_assert!(close(m.fi_lambda, whole.fi_max, 1e-7), "{objective:?} {k}");
        }
    }

    #[test]
    fn a_change_of_coordinates_changes_nothing(case in case(), a in prop::collection::vec(-1.0..1.0f64, 144)) {
        let n = case.n;
        // Diagonally dominant, hence invertible.
        let a = Mat::from_fn(n, n, |i, j| a[i * n + j] + if i == j { n as f64 + 1.0 } else { 0.0 });
        let moved = Case { j: crate::common::cases::flat(&(case.jacobian() * &a)), ..case.clone() };
        for objective in case.objectives() {
            let (m, moved) = (measures(&case, objective), measures(&moved, objective));
            if clear(&m) && clear(&moved) {
                prop_assert_eq!(m.rank, moved.rank);
                prop_assert!(close(m.fi, moved.fi, 1e-6));
            }
        }
    }

    #[test]
    fn a_larger_block_has_more_influence(case in case()) {
        let part = Case { j: crate::common::cases::flat(&first(&case.jacobian(), case.n.div_ceil(2))), n: case.n.div_ceil(2), ..case.clone() };
        for objective in case.objectives() {
            let (small, large) = (measures(&part, objective), measures(&case, objective));
            prop_assert!(small.fi <= large.fi * (1.0 + 1e-7) + 1e-12 && small.fi_max == large.fi_max);
        }
    }

    #[test]
    fn the_direction_is_the_pseudo_inverse_of_the_gradient(case in case()) {
        let (output, gram) = (case.output(), case.gram());
        for objective in case.objectives() {
            let analysis = Analysis::new(&output, &gram, objective, &settings()).unwrap();
            let m = analysis.measures().unwrap();
            if !m.spectrum.iter().all(|l| *l == 0.0 || l / m.spectrum[0] > 1e-4) {
                continue;
            }
            let c = analysis.direction().unwrap();
            let h = case.jacobian().transpose() * Mat::from_fn(case.k(), 1, |k, _| c[k]);
            // G h* = ∇f where ∇f is reachable, which it always is: ∇f = Jᵀ C w.
            let f = gradient(&case, objective);
            let error = (case.metric() * &h - &f).norm_l2();
            prop_assert!(error < 1e-4 * f.norm_l2() + 1e-8, "{objective:?} {error}");
            let along: f64 = (0..case.n).map(|i| f[(i, 0)] * h[(i, 0)]).sum();
            prop_assert!(close(along, m.fi, 1e-4));
        }
    }
}

/// Forward passes alone, on a small analytic network: z = A tanh(B (x + ω)).
#[test]
fn the_direction_is_found_again_by_walking_along_it() {
    let network = |x: [f64; 3]| -> Vec<f64> {
        let (a, b) = (
            [1.3, -0.7, 0.4, 0.9, -1.1, 0.6, 0.2, 0.8],
            [0.5, -0.2, 0.9, -0.6, 0.7, 0.1],
        );
        let hidden = [0, 1].map(|i| (0..3).map(|c| b[3 * i + c] * x[c]).sum::<f64>().tanh());
        (0..4)
            .map(|k| a[2 * k] * hidden[0] + a[2 * k + 1] * hidden[1])
            .collect()
    };
    let (x, step) = ([0.3, -0.8, 1.1], 1e-6);
    let z = network(x);
    let mut j = vec![0.0; 12];
    for c in 0..3 {
        let moved = |sign: f64| {
            network(std::array::from_fn(|i| {
                x[i] + if i == c { sign * step } else { 0.0 }
            }))
        };
        for (k, (up, down)) in moved(1.0).iter().zip(moved(-1.0)).enumerate() {
            j[3 * k + c] = (up - down) / (2.0 * step);
        }
    }
    let case = Case {
        family: 0,
        z: z.clone(),
        j,
        n: 3,
        label: 2,
        truth: vec![0.1, 0.2, 0.3, 0.4],
    };
    for objective in case.objectives() {
        let settings = Settings::new(1e-6, 1.0, None).unwrap();
        let c = direction(&z, &case.gram(), objective, &settings).unwrap();
        let fi = measure(&z, &case.gram(), objective, &settings).unwrap().fi;
        let h: Vec<f64> = (0..3)
            .map(|col| (0..4).map(|k| c[k] * case.j[3 * k + col]).sum())
            .collect();
        let t = 1e-4 / h.iter().map(|h| h * h).sum::<f64>().sqrt();
        let walked = network(std::array::from_fn(|i| x[i] + t * h[i]));
        let (p, q) = (
            case.p(),
            Case {
                z: walked.clone(),
                ..case.clone()
            }
            .p(),
        );
        let kl: f64 = p
            .iter()
            .zip(&q)
            .map(|(p, q)| {
                let r = q / p - 1.0;
                p * (r - r.ln_1p())
            })
            .sum();
        let change = value(&case, &walked, objective) - value(&case, &z, objective);
        assert!(change > 0.0, "{objective:?}");
        let found = change * change / (2.0 * kl);
        assert!(
            (found / fi - 1.0).abs() < 1e-2,
            "{objective:?} {found} {fi}"
        );
    }
}

#[test]
fn a_sigmoid_is_a_softmax_of_two() {
    let family: Family = "sigmoid".parse().unwrap();
    let output = family.at(&[0.7]).unwrap();
    let gram = family.gram(1, &[4.0]).unwrap();
    let m = Analysis::new(
        &output,
        &gram,
        Objective::NegLogLik { label: 1 },
        &settings(),
    )
    .unwrap()
    .measures()
    .unwrap();
    let p = 1.0 / (1.0 + (-0.7f64).exp());
    assert!(close(m.fi, (1.0 - p) / p, 1e-14) && m.rank == 1);
    assert!(close(m.fisher_trace, p * (1.0 - p) * 4.0, 1e-14));
    assert!(close(m.grad_norm, 2.0 * (1.0 - p), 1e-14));
    // The same as one of one independent Bernoullis.
    let one = Output::from(Bernoullis::new(&[0.7]).unwrap());
    let gram = Family::MultiLabel.gram(1, &[4.0]).unwrap();
    let objective = Objective::OutputNll {
        output: 0,
        label: true,
    };
    let same = Analysis::new(&one, &gram, objective, &settings())
        .unwrap()
        .measures()
        .unwrap();
    assert!(close(m.fi, same.fi, 1e-14) && close(m.fisher_trace, same.fisher_trace, 1e-14));
    assert!(
        close(m.grad_norm, same.grad_norm, 1e-14)
            && close(m.margin_radius, same.margin_radius, 1e-14)
    );
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let (softmax, gaussian) = (
        Family::Softmax.at(&[0.0, 1.0]).unwrap(),
        Gaussian::new(&[1.0, 2.0], 0.5).unwrap(),
    );
    let gaussian = Output::from(gaussian);
    let labels = [true, false];
    let refused = |output: &Output, family: Family, objective: Objective, compat: Option<f64>| {
        let settings = Settings::new(0.0, 1.0, compat).unwrap();
        let gram = family.gram(2, &[1.0, 0.0, 0.0, 1.0]).unwrap();
        Analysis::new(output, &gram, objective, &settings)
            .and_then(|a| a.measures())
            .unwrap_err()
            .to_string()
    };
    let nll = Objective::NegLogLik { label: 0 };
    for (message, expected) in [
        (
            refused(
                &softmax,
                Family::Softmax,
                Objective::BinaryNll { labels: &labels },
                None,
            ),
            "objective nll is not one of a softmax: choose nll (of a class), prob, margin, log-odds, entropy or cross-entropy",
        ),
        (
            refused(&gaussian, Family::Gaussian { sigma: 0.5 }, nll, None),
            "objective nll is not one of a Gaussian: choose nll (of the target)",
        ),
        (
            refused(
                &gaussian,
                Family::Softmax,
                Objective::Residual {
                    target: &[0.0, 0.0],
                },
                None,
            ),
            "a centred Gram has lost what independent outputs share: expected one from ClassGram::from_outputs",
        ),
        (
            refused(
                &softmax,
                Family::Softmax,
                Objective::Prob { label: 0 },
                Some(1e-3),
            ),
            "objective prob: the published program's arithmetic (compat) has nll of a softmax only",
        ),
        (
            refused(
                &softmax,
                Family::Softmax,
                Objective::Prob { label: 2 },
                None,
            ),
            "label 2 of 2 classes (numbered from 0)",
        ),
        (
            refused(
                &softmax,
                Family::Softmax,
                Objective::Margin { a: 1, b: 1 },
                None,
            ),
            "margin of class 1 over itself: expected two classes",
        ),
        (
            refused(
                &softmax,
                Family::Softmax,
                Objective::CrossEntropy {
                    target: &[0.5, 0.6],
                },
                None,
            ),
            "target of cross-entropy: expected probabilities of sum 1",
        ),
        (
            ObjectiveChoice::Nll
                .at(&softmax, Truth::Unknown)
                .unwrap_err()
                .to_string(),
            "objective nll: needs the class of the sample",
        ),
        (
            "gaussian:-1".parse::<Family>().unwrap_err().to_string(),
            "sigma -1: expected positive and finite",
        ),
        (
            "tanh".parse::<Family>().unwrap_err().to_string(),
            "output \"tanh\": choose softmax, sigmoid, multi-label or gaussian:SIGMA",
        ),
    ] {
        assert_eq!(message, expected);
    }
}

#[test]
fn choices_become_objectives() {
    let softmax = Family::Softmax.at(&[2.0, 0.0, 1.0]).unwrap();
    let at = |text: &str, class| {
        text.parse::<ObjectiveChoice>()
            .unwrap()
            .at(&softmax, Truth::Class(class))
            .map(|o| format!("{o:?}"))
            .unwrap()
    };
    assert_eq!(at("margin", 0), "Margin { a: 0, b: 2 }");
    assert_eq!(at("margin", 1), "Margin { a: 1, b: 0 }");
    assert_eq!(at("margin:2,1", 0), "Margin { a: 2, b: 1 }");
    assert_eq!(at("log-odds", 1), "LogOdds { label: 1 }");
    let several = Family::MultiLabel.at(&[2.0, 0.0]).unwrap();
    let labels = [true, false];
    let at = |text: &str| {
        text.parse::<ObjectiveChoice>()
            .unwrap()
            .at(&several, Truth::Labels(&labels))
            .map(|o| format!("{o:?}"))
            .unwrap()
    };
    assert_eq!(at("nll"), "BinaryNll { labels: [true, false] }");
    assert_eq!(at("nll:1"), "OutputNll { output: 1, label: false }");
    for family in ["softmax", "sigmoid", "multi-label", "gaussian:0.5"] {
        assert_eq!(family.parse::<Family>().unwrap().to_string(), family);
    }
}

#[test]
fn equal_classes_have_a_stationary_entropy() {
    let case = Case {
        family: 0,
        z: vec![0.3; 4],
        j: (0..8).map(|i| f64::from(i).sin()).collect(),
        n: 2,
        label: 0,
        truth: vec![0.25; 4],
    };
    let m = measures(&case, Objective::Entropy);
    assert_eq!(
        (m.fi, m.fi_max, m.saturation, m.grad_norm, m.rank),
        (0.0, 0.0, 0.0, 0.0, 2)
    );
}

/// Nothing is NaN at probabilities near 0 and 1, and every objective keeps to its ceiling.
#[test]
fn extremes() {
    for z in [0.0, 1.0, 40.0, 400.0, 800.0, 1e4] {
        for family in 0..3 {
            for label in 0..4 {
                let case = Case {
                    family,
                    z: vec![z, 0.5, -z, -0.5 * z],
                    j: (0..8).map(|i| f64::from(i * i).sin()).collect(),
                    n: 2,
                    label,
                    truth: vec![0.1, 0.2, 0.3, 0.4],
                };
                for objective in case.objectives() {
                    let m = measures(&case, objective);
                    for value in [
                        m.fi,
                        m.fi_max,
                        m.fi_lambda,
                        m.grad_norm,
                        m.jacobian_norm,
                        m.margin_radius,
                        m.effective_rank,
                    ] {
                        assert!(!value.is_nan(), "{case:?} {objective:?} {m:?}");
                    }
                    assert!(
                        (0.0..=1.0).contains(&m.saturation) && m.fi <= m.fi_max,
                        "{objective:?} {m:?}"
                    );
                }
            }
        }
    }
}
