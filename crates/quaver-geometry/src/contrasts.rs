//! The cotangents to sweep back through a network.

use crate::error::{GeometryError, check_classes};

/// An orthonormal basis E ((K − 1) × K) of the differences between K logits: E Eᵀ = I, Eᵀ E = H = I − 11ᵀ/K.
///
/// A softmax does not change when all logits move together, so no measure of this crate does either, and K − 1
/// backward passes carry everything K would. An orthonormal basis rather than, say, z_k − z_K, because the Gram of
/// the swept rows then needs no correction and treats no class differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrasts {
    n_classes: usize,
    rows: Vec<f64>,
}

impl Contrasts {
    /// The Helmert contrasts: row v (from 0) is (1, …, 1, −(v+1), 0, …, 0)/√((v+1)(v+2)), with v + 1 ones: class
    /// v + 1 against the mean of the classes before it.
    ///
    /// # Errors
    /// `OneClass` if `n_classes < 2`.
    pub fn helmert(n_classes: usize) -> Result<Self, GeometryError> {
        check_classes(n_classes)?;
        let mut rows = vec![0.0; (n_classes - 1) * n_classes];
        for (v, row) in rows.chunks_exact_mut(n_classes).enumerate() {
            let (one, minus) = helmert_entries(v);
            row[..=v].fill(one);
            row[v + 1] = minus;
        }
        Ok(Self { n_classes, rows })
    }

    /// K.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// K − 1, the number of backward passes.
    pub fn n_cotangents(&self) -> usize {
        self.n_classes - 1
    }

    /// Cotangent `v` (K values), to be seeded at the logits.
    ///
    /// # Panics
    /// If `v` is not less than [`n_cotangents`](Self::n_cotangents).
    pub fn row(&self, v: usize) -> &[f64] {
        &self.rows[v * self.n_classes..(v + 1) * self.n_classes]
    }

    /// E, row-major (K − 1) × K.
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// Eᵀ x (K values) of x (K − 1 values), in K steps: the ones of row v reach classes 0..=v, so the sum that
    /// class k receives is a running sum from the last contrast down.
    pub(crate) fn lift(&self, x: &[f64]) -> Vec<f64> {
        let mut lifted = vec![0.0; self.n_classes];
        let mut running = 0.0;
        for (v, &x_v) in x.iter().enumerate().rev() {
            let (one, minus) = helmert_entries(v);
            lifted[v + 1] = running + minus * x_v;
            running += one * x_v;
        }
        lifted[0] = running;
        lifted
    }
}

/// The repeated entry of row v and the negative one that closes it.
fn helmert_entries(v: usize) -> (f64, f64) {
    let ones = (v + 1) as f64;
    let one = 1.0 / (ones * (ones + 1.0)).sqrt();
    (one, -ones * one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GeometryErrorKind;

    #[test]
    fn three_classes_by_hand() {
        let contrasts = Contrasts::helmert(3).unwrap();
        let (half, sixth) = (0.5f64.sqrt(), 1.0 / 6f64.sqrt());
        let expected = [half, -half, 0.0, sixth, sixth, -2.0 * sixth];
        for (found, expected) in contrasts.rows().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert_eq!((contrasts.n_classes(), contrasts.n_cotangents()), (3, 2));
        assert_eq!(contrasts.row(1), &contrasts.rows()[3..]);
    }

    #[test]
    fn rows_are_orthonormal_and_lift_is_the_transpose() {
        for k in [2, 3, 10, 57] {
            let e = Contrasts::helmert(k).unwrap();
            for v in 0..k - 1 {
                let mut unit = vec![0.0; k - 1];
                unit[v] = 1.0;
                let lifted = e.lift(&unit);
                for (a, b) in lifted.iter().zip(e.row(v)) {
                    assert!((a - b).abs() < 1e-15);
                }
                assert!(e.row(v).iter().sum::<f64>().abs() < 1e-13);
                for w in 0..k - 1 {
                    let dot: f64 = e.row(v).iter().zip(e.row(w)).map(|(a, b)| a * b).sum();
                    assert!((dot - f64::from(u8::from(v == w))).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn one_class_has_no_contrast() {
        for k in [0, 1] {
            let error = Contrasts::helmert(k).unwrap_err();
            assert_eq!(error.kind(), GeometryErrorKind::OneClass);
        }
    }
}
