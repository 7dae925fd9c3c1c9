//! Class Grams of parameters against central differences, for every case whose operator has parameters.

use std::collections::BTreeSet;

use super::{Case, cases, dot, run, wave};
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use crate::{Graph, ImportOptions, Program};

/// Σ over the elements of initializer `name` of (∂⟨u, y⟩/∂element)², by central differences.
fn squared_gradient(
    model: &ModelProto,
    name: &str,
    load: &dyn Fn(&ModelProto) -> Graph,
    x: &[Vec<f64>],
    u: &[f64],
) -> f64 {
    let step = 1e-5;
    let graph = model.graph.as_ref().unwrap();
    let at = graph
        .initializer
        .iter()
        .position(|i| i.name == name)
        .unwrap();
    let n = graph.initializer[at].double_data.len();
    let slope = |element: usize| {
        let moved = |sign: f64| {
            let mut model = model.clone();
            model.graph.as_mut().unwrap().initializer[at].double_data[element] += sign * step;
            let graph = load(&model);
            let program = Program::<f64>::new(&graph, graph.outputs()[0], graph.inputs()).unwrap();
            dot(&run(&program, x), u)
        };
        (moved(1.0) - moved(-1.0)) / (2.0 * step)
    };
    (0..n).map(|element| slope(element).powi(2)).sum()
}

/// The parameters of `model` whose Grams were compared.
fn compare(
    what: &str,
    model: &ModelProto,
    load: &dyn Fn(&ModelProto) -> Graph,
    values: &dyn Fn(usize, f64) -> Vec<f64>,
) -> usize {
    let graph = load(model);
    let output = graph.outputs()[0];
    let mut compared = 0;
    // Whether or not it counts as trainable where it is: its derivative is right, or refused.
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    let named = initializers.filter_map(|i| graph.find(&i.name));
    for parameter in named.filter(|&value| graph.is_real(value)) {
        let program = match Program::<f64>::new(&graph, output, &[parameter]) {
            Ok(program) => program,
            Err(error) => {
                let error = error.to_string();
                let reasons = ["cannot be differentiated by", "does not depend on"];
                assert!(
                    reasons.iter().any(|why| error.contains(why)),
                    "{what}: {error}"
                );
                continue;
            }
        };
        let x: Vec<Vec<f64>> = (0..graph.inputs().len())
            .map(|i| values(program.n_input(i), i as f64))
            .collect();
        let u = wave(program.n_output(), 0.91);
        let mut workspace = program.workspace();
        let inputs: Vec<&[f64]> = x.iter().map(Vec::as_slice).collect();
        program.forward(&mut workspace, &inputs).unwrap();
        program.backward(&mut workspace, &[u.clone(), wave(u.len(), 0.2)].concat());
        let mut s = [0.0; 4];
        workspace.gram(0, &mut s);
        let name = graph.parameter_name(parameter);
        let want = squared_gradient(model, name, load, &x, &u);
        assert!(
            (s[0] - want).abs() < 1e-6 * (1e-3 + want),
            "{what}, {name}: Gram {}, differences {want}",
            s[0]
        );
        compared += 1;
    }
    compared
}

#[test]
fn grams_of_parameters_are_those_of_differences() {
    let mut trained = BTreeSet::new();
    for case in cases()
        .iter()
        .filter(|case| !case.is_flat && case.n_outputs == 1)
    {
        let load = |model: &ModelProto| {
            let options = ImportOptions::default();
            crate::import::import_as(model, None, &options, case.shapes).unwrap()
        };
        let values = |n: usize, seed: f64| Case::values(case, n, seed);
        if compare(case.op, &case.model(), &load, &values) > 0 {
            trained.insert(case.op);
        }
    }
    for op in [
        "Add",
        "BatchNormalization",
        "Conv",
        "ConvTranspose",
        "Gemm",
        "MatMul",
        "Mul",
        "PRelu",
    ] {
        assert!(
            trained.contains(op),
            "{op} has no case with a parameter: {trained:?}"
        );
    }
}

#[test]
fn a_parameter_used_twice_is_moved_in_both_places() {
    let node = |input: &str, output: &str| NodeProto {
        op_type: "MatMul".into(),
        input: vec![input.into(), "w".into()],
        output: vec![output.into()],
        ..Default::default()
    };
    let tanh = NodeProto {
        op_type: "Tanh".into(),
        input: vec!["a".into()],
        output: vec!["b".into()],
        ..Default::default()
    };
    let model = ModelProto {
        graph: Some(GraphProto {
            node: vec![node("x", "a"), tanh, node("b", "y")],
            input: vec![super::value_info("x", &[1, 3])],
            output: vec![super::value_info("y", &[])],
            initializer: vec![TensorProto {
                name: "w".into(),
                dims: vec![3, 3],
                data_type: 11,
                double_data: wave(9, 0.7),
                ..Default::default()
            }],
            ..Default::default()
        }),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 17,
        }],
        ..Default::default()
    };
    let load =
        |model: &ModelProto| crate::import::import(model, None, &ImportOptions::default()).unwrap();
    let values = |n: usize, seed: f64| wave(n, 0.3 + seed);
    assert_eq!(compare("shared", &model, &load, &values), 1);

    // Transposed for one of its uses, it is two values of the graph, and one parameter all the same.
    let mut tied = model;
    let graph = tied.graph.as_mut().unwrap();
    graph.node[2].input[1] = "v".into();
    graph.node.insert(
        0,
        NodeProto {
            op_type: "Transpose".into(),
            input: vec!["w".into()],
            output: vec!["v".into()],
            ..Default::default()
        },
    );
    assert_eq!(compare("transposed", &tied, &load, &values), 1);
}
