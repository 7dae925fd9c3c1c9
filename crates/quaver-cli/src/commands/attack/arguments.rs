//! The options of attacks.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use clap::Args;
use quaver::{AttackOptions, Bounds, Classes, Dataset, LabelChoice, Precision, TargetChoice};

use crate::arguments::{label_choice, number, parsed};
use crate::failure::Failure;

/// What is attacked, by what, within which limits.
#[derive(Debug, Args)]
#[command(next_help_heading = "Attacks")]
pub struct AttackArgs {
    /// Attacks to run: fi-pixel, fi-lambda-pixel, gradient-pixel, reach-pixel, random-pixel, best-pixel, fgsm,
    /// pgd-linf, pgd-l2, deepfool, one-pixel, mfi-pso; all; or default, the quick ones.
    #[arg(
        long = "attack",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "default"
    )]
    attacks: Vec<String>,

    /// Range of the numbers of the data, which no perturbed sample leaves: LOW,HIGH, or auto for the least and the
    /// greatest there are [default: 0,255 where the data are bytes].
    #[arg(long, value_name = "LOW,HIGH", value_parser = bounds, allow_hyphen_values = true)]
    bounds: Option<BoundsChoice>,

    /// Class to lead away from: true (the label in the data), predicted, or the number of a class.
    #[arg(long, value_name = "LABEL", default_value = "true", value_parser = label_choice)]
    label: LabelChoice,

    /// Class to lead to: its number, second (the most probable other), or least (the least probable) [default: any].
    #[arg(long, value_name = "CLASS", value_parser = parsed::<TargetChoice>)]
    target: Option<TargetChoice>,

    /// Probability that the class arrived at must have [default: the largest is enough].
    #[arg(long, value_name = "P", default_value = "0", value_parser = number, hide_default_value = true)]
    probability: f64,

    /// L-infinity radii of fgsm and pgd-linf, as shares of the range.
    #[arg(long, value_name = "RADII", value_delimiter = ',', value_parser = number, default_value = "8/255")]
    epsilon: Vec<f64>,

    /// L2 radii of pgd-l2, as shares of the range.
    #[arg(long, value_name = "RADII", value_delimiter = ',', value_parser = number, default_value = "0.5")]
    epsilon_l2: Vec<f64>,

    /// Steps of projected gradient descent.
    #[arg(long, value_name = "N", default_value_t = AttackOptions::default().steps)]
    steps: usize,

    /// Length of such a step, as a share of the radius [default: 2.5 / steps].
    #[arg(long, value_name = "SHARE", value_parser = number)]
    step_size: Option<f64>,

    /// Random starts of projected gradient descent.
    #[arg(long, value_name = "N", default_value_t = AttackOptions::default().restarts)]
    restarts: usize,

    /// Most pixels that attacks on pixels may change.
    #[arg(long, value_name = "N", default_value_t = AttackOptions::default().pixels)]
    pixels: usize,

    /// Take pixels in the order of the sample's own map, and not of a new map after each pixel.
    #[arg(long)]
    static_map: bool,

    /// Most by which mfi-pso may change a value, as a share of the range.
    #[arg(long, value_name = "SHARE", value_parser = number, default_value = "1")]
    largest_change: f64,

    /// Individuals of the one-pixel attack.
    #[arg(long, value_name = "N", default_value_t = AttackOptions::default().population)]
    population: usize,

    /// Particles of mfi-pso.
    #[arg(long, value_name = "N", default_value_t = AttackOptions::default().particles)]
    particles: usize,

    /// Generations of the one-pixel attack, iterations of mfi-pso.
    #[arg(long, value_name = "N", default_value_t = AttackOptions::default().generations)]
    generations: usize,

    /// Most forward passes per sample, attack and radius [default: as many as the attack takes].
    #[arg(long, value_name = "N")]
    queries: Option<u64>,

    /// Seed of all random choices.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,

    /// Budget of FI_lambda: 1 / sigma², sigma being the size of a plausible perturbation as a share of the range.
    #[arg(long, value_name = "LAMBDA", default_value = "1", value_parser = number)]
    lambda: f64,

    /// Eigenvalues above RTOL times the largest count towards the rank [default: 1e-6 in f32, 1e-10 in f64].
    #[arg(long, value_name = "RTOL", value_parser = number)]
    rtol: Option<f64>,

    /// Choose the pixels of fi-pixel and mfi-pso by FI in the published program's arithmetic with its EPS (0.001 there),
    /// per share of the range.
    #[arg(long, value_name = "EPS", value_parser = number)]
    compat: Option<f64>,

    /// Classes kept apart in maps, the rest merged: all, a number, or auto:TOL [default: all below 64, else auto:0.01].
    #[arg(long, value_name = "M", value_parser = parsed::<Classes>)]
    classes: Option<Classes>,

    /// Compute 3x3 convolutions by their definition: slower, rounds differently.
    #[arg(long)]
    no_winograd: bool,

    /// Number type the network is run in.
    #[arg(long, value_parser = ["f32", "f64"], default_value = "f32")]
    pub precision: String,

    /// Worker threads; the results are the same for any number [default: all cores].
    #[arg(long, value_name = "N", env = "QUAVER_THREADS")]
    threads: Option<NonZeroUsize>,
}

