//! Outliers, simulated data and comparisons, on data that the library draws itself.

use quaver::compare::{CompareStudy, Side};
use quaver::curves::Roc;
use quaver::demo::{GlyphOptions, GlyphSet, Origin};
use quaver::outliers::{OutlierReport, OutlierStudy};
use quaver::simulate::{MislabelOptions, OverlayOptions, mislabel, overlay};
use quaver::statistics::Bootstrap;
use quaver::{Dataset, InMemory, LabelChoice, MEASURES, Model, Score, ScoreOptions};

fn model() -> Model {
    quaver::demo::model().unwrap()
}

fn studied(scores: &[Score], truth: Option<Vec<bool>>) -> OutlierReport {
    let mut study = OutlierStudy::new(10, truth);
    scores.iter().for_each(|score| study.add(score).unwrap());
    study.finish().unwrap()
}

#[test]
fn planted_outliers_are_found_and_every_measure_says_how_well() {
    let set = GlyphSet::generate(&GlyphOptions::with_outliers(500, 1)).unwrap();
    let scores = model().score(&set, &ScoreOptions::default()).unwrap();
    let truth: Vec<bool> = set
        .glyphs()
        .iter()
        .map(|glyph| glyph.origin != Origin::Clean)
        .collect();
    let report = studied(&scores, Some(truth.clone()));
    let [block] = &report.blocks[..] else {
        panic!("one block")
    };
    assert_eq!(block.n_outliers(), Some(20));
    // compat_fi was not asked for.
    assert_eq!(block.detections.len(), MEASURES.len() - 1);
    for (measure, found) in &block.detections {
        // From the scores themselves, with the sign by hand.
        let sign = match measure.name {
            "p_label" | "margin_radius" => -1.0,
            _ => 1.0,
        };
        let values: Vec<f64> = scores
            .iter()
            .map(|score| sign * measure.of(score).unwrap())
            .collect();
        assert_eq!(found.roc, Roc::new(&values, &truth).unwrap());
        // The others do not look at the label, or not at what is unusual about it.
        let looks_at_label = ["fi", "fi_lambda", "grad_norm", "margin_radius", "p_label"];
        if looks_at_label.contains(&measure.name) {
            assert!(found.roc.auc > 0.85, "{} {}", measure.name, found.roc.auc);
        }
    }
    // Saturated FI is a function of p: the same ranking.
    let agreement = |name: &str| {
        let of = block.agreement_with_fi.iter().find(|(m, _)| m.name == name);
        of.map(|(_, value)| *value)
    };
    assert_eq!(agreement("fi"), Some(1.0));
    assert!(agreement("p_label").unwrap() > 0.999_999);
    assert!(agreement("fi_lambda").unwrap() < 1.0);

    let ranked = block.ranked_by("margin_radius");
    let margins: Vec<f64> = ranked
        .iter()
        .map(|at| scores[*at].measures.margin_radius)
        .collect();
    assert!(margins.is_sorted());
    let columns = block.columns();
    assert!(
        block
            .samples
            .iter()
            .all(|s| block.row(s).len() == columns.len())
    );
    let (columns, rows) = block.detection_table();
    assert!(rows.iter().all(|row| row.len() == columns.len()) && rows.len() == MEASURES.len() - 1);
}

#[test]
fn without_truth_there_is_a_ranking_and_no_curve() {
    let set = GlyphSet::generate(&GlyphOptions::clean(30, 3)).unwrap();
    let scores = model().score(&set, &ScoreOptions::default()).unwrap();
    let report = studied(&scores, None);
    assert!(report.blocks[0].detections.is_empty());
    assert_eq!(report.blocks[0].n_outliers(), None);
    assert_eq!(report.blocks[0].ranked_by("fi").len(), 30);
    let (columns, rows) = report.blocks[0].detection_table();
    assert!(rows.iter().all(|row| row.len() == columns.len()));

    let message = |truth: Vec<bool>| {
        let mut study = OutlierStudy::new(10, Some(truth));
        let added: Result<(), _> = scores.iter().try_for_each(|score| study.add(score));
        let result = added.and_then(|()| study.finish().map(drop));
        result.unwrap_err().to_string()
    };
    assert!(message(vec![false; 30]).contains("none"));
    assert!(message(vec![true; 30]).contains("all"));
    assert!(message(vec![true; 29]).contains("sample 29"));
}

#[test]
fn overlays_are_the_maximum_of_two_shifted_pictures() {
    let set = GlyphSet::generate(&GlyphOptions::clean(60, 5)).unwrap();
    let options = OverlayOptions {
        n_outliers: Some(40),
        seed: 9,
        ..OverlayOptions::default()
    };
    let simulated = overlay(&set, &options).unwrap();
    assert_eq!(simulated.len(), 100);
    let mut labels_of_first = 0;
    for (at, origin) in simulated.origins().iter().enumerate() {
        let sample = simulated.read(at).unwrap();
        assert_eq!(sample.label, simulated.label(at).unwrap());
        assert_eq!(origin.is_outlier(), at >= 60);
        let Some(other) = origin.other else {
            assert_eq!(sample.values, set.read(at).unwrap().values);
            continue;
        };
        let (a, b) = (set.read(origin.source).unwrap(), set.read(other).unwrap());
        assert_ne!(a.label, b.label);
        assert!([a.label, b.label].contains(&sample.label));
        labels_of_first += usize::from(sample.label == a.label);
        let shifts = origin.shifts.as_flattened();
        assert!(shifts.iter().all(|shift| shift.abs() <= 4));
        let pixel = |values: &[f64], row: usize, column: usize, shift: [isize; 2]| {
            let from =
                |at: usize, by: isize| usize::try_from(at as isize - by).ok().filter(|at| *at < 28);
            match (from(row, shift[1]), from(column, shift[0])) {
                (Some(row), Some(column)) => values[28 * row + column],
                _ => 0.0,
            }
        };
        for row in 0..28 {
            for column in 0..28 {
                let first = pixel(&a.values, row, column, origin.shifts[0]);
                let second = pixel(&b.values, row, column, origin.shifts[1]);
                assert_eq!(sample.values[28 * row + column], first.max(second));
            }
        }
    }
    assert!((5..=35).contains(&labels_of_first), "{labels_of_first}");
    let again = overlay(&set, &options).unwrap();
    assert_eq!(again.origins(), simulated.origins());
    let fewer = OverlayOptions {
        n_outliers: Some(10),
        ..options.clone()
    };
    assert_eq!(
        overlay(&set, &fewer).unwrap().origins(),
        &simulated.origins()[..70]
    );
    let other = OverlayOptions {
        seed: 10,
        ..options
    };
    assert_ne!(
        overlay(&set, &other).unwrap().origins(),
        simulated.origins()
    );
}

