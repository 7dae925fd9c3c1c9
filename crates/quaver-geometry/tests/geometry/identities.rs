//! The identities that the measures must satisfy whatever the network, on random Jacobians.

use faer::Mat;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quaver_geometry::{
    Analysis, ClassGram, Measures, Objective, Output, Settings, Softmax, direction, measure,
};

/// K logits and a K × n Jacobian.
#[derive(Debug, Clone)]
struct Sample {
    z: Vec<f64>,
    j: Vec<f64>,
    n: usize,
    label: usize,
}

impl Sample {
    fn k(&self) -> usize {
        self.z.len()
    }

    fn gram(&self) -> ClassGram {
        gram(&self.j, self.k(), self.n)
    }

    fn objective(&self) -> Objective<'static> {
        Objective::NegLogLik { label: self.label }
    }

    fn measure(&self) -> Measures {
        measure(&self.z, &self.gram(), self.objective(), &settings()).unwrap()
    }

    fn p(&self) -> Vec<f64> {
        Softmax::new(&self.z).unwrap().p().to_vec()
    }

    /// ∂p/∂ω = C J, K × n.
    fn jacobian_of_p(&self) -> Mat<f64> {
        let p = self.p();
        let mean: Vec<f64> = (0..self.n)
            .map(|c| (0..self.k()).map(|k| p[k] * self.j[k * self.n + c]).sum())
            .collect();
        Mat::from_fn(self.k(), self.n, |k, c| {
            p[k] * (self.j[k * self.n + c] - mean[c])
        })
    }
}

fn settings() -> Settings {
    Settings::new(1e-11, 0.7, Some(1e-3)).unwrap()
}

fn gram(j: &[f64], k: usize, n: usize) -> ClassGram {
    let dot = |a: usize, b: usize| (0..n).map(|c| j[a * n + c] * j[b * n + c]).sum::<f64>();
    let full: Vec<f64> = (0..k * k).map(|at| dot(at / k, at % k)).collect();
    ClassGram::from_full(k, &full).unwrap()
}

/// Moderate logits, so that every class matters; any number of coordinates.
fn sample() -> impl Strategy<Value = Sample> {
    (2usize..7, 1usize..12).prop_flat_map(|(k, n)| {
        let z = prop::collection::vec(-3.0..3.0f64, k);
        let j = prop::collection::vec(-2.0..2.0f64, k * n);
        (z, j, 0..k).prop_map(move |(z, j, label)| Sample { z, j, n, label })
    })
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-12)
}

/// ∇f A⁺ ∇fᵀ for the symmetric matrix A = G + λI, by an explicit eigendecomposition.
fn explicit(sample: &Sample, lambda: f64) -> f64 {
    let (jp, p, n) = (sample.jacobian_of_p(), sample.p(), sample.n);
    let g = Mat::from_fn(n, n, |a, b| {
        (0..sample.k())
            .map(|k| jp[(k, a)] * jp[(k, b)] / p[k])
            .sum::<f64>()
            + if a == b { lambda } else { 0.0 }
    });
    let eigen = g.self_adjoint_eigen(faer::Side::Lower).unwrap();
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let largest = values[n - 1];
    (0..n)
        .filter(|&at| values[at] > 1e-11 * largest)
        .map(|at| {
            let along: f64 = (0..n)
                .map(|c| -jp[(sample.label, c)] / p[sample.label] * vectors[(c, at)])
                .sum();
            along * along / values[at]
        })
        .sum()
}

