//! Keyword arguments of several functions, and how they are read.

use std::num::NonZeroUsize;

use pyo3::prelude::*;
use quaver::{HeadChoice, LabelChoice, Precision, RunOptions};

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

/// Reads `detect` or `logits`.
pub fn head(text: &str) -> PyResult<HeadChoice> {
    match text {
        "detect" => Ok(HeadChoice::Detect),
        "logits" => Ok(HeadChoice::Logits),
        _ => Err(option_error(format!(
            "head '{text}': give detect or logits"
        ))),
    }
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
