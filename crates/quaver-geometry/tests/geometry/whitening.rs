//! What a map reads off whitened coordinates, against the measures of the same Gram.

use faer::{Mat, Side};
use quaver_geometry::{
    Bernoullis, ClassGram, Gaussian, Objective, Output, Settings, Softmax, Whitening, measure,
};

/// Eigenpairs of M = A S Aᵀ, last components alone.
fn pairs(whitening: &Whitening, gram: &ClassGram) -> (Vec<(f64, f64)>, Mat<f64>) {
    let (n, k) = (whitening.n_free(), whitening.n_outputs());
    let a = Mat::from_fn(n, k, |i, j| whitening.rows()[i * k + j]);
    let s = Mat::from_fn(k, k, |i, j| gram.get(i, j));
    let m = &a * s * a.transpose();
    let eigen = m.self_adjoint_eigen(Side::Lower).unwrap();
    let pairs = (0..n)
        .map(|i| (eigen.S().column_vector()[i], eigen.U()[(n - 1, i)]))
        .collect();
    (pairs, m)
}

fn jacobian(k: usize, n: usize) -> Vec<f64> {
    (0..k * n)
        .map(|i| (1.7 * i as f64).sin() + 0.2 * (0.3 * i as f64).cos())
        .collect()
}

fn gram(k: usize, n: usize) -> ClassGram {
    let j = jacobian(k, n);
    let s: Vec<f64> = (0..k * k)
        .map(|at| (0..n).map(|c| j[at / k * n + c] * j[at % k * n + c]).sum())
        .collect();
    ClassGram::from_full(k, &s).unwrap()
}

#[test]
fn measures_of_a_softmax() {
    let target = [0.1, 0.5, 0.2, 0.1, 0.1];
    for logits in [[0.2, -1.0, 0.7, 0.1, -0.4], [9.0, 1.0, 0.0, 4.0, -3.0]] {
        for n in [1, 2, 3, 4, 20] {
            let gram = gram(5, n);
            let objectives = (0..5).map(|label| Objective::NegLogLik { label });
            let others = [
                Objective::Prob { label: 2 },
                Objective::LogOdds { label: 0 },
                Objective::Margin { a: 3, b: 1 },
                Objective::Entropy,
                Objective::CrossEntropy { target: &target },
            ];
            for objective in objectives.chain(others) {
                let settings = Settings::new(1e-9, 0.3, None).unwrap();
                let expected = measure(&logits, &gram, objective, &settings).unwrap();
                let output = Output::from(Softmax::new(&logits).unwrap());
                let whitening = Whitening::new(&output, objective).unwrap();
                let (pairs, m) = pairs(&whitening, &gram);
                let largest = pairs.iter().fold(0.0f64, |max, (theta, _)| max.max(*theta));
                let kept: f64 = pairs
                    .iter()
                    .filter(|(theta, _)| *theta > 1e-9 * largest)
                    .map(|(_, e)| e * e)
                    .sum();
                let lambda = 0.3 / whitening.metric();
                let budgeted: f64 = pairs
                    .iter()
                    .map(|(theta, e)| e * e * theta.max(0.0) / (theta.max(0.0) + lambda))
                    .sum();
                let trace: f64 = pairs.iter().map(|(theta, _)| theta).sum();
                let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
                assert!(
                    close(whitening.fi_max() * kept, expected.fi),
                    "{objective:?} {n}"
                );
                assert!(
                    close(whitening.fi_max() * budgeted, expected.fi_lambda),
                    "{objective:?} {n}"
                );
                assert!(close(whitening.metric() * trace, expected.fisher_trace));
                let last = m[(3, 3)];
                assert!(close(
                    (whitening.gradient() * last).sqrt(),
                    expected.grad_norm
                ));
            }
        }
    }
}

/// Aᵀ A s² = C, and the last row is the gradient's direction, whatever the family.
#[test]
fn a_square_root_of_the_metric() {
    let outputs = [
        Output::from(Softmax::new(&[0.3, 1.0, -2.0]).unwrap()),
        Output::from(Bernoullis::new(&[0.3, 1.0, -2.0]).unwrap()),
        Output::from(Gaussian::new(&[0.3, 1.0, -2.0], 0.7).unwrap()),
    ];
    let p = |z: f64| 1.0 / (1.0 + (-z).exp());
    for (family, output) in outputs.iter().enumerate() {
        let objective = match family {
            0 => Objective::NegLogLik { label: 2 },
            1 => Objective::BinaryNll {
                labels: &[true, false, true],
            },
            _ => Objective::Residual {
                target: &[0.0, 1.5, 0.5],
            },
        };
        let whitening = Whitening::new(output, objective).unwrap();
        let rows = whitening.rows();
        let q = Softmax::new(&[0.3, 1.0, -2.0]).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let found: f64 = rows.chunks_exact(3).map(|row| row[i] * row[j]).sum();
                let same = f64::from(u8::from(i == j));
                let z = [0.3, 1.0, -2.0][i];
                let expected = match family {
                    0 => q.p()[i] * (same - q.p()[j]),
                    1 => same * p(z) * (1.0 - p(z)),
                    _ => same / 0.49,
                };
                assert!(
                    (found * whitening.metric() - expected).abs() < 1e-13,
                    "{family} {i} {j}"
                );
            }
        }
    }
}

#[test]
fn a_stationary_objective_has_no_influence() {
    let output = Output::from(Softmax::new(&[1.0; 4]).unwrap());
    let whitening = Whitening::new(&output, Objective::Entropy).unwrap();
    assert_eq!((whitening.fi_max(), whitening.gradient()), (0.0, 0.0));
    let hopeless = Output::from(Softmax::new(&[0.0, 1500.0]).unwrap());
    assert!(Whitening::new(&hopeless, Objective::NegLogLik { label: 0 }).is_err());
}
