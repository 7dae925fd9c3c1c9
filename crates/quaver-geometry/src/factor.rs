//! A square root of the class Gram.

use faer::Mat;

use crate::class_gram::ClassGram;
use crate::eigen::eigen;
use crate::error::{GeometryError, check_finite};
use crate::softmax::Softmax;

/// R (r × K) and γ with S = γ Rᵀ R, r the numerical rank of S, at most K − 1 if it is centred.
///
/// Every measure is then a singular value problem of R times something graded by √p. Working with R and not with S
/// keeps twice the digits of the small directions: their singular values come with an error of 10⁻¹⁶ of the largest,
/// where eigenvalues of QᵀSQ would come with 10⁻¹⁶ of the largest *square*. In the words of the network, J = √γ Rᵀ O
/// with O (r × n) of orthonormal rows, which drops out of everything.
pub(crate) struct Factor {
    /// R.
    pub(crate) root: Mat<f64>,
    /// √γ, in logits per unit of ω.
    pub(crate) root_scale: f64,
}

impl Factor {
    /// Eigenvalues of S up to K · 2⁻⁵² of its largest are its own rounding and are left out; so are negative ones,
    /// which rounding alone can make.
    pub(crate) fn new(gram: &ClassGram) -> Result<Self, GeometryError> {
        let k = gram.n_classes();
        check_finite("class Gram: value", gram.values())?;
        let scale = gram.values().iter().fold(0.0f64, |max, s| max.max(s.abs()));
        if scale == 0.0 {
            return Ok(Self {
                root: Mat::zeros(0, k),
                root_scale: 0.0,
            });
        }
        let eigen = eigen(&Mat::from_fn(k, k, |row, col| gram.get(row, col) / scale))?;
        let largest = eigen.values[k - 1];
        let floor = k as f64 * f64::EPSILON * largest;
        // The smallest of a centred Gram belongs to the vector of ones, which centring has removed.
        let first = usize::from(gram.is_centred());
        let kept: Vec<usize> = (first..k)
            .rev()
            .filter(|&i| eigen.values[i] > floor && eigen.values[i] > 0.0)
            .collect();
        let root = Mat::from_fn(kept.len(), k, |row, class| {
            let i = kept[row];
            eigen.values[i].sqrt() * eigen.vectors[(class, i)]
        });
        Ok(Self {
            root,
            root_scale: scale.sqrt(),
        })
    }

    /// R x (r values) of x (K values).
    pub(crate) fn apply(&self, x: &[f64]) -> Vec<f64> {
        let mut result = vec![0.0; self.root.nrows()];
        for (column, &x_k) in self.root.col_iter().zip(x) {
            for (sum, r) in result.iter_mut().zip(column.iter()) {
                *sum += r * x_k;
            }
        }
        result
    }

    /// The largest singular value of R.
    pub(crate) fn spectral_norm(&self) -> f64 {
        // Its rows are orthogonal, the longest first.
        if self.root.nrows() == 0 {
            return 0.0;
        }
        self.root.row(0).iter().map(|r| r * r).sum::<f64>().sqrt()
    }

    /// R C (r × K), C = diag(p) − p pᵀ: column k is p_k R (e_k − p).
    pub(crate) fn times_covariance(&self, softmax: &Softmax) -> Mat<f64> {
        let (p, top) = (softmax.p(), softmax.argmax());
        let mean = self.apply(p);
        // For the largest class e_k − p nearly cancels when p_k is near 1, so its entry comes from the complement.
        let mut toward_top: Vec<f64> = p.iter().map(|p_k| -p_k).collect();
        toward_top[top] = softmax.complement(top);
        let toward_top = self.apply(&toward_top);
        Mat::from_fn(self.root.nrows(), p.len(), |row, k| {
            if k == top {
                p[k] * toward_top[row]
            } else {
                p[k] * (self.root[(row, k)] - mean[row])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_back_to_the_gram() {
        let full = [4., 1., 0., 1., 3., -1., 0., -1., 9.];
        let gram = ClassGram::from_full(3, &full).unwrap();
        let factor = Factor::new(&gram).unwrap();
        assert_eq!(factor.root.nrows(), 2);
        for k in 0..3 {
            for l in 0..3 {
                let dot: f64 = (0..2)
                    .map(|i| factor.root[(i, k)] * factor.root[(i, l)])
                    .sum();
                assert!((dot * factor.root_scale.powi(2) - gram.get(k, l)).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn one_coordinate_has_rank_one() {
        let j = [0.3, -1.7, 2.2, 0.9];
        let full: Vec<f64> = j
            .iter()
            .flat_map(|a| j.iter().map(move |b| a * b))
            .collect();
        let factor = Factor::new(&ClassGram::from_full(4, &full).unwrap()).unwrap();
        assert_eq!(factor.root.nrows(), 1);
        let none = Factor::new(&ClassGram::zeros(4).unwrap()).unwrap();
        assert_eq!(none.root.nrows(), 0);
    }
}
