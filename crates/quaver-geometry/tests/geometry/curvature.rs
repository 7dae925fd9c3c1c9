//! Second-order influence against explicit Hessians and Christoffel symbols, and against the sphere that a softmax is.

use crate::common::cases::{Case, case, close, first, flat, gradient, value};
use faer::Mat;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quaver_geometry::{Analysis, Objective, SecondOrder, Settings, Validity, finite_influence};

fn settings() -> Settings {
    Settings::new(1e-11, 1.0, None).unwrap()
}

/// f(z + J ω) at ω = the columns of `steps`, summed: outputs linear in the block.
fn moved(case: &Case, omega: &[f64]) -> Vec<f64> {
    let j = case.jacobian();
    (0..case.k())
        .map(|k| case.z[k] + (0..case.n).map(|c| j[(k, c)] * omega[c]).sum::<f64>())
        .collect()
}

/// ∂²f/∂ω² by central differences.
fn hessian(case: &Case, objective: Objective) -> Mat<f64> {
    let step = 1e-3;
    let at = |a: usize, s: f64, b: usize, t: f64| {
        let mut omega = vec![0.0; case.n];
        omega[a] += s * step;
        omega[b] += t * step;
        value(case, &moved(case, &omega), objective)
    };
    Mat::from_fn(case.n, case.n, |a, b| {
        (at(a, 1.0, b, 1.0) - at(a, 1.0, b, -1.0) - at(a, -1.0, b, 1.0) + at(a, -1.0, b, -1.0))
            / (4.0 * step * step)
    })
}

/// ∂G/∂ω_a by central differences.
fn metric_derivative(case: &Case, a: usize) -> Mat<f64> {
    let step = 1e-5;
    let at = |sign: f64| {
        let mut omega = vec![0.0; case.n];
        omega[a] = sign * step;
        Case {
            z: moved(case, &omega),
            ..case.clone()
        }
        .metric()
    };
    let (up, down) = (at(1.0), at(-1.0));
    Mat::from_fn(case.n, case.n, |b, c| {
        (up[(b, c)] - down[(b, c)]) / (2.0 * step)
    })
}

/// A^(-½) of a positive definite matrix.
fn inverse_root(matrix: &Mat<f64>) -> Mat<f64> {
    let eigen = matrix.self_adjoint_eigen(faer::Side::Lower).unwrap();
    let (values, u) = (eigen.S().column_vector(), eigen.U());
    let scaled = Mat::from_fn(u.nrows(), u.ncols(), |i, j| u[(i, j)] / values[j].sqrt());
    &scaled * u.transpose()
}

fn eigenvalues(matrix: &Mat<f64>) -> Vec<f64> {
    let eigen = matrix.self_adjoint_eigen(faer::Side::Lower).unwrap();
    eigen.S().column_vector().iter().copied().collect()
}

fn second_order(case: &Case, objective: Objective) -> SecondOrder {
    let (output, gram) = (case.output(), case.gram());
    Analysis::new(&output, &gram, objective, &settings())
        .unwrap()
        .second_order()
        .unwrap()
}

