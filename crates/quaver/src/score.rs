//! Scores: the influence measure of every sample, for each perturbed block.

mod columns;
mod quantiles;
mod scorer;
mod summary;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quaver_data::Dataset;
use quaver_geometry::{Classes, Family, Measures, ObjectiveChoice, Softmax};

use crate::evaluation::each;
use crate::parallel::workers;
use crate::{Description, Error, ErrorKind, Evaluated, Model, Network, SampleFailure, Source};

use scorer::Scorer;

pub use columns::ScoreTable;
pub use summary::Summary;

/// Whose probability the objective f = −log p is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LabelChoice {
    /// The label in the data: how sensitive is the loss? Finds outliers and mislabelled samples.
    #[default]
    True,
    /// The predicted class: how sensitive is the decision?
    Predicted,
    /// The same class for every sample.
    Class(usize),
}

/// The number type the network is run in. Inner products and geometry are always in double precision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Double precision: for verification, at a third of the speed or less.
    F64,
}

impl Precision {
    /// The default relative tolerance of the rank: what rounding in this precision leaves of an eigenvalue of
    /// M that is exactly zero, with an order of magnitude to spare. An eigenvalue is a square, so that an
    /// error of 2⁻²⁴ in the Jacobian leaves far less than 10⁻⁶ of the largest.
    pub fn default_rtol(self) -> f64 {
        match self {
            Precision::F32 => 1e-6,
            Precision::F64 => 1e-10,
        }
    }
}

/// What is computed and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreOptions {
    /// Whose probability the objective is about. Default: the label in the data.
    pub label: LabelChoice,
    /// Eigenvalues of M above `rtol` times the largest count towards the rank. Default:
    /// [`Precision::default_rtol`].
    pub rtol: Option<f64>,
    /// What is perturbed, as [`Model::blocks`] reads it: a score per sample and block. Default: `input`.
    pub wrt: Vec<String>,
    /// The objective f whose sensitivity is measured. Default: −log p of the label.
    pub objective: ObjectiveChoice,
    /// Which classes are kept apart. Default: all below 64 classes, `auto:0.01` from there on.
    pub classes: Option<Classes>,
    /// Whether Winograd's algorithm may be used in single precision ([`ProgramOptions::winograd`](quaver_engine::ProgramOptions::winograd)). Default: yes.
    pub winograd: bool,
    /// The budget λ = 1/σ² of FI_λ, σ being the size of a plausible perturbation in the units of the network's
    /// input. Default: 1.
    pub lambda: f64,
    /// The ε of the published program's arithmetic, to reproduce its numbers. Default: not computed.
    pub compat: Option<f64>,
    /// The number type the network is run in. Default: single precision.
    pub precision: Precision,
    /// Worker threads; results do not depend on it. Default: one for every core.
    pub threads: Option<NonZeroUsize>,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            label: LabelChoice::default(),
            rtol: None,
            wrt: vec!["input".to_owned()],
            objective: ObjectiveChoice::default(),
            classes: None,
            winograd: true,
            lambda: 1.0,
            compat: None,
            precision: Precision::default(),
            threads: None,
        }
    }
}

impl ScoreOptions {
    /// The tolerance in force.
    pub fn rtol(&self) -> f64 {
        self.rtol.unwrap_or(self.precision.default_rtol())
    }

    /// The number of worker threads in force.
    pub fn n_threads(&self) -> NonZeroUsize {
        workers(self.threads)
    }

    /// Whether scores of what `source` describes can be computed under these options, before anything is.
    ///
    /// # Errors
    /// Names the option that does not fit.
    pub fn check(&self, source: &Description) -> Result<(), Error> {
        Scorer::new(source, self).map(|_| ())
    }

    /// Whether a network of this family is scored by what the data say about each output ([`Evaluation::target`](crate::Evaluation::target)): a class
    /// is not enough.
    pub fn asks_for_targets(&self, family: Family) -> bool {
        match family {
            Family::Softmax | Family::Sigmoid => {
                self.objective == ObjectiveChoice::SoftCrossEntropy
            }
            Family::MultiLabel => self.label != LabelChoice::Predicted,
            _ => true,
        }
    }

    /// Which classes are kept apart, for a network of `n_classes`.
    pub fn classes(&self, n_classes: usize) -> Classes {
        const MANY: usize = 64;
        self.classes.unwrap_or(match n_classes < MANY {
            true => Classes::All,
            false => Classes::Auto(0.01),
        })
    }
}

