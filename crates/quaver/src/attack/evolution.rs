//! Differential evolution DE/rand/1 without crossover (Storn & Price 1997, J. Global Optimization 11:341, as Su et al.
//! 2019 use it), over the unit box.

use super::random::Random;

/// How the population develops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evolution {
    /// F: the weight of a difference of two individuals.
    pub weight: f64,
    pub generations: usize,
}

impl Evolution {
    /// Minimises `fitness` from `population`, at least four points of one length. Each generation every individual is
    /// challenged by x_a + F (x_b − x_c) of three others of the generation before, cut to the unit box; the fitter of
    /// the two lives on. Gives the fittest point and its fitness.
    ///
    /// # Errors
    /// Those of `fitness`, which is how a search is ended early.
    pub(super) fn minimise<E>(
        self,
        mut population: Vec<Vec<f64>>,
        random: &mut Random,
        mut fitness: impl FnMut(&[f64]) -> Result<f64, E>,
    ) -> Result<(Vec<f64>, f64), E> {
        let n = population.len();
        let mut scores = Vec::with_capacity(n);
        for individual in &population {
            scores.push(fitness(individual)?);
        }
        for _ in 0..self.generations {
            let mut next = Vec::with_capacity(n);
            for i in 0..n {
                let [a, b, c] = three_others(n, i, random).map(|at| &population[at]);
                let mutate =
                    |((a, b), c): ((&f64, &f64), &f64)| (a + self.weight * (b - c)).clamp(0.0, 1.0);
                let child: Vec<f64> = a.iter().zip(b).zip(c).map(mutate).collect();
                let score = fitness(&child)?;
                match score < scores[i] {
                    true => {
                        scores[i] = score;
                        next.push(child);
                    }
                    false => next.push(population[i].clone()),
                }
            }
            population = next;
        }
        let best = (0..n).min_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let best = best.expect("a population has at least four individuals");
        Ok((population.swap_remove(best), scores[best]))
    }
}

/// Three different positions below n ≥ 4, none of them `i`.
fn three_others(n: usize, i: usize, random: &mut Random) -> [usize; 3] {
    let mut taken = [i, usize::MAX, usize::MAX, usize::MAX];
    for place in 1..4 {
        taken[place] = loop {
            let at = random.below(n);
            if !taken.contains(&at) {
                break at;
            }
        };
    }
    [taken[1], taken[2], taken[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sphere and Rastrigin, moved so that the optimum is neither in the middle nor at a bound.
    fn run(fitness: impl Fn(&[f64]) -> f64, dimensions: usize, seed: u64) -> (Vec<f64>, f64) {
        let mut random = Random::new(&[seed]);
        let population = (0..60)
            .map(|_| (0..dimensions).map(|_| random.unit()).collect())
            .collect();
        let evolution = Evolution {
            weight: 0.5,
            generations: 300,
        };
        let asked = |x: &[f64]| {
            assert!(x.iter().all(|x| (0.0..=1.0).contains(x)));
            Ok::<f64, ()>(fitness(x))
        };
        evolution.minimise(population, &mut random, asked).unwrap()
    }

    #[test]
    fn known_optima_are_found() {
        let sphere = |x: &[f64]| x.iter().map(|x| (x - 0.3).powi(2)).sum::<f64>();
        let (x, least) = run(sphere, 4, 1);
        assert!(
            least < 1e-12 && x.iter().all(|x| (x - 0.3).abs() < 1e-6),
            "{least:e}"
        );
        // Many local minima, the least of them, 0, at 0.3.
        let rastrigin = |x: &[f64]| {
            let term = |x: &f64| {
                let y = 10.0 * (x - 0.3);
                y * y - 10.0 * (std::f64::consts::TAU * y).cos() + 10.0
            };
            x.iter().map(term).sum::<f64>()
        };
        let (x, least) = run(rastrigin, 2, 2);
        assert!(
            least < 1e-9 && x.iter().all(|x| (x - 0.3).abs() < 1e-5),
            "{least:e} {x:?}"
        );
        // An optimum in a corner is reached although mutants leave the box.
        let (x, _) = run(|x| x.iter().sum(), 3, 3);
        assert_eq!(x, [0.0; 3]);
    }

    #[test]
    fn a_search_ends_when_asked_to() {
        let mut n = 0;
        let evolution = Evolution {
            weight: 0.5,
            generations: 10,
        };
        let population = vec![vec![0.0]; 5];
        let ended = evolution.minimise(population, &mut Random::new(&[0]), |_| {
            n += 1;
            if n < 12 { Ok(0.0) } else { Err("enough") }
        });
        assert_eq!((ended.unwrap_err(), n), ("enough", 12));
    }

    #[test]
    fn parents_are_three_different_others() {
        let mut random = Random::new(&[5]);
        for i in 0..4 {
            for _ in 0..100 {
                let mut parents = three_others(4, i, &mut random);
                parents.sort_unstable();
                assert!(!parents.contains(&i) && parents.windows(2).all(|p| p[0] < p[1]));
            }
        }
    }
}
