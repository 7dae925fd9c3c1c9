//! Random output distributions with explicit J, C and G, and objectives by their textbook formulas.

use faer::Mat;
use proptest::prelude::*;
use quaver_geometry::{ClassGram, Family, Objective, Output};

/// K outputs of a family (0 softmax, 1 Bernoullis, 2 Gaussian), a K × n Jacobian, and what is true of the sample.
#[derive(Debug, Clone)]
pub struct Case {
    pub family: usize,
    pub z: Vec<f64>,
    pub j: Vec<f64>,
    pub n: usize,
    pub label: usize,
    /// K probabilities of sum 1; labels are those above 1/K, and values of a regression themselves.
    pub truth: Vec<f64>,
}

const SIGMA: f64 = 0.6;
const LABELS: [[bool; 2]; 2] = [[false, true], [true, false]];

impl Case {
    pub fn k(&self) -> usize {
        self.z.len()
    }

    fn kind(&self) -> Family {
        [
            Family::Softmax,
            Family::MultiLabel,
            Family::Gaussian { sigma: SIGMA },
        ][self.family]
    }

    pub fn output(&self) -> Output {
        self.kind().at(&self.z).unwrap()
    }

    pub fn gram(&self) -> ClassGram {
        let j = self.jacobian();
        self.kind()
            .gram(self.k(), &flat(&(&j * j.transpose())))
            .unwrap()
    }

    pub fn objectives(&self) -> Vec<Objective<'_>> {
        let (label, other) = (self.label, (self.label + 1) % self.k());
        match self.family {
            0 => vec![
                Objective::NegLogLik { label },
                Objective::Prob { label },
                Objective::Margin { a: label, b: other },
                Objective::LogOdds { label },
                Objective::Entropy,
                Objective::CrossEntropy {
                    target: &self.truth,
                },
            ],
            1 => {
                let labels: &'static [bool] = match self.k() {
                    2 => &LABELS[label % 2],
                    3 => &[true, false, false],
                    4 => &[true, false, false, true],
                    5 => &[false, false, true, true, false],
                    _ => &[false, true, true, false, true, true],
                };
                vec![
                    Objective::BinaryNll { labels },
                    Objective::OutputNll {
                        output: label,
                        label: label == 1,
                    },
                ]
            }
            _ => vec![Objective::Residual {
                target: &self.truth,
            }],
        }
    }

    pub fn p(&self) -> Vec<f64> {
        probabilities(self.family, &self.z)
    }

    pub fn jacobian(&self) -> Mat<f64> {
        Mat::from_fn(self.k(), self.n, |k, c| self.j[k * self.n + c])
    }

    pub fn identity(&self) -> Vec<f64> {
        let k = self.k();
        (0..k * k)
            .map(|at| f64::from(u8::from(at / k == at % k)))
            .collect()
    }

    /// C, explicitly.
    pub fn information(&self) -> Mat<f64> {
        let p = self.p();
        Mat::from_fn(self.k(), self.k(), |k, l| {
            let same = if k == l { 1.0 } else { 0.0 };
            match self.family {
                0 => p[k] * (same - p[l]),
                1 => p[k] * (1.0 - p[k]) * same,
                _ => same / (SIGMA * SIGMA),
            }
        })
    }

    /// G = Jᵀ C J.
    pub fn metric(&self) -> Mat<f64> {
        let j = self.jacobian();
        j.transpose() * self.information() * &j
    }

    pub fn mean_jacobian(&self) -> Mat<f64> {
        match self.family {
            2 => self.jacobian(),
            _ => self.information() * self.jacobian(),
        }
    }

    pub fn centred_jacobian(&self) -> Mat<f64> {
        let (j, k) = (self.jacobian(), self.k());
        let mean = |c: usize| (0..k).map(|l| j[(l, c)]).sum::<f64>() / k as f64;
        let share = if self.family == 0 { 1.0 } else { 0.0 };
        Mat::from_fn(k, self.n, |l, c| j[(l, c)] - share * mean(c))
    }
}

