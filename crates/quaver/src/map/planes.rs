//! The numbers of the maps of one image, and what they say together.

use super::{ImageAxes, ImageMap, MapMeasure, Region};
use crate::statistics::midway;

/// A window counts as saturated from this share of its ceiling on.
const SATURATED: f64 = 0.99;

/// From this share of saturated windows on, a map of FI shows p_y and nothing else.
const ALMOST_ALL: f64 = 0.95;

/// One number per measure, scale, region and pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planes {
    axes: ImageAxes,
    n_scales: usize,
    values: Vec<(MapMeasure, Vec<f64>)>,
}

impl Planes {
    pub(super) fn new(measures: &[MapMeasure], n_scales: usize, axes: ImageAxes) -> Self {
        let n = n_scales * axes.regions().len() * axes.n_pixels();
        Self {
            axes,
            n_scales,
            values: measures.iter().map(|&m| (m, vec![0.0; n])).collect(),
        }
    }

    fn start(&self, scale: usize, region: Region) -> Option<usize> {
        let place = self.axes.place(region).filter(|_| scale < self.n_scales)?;
        Some((scale * self.axes.regions().len() + place) * self.axes.n_pixels())
    }

    pub(super) fn get(&self, measure: MapMeasure, scale: usize, region: Region) -> Option<&[f64]> {
        let start = self.start(scale, region)?;
        let (_, values) = self.values.iter().find(|(have, _)| *have == measure)?;
        values.get(start..start + self.axes.n_pixels())
    }

    /// Row `y` of a map, to be filled; `None` for a measure that is not wanted.
    pub(super) fn row_mut(
        &mut self,
        measure: MapMeasure,
        scale: usize,
        region: Region,
        y: usize,
    ) -> Option<&mut [f64]> {
        let start = self.start(scale, region)? + y * self.axes.width;
        let (_, values) = self.values.iter_mut().find(|(have, _)| *have == measure)?;
        values.get_mut(start..start + self.axes.width)
    }
}

/// The smallest, the middle and the largest value of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The median; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Range {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
        Self {
            min: at(0),
            median: midway(at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2)),
            max: at(sorted.len().saturating_sub(1)),
        }
    }
}

/// Whether a map of FI is worth looking at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// FI differs from window to window for the network's reasons.
    Informative,
    /// Some windows reach the ceiling; among them FI does not tell.
    PartlySaturated,
    /// Nearly all do: the map is flat, and FI_λ takes its place.
    Saturated,
}

/// What the maps of one scale and region say in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapSummary {
    /// The side of the windows.
    pub scale: usize,
    /// The channels.
    pub region: Region,
    /// The share of windows whose FI is at least 99 % of its ceiling.
    pub saturated_share: f64,
    /// The share of windows that move the output in every direction.
    pub full_rank_share: f64,
    /// FI.
    pub fi: Range,
    /// FI_λ.
    pub fi_lambda: Range,
    /// FI in the published program's arithmetic, if it was asked for.
    pub compat_fi: Option<Range>,
    /// The pixel (row, column) around which FI_λ is largest; the first of several.
    pub peak: (usize, usize),
    /// How to take the map of FI.
    pub verdict: Verdict,
}

impl MapSummary {
    pub(super) fn new(map: &ImageMap, scale: usize, region: Region) -> Option<Self> {
        let plane = |measure| map.plane(measure, scale, region);
        let saturation = plane(MapMeasure::Saturation)?;
        let fi_lambda = plane(MapMeasure::FiLambda)?;
        let share = |n: usize| n as f64 / saturation.len().max(1) as f64;
        let saturated_share = share(saturation.iter().filter(|&&s| s >= SATURATED).count());
        let full = map.rank_max as f64;
        let ranks = plane(MapMeasure::Rank)?;
        let peak = (0..fi_lambda.len()).fold(0, |best, at| {
            if fi_lambda[at] > fi_lambda[best] {
                at
            } else {
                best
            }
        });
        Some(Self {
            scale,
            region,
            saturated_share,
            full_rank_share: share(ranks.iter().filter(|&&rank| rank >= full).count()),
            fi: Range::of(plane(MapMeasure::Fi)?),
            fi_lambda: Range::of(fi_lambda),
            compat_fi: plane(MapMeasure::CompatFi).map(Range::of),
            peak: (peak / map.axes.width, peak % map.axes.width),
            verdict: match saturated_share {
                share if share >= ALMOST_ALL => Verdict::Saturated,
                0.0 => Verdict::Informative,
                _ => Verdict::PartlySaturated,
            },
        })
    }

    /// The measure that a picture should show: FI, or FI_λ where FI is saturated.
    pub fn shown(&self) -> MapMeasure {
        match self.verdict {
            Verdict::Saturated => MapMeasure::FiLambda,
            _ => MapMeasure::Fi,
        }
    }
}
