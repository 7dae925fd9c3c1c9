//! The metric in the coordinates of its own directions.

use faer::Mat;

use crate::eigen::{Svd, thin_svd};
use crate::error::GeometryError;
use crate::factor::Factor;
use crate::objective::Gradient;
use crate::softmax::Softmax;

/// The singular value decomposition of F = R B / s, r × (K − 1): everything there is to know about G = Jᵀ C J.
///
/// C = B Bᵀ with B = diag(√p) U (K × (K − 1)) and U an orthonormal basis of the complement of √p (derived from Tanabe &
/// Sagae's square root diag(√p) − p√pᵀ, whose null vector √p is removed here exactly instead of being left to the
/// eigensolver). U comes from the Householder reflection that takes √p to −e_m, m the largest class; in B its terms
/// combine, so no entry suffers cancellation, however near p_m is to 1:
///
/// B_jk = √p_k (δ_jk − p_j/(1 + √p_m)) for j ≠ m, B_mk = −√p_m √p_k, with k ≠ m.
///
/// With s² the second largest probability, the non-zero eigenvalues of G are γ s² σ_i², σ_i the singular values of F.
pub(crate) struct Spectral {
    svd: Svd,
    /// √γ s, in nats^½ per unit of ω.
    root_scale: f64,
    /// Largest class.
    top: usize,
}

impl Spectral {
    pub(crate) fn new(softmax: &Softmax, factor: &Factor) -> Result<Self, GeometryError> {
        let (p, top) = (softmax.p(), softmax.argmax());
        let root_top = p[top].sqrt();
        // R B / s, column k: √(p_k/s²) (R_k − Σ_{j≠m} R_j p_j/(1 + √p_m) − √p_m R_m).
        let mut weights: Vec<f64> = p.iter().map(|p_j| p_j / (1.0 + root_top)).collect();
        weights[top] = root_top;
        let origin = factor.apply(&weights);
        let grade: Vec<f64> = (0..p.len())
            .map(|k| softmax.root_ratio_to_second(k))
            .collect();
        let matrix = Mat::from_fn(factor.root.nrows(), p.len() - 1, |row, col| {
            let k = skip(top, col);
            grade[k] * (factor.root[(row, k)] - origin[row])
        });
        Ok(Self {
            svd: thin_svd(&matrix)?,
            root_scale: factor.root_scale * (0.5 * softmax.second_log_p()).exp(),
            top,
        })
    }

    /// σ_i, descending; min(r, K − 1) of them.
    pub(crate) fn sigmas(&self) -> &[f64] {
        &self.svd.values
    }

    /// √γ s.
    pub(crate) fn root_scale(&self) -> f64 {
        self.root_scale
    }

    /// How many λ_i exceed `rtol` · λ_max.
    pub(crate) fn rank(&self, rtol: f64) -> usize {
        let sigmas = self.sigmas();
        let Some(&largest) = sigmas.first() else {
            return 0;
        };
        sigmas
            .iter()
            .take_while(|&&sigma| sigma > 0.0 && (sigma / largest).powi(2) > rtol)
            .count()
    }

    /// h = Ûᵀ R u′, one per σ_i: ∇f along the singular directions, so that FI is a sum of (h_i/σ_i)².
    ///
    /// This and not the projection of Qᵀw on the eigenvectors of QᵀSQ: for an improbable label Qᵀw has an entry 1/√p_y
    /// that meets eigenvector components of size √p_y, and rounding in them is all that would be left.
    pub(crate) fn along_directions(&self, factor: &Factor, gradient: &Gradient) -> Vec<f64> {
        let pulled = factor.apply(&gradient.scaled);
        (0..self.sigmas().len())
            .map(|i| {
                let direction = self.svd.u.col(i);
                direction.iter().zip(&pulled).map(|(u, g)| u * g).sum()
            })
            .collect()
    }

    /// (B/s) Σ_i v_i x_i (K values, sum zero) of one x per direction.
    pub(crate) fn back_to_classes(&self, softmax: &Softmax, x: &[f64]) -> Vec<f64> {
        let p = softmax.p();
        let root_top = p[self.top].sqrt();
        let mut classes = vec![0.0; p.len()];
        for (col, row) in self.svd.v.row_iter().enumerate() {
            let k = skip(self.top, col);
            let sum: f64 = row.iter().zip(x).map(|(v, x)| v * x).sum();
            classes[k] = softmax.root_ratio_to_second(k) * sum;
        }
        let total: f64 = classes.iter().sum();
        for (class, p_j) in classes.iter_mut().zip(p) {
            *class -= p_j / (1.0 + root_top) * total;
        }
        classes[self.top] = -root_top * total;
        classes
    }
}

/// The class of column `col` when `top` has none.
fn skip(top: usize, col: usize) -> usize {
    if col < top { col } else { col + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class_gram::ClassGram;

    /// S = I: G has the spectrum of C, and for two classes C = p₀p₁ [[1, −1], [−1, 1]] has 2 p₀p₁.
    #[test]
    fn two_classes_by_hand() {
        let softmax = Softmax::new(&[3f64.ln(), 0.0]).unwrap();
        let factor = Factor::new(&ClassGram::from_full(2, &[1., 0., 0., 1.]).unwrap()).unwrap();
        let spectral = Spectral::new(&softmax, &factor).unwrap();
        let lambda = (spectral.root_scale() * spectral.sigmas()[0]).powi(2);
        assert!((lambda - 2.0 * 0.75 * 0.25).abs() < 1e-15);
        assert_eq!(spectral.rank(0.5), 1);
    }

    /// The singular values of R B are those of R Q: Σ λ = tr(S C), in a case where the largest class is not the first.
    #[test]
    fn trace_of_the_metric() {
        let softmax = Softmax::new(&[0.3, -1.0, 1.1, 0.2]).unwrap();
        let full: Vec<f64> = (0..16)
            .map(|i| if i % 5 == 0 { 2.0 + i as f64 } else { 0.3 })
            .collect();
        let gram = ClassGram::from_full(4, &full).unwrap();
        let factor = Factor::new(&gram).unwrap();
        let spectral = Spectral::new(&softmax, &factor).unwrap();
        let found: f64 = spectral
            .sigmas()
            .iter()
            .map(|s| (s * spectral.root_scale()).powi(2))
            .sum();
        let p = softmax.p();
        let mut expected = 0.0;
        for k in 0..4 {
            for l in 0..4 {
                let c = if k == l { p[k] } else { 0.0 } - p[k] * p[l];
                expected += gram.get(k, l) * c;
            }
        }
        assert!((found / expected - 1.0).abs() < 1e-14);
    }
}
