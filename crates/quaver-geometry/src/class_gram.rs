//! The class Gram of a block: all a network has to say about it.

use std::ops::{Add, AddAssign};

use crate::contrasts::Contrasts;
use crate::error::{GeometryError, GeometryErrorKind, check_classes, check_finite};

/// H S H (K × K) with S = J Jᵀ, J = ∂z/∂ω (K × n) of one sample and one block, and H = I − 11ᵀ/K.
///
/// Units: (logit per unit of ω)². Symmetric, positive semidefinite up to the rounding of whoever computed it, rows
/// and columns summing to zero. Grams of disjoint blocks add: S(α ∪ β) = S(α) + S(β), so a window is a sum of
/// pixels and a network a sum of layers.
///
/// Outputs that are not the logits of one softmax have no common mode to remove: [`from_outputs`](Self::from_outputs)
/// keeps S as it is, and such a Gram does not add to a centred one.
///
/// A Gram is only as good as its own rounding: a difference of two large sums (a summed-area table, say) carries
/// an error of about 10⁻¹⁶ times the larger sum, and directions of J whose singular value is below 10⁻⁸ of the
/// largest are lost when S is formed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassGram {
    n_classes: usize,
    /// Whether what all outputs share has been removed, and with it one eigenvalue.
    centred: bool,
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
            centred: true,
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
        Ok(Self {
            n_classes,
            centred: true,
            values,
        })
    }

    /// From S = J Jᵀ over K ≥ 1 outputs that move independently (several labels, a regression), row-major K × K. Takes
    /// the symmetric part and does not centre it.
    ///
    /// # Errors
    /// `Shape` if there are no outputs or `gram` is not K × K, `NotFinite`.
    pub fn from_outputs(n_outputs: usize, gram: &[f64]) -> Result<Self, GeometryError> {
        let k = n_outputs;
        if k == 0 || gram.len() != k * k {
            return Err(GeometryError::shape(
                "output Gram",
                k.max(1).pow(2),
                gram.len(),
            ));
        }
        check_finite("output Gram: value", gram)?;
        let values = (0..k * k)
            .map(|at| 0.5 * gram[at] + 0.5 * gram[at % k * k + at / k])
            .collect();
        Ok(Self {
            n_classes: k,
            centred: false,
            values,
        })
    }

    /// Whether rows and columns sum to zero, as for the logits of one softmax.
    pub fn is_centred(&self) -> bool {
        self.centred
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
            centred: true,
            values,
        })
    }

    /// The Gram of a union of disjoint blocks.
    ///
    /// # Errors
    /// `Shape` if there are no Grams, their classes differ in number, or some are centred and some are not.
    pub fn sum<'a>(grams: impl IntoIterator<Item = &'a Self>) -> Result<Self, GeometryError> {
        let mut grams = grams.into_iter();
        let Some(first) = grams.next() else {
            return Err(GeometryError::shape("Grams to add", 1, 0));
        };
        let mut total = first.clone();
        for gram in grams {
            if gram.centred != total.centred {
                return Err(GeometryError::new(
                    GeometryErrorKind::Shape,
                    "class Grams to add: some are centred and some are not",
                ));
            }
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

    /// The lower triangle, row by row: K (K + 1)/2 numbers from which [`from_packed`](Self::from_packed) makes the same
    /// Gram, bit for bit.
    pub fn packed(&self) -> Vec<f64> {
        let k = self.n_classes;
        let rows = (0..k).map(|row| &self.values[row * k..][..=row]);
        rows.flatten().copied().collect()
    }

    /// From the lower triangle that [`packed`](Self::packed) gave, of a Gram that is `centred` or not. Nothing is centred
    /// again: that would round once more.
    ///
    /// # Errors
    /// `Shape` if the length is not K (K + 1)/2 for K = `n_classes`, `NotFinite`.
    pub fn from_packed(
        n_classes: usize,
        centred: bool,
        packed: &[f64],
    ) -> Result<Self, GeometryError> {
        let k = n_classes;
        if k == 0 || packed.len() != k * (k + 1) / 2 {
            return Err(GeometryError::shape(
                "packed class Gram",
                k.max(1) * (k.max(1) + 1) / 2,
                packed.len(),
            ));
        }
        check_finite("packed class Gram: value", packed)?;
        let at = |row: usize, col: usize| row * (row + 1) / 2 + col;
        let values = (0..k * k)
            .map(|i| packed[at((i / k).max(i % k), (i / k).min(i % k))])
            .collect();
        Ok(Self {
            n_classes,
            centred,
            values,
        })
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

    /// ‖θ‖² S: the Gram of the same block in relative perturbations, ω = ‖θ‖ ω′, of a block whose values θ have the norm
    /// `norm`. Every measure with a unit is then per relative change of the block, which is what makes layers comparable.
    #[must_use]
    pub fn relative(self, norm: f64) -> Self {
        self.rescaled(norm)
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
    /// If the numbers of classes differ, or one is centred and one is not; [`ClassGram::sum`] returns an error instead.
    fn add_assign(&mut self, other: &ClassGram) {
        assert_eq!(
            (self.n_classes, self.centred),
            (other.n_classes, other.centred),
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
mod tests;
