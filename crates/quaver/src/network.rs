//! A network with its data: evaluations computed when they are asked for.

use quaver_data::{Dataset, Sample};
use quaver_engine::{HeadKind, ProgramOptions, Real};
use quaver_geometry::{Classes, Softmax};

use crate::sensitivity::{Response, Sensitivity, State};
use crate::{
    Description, Error, ErrorKind, Evaluation, LabelChoice, Model, Precision, Reader,
    SampleFailure, ScoreOptions, Source,
};

/// A [`Source`] that runs a network on data.
pub struct Network<'a> {
    model: &'a Model,
    dataset: &'a dyn Dataset,
    targets: Option<&'a dyn Dataset>,
    label: LabelChoice,
    compiled: Compiled,
    description: Description,
}

/// The network in one of two number types.
pub(crate) enum Compiled {
    Single(Sensitivity<f32>),
    Double(Sensitivity<f64>),
}

impl<'a> Network<'a> {
    /// `model` on the samples of `dataset`, perturbed and run as `options` say ([`ScoreOptions::wrt`], `classes`,
    /// `winograd`, `precision`, and `label` where classes are merged).
    ///
    /// # Errors
    /// Names the option that does not fit, or says how the shapes differ.
    pub fn new(
        model: &'a Model,
        dataset: &'a dyn Dataset,
        options: &ScoreOptions,
    ) -> Result<Self, Error> {
        if dataset.is_empty() {
            return Err(Error::new(ErrorKind::Data, "the dataset has no samples"));
        }
        model.check_shape(dataset)?;
        if let LabelChoice::Class(class) = options.label
            && class >= model.n_classes()
        {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "class {class} of a network of {} classes (numbered from 0)",
                    model.n_classes()
                ),
            ));
        }
        let blocks = model.blocks(&options.wrt)?;
        let has_classes = model.family().has_classes();
        let classes = match (has_classes, options.classes) {
            (true, _) => options.classes(model.n_classes()),
            (false, None | Some(Classes::All)) => Classes::All,
            (false, Some(classes)) => {
                return Err(Error::new(
                    ErrorKind::Option,
                    format!("classes {classes}: only those of a softmax can be merged"),
                ));
            }
        };
        let program = ProgramOptions {
            winograd: options.winograd,
        };
        let compiled = match options.precision {
            Precision::F32 => Compiled::Single(Sensitivity::new(model, &blocks, classes, program)?),
            Precision::F64 => Compiled::Double(Sensitivity::new(model, &blocks, classes, program)?),
        };
        let network = Self {
            model,
            dataset,
            targets: None,
            label: options.label,
            compiled,
            description: Description {
                n_samples: dataset.len(),
                n_outputs: model.n_classes(),
                family: model.family(),
                blocks,
                precision: options.precision,
                merges_classes: classes != Classes::All,
                has_keys: dataset.has_keys(),
                class_names: dataset.class_names().map(<[String]>::to_vec),
            },
        };
        match &network.compiled {
            Compiled::Single(sensitivity) => network.refuse_probabilities(sensitivity)?,
            Compiled::Double(sensitivity) => network.refuse_probabilities(sensitivity)?,
        }
        Ok(network)
    }

    /// What tasks of their own run: compiled once for all.
    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Refuses an output taken for logits that is a distribution, as far as the first samples tell: how it was computed may be
    /// no way in which probabilities are known to be.
    fn refuse_probabilities<T: Real>(&self, sensitivity: &Sensitivity<T>) -> Result<(), Error> {
        // Logits that happen to be a distribution are not one for the next sample.
        const LOOKED_AT: usize = 3;
        if self.model.head.kind != HeadKind::Logits || !self.model.is_detected {
            return Ok(());
        }
        let mut state = sensitivity.state();
        let mut n_seen = 0;
        for position in 0..self.dataset.len().min(LOOKED_AT) {
            let Ok(sample) = self.dataset.read(position) else {
                continue;
            };
            match sensitivity.logits(&mut state, &sample.values) {
                Ok(outputs) if is_distribution(&outputs) => n_seen += 1,
                Ok(_) => return Ok(()),
                Err(_) => {}
            }
        }
        match n_seen {
            0 => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Model,
                format!(
                    "the output '{}' is never negative and sums to 1, as probabilities do, but no softmax is found before it; name the logits (--output), or if these are logits all the same, say so (--head logits)",
                    self.model.graph.name(self.model.head.output)
                ),
            )),
        }
    }

    /// The same with what the data say about each output: sample i of `targets` (K values) belongs to the sample whose
    /// position on disk is i. Soft labels, several labels (0 or 1), or the values of a regression.
    ///
    /// # Errors
    /// If the targets are not K values each.
    pub fn with_targets(mut self, targets: &'a dyn Dataset) -> Result<Self, Error> {
        let n: usize = targets.shape().iter().product();
        if n != self.description.n_outputs {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "targets of {n} values each for a network of {} outputs",
                    self.description.n_outputs
                ),
            ));
        }
        self.targets = Some(targets);
        Ok(self)
    }

    /// The memory that one thread needs beside what all share, in bytes, found by running the first sample.
    ///
    /// # Errors
    /// If that sample cannot be evaluated.
    pub fn bytes_per_thread(&self) -> Result<usize, Error> {
        match &self.compiled {
            Compiled::Single(sensitivity) => self.bytes_in(sensitivity),
            Compiled::Double(sensitivity) => self.bytes_in(sensitivity),
        }
    }

    fn bytes_in<T: Real>(&self, sensitivity: &Sensitivity<T>) -> Result<usize, Error> {
        // Results wait in a window until those before them are done.
        const WAITING: usize = crate::parallel::WINDOW_PER_THREAD;
        let mut state = sensitivity.state();
        let sample = self.dataset.read(0)?;
        let evaluation = self.evaluate(sensitivity, &mut state, 0, sample)?;
        let grams: usize = evaluation
            .grams
            .iter()
            .map(|gram| 8 * gram.values().len())
            .sum();
        Ok(state.n_bytes() + WAITING * grams)
    }

    fn reader_in<'r, T: Real>(&'r self, sensitivity: &'r Sensitivity<T>) -> Reader<'r> {
        let mut state = sensitivity.state();
        Box::new(move |position| {
            let index = self.dataset.original_index(position);
            let key = self.dataset.key(position);
            let sample = match self.dataset.read(position) {
                Err(error) if !error.is_of_sample() => return Err(error.into()),
                sample => sample,
            };
            let evaluated = sample
                .map_err(Error::from)
                .and_then(|sample| self.evaluate(sensitivity, &mut state, index, sample));
            Ok(evaluated.map_err(|error| SampleFailure { index, key, error }))
        })
    }

    fn evaluate<T: Real>(
        &self,
        sensitivity: &Sensitivity<T>,
        state: &mut State<T>,
        index: usize,
        sample: Sample,
    ) -> Result<Evaluation, Error> {
        if let Some(label) = sample.label {
            self.check_label(label)?;
        }
        let target = match self.targets {
            Some(targets) => Some(targets.read(index)?.values),
            None => None,
        };
        let label_of = |logits: &[f64]| self.label.of(sample.label, &Softmax::new(logits)?);
        let Response {
            logits,
            lumping,
            grams,
            lost_traces,
        } = sensitivity.run(state, index, &sample.values, label_of)?;
        Ok(Evaluation {
            index,
            key: sample.key,
            true_label: sample.label,
            target,
            outputs: logits,
            lumping,
            grams,
            lost_traces,
        })
    }

    fn check_label(&self, label: usize) -> Result<(), Error> {
        let k = self.model.n_classes();
        let has_classes = self.model.family().has_classes();
        match has_classes && label >= k {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::Data,
                format!("label {label} for a network of {k} classes (numbered from 0)"),
            )),
        }
    }
}

/// Whether outputs are probabilities, to what single precision leaves of their sum.
fn is_distribution(outputs: &[f64]) -> bool {
    let sum: f64 = outputs.iter().sum();
    outputs.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() < 1e-6
}

impl Source for Network<'_> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn reader(&self) -> Reader<'_> {
        match &self.compiled {
            Compiled::Single(sensitivity) => self.reader_in(sensitivity),
            Compiled::Double(sensitivity) => self.reader_in(sensitivity),
        }
    }
}
