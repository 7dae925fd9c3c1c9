//! Several values per name, side by side, each with the interval in which it is known.

use serde::{Deserialize, Serialize};

use super::axis::{Axis, Scale};
use super::frame::{WIDTH, push_line, tick};
use super::rows::{FOR_NUMBERS, MAX_ROWS, Rows, note};
use super::style::colour_class;
use super::{Drawing, Swatch};
use crate::json;
use crate::markup::{Markup, coordinate};
use crate::number::typeset;

const THICKNESS: f64 = 13.0;
const GAP: f64 = 2.0;

/// Width of what stands for a bar where there is no zero for it to begin at.
const MARK: f64 = 5.0;

/// A plot of several values per name, one for each series, with intervals. Its axis holds zero, unless it is logarithmic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GroupedBarChart {
    axis: Axis,
    series: Vec<String>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    name: String,
    bars: Vec<Option<Interval>>,
}

/// A value and the interval in which it is known to lie; low = value = high where nothing is known about its error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    #[serde(with = "json::number")]
    pub low: f64,
    /// The value.
    #[serde(with = "json::number")]
    pub value: f64,
    /// The upper end.
    #[serde(with = "json::number")]
    pub high: f64,
}

impl Interval {
    /// A value about whose error nothing is known.
    pub fn point(value: f64) -> Self {
        Self {
            low: value,
            value,
            high: value,
        }
    }

    fn text(self) -> String {
        let value = typeset(self.value, 3);
        match self.low == self.high {
            true => value,
            false => format!(
                "{value} ({} to {})",
                typeset(self.low, 3),
                typeset(self.high, 3)
            ),
        }
    }
}

impl GroupedBarChart {
    /// A plot without bars; `series` are the names of the bars that every group has, in order.
    pub fn new<T: Into<String>>(
        label: impl Into<String>,
        series: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            axis: Axis::linear(label).spanning(0.0, 0.0),
            series: series.into_iter().map(Into::into).collect(),
            groups: Vec::new(),
        }
    }

    /// For values of different orders of magnitude: marks on a logarithmic axis in place of bars.
    #[must_use]
    pub fn logarithmic(mut self) -> Self {
        self.axis = Axis::log(self.axis.label);
        self
    }

    /// Adds a group of bars: one per series, or none where there is no value.
    #[must_use]
    pub fn group(
        mut self,
        name: impl Into<String>,
        bars: impl IntoIterator<Item = Option<Interval>>,
    ) -> Self {
        self.groups.push(Group {
            name: name.into(),
            bars: bars.into_iter().take(self.series.len()).collect(),
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let shown = &self.groups[..self.groups.len().min(MAX_ROWS)];
        let ends = |bar: &Interval| [bar.low, bar.value, bar.high];
        let bars = || shown.iter().flat_map(|group| group.bars.iter().flatten());
        let extent = self.axis.extent(bars().flat_map(ends));
        let n_bars = self.series.len().max(1) as f64;
        let thickness = n_bars * (THICKNESS + GAP) - GAP;
        let names = shown.iter().map(|group| &*group.name);
        let rows = Rows::new(&self.axis, extent, names, (thickness, FOR_NUMBERS));
        // Beside the end of an interval a value would be taken for that end: it stands in a column with the others.
        let in_column = bars().any(|bar| bar.low < bar.high);
        let mut svg = Markup::new();
        let zero = match self.axis.scale {
            Scale::Linear => Some(0.0),
            Scale::Log => None,
        };
        rows.draw_grid(&mut svg, zero);
        rows.draw_names(&mut svg);
        for (row, group) in shown.iter().enumerate() {
            for (number, bar) in group.bars.iter().enumerate() {
                if let Some(bar) = bar {
                    let top = rows.top(row) + (THICKNESS + GAP) * number as f64;
                    let title = format!("{}, {}: {}", group.name, self.series[number], bar.text());
                    let end = self.draw_bar(&mut svg, &rows, (number, top), *bar, &title);
                    let value = typeset(bar.value, 3);
                    match end {
                        _ if in_column => rows.draw_number(&mut svg, top, &value),
                        Some(end) => tick(&mut svg, "start", (end + 5.0, top + 11.0), &value),
                        None => {}
                    }
                }
            }
        }
        let legend = self.series.iter().enumerate();
        Drawing {
            svg,
            width: WIDTH,
            height: rows.height(),
            axes: None,
            legend: legend
                .map(|(number, name)| (number, name.clone(), Swatch::Bar))
                .collect(),
            notes: note(self.groups.len(), "groups"),
            summary: self.summary(shown),
        }
    }

    /// Draws a bar and its interval, and gives back how far to the right it reaches, if it can be drawn.
    fn draw_bar(
        &self,
        svg: &mut Markup,
        rows: &Rows<'_>,
        (number, top): (usize, f64),
        bar: Interval,
        title: &str,
    ) -> Option<f64> {
        let is_held = self.axis.holds(bar.value);
        let (from, to) = match self.axis.scale {
            Scale::Linear if is_held => (rows.place(0.0), rows.place(bar.value)),
            Scale::Linear => (rows.place(0.0), rows.place(0.0)),
            Scale::Log if is_held => {
                let middle = rows.place(bar.value);
                (middle - MARK / 2.0, middle + MARK / 2.0)
            }
            Scale::Log => return None,
        };
        let class = format!("bar {}", colour_class(number));
        let attributes = [
            ("class", &*class),
            ("x", &*coordinate(from.min(to))),
            ("y", &*coordinate(top)),
            ("width", &*coordinate((to - from).abs())),
            ("height", &*coordinate(THICKNESS)),
        ];
        svg.void("rect", &attributes);
        rows.draw_target(svg, top, THICKNESS + GAP, title);
        if bar.low < bar.high && self.axis.holds(bar.low) && self.axis.holds(bar.high) {
            let (low, high) = (rows.place(bar.low), rows.place(bar.high));
            let (upper, middle, lower) = (top + 3.0, top + THICKNESS / 2.0, top + THICKNESS - 3.0);
            let mut path = String::new();
            push_line(&mut path, (low, middle), (high, middle));
            push_line(&mut path, (low, upper), (low, lower));
            push_line(&mut path, (high, upper), (high, lower));
            svg.void("path", &[("class", "interval"), ("d", &path)]);
        }
        Some(from.max(to))
    }

    fn summary(&self, groups: &[Group]) -> String {
        let mut summary = format!("Grouped bar chart of {}.", self.axis.label);
        for group in groups {
            for (series, bar) in self.series.iter().zip(&group.bars) {
                if let Some(bar) = bar {
                    summary.push_str(&format!(" {}, {series}: {}.", group.name, bar.text()));
                }
            }
        }
        summary
    }
}
