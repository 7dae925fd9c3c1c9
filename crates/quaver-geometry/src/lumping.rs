//! Many classes: the improbable ones merged into one.

mod choice;
mod probe;
mod translate;

use crate::contrasts::Contrasts;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::softmax::Softmax;

pub use choice::Classes;
pub use probe::LossProbe;

/// A partition of K classes into some that are kept and one that is all the rest, for one sample.
///
/// The rest has the logit log Σ exp z_k and the probability Σ p_k of its members, and ∂/∂ω of that logit is the mean of
/// theirs, J̄ = Σ p_k J_k / Σ p_k. So the lumped network is a softmax of [`n_classes`](Self::n_classes) classes (the kept
/// ones in ascending order, the rest last), which costs one cotangent less than that.
///
/// Lumping never adds Fisher information: the lumped metric is G minus Σ p_k (J_k − J̄)ᵀ(J_k − J̄) over the rest. FI of an
/// objective about kept classes divides the same gradient by that smaller metric, so FI ≤ FI_lumped ≤ FI_max (derived):
/// an upper bound, equal where the block saturates all K classes. A block with fewer coordinates than K − 1 may saturate
/// the lumped problem and not the whole one: its lumped saturation is no evidence.
///
/// 1. Sweep [`cotangents`](Self::cotangents) back, take the Gram of the rows, and give it to
///    [`ClassGram::from_contrasts`](crate::ClassGram::from_contrasts) with [`contrasts`](Self::contrasts).
/// 2. [`measure`](crate::measure) with [`logits`](Self::logits) and [`objective`](Self::objective).
/// 3. Sweep [`probe`](Self::probe) too, and report what was lost.
///
/// The margin radius of a lumped problem is that to the kept classes and to the rest as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Lumping {
    softmax: Softmax,
    /// Ascending.
    kept: Vec<usize>,
    /// p_k/p_rest of the classes that are not kept, else 0 (K values); `None` if all are.
    rest: Option<Vec<f64>>,
    logits: Vec<f64>,
    /// Σ p_k over the rest.
    p_rest: f64,
}

impl Lumping {
    /// Keeps `label` and the `m` most probable other classes, the first of equally probable ones. A rest of one class is
    /// that class, and of none is left out: both are the whole problem.
    ///
    /// # Errors
    /// `OneClass` or `NotFinite` as for [`Softmax::new`], `Label`, `Setting` if `m` is 0.
    pub fn top(logits: &[f64], label: usize, m: usize) -> Result<Self, GeometryError> {
        let softmax = Softmax::new(logits)?;
        let order = ranked(&softmax, label)?;
        if m == 0 {
            return Err(GeometryError::new(
                GeometryErrorKind::Setting,
                "0 classes beside the label: expected at least 1",
            ));
        }
        Ok(Self::keeping(softmax, label, &order[..m.min(order.len())]))
    }

    /// Keeps `label` and as few of the most probable other classes as make
    /// [`expected_loss`](Self::expected_loss) at most `tolerance`, one at least.
    ///
    /// # Errors
    /// As for [`top`](Self::top), `Setting` if `tolerance` is not in [0, 1).
    pub fn auto(logits: &[f64], label: usize, tolerance: f64) -> Result<Self, GeometryError> {
        check_tolerance(tolerance)?;
        let softmax = Softmax::new(logits)?;
        let order = ranked(&softmax, label)?;
        let total = isotropic_trace(&softmax);
        // From the least probable class up, so that small terms are added first: the rest grows while it may.
        let (mut p_rest, mut squares, mut m) = (0.0, 0.0, order.len());
        while m > 1 {
            let p = softmax.p()[order[m - 1]];
            p_rest += p;
            squares += p * p;
            if isotropic_loss(p_rest, squares) > tolerance * total {
                break;
            }
            m -= 1;
        }
        Ok(Self::keeping(softmax, label, &order[..m]))
    }