/// One sample's scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The sample's position in the data as they are on disk ([`Dataset::original_index`]).
    pub index: usize,
    /// Its name, where the data have names (files of an image folder).
    pub key: Option<String>,
    /// The class y that the objective −log p_y is about; `None` where outputs are not classes.
    pub label: Option<usize>,
    /// The label in the data, where there is one; the same as `label` under [`LabelChoice::True`].
    pub true_label: Option<usize>,
    /// The most probable class; `None` where outputs are not classes.
    pub predicted: Option<usize>,
    /// The probability of `label`.
    pub p_label: Option<f64>,
    /// The probability of `predicted`.
    pub p_predicted: Option<f64>,
    /// What is perturbed.
    pub block: Arc<str>,
    /// The influence measure and its companions.
    pub measures: Measures,
    /// For parameters: measures per perturbation relative to their size.
    pub relative: Option<Relative>,
    /// Classes kept apart, the merged rest counted as one; K if none were merged.
    pub n_classes_kept: usize,
    /// An estimate of the Fisher trace that merging classes lost; 0 if none were merged.
    pub lost_trace: f64,
}

/// Measures of parameters under ω = ‖θ‖·ω′, so that layers of different size compare: S is scaled by ‖θ‖².
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relative {
    /// ‖θ‖₂.
    pub norm: f64,
    /// FI_λ in the units of ω′.
    pub fi_lambda: f64,
    /// Fisher trace in the units of ω′.
    pub fisher_trace: f64,
    /// Worst-case KL rate in the units of ω′.
    pub fisher_lambda_max: f64,
    /// ½ ‖θ‖² tr G / n: to second order the mean Kullback–Leibler divergence that a random direction ω′ of length ε causes
    /// is ε² times this, in nats.
    pub noise_kl: f64,
}

impl LabelChoice {
    /// The class y for a sample of which the data say `true_label`, and the network `softmax`.
    ///
    /// # Errors
    /// If it is the label in the data, and there is none.
    pub fn of(self, true_label: Option<usize>, softmax: &Softmax) -> Result<usize, Error> {
        match self {
            LabelChoice::Predicted => Ok(softmax.argmax()),
            LabelChoice::Class(class) => Ok(class),
            LabelChoice::True => true_label.ok_or_else(|| {
                Error::new(
                    ErrorKind::Data,
                    "the data have no labels; give them (--labels) or use the predicted class (--label predicted)",
                )
            }),
        }
    }
}

/// A sample's scores, one per block; or why it has none.
pub type Scored = Result<Vec<Score>, SampleFailure>;

/// Scores every sample of `source` on as many threads as `options` say, and hands each sample's scores to `emit` in
/// order as soon as they are known, so that memory does not grow with the data. Setting `stop` ends it early.
///
/// What `options` say about how the network is run was decided when the source was made.
///
/// # Errors
/// Names the option that does not fit; the error of the source or of `emit`; [`ErrorKind::Interrupted`] after `stop`
/// was set.
pub fn score_each(
    source: &dyn Source,
    options: &ScoreOptions,
    stop: &AtomicBool,
    emit: impl FnMut(Scored) -> Result<(), Error>,
) -> Result<(), Error> {
    let scorer = Scorer::new(source.description(), options)?;
    let all = 0..source.description().n_samples;
    let work = |evaluated: Evaluated| {
        Ok(evaluated.and_then(|evaluation| {
            scorer.scores(&evaluation).map_err(|error| SampleFailure {
                index: evaluation.index,
                key: evaluation.key,
                error,
            })
        }))
    };
    each(source, &[all], options.threads, stop, work, emit)
}

impl Model {
    /// Scores every sample of `dataset`: for each, a score per block.
    ///
    /// # Errors
    /// Names the first sample that cannot be read, has no label or one out of range, or makes the network's
    /// output infinite or NaN; or the option that does not fit.
    pub fn score(
        &self,
        dataset: &dyn Dataset,
        options: &ScoreOptions,
    ) -> Result<Vec<Score>, Error> {
        let mut scores = Vec::with_capacity(dataset.len());
        self.score_each(dataset, options, &AtomicBool::new(false), |scored| {
            scores.extend(scored.map_err(SampleFailure::into_error)?);
            Ok(())
        })?;
        Ok(scores)
    }

    /// The same, handing every sample's scores to `emit`: [`score_each`] of a [`Network`].
    ///
    /// # Errors
    /// As for [`Network::new`] and [`score_each`].
    pub fn score_each(
        &self,
        dataset: &dyn Dataset,
        options: &ScoreOptions,
        stop: &AtomicBool,
        emit: impl FnMut(Scored) -> Result<(), Error>,
    ) -> Result<(), Error> {
        score_each(&Network::new(self, dataset, options)?, options, stop, emit)
    }
}
