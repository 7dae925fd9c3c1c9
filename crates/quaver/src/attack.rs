//! Attacks: does the map find weak spots, and how far is a sample from being classified otherwise?
//!
//! Attacks exist here to measure robustness. [`Model::attack`] runs each chosen attack on each sample that the network
//! classifies as its label says, and gives what came of it: success, norms, cost, the perturbed sample.
//!
//! All of them move in the unit box, in which 0 is the least and 1 the greatest number that the data can hold
//! ([`Bounds`]); radii are shares of that range, as in the literature (8/255). An attack is one file in `attack/` and
//! one line in `ATTACKS`: it searches, and the victim keeps the account.

mod best_pixel;
mod columns;
mod deepfool;
mod evolution;
mod fgsm;
mod gradient;
mod guide;
mod mfi_pso;
mod network;
mod one_pixel;
mod options;
mod pgd;
mod pixel;
mod random;
mod space;
mod summary;
mod swarm;
#[cfg(test)]
mod tests;
mod victim;

use std::sync::atomic::AtomicBool;

use quaver_data::{Dataset, Sample};
use quaver_engine::{Program, ProgramOptions, Real};
use quaver_geometry::Measures;

use crate::parallel::{ordered, workers};
use crate::{Error, ErrorKind, Model, Precision, SampleFailure, ScoreOptions};

pub use columns::AttackTable;
pub use options::{AttackOptions, TargetChoice};
pub use space::{Bounds, Pixels};
pub use summary::{AttackSummary, Curve, Paired, Rate, wilson};
pub use victim::Cost;

use network::Compiled;
use random::Random;
use space::Space;
use victim::{Answer, Goal, Network, Stop, Victim};

/// A way to look for an adversarial sample.
trait Attack: Send + Sync {
    /// Searches from `victim.start`; the victim remembers the best point asked about.
    fn run(&self, victim: &mut Victim<'_>, random: &mut Random) -> Result<(), Stop>;
}

/// An attack as users choose it.
struct Entry {
    name: &'static str,
    /// One line: what it does, and whose it is.
    about: &'static str,
    /// What it spends to succeed: the budget against which its success rate is drawn.
    budget: Curve,
    /// Whether it is run when none is named: it is quick, and together with the others says most.
    by_default: bool,
    /// The attacks to run: one for every radius, where it has a radius.
    instances: fn(&AttackOptions) -> Vec<Instance>,
}

/// An attack ready to run.
struct Instance {
    /// The radius it may not leave, as a share of the range.
    epsilon: Option<f64>,
    attack: Box<dyn Attack>,
}

impl Instance {
    /// An attack that stays within `epsilon`.
    fn within(epsilon: f64, attack: impl Attack + 'static) -> Self {
        Self {
            epsilon: Some(epsilon),
            attack: Box::new(attack),
        }
    }

    /// An attack that no radius bounds.
    fn free(attack: impl Attack + 'static) -> Self {
        Self {
            epsilon: None,
            attack: Box::new(attack),
        }
    }
}

/// The attacks, in the order in which they are listed and run.
#[rustfmt::skip]
const ATTACKS: [&[Entry]; 8] = [
    &pixel::ENTRIES,        // fi-pixel and its rivals
    &[best_pixel::ENTRY],   // best-pixel
    &[fgsm::ENTRY],         // fgsm
    &[pgd::LINF],           // pgd-linf
    &[pgd::L2],             // pgd-l2
    &[deepfool::ENTRY],     // deepfool
    &[one_pixel::ENTRY],    // one-pixel
    &[mfi_pso::ENTRY],      // mfi-pso
];

fn entries() -> impl Iterator<Item = &'static Entry> {
    ATTACKS.iter().flat_map(|entries| entries.iter())
}

/// An attack that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackInfo {
    /// Its name, as in [`AttackOptions::attacks`].
    pub name: &'static str,
    /// One line: what it does, and whose it is.
    pub about: &'static str,
    /// The budget against which its success rate is drawn.
    pub budget: Curve,
    /// Whether it is run when none is named.
    pub by_default: bool,
}

/// What there is to choose from.
pub fn attacks() -> impl Iterator<Item = AttackInfo> {
    entries().map(|entry| AttackInfo {
        name: entry.name,
        about: entry.about,
        budget: entry.budget,
        by_default: entry.by_default,
    })
}

/// One sample, and what each attack did to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attacked {
    /// The sample's position in the data as they are on disk ([`Dataset::original_index`]).
    pub index: usize,
    /// Its name, where the data have names.
    pub key: Option<String>,
    /// The class y that it is to be led away from.
    pub label: usize,
    /// The class it is to be led to, where one is wanted.
    pub target: Option<usize>,
    /// The most probable class before any attack.
    pub predicted: usize,
    /// The probability of `label` before any attack.
    pub p_label: f64,
    /// The sample in the numbers of the data.
    pub raw: Vec<f64>,
    /// One for every attack and radius, in the order of [`AttackOptions::plan`].
    pub trials: Vec<Trial>,
}

