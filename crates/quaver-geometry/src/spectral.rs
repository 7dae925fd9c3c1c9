//! The metric in the coordinates of its own directions.

use crate::distribution::{Distribution, Gradient};
use crate::eigen::{Svd, thin_svd};
use crate::error::GeometryError;
use crate::factor::Factor;

/// The singular value decomposition of F = R B / s, r × K′: everything there is to know about G = Jᵀ C J.
///
/// C = B Bᵀ (K × K) is the Fisher information of the output distribution and K′ its rank; s² is the size of C. The
/// non-zero eigenvalues of G are γ s² σ_i², σ_i the singular values of F.
pub(crate) struct Spectral {
    svd: Svd,
    /// √γ s, in nats^½ per unit of ω.
    root_scale: f64,
}

impl Spectral {
    pub(crate) fn new(
        distribution: &dyn Distribution,
        factor: &Factor,
    ) -> Result<Self, GeometryError> {
        Ok(Self {
            svd: thin_svd(&distribution.root_times(factor))?,
            root_scale: factor.root_scale * (0.5 * distribution.log_metric()).exp(),
        })
    }

    /// σ_i, descending; min(r, K′) of them.
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

    /// Σ_i v_i x_i (K′ values) of one x per direction.
    pub(crate) fn combine(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.svd.v.row_iter();
        rows.map(|row| row.iter().zip(x).map(|(v, x)| v * x).sum())
            .collect()
    }

    /// û_i (r values).
    pub(crate) fn direction(&self, i: usize) -> Vec<f64> {
        self.svd.u.col(i).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class_gram::ClassGram;
    use crate::softmax::Softmax;

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
