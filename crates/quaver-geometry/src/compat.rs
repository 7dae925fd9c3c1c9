//! The arithmetic of the published program, for reproducing published numbers.

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::eigen::thin_svd;
use crate::error::GeometryError;
use crate::factor::Factor;
use crate::settings::Settings;
use crate::softmax::Softmax;

/// FI as the authors' published program computes it (Shu & Zhu, AAAI-19), of f = −log p_y.
///
/// With J_p = C J (K × n), L₀ = J_pᵀ diag(1/(√p_k + ε)) (n × K), ∇f = J_p\[y\]/(p_y + ε), and L₀ ≈ B_r Σ_r A_rᵀ over the
/// singular values above ε: FI = ‖∇f B_r Σ_r⁻¹‖². The cut is absolute, so the value changes when the perturbation is
/// rescaled, and it is 0 if no singular value passes; it need not stay under FI_max.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compat {
    /// FI with the ε-regularised arithmetic.
    pub fi: f64,
    /// How many singular values of L₀ exceed ε.
    pub rank: usize,
}

/// FI of −log p_`label` in the published program's arithmetic with this ε, and nothing else: what a map needs for a great
/// many windows.
///
/// # Errors
/// `Shape` if the Gram is not over the classes of `softmax`, `Label`, `Setting` if ε is not positive and finite,
/// `NoConvergence` if an eigenvalue iteration fails.
pub fn published(
    softmax: &Softmax,
    gram: &ClassGram,
    label: usize,
    epsilon: f64,
) -> Result<Compat, GeometryError> {
    softmax.check_label(label)?;
    Settings::new(0.0, 1.0, Some(epsilon))?;
    let (k, found) = (softmax.n_classes(), gram.n_classes());
    if k != found {
        return Err(GeometryError::shape("class Gram", k * k, found * found));
    }
    compat(softmax, &Factor::new(gram)?, label, epsilon)
}

/// From (p, S) only (derived): with J = √γ Rᵀ O, L₀ = Oᵀ (√γ R C D), D = diag(1/(√p_k + ε)), so L₀ and the r × K matrix
/// √γ R C D have the same singular values, and ∇f B_r has the components (√γ R C e_y)·û_i/(p_y + ε).
///
/// Taking singular values of R C D, and not roots of the eigenvalues of D C S C D, gives them to 10⁻¹⁶ of the largest
/// where roots would stop at 10⁻⁸ of it, which is the cut itself for ε = 10⁻⁸. What remains lost is what forming
/// S = J Jᵀ lost: singular values of J itself below 10⁻⁸ of its largest.
pub(crate) fn compat(
    softmax: &Softmax,
    factor: &Factor,
    label: usize,
    epsilon: f64,
) -> Result<Compat, GeometryError> {
    let p = softmax.p();
    let pulled = factor.times_covariance(softmax);
    let matrix = Mat::from_fn(pulled.nrows(), p.len(), |row, k| {
        pulled[(row, k)] / (p[k].sqrt() + epsilon)
    });
    let svd = thin_svd(&matrix)?;
    let rank = svd
        .values
        .iter()
        .take_while(|&&sigma| factor.root_scale * sigma > epsilon)
        .count();
    let gradient = pulled.col(label);
    let fi = (0..rank)
        .map(|i| {
            let direction = svd.u.col(i);
            let along: f64 = direction
                .iter()
                .zip(gradient.iter())
                .map(|(u, g)| u * g)
                .sum();
            (along / ((p[label] + epsilon) * svd.values[i])).powi(2)
        })
        .sum();
    Ok(Compat { fi, rank })
}
