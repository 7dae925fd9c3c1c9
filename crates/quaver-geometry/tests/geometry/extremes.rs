//! Probabilities near 0 and 1, ties, two classes and a thousand: the corners where double precision runs out.
//!
//! Reference values without a closed form were computed with 700 digits from the explicit n × n metric.

#![allow(clippy::unwrap_used, clippy::excessive_precision, reason = "a test")]

use quaver_geometry::{
    ClassGram, Compat, Contrasts, GeometryErrorKind, Measures, Objective, Settings, direction,
    measure,
};

fn settings(rtol: f64, lambda: f64) -> Settings {
    Settings::new(rtol, lambda, Some(1e-8)).unwrap()
}

fn check(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs(),
        "{what}: {found:e}, expected {expected:e}"
    );
}

/// S = J Jᵀ of a K × n Jacobian, row-major.
fn gram(jacobian: &[f64], n_classes: usize) -> ClassGram {
    let n = jacobian.len() / n_classes;
    let full: Vec<f64> = jacobian
        .chunks_exact(n)
        .flat_map(|a| {
            jacobian
                .chunks_exact(n)
                .map(move |b| a.iter().zip(b).map(|(a, b)| a * b).sum())
        })
        .collect();
    ClassGram::from_full(n_classes, &full).unwrap()
}

fn assert_defined(m: &Measures) {
    let scalars = [
        m.fi,
        m.fi_max,
        m.saturation,
        m.fi_lambda,
        m.fisher_trace,
        m.fisher_lambda_max,
        m.effective_rank,
        m.grad_norm,
        m.jacobian_norm,
        m.logit_jacobian_norm,
        m.margin_radius,
        m.compat.map_or(0.0, |compat| compat.fi),
    ];
    let mut all = scalars.iter().chain(&m.spectrum);
    assert!(all.all(|value| !value.is_nan()), "{m:?}");
    assert!((0.0..=1.0).contains(&m.saturation), "{m:?}");
    assert!(0.0 <= m.fi && m.fi <= m.fi_max, "{m:?}");
}

#[test]
fn an_improbable_label_keeps_its_digits() {
    // p₃ = e⁻⁴⁰⁰, where FI is 10¹⁶⁸ times smaller than its ceiling.
    let logits = [0., -5., -12., -400.];
    let gram = gram(&[1., 2., 3., -1., -2., 4., 5., 1.], 4);
    let expected = [
        (
            0.0067440912114387953,
            0.0017276400503762843,
            0.024110959209099751,
        ),
        (148.41407098454216, 38.118839471999930, 3.5814403177503),
        (163851.42457743238, 41.086153583759172, 3.6278161613896665),
        (655574.22028617344, 57.987726694078547, 4.1053027174775373),
    ];
    for (label, (fi, fi_lambda, grad_norm)) in expected.into_iter().enumerate() {
        let objective = Objective::NegLogLik { label };
        let m = measure(&logits, &gram, objective, &settings(1e-9, 0.25)).unwrap();
        assert_eq!(m.rank, 2);
        check("fi", m.fi, fi, 1e-12);
        check("fi_lambda", m.fi_lambda, fi_lambda, 1e-12);
        check("grad_norm", m.grad_norm, grad_norm, 1e-12);
        check("λ_max", m.spectrum[0], 0.086492805079200956, 1e-13);
        check("λ_2", m.spectrum[1], 1.1727260335849623e-5, 1e-12);
        assert_eq!(m.spectrum.len(), 3);
        if label == 3 {
            check("saturation", m.saturation, 1.2471250897243944e-168, 1e-12);
        }
    }
}

