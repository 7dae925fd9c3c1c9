//! The softmax as an output distribution: its square root, objectives, and derivatives.

mod gradients;

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::distribution::{Distribution, Gradient, foreign, radius};
use crate::error::{GeometryError, GeometryErrorKind};
use crate::factor::Factor;
use crate::objective::Objective;
use crate::softmax::Softmax;
use gradients::{checked_target, entropy, soft, toward};

/// C = B Bᵀ with B = diag(√p) U (K × (K − 1)) and U an orthonormal basis of the complement of √p (derived from Tanabe &
/// Sagae's square root diag(√p) − p√pᵀ, whose null vector √p is removed here exactly instead of being left to the
/// eigensolver). U comes from the Householder reflection that takes √p to −e_m, m the largest class; in B its terms
/// combine, so no entry suffers cancellation, however near p_m is to 1:
///
/// B_jk = √p_k (δ_jk − p_j/(1 + √p_m)) for j ≠ m, B_mk = −√p_m √p_k, with k ≠ m.
///
/// s² is the second largest probability, the size of C where one class dominates.
impl Distribution for Softmax {
    fn n_outputs(&self) -> usize {
        self.n_classes()
    }

    fn n_free(&self) -> usize {
        self.n_classes() - 1
    }

    fn log_metric(&self) -> f64 {
        self.second_log_p()
    }

    /// Column k: √(p_k/s²) (R_k − Σ_{j≠m} R_j p_j/(1 + √p_m) − √p_m R_m).
    fn root_times(&self, factor: &Factor) -> Mat<f64> {
        let (p, top) = (self.p(), self.argmax());
        let root_top = p[top].sqrt();
        let mut weights: Vec<f64> = p.iter().map(|p_j| p_j / (1.0 + root_top)).collect();
        weights[top] = root_top;
        let origin = factor.apply(&weights);
        Mat::from_fn(factor.root.nrows(), p.len() - 1, |row, col| {
            let k = skip(top, col);
            self.root_ratio_to_second(k) * (factor.root[(row, k)] - origin[row])
        })
    }

    fn lift(&self, x: &[f64]) -> Vec<f64> {
        let (p, top) = (self.p(), self.argmax());
        let root_top = p[top].sqrt();
        let mut classes = vec![0.0; p.len()];
        for (col, x_k) in x.iter().enumerate() {
            let k = skip(top, col);
            classes[k] = self.root_ratio_to_second(k) * x_k;
        }
        let total: f64 = classes.iter().sum();
        for (class, p_j) in classes.iter_mut().zip(p) {
            *class -= p_j / (1.0 + root_top) * total;
        }
        classes[top] = -root_top * total;
        classes
    }

    /// From lift: u_m = −√p_m Σ, u_k = √(p_k/s²) x_k − p_k/(1 + √p_m) Σ.
    fn unlift(&self, u: &[f64]) -> Vec<f64> {
        let (p, top) = (self.p(), self.argmax());
        let root_top = p[top].sqrt();
        let total = -u[top] / root_top;
        let coordinate = |k: usize| match self.root_ratio_to_second(k) {
            0.0 => 0.0,
            root => (u[k] + p[k] / (1.0 + root_top) * total) / root,
        };
        (0..p.len() - 1)
            .map(|col| coordinate(skip(top, col)))
            .collect()
    }

    fn mean_jacobian(&self, factor: &Factor) -> Mat<f64> {
        factor.times_covariance(self)
    }

    fn gradient(&self, objective: Objective) -> Result<Gradient, GeometryError> {
        let metric = self.log_metric();
        match objective {
            Objective::NegLogLik { label } => {
                self.check_label(label)?;
                let (log_p, complement) = (self.log_p()[label], self.complement(label));
                let gradient = toward(self, label, 1.0, 0.0);
                Ok(gradient.with_fi_max(if label == self.argmax() {
                    complement / self.p()[label]
                } else {
                    complement * (-log_p).exp()
                }))
            }
            Objective::Prob { label } => {
                self.check_label(label)?;
                let gradient = toward(self, label, -1.0, self.log_p()[label]);
                Ok(gradient.with_fi_max(self.p()[label] * self.complement(label)))
            }
            Objective::LogOdds { label } => {
                self.check_label(label)?;
                let log_complement = self.log_complement(label);
                let gradient = toward(self, label, -1.0, -log_complement);
                Ok(gradient.with_fi_max((-self.log_p()[label] - log_complement).exp()))
            }
            Objective::Margin { a, b } => {
                self.check_label(a)?;
                self.check_label(b)?;
                if a == b {
                    return Err(GeometryError::new(
                        GeometryErrorKind::Objective,
                        format!("margin of class {a} over itself: expected two classes"),
                    ));
                }
                let mut scaled = vec![0.0; self.n_classes()];
                (scaled[a], scaled[b]) = (1.0, -1.0);
                let ceiling = 1.0 / self.ratio_to_second(a) + 1.0 / self.ratio_to_second(b);
                let fi_max = (-self.log_p()[a]).exp() + (-self.log_p()[b]).exp();
                Ok(Gradient::new(scaled, 0.0, metric, ceiling).with_fi_max(fi_max))
            }
            Objective::Entropy => Ok(entropy(self)),
            Objective::CrossEntropy { target } => {
                let target = checked_target(self, target)?;
                Ok(match target.iter().position(|&t| t == 1.0) {
                    Some(label) => return self.gradient(Objective::NegLogLik { label }),
                    None => soft(self, &target),
                })
            }
            Objective::BinaryNll { .. }
            | Objective::OutputNll { .. }
            | Objective::Residual { .. } => Err(foreign(
                objective,
                "a softmax",
                "nll (of a class), prob, margin, log-odds, entropy or cross-entropy",
            )),
        }
    }

