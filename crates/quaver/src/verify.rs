//! Layers perturbed for real: does the network react as its layers' influence says?
//!
//! Every layer's parameters are disturbed at several strengths, with several draws each, and the network is run on the
//! data again. Noise has ‖δ‖ = ε‖θ‖ and a random direction, so that to second order the Kullback–Leibler divergence is on
//! average ½ ε² ‖θ‖² tr G / n: a number to be met, beside the order of the layers. Knocked-out weights or units, set to
//! zero, are the fault models of Cheney, Schrimpf & Kreiman 2017 (arXiv 1703.08245).

mod disturb;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quaver_data::{DataError, Dataset};
use quaver_engine::{Program, Real};
use quaver_geometry::Softmax;

use disturb::Disturber;

use crate::layers::LayerReport;
use crate::parallel::{ordered, workers};
use crate::statistics::rank_correlation;
use crate::{Block, Error, ErrorKind, LoadOptions, Model, Precision};

/// What is done to a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Gaussian noise of a length relative to that of the parameters.
    Noise,
    /// A share of the parameters, drawn at random, set to zero.
    Knockout,
    /// A share of the units, output channels or outputs, drawn at random: all that makes a unit, its part of the weights and
    /// its bias, is set to zero, so that the layer's output is zero there.
    KnockoutUnits,
}

impl Disturbance {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Knockout => "knockout",
            Self::KnockoutUnits => "knockout-units",
        }
    }
}

/// How layers are disturbed.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyOptions {
    /// What is done.
    pub disturbance: Disturbance,
    /// How strongly: ‖δ‖/‖θ‖, or the share of parameters or units. Default: 0.01, 0.1, 0.3.
    pub strengths: Vec<f64>,
    /// Draws per layer and strength. Default: 3.
    pub draws: usize,
    /// The seed of the draws.
    pub seed: u64,
    /// The number type the network is run in.
    pub precision: Precision,
    /// Worker threads; results do not depend on it. Default: one for every core.
    pub threads: Option<NonZeroUsize>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            disturbance: Disturbance::Noise,
            strengths: vec![0.01, 0.1, 0.3],
            draws: 3,
            seed: 0,
            precision: Precision::F32,
            threads: None,
        }
    }
}

impl VerifyOptions {
    /// Whether layers can be disturbed so, before anything is.
    ///
    /// # Errors
    /// Names the option that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Option, why));
        if self.draws == 0 {
            return refuse("0 draws: expected at least 1".to_owned());
        }
        let is_share = self.disturbance != Disturbance::Noise;
        for &strength in &self.strengths {
            if !(strength > 0.0 && strength.is_finite()) || is_share && strength > 1.0 {
                return refuse(format!(
                    "strength {strength}: expected a positive number{}",
                    if is_share { " of at most 1" } else { "" }
                ));
            }
        }
        Ok(())
    }
}

/// What one strength did to one layer, on average over draws and samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbed {
    /// The layer.
    pub block: Arc<str>,
    /// ‖δ‖/‖θ‖, or the share of parameters or units.
    pub strength: f64,
    /// KL(p ‖ p′) in nats, p′ with the disturbance.
    pub mean_kl: f64,
    /// ½ ε² ‖θ‖² tr G / n, for noise: what the mean divergence is to second order.
    pub predicted_kl: Option<f64>,
    /// The share of samples whose prediction is the same.
    pub agreement: f64,
    /// The share of labelled samples that are classified as their label says.
    pub accuracy: Option<f64>,
}

/// How well one measure orders the layers at one strength. All parameters together are no layer, and left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The measure.
    pub measure: &'static str,
    /// ‖δ‖/‖θ‖, or the share of parameters or units.
    pub strength: f64,
    /// Spearman's correlation of its medians with the observed divergence; `None` where one is the same for all layers.
    pub correlation: Option<f64>,
}

/// Everything that was observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// What was done.
    pub disturbance: Disturbance,
    /// Without disturbance.
    pub accuracy: Option<f64>,
    /// Layer by layer, strength by strength.
    pub layers: Vec<Disturbed>,
    /// Measure by measure, strength by strength.
    pub agreements: Vec<Agreement>,
    /// Blocks that could not be disturbed: those whose units are not known.
    pub left_out: Vec<Arc<str>>,
}

