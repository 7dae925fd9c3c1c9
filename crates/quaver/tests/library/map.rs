//! Maps against what they are by definition, window by window, and against the oracles of another framework.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use crate::common::{Arrays, data};
use quaver::{
    Classes, Dataset, ErrorKind, ImageMap, InMemory, LabelChoice, LoadOptions, MapMeasure,
    MapOptions, Mapped, Model, ObjectiveChoice, Precision, Region, SampleFailure, ScoreOptions,
    Verdict,
};
use quaver_engine::Program;
use quaver_geometry::{ClassGram, Objective, Settings, measure};

fn maps(model: &Model, dataset: &dyn Dataset, options: &MapOptions) -> Vec<ImageMap> {
    let mut maps = Vec::new();
    let stop = AtomicBool::new(false);
    let emit = |map: Mapped| {
        maps.push(map.unwrap());
        Ok(())
    };
    model.map_each(dataset, options, &stop, emit).unwrap();
    maps
}

fn in_double(options: MapOptions) -> MapOptions {
    MapOptions {
        precision: Precision::F64,
        ..options
    }
}

/// The logits of one sample and its Jacobian, K × n, row by row.
fn jacobian(model: &Model, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let input = model.graph().inputs()[0];
    let program = Program::<f64>::new(model.graph(), model.head().logits, &[input]).unwrap();
    let mut workspace = program.workspace();
    let logits = program.forward(&mut workspace, &[x]).unwrap().to_vec();
    let k = logits.len();
    let identity: Vec<f64> = (0..k * k)
        .map(|at| f64::from(u8::from(at / k == at % k)))
        .collect();
    program.backward(&mut workspace, &identity);
    (logits, workspace.gradient(0).to_vec())
}

/// The Gram of a window by its definition.
fn window(
    map: &ImageMap,
    j: &[f64],
    k: usize,
    scale: usize,
    region: Region,
    at: usize,
) -> ClassGram {
    let axes = map.axes;
    let n = axes.n_pixels() * axes.channels;
    let (y, x, radius) = (at / axes.width, at % axes.width, scale / 2);
    let near =
        |centre: usize, n: usize| centre.saturating_sub(radius)..(centre + radius + 1).min(n);
    let mut gram = vec![0.0; k * k];
    for channel in 0..axes.channels {
        if region != Region::All && region != Region::Channel(channel) {
            continue;
        }
        for y in near(y, axes.height) {
            for x in near(x, axes.width) {
                let at = (channel * axes.height + y) * axes.width + x;
                for a in 0..k {
                    for b in 0..k {
                        gram[a * k + b] += j[a * n + at] * j[b * n + at];
                    }
                }
            }
        }
    }
    ClassGram::from_full(k, &gram).unwrap()
}

/// Compares every window of `map` with the measures of its own Gram; returns how many there were, and how many lay on
/// the cut of the rank.
fn compare_with_definition(model: &Model, map: &ImageMap, options: &MapOptions) -> (usize, usize) {
    let (logits, j) = jacobian(model, &map.input);
    let settings = Settings::new(options.rtol(), options.lambda, None).unwrap();
    let objective = match options.objective {
        ObjectiveChoice::Nll => Objective::NegLogLik { label: map.label },
        ObjectiveChoice::Entropy => Objective::Entropy,
        _ => unreachable!("not tested"),
    };
    let (mut n, mut unclear) = (0, 0);
    for &scale in &map.scales {
        for region in map.axes.regions() {
            let plane = |measure| map.plane(measure, scale, region).unwrap();
            for at in 0..map.axes.n_pixels() {
                let gram = window(map, &j, logits.len(), scale, region, at);
                let expected = measure(&logits, &gram, objective, &settings).unwrap();
                let place = format!("scale {scale} {region:?} pixel {at}");
                let close = |found: f64, expected: f64, tolerance: f64| {
                    let error = (found - expected).abs();
                    assert!(
                        error <= tolerance * expected.abs() + 1e-300,
                        "{place}: {found} {expected}"
                    );
                };
                let gradient2 = expected.grad_norm.powi(2);
                close(
                    plane(MapMeasure::FisherTrace)[at],
                    expected.fisher_trace,
                    1e-10,
                );
                close(plane(MapMeasure::Gradient2)[at], gradient2, 1e-10);
                close(plane(MapMeasure::FiLambda)[at], expected.fi_lambda, 1e-7);
                n += 1;
                // FI jumps where an eigenvalue crosses the cut, and its two computations may differ on the side.
                let cut = options.rtol() * expected.spectrum[0];
                if expected
                    .spectrum
                    .iter()
                    .any(|l| *l > 0.98 * cut && *l < 1.02 * cut)
                {
                    unclear += 1;
                    continue;
                }
                assert_eq!(plane(MapMeasure::Rank)[at], expected.rank as f64, "{place}");
                close(plane(MapMeasure::Fi)[at], expected.fi, 1e-7);
                close(plane(MapMeasure::Saturation)[at], expected.saturation, 1e-7);
            }
        }
    }
    (n, unclear)
}

