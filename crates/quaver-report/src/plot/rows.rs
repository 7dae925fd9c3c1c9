//! Rows below each other over one horizontal axis, each with its name above it: names of layers and classes are long,
//! and are read from left to right.

use super::axis::Axis;
use super::frame::{Span, WIDTH, push_line, text, tick};
use crate::markup::{Markup, coordinate};
use crate::number::grouped;

const TOP: f64 = 8.0;
/// From the top of a row to where its marks begin: a line of text.
const NAME: f64 = 21.0;
const GAP: f64 = 6.0;
const LEFT: f64 = 14.0;
/// Free space on the right, for numbers beside marks.
const FOR_NUMBERS: f64 = 76.0;
const BELOW_AXIS: f64 = 52.0;

/// Rows drawn: about what fits on a screen or a printed page.
pub(super) const MAX_ROWS: usize = 60;

/// Rows of equal height and the axis that they share.
pub(super) struct Rows {
    span: Span,
    n_rows: usize,
    thickness: f64,
    label: String,
}

impl Rows {
    /// Rows whose marks are `thickness` high, over an axis with the given extent.
    pub(super) fn new(axis: &Axis, extent: (f64, f64), n_rows: usize, thickness: f64) -> Self {
        Self {
            span: Span::new(axis, extent, LEFT, WIDTH - FOR_NUMBERS),
            n_rows,
            thickness,
            label: axis.label.clone(),
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
        self.top(self.n_rows) - NAME + 4.0
    }

    /// Draws what lies below the marks: grid, axis, and a line where the axis has its zero, if it is to have one.
    pub(super) fn draw_grid(&self, svg: &mut Markup, zero: Option<f64>) {
        let bottom = self.bottom();
        let mut grid = String::new();
        for (value, label) in self.span.ticks() {
            let x = self.place(*value);
            push_line(&mut grid, (x, TOP), (x, bottom));
            tick(svg, "middle", (x, bottom + 16.0), label);
        }
        svg.void("path", &[("class", "grid"), ("d", &grid)]);
        if let Some(zero) = zero {
            let (mut axis, x) = (String::new(), self.place(zero));
            push_line(&mut axis, (x, TOP), (x, bottom));
            svg.void("path", &[("class", "axis"), ("d", &axis)]);
        }
        let middle = (LEFT + WIDTH - FOR_NUMBERS) / 2.0;
        let place = (middle, bottom + 42.0);
        text(svg, "label", "middle", place, &self.label);
    }

    /// Makes the whole width beside a mark answer to the pointer: a short bar is hard to hit.
    pub(super) fn draw_target(&self, svg: &mut Markup, top: f64, thickness: f64, title: &str) {
        let attributes = [
            ("class", "hover"),
            ("x", &*coordinate(LEFT)),
            ("y", &*coordinate(top)),
            ("width", &*coordinate(WIDTH - FOR_NUMBERS - LEFT)),
            ("height", &*coordinate(thickness)),
        ];
        svg.element("rect", &attributes, |rect| rect.leaf("title", &[], title));
    }

    /// Draws the name of a row.
    pub(super) fn draw_name(&self, svg: &mut Markup, row: usize, name: &str) {
        let place = (LEFT + 3.0, self.top(row) - 6.0);
        text(svg, "name", "start", place, name);
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
