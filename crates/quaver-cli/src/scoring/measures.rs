//! The options that say what is measured.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::failure::Failure;
use clap::Args;
use quaver::{Classes, LabelChoice, ObjectiveChoice, Precision, ScoreOptions};

use crate::arguments::{label_choice, number, parsed};

/// What is computed, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Measures")]
pub struct MeasureArgs {
    /// Whose -log p is the objective: true (the label in the data), predicted, or the number of a class.
    #[arg(long, value_name = "LABEL", default_value = "true", value_parser = label_choice)]
    pub label: LabelChoice,

    /// What is perturbed, one block each: input, params, layers, param:NAME, layer:NAME, value:NAME; NAME may hold
    /// * and ?, and + joins terms into one block (input+params). May be given several times [default: input; of a store, all].
    #[arg(long, value_name = "BLOCK", value_delimiter = ',')]
    pub wrt: Vec<String>,

    /// Objective f: nll (-log p), prob, margin, margin:A,B, log-odds, entropy, cross-entropy:T0,T1,..., or
    /// cross-entropy:FILE for soft labels of each sample (.npy, one row of probabilities per sample).
    #[arg(long, value_name = "F", default_value = "nll", value_parser = objective)]
    objective: Asked,

    /// What the data say about each output: K values per sample (.npy), for --objective cross-entropy, several labels
    /// and regressions.
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,

    /// Classes kept apart, the rest merged: all, a number, or auto:TOL [default: all below 64 classes, else auto:0.01].
    #[arg(long, value_name = "M", value_parser = parsed::<Classes>)]
    classes: Option<Classes>,

    /// Compute 3x3 convolutions by their definition: slower, rounds differently.
    #[arg(long)]
    no_winograd: bool,

    /// Eigenvalues above RTOL times the largest count towards the rank [default: 1e-6 in f32, 1e-10 in f64].
    #[arg(long, value_name = "RTOL", value_parser = number, allow_negative_numbers = true)]
    rtol: Option<f64>,

    /// Budget of FI_lambda: 1 / sigma², sigma being the size of a plausible perturbation in input units.
    #[arg(long, value_name = "LAMBDA", default_value = "1", value_parser = number, allow_negative_numbers = true)]
    lambda: f64,

    /// Add compat_fi, and compat_rank to rows of score: the published program's arithmetic with its EPS (0.001 there).
    #[arg(long, value_name = "EPS", value_parser = number, allow_negative_numbers = true)]
    compat: Option<f64>,

    /// Number type the network is run in.
    #[arg(long, value_parser = ["f32", "f64"], default_value = "f32")]
    pub precision: String,

    /// Worker threads; the results are the same for any number [default: all cores].
    #[arg(long, value_name = "N", env = "QUAVER_THREADS")]
    threads: Option<NonZeroUsize>,
}

/// The measure that scores have only if it was asked for.
pub const COMPAT: &str = "compat_fi";

/// An objective, and the file of what it is about where there is one.
#[derive(Debug, Clone)]
struct Asked {
    choice: ObjectiveChoice,
    targets: Option<PathBuf>,
}

/// Reads an objective; after `cross-entropy:` either probabilities or the name of a file.
fn objective(text: &str) -> Result<Asked, String> {
    let file = text.strip_prefix("cross-entropy:").map(PathBuf::from);
    match (parsed::<ObjectiveChoice>(text), file) {
        (Ok(choice), _) => Ok(Asked {
            choice,
            targets: None,
        }),
        (Err(_), Some(file)) if file.is_file() => Ok(Asked {
            choice: ObjectiveChoice::SoftCrossEntropy,
            targets: Some(file),
        }),
        // What is no list of numbers is a name.
        (Err(_), Some(file)) if file.to_string_lossy().contains(|c: char| c.is_alphabetic()) => {
            Err(format!("{}: no such file", file.display()))
        }
        (Err(why), _) => Err(why),
    }
}

impl MeasureArgs {
    /// The file of what the data say about each output.
    pub fn targets(&self) -> Option<&PathBuf> {
        self.targets.as_ref().or(self.objective.targets.as_ref())
    }

    /// Whether the published program's arithmetic was asked for.
    pub fn has_compat(&self) -> bool {
        self.compat.is_some()
    }

    /// Refuses to rank by what is not computed.
    pub fn check_ranking(&self, by: &str) -> Result<(), Failure> {
        match by == COMPAT && !self.has_compat() {
            false => Ok(()),
            true => Err(Failure::Input(format!(
                "--rank-by {COMPAT}: is computed with --compat EPS only; give it, 1e-3 as published"
            ))),
        }
    }

    pub fn options(&self) -> ScoreOptions {
        ScoreOptions {
            label: self.label,
            rtol: self.rtol,
            wrt: self.wrt.clone(),
            objective: self.objective.choice.clone(),
            classes: self.classes,
            winograd: !self.no_winograd,
            lambda: self.lambda,
            compat: self.compat,
            precision: match self.precision.as_str() {
                "f64" => Precision::F64,
                _ => Precision::F32,
            },
            threads: self.threads,
        }
    }
}
