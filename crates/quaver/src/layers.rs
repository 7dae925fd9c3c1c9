//! Which layers of a network matter: a fold over scores, one per sample and block.
//!
//! FI alone cannot tell: a layer with K − 1 parameters reaches the ceiling, and then every layer of a network has the
//! FI that p_y dictates (Shu & Zhu, AAAI-19, §5 plots it per layer). So every layer comes with its saturation, and layers
//! are ordered by what does not saturate: influence under a budget, the trace and the worst-case rate of the metric, per
//! perturbation relative to the size of the layer's parameters, which is what a quantiser or a fault injects.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Score;
use crate::statistics::Sorted;

/// A sample counts as saturated from this share of its ceiling on.
const SATURATED: f64 = 0.99;

/// A number that a layer has for every sample.
#[derive(Debug, Clone, Copy)]
pub struct LayerMeasure {
    /// The name of its column.
    pub name: &'static str,
    /// The meaning, with units.
    pub doc: &'static str,
    of: fn(&Score) -> Option<f64>,
}

/// The measures of a layer. Those called `rel_` are per perturbation relative to the norm of its parameters.
pub const LAYER_MEASURES: [LayerMeasure; 12] = [
    LayerMeasure {
        name: "fi",
        doc: "Influence measure FI; the same for every layer that saturates.",
        of: |score| Some(score.measures.fi),
    },
    LayerMeasure {
        name: "saturation",
        doc: "FI as a share of its ceiling.",
        of: |score| Some(score.measures.saturation),
    },
    LayerMeasure {
        name: "fi_max",
        doc: "Ceiling of FI, the same for every layer.",
        of: |score| Some(score.measures.fi_max),
    },
    LayerMeasure {
        name: "rank",
        doc: "Directions in which the layer moves the output.",
        of: |score| Some(score.measures.rank as f64),
    },
    LayerMeasure {
        name: "fi_lambda",
        doc: "FI under a budget, per unit of the parameters.",
        of: |score| Some(score.measures.fi_lambda),
    },
    LayerMeasure {
        name: "fisher_trace",
        doc: "Trace of the Fisher metric, nats per squared unit of the parameters.",
        of: |score| Some(score.measures.fisher_trace),
    },
    LayerMeasure {
        name: "fisher_lambda_max",
        doc: "Worst-case rate: twice the Kullback-Leibler divergence of the worst perturbation of size 1.",
        of: |score| Some(score.measures.fisher_lambda_max),
    },
    LayerMeasure {
        name: "rel_fi_lambda",
        doc: "fi_lambda per perturbation relative to the norm of the layer.",
        of: |score| score.relative.map(|relative| relative.fi_lambda),
    },
    LayerMeasure {
        name: "rel_fisher_trace",
        doc: "fisher_trace per perturbation relative to the norm of the layer.",
        of: |score| score.relative.map(|relative| relative.fisher_trace),
    },
    LayerMeasure {
        name: "rel_fisher_lambda_max",
        doc: "fisher_lambda_max per perturbation relative to the norm of the layer.",
        of: |score| score.relative.map(|relative| relative.fisher_lambda_max),
    },
    LayerMeasure {
        name: "noise_kl",
        doc: "Divergence that noise in the parameters causes, nats: to second order, on average over directions, noise of a length epsilon times the layer's norm causes epsilon^2 times this.",
        of: |score| score.relative.map(|relative| relative.noise_kl),
    },
    LayerMeasure {
        name: "compat_fi",
        doc: "FI in the published program's arithmetic, where it was asked for.",
        of: |score| score.measures.compat.map(|compat| compat.fi),
    },
];

/// Gathers scores; of each it keeps the numbers of [`LAYER_MEASURES`].
#[derive(Debug, Clone, Default)]
pub struct LayerStudy {
    /// In the order in which blocks first came by.
    layers: Vec<Gathered>,
    places: BTreeMap<Arc<str>, usize>,
}

#[derive(Debug, Clone)]
struct Gathered {
    block: Arc<str>,
    norm: Option<f64>,
    indices: Vec<usize>,
    /// Per measure, the values in the order of the samples.
    values: Vec<Vec<Option<f64>>>,
}

impl LayerStudy {
    /// Takes one sample's score of one block in.
    pub fn add(&mut self, score: &Score) {
        let place = match self.places.get(&score.block) {
            Some(&place) => place,
            None => {
                let place = self.layers.len();
                self.places.insert(Arc::clone(&score.block), place);
                self.layers.push(Gathered {
                    block: Arc::clone(&score.block),
                    norm: None,
                    indices: Vec::new(),
                    values: vec![Vec::new(); LAYER_MEASURES.len()],
                });
                place
            }
        };
        let layer = &mut self.layers[place];
        layer.norm = score.relative.map(|relative| relative.norm).or(layer.norm);
        layer.indices.push(score.index);
        for (values, measure) in layer.values.iter_mut().zip(&LAYER_MEASURES) {
            values.push((measure.of)(score));
        }
    }

