//! ∂f/∂z of the objectives of a softmax, each in units that keep its digits.

use crate::distribution::{Distribution, Gradient};
use crate::error::{GeometryError, GeometryErrorKind, check_finite};
use crate::softmax::Softmax;

/// ± (p − e_y) · exp(`log_factor`).
pub(super) fn toward(softmax: &Softmax, label: usize, sign: f64, log_factor: f64) -> Gradient {
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
pub(super) fn entropy(softmax: &Softmax) -> Gradient {
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
pub(super) fn soft(softmax: &Softmax, target: &[f64]) -> Gradient {
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

/// t/Σt.
pub(super) fn checked_target(softmax: &Softmax, target: &[f64]) -> Result<Vec<f64>, GeometryError> {
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
