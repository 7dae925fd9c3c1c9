//! How often values occur, for one group of samples or several.

use serde::{Deserialize, Serialize};

use super::axis::{Axis, Scale};
use super::frame::{Frame, HEIGHT, WIDTH, push_line, push_polyline, text};
use super::style::{colour_class, dashes};
use super::ticks::nice_above;
use super::{Drawing, Swatch};
use crate::json;
use crate::markup::{Markup, coordinate};
use crate::number::{grouped, typeset};

/// Intervals that the values are counted in, about.
const N_BINS: usize = 30;
const MAX_BINS: usize = 80;

/// A plot of how often values occur. Intervals have round ends and are the same for all groups.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Histogram {
    axis: Axis,
    height: Height,
    groups: Vec<Group>,
    markers: Vec<Marker>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    name: String,
    #[serde(with = "json::numbers")]
    values: Vec<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Marker {
    name: String,
    #[serde(with = "json::number")]
    value: f64,
}

/// What the height of a bar says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Height {
    Count,
    Share,
}

impl Histogram {
    /// A plot without values; bars are as high as there are samples.
    pub fn new(axis: Axis) -> Self {
        Self {
            axis,
            height: Height::Count,
            groups: Vec::new(),
            markers: Vec::new(),
        }
    }

    /// Makes bars as high as their share of their group, so that a small group can be compared with a large one.
    #[must_use]
    pub fn as_shares(mut self) -> Self {
        self.height = Height::Share;
        self
    }

    /// Adds a group of values.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, values: Vec<f64>) -> Self {
        self.groups.push(Group {
            name: name.into(),
            values,
        });
        self
    }

    /// Adds a vertical line at a value, say a threshold, with its name.
    #[must_use]
    pub fn marker(mut self, name: impl Into<String>, value: f64) -> Self {
        self.markers.push(Marker {
            name: name.into(),
            value,
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let values = self.groups.iter().flat_map(|group| &group.values).copied();
        let markers = self.markers.iter().map(|marker| marker.value);
        let edges = bin_edges(&self.axis, self.axis.extent(values.clone().chain(markers)));
        let counts: Vec<Vec<u64>> = self
            .groups
            .iter()
            .map(|group| &group.values)
            .map(|values| count(values.iter().filter(|v| self.axis.holds(**v)), &edges))
            .collect();
        let heights: Vec<Vec<f64>> = counts.iter().map(|counts| self.heights(counts)).collect();
        let highest = heights.iter().flatten().fold(0.0f64, |a, b| a.max(*b));
        let vertical = Axis::linear(match self.height {
            Height::Count => "Samples",
            Height::Share => "Share of group (%)",
        });
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let ends = (edges[0], edges[edges.len() - 1]);
        let frame = Frame::between(&self.axis, ends, &vertical, (0.0, highest));

        let mut svg = Markup::new();
        frame.draw(&mut svg);
        for (number, heights) in heights.iter().enumerate() {
            draw_group(&mut svg, &frame, number, &edges, heights);
        }
        self.draw_markers(&mut svg, &frame);
        self.draw_tooltips(&mut svg, &frame, &edges, &counts);

        let n_lost = values.filter(|value| !self.axis.holds(*value)).count();
        let notes = match n_lost {
            0 => vec![],
            n => vec![format!(
                "Values that have no place on this axis: {}.",
                grouped(n as u64)
            )],
        };
        let legend = self.groups.iter().enumerate();
        let legend = legend.map(|(number, group)| (number, group.name.clone(), Swatch::Area));
        Drawing {
            svg,
            width: WIDTH,
            height: HEIGHT,
            axes: None,
            legend: legend.collect(),
            notes,
            summary: self.summary(&frame),
        }
    }

    fn heights(&self, counts: &[u64]) -> Vec<f64> {
        let scale = match self.height {
            Height::Count => 1.0,
            Height::Share => 100.0 / counts.iter().sum::<u64>().max(1) as f64,
        };
        counts.iter().map(|count| *count as f64 * scale).collect()
    }

    fn draw_markers(&self, svg: &mut Markup, frame: &Frame) {
        let [left, top, right, bottom] = frame.edges();
        for (number, Marker { name, value }) in self.markers.iter().enumerate() {
            if !self.axis.holds(*value) {
                continue;
            }
            let x = frame.x.place(*value);
            let mut path = String::new();
            push_line(&mut path, (x, top), (x, bottom));
            svg.void("path", &[("class", "marker"), ("d", &path)]);
            let y = top + 12.0 + 14.0 * number as f64;
            match x < (left + right) / 2.0 {
                true => text(svg, "name", "start", (x + 5.0, y), name),
                false => text(svg, "name", "end", (x - 5.0, y), name),
            }
        }
    }

    /// An invisible bar over each interval says what is in it.
    fn draw_tooltips(&self, svg: &mut Markup, frame: &Frame, edges: &[f64], counts: &[Vec<u64>]) {
        let [_, top, _, bottom] = frame.edges();
        for (bin, ends) in edges.windows(2).enumerate() {
            let (left, right) = (frame.x.place(ends[0]), frame.x.place(ends[1]));
            let mut title = format!("{} to {}", typeset(ends[0], 3), typeset(ends[1], 3));
            for (Group { name, .. }, counts) in self.groups.iter().zip(counts) {
                title.push_str(&format!("\n{name}: {}", grouped(counts[bin])));
            }
            let attributes = [
                ("class", "hover"),
                ("x", &*coordinate(left)),
                ("y", &*coordinate(top)),
                ("width", &*coordinate(right - left)),
                ("height", &*coordinate(bottom - top)),
            ];
            svg.element("rect", &attributes, |rect| rect.leaf("title", &[], &title));
        }
    }

    fn summary(&self, frame: &Frame) -> String {
        let mut summary = format!("Histogram of {}.", frame.x.summary());
        for Group { name, values } in &self.groups {
            let mut values: Vec<f64> = values
                .iter()
                .copied()
                .filter(|v| self.axis.holds(*v))
                .collect();
            values.sort_by(f64::total_cmp);
            let n = grouped(values.len() as u64);
            summary.push_str(&format!(" {name}: {n} values"));
            if let Some(median) = values.get(values.len() / 2) {
                summary.push_str(&format!(", half of them below {}", typeset(*median, 3)));
            }
            summary.push('.');
        }
        for Marker { name, value } in &self.markers {
            summary.push_str(&format!(" {name}: line at {}.", typeset(*value, 3)));
        }
        summary
    }
}

/// The ends of the intervals, in increasing order; there are at least two.
fn bin_edges(axis: &Axis, (low, high): (f64, f64)) -> Vec<f64> {
    match axis.scale {
        Scale::Linear => {
            let width = nice_above((high - low) / N_BINS as f64);
            let first = (low / width + 1e-9).floor();
            let last = (high / width - 1e-9).ceil().max(first + 1.0);
            let n = (last - first).min(MAX_BINS as f64) as usize;
            (0..=n).map(|k| (first + k as f64) * width).collect()
        }
        Scale::Log => {
            // Whole fractions of a decade, so that the powers of ten are ends.
            let decades = high.log10() - low.log10();
            let per_decade = (N_BINS as f64 / decades).ceil().clamp(1.0, 20.0);
            let first = (low.log10() * per_decade + 1e-9).floor();
            let last = (high.log10() * per_decade - 1e-9).ceil().max(first + 1.0);
            let every = ((last - first) / MAX_BINS as f64).ceil().max(1.0);
            let n = ((last - first) / every).ceil() as usize;
            let exponent = |k: usize| (first + k as f64 * every) / per_decade;
            (0..=n).map(|k| 10f64.powf(exponent(k))).collect()
        }
    }
}

/// How many values lie in each interval: its lower end counts as inside, and so does the very last upper end.
fn count<'a>(values: impl Iterator<Item = &'a f64>, edges: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; edges.len() - 1];
    let last = counts.len() - 1;
    for value in values {
        let above = edges.partition_point(|edge| edge <= value);
        counts[above.saturating_sub(1).min(last)] += 1;
    }
    counts
}

