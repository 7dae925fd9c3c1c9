//! Projected gradient descent (Madry et al. 2018, arXiv 1706.06083): steps of equal length along the gradient of the
//! loss, each followed by a projection on the ball of radius ε around the sample and on the box, from random starts.
//!
//! Steps have length 2.5 ε / steps unless said otherwise, Madry's choice: enough to cross the ball, and to turn round.
//! As in Foolbox the direction is sign ∇ for L∞ and ∇/‖∇‖₂ for L2, the start is uniform in the ball, and the projection
//! on the ball comes before that on the box (which holds the sample, so that the second does not undo the first).

use super::fgsm::sign;
use super::gradient::{norm, towards_goal};
use super::random::Random;
use super::victim::{Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const LINF: Entry = Entry {
    name: "pgd-linf",
    about: "projected gradient descent in an L-infinity ball of radius epsilon, random starts (Madry et al. 2018)",
    budget: Curve::Linf,
    by_default: true,
    instances: |options: &AttackOptions| {
        let of = |&epsilon: &f64| Instance::within(epsilon, Pgd::new(Ball::Linf, epsilon, options));
        options.epsilon.iter().map(of).collect()
    },
};

pub(super) const L2: Entry = Entry {
    name: "pgd-l2",
    about: "projected gradient descent in an L2 ball of radius epsilon-l2, random starts (Madry et al. 2018)",
    budget: Curve::L2,
    by_default: false,
    instances: |options: &AttackOptions| {
        let of = |&epsilon: &f64| Instance::within(epsilon, Pgd::new(Ball::L2, epsilon, options));
        options.epsilon_l2.iter().map(of).collect()
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ball {
    Linf,
    L2,
}

struct Pgd {
    ball: Ball,
    epsilon: f64,
    step: f64,
    steps: usize,
    restarts: usize,
    random_start: bool,
}

impl Pgd {
    fn new(ball: Ball, epsilon: f64, options: &AttackOptions) -> Self {
        let steps = options.steps;
        Self {
            ball,
            epsilon,
            step: options.step_size.unwrap_or(2.5 / steps as f64) * epsilon,
            steps,
            restarts: options.restarts,
            random_start: options.random_start,
        }
    }
}

impl Attack for Pgd {
    fn run(&self, victim: &mut Victim<'_>, random: &mut Random) -> Result<(), Stop> {
        for _ in 0..self.restarts {
            let mut delta = match self.random_start {
                true => self.ball.draw(self.epsilon, victim.start.len(), random),
                false => vec![0.0; victim.start.len()],
            };
            for _ in 0..self.steps {
                let u = inside(victim.start, &mut delta);
                let answer = victim.try_at(&u)?;
                let mut towards = towards_goal(victim, &answer)?;
                self.ball.direct(&mut towards);
                let step = |(d, g): (&mut f64, &f64)| *d += self.step * g;
                delta.iter_mut().zip(&towards).for_each(step);
                self.ball.project(self.epsilon, &mut delta);
            }
            let u = inside(victim.start, &mut delta);
            victim.try_at(&u)?;
        }
        Ok(())
    }
}

/// start + delta in the unit box, delta changed to match.
fn inside(start: &[f64], delta: &mut [f64]) -> Vec<f64> {
    let move_one = |(u, d): (&f64, &mut f64)| {
        let moved = (u + *d).clamp(0.0, 1.0);
        *d = moved - u;
        moved
    };
    start.iter().zip(delta).map(move_one).collect()
}

impl Ball {
    /// A point uniform in the ball of `radius` in n dimensions.
    fn draw(self, radius: f64, n: usize, random: &mut Random) -> Vec<f64> {
        match self {
            Ball::Linf => (0..n).map(|_| random.between(-radius, radius)).collect(),
            Ball::L2 => {
                // A uniform direction, at the n-th root of a uniform number: the volume grows as the n-th power.
                let mut point: Vec<f64> = (0..n).map(|_| random.normal()).collect();
                let length = radius * random.unit().powf(1.0 / n as f64);
                let scale = length / norm(&point).max(f64::MIN_POSITIVE);
                point.iter_mut().for_each(|x| *x *= scale);
                point
            }
        }
    }

    /// The gradient becomes the direction of steepest descent under the ball's norm, of length 1.
    fn direct(self, gradient: &mut [f64]) {
        match self {
            Ball::Linf => gradient.iter_mut().for_each(|g| *g = sign(*g)),
            Ball::L2 => {
                let length = norm(gradient);
                if length > 0.0 {
                    gradient.iter_mut().for_each(|g| *g /= length);
                }
            }
        }
    }

    fn project(self, radius: f64, delta: &mut [f64]) {
        match self {
            Ball::Linf => delta.iter_mut().for_each(|d| *d = d.clamp(-radius, radius)),
            Ball::L2 => {
                let length = norm(delta);
                if length > radius {
                    delta.iter_mut().for_each(|d| *d *= radius / length);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_uniform_in_the_ball() {
        let mut random = Random::new(&[3]);
        let (n, draws, radius) = (3, 20_000, 0.5);
        let mut squares = 0.0;
        for _ in 0..draws {
            let point = Ball::L2.draw(radius, n, &mut random);
            assert!(norm(&point) <= radius * (1.0 + 1e-12));
            squares += norm(&point).powi(2);
            let point = Ball::Linf.draw(radius, n, &mut random);
            assert!(point.iter().all(|x| x.abs() <= radius));
        }
        // E‖x‖² = r² n/(n + 2) in the ball.
        let expected = radius * radius * 3.0 / 5.0;
        assert!((squares / f64::from(draws) - expected).abs() < 0.01 * expected);
    }

    #[test]
    fn projections_are_the_nearest_points() {
        let mut delta = vec![3.0, -4.0];
        Ball::L2.project(1.0, &mut delta);
        assert_eq!(delta, [0.6000000000000001, -0.8]);
        let mut delta = vec![3.0, -0.1];
        Ball::Linf.project(1.0, &mut delta);
        assert_eq!(delta, [1.0, -0.1]);
        let mut zero = vec![0.0; 2];
        Ball::L2.direct(&mut zero);
        assert_eq!(zero, [0.0; 2]);
    }
}
