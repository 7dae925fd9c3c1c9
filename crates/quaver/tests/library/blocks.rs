//! Blocks: names, sums, and the identities that tie them together.

use quaver::{
    Classes, InMemory, LoadOptions, Model, ObjectiveChoice, Precision, Score, ScoreOptions,
};

fn model() -> Model {
    let bytes = include_bytes!("../../assets/demo_glyphs.onnx");
    Model::from_bytes(bytes, &LoadOptions::default()).unwrap()
}

fn data(n: usize) -> InMemory {
    let values = (0..n * 784).map(|i| ((i as f64 * 0.37).sin() + 1.0) / 2.0);
    let labels = (0..n).map(|i| i % 10).collect();
    InMemory::new(&[1, 28, 28], values.collect(), Some(labels)).unwrap()
}

fn scores(wrt: &[&str], change: impl FnOnce(&mut ScoreOptions)) -> Vec<Score> {
    let mut options = ScoreOptions {
        wrt: wrt.iter().map(|&term| term.to_owned()).collect(),
        precision: Precision::F64,
        ..ScoreOptions::default()
    };
    change(&mut options);
    model().score(&data(3), &options).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (a.abs() + b.abs())
}

#[test]
fn layers_add_up_to_all_parameters_and_joint_blocks_to_their_parts() {
    let n_layers = model().blocks(&["layers".into()]).unwrap().len();
    let all = scores(&["layers", "params", "input", "input+params"], |_| ());
    for sample in all.chunks(n_layers + 3) {
        let trace = |at: usize| sample[at].measures.fisher_trace;
        let squared_gradient = |at: usize| sample[at].measures.grad_norm.powi(2);
        let layers: f64 = (0..n_layers).map(trace).sum();
        assert!(close(layers, trace(n_layers)), "Grams of layers add up");
        let layers: f64 = (0..n_layers).map(squared_gradient).sum();
        assert!(close(layers, squared_gradient(n_layers)));
        assert!(close(
            trace(n_layers) + trace(n_layers + 1),
            trace(n_layers + 2)
        ));
        for layer in &sample[..n_layers] {
            // Nested blocks: a part never has more influence than the whole.
            assert!(layer.measures.fi <= sample[n_layers].measures.fi * (1.0 + 1e-9));
        }
    }
}

#[test]
fn the_last_bias_moves_every_logit_alike() {
    let model = model();
    let last = model.graph().layers(model.head().logits).pop().unwrap();
    let bias = last.params.last().unwrap().0.clone();
    for score in scores(&[&format!("param:{bias}")], |_| ()) {
        // J = I: FI is (1 − p)/p (identity of the measure for a block of full rank).
        assert!(close(
            score.measures.fi,
            (1.0 - score.p_label.unwrap()) / score.p_label.unwrap()
        ));
        assert!(close(score.measures.saturation, 1.0));
        let relative = score.relative.unwrap();
        let squared = relative.norm * relative.norm;
        assert!(close(
            relative.fisher_trace,
            score.measures.fisher_trace * squared
        ));
    }
}

#[test]
fn an_activation_is_a_block_and_its_gram_does_not_depend_on_who_else_asks() {
    let name = model().graph().activations(model().head().logits);
    let term = format!("value:{}", model().graph().name(name[1]));
    let alone = scores(&[&term], |_| ());
    let beside = scores(&["input", &term, "params"], |_| ());
    for (alone, beside) in alone.iter().zip(beside.chunks(3)) {
        assert!(close(
            alone.measures.fisher_trace,
            beside[1].measures.fisher_trace
        ));
        assert_eq!(alone.relative, None);
    }
}

#[test]
fn names_that_match_nothing_are_refused_with_what_there_is() {
    for (wrt, said) in [
        ("param:nothing*", "matches none of"),
        ("everything", "give input, params, layers"),
        ("layer", "give input"),
        ("input+", "give input"),
    ] {
        let error = model().blocks(&[wrt.to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.starts_with("--wrt"),
            "{error}"
        );
    }
    assert!(model().blocks(&["param:*".into()]).unwrap().len() > 3);
}

#[test]
fn objectives_have_their_own_ceilings() {
    for (objective, ceiling) in [
        ("prob", (|p: f64| p * (1.0 - p)) as fn(f64) -> f64),
        ("log-odds", |p| 1.0 / (p * (1.0 - p))),
        ("nll", |p| (1.0 - p) / p),
    ] {
        let choice: ObjectiveChoice = objective.parse().unwrap();
        for score in scores(&["input"], |options| options.objective = choice) {
            assert!(
                close(score.measures.fi_max, ceiling(score.p_label.unwrap())),
                "{objective}"
            );
            assert!(score.measures.fi <= score.measures.fi_max * (1.0 + 1e-9));
        }
    }
}

#[test]
fn merging_classes_bounds_the_exact_measures() {
    let exact = scores(&["input"], |_| ());
    let merged = scores(&["input"], |options| {
        options.classes = Some(Classes::Top(2))
    });
    let whole = scores(&["input"], |options| {
        options.classes = Some(Classes::Top(9))
    });
    for ((exact, merged), whole) in exact.iter().zip(&merged).zip(&whole) {
        assert_eq!((exact.n_classes_kept, merged.n_classes_kept), (10, 4));
        let slack = 1.0 + 1e-9;
        assert!(merged.measures.fisher_trace <= exact.measures.fisher_trace * slack);
        assert!(merged.measures.fi_lambda * slack >= exact.measures.fi_lambda);
        assert!(merged.lost_trace >= 0.0);
        assert!(close(
            whole.measures.fisher_trace,
            exact.measures.fisher_trace
        ));
    }
}
