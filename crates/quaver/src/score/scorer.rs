//! From an evaluation to its scores.

use std::sync::Arc;

use quaver_geometry::{
    Analysis, Family, Lumping, ObjectiveChoice, Output, Settings, Softmax, Truth,
};

use super::{LabelChoice, Relative, Score, ScoreOptions};
use crate::{Block, Classes, Description, Error, ErrorKind, Evaluation};

/// What all samples of a run have in common.
pub(super) struct Scorer<'a> {
    description: &'a Description,
    options: &'a ScoreOptions,
    settings: Settings,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(
        description: &'a Description,
        options: &'a ScoreOptions,
    ) -> Result<Self, Error> {
        let rtol = options.rtol.unwrap_or(description.precision.default_rtol());
        if let (Family::Gaussian { .. }, LabelChoice::Predicted) =
            (description.family, options.label)
        {
            return Err(Error::new(
                ErrorKind::Option,
                "--label predicted: a regression agrees with its own prediction, so that nothing moves; give the values (--targets)",
            ));
        }
        rehearse(description, options)
            .map_err(|e| e.within(format_args!("--objective {}", options.objective)))?;
        Ok(Self {
            description,
            options,
            settings: Settings::new(rtol, options.lambda, options.compat)?,
        })
    }

    /// A score per block.
    pub(super) fn scores(&self, evaluation: &Evaluation) -> Result<Vec<Score>, Error> {
        let outputs = &evaluation.outputs;
        let truth = self.truth(evaluation)?;
        // A sigmoid's outputs are the two logits already.
        let output = match self.description.family {
            Family::Sigmoid => Output::from(Softmax::new(outputs)?),
            family => family.at(outputs)?,
        };
        let objective = self.options.objective.at(&output, truth.as_geometry())?;
        let lumped = match &evaluation.lumping {
            None => None,
            Some(lumping) => Some((
                Output::from(Softmax::new(lumping.logits())?),
                lumping.objective(objective)?,
            )),
        };
        let (at, objective) = match &lumped {
            None => (&output, objective),
            Some((output, objective)) => (output, *objective),
        };
        let class = |y: usize| match &output {
            Output::Softmax(softmax) => (Some(y), Some(softmax.p()[y])),
            _ => (None, None),
        };
        let (label, p_label) = truth.class().map_or((None, None), class);
        let (predicted, p_predicted) = match &output {
            Output::Softmax(softmax) => class(softmax.argmax()),
            _ => (None, None),
        };
        let score = |(place, block): (usize, &Block)| -> Result<Score, Error> {
            let gram = &evaluation.grams[place];
            let analysis = Analysis::new(at, gram, objective, &self.settings)?;
            let measures = analysis.measures()?;
            let relative = block.norm.map(|norm| {
                let squared = norm * norm;
                Relative {
                    norm,
                    fi_lambda: analysis.fi_lambda(self.settings.lambda() / squared),
                    fisher_trace: squared * measures.fisher_trace,
                    fisher_lambda_max: squared * measures.fisher_lambda_max,
                    noise_kl: 0.5 * squared * measures.fisher_trace / block.n_coordinates as f64,
                }
            });
            Ok(Score {
                index: evaluation.index,
                key: evaluation.key.clone(),
                label,
                true_label: evaluation.true_label,
                predicted,
                p_label,
                p_predicted,
                block: Arc::clone(&block.name),
                measures,
                relative,
                n_classes_kept: at.n_outputs(),
                lost_trace: evaluation.lost_traces.get(place).copied().unwrap_or(0.0),
            })
        };
        self.description
            .blocks
            .iter()
            .enumerate()
            .map(score)
            .collect()
    }

    /// What the objective takes for true of a sample.
    fn truth(&self, evaluation: &Evaluation) -> Result<OwnedTruth, Error> {
        let target = || {
            evaluation.target.clone().ok_or_else(|| {
                Error::new(
                    ErrorKind::Data,
                    "the data say nothing about each output; give it (--targets FILE)",
                )
            })
        };
        let family = self.description.family;
        Ok(match (family, self.options.asks_for_targets(family)) {
            (Family::MultiLabel, true) => {
                OwnedTruth::Labels(target()?.into_iter().map(|t| t > 0.5).collect())
            }
            (Family::MultiLabel, false) => {
                OwnedTruth::Labels(evaluation.outputs.iter().map(|&z| z > 0.0).collect())
            }
            (_, true) => OwnedTruth::Values(target()?),
            (_, false) => {
                let softmax = Softmax::new(&evaluation.outputs)?;
                OwnedTruth::Class(self.options.label.of(evaluation.true_label, &softmax)?)
            }
        })
    }
}

/// Asks the objective of an output that stands for any, so that what is wrong with it for every sample is said before the
/// first is evaluated.
fn rehearse(description: &Description, options: &ScoreOptions) -> Result<(), Error> {
    let k = description.n_outputs;
    let zeros = vec![0.0; k];
    let output = match description.family {
        Family::Sigmoid => Output::from(Softmax::new(&zeros)?),
        family => family.at(&zeros)?,
    };
    let truth = match description.family {
        Family::Softmax | Family::Sigmoid => match options.objective {
            ObjectiveChoice::SoftCrossEntropy => OwnedTruth::Values(vec![1.0 / k as f64; k]),
            _ => OwnedTruth::Class(match options.label {
                LabelChoice::Class(class) => class,
                _ => 0,
            }),
        },
        Family::MultiLabel => OwnedTruth::Labels(vec![true; k]),
        _ => OwnedTruth::Values(zeros.clone()),
    };
    let objective = options.objective.at(&output, truth.as_geometry())?;
    output.value(objective)?;
    // Of two given classes either may be kept in one sample and merged in another.
    let is_about_all = matches!(
        options.objective,
        ObjectiveChoice::Entropy
            | ObjectiveChoice::CrossEntropy { .. }
            | ObjectiveChoice::SoftCrossEntropy
    );
    let may_merge = match options.classes(k) {
        Classes::Top(m) => m + 1 < k,
        _ => true,
    };
    if description.merges_classes && is_about_all && may_merge && k > 2 {
        Lumping::top(&zeros, 0, 1)?.objective(objective)?;
    }
    Ok(())
}

/// A [`Truth`] that owns what it says.
enum OwnedTruth {
    Class(usize),
    Labels(Vec<bool>),
    Values(Vec<f64>),
}

impl OwnedTruth {
    fn as_geometry(&self) -> Truth<'_> {
        match self {
            Self::Class(class) => Truth::Class(*class),
            Self::Labels(labels) => Truth::Labels(labels),
            Self::Values(values) => Truth::Values(values),
        }
    }

    fn class(&self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(*class),
            _ => None,
        }
    }
}
