//! Attacks as a table: a row for every sample, attack and radius.

use quaver_data::Dataset;
use quaver_geometry::Measures;

use super::{AttackOptions, Attacked, Norms, Outcome, Trial};
use crate::SampleFailure;
use crate::table::{Column, Kind, Value};

/// Which optional columns the table has; fixed before the first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackTable {
    keys: bool,
    targets: bool,
}

/// A column: name, kind, meaning, and how to read it off a trial.
type Entry = (
    &'static str,
    Kind,
    &'static str,
    fn(&Attacked, &Trial) -> Value,
);

const KEY: Entry = (
    "key",
    Kind::Text,
    "Name of the sample: its file inside the image folder.",
    |a, _| a.key.clone().into(),
);

const TARGET: Entry = (
    "target",
    Kind::Int,
    "Class that the sample is to be led to.",
    |a, _| a.target.map(int).into(),
);

const SAMPLE: [Entry; 5] = [
    ("attack", Kind::Text, "Name of the attack.", |_, t| {
        t.attack.into()
    }),
    (
        "epsilon",
        Kind::Float,
        "Radius it had to stay within, as a share of the range of the data; empty for attacks without one.",
        |_, t| t.epsilon.into(),
    ),
    (
        "label",
        Kind::Int,
        "Class y that the sample is to be led away from, numbered from 0.",
        |a, _| int(a.label).into(),
    ),
    (
        "predicted",
        Kind::Int,
        "Most probable class before the attack.",
        |a, _| int(a.predicted).into(),
    ),
    (
        "p_label",
        Kind::Float,
        "Probability of the label before the attack.",
        |a, _| a.p_label.into(),
    ),
];

/// Reads a number off what came of an attack; empty where there was nothing to attack.
macro_rules! of {
    ($read:expr) => {
        |_, trial| {
            let read: fn(&Outcome) -> Value = $read;
            trial.outcome.as_ref().map_or(Value::Null, read)
        }
    };
}

/// Reads a number off the measures of the pixel taken first.
macro_rules! pixel {
    ($read:expr) => {
        |_, trial| {
            let read: fn(&Measures) -> Value = $read;
            let pixel = trial.outcome.as_ref().and_then(|o| o.first_pixel.as_ref());
            pixel.map_or(Value::Null, |(_, measures)| read(measures))
        }
    };
}

/// Reads a norm off what came of an attack.
macro_rules! norm {
    ($space:ident, $norm:ident) => {
        of!(|o: &Outcome| {
            let Norms { $norm, .. } = o.$space;
            $norm.into()
        })
    };
}
#[rustfmt::skip]
const OUTCOME: [Entry; 18] = [
    ("success", Kind::Int, "1 if the goal is reached, 0 if not; empty if there was nothing to attack: the sample is not classified as its label says, or is of the target's class.", of!(|o| i64::from(o.success).into())),
    ("adv_predicted", Kind::Int, "Most probable class after the attack.", of!(|o| int(o.predicted).into())),
    ("adv_p_label", Kind::Float, "Probability of the label after the attack.", of!(|o| o.p_label.into())),
    ("adv_p_predicted", Kind::Float, "Probability of adv_predicted after the attack.", of!(|o| o.p_predicted.into())),
    ("queries", Kind::Int, "Forward passes.", of!(|o| count(o.cost.queries))),
    ("gradients", Kind::Int, "Cotangents swept back through the network: 1 for a gradient, K - 1 for a map of FI.", of!(|o| count(o.cost.gradients))),
    ("pixels", Kind::Int, "Pixels changed, a pixel being all channels of one place.", of!(|o| int(o.pixels).into())),
    ("l0", Kind::Int, "Values changed.", of!(|o| int(o.l0).into())),
    ("linf", Kind::Float, "Largest change, as a share of the range of the data; compare with epsilon.", norm!(unit, linf)),
    ("l2", Kind::Float, "Euclidean norm of the change, as a share of the range of the data.", norm!(unit, l2)),
    ("l1", Kind::Float, "Sum of the absolute changes, as a share of the range of the data.", norm!(unit, l1)),
    ("linf_data", Kind::Float, "Largest change, in the numbers of the data.", norm!(data, linf)),
    ("l2_data", Kind::Float, "Euclidean norm of the change, in the numbers of the data.", norm!(data, l2)),
    ("l1_data", Kind::Float, "Sum of the absolute changes, in the numbers of the data.", norm!(data, l1)),
    ("linf_input", Kind::Float, "Largest change of what the network is given.", norm!(input, linf)),
    ("l2_input", Kind::Float, "Euclidean norm of the change of what the network is given.", norm!(input, l2)),
    ("l1_input", Kind::Float, "Sum of the absolute changes of what the network is given.", norm!(input, l1)),
    ("first_pixel", Kind::Int, "For attacks guided by a map, the pixel taken first, counted row by row from 0.", of!(|o| o.first_pixel.as_ref().map(|(pixel, _)| int(*pixel)).into())),
];

