//! Attacks on networks that are formulas, where the answer is known or can be found by trying everything.

use std::sync::atomic::AtomicBool;

use quaver_data::Units;
use quaver_geometry::{ClassGram, Objective, Settings, measure};

use super::guide::{GuideSettings, Sensitivity};
use super::victim::Best;
use super::*;

/// z = W tanh(V x) + b, or W x + b where there is no V.
struct Formula {
    w: Vec<Vec<f64>>,
    v: Option<Vec<Vec<f64>>>,
    b: Vec<f64>,
    x: Vec<f64>,
}

fn times(matrix: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
    let row = |row: &Vec<f64>| row.iter().zip(x).map(|(a, b)| a * b).sum();
    matrix.iter().map(row).collect()
}

impl Formula {
    /// Random weights of a network of n inputs, `hidden` hidden units (0: linear) and K classes.
    fn random(n: usize, hidden: usize, k: usize, seed: u64) -> Self {
        let mut random = Random::new(&[seed]);
        let mut matrix = |rows: usize, columns: usize, scale: f64| -> Vec<Vec<f64>> {
            let mut row = || (0..columns).map(|_| scale * random.normal()).collect();
            (0..rows).map(|_| row()).collect()
        };
        let v = (hidden > 0).then(|| matrix(hidden, n, 1.0));
        Self {
            w: matrix(k, if hidden > 0 { hidden } else { n }, 2.0),
            b: matrix(1, k, 0.5).swap_remove(0),
            v,
            x: Vec::new(),
        }
    }

    fn at(&self, x: &[f64]) -> Vec<f64> {
        let inner = match &self.v {
            None => x.to_vec(),
            Some(v) => times(v, x).into_iter().map(f64::tanh).collect(),
        };
        let z = times(&self.w, &inner);
        z.iter().zip(&self.b).map(|(z, b)| z + b).collect()
    }
}

impl Network for Formula {
    fn logits(&mut self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.x = x.to_vec();
        Ok(self.at(x))
    }

    fn pull_back(&mut self, cotangents: &[f64]) -> Vec<f64> {
        let transposed = |matrix: &[Vec<f64>], y: &[f64]| -> Vec<f64> {
            let column = |j: usize| matrix.iter().zip(y).map(|(row, y)| row[j] * y).sum();
            (0..matrix[0].len()).map(column).collect()
        };
        let row = |cotangent: &[f64]| -> Vec<f64> {
            let inner = transposed(&self.w, cotangent);
            let Some(v) = &self.v else { return inner };
            let slopes = times(v, &self.x)
                .into_iter()
                .map(|a| 1.0 - a.tanh().powi(2));
            let inner: Vec<f64> = inner.iter().zip(slopes).map(|(g, s)| g * s).collect();
            transposed(v, &inner)
        };
        cotangents
            .chunks_exact(self.w.len())
            .flat_map(row)
            .collect()
    }
}

/// Runs one attack from the middle of the box or from `start`.
struct Field {
    network: Formula,
    space: Space,
    pixels: Pixels,
    start: Vec<f64>,
    goal: Goal,
}

impl Field {
    fn new(network: Formula, shape: &[usize], start: Vec<f64>) -> Self {
        let n = shape.iter().product();
        let class = Softmax::new(&network.at(&start)).unwrap().argmax();
        Self {
            network,
            space: Space::new(
                &Units::default(),
                Bounds {
                    low: 0.0,
                    high: 1.0,
                },
                n,
            ),
            pixels: Pixels::of(shape, false),
            start,
            goal: Goal {
                class,
                targeted: false,
                probability: 0.0,
            },
        }
    }

