//! Merged classes against the whole problem, on explicit Jacobians.

use crate::common::cases::{Case, case, close, flat};
use faer::Mat;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quaver_geometry::{
    ClassGram, Classes, Lumping, Measures, Objective, Settings, direction, measure,
};

fn settings() -> Settings {
    Settings::new(1e-11, 1.0, None).unwrap()
}

fn whole(case: &Case, objective: Objective) -> Measures {
    measure(&case.z, &case.gram(), objective, &settings()).unwrap()
}

/// The lumped Jacobian: rows · J.
fn jacobian(lumping: &Lumping, case: &Case) -> Mat<f64> {
    let rows = lumping.rows();
    Mat::from_fn(lumping.n_classes(), case.k(), |i, k| rows[i * case.k() + k]) * case.jacobian()
}

/// The class Gram as a caller makes it: cotangents swept back, Gram of the rows, contrasts undone.
fn swept(lumping: &Lumping, case: &Case) -> ClassGram {
    let (m, cotangents) = (lumping.n_classes() - 1, lumping.cotangents());
    let rows = Mat::from_fn(m, case.k(), |i, k| cotangents[i * case.k() + k]) * case.jacobian();
    ClassGram::from_contrasts(&lumping.contrasts(), &flat(&(&rows * rows.transpose()))).unwrap()
}

fn lumped(lumping: &Lumping, case: &Case, objective: Objective) -> Measures {
    let objective = lumping.objective(objective).unwrap();
    measure(
        lumping.logits(),
        &swept(lumping, case),
        objective,
        &settings(),
    )
    .unwrap()
}

/// ‖vᵀJ‖².
fn squared_norm(v: &[f64], case: &Case) -> f64 {
    (case.jacobian().transpose() * Mat::from_fn(case.k(), 1, |k, _| v[k]))
        .norm_l2()
        .powi(2)
}

/// Σ p_k ‖J_k − J̄‖² over the classes that are not kept.
fn lost(lumping: &Lumping, case: &Case) -> f64 {
    let (p, j) = (case.p(), case.jacobian());
    let rest: Vec<usize> = (0..case.k())
        .filter(|&k| lumping.position(k).is_none())
        .collect();
    let total: f64 = rest.iter().map(|&k| p[k]).sum();
    (0..case.n)
        .map(|c| {
            let mean = rest.iter().map(|&k| p[k] * j[(k, c)]).sum::<f64>() / total;
            rest.iter()
                .map(|&k| p[k] * (j[(k, c)] - mean).powi(2))
                .sum::<f64>()
        })
        .sum()
}

