//! What an axis shows: its label, its scale, and which values it must hold.

use serde::{Deserialize, Serialize};

/// How an axis spaces its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scale {
    Linear,
    /// Equal ratios are equally far apart. Zero and negative numbers have no place on it.
    Log,
}

/// An axis of a plot. It grows to hold the data; [`spanning`](Self::spanning) makes it hold more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
    pub(super) at_least: Option<(f64, f64)>,
}

impl Axis {
    /// An axis with evenly spaced values. The label says what they are, with their unit.
    pub fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Linear,
            at_least: None,
        }
    }

    /// An axis on which equal ratios are equally far apart. Values that are not positive cannot be drawn on it;
    /// the figure says how many they are.
    pub fn log(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Log,
            at_least: None,
        }
    }

    /// Makes the axis reach at least from `low` to `high`, whatever the data.
    #[must_use]
    pub fn spanning(mut self, low: f64, high: f64) -> Self {
        self.at_least = Some((low, high));
        self
    }

    /// Whether the value has a place on the axis.
    pub(super) fn holds(&self, value: f64) -> bool {
        // Beyond these, differences and ratios leave the range of f64.
        let drawable = value.is_finite() && value.abs() < 1e150;
        match self.scale {
            Scale::Linear => drawable,
            Scale::Log => drawable && value > 1e-150,
        }
    }

    /// The smallest and largest value to show, given the data: never equal, and always drawable.
    pub(super) fn extent(&self, values: impl IntoIterator<Item = f64>) -> (f64, f64) {
        let asked = self.at_least.map(|(low, high)| [low, high]);
        let values = values.into_iter().chain(asked.into_iter().flatten());
        let values = values.filter(|value| self.holds(*value));
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return match self.scale {
                Scale::Linear => (0.0, 1.0),
                Scale::Log => (0.1, 10.0),
            };
        }
        // An axis of nothing but rounding errors would show them as if they were differences.
        match self.scale {
            Scale::Linear if high - low > high.abs().max(low.abs()) * 1e-9 => (low, high),
            Scale::Linear if low == 0.0 => (0.0, 1.0),
            Scale::Linear => (low - 0.1 * low.abs(), high + 0.1 * high.abs()),
            Scale::Log if high / low > 1.01 => (low, high),
            Scale::Log => (low / 2.0, high * 2.0),
        }
    }
}