#[test]
fn saturation_outlives_the_numbers_it_divides() {
    // p₀ = 1 − 10⁻⁸⁶⁸: FI and FI_max are 0 in double precision, their ratio is tanh²(½).
    let gram = gram(&[1., 0., 2.], 3);
    let objective = Objective::NegLogLik { label: 0 };
    let m = measure(&[2000., 0., -1.], &gram, objective, &settings(1e-6, 1.0)).unwrap();
    assert_eq!((m.fi, m.fi_max, m.rank), (0.0, 0.0, 1));
    check("saturation", m.saturation, 0.5f64.tanh().powi(2), 1e-13);
    assert_defined(&m);
    // The other way round the ceiling is beyond an f64, and full rank reaches it.
    let objective = Objective::NegLogLik { label: 1 };
    let m = measure(
        &[2000., 0.],
        &self::gram(&[1., 0.], 2),
        objective,
        &settings(1e-6, 1.0),
    )
    .unwrap();
    assert_eq!(
        (m.fi, m.fi_max, m.saturation),
        (f64::INFINITY, f64::INFINITY, 1.0)
    );
}

#[test]
fn never_nan() {
    let jacobians: [&[f64]; 4] = [
        &[0., 0., 0., 0.],
        &[1., 1., 1., 1.],
        &[1., -2., 0.5, 3.],
        &[
            1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 1.,
        ],
    ];
    for z in [0.0, 1.0, 30.0, 350.0, 700.0, 745.0, 1e4, 1e300] {
        for logits in [
            [0., 0., 0., z],
            [z, z, 0., 0.],
            [z, 0., -z, 0.],
            [-z, 0., 0., z],
        ] {
            for jacobian in jacobians {
                for scale in [1e-200, 1e-20, 1.0, 1e100] {
                    let gram = gram(jacobian, 4).scaled(scale);
                    for label in 0..4 {
                        for rtol in [0.0, 1e-6] {
                            let objective = Objective::NegLogLik { label };
                            let m =
                                measure(&logits, &gram, objective, &settings(rtol, 1.0)).unwrap();
                            assert_defined(&m);
                            let c = direction(&logits, &gram, objective, &settings(rtol, 1.0));
                            match c {
                                Ok(c) => assert!(c.iter().all(|c| c.is_finite())),
                                Err(e) => assert_eq!(e.kind(), GeometryErrorKind::NotFinite),
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_block_that_moves_all_logits_together_has_no_influence() {
    let m = measure(
        &[0.3, 0.1, -0.4],
        &gram(&[2., 2., 2.], 3),
        Objective::NegLogLik { label: 0 },
        &settings(1e-6, 1.0),
    )
    .unwrap();
    assert_eq!(
        (m.fi, m.rank, m.saturation, m.fi_lambda),
        (0.0, 0, 0.0, 0.0)
    );
    assert_eq!((m.fisher_trace, m.grad_norm), (0.0, 0.0));
    assert_eq!(m.margin_radius, f64::INFINITY);
    assert_eq!(m.compat, Some(Compat { fi: 0.0, rank: 0 }));
    assert_eq!(m.spectrum, [0.0, 0.0]);
    assert!(m.fi_max > 0.0);
}

#[test]
fn two_tied_classes_by_hand() {
    // p = ½: C = ¼ [[1, −1], [−1, 1]], G = ¼ (J₀ − J₁)² = 4, ∇f = ½ (J₁ − J₀) = −2, FI = 1 = (1 − p)/p.
    let m = measure(
        &[0.7, 0.7],
        &gram(&[3., -1.], 2),
        Objective::NegLogLik { label: 0 },
        &settings(1e-6, 4.0),
    )
    .unwrap();
    assert_eq!((m.fi, m.fi_max, m.saturation, m.rank), (1.0, 1.0, 1.0, 1));
    check("λ", m.spectrum[0], 4.0, 1e-14);
    check("fi_lambda", m.fi_lambda, 4.0 / 8.0, 1e-14);
    check("grad_norm", m.grad_norm, 2.0, 1e-14);
    check("jacobian_norm", m.jacobian_norm, 2f64.sqrt(), 1e-14);
    check(
        "logit_jacobian_norm",
        m.logit_jacobian_norm,
        8f64.sqrt(),
        1e-14,
    );
    assert_eq!(m.effective_rank, 1.0);
    assert_eq!(m.margin_radius, 0.0);
}

#[test]
fn margins_have_a_sign() {
    let radius = |label, jacobian: &[f64]| {
        let objective = Objective::NegLogLik { label };
        measure(
            &[3., 1., 0.],
            &gram(jacobian, 3),
            objective,
            &settings(1e-6, 1.0),
        )
        .unwrap()
        .margin_radius
    };
    // |J₀ − J₁| = 1 and |J₀ − J₂| = 6: 2/1 against 3/6.
    check("right", radius(0, &[1., 0., -5.]), 0.5, 1e-14);
    check("wrong", radius(1, &[1., 0., -5.]), -2.0, 1e-14);
    assert_eq!(radius(1, &[2., 2., 2.]), f64::NEG_INFINITY);
}

#[test]
fn the_budget_has_both_limits() {
    let (logits, gram) = ([0.4, -0.3, 0.9], gram(&[1., 2., 0.5, -1., 3., 1.], 3));
    let objective = Objective::NegLogLik { label: 1 };
    let at = |lambda| measure(&logits, &gram, objective, &settings(0.0, lambda)).unwrap();
    let small = at(1e-14);
    check("λ → 0", small.fi_lambda, small.fi, 1e-12);
    let large = at(1e14);
    check(
        "λ → ∞",
        large.fi_lambda * 1e14,
        large.grad_norm.powi(2),
        1e-12,
    );
}

#[test]
fn a_thousand_classes() {
    let k = 1000;
    let logits: Vec<f64> = (0..k).map(|i| 8.0 * ((i * i) as f64).sin()).collect();
    // The Gram of twelve coordinates, through the contrasts.
    let n = 12;
    let jacobian: Vec<f64> = (0..k * n).map(|i| ((i * (i + 7)) as f64).cos()).collect();
    let contrasts = Contrasts::helmert(k).unwrap();
    let swept: Vec<Vec<f64>> = (0..k - 1)
        .map(|v| {
            let mut row = vec![0.0; n];
            for (e, j) in contrasts.row(v).iter().zip(jacobian.chunks_exact(n)) {
                row.iter_mut().zip(j).for_each(|(sum, j)| *sum += e * j);
            }
            row
        })
        .collect();
    let s: Vec<f64> = swept
        .iter()
        .flat_map(|a| {
            swept
                .iter()
                .map(|b| a.iter().zip(b).map(|(a, b)| a * b).sum())
        })
        .collect();
    let from_contrasts = ClassGram::from_contrasts(&contrasts, &s).unwrap();
    let from_full = gram(&jacobian, k);
    let objective = Objective::NegLogLik { label: 3 };
    let m = measure(&logits, &from_contrasts, objective, &settings(1e-9, 1.0)).unwrap();
    let other = measure(&logits, &from_full, objective, &settings(1e-9, 1.0)).unwrap();
    assert_defined(&m);
    assert_eq!((m.rank, other.rank), (n, n));
    assert_eq!(m.spectrum.len(), k - 1);
    check("fi", m.fi, other.fi, 1e-9);
    check("trace", m.fisher_trace, other.fisher_trace, 1e-12);
}

#[test]
fn a_constant_in_the_logits_changes_nothing() {
    let gram = gram(&[1., 2., 0.5, -1., 3., 1.], 3);
    let objective = Objective::NegLogLik { label: 1 };
    // A power of two, so that adding it is exact.
    let moved = measure(&[64.5, 63.75, 65.0], &gram, objective, &settings(1e-6, 1.0)).unwrap();
    let still = measure(&[0.5, -0.25, 1.0], &gram, objective, &settings(1e-6, 1.0)).unwrap();
    assert_eq!(moved, still);
}

#[test]
fn one_class_is_refused_everywhere() {
    let gram = ClassGram::zeros(2).unwrap();
    let objective = Objective::NegLogLik { label: 0 };
    let error = measure(&[1.0], &gram, objective, &Settings::default()).unwrap_err();
    assert_eq!(error.kind(), GeometryErrorKind::OneClass);
    let overflow = gram
        + ClassGram::from_full(2, &[1., 0., 0., 1.])
            .unwrap()
            .scaled(f64::INFINITY);
    let error = measure(&[1.0, 0.0], &overflow, objective, &Settings::default()).unwrap_err();
    assert_eq!(error.kind(), GeometryErrorKind::NotFinite);
}
