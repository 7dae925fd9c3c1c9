//! From one sample's output distribution and class Gram to its measures.

use crate::analysis::Analysis;
use crate::class_gram::ClassGram;
use crate::compat::{Compat, compat};
use crate::distribution::Gradient;
use crate::eigen::frobenius;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::objective::Objective;
use crate::output::Output;
use crate::settings::Settings;
use crate::softmax::Softmax;

/// The measures of one sample and one block. None is ever NaN, and only `margin_radius` is infinite for logits that
/// differ by less than 700.
///
/// Notation: C the Fisher information of the output distribution in its K outputs z, K′ its rank (diag(p) − p pᵀ and
/// K − 1 for a softmax), J = ∂z/∂ω, G = Jᵀ C J, f the objective, ∇f = ∂f/∂ω. Units are given for ω in units of its own,
/// \[ω\], and \[f\] of the objective (nats, or none for a probability); measures without \[ω\] do not change under any
/// invertible reparametrisation of the block.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// FI = ∇f G⁺ ∇fᵀ, the first-order influence measure (Shu & Zhu, Theorems 1–2), G⁺ over the eigenvalues above
    /// rtol · λ_max. 0 ≤ `fi` ≤ `fi_max`, and `fi` = `fi_max` when `rank` = K′. In \[f\]² per nat.
    pub fi: f64,
    /// How many eigenvalues of G exceed rtol · λ_max; at most K′.
    pub rank: usize,
    /// The ceiling of FI, whatever the block (derived): see [`Objective`](crate::Objective), (1 − p_y)/p_y for −log p_y. +∞
    /// where that is beyond an f64, as for −log p_y above 709.
    pub fi_max: f64,
    /// FI/FI_max in [0, 1], the cos² of the angle between the objective's direction and the reachable ones (derived).
    /// At 1 the block can move the output anywhere and `fi` is a function of the output alone. Defined, as the ratio of
    /// scaled quantities, even where p_y = 1 to rounding and `fi` and `fi_max` underflow; 0 if S is zero or the objective
    /// is stationary below full rank.
    pub saturation: f64,
    /// FI_λ = ∇f (G + λI)⁻¹ ∇fᵀ, influence under a budget. → FI as λ → 0, → ‖∇f‖²/λ as λ → ∞. Units of `fi`, λ in
    /// nats/\[ω\]². Uses the whole spectrum, no tolerance.
    pub fi_lambda: f64,
    /// tr G = E_y ‖∇ log p_y‖², in nats/\[ω\]².
    pub fisher_trace: f64,
    /// λ_max(G): KL ≈ ½ λ_max ‖ω‖² in the worst direction, in nats/\[ω\]².
    pub fisher_lambda_max: f64,
    /// (Σλ)²/Σλ² over the spectrum of G, between 1 and K′; 0 if S is zero.
    pub effective_rank: f64,
    /// ‖∇f‖₂ = √(uᵀ S u), u = ∂f/∂z, in \[f\]/\[ω\].
    pub grad_norm: f64,
    /// ‖∂m/∂ω‖_F, m the mean of the outcome: p of a softmax or of Bernoullis, √tr(C S C) in 1/\[ω\] (Novak et al. 2018,
    /// arXiv 1802.08760); μ of a Gaussian.
    pub jacobian_norm: f64,
    /// ‖H J‖_F = √tr(H S H), in logits/\[ω\]; H = I − 11ᵀ/K for a softmax, and I where outputs move independently.
    pub logit_jacobian_norm: f64,
    /// ‖H J‖₂ = √λ_max(H S H), in logits/\[ω\]: the most that a unit perturbation moves the outputs (of a softmax, against
    /// their mean), to first order.
    pub logit_jacobian_spectral_norm: f64,
    /// The linearised margin: min over j ≠ y of (z_y − z_j)/‖J_y − J_j‖₂, in \[ω\]; the first step of DeepFool
    /// (Moosavi-Dezfooli et al. 2016), with y the label of the objective, the largest entry of a soft target, or the
    /// prediction; for a margin the pair (a, b) alone; for Bernoullis the nearest z_j = 0. +∞ for a Gaussian, which decides
    /// nothing. Negative if the sample is not classified as y. A pair of classes whose logits move together (to the
    /// rounding of S) can never meet: it counts as ±∞ by the sign of z_y − z_j, or as 0 if they are tied.
    pub margin_radius: f64,
    /// The K′ eigenvalues λ_i of BᵀSB, B Bᵀ = C, in descending order, in nats/\[ω\]². They are the non-zero eigenvalues
    /// of G, padded with zeros if there are fewer.
    pub spectrum: Vec<f64>,
    /// FI in the published program's arithmetic, if [`Settings::compat`] asks for it.
    pub compat: Option<Compat>,
}

/// Measures of a softmax with the given logits (K values) and class Gram: [`Analysis::measures`].
///
/// # Errors
/// `OneClass` if K < 2, and as for [`Analysis::new`] and [`Analysis::measures`].
pub fn measure(
    logits: &[f64],
    gram: &ClassGram,
    objective: Objective,
    settings: &Settings,
) -> Result<Measures, GeometryError> {
    let output = Output::Softmax(Softmax::new(logits)?);
    Analysis::new(&output, gram, objective, settings)?.measures()
}

