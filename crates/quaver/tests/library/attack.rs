//! Attacks on real networks: against PyTorch's, and what must hold whatever the network.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Arrays, data};
use quaver::demo::{GlyphOptions, GlyphSet};
use quaver::{
    AttackOptions, AttackSummary, AttackTable, Attacked, Bounds, Dataset, ErrorKind, InMemory,
    LabelChoice, LoadOptions, Model, OpenOptions, Precision, ScoreOptions, TargetChoice,
};

fn named(names: &[&str]) -> AttackOptions {
    AttackOptions {
        attacks: names.iter().map(|&name| name.to_owned()).collect(),
        precision: Precision::F64,
        ..AttackOptions::default()
    }
}

fn glyphs(n: usize) -> (Model, GlyphSet) {
    let set = GlyphSet::generate(&GlyphOptions::clean(n, 5)).unwrap();
    (quaver::demo::model().unwrap(), set)
}

#[test]
fn gradient_attacks_agree_with_pytorch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut arrays = Arrays::open(&folder.join("tests/fixtures/attacks.npz"));
    let (shape, x) = arrays.get("x");
    let labels: Vec<usize> = arrays.get("y").1.iter().map(|&y| y as usize).collect();
    let x: Vec<f64> = x.iter().map(|x| x / 255.0).collect();
    let dataset = InMemory::new(&shape[1..], x, Some(labels)).unwrap();
    let mut number = |name: &str| arrays.get(name).1[0];
    let options = AttackOptions {
        bounds: Some(Bounds {
            low: 0.0,
            high: 1.0,
        }),
        epsilon: vec![number("epsilon")],
        epsilon_l2: vec![number("epsilon_l2")],
        steps: number("steps") as usize,
        random_start: false,
        ..named(&["fgsm", "pgd-linf", "pgd-l2", "deepfool"])
    };
    let model = quaver::demo::model().unwrap();
    let attacked = model.attack(&dataset, &options).unwrap();
    let n = shape[1..].iter().product();
    for (at, (name, _)) in options.plan().unwrap().into_iter().enumerate() {
        let (_, want) = arrays.get(name);
        for (sample, want) in attacked.iter().zip(want.chunks_exact(n)) {
            let got = &sample.trials[at].outcome.as_ref().unwrap().x;
            let error = got.iter().zip(want).map(|(a, b)| (a - b).abs());
            let error = error.fold(0.0, f64::max);
            assert!(error < 1e-9, "{name}, sample {}: {error:e}", sample.index);
        }
    }
}

/// What must hold of everything that is reported.
fn check(model: &Model, dataset: &dyn Dataset, options: &AttackOptions, all: &[Attacked]) {
    let bounds = options.bounds_of(dataset).unwrap();
    let shape = model.input_shape().to_vec();
    let affine = dataset.units().affine(shape.iter().product());
    for attacked in all {
        for trial in &attacked.trials {
            let Some(o) = &trial.outcome else {
                assert!(attacked.predicted != attacked.label || attacked.target.is_some());
                continue;
            };
            let name = trial.attack;
            let slack = 1e-9 * bounds.width();
            let inside = |raw: &f64| (bounds.low - slack..=bounds.high + slack).contains(raw);
            assert!(o.raw.iter().all(inside), "{name}");
            // The raw numbers are what the network was given.
            for ((raw, x), (factor, offset)) in o.raw.iter().zip(&o.x).zip(&affine) {
                assert!((factor * raw + offset - x).abs() < 1e-9, "{name}");
            }
            let room = 1.0 + 1e-9;
            match (name, trial.epsilon) {
                ("fgsm" | "pgd-linf", Some(epsilon)) => assert!(o.unit.linf <= epsilon * room),
                ("pgd-l2", Some(epsilon)) => assert!(o.unit.l2 <= epsilon * room),
                ("best-pixel", None) => assert!(o.pixels <= 1),
                ("deepfool", None) => {}
                (_, None) => assert!(o.pixels <= options.pixels, "{name}"),
                other => panic!("{other:?}"),
            }
            assert!((o.data.l2 - o.unit.l2 * bounds.width()).abs() < 1e-9 * o.data.l2.max(1.0));
            let moved = o.raw.iter().zip(&attacked.raw).map(|(a, b)| (a - b).abs());
            let moved = moved.fold(0.0, f64::max);
            assert!((o.data.linf - moved).abs() < slack, "{name}");
            assert!(o.cost.queries <= options.max_queries.unwrap_or(u64::MAX));
            // A score of the perturbed sample is a forward pass that knows nothing of attacks.
            let again = InMemory::new(&shape, o.x.clone(), Some(vec![attacked.label])).unwrap();
            let score = ScoreOptions {
                precision: options.precision,
                ..ScoreOptions::default()
            };
            let score = model.score(&again, &score).unwrap().swap_remove(0);
            let again = score.predicted.unwrap();
            let reached = match attacked.target {
                Some(target) => again == target,
                None => again != attacked.label,
            };
            assert_eq!((o.success, o.predicted), (reached, again), "{name}");
            assert!((o.p_label - score.p_label.unwrap()).abs() < 1e-6, "{name}");
        }
    }
}