    fn keeping(softmax: Softmax, label: usize, others: &[usize]) -> Self {
        let k = softmax.n_classes();
        let mut kept = [&[label], others].concat();
        if kept.len() + 1 >= k {
            kept = (0..k).collect();
        }
        kept.sort_unstable();
        let mut logits: Vec<f64> = kept.iter().map(|&k| softmax.logits()[k]).collect();
        if kept.len() == k {
            return Self {
                softmax,
                kept,
                rest: None,
                logits,
                p_rest: 0.0,
            };
        }
        let members: Vec<usize> = (0..k).filter(|k| kept.binary_search(k).is_err()).collect();
        let largest = members
            .iter()
            .fold(f64::NEG_INFINITY, |max, &k| max.max(softmax.logits()[k]));
        let mut weights = vec![0.0; k];
        for &k in &members {
            weights[k] = (softmax.logits()[k] - largest).exp();
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        logits.push(largest + total.ln());
        let p_rest = members.iter().map(|&k| softmax.p()[k]).sum();
        Self {
            softmax,
            kept,
            rest: Some(weights),
            logits,
            p_rest,
        }
    }

    /// The number of classes of the lumped problem: the kept ones, and one more if there is a rest.
    pub fn n_classes(&self) -> usize {
        self.logits.len()
    }

    /// The classes that are kept, ascending.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Whether every class is kept, so that nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// The logits of the lumped problem ([`n_classes`](Self::n_classes) values).
    pub fn logits(&self) -> &[f64] {
        &self.logits
    }

    /// Where `class` is in the lumped problem; `None` if it is in the rest.
    pub fn position(&self, class: usize) -> Option<usize> {
        self.kept.binary_search(&class).ok()
    }

    /// The Jacobian of the lumped logits in the K logits, row-major `n_classes` × K: e_k of a kept class k, p_k/p_rest
    /// of the rest.
    pub fn rows(&self) -> Vec<f64> {
        let k = self.softmax.n_classes();
        let mut rows = vec![0.0; self.kept.len() * k];
        for (row, &class) in self.kept.iter().enumerate() {
            rows[row * k + class] = 1.0;
        }
        rows.extend(self.rest.iter().flatten());
        rows
    }

    /// The contrasts of the lumped classes, for [`ClassGram::from_contrasts`](crate::ClassGram::from_contrasts).
    pub fn contrasts(&self) -> Contrasts {
        Contrasts::helmert(self.n_classes()).expect("the label and another class are kept")
    }

    /// The cotangents to sweep back, row-major (`n_classes` − 1) × K: [`contrasts`](Self::contrasts) of
    /// [`rows`](Self::rows).
    pub fn cotangents(&self) -> Vec<f64> {
        let contrasts = self.contrasts();
        let (rows, k) = (self.rows(), self.softmax.n_classes());
        let mut cotangents = vec![0.0; contrasts.n_cotangents() * k];
        for (v, cotangent) in cotangents.chunks_exact_mut(k).enumerate() {
            let weights = contrasts.row(v).iter().zip(rows.chunks_exact(k));
            for (weight, row) in weights.filter(|(weight, _)| **weight != 0.0) {
                for (sum, x) in cotangent.iter_mut().zip(row) {
                    *sum += weight * x;
                }
            }
        }
        cotangents
    }

    /// (tr G − tr G_lumped)/tr G as it would be if S were a multiple of the identity (the last bias; logits whose
    /// gradients have one length and no correlation): (p_rest − Σ p_k²/p_rest)/(1 − Σ p_k²), the sums over the rest and
    /// over all.
    ///
    /// An estimate from p alone, not a bound: no function of p bounds the loss, for a block that moves nothing but the
    /// rest loses all it has. For a Gram whose K − 1 eigenvalues lie within a factor κ of each other the loss is at most
    /// κ times this (derived). Check it with [`probe`](Self::probe), and lump less where that says so.
    pub fn expected_loss(&self) -> f64 {
        let squares = self
            .rest
            .iter()
            .flatten()
            .map(|q| (self.p_rest * q).powi(2));
        let lost = isotropic_loss(self.p_rest, squares.sum());
        if lost == 0.0 {
            return 0.0;
        }
        lost / isotropic_trace(&self.softmax)
    }

    /// The cotangent that estimates what is lost, for sample `index` of a run with `seed`; `None` if nothing is.
    pub fn probe(&self, seed: u64, index: usize) -> Option<LossProbe> {
        let weights = self.rest.as_ref()?;
        Some(LossProbe::new(weights, self.p_rest, seed, index))
    }
}

/// All classes but `label`, most probable first, ties by index.
fn ranked(softmax: &Softmax, label: usize) -> Result<Vec<usize>, GeometryError> {
    softmax.check_label(label)?;
    let logits = softmax.logits();
    let mut order: Vec<usize> = (0..logits.len()).filter(|&k| k != label).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    Ok(order)
}

/// tr C = 1 − Σ p_k², without cancellation.
fn isotropic_trace(softmax: &Softmax) -> f64 {
    let terms = softmax.p().iter().enumerate();
    terms.map(|(k, p)| p * softmax.complement(k)).sum()
}

/// What the trace of C loses when classes of probability `p_rest` and squared probabilities `squares` are merged.
fn isotropic_loss(p_rest: f64, squares: f64) -> f64 {
    if p_rest == 0.0 {
        return 0.0;
    }
    (p_rest - squares / p_rest).max(0.0)
}

fn check_tolerance(tolerance: f64) -> Result<(), GeometryError> {
    if (0.0..1.0).contains(&tolerance) {
        return Ok(());
    }
    Err(GeometryError::new(
        GeometryErrorKind::Setting,
        format!("tolerance {tolerance} of merged classes: expected at least 0 and less than 1"),
    ))
}
