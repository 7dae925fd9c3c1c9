//! Plots as SVG inside the page: curves, points, distributions, boxes and bars.
//!
//! They are drawn here and not by a plotting library because they have to live in a page: coloured by its style
//! sheet, so that dark mode and print work, readable by a screen reader, and small. Colour never speaks alone: every
//! series has its own dash pattern or marker as well. A kind of plot is one file under `plot/`, declared and
//! listed in one table here.

mod axis;
mod bars;
mod boxes;
mod ecdf;
mod frame;
mod grouped_bars;
mod histogram;
mod label;
mod line;
mod manhattan;
mod points;
mod rows;
mod style;
mod thin;
mod ticks;

use serde::{Deserialize, Serialize};

use crate::markup::Markup;

pub use axis::Axis;
pub use grouped_bars::Interval;
pub use points::Mark;

macro_rules! charts {
    ($($(#[$doc:meta])* $kind:ident($module:ident::$chart:ident),)*) => {
        $(pub use $module::$chart;)*

        /// A plot.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Chart {
            $($(#[$doc])* $kind($chart),)*
        }

        $(impl From<$chart> for Chart {
            fn from(chart: $chart) -> Self {
                Chart::$kind(chart)
            }
        })*

        impl Chart {
            /// Draws it, in a whole row of the page if it is `wide` and of a kind that gains by it.
            pub(crate) fn draw(&self, wide: bool) -> Drawing {
                match self {
                    Chart::Manhattan(chart) if wide => chart.draw_across(frame::ACROSS),
                    $(Chart::$kind(chart) => chart.draw(),)*
                }
            }
        }
    };
}

charts! {
    /// Curves.
    Line(line::LineChart),
    /// Points.
    Scatter(points::ScatterChart),
    /// How often values occur.
    Histogram(histogram::Histogram),
    /// Which share lies at or below each value.
    Ecdf(ecdf::EcdfChart),
    /// Quantiles of groups.
    Boxes(boxes::BoxPlot),
    /// One value per name.
    Bars(bars::BarChart),
    /// Several values per name, with intervals.
    GroupedBars(grouped_bars::GroupedBarChart),
    /// Many values per block.
    Manhattan(manhattan::ManhattanChart),
}

/// A drawn chart and what belongs around it.
pub(crate) struct Drawing {
    /// The graphics, in user units, `width × height`.
    pub(crate) svg: Markup,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Where the values of both axes lie, if the script may read values off curves.
    pub(crate) axes: Option<[String; 2]>,
    /// One entry per series: its number, its name and how it is drawn.
    pub(crate) legend: Vec<(usize, String, Swatch)>,
    /// What the reader must know about what was not drawn.
    pub(crate) notes: Vec<String>,
    /// The chart in words, for those who cannot see it.
    pub(crate) summary: String,
}

/// How a series is drawn, for the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Swatch {
    Line,
    Reference,
    Marker,
    Area,
    Bar,
}

pub(crate) use style::draw_swatch;

#[cfg(test)]
mod tests;
