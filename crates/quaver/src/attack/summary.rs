//! What the attacks on many samples say together.

use std::collections::BTreeSet;

use super::{Attacked, Trial};
use crate::statistics::midway;

/// Which quantity a curve of success rates is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// L∞ norm of the perturbation, as a share of the range of the data.
    Linf,
    /// L2 norm of the perturbation, as a share of the range of the data.
    L2,
    /// Pixels changed.
    Pixels,
    /// Forward passes.
    Queries,
}

impl Curve {
    /// All of them.
    pub const ALL: [Curve; 4] = [Curve::Linf, Curve::L2, Curve::Pixels, Curve::Queries];

    /// A word for it in files.
    pub fn name(self) -> &'static str {
        match self {
            Curve::Linf => "linf",
            Curve::L2 => "l2",
            Curve::Pixels => "pixels",
            Curve::Queries => "queries",
        }
    }
}

/// A share of successes with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Successes.
    pub successes: u64,
    /// Samples attacked.
    pub attacked: u64,
    /// The 95 % interval of Wilson (1927, J. Am. Stat. Assoc. 22:209).
    pub interval: (f64, f64),
}

impl Rate {
    /// successes / attacked; 0 if none was attacked.
    pub fn share(self) -> f64 {
        match self.attacked {
            0 => 0.0,
            n => self.successes as f64 / n as f64,
        }
    }
}

/// Wilson's score interval of a share of `successes` in `n`, at 95 %; (0, 1) without trials.
pub fn wilson(successes: u64, n: u64) -> (f64, f64) {
    /// The 97.5 % point of the standard normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, k) = (n as f64, successes as f64);
    let share = k / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the interval begins at 0 or ends at 1 exactly; rounding may say otherwise.
    let low = if successes == 0 {
        0.0
    } else {
        (middle - half).max(0.0)
    };
    let high = if k == n {
        1.0
    } else {
        (middle + half).min(1.0)
    };
    (low, high)
}

/// The probability that of n fair coins at most k, or at least n − k, show heads; k ≤ n/2.
pub(super) fn sign_test(k: u64, n: u64) -> f64 {
    // Terms C(n, i) 2^−n through their logarithms, for n in the thousands.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for i in 0..=k {
        sum += log_term.exp();
        log_term += ((n - i) as f64 / (i + 1) as f64).ln();
    }
    (2.0 * sum).min(1.0)
}

/// Counts and norms of every attack, gathered one sample at a time: a few numbers per sample and attack are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AttackSummary {
    n_samples: u64,
    correct: u64,
    lines: Vec<Line>,
}

/// One attack at one radius.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    attack: &'static str,
    epsilon: Option<f64>,
    attacked: u64,
    queries: u64,
    gradients: u64,
    /// Of every success: L∞, L2, pixels, queries, in the order of [`Curve::ALL`], and which sample it was.
    successes: Vec<([f64; 4], u64)>,
    /// Samples for which a pixel was chosen by a map, and those for which FI of that pixel was at its ceiling.
    guided: u64,
    saturated: u64,
}

/// From this share of its ceiling on FI counts as saturated.
const SATURATED: f64 = 0.99;

/// Two attacks on the same samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Samples on which the first succeeded and the second did not.
    pub only_first: u64,
    /// Samples on which the second succeeded and the first did not.
    pub only_second: u64,
    /// The two-sided p-value of both being equally likely to succeed, by the exact test of McNemar (1947).
    pub p_value: f64,
}

impl AttackSummary {
    /// Of no samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a sample in.
    pub fn add(&mut self, attacked: &Attacked) {
        if self.lines.is_empty() {
            self.lines = attacked.trials.iter().map(Line::new).collect();
        }
        self.n_samples += 1;
        self.correct += u64::from(attacked.predicted == attacked.label);
        for (line, trial) in self.lines.iter_mut().zip(&attacked.trials) {
            line.add(trial, self.n_samples);
        }
    }

    /// How many samples.
    pub fn n_samples(&self) -> u64 {
        self.n_samples
    }

    /// How many of them are classified as their label says before any attack.
    pub fn n_correct(&self) -> u64 {
        self.correct
    }

    /// The attacks by name and radius, in order.
    pub fn attacks(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        self.lines.iter().map(|line| (line.attack, line.epsilon))
    }

    /// The success rate of each attack.
    pub fn rates(&self) -> impl Iterator<Item = Rate> {
        self.lines.iter().map(|line| {
            let successes = line.successes.len() as u64;
            Rate {
                successes,
                attacked: line.attacked,
                interval: wilson(successes, line.attacked),
            }
        })
    }

    /// The share of all samples that are classified as their label says, and still are after each attack.
    pub fn robust_accuracies(&self) -> impl Iterator<Item = f64> {
        let (n, correct) = (self.n_samples.max(1) as f64, self.correct);
        let left = move |line: &Line| correct.saturating_sub(line.successes.len() as u64);
        self.lines.iter().map(move |line| left(line) as f64 / n)
    }

