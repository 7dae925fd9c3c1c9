//! DeepFool in L2 (Moosavi-Dezfooli, Fawzi & Frossard 2016, arXiv 1511.04599, algorithm 2): to the nearest decision
//! boundary of the network's linearisation, and again from there.
//!
//! With f_k = z_k − z_y and w_k = ∇f_k the step is r = |f_l| / ‖w_l‖² · w_l for the l of least |f_k| / ‖w_k‖. Steps are
//! lengthened by 1 + η, η = 0.02 as in the paper, and cut to the box. What of w_k leads out of a wall on which the point
//! already lies is left out: the paper knows no box, and steps that are merely cut to it come ever closer to a boundary
//! without crossing it. As in the authors' program the ten most probable classes are considered. Where a class t is
//! wanted it is the only l, seen from the class predicted.

use super::random::Random;
use super::victim::{Answer, Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const ENTRY: Entry = Entry {
    name: "deepfool",
    about: "DeepFool: the nearest decision boundary of the linearised network, step by step, in L2 (Moosavi-Dezfooli et al. 2016)",
    budget: Curve::L2,
    by_default: true,
    instances: |options: &AttackOptions| {
        vec![Instance::free(DeepFool {
            steps: options.deepfool_steps,
        })]
    },
};

/// η of the paper.
const OVERSHOOT: f64 = 0.02;

/// How many classes are considered, y included.
const CANDIDATES: usize = 10;

struct DeepFool {
    steps: usize,
}

impl Attack for DeepFool {
    fn run(&self, victim: &mut Victim<'_>, _random: &mut Random) -> Result<(), Stop> {
        let mut u = victim.start.to_vec();
        // Distances are to the classes that were probable at the sample itself, as in the authors' program.
        let likely = ranked(victim.clean);
        for _ in 0..self.steps {
            let answer = victim.try_at(&u)?;
            let goal = victim.goal;
            let (from, rivals) = match goal.targeted {
                true => {
                    let from = match answer.softmax.argmax() == goal.class {
                        true => answer.softmax.runner_up(goal.class),
                        false => answer.softmax.argmax(),
                    };
                    (from, vec![goal.class])
                }
                false => {
                    let rivals = likely.iter().copied().filter(|&k| k != goal.class);
                    (goal.class, rivals.take(CANDIDATES - 1).collect())
                }
            };
            let k = answer.softmax.n_classes();
            let mut cotangents = vec![0.0; rivals.len() * k];
            for (row, &rival) in cotangents.chunks_exact_mut(k).zip(&rivals) {
                row[rival] = 1.0;
                row[from] = -1.0;
            }
            let mut rows = victim.pull_back(&cotangents);
            for row in rows.chunks_exact_mut(u.len()) {
                let leads_out = |u: f64, w: f64| u <= 0.0 && w < 0.0 || u >= 1.0 && w > 0.0;
                let walls = row.iter_mut().zip(&u).filter(|(w, u)| leads_out(**u, **w));
                walls.for_each(|(w, _)| *w = 0.0);
            }
            let log_p = answer.softmax.log_p();
            let gaps = rivals
                .iter()
                .map(|&rival| (log_p[rival] - log_p[from]).abs());
            let Some(step) = shortest(gaps, rows.chunks_exact(u.len())) else {
                return Ok(());
            };
            let advance = |(u, r): (&mut f64, &f64)| {
                *u = (*u + (1.0 + OVERSHOOT) * r).clamp(0.0, 1.0);
            };
            u.iter_mut().zip(&step).for_each(advance);
        }
        victim.try_at(&u)?;
        Ok(())
    }
}

/// The shortest |f| / ‖w‖² · w; `None` if no w differs from zero.
fn shortest<'a>(
    gaps: impl Iterator<Item = f64>,
    rows: impl Iterator<Item = &'a [f64]>,
) -> Option<Vec<f64>> {
    let squared = |w: &[f64]| w.iter().map(|x| x * x).sum::<f64>();
    let nearest = gaps
        .zip(rows)
        .filter(|(_, w)| squared(w) > 0.0)
        .map(|(gap, w)| (gap / squared(w).sqrt(), gap, w))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map(|(_, gap, w)| {
        let scale = gap / squared(w);
        w.iter().map(|x| scale * x).collect()
    })
}

/// The classes, the most probable first.
fn ranked(answer: &Answer) -> Vec<usize> {
    let log_p = answer.softmax.log_p();
    let mut classes: Vec<usize> = (0..log_p.len()).collect();
    classes.sort_by(|&a, &b| log_p[b].total_cmp(&log_p[a]));
    classes
}