    fn value(&self, objective: Objective) -> f64 {
        match objective {
            Objective::NegLogLik { label } => -self.log_p()[label],
            Objective::Prob { label } => self.p()[label],
            Objective::LogOdds { label } => self.log_p()[label] - self.log_complement(label),
            Objective::Margin { a, b } => self.logits()[a] - self.logits()[b],
            Objective::CrossEntropy { target } => {
                let total: f64 = target.iter().sum();
                let terms = target.iter().zip(self.log_p());
                -terms.map(|(t, log_p)| t * log_p).sum::<f64>() / total
            }
            _ => {
                let terms = self.p().iter().zip(self.log_p());
                -terms.map(|(p, log_p)| p * log_p).sum::<f64>()
            }
        }
    }

    fn margin_radius(&self, gram: &ClassGram, objective: Objective) -> f64 {
        let (k, logits) = (self.n_classes(), self.logits());
        let between = |y: usize, j: usize| {
            let (yy, jj, yj) = (gram.get(y, y), gram.get(j, j), gram.get(y, j));
            let floor = k as f64 * f64::EPSILON * yy.max(jj);
            radius(logits[y] - logits[j], (yy - yj) + (jj - yj), floor)
        };
        let label = match objective {
            Objective::Margin { a, b } => return between(a, b),
            Objective::NegLogLik { label }
            | Objective::Prob { label }
            | Objective::LogOdds { label } => label,
            Objective::CrossEntropy { target } => {
                (1..target.len()).fold(0, |best, c| if target[c] > target[best] { c } else { best })
            }
            _ => self.argmax(),
        };
        (0..k)
            .filter(|&j| j != label)
            .map(|j| between(label, j))
            .fold(f64::INFINITY, f64::min)
    }

    /// Relative to the largest class first, whose own entry would otherwise cancel where p is near 1.
    fn centre(&self, a: &[f64]) -> Vec<f64> {
        let origin = a[self.argmax()];
        let moved = a.iter().map(|a_k| a_k - origin);
        let mean: f64 = moved.clone().zip(self.p()).map(|(a, p)| p * a).sum();
        moved.map(|a| a - mean).collect()
    }

    fn hessian(&self, objective: Objective) -> Vec<f64> {
        let p = self.p();
        match objective {
            Objective::Margin { .. } => vec![0.0; p.len()],
            // p_y ((e_y − p)(e_y − p)ᵀ − C), and e_y − p is e_y to a centred vector.
            Objective::Prob { label } => {
                let mut weights: Vec<f64> = p.iter().map(|p_k| -p[label] * p_k).collect();
                weights[label] = p[label] * self.complement(label);
                weights
            }
            // −Cov of p given not y, whose mean is −p_y ã_y/(1 − p_y).
            Objective::LogOdds { label } => {
                let log_complement = self.log_complement(label);
                let mut weights: Vec<f64> = self
                    .log_p()
                    .iter()
                    .map(|log_p| -(log_p - log_complement).exp())
                    .collect();
                weights[label] = (2.0 * (self.log_p()[label] - log_complement)).exp();
                weights
            }
            Objective::Entropy => {
                let surprise = self.centre(self.logits());
                p.iter()
                    .zip(surprise)
                    .map(|(p, d)| -p * (d + 1.0))
                    .collect()
            }
            _ => p.to_vec(),
        }
    }

    fn skewness(&self, b: &[f64]) -> Vec<f64> {
        self.p().iter().zip(b).map(|(p, b)| p * b).collect()
    }
}

/// The class of column `col` when `top` has none.
fn skip(top: usize, col: usize) -> usize {
    if col < top { col } else { col + 1 }
}
