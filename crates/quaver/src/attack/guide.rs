//! Maps that say which pixel to change: the influence measure of every pixel, and what does not saturate.
//!
//! In the square-root coordinates of the output the columns of the Jacobian are A = Qᵀ J (K × n, Q Qᵀ = C the Fisher
//! information of the softmax), the objective f = −log p_y is the vector q = Qᵀ ∂f/∂p, and FI of any set of coordinates
//! is the squared length of the projection of q on the span of their columns (derived; see docs/math.md). So FI of a
//! pixel needs a c × c eigenproblem for its c channels.

use quaver_geometry::{
    ClassGram, Classes, Contrasts, Measures, Objective, Published, Settings, Softmax, measure,
};

use super::space::Pixels;
use super::victim::{Answer, Stop, Victim};
use crate::ScoreOptions;

/// What is read off the network once, for maps at one point.
pub(super) struct Sensitivity {
    /// The rows of K′ − 1 contrasts, (K′ − 1) × n.
    rows: Vec<f64>,
    contrasts: Contrasts,
    logits: Vec<f64>,
    /// Where the goal's class is among the K′ kept ones.
    label: usize,
    /// A, coordinate by coordinate: n × K′.
    columns: Vec<f64>,
    /// q · √p_y: the map does not depend on the factor, and it is finite where p_y is not a number.
    direction: Vec<f64>,
    /// ∂f/∂u (n values).
    gradient: Vec<f64>,
    /// FI in the published program's arithmetic, where it is asked for, and p_y.
    published: Option<(Published, f64)>,
}

/// How a map is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct GuideSettings {
    /// Eigenvalues above `rtol` times the largest of the pixel count.
    pub rtol: f64,
    /// The λ of FI_λ, per squared unit of the box.
    pub lambda: f64,
    /// The ε of the published program's arithmetic, in place of FI itself.
    pub compat: Option<f64>,
    /// Which classes are kept apart; `None` for what scores do by default.
    pub classes: Option<Classes>,
}

impl Sensitivity {
    /// Reads the Jacobian at the point that was last asked about and answered by `answer`.
    pub(super) fn read(
        victim: &mut Victim<'_>,
        answer: &Answer,
        settings: GuideSettings,
    ) -> Result<Self, Stop> {
        let label = victim.goal.class;
        let classes = ScoreOptions {
            classes: settings.classes,
            ..ScoreOptions::default()
        };
        let classes = classes.classes(answer.softmax.n_classes());
        let lumping = classes.at(answer.softmax.log_p(), label)?;
        let rows = victim.pull_back(&lumping.cotangents());
        let softmax = Softmax::new(lumping.logits())?;
        let contrasts = lumping.contrasts();
        let label = lumping.position(label).unwrap_or_default();
        let (n, k) = (victim.start.len(), softmax.n_classes());
        let m = contrasts.n_cotangents();
        // W = Qᵀ Eᵀ (K × (K−1)): row i of Qᵀ is √p_i (e_i − p).
        let mut weights = vec![0.0; k * m];
        for i in 0..k {
            let root = softmax.p()[i].sqrt();
            for v in 0..m {
                weights[i * m + v] = root * against_mean(&softmax, i, contrasts.row(v));
            }
        }
        let mut columns = vec![0.0; n * k];
        for (i, column) in columns.chunks_exact_mut(k).enumerate() {
            for (a, weights) in column.iter_mut().zip(weights.chunks_exact(m)) {
                *a = (0..m).map(|v| weights[v] * rows[v * n + i]).sum();
            }
        }
        // ∇f = (p − e_y)ᵀ J, and p − e_y has no part along the ones that E leaves out.
        let along: Vec<f64> = (0..m)
            .map(|v| -against_mean(&softmax, label, contrasts.row(v)))
            .collect();
        let gradient = (0..n)
            .map(|i| (0..m).map(|v| along[v] * rows[v * n + i]).sum())
            .collect();
        let p_label = softmax.p()[label];
        let entry = |i: usize| match i == label {
            true => -softmax.complement(label),
            false => (softmax.p()[i] * p_label).sqrt(),
        };
        let published = match settings.compat {
            None => None,
            Some(epsilon) => {
                let published = Published::new(&softmax, &contrasts, label, epsilon)?;
                Some((published, p_label))
            }
        };
        Ok(Self {
            published,
            direction: (0..k).map(entry).collect(),
            logits: lumping.logits().to_vec(),
            rows,
            contrasts,
            label,
            columns,
            gradient,
        })
    }

    fn k(&self) -> usize {
        self.direction.len()
    }

    fn column(&self, i: usize) -> &[f64] {
        &self.columns[i * self.k()..][..self.k()]
    }

    /// FI of a pixel times p_y.
    pub(super) fn fi(
        &self,
        pixels: Pixels,
        pixel: usize,
        settings: GuideSettings,
    ) -> Result<f64, Stop> {
        if let Some((published, p_label)) = &self.published {
            let n = self.gradient.len();
            let rows = || self.rows.chunks_exact(n);
            let columns = pixels
                .coordinates(pixel)
                .flat_map(|at| rows().map(move |row| row[at]));
            return Ok(p_label * published.of(&columns.collect::<Vec<f64>>())?.fi);
        }
        let (gram, along) = self.block(pixels, pixel);
        let (values, vectors) = eigen(gram, along.len());
        let cut = settings.rtol * values.iter().copied().fold(0.0, f64::max);
        Ok(projected(&values, &vectors, &along, cut))
    }

