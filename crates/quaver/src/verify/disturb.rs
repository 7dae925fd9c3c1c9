//! The network with one layer disturbed.

use std::collections::BTreeMap;
use std::path::Path;

use quaver_engine::{Graph, Initializer};

use super::Disturbance;
use crate::random::Random;
use crate::{Block, Error, ErrorKind, LoadOptions, Model};

/// Draws disturbed networks.
pub(super) struct Disturber<'a> {
    pub path: &'a Path,
    pub load: &'a LoadOptions,
    pub disturbance: Disturbance,
    pub seed: u64,
}

/// Whether the initializer is one of the block's parameters.
fn is_member(block: &Block, initializer: &Initializer) -> bool {
    let mut members = block.members.iter();
    members.any(|member| **member == *initializer.name)
}

impl Disturber<'_> {
    /// Those of `blocks` that can be disturbed, and the names of the others: all can, but units must be known to be
    /// knocked out.
    pub(super) fn sort<'b>(
        &self,
        blocks: Vec<&'b Block>,
    ) -> Result<(Vec<&'b Block>, Vec<&'b Block>), Error> {
        let mut known: Vec<String> = Vec::new();
        Graph::read_edited(self.path, &self.load.import(), |initializer, _| {
            if self.disturbance != Disturbance::KnockoutUnits || initializer.units.is_some() {
                known.push(initializer.name.clone());
            }
        })?;
        let knows = |member: &str| known.iter().any(|name| name == member);
        let can = |block: &&Block| block.members.iter().all(|member| knows(member));
        let (can, cannot): (Vec<&Block>, Vec<&Block>) = blocks.into_iter().partition(can);
        if can.is_empty() {
            return Err(Error::new(
                ErrorKind::Option,
                match self.disturbance {
                    Disturbance::KnockoutUnits => {
                        "no layer has units that are known (of convolutions, dense and normalising layers): knock out \
                         weights, or add noise"
                    }
                    _ => "no block to verify has its parameters as initializers of the file",
                },
            ));
        }
        Ok((can, cannot))
    }

    /// The network with one layer disturbed; `run` numbers the draw.
    pub(super) fn draw(&self, block: &Block, strength: f64, run: u64) -> Result<Model, Error> {
        let mut draw = Random::new(self.seed, 0u64, run);
        match self.disturbance {
            Disturbance::Noise => {
                // A direction first, whose length is known only when all of it is drawn.
                let (mut squared, mut ahead) = (0.0, Random::new(self.seed, 0u64, run));
                Graph::read_edited(self.path, &self.load.import(), |initializer, values| {
                    if is_member(block, initializer) {
                        let drawn = values.iter().map(|_| normal(&mut ahead).powi(2));
                        squared += drawn.sum::<f64>();
                    }
                })?;
                let size = strength * block.norm.unwrap_or_default() / squared.sqrt();
                self.edited(block, |_, values| {
                    values
                        .iter_mut()
                        .for_each(|value| *value += size * normal(&mut draw));
                })
            }
            Disturbance::Knockout => self.edited(block, |_, values| {
                for value in values {
                    if draw.unit() < strength {
                        *value = 0.0;
                    }
                }
            }),
            Disturbance::KnockoutUnits => {
                // The same units in a layer's weight and in its bias.
                let mut gone: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
                self.edited(block, |initializer, values| {
                    let Some(units) = initializer.units else {
                        return;
                    };
                    let shape = &initializer.shape;
                    let n = shape[units.axis];
                    let gone = gone
                        .entry((units.layer, n))
                        .or_insert_with(|| some_units(n, strength, &mut draw));
                    let inner: usize = shape[units.axis + 1..].iter().product();
                    for (at, slice) in values.chunks_mut(inner.max(1)).enumerate() {
                        if gone.contains(&(at % n)) {
                            slice.fill(0.0);
                        }
                    }
                })
            }
        }
    }

    fn edited(
        &self,
        block: &Block,
        mut edit: impl FnMut(&Initializer, &mut [f64]),
    ) -> Result<Model, Error> {
        Model::load_edited(self.path, self.load, |initializer, values| {
            if is_member(block, initializer) {
                edit(initializer, values);
            }
        })
    }
}

/// A share of `n` units: the whole part of share · n, and one more with the probability of the rest.
fn some_units(n: usize, share: f64, draw: &mut Random) -> Vec<usize> {
    let wanted = (share * n as f64 + draw.unit()).floor() as usize;
    draw.some_of(n, wanted.min(n))
}

/// Standard normal (Box & Muller).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_units_is_kept_on_average() {
        let mut draw = Random::new(3, 0u64, 0);
        for (n, share) in [(5, 0.2), (16, 0.03), (10, 0.77), (7, 1.0)] {
            const DRAWS: usize = 4000;
            let mut total = 0;
            for _ in 0..DRAWS {
                let units = some_units(n, share, &mut draw);
                let least = (share * n as f64).floor() as usize;
                assert!((least..=least + 1).contains(&units.len()), "{units:?}");
                assert!(units.iter().all(|&unit| unit < n));
                total += units.len();
            }
            // The rest is a coin with a standard deviation of half at most: five of the mean's.
            let mean = total as f64 / DRAWS as f64;
            assert!((mean - share * n as f64).abs() < 5.0 * 0.5 / (DRAWS as f64).sqrt());
        }
    }
}
