//! Plots as SVG inside the page: lines, points, histograms and bars.
//!
//! They are drawn here and not by a plotting library because they have to live in a page: coloured by its style
//! sheet, so that dark mode and print work, readable by a screen reader, and small. Colour never speaks alone: every
//! series has its own dash pattern or marker as well. A kind of plot is one file under `plot/` and one variant of
//! [`Chart`].

mod axis;
mod bars;
mod frame;
mod histogram;
mod label;
mod line;
mod points;
mod style;
mod thin;
mod ticks;

pub use axis::Axis;
pub use bars::BarChart;
pub use histogram::Histogram;
pub use line::LineChart;
pub use points::{Mark, ScatterChart};

use crate::markup::Markup;

/// A plot.
#[derive(Debug, Clone)]
pub enum Chart {
    /// Curves.
    Line(LineChart),
    /// Points.
    Scatter(ScatterChart),
    /// How often values occur.
    Histogram(Histogram),
    /// One value per name.
    Bars(BarChart),
}

macro_rules! into_chart {
    ($($kind:ident($chart:ty)),*) => {$(
        impl From<$chart> for Chart {
            fn from(chart: $chart) -> Self {
                Chart::$kind(chart)
            }
        }
    )*};
}

into_chart!(
    Line(LineChart),
    Scatter(ScatterChart),
    Histogram(Histogram),
    Bars(BarChart)
);

/// A drawn chart and what belongs around it.
pub(crate) struct Drawing {
    /// The graphics, in user units, `width × height`.
    pub(crate) svg: Markup,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// One entry per series: its number, its name and how it is drawn.
    pub(crate) legend: Vec<(usize, String, Swatch)>,
    /// What the reader must know about what was not drawn.
    pub(crate) notes: Vec<String>,
    /// The chart in words, for those who cannot see it.
    pub(crate) summary: String,
}

/// How a series is drawn, for the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swatch {
    Line,
    Reference,
    Marker,
    Area,
}

impl Chart {
    pub(crate) fn draw(&self) -> Drawing {
        match self {
            Chart::Line(chart) => chart.draw(),
            Chart::Scatter(chart) => chart.draw(),
            Chart::Histogram(chart) => chart.draw(),
            Chart::Bars(chart) => chart.draw(),
        }
    }
}

pub(crate) use style::draw_swatch;

#[cfg(test)]
mod tests;
