//! From one sample's logits and class Gram to its measures.

use crate::class_gram::ClassGram;
use crate::compat::{Compat, compat};
use crate::eigen::frobenius;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::factor::Factor;
use crate::objective::{Gradient, Objective};
use crate::settings::Settings;
use crate::softmax::Softmax;
use crate::spectral::Spectral;

/// The measures of one sample and one block. None is ever NaN, and only `margin_radius` is infinite for logits that
/// differ by less than 700.
///
/// Notation: p = softmax(z), C = diag(p) − p pᵀ, J = ∂z/∂ω, G = Jᵀ C J, ∇f = ∂f/∂ω. Units are given for ω in units of
/// its own, \[ω\]; measures without \[ω\] do not change under any invertible reparametrisation of the block.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// FI = ∇f G⁺ ∇fᵀ, the first-order influence measure (Shu & Zhu, Theorems 1–2), G⁺ over the eigenvalues above
    /// rtol · λ_max. 0 ≤ `fi` ≤ `fi_max`, and `fi` = `fi_max` exactly when `rank` = K − 1. Dimensionless.
    pub fi: f64,
    /// How many eigenvalues of G exceed rtol · λ_max; at most K − 1.
    pub rank: usize,
    /// The ceiling of FI, whatever the block: (1 − p_y)/p_y for −log p_y (derived). +∞ if −log p_y exceeds 709.
    pub fi_max: f64,
    /// FI/FI_max in [0, 1], the cos² of the angle between the objective's direction and the reachable ones (derived).
    /// At 1 the block can move the output anywhere and `fi` is a function of p_y alone. Defined, as the ratio of scaled
    /// quantities, even where p_y = 1 to rounding and `fi` and `fi_max` underflow; 0 if S is zero.
    pub saturation: f64,
    /// FI_λ = ∇f (G + λI)⁻¹ ∇fᵀ, influence under a budget. → FI as λ → 0, → ‖∇f‖²/λ as λ → ∞. Dimensionless, λ in \[ω\]⁻².
    /// Uses the whole spectrum, no tolerance.
    pub fi_lambda: f64,
    /// tr G = E_y ‖∇ log p_y‖², in nats/\[ω\]².
    pub fisher_trace: f64,
    /// λ_max(G): KL ≈ ½ λ_max ‖ω‖² in the worst direction, in nats/\[ω\]².
    pub fisher_lambda_max: f64,
    /// (Σλ)²/Σλ² over the spectrum of G, between 1 and K − 1; 0 if S is zero.
    pub effective_rank: f64,
    /// ‖∇f‖₂ = √(uᵀ S u), u = ∂f/∂z, in nats/\[ω\].
    pub grad_norm: f64,
    /// ‖∂p/∂ω‖_F = √tr(C S C), in 1/\[ω\] (Novak et al. 2018, arXiv 1802.08760).
    pub jacobian_norm: f64,
    /// ‖H J‖_F = √tr(H S H), H = I − 11ᵀ/K, in logits/\[ω\].
    pub logit_jacobian_norm: f64,
    /// The linearised margin: min over j ≠ y of (z_y − z_j)/‖J_y − J_j‖₂, in \[ω\]; the first step of DeepFool
    /// (Moosavi-Dezfooli et al. 2016). Negative if the sample is not classified as y. A pair of classes whose logits
    /// move together (to the rounding of S) can never meet: it counts as ±∞ by the sign of z_y − z_j, or as 0 if they
    /// are tied.
    pub margin_radius: f64,
    /// The K − 1 eigenvalues λ_i of QᵀSQ, Q = diag(√p) − p√pᵀ, in descending order, in nats/\[ω\]². They are the non-zero
    /// eigenvalues of G, padded with zeros if there are fewer; the K-th, of eigenvector √p, is zero always and left out.
    pub spectrum: Vec<f64>,
    /// FI in the published program's arithmetic, if [`Settings::compat`] asks for it.
    pub compat: Option<Compat>,
}

