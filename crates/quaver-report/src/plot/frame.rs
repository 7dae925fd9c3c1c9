//! The rectangle that data are drawn into, with its axes, marks and labels.

use super::axis::{Axis, Scale};
use super::ticks::{Ticks, ticks, widen};
use crate::markup::{Markup, coordinate, push_coordinate};
use crate::number::{split_power, typeset};

/// The size of a chart in user units; the page scales it.
pub(super) const WIDTH: f64 = 560.0;
pub(super) const HEIGHT: f64 = 350.0;
/// The width of a chart that has a row of the page to itself: what the row has on a screen that is wide enough.
pub(super) const ACROSS: f64 = 1072.0;

/// The edges of the rectangle for data.
pub(super) const LEFT: f64 = 62.0;
pub(super) const RIGHT: f64 = WIDTH - BESIDE;
/// Free space right of them.
pub(super) const BESIDE: f64 = 18.0;
pub(super) const TOP: f64 = 32.0;
pub(super) const BOTTOM: f64 = HEIGHT - 52.0;

/// About how many intervals an axis is divided into.
const N_STEPS: usize = 5;

/// Two axes and where their values lie.
pub(super) struct Frame {
    pub(super) x: Span,
    pub(super) y: Span,
}

/// An axis laid along a line on the page.
pub(super) struct Span {
    label: String,
    scale: Scale,
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    ticks: Ticks,
}

impl Span {
    pub(super) fn new(axis: &Axis, extent: (f64, f64), start: f64, end: f64) -> Self {
        let extent = widen(axis.scale, extent, N_STEPS);
        Self::unwidened(axis, extent, start, end)
    }

    fn unwidened(axis: &Axis, (low, high): (f64, f64), start: f64, end: f64) -> Self {
        Self {
            label: axis.label.clone(),
            scale: axis.scale,
            low,
            high,
            start,
            end,
            ticks: fitting_ticks(axis.scale, (low, high), end - start),
        }
    }

    /// Where on the page the value lies.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.start + share * (self.end - self.start)
    }

    pub(super) fn ticks(&self) -> &Ticks {
        &self.ticks
    }

    /// The scale, the values at both ends, and where those lie on the page: `linear 0 1 62 542`.
    fn geometry(&self) -> String {
        let scale = match self.scale {
            Scale::Linear => "linear",
            Scale::Log => "log",
        };
        let (start, end) = (coordinate(self.start), coordinate(self.end));
        format!("{scale} {:?} {:?} {start} {end}", self.low, self.high)
    }

    /// The axis in words: `FI from 0 to 1`.
    pub(super) fn summary(&self) -> String {
        let scale = match self.scale {
            Scale::Linear => "",
            Scale::Log => ", logarithmic",
        };
        let (low, high) = (typeset(self.low, 3), typeset(self.high, 3));
        format!("{} from {low} to {high}{scale}", self.label)
    }
}

impl Frame {
    /// A frame that holds the points.
    pub(super) fn around(
        x: &Axis,
        y: &Axis,
        points: impl Iterator<Item = (f64, f64)> + Clone,
    ) -> Self {
        let points = points.filter(|(at_x, at_y)| x.holds(*at_x) && y.holds(*at_y));
        let x_extent = x.extent(points.clone().map(|(x, _)| x));
        let y_extent = y.extent(points.map(|(_, y)| y));
        Self {
            x: Span::new(x, x_extent, LEFT, RIGHT),
            y: Span::new(y, y_extent, BOTTOM, TOP),
        }
    }

    /// A frame whose x axis ends exactly where asked.
    pub(super) fn between(x: &Axis, x_extent: (f64, f64), y: &Axis, y_extent: (f64, f64)) -> Self {
        Self {
            x: Span::unwidened(x, x_extent, LEFT, RIGHT),
            y: Span::new(y, y_extent, BOTTOM, TOP),
        }
    }