fn probabilities(family: usize, z: &[f64]) -> Vec<f64> {
    match family {
        0 => {
            let largest = z.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let total: f64 = z.iter().map(|z| (z - largest).exp()).sum();
            z.iter().map(|z| (z - largest).exp() / total).collect()
        }
        1 => z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
        _ => z.to_vec(),
    }
}

/// f at outputs `z`, by its textbook formula.
pub fn value(case: &Case, z: &[f64], objective: Objective) -> f64 {
    let p = probabilities(case.family, z);
    let binary = |j: usize, label: bool| -(if label { p[j] } else { 1.0 - p[j] }).ln();
    match objective {
        Objective::NegLogLik { label } => -p[label].ln(),
        Objective::Prob { label } => p[label],
        Objective::Margin { a, b } => p[a].ln() - p[b].ln(),
        Objective::LogOdds { label } => (p[label] / (1.0 - p[label])).ln(),
        Objective::Entropy => -p.iter().map(|p| p * p.ln()).sum::<f64>(),
        Objective::CrossEntropy { target } => {
            -p.iter().zip(target).map(|(p, t)| t * p.ln()).sum::<f64>()
        }
        Objective::BinaryNll { labels } => {
            labels.iter().enumerate().map(|(j, &l)| binary(j, l)).sum()
        }
        Objective::OutputNll { output, label } => binary(output, label),
        Objective::Residual { target } => {
            p.iter()
                .zip(target)
                .map(|(p, t)| (p - t).powi(2))
                .sum::<f64>()
                / (2.0 * SIGMA * SIGMA)
        }
        _ => unreachable!("an objective without a test"),
    }
}

/// ∇fᵀ (n × 1), by central differences in z and the chain rule.
pub fn gradient(case: &Case, objective: Objective) -> Mat<f64> {
    let step = 1e-5;
    let u = Mat::from_fn(case.k(), 1, |k, _| {
        let moved = |sign: f64| {
            let mut z = case.z.clone();
            z[k] += sign * step;
            value(case, &z, objective)
        };
        (moved(1.0) - moved(-1.0)) / (2.0 * step)
    });
    case.jacobian().transpose() * u
}

/// ∇f (G + λI)⁺ ∇fᵀ by an explicit eigendecomposition.
pub fn explicit(g: &Mat<f64>, gradient: &Mat<f64>, lambda: f64) -> f64 {
    let n = g.nrows();
    let eigen = g.self_adjoint_eigen(faer::Side::Lower).unwrap();
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    (0..n)
        .filter(|&at| lambda > 0.0 || values[at] > 1e-11 * values[n - 1])
        .map(|at| {
            let along: f64 = (0..n).map(|c| gradient[(c, 0)] * vectors[(c, at)]).sum();
            along * along / (values[at].max(0.0) + lambda)
        })
        .sum()
}

/// The first `n` columns.
pub fn first(matrix: &Mat<f64>, n: usize) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), n, |row, col| matrix[(row, col)])
}

/// Row-major values.
pub fn flat(matrix: &Mat<f64>) -> Vec<f64> {
    matrix
        .row_iter()
        .flat_map(|row| row.iter().copied().collect::<Vec<_>>())
        .collect()
}

/// Moderate outputs, so that every one matters; any number of coordinates.
pub fn case() -> impl Strategy<Value = Case> {
    (0usize..3, 2usize..7, 1usize..12).prop_flat_map(|(family, k, n)| {
        let z = prop::collection::vec(-2.5..2.5f64, k);
        let j = prop::collection::vec(-2.0..2.0f64, k * n);
        let truth = prop::collection::vec(0.05..1.0f64, k);
        (z, j, 0..k, truth).prop_map(move |(z, j, label, truth)| {
            let total: f64 = truth.iter().sum();
            let truth = truth.iter().map(|t| t / total).collect();
            Case {
                family,
                z,
                j,
                n,
                label,
                truth,
            }
        })
    })
}

pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-6)
}