/// Smallest and largest eigenvalue, at the point √p of the unit sphere, of the Hessian along great circles
/// ½ diag(w) − ½ (w·p) I + D W D, D = diag(√p), among directions tangent to the sphere; w and W are the derivatives of φ.
fn on_the_sphere(case: &Case, objective: Objective) -> (f64, f64) {
    let (p, k) = (case.p(), case.k());
    let (mut w, mut second) = (vec![0.0; k], Mat::<f64>::zeros(k, k));
    match objective {
        Objective::NegLogLik { label } => {
            w[label] = -1.0 / p[label];
            second[(label, label)] = p[label].powi(-2);
        }
        Objective::Prob { label } => w[label] = 1.0,
        Objective::Margin { a, b } => {
            (w[a], w[b]) = (1.0 / p[a], -1.0 / p[b]);
            (second[(a, a)], second[(b, b)]) = (-p[a].powi(-2), p[b].powi(-2));
        }
        Objective::LogOdds { label } => {
            let (y, n) = (p[label], 1.0 - p[label]);
            w[label] = 1.0 / y + 1.0 / n;
            second[(label, label)] = n.powi(-2) - y.powi(-2);
        }
        Objective::Entropy => {
            for i in 0..k {
                w[i] = -p[i].ln() - 1.0;
                second[(i, i)] = -1.0 / p[i];
            }
        }
        Objective::CrossEntropy { target } => {
            for i in 0..k {
                w[i] = -target[i] / p[i];
                second[(i, i)] = target[i] / p[i].powi(2);
            }
        }
        _ => unreachable!("not of a softmax"),
    }
    let mean: f64 = w.iter().zip(&p).map(|(w, p)| w * p).sum();
    let ambient = Mat::from_fn(k, k, |i, j| {
        (p[i] * p[j]).sqrt() * second[(i, j)] + if i == j { 0.5 * (w[i] - mean) } else { 0.0 }
    });
    // Coordinates of the tangent space: eigenvectors of I − √p√pᵀ with eigenvalue 1.
    let projector = Mat::from_fn(
        k,
        k,
        |i, j| if i == j { 1.0 } else { 0.0 } - (p[i] * p[j]).sqrt(),
    );
    let eigen = projector.self_adjoint_eigen(faer::Side::Lower).unwrap();
    let tangent = Mat::from_fn(k, k - 1, |i, j| eigen.U()[(i, j + 1)]);
    let values = eigenvalues(&(tangent.transpose() * ambient * &tangent));
    (values[0], values[k - 2])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, rng_seed: RngSeed::Fixed(11), ..Default::default() })]

    #[test]
    fn cooks_curvature_is_that_of_the_dense_hessian(case in case()) {
        let (output, gram) = (case.output(), case.gram());
        for objective in case.objectives() {
            let found = Analysis::new(&output, &gram, objective, &settings()).unwrap().normal_curvature().unwrap();
            let (h, f) = (hessian(&case, objective), gradient(&case, objective));
            let squared = f.norm_l2().powi(2);
            let w = inverse_root(&Mat::from_fn(case.n, case.n, |i, j| f[(i, 0)] * f[(j, 0)] + if i == j { 1.0 } else { 0.0 }));
            let values = eigenvalues(&(&w * h * &w));
            let want = values[case.n - 1].max(-values[0]) / (1.0 + squared).sqrt();
            prop_assert!((found - want).abs() < 1e-3 * want + 1e-4, "{objective:?} {found} {want}");
        }
    }

    /// Where the block is smaller than the output: Γ from the metric's own derivatives.
    #[test]
    fn the_covariant_hessian_is_the_textbook_one(case in case()) {
        let n = case.n.min(case.output().n_free()).min(3);
        let case = Case { j: flat(&first(&case.jacobian(), n)), n, ..case };
        let g = case.metric();
        let spectrum = eigenvalues(&g);
        prop_assume!(spectrum[0] > 0.02 * spectrum[n - 1]);
        let white = inverse_root(&g);
        let derivatives: Vec<Mat<f64>> = (0..n).map(|a| metric_derivative(&case, a)).collect();
        for objective in case.objectives() {
            // Γ^c ∂_c f = Γ_{ab,c} (G⁻¹ ∇fᵀ)_c.
            let steepest = &white * (&white * gradient(&case, objective));
            let plain = hessian(&case, objective);
            let covariant = Mat::from_fn(n, n, |a, b| {
                let along = (0..n).map(|c| {
                    let gamma = 0.5 * (derivatives[a][(b, c)] + derivatives[b][(a, c)] - derivatives[c][(a, b)]);
                    gamma * steepest[(c, 0)]
                });
                plain[(a, b)] - along.sum::<f64>()
            });
            let values = eigenvalues(&(&white * covariant * &white));
            let found = second_order(&case, objective);
            let size = values[n - 1].abs().max(values[0].abs());
            prop_assert!((found.largest - values[n - 1]).abs() < 2e-3 * size + 1e-3, "{objective:?} {found:?} {values:?}");
            prop_assert!((found.smallest - values[0]).abs() < 2e-3 * size + 1e-3, "{objective:?} {found:?} {values:?}");
            let saturated = n == case.output().n_free();
            prop_assert_eq!(found.validity == Validity::Saturated, saturated);
        }
    }

    #[test]
    fn at_full_rank_it_is_that_of_the_sphere(case in case()) {
        let case = Case { family: 0, j: case.identity(), n: case.k(), ..case };
        for objective in case.objectives() {
            let (found, (smallest, largest)) = (second_order(&case, objective), on_the_sphere(&case, objective));
            let size = largest.abs().max(smallest.abs());
            prop_assert_eq!(found.validity, Validity::Saturated);
            prop_assert!((found.largest - largest).abs() < 1e-8 * size, "{objective:?} {found:?} {largest}");
            prop_assert!((found.smallest - smallest).abs() < 1e-8 * size, "{objective:?} {found:?} {smallest}");
        }
        let p = case.p()[case.label];
        let largest = second_order(&case, Objective::NegLogLik { label: case.label }).largest;
        prop_assert!(close(largest, 0.5 / p, 1e-9));
    }

    #[test]
    fn finite_influence_tends_to_fi_along_the_direction(case in case()) {
        let (output, gram) = (case.output(), case.gram());
        for objective in case.objectives() {
            let analysis = Analysis::new(&output, &gram, objective, &settings()).unwrap();
            let m = analysis.measures().unwrap();
            if m.fi < 1e-3 || m.spectrum.iter().any(|l| *l > 0.0 && l / m.spectrum[0] < 1e-4) {
                continue;
            }
            let c = analysis.direction().unwrap();
            let h = case.jacobian().transpose() * Mat::from_fn(case.k(), 1, |k, _| c[k]);
            let size = h.norm_l2() * case.jacobian().norm_l2();
            let omega: Vec<f64> = (0..case.n).map(|i| 1e-4 / size * h[(i, 0)]).collect();
            let walked = Case { z: moved(&case, &omega), ..case.clone() };
            let found = finite_influence(&output, &walked.output(), objective).unwrap();
            prop_assert!((found.influence / m.fi - 1.0).abs() < 1e-2, "{objective:?} {found:?} {}", m.fi);
        }
    }
}

#[test]
fn a_sure_answer_bends_as_the_sphere_does() {
    for gap in [5.0, 30.0, 100.0, 300.0] {
        let case = Case {
            family: 0,
            z: vec![gap, 0.0, -1.0],
            j: vec![1.0, 0.3, -2.0, 0.5, 0.7, 1.1],
            n: 2,
            label: 0,
            truth: vec![],
        };
        let p = case.p()[0];
        let found = second_order(&case, Objective::NegLogLik { label: 0 });
        assert!(
            close(found.largest, 0.5 / p, 1e-9) && close(found.smallest, 0.5, 1e-9),
            "{gap} {found:?}"
        );
    }
}
