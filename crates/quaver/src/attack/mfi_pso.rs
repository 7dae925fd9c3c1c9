//! mFI-PSO (Shi, Shu, Zhu & Chen 2020, arXiv 2006.03243): a few pixels chosen by their influence measure together,
//! their values by a particle swarm, with the number of pixels, the class and its probability as the user wants them.
//!
//! What is taken from the paper is its plan: multi-pixel FI says where, particle swarm optimisation says what, and the
//! attack can be asked for a number of pixels, a target class and a misclassification probability. The swarm is the
//! textbook's ([`super::swarm`]); see docs/attacks.md for what else was decided here.

use super::guide::{GuideSettings, Sensitivity};
use super::random::Random;
use super::swarm::Swarm;
use super::victim::{Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const ENTRY: Entry = Entry {
    name: "mfi-pso",
    about: "pixels by multi-pixel FI, their values by a particle swarm (Shi et al. 2020)",
    budget: Curve::Pixels,
    by_default: false,
    instances: |options: &AttackOptions| {
        vec![Instance::free(MfiPso {
            count: options.pixels,
            largest_change: options.largest_change,
            swarm: Swarm {
                particles: options.particles,
                iterations: options.generations,
            },
            settings: options.guide_settings(),
        })]
    },
};

struct MfiPso {
    count: usize,
    largest_change: f64,
    swarm: Swarm,
    settings: GuideSettings,
}

impl Attack for MfiPso {
    fn run(&self, victim: &mut Victim<'_>, random: &mut Random) -> Result<(), Stop> {
        let pixels = victim.pixels;
        let answer = victim.ask(victim.start)?;
        let sensitivity = Sensitivity::read(victim, &answer, self.settings)?;
        let set = sensitivity.most_influential_set(pixels, self.count, self.settings);
        if let Some(&pixel) = set.first() {
            let measures = sensitivity.measures(pixels, pixel, self.settings)?;
            victim.first_pixel = Some((pixel, measures));
        }
        let at: Vec<usize> = set
            .iter()
            .flat_map(|&pixel| pixels.coordinates(pixel))
            .collect();
        let start: Vec<f64> = at.iter().map(|&i| victim.start[i]).collect();
        let reach = |u: &f64| {
            let (low, high) = (u - self.largest_change, u + self.largest_change);
            (low.max(0.0), high.min(1.0))
        };
        let bounds: Vec<(f64, f64)> = start.iter().map(reach).collect();
        let mut u = victim.start.to_vec();
        self.swarm.minimise(&start, &bounds, random, |values| {
            at.iter().zip(values).for_each(|(&i, &value)| u[i] = value);
            Ok::<f64, Stop>(victim.try_at(&u)?.deficit)
        })?;
        Ok(())
    }
}
