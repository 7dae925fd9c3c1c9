//! Objectives as a user chooses them, before there is a sample.

use std::fmt;
use std::str::FromStr;

use crate::error::{GeometryError, GeometryErrorKind};
use crate::objective::Objective;
use crate::output::Output;

const CHOICES: &str = "nll, nll:J, prob, margin, margin:A,B, log-odds, entropy, cross-entropy or cross-entropy:T0,T1,...";

/// Which function of the output distribution is asked about. [`at`](Self::at) makes it an [`Objective`] of a sample.
///
/// Parses from `nll`, `nll:J`, `prob`, `margin`, `margin:A,B`, `log-odds`, `entropy`, `cross-entropy` and
/// `cross-entropy:T0,T1,...`, and prints as these.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum ObjectiveChoice {
    /// −log of the probability of the truth, whatever the family.
    #[default]
    Nll,
    /// −log of the probability of the truth about one of several independent outputs.
    OutputNll {
        /// j, from 0.
        output: usize,
    },
    /// p_y.
    Prob,
    /// log p_y − log p_b, b the most probable class but y.
    Margin,
    /// log p_a − log p_b.
    MarginOf {
        /// a, from 0.
        a: usize,
        /// b, from 0.
        b: usize,
    },
    /// log p_y − log(1 − p_y).
    LogOdds,
    /// −Σ p_k log p_k.
    Entropy,
    /// −Σ t_k log p_k.
    CrossEntropy {
        /// t, the same for every sample.
        target: Vec<f64>,
    },
    /// −Σ t_k log p_k, t from each sample's own truth ([`Truth::Values`]): soft labels.
    SoftCrossEntropy,
}

/// What is known about a sample: the y of an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truth<'t> {
    /// Nothing: enough for an entropy, a margin of two given classes, and a cross-entropy.
    Unknown,
    /// A class, from 0.
    Class(usize),
    /// A label for each of several independent outputs.
    Labels(&'t [bool]),
    /// The values of a regression.
    Values(&'t [f64]),
}

impl ObjectiveChoice {
    /// The objective for one sample. Classes and lengths are checked when it is used.
    ///
    /// # Errors
    /// `Objective` if the truth lacks what the choice needs, or is about another kind of output.
    pub fn at<'t>(
        &'t self,
        output: &Output,
        truth: Truth<'t>,
    ) -> Result<Objective<'t>, GeometryError> {
        let missing = |what: &str| {
            GeometryError::new(
                GeometryErrorKind::Objective,
                format!("objective {self}: needs {what}"),
            )
        };
        let class = || match truth {
            Truth::Class(label) => Ok(label),
            _ => Err(missing("the class of the sample")),
        };
        Ok(match self {
            Self::Nll => match (output, truth) {
                (Output::Softmax(_), _) => Objective::NegLogLik { label: class()? },
                (Output::Bernoullis(_), Truth::Labels(labels)) => Objective::BinaryNll { labels },
                (Output::Bernoullis(_), _) => return Err(missing("a label for every output")),
                (Output::Gaussian(_), Truth::Values(target)) => Objective::Residual { target },
                (Output::Gaussian(_), _) => return Err(missing("the values of the sample")),
            },
            Self::OutputNll { output: j } => match truth {
                Truth::Labels(labels) => match labels.get(*j) {
                    Some(&label) => Objective::OutputNll { output: *j, label },
                    None => {
                        return Err(GeometryError::new(
                            GeometryErrorKind::Label,
                            format!("output {j} of {} outputs (numbered from 0)", labels.len()),
                        ));
                    }
                },
                _ => return Err(missing("a label for every output")),
            },
            Self::Prob => Objective::Prob { label: class()? },
            Self::LogOdds => Objective::LogOdds { label: class()? },
            Self::Margin => match output {
                Output::Softmax(softmax) => {
                    let a = class()?;
                    Objective::Margin {
                        a,
                        b: softmax.runner_up(a),
                    }
                }
                _ => return Err(missing("a softmax")),
            },
            Self::MarginOf { a, b } => Objective::Margin { a: *a, b: *b },
            Self::Entropy => Objective::Entropy,
            Self::CrossEntropy { target } => Objective::CrossEntropy { target },
            Self::SoftCrossEntropy => match truth {
                Truth::Values(target) => Objective::CrossEntropy { target },
                _ => return Err(missing("the target distribution of the sample")),
            },
        })
    }
}

