//! Influence of a perturbation that is not small: two forward passes, no derivative.

use crate::bernoullis::log_probability;
use crate::error::{GeometryError, GeometryErrorKind};
use crate::objective::Objective;
use crate::output::Output;

/// What a finite perturbation did to the objective, per distance between the two output distributions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FiniteInfluence {
    /// (f(q) − f(p))²/d², → at most FI as q → p, with equality along the direction of greatest influence. Units of FI; 0
    /// if the distributions are the same.
    pub influence: f64,
    /// d, the geodesic distance of Fisher and Rao, in nats^½: d² ≈ 2 KL where small. At most π for a softmax.
    pub distance: f64,
    /// f(q) − f(p), in \[f\].
    pub change: f64,
}

/// The intrinsic (finite) influence between an output distribution `from` and a perturbed one, `to`.
///
/// d = 2 arccos Σ √(p_k q_k) for a softmax, the root of the sum of squares of such distances for independent Bernoullis,
/// ‖μ_p − μ_q‖/σ for a Gaussian. The arc is computed from its chord, which keeps the digits of small distances.
///
/// # Errors
/// `Objective`, `Label` or `Shape` as for [`Output::value`]; `Shape` if the outputs are not of one family and number.
pub fn finite_influence(
    from: &Output,
    to: &Output,
    objective: Objective,
) -> Result<FiniteInfluence, GeometryError> {
    let distance = distance(from, to)?;
    let change = to.value(objective)? - from.value(objective)?;
    Ok(FiniteInfluence {
        influence: if distance == 0.0 {
            0.0
        } else {
            (change / distance).powi(2)
        },
        distance,
        change,
    })
}

fn distance(from: &Output, to: &Output) -> Result<f64, GeometryError> {
    if from.n_outputs() != to.n_outputs() {
        return Err(GeometryError::shape(
            "perturbed output",
            from.n_outputs(),
            to.n_outputs(),
        ));
    }
    match (from, to) {
        (Output::Softmax(p), Output::Softmax(q)) => Ok(arc(p
            .log_p()
            .iter()
            .copied()
            .zip(q.log_p().iter().copied()))),
        (Output::Bernoullis(p), Output::Bernoullis(q)) => {
            let pairs = p.logits().iter().zip(q.logits());
            let squares = pairs.map(|(&p, &q)| {
                let outcomes = [1.0, -1.0];
                let logs = outcomes.map(|s| (log_probability(s * p), log_probability(s * q)));
                arc(logs.into_iter()).powi(2)
            });
            Ok(squares.sum::<f64>().sqrt())
        }
        (Output::Gaussian(p), Output::Gaussian(q)) if p.sigma() == q.sigma() => {
            let pairs = p.means().iter().zip(q.means());
            let squares = pairs.map(|(a, b)| ((a - b) / p.sigma()).powi(2));
            Ok(squares.sum::<f64>().sqrt())
        }
        _ => Err(GeometryError::new(
            GeometryErrorKind::Shape,
            "the two outputs are not of one family",
        )),
    }
}

/// 2 arccos Σ √(pq) of pairs (log p, log q), through the chord ‖√p − √q‖ = 2 sin(arc/4).
fn arc(logs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let squared: f64 = logs
        .map(|(p, q)| {
            let difference = (0.5 * p.max(q)).exp() * (-0.5 * (p - q).abs()).exp_m1();
            difference * difference
        })
        .sum();
    4.0 * (0.5 * squared.sqrt()).min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bernoullis, Family, Gaussian, Softmax};

    #[test]
    fn by_hand() {
        // p = (½, ½), q = (¾, ¼).
        let (p, q) = ([0.0, 0.0], [3f64.ln(), 0.0]);
        let (p, q) = (
            Output::from(Softmax::new(&p).unwrap()),
            Output::from(Softmax::new(&q).unwrap()),
        );
        let found = finite_influence(&p, &q, Objective::Prob { label: 0 }).unwrap();
        let d = 2.0 * (0.375f64.sqrt() + 0.125f64.sqrt()).acos();
        assert!((found.distance / d - 1.0).abs() < 1e-14);
        assert!((found.change - 0.25).abs() < 1e-15);
        assert!((found.influence / (0.25 / d).powi(2) - 1.0).abs() < 1e-13);
        // The same two as Bernoullis, twice over.
        let two = |z: f64| Output::from(Bernoullis::new(&[z, z]).unwrap());
        let objective = Objective::OutputNll {
            output: 1,
            label: true,
        };
        let found = finite_influence(&two(0.0), &two(3f64.ln()), objective).unwrap();
        assert!((found.distance / (d * 2f64.sqrt()) - 1.0).abs() < 1e-14);
        let at = |mean: f64| Output::from(Gaussian::new(&[mean], 0.5).unwrap());
        let target = [1.0];
        let objective = Objective::Residual { target: &target };
        let found = finite_influence(&at(0.0), &at(1.0), objective).unwrap();
        assert_eq!((found.distance, found.change), (2.0, -2.0));
    }

    #[test]
    fn far_near_and_the_same() {
        let at = |z: f64| Family::Softmax.at(&[z, 0.0]).unwrap();
        let objective = Objective::NegLogLik { label: 0 };
        let far = finite_influence(&at(2000.0), &at(-2000.0), objective).unwrap();
        assert!((far.distance - std::f64::consts::PI).abs() < 1e-15);
        let same = finite_influence(&at(1.0), &at(1.0), objective).unwrap();
        assert_eq!(
            (same.influence, same.distance, same.change),
            (0.0, 0.0, 0.0)
        );
        // d² → p(1 − p) δ².
        let near = finite_influence(&at(0.0), &at(1e-9), objective).unwrap();
        assert!((near.distance / 0.5e-9 - 1.0).abs() < 1e-6);
        let other = Family::MultiLabel.at(&[0.0, 0.0]).unwrap();
        let error = finite_influence(&at(0.0), &other, objective).unwrap_err();
        assert_eq!(error.to_string(), "the two outputs are not of one family");
    }
}
