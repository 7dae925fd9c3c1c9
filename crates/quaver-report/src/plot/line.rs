//! Curves: ROC, precision and recall, anything over anything.

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::frame::{Frame, HEIGHT, WIDTH, push_polyline, text};
use super::label::place_labels;
use super::style::{colour_class, dashes, push_marker};
use super::thin::{thin_curve, thin_stairs};
use super::{Drawing, Swatch};
use crate::json;
use crate::markup::Markup;
use crate::number::typeset;

/// Points drawn per curve: about one per unit of the plot's width.
const MAX_POINTS: usize = 500;

/// A plot of curves. Each has a colour and a dash pattern, its name beside it and in the legend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LineChart {
    x: Axis,
    y: Axis,
    series: Vec<Series>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Series {
    name: String,
    #[serde(with = "json::points")]
    points: Vec<(f64, f64)>,
    #[serde(default, with = "json::points", skip_serializing_if = "Vec::is_empty")]
    marks: Vec<(f64, f64)>,
    #[serde(rename = "drawn_as")]
    swatch: Swatch,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stairs: bool,
}

impl LineChart {
    /// A plot without curves.
    pub fn new(x: Axis, y: Axis) -> Self {
        Self {
            x,
            y,
            series: Vec::new(),
        }
    }

    /// Adds a curve through `points`, in their order. Points that have no place on the axes are left out, and said to be.
    #[must_use]
    pub fn series(self, name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        self.with(name, points, Swatch::Line)
    }

    /// Marks points of the curve that was added last, say those that were measured.
    #[must_use]
    pub fn marked(mut self, points: Vec<(f64, f64)>) -> Self {
        if let Some(series) = self.series.last_mut() {
            series.marks = points;
        }
        self
    }

    /// Says that the curve that was added last is a staircase, whose corners `points` are: between two of them nothing is
    /// gained, and at a step it has the height that the step leads to.
    #[must_use]
    pub fn stairs(mut self) -> Self {
        if let Some(series) = self.series.last_mut() {
            series.stairs = true;
        }
        self
    }

    /// Adds a curve to compare with, say chance: thin, dotted and without colour.
    #[must_use]
    pub fn reference(self, name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        self.with(name, points, Swatch::Reference)
    }

    fn with(mut self, name: impl Into<String>, points: Vec<(f64, f64)>, swatch: Swatch) -> Self {
        self.series.push(Series {
            name: name.into(),
            points,
            marks: Vec::new(),
            swatch,
            stairs: false,
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let all = self
            .series
            .iter()
            .flat_map(|series| series.points.iter().copied());
        let frame = Frame::around(&self.x, &self.y, all.clone());
        let holds = |(x, y): &(f64, f64)| self.x.holds(*x) && self.y.holds(*y);
        let curves: Vec<Vec<(f64, f64)>> = self
            .series
            .iter()
            .map(|series| {
                let points = series.points.iter().copied().filter(holds);
                let points: Vec<(f64, f64)> = points.map(|point| frame.place(point)).collect();
                match series.stairs {
                    true => thin_stairs(&points, 2 * MAX_POINTS),
                    false => thin_curve(&points, MAX_POINTS),
                }
            })
            .collect();

        let mut svg = Markup::new();
        frame.draw(&mut svg);
        let mut legend = Vec::new();
        let mut n_coloured = 0;
        let mut numbers = Vec::new();
        for series in &self.series {
            legend.push((n_coloured, series.name.clone(), series.swatch));
            numbers.push(n_coloured);
            n_coloured += usize::from(series.swatch == Swatch::Line);
        }
        // The first curve is the one the plot is about: it lies on top.
        for ((series, curve), number) in self.series.iter().zip(&curves).zip(&numbers).rev() {
            draw_curve(&mut svg, series, curve, *number);
        }
        for (series, number) in self.series.iter().zip(&numbers).rev() {
            draw_marks(&mut svg, series, &frame, holds, *number);
        }
        self.draw_labels(&mut svg, &frame, &curves, &numbers);

        let n_lost = all.filter(|point| !holds(point)).count();
        let notes = match n_lost {
            0 => vec![],
            1 => vec!["1 point has no place on these axes.".to_owned()],
            n => vec![format!("{n} points have no place on these axes.")],
        };
        Drawing {
            svg,
            width: WIDTH,
            height: HEIGHT,
            axes: Some(frame.axes()),
            legend,
            notes,
            summary: self.summary(&frame),
        }
    }

    fn draw_labels(
        &self,
        svg: &mut Markup,
        frame: &Frame,
        curves: &[Vec<(f64, f64)>],
        numbers: &[usize],
    ) {
        let is_line = |series: &Series| series.swatch == Swatch::Line;
        let named = self
            .series
            .iter()
            .zip(curves)
            .filter(|(series, _)| is_line(series));
        let named: Vec<(&str, &[(f64, f64)])> = named
            .map(|(series, curve)| (&*series.name, &**curve))
            .collect();
        let others = self
            .series
            .iter()
            .zip(curves)
            .filter(|(series, _)| !is_line(series));
        let others: Vec<Vec<(f64, f64)>> = others.map(|(_, curve)| curve.clone()).collect();
        let coloured = self
            .series
            .iter()
            .zip(numbers)
            .filter(|(series, _)| is_line(series));
        let labels = place_labels(&named, &others, frame.edges());
        for (label, (_, number)) in labels.iter().zip(coloured) {
            if let Some(label) = label {
                let class = format!("direct {}", colour_class(*number));
                text(svg, &class, "start", (label.x, label.y), &label.text);
            }
        }
    }

    fn summary(&self, frame: &Frame) -> String {
        let mut summary = format!(
            "Line chart. Horizontal: {}. Vertical: {}.",
            frame.x.summary(),
            frame.y.summary()
        );
        for series in &self.series {
            let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
                continue;
            };
            let point = |(x, y): &(f64, f64)| format!("({}, {})", typeset(*x, 3), typeset(*y, 3));
            let (first, last) = (point(first), point(last));
            summary.push_str(&format!(" {}: from {first} to {last}.", series.name));
        }
        summary
    }
}

fn draw_marks(
    svg: &mut Markup,
    series: &Series,
    frame: &Frame,
    holds: impl Fn(&(f64, f64)) -> bool,
    number: usize,
) {
    let mut path = String::new();
    for point in series.marks.iter().copied().filter(holds) {
        let (x, y) = frame.place(point);
        push_marker(&mut path, number, x, y);
    }
    if !path.is_empty() {
        let class = format!("mark {}", colour_class(number));
        svg.void("path", &[("class", &*class), ("d", &path)]);
    }
}

fn draw_curve(svg: &mut Markup, series: &Series, curve: &[(f64, f64)], number: usize) {
    let mut path = String::new();
    push_polyline(&mut path, curve.iter().copied());
    let class = format!("line {}", colour_class(number));
    let mut attributes = match series.swatch {
        Swatch::Reference => vec![("class", "reference"), ("d", &*path)],
        _ => vec![
            ("class", &*class),
            ("stroke-dasharray", dashes(number)),
            ("d", &*path),
        ],
    };
    // For the script: between steps, and between points that were measured, there is nothing that it could say.
    if series.stairs {
        attributes.push(("data-steps", ""));
    } else if !series.marks.is_empty() {
        attributes.push(("data-measured", ""));
    }
    svg.element("path", &attributes, |path| {
        path.leaf("title", &[], &series.name);
    });
}
