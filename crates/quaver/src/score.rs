//! Scores: the influence measure of every sample, for each perturbed block.

mod columns;
mod quantiles;
mod summary;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quaver_data::Dataset;
use quaver_engine::{ProgramOptions, Real};
use quaver_geometry::{
    Classes, Measures, ObjectiveChoice, Output, Settings, Softmax, Truth, measure,
};

use crate::parallel::ordered;
use crate::sensitivity::Sensitivity;
use crate::{Block, Error, ErrorKind, Model};

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
    /// Whether Winograd's algorithm may be used in single precision ([`ProgramOptions::winograd`]). Default: yes.
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
    /// The class y that the objective −log p_y is about.
    pub label: usize,
    /// The label in the data, where there is one; the same as `label` under [`LabelChoice::True`].
    pub true_label: Option<usize>,
    /// The most probable class.
    pub predicted: usize,
    /// The probability of `label`.
    pub p_label: f64,
    /// The probability of `predicted`.
    pub p_predicted: f64,
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
        self.score_each(dataset, options, &AtomicBool::new(false), |score| {
            scores.push(score);
            Ok(())
        })?;
        Ok(scores)
    }

    /// The same, handing every score to `emit` in the order of the samples as soon as it is known, so that
    /// memory does not grow with the dataset. Setting `stop` ends it early.
    ///
    /// # Errors
    /// As for [`Model::score`]; the error of `emit`; [`ErrorKind::Interrupted`] after `stop` was set.
    pub fn score_each(
        &self,
        dataset: &dyn Dataset,
        options: &ScoreOptions,
        stop: &AtomicBool,
        emit: impl FnMut(Score) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match options.precision {
            Precision::F32 => self.score_in::<f32>(dataset, options, stop, emit),
            Precision::F64 => self.score_in::<f64>(dataset, options, stop, emit),
        }
    }

    fn score_in<T: Real>(
        &self,
        dataset: &dyn Dataset,
        options: &ScoreOptions,
        stop: &AtomicBool,
        mut emit: impl FnMut(Score) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if dataset.is_empty() {
            return Err(Error::new(ErrorKind::Data, "the dataset has no samples"));
        }
        if dataset.shape().iter().product::<usize>() != self.input_shape().iter().product::<usize>()
        {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "samples have shape {:?}, the network takes {:?}",
                    dataset.shape(),
                    self.input_shape()
                ),
            ));
        }
        let settings = Settings::new(options.rtol(), options.lambda, options.compat)?;
        if let LabelChoice::Class(class) = options.label
            && class >= self.n_classes()
        {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "class {class} of a network of {} classes (numbered from 0)",
                    self.n_classes()
                ),
            ));
        }
        let blocks = self.blocks(&options.wrt)?;
        let classes = options.classes(self.n_classes());
        let program = ProgramOptions {
            winograd: options.winograd,
        };
        let sensitivity = Sensitivity::<T>::new(self, &blocks, classes, program)?;
        let work = |state: &mut _, index: usize| -> Result<Vec<Score>, Error> {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            let sample = dataset.read(index)?;
            let index = dataset.original_index(index);
            let of_sample = |e: Error| match &sample.key {
                Some(key) => e.within(format_args!("sample {index} ({key})")),
                None => e.within(format_args!("sample {index}")),
            };
            let label_of = |softmax: &Softmax| match options.label {
                LabelChoice::True => self.true_label(sample.label),
                LabelChoice::Predicted => Ok(softmax.argmax()),
                LabelChoice::Class(class) => Ok(class),
            };
            let response = sensitivity
                .run(state, index, &sample.values, |logits| {
                    label_of(&Softmax::new(logits)?)
                })
                .map_err(of_sample)?;
            let softmax = Softmax::new(&response.logits)?;
            let (p, predicted) = (softmax.p().to_vec(), softmax.argmax());
            let label = label_of(&softmax).map_err(of_sample)?;
            let output = Output::from(softmax);
            let objective = options.objective.at(&output, Truth::Class(label));
            let objective = objective.map_err(Error::from).map_err(of_sample)?;
            let (logits, objective) = match &response.lumping {
                None => (response.logits.as_slice(), objective),
                Some(lumping) => (lumping.logits(), lumping.objective(objective)?),
            };
            let score = |(at, block): (usize, &Block)| -> Result<Score, Error> {
                let gram = &response.grams[at];
                let measures = measure(logits, gram, objective, &settings)?;
                let relative = match block.norm {
                    None => None,
                    Some(norm) => {
                        let scaled = gram.clone().relative(norm);
                        let measures = measure(logits, &scaled, objective, &settings)?;
                        Some(Relative {
                            norm,
                            fi_lambda: measures.fi_lambda,
                            fisher_trace: measures.fisher_trace,
                            fisher_lambda_max: measures.fisher_lambda_max,
                        })
                    }
                };
                Ok(Score {
                    index,
                    label,
                    true_label: sample.label,
                    predicted,
                    p_label: p[label],
                    p_predicted: p[predicted],
                    block: Arc::clone(&block.name),
                    measures,
                    relative,
                    n_classes_kept: logits.len(),
                    lost_trace: response.lost_traces.get(at).copied().unwrap_or(0.0),
                    key: sample.key.clone(),
                })
            };
            let scores: Result<Vec<Score>, Error> = blocks.iter().enumerate().map(score).collect();
            scores.map_err(of_sample)
        };
        let threads = options
            .threads
            .map_or_else(std::thread::available_parallelism, Ok);
        let threads = threads.unwrap_or(NonZeroUsize::MIN);
        ordered(
            dataset.len(),
            threads,
            || sensitivity.state(),
            work,
            |_, scores| scores.into_iter().try_for_each(&mut emit),
        )
    }

    fn true_label(&self, label: Option<usize>) -> Result<usize, Error> {
        let k = self.n_classes();
        match label {
            Some(label) if label < k => Ok(label),
            Some(label) => Err(Error::new(
                ErrorKind::Data,
                format!("label {label} for a network of {k} classes (numbered from 0)"),
            )),
            None => Err(Error::new(
                ErrorKind::Data,
                "the data have no labels; give them (--labels) or use the predicted class (--label predicted)",
            )),
        }
    }
}
