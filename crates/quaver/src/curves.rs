//! How well a score ranks: ROC and precision–recall curves.
//!
//! A larger score means "more likely positive". Samples with equal scores cannot be told apart by any threshold, so they
//! enter the curves as one step, whatever their order in the data; infinite scores are ordinary ends of the order.
//! Nothing here knows what the scores are.

use std::fmt;

/// Why there is no curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CurveError {
    /// Scores and labels differ in number.
    Lengths {
        /// How many scores.
        scores: usize,
        /// How many labels.
        labels: usize,
    },
    /// The score of this sample is NaN, which has no rank.
    NotANumber {
        /// The sample's position.
        index: usize,
    },
    /// No sample is positive: recall is undefined.
    NoPositive,
    /// No sample is negative: the false positive rate is undefined, and every ranking is perfect.
    NoNegative,
}

impl fmt::Display for CurveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths { scores, labels } => write!(f, "{scores} scores for {labels} labels"),
            Self::NotANumber { index } => write!(f, "the score of sample {index} is NaN"),
            Self::NoPositive => f.write_str("no sample is positive"),
            Self::NoNegative => f.write_str("no sample is negative"),
        }
    }
}

impl std::error::Error for CurveError {}

/// The receiver operating characteristic.
#[derive(Debug, Clone, PartialEq)]
pub struct Roc {
    /// (false positive rate, true positive rate), from (0, 0) to (1, 1), one point per distinct score. Straight lines
    /// between them.
    pub points: Vec<(f64, f64)>,
    /// The area under them: the probability that a random positive outranks a random negative, ties counting half.
    pub auc: f64,
}

impl Roc {
    /// From the scores of samples and whether each is positive.
    ///
    /// # Errors
    /// See [`CurveError`].
    pub fn new(scores: &[f64], positive: &[bool]) -> Result<Self, CurveError> {
        let steps = steps(scores, positive)?;
        let total = steps[steps.len() - 1];
        let (p, n) = (total.positives as f64, total.negatives as f64);
        // In whole numbers, so that the order of equal areas cannot depend on rounding: pairs won, counted twice.
        let twice_won: u128 = steps
            .windows(2)
            .map(|pair| {
                let wide = (pair[1].negatives - pair[0].negatives) as u128;
                wide * (pair[0].positives + pair[1].positives) as u128
            })
            .sum();
        Ok(Self {
            points: steps
                .iter()
                .map(|at| (at.negatives as f64 / n, at.positives as f64 / p))
                .collect(),
            auc: twice_won as f64 / (2.0 * p * n),
        })
    }
}

/// The precision–recall curve, with the interpolation of Davis & Goadrich (ICML 2006): between two thresholds true and
/// false positives grow in proportion, so precision is *not* linear in recall, and straight lines would overstate it.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecall {
    /// (recall, precision) with recall from 0 to 1: one point per distinct score, and between them one per achievable
    /// recall, which is where Davis & Goadrich put theirs.
    pub points: Vec<(f64, f64)>,
    /// The exact area under the interpolated curve (the integral, not trapezes between the points).
    pub auc: f64,
    /// Σ (R_i − R_{i−1}) P_i over the distinct scores, in descending order: the step function, without interpolation.
    pub average_precision: f64,
}

impl PrecisionRecall {
    /// From the scores of samples and whether each is positive.
    ///
    /// # Errors
    /// See [`CurveError`].
    pub fn new(scores: &[f64], positive: &[bool]) -> Result<Self, CurveError> {
        let steps = steps(scores, positive)?;
        let p = steps[steps.len() - 1].positives as f64;
        // At recall 0 nothing is retrieved; the curve starts at the limit of its first piece.
        let mut points = vec![(0.0, precision_at(steps[1]))];
        let (mut area, mut average) = (0.0, 0.0);
        for pair in steps.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            for positives in from.positives + 1..to.positives {
                points.push((positives as f64 / p, interpolated(from, to, positives)));
            }
            points.push((to.positives as f64 / p, precision_at(to)));
            area += area_between(from, to);
            average += (to.positives - from.positives) as f64 * precision_at(to);
        }
        // The first threshold may hold negatives only: then the point at recall 0 is there twice.
        points.dedup();
        Ok(Self {
            points,
            auc: area / p,
            average_precision: average / p,
        })
    }
}

