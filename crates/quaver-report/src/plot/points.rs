//! Points: one per sample, in groups.

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::frame::{Frame, HEIGHT, WIDTH, push_polyline};
use super::style::{colour_class, push_marker};
use super::thin::thin_cloud;
use super::{Drawing, Swatch};
use crate::json;
use crate::markup::Markup;
use crate::number::grouped;

/// Points drawn in all.
const MAX_POINTS: usize = 2_000;

/// A plot of points. Each group has a colour and a marker of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScatterChart {
    x: Axis,
    y: Axis,
    groups: Vec<Group>,
    /// Whether the line of equal values is drawn.
    #[serde(default)]
    has_diagonal: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    name: String,
    marks: Vec<Mark>,
}

/// A point, and what is said about it when it is pointed at. Nothing is said if the text is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Its value on the horizontal axis.
    #[serde(with = "json::number")]
    pub x: f64,
    /// Its value on the vertical axis.
    #[serde(with = "json::number")]
    pub y: f64,
    /// What it is: `sample 17, labelled cat`.
    pub title: String,
}

impl ScatterChart {
    /// A plot without points.
    pub fn new(x: Axis, y: Axis) -> Self {
        Self {
            x,
            y,
            groups: Vec::new(),
            has_diagonal: false,
        }
    }

    /// Draws the line on which both values are equal: for what should be the same on both axes.
    #[must_use]
    pub fn diagonal(mut self) -> Self {
        self.has_diagonal = true;
        self
    }

    /// Adds a group of points. Later groups lie on top of earlier ones, and are the last to lose points if there are
    /// too many: the rare and interesting ones belong there.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, marks: Vec<Mark>) -> Self {
        self.groups.push(Group {
            name: name.into(),
            marks,
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let holds = |mark: &&Mark| self.x.holds(mark.x) && self.y.holds(mark.y);
        let all = self.groups.iter().flat_map(|group| &group.marks);
        let frame = Frame::around(&self.x, &self.y, all.clone().map(|mark| (mark.x, mark.y)));
        let mut svg = Markup::new();
        frame.draw(&mut svg);
        if self.has_diagonal {
            // Only as far as both axes reach.
            let reach = |of: fn(&Mark) -> f64| {
                let drawn = all.clone().filter(holds).map(of);
                drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                    (a.min(v), b.max(v))
                })
            };
            let (x, y) = (reach(|mark| mark.x), reach(|mark| mark.y));
            let (low, high) = (x.0.max(y.0), x.1.min(y.1));
            if low < high {
                let ends = [frame.place((low, low)), frame.place((high, high))];
                let mut path = String::new();
                push_polyline(&mut path, ends);
                svg.void("path", &[("class", "reference"), ("d", &path)]);
            }
        }

        let (mut n_drawn, mut n_drawable) = (0, 0);
        let mut drawn = Vec::new();
        for (number, group) in self.groups.iter().enumerate().rev() {
            let marks: Vec<&Mark> = group.marks.iter().filter(holds).collect();
            let places: Vec<(f64, f64)> = marks
                .iter()
                .map(|mark| frame.place((mark.x, mark.y)))
                .collect();
            // What is left is shared by this group and those below it.
            let share = (MAX_POINTS - n_drawn) / (number + 1);
            let kept = thin_cloud(&places, share);
            n_drawn += kept.len();
            n_drawable += marks.len();
            let kept: Vec<(&Mark, (f64, f64))> = kept
                .into_iter()
                .map(|index| (marks[index], places[index]))
                .collect();
            drawn.push((number, kept));
        }
        for (number, marks) in drawn.iter().rev() {
            draw_group(&mut svg, *number, marks);
        }

        let n_lost = all.count() - n_drawable;
        let mut notes = Vec::new();
        if n_drawn < n_drawable {
            let (drawn, drawable) = (grouped(n_drawn as u64), grouped(n_drawable as u64));
            notes.push(format!(
                "{drawn} of {drawable} points are drawn; the others lie on or beside one of these."
            ));
        }
        if n_lost > 0 {
            let lost = grouped(n_lost as u64);
            notes.push(format!("Points that have no place on these axes: {lost}."));
        }
        let legend = self.groups.iter().enumerate();
        let legend = legend.map(|(number, group)| (number, group.name.clone(), Swatch::Marker));
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

    fn summary(&self, frame: &Frame) -> String {
        let mut summary = format!(
            "Scatter plot. Horizontal: {}. Vertical: {}.",
            frame.x.summary(),
            frame.y.summary()
        );
        for Group { name, marks } in &self.groups {
            let n = grouped(marks.len() as u64);
            summary.push_str(&format!(" {name}: {n} points."));
        }
        summary
    }
}

/// Points with something to say are elements of their own; the others share one, which is a third of the size.
fn draw_group(svg: &mut Markup, number: usize, marks: &[(&Mark, (f64, f64))]) {
    let class = format!("mark {}", colour_class(number));
    svg.element("g", &[("class", &class)], |group| {
        let mut silent = String::new();
        for (mark, (x, y)) in marks {
            if mark.title.is_empty() {
                push_marker(&mut silent, number, *x, *y);
                continue;
            }
            let mut path = String::new();
            push_marker(&mut path, number, *x, *y);
            group.element("path", &[("d", &path)], |path| {
                path.leaf("title", &[], &mark.title);
            });
        }
        if !silent.is_empty() {
            group.void("path", &[("d", &silent)]);
        }
    });
}