#[test]
fn every_window_of_a_grey_image_has_the_measures_of_its_gram() {
    let model = quaver::demo::model().unwrap();
    let side = quaver::demo::SIDE;
    let glyphs = quaver::demo::GlyphSet::generate(&quaver::demo::GlyphOptions {
        n_samples: 8,
        mislabelled: 0,
        overlaid: 0,
        ..Default::default()
    })
    .unwrap();
    let x = glyphs.read(3).unwrap().values;
    let images = InMemory::new(&[1, side, side], x, Some(vec![2])).unwrap();
    for (label, objective, rtol, lambda) in [
        (LabelChoice::Predicted, ObjectiveChoice::Nll, 1e-6, 1.0),
        (LabelChoice::True, ObjectiveChoice::Nll, 1e-3, 1e-3),
        (LabelChoice::Class(7), ObjectiveChoice::Entropy, 1e-6, 100.0),
    ] {
        let options = in_double(MapOptions {
            label,
            objective,
            rtol: Some(rtol),
            lambda,
            scales: vec![1, 3, 7],
            ..MapOptions::default()
        });
        let maps = maps(&model, &images, &options);
        let (n, unclear) = compare_with_definition(&model, &maps[0], &options);
        eprintln!("{n} windows, {unclear} on the cut");
        assert!(n == 3 * side * side && unclear * 20 < n);
    }
}

#[test]
fn every_window_of_a_colour_image_has_the_measures_of_its_gram() {
    let Some(data) = data() else { return };
    for (name, sample) in [
        ("onepixel_lenet_cifar10", 6),
        ("akamaster_resnet20_cifar10", 1),
    ] {
        let path = data.join(format!("models/{name}.onnx"));
        let model = Model::load(path, &LoadOptions::default()).unwrap();
        let (shape, x) = Arrays::open(&data.join(format!("oracle/{name}.npz"))).get("x");
        let n = x.len() / shape[0];
        let x = x[sample * n..][..n].to_vec();
        let images = InMemory::new(&shape[1..], x, None).unwrap();
        let options = in_double(MapOptions {
            rtol: Some(1e-6),
            scales: vec![1, 5],
            ..MapOptions::default()
        });
        let maps = maps(&model, &images, &options);
        let (n, unclear) = compare_with_definition(&model, &maps[0], &options);
        eprintln!("{name}: {n} windows, {unclear} on the cut");
        assert!(n == 2 * 4 * 1024 && unclear * 10 < n);
    }
}

/// A window that covers the image is the image.
#[test]
fn the_largest_window_is_the_whole_input() {
    let model = quaver::demo::model().unwrap();
    let side = quaver::demo::SIDE;
    let x: Vec<f64> = (0..side * side)
        .map(|i| (i as f64 * 0.05).sin().abs())
        .collect();
    let images = InMemory::new(&[1, side, side], x, Some(vec![1])).unwrap();
    let options = in_double(MapOptions {
        scales: vec![2 * side - 1],
        label: LabelChoice::True,
        ..MapOptions::default()
    });
    let map = &maps(&model, &images, &options)[0];
    let score = &model
        .score(
            &images,
            &ScoreOptions {
                precision: Precision::F64,
                ..ScoreOptions::default()
            },
        )
        .unwrap()[0];
    assert_eq!(map.whole, score.measures);
    for (measure, expected) in [
        (MapMeasure::Fi, score.measures.fi),
        (MapMeasure::FiLambda, score.measures.fi_lambda),
        (MapMeasure::FisherTrace, score.measures.fisher_trace),
        (MapMeasure::Gradient2, score.measures.grad_norm.powi(2)),
    ] {
        for found in map.plane(measure, 2 * side - 1, Region::All).unwrap() {
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{measure:?} {found} {expected}"
            );
        }
    }
    let summary = map.summary(2 * side - 1, Region::All).unwrap();
    assert_eq!(summary.verdict, Verdict::Saturated);
    assert_eq!(summary.shown(), MapMeasure::FiLambda);
}