/// The measures that are held against the observed order.
const PREDICTORS: [&str; 5] = [
    "noise_kl",
    "rel_fi_lambda",
    "rel_fisher_lambda_max",
    "rel_fisher_trace",
    "fi",
];

/// Disturbs each of `blocks` that consists of parameters alone in the network at `path`, runs it on `dataset`, and
/// compares with `report`, the study of the same blocks. `step` is called after each run of the network on all data.
///
/// # Errors
/// Names the option that does not fit; as for [`Model::load`], and for samples that cannot be read;
/// [`ErrorKind::Interrupted`] after `stop` was set.
pub fn verify_layers(
    path: &Path,
    load: &LoadOptions,
    dataset: &dyn Dataset,
    (blocks, report): (&[Block], &LayerReport),
    options: &VerifyOptions,
    stop: &AtomicBool,
    step: impl FnMut(),
) -> Result<Verification, Error> {
    options.check()?;
    let disturber = Disturber {
        path,
        load,
        disturbance: options.disturbance,
        seed: options.seed,
    };
    let bench = Bench {
        disturber,
        dataset,
        options,
        stop,
    };
    match options.precision {
        Precision::F32 => bench.run::<f32>(blocks, report, step),
        Precision::F64 => bench.run::<f64>(blocks, report, step),
    }
}

/// What all runs have in common.
struct Bench<'a> {
    disturber: Disturber<'a>,
    dataset: &'a dyn Dataset,
    options: &'a VerifyOptions,
    stop: &'a AtomicBool,
}

/// What one run of the network on all data came to.
struct Outcome {
    kl: f64,
    agreement: f64,
    accuracy: Option<f64>,
}

impl Bench<'_> {
    fn run<T: Real>(
        &self,
        blocks: &[Block],
        report: &LayerReport,
        mut step: impl FnMut(),
    ) -> Result<Verification, Error> {
        let options = self.options;
        let (path, load) = (self.disturber.path, self.disturber.load);
        let whole = self.answers::<T>(&Model::load(path, load)?)?;
        let trained: Vec<&Block> = blocks.iter().filter(|block| block.norm.is_some()).collect();
        if trained.is_empty() {
            return Err(Error::new(
                ErrorKind::Option,
                "no block to verify consists of parameters alone (--wrt layers)",
            ));
        }
        let (trained, left_out) = self.disturber.sort(trained)?;
        let (n_strengths, draws) = (options.strengths.len(), options.draws);
        let n_runs = trained.len() * n_strengths * draws;
        let mut outcomes = Vec::with_capacity(n_runs);
        ordered(
            n_runs,
            workers(options.threads),
            self.stop,
            || (),
            |(), at| {
                let block = trained[at / (n_strengths * draws)];
                let strength = options.strengths[at / draws % n_strengths];
                let model = self.disturber.draw(block, strength, at as u64)?;
                Ok(compare(&whole, &self.answers::<T>(&model)?))
            },
            |_, outcome| {
                outcomes.push(outcome);
                step();
                Ok(())
            },
        )?;
        let layers: Vec<Disturbed> = outcomes
            .chunks_exact(draws)
            .enumerate()
            .map(|(at, outcomes)| {
                let block = trained[at / n_strengths];
                let strength = options.strengths[at % n_strengths];
                let mean = |of: &dyn Fn(&Outcome) -> f64| {
                    outcomes.iter().map(of).sum::<f64>() / draws as f64
                };
                Disturbed {
                    block: Arc::clone(&block.name),
                    strength,
                    mean_kl: mean(&|o| o.kl),
                    predicted_kl: (options.disturbance == Disturbance::Noise)
                        .then(|| predicted(block, strength, report))
                        .flatten(),
                    agreement: mean(&|o| o.agreement),
                    accuracy: outcomes[0]
                        .accuracy
                        .map(|_| mean(&|o| o.accuracy.unwrap_or_default())),
                }
            })
            .collect();
        Ok(Verification {
            disturbance: options.disturbance,
            accuracy: compare(&whole, &whole).accuracy,
            agreements: agreements(&layers, &options.strengths, report),
            layers,
            left_out: left_out.iter().map(|b| Arc::clone(&b.name)).collect(),
        })
    }

    /// Every sample's label and logits; those that cannot be read are left out, as they are of the study.
    fn answers<T: Real>(&self, model: &Model) -> Result<Vec<(Option<usize>, Softmax)>, Error> {
        if !model.family().has_classes() {
            return Err(Error::new(
                ErrorKind::Model,
                "layers are verified for networks that tell classes apart",
            ));
        }
        let program = Program::<T>::new(model.graph(), model.head().logits, &[])?;
        let mut workspace = program.workspace();
        let lengths: Vec<usize> = model.inputs().iter().map(crate::Port::n_values).collect();
        (0..self.dataset.len())
            .map(|at| self.dataset.read(at))
            .filter(|read| !read.as_ref().is_err_and(DataError::is_of_sample))
            .map(|read| {
                let sample = read?;
                let values: Vec<T> = sample.values.iter().map(|&x| T::from_f64(x)).collect();
                let mut rest = values.as_slice();
                let inputs: Vec<&[T]> = lengths
                    .iter()
                    .map(|&n| {
                        let (input, after) = rest.split_at(n.min(rest.len()));
                        rest = after;
                        input
                    })
                    .collect();
                let outputs = program.forward(&mut workspace, &inputs)?;
                let outputs: Vec<f64> = outputs.iter().map(|x| x.to_f64()).collect();
                let logits = model.head().class_logits(&outputs);
                Ok((sample.label, Softmax::new(&logits)?))
            })
            .collect()
    }
}

