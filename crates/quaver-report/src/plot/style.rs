//! What tells series apart: a class for the colour, which the style sheet knows, a dash pattern and a marker.

use crate::markup::{Markup, push_coordinate};
use crate::plot::Swatch;

/// The number of colours in the style sheet: `s0`, `s1` and so on.
const N_COLOURS: usize = 6;

/// Dash lengths and gaps; nothing is a solid line.
const DASHES: [&str; 6] = ["", "7 3", "2 2.5", "9 3 2 3", "14 4", "4 2 1 2 1 2"];

/// The class that gives series number `series` its colour.
pub(super) fn colour_class(series: usize) -> String {
    format!("s{}", series % N_COLOURS)
}

/// The dash pattern of series number `series`. When the colours come round again, the pattern is another one.
pub(super) fn dashes(series: usize) -> &'static str {
    DASHES[(series + series / N_COLOURS) % DASHES.len()]
}

/// Adds the outline of the marker of series number `series`, centred on `(x, y)`, to the path data `path`.
pub(super) fn push_marker(path: &mut String, series: usize, x: f64, y: f64) {
    const SHAPES: [&str; 6] = [
        "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",                // disc
        "m-2.7-2.7h5.4v5.4h-5.4z",                           // square
        "m0-3.6l3.4 6h-6.8z",                                // triangle
        "m0-3.9l3.3 3.9l-3.3 3.9l-3.3-3.9z",                 // diamond
        "m-1-3.5h2v2.5h2.5v2h-2.5v2.5h-2v-2.5h-2.5v-2h2.5z", // plus
        "m0 3.6l3.4-6h-6.8z",                                // triangle upside down
    ];
    path.push('M');
    push_coordinate(path, x);
    path.push(' ');
    push_coordinate(path, y);
    path.push_str(SHAPES[(series + series / N_COLOURS) % SHAPES.len()]);
}

/// The small sample of a series that stands before its name in a legend.
pub(crate) fn draw_swatch(markup: &mut Markup, series: usize, swatch: Swatch) {
    let attributes = [
        ("class", "swatch"),
        ("viewBox", "0 0 28 12"),
        ("width", "28"),
        ("height", "12"),
        ("aria-hidden", "true"),
    ];
    markup.element("svg", &attributes, |svg| match swatch {
        Swatch::Line => {
            let class = format!("line {}", colour_class(series));
            let attributes = [
                ("class", &*class),
                ("stroke-dasharray", dashes(series)),
                ("d", "M0 6H28"),
            ];
            svg.void("path", &attributes);
        }
        Swatch::Reference => svg.void("path", &[("class", "reference"), ("d", "M0 6H28")]),
        Swatch::Marker => {
            let class = format!("mark {}", colour_class(series));
            let mut path = String::new();
            push_marker(&mut path, series, 14.0, 6.0);
            svg.void("path", &[("class", &class), ("d", &path)]);
        }
        Swatch::Bar => {
            let class = format!("bar {}", colour_class(series));
            svg.void("path", &[("class", &class), ("d", "M1 2H27V10H1z")]);
        }
        Swatch::Area => {
            let class = format!("area {}", colour_class(series));
            let attributes = [
                ("class", &*class),
                ("stroke-dasharray", dashes(series)),
                ("d", "M1 10.5V1.5H27V10.5z"),
            ];
            svg.void("path", &attributes);
        }
    });
}
