//! Scores: the influence measure of every sample, with the whole input as the perturbed block.

mod columns;
mod quantiles;
mod summary;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use quaver_data::Dataset;
use quaver_engine::Real;
use quaver_geometry::{Measures, Objective, Settings, Softmax, measure};

use crate::parallel::ordered;
use crate::sensitivity::Sensitivity;
use crate::{Error, ErrorKind, Model};

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
    /// The influence measure and its companions.
    pub measures: Measures,
}

impl Model {
    /// Scores every sample of `dataset`, the whole input being the perturbed block.
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
        if dataset.shape().iter().product::<usize>() != self.input_shape().iter().product() {
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
        let sensitivity = Sensitivity::<T>::new(self)?;
        let work = |state: &mut _, index: usize| -> Result<Score, Error> {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            let sample = dataset.read(index)?;
            let index = dataset.original_index(index);
            let of_sample = |e: Error| match &sample.key {
                Some(key) => e.within(format_args!("sample {index} ({key})")),
                None => e.within(format_args!("sample {index}")),
            };
            let (logits, gram) = sensitivity.run(state, &sample.values).map_err(of_sample)?;
            let softmax = Softmax::new(&logits)?;
            let predicted = softmax.argmax();
            let label = match options.label {
                LabelChoice::True => self.true_label(sample.label).map_err(of_sample)?,
                LabelChoice::Predicted => predicted,
                LabelChoice::Class(class) => class,
            };
            let objective = Objective::NegLogLik { label };
            let measures = measure(&logits, &gram, objective, &settings)
                .map_err(Error::from)
                .map_err(of_sample)?;
            Ok(Score {
                index,
                label,
                true_label: sample.label,
                predicted,
                p_label: softmax.p()[label],
                p_predicted: softmax.p()[predicted],
                measures,
                key: sample.key,
            })
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
            |_, score| emit(score),
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
