//! What is attacked, by what, within which limits.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use quaver_data::Dataset;
use quaver_geometry::{Classes, Softmax};

use super::guide::GuideSettings;
use super::space::Bounds;
use super::{Instance, entries};
use crate::{Error, ErrorKind, LabelChoice, Precision};

/// The class that a sample is to be led to. Parses from `second`, `least` and a number, and prints as these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetChoice {
    /// The same for every sample. Samples of that class are not attacked.
    Class(usize),
    /// The most probable class but the label.
    Second,
    /// The least probable class.
    Least,
}

impl TargetChoice {
    pub(super) fn of(self, softmax: &Softmax, label: usize) -> usize {
        match self {
            TargetChoice::Class(class) => class,
            TargetChoice::Second => softmax.runner_up(label),
            TargetChoice::Least => {
                let log_p = softmax.log_p();
                let others = (0..log_p.len()).filter(|&k| k != label);
                others
                    .min_by(|&a, &b| log_p[a].total_cmp(&log_p[b]))
                    .unwrap_or(label)
            }
        }
    }
}

impl FromStr for TargetChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "second" => Ok(Self::Second),
            "least" => Ok(Self::Least),
            _ => text.parse().map(Self::Class).map_err(|_| {
                refuse(format!(
                    "target {text:?}: give second, least, or the number of a class (from 0)"
                ))
            }),
        }
    }
}

impl fmt::Display for TargetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => write!(f, "{class}"),
            Self::Second => f.write_str("second"),
            Self::Least => f.write_str("least"),
        }
    }
}

/// How samples are attacked. Radii, steps and changes are shares of the range of the data, 8/255 for example.
#[derive(Debug, Clone, PartialEq)]
pub struct AttackOptions {
    /// Names of attacks, of [`attacks`](super::attacks); `all` stands for all of them, and `default`, which is the
    /// default, for the quick ones.
    pub attacks: Vec<String>,
    /// The class that a sample is to be led away from; samples that are not classified so are not attacked. Default:
    /// the label in the data.
    pub label: LabelChoice,
    /// The class it is to be led to. Default: any other.
    pub target: Option<TargetChoice>,
    /// The probability that the class arrived at must have, in [0, 1). Default 0: being the most probable is enough.
    pub probability: f64,
    /// The range of the raw numbers of the data, which no perturbed sample leaves. Default: that of the data's format,
    /// where it has one.
    pub bounds: Option<Bounds>,
    /// L∞ radii of `fgsm` and `pgd-linf`. Default: 8/255.
    pub epsilon: Vec<f64>,
    /// L2 radii of `pgd-l2`. Default: 0.5.
    pub epsilon_l2: Vec<f64>,
    /// Steps of projected gradient descent. Default 40.
    pub steps: usize,
    /// Their length as a share of the radius. Default: 2.5 / steps.
    pub step_size: Option<f64>,
    /// Starts of projected gradient descent. Default 1.
    pub restarts: usize,
    /// Whether these are random points of the ball, and not the sample itself. Default: yes.
    pub random_start: bool,
    /// The most steps of DeepFool. Default 50.
    pub deepfool_steps: usize,
    /// How many pixels attacks on pixels may change. Default 10.
    pub pixels: usize,
    /// Whether pixels are taken in the order of one map, that of the sample itself. Default: the map is taken anew after
    /// each.
    pub static_map: bool,
    /// Individuals of differential evolution. Default 400, as in the paper.
    pub population: usize,
    /// Particles of the swarm. Default 40.
    pub particles: usize,
    /// Generations of differential evolution, iterations of the swarm. Default 100.
    pub generations: usize,
    /// The most by which `mfi-pso` may change a value. Default 1: the whole range.
    pub largest_change: f64,
    /// The most forward passes per sample, attack and radius. Default: no limit but the attack's own.
    pub max_queries: Option<u64>,
    /// The seed of all random choices. Those of a sample do not depend on which others are attacked. Default 0.
    pub seed: u64,
    /// λ of FI_λ, 1/σ² for a plausible perturbation of size σ. Default 1: any value of the range is plausible.
    pub lambda: f64,
    /// Eigenvalues above `rtol` times the largest count towards the rank. Default: [`Precision::default_rtol`].
    pub rtol: Option<f64>,
    /// The ε of the published program's arithmetic, in which FI of pixels is then computed where pixels are chosen by it
    /// (`fi-pixel`, `mfi-pso`). Default: FI itself.
    pub compat: Option<f64>,
    /// Which classes are kept apart in maps of FI. Default: as for scores.
    pub classes: Option<Classes>,
    /// Whether Winograd's algorithm may be used in single precision. Default: yes.
    pub winograd: bool,
    /// The number type the network is run in. Default: single precision.
    pub precision: Precision,
    /// Worker threads; results do not depend on it. Default: one for every core.
    pub threads: Option<NonZeroUsize>,
}

impl Default for AttackOptions {
    fn default() -> Self {
        Self {
            attacks: vec!["default".to_owned()],
            label: LabelChoice::default(),
            target: None,
            probability: 0.0,
            bounds: None,
            epsilon: vec![8.0 / 255.0],
            epsilon_l2: vec![0.5],
            steps: 40,
            step_size: None,
            restarts: 1,
            random_start: true,
            deepfool_steps: 50,
            pixels: 10,
            static_map: false,
            population: 400,
            particles: 40,
            generations: 100,
            largest_change: 1.0,
            max_queries: None,
            seed: 0,
            lambda: 1.0,
            rtol: None,
            compat: None,
            classes: None,
            winograd: true,
            precision: Precision::default(),
            threads: None,
        }
    }
}

