//! Objectives into the lumped problem, directions out of it.

use super::Lumping;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::objective::Objective;

impl Lumping {
    /// The same objective of the lumped problem.
    ///
    /// # Errors
    /// `Objective` if there is a rest and the objective looks into it: its classes must be kept, and an entropy or a
    /// cross-entropy depends on all. `Label` if a class is not one of the K.
    pub fn objective<'t>(&self, objective: Objective<'t>) -> Result<Objective<'t>, GeometryError> {
        if self.is_whole() {
            return Ok(objective);
        }
        let at = |class: usize| {
            self.softmax.check_label(class)?;
            self.position(class).ok_or_else(|| {
                GeometryError::new(
                    GeometryErrorKind::Objective,
                    format!(
                        "objective {}: class {class} is merged into the rest",
                        objective.name()
                    ),
                )
            })
        };
        Ok(match objective {
            Objective::NegLogLik { label } => Objective::NegLogLik { label: at(label)? },
            Objective::Prob { label } => Objective::Prob { label: at(label)? },
            Objective::LogOdds { label } => Objective::LogOdds { label: at(label)? },
            Objective::Margin { a, b } => Objective::Margin {
                a: at(a)?,
                b: at(b)?,
            },
            _ => {
                return Err(GeometryError::new(
                    GeometryErrorKind::Objective,
                    format!(
                        "objective {} is not one of merged classes: choose nll, prob, margin or log-odds, or keep all classes",
                        objective.name()
                    ),
                ));
            }
        })
    }

    /// Carries a vector over the lumped logits back to the K logits: cᵀ · [`rows`](Self::rows), the cotangent whose
    /// product with J is that of `c` with the lumped J. A [`direction`](crate::direction) needs it.
    ///
    /// # Errors
    /// `Shape` if `c` has not [`n_classes`](Self::n_classes) values.
    pub fn pull_back(&self, c: &[f64]) -> Result<Vec<f64>, GeometryError> {
        if c.len() != self.n_classes() {
            return Err(GeometryError::shape(
                "vector over lumped classes",
                self.n_classes(),
                c.len(),
            ));
        }
        let mut pulled = vec![0.0; self.softmax.n_classes()];
        for (&class, &value) in self.kept.iter().zip(c) {
            pulled[class] = value;
        }
        for (value, weight) in pulled.iter_mut().zip(self.rest.iter().flatten()) {
            *value += weight * c[self.kept.len()];
        }
        Ok(pulled)
    }
}
