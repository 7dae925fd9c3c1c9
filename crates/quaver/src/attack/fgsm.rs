//! The fast gradient sign method (Goodfellow, Shlens & Szegedy 2015, arXiv 1412.6572): u ← clip(u₀ + ε · sign ∇), one
//! step to a corner of the L∞ ball.

use super::gradient::towards_goal;
use super::random::Random;
use super::victim::{Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const ENTRY: Entry = Entry {
    name: "fgsm",
    about: "fast gradient sign method: one step of epsilon along the sign of the gradient (Goodfellow et al. 2015)",
    budget: Curve::Linf,
    by_default: true,
    instances: |options: &AttackOptions| {
        let of = |&epsilon: &f64| Instance::within(epsilon, Fgsm { epsilon });
        options.epsilon.iter().map(of).collect()
    },
};

struct Fgsm {
    epsilon: f64,
}

impl Attack for Fgsm {
    fn run(&self, victim: &mut Victim<'_>, _random: &mut Random) -> Result<(), Stop> {
        let start = victim.start;
        let answer = victim.ask(start)?;
        let towards = towards_goal(victim, &answer)?;
        let step = |(u, g): (&f64, &f64)| u + self.epsilon * sign(*g);
        let u: Vec<f64> = start.iter().zip(&towards).map(step).collect();
        victim.try_at(&u)?;
        Ok(())
    }
}

/// −1, 0 or 1; the sign of zero is zero.
pub(super) fn sign(x: f64) -> f64 {
    match x == 0.0 {
        true => 0.0,
        false => x.signum(),
    }
}
