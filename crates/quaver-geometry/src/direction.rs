//! Where the influence points.

use crate::analysis::Analysis;
use crate::class_gram::ClassGram;
use crate::error::{GeometryError, check_finite};
use crate::objective::Objective;
use crate::output::Output;
use crate::settings::Settings;
use crate::softmax::Softmax;

/// The direction of greatest influence of a softmax with the given logits: [`Analysis::direction`].
///
/// # Errors
/// As [`measure`](crate::measure) and [`Analysis::direction`].
pub fn direction(
    logits: &[f64],
    gram: &ClassGram,
    objective: Objective,
    settings: &Settings,
) -> Result<Vec<f64>, GeometryError> {
    let output = Output::Softmax(Softmax::new(logits)?);
    Analysis::new(&output, gram, objective, settings)?.direction()
}

impl Analysis<'_> {
    /// The K-vector c with h* = G⁺ ∇fᵀ = Jᵀ c, the perturbation of greatest influence (derived).
    ///
    /// One vector–Jacobian product with cotangent c gives h* in the shape of the block. Moving along +h* increases f, and
    /// [f(t h*) − f(0)]² / (2 KL(p₀ ‖ p_{t h*})) → FI as t → 0. With the kept singular directions of R B,
    /// c = B V Σ⁻³ Ûᵀ R u; of a softmax c sums to zero. It is zero when no direction is kept.
    ///
    /// # Errors
    /// `NotFinite` if c is beyond an f64 (the probabilities of all classes but one below 10⁻³⁰⁰, say).
    pub fn direction(&self) -> Result<Vec<f64>, GeometryError> {
        let rank = self.rank();
        let sigmas = self.spectral.sigmas();
        let x: Vec<f64> = (0..sigmas.len())
            .map(|i| {
                if i < rank {
                    self.along[i] / sigmas[i].powi(3)
                } else {
                    0.0
                }
            })
            .collect();
        let mut c = self.distribution.lift(&self.spectral.combine(&x));
        if rank > 0 {
            let scale = self.gradient.unit_over_metric / self.factor.root_scale.powi(2);
            for value in &mut c {
                *value *= scale;
            }
        }
        check_finite("direction of greatest influence: value", &c)?;
        Ok(c)
    }
}
