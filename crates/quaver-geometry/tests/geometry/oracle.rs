//! Measures of real networks on real images against float64 oracles computed independently.
//!
//! Where a prediction is so confident that 1 − p_y has lost digits in the oracle's own double precision, the
//! comparison allows for that loss: 60-digit arithmetic shows Quaver's value to be right to the last digit there.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeMap;

use crate::common::{Arrays, data};
use quaver_geometry::{ClassGram, Measures, Objective, Settings, Softmax, measure};

/// Relative differences by quantity, worst over samples, in units of what is tolerated.
#[derive(Default)]
struct Worst {
    by_quantity: BTreeMap<String, f64>,
    /// The tolerance for the sample at hand.
    tolerance: f64,
}

impl Worst {
    fn note(&mut self, what: &str, got: f64, want: f64, scale: f64) {
        let error = (got - want).abs() / want.abs().max(scale).max(f64::MIN_POSITIVE);
        let entry = self.by_quantity.entry(what.to_owned()).or_insert(0.0);
        *entry = entry.max(error / self.tolerance);
    }
}

/// Whether no eigenvalue lies so close to the cut that rounding decides its side.
fn clear_cut(spectrum: &[f64], cut: f64) -> bool {
    spectrum.iter().all(|&l| (l / cut - 1.0).abs() > 1e-6)
}

#[test]
fn measures_agree_with_the_oracle() {
    let Some(data) = data() else { return };
    let mut worst = Worst::default();
    let (mut n_checked, mut n_unclear) = (0, 0);
    let mut files: Vec<_> = std::fs::read_dir(data.join("oracle"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "npz"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 8);
    for file in files {
        let mut arrays = Arrays::open(&file);
        let (shape, logits) = arrays.get("logits");
        let (_, grams) = arrays.get("gram_input");
        let (_, y) = arrays.get("y");
        let (n, k) = (shape[0], shape[1]);
        for i in 0..n {
            let z = &logits[i * k..][..k];
            let gram = ClassGram::from_full(k, &grams[i * k * k..][..k * k]).unwrap();
            let softmax = Softmax::new(z).unwrap();
            worst.tolerance =
                1e-8f64.max(2.0 * f64::EPSILON / softmax.complement(softmax.argmax()));
            let predicted = (1..k).fold(0, |best, c| if z[c] > z[best] { c } else { best });
            for (lab, label) in [("true", y[i] as usize), ("pred", predicted)] {
                let run = |rtol: f64, lambda: f64, compat: f64| -> Measures {
                    let settings = Settings::new(rtol, lambda, Some(compat)).unwrap();
                    measure(z, &gram, Objective::NegLogLik { label }, &settings).unwrap()
                };
                let mut want = |name: &str| arrays.get(&format!("{lab}_{name}")).1;
                let m = run(1e-6, 1.0, 1e-3);
                let spectrum = want("spectrum")[i * k..][..k].to_vec();
                let mut sorted = spectrum.clone();
                sorted.sort_by(|a, b| b.total_cmp(a));
                for (got, want) in m.spectrum.iter().zip(&sorted) {
                    worst.note("spectrum", *got, *want, sorted[0]);
                }
                for (name, got) in [
                    ("fi_max", m.fi_max),
                    ("fisher_trace", m.fisher_trace),
                    ("fisher_lambda_max", m.fisher_lambda_max),
                    ("grad_norm", m.grad_norm),
                    ("jacobian_norm", m.jacobian_norm),
                    ("logit_jacobian_norm", m.logit_jacobian_norm),
                ] {
                    worst.note(name, got, want(name)[i], 0.0);
                }
                for lambda in ["0.01", "1", "100"] {
                    let got = run(1e-6, lambda.parse().unwrap(), 1e-3).fi_lambda;
                    worst.note(
                        "fi_lambda",
                        got,
                        want(&format!("fi_lambda{lambda}"))[i],
                        0.0,
                    );
                }
                n_checked += 3;
                if clear_cut(&sorted, 1e-6 * sorted[0]) {
                    assert_eq!(
                        m.rank as f64,
                        want("rank_rtol1e-06")[i],
                        "{} {i}",
                        file.display()
                    );
                    worst.note("fi", m.fi, want("fi_rtol1e-06")[i], 0.0);
                } else {
                    n_unclear += 1;
                }
                for epsilon in ["0.001", "1e-08"] {
                    let got = run(1e-6, 1.0, epsilon.parse().unwrap()).compat.unwrap();
                    let rank = want(&format!("compat{epsilon}_rank"))[i];
                    if got.rank as f64 == rank {
                        let fi = want(&format!("compat{epsilon}_fi"))[i];
                        worst.note(&format!("compat{epsilon}"), got.fi, fi, 0.0);
                    } else {
                        n_unclear += 1;
                        eprintln!(
                            "{} {i} {lab}: compat {epsilon} rank {} for {rank}",
                            file.display(),
                            got.rank
                        );
                    }
                }
            }
        }
    }
    eprintln!(
        "{n_unclear} of {n_checked} unclear; {:#?}",
        worst.by_quantity
    );
    for (what, error) in &worst.by_quantity {
        assert!(*error < 1.0, "{what}: {error} times what is tolerated");
    }
    assert!(
        n_unclear * 20 < n_checked,
        "{n_unclear} of {n_checked} values lie on a cut"
    );
}