    /// Where on the page the point lies.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.place(x), self.y.place(y))
    }

    /// Draws grid lines, marks and labels.
    pub(super) fn draw(&self, svg: &mut Markup) {
        let (mut grid, mut marks) = (String::new(), String::new());
        for (value, _) in &self.x.ticks {
            let x = self.x.place(*value);
            push_line(&mut grid, (x, TOP), (x, BOTTOM));
            push_line(&mut marks, (x, BOTTOM), (x, BOTTOM + 4.0));
        }
        svg.void("path", &[("class", "grid"), ("d", &grid)]);
        svg.void("path", &[("class", "axis"), ("d", &marks)]);
        draw_y_axis(svg, &self.y, RIGHT);
        for (value, label) in &self.x.ticks {
            tick(svg, "middle", (self.x.place(*value), BOTTOM + 21.0), label);
        }
        let middle = (LEFT + RIGHT) / 2.0;
        text(
            svg,
            "label",
            "middle",
            (middle, HEIGHT - 10.0),
            &self.x.label,
        );
    }

    /// Both axes, for the script that tells where the pointer is.
    pub(super) fn axes(&self) -> [String; 2] {
        [self.x.geometry(), self.y.geometry()]
    }

    /// The left, top, right and lower edges of the rectangle for data.
    pub(super) fn edges(&self) -> [f64; 4] {
        [LEFT, TOP, RIGHT, BOTTOM]
    }
}

/// Marks whose labels have room beside each other in the `room` that a horizontal axis has, on a phone as well; labels of
/// a vertical axis, which has negative room, are above each other.
fn fitting_ticks(scale: Scale, extent: (f64, f64), room: f64) -> Ticks {
    const LETTER_WIDTH: f64 = 8.0;
    let fits = |ticks: &Ticks| {
        let letters = ticks.iter().map(|(_, label)| label.chars().count()).max();
        let widest = letters.unwrap_or(0) as f64 * LETTER_WIDTH;
        room < 0.0 || ticks.len() as f64 * widest <= room
    };
    let mut choices = (2..=N_STEPS).rev().map(|n| ticks(scale, extent, n));
    choices
        .find(fits)
        .unwrap_or_else(|| ticks(scale, extent, 1))
}

/// Draws a vertical axis along the left edge, its grid lines across as far as `right`, and the base line below. Its label lies on top of
/// it, where it reads without a tilted head.
pub(super) fn draw_y_axis(svg: &mut Markup, span: &Span, right: f64) {
    let mut grid = String::new();
    for (value, _) in &span.ticks {
        let y = span.place(*value);
        push_line(&mut grid, (LEFT, y), (right, y));
    }
    svg.void("path", &[("class", "grid"), ("d", &grid)]);
    let mut base = String::new();
    push_line(&mut base, (LEFT, BOTTOM), (right, BOTTOM));
    svg.void("path", &[("class", "axis"), ("d", &base)]);
    for (value, label) in &span.ticks {
        tick(svg, "end", (LEFT - 8.0, span.place(*value) + 4.0), label);
    }
    text(svg, "label", "start", (4.0, 15.0), &span.label);
}

/// Adds a line to path data.
pub(super) fn push_line(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    push_polyline(path, [from, to]);
}

/// Adds connected lines to path data.
pub(super) fn push_polyline(path: &mut String, points: impl IntoIterator<Item = (f64, f64)>) {
    let mut command = 'M';
    for (x, y) in points {
        path.push(command);
        push_coordinate(path, x);
        path.push(' ');
        push_coordinate(path, y);
        command = 'L';
    }
}

/// Draws a line of text.
pub(super) fn text(svg: &mut Markup, class: &str, anchor: &str, at: (f64, f64), text: &str) {
    text_with(svg, class, anchor, at, |element| element.text(text));
}

/// Draws the number at a mark. Fonts draw the superscripts of Unicode too small to read at this size, so a power's
/// exponent is raised here.
pub(super) fn tick(svg: &mut Markup, anchor: &str, at: (f64, f64), label: &str) {
    let (base, exponent) = split_power(label);
    text_with(svg, "tick", anchor, at, |element| {
        element.text(base);
        if !exponent.is_empty() {
            element.leaf("tspan", &[("class", "power"), ("dy", "-0.45em")], &exponent);
        }
    });
}

fn text_with(
    svg: &mut Markup,
    class: &str,
    anchor: &str,
    (x, y): (f64, f64),
    inside: impl FnOnce(&mut Markup),
) {
    let attributes = [
        ("class", class),
        ("text-anchor", anchor),
        ("x", &*coordinate(x)),
        ("y", &*coordinate(y)),
    ];
    svg.element("text", &attributes, inside);
}
