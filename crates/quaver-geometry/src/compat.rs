//! The arithmetic of the published program, for reproducing published numbers.

use faer::Mat;

use crate::contrasts::Contrasts;
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

/// The published program's arithmetic on a block's own Jacobian, not on its class Gram: what a map needs, whose windows are
/// small, so that singular values keep all their digits.
pub struct Published {
    label: usize,
    epsilon: f64,
    /// D C Eᵀ (K × (K − 1)), E the contrasts, D = diag(1/(√p_k + ε)): takes a column of E J to one of L₀ᵀ.
    transform: Vec<f64>,
    n_free: usize,
    /// ((√p_y + ε)/(p_y + ε))².
    factor: f64,
}

impl Published {
    /// Of −log p_`label` with this ε, for columns in the basis of `contrasts`.
    ///
    /// # Errors
    /// `Label`, `Shape` if the contrasts are of another number of classes, `Setting` if ε is not positive and finite.
    pub fn new(
        softmax: &Softmax,
        contrasts: &Contrasts,
        label: usize,
        epsilon: f64,
    ) -> Result<Self, GeometryError> {
        softmax.check_label(label)?;
        Settings::new(0.0, 1.0, Some(epsilon))?;
        let (k, found) = (softmax.n_classes(), contrasts.n_classes());
        if k != found {
            return Err(GeometryError::shape("contrasts: classes", k, found));
        }
        let p = softmax.p();
        let mut transform = Vec::with_capacity(k * contrasts.n_cotangents());
        for i in 0..k {
            for v in 0..contrasts.n_cotangents() {
                // p_i (e_i − p)·E_v, in which e_i − p nearly cancels where p_i is near 1.
                let row = contrasts.row(v);
                let others = p.iter().zip(row).enumerate().filter(|(j, _)| *j != i);
                let others: f64 = others.map(|(_, (p, e))| p * e).sum();
                let moved = softmax.complement(i) * row[i] - others;
                transform.push(p[i] * moved / (p[i].sqrt() + epsilon));
            }
        }
        Ok(Self {
            label,
            epsilon,
            transform,
            n_free: contrasts.n_cotangents(),
            factor: ((p[label].sqrt() + epsilon) / (p[label] + epsilon)).powi(2),
        })
    }

    /// FI of the block whose coordinates have these columns of E J, one after another (n × (K − 1)).
    ///
    /// With L₀ᵀ = A Σ Bᵀ its row of y is (p_y + ε)/(√p_y + ε) ∇f, so that ∇f B Σ⁻¹ is (√p_y + ε)/(p_y + ε) times the row
    /// of y of A (derived): nothing is divided by a small singular value.
    ///
    /// # Errors
    /// `NoConvergence` if an iteration fails.
    pub fn of(&self, columns: &[f64]) -> Result<Compat, GeometryError> {
        let (m, n) = (self.n_free, columns.len() / self.n_free);
        let k = self.transform.len() / m;
        let transposed = Mat::from_fn(k, n, |i, c| {
            let weights = self.transform[i * m..][..m].iter();
            weights
                .zip(&columns[c * m..][..m])
                .map(|(w, x)| w * x)
                .sum()
        });
        let svd = thin_svd(&transposed)?;
        let kept = svd.values.iter().take_while(|&&sigma| sigma > self.epsilon);
        let rank = kept.count();
        let shares = (0..rank).map(|i| svd.u[(self.label, i)].powi(2));
        Ok(Compat {
            // A sum of nothing is -0.
            fi: self.factor * (0.0 + shares.sum::<f64>()),
            rank,
        })
    }
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
    let fi: f64 = (0..rank)
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
    // A sum of nothing is -0.
    Ok(Compat { fi: 0.0 + fi, rank })
}