/// Measures of a sample with the given logits (K values) and class Gram.
///
/// # Errors
/// `OneClass` if K < 2, `Shape` if the Gram has other classes than the logits, `Label`, `NotFinite` if an input is NaN or
/// infinite, `NoConvergence` if an eigenvalue iteration fails.
pub fn measure(
    logits: &[f64],
    gram: &ClassGram,
    objective: Objective,
    settings: &Settings,
) -> Result<Measures, GeometryError> {
    let problem = Problem::new(logits, gram, objective)?;
    let (softmax, factor) = (&problem.softmax, &problem.factor);
    let rank = problem.spectral.rank(settings.rtol());
    let (fi, saturation) = problem.influence(rank);
    let compat = settings
        .compat()
        .map(|epsilon| compat(softmax, factor, objective.label(), epsilon))
        .transpose()?;
    let spectrum = problem.spectrum();
    Ok(Measures {
        fi,
        rank,
        fi_max: problem.gradient.fi_max,
        saturation,
        fi_lambda: problem.budgeted(settings.lambda()),
        fisher_trace: spectrum.iter().sum(),
        fisher_lambda_max: spectrum[0],
        effective_rank: problem.effective_rank(),
        grad_norm: problem.grad_norm(),
        jacobian_norm: factor.root_scale * frobenius(&factor.times_covariance(softmax)),
        logit_jacobian_norm: factor.root_scale * frobenius(&factor.root),
        margin_radius: margin_radius(softmax.logits(), gram, objective.label()),
        spectrum,
        compat,
    })
}

/// One sample, one block, one objective, decomposed.
pub(crate) struct Problem {
    pub(crate) softmax: Softmax,
    pub(crate) factor: Factor,
    pub(crate) spectral: Spectral,
    pub(crate) gradient: Gradient,
    /// h: the gradient along the singular directions.
    pub(crate) along: Vec<f64>,
}

impl Problem {
    pub(crate) fn new(
        logits: &[f64],
        gram: &ClassGram,
        objective: Objective,
    ) -> Result<Self, GeometryError> {
        let softmax = Softmax::new(logits)?;
        if gram.n_classes() != softmax.n_classes() {
            return Err(GeometryError::new(
                GeometryErrorKind::Shape,
                format!(
                    "{} logits and a Gram of {} classes",
                    softmax.n_classes(),
                    gram.n_classes()
                ),
            ));
        }
        let gradient = objective.gradient(&softmax)?;
        let factor = Factor::new(gram)?;
        let spectral = Spectral::new(&softmax, &factor)?;
        let along = spectral.along_directions(&factor, &gradient);
        Ok(Self {
            softmax,
            factor,
            spectral,
            gradient,
            along,
        })
    }

    /// (FI, FI/FI_max) over the first `rank` directions: Σ (h_i/σ_i)².
    ///
    /// At full rank the sum is FI_max identically, because the projector is then I − √p√pᵀ, so FI_max is returned and
    /// not a sum that agrees with it to rounding. Below full rank rounding may still carry the sum over the ceiling,
    /// where it is cut.
    fn influence(&self, rank: usize) -> (f64, f64) {
        let Gradient {
            ceiling,
            fi_max,
            fi_unit,
            ..
        } = self.gradient;
        if rank == self.softmax.n_classes() - 1 {
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

    /// ∇f (G + λI)⁻¹ ∇fᵀ = Σ t²γ h_i²/(γ s² σ_i² + λ).
    fn budgeted(&self, lambda: f64) -> f64 {
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
        spectrum.resize(self.softmax.n_classes() - 1, 0.0);
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

fn margin_radius(logits: &[f64], gram: &ClassGram, label: usize) -> f64 {
    let k = logits.len();
    (0..k)
        .filter(|&j| j != label)
        .map(|j| {
            let gap = logits[label] - logits[j];
            let (yy, jj, yj) = (gram.get(label, label), gram.get(j, j), gram.get(label, j));
            let squared = (yy - yj) + (jj - yj);
            if gap == 0.0 {
                0.0
            } else if squared <= k as f64 * f64::EPSILON * yy.max(jj) {
                gap.signum() * f64::INFINITY
            } else {
                gap / squared.sqrt()
            }
        })
        .fold(f64::INFINITY, f64::min)
}