/// A softmax of 7 to 12 classes.
fn many() -> impl Strategy<Value = (Case, usize)> {
    (
        case(),
        7usize..13,
        prop::collection::vec(-3.0..3.0f64, 12),
        prop::collection::vec(-2.0..2.0f64, 144),
        1usize..5,
    )
        .prop_map(|(case, k, z, j, m)| {
            let j = j[..k * case.n].to_vec();
            (
                Case {
                    family: 0,
                    z: z[..k].to_vec(),
                    j,
                    label: case.label % k,
                    ..case
                },
                m,
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, rng_seed: RngSeed::Fixed(3), ..Default::default() })]

    #[test]
    fn the_lumped_problem_is_the_smaller_one((case, m) in many()) {
        let lumping = Lumping::top(&case.z, case.label, m).unwrap();
        prop_assert_eq!(lumping.n_classes(), m + 2);
        // p: kept ones as they were.
        let total: f64 = lumping.logits().iter().map(|z| z.exp()).sum();
        for (z, &k) in lumping.logits().iter().zip(lumping.kept()) {
            prop_assert!(close(z.exp() / total, case.p()[k], 1e-12));
        }
        // Rows: the derivative of the lumped logits, by differences.
        let step = 1e-6;
        let rows = lumping.rows();
        for k in 0..case.k() {
            let mut z = case.z.clone();
            z[k] += step;
            let rest = |z: &[f64]| (0..case.k()).filter(|&k| lumping.position(k).is_none()).map(|k| z[k].exp()).sum::<f64>().ln();
            let difference = (rest(&z) - rest(&case.z)) / step;
            prop_assert!((rows[(m + 1) * case.k() + k] - difference).abs() < 1e-5);
        }
        // The Gram through the cotangents is that of the lumped Jacobian.
        let j = jacobian(&lumping, &case);
        let gram = ClassGram::from_full(m + 2, &flat(&(&j * j.transpose()))).unwrap();
        for (a, b) in swept(&lumping, &case).values().iter().zip(gram.values()) {
            prop_assert!((a - b).abs() < 1e-11 * gram.trace().max(1e-3));
        }
    }

    #[test]
    fn lumping_shrinks_the_metric_and_bounds_fi_from_above((case, m) in many()) {
        let lumping = Lumping::top(&case.z, case.label, m).unwrap();
        let label = case.label;
        // G − G_lumped is positive semidefinite.
        let j = jacobian(&lumping, &case);
        let small = Case { z: lumping.logits().to_vec(), j: flat(&j), ..case.clone() };
        let difference = case.metric() - small.metric();
        let eigen = difference.self_adjoint_eigen(faer::Side::Lower).unwrap();
        let scale = case.metric().norm_l2();
        prop_assert!(eigen.S().column_vector()[0] >= -1e-12 * scale);
        let kept = lumping.kept();
        let other = *kept.iter().find(|&&k| k != label).unwrap();
        for objective in [
            Objective::NegLogLik { label }, Objective::Prob { label }, Objective::LogOdds { label },
            Objective::Margin { a: label, b: other },
        ] {
            let (all, few) = (whole(&case, objective), lumped(&lumping, &case, objective));
            prop_assert!(few.fi >= all.fi * (1.0 - 1e-8), "{few:?} {all:?}");
            prop_assert!(close(few.fi_max, all.fi_max, 1e-10));
            prop_assert!(close(few.grad_norm, all.grad_norm, 1e-9));
            prop_assert!(few.fi_lambda >= all.fi_lambda * (1.0 - 1e-9));
            // What all classes saturate, fewer do; not the other way round.
            if all.rank == case.k() - 1 {
                prop_assert!(few.rank == m + 1 && close(few.fi, all.fi, 1e-10));
            }
        }
    }

    #[test]
    fn the_trace_splits_and_the_probe_is_unbiased((case, m) in many()) {
        let lumping = Lumping::top(&case.z, case.label, m).unwrap();
        let objective = Objective::NegLogLik { label: case.label };
        let (all, few) = (whole(&case, objective).fisher_trace, lumped(&lumping, &case, objective).fisher_trace);
        let lost = lost(&lumping, &case);
        prop_assert!(close(all, few + lost, 1e-9));
        let n = 2000;
        let estimates: Vec<f64> = (0..n)
            .map(|index| {
                let probe = lumping.probe(5, index).unwrap();
                probe.lost_trace(squared_norm(probe.cotangent(), &case)).unwrap()
            })
            .collect();
        let mean = estimates.iter().sum::<f64>() / n as f64;
        let variance = estimates.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n as f64;
        prop_assert!((mean - lost).abs() < 5.0 * (variance / n as f64).sqrt() + 1e-12, "{mean} {lost}");
        prop_assert!(variance.sqrt() < 1.6 * lost);
        let probe = lumping.probe(5, 0).unwrap();
        let relative = probe.relative_loss(squared_norm(probe.cotangent(), &case), few).unwrap();
        prop_assert!(close(relative, estimates[0] / (estimates[0] + few), 1e-12));
    }

    #[test]
    fn the_expected_loss_is_that_of_the_last_bias_and_bounds_by_condition((case, m) in many()) {
        let lumping = Lumping::top(&case.z, case.label, m).unwrap();
        let identity = Case { j: case.identity(), n: case.k(), ..case.clone() };
        let trace = whole(&identity, Objective::Entropy).fisher_trace;
        prop_assert!(close(lumping.expected_loss(), lost(&lumping, &identity) / trace, 1e-9));
        // κ of the centred Gram, through faer.
        let j = case.centred_jacobian();
        let values: Vec<f64> = (&j * j.transpose()).self_adjoint_eigen(faer::Side::Lower).unwrap().S().column_vector().iter().copied().collect();
        if case.n >= case.k() {
            let condition = values[case.k() - 1] / values[1];
            let loss = lost(&lumping, &case) / whole(&case, Objective::Entropy).fisher_trace;
            prop_assert!(loss <= condition * lumping.expected_loss() * (1.0 + 1e-9));
        }
    }

    #[test]
    fn auto_keeps_as_few_as_it_may((case, _) in many(), tolerance in 1e-4..0.3f64) {
        let found = Lumping::auto(&case.z, case.label, tolerance).unwrap();
        prop_assert!(found.expected_loss() <= tolerance);
        let m = found.kept().len() - 1;
        if !found.is_whole() && m > 1 {
            let fewer = Lumping::top(&case.z, case.label, m - 1).unwrap();
            prop_assert!(fewer.expected_loss() > tolerance);
        }
    }

    #[test]
    fn a_direction_comes_back_to_the_logits((case, m) in many()) {
        let lumping = Lumping::top(&case.z, case.label, m).unwrap();
        let objective = lumping.objective(Objective::NegLogLik { label: case.label }).unwrap();
        let c = direction(lumping.logits(), &swept(&lumping, &case), objective, &settings()).unwrap();
        let pulled = lumping.pull_back(&c).unwrap();
        let back = case.jacobian().transpose() * Mat::from_fn(case.k(), 1, |k, _| pulled[k]);
        let direct = jacobian(&lumping, &case).transpose() * Mat::from_fn(m + 2, 1, |k, _| c[k]);
        prop_assert!((back - &direct).norm_l2() < 1e-10 * direct.norm_l2().max(1e-9));
    }
}

