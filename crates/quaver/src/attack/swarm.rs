//! Particle swarm optimisation (Kennedy & Eberhart 1995) with Clerc & Kennedy's constriction (2002, IEEE Trans. Evol.
//! Comp. 6:58), over a box.

use super::random::Random;

/// How the particles move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swarm {
    pub particles: usize,
    pub iterations: usize,
}

/// χ and χ·φ/2 for φ = 4.1: with these the swarm contracts without a limit on velocities.
const INERTIA: f64 = 0.729_843_788_128_357_6;
const ATTRACTION: f64 = INERTIA * 2.05;

struct Particle {
    position: Vec<f64>,
    velocity: Vec<f64>,
    best: Vec<f64>,
    least: f64,
}

impl Swarm {
    /// Minimises `fitness` over the box of the given (low, high). The first particle starts at `start`, the others
    /// anywhere in the box, all at rest. In every iteration each particle moves by
    ///
    ///   v ← χ v + χφ₁ r₁ (its own best − x) + χφ₂ r₂ (the swarm's best − x),   x ← x + v,
    ///
    /// r₁, r₂ uniform on [0, 1] for each coordinate; what leaves the box is put on its wall and loses its velocity
    /// there. Bests are those of all iterations before. Gives the best point and its fitness.
    ///
    /// # Errors
    /// Those of `fitness`, which is how a search is ended early.
    pub(super) fn minimise<E>(
        self,
        start: &[f64],
        bounds: &[(f64, f64)],
        random: &mut Random,
        mut fitness: impl FnMut(&[f64]) -> Result<f64, E>,
    ) -> Result<(Vec<f64>, f64), E> {
        let (mut best, mut least) = (start.to_vec(), fitness(start)?);
        let mut particles = vec![Particle {
            position: best.clone(),
            velocity: vec![0.0; best.len()],
            best: best.clone(),
            least,
        }];
        for _ in 1..self.particles {
            let draw = |&(low, high): &(f64, f64)| random.between(low, high);
            let position: Vec<f64> = bounds.iter().map(draw).collect();
            let here = fitness(&position)?;
            if here < least {
                (best, least) = (position.clone(), here);
            }
            particles.push(Particle {
                velocity: vec![0.0; position.len()],
                best: position.clone(),
                least: here,
                position,
            });
        }
        for _ in 0..self.iterations {
            // All particles of an iteration follow the same best, so that their order does not matter.
            let leader = best.clone();
            for particle in &mut particles {
                particle.step(&leader, bounds, random);
                let here = fitness(&particle.position)?;
                if here < particle.least {
                    particle.least = here;
                    particle.best.clone_from(&particle.position);
                }
                if here < least {
                    least = here;
                    best.clone_from(&particle.position);
                }
            }
        }
        Ok((best, least))
    }
}

impl Particle {
    fn step(&mut self, leader: &[f64], bounds: &[(f64, f64)], random: &mut Random) {
        for i in 0..self.position.len() {
            let x = self.position[i];
            let own = ATTRACTION * random.unit() * (self.best[i] - x);
            let common = ATTRACTION * random.unit() * (leader[i] - x);
            let velocity = INERTIA * self.velocity[i] + own + common;
            let (low, high) = bounds[i];
            let moved = (x + velocity).clamp(low, high);
            self.velocity[i] = if moved == x + velocity { velocity } else { 0.0 };
            self.position[i] = moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(fitness: impl Fn(&[f64]) -> f64, dimensions: usize, seed: u64) -> (Vec<f64>, f64) {
        let swarm = Swarm {
            particles: 40,
            iterations: 400,
        };
        let bounds = vec![(-2.0, 2.0); dimensions];
        let start = vec![1.5; dimensions];
        let asked = |x: &[f64]| {
            assert!(x.iter().all(|x| (-2.0..=2.0).contains(x)));
            Ok::<f64, ()>(fitness(x))
        };
        let found = swarm.minimise(&start, &bounds, &mut Random::new(&[seed]), asked);
        let (x, least) = found.unwrap();
        assert_eq!(fitness(&x), least);
        (x, least)
    }

    #[test]
    fn the_constriction_is_that_of_clerc_and_kennedy() {
        let phi: f64 = 4.1;
        let chi = 2.0 / (phi - 2.0 + (phi * phi - 4.0 * phi).sqrt());
        assert!((INERTIA - chi).abs() < 1e-15);
    }

    #[test]
    fn known_optima_are_found() {
        let (x, least) = run(|x| x.iter().map(|x| (x - 0.3).powi(2)).sum(), 5, 1);
        assert!(
            least < 1e-12 && x.iter().all(|x| (x - 0.3).abs() < 1e-6),
            "{least:e}"
        );
        // A long bent valley, optimum (1, 1).
        let rosenbrock = |x: &[f64]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2);
        let (x, least) = run(rosenbrock, 2, 2);
        assert!(
            least < 1e-10 && (x[0] - 1.0).abs() < 1e-4,
            "{least:e} {x:?}"
        );
        // In a corner of the box.
        let (x, _) = run(|x| x.iter().sum(), 3, 3);
        assert_eq!(x, [-2.0; 3]);
    }

    #[test]
    fn nothing_worse_than_the_start_comes_back() {
        let swarm = Swarm {
            particles: 3,
            iterations: 0,
        };
        let distance = |x: &[f64]| Ok::<f64, ()>((x[0] - 0.25).abs());
        let found = swarm.minimise(&[0.25], &[(0.0, 1.0)], &mut Random::new(&[4]), distance);
        assert_eq!(found, Ok((vec![0.25], 0.0)));
    }
}