#[test]
fn mislabelled_samples_have_another_class_and_their_own_picture() {
    let set = GlyphSet::generate(&GlyphOptions::clean(200, 5)).unwrap();
    let options = MislabelOptions {
        n_outliers: Some(150),
        seed: 2,
    };
    let simulated = mislabel(&set, &options).unwrap();
    let outliers: Vec<usize> = (0..200)
        .filter(|at| simulated.origins()[*at].is_outlier())
        .collect();
    assert_eq!(outliers.len(), 150);
    let mut steps = [0; 10];
    for at in 0..200 {
        let (before, after) = (set.read(at).unwrap(), simulated.read(at).unwrap());
        assert_eq!(before.values, after.values);
        steps[(10 + after.label.unwrap() - before.label.unwrap()) % 10] += 1;
    }
    assert_eq!(steps[0], 50);
    // 150 draws of nine classes: none of them is left out.
    assert!(steps[1..].iter().all(|n| (4..=40).contains(n)), "{steps:?}");
    assert_eq!(
        mislabel(&set, &options).unwrap().origins(),
        simulated.origins()
    );
}

#[test]
fn what_cannot_be_simulated_is_said() {
    let data =
        |labels: Option<Vec<usize>>| InMemory::new(&[1, 3, 3], vec![0.0; 27], labels).unwrap();
    let message = |data: &dyn Dataset, options: &OverlayOptions| {
        overlay(data, options).err().unwrap().to_string()
    };
    let usual = OverlayOptions {
        max_shift: 1,
        ..OverlayOptions::default()
    };
    assert!(message(&data(None), &usual).contains("sample 0 has no label"));
    assert!(message(&data(Some(vec![4; 3])), &usual).contains("1 class"));
    let labelled = data(Some(vec![0, 1, 0]));
    assert!(message(&labelled, &OverlayOptions::default()).contains("4 pixels"));
    let flat = InMemory::new(&[9], vec![0.0; 27], Some(vec![0, 1, 2])).unwrap();
    assert!(message(&flat, &usual).contains("[9]"));
    let many = MislabelOptions {
        n_outliers: Some(4),
        seed: 0,
    };
    assert!(
        mislabel(&labelled, &many)
            .err()
            .unwrap()
            .to_string()
            .contains("4 labels")
    );
}

#[test]
fn a_set_compared_with_itself_and_with_another() {
    let options = ScoreOptions {
        label: LabelChoice::Predicted,
        ..ScoreOptions::default()
    };
    let model = model();
    let scores = |set: &dyn Dataset| model.score(set, &options).unwrap();
    let clean = GlyphSet::generate(&GlyphOptions::clean(300, 5)).unwrap();
    let overlays = overlay(
        &clean,
        &OverlayOptions {
            n_outliers: Some(200),
            ..OverlayOptions::default()
        },
    )
    .unwrap();
    let (clean, both) = (scores(&clean), scores(&overlays));
    let compare = |first: &[Score], second: &[Score]| {
        let bootstrap = Bootstrap {
            n_resamples: 200,
            ..Bootstrap::default()
        };
        let mut study = CompareStudy::new(10, bootstrap);
        first.iter().for_each(|score| study.add(Side::First, score));
        second
            .iter()
            .for_each(|score| study.add(Side::Second, score));
        study.finish().unwrap()
    };
    let same = compare(&clean, &clean);
    for compared in &same.blocks[0].overall {
        assert_eq!((compared.ks.statistic, compared.ks.p_value), (0.0, 1.0));
        assert_eq!(compared.mann_whitney.superiority, 0.5);
        for quantile in &compared.quantiles {
            assert_eq!(quantile.difference, 0.0);
            assert!(quantile.interval.0 <= 0.0 && quantile.interval.1 >= 0.0);
        }
    }
    let other = compare(&clean, &both[300..]);
    let block = &other.blocks[0];
    let fi_lambda = block
        .overall
        .iter()
        .find(|c| c.measure.name == "fi_lambda")
        .unwrap();
    assert!(fi_lambda.ks.p_value < 1e-6 && fi_lambda.mann_whitney.superiority > 0.7);
    assert!(fi_lambda.median().unwrap().interval.0 > 0.0);
    assert_eq!(fi_lambda.n, [300, 200]);
    assert!(!block.classes.is_empty());
    let n_of_classes: usize = block.classes.iter().map(|(_, of)| of[0].n[0]).sum();
    assert!(n_of_classes <= 300);
    assert_eq!(block.sets[0].summary.n_samples(), 300);
    let columns = quaver::compare::columns();
    assert!(block.rows().iter().all(|row| row.len() == columns.len()));
}
