//! The class Gram of a block: all a network has to say about it.

use std::ops::{Add, AddAssign};

use crate::contrasts::Contrasts;
use crate::error::{GeometryError, check_classes, check_finite};

/// H S H (K × K) with S = J Jᵀ, J = ∂z/∂ω (K × n) of one sample and one block, and H = I − 11ᵀ/K.
///
/// Units: (logit per unit of ω)². Symmetric, positive semidefinite up to the rounding of whoever computed it, rows
/// and columns summing to zero. Grams of disjoint blocks add: S(α ∪ β) = S(α) + S(β), so a window is a sum of
/// pixels and a network a sum of layers.
///
/// A Gram is only as good as its own rounding: a difference of two large sums (a summed-area table, say) carries
/// an error of about 10⁻¹⁶ times the larger sum, and directions of J whose singular value is below 10⁻⁸ of the
/// largest are lost when S is formed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassGram {
    n_classes: usize,
    values: Vec<f64>,
}

impl ClassGram {
    /// No coordinates at all: S = 0.
    ///
    /// # Errors
    /// `OneClass` if `n_classes < 2`.
    pub fn zeros(n_classes: usize) -> Result<Self, GeometryError> {
        check_classes(n_classes)?;
        Ok(Self {
            n_classes,
            values: vec![0.0; n_classes * n_classes],
        })
    }

    /// From S = J Jᵀ over all K classes, row-major K × K. Takes the symmetric part and centres it.
    ///
    /// # Errors
    /// `OneClass`, `Shape` if `gram` is not K × K, `NotFinite`.
    pub fn from_full(n_classes: usize, gram: &[f64]) -> Result<Self, GeometryError> {
        check_classes(n_classes)?;
        if gram.len() != n_classes * n_classes {
            return Err(GeometryError::shape(
                "class Gram",
                n_classes * n_classes,
                gram.len(),
            ));
        }
        check_finite("class Gram: value", gram)?;
        let k = n_classes;
        let symmetric =
            |row: usize, col: usize| 0.5 * gram[row * k + col] + 0.5 * gram[col * k + row];
        let means: Vec<f64> = (0..k)
            .map(|row| (0..k).map(|col| symmetric(row, col)).sum::<f64>() / k as f64)
            .collect();
        let mean = means.iter().sum::<f64>() / k as f64;
        let mut values = vec![0.0; k * k];
        for row in 0..k {
            for col in 0..=row {
                // Grouped so that swapping row and column gives the same bits.
                let value = (symmetric(row, col) + mean) - (means[row] + means[col]);
                values[row * k + col] = value;
                values[col * k + row] = value;
            }
        }
        check_finite("centred class Gram: value", &values)?;
        Ok(Self { n_classes, values })
    }

    /// From the Gram of the swept contrasts, s = (E J)(E J)ᵀ, row-major (K − 1) × (K − 1): H S H = Eᵀ s E.
    ///
    /// # Errors
    /// `Shape` if `gram` is not (K − 1) × (K − 1), `NotFinite`.
    pub fn from_contrasts(contrasts: &Contrasts, gram: &[f64]) -> Result<Self, GeometryError> {
        let (k, m) = (contrasts.n_classes(), contrasts.n_cotangents());
        if gram.len() != m * m {
            return Err(GeometryError::shape(
                "Gram of the contrasts",
                m * m,
                gram.len(),
            ));
        }
        check_finite("Gram of the contrasts: value", gram)?;
        // Rows first: half = s E (m × K), then columns: Eᵀ half (K × K).
        let half: Vec<Vec<f64>> = gram
            .chunks_exact(m)
            .map(|row| contrasts.lift(row))
            .collect();
        let mut values = vec![0.0; k * k];
        let mut column = vec![0.0; m];
        for col in 0..k {
            for (entry, row) in column.iter_mut().zip(&half) {
                *entry = row[col];
            }
            for (row, value) in contrasts.lift(&column).into_iter().enumerate() {
                values[row * k + col] = value;
            }
        }
        for row in 0..k {
            for col in 0..row {
                let value = 0.5 * values[row * k + col] + 0.5 * values[col * k + row];
                values[row * k + col] = value;
                values[col * k + row] = value;
            }
        }
        check_finite("class Gram: value", &values)?;
        Ok(Self {
            n_classes: k,
            values,
        })
    }

