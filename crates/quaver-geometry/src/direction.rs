//! Where the influence points.

use crate::class_gram::ClassGram;
use crate::error::{GeometryError, check_finite};
use crate::measures::Problem;
use crate::objective::Objective;
use crate::settings::Settings;

/// The K-vector c with h* = G⁺ ∇fᵀ = Jᵀ c, the perturbation of greatest influence (derived).
///
/// One vector–Jacobian product with cotangent c gives h* in the shape of the block. Moving along +h* increases f, and
/// [f(t h*) − f(0)]² / (2 KL(p₀ ‖ p_{t h*})) → FI as t → 0. With the kept singular directions of R B,
/// c = B V Σ⁻³ Ûᵀ R u; c sums to zero, and is zero when no direction is kept.
///
/// # Errors
/// As [`measure`](crate::measure), and `NotFinite` if c is beyond an f64 (the probabilities of all classes but one below
/// 10⁻³⁰⁰, say).
pub fn direction(
    logits: &[f64],
    gram: &ClassGram,
    objective: Objective,
    settings: &Settings,
) -> Result<Vec<f64>, GeometryError> {
    let problem = Problem::new(logits, gram, objective)?;
    let rank = problem.spectral.rank(settings.rtol());
    let sigmas = problem.spectral.sigmas();
    let x: Vec<f64> = (0..sigmas.len())
        .map(|i| {
            if i < rank {
                problem.along[i] / sigmas[i].powi(3)
            } else {
                0.0
            }
        })
        .collect();
    let mut c = problem.spectral.back_to_classes(&problem.softmax, &x);
    if rank > 0 {
        let scale = problem.gradient.unit_over_metric / problem.factor.root_scale.powi(2);
        for value in &mut c {
            *value *= scale;
        }
    }
    check_finite("direction of greatest influence: value", &c)?;
    Ok(c)
}
