//! Scores as a table.

use super::{LabelChoice, Score, ScoreOptions};
use crate::table::{Column, Kind, Value};
use crate::{Description, SampleFailure};

/// Which optional columns a table of scores has; fixed before the first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreTable {
    keys: bool,
    true_labels: bool,
    compat: bool,
    relative: bool,
    lumped: bool,
}

/// A column: name, kind, meaning, and how to read it off a score.
type Entry = (&'static str, Kind, &'static str, fn(&Score) -> Value);

const KEY: Entry = (
    "key",
    Kind::Text,
    "Name of the sample: its file inside the image folder.",
    |s| s.key.clone().into(),
);

const TRUE_LABEL: Entry = ("true_label", Kind::Int, "Label in the data.", |s| {
    s.true_label.map(class).into()
});

const SAMPLE: [Entry; 6] = [
    (
        "label",
        Kind::Int,
        "Class y that the objective -log p_y is about, numbered from 0.",
        |s| s.label.map(class).into(),
    ),
    ("predicted", Kind::Int, "Most probable class.", |s| {
        s.predicted.map(class).into()
    }),
    (
        "p_label",
        Kind::Float,
        "Probability p_y of the label.",
        |s| s.p_label.into(),
    ),
    (
        "p_predicted",
        Kind::Float,
        "Probability of the predicted class.",
        |s| s.p_predicted.into(),
    ),
    (
        "block",
        Kind::Text,
        "What is perturbed: 'input' is all values of the network's input together, 'params' all parameters; others by name.",
        |s| s.block.to_string().into(),
    ),
    (
        "fi",
        Kind::Float,
        "Influence measure FI of -log p_y (Shu & Zhu 2019), dimensionless; read it with rank, fi_max and saturation.",
        |s| s.measures.fi.into(),
    ),
];

const MEASURES: [Entry; 11] = [
    (
        "rank",
        Kind::Int,
        "Eigenvalues of the Fisher metric above rtol times the largest; at most K - 1.",
        |s| class(s.measures.rank).into(),
    ),
    (
        "fi_max",
        Kind::Float,
        "Ceiling of FI for any block, (1 - p_y) / p_y.",
        |s| s.measures.fi_max.into(),
    ),
    (
        "saturation",
        Kind::Float,
        "FI / FI_max in [0, 1]; at 1 FI is a function of p_y alone.",
        |s| s.measures.saturation.into(),
    ),
    (
        "fi_lambda",
        Kind::Float,
        "FI under a budget lambda = 1 / sigma^2: does not saturate.",
        |s| s.measures.fi_lambda.into(),
    ),
    (
        "fisher_trace",
        Kind::Float,
        "Trace of the Fisher metric, nats per squared input unit.",
        |s| s.measures.fisher_trace.into(),
    ),
    (
        "fisher_lambda_max",
        Kind::Float,
        "Largest eigenvalue of the Fisher metric, nats per squared input unit.",
        |s| s.measures.fisher_lambda_max.into(),
    ),
    (
        "effective_rank",
        Kind::Float,
        "Participation ratio of the metric's spectrum, between 1 and K - 1.",
        |s| s.measures.effective_rank.into(),
    ),
    (
        "grad_norm",
        Kind::Float,
        "Norm of the gradient of -log p_y, nats per input unit.",
        |s| s.measures.grad_norm.into(),
    ),
    (
        "jacobian_norm",
        Kind::Float,
        "Frobenius norm of the Jacobian of the probabilities, per input unit.",
        |s| s.measures.jacobian_norm.into(),
    ),
    (
        "logit_jacobian_norm",
        Kind::Float,
        "Frobenius norm of the Jacobian of the centred logits, per input unit.",
        |s| s.measures.logit_jacobian_norm.into(),
    ),
    (
        "margin_radius",
        Kind::Float,
        "Linearised distance to the nearest decision boundary of the label, input units; negative if misclassified.",
        |s| s.measures.margin_radius.into(),
    ),
];

const COMPAT: [Entry; 2] = [
    (
        "compat_fi",
        Kind::Float,
        "FI in the published program's arithmetic.",
        |s| s.measures.compat.map(|c| c.fi).into(),
    ),
    (
        "compat_rank",
        Kind::Int,
        "Rank in the published program's arithmetic.",
        |s| s.measures.compat.map(|c| class(c.rank)).into(),
    ),
];