    /// The Gram of a union of disjoint blocks.
    ///
    /// # Errors
    /// `Shape` if there are no Grams or their classes differ in number.
    pub fn sum<'a>(grams: impl IntoIterator<Item = &'a Self>) -> Result<Self, GeometryError> {
        let mut grams = grams.into_iter();
        let Some(first) = grams.next() else {
            return Err(GeometryError::shape("Grams to add", 1, 0));
        };
        let mut total = first.clone();
        for gram in grams {
            if gram.n_classes != total.n_classes {
                return Err(GeometryError::shape(
                    "class Gram to add",
                    total.values.len(),
                    gram.values.len(),
                ));
            }
            total += gram;
        }
        Ok(total)
    }

    /// `factor` · S. For a change of the perturbation's units see [`rescaled`](Self::rescaled).
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        for value in &mut self.values {
            *value *= factor;
        }
        self
    }

    /// c² S: the Gram of the same block in ω′ with ω = c ω′.
    #[must_use]
    pub fn rescaled(self, c: f64) -> Self {
        self.scaled(c * c)
    }

    /// Entry (k, l), in (logit per unit of ω)².
    ///
    /// # Panics
    /// If `k` or `l` is not less than K.
    pub fn get(&self, k: usize, l: usize) -> f64 {
        assert!(
            k < self.n_classes && l < self.n_classes,
            "class out of range"
        );
        self.values[k * self.n_classes + l]
    }

    /// H S H, row-major K × K.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// K.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// tr(H S H) = ‖H J‖²_F.
    pub fn trace(&self) -> f64 {
        (0..self.n_classes).map(|k| self.get(k, k)).sum()
    }
}

impl AddAssign<&ClassGram> for ClassGram {
    /// # Panics
    /// If the numbers of classes differ; [`ClassGram::sum`] returns an error instead.
    fn add_assign(&mut self, other: &ClassGram) {
        assert_eq!(
            self.n_classes, other.n_classes,
            "Grams over different classes"
        );
        for (value, more) in self.values.iter_mut().zip(&other.values) {
            *value += more;
        }
    }
}

impl AddAssign for ClassGram {
    fn add_assign(&mut self, other: ClassGram) {
        *self += &other;
    }
}

impl Add<&ClassGram> for ClassGram {
    type Output = ClassGram;

    fn add(mut self, other: &ClassGram) -> ClassGram {
        self += other;
        self
    }
}

impl Add for ClassGram {
    type Output = ClassGram;

    fn add(self, other: ClassGram) -> ClassGram {
        self + &other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GeometryErrorKind;

    #[test]
    fn centring_by_hand() {
        // J = (3, 1): the logits differ by 2 per unit, ±1 around their mean.
        let gram = ClassGram::from_full(2, &[9., 3., 3., 1.]).unwrap();
        assert_eq!(gram.values(), &[1., -1., -1., 1.]);
        assert_eq!(gram.trace(), 2.0);
        assert_eq!(gram.get(0, 1), -1.0);
        assert_eq!(gram.scaled(4.0).values(), &[4., -4., -4., 4.]);
    }

    #[test]
    fn contrasts_give_the_centred_gram() {
        // J = (3, 1, 2): E J = (√2, 0), H J = (1, −1, 0).
        let contrasts = Contrasts::helmert(3).unwrap();
        let gram = ClassGram::from_contrasts(&contrasts, &[2., 0., 0., 0.]).unwrap();
        let expected = [1., -1., 0., -1., 1., 0., 0., 0., 0.];
        for (found, expected) in gram.values().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn grams_add() {
        let one = ClassGram::from_full(2, &[9., 3., 3., 1.]).unwrap();
        let two = one.clone() + &one;
        assert_eq!(two, one.clone() + one.clone());
        assert_eq!(two, ClassGram::sum([&one, &one]).unwrap());
        assert_eq!(two.values(), &[2., -2., -2., 2.]);
        let mut three = ClassGram::zeros(2).unwrap();
        three += two;
        three += &one;
        assert_eq!(three.trace(), 6.0);
    }

    #[test]
    fn what_is_not_a_gram() {
        let kind = |result: Result<ClassGram, GeometryError>| result.unwrap_err().kind();
        let (two, three) = (ClassGram::zeros(2).unwrap(), ClassGram::zeros(3).unwrap());
        let contrasts = Contrasts::helmert(3).unwrap();
        assert_eq!(kind(ClassGram::zeros(1)), GeometryErrorKind::OneClass);
        assert_eq!(
            kind(ClassGram::from_full(1, &[1.])),
            GeometryErrorKind::OneClass
        );
        assert_eq!(
            kind(ClassGram::from_full(2, &[1.; 3])),
            GeometryErrorKind::Shape
        );
        assert_eq!(
            kind(ClassGram::from_full(2, &[f64::NAN; 4])),
            GeometryErrorKind::NotFinite
        );
        assert_eq!(
            kind(ClassGram::from_contrasts(&contrasts, &[1.; 9])),
            GeometryErrorKind::Shape
        );
        assert_eq!(kind(ClassGram::sum([])), GeometryErrorKind::Shape);
        assert_eq!(
            kind(ClassGram::sum([&two, &three])),
            GeometryErrorKind::Shape
        );
    }
}