fn draw_group(svg: &mut Markup, frame: &Frame, number: usize, edges: &[f64], heights: &[f64]) {
    let mut outline = vec![(edges[0], 0.0)];
    for (ends, height) in edges.windows(2).zip(heights) {
        outline.extend([(ends[0], *height), (ends[1], *height)]);
    }
    outline.push((edges[edges.len() - 1], 0.0));
    outline.dedup();
    let mut path = String::new();
    push_polyline(
        &mut path,
        outline.into_iter().map(|point| frame.place(point)),
    );
    let class = format!("area {}", colour_class(number));
    let attributes = [
        ("class", &*class),
        ("stroke-dasharray", dashes(number)),
        ("d", &path),
    ];
    svg.void("path", &attributes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_every_value_once() {
        let cases = [
            (Axis::linear(""), 0.0, 1.0),
            (Axis::linear(""), -0.37, 123.4),
            (Axis::linear(""), 5.0, 5.0),
            (Axis::log(""), 1e-6, 3.0),
            (Axis::log(""), 1e-120, 1e120),
            (Axis::log(""), 2.0, 2.0),
        ];
        for (axis, low, high) in cases {
            let values = [low, (low + high) / 2.0, high, high];
            let edges = bin_edges(&axis, axis.extent(values));
            assert!(
                edges.len() <= MAX_BINS + 2,
                "{low} to {high}: {}",
                edges.len()
            );
            assert!(edges.is_sorted_by(|a, b| a < b));
            assert!(
                edges[0] <= low * (1.0 + 1e-9) && edges[edges.len() - 1] >= high * (1.0 - 1e-9)
            );
            assert_eq!(count(values.iter(), &edges).iter().sum::<u64>(), 4);
        }
    }

    #[test]
    fn ends_of_intervals_belong_to_the_upper_one() {
        assert_eq!(count([0.0, 1.0, 1.5, 2.0].iter(), &[0.0, 1.0, 2.0]), [1, 3]);
    }
}