    /// The median of a quantity over the successes of each attack; `None` if there are none.
    pub fn medians(&self, of: Curve) -> impl Iterator<Item = Option<f64>> {
        self.lines.iter().map(move |line| {
            let values = line.sorted(of);
            let last = values.len().checked_sub(1)?;
            Some(midway(values[last / 2], values[values.len() / 2]))
        })
    }

    /// Mean forward passes and mean cotangents per sample attacked, of each attack.
    pub fn mean_costs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.lines.iter().map(|line| {
            let n = line.attacked.max(1) as f64;
            (line.queries as f64 / n, line.gradients as f64 / n)
        })
    }

    /// For attacks guided by a map, the share of the samples attacked on which FI of the pixel taken first is at least
    /// 99 % of its ceiling: there the map of FI cannot tell the best pixels from each other.
    pub fn saturated_shares(&self) -> impl Iterator<Item = Option<f64>> {
        let share = |line: &Line| line.saturated as f64 / line.guided as f64;
        self.lines
            .iter()
            .map(move |line| (line.guided > 0).then(|| share(line)))
    }

    /// Compares two attacks, by name, sample by sample; `None` if one was not run.
    pub fn compare(&self, first: &str, second: &str) -> Option<Paired> {
        let of = |name: &str| -> Option<BTreeSet<u64>> {
            let line = self.lines.iter().find(|line| line.attack == name)?;
            Some(line.successes.iter().map(|(_, sample)| *sample).collect())
        };
        let (first, second) = (of(first)?, of(second)?);
        let only_first = first.difference(&second).count() as u64;
        let only_second = second.difference(&first).count() as u64;
        let n = only_first + only_second;
        Some(Paired {
            only_first,
            only_second,
            p_value: sign_test(only_first.min(only_second), n),
        })
    }

    /// For each attack, its radii taken together, the share of the samples attacked for which it succeeded within a
    /// budget: (budget, share), rising, a point for every budget at which the share grows. A lower bound on what the
    /// attack could do with that budget, for it was not looking for the smallest success.
    pub fn curves(&self, over: Curve) -> Vec<(&'static str, Vec<(f64, f64)>)> {
        let mut names: Vec<&'static str> = Vec::new();
        for line in &self.lines {
            if !names.contains(&line.attack) {
                names.push(line.attack);
            }
        }
        let curve = |name: &'static str| {
            let lines = self.lines.iter().filter(|line| line.attack == name);
            let attacked = lines.clone().map(|line| line.attacked).max();
            let mut successes: Vec<(u64, f64)> = lines.flat_map(|line| line.values(over)).collect();
            // A sample counts once, at the least budget with which any radius led to success.
            successes.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            successes.dedup_by_key(|(sample, _)| *sample);
            let mut budgets: Vec<f64> = successes.into_iter().map(|(_, budget)| budget).collect();
            budgets.sort_by(f64::total_cmp);
            let share = |rank: usize| (rank + 1) as f64 / attacked.unwrap_or(1).max(1) as f64;
            let mut points: Vec<(f64, f64)> = Vec::new();
            for (rank, budget) in budgets.into_iter().enumerate() {
                match points.last_mut() {
                    Some(last) if last.0 == budget => last.1 = share(rank),
                    _ => points.push((budget, share(rank))),
                }
            }
            (name, points)
        };
        names.into_iter().map(curve).collect()
    }
}

impl Line {
    fn new(trial: &Trial) -> Self {
        Self {
            attack: trial.attack,
            epsilon: trial.epsilon,
            attacked: 0,
            queries: 0,
            gradients: 0,
            successes: Vec::new(),
            guided: 0,
            saturated: 0,
        }
    }

    fn add(&mut self, trial: &Trial, sample: u64) {
        let Some(outcome) = &trial.outcome else {
            return;
        };
        self.attacked += 1;
        self.queries += outcome.cost.queries;
        self.gradients += outcome.cost.gradients;
        if let Some((_, measures)) = &outcome.first_pixel {
            self.guided += 1;
            self.saturated += u64::from(measures.saturation >= SATURATED);
        }
        if outcome.success {
            let (unit, queries) = (outcome.unit, outcome.cost.queries as f64);
            let budgets = [unit.linf, unit.l2, outcome.pixels as f64, queries];
            self.successes.push((budgets, sample));
        }
    }

    fn values(&self, of: Curve) -> impl Iterator<Item = (u64, f64)> {
        let successes = self.successes.iter();
        successes.map(move |(budgets, sample)| (*sample, budgets[of as usize]))
    }

    fn sorted(&self, of: Curve) -> Vec<f64> {
        let mut values: Vec<f64> = self.values(of).map(|(_, value)| value).collect();
        values.sort_by(f64::total_cmp);
        values
    }
}