    /// Lets `act` loose on the sample; gives what it returns, the cost, and the best point.
    fn with<R>(
        &mut self,
        max_queries: u64,
        act: impl FnOnce(&mut Victim<'_>) -> R,
    ) -> (R, Cost, Option<Best>) {
        let clean = Answer::new(&self.network.at(&self.start), self.goal).unwrap();
        let stop = AtomicBool::new(false);
        let sample = victim::Sample {
            x: &self.start,
            start: &self.start,
            clean: &clean,
            goal: self.goal,
            pixels: self.pixels,
            space: &self.space,
        };
        let mut victim = Victim::new(&mut self.network, &sample, max_queries, &stop);
        let result = act(&mut victim);
        let cost = victim.cost();
        (result, cost, victim.into_best())
    }

    fn run(&mut self, name: &str, options: &AttackOptions) -> (Cost, Best) {
        let options = AttackOptions {
            attacks: vec![name.to_owned()],
            ..options.clone()
        };
        let instance = options.instances().unwrap().swap_remove(0).1;
        let limit = options.max_queries.unwrap_or(u64::MAX);
        let mut random = Random::new(&[options.seed]);
        let (ended, cost, best) =
            self.with(limit, |victim| instance.attack.run(victim, &mut random));
        assert!(!matches!(ended, Err(Stop::Failed(_))), "{name}");
        (cost, best.unwrap())
    }
}

use quaver_geometry::Softmax;

fn distance(a: &[f64], b: &[f64]) -> Norms {
    Norms::between(a, b)
}

#[test]
fn deepfool_on_a_linear_network_is_the_distance_to_its_boundary() {
    for seed in 0..20 {
        let network = Formula::random(60, 0, 4, seed);
        let mut field = Field::new(network, &[60], vec![0.5; 60]);
        let z = field.network.at(&field.start);
        let y = field.goal.class;
        let nearest = (0..4)
            .filter(|&k| k != y)
            .map(|k| {
                let w = field.network.w[k].iter().zip(&field.network.w[y]);
                (z[y] - z[k]) / w.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
            })
            .fold(f64::INFINITY, f64::min);
        let (cost, best) = field.run("deepfool", &AttackOptions::default());
        // One step of 1.02 times the distance, unless a wall of the box is in the way.
        let inside = best.u.iter().all(|u| (0.001..0.999).contains(u));
        assert!(best.reached && inside, "{seed}");
        let length = distance(&field.start, &best.u).l2;
        assert!((length - 1.02 * nearest).abs() < 1e-9 * nearest, "{seed}");
        assert_eq!((cost.queries, cost.gradients), (2, 3));
    }
}

#[test]
fn fgsm_on_a_linear_network_is_the_corner_of_least_margin() {
    let mut field = Field::new(Formula::random(8, 0, 2, 3), &[8], vec![0.5; 8]);
    let epsilon = 0.07;
    let options = AttackOptions {
        epsilon: vec![epsilon],
        ..AttackOptions::default()
    };
    let (_, best) = field.run("fgsm", &options);
    // Of two classes the loss is monotone in the margin, and the least margin of a linear function over a cube is at
    // a corner: try them all.
    let margin = |u: &[f64]| {
        Answer::new(&field.network.at(u), field.goal)
            .unwrap()
            .deficit
    };
    let corner = |bits: usize| -> Vec<f64> {
        let step = |i: usize| {
            if bits >> i & 1 == 1 {
                epsilon
            } else {
                -epsilon
            }
        };
        (0..8).map(|i| field.start[i] + step(i)).collect()
    };
    let least = (0..256)
        .map(|bits| margin(&corner(bits)))
        .fold(f64::INFINITY, f64::min);
    assert!((best.deficit - least).abs() < 1e-12);
}

#[test]
fn balls_boxes_and_budgets_are_respected() {
    for seed in 0..10 {
        for name in [
            "fgsm",
            "pgd-linf",
            "pgd-l2",
            "one-pixel",
            "mfi-pso",
            "random-pixel",
        ] {
            let start: Vec<f64> = (0..12).map(|i| [0.0, 0.3, 1.0][i % 3]).collect();
            let mut field = Field::new(Formula::random(12, 9, 3, seed), &[3, 2, 2], start);
            let options = AttackOptions {
                epsilon: vec![0.05],
                epsilon_l2: vec![0.08],
                pixels: 2,
                population: 10,
                generations: 3,
                largest_change: 0.4,
                restarts: 2,
                max_queries: Some(37),
                seed,
                ..AttackOptions::default()
            };
            let (cost, best) = field.run(name, &options);
            let moved = distance(&field.start, &best.u);
            assert!(cost.queries <= 37, "{name}");
            assert!(best.u.iter().all(|u| (0.0..=1.0).contains(u)), "{name}");
            let room = 1.0 + 1e-12;
            let changed = pixel::n_changed(field.pixels, &field.start, &best.u);
            match name {
                "fgsm" | "pgd-linf" => assert!(moved.linf <= 0.05 * room, "{name}"),
                "pgd-l2" => assert!(moved.l2 <= 0.08 * room, "{name}"),
                "mfi-pso" => assert!(changed <= 2 && moved.linf <= 0.4 * room),
                _ => assert!(changed <= 2, "{name}"),
            }
            let answer = Answer::new(&field.network.at(&best.u), field.goal).unwrap();
            assert_eq!(
                (answer.reached, answer.deficit),
                (best.reached, best.deficit)
            );
        }
    }
}

#[test]
fn the_best_pixel_is_the_best_of_all() {
    for seed in 0..5 {
        let start: Vec<f64> = (0..18).map(|i| f64::from(i) / 17.0).collect();
        let mut field = Field::new(Formula::random(18, 10, 4, seed), &[2, 3, 3], start);
        let (cost, best) = field.run("best-pixel", &AttackOptions::default());
        assert_eq!(cost.queries, 9 * 4);
        let mut least = f64::INFINITY;
        for pixel in 0..9 {
            for (red, green) in [(0., 0.), (0., 1.), (1., 0.), (1., 1.)] {
                let mut u = field.start.clone();
                (u[pixel], u[9 + pixel]) = (red, green);
                let z = field.network.at(&u);
                let y = field.goal.class;
                let others = (0..4).filter(|&k| k != y).map(|k| z[k]);
                least = least.min(z[y] - others.fold(f64::NEG_INFINITY, f64::max));
            }
        }
        assert_eq!((best.deficit, best.reached), (least, least < 0.0));
        // No guided choice of one pixel can do better.
        let one = AttackOptions {
            pixels: 1,
            ..AttackOptions::default()
        };
        for name in [
            "fi-pixel",
            "fi-lambda-pixel",
            "gradient-pixel",
            "reach-pixel",
            "random-pixel",
        ] {
            assert!(field.run(name, &one).1.deficit >= least, "{name}");
        }
    }
}

#[test]
fn more_pixels_never_do_worse() {
    for name in [
        "fi-pixel",
        "fi-lambda-pixel",
        "gradient-pixel",
        "reach-pixel",
        "random-pixel",
    ] {
        for static_map in [false, true] {
            let mut before = f64::INFINITY;
            let mut reached = false;
            for pixels in 1..=9 {
                let mut field = Field::new(Formula::random(9, 7, 3, 2), &[3, 3], vec![0.4; 9]);
                let options = AttackOptions {
                    pixels,
                    static_map,
                    ..AttackOptions::default()
                };
                let (_, best) = field.run(name, &options);
                assert!(
                    best.deficit <= before && (best.reached || !reached),
                    "{name}"
                );
                (before, reached) = (best.deficit, best.reached);
            }
        }
    }
}

#[test]
fn the_search_by_evolution_finds_the_one_pixel_that_matters() {
    // Only pixel 13 of 25 moves the margin, and only near its highest value does it turn it.
    let mut w = vec![vec![0.0; 25]; 2];
    w[1][13] = 10.0;
    let network = Formula {
        w,
        v: None,
        b: vec![9.0, 0.0],
        x: Vec::new(),
    };
    let mut field = Field::new(network, &[5, 5], vec![0.5; 25]);
    let options = AttackOptions {
        pixels: 1,
        population: 60,
        ..AttackOptions::default()
    };
    let (cost, best) = field.run("one-pixel", &options);
    assert!(best.reached && best.u[13] > 0.9 && cost.gradients == 0);
    assert_eq!(distance(&field.start, &best.u).linf, best.u[13] - 0.5);
}

#[test]
fn goals_may_want_a_class_and_a_probability() {
    let mut field = Field::new(Formula::random(30, 0, 5, 4), &[30], vec![0.5; 30]);
    let y = field.goal.class;
    for class in (0..5).filter(|&k| k != y) {
        for (targeted, probability) in [(true, 0.0), (true, 0.9)] {
            field.goal = Goal {
                class,
                targeted,
                probability,
            };
            let options = AttackOptions {
                epsilon: vec![0.5],
                steps: 100,
                ..AttackOptions::default()
            };
            let (_, best) = field.run("pgd-linf", &options);
            let softmax = Softmax::new(&field.network.at(&best.u)).unwrap();
            assert!(best.reached, "{class}");
            assert!(softmax.argmax() == class && softmax.p()[class] >= probability);
        }
        // DeepFool goes to the boundary of the wanted class.
        field.goal.probability = 0.0;
        let (_, best) = field.run("deepfool", &AttackOptions::default());
        let softmax = Softmax::new(&field.network.at(&best.u)).unwrap();
        assert!(best.reached && softmax.argmax() == class);
    }
}

const SETTINGS: GuideSettings = GuideSettings {
    compat: None,
    rtol: 1e-10,
    lambda: 0.7,
    classes: None,
};

/// The class Gram of some coordinates, from K whole rows of the Jacobian.
fn gram(network: &mut Formula, start: &[f64], at: &[usize]) -> ClassGram {
    let k = network.w.len();
    let mut identity = vec![0.0; k * k];
    (0..k).for_each(|i| identity[i * k + i] = 1.0);
    network.logits(start).unwrap();
    let rows = network.pull_back(&identity);
    let n = start.len();
    let entry = |pair: usize| {
        at.iter()
            .map(|&i| rows[pair / k * n + i] * rows[pair % k * n + i])
            .sum()
    };
    let full: Vec<f64> = (0..k * k).map(entry).collect();
    ClassGram::from_full(k, &full).unwrap()
}

#[test]
fn maps_in_the_published_arithmetic_are_that_of_each_pixel() {
    let start: Vec<f64> = (0..27).map(|i| (f64::from(i) * 0.37).fract()).collect();
    let mut field = Field::new(Formula::random(27, 14, 5, 3), &[3, 3, 3], start.clone());
    let (pixels, label) = (field.pixels, field.goal.class);
    for epsilon in [1e-3, 1e-8] {
        let guide = GuideSettings {
            compat: Some(epsilon),
            ..SETTINGS
        };
        let (sensitivity, ..) = field.with(u64::MAX, |victim| {
            let answer = victim.ask(victim.start).unwrap_or_else(|_| unreachable!());
            Sensitivity::read(victim, &answer, guide).unwrap_or_else(|_| unreachable!())
        });
        let logits = field.network.at(&start);
        let p = Softmax::new(&logits).unwrap().p()[label];
        let settings = Settings::new(SETTINGS.rtol, SETTINGS.lambda, Some(epsilon)).unwrap();
        for pixel in 0..9 {
            let at: Vec<usize> = pixels.coordinates(pixel).collect();
            let gram = gram(&mut field.network, &start, &at);
            let objective = Objective::NegLogLik { label };
            let want = measure(&logits, &gram, objective, &settings).unwrap();
            let got = sensitivity.fi(pixels, pixel, guide);
            let (got, want) = (
                got.unwrap_or_else(|_| unreachable!()) / p,
                want.compat.unwrap(),
            );
            assert!(
                (got - want.fi).abs() < 1e-6 * want.fi,
                "{pixel}: {got} {want:?}"
            );
        }
    }
}

#[test]
fn maps_are_the_measures_of_each_pixel() {
    for (seed, k) in [(0, 6), (1, 3), (2, 2)] {
        let start: Vec<f64> = (0..27).map(|i| (f64::from(i) * 0.37).fract()).collect();
        let mut field = Field::new(Formula::random(27, 14, k, seed), &[3, 3, 3], start.clone());
        let pixels = field.pixels;
        let label = field.goal.class;
        let (sensitivity, cost, _) = field.with(u64::MAX, |victim| {
            let answer = victim.ask(victim.start).unwrap_or_else(|_| unreachable!());
            Sensitivity::read(victim, &answer, SETTINGS).unwrap_or_else(|_| unreachable!())
        });
        assert_eq!(cost.gradients, k as u64 - 1);
        let logits = field.network.at(&start);
        let p = Softmax::new(&logits).unwrap().p()[label];
        let settings = Settings::new(SETTINGS.rtol, SETTINGS.lambda, None).unwrap();
        let objective = Objective::NegLogLik { label };
        for pixel in 0..9 {
            let at: Vec<usize> = pixels.coordinates(pixel).collect();
            let gram = gram(&mut field.network, &start, &at);
            let want = measure(&logits, &gram, objective, &settings).unwrap();
            let close = |got: f64, want: f64| (got - want).abs() <= 1e-8 * want.abs().max(1e-300);
            let fi = sensitivity.fi(pixels, pixel, SETTINGS);
            assert!(close(fi.unwrap_or_else(|_| unreachable!()) / p, want.fi));
            assert!(close(
                sensitivity.fi_lambda(pixels, pixel, SETTINGS) / p,
                want.fi_lambda
            ));
            let squared = sensitivity.gradient_squared(pixels, pixel);
            assert!(close(squared, want.grad_norm.powi(2)));
            let got = sensitivity
                .measures(pixels, pixel, SETTINGS)
                .unwrap_or_else(|_| unreachable!());
            assert!(close(got.fi, want.fi) && got.rank == want.rank);
            assert!(close(got.saturation, want.saturation));
        }
    }
}

/// Of a linear network the smallest change that flips it is known: values with the steepest slope first, each to its end.
#[test]
fn mfi_pso_takes_the_pixels_of_largest_fi_and_changes_them_little() {
    const PIXELS: usize = 3;
    let (k, n) = (3, 12);
    let mut n_reached = 0;
    for seed in 0..30 {
        let start: Vec<f64> = (0..n).map(|i| (i as f64 * 0.61).fract()).collect();
        let mut field = Field::new(Formula::random(n, 0, k, seed), &[1, 3, 4], start.clone());
        let (logits, label) = (field.network.at(&start), field.goal.class);
        let settings = Settings::new(SETTINGS.rtol, SETTINGS.lambda, None).unwrap();
        let objective = Objective::NegLogLik { label };
        let fi = |at: usize| {
            let gram = gram(&mut field.network, &start, &[at]);
            measure(&logits, &gram, objective, &settings).unwrap().fi
        };
        let order = super::guide::descending(&(0..n).map(fi).collect::<Vec<f64>>());
        let chosen = &order[..PIXELS];
        // The least Σ|δ| with which one rival passes the label.
        let least = |rival: usize| {
            let mut missing = logits[label] - logits[rival];
            let slope = |i: usize| field.network.w[rival][i] - field.network.w[label][i];
            let mut steep = chosen.to_vec();
            steep.sort_by(|&a, &b| slope(b).abs().total_cmp(&slope(a).abs()));
            let mut spent = 0.0;
            for i in steep {
                let room = if slope(i) > 0.0 {
                    1.0 - start[i]
                } else {
                    start[i]
                };
                let step = room.min(missing / slope(i).abs());
                (missing, spent) = (missing - step * slope(i).abs(), spent + step);
                // Rounding may leave a little of what the last step was made to take.
                if missing <= 1e-12 {
                    return spent;
                }
            }
            f64::INFINITY
        };
        let rivals = (0..k).filter(|&rival| rival != label);
        let least = rivals.map(least).fold(f64::INFINITY, f64::min);
        let options = AttackOptions {
            pixels: PIXELS,
            seed,
            ..AttackOptions::default()
        };
        let (_, best) = field.run("mfi-pso", &options);
        for i in (0..n).filter(|i| !chosen.contains(i)) {
            assert_eq!(
                best.u[i], start[i],
                "seed {seed}: {i} is none of {chosen:?}"
            );
        }
        assert_eq!(best.reached, least.is_finite(), "seed {seed}: {least}");
        if best.reached {
            n_reached += 1;
            let size = super::victim::l1(&best.u, &start);
            assert!(
                // A swarm comes near the least and promises no more.
                size > least - 1e-9 && size < 1.15 * least + 1e-3,
                "seed {seed}: {size} {least}"
            );
        }
    }
    assert!(n_reached >= 5, "{n_reached}");
}

#[test]
fn what_cannot_be_run_is_named() {
    let default = AttackOptions::default();
    for (options, named) in [
        (
            AttackOptions {
                attacks: vec!["cw".to_owned()],
                ..default.clone()
            },
            "\"cw\"",
        ),
        (
            AttackOptions {
                epsilon: vec![0.0],
                ..default.clone()
            },
            "epsilon 0",
        ),
        (
            AttackOptions {
                epsilon_l2: vec![f64::NAN],
                ..default.clone()
            },
            "epsilon-l2 NaN",
        ),
        (
            AttackOptions {
                steps: 0,
                ..default.clone()
            },
            "steps 0",
        ),
        (
            AttackOptions {
                population: 3,
                ..default.clone()
            },
            "population 3",
        ),
        (
            AttackOptions {
                probability: 1.0,
                ..default.clone()
            },
            "probability 1",
        ),
        (
            AttackOptions {
                largest_change: 0.0,
                ..default.clone()
            },
            "largest-change 0",
        ),
        (
            AttackOptions {
                target: Some(TargetChoice::Class(9)),
                ..default.clone()
            },
            "class 9",
        ),
        (
            AttackOptions {
                lambda: 0.0,
                ..default.clone()
            },
            "lambda 0",
        ),
    ] {
        let error = options
            .check(3)
            .and_then(|()| options.plan().map(drop))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Option);
        assert!(error.to_string().contains(named), "{error}");
    }
    for text in ["second", "least", "7"] {
        assert_eq!(text.parse::<TargetChoice>().unwrap().to_string(), text);
    }
    assert!("third".parse::<TargetChoice>().is_err());
    let names: Vec<&str> = attacks().map(|attack| attack.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), names.len());
}

