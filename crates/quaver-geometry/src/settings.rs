//! What a measure depends on besides the network.

use crate::error::{GeometryError, GeometryErrorKind};

/// Checked settings: a value of this type is always usable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    rtol: f64,
    lambda: f64,
    compat: Option<f64>,
}

impl Settings {
    /// - `rtol`, in [0, 1): eigenvalues of the metric not above `rtol` · λ_max count as zero. Relative, so that no
    ///   rescaling of the input or of the parameters changes an answer.
    /// - `lambda`, positive and finite: the λ of the budgeted influence, 1/σ² for a plausible perturbation of size σ
    ///   in the block's own units.
    /// - `compat`, positive and finite if present: the ε of [`Compat`](crate::Compat).
    ///
    /// # Errors
    /// `Setting` if one is outside its range.
    pub fn new(rtol: f64, lambda: f64, compat: Option<f64>) -> Result<Self, GeometryError> {
        let refuse = |message: String| Err(GeometryError::new(GeometryErrorKind::Setting, message));
        if !(0.0..1.0).contains(&rtol) {
            return refuse(format!("rtol {rtol}: expected at least 0 and less than 1"));
        }
        if !(lambda > 0.0 && lambda.is_finite()) {
            return refuse(format!("lambda {lambda}: expected positive and finite"));
        }
        if let Some(epsilon) = compat
            && !(epsilon > 0.0 && epsilon.is_finite())
        {
            return refuse(format!(
                "compat epsilon {epsilon}: expected positive and finite"
            ));
        }
        Ok(Self {
            rtol,
            lambda,
            compat,
        })
    }

    /// The relative cut of the spectrum.
    pub fn rtol(&self) -> f64 {
        self.rtol
    }

    /// The λ of the budgeted influence.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The ε of the compatible arithmetic, if it is wanted.
    pub fn compat(&self) -> Option<f64> {
        self.compat
    }
}

impl Default for Settings {
    /// `rtol` = 10⁻⁶, `lambda` = 1, no compat.
    ///
    /// An f32 Jacobian of a deep network carries a relative error of some 10⁻⁶ to 10⁻⁵ of its largest singular value.
    /// Eigenvalues are squares, so 10⁻⁶ keeps singular values above 10⁻³ of the largest: every direction kept is
    /// known to two digits or more.
    fn default() -> Self {
        Self {
            rtol: 1e-6,
            lambda: 1.0,
            compat: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let ok = Settings::new(0.0, 2.0, Some(1e-3)).unwrap();
        assert_eq!(
            (ok.rtol(), ok.lambda(), ok.compat()),
            (0.0, 2.0, Some(1e-3))
        );
        for (rtol, lambda, compat) in [
            (1.0, 1.0, None),
            (-1e-9, 1.0, None),
            (f64::NAN, 1.0, None),
            (0.1, 0.0, None),
            (0.1, f64::INFINITY, None),
            (0.1, f64::NAN, None),
            (0.1, 1.0, Some(0.0)),
            (0.1, 1.0, Some(f64::NAN)),
        ] {
            let error = Settings::new(rtol, lambda, compat).unwrap_err();
            assert_eq!(error.kind(), GeometryErrorKind::Setting);
        }
    }
}
