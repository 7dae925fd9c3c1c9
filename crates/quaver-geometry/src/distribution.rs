//! What every measure needs to know of an output distribution, and nothing more.

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::factor::Factor;
use crate::objective::Objective;

/// An exponential family in its natural parameters z (the outputs of a network), at one z.
///
/// C = B Bᵀ is its Fisher information in z (K × K), of rank [`n_free`](Self::n_free); every measure is computed once,
/// from B and from the objective's gradient u = ∂f/∂z. Both come in units of their own, s² for C and t for u, because
/// a network sure of its answer has C as small as 10⁻³⁰⁰.
///
/// Second and third derivatives are needed along directions a of z only, and in centred coordinates ã they are
/// diagonal for every family and objective of this crate (derived): f″(a, a) = Σ ω_k ã_k².
pub(crate) trait Distribution {
    /// K, the number of outputs z.
    fn n_outputs(&self) -> usize;

    /// Rank of C: the number of directions in which the distribution can move.
    fn n_free(&self) -> usize;

    /// ln s².
    fn log_metric(&self) -> f64;

    /// R B / s (r × `n_free`).
    fn root_times(&self, factor: &Factor) -> Mat<f64>;

    /// (B/s) x (K values) of x (`n_free` values).
    fn lift(&self, x: &[f64]) -> Vec<f64>;

    /// The x (`n_free` values) whose [`lift`](Self::lift) is a multiple of `u` (K values), for u in the range of C: any
    /// multiple will do.
    fn unlift(&self, u: &[f64]) -> Vec<f64>;

    /// R ∂m/∂z (r × K), m the mean parameters: p, or μ.
    fn mean_jacobian(&self, factor: &Factor) -> Mat<f64>;

    /// ∂f/∂z and its ceiling. Fails for an objective that is not about this family.
    fn gradient(&self, objective: Objective) -> Result<Gradient, GeometryError>;

    /// f. The objective has passed [`gradient`](Self::gradient).
    fn value(&self, objective: Objective) -> f64;

    /// The distance, to first order, to where the decision that the objective is about flips.
    fn margin_radius(&self, gram: &ClassGram, objective: Objective) -> f64;

    /// ã (K values): `a` less what does not move the distribution.
    fn centre(&self, a: &[f64]) -> Vec<f64>;

    /// ω (K values): the Hessian of f in z is Σ ω_k ã_k² along a.
    fn hessian(&self, objective: Objective) -> Vec<f64>;

    /// τ (K values): the third cumulant κ₃(a, a, b) = Σ τ_k ã_k², for centred `b`.
    fn skewness(&self, b: &[f64]) -> Vec<f64>;
}

/// u = ∂f/∂z = t u′ in units that neither overflow nor underflow, and the factors that go with t.
///
/// With s² the size of the metric, and q = (FI computed from u′ and from the metric divided by s²): FI = (t²/s²) q.
/// For a label that is the prediction of a softmax, u is of size s² itself, hence t = s²; otherwise t = 1.
pub(crate) struct Gradient {
    /// u′ (K values).
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

impl Gradient {
    /// From u′, ln t, ln s² and FI_max in units of t²/s².
    pub(crate) fn new(scaled: Vec<f64>, log_unit: f64, log_metric: f64, ceiling: f64) -> Self {
        let fi_unit = (2.0 * log_unit - log_metric).exp();
        Self {
            scaled,
            unit: log_unit.exp(),
            unit_over_metric: (log_unit - log_metric).exp(),
            fi_unit,
            ceiling,
            // 0 · ∞ where the objective is stationary.
            fi_max: if ceiling == 0.0 {
                0.0
            } else {
                ceiling * fi_unit
            },
        }
    }

    /// With a ceiling known better than as a product.
    pub(crate) fn with_fi_max(mut self, fi_max: f64) -> Self {
        self.fi_max = fi_max;
        self
    }
}

/// The error for an objective that is about another family.
pub(crate) fn foreign(objective: Objective, family: &str, offered: &str) -> GeometryError {
    GeometryError::new(
        GeometryErrorKind::Objective,
        format!(
            "objective {} is not one of {family}: choose {offered}",
            objective.name()
        ),
    )
}

/// gap/√squared, the way to a boundary: ±∞ where `squared` is its own rounding, so that nothing moves toward it.
pub(crate) fn radius(gap: f64, squared: f64, floor: f64) -> f64 {
    if gap == 0.0 {
        0.0
    } else if squared <= floor {
        gap.signum() * f64::INFINITY
    } else {
        gap / squared.sqrt()
    }
}