/// A sample and what attacks did to it; or why there is nothing to say of it.
pub type Raided = Result<Attacked, SampleFailure>;

/// One attack on one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its name.
    pub attack: &'static str,
    /// The radius it had to stay within, as a share of the range; `None` for attacks without one.
    pub epsilon: Option<f64>,
    /// What came of it. `None` if there was nothing to attack: the sample is not classified as its label says, or is of
    /// the target's class already.
    pub outcome: Option<Outcome>,
}

/// What came of an attack.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether the goal is reached, by a forward pass of its own at `x`.
    pub success: bool,
    /// The perturbed sample, as the network takes it; where there is no success, the closest to one that was asked about.
    pub x: Vec<f64>,
    /// The same in the numbers of the data.
    pub raw: Vec<f64>,
    /// The most probable class there.
    pub predicted: usize,
    /// The probability of the sample's label there.
    pub p_label: f64,
    /// The probability of `predicted` there.
    pub p_predicted: f64,
    /// Values that differ.
    pub l0: usize,
    /// Pixels that differ, a pixel being all channels of one place.
    pub pixels: usize,
    /// The perturbation as a share of the range: what radii are compared with.
    pub unit: Norms,
    /// The perturbation in the numbers of the data.
    pub data: Norms,
    /// The perturbation in what the network is given.
    pub input: Norms,
    /// What it took.
    pub cost: Cost,
    /// For attacks that take pixels by a map of FI, the pixel taken first, counted row by row, and its measures.
    pub first_pixel: Option<(usize, Measures)>,
}

/// Norms of a perturbation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norms {
    /// The sum of the absolute values.
    pub l1: f64,
    /// The Euclidean norm.
    pub l2: f64,
    /// The largest absolute value.
    pub linf: f64,
}

impl Norms {
    /// Of b − a.
    fn between(a: &[f64], b: &[f64]) -> Self {
        let change: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        Self {
            l1: change.iter().map(|x| x.abs()).sum(),
            l2: gradient::norm(&change),
            linf: change.iter().fold(0.0, |largest, x| largest.max(x.abs())),
        }
    }
}

impl Model {
    /// Attacks every sample of `dataset`.
    ///
    /// # Errors
    /// Names the first sample that cannot be read, lies outside the bounds, has no label or one out of range, or makes
    /// the network's output infinite or NaN; or the option that does not fit.
    pub fn attack(
        &self,
        dataset: &dyn Dataset,
        options: &AttackOptions,
    ) -> Result<Vec<Attacked>, Error> {
        let mut all = Vec::with_capacity(dataset.len());
        self.attack_each(dataset, options, &AtomicBool::new(false), |attacked| {
            all.push(attacked.map_err(SampleFailure::into_error)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The same, handing every sample to `emit` in their order as soon as it is done, so that memory does not grow with
    /// the dataset. A sample that cannot be read or attacked is handed over as a failure, and the others are attacked all
    /// the same. Setting `stop` ends it early.
    ///
    /// # Errors
    /// The option that does not fit; the error of `emit`; [`ErrorKind::Interrupted`] after `stop` was set.
    pub fn attack_each(
        &self,
        dataset: &dyn Dataset,
        options: &AttackOptions,
        stop: &AtomicBool,
        emit: impl FnMut(Raided) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match options.precision {
            Precision::F32 => self.attack_in::<f32>(dataset, options, stop, emit),
            Precision::F64 => self.attack_in::<f64>(dataset, options, stop, emit),
        }
    }

    fn attack_in<T: Real>(
        &self,
        dataset: &dyn Dataset,
        options: &AttackOptions,
        stop: &AtomicBool,
        mut emit: impl FnMut(Raided) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.family().has_classes() {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "attacks need one class among several, and the model's head is {}",
                    self.head.kind.name()
                ),
            ));
        }
        let inputs = self.graph.inputs();
        if let Some(&input) = inputs.iter().find(|&&input| !self.graph.is_real(input)) {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "attacks change numbers by a little, and the network's input '{}' is whole numbers (token ids)",
                    self.graph.name(input)
                ),
            ));
        }
        let n: usize = self.input_shape().iter().product();
        if dataset.is_empty() {
            return Err(Error::new(ErrorKind::Data, "the dataset has no samples"));
        }
        self.check_shape(dataset)?;
        options.check(self.n_classes())?;
        // An output that scoring refuses, probabilities taken for logits, cannot be attacked as logits either.
        let of_scores = ScoreOptions {
            winograd: options.winograd,
            precision: options.precision,
            ..ScoreOptions::default()
        };
        crate::Network::new(self, dataset, &of_scores)?;
        let units = dataset.units();
        let raid = Raid {
            options,
            instances: options.instances()?,
            bounds: options.bounds_of(dataset)?,
            space: Space::new(&units, options.bounds_of(dataset)?, n),
            pixels: Pixels::of(dataset.shape(), units.channels_last()),
            n_classes: self.n_classes(),
            stop,
        };
        let program = ProgramOptions {
            winograd: options.winograd,
        };
        let program = Program::<T>::with_options(&self.graph, self.head.logits, inputs, program)?;
        let work = |network: &mut Compiled<'_, T>, index: usize| {
            let original = dataset.original_index(index);
            let mut key = None;
            let mut attack = || {
                let sample = dataset.read(index)?;
                key.clone_from(&sample.key);
                raid.sample(network, original, &sample)
            };
            match attack() {
                Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
                Err(error) => Ok(Err(SampleFailure {
                    index: original,
                    key,
                    error,
                })),
                Ok(attacked) => Ok(Ok(attacked)),
            }
        };
        ordered(
            dataset.len(),
            workers(options.threads),
            stop,
            || Compiled::new(&program, self),
            work,
            |_, attacked| emit(attacked),
        )
    }
}

