//! The gradient that gradient attacks follow.

use super::victim::{Answer, Goal, Stop, Victim};

/// The direction in u (n values) in which the goal comes nearer: the gradient of −log p_y where the class y is to be
/// left, of log p_t where t is wanted, up to a positive factor.
///
/// The factor makes the largest entry of the cotangent ±1: a network that is sure of its answer has a gradient below
/// what single precision can hold, and an attack that follows its sign would stand still (gradient masking) though the
/// direction is well known.
pub(super) fn towards_goal(victim: &mut Victim<'_>, answer: &Answer) -> Result<Vec<f64>, Stop> {
    let cotangent = cotangent(answer, victim.goal);
    Ok(victim.pull_back(&cotangent))
}

/// ∓(p − e_class), divided by its largest entry, which is always that of the class.
fn cotangent(
    answer: &Answer,
    Goal {
        class, targeted, ..
    }: Goal,
) -> Vec<f64> {
    let softmax = &answer.softmax;
    let sign = if targeted { -1.0 } else { 1.0 };
    let all = softmax.complement(class);
    let mut cotangent: Vec<f64> = match all > 0.0 {
        true => softmax.p().iter().map(|p| sign * p / all).collect(),
        // 1 − p is below any number: the runner-up has all of what is left.
        false => {
            let rival = softmax.runner_up(class);
            let share = |k: usize| if k == rival { sign } else { 0.0 };
            (0..softmax.n_classes()).map(share).collect()
        }
    };
    cotangent[class] = -sign;
    cotangent
}

/// ‖v‖₂.
pub(super) fn norm(v: &[f64]) -> f64 {
    // Scaled, so that squares neither overflow nor vanish.
    let largest = v.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * v.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cotangent_is_the_gradient_of_the_loss_in_the_logits() {
        let logits = [1.0, 3.0, -2.0];
        let goal = |class, targeted| Goal {
            class,
            targeted,
            probability: 0.0,
        };
        let loss = |logits: &[f64], class: usize| {
            let total: f64 = logits.iter().map(|z| z.exp()).sum();
            total.ln() - logits[class]
        };
        for (class, targeted) in [(1, false), (0, true), (2, true)] {
            let answer = Answer::new(&logits, goal(class, targeted)).unwrap();
            let found = cotangent(&answer, goal(class, targeted));
            let scale = answer.softmax.complement(class);
            for k in 0..3 {
                let h = 1e-5;
                let at = |step: f64| {
                    let mut moved = logits;
                    moved[k] += step;
                    loss(&moved, class)
                };
                let slope = (at(h) - at(-h)) / (2.0 * h);
                let wanted = if targeted { -slope } else { slope };
                assert!((found[k] * scale - wanted).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_sure_network_still_has_a_direction() {
        let goal = Goal {
            class: 0,
            targeted: false,
            probability: 0.0,
        };
        for lead in [200.0, 2000.0] {
            let answer = Answer::new(&[lead, 0.0, -1.0], goal).unwrap();
            let found = cotangent(&answer, goal);
            assert_eq!(found[0], -1.0);
            assert!(found[1] > 0.7 && found.iter().all(|x| x.is_finite()));
        }
        assert_eq!(norm(&[3e-200, 4e-200]), 5e-200);
    }
}