/// The range of the data, as the user says it.
#[derive(Debug, Clone, Copy)]
enum BoundsChoice {
    /// What there is.
    Seen,
    Given(Bounds),
}

impl AttackArgs {
    /// What to do with `dataset`, which is read through where its range is to be seen.
    pub fn options(
        &self,
        dataset: &dyn Dataset,
        stop: &AtomicBool,
    ) -> Result<AttackOptions, Failure> {
        Ok(AttackOptions {
            attacks: self.attacks.clone(),
            label: self.label,
            target: self.target,
            probability: self.probability,
            bounds: match self.bounds {
                None => None,
                Some(BoundsChoice::Given(bounds)) => Some(bounds),
                Some(BoundsChoice::Seen) => Some(Bounds::seen(dataset, stop)?),
            },
            epsilon: self.epsilon.clone(),
            epsilon_l2: self.epsilon_l2.clone(),
            steps: self.steps,
            step_size: self.step_size,
            restarts: self.restarts,
            pixels: self.pixels,
            static_map: self.static_map,
            population: self.population,
            particles: self.particles,
            generations: self.generations,
            largest_change: self.largest_change,
            max_queries: self.queries,
            seed: self.seed,
            lambda: self.lambda,
            rtol: self.rtol,
            compat: self.compat,
            classes: self.classes,
            winograd: !self.no_winograd,
            precision: match self.precision.as_str() {
                "f64" => Precision::F64,
                _ => Precision::F32,
            },
            threads: self.threads,
            ..AttackOptions::default()
        })
    }

    /// Whether the bounds are those of the data that are there.
    pub fn bounds_are_seen(&self) -> bool {
        matches!(self.bounds, Some(BoundsChoice::Seen))
    }
}

fn bounds(text: &str) -> Result<BoundsChoice, String> {
    if text == "auto" {
        return Ok(BoundsChoice::Seen);
    }
    let Some((low, high)) = text.split_once(',') else {
        return Err(
            "give the least and the greatest number of the data: 0,255; or auto".to_owned(),
        );
    };
    let bounds = Bounds {
        low: number(low)?,
        high: number(high)?,
    };
    match bounds.low < bounds.high {
        true => Ok(BoundsChoice::Given(bounds)),
        false => Err("the first number must be less than the second".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_two_numbers_in_order() {
        assert!(matches!(bounds("auto"), Ok(BoundsChoice::Seen)));
        let given = bounds("-1, 3/2");
        assert!(matches!(given, Ok(BoundsChoice::Given(b)) if b.low == -1.0 && b.high == 1.5));
        for bad in ["", "1", "1,0", "1,1", "0,x", "0,1,2"] {
            assert!(bounds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_help_names_every_attack() {
        use clap::Args;
        let command = AttackArgs::augment_args(clap::Command::new("attack"));
        let argument = command.get_arguments().find(|a| a.get_id() == "attacks");
        let help = argument.and_then(clap::Arg::get_help).unwrap().to_string();
        for attack in quaver::attack::attacks() {
            assert!(help.contains(attack.name), "{}", attack.name);
        }
    }
}