/// How well a score ranks positives above the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The receiver operating characteristic.
    pub roc: Roc,
    /// The precision–recall curve.
    pub precision_recall: PrecisionRecall,
    /// The share of positives among as many of the highest scores as there are positives (R-precision); of scores that tie
    /// at the edge, as many count as are expected if they are taken at random.
    pub top_hits: f64,
}

impl Detection {
    /// From the scores of samples and whether each is positive.
    ///
    /// # Errors
    /// See [`CurveError`].
    pub fn new(scores: &[f64], positive: &[bool]) -> Result<Self, CurveError> {
        let steps = steps(scores, positive)?;
        let wanted = steps[steps.len() - 1].positives as f64;
        let pieces = steps.windows(2).map(|pair| (pair[0], pair[1]));
        let mut hits = 0.0;
        for (from, to) in pieces.take_while(|(from, _)| from.total() < wanted) {
            let taken = (wanted - from.total()).min(to.total() - from.total());
            let share = taken / (to.total() - from.total());
            hits += share * (to.positives - from.positives) as f64;
        }
        Ok(Self {
            roc: Roc::new(scores, positive)?,
            precision_recall: PrecisionRecall::new(scores, positive)?,
            top_hits: hits / wanted,
        })
    }
}

/// How many of each kind score at or above a threshold.
#[derive(Debug, Clone, Copy)]
struct Retrieved {
    positives: usize,
    negatives: usize,
}

impl Retrieved {
    fn total(self) -> f64 {
        (self.positives + self.negatives) as f64
    }
}

/// What is retrieved above every threshold, from nothing to everything; at least two entries.
fn steps(scores: &[f64], positive: &[bool]) -> Result<Vec<Retrieved>, CurveError> {
    if scores.len() != positive.len() {
        return Err(CurveError::Lengths {
            scores: scores.len(),
            labels: positive.len(),
        });
    }
    if let Some(index) = scores.iter().position(|score| score.is_nan()) {
        return Err(CurveError::NotANumber { index });
    }
    if !positive.contains(&true) {
        return Err(CurveError::NoPositive);
    }
    if !positive.contains(&false) {
        return Err(CurveError::NoNegative);
    }
    let mut ranked: Vec<(f64, bool)> = scores
        .iter()
        .copied()
        .zip(positive.iter().copied())
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut at = Retrieved {
        positives: 0,
        negatives: 0,
    };
    let mut steps = vec![at];
    // Equal by ==, so that 0 and −0 tie.
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|(_, positive)| *positive).count();
        at.positives += hits;
        at.negatives += tied.len() - hits;
        steps.push(at);
    }
    Ok(steps)
}

fn precision_at(at: Retrieved) -> f64 {
    at.positives as f64 / at.total()
}

/// Precision where `positives` positives are retrieved, between two thresholds.
fn interpolated(from: Retrieved, to: Retrieved, positives: usize) -> f64 {
    let share = (positives - from.positives) as f64 / (to.positives - from.positives) as f64;
    let total = from.total() + share * (to.total() - from.total());
    positives as f64 / total
}