#[rustfmt::skip]
const PIXEL: [Entry; 6] = [
    ("fi", Kind::Float, "Influence measure FI of the pixel taken first; read it with rank, fi_max and saturation.", pixel!(|m| m.fi.into())),
    ("rank", Kind::Int, "Directions in which that pixel moves the output; at most its channels and K - 1.", pixel!(|m| int(m.rank).into())),
    ("fi_max", Kind::Float, "Ceiling of FI for any block, (1 - p) / p.", pixel!(|m| m.fi_max.into())),
    ("saturation", Kind::Float, "FI / FI_max in [0, 1]; where it is 1, every such pixel has the same FI and the map says nothing.", pixel!(|m| m.saturation.into())),
    ("fi_lambda", Kind::Float, "FI of that pixel under the budget lambda, per share of the range; does not saturate.", pixel!(|m| m.fi_lambda.into())),
    ("grad_norm", Kind::Float, "Norm of the gradient of -log p by that pixel, nats per range of the data.", pixel!(|m| m.grad_norm.into())),
];

/// Classes, counts and ranks are far below 2⁶³.
fn int(number: usize) -> i64 {
    number as i64
}

fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

impl AttackTable {
    /// The table for attacks on `dataset`: with `key` if its samples have names, with `target` if a class is wanted.
    pub fn new(dataset: &dyn Dataset, options: &AttackOptions) -> Self {
        Self {
            keys: dataset.has_keys(),
            targets: options.target.is_some(),
        }
    }

    fn entries(self) -> impl Iterator<Item = &'static Entry> {
        let when = |wanted: bool, entries: &'static [Entry]| if wanted { entries } else { &[] };
        when(self.keys, std::slice::from_ref(&KEY))
            .iter()
            .chain(&SAMPLE)
            .chain(when(self.targets, std::slice::from_ref(&TARGET)))
            .chain(&OUTCOME)
            .chain(&PIXEL)
    }

    /// The columns, in order.
    pub fn columns(self) -> Vec<Column> {
        let doc = "Position of the sample in the data, from 0.";
        let index = Column::new("index", Kind::Int, doc);
        let rest = self
            .entries()
            .map(|&(name, kind, doc, _)| Column::new(name, kind, doc));
        let doc = "Why there is nothing else in the row; empty if there is.";
        let error = Column::new("error", Kind::Text, doc);
        let index = std::iter::once(index);
        index.chain(rest).chain(std::iter::once(error)).collect()
    }

    /// The rows of one sample: one for each of its trials, a cell for every column.
    pub fn rows(self, attacked: &Attacked) -> impl Iterator<Item = Vec<Value>> {
        attacked.trials.iter().map(move |trial| {
            let index = std::iter::once(Value::Int(int(attacked.index)));
            let rest = self.entries().map(|(.., value)| value(attacked, trial));
            index
                .chain(rest)
                .chain(std::iter::once(Value::Null))
                .collect()
        })
    }

    /// The row of a sample that could not be read or attacked.
    pub fn failed_row(self, failure: &SampleFailure) -> Vec<Value> {
        let cell = |(name, ..): &Entry| match *name {
            "key" => failure.key.clone().into(),
            _ => Value::Null,
        };
        let index = std::iter::once(Value::Int(int(failure.index)));
        let error = std::iter::once(Value::Text(failure.error.to_string()));
        index.chain(self.entries().map(cell)).chain(error).collect()
    }
}
