//! The one-pixel attack (Su, Vargas & Sakurai 2019, IEEE Trans. Evol. Comp., arXiv 1710.08864): differential evolution
//! over the places and the values of a few pixels, from the network's output alone.
//!
//! An individual is, for each of d pixels, a row, a column and C values. As in the paper: 400 individuals, F = 0.5, no
//! crossover, places drawn uniformly and values from a normal distribution around the middle of the range with half of
//! it as standard deviation; fitness is the probability of the class to be left (its least is sought) or wanted (its
//! greatest), compared as its logarithm, which orders alike and does not underflow. The search ends where the goal is
//! reached. What leaves the box is cut to it, on which the paper is silent.

use super::evolution::Evolution;
use super::random::Random;
use super::victim::{Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const ENTRY: Entry = Entry {
    name: "one-pixel",
    about: "places and values of a few pixels by differential evolution, from outputs alone (Su et al. 2019)",
    budget: Curve::Pixels,
    by_default: false,
    instances: |options: &AttackOptions| {
        vec![Instance::free(OnePixel {
            count: options.pixels,
            population: options.population,
            generations: options.generations,
        })]
    },
};

/// F of the paper.
const WEIGHT: f64 = 0.5;

struct OnePixel {
    count: usize,
    population: usize,
    generations: usize,
}

impl Attack for OnePixel {
    fn run(&self, victim: &mut Victim<'_>, random: &mut Random) -> Result<(), Stop> {
        let genes = 2 + victim.pixels.channels;
        let individual = |random: &mut Random| -> Vec<f64> {
            let gene = |at: usize| match at % genes {
                0 | 1 => random.unit(),
                _ => (0.5 + 0.5 * random.normal()).clamp(0.0, 1.0),
            };
            (0..self.count * genes).map(gene).collect()
        };
        let population = (0..self.population).map(|_| individual(random)).collect();
        let evolution = Evolution {
            weight: WEIGHT,
            generations: self.generations,
        };
        evolution.minimise(population, random, |genome| {
            let u = expressed(genome, genes, victim);
            let answer = victim.try_at(&u)?;
            let goal = victim.goal;
            Ok::<f64, Stop>(-goal.sign() * answer.softmax.log_p()[goal.class])
        })?;
        Ok(())
    }
}

/// The sample with the pixels of `genome` changed; of two at one place the later counts.
fn expressed(genome: &[f64], genes: usize, victim: &Victim<'_>) -> Vec<f64> {
    let pixels = victim.pixels;
    let mut u = victim.start.to_vec();
    for pixel in genome.chunks_exact(genes) {
        let place = |gene: f64, n: usize| ((gene * n as f64) as usize).min(n - 1);
        let (row, column) = (
            place(pixel[0], pixels.height),
            place(pixel[1], pixels.width),
        );
        let at = pixels.coordinates(row * pixels.width + column);
        for (i, &value) in at.zip(&pixel[2..]) {
            u[i] = value;
        }
    }
    u
}