#[test]
fn sure_answers_need_fewer_classes() {
    let logits = |gap: f64| -> Vec<f64> {
        (0..100)
            .map(|k| if k == 17 { gap } else { -0.2 * f64::from(k) })
            .collect()
    };
    let kept = |gap: f64, tolerance: f64| {
        Lumping::auto(&logits(gap), 17, tolerance)
            .unwrap()
            .kept()
            .len()
    };
    // Of a confident answer half the trace is the label against the rest, however the rest is split.
    assert!(
        kept(12.0, 0.05) < kept(0.0, 0.05),
        "{} {}",
        kept(12.0, 0.05),
        kept(0.0, 0.05)
    );
    assert!(kept(12.0, 0.2) < kept(12.0, 0.01));
    let even = vec![0.0; 50];
    assert!(Lumping::auto(&even, 0, 0.01).unwrap().kept().len() > 45);
    let sharp: Vec<f64> = (0..1000).map(|k| -4.0 * f64::from(k)).collect();
    assert!(Lumping::auto(&sharp, 0, 0.01).unwrap().kept().len() < 5);
}

#[test]
fn ties_go_by_index_and_small_rests_are_whole() {
    let kept = |m: usize, label: usize| Lumping::top(&[0.0; 6], label, m).unwrap().kept().to_vec();
    assert_eq!(kept(2, 4), [0, 1, 4]);
    assert_eq!(kept(1, 0), [0, 1]);
    assert_eq!(kept(4, 0), [0, 1, 2, 3, 4, 5]);
    let all = Classes::All.at(&[0.0, 1.0, 2.0], 1).unwrap();
    assert!(all.is_whole() && all.probe(0, 0).is_none() && all.expected_loss() == 0.0);
    assert_eq!(all.rows(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(all.logits(), [0.0, 1.0, 2.0]);
}

#[test]
fn extremes_are_finite() {
    for gap in [0.0, 50.0, 800.0, 1e5] {
        let logits = [gap, 0.0, -1.0, -gap, -2.0 * gap, 0.5];
        for label in 0..6 {
            for lumping in [
                Lumping::top(&logits, label, 1).unwrap(),
                Lumping::auto(&logits, label, 0.1).unwrap(),
            ] {
                let probe = lumping.probe(0, label);
                let values = [
                    lumping.rows(),
                    lumping.logits().to_vec(),
                    lumping.cotangents(),
                ]
                .concat();
                assert!(values.iter().all(|x| x.is_finite()));
                assert!(probe.is_none_or(|probe| probe.cotangent().iter().all(|x| x.is_finite())));
                assert!(
                    (0.0..=1.0).contains(&lumping.expected_loss()),
                    "{lumping:?}"
                );
            }
        }
    }
}

#[test]
fn refused() {
    let z = [0.0, 1.0, 2.0, 3.0, -1.0];
    let message = |result: Result<Lumping, _>| match result {
        Err(error) => quaver_geometry::GeometryError::to_string(&error),
        Ok(lumping) => panic!("{lumping:?}"),
    };
    assert_eq!(
        message(Lumping::top(&z, 5, 1)),
        "label 5 of 5 classes (numbered from 0)"
    );
    assert_eq!(
        message(Lumping::top(&z, 0, 0)),
        "0 classes beside the label: expected at least 1"
    );
    assert_eq!(
        message(Lumping::auto(&z, 0, 1.0)),
        "tolerance 1 of merged classes: expected at least 0 and less than 1"
    );
    let lumping = Lumping::top(&z, 0, 1).unwrap();
    let refused = |objective| lumping.objective(objective).unwrap_err().to_string();
    assert_eq!(
        refused(Objective::Margin { a: 0, b: 4 }),
        "objective margin: class 4 is merged into the rest"
    );
    assert_eq!(
        refused(Objective::Entropy),
        "objective entropy is not one of merged classes: choose nll, prob, margin or log-odds, or keep all classes"
    );
    for text in ["all", "7", "auto:0.05"] {
        assert_eq!(text.parse::<Classes>().unwrap().to_string(), text);
    }
    for text in ["", "0", "-1", "auto", "auto:x", "some"] {
        assert_eq!(
            text.parse::<Classes>().unwrap_err().to_string(),
            format!("classes {text:?}: choose all, a number of at least 1, or auto:TOL")
        );
    }
}
