//! Quantiles of groups of values, as boxes: where the middle of each group lies, and how far it reaches.

use serde::{Deserialize, Serialize};

use super::axis::{Axis, Scale};
use super::frame::{BESIDE, WIDTH, push_line};
use super::rows::{MAX_ROWS, Rows, note};
use super::style::colour_class;
use super::{Drawing, Swatch};
use crate::json;
use crate::markup::{Markup, coordinate};
use crate::number::{grouped, typeset};

const THICKNESS: f64 = 13.0;
const GAP: f64 = 3.0;

/// The quantiles that a box shows.
const SHARES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// A box per group and series: whiskers from the 5 % to the 95 % quantile, the box from quartile to quartile, a line at
/// the median.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BoxPlot {
    axis: Axis,
    series: Vec<String>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    name: String,
    boxes: Vec<Option<Quantiles>>,
}

/// Five quantiles of a group of values, and how many values it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Quantiles {
    n: usize,
    /// At [`SHARES`].
    #[serde(with = "json::numbers")]
    at: Vec<f64>,
}

impl Quantiles {
    /// Interpolated between order statistics as R's type 7 and NumPy do it. `None` without values.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let quantile = |share: f64| {
            let at = share * last as f64;
            let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
            // Infinite neighbours have no difference.
            match low == high {
                true => low,
                false => low + at.fract() * (high - low),
            }
        };
        Some(Self {
            n: values.len(),
            at: SHARES.map(quantile).to_vec(),
        })
    }

    fn text(&self) -> String {
        let at: Vec<String> = self.at.iter().map(|value| typeset(*value, 3)).collect();
        match at.as_slice() {
            [low, first, median, third, high] => format!(
                "median {median}; half from {first} to {third}; 90 % from {low} to {high}; {} values",
                grouped(self.n as u64)
            ),
            _ => String::new(),
        }
    }
}

impl BoxPlot {
    /// A plot without boxes; `series` are the names of the boxes that every group has, in order.
    pub fn new<T: Into<String>>(axis: Axis, series: impl IntoIterator<Item = T>) -> Self {
        Self {
            axis,
            series: series.into_iter().map(Into::into).collect(),
            groups: Vec::new(),
        }
    }

    /// Adds a group: the values of each series, of which only quantiles are kept. No values are no box.
    #[must_use]
    pub fn group(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = Vec<f64>>,
    ) -> Self {
        let values = values.into_iter().take(self.series.len());
        self.groups.push(Group {
            name: name.into(),
            boxes: values.map(Quantiles::of).collect(),
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let shown = &self.groups[..self.groups.len().min(MAX_ROWS)];
        let boxes = shown.iter().flat_map(|group| group.boxes.iter().flatten());
        let values: Vec<f64> = boxes.clone().flat_map(|b| b.at.iter().copied()).collect();
        let extent = self.axis.extent(values.iter().copied());
        let n_series = self.series.len().max(1) as f64;
        let thickness = n_series * (THICKNESS + GAP) - GAP;
        let names = shown.iter().map(|group| &*group.name);
        let rows = Rows::new(&self.axis, extent, names, (thickness, BESIDE));
        let mut svg = Markup::new();
        let zero =
            (self.axis.scale == Scale::Linear && extent.0 <= 0.0 && extent.1 >= 0.0).then_some(0.0);
        rows.draw_grid(&mut svg, zero);
        rows.draw_names(&mut svg);
        for (row, group) in shown.iter().enumerate() {
            for (number, quantiles) in group.boxes.iter().enumerate() {
                if let Some(quantiles) = quantiles {
                    let top = rows.top(row) + (THICKNESS + GAP) * number as f64;
                    let series = &self.series[number];
                    let title = format!("{}, {series}: {}", group.name, quantiles.text());
                    self.draw_box(&mut svg, &rows, (number, top), quantiles, &title);
                }
            }
        }
        let n_cut = boxes.filter(|b| b.at.iter().any(|v| !self.axis.holds(*v)));
        let mut notes = note(self.groups.len(), "groups");
        if let n @ 1.. = n_cut.count() {
            notes.push(format!(
                "Boxes that reach beyond this axis and are cut or missing: {n}."
            ));
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
            notes,
            summary: self.summary(&rows, shown),
        }
    }

    fn draw_box(
        &self,
        svg: &mut Markup,
        rows: &Rows<'_>,
        (number, top): (usize, f64),
        quantiles: &Quantiles,
        title: &str,
    ) {
        let [low, first, median, third, high] = quantiles.at[..] else {
            return;
        };
        let held = quantiles.at.iter().copied();
        let mut held = held.filter(|value| self.axis.holds(*value));
        let Some(least) = held.next() else {
            return;
        };
        let most = held.next_back().unwrap_or(least);
        // A box that leaves the axis is cut where it does.
        let place = |value: f64| rows.place(value.clamp(least, most));
        let middle = top + THICKNESS / 2.0;
        let mut whiskers = String::new();
        push_line(&mut whiskers, (place(low), middle), (place(first), middle));
        push_line(&mut whiskers, (place(third), middle), (place(high), middle));
        for end in [low, high] {
            let x = place(end);
            push_line(&mut whiskers, (x, top + 3.0), (x, top + THICKNESS - 3.0));
        }
        let class = colour_class(number);
        svg.element("g", &[("class", &*class)], |group| {
            group.void("path", &[("class", "whisker"), ("d", &whiskers)]);
            let attributes = [
                ("class", "area"),
                ("x", &*coordinate(place(first))),
                ("y", &*coordinate(top)),
                (
                    "width",
                    &*coordinate((place(third) - place(first)).max(0.5)),
                ),
                ("height", &*coordinate(THICKNESS)),
            ];
            group.void("rect", &attributes);
            if self.axis.holds(median) {
                let mut line = String::new();
                let x = place(median);
                push_line(&mut line, (x, top), (x, top + THICKNESS));
                group.void("path", &[("class", "median"), ("d", &line)]);
            }
            // The whole reach of the box answers to the pointer.
            let attributes = [
                ("class", "hover"),
                ("x", &*coordinate(place(low) - 3.0)),
                ("y", &*coordinate(top - GAP / 2.0)),
                ("width", &*coordinate(place(high) - place(low) + 6.0)),
                ("height", &*coordinate(THICKNESS + GAP)),
            ];
            group.element("rect", &attributes, |rect| rect.leaf("title", &[], title));
        });
    }

    fn summary(&self, rows: &Rows<'_>, groups: &[Group]) -> String {
        let mut summary = format!("Box plot of {}.", rows.summary());
        for group in groups {
            for (series, quantiles) in self.series.iter().zip(&group.boxes) {
                if let Some(quantiles) = quantiles {
                    let text = quantiles.text();
                    summary.push_str(&format!(" {}, {series}: {text}.", group.name));
                }
            }
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([3, 1, 2, 10], [.05, .25, .5, .75, .95])
        let quantiles = Quantiles::of(vec![3.0, 1.0, f64::NAN, 2.0, 10.0]).unwrap();
        let expected = [1.15, 1.75, 2.5, 4.75, 8.95];
        assert_eq!(quantiles.n, 4);
        for (have, want) in quantiles.at.iter().zip(expected) {
            assert!((have - want).abs() < 1e-12, "{have} {want}");
        }
        assert!(Quantiles::of(vec![]).is_none());
        let infinite = Quantiles::of(vec![f64::INFINITY; 3]).unwrap();
        assert_eq!(infinite.at, [f64::INFINITY; 5]);
    }
}