/// All that the samples have in common.
struct Raid<'a> {
    options: &'a AttackOptions,
    instances: Vec<(&'static str, Instance)>,
    bounds: Bounds,
    space: Space,
    pixels: Pixels,
    n_classes: usize,
    stop: &'a AtomicBool,
}

impl Raid<'_> {
    /// Runs every attack on one sample.
    fn sample(
        &self,
        network: &mut dyn Network,
        index: usize,
        sample: &Sample,
    ) -> Result<Attacked, Error> {
        let (x, true_label) = (sample.values.as_slice(), sample.label);
        let key = sample.key.clone();
        let start = self.space.to_unit(x)?;
        let logits = network.logits(x)?;
        let leave = |class| Goal {
            class,
            targeted: false,
            probability: self.options.probability,
        };
        let softmax = Answer::new(&logits, leave(0))?.softmax;
        if let Some(label) = true_label.filter(|&label| label >= self.n_classes) {
            let k = self.n_classes;
            return Err(Error::new(
                ErrorKind::Data,
                format!("label {label} for a network of {k} classes (numbered from 0)"),
            ));
        }
        let label = self.options.label.of(true_label, &softmax)?;
        let target = self.options.target.map(|choice| choice.of(&softmax, label));
        let goal = match target {
            None => leave(label),
            Some(class) => Goal {
                class,
                targeted: true,
                ..leave(class)
            },
        };
        let worth = softmax.argmax() == label && target != Some(label);
        let clean = Answer::new(&logits, goal)?;
        let sample = victim::Sample {
            x,
            start: &start,
            clean: &clean,
            goal,
            pixels: self.pixels,
            space: &self.space,
        };
        let mut trials = Vec::with_capacity(self.instances.len());
        for (attack, instance) in &self.instances {
            let outcome = match worth {
                true => Some(self.trial(network, index, (attack, instance), &sample, label)?),
                false => None,
            };
            trials.push(Trial {
                attack,
                epsilon: instance.epsilon,
                outcome,
            });
        }
        Ok(Attacked {
            index,
            key,
            label,
            target,
            predicted: softmax.argmax(),
            p_label: softmax.p()[label],
            raw: start.iter().map(|&u| self.space.raw(u)).collect(),
            trials,
        })
    }

    fn trial(
        &self,
        network: &mut dyn Network,
        index: usize,
        (name, instance): (&str, &Instance),
        sample: &victim::Sample<'_>,
        label: usize,
    ) -> Result<Outcome, Error> {
        let radius = instance.epsilon.unwrap_or_default().to_bits();
        let name = name.bytes().fold(0u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let mut random = Random::new(&[self.options.seed, index as u64, name, radius]);
        let max_queries = self.options.max_queries.unwrap_or(u64::MAX);
        let mut victim = Victim::new(network, sample, max_queries, self.stop);
        match instance.attack.run(&mut victim, &mut random) {
            Ok(()) | Err(Stop::Done | Stop::Budget) => {}
            Err(Stop::Failed(error)) => return Err(error),
        }
        let (cost, first_pixel) = (victim.cost(), victim.first_pixel.take());
        let u = victim
            .into_best()
            .map_or_else(|| sample.start.to_vec(), |best| best.u);
        // What is reported is what a forward pass of its own says, not what the attack remembers.
        let x = self.space.to_input(&u, sample.start, sample.x);
        let answer = Answer::new(&network.logits(&x)?, sample.goal)?;
        let softmax = &answer.softmax;
        let unit = Norms::between(sample.start, &u);
        let width = self.bounds.width();
        Ok(Outcome {
            success: answer.reached,
            raw: u.iter().map(|&u| self.space.raw(u)).collect(),
            predicted: softmax.argmax(),
            p_label: softmax.p()[label],
            p_predicted: softmax.p()[softmax.argmax()],
            l0: u.iter().zip(sample.start).filter(|(a, b)| a != b).count(),
            pixels: pixel::n_changed(self.pixels, sample.start, &u),
            unit,
            data: Norms {
                l1: unit.l1 * width,
                l2: unit.l2 * width,
                linf: unit.linf * width,
            },
            input: Norms::between(sample.x, &x),
            cost,
            first_pixel,
            x,
        })
    }
}