fn compare(before: &[(Option<usize>, Softmax)], after: &[(Option<usize>, Softmax)]) -> Outcome {
    let (mut kl, mut same, mut labelled, mut correct) = (0.0, 0usize, 0usize, 0usize);
    for ((label, p), (_, q)) in before.iter().zip(after) {
        let terms = p.p().iter().zip(p.log_p().iter().zip(q.log_p()));
        kl += terms.map(|(p, (a, b))| p * (a - b)).sum::<f64>().max(0.0);
        same += usize::from(p.argmax() == q.argmax());
        if let Some(label) = label {
            labelled += 1;
            correct += usize::from(q.argmax() == *label);
        }
    }
    let n = before.len().max(1) as f64;
    Outcome {
        kl: kl / n,
        agreement: same as f64 / n,
        accuracy: (labelled > 0).then(|| correct as f64 / labelled as f64),
    }
}

/// ½ ε² ‖θ‖² tr G / n, on average over the samples of the study.
fn predicted(block: &Block, strength: f64, report: &LayerReport) -> Option<f64> {
    let mut layers = report.layers.iter();
    let layer = layers.find(|layer| layer.block == block.name)?;
    Some(strength * strength * layer.mean("noise_kl")?)
}

fn agreements(layers: &[Disturbed], strengths: &[f64], report: &LayerReport) -> Vec<Agreement> {
    let mut agreements = Vec::new();
    for &strength in strengths {
        let is_layer = |d: &&Disturbed| d.strength == strength && *d.block != *"params";
        let at: Vec<&Disturbed> = layers.iter().filter(is_layer).collect();
        let observed: Vec<f64> = at.iter().map(|d| d.mean_kl).collect();
        let predicted: Option<Vec<f64>> = at.iter().map(|d| d.predicted_kl).collect();
        if let Some(predicted) = predicted {
            agreements.push(Agreement {
                measure: "predicted_kl",
                strength,
                correlation: rank_correlation(&predicted, &observed),
            });
        }
        for measure in PREDICTORS {
            let median = |d: &&Disturbed| {
                let layer = report.layers.iter().find(|layer| layer.block == d.block)?;
                Some(layer.quartiles(measure)?.median)
            };
            let medians: Option<Vec<f64>> = at.iter().map(median).collect();
            agreements.push(Agreement {
                measure,
                strength,
                correlation: medians.and_then(|m| rank_correlation(&m, &observed)),
            });
        }
    }
    agreements
}
