//! What is being influenced.

use crate::error::{GeometryError, GeometryErrorKind};
use crate::softmax::Softmax;

/// A function f = φ(p) of the output distribution.
///
/// With w = ∂φ/∂p the geometry needs two things of it (derived): the gradient in the logits u = C w, C = diag(p) − p pᵀ,
/// and the ceiling FI_max = Var_p(w) = wᵀ C w, the squared length of ∇f if every direction of the output could be reached.
/// A raw logit is not a function of p, has no finite influence, and can therefore not be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Objective {
    /// f = −log p_y: u = p − e_y, FI_max = (1 − p_y)/p_y. With y the true label the training loss, with y the
    /// predicted label the (lack of) confidence.
    NegLogLik {
        /// y, from 0.
        label: usize,
    },
}

/// u = ∂f/∂z = t u′ in units that neither overflow nor underflow, and the factors that go with t.
///
/// With s² = p_second, the size of the metric, and q = (FI computed from u′ and from the metric divided by s²):
/// FI = (t²/s²) q. For a label that is the prediction, u is of size s² itself, hence t = s²; otherwise t = 1.
pub(crate) struct Gradient {
    /// u′ (K values), sums to zero.
    pub(crate) scaled: Vec<f64>,
    /// t.
    pub(crate) unit: f64,
    /// t/s².
    pub(crate) unit_over_metric: f64,
    /// t²/s².
    pub(crate) fi_unit: f64,
    /// FI_max in units of t²/s²; +∞ where it is beyond an f64.
    pub(crate) ceiling: f64,
    /// FI_max; +∞ where it is beyond an f64.
    pub(crate) fi_max: f64,
}

impl Objective {
    /// y.
    pub(crate) fn label(self) -> usize {
        let Self::NegLogLik { label } = self;
        label
    }

    /// ∂f/∂z at `softmax`.
    pub(crate) fn gradient(self, softmax: &Softmax) -> Result<Gradient, GeometryError> {
        let Self::NegLogLik { label } = self;
        let k = softmax.n_classes();
        if label >= k {
            return Err(GeometryError::new(
                GeometryErrorKind::Label,
                format!("label {label} of {k} classes (numbered from 0)"),
            ));
        }
        if label == softmax.argmax() {
            Ok(predicted(softmax, label))
        } else {
            Ok(other(softmax, label))
        }
    }
}

/// −log of the largest probability: u_k = p_k and u_y = −Σ p_k, divided by s² through the logits.
fn predicted(softmax: &Softmax, label: usize) -> Gradient {
    let mut scaled: Vec<f64> = (0..softmax.n_classes())
        .map(|k| softmax.ratio_to_second(k))
        .collect();
    scaled[label] = 0.0;
    let rest: f64 = scaled.iter().sum();
    scaled[label] = -rest;
    let p_y = softmax.p()[label];
    let metric = softmax.second_log_p().exp();
    Gradient {
        scaled,
        unit: metric,
        unit_over_metric: 1.0,
        fi_unit: metric,
        ceiling: rest / p_y,
        fi_max: softmax.complement(label) / p_y,
    }
}

/// −log of any other probability: u = p − e_y is of size 1.
fn other(softmax: &Softmax, label: usize) -> Gradient {
    let mut scaled = softmax.p().to_vec();
    let complement = softmax.complement(label);
    scaled[label] = -complement;
    let over_metric = (-softmax.second_log_p()).exp();
    Gradient {
        scaled,
        unit: 1.0,
        unit_over_metric: over_metric,
        fi_unit: over_metric,
        ceiling: complement / softmax.ratio_to_second(label),
        fi_max: complement * (-softmax.log_p()[label]).exp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// u, t²/s² · ceiling and FI_max against p − e_y and (1 − p_y)/p_y.
    #[test]
    fn both_scalings_are_the_same_gradient() {
        let softmax = Softmax::new(&[1.0, 3.0, 0.5, 2.5]).unwrap();
        for label in 0..4 {
            let gradient = Objective::NegLogLik { label }.gradient(&softmax).unwrap();
            for (k, u) in gradient.scaled.iter().enumerate() {
                let expected = softmax.p()[k] - f64::from(u8::from(k == label));
                assert!((u * gradient.unit - expected).abs() < 1e-15);
            }
            let expected = softmax.complement(label) / softmax.p()[label];
            assert!((gradient.fi_max / expected - 1.0).abs() < 1e-14);
            assert!((gradient.ceiling * gradient.fi_unit / expected - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn a_label_must_be_a_class() {
        let softmax = Softmax::new(&[1.0, 3.0]).unwrap();
        let Err(error) = Objective::NegLogLik { label: 2 }.gradient(&softmax) else {
            panic!("label 2 of 2 classes was accepted");
        };
        assert_eq!(error.kind(), GeometryErrorKind::Label);
    }
}