#[test]
fn what_is_reported_holds() {
    let (model, set) = glyphs(6);
    for target in [
        None,
        Some(TargetChoice::Second),
        Some(TargetChoice::Class(4)),
    ] {
        let options = AttackOptions {
            epsilon: vec![0.02, 0.1],
            epsilon_l2: vec![0.3],
            steps: 10,
            pixels: 3,
            population: 20,
            generations: 5,
            target,
            ..named(&["all"])
        };
        let all = model.attack(&set, &options).unwrap();
        assert_eq!(all[0].trials.len(), options.plan().unwrap().len());
        check(&model, &set, &options, &all);
        let single = AttackOptions {
            precision: Precision::F32,
            max_queries: Some(25),
            ..options
        };
        check(&model, &set, &single, &model.attack(&set, &single).unwrap());
    }
}

#[test]
fn attacks_do_not_depend_on_threads_or_on_company() {
    let (model, set) = glyphs(12);
    let options = |threads: usize, names: &[&str]| AttackOptions {
        threads: NonZeroUsize::new(threads),
        population: 20,
        generations: 3,
        pixels: 2,
        steps: 5,
        ..named(names)
    };
    let names = ["random-pixel", "pgd-linf", "one-pixel", "mfi-pso"];
    let one = model.attack(&set, &options(1, &names)).unwrap();
    assert!(one == model.attack(&set, &options(3, &names)).unwrap());
    // The same seed is the same attack, whatever runs beside it, and another seed is another.
    let alone = model.attack(&set, &options(2, &["one-pixel"])).unwrap();
    let seeded = AttackOptions {
        seed: 1,
        ..options(2, &["one-pixel"])
    };
    let other = model.attack(&set, &seeded).unwrap();
    let at = names.iter().position(|&name| name == "one-pixel").unwrap();
    let plan = options(1, &names).plan().unwrap();
    let at = plan
        .iter()
        .position(|(name, _)| *name == names[at])
        .unwrap();
    let of = |all: &[Attacked], at: usize| -> Vec<_> {
        all.iter().map(|a| a.trials[at].outcome.clone()).collect()
    };
    assert!(of(&one, at) == of(&alone, 0) && of(&alone, 0) != of(&other, 0));
}