/// [f(t h*) − f(0)]²/(2 KL) → FI, and f grows along h*: the chain of definitions, forward only.
#[test]
fn the_direction_has_the_influence_of_the_whole_image() {
    let model = quaver::demo::model().unwrap();
    let side = quaver::demo::SIDE;
    let x: Vec<f64> = (0..side * side)
        .map(|i| (i as f64 * 0.05).sin().abs())
        .collect();
    let images = InMemory::new(&[1, side, side], x.clone(), Some(vec![4])).unwrap();
    let options = in_double(MapOptions {
        label: LabelChoice::True,
        ..MapOptions::default()
    });
    let map = &maps(&model, &images, &options)[0];
    let log_p = |x: &[f64]| {
        let (z, _) = jacobian(&model, x);
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = z.iter().map(|z| (z - top).exp()).sum::<f64>().ln() + top;
        z.iter().map(|z| z - total).collect::<Vec<f64>>()
    };
    let before = log_p(&x);
    let size = map.direction.iter().map(|h| h * h).sum::<f64>().sqrt();
    let t = 1e-4 / size;
    let moved: Vec<f64> = x
        .iter()
        .zip(&map.direction)
        .map(|(x, h)| x + t * h)
        .collect();
    let after = log_p(&moved);
    let change = before[4] - after[4];
    let kl: f64 = before
        .iter()
        .zip(&after)
        .map(|(a, b)| a.exp() * (a - b))
        .sum();
    assert!(change > 0.0);
    let influence = change * change / (2.0 * kl);
    assert!(
        (influence / map.whole.fi - 1.0).abs() < 1e-2,
        "{influence} {}",
        map.whole.fi
    );
}

/// Maps by PyTorch in double precision, and by a direct SVD of the published formulas.
#[test]
fn agrees_with_the_oracles() {
    let Some(data) = data() else { return };
    for name in [
        "akamaster_resnet20_cifar10",
        "burn_mnist_cnn",
        "mfipso_resnet32_cifar10",
        "mfipso_resnet32_mnist",
        "mlperftiny_resnet8_cifar10",
        "onepixel_lenet_cifar10",
        "titu1994_densenet40-12_cifar10",
    ] {
        let path = data.join(format!("models/{name}.onnx"));
        let model = Model::load(path, &LoadOptions::default()).unwrap();
        let mut arrays = Arrays::open(&data.join(format!("oracle/{name}.npz")));
        let (shape, x) = arrays.get("x");
        let n = x.len() / shape[0];
        let images = InMemory::new(&shape[1..], x[6 * n..7 * n].to_vec(), None).unwrap();
        let options = in_double(MapOptions {
            rtol: Some(1e-6),
            compat: Some(1e-3),
            ..MapOptions::default()
        });
        let map = &maps(&model, &images, &options)[0];
        let (mut n_compared, mut n_other_rank, mut worst) = (0, 0, 0.0f64);
        for scale in [1, 3, 5, 7] {
            for (rank, fi, prefix) in [
                (MapMeasure::Rank, MapMeasure::Fi, "fi_rtol1e-6"),
                (MapMeasure::CompatRank, MapMeasure::CompatFi, "compat0.001"),
            ] {
                let stem = format!("map_pred_sample6_scale{scale}");
                let (_, expected) = arrays.get(&format!("{stem}_{prefix}"));
                let (_, ranks) = arrays.get(&format!("{stem}_rank"));
                let regions = map.axes.regions();
                let n_pixels = map.axes.n_pixels();
                for (c, &region) in regions.iter().take(map.axes.channels).enumerate() {
                    let (found, found_rank) = (
                        map.plane(fi, scale, region).unwrap(),
                        map.plane(rank, scale, region).unwrap(),
                    );
                    for at in 0..n_pixels {
                        let expected_fi = expected[c * n_pixels + at];
                        let error = (found[at] - expected_fi).abs() / expected_fi.abs().max(1e-12);
                        // A rank that differs tells an eigenvalue on the cut.
                        let same_rank = fi == MapMeasure::CompatFi
                            || found_rank[at] == ranks[c * n_pixels + at];
                        if same_rank && (fi == MapMeasure::Fi || error < 1e-3) {
                            worst = worst.max(error);
                            n_compared += 1;
                        } else {
                            n_other_rank += 1;
                        }
                    }
                }
            }
        }
        eprintln!("{name}: {n_compared} windows to {worst:.1e}, {n_other_rank} on a cut");
        assert!(worst < 1e-5, "{name}: {worst}");
        assert!(
            n_other_rank * 50 < n_compared,
            "{name}: {n_other_rank} of {n_compared}"
        );
    }
}