impl AttackOptions {
    /// The attacks to be run, by name and radius, in order.
    ///
    /// # Errors
    /// Names what is no attack.
    pub fn plan(&self) -> Result<Vec<(&'static str, Option<f64>)>, Error> {
        let instances = self.instances()?.into_iter();
        Ok(instances
            .map(|(name, instance)| (name, instance.epsilon))
            .collect())
    }

    pub(super) fn instances(&self) -> Result<Vec<(&'static str, Instance)>, Error> {
        let is_group = |name: &str| name == "all" || name == "default";
        let known = |name: &str| is_group(name) || entries().any(|entry| entry.name == name);
        if let Some(unknown) = self.attacks.iter().find(|name| !known(name)) {
            let names: Vec<&str> = entries().map(|entry| entry.name).collect();
            let names = names.join(", ");
            return Err(refuse(format!(
                "attack {unknown:?}: choose of all, default, {names}"
            )));
        }
        let chosen = entries().filter(|entry| {
            self.attacks.iter().any(|name| match name.as_str() {
                "all" => true,
                "default" => entry.by_default,
                name => name == entry.name,
            })
        });
        let instances = chosen.flat_map(|entry| {
            let instances = (entry.instances)(self).into_iter();
            instances.map(|instance| (entry.name, instance))
        });
        let instances: Vec<_> = instances.collect();
        match instances.is_empty() {
            true => Err(refuse("no attack is chosen".to_owned())),
            false => Ok(instances),
        }
    }

    /// The bounds in force for `dataset`.
    ///
    /// # Errors
    /// When they are neither given nor known from the data's format.
    pub fn bounds_of(&self, dataset: &dyn Dataset) -> Result<Bounds, Error> {
        let known = |(low, high): (f64, f64)| Bounds { low, high };
        let bounds = self.bounds.or(dataset.units().range().map(known));
        bounds
            .ok_or_else(|| {
                refuse(
                    "the range of the data is not known from their format: give it (--bounds LOW,HIGH), or --bounds auto for the least and greatest value there is"
                        .to_owned(),
                )
            })?
            .check()
    }

    /// The tolerance in force.
    pub fn rtol(&self) -> f64 {
        self.rtol.unwrap_or(self.precision.default_rtol())
    }

    pub(super) fn guide_settings(&self) -> GuideSettings {
        GuideSettings {
            rtol: self.rtol(),
            lambda: self.lambda,
            compat: self.compat,
            classes: self.classes,
        }
    }

    /// Refuses what no attack can be run with.
    pub(super) fn check(&self, n_classes: usize) -> Result<(), Error> {
        quaver_geometry::Settings::new(self.rtol(), self.lambda, self.compat)?;
        let attacks = self.plan()?;
        if self.compat.is_some() && !attacks.iter().any(|(name, _)| BY_FI.contains(name)) {
            let names = BY_FI.join(" and ");
            return Err(refuse(format!(
                "compat: is the arithmetic by which {names} choose pixels, and neither is run"
            )));
        }
        for (name, radii) in [("epsilon", &self.epsilon), ("epsilon-l2", &self.epsilon_l2)] {
            if let Some(radius) = radii.iter().find(|r| !(r.is_finite() && **r > 0.0)) {
                return Err(refuse(format!(
                    "{name} {radius}: expected positive and finite"
                )));
            }
        }
        if let Some(step) = self
            .step_size
            .filter(|step| !(step.is_finite() && *step > 0.0))
        {
            return Err(refuse(format!(
                "step-size {step}: expected positive and finite"
            )));
        }
        for (name, number, least) in [
            ("steps", self.steps, 1),
            ("restarts", self.restarts, 1),
            ("deepfool-steps", self.deepfool_steps, 1),
            ("pixels", self.pixels, 1),
            ("population", self.population, 4),
            ("particles", self.particles, 1),
        ] {
            if number < least {
                return Err(refuse(format!(
                    "{name} {number}: expected at least {least}"
                )));
            }
        }
        if !(0.0..1.0).contains(&self.probability) {
            let p = self.probability;
            return Err(refuse(format!(
                "probability {p}: expected at least 0 and less than 1"
            )));
        }
        if !(self.largest_change > 0.0 && self.largest_change <= 1.0) {
            let change = self.largest_change;
            return Err(refuse(format!(
                "largest-change {change}: expected more than 0 and at most 1"
            )));
        }
        let label = match self.label {
            LabelChoice::Class(class) => Some(class),
            _ => None,
        };
        let target = match self.target {
            Some(TargetChoice::Class(class)) => Some(class),
            _ => None,
        };
        if let Some(class) = [label, target]
            .into_iter()
            .flatten()
            .find(|&c| c >= n_classes)
        {
            return Err(refuse(format!(
                "class {class} of a network of {n_classes} classes (numbered from 0)"
            )));
        }
        Ok(())
    }
}

/// The attacks that choose pixels by FI itself.
const BY_FI: [&str; 2] = ["fi-pixel", "mfi-pso"];

fn refuse(why: String) -> Error {
    Error::new(ErrorKind::Option, why)
}