#[test]
fn larger_balls_and_more_pixels_succeed_more_often() {
    let (model, set) = glyphs(40);
    let rates = |options: &AttackOptions| -> Vec<f64> {
        let mut summary = AttackSummary::new();
        model
            .attack(&set, options)
            .unwrap()
            .iter()
            .for_each(|a| summary.add(a));
        summary.rates().map(quaver::attack::Rate::share).collect()
    };
    let options = AttackOptions {
        epsilon: vec![0.005, 0.02, 0.08],
        ..named(&["pgd-linf"])
    };
    let by_radius = rates(&options);
    assert!(
        by_radius.is_sorted() && by_radius[0] < 0.7 && by_radius[2] > 0.95,
        "{by_radius:?}"
    );
    let by_pixels: Vec<f64> = [1, 5, 20]
        .into_iter()
        .map(|pixels| {
            let options = AttackOptions {
                pixels,
                ..named(&["reach-pixel"])
            };
            rates(&options)[0]
        })
        .collect();
    assert!(
        by_pixels.is_sorted() && by_pixels[2] > by_pixels[0],
        "{by_pixels:?}"
    );
    // DeepFool finds smaller perturbations than the sign of the gradient does.
    let options = named(&["deepfool"]);
    let mut summary = AttackSummary::new();
    model
        .attack(&set, &options)
        .unwrap()
        .iter()
        .for_each(|a| summary.add(a));
    assert!(summary.rates().all(|rate| rate.share() > 0.95));
}

#[test]
fn rows_have_a_cell_for_every_column() {
    let (model, set) = glyphs(20);
    let options = AttackOptions {
        target: Some(TargetChoice::Class(1)),
        pixels: 1,
        ..named(&["fi-pixel", "fgsm"])
    };
    let table = AttackTable::new(&set, &options);
    let columns = table.columns();
    let mut names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let at = names.iter().position(|name| *name == "fi").unwrap();
    // FI never without rank, ceiling and saturation.
    assert_eq!(names[at + 1..at + 4], ["rank", "fi_max", "saturation"]);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), columns.len());
    for attacked in model.attack(&set, &options).unwrap() {
        let rows: Vec<_> = table.rows(&attacked).collect();
        assert_eq!(rows.len(), 2);
        for row in rows {
            assert_eq!(row.len(), columns.len());
            for (column, value) in columns.iter().zip(&row) {
                assert!(
                    value.kind().is_none_or(|kind| kind == column.kind),
                    "{column:?}"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let (model, set) = glyphs(3);
    let blank = |value: f64| InMemory::new(&[1, 28, 28], vec![value; 784], Some(vec![0])).unwrap();
    let fgsm = named(&["fgsm"]);
    let bounded = AttackOptions {
        bounds: Some(Bounds {
            low: 0.0,
            high: 1.0,
        }),
        ..fgsm.clone()
    };
    for (dataset, options, kind, word) in [
        (
            &blank(0.5) as &dyn Dataset,
            &fgsm,
            ErrorKind::Option,
            "--bounds",
        ),
        (
            &blank(1.5),
            &bounded,
            ErrorKind::Data,
            "sample 0: holds 1.5",
        ),
        (&set, &named(&["nothing"]), ErrorKind::Option, "\"nothing\""),
    ] {
        let error = model.attack(dataset, options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let stop = AtomicBool::new(false);
    let error = model.attack_each(&set, &named(&["best-pixel"]), &stop, |_| {
        stop.store(true, Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn bounds_follow_the_preprocessing_of_real_data() {
    let Some(data) = data() else { return };
    let path = data.join("models/akamaster_resnet20_cifar10.onnx");
    let model = Model::load(path, &LoadOptions::default()).unwrap();
    let open = OpenOptions {
        scale: 1.0 / 255.0,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        ..OpenOptions::default()
    };
    let path = data.join("cifar10/test_batch_first932.bin");
    let dataset = quaver::open(&path, &open, Some(model.input_shape())).unwrap();
    let dataset = quaver::Subset::new(dataset, vec![3, 8]).unwrap();
    let options = AttackOptions {
        epsilon: vec![2.0 / 255.0],
        steps: 5,
        pixels: 2,
        label: LabelChoice::Predicted,
        ..named(&["fi-pixel", "pgd-linf", "deepfool"])
    };
    let all = model.attack(&dataset, &options).unwrap();
    check(&model, &dataset, &options, &all);
    for attacked in &all {
        // Raw numbers are the bytes of the file again.
        let is_byte = |raw: &f64| (raw - raw.round()).abs() < 1e-6 && (0.0..=255.0).contains(raw);
        assert!(attacked.raw.iter().all(is_byte));
    }
}
