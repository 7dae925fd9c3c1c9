//! One sample under one attack: what may be asked of the network, what is wanted, what it has cost, and the best that
//! was found.
//!
//! Everything an attack does goes through here, so that bounds, budgets and counts hold for all of them alike.

use std::sync::atomic::{AtomicBool, Ordering};

use quaver_geometry::{Measures, Softmax};

use super::space::{Pixels, Space};
use crate::{Error, ErrorKind};

/// A network as attacks see it. In tests it is a formula.
pub(super) trait Network {
    /// The K logits at x (n values, as the network takes them).
    fn logits(&mut self, x: &[f64]) -> Result<Vec<f64>, Error>;

    /// The rows cotangentᵀ J (V × n) at the x of the last call of [`logits`](Self::logits), of V cotangents (V × K).
    fn pull_back(&mut self, cotangents: &[f64]) -> Vec<f64>;
}

/// Why an attack ends.
#[derive(Debug)]
pub(super) enum Stop {
    /// It has what it looked for.
    Done,
    /// The queries are spent.
    Budget,
    /// The network cannot be run, or the user wants no more.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

impl From<quaver_geometry::GeometryError> for Stop {
    fn from(error: quaver_geometry::GeometryError) -> Self {
        Stop::Failed(error.into())
    }
}

/// What counts as success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Goal {
    /// y: what the network must be led away from; where a class is wanted, the class it must be led to.
    pub class: usize,
    /// Whether `class` is wanted, and not left.
    pub targeted: bool,
    /// The probability that the class arrived at must have.
    pub probability: f64,
}

impl Goal {
    /// −1 if f = −log p_class is to grow, as for a class to be left; 1 if it is to shrink.
    pub(super) fn sign(self) -> f64 {
        if self.targeted { 1.0 } else { -1.0 }
    }
}

/// What the network says at a point.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub softmax: Softmax,
    /// What is missing to the goal, in differences of logits: z_y − max z_k, or max z_k − z_target; and no less than
    /// what is missing of the wanted probability. Not positive where the goal is reached.
    pub deficit: f64,
    pub reached: bool,
}

impl Answer {
    pub(super) fn new(logits: &[f64], goal: Goal) -> Result<Self, Error> {
        let softmax = Softmax::new(logits)?;
        let rival = softmax.runner_up(goal.class);
        let lead = logits[goal.class] - logits[rival];
        let (margin, arrived) = match goal.targeted {
            true => (-lead, goal.class),
            false => (lead, rival),
        };
        // A tie is decided as the prediction is: for the first class.
        let is_class = softmax.argmax() == goal.class;
        let missing = match goal.probability > 0.0 {
            true => goal.probability.ln() - softmax.log_p()[arrived],
            false => f64::NEG_INFINITY,
        };
        Ok(Self {
            reached: is_class == goal.targeted && missing <= 0.0,
            deficit: margin.max(missing),
            softmax,
        })
    }
}

/// What an attack has spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Forward passes.
    pub queries: u64,
    /// Cotangents swept back through the network: 1 for a gradient, K − 1 for a map of FI.
    pub gradients: u64,
}

/// Which of two points that reach the goal is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The one that passes it by more.
    Surest,
    /// The one with the smaller change, by its L1 norm in the box.
    Smallest,
}

/// Σ |a − b|.
pub(super) fn l1(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

/// The best point so far.
#[derive(Debug, Clone)]
pub(super) struct Best {
    pub u: Vec<f64>,
    pub reached: bool,
    pub deficit: f64,
}

/// A sample, the network, and the account of what an attack does with them.
pub(super) struct Victim<'a> {
    pub goal: Goal,
    pub pixels: Pixels,
    /// The sample in the unit box.
    pub start: &'a [f64],
    /// What the network says of the sample itself; asked before the attack began.
    pub clean: &'a Answer,
    /// Of the first pixel that an attack chose by a map, its place and measures.
    pub first_pixel: Option<(usize, Measures)>,
    /// What counts for the best point; the surest unless an attack says otherwise.
    pub keep: Keep,
    network: &'a mut dyn Network,
    space: &'a Space,
    x: &'a [f64],
    max_queries: u64,
    interrupt: &'a AtomicBool,
    cost: Cost,
    best: Option<Best>,
}

/// A sample as attacks need it.
pub(super) struct Sample<'a> {
    pub x: &'a [f64],
    pub start: &'a [f64],
    pub clean: &'a Answer,
    pub goal: Goal,
    pub pixels: Pixels,
    pub space: &'a Space,
}

impl<'a> Victim<'a> {
    pub(super) fn new(
        network: &'a mut dyn Network,
        sample: &Sample<'a>,
        max_queries: u64,
        interrupt: &'a AtomicBool,
    ) -> Self {
        Self {
            goal: sample.goal,
            pixels: sample.pixels,
            start: sample.start,
            clean: sample.clean,
            first_pixel: None,
            keep: Keep::Surest,
            network,
            space: sample.space,
            x: sample.x,
            max_queries,
            interrupt,
            cost: Cost::default(),
            best: None,
        }
    }

    /// Asks the network about `u`, which is cut to the unit box first. Costs a query.
    pub(super) fn ask(&mut self, u: &[f64]) -> Result<Answer, Stop> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted").into());
        }
        if self.cost.queries >= self.max_queries {
            return Err(Stop::Budget);
        }
        self.cost.queries += 1;
        let u: Vec<f64> = u.iter().map(|u| u.clamp(0.0, 1.0)).collect();
        let x = self.space.to_input(&u, self.start, self.x);
        let answer = Answer::new(&self.network.logits(&x)?, self.goal)?;
        let better = self.best.as_ref().is_none_or(|best| match answer.reached {
            true if best.reached && self.keep == Keep::Smallest => {
                l1(&u, self.start) < l1(&best.u, self.start)
            }
            true => !best.reached || answer.deficit < best.deficit,
            false => !best.reached && answer.deficit < best.deficit,
        });
        if better {
            self.best = Some(Best {
                u,
                reached: answer.reached,
                deficit: answer.deficit,
            });
        }
        Ok(answer)
    }

    /// The same, ending the attack where the goal is reached.
    pub(super) fn try_at(&mut self, u: &[f64]) -> Result<Answer, Stop> {
        let answer = self.ask(u)?;
        match answer.reached {
            true => Err(Stop::Done),
            false => Ok(answer),
        }
    }

    /// Rows cotangentᵀ ∂z/∂u (V × n) at the point last asked about, of V cotangents (V × K).
    pub(super) fn pull_back(&mut self, cotangents: &[f64]) -> Vec<f64> {
        let mut rows = self.network.pull_back(cotangents);
        self.cost.gradients += (rows.len() / self.start.len()) as u64;
        self.space.pull_back(&mut rows);
        rows
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost
    }

    pub(super) fn into_best(self) -> Option<Best> {
        self.best
    }
}