impl Analysis<'_> {
    /// All measures.
    ///
    /// # Errors
    /// `Objective` if [`Settings::compat`] is asked for and the objective is not −log p_y of a softmax, the only one
    /// that the published program has; `NoConvergence` if an eigenvalue iteration fails.
    pub fn measures(&self) -> Result<Measures, GeometryError> {
        let factor = &self.factor;
        let rank = self.rank();
        let (fi, saturation) = self.influence(rank);
        let compat = match self.settings.compat() {
            Some(epsilon) => Some(self.compat(epsilon)?),
            None => None,
        };
        let spectrum = self.spectrum();
        let mean_jacobian = self.distribution.mean_jacobian(factor);
        Ok(Measures {
            fi,
            rank,
            fi_max: self.gradient.fi_max,
            saturation,
            fi_lambda: self.fi_lambda(self.settings.lambda()),
            fisher_trace: spectrum.iter().sum(),
            fisher_lambda_max: spectrum[0],
            effective_rank: self.effective_rank(),
            grad_norm: self.grad_norm(),
            jacobian_norm: factor.root_scale * frobenius(&mean_jacobian),
            logit_jacobian_norm: factor.root_scale * frobenius(&factor.root),
            logit_jacobian_spectral_norm: factor.root_scale * factor.spectral_norm(),
            margin_radius: self.distribution.margin_radius(&self.gram, self.objective),
            spectrum,
            compat,
        })
    }

    /// (FI, FI/FI_max) over the first `rank` directions: Σ (h_i/σ_i)².
    ///
    /// At full rank the sum is FI_max identically, because every direction of the output is reached, so FI_max is returned
    /// and not a sum that agrees with it to rounding. Below full rank rounding may still carry the sum over the ceiling,
    /// where it is cut.
    fn influence(&self, rank: usize) -> (f64, f64) {
        let Gradient {
            ceiling,
            fi_max,
            fi_unit,
            ..
        } = self.gradient;
        if rank == self.distribution.n_free() {
            return (fi_max, 1.0);
        }
        let directions = self.along.iter().zip(self.spectral.sigmas());
        let sum: f64 = directions.take(rank).map(|(h, s)| (h / s).powi(2)).sum();
        if sum == 0.0 {
            return (0.0, 0.0);
        }
        let saturation = if sum < ceiling { sum / ceiling } else { 1.0 };
        ((sum * fi_unit).min(fi_max), saturation)
    }

    fn compat(&self, epsilon: f64) -> Result<Compat, GeometryError> {
        match (self.output, self.objective) {
            (Output::Softmax(softmax), Objective::NegLogLik { label }) => {
                compat(softmax, &self.factor, label, epsilon)
            }
            _ => Err(GeometryError::new(
                GeometryErrorKind::Objective,
                format!(
                    "objective {}: the published program's arithmetic (compat) has nll of a softmax only",
                    self.objective.name()
                ),
            )),
        }
    }

    /// [`Measures::fi_lambda`] at another budget λ > 0, from the same decomposition. Relative perturbations ω = c ω′ multiply
    /// G by c² and ∇f by c, so that their FI_λ is that of ω at λ/c².
    ///
    /// ∇f (G + λI)⁻¹ ∇fᵀ = Σ t²γ h_i²/(γ s² σ_i² + λ).
    pub fn fi_lambda(&self, lambda: f64) -> f64 {
        // At 0 a direction without any effect would be 0/0.
        let lambda = lambda.max(f64::MIN_POSITIVE);
        let (outer, inner) = (
            self.gradient.unit * self.factor.root_scale,
            self.spectral.root_scale(),
        );
        let directions = self.along.iter().zip(self.spectral.sigmas());
        let sum: f64 = directions
            .map(|(h, sigma)| (outer * h / (inner * sigma).hypot(lambda.sqrt())).powi(2))
            .sum();
        sum.min(self.gradient.fi_max)
    }

    fn spectrum(&self) -> Vec<f64> {
        let scale = self.spectral.root_scale();
        let mut spectrum: Vec<f64> = self
            .spectral
            .sigmas()
            .iter()
            .map(|sigma| (scale * sigma).powi(2))
            .collect();
        spectrum.resize(self.distribution.n_free(), 0.0);
        spectrum
    }

    /// (Σλ)²/Σλ² of λ/λ_max, which does not underflow.
    fn effective_rank(&self) -> f64 {
        let sigmas = self.spectral.sigmas();
        let Some(&largest) = sigmas.first().filter(|&&sigma| sigma > 0.0) else {
            return 0.0;
        };
        let relative = sigmas.iter().map(|sigma| (sigma / largest).powi(2));
        let (sum, squares) = relative.fold((0.0, 0.0), |(sum, squares), lambda| {
            (sum + lambda, squares + lambda * lambda)
        });
        sum * sum / squares
    }

    fn grad_norm(&self) -> f64 {
        let pulled = self.factor.apply(&self.gradient.scaled);
        let norm = pulled.iter().map(|g| g * g).sum::<f64>().sqrt();
        self.gradient.unit * self.factor.root_scale * norm
    }
}
