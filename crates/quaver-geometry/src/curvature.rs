//! Second-order influence: how the objective bends, outwardly and intrinsically.

use faer::Mat;

use crate::analysis::Analysis;
use crate::eigen::eigen;
use crate::error::{GeometryError, check_finite};

/// The eigenvalues of the covariant Hessian of f against the metric G: what f does along geodesics of unit speed, beyond
/// its slope (Zhu, Ibrahim & Tang 2011).
///
/// For −log p_y at full rank `largest` is 1/(2 p_y) and all others are ½ (derived).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondOrder {
    /// SI, the second-order influence measure: the largest eigenvalue. In \[f\] per nat.
    pub largest: f64,
    /// The smallest: negative where f is concave in some direction.
    pub smallest: f64,
    /// How much of the network these depend on.
    pub validity: Validity,
}

/// What a curvature assumes about the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Nothing: the block reaches every direction of the output, and the curvature is that of f on the family.
    Saturated,
    /// That outputs are piecewise linear in the block (an input through ReLU and max pooling, one layer's weights with
    /// these above it): exact there almost everywhere. Of another network it is the part that does not need ∂²z/∂ω²,
    /// the Gauss–Newton approximation.
    PiecewiseLinear,
}

impl Analysis<'_> {
    /// Cook's normal curvature of f at ω = 0 in its steepest direction (Cook 1986),
    /// max over h of |hᵀ H h| / (√(1 + ‖∇f‖²) · hᵀ(I + ∇fᵀ∇f)h), with H = Jᵀ A J, A = ∂²f/∂z². In \[f\]/\[ω\]².
    ///
    /// As an r × r problem (derived): with J = √γ Rᵀ O, O of orthonormal rows, only directions Oᵀx matter, on which H is
    /// γ R A Rᵀ and ∇f is g = √γ R u. Exact as in [`Validity::PiecewiseLinear`], of other networks the Gauss–Newton
    /// approximation. It changes with the units of ω and of f.
    ///
    /// # Errors
    /// `NotFinite` if the curvature is beyond an f64, `NoConvergence`.
    pub fn normal_curvature(&self) -> Result<f64, GeometryError> {
        let scale = self.factor.root_scale;
        let rows: Vec<Vec<f64>> = self
            .factor
            .root
            .row_iter()
            .map(|row| {
                let row: Vec<f64> = row.iter().map(|r| scale * r).collect();
                self.distribution.centre(&row)
            })
            .collect();
        let hessian = quadratic(&rows, &self.distribution.hessian(self.objective));
        let unit = scale * self.gradient.unit;
        let slope: Vec<f64> = self
            .factor
            .apply(&self.gradient.scaled)
            .iter()
            .map(|g| unit * g)
            .collect();
        let squared: f64 = slope.iter().map(|g| g * g).sum();
        // (I + ggᵀ)^-½ = I − ggᵀ (1 − 1/√(1 + g²))/g², and that factor is 1/(1 + g² + √(1 + g²)).
        let shrink = 1.0 / (1.0 + squared + (1.0 + squared).sqrt());
        let whiten = Mat::from_fn(rows.len(), rows.len(), |i, j| {
            let same = if i == j { 1.0 } else { 0.0 };
            same - shrink * slope[i] * slope[j]
        });
        let (smallest, largest) = extremes(&(&whiten * hessian * &whiten))?;
        Ok(largest.max(-smallest) / (1.0 + squared).sqrt())
    }

    /// The second-order influence measure SI over the directions kept by rtol.
    ///
    /// With h a direction of unit speed, a = J h, and κ₃ the third cumulant, whose half is the Christoffel symbol of an
    /// exponential family in its natural parameters, the covariant Hessian is f″(a, a) − ½ κ₃(a, a, J h*), h* = G⁺∇fᵀ
    /// (derived): a K × K problem. Zero, and not saturated, if no direction is kept.
    ///
    /// # Errors
    /// `NotFinite` if the curvature is beyond an f64, `NoConvergence`.
    pub fn second_order(&self) -> Result<SecondOrder, GeometryError> {
        let (rank, sigmas) = (self.rank(), self.spectral.sigmas());
        let speed = (0.5 * self.distribution.log_metric()).exp();
        // ã_i = (J h_i) centred, h_i along singular direction i and of unit speed: Rᵀ û_i/(s σ_i).
        let directions: Vec<Vec<f64>> = (0..rank)
            .map(|i| {
                let u = self.spectral.direction(i);
                let columns = self.factor.root.col_iter();
                let a: Vec<f64> = columns
                    .map(|column| {
                        let dot: f64 = column.iter().zip(&u).map(|(r, u)| r * u).sum();
                        dot / (speed * sigmas[i])
                    })
                    .collect();
                self.distribution.centre(&a)
            })
            .collect();
        let mut steepest = vec![0.0; self.distribution.n_outputs()];
        for (i, direction) in directions.iter().enumerate() {
            let along = self.gradient.unit_over_metric * speed * self.along[i] / sigmas[i];
            for (b, a) in steepest.iter_mut().zip(direction) {
                *b += along * a;
            }
        }
        let mut weights = self.distribution.hessian(self.objective);
        let skewness = self.distribution.skewness(&steepest);
        for (weight, tau) in weights.iter_mut().zip(skewness) {
            *weight -= 0.5 * tau;
        }
        let (smallest, largest) = extremes(&quadratic(&directions, &weights))?;
        Ok(SecondOrder {
            largest,
            smallest,
            validity: if rank == self.distribution.n_free() {
                Validity::Saturated
            } else {
                Validity::PiecewiseLinear
            },
        })
    }
}

/// Σ_k w_k a_i[k] a_j[k].
fn quadratic(rows: &[Vec<f64>], weights: &[f64]) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows.len(), |i, j| {
        let terms = rows[i].iter().zip(&rows[j]).zip(weights);
        terms.map(|((a, b), w)| w * a * b).sum()
    })
}

/// The smallest and the largest eigenvalue; (0, 0) of an empty matrix.
fn extremes(matrix: &Mat<f64>) -> Result<(f64, f64), GeometryError> {
    for column in matrix.col_iter() {
        let column: Vec<f64> = column.iter().copied().collect();
        check_finite("curvature: value", &column)?;
    }
    if matrix.nrows() == 0 {
        return Ok((0.0, 0.0));
    }
    let values = eigen(matrix)?.values;
    Ok((values[0], values[values.len() - 1]))
}