impl FromStr for ObjectiveChoice {
    type Err = GeometryError;

    fn from_str(text: &str) -> Result<Self, GeometryError> {
        let refuse = |why: &str| {
            GeometryError::new(
                GeometryErrorKind::Objective,
                format!("objective {text:?}{why}: choose {CHOICES}"),
            )
        };
        let (name, arguments) = match text.split_once(':') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (text, None),
        };
        let numbers = |arguments: &str| -> Result<Vec<usize>, GeometryError> {
            let parts = arguments.split(',').map(|part| part.trim().parse());
            parts
                .collect::<Result<_, _>>()
                .map_err(|_| refuse(" has arguments that are not class numbers"))
        };
        match (name, arguments) {
            ("nll", None) => Ok(Self::Nll),
            ("prob", None) => Ok(Self::Prob),
            ("margin", None) => Ok(Self::Margin),
            ("log-odds", None) => Ok(Self::LogOdds),
            ("entropy", None) => Ok(Self::Entropy),
            ("cross-entropy", None) => Ok(Self::SoftCrossEntropy),
            ("nll", Some(arguments)) => match *numbers(arguments)? {
                [output] => Ok(Self::OutputNll { output }),
                _ => Err(refuse(" needs one output")),
            },
            ("margin", Some(arguments)) => match *numbers(arguments)? {
                [a, b] if a != b => Ok(Self::MarginOf { a, b }),
                _ => Err(refuse(" needs two different classes")),
            },
            ("cross-entropy", Some(arguments)) => {
                let parts = arguments.split(',').map(|part| part.trim().parse::<f64>());
                match parts.collect::<Result<Vec<f64>, _>>() {
                    Ok(target) if target.iter().all(|t| t.is_finite() && *t >= 0.0) => {
                        Ok(Self::CrossEntropy { target })
                    }
                    _ => Err(refuse(" needs one probability for every class")),
                }
            }
            ("logit" | "logits" | "z", _) => Err(refuse(
                " is a raw logit, which the output distribution does not determine and whose influence is unbounded",
            )),
            _ => Err(refuse("")),
        }
    }
}

impl fmt::Display for ObjectiveChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nll => f.write_str("nll"),
            Self::OutputNll { output } => write!(f, "nll:{output}"),
            Self::Prob => f.write_str("prob"),
            Self::Margin => f.write_str("margin"),
            Self::MarginOf { a, b } => write!(f, "margin:{a},{b}"),
            Self::LogOdds => f.write_str("log-odds"),
            Self::Entropy => f.write_str("entropy"),
            Self::SoftCrossEntropy => f.write_str("cross-entropy"),
            Self::CrossEntropy { target } => {
                f.write_str("cross-entropy:")?;
                for (k, t) in target.iter().enumerate() {
                    write!(f, "{}{t}", if k == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        for text in [
            "nll",
            "nll:3",
            "prob",
            "margin",
            "margin:4,0",
            "log-odds",
            "entropy",
            "cross-entropy",
            "cross-entropy:0.25,0.75,0",
        ] {
            let choice: ObjectiveChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
        }
    }

    #[test]
    fn refuses_in_one_line_and_names_the_choices() {
        for text in [
            "",
            "nil",
            "nll:",
            "margin:1",
            "margin:1,1",
            "margin:a,b",
            "prob:1",
            "cross-entropy:0.5,x",
            "cross-entropy:-1,2",
            "logit",
            "logit:3",
        ] {
            let error = text.parse::<ObjectiveChoice>().unwrap_err();
            let message = error.to_string();
            assert_eq!(error.kind(), GeometryErrorKind::Objective);
            assert!(
                message.contains(CHOICES) && !message.contains('\n'),
                "{message}"
            );
        }
        let message = "logit:3"
            .parse::<ObjectiveChoice>()
            .unwrap_err()
            .to_string();
        assert!(message.contains("raw logit"), "{message}");
    }
}
