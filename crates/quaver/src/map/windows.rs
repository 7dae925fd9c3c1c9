//! From one Jacobian to the sums of all windows, and from those to measures.
//!
//! In whitened coordinates ([`Whitening`]) a pixel is a vector f of K − 1 numbers, and a window M = Σ f fᵀ. Rows of
//! pixels become rows of outer products; these are added up along rows, then down columns, then over channels, so that
//! every window of every scale comes by once, as one row of matrices at a time. Nothing of the size of the image is kept
//! but the maps.

use quaver_engine::Real;
use quaver_geometry::Whitening;
use quaver_kernels::moving::{DownColumns, Padded, along_rows, total};
use quaver_kernels::outer::{Stretch, products, transformed};
use quaver_kernels::spectra::{Question, Spectra, n_packed};

use super::planes::Planes;
use super::{ImageAxes, MapMeasure, Region};

/// The windows of one image.
pub(super) struct Windows<'a, T> {
    /// E J, contrasts × n.
    pub(super) jacobian: &'a [T],
    pub(super) axes: ImageAxes,
    pub(super) scales: &'a [usize],
}

/// A row of windows: where it belongs, and its matrices entry by entry.
pub(super) struct Row<'a> {
    /// The position among the scales.
    pub(super) scale: usize,
    pub(super) region: Region,
    pub(super) y: usize,
    /// K′ (K′ + 1)/2 × width.
    pub(super) planes: &'a [f64],
    /// What the matrices are sums of, K′ × width each, where that is fewer than K′ vectors.
    few: Option<&'a [Vec<f64>]>,
}

impl<T: Real> Windows<'_, T> {
    /// K′, the number of contrasts.
    pub(super) fn n_free(&self) -> usize {
        self.jacobian.len() / (self.axes.n_pixels() * self.axes.channels)
    }

    /// Appends the column of one coordinate, K′ values.
    pub(super) fn push_column(&self, at: usize, columns: &mut Vec<f64>) {
        let n = self.axes.n_pixels() * self.axes.channels;
        let rows = self.jacobian.chunks_exact(n);
        columns.extend(rows.map(|row| row[at].to_f64()));
    }

    /// Hands every row of windows to `visit`, as sums of f fᵀ with f = `transform` (K′ × K′) times the rows' columns.
    ///
    /// # Errors
    /// The first of `visit`.
    pub(super) fn slide<E>(
        &self,
        transform: &[f64],
        mut visit: impl FnMut(Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let ImageAxes {
            channels,
            height,
            width,
            ..
        } = self.axes;
        let v = self.n_free();
        let shape = Padded {
            width,
            margin: self.scales.iter().max().map_or(0, |side| side / 2),
        };
        let n_row = n_packed(v) * width;
        let mut vectors = vec![vec![0.0; v * width]; channels];
        let (mut gathered, mut doubled) = (Vec::new(), Vec::new());
        let mut pixels = vec![vec![0.0; n_packed(v) * shape.pitch()]; channels];
        let mut whole = vec![0.0; n_row];
        let columns = |&side: &usize| vec![DownColumns::new(side, n_row); channels];
        let mut down: Vec<Vec<DownColumns>> = self.scales.iter().map(columns).collect();

        for y in 0..height + shape.margin {
            if y < height {
                let rows = pixels.iter_mut().zip(&mut vectors);
                for (channel, (pixels, vectors)) in rows.enumerate() {
                    let (start, step) = self.axes.row(channel, y);
                    let stretch = Stretch {
                        n: self.axes.n_pixels() * channels,
                        start,
                        step,
                        width,
                    };
                    transformed(transform, self.jacobian, stretch, &mut gathered, vectors);
                    products(vectors, shape, pixels);
                }
            }
            for (scale, (&side, down)) in self.scales.iter().zip(&mut down).enumerate() {
                if y >= height + side / 2 {
                    continue;
                }
                let mut all = Vec::with_capacity(channels);
                for (down, pixels) in down.iter_mut().zip(&pixels) {
                    let coming = down.coming();
                    match y < height {
                        true => along_rows(pixels, shape, side, &mut doubled, coming),
                        false => coming.fill(0.0),
                    }
                    all.extend(down.push());
                }
                if all.is_empty() {
                    continue;
                }
                let row = |region, planes, few| Row {
                    scale,
                    region,
                    y: y - side / 2,
                    planes,
                    few,
                };
                if let [sums] = *all {
                    visit(row(Region::All, sums, None))?;
                    continue;
                }
                for (channel, &sums) in all.iter().enumerate() {
                    visit(row(Region::Channel(channel), sums, None))?;
                }
                total(&all, &mut whole);
                let few = (side == 1 && channels < v).then_some(vectors.as_slice());
                visit(row(Region::All, &whole, few))?;
            }
        }
        Ok(())
    }

    /// Fills in every measure but those of the published arithmetic. `question` is in whitened units.
    pub(super) fn measure(
        &self,
        transform: &[f64],
        whitening: &Whitening,
        question: Question,
        planes: &mut Planes,
    ) {
        let (n, width) = (self.n_free(), self.axes.width);
        let mut spectra = Spectra::new(n, question, planes.n_windows());
        let mut traces = vec![0.0; width];
        let visited: Result<(), std::convert::Infallible> = self.slide(transform, |row| {
            let Some(first) = planes.first(row.scale, row.region, row.y) else {
                return Ok(());
            };
            let plane = |at: usize| &row.planes[at * width..(at + 1) * width];
            let diagonal: Vec<&[f64]> = (1..=n).map(|i| plane(n_packed(i) - 1)).collect();
            total(&diagonal, &mut traces);
            let last = plane(n_packed(n) - 1);
            let is_of_one = self.axes.channels == 1 || row.region != Region::All;
            match row.few {
                _ if self.scales[row.scale] == 1 && is_of_one => {
                    spectra.row_of_one(&traces, last, first);
                }
                Some(vectors) => spectra.row_of_few(vectors, row.planes, first),
                None => spectra.row(row.planes, first),
            }
            let (metric, gradient) = (whitening.metric(), whitening.gradient());
            planes.fill(MapMeasure::FisherTrace, first, &traces, |x| metric * x);
            planes.fill(MapMeasure::Gradient2, first, last, |x| gradient * x);
            Ok(())
        });
        match visited {
            Ok(()) => (),
            Err(never) => match never {},
        }
        let found = spectra.finish();
        let fi_max = whitening.fi_max();
        planes.fill(MapMeasure::Fi, 0, &found.kept, |x| fi_max * x);
        planes.fill(MapMeasure::Saturation, 0, &found.kept, |x| x);
        planes.fill(MapMeasure::FiLambda, 0, &found.budgeted, |x| fi_max * x);
        planes.fill(MapMeasure::Rank, 0, &found.rank, f64::from);
    }
}
