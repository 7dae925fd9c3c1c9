//! Eigenvalues and singular values, through faer with one thread and no global state.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, Par};

use crate::error::{GeometryError, GeometryErrorKind};

/// A = W diag(values) Wᵀ, values ascending, eigenvectors in the columns of W.
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    pub(crate) vectors: Mat<f64>,
}

/// The eigendecomposition of a symmetric matrix, of which the lower triangle is read.
pub(crate) fn eigen(matrix: &Mat<f64>) -> Result<Eigen, GeometryError> {
    let n = matrix.nrows();
    let (par, params) = (Par::Seq, Default::default());
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, par, params);
    let mut values = Diag::zeros(n);
    let mut vectors = Mat::zeros(n, n);
    self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut(),
        Some(vectors.as_mut()),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    )
    .map_err(|_| no_convergence("eigenvalues", matrix))?;
    Ok(Eigen {
        values: values.column_vector().iter().copied().collect(),
        vectors,
    })
}

/// A = U diag(values) Vᵀ, thin, values descending and never negative.
pub(crate) struct Svd {
    pub(crate) u: Mat<f64>,
    pub(crate) values: Vec<f64>,
    pub(crate) v: Mat<f64>,
}

/// The thin singular value decomposition.
pub(crate) fn thin_svd(matrix: &Mat<f64>) -> Result<Svd, GeometryError> {
    let (rows, cols) = (matrix.nrows(), matrix.ncols());
    let size = rows.min(cols);
    let (mut u, mut v) = (Mat::zeros(rows, size), Mat::zeros(cols, size));
    // Scaled to largest entry 1: class probabilities make these matrices as small as 10⁻¹⁵⁰, whose squares underflow.
    let scale = max_abs(matrix);
    if scale == 0.0 {
        return Ok(Svd {
            u,
            values: vec![0.0; size],
            v,
        });
    }
    let scaled = Mat::from_fn(rows, cols, |row, col| matrix[(row, col)] / scale);
    let (thin, par, params) = (ComputeSvdVectors::Thin, Par::Seq, Default::default());
    let scratch = svd_scratch::<f64>(rows, cols, thin, thin, par, params);
    let mut values = Diag::zeros(size);
    svd(
        scaled.as_ref(),
        values.as_mut(),
        Some(u.as_mut()),
        Some(v.as_mut()),
        par,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    )
    .map_err(|_| no_convergence("singular values", matrix))?;
    Ok(Svd {
        u,
        values: values
            .column_vector()
            .iter()
            .map(|&value| value.max(0.0) * scale)
            .collect(),
        v,
    })
}

/// The largest |entry|, 0 of an empty matrix.
pub(crate) fn max_abs(matrix: &Mat<f64>) -> f64 {
    matrix
        .col_iter()
        .flat_map(|col| col.iter())
        .fold(0.0, |max, value| max.max(value.abs()))
}

/// ‖A‖_F, without squaring what would underflow.
pub(crate) fn frobenius(matrix: &Mat<f64>) -> f64 {
    let scale = max_abs(matrix);
    if scale == 0.0 {
        return 0.0;
    }
    let squares = matrix
        .col_iter()
        .flat_map(|col| col.iter())
        .map(|value| (value / scale).powi(2));
    scale * squares.sum::<f64>().sqrt()
}

fn no_convergence(what: &str, matrix: &Mat<f64>) -> GeometryError {
    GeometryError::new(
        GeometryErrorKind::NoConvergence,
        format!(
            "the {what} of a {} x {} matrix did not converge",
            matrix.nrows(),
            matrix.ncols()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_by_hand() {
        // [[2, 1], [1, 2]] has 1 along (1, −1) and 3 along (1, 1).
        let matrix = Mat::from_fn(2, 2, |row, col| if row == col { 2.0 } else { 1.0 });
        let found = eigen(&matrix).unwrap();
        assert!((found.values[0] - 1.0).abs() < 1e-15 && (found.values[1] - 3.0).abs() < 1e-15);
        assert!((found.vectors[(0, 1)].abs() - 0.5f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn singular_values_by_hand() {
        for scale in [1.0, 1e-170, 1e150] {
            let matrix = Mat::from_fn(2, 3, |row, col| {
                if row == col {
                    scale * [3., 4.][row]
                } else {
                    0.
                }
            });
            let found = thin_svd(&matrix).unwrap();
            assert!((found.values[0] / scale - 4.0).abs() < 1e-14);
            assert!((found.values[1] / scale - 3.0).abs() < 1e-14);
            assert!((found.u[(1, 0)].abs() - 1.0).abs() < 1e-14);
            assert!((found.v[(1, 0)].abs() - 1.0).abs() < 1e-14);
            assert!((frobenius(&matrix) / scale - 5.0).abs() < 1e-14);
        }
        for (rows, cols) in [(0, 4), (3, 2)] {
            let found = thin_svd(&Mat::zeros(rows, cols)).unwrap();
            assert!(found.values.iter().all(|&value| value == 0.0));
        }
    }
}
