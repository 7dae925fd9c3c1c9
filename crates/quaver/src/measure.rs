//! The numbers of a score by which tasks rank samples and compare sets: FI and what must stand beside it.

use crate::Score;

/// One number of a score.
pub struct Measure {
    /// The name of its column.
    pub name: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// Which end makes a sample suspicious.
    pub suspicious: Suspicious,
    of: fn(&Score) -> Option<f64>,
}

/// Which samples of a measure are looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicious {
    /// Those with large values.
    Large,
    /// Those with small values.
    Small,
}

impl Measure {
    /// The number, where the score has it.
    pub fn of(&self, score: &Score) -> Option<f64> {
        (self.of)(score)
    }

    /// Whether scores have it only if it was asked for: its column then has its place, else there is none.
    pub fn is_on_request(&self) -> bool {
        self.name == "compat_fi"
    }

    /// A value of this measure as one that grows with suspicion.
    pub fn suspicion(&self, value: f64) -> f64 {
        match self.suspicious {
            Suspicious::Large => value,
            Suspicious::Small => -value,
        }
    }
}

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The measures, FI first.
pub const MEASURES: [Measure; 9] = [
    Measure {
        name: "fi",
        doc: "influence measure FI; equal to fi_max where it is saturated",
        suspicious: Suspicious::Large,
        of: |score| Some(score.measures.fi),
    },
    Measure {
        name: "saturation",
        doc: "FI as a share of its ceiling",
        suspicious: Suspicious::Large,
        of: |score| Some(score.measures.saturation),
    },
    Measure {
        name: "fi_lambda",
        doc: "FI under a budget; does not saturate",
        suspicious: Suspicious::Large,
        of: |score| Some(score.measures.fi_lambda),
    },
    Measure {
        name: "grad_norm",
        doc: "norm of the gradient of the objective",
        suspicious: Suspicious::Large,
        of: |score| Some(score.measures.grad_norm),
    },
    Measure {
        name: "jacobian_norm",
        doc: "norm of the Jacobian of the probabilities",
        suspicious: Suspicious::Large,
        of: |score| Some(score.measures.jacobian_norm),
    },
    Measure {
        name: "fisher_trace",
        doc: "trace of the Fisher metric",
        suspicious: Suspicious::Large,
        of: |score| Some(score.measures.fisher_trace),
    },
    Measure {
        name: "margin_radius",
        doc: "linearised distance to the nearest decision boundary of the label",
        suspicious: Suspicious::Small,
        of: |score| Some(score.measures.margin_radius),
    },
    Measure {
        name: "p_label",
        doc: "probability of the label: what FI is a function of where it is saturated",
        suspicious: Suspicious::Small,
        of: |score| score.p_label,
    },
    Measure {
        name: "compat_fi",
        doc: "FI in the published program's arithmetic, where it was asked for",
        suspicious: Suspicious::Large,
        of: |score| score.measures.compat.map(|compat| compat.fi),
    },
];
