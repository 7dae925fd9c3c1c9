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
        let mut planes = Self {
            axes,
            n_scales,
            values: Vec::new(),
        };
        let n = planes.n_windows();
        planes.values = measures.iter().map(|&m| (m, vec![0.0; n])).collect();
        planes
    }

    /// Windows of all scales and regions.
    pub(super) fn n_windows(&self) -> usize {
        self.n_scales * self.axes.regions().len() * self.axes.n_pixels()
    }

    /// The number, among all windows, of the first of row `y` of a map.
    pub(super) fn first(&self, scale: usize, region: Region, y: usize) -> Option<usize> {
        let place = self.axes.place(region).filter(|_| scale < self.n_scales)?;
        let map = scale * self.axes.regions().len() + place;
        Some(map * self.axes.n_pixels() + y * self.axes.width)
    }

    pub(super) fn get(&self, measure: MapMeasure, scale: usize, region: Region) -> Option<&[f64]> {
        let start = self.first(scale, region, 0)?;
        let (_, values) = self.values.iter().find(|(have, _)| *have == measure)?;
        values.get(start..start + self.axes.n_pixels())
    }

    /// Fills in a measure of the windows from number `first` on, if it is wanted: `value` of each of `of`.
    pub(super) fn fill<T: Copy>(
        &mut self,
        measure: MapMeasure,
        first: usize,
        of: &[T],
        value: impl Fn(T) -> f64,
    ) {
        let wanted = self.values.iter_mut().find(|(have, _)| *have == measure);
        if let Some((_, values)) = wanted {
            let cells = values[first..].iter_mut();
            cells
                .zip(of)
                .for_each(|(cell, &number)| *cell = value(number));
        }
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
