//! The output distribution, with the digits that influence measures need.

use crate::error::{GeometryError, GeometryErrorKind, check_classes, check_finite};

/// p = softmax(z) of K logits, always through log-sum-exp.
///
/// The measures divide by p_y and multiply by 1 − p_y, so both are kept to full relative precision: a network sure
/// of its answer has 1 − p_y = 10⁻²⁰, which `1.0 - p` would turn into 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax {
    logits: Vec<f64>,
    p: Vec<f64>,
    log_p: Vec<f64>,
    top: usize,
    second: usize,
    top_complement: f64,
}

impl Softmax {
    /// From K logits (any common offset).
    ///
    /// # Errors
    /// `OneClass` if there are fewer than two, `NotFinite`.
    pub fn new(logits: &[f64]) -> Result<Self, GeometryError> {
        check_classes(logits.len())?;
        check_finite("logit", logits)?;
        let top = largest(logits, None);
        let second = largest(logits, Some(top));
        // Z = Σ exp(z_k − z_top) = 1 + rest, and ln(1 + rest) is exact where rest is tiny.
        let rest: f64 = others(logits, top).map(|z| (z - logits[top]).exp()).sum();
        let log_partition = rest.ln_1p();
        let log_p: Vec<f64> = logits
            .iter()
            .map(|z| (z - logits[top]) - log_partition)
            .collect();
        let p = logits
            .iter()
            .map(|z| (z - logits[top]).exp() / (1.0 + rest))
            .collect();
        Ok(Self {
            logits: logits.to_vec(),
            p,
            log_p,
            top,
            second,
            top_complement: rest / (1.0 + rest),
        })
    }

    /// K.
    pub fn n_classes(&self) -> usize {
        self.p.len()
    }

    /// p (K values).
    pub fn p(&self) -> &[f64] {
        &self.p
    }

    /// log p (K values), finite even where p underflows.
    pub fn log_p(&self) -> &[f64] {
        &self.log_p
    }

    /// The predicted class; the first of several equally probable ones.
    pub fn argmax(&self) -> usize {
        self.top
    }

    /// 1 − p_k to full relative precision.
    ///
    /// # Panics
    /// If `k` is not less than K.
    pub fn complement(&self, k: usize) -> f64 {
        // Every class but the first largest has p ≤ ½, where the subtraction loses nothing.
        if k == self.top {
            self.top_complement
        } else {
            1.0 - self.p[k]
        }
    }

    /// log(1 − p_k), finite even where 1 − p_k underflows.
    pub(crate) fn log_complement(&self, k: usize) -> f64 {
        if k != self.top {
            return (-self.p[k]).ln_1p();
        }
        let rest = others(&self.logits, k).map(|z| (z - self.logits[self.second]).exp());
        self.second_log_p() + rest.sum::<f64>().ln()
    }

    /// The most probable class but `k`.
    pub fn runner_up(&self, k: usize) -> usize {
        if k == self.top { self.second } else { self.top }
    }

    /// log p of the most probable class but [`argmax`](Self::argmax).
    pub(crate) fn second_log_p(&self) -> f64 {
        self.log_p[self.second]
    }

    /// p_k / p_second through the logits, so that it does not depend on either being representable. At most 1 for
    /// every class but the largest.
    pub(crate) fn ratio_to_second(&self, k: usize) -> f64 {
        (self.logits[k] - self.logits[self.second]).exp()
    }

    /// √(p_k / p_second).
    pub(crate) fn root_ratio_to_second(&self, k: usize) -> f64 {
        (0.5 * (self.logits[k] - self.logits[self.second])).exp()
    }

    /// Fails unless `label` is one of the K classes.
    pub(crate) fn check_label(&self, label: usize) -> Result<(), GeometryError> {
        let k = self.n_classes();
        if label < k {
            return Ok(());
        }
        Err(GeometryError::new(
            GeometryErrorKind::Label,
            format!("label {label} of {k} classes (numbered from 0)"),
        ))
    }

    /// The logits as given.
    pub(crate) fn logits(&self) -> &[f64] {
        &self.logits
    }
}

/// The first index of the largest logit, `skip` left out. There are at least two logits.
fn largest(logits: &[f64], skip: Option<usize>) -> usize {
    let mut best = usize::from(skip == Some(0));
    for (k, &z) in logits.iter().enumerate() {
        if Some(k) != skip && z > logits[best] {
            best = k;
        }
    }
    best
}

fn others(values: &[f64], skip: usize) -> impl Iterator<Item = f64> {
    let (before, after) = (&values[..skip], &values[skip + 1..]);
    before.iter().chain(after).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let softmax = Softmax::new(&[2f64.ln() + 5.0, 5.0, 5.0]).unwrap();
        for (found, expected) in softmax.p().iter().zip([0.5, 0.25, 0.25]) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert_eq!(softmax.argmax(), 0);
        assert!((softmax.log_p()[2] - 0.25f64.ln()).abs() < 1e-15);
        assert!((softmax.complement(1) - 0.75).abs() < 1e-15);
        assert!((softmax.ratio_to_second(0) - 2.0).abs() < 1e-15);
    }

    #[test]
    fn a_sure_answer_keeps_its_complement() {
        let softmax = Softmax::new(&[-100.0, 0.0, -200.0]).unwrap();
        let expected = (-100f64).exp();
        assert!((softmax.complement(1) / expected - 1.0).abs() < 1e-14);
        assert!((softmax.log_p()[1] / -expected - 1.0).abs() < 1e-14);
        assert_eq!(softmax.p()[1], 1.0);
    }

    #[test]
    fn extremes_are_finite() {
        let softmax = Softmax::new(&[700.0, -700.0]).unwrap();
        assert_eq!(softmax.p(), &[1.0, 0.0]);
        assert_eq!(softmax.log_p(), &[0.0, -1400.0]);
        let softmax = Softmax::new(&[1e300; 4]).unwrap();
        assert_eq!(softmax.p(), &[0.25; 4]);
        assert_eq!(softmax.argmax(), 0);
        assert_eq!(softmax.complement(0), 0.75);
    }

    #[test]
    fn refused() {
        let kind = |logits: &[f64]| Softmax::new(logits).unwrap_err().kind();
        assert_eq!(kind(&[]), GeometryErrorKind::OneClass);
        assert_eq!(kind(&[1.0]), GeometryErrorKind::OneClass);
        assert_eq!(kind(&[1.0, f64::NAN]), GeometryErrorKind::NotFinite);
        assert_eq!(kind(&[f64::INFINITY, 1.0]), GeometryErrorKind::NotFinite);
    }
}
