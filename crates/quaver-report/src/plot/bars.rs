//! One value per name, as horizontal bars: names of layers are long, and are read from left to right.

use super::axis::Axis;
use super::frame::{Span, WIDTH, push_line, text, tick};
use super::{Drawing, style::colour_class};
use crate::markup::{Markup, coordinate};
use crate::number::{grouped, typeset};

const TOP: f64 = 8.0;
const ROW: f64 = 38.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = WIDTH - 76.0;
/// Bars drawn: about what fits on a screen or a printed page.
const MAX_BARS: usize = 60;

/// A plot of one value per name, in the order they are added. Its axis starts at zero.
#[derive(Debug, Clone)]
pub struct BarChart {
    axis: Axis,
    bars: Vec<(String, f64)>,
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
        self.bars.push((name.into(), value));
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let shown = &self.bars[..self.bars.len().min(MAX_BARS)];
        let extent = self.axis.extent(shown.iter().map(|(_, value)| *value));
        let span = Span::new(&self.axis, extent, LEFT, RIGHT);
        let bottom = TOP + ROW * shown.len() as f64 + 4.0;
        let mut svg = Markup::new();
        draw_grid(&mut svg, &span, bottom);
        let zero = span.place(0.0);
        for (row, (name, value)) in shown.iter().enumerate() {
            let y = TOP + ROW * row as f64;
            let drawable = self.axis.holds(*value);
            let end = if drawable { span.place(*value) } else { zero };
            text(&mut svg, "name", "start", (LEFT + 3.0, y + 13.0), name);
            let class = format!("bar {}", colour_class(0));
            let attributes = [
                ("class", &*class),
                ("x", &*coordinate(zero.min(end))),
                ("y", &*coordinate(y + 18.0)),
                ("width", &*coordinate((end - zero).abs())),
                ("height", "14"),
            ];
            svg.void("rect", &attributes);
            let place = (zero.max(end) + 5.0, y + 29.5);
            tick(&mut svg, "start", place, &typeset(*value, 3));
        }
        let middle = (LEFT + RIGHT) / 2.0;
        text(
            &mut svg,
            "label",
            "middle",
            (middle, bottom + 42.0),
            &self.axis.label,
        );

        let mut notes = Vec::new();
        if shown.len() < self.bars.len() {
            let (shown, all) = (grouped(shown.len() as u64), grouped(self.bars.len() as u64));
            notes.push(format!("The first {shown} of {all} bars."));
        }
        Drawing {
            svg,
            width: WIDTH,
            height: bottom + 52.0,
            legend: Vec::new(),
            notes,
            summary: summary(&self.axis.label, shown),
        }
    }
}

fn draw_grid(svg: &mut Markup, span: &Span, bottom: f64) {
    let mut grid = String::new();
    for (value, label) in span.ticks() {
        let x = span.place(*value);
        push_line(&mut grid, (x, TOP), (x, bottom));
        tick(svg, "middle", (x, bottom + 16.0), label);
    }
    svg.void("path", &[("class", "grid"), ("d", &grid)]);
    let (mut axis, zero) = (String::new(), span.place(0.0));
    push_line(&mut axis, (zero, TOP), (zero, bottom));
    svg.void("path", &[("class", "axis"), ("d", &axis)]);
}

fn summary(label: &str, bars: &[(String, f64)]) -> String {
    let mut summary = format!("Bar chart of {label}.");
    for (name, value) in bars {
        summary.push_str(&format!(" {name}: {}.", typeset(*value, 3)));
    }
    summary
}