/// The published program's formulas, written down once more: L₀ from the window's own Jacobian, its singular value
/// decomposition, the absolute cut. Returns FI, rank, and how near to the cut a singular value is, as a ratio.
fn published(
    logits: &[f64],
    j: &[f64],
    coordinates: &[usize],
    label: usize,
    epsilon: f64,
) -> (f64, usize, f64) {
    let (k, n) = (logits.len(), j.len() / logits.len());
    let top = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let total: f64 = logits.iter().map(|z| (z - top).exp()).sum();
    let p: Vec<f64> = logits.iter().map(|z| (z - top).exp() / total).collect();
    // ∂p/∂ω: p_k (J_k − Σ p J), as differences of rows, of which none cancels.
    let of_p = |class: usize, at: usize| -> f64 {
        let terms = (0..k).map(|other| p[other] * (j[class * n + at] - j[other * n + at]));
        p[class] * terms.sum::<f64>()
    };
    let l0 = faer::Mat::from_fn(coordinates.len(), k, |row, class| {
        of_p(class, coordinates[row]) / (p[class].sqrt() + epsilon)
    });
    let svd = l0.thin_svd().unwrap();
    let (sigma, b) = (svd.S().column_vector(), svd.U());
    let (mut fi, mut rank, mut nearest) = (0.0, 0, f64::INFINITY);
    for i in 0..sigma.nrows() {
        let ratio = sigma[i] / epsilon;
        nearest = nearest.min(ratio.max(1.0 / ratio));
        if sigma[i] > epsilon {
            rank += 1;
            let along = |(row, &at): (usize, &usize)| {
                of_p(label, at) / (p[label] + epsilon) * b[(row, i)] / sigma[i]
            };
            let along: f64 = coordinates.iter().enumerate().map(along).sum();
            fi += along * along;
        }
    }
    (fi, rank, nearest)
}

/// `--compat` at both ε of the published program, window by window, on real networks; unsure and sure samples.
#[test]
fn the_published_arithmetic_of_every_window_is_that_of_its_own_jacobian() {
    let Some(data) = data() else { return };
    for name in [
        "akamaster_resnet20_cifar10",
        "burn_mnist_cnn",
        "mfipso_resnet32_mnist",
        "onepixel_lenet_cifar10",
        "mlperftiny_resnet8_cifar10",
    ] {
        let path = data.join(format!("models/{name}.onnx"));
        let model = Model::load(path, &LoadOptions::default()).unwrap();
        let mut arrays = Arrays::open(&data.join(format!("oracle/{name}.npz")));
        let (shape, x) = arrays.get("x");
        let n: usize = shape[1..].iter().product();
        for sample in [0, 6] {
            let images = InMemory::new(&shape[1..], x[sample * n..][..n].to_vec(), None).unwrap();
            for epsilon in [1e-3, 1e-8] {
                let options = in_double(MapOptions {
                    compat: Some(epsilon),
                    ..MapOptions::default()
                });
                let map = &maps(&model, &images, &options)[0];
                // The Jacobian of the samples as the network takes them, with channels wherever they are.
                let (logits, j) = jacobian(&model, &x[sample * n..][..n]);
                let (mut worst, mut n_compared, mut n_on_cut) = (0.0f64, 0, 0);
                let axes = map.axes;
                let (mut fi_sum, mut rank_sum) = (0.0, 0);
                for &scale in &map.scales {
                    for region in axes.regions() {
                        let plane = |measure| map.plane(measure, scale, region).unwrap();
                        for at in (0..axes.n_pixels()).step_by(13) {
                            let near = |middle: usize, n: usize| {
                                middle.saturating_sub(scale / 2)..(middle + scale / 2 + 1).min(n)
                            };
                            let mut coordinates = Vec::new();
                            for channel in 0..axes.channels {
                                if region != Region::All && region != Region::Channel(channel) {
                                    continue;
                                }
                                for y in near(at / axes.width, axes.height) {
                                    for x in near(at % axes.width, axes.width) {
                                        // All of these networks take channels first.
                                        coordinates
                                            .push((channel * axes.height + y) * axes.width + x);
                                    }
                                }
                            }
                            let (fi, rank, nearest) =
                                published(&logits, &j, &coordinates, map.label, epsilon);
                            // A singular value within a millionth of the cut may be on either side of it.
                            if nearest < 1.0 + 1e-6 {
                                n_on_cut += 1;
                                continue;
                            }
                            let found = (
                                plane(MapMeasure::CompatFi)[at],
                                plane(MapMeasure::CompatRank)[at],
                            );
                            let place =
                                format!("{name} {sample} {epsilon} {scale} {region:?} {at}");
                            assert_eq!(found.1, rank as f64, "{place}: {found:?} {fi}");
                            let error = (found.0 - fi).abs() / fi.max(1e-300);
                            worst = worst.max(if fi == found.0 { 0.0 } else { error });
                            n_compared += 1;
                            (fi_sum, rank_sum) = (fi_sum + fi, rank_sum + rank);
                        }
                    }
                }
                eprintln!(
                    "{name}, sample {sample}, ε {epsilon:e}: {n_compared} windows to {worst:.1e}, {n_on_cut} on the cut, mean rank {:.2}, mean FI {:.3e}, ceiling {:.3e}",
                    rank_sum as f64 / n_compared as f64,
                    fi_sum / n_compared as f64,
                    map.fi_max(),
                );
                assert!(worst < 1e-6, "{name} {sample} {epsilon}: {worst}");
                assert!(n_on_cut * 50 < n_compared, "{name}: {n_on_cut}");
            }
        }
    }
}