proptest! {
    // The seed is fixed so that a run can be repeated.
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(1), ..Default::default() })]

    #[test]
    fn fi_is_the_pseudo_inverse_formula(sample in sample()) {
        let m = sample.measure();
        let gap = m.spectrum.iter().all(|l| !(1e-13..1e-9).contains(&(l / m.spectrum[0])));
        prop_assume!(gap);
        prop_assert!(close(m.fi, explicit(&sample, 0.0), 1e-6), "{} {}", m.fi, explicit(&sample, 0.0));
        prop_assert!(close(m.fi_lambda, explicit(&sample, 0.7), 1e-9));
    }

    #[test]
    fn one_coordinate_has_a_closed_form(sample in sample()) {
        let one = Sample { j: sample.j[..sample.k()].to_vec(), n: 1, ..sample };
        let p = one.p();
        let mean: f64 = p.iter().zip(&one.j).map(|(p, j)| p * j).sum();
        let variance: f64 = p.iter().zip(&one.j).map(|(p, j)| p * (j - mean) * (j - mean)).sum();
        let want = (mean - one.j[one.label]).powi(2) / variance;
        prop_assert!(close(one.measure().fi, want, 1e-8));
    }

    #[test]
    fn a_change_of_coordinates_changes_nothing(sample in sample(), a in prop::collection::vec(-1.0..1.0f64, 144)) {
        let n = sample.n;
        // Diagonally dominant, hence invertible.
        let a = Mat::from_fn(n, n, |i, j| a[i * n + j] + if i == j { n as f64 + 1.0 } else { 0.0 });
        let j = Mat::from_fn(sample.k(), n, |k, c| sample.j[k * n + c]) * &a;
        let moved = Sample {
            j: (0..sample.k() * n).map(|at| j[(at / n, at % n)]).collect(),
            ..sample.clone()
        };
        let (m, moved) = (sample.measure(), moved.measure());
        let clear = |m: &Measures| m.spectrum.iter().all(|l| !(1e-14..1e-8).contains(&(l / m.spectrum[0])));
        prop_assume!(clear(&m) && clear(&moved));
        prop_assert_eq!(m.rank, moved.rank);
        prop_assert!(close(m.fi, moved.fi, 1e-6));
    }

    #[test]
    fn scaling_the_perturbation_changes_only_what_has_units(sample in sample(), c in 1e-3..1e3f64) {
        let m = sample.measure();
        let scaled = measure(&sample.z, &sample.gram().rescaled(c), sample.objective(), &settings()).unwrap();
        prop_assert!(close(m.fi, scaled.fi, 1e-10) && m.rank == scaled.rank);
        prop_assert!(close(m.effective_rank, scaled.effective_rank, 1e-9));
        prop_assert!(close(c * m.grad_norm, scaled.grad_norm, 1e-9));
        prop_assert!(close(c * c * m.fisher_trace, scaled.fisher_trace, 1e-9));
        prop_assert!(close(m.margin_radius / c, scaled.margin_radius, 1e-9));
    }

    #[test]
    fn relative_measures_need_no_second_decomposition(sample in sample(), c in 1e-3..1e2f64) {
        let output = Output::from(Softmax::new(&sample.z).unwrap());
        let gram = sample.gram();
        let analysis = Analysis::new(&output, &gram, sample.objective(), &settings()).unwrap();
        let (m, scaled) = (sample.measure(), sample.gram().relative(c));
        let scaled = measure(&sample.z, &scaled, sample.objective(), &settings()).unwrap();
        // A λ nearer to the rounding of zero eigenvalues would see it.
        prop_assert!(close(analysis.fi_lambda(0.7 / (c * c)), scaled.fi_lambda, 1e-8));
        prop_assert!(close(c * c * m.fisher_trace, scaled.fisher_trace, 1e-9));
        prop_assert!(close(c * c * m.fisher_lambda_max, scaled.fisher_lambda_max, 1e-9));
    }

    #[test]
    fn the_ceiling_is_reached_exactly_at_full_rank(sample in sample()) {
        let m = sample.measure();
        let p = sample.p()[sample.label];
        prop_assert!(close(m.fi_max, (1.0 - p) / p, 1e-10));
        prop_assert!((0.0..=1.0).contains(&m.saturation) && m.fi <= m.fi_max);
        prop_assert!(m.rank < sample.k() && m.rank <= sample.n);
        if m.rank == sample.k() - 1 {
            prop_assert_eq!(m.fi, m.fi_max);
        } else {
            prop_assert!(m.saturation < 1.0 - 1e-9, "{:?}", m);
        }
    }

    #[test]
    fn grams_add_and_a_larger_block_has_more_influence(a in sample(), more in prop::collection::vec(-2.0..2.0f64, 42)) {
        let k = a.k();
        let b = more[..k * 6].to_vec();
        let mut joint = a.gram();
        joint += &gram(&b, k, 6);
        let side_by_side: Vec<f64> = (0..k)
            .flat_map(|row| [&a.j[row * a.n..][..a.n], &b[row * 6..][..6]].concat())
            .collect();
        let whole = gram(&side_by_side, k, a.n + 6);
        for (x, y) in joint.values().iter().zip(whole.values()) {
            prop_assert!((x - y).abs() < 1e-12 * whole.trace());
        }
        let larger = measure(&a.z, &joint, a.objective(), &settings()).unwrap();
        prop_assert!(a.measure().fi <= larger.fi * (1.0 + 1e-9));
    }

    #[test]
    fn the_metric_is_twice_the_divergence_of_a_small_step(sample in sample(), d in prop::collection::vec(-1.0..1.0f64, 12)) {
        let (p, k, n) = (sample.p(), sample.k(), sample.n);
        let step = 1e-4;
        let moved: Vec<f64> = (0..k)
            .map(|i| sample.z[i] + step * (0..n).map(|c| sample.j[i * n + c] * d[c]).sum::<f64>())
            .collect();
        let q = Softmax::new(&moved).unwrap();
        // p log(p/q) summed loses everything to cancellation; log1p of the relative change does not.
        let kl: f64 = p.iter().zip(q.p()).map(|(p, q)| { let r = q / p - 1.0; p * (r - r.ln_1p()) }).sum();
        let jp = sample.jacobian_of_p();
        let metric: f64 = (0..k)
            .map(|i| (0..n).map(|c| jp[(i, c)] * d[c]).sum::<f64>().powi(2) / p[i])
            .sum::<f64>() * step * step;
        prop_assume!(metric > 1e-12);
        prop_assert!(((2.0 * kl / metric).sqrt() - 1.0).abs() < 2e-3);
    }

    #[test]
    fn the_direction_reaches_the_influence(sample in sample()) {
        let (k, n) = (sample.k(), sample.n);
        let m = sample.measure();
        prop_assume!(m.fi > 1e-3 && m.spectrum.iter().all(|l| !(1e-13..1e-6).contains(&(l / m.spectrum[0]))));
        let c = direction(&sample.z, &sample.gram(), sample.objective(), &settings()).unwrap();
        prop_assert!(c.iter().sum::<f64>().abs() < 1e-9 * c.iter().map(|x| x.abs()).sum::<f64>());
        let h: Vec<f64> = (0..n).map(|col| (0..k).map(|i| c[i] * sample.j[i * n + col]).sum()).collect();
        let size = h.iter().map(|x| x * x).sum::<f64>().sqrt() * sample.j.iter().fold(1.0f64, |a, x| a.max(x.abs()));
        let t = 1e-5 / size;
        let moved: Vec<f64> =
            (0..k).map(|i| sample.z[i] + t * (0..n).map(|col| sample.j[i * n + col] * h[col]).sum::<f64>()).collect();
        let (p, q) = (sample.p(), Softmax::new(&moved).unwrap());
        let change = (q.p()[sample.label] / p[sample.label] - 1.0).ln_1p();
        let kl: f64 = p.iter().zip(q.p()).map(|(p, q)| { let r = q / p - 1.0; p * (r - r.ln_1p()) }).sum();
        prop_assert!((change * change / (2.0 * kl) / m.fi - 1.0).abs() < 1e-2, "{} {}", change * change / (2.0 * kl), m.fi);
    }

    #[test]
    fn compat_is_the_published_formula(sample in sample()) {
        let (k, n, epsilon) = (sample.k(), sample.n, 1e-3);
        let (p, jp) = (sample.p(), sample.jacobian_of_p());
        let l0 = Mat::from_fn(n, k, |c, i| jp[(i, c)] / (p[i].sqrt() + epsilon));
        let svd = l0.thin_svd().unwrap();
        let (sigma, b) = (svd.S().column_vector(), svd.U());
        let kept: Vec<usize> = (0..n.min(k)).filter(|&at| sigma[at] > epsilon).collect();
        prop_assume!((0..n.min(k)).all(|at| (sigma[at] / epsilon - 1.0).abs() > 1e-6));
        let fi: f64 = kept
            .iter()
            .map(|&at| {
                let along: f64 =
                    (0..n).map(|c| jp[(sample.label, c)] / (p[sample.label] + epsilon) * b[(c, at)]).sum();
                (along / sigma[at]).powi(2)
            })
            .sum();
        let compat = sample.measure().compat.unwrap();
        prop_assert_eq!(compat.rank, kept.len());
        prop_assert!(close(compat.fi, fi, 1e-7), "{} {}", compat.fi, fi);
    }

    #[test]
    fn norms_are_their_definitions(sample in sample()) {
        let (m, jp, p, n) = (sample.measure(), sample.jacobian_of_p(), sample.p(), sample.n);
        prop_assert!(close(m.jacobian_norm, jp.norm_l2(), 1e-9));
        let gradient: f64 = (0..n).map(|c| (jp[(sample.label, c)] / p[sample.label]).powi(2)).sum();
        prop_assert!(close(m.grad_norm, gradient.sqrt(), 1e-9));
        let trace: f64 = (0..sample.k()).map(|i| (0..n).map(|c| jp[(i, c)].powi(2)).sum::<f64>() / p[i]).sum();
        prop_assert!(close(m.fisher_trace, trace, 1e-9));
        let y = sample.label;
        let radius = (0..sample.k())
            .filter(|&j| j != y)
            .map(|j| {
                let d: f64 = (0..n).map(|c| (sample.j[y * n + c] - sample.j[j * n + c]).powi(2)).sum();
                (sample.z[y] - sample.z[j]) / d.sqrt()
            })
            .fold(f64::INFINITY, f64::min);
        prop_assert!(close(m.margin_radius, radius, 1e-6));
    }

    #[test]
    fn nothing_is_ever_nan(z in prop::collection::vec(-2000.0..2000.0f64, 2..8), scale in -150.0..150.0f64, label in 0usize..8) {
        let k = z.len();
        let j: Vec<f64> = (0..k * 5).map(|i| (i as f64).sin() * 10f64.powf(scale)).collect();
        let sample = Sample { label: label % k, z, j, n: 5 };
        let m = sample.measure();
        let (output, gram) = (Output::from(Softmax::new(&sample.z).unwrap()), sample.gram());
        let analysis = Analysis::new(&output, &gram, sample.objective(), &settings()).unwrap();
        let budgeted = |lambda| analysis.fi_lambda(lambda);
        for value in [
            m.fi, m.fi_max, m.saturation, m.fi_lambda, m.fisher_trace, m.fisher_lambda_max,
            m.effective_rank, m.grad_norm, m.jacobian_norm, m.logit_jacobian_norm, m.margin_radius,
            budgeted(0.0), budgeted(f64::MIN_POSITIVE), budgeted(f64::INFINITY),
        ] {
            prop_assert!(!value.is_nan(), "{:?}", m);
        }
        prop_assert!((0.0..=1.0).contains(&m.saturation) && m.fi <= m.fi_max);
    }
}

