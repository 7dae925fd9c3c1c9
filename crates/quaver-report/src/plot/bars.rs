//! One value per name, as horizontal bars.

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::frame::{WIDTH, tick};
use super::rows::{FOR_NUMBERS, MAX_ROWS, Rows, note};
use super::{Drawing, style::colour_class};
use crate::json;
use crate::markup::{Markup, coordinate};
use crate::number::typeset;

const THICKNESS: f64 = 14.0;

/// A plot of one value per name, in the order they are added. Its axis starts at zero.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BarChart {
    axis: Axis,
    bars: Vec<Bar>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bar {
    name: String,
    #[serde(with = "json::number")]
    value: f64,
}

impl BarChart {
    /// A plot without bars. A logarithmic axis would make the length of a bar meaningless, so the label alone is given.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            axis: Axis::linear(label).spanning(0.0, 0.0),
            bars: Vec::new(),
        }
    }

    /// Adds a bar.
    #[must_use]
    pub fn bar(mut self, name: impl Into<String>, value: f64) -> Self {
        self.bars.push(Bar {
            name: name.into(),
            value,
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let shown = &self.bars[..self.bars.len().min(MAX_ROWS)];
        let extent = self.axis.extent(shown.iter().map(|bar| bar.value));
        let names = shown.iter().map(|bar| &*bar.name);
        let rows = Rows::new(&self.axis, extent, names, (THICKNESS, FOR_NUMBERS));
        let mut svg = Markup::new();
        rows.draw_grid(&mut svg, Some(0.0));
        rows.draw_names(&mut svg);
        let zero = rows.place(0.0);
        for (row, Bar { name, value }) in shown.iter().enumerate() {
            let drawable = self.axis.holds(*value);
            let end = if drawable { rows.place(*value) } else { zero };
            let class = format!("bar {}", colour_class(0));
            let attributes = [
                ("class", &*class),
                ("x", &*coordinate(zero.min(end))),
                ("y", &*coordinate(rows.top(row))),
                ("width", &*coordinate((end - zero).abs())),
                ("height", &*coordinate(THICKNESS)),
            ];
            svg.void("rect", &attributes);
            let title = format!("{name}: {}", typeset(*value, 4));
            rows.draw_target(&mut svg, rows.top(row), THICKNESS, &title);
            let place = (zero.max(end) + 5.0, rows.top(row) + 11.5);
            tick(&mut svg, "start", place, &typeset(*value, 3));
        }
        Drawing {
            svg,
            width: WIDTH,
            height: rows.height(),
            axes: None,
            legend: Vec::new(),
            notes: note(self.bars.len(), "bars"),
            summary: summary(&self.axis.label, shown),
        }
    }
}

fn summary(label: &str, bars: &[Bar]) -> String {
    let mut summary = format!("Bar chart of {label}.");
    for Bar { name, value } in bars {
        summary.push_str(&format!(" {name}: {}.", typeset(*value, 3)));
    }
    summary
}