#[test]
fn merged_classes_keep_the_trace_below_and_fi_above() {
    let model = quaver::demo::model().unwrap();
    let side = quaver::demo::SIDE;
    let x: Vec<f64> = (0..side * side)
        .map(|i| (i as f64 * 0.05).sin().abs())
        .collect();
    let images = InMemory::new(&[1, side, side], x, None).unwrap();
    let whole = maps(&model, &images, &in_double(MapOptions::default()));
    let lumped = maps(
        &model,
        &images,
        &in_double(MapOptions {
            classes: Some(Classes::Top(3)),
            ..MapOptions::default()
        }),
    );
    assert_eq!((whole[0].rank_max, lumped[0].rank_max), (9, 4));
    let pair = |measure| {
        let plane = |map: &ImageMap| map.plane(measure, 3, Region::All).unwrap().to_vec();
        plane(&whole[0]).into_iter().zip(plane(&lumped[0]))
    };
    assert!(pair(MapMeasure::FisherTrace).all(|(all, some)| some <= all * (1.0 + 1e-9)));
    assert!(pair(MapMeasure::FiLambda).all(|(all, some)| some >= all * (1.0 - 1e-9)));
    assert!(
        pair(MapMeasure::Gradient2)
            .all(|(all, some)| (some / all - 1.0).abs() < 1e-9 || all == 0.0)
    );
}

#[test]
fn threads_do_not_show_and_bad_options_are_refused() {
    let model = quaver::demo::model().unwrap();
    let side = quaver::demo::SIDE;
    let x: Vec<f64> = (0..5 * side * side)
        .map(|i| (i as f64 * 0.05).sin().abs())
        .collect();
    let images = InMemory::new(&[1, side, side], x, None).unwrap();
    let with = |threads: usize| {
        maps(
            &model,
            &images,
            &MapOptions {
                threads: NonZeroUsize::new(threads),
                ..MapOptions::default()
            },
        )
    };
    assert_eq!(with(1), with(3));
    for (options, needle) in [
        (
            MapOptions {
                scales: vec![],
                ..MapOptions::default()
            },
            "no scale",
        ),
        (
            MapOptions {
                scales: vec![4],
                ..MapOptions::default()
            },
            "odd",
        ),
        (
            MapOptions {
                scales: vec![3, 3],
                ..MapOptions::default()
            },
            "twice",
        ),
        (
            MapOptions {
                scales: vec![301],
                ..MapOptions::default()
            },
            "more than twice",
        ),
        (
            MapOptions {
                label: LabelChoice::True,
                ..MapOptions::default()
            },
            "no labels",
        ),
        (
            MapOptions {
                label: LabelChoice::Class(99),
                ..MapOptions::default()
            },
            "class 99",
        ),
        (
            MapOptions {
                compat: Some(1e-3),
                objective: ObjectiveChoice::Entropy,
                ..MapOptions::default()
            },
            "nll only",
        ),
    ] {
        let stop = AtomicBool::new(false);
        let error = model
            .map_each(&images, &options, &stop, |mapped| {
                mapped.map(drop).map_err(SampleFailure::into_error)
            })
            .unwrap_err();
        assert!(error.to_string().contains(needle), "{error}");
    }
    let stop = AtomicBool::new(true);
    let error = model.map_each(&images, &MapOptions::default(), &stop, |_| Ok(()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
}
