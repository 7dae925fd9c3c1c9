//! Rows below each other over one horizontal axis, each with its name above it: names of layers and classes are long,
//! and are read from left to right.

use super::axis::Axis;
use super::frame::{Span, WIDTH, push_line, text, tick};
use crate::markup::{Markup, coordinate};
use crate::number::grouped;

const TOP: f64 = 8.0;
/// From the top of a row to where its marks begin: a line of text, close to the marks that it names and further from
/// those above it.
const NAME: f64 = 17.0;
const GAP: f64 = 12.0;
/// From the base line of a name to the marks.
const BELOW_NAME: f64 = 4.5;
/// How far lines of the grid reach beyond the marks of a row where they leave out its name, which they would cross.
const BEYOND: f64 = 2.0;
/// The width of a letter of a name, on a phone, where they are largest.
const LETTER_WIDTH: f64 = 9.5;
const LEFT: f64 = 14.0;
/// Free space on the right, for numbers beside marks.
pub(super) const FOR_NUMBERS: f64 = 92.0;
const BELOW_AXIS: f64 = 52.0;

/// Rows drawn: about what fits on a screen or a printed page.
pub(super) const MAX_ROWS: usize = 60;

/// Rows of equal height and the axis that they share.
pub(super) struct Rows<'a> {
    span: Span,
    names: Vec<&'a str>,
    thickness: f64,
    label: String,
    right: f64,
}

impl<'a> Rows<'a> {
    /// Rows of these names, whose marks are `thickness` high, over an axis with the given extent, with free space `beside` it
    /// on the right.
    pub(super) fn new(
        axis: &Axis,
        extent: (f64, f64),
        names: impl Iterator<Item = &'a str>,
        (thickness, beside): (f64, f64),
    ) -> Self {
        let right = WIDTH - beside;
        Self {
            span: Span::new(axis, extent, LEFT, right),
            names: names.collect(),
            thickness,
            label: axis.label.clone(),
            right,
        }
    }

    /// Where on the page the value lies, from the left.
    pub(super) fn place(&self, value: f64) -> f64 {
        self.span.place(value)
    }

    /// The axis in words.
    pub(super) fn summary(&self) -> String {
        self.span.summary()
    }

    /// The upper edge of the marks of a row.
    pub(super) fn top(&self, row: usize) -> f64 {
        TOP + (NAME + self.thickness + GAP) * row as f64 + NAME
    }

    /// The height of the whole drawing.
    pub(super) fn height(&self) -> f64 {
        self.bottom() + BELOW_AXIS
    }

    fn bottom(&self) -> f64 {
        self.top(self.names.len()) - NAME - GAP + 8.0
    }

    /// Draws what lies below the marks: grid, axis, and a line where the axis has its zero, if it is to have one.
    pub(super) fn draw_grid(&self, svg: &mut Markup, zero: Option<f64>) {
        let (bottom, right) = (self.bottom(), self.right);
        let across = |path: &mut String, value: f64| {
            let (x, mut from) = (self.place(value), TOP);
            for (row, name) in self.names.iter().enumerate() {
                if x < LEFT + name.chars().count() as f64 * LETTER_WIDTH {
                    let top = self.top(row);
                    if row > 0 {
                        push_line(path, (x, from), (x, top - NAME - 1.0));
                    }
                    from = top - BEYOND;
                }
            }
            push_line(path, (x, from), (x, bottom));
        };
        let (mut grid, mut axis) = (String::new(), String::new());
        push_line(&mut axis, (LEFT, bottom), (right, bottom));
        for (value, label) in self.span.ticks() {
            let x = self.place(*value);
            across(&mut grid, *value);
            push_line(&mut axis, (x, bottom), (x, bottom + 4.0));
            tick(svg, "middle", (x, bottom + 18.0), label);
        }
        if let Some(zero) = zero {
            across(&mut axis, zero);
        }
        svg.void("path", &[("class", "grid"), ("d", &grid)]);
        svg.void("path", &[("class", "axis"), ("d", &axis)]);
        let middle = (LEFT + right) / 2.0;
        let place = (middle, bottom + 42.0);
        text(svg, "label", "middle", place, &self.label);
    }

    /// Makes the whole width beside a mark answer to the pointer: a short bar is hard to hit.
    pub(super) fn draw_target(&self, svg: &mut Markup, top: f64, thickness: f64, title: &str) {
        let attributes = [
            ("class", "hover"),
            ("x", &*coordinate(LEFT)),
            ("y", &*coordinate(top)),
            ("width", &*coordinate(self.right - LEFT)),
            ("height", &*coordinate(thickness)),
        ];
        svg.element("rect", &attributes, |rect| rect.leaf("title", &[], title));
    }

    /// Writes a number in the column right of all marks, at the height of the mark whose upper edge is at `top`.
    pub(super) fn draw_number(&self, svg: &mut Markup, top: f64, number: &str) {
        svg.element("g", &[("class", "value")], |svg| {
            tick(svg, "end", (WIDTH - 2.0, top + 11.0), number);
        });
    }

    /// Draws the names of all rows.
    pub(super) fn draw_names(&self, svg: &mut Markup) {
        for (row, name) in self.names.iter().enumerate() {
            let place = (LEFT, self.top(row) - BELOW_NAME);
            text(svg, "name", "start", place, name);
        }
    }
}

/// What the caption says where there were more rows than are drawn.
pub(super) fn note(n_rows: usize, what: &str) -> Vec<String> {
    if n_rows <= MAX_ROWS {
        return Vec::new();
    }
    let (shown, all) = (grouped(MAX_ROWS as u64), grouped(n_rows as u64));
    vec![format!("The first {shown} of {all} {what}.")]
}
