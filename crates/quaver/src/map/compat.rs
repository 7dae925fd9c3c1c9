//! The two maps of the published program's arithmetic.
//!
//! Its cut is absolute, and at ε = 10⁻⁸ lies where squares of singular values are rounding: every window goes through
//! the singular values of its own factor, as a sample's score does, and none through the shortcuts of the other maps.

use quaver_engine::Real;
use quaver_geometry::{ClassGram, Contrasts, Softmax, published};
use quaver_kernels::spectra::n_packed;

use super::MapMeasure;
use super::planes::Planes;
use super::windows::Windows;
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
    let n = windows.n_free();
    let width = windows.axes.width;
    let identity: Vec<f64> = (0..n * n)
        .map(|at| f64::from(u8::from(at / n == at % n)))
        .collect();
    let mut gram = vec![0.0; n * n];
    let (mut fi, mut rank) = (vec![0.0; width], vec![0.0; width]);
    windows.slide(&identity, |row| {
        for x in 0..width {
            for i in 0..n {
                for j in 0..=i {
                    let value = row.planes[(n_packed(i) + j) * width + x];
                    gram[i * n + j] = value;
                    gram[j * n + i] = value;
                }
            }
            let window = ClassGram::from_contrasts(contrasts, &gram)?;
            let found = published(softmax, &window, label, epsilon)?;
            fi[x] = found.fi;
            rank[x] = found.rank as f64;
        }
        for (measure, values) in [(MapMeasure::CompatFi, &fi), (MapMeasure::CompatRank, &rank)] {
            if let Some(cells) = planes.row_mut(measure, row.scale, row.region, row.y) {
                cells.copy_from_slice(values);
            }
        }
        Ok(())
    })
}