    /// What the scores say, layer by layer.
    pub fn finish(self) -> LayerReport {
        let layers = self.layers.into_iter().map(|gathered| {
            let columns = gathered.values.iter().map(|values| {
                let known = values.iter().flatten().copied();
                Quartiles::of(Sorted::new(known.collect()))
            });
            let quartiles: Vec<Option<Quartiles>> = columns.collect();
            let saturated = gathered.values[1]
                .iter()
                .filter(|s| s.is_some_and(|s| s >= SATURATED));
            LayerSummary {
                n_samples: gathered.indices.len(),
                saturated_share: saturated.count() as f64 / gathered.indices.len().max(1) as f64,
                block: gathered.block,
                theta_norm: gathered.norm,
                indices: gathered.indices,
                values: gathered.values,
                quartiles,
            }
        });
        LayerReport {
            layers: layers.collect(),
        }
    }
}

/// The middle of a set of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// A quarter of the values lies below.
    pub first: f64,
    /// Half does.
    pub median: f64,
    /// Three quarters do.
    pub third: f64,
}

impl Quartiles {
    fn of(sorted: Sorted) -> Option<Self> {
        Some(Self {
            first: sorted.quantile(0.25)?,
            median: sorted.quantile(0.5)?,
            third: sorted.quantile(0.75)?,
        })
    }
}

/// One layer, or another block.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSummary {
    /// Its name.
    pub block: Arc<str>,
    /// ‖θ‖ of its parameters.
    pub theta_norm: Option<f64>,
    /// How many samples were scored.
    pub n_samples: usize,
    /// The share of samples whose FI is at least 99 % of its ceiling.
    pub saturated_share: f64,
    /// The samples.
    pub indices: Vec<usize>,
    values: Vec<Vec<Option<f64>>>,
    quartiles: Vec<Option<Quartiles>>,
}

impl LayerSummary {
    /// The values of one measure, in the order of `indices`; nothing of a measure that is not there.
    pub fn values(&self, measure: &str) -> &[Option<f64>] {
        place(measure).map_or(&[], |at| &self.values[at])
    }

    /// The mean of one measure over the samples that have it.
    pub fn mean(&self, measure: &str) -> Option<f64> {
        let known: Vec<f64> = self.values(measure).iter().flatten().copied().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }

    /// The quartiles of one measure.
    pub fn quartiles(&self, measure: &str) -> Option<Quartiles> {
        self.quartiles[place(measure)?]
    }
}

fn place(measure: &str) -> Option<usize> {
    LAYER_MEASURES.iter().position(|have| have.name == measure)
}

/// All layers, in the network's order.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerReport {
    /// One by one.
    pub layers: Vec<LayerSummary>,
}

impl LayerReport {
    /// The layers with the largest median of `measure` first, of `noise_kl` the largest mean, since it foretells one;
    /// those without it last. Ties keep the network's order.
    pub fn ranked_by(&self, measure: &str) -> Vec<&LayerSummary> {
        let standing = |layer: &&LayerSummary| {
            let value = match measure {
                "noise_kl" => layer.mean(measure),
                _ => layer.quartiles(measure).map(|q| q.median),
            };
            value.unwrap_or(f64::NEG_INFINITY)
        };
        let mut layers: Vec<&LayerSummary> = self.layers.iter().collect();
        layers.sort_by(|a, b| standing(b).total_cmp(&standing(a)));
        layers
    }

    /// What the saturation of all layers together means, in a sentence.
    pub fn verdict(&self) -> String {
        let n = self.layers.len();
        let companions = match self.layers.iter().any(|layer| layer.theta_norm.is_some()) {
            true => "noise_kl, rel_fi_lambda or rel_fisher_lambda_max",
            // What is relative to the size of parameters, no block has.
            false => "fi_lambda, fisher_trace or fisher_lambda_max",
        };
        let saturated = self
            .layers
            .iter()
            .filter(|layer| layer.saturated_share >= 0.95);
        let count = saturated.count();
        match count {
            0 => "FI tells layers apart: none saturates for nearly all samples.".to_owned(),
            1 if n == 1 => format!("FI is saturated, and tells nothing but p; go by {companions}."),
            _ if count == n => format!(
                "FI is saturated in all {n} blocks: it is the same everywhere and tells none apart; compare them by \
                 {companions}."
            ),
            _ => format!(
                "FI is saturated in {count} of {n} blocks, which it cannot tell apart; compare them by \
                 {companions}."
            ),
        }
    }
}