/// ∫ precision d(positives) between two thresholds.
///
/// With x positives the total is n(x) = n₀ + b (x − t₀), b = Δn/Δt, hence, a = n₀ − b t₀,
/// ∫ x/n(x) dx = Δt/b − a/b² · ln(n₁/n₀); from nothing (n₀ = 0) precision is constant.
fn area_between(from: Retrieved, to: Retrieved) -> f64 {
    let wide = (to.positives - from.positives) as f64;
    if wide == 0.0 {
        return 0.0;
    }
    let (n0, grown) = (from.total(), to.total() - from.total());
    let b = grown / wide;
    if n0 == 0.0 {
        return wide / b;
    }
    let a = n0 - b * from.positives as f64;
    wide / b - a / (b * b) * (grown / n0).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFINITY: f64 = f64::INFINITY;

    fn labels(text: &str) -> Vec<bool> {
        text.chars().map(|c| c == '+').collect()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-13
    }

    #[test]
    fn roc_by_hand() {
        // Pairs won by a positive: (4 over 3), (4 over 1), (2 over 1), and 2 loses to 3.
        let roc = Roc::new(&[4., 3., 2., 1.], &labels("+-+-")).unwrap();
        assert_eq!(roc.auc, 0.75);
        let expected = [(0., 0.), (0., 0.5), (0.5, 0.5), (0.5, 1.), (1., 1.)];
        assert_eq!(roc.points, expected);
    }

    #[test]
    fn precision_recall_by_hand() {
        // Precision 1 up to recall ½; then n = 2 + (x − 1), a = 1, b = 1: ∫₁² x/(x + 1) dx = 1 − ln(3/2).
        let curve = PrecisionRecall::new(&[4., 3., 2., 1.], &labels("+-+-")).unwrap();
        assert!(close(curve.auc, (1.0 + 1.0 - 1.5f64.ln()) / 2.0));
        assert!(close(curve.average_precision, 0.5 * 1.0 + 0.5 * 2.0 / 3.0));
        let expected = [(0., 1.), (0.5, 1.), (0.5, 0.5), (1., 2. / 3.), (1., 0.5)];
        assert_eq!(curve.points, expected);
    }

    #[test]
    fn the_example_of_davis_and_goadrich() {
        // Their section 4: 20 positives, 2000 negatives, A has TP 5 and FP 5, B has TP 10 and FP 30.
        let groups = [(5, 5), (5, 25), (10, 1970)];
        let (mut scores, mut positive) = (Vec::new(), Vec::new());
        for (at, (hits, misses)) in groups.into_iter().enumerate() {
            scores.extend(vec![-(at as f64); hits + misses]);
            positive.extend(vec![true; hits]);
            positive.extend(vec![false; misses]);
        }
        let curve = PrecisionRecall::new(&scores, &positive).unwrap();
        // Recall .25 … .50, precision .500 .375 .318 .286 .265 .250.
        for (tp, expected) in [
            (5, 0.5),
            (6, 0.375),
            (7, 7.0 / 22.0),
            (8, 0.286),
            (9, 0.265),
            (10, 0.25),
        ] {
            let (recall, precision) = curve.points[tp];
            assert_eq!(recall, tp as f64 / 20.0);
            assert!((precision - expected).abs() < 5e-4, "{tp}: {precision}");
        }
        // The integral against a fine midpoint sum of the same interpolation.
        let fine = |from: (f64, f64), to: (f64, f64)| -> f64 {
            let n = 100_000;
            let piece = |i: usize| {
                let share = (i as f64 + 0.5) / n as f64;
                let tp = from.0 + share * (to.0 - from.0);
                let fp = from.1 + share * (to.1 - from.1);
                tp / (tp + fp) * (to.0 - from.0) / n as f64
            };
            (0..n).map(piece).sum()
        };
        let sum =
            fine((0., 0.), (5., 5.)) + fine((5., 5.), (10., 30.)) + fine((10., 30.), (20., 2000.));
        assert!((curve.auc - sum / 20.0).abs() < 1e-9);
    }

    #[test]
    fn perfect_reversed_and_constant() {
        let perfect = [2., 2., 1., 1., 1.];
        let reversed = [1., 1., 2., 2., 2.];
        let constant = [0., -0., 0., -0., 0.];
        let positive = labels("++---");
        let roc = |scores: &[f64]| Roc::new(scores, &positive).unwrap();
        let curve = |scores: &[f64]| PrecisionRecall::new(scores, &positive).unwrap();
        assert_eq!(roc(&perfect).auc, 1.0);
        assert_eq!(roc(&reversed).auc, 0.0);
        assert_eq!(roc(&constant).auc, 0.5);
        assert_eq!(roc(&constant).points, [(0., 0.), (1., 1.)]);
        assert!(close(curve(&perfect).auc, 1.0) && close(curve(&perfect).average_precision, 1.0));
        // A constant score has the precision of the base rate at every recall.
        assert!(close(curve(&constant).auc, 0.4) && close(curve(&constant).average_precision, 0.4));
        assert_eq!(curve(&constant).points, [(0., 0.4), (0.5, 0.4), (1., 0.4)]);
        assert_eq!(curve(&reversed).points[0], (0.0, 0.0));
        assert!(close(curve(&reversed).average_precision, 0.4));
        // ∫₀² x/(3 + x) dx = 2 − 3 ln(5/3).
        assert!(close(
            curve(&reversed).auc,
            (2.0 - 3.0 * (5f64 / 3.0).ln()) / 2.0
        ));
    }

    #[test]
    fn auc_counts_pairs_in_any_order() {
        // A small linear congruence makes scores with many ties, and labels.
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize
        };
        let (scores, positive): (Vec<f64>, Vec<bool>) = (0..300)
            .map(|_| ((next() % 40) as f64, next() % 3 == 0))
            .unzip();
        let mut won = 0.0;
        let mut pairs = 0.0;
        for (a, _) in scores.iter().zip(&positive).filter(|(_, p)| **p) {
            for (b, _) in scores.iter().zip(&positive).filter(|(_, p)| !**p) {
                pairs += 1.0;
                won += if a > b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
            }
        }
        let roc = Roc::new(&scores, &positive).unwrap();
        assert!(close(roc.auc, won / pairs));
        let backwards = |v: &[f64]| v.iter().rev().copied().collect::<Vec<_>>();
        let reversed: Vec<bool> = positive.iter().rev().copied().collect();
        assert_eq!(roc, Roc::new(&backwards(&scores), &reversed).unwrap());
        let curve = PrecisionRecall::new(&scores, &positive).unwrap();
        assert_eq!(
            curve,
            PrecisionRecall::new(&backwards(&scores), &reversed).unwrap()
        );
        assert!(curve.points.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert_eq!(curve.points.last().unwrap().0, 1.0);
    }

    #[test]
    fn top_hits_by_hand() {
        let hits =
            |scores: &[f64], text: &str| Detection::new(scores, &labels(text)).unwrap().top_hits;
        assert_eq!(hits(&[4., 3., 2., 1.], "+-+-"), 0.5);
        assert_eq!(hits(&[4., 3., 2., 1.], "++--"), 1.0);
        // One of the two best is sure; the other is one of three that tie, one of them positive.
        assert!(close(
            hits(&[4., 2., 2., 2.], "++--"),
            (1.0 + 1.0 / 3.0) / 2.0
        ));
        assert!(close(hits(&[1., 1., 1., 1.], "+---"), 0.25));
    }

    #[test]
    fn infinite_scores_are_the_ends() {
        let roc = Roc::new(&[INFINITY, 0., INFINITY, -INFINITY], &labels("+--+")).unwrap();
        assert_eq!(roc.auc, 0.375);
    }

    #[test]
    fn what_has_no_curve() {
        let both = |scores: &[f64], text: &str, expected: CurveError| {
            assert_eq!(Roc::new(scores, &labels(text)).unwrap_err(), expected);
            assert_eq!(
                PrecisionRecall::new(scores, &labels(text)).unwrap_err(),
                expected
            );
        };
        both(
            &[1.],
            "+-",
            CurveError::Lengths {
                scores: 1,
                labels: 2,
            },
        );
        both(&[1., f64::NAN], "+-", CurveError::NotANumber { index: 1 });
        both(&[1., 2.], "--", CurveError::NoPositive);
        both(&[1., 2.], "++", CurveError::NoNegative);
        both(&[], "", CurveError::NoPositive);
        assert_eq!(
            CurveError::NotANumber { index: 3 }.to_string(),
            "the score of sample 3 is NaN"
        );
    }
}
