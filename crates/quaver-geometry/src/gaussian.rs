//! Regression: a Gaussian of known noise around the outputs.

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::distribution::{Distribution, Gradient, foreign};
use crate::error::{GeometryError, GeometryErrorKind, check_finite};
use crate::factor::Factor;
use crate::objective::Objective;

/// y ~ N(μ, σ² I), μ the K outputs of a network.
///
/// The Fisher information in μ is C = I/σ², so G = Jᵀ J/σ², the same everywhere; B = I/σ. Its class Gram is one that is
/// not centred: [`ClassGram::from_outputs`].
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    means: Vec<f64>,
    sigma: f64,
}

impl Gaussian {
    /// From K ≥ 1 means and the standard deviation of the noise, in units of the outputs.
    ///
    /// # Errors
    /// `Shape` if there are no means, `NotFinite`, `Setting` if `sigma` is not positive and finite.
    pub fn new(means: &[f64], sigma: f64) -> Result<Self, GeometryError> {
        if means.is_empty() {
            return Err(GeometryError::shape("outputs", 1, 0));
        }
        check_finite("output", means)?;
        check_sigma(sigma)?;
        Ok(Self {
            means: means.to_vec(),
            sigma,
        })
    }

    /// μ (K values).
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// σ, in units of the outputs.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// (μ − y)/σ.
    fn residual(&self, objective: Objective) -> Result<Vec<f64>, GeometryError> {
        let Objective::Residual { target } = objective else {
            return Err(foreign(objective, "a Gaussian", "nll (of the target)"));
        };
        if target.len() != self.means.len() {
            return Err(GeometryError::shape(
                "target",
                self.means.len(),
                target.len(),
            ));
        }
        check_finite("target: value", target)?;
        let pairs = self.means.iter().zip(target);
        Ok(pairs.map(|(mean, y)| (mean - y) / self.sigma).collect())
    }
}

/// Fails unless σ is positive and finite.
pub(crate) fn check_sigma(sigma: f64) -> Result<(), GeometryError> {
    if sigma > 0.0 && sigma.is_finite() {
        return Ok(());
    }
    Err(GeometryError::new(
        GeometryErrorKind::Setting,
        format!("sigma {sigma}: expected positive and finite"),
    ))
}

impl Distribution for Gaussian {
    fn n_outputs(&self) -> usize {
        self.means.len()
    }

    fn n_free(&self) -> usize {
        self.means.len()
    }

    fn log_metric(&self) -> f64 {
        -2.0 * self.sigma.ln()
    }

    fn root_times(&self, factor: &Factor) -> Mat<f64> {
        factor.root.clone()
    }

    fn lift(&self, x: &[f64]) -> Vec<f64> {
        x.to_vec()
    }

    fn unlift(&self, u: &[f64]) -> Vec<f64> {
        u.to_vec()
    }

    fn mean_jacobian(&self, factor: &Factor) -> Mat<f64> {
        factor.root.clone()
    }

    /// u = r/σ with r = (μ − y)/σ, in units of t = max |r|/σ.
    fn gradient(&self, objective: Objective) -> Result<Gradient, GeometryError> {
        let residual = self.residual(objective)?;
        let size = residual.iter().fold(0.0f64, |max, r| max.max(r.abs()));
        if size == 0.0 {
            return Ok(Gradient::new(residual, 0.0, self.log_metric(), 0.0));
        }
        let scaled: Vec<f64> = residual.iter().map(|r| r / size).collect();
        let ceiling = scaled.iter().map(|u| u * u).sum();
        let log_unit = size.ln() - self.sigma.ln();
        let fi_max = residual.iter().map(|r| r * r).sum();
        Ok(Gradient::new(scaled, log_unit, self.log_metric(), ceiling).with_fi_max(fi_max))
    }

    fn value(&self, objective: Objective) -> f64 {
        let residual = self.residual(objective).unwrap_or_default();
        0.5 * residual.iter().map(|r| r * r).sum::<f64>()
    }

    /// There is no decision to flip.
    fn margin_radius(&self, _: &ClassGram, _: Objective) -> f64 {
        f64::INFINITY
    }

    fn centre(&self, a: &[f64]) -> Vec<f64> {
        a.to_vec()
    }

    fn hessian(&self, _: Objective) -> Vec<f64> {
        vec![self.sigma.powi(-2); self.means.len()]
    }

    fn skewness(&self, _: &[f64]) -> Vec<f64> {
        vec![0.0; self.means.len()]
    }
}
