//! Keyword arguments of several functions, and how they are read.

use std::num::NonZeroUsize;

use pyo3::prelude::*;
use quaver::{HeadChoice, LabelChoice, LoadOptions, Precision, RunOptions};

use crate::error::option_error;

/// One block or several.
#[derive(FromPyObject)]
pub enum Wrt {
    /// One term.
    #[pyo3(transparent)]
    One(String),
    /// Several.
    #[pyo3(transparent)]
    Several(Vec<String>),
}

impl Wrt {
    /// As a list.
    pub fn terms(self) -> Vec<String> {
        match self {
            Self::One(term) => vec![term],
            Self::Several(terms) => terms,
        }
    }
}

/// A class by number, or a word.
#[derive(FromPyObject)]
pub enum Choice {
    /// A number.
    #[pyo3(transparent)]
    Number(usize),
    /// A word.
    #[pyo3(transparent)]
    Word(String),
}

impl Choice {
    /// As text, for the library to read.
    pub fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Word(word) => word.clone(),
        }
    }

    /// Whose probability the objective is about.
    pub fn label(&self) -> PyResult<LabelChoice> {
        match self {
            Self::Number(class) => Ok(LabelChoice::Class(*class)),
            Self::Word(word) if word == "true" => Ok(LabelChoice::True),
            Self::Word(word) if word == "predicted" => Ok(LabelChoice::Predicted),
            Self::Word(word) => Err(option_error(format!(
                "label '{word}': give true, predicted, or the number of a class (from 0)"
            ))),
        }
    }
}

/// Reads `f32` or `f64`.
pub fn precision(text: &str) -> PyResult<Precision> {
    match text {
        "f32" => Ok(Precision::F32),
        "f64" => Ok(Precision::F64),
        _ => Err(option_error(format!("precision '{text}': give f32 or f64"))),
    }
}

/// How a model is read; `head` is detect, logits, multi-label or gaussian:SIGMA.
pub fn load_options(
    output: Option<String>,
    input_shape: Option<Vec<usize>>,
    head: &str,
) -> PyResult<LoadOptions> {
    let mut noise = LoadOptions::default().noise;
    let choice = match head {
        "detect" => HeadChoice::Detect,
        "logits" => HeadChoice::Logits,
        "multi-label" => HeadChoice::MultiLabel,
        _ => match head.strip_prefix("gaussian:").map(str::parse::<f64>) {
            Some(Ok(sigma)) if sigma > 0.0 && sigma.is_finite() => {
                noise = sigma;
                HeadChoice::Regression
            }
            _ => {
                return Err(option_error(format!(
                    "head '{head}': give detect, logits, multi-label, or gaussian:SIGMA (SIGMA above 0)"
                )));
            }
        },
    };
    Ok(LoadOptions {
        output,
        input_shape,
        head: choice,
        noise,
    })
}

/// Worker threads; none given is one for every core.
pub fn threads(threads: Option<usize>) -> PyResult<Option<NonZeroUsize>> {
    let given =
        |n| NonZeroUsize::new(n).ok_or_else(|| option_error("threads=0: give at least one"));
    threads.map(given).transpose()
}

/// How a network is run.
pub fn run_options(winograd: bool, n_threads: Option<usize>) -> PyResult<RunOptions> {
    Ok(RunOptions {
        winograd,
        threads: threads(n_threads)?,
    })
}

/// What reads itself from text.
pub fn parsed<T>(name: &str, text: &str) -> PyResult<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| option_error(format!("{name} '{text}': {error}")))
}
