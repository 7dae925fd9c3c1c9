//! mFI-PSO (Shu, Shi, Jia, Zhu & Chen 2022, arXiv 2006.03243): a few pixels chosen by the manifold-based first-order
//! influence measure, their values by a particle swarm, with the number of pixels, the class and its probability as the
//! user wants them.
//!
//! The objective has two parts, what is missing to the goal and the size of the change, the first before the second: of
//! two points the one nearer the goal is better, and of two that reach it the one with the smaller change. The swarm is the
//! textbook's ([`super::swarm`]), with every particle's own best and velocity kept; docs/attacks.md says what is taken from
//! where, and what was decided here.

use super::guide::{GuideSettings, Sensitivity, descending};
use super::random::Random;
use super::swarm::Swarm;
use super::victim::{Keep, Stop, Victim, l1};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const ENTRY: Entry = Entry {
    name: "mfi-pso",
    about: "the pixels of largest FI, their values by a particle swarm that looks for a small change (Shu et al. 2022)",
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
        let fi = (0..pixels.count()).map(|pixel| sensitivity.fi(pixels, pixel, self.settings));
        let mut set = descending(&fi.collect::<Result<Vec<f64>, Stop>>()?);
        set.truncate(self.count);
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
        victim.keep = Keep::Smallest;
        // No change of these values within the box has a larger size than this.
        let largest = at.len() as f64;
        let mut u = victim.start.to_vec();
        self.swarm.minimise(&start, &bounds, random, |values| {
            at.iter().zip(values).for_each(|(&i, &value)| u[i] = value);
            let answer = victim.ask(&u)?;
            Ok::<f64, Stop>(match answer.reached {
                true => l1(&start, values),
                false => largest + answer.deficit.max(0.0),
            })
        })?;
        Ok(())
    }
}
