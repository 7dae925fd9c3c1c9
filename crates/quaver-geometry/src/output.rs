//! The output distribution of a network, of whatever family.

use std::fmt;
use std::str::FromStr;

use crate::bernoullis::Bernoullis;
use crate::class_gram::ClassGram;
use crate::distribution::Distribution;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::gaussian::{Gaussian, check_sigma};
use crate::objective::Objective;
use crate::softmax::Softmax;

/// How the outputs of a network are the parameters of a distribution.
///
/// Parses from `softmax`, `sigmoid`, `multi-label` and `gaussian:SIGMA`, and prints as these.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Family {
    /// K ≥ 2 logits, one class of K.
    Softmax,
    /// One logit z, two classes: a softmax of the logits (0, z), with class Gram [[0, 0], [0, s]].
    Sigmoid,
    /// K ≥ 1 logits, each with a yes or no of its own.
    MultiLabel,
    /// K ≥ 1 means, with Gaussian noise.
    Gaussian {
        /// Its standard deviation, in units of the outputs.
        sigma: f64,
    },
}

impl Family {
    /// Whether the output is one class of several, with a probability each.
    pub fn has_classes(self) -> bool {
        matches!(self, Self::Softmax | Self::Sigmoid)
    }

    /// The output distribution where a network gives `values`.
    ///
    /// # Errors
    /// `OneClass` or `Shape` if the family needs another number of outputs, `NotFinite`, `Setting`.
    pub fn at(self, values: &[f64]) -> Result<Output, GeometryError> {
        Ok(match self {
            Self::Softmax => Output::Softmax(Softmax::new(values)?),
            Self::Sigmoid => match *values {
                [z] => Output::Softmax(Softmax::new(&[0.0, z])?),
                _ => return Err(GeometryError::shape("output of a sigmoid", 1, values.len())),
            },
            Self::MultiLabel => Output::Bernoullis(Bernoullis::new(values)?),
            Self::Gaussian { sigma } => Output::Gaussian(Gaussian::new(values, sigma)?),
        })
    }

    /// The class Gram that goes with [`at`](Self::at), from S = J Jᵀ over the network's outputs, row-major.
    ///
    /// # Errors
    /// As for [`ClassGram::from_full`].
    pub fn gram(self, n_outputs: usize, gram: &[f64]) -> Result<ClassGram, GeometryError> {
        match self {
            Self::Softmax => ClassGram::from_full(n_outputs, gram),
            Self::Sigmoid => match *gram {
                [s] => ClassGram::from_full(2, &[0.0, 0.0, 0.0, s]),
                _ => Err(GeometryError::shape("Gram of a sigmoid", 1, gram.len())),
            },
            Self::MultiLabel | Self::Gaussian { .. } => ClassGram::from_outputs(n_outputs, gram),
        }
    }
}

impl FromStr for Family {
    type Err = GeometryError;

    fn from_str(text: &str) -> Result<Self, GeometryError> {
        match text {
            "softmax" => Ok(Self::Softmax),
            "sigmoid" => Ok(Self::Sigmoid),
            "multi-label" => Ok(Self::MultiLabel),
            _ => match text.strip_prefix("gaussian:").map(str::parse) {
                Some(Ok(sigma)) => check_sigma(sigma).map(|()| Self::Gaussian { sigma }),
                _ => Err(GeometryError::new(
                    GeometryErrorKind::Setting,
                    format!(
                        "output {text:?}: choose softmax, sigmoid, multi-label or gaussian:SIGMA"
                    ),
                )),
            },
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Softmax => f.write_str("softmax"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::MultiLabel => f.write_str("multi-label"),
            Self::Gaussian { sigma } => write!(f, "gaussian:{sigma}"),
        }
    }
}

/// The output distribution at one sample. Every measure is a function of it, of a class Gram, and of an objective.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// One class of K: C = diag(p) − p pᵀ.
    Softmax(Softmax),
    /// K independent answers: C = diag(p_j (1 − p_j)).
    Bernoullis(Bernoullis),
    /// K numbers with noise: C = I/σ².
    Gaussian(Gaussian),
}

impl Output {
    /// K: the number of classes, labels or means.
    pub fn n_outputs(&self) -> usize {
        self.distribution().n_outputs()
    }

    /// The largest rank that a metric G can have: K − 1 for a softmax, K otherwise.
    pub fn n_free(&self) -> usize {
        self.distribution().n_free()
    }

    /// f at this output, in the objective's units.
    ///
    /// # Errors
    /// `Objective`, `Label`, `Shape` or `NotFinite` if the objective is not about this distribution.
    pub fn value(&self, objective: Objective) -> Result<f64, GeometryError> {
        self.distribution().gradient(objective)?;
        Ok(self.distribution().value(objective))
    }

    pub(crate) fn distribution(&self) -> &dyn Distribution {
        match self {
            Self::Softmax(softmax) => softmax,
            Self::Bernoullis(bernoullis) => bernoullis,
            Self::Gaussian(gaussian) => gaussian,
        }
    }
}

impl From<Softmax> for Output {
    fn from(softmax: Softmax) -> Self {
        Self::Softmax(softmax)
    }
}

impl From<Bernoullis> for Output {
    fn from(bernoullis: Bernoullis) -> Self {
        Self::Bernoullis(bernoullis)
    }
}

impl From<Gaussian> for Output {
    fn from(gaussian: Gaussian) -> Self {
        Self::Gaussian(gaussian)
    }
}
