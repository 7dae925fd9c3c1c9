//! From one Jacobian to the sums of all windows, and from those to measures.
//!
//! In whitened coordinates ([`Whitening`]) a pixel is a vector f of K − 1 numbers, and a window M = Σ f fᵀ. Rows of
//! pixels become rows of outer products; these are added up along rows, then down columns, then over channels, so that
//! every window of every scale comes by once, as one row of matrices at a time. Nothing of the size of the image is kept
//! but the maps.

use quaver_engine::Real;
use quaver_geometry::Whitening;
use quaver_kernels::elementwise::add;
use quaver_kernels::moving::{DownColumns, along_rows};
use quaver_kernels::outer::{Stretch, products, transformed};
use quaver_kernels::spectra::{Question, Scratch, Shares, n_packed, shares, shares_of_few};

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
        let n_row = n_packed(v) * width;
        let mut vectors = vec![vec![0.0; v * width]; channels];
        let (mut gathered, mut padded) = (Vec::new(), Vec::new());
        let mut pixels = vec![vec![0.0; n_row]; channels];
        let (mut along, mut total) = (vec![0.0; n_row], vec![0.0; n_row]);
        let columns = |&side: &usize| vec![DownColumns::new(side, n_row); channels];
        let mut down: Vec<Vec<DownColumns>> = self.scales.iter().map(columns).collect();
        let reach = self.scales.iter().max().map_or(0, |side| side / 2);

        for y in 0..height + reach {
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
                    products(vectors, width, pixels);
                }
            }
            for (scale, (&side, down)) in self.scales.iter().zip(&mut down).enumerate() {
                if y >= height + side / 2 {
                    continue;
                }
                total.fill(0.0);
                let mut is_complete = false;
                for (channel, down) in down.iter_mut().enumerate() {
                    let row = match y < height {
                        true => {
                            along_rows(&pixels[channel], width, side, &mut padded, &mut along);
                            Some(along.as_slice())
                        }
                        false => None,
                    };
                    let Some(sums) = down.push(row) else { continue };
                    is_complete = true;
                    let region = match channels {
                        1 => Region::All,
                        _ => Region::Channel(channel),
                    };
                    visit(Row {
                        scale,
                        region,
                        y: y - side / 2,
                        planes: sums,
                        few: None,
                    })?;
                    add(&mut total, sums);
                }
                if is_complete && channels > 1 {
                    visit(Row {
                        scale,
                        region: Region::All,
                        y: y - side / 2,
                        planes: &total,
                        few: (side == 1 && channels < v).then_some(vectors.as_slice()),
                    })?;
                }
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
        let (mut scratch, mut found) = (Scratch::default(), Shares::default());
        let mut traces = vec![0.0; width];
        let visited: Result<(), std::convert::Infallible> = self.slide(transform, |row| {
            let plane = |at: usize| &row.planes[at * width..(at + 1) * width];
            traces.fill(0.0);
            for i in 0..n {
                add(&mut traces, plane(n_packed(i + 1) - 1));
            }
            let last = plane(n_packed(n) - 1);
            if self.scales[row.scale] == 1 && (self.axes.channels == 1 || row.region != Region::All)
            {
                single(&traces, last, n, question, &mut found);
            } else if let Some(vectors) = row.few {
                let planes = row.planes;
                shares_of_few(
                    vectors,
                    planes,
                    n,
                    width,
                    question,
                    &mut scratch,
                    &mut found,
                );
            } else {
                shares(row.planes, n, width, question, &mut scratch, &mut found);
            }
            let fi_max = whitening.fi_max();
            let Shares {
                kept,
                budgeted,
                rank,
            } = &found;
            let (metric, gradient) = (whitening.metric(), whitening.gradient());
            put(planes, &row, MapMeasure::Fi, |x| fi_max * kept[x]);
            put(planes, &row, MapMeasure::Saturation, |x| kept[x]);
            put(planes, &row, MapMeasure::Rank, |x| f64::from(rank[x]));
            put(planes, &row, MapMeasure::FiLambda, |x| fi_max * budgeted[x]);
            put(planes, &row, MapMeasure::FisherTrace, |x| {
                metric * traces[x]
            });
            put(planes, &row, MapMeasure::Gradient2, |x| gradient * last[x]);
            Ok(())
        });
        match visited {
            Ok(()) => (),
            Err(never) => match never {},
        }
    }
}

/// Fills in a measure of a row of windows, if it is wanted.
fn put(planes: &mut Planes, row: &Row<'_>, measure: MapMeasure, value: impl Fn(usize) -> f64) {
    if let Some(cells) = planes.row_mut(measure, row.scale, row.region, row.y) {
        for (x, cell) in cells.iter_mut().enumerate() {
            *cell = value(x);
        }
    }
}

/// One coordinate: M = f fᵀ has the one eigenvalue ‖f‖².
fn single(traces: &[f64], last: &[f64], n: usize, question: Question, found: &mut Shares) {
    let width = traces.len();
    found.kept.resize(width, 0.0);
    found.budgeted.resize(width, 0.0);
    found.rank.resize(width, 0);
    for x in 0..width {
        let moves = traces[x] > 0.0;
        found.rank[x] = u32::from(moves);
        found.kept[x] = match moves {
            true if n == 1 => 1.0,
            true => (last[x] / traces[x]).min(1.0),
            false => 0.0,
        };
        found.budgeted[x] = match moves && question.lambda.is_finite() {
            true => last[x] / (traces[x] + question.lambda),
            false => 0.0,
        };
    }
}