const RELATIVE: [Entry; 4] = [
    (
        "theta_norm",
        Kind::Float,
        "Euclidean norm of the block's parameters; empty for blocks that are not parameters alone.",
        |s| s.relative.map(|r| r.norm).into(),
    ),
    (
        "rel_fi_lambda",
        Kind::Float,
        "fi_lambda per perturbation relative to theta_norm: lets layers of different size be compared.",
        |s| s.relative.map(|r| r.fi_lambda).into(),
    ),
    (
        "rel_fisher_trace",
        Kind::Float,
        "fisher_trace per perturbation relative to theta_norm.",
        |s| s.relative.map(|r| r.fisher_trace).into(),
    ),
    (
        "rel_fisher_lambda_max",
        Kind::Float,
        "fisher_lambda_max per perturbation relative to theta_norm.",
        |s| s.relative.map(|r| r.fisher_lambda_max).into(),
    ),
];

const LUMPED: [Entry; 2] = [
    (
        "n_classes_kept",
        Kind::Int,
        "Classes kept apart, the merged rest counted as one. Where some were merged, fi, saturation and fi_lambda are upper bounds, traces and norms lower ones.",
        |s| class(s.n_classes_kept).into(),
    ),
    (
        "lost_trace",
        Kind::Float,
        "Unbiased estimate, from one random cotangent, of the Fisher trace that merging classes lost.",
        |s| s.lost_trace.into(),
    ),
];

/// Classes and ranks are far below 2⁶³.
fn class(number: usize) -> i64 {
    number as i64
}

impl ScoreTable {
    /// The table of the scores of what `source` describes under `options`: with `key` if its samples have names, with
    /// `true_label` if the objective is about another class, with `compat_fi` and `compat_rank` if they are computed.
    pub fn new(source: &Description, options: &ScoreOptions) -> Self {
        Self {
            keys: source.has_keys,
            true_labels: options.label != LabelChoice::True,
            compat: options.compat.is_some(),
            relative: source.blocks.iter().any(|block| &*block.name != "input"),
            lumped: source.merges_classes,
        }
    }

    /// The table of a run with default options, of samples that have names or not.
    pub(crate) fn of_inputs(keys: bool) -> Self {
        Self {
            keys,
            true_labels: false,
            compat: false,
            relative: false,
            lumped: false,
        }
    }

    fn entries(self) -> impl Iterator<Item = &'static Entry> {
        let when = |wanted: bool, entries: &'static [Entry]| if wanted { entries } else { &[] };
        when(self.keys, std::slice::from_ref(&KEY))
            .iter()
            .chain(when(self.true_labels, std::slice::from_ref(&TRUE_LABEL)))
            .chain(&SAMPLE)
            .chain(&MEASURES)
            .chain(when(self.compat, &COMPAT))
            .chain(when(self.relative, &RELATIVE))
            .chain(when(self.lumped, &LUMPED))
    }

    /// The columns, in order.
    pub fn columns(self) -> Vec<Column> {
        let index = Column::new(
            "index",
            Kind::Int,
            "Position of the sample in the data, from 0.",
        );
        let rest = self
            .entries()
            .map(|&(name, kind, doc, _)| Column::new(name, kind, doc));
        let error = Column::new(
            "error",
            Kind::Text,
            "Why the sample has no scores; empty for all others.",
        );
        let index = std::iter::once(index);
        index.chain(rest).chain(std::iter::once(error)).collect()
    }

    /// One score as a row: a cell for every column.
    pub fn row(self, score: &Score) -> Vec<Value> {
        let index = Value::Int(score.index as i64);
        let rest = self.entries().map(|(.., value)| value(score));
        let index = std::iter::once(index);
        index
            .chain(rest)
            .chain(std::iter::once(Value::Null))
            .collect()
    }

    /// A sample without scores as a row: which it is, and why.
    pub fn failed_row(self, failure: &SampleFailure) -> Vec<Value> {
        let cell = |(name, ..): &Entry| match *name {
            "key" => failure.key.clone().into(),
            _ => Value::Null,
        };
        let index = std::iter::once(Value::Int(failure.index as i64));
        let error = std::iter::once(Value::Text(failure.error.to_string()));
        index.chain(self.entries().map(cell)).chain(error).collect()
    }
}