#[test]
fn the_last_bias_has_full_influence() {
    let (z, k) = ([0.3, -1.2, 2.0, 0.1], 4);
    let identity: Vec<f64> = (0..k * k)
        .map(|at| f64::from(u8::from(at / k == at % k)))
        .collect();
    let gram = ClassGram::from_full(k, &identity).unwrap();
    let p = Softmax::new(&z).unwrap().p()[1];
    let m = measure(&z, &gram, Objective::NegLogLik { label: 1 }, &settings()).unwrap();
    assert!((m.fi / ((1.0 - p) / p) - 1.0).abs() < 1e-14 && m.rank == 3 && m.saturation == 1.0);
}

#[test]
fn a_block_without_influence_has_none() {
    let gram = ClassGram::from_full(3, &[0.0; 9]).unwrap();
    let m = measure(
        &[1.0, 0.0, 0.0],
        &gram,
        Objective::NegLogLik { label: 0 },
        &settings(),
    )
    .unwrap();
    assert_eq!(
        (m.fi, m.rank, m.saturation, m.effective_rank, m.grad_norm),
        (0.0, 0, 0.0, 0.0, 0.0)
    );
    assert_eq!(m.margin_radius, f64::INFINITY);
    assert_eq!(m.compat.unwrap().rank, 0);
}

#[test]
fn input_without_a_meaning_is_refused() {
    let gram = ClassGram::from_full(2, &[1.0, 0.0, 0.0, 1.0]).unwrap();
    let message = |z: &[f64], label: usize| {
        measure(z, &gram, Objective::NegLogLik { label }, &settings())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&[0.0, 1.0], 2),
        "label 2 of 2 classes (numbered from 0)"
    );
    assert_eq!(message(&[0.0, f64::NAN], 0), "logit 1 is NaN");
    assert_eq!(message(&[0.0; 3], 0), "3 logits and a Gram of 2 classes");
    assert!(Settings::new(1.0, 1.0, None).is_err() && Settings::new(0.0, 0.0, None).is_err());
    assert!(Settings::new(0.0, 1.0, Some(f64::NAN)).is_err());
    assert!(
        ClassGram::from_full(2, &[f64::INFINITY; 4]).is_err()
            && ClassGram::from_full(1, &[1.0]).is_err()
    );
}
