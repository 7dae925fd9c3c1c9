//! Empirical distribution functions: which share of a group lies at or below each value.

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::frame::{Frame, HEIGHT, WIDTH, push_line, push_polyline};
use super::style::{colour_class, dashes};
use super::thin::thin_stairs;
use super::{Drawing, Swatch};
use crate::json;
use crate::markup::Markup;
use crate::number::{grouped, typeset};

const MAX_POINTS: usize = 800;

/// A plot of the empirical distribution functions of groups of values, steps from 0 to 100 %.
///
/// Values that have no place on the axis still count in the shares: those below it from its left end on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EcdfChart {
    axis: Axis,
    groups: Vec<Group>,
    shows_gap: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    name: String,
    #[serde(with = "json::numbers")]
    values: Vec<f64>,
}

impl EcdfChart {
    /// A plot without values.
    pub fn new(axis: Axis) -> Self {
        Self {
            axis,
            groups: Vec::new(),
            shows_gap: false,
        }
    }

    /// Adds a group of values; NaN is left out.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, mut values: Vec<f64>) -> Self {
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        self.groups.push(Group {
            name: name.into(),
            values,
        });
        self
    }

    /// Marks where the first two groups lie furthest apart: the distance of Kolmogorov and Smirnov.
    #[must_use]
    pub fn gap(mut self) -> Self {
        self.shows_gap = true;
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let values = self.groups.iter().flat_map(|group| &group.values).copied();
        let share = Axis::linear("Share at or below (%)");
        let extent = self.axis.extent(values.clone());
        let frame = Frame::between(&self.axis, extent, &share, (0.0, 100.0));
        let mut svg = Markup::new();
        frame.draw(&mut svg);
        if let Some((value, from, to)) = self.widest_gap() {
            let mut path = String::new();
            push_line(
                &mut path,
                frame.place((value, 100.0 * from)),
                frame.place((value, 100.0 * to)),
            );
            svg.void("path", &[("class", "gap"), ("d", &path)]);
        }
        for (number, group) in self.groups.iter().enumerate().rev() {
            let steps = self.steps(&group.values, extent);
            let steps: Vec<(f64, f64)> = steps.into_iter().map(|at| frame.place(at)).collect();
            let mut path = String::new();
            push_polyline(&mut path, thin_stairs(&steps, MAX_POINTS));
            let class = format!("line {}", colour_class(number));
            let attributes = [
                ("class", &*class),
                ("stroke-dasharray", dashes(number)),
                ("d", &*path),
                // For the script, which says at the pointer how many of the values are meant.
                ("data-steps", &*group.values.len().to_string()),
            ];
            svg.element("path", &attributes, |path| {
                path.leaf("title", &[], &group.name);
            });
        }
        let legend = self.groups.iter().enumerate();
        let n_lost = values.filter(|value| !self.axis.holds(*value)).count();
        let mut notes = Vec::new();
        if let Some((value, from, to)) = self.widest_gap() {
            let apart = typeset(100.0 * (to - from).abs(), 3);
            let at = typeset(value, 3);
            notes.push(format!(
                "Furthest apart at {at}: {apart} percentage points."
            ));
        }
        if n_lost > 0 {
            let lost = grouped(n_lost as u64);
            notes.push(format!(
                "Values that have no place on this axis, but count in the shares: {lost}."
            ));
        }
        Drawing {
            svg,
            width: WIDTH,
            height: HEIGHT,
            axes: Some(frame.axes()),
            legend: legend
                .map(|(number, group)| (number, group.name.clone(), Swatch::Line))
                .collect(),
            notes,
            summary: self.summary(&frame),
        }
    }

    /// The corners of the steps, from the left end of the axis to its right end.
    fn steps(&self, sorted: &[f64], (left, right): (f64, f64)) -> Vec<(f64, f64)> {
        let percent = |count: usize| 100.0 * count as f64 / sorted.len() as f64;
        if sorted.is_empty() {
            return Vec::new();
        }
        let mut at = percent(share_before(sorted, |value| {
            !self.axis.holds(value) && value < left
        }));
        let mut steps = vec![(left, at)];
        for tied in sorted.chunk_by(|a, b| a == b) {
            if !self.axis.holds(tied[0]) {
                continue;
            }
            steps.push((tied[0], at));
            at = percent(sorted.partition_point(|value| *value <= tied[0]));
            steps.push((tied[0], at));
        }
        steps.push((right, at));
        steps
    }

    /// The value where the first two groups lie furthest apart, and their shares there; `None` if it cannot be drawn.
    fn widest_gap(&self) -> Option<(f64, f64, f64)> {
        let [first, second, ..] = &self.groups[..] else {
            return None;
        };
        let share = |group: &Group, at: f64| {
            let below = group.values.partition_point(|value| *value <= at);
            below as f64 / group.values.len().max(1) as f64
        };
        let values = first.values.iter().chain(&second.values);
        let gaps = values.map(|at| (*at, share(first, *at), share(second, *at)));
        let apart = |gap: &(f64, f64, f64)| (gap.1 - gap.2).abs();
        let widest = gaps.max_by(|a, b| apart(a).total_cmp(&apart(b)));
        widest.filter(|gap| self.shows_gap && self.axis.holds(gap.0) && apart(gap) > 0.0)
    }

    fn summary(&self, frame: &Frame) -> String {
        let mut summary = format!(
            "Empirical distribution functions over {}.",
            frame.x.summary()
        );
        for Group { name, values } in &self.groups {
            let n = grouped(values.len() as u64);
            summary.push_str(&format!(" {name}: {n} values"));
            if let Some(median) = values.get(values.len() / 2) {
                summary.push_str(&format!(", half of them below {}", typeset(*median, 3)));
            }
            summary.push('.');
        }
        summary
    }
}

/// How many of the sorted values, from the first on, are of the kind asked for.
fn share_before(sorted: &[f64], is_before: impl Fn(f64) -> bool) -> usize {
    sorted.iter().take_while(|value| is_before(**value)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_at_the_values_and_ties_rise_at_once() {
        let chart = EcdfChart::new(Axis::linear("x"));
        let steps = chart.steps(&[1.0, 2.0, 2.0, 4.0], (0.0, 5.0));
        let expected = [
            (0.0, 0.0),
            (1.0, 0.0),
            (1.0, 25.0),
            (2.0, 25.0),
            (2.0, 75.0),
            (4.0, 75.0),
            (4.0, 100.0),
            (5.0, 100.0),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn values_off_the_axis_count_in_the_shares() {
        let chart = EcdfChart::new(Axis::log("x"));
        let steps = chart.steps(&[-1.0, 0.0, 1.0, f64::INFINITY], (1.0, 2.0));
        assert_eq!(steps, [(1.0, 50.0), (1.0, 50.0), (1.0, 75.0), (2.0, 75.0)]);
    }

    #[test]
    fn the_gap_is_where_the_shares_differ_most() {
        let chart = EcdfChart::new(Axis::linear("x"))
            .group("a", vec![1.0, 2.0, 3.0])
            .group("b", vec![3.0, 3.0, 5.0])
            .gap();
        let (at, a, b) = chart.widest_gap().unwrap();
        assert_eq!((at, b), (2.0, 0.0));
        assert!((a - 2.0 / 3.0).abs() < 1e-15);
    }
}
