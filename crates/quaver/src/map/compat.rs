//! The two maps of the published program's arithmetic.
//!
//! Its cut is absolute, and at ε = 10⁻⁸ lies where sums of squares are rounding. So every window is decomposed on its own,
//! from the Jacobian's columns, and none through the sums by which the other maps are made.

use quaver_engine::Real;
use quaver_geometry::{Contrasts, Published, Softmax};

use super::planes::Planes;
use super::windows::Windows;
use super::{MapMeasure, Region};
use crate::Error;

/// Fills in FI and rank of −log p_`label` with this ε.
pub(super) fn measure<T: Real>(
    windows: &Windows<'_, T>,
    contrasts: &Contrasts,
    softmax: &Softmax,
    label: usize,
    epsilon: f64,
    planes: &mut Planes,
) -> Result<(), Error> {
    let published = Published::new(softmax, contrasts, label, epsilon)?;
    let axes = windows.axes;
    let (height, width) = (axes.height, axes.width);
    let (mut fi, mut rank) = (vec![0.0; width], vec![0.0; width]);
    let mut columns = Vec::new();
    for (scale, &side) in windows.scales.iter().enumerate() {
        let near = |middle: usize, n: usize| {
            middle.saturating_sub(side / 2)..(middle + side / 2 + 1).min(n)
        };
        for region in axes.regions() {
            let channels = match region {
                Region::All => 0..axes.channels,
                Region::Channel(channel) => channel..channel + 1,
            };
            for y in 0..height {
                for x in 0..width {
                    columns.clear();
                    for channel in channels.clone() {
                        for row in near(y, height) {
                            let (start, step) = axes.row(channel, row);
                            for column in near(x, width) {
                                windows.push_column(start + step * column, &mut columns);
                            }
                        }
                    }
                    let found = published.of(&columns)?;
                    (fi[x], rank[x]) = (found.fi, found.rank as f64);
                }
                if let Some(first) = planes.first(scale, region, y) {
                    planes.fill(MapMeasure::CompatFi, first, &fi, |x| x);
                    planes.fill(MapMeasure::CompatRank, first, &rank, |x| x);
                }
            }
        }
    }
    Ok(())
}
