//! Independent Bernoullis: a network with several labels at once.

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::distribution::{Distribution, Gradient, foreign, radius};
use crate::error::{GeometryError, GeometryErrorKind, check_finite};
use crate::factor::Factor;
use crate::objective::Objective;

/// p_j = 1/(1 + exp(−z_j)) of K logits, each the natural parameter of a Bernoulli of its own.
///
/// Their Fisher information is C = diag(p_j (1 − p_j)), of rank K, with the square root B = diag(√(p_j (1 − p_j))). Its
/// class Gram is one that is not centred: [`ClassGram::from_outputs`].
#[derive(Debug, Clone, PartialEq)]
pub struct Bernoullis {
    logits: Vec<f64>,
    /// log(p_j (1 − p_j)), finite even where p_j underflows.
    log_variance: Vec<f64>,
    /// ln s², s² the largest variance.
    log_metric: f64,
}

impl Bernoullis {
    /// From K ≥ 1 logits.
    ///
    /// # Errors
    /// `Shape` if there are none, `NotFinite`.
    pub fn new(logits: &[f64]) -> Result<Self, GeometryError> {
        if logits.is_empty() {
            return Err(GeometryError::shape("outputs", 1, 0));
        }
        check_finite("logit", logits)?;
        let log_variance: Vec<f64> = logits
            .iter()
            .map(|z| log_probability(*z) + log_probability(-z))
            .collect();
        Ok(Self {
            logits: logits.to_vec(),
            log_metric: log_variance
                .iter()
                .fold(f64::NEG_INFINITY, |max, &v| max.max(v)),
            log_variance,
        })
    }

    /// P(output j is true), K values.
    pub fn p(&self) -> Vec<f64> {
        self.logits
            .iter()
            .map(|&z| log_probability(z).exp())
            .collect()
    }

    /// The logits as given.
    pub(crate) fn logits(&self) -> &[f64] {
        &self.logits
    }

    /// √(p_j (1 − p_j))/s, at most 1.
    fn root(&self, j: usize) -> f64 {
        (0.5 * (self.log_variance[j] - self.log_metric)).exp()
    }

    fn variance(&self, j: usize) -> f64 {
        self.log_variance[j].exp()
    }

    /// (j, ±1 by its label) of every output that the objective is about; ±z_j is then the logit of what the label says.
    fn labelled(&self, objective: Objective) -> Result<Vec<(usize, f64)>, GeometryError> {
        let signed = |j: usize, label: bool| (j, if label { 1.0 } else { -1.0 });
        let k = self.logits.len();
        match objective {
            Objective::BinaryNll { labels } if labels.len() == k => Ok(labels
                .iter()
                .enumerate()
                .map(|(j, &label)| signed(j, label))
                .collect()),
            Objective::BinaryNll { labels } => {
                Err(GeometryError::shape("label vector", k, labels.len()))
            }
            Objective::OutputNll { output, label } if output < k => Ok(vec![signed(output, label)]),
            Objective::OutputNll { output, .. } => Err(GeometryError::new(
                GeometryErrorKind::Label,
                format!("output {output} of {k} outputs (numbered from 0)"),
            )),
            _ => Err(foreign(
                objective,
                "independent Bernoullis",
                "nll (of all labels) or nll:J (of output J)",
            )),
        }
    }
}

impl Distribution for Bernoullis {
    fn n_outputs(&self) -> usize {
        self.logits.len()
    }

    fn n_free(&self) -> usize {
        self.logits.len()
    }

    fn log_metric(&self) -> f64 {
        self.log_metric
    }

    fn root_times(&self, factor: &Factor) -> Mat<f64> {
        Mat::from_fn(factor.root.nrows(), self.n_outputs(), |row, j| {
            factor.root[(row, j)] * self.root(j)
        })
    }

    fn lift(&self, x: &[f64]) -> Vec<f64> {
        x.iter()
            .enumerate()
            .map(|(j, x)| self.root(j) * x)
            .collect()
    }

    fn unlift(&self, u: &[f64]) -> Vec<f64> {
        u.iter()
            .enumerate()
            .map(|(j, u)| match self.root(j) {
                0.0 => 0.0,
                root => u / root,
            })
            .collect()
    }

