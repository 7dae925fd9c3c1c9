//! Coordinates of the output in which the metric is the identity and the objective changes along the last axis only.

use crate::error::{GeometryError, GeometryErrorKind};
use crate::objective::Objective;
use crate::output::Output;

/// A (K′ × K) with Aᵀ A = C/s², C the Fisher information of the output and s² its size, and the last row parallel to the
/// gradient u = ∂f/∂z (derived).
///
/// With f_i = A J_i for each of the coordinates of a block, M = Σ f_i f_iᵀ has the non-zero eigenvalues of G/s², and with
/// e the last unit vector and (θ_i, v_i) the eigenpairs of M
///
/// - FI = FI_max Σ (v_i·e)² over the eigenvalues that count,
/// - FI_λ = FI_max eᵀ M (M + λ/s² I)⁻¹ e,
/// - tr G = s² tr M, ‖∇f‖² = [`gradient`](Self::gradient) · eᵀ M e.
///
/// So a great many blocks of one sample, the windows of a map, need no more than sums of f_i f_iᵀ.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening {
    n_outputs: usize,
    rows: Vec<f64>,
    metric: f64,
    fi_max: f64,
    gradient: f64,
}

impl Whitening {
    /// For `objective` at `output`.
    ///
    /// # Errors
    /// `Objective`, `Label` or `Shape` if the objective is not about this distribution; `NotFinite` if FI_max is beyond an
    /// f64, as for −log p_y above 709.
    pub fn new(output: &Output, objective: Objective) -> Result<Self, GeometryError> {
        let distribution = output.distribution();
        let gradient = distribution.gradient(objective)?;
        if !(gradient.ceiling.is_finite() && gradient.fi_max.is_finite()) {
            return Err(GeometryError::new(
                GeometryErrorKind::NotFinite,
                "the ceiling of FI is beyond a double: the network gives the label no probability",
            ));
        }
        let (k, n) = (distribution.n_outputs(), distribution.n_free());
        let mut unit = vec![0.0; n];
        let mut rows = Vec::with_capacity(n * k);
        for v in 0..n {
            unit[v] = 1.0;
            rows.extend(distribution.lift(&unit));
            unit[v] = 0.0;
        }
        if gradient.ceiling > 0.0 {
            turn(&mut rows, k, distribution.unlift(&gradient.scaled));
            let last = rows[(n - 1) * k..].iter_mut();
            last.zip(&gradient.scaled)
                .for_each(|(entry, u)| *entry = u / gradient.ceiling.sqrt());
        }
        Ok(Self {
            n_outputs: k,
            rows,
            metric: distribution.log_metric().exp(),
            fi_max: gradient.fi_max,
            gradient: gradient.unit * gradient.unit * gradient.ceiling,
        })
    }

    /// K.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// K′, the number of rows.
    pub fn n_free(&self) -> usize {
        self.rows.len() / self.n_outputs
    }

    /// A, row-major K′ × K.
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// s², in nats per squared unit of the outputs.
    pub fn metric(&self) -> f64 {
        self.metric
    }

    /// The ceiling of FI.
    pub fn fi_max(&self) -> f64 {
        self.fi_max
    }

    /// ‖∇f‖² of a block over eᵀ M e.
    pub fn gradient(&self) -> f64 {
        self.gradient
    }
}

/// Turns the coordinates by a Householder reflection that takes `direction` to the last axis.
fn turn(rows: &mut [f64], k: usize, mut direction: Vec<f64>) {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let largest = direction.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    if largest == 0.0 {
        return;
    }
    direction.iter_mut().for_each(|x| *x /= largest);
    let length = norm(&direction);
    if let Some(last) = direction.last_mut() {
        *last += length.copysign(*last);
    }
    let squared = norm(&direction).powi(2);
    let mut projected = vec![0.0; k];
    for (row, v) in rows.chunks_exact(k).zip(&direction) {
        for (sum, entry) in projected.iter_mut().zip(row) {
            *sum += v * entry;
        }
    }
    for (row, v) in rows.chunks_exact_mut(k).zip(&direction) {
        for (entry, sum) in row.iter_mut().zip(&projected) {
            *entry -= 2.0 * v * sum / squared;
        }
    }
}