    /// FI_λ of a pixel times p_y.
    pub(super) fn fi_lambda(&self, pixels: Pixels, pixel: usize, settings: GuideSettings) -> f64 {
        let (gram, along) = self.block(pixels, pixel);
        let (mut values, vectors) = eigen(gram, along.len());
        values
            .iter_mut()
            .for_each(|value| *value = value.max(0.0) + settings.lambda);
        projected(&values, &vectors, &along, 0.0)
    }

    /// ‖∂f/∂pixel‖².
    pub(super) fn gradient_squared(&self, pixels: Pixels, pixel: usize) -> f64 {
        pixels
            .coordinates(pixel)
            .map(|i| self.gradient[i].powi(2))
            .sum()
    }

    /// The most that f can change in the wanted direction (`sign` −1: grow, 1: shrink) to first order, the pixel's
    /// values staying in the box.
    pub(super) fn reach(&self, pixels: Pixels, pixel: usize, u: &[f64], sign: f64) -> f64 {
        let one = |i: usize| {
            let slope = -sign * self.gradient[i];
            (slope * (1.0 - u[i])).max(-slope * u[i])
        };
        pixels.coordinates(pixel).map(one).sum()
    }

    /// G of a pixel's channels (c × c), and ∇f · √p_y along them.
    fn block(&self, pixels: Pixels, pixel: usize) -> (Vec<f64>, Vec<f64>) {
        let at: Vec<usize> = pixels.coordinates(pixel).collect();
        let columns: Vec<&[f64]> = at.iter().map(|&i| self.column(i)).collect();
        block(&columns, &self.direction)
    }

    /// A pixel's measures, from its class Gram.
    pub(super) fn measures(
        &self,
        pixels: Pixels,
        pixel: usize,
        settings: GuideSettings,
    ) -> Result<Measures, Stop> {
        let (m, n) = (self.contrasts.n_cotangents(), self.gradient.len());
        let mut gram = vec![0.0; m * m];
        for i in pixels.coordinates(pixel) {
            for (at, value) in gram.iter_mut().enumerate() {
                *value += self.rows[at / m * n + i] * self.rows[at % m * n + i];
            }
        }
        let gram = ClassGram::from_contrasts(&self.contrasts, &gram)?;
        let settings = Settings::new(settings.rtol, settings.lambda, None)?;
        let objective = Objective::NegLogLik { label: self.label };
        Ok(measure(&self.logits, &gram, objective, &settings)?)
    }
}

/// (e_i − p) · x without the loss of digits where p_i is nearly 1.
fn against_mean(softmax: &Softmax, i: usize, x: &[f64]) -> f64 {
    let own = softmax.complement(i) * x[i];
    let others = softmax.p().iter().zip(x).enumerate();
    own - others
        .filter(|(k, _)| *k != i)
        .map(|(_, (p, x))| p * x)
        .sum::<f64>()
}

/// The positions of the values, the largest first, equal ones in their order.
pub(super) fn descending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inner products of the columns with each other (c × c) and with `direction` (c values).
fn block(columns: &[&[f64]], direction: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let pairs = columns
        .iter()
        .flat_map(|a| columns.iter().map(|b| dot(a, b)));
    let along = columns.iter().map(|a| dot(a, direction));
    (pairs.collect(), along.collect())
}

/// Σ (v_i · b)² / λ_i over the eigenvalues above `cut`.
fn projected(values: &[f64], vectors: &[f64], b: &[f64], cut: f64) -> f64 {
    let c = b.len();
    let term = |i: usize| dot(&vectors[i * c..][..c], b).powi(2) / values[i];
    (0..c).filter(|&i| values[i] > cut).map(term).sum()
}

/// Eigenvalues and eigenvectors (as rows) of a small symmetric matrix, by Jacobi's rotations (Golub & Van Loan, *Matrix
/// Computations*, §8.5): simple, and accurate for the c × c of a pixel.
fn eigen(mut a: Vec<f64>, c: usize) -> (Vec<f64>, Vec<f64>) {
    const SWEEPS: usize = 60;
    let mut vectors = vec![0.0; c * c];
    (0..c).for_each(|i| vectors[i * c + i] = 1.0);
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..c {
            for q in p + 1..c {
                let off = a[p * c + q];
                if off.abs() <= f64::EPSILON * (a[p * c + p].abs() * a[q * c + q].abs()).sqrt() {
                    continue;
                }
                rotated = true;
                let theta = (a[q * c + q] - a[p * c + p]) / (2.0 * off);
                let sign = if theta >= 0.0 { 1.0 } else { -1.0 };
                let t = sign / (theta.abs() + theta.hypot(1.0));
                let (cos, sin) = (1.0 / t.hypot(1.0), t / t.hypot(1.0));
                for i in 0..c {
                    let (x, y) = (a[i * c + p], a[i * c + q]);
                    (a[i * c + p], a[i * c + q]) = (cos * x - sin * y, sin * x + cos * y);
                }
                for i in 0..c {
                    let (x, y) = (a[p * c + i], a[q * c + i]);
                    (a[p * c + i], a[q * c + i]) = (cos * x - sin * y, sin * x + cos * y);
                    let (x, y) = (vectors[p * c + i], vectors[q * c + i]);
                    (vectors[p * c + i], vectors[q * c + i]) =
                        (cos * x - sin * y, sin * x + cos * y);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    ((0..c).map(|i| a[i * c + i]).collect(), vectors)
}