    fn mean_jacobian(&self, factor: &Factor) -> Mat<f64> {
        Mat::from_fn(factor.root.nrows(), self.n_outputs(), |row, j| {
            factor.root[(row, j)] * self.variance(j)
        })
    }

    /// |u_j| = 1 − P(label j), as a logarithm; t is the largest of them.
    fn gradient(&self, objective: Objective) -> Result<Gradient, GeometryError> {
        let labelled = self.labelled(objective)?;
        let log_size = |j: usize, sign: f64| log_probability(-sign * self.logits[j]);
        let log_unit = labelled.iter().fold(f64::NEG_INFINITY, |max, &(j, sign)| {
            max.max(log_size(j, sign))
        });
        let mut scaled = vec![0.0; self.n_outputs()];
        let (mut ceiling, mut fi_max) = (0.0, 0.0);
        for (j, sign) in labelled {
            let (log_u, log_variance) = (log_size(j, sign), self.log_variance[j]);
            scaled[j] = -sign * (log_u - log_unit).exp();
            ceiling += (2.0 * (log_u - log_unit) - (log_variance - self.log_metric)).exp();
            fi_max += (2.0 * log_u - log_variance).exp();
        }
        Ok(Gradient::new(scaled, log_unit, self.log_metric, ceiling).with_fi_max(fi_max))
    }

    fn value(&self, objective: Objective) -> f64 {
        let labelled = self.labelled(objective).unwrap_or_default();
        -labelled
            .iter()
            .map(|&(j, sign)| log_probability(sign * self.logits[j]))
            .sum::<f64>()
    }

    /// The nearest z_j = 0, negative where an output is on the wrong side of it.
    fn margin_radius(&self, gram: &ClassGram, objective: Objective) -> f64 {
        let labelled = self.labelled(objective).unwrap_or_default();
        labelled
            .iter()
            .map(|&(j, sign)| radius(sign * self.logits[j], gram.get(j, j), 0.0))
            .fold(f64::INFINITY, f64::min)
    }

    fn centre(&self, a: &[f64]) -> Vec<f64> {
        a.to_vec()
    }

    fn hessian(&self, objective: Objective) -> Vec<f64> {
        let mut weights = vec![0.0; self.n_outputs()];
        for (j, _) in self.labelled(objective).unwrap_or_default() {
            weights[j] = self.variance(j);
        }
        weights
    }

    /// v (1 − 2p) b, and 1 − 2p = −tanh(z/2).
    fn skewness(&self, b: &[f64]) -> Vec<f64> {
        let terms = self.logits.iter().zip(b).enumerate();
        terms
            .map(|(j, (z, b))| -self.variance(j) * (0.5 * z).tanh() * b)
            .collect()
    }
}

/// log(1/(1 + exp(−z))), without cancellation on either side.
pub(crate) fn log_probability(z: f64) -> f64 {
    z.min(0.0) - (-z.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let one = Bernoullis::new(&[3f64.ln(), 0.0]).unwrap();
        assert!((one.p()[0] - 0.75).abs() < 1e-15 && one.p()[1] == 0.5);
        let labels = [true, false];
        let objective = Objective::BinaryNll { labels: &labels };
        let gradient = one.gradient(objective).unwrap();
        let u: Vec<f64> = gradient.scaled.iter().map(|u| u * gradient.unit).collect();
        assert!((u[0] + 0.25).abs() < 1e-15 && (u[1] - 0.5).abs() < 1e-15);
        assert!((gradient.fi_max - (1.0 / 3.0 + 1.0)).abs() < 1e-14);
        assert!((one.value(objective) - (4f64 / 3.0).ln() - 2f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn a_sure_answer_keeps_its_digits() {
        let one = Bernoullis::new(&[800.0]).unwrap();
        let objective = Objective::OutputNll {
            output: 0,
            label: true,
        };
        let gradient = one.gradient(objective).unwrap();
        assert_eq!((gradient.scaled[0], gradient.ceiling), (-1.0, 1.0));
        assert_eq!(gradient.fi_max, 0.0);
    }
}
