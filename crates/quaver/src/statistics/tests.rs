//! Against SciPy (`tools/statistics_oracle.py`), and what holds for any two sets.

use super::*;

fn numbers(field: &str) -> Vec<f64> {
    field.split(',').map(|text| text.parse().unwrap()).collect()
}

fn near(got: f64, want: f64, tolerance: f64) -> bool {
    (got - want).abs() <= tolerance * want.abs().max(1e-300)
}

#[test]
fn scipy_says_the_same() {
    let mut n = 0;
    for line in include_str!("scipy.tsv").lines().skip(2) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            name,
            a,
            b,
            ks,
            location,
            exact_p,
            u,
            rank_p,
            of_a,
            of_b,
            interval,
            spearman,
        ] = fields[..]
        else {
            panic!("{line}");
        };
        let (raw_a, raw_b) = (numbers(a), numbers(b));
        let (a, b) = (Sorted::new(raw_a.clone()), Sorted::new(raw_b.clone()));
        let number = |text: &str| text.parse::<f64>().unwrap();

        let test = kolmogorov_smirnov(&a, &b).unwrap();
        assert!(
            (test.statistic - number(ks)).abs() < 1e-14,
            "{name}: {test:?}"
        );
        if test.statistic > 0.0 {
            assert_eq!(test.location, number(location), "{name}");
        }
        if exact_p != "-" {
            assert!(
                near(test.p_value, number(exact_p), 1e-9),
                "{name}: {test:?}"
            );
        }

        let test = mann_whitney(&a, &b).unwrap();
        assert_eq!(test.u, number(u), "{name}");
        assert!(
            near(test.p_value, number(rank_p), 1e-11) || rank_p == "nan",
            "{name}: {test:?}"
        );

        let shares = [0.1, 0.25, 0.5, 0.75, 0.9];
        for (set, expected) in [(&a, of_a), (&b, of_b)] {
            for (share, expected) in shares.iter().zip(numbers(expected)) {
                let got = set.quantile(*share).unwrap();
                assert!((got - expected).abs() < 1e-12, "{name}: {got} {expected}");
            }
        }
        if interval != "-" {
            let bootstrap = Bootstrap {
                n_resamples: 4000,
                ..Bootstrap::default()
            };
            let got = bootstrap.quantile_differences(&a, &b, &[0.5])[0];
            let expected = numbers(interval);
            // Other random numbers: ends of intervals agree to the noise of resampling.
            let tolerance = 0.06 * (expected[1] - expected[0]);
            let ends = [got.interval.0 - expected[0], got.interval.1 - expected[1]];
            assert!(
                ends.iter().all(|off| off.abs() < tolerance),
                "{name}: {got:?} {expected:?}"
            );
        }
        match (spearman, rank_correlation(&raw_a, &raw_b)) {
            ("-", got) => assert_eq!(got, None, "{name}"),
            (expected, got) => {
                let got = got.unwrap();
                assert!((got - number(expected)).abs() < 1e-12, "{name}: {got}");
            }
        }
        n += 1;
    }
    assert_eq!(n, 10);
}

#[test]
fn changing_places_changes_signs_alone() {
    let a = Sorted::new(vec![1.0, 2.0, 2.0, 5.0, f64::INFINITY]);
    let b = Sorted::new(vec![2.0, 3.0, f64::INFINITY]);
    let (there, back) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
    assert_eq!(there.u + back.u, 15.0);
    assert_eq!(there.p_value, back.p_value);
    let there = kolmogorov_smirnov(&a, &b).unwrap();
    let back = kolmogorov_smirnov(&b, &a).unwrap();
    assert_eq!(there.statistic, back.statistic);
    assert!((there.p_value - back.p_value).abs() < 1e-15);
    assert!(!there.second_is_smaller && back.second_is_smaller);
}

#[test]
fn superiority_is_the_area_under_the_roc() {
    let (a, b) = (vec![0.0, 1.0, 1.0, 4.0], vec![1.0, 2.0, 4.0]);
    let scores: Vec<f64> = a.iter().chain(&b).copied().collect();
    let positive: Vec<bool> = (0..7).map(|at| at >= 4).collect();
    let roc = crate::curves::Roc::new(&scores, &positive).unwrap();
    let test = mann_whitney(&Sorted::new(a), &Sorted::new(b)).unwrap();
    assert_eq!(test.superiority, roc.auc);
}

#[test]
fn nothing_is_compared_with_nothing() {
    let (none, some) = (Sorted::new(vec![f64::NAN]), Sorted::new(vec![1.0]));
    assert!(none.is_empty() && none.quantile(0.5).is_none());
    assert!(kolmogorov_smirnov(&none, &some).is_none() && mann_whitney(&some, &none).is_none());
    assert_eq!(rank_correlation(&[1.0], &[2.0]), None);
    assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
}

#[test]
fn large_sets_have_the_limit() {
    let set = |shift: f64| Sorted::new((0..2000).map(|k| f64::from(k) + shift).collect());
    let test = kolmogorov_smirnov(&set(0.0), &set(60.5)).unwrap();
    assert!(!test.is_exact && (test.statistic - 61.0 / 2000.0).abs() < 1e-15);
    // The exact value is below the limit by less than a tenth at such sizes.
    let small = |shift: f64| Sorted::new((0..1000).map(|k| f64::from(k) + shift).collect());
    let exact = kolmogorov_smirnov(&small(0.0), &small(60.5)).unwrap();
    assert!(exact.is_exact);
    let rate = 0.061 * (500f64).sqrt();
    let leading = 2.0 * (-2.0 * rate * rate).exp();
    assert!(
        (exact.p_value / leading - 1.0).abs() < 0.1,
        "{exact:?} {leading}"
    );
}

#[test]
fn statsmodels_corrects_the_same() {
    let mut n = 0;
    for line in include_str!("holm.tsv").lines().skip(2) {
        let (p_values, want) = line.split_once('\t').unwrap();
        let (p_values, want) = (numbers(p_values), numbers(want));
        let got = holm(&p_values);
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() <= 1e-15 + 1e-12 * want, "{got} {want}");
        }
        n += 1;
    }
    assert!(n >= 6);
    assert!(holm(&[]).is_empty());
}
