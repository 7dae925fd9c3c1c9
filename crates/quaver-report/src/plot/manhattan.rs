//! Blocks along the horizontal axis, every sample a point in each: what a genome-wide scan shows of chromosomes, shown
//! of layers.

use serde::{Deserialize, Serialize};

use super::Drawing;
use super::axis::Axis;
use super::frame::{BESIDE, BOTTOM, LEFT, Span, TOP, WIDTH, draw_y_axis, push_line, text};
use super::style::{colour_class, push_marker};
use super::thin::thin_cloud;
use crate::json;
use crate::markup::{Markup, coordinate};
use crate::number::{grouped, typeset};

/// Points drawn in all.
const MAX_POINTS: usize = 2_500;
/// Names below the axis need so much room each; where there is less, every second or third is written.
const NAME_WIDTH: f64 = 13.0;
const LETTER_WIDTH: f64 = 6.2;
const LONGEST_NAME: usize = 18;
/// The sine of the 60° by which names are tilted: the longest just clears the left edge.
const TILT: f64 = 0.866;

/// A plot of many values per block. Blocks stand in the order in which they are added, coloured in turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManhattanChart {
    y: Axis,
    blocks: Vec<Block>,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Block {
    name: String,
    points: Vec<Point>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Point {
    #[serde(with = "json::number")]
    value: f64,
    title: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    name: String,
    #[serde(with = "json::number")]
    value: f64,
}

impl ManhattanChart {
    /// A plot without blocks. A logarithmic axis suits measures that differ by powers of ten between layers.
    pub fn new(y: Axis) -> Self {
        Self {
            y,
            blocks: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Adds a block: per sample its value, and what is said about it when it is pointed at. Samples stand side by side in
    /// the order in which they are given; give every block the same order.
    #[must_use]
    pub fn block<T: Into<String>>(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, T)>,
    ) -> Self {
        let point = |(value, title): (f64, T)| Point {
            value,
            title: title.into(),
        };
        self.blocks.push(Block {
            name: name.into(),
            points: points.into_iter().map(point).collect(),
        });
        self
    }

    /// Adds a horizontal line at a value, say a threshold, with its name.
    #[must_use]
    pub fn line(mut self, name: impl Into<String>, value: f64) -> Self {
        self.lines.push(Line {
            name: name.into(),
            value,
        });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        self.draw_across(WIDTH)
    }

    /// Draws it as wide as asked: blocks need room side by side, and a chart that is merely enlarged gives them none.
    pub(super) fn draw_across(&self, width: f64) -> Drawing {
        let right = width - BESIDE;
        let points = self.blocks.iter().flat_map(|block| &block.points);
        let lines = self.lines.iter().map(|line| line.value);
        let extent = self.y.extent(points.clone().map(|p| p.value).chain(lines));
        let span = Span::new(&self.y, extent, BOTTOM, TOP);
        let mut svg = Markup::new();
        draw_y_axis(&mut svg, &span, right);
        let share = (right - LEFT) / self.blocks.len().max(1) as f64;
        let mut n_drawn = 0;
        for (number, block) in self.blocks.iter().enumerate() {
            let left = LEFT + share * number as f64;
            n_drawn += self.draw_block(&mut svg, &span, (number, left, share), block);
        }
        self.draw_lines(&mut svg, &span, right);
        let depth = self.draw_names(&mut svg, share);

        let n_drawable = points.clone().filter(|p| self.y.holds(p.value)).count();
        let n_lost = points.count() - n_drawable;
        let mut notes = Vec::new();
        if n_drawn < n_drawable {
            let (drawn, drawable) = (grouped(n_drawn as u64), grouped(n_drawable as u64));
            notes.push(format!(
                "{drawn} of {drawable} points are drawn; the others lie on or beside one of these."
            ));
        }
        if n_lost > 0 {
            let lost = grouped(n_lost as u64);
            notes.push(format!("Points that have no place on this axis: {lost}."));
        }
        Drawing {
            svg,
            width,
            height: BOTTOM + depth + 12.0,
            axes: None,
            legend: Vec::new(),
            notes,
            summary: self.summary(&span),
        }
    }

    /// Draws the points of a block and gives back how many.
    fn draw_block(
        &self,
        svg: &mut Markup,
        span: &Span,
        (number, left, width): (usize, f64, f64),
        block: &Block,
    ) -> usize {
        let n = block.points.len().max(1) as f64;
        let gutter = (0.12 * width).min(4.0);
        let place = |(at, point): (usize, &Point)| {
            let share = (at as f64 + 0.5) / n;
            (
                left + gutter + share * (width - 2.0 * gutter),
                span.place(point.value),
            )
        };
        let holds = |(_, point): &(usize, &Point)| self.y.holds(point.value);
        let held: Vec<(usize, &Point)> = block.points.iter().enumerate().filter(holds).collect();
        let places: Vec<(f64, f64)> = held.iter().copied().map(place).collect();
        let kept = thin_cloud(&places, MAX_POINTS / self.blocks.len().max(1));
        let class = format!("mark {}", colour_class(number % 2));
        svg.element("g", &[("class", &class)], |group| {
            for &at in &kept {
                let (x, y) = places[at];
                let mut path = String::new();
                push_marker(&mut path, number % 2, x, y);
                let value = typeset(held[at].1.value, 4);
                let title = match &*held[at].1.title {
                    "" => format!("{}: {value}", block.name),
                    title => format!("{}\n{title}: {value}", block.name),
                };
                group.element("path", &[("d", &path)], |path| {
                    path.leaf("title", &[], &title);
                });
            }
        });
        kept.len()
    }

    fn draw_lines(&self, svg: &mut Markup, span: &Span, right: f64) {
        for Line { name, value } in self.lines.iter().filter(|line| self.y.holds(line.value)) {
            let y = span.place(*value);
            let mut path = String::new();
            push_line(&mut path, (LEFT, y), (right, y));
            svg.void("path", &[("class", "marker"), ("d", &path)]);
            text(svg, "name", "end", (right - 4.0, y - 4.0), name);
        }
    }

    /// Writes the names of the blocks, as many as there is room for, and gives back how far down they reach.
    fn draw_names(&self, svg: &mut Markup, width: f64) -> f64 {
        let names: Vec<String> = self.blocks.iter().map(|b| shortened(&b.name)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max();
        let longest = longest.unwrap_or(0) as f64 * LETTER_WIDTH;
        let is_level = longest < width - 4.0;
        let every = match is_level {
            true => 1,
            false => (NAME_WIDTH / width).ceil().max(1.0) as usize,
        };
        for (number, name) in names.iter().enumerate().step_by(every) {
            let x = LEFT + width * (number as f64 + 0.5);
            if is_level {
                text(svg, "tick", "middle", (x, BOTTOM + 18.0), name);
                continue;
            }
            let (x, y) = (coordinate(x + 3.0), coordinate(BOTTOM + 14.0));
            let turn = format!("rotate(-60 {x} {y})");
            let attributes = [
                ("class", "tick tilted"),
                ("text-anchor", "end"),
                ("x", &*x),
                ("y", &*y),
                ("transform", &*turn),
            ];
            svg.element("text", &attributes, |element| element.text(name));
        }
        match is_level {
            true => 24.0,
            false => 22.0 + longest * TILT,
        }
    }

    fn summary(&self, span: &Span) -> String {
        let mut summary = format!("Manhattan plot. Vertical: {}.", span.summary());
        for block in &self.blocks {
            let values = block.points.iter().map(|point| point.value);
            let mut values: Vec<f64> = values.filter(|value| self.y.holds(*value)).collect();
            values.sort_by(f64::total_cmp);
            let n = grouped(block.points.len() as u64);
            summary.push_str(&format!(" {}: {n} points", block.name));
            if let (Some(median), Some(largest)) = (values.get(values.len() / 2), values.last()) {
                let (median, largest) = (typeset(*median, 3), typeset(*largest, 3));
                summary.push_str(&format!(", median {median}, largest {largest}"));
            }
            summary.push('.');
        }
        for Line { name, value } in &self.lines {
            summary.push_str(&format!(" {name}: line at {}.", typeset(*value, 3)));
        }
        summary
    }
}

/// A name that keeps its end, where names of layers differ.
fn shortened(name: &str) -> String {
    let n = name.chars().count();
    match n <= LONGEST_NAME {
        true => name.to_owned(),
        false => std::iter::once('…')
            .chain(name.chars().skip(n - LONGEST_NAME + 1))
            .collect(),
    }
}