#[test]
fn rates_and_curves_are_counted() {
    // Wilson's interval against R's binom::binom.confint(8, 10, methods = "wilson").
    let (low, high) = wilson(8, 10);
    assert!((low - 0.490_162_5).abs() < 1e-6 && (high - 0.943_317_8).abs() < 1e-6);
    assert_eq!(
        (wilson(0, 0), wilson(0, 5).0, wilson(5, 5).1),
        ((0.0, 1.0), 0.0, 1.0)
    );
    // R: binom.test(2, 10)$p.value and binom.test(5, 10)$p.value.
    assert!((summary::sign_test(2, 10) - 0.109_375).abs() < 1e-12);
    assert_eq!(summary::sign_test(5, 10), 1.0);
    let norms = |l2: f64| Norms {
        l1: l2,
        l2,
        linf: l2 / 2.0,
    };
    let trial = |epsilon: f64, success: Option<bool>, l2: f64| Trial {
        attack: "pgd-l2",
        epsilon: Some(epsilon),
        outcome: success.map(|success| Outcome {
            success,
            x: Vec::new(),
            raw: Vec::new(),
            predicted: 1,
            p_label: 0.1,
            p_predicted: 0.9,
            l0: 3,
            pixels: 2,
            unit: norms(l2),
            data: norms(l2),
            input: norms(l2),
            cost: Cost {
                queries: 10,
                gradients: 4,
            },
            first_pixel: None,
        }),
    };
    let sample = |trials: Vec<Trial>| Attacked {
        index: 0,
        key: None,
        label: 0,
        target: None,
        predicted: usize::from(trials[0].outcome.is_none()),
        p_label: 0.9,
        raw: Vec::new(),
        trials,
    };
    let mut summary = AttackSummary::new();
    summary.add(&sample(vec![
        trial(0.1, Some(true), 0.1),
        trial(0.2, Some(true), 0.2),
    ]));
    summary.add(&sample(vec![
        trial(0.1, Some(false), 0.1),
        trial(0.2, Some(true), 0.15),
    ]));
    summary.add(&sample(vec![
        trial(0.1, Some(false), 0.1),
        trial(0.2, Some(false), 0.2),
    ]));
    summary.add(&sample(vec![trial(0.1, None, 0.0), trial(0.2, None, 0.0)]));
    assert_eq!((summary.n_samples(), summary.n_correct()), (4, 3));
    let rates: Vec<(u64, u64)> = summary.rates().map(|r| (r.successes, r.attacked)).collect();
    assert_eq!(rates, [(1, 3), (2, 3)]);
    assert_eq!(summary.robust_accuracies().collect::<Vec<_>>(), [0.5, 0.25]);
    let curves = summary.curves(Curve::L2);
    assert_eq!(
        curves,
        [("pgd-l2", vec![(0.1, 1.0 / 3.0), (0.15, 2.0 / 3.0)])]
    );
    assert_eq!(
        summary.medians(Curve::Pixels).collect::<Vec<_>>(),
        [Some(2.0), Some(2.0)]
    );
    assert_eq!(summary.mean_costs().next(), Some((10.0, 4.0)));
}
