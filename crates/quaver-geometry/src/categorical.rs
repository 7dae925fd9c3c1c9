//! The softmax as an output distribution: its square root, objectives, and derivatives.

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::distribution::{Distribution, Gradient, foreign, radius};
use crate::error::{GeometryError, GeometryErrorKind, check_finite};
use crate::factor::Factor;
use crate::objective::Objective;
use crate::softmax::Softmax;

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

    fn mean_jacobian(&self, factor: &Factor) -> Mat<f64> {
        factor.times_covariance(self)
    }

    fn gradient(&self, objective: Objective) -> Result<Gradient, GeometryError> {
        let metric = self.log_metric();
        match objective {
            Objective::NegLogLik { label } => {
                check_label(self, label)?;
                let (log_p, complement) = (self.log_p()[label], self.complement(label));
                let gradient = toward(self, label, 1.0, 0.0);
                Ok(gradient.with_fi_max(if label == self.argmax() {
                    complement / self.p()[label]
                } else {
                    complement * (-log_p).exp()
                }))
            }
            Objective::Prob { label } => {
                check_label(self, label)?;
                let gradient = toward(self, label, -1.0, self.log_p()[label]);
                Ok(gradient.with_fi_max(self.p()[label] * self.complement(label)))
            }
            Objective::LogOdds { label } => {
                check_label(self, label)?;
                let log_complement = self.log_complement(label);
                let gradient = toward(self, label, -1.0, -log_complement);
                Ok(gradient.with_fi_max((-self.log_p()[label] - log_complement).exp()))
            }
            Objective::Margin { a, b } => {
                check_label(self, a)?;
                check_label(self, b)?;
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

/// ± (p − e_y) · exp(`log_factor`).
fn toward(softmax: &Softmax, label: usize, sign: f64, log_factor: f64) -> Gradient {
    let metric = softmax.log_metric();
    let (mut scaled, log_unit, ceiling): (Vec<f64>, f64, f64);
    if label == softmax.argmax() {
        // u_k = p_k and u_y = −Σ p_k, divided by s² through the logits.
        scaled = (0..softmax.n_classes())
            .map(|k| softmax.ratio_to_second(k))
            .collect();
        scaled[label] = 0.0;
        let rest: f64 = scaled.iter().sum();
        scaled[label] = -rest;
        (log_unit, ceiling) = (metric, rest / softmax.p()[label]);
    } else {
        // u = p − e_y is of size 1.
        scaled = softmax.p().to_vec();
        let complement = softmax.complement(label);
        scaled[label] = -complement;
        (log_unit, ceiling) = (0.0, complement / softmax.ratio_to_second(label));
    }
    for u in &mut scaled {
        *u *= sign;
    }
    Gradient::new(scaled, log_unit + log_factor, metric, ceiling)
}

/// u_k = −p_k d_k, d_k = log p_k − Σ p log p, in units of s². From differences of logits, so that equal classes give 0.
fn entropy(softmax: &Softmax) -> Gradient {
    let (top, metric) = (softmax.argmax(), softmax.log_metric());
    let surprise = softmax.centre(softmax.logits());
    let mut scaled = vec![0.0; softmax.n_classes()];
    let mut ceiling = 0.0;
    for k in (0..scaled.len()).filter(|&k| k != top) {
        scaled[k] = -softmax.ratio_to_second(k) * surprise[k];
        ceiling -= scaled[k] * surprise[k];
    }
    scaled[top] = -scaled.iter().sum::<f64>();
    ceiling += scaled[top].powi(2) * (metric - softmax.log_p()[top]).exp();
    Gradient::new(scaled, metric, metric, ceiling)
}

/// u = p − t, of size 1 unless t is one class.
fn soft(softmax: &Softmax, target: &[f64]) -> Gradient {
    let (top, metric) = (softmax.argmax(), softmax.log_metric());
    let mut scaled: Vec<f64> = softmax.p().iter().zip(target).map(|(p, t)| p - t).collect();
    scaled[top] = 0.0;
    scaled[top] = -scaled.iter().sum::<f64>();
    let ceiling = scaled.iter().zip(target).enumerate().map(|(k, (u, t))| {
        if *t == 0.0 {
            u.powi(2) / softmax.p()[k].max(f64::MIN_POSITIVE) * metric.exp()
        } else {
            u.powi(2) / softmax.ratio_to_second(k)
        }
    });
    let ceiling = ceiling.sum();
    Gradient::new(scaled, 0.0, metric, ceiling)
}

fn check_label(softmax: &Softmax, label: usize) -> Result<(), GeometryError> {
    let k = softmax.n_classes();
    if label < k {
        return Ok(());
    }
    Err(GeometryError::new(
        GeometryErrorKind::Label,
        format!("label {label} of {k} classes (numbered from 0)"),
    ))
}

/// t/Σt.
fn checked_target(softmax: &Softmax, target: &[f64]) -> Result<Vec<f64>, GeometryError> {
    if target.len() != softmax.n_classes() {
        return Err(GeometryError::shape(
            "target of cross-entropy",
            softmax.n_classes(),
            target.len(),
        ));
    }
    check_finite("target of cross-entropy: value", target)?;
    let total: f64 = target.iter().sum();
    if target.iter().any(|&t| t < 0.0) || (total - 1.0).abs() > 1e-6 {
        return Err(GeometryError::new(
            GeometryErrorKind::Objective,
            "target of cross-entropy: expected probabilities of sum 1",
        ));
    }
    Ok(target.iter().map(|t| t / total).collect())
}

/// The class of column `col` when `top` has none.
fn skip(top: usize, col: usize) -> usize {
    if col < top { col } else { col + 1 }
}
