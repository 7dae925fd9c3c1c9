//! Functions, branches, token ids and labels: what a model may be made of beside plain nodes.

mod endings;

use super::*;
use crate::Program;
use crate::onnx::proto::{
    AttributeProto, Dimension, FunctionProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, TypeProtoTensor, ValueInfoProto,
};

fn info(name: &str, elem_type: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = |&dim_value: &i64| Dimension {
        dim_value,
        ..Default::default()
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TypeProtoTensor {
                elem_type,
                shape: Some(TensorShapeProto {
                    dim: dims.iter().map(dim).collect(),
                }),
            }),
        }),
    }
}

fn node(op_type: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: op_type.into(),
        input: inputs.iter().map(|&s| s.into()).collect(),
        output: outputs.iter().map(|&s| s.into()).collect(),
        ..Default::default()
    }
}

fn opset(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto {
        domain: domain.into(),
        version,
    }
}

fn model(input: ValueInfoProto, nodes: Vec<NodeProto>, outputs: &[&str]) -> ModelProto {
    ModelProto {
        graph: Some(GraphProto {
            node: nodes,
            input: vec![input],
            output: outputs.iter().map(|name| info(name, 1, &[])).collect(),
            ..Default::default()
        }),
        opset_import: vec![opset("", 17), opset("local", 1)],
        ..Default::default()
    }
}

fn read(model: &ModelProto) -> Result<Graph, EngineError> {
    import(model, None, &ImportOptions::default())
}

fn run(graph: &Graph, x: &[f64]) -> Vec<f64> {
    let program = Program::<f64>::new(graph, graph.outputs()[0], &[]).unwrap();
    let mut workspace = program.workspace();
    program.forward(&mut workspace, &[x]).unwrap().to_vec()
}

fn call(op_type: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        domain: "local".into(),
        ..node(op_type, inputs, outputs)
    }
}

/// leaky(x) + x, the slope an attribute with a default.
fn function(name: &str, inner: NodeProto) -> FunctionProto {
    FunctionProto {
        name: name.into(),
        domain: "local".into(),
        input: vec!["a".into()],
        output: vec!["b".into(), "a".into()],
        node: vec![inner, node("Add", &["t", "a"], &["b"])],
        opset_import: vec![opset("", 18), opset("local", 1)],
        attribute_proto: vec![AttributeProto::float("slope", 0.5)],
        ..Default::default()
    }
}

#[test]
fn functions_are_written_out() {
    let mut leaky = node("LeakyRelu", &["a"], &["t"]);
    leaky.attribute.push(AttributeProto {
        name: "alpha".into(),
        ref_attr_name: "slope".into(),
        ..Default::default()
    });
    let mut second = call("F", &["u"], &["y", "same"]);
    second.attribute.push(AttributeProto::float("slope", 0.25));
    let mut nested = call("G", &["x"], &["u"]);
    nested.name = "first".into();
    let mut model = model(
        info("x", 1, &[1, 2]),
        vec![nested, second, node("Sub", &["y", "same"], &["z"])],
        &["z"],
    );
    model.functions = vec![
        function("F", leaky),
        function("G", call("F", &["a"], &["t"])),
    ];
    // G(x) = F(x) + x with F(x) = leaky(x) + x; z = leaky₀.₂₅(G(x)).
    let graph = read(&model).unwrap();
    assert_eq!(run(&graph, &[1.0, -1.0]), [3.0, -2.5 * 0.25]);
    assert!(graph.find("u/t/t").is_some(), "inner values have names");
}

#[test]
fn functions_that_call_themselves_are_refused() {
    let mut model = model(
        info("x", 1, &[1, 2]),
        vec![call("F", &["x"], &["y"])],
        &["y"],
    );
    model.functions = vec![function("F", call("F", &["a"], &["t"]))];
    let message = read(&model).unwrap_err().to_string();
    assert!(
        message.contains("function F") && message.contains("deep"),
        "{message}"
    );
    // Doubling at every level stays below the depth and must not fill memory.
    let double = |name: &str, callee: &str| FunctionProto {
        node: vec![call(callee, &["a"], &["t"]), call(callee, &["t"], &["b"])],
        ..function(name, node("Neg", &["a"], &["t"]))
    };
    let names: Vec<String> = (0..40).map(|at| format!("F{at}")).collect();
    model.functions = names
        .windows(2)
        .map(|pair| double(&pair[0], &pair[1]))
        .collect();
    model.functions.push(double("F39", "Neg"));
    if let Some(graph) = &mut model.graph {
        graph.node[0].op_type = "F0".into();
    }
    let message = read(&model).unwrap_err().to_string();
    assert!(
        message.contains("nodes, functions written out"),
        "{message}"
    );
}

#[test]
fn a_branch_of_a_constant_condition_is_read_in_its_place() {
    let branch = |op_type: &str, name: &str| AttributeProto {
        name: name.into(),
        g: Some(GraphProto {
            node: vec![node(op_type, &["h"], &["inner"])],
            output: vec![info("inner", 1, &[])],
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut choose = node("If", &["condition"], &["y"]);
    choose.attribute = vec![branch("Exp", "then_branch"), branch("Neg", "else_branch")];
    let mut model = model(
        info("x", 1, &[1, 1]),
        vec![node("Abs", &["x"], &["h"]), choose],
        &["y"],
    );
    for (holds, want) in [(0, -2.0), (1, 2f64.exp())] {
        if let Some(graph) = &mut model.graph {
            graph.initializer = vec![TensorProto {
                name: "condition".into(),
                data_type: 9,
                int32_data: vec![holds],
                ..Default::default()
            }];
        }
        assert_eq!(run(&read(&model).unwrap(), &[-2.0]), [want]);
    }
    if let Some(graph) = &mut model.graph {
        graph.initializer.clear();
        graph.node.push(node("Less", &["x", "h"], &["condition"]));
        graph.node.swap(1, 2);
    }
    let message = read(&model).unwrap_err().to_string();
    assert!(
        message.contains("condition (input 0) is computed from the sample"),
        "{message}"
    );
}

#[test]
fn token_ids_are_read_and_their_embedding_is_differentiated_by() {
    let mut model = model(
        info("ids", 7, &[1, 3]),
        vec![
            node("Gather", &["table", "ids"], &["embedded"]),
            node("ReduceMean", &["embedded"], &["y"]),
        ],
        &["y"],
    );
    if let Some(graph) = &mut model.graph {
        graph.node[1].attribute = vec![AttributeProto::ints("axes", &[1])];
        graph.initializer.push(TensorProto {
            name: "table".into(),
            dims: vec![4, 2],
            data_type: 1,
            float_data: (0..8).map(|x| x as f32).collect(),
            ..Default::default()
        });
    }
    let graph = read(&model).unwrap();
    let (ids, y) = (graph.inputs()[0], graph.outputs()[0]);
    let refusal = Program::<f64>::new(&graph, y, &[ids])
        .err()
        .unwrap()
        .to_string();
    assert!(refusal.contains("holds integers"), "{refusal}");
    let embedded = graph.find("embedded").unwrap();
    assert!(graph.is_real(embedded) && !graph.is_real(ids));
    let program = Program::<f64>::new(&graph, y, &[embedded]).unwrap();
    let mut workspace = program.workspace();
    let logits = program
        .forward(&mut workspace, &[&[3.0, 0.0, -1.0]])
        .unwrap();
    assert_eq!(logits, [4.0, 5.0]);
    program.backward(&mut workspace, &[3.0, 0.0]);
    assert_eq!(workspace.gradient(0), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    let beyond = program.forward(&mut workspace, &[&[4.0, 0.0, 0.0]]);
    assert!(beyond.unwrap_err().to_string().contains("NaN"));
}

#[test]
fn of_labels_and_probabilities_the_latter_are_read() {
    let linear = NodeProto {
        domain: ML.into(),
        attribute: vec![
            AttributeProto {
                name: "coefficients".into(),
                floats: vec![-1.0, -2.0, 1.0, 2.0],
                ..Default::default()
            },
            AttributeProto::ints("classlabels_ints", &[0, 1]),
            AttributeProto {
                name: "post_transform".into(),
                s: b"LOGISTIC".to_vec(),
                ..Default::default()
            },
        ],
        ..node("LinearClassifier", &["x"], &["label", "scores"])
    };
    let mut norm = node("Normalizer", &["scores"], &["sums"]);
    norm.domain = ML.into();
    norm.attribute.push(AttributeProto {
        name: "norm".into(),
        s: b"L1".to_vec(),
        ..Default::default()
    });
    let mut zip = node("ZipMap", &["sums"], &["map"]);
    zip.domain = ML.into();
    let mut model = model(
        info("x", 1, &[0, 2]),
        vec![linear, norm, zip],
        &["label", "map"],
    );
    model.opset_import = vec![opset(ML, 1)];
    if let Some(graph) = &mut model.graph {
        graph.output[0] = info("label", 7, &[0]);
        graph.output[1].r#type = Some(TypeProto::default());
    }
    let graph = read(&model).unwrap();
    let head = crate::Head::find(&graph, crate::HeadChoice::Detect).unwrap();
    assert_eq!((head.kind, head.n_classes), (crate::HeadKind::Softmax, 2));
    let p = run(&graph, &[0.5, 0.25]);
    assert!(
        (p[1] - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-15 && (p[0] + p[1] - 1.0).abs() < 1e-15
    );
}

#[test]
fn ranking_before_the_logits_is_refused() {
    let find =
        |input: ValueInfoProto, nodes: Vec<NodeProto>, outputs: &[&str], wanted: Option<&str>| {
            let mut model = model(input, nodes, outputs);
            if let Some(graph) = &mut model.graph {
                let two = |name: &str, data_type, float_data, int64_data| TensorProto {
                    name: name.into(),
                    dims: vec![2],
                    data_type,
                    float_data,
                    int64_data,
                    ..Default::default()
                };
                graph.initializer = vec![
                    TensorProto {
                        dims: vec![1],
                        ..two("k", 7, vec![], vec![2])
                    },
                    two("w", 1, vec![1.0, 2.0], vec![]),
                ];
            }
            let options = ImportOptions {
                output: wanted.map(str::to_owned),
                ..Default::default()
            };
            let graph = import(&model, None, &options)?;
            crate::Head::find(&graph, crate::HeadChoice::Logits)
        };
    let real = || info("x", 1, &[1, 3]);
    let mut top = node("TopK", &["x", "k"], &["values", "places"]);
    top.name = "top".into();
    let mut gather = node("GatherElements", &["x", "places"], &["z"]);
    gather.attribute.push(AttributeProto::int("axis", 1));
    for nodes in [
        vec![top.clone(), node("Neg", &["values"], &["z"])],
        vec![top.clone(), gather.clone()],
        vec![top.clone(), gather, node("Add", &["z", "values"], &["y"])],
    ] {
        let last = nodes.last().unwrap().output[0].clone();
        let error = find(real(), nodes, &[&last], None).unwrap_err();
        assert!(
            error.to_string().contains("node 'top' (TopK, opset 17)"),
            "{error}"
        );
        assert_eq!(error.unsupported_nodes().len(), 1, "{error}");
    }
    let beside = || {
        vec![
            top.clone(),
            node("Neg", &["x"], &["z"]),
            node("Neg", &["values"], &["y"]),
        ]
    };
    let error = find(real(), beside(), &["z", "y"], None).unwrap_err();
    assert!(error.to_string().contains("--output"), "{error}");
    find(real(), beside(), &["z", "y"], Some("z")).unwrap();

    // Where a text ends is no matter of degree; which of its words is the largest is.
    let last = |from: &str| {
        vec![
            node("Cast", &["x"], &["ids"]),
            node("Gather", &["w", "x"], &["e"]),
            node("ArgMax", &[from], &["at"]),
            node("Cast", &["at"], &["z"]),
        ]
    };
    let ids = || info("x", 7, &[1, 2]);
    let float = |mut nodes: Vec<NodeProto>| {
        for cast in nodes.iter_mut().filter(|node| node.op_type == "Cast") {
            cast.attribute.push(AttributeProto::int("to", 1));
        }
        for arg in nodes.iter_mut().filter(|node| node.op_type == "ArgMax") {
            arg.attribute.push(AttributeProto::int("axis", 0));
        }
        nodes
    };
    find(ids(), float(last("ids")), &["z"], None).unwrap();
    let error = find(ids(), float(last("e")), &["z"], None).unwrap_err();
    assert!(error.to_string().contains("(ArgMax"), "{error}");
}

#[test]
fn an_output_that_only_steps_is_refused_with_the_step() {
    let rounded = |to: i64| {
        let mut cast = node("Cast", &["z"], &["y"]);
        cast.attribute.push(AttributeProto::int("to", to));
        let graph = read(&model(
            info("x", 1, &[1, 2]),
            vec![node("Neg", &["x"], &["z"]), cast],
            &["y"],
        ));
        let graph = graph.unwrap();
        let y = graph.find("y").unwrap();
        crate::Program::<f64>::new(&graph, y, graph.inputs()).map(|_| ())
    };
    rounded(1).unwrap();
    let message = rounded(7).unwrap_err().to_string();
    assert!(message.contains("node 'y'"), "{message}");
}

#[test]
fn every_node_that_cannot_be_read_is_named() {
    let mut argument = node("BatchNormalization", &["x", "s", "s", "s", "s"], &["b"]);
    argument
        .attribute
        .push(AttributeProto::int("training_mode", 1));
    let model = model(
        info("x", 1, &[1, 2]),
        vec![
            node("Loop", &["x"], &["a"]),
            argument,
            // What these read is not known; they are not to blame.
            node("Add", &["a", "b"], &["c"]),
            node("Loop", &["c"], &["d"]),
            node("Hardmax", &["x"], &["e"]),
            node("Sum", &["d", "e"], &["y"]),
        ],
        &["y"],
    );
    let mut model = model;
    model
        .graph
        .as_mut()
        .unwrap()
        .initializer
        .push(floats("s", &[2]));
    let error = read(&model).unwrap_err();
    let names = error.unsupported_nodes().iter().map(|n| n.node.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "e"], "{error}");
    let message = error.to_string();
    for part in [
        "Loop in opset 17 (node 'a')",
        "step function",
        "; docs/operators.md",
        "node 'b' (BatchNormalization",
        "training_mode",
    ] {
        assert!(
            message.contains(part),
            "'{message}' does not contain '{part}'"
        );
    }
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn parameters_are_what_layers_are_trained_by() {
    let mut model = model(
        info("x", 1, &[1, 2]),
        vec![
            node("Sub", &["x", "mean"], &["a"]),
            node("MatMul", &["a", "w"], &["b"]),
            node("Add", &["b", "bias"], &["c"]),
            node("Mul", &["c", "number"], &["d"]),
            node("Add", &["d", "mask"], &["y"]),
        ],
        &["y"],
    );
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.extend([
        floats("mean", &[2]),
        floats("w", &[2, 3]),
        floats("bias", &[3]),
        floats("number", &[1]),
        TensorProto {
            double_data: vec![0.0, f64::NEG_INFINITY, 0.0],
            ..floats("mask", &[3])
        },
    ]);
    let graph = read(&model).unwrap();
    let parameters = graph.parameters(graph.outputs()[0]);
    let names = parameters.iter().map(|&value| graph.parameter_name(value));
    assert_eq!(names.collect::<Vec<_>>(), ["w", "bias"]);
}

fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let n = dims.iter().product::<i64>();
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 11,
        double_data: (1..=n).map(|i| i as f64).collect(),
        ..Default::default()
    }
}

/// Exporters write equal tensors once: gains of 1 and variances of 1 in a network that was never trained.
#[test]
fn a_gain_that_is_a_statistic_too_is_a_parameter_where_it_is_a_gain() {
    let network = |variance: &str, later: &str| {
        let mut model = model(
            info("x", 1, &[1, 2, 3]),
            vec![
                node(
                    "BatchNormalization",
                    &["x", "gain", "shift", "mean", variance],
                    &["a"],
                ),
                node("Tanh", &["a"], &["b"]),
                node(
                    "BatchNormalization",
                    &["b", "last", "shift", "mean", later],
                    &["c"],
                ),
                node("Flatten", &["c"], &["d"]),
                node("MatMul", &["d", "w"], &["y"]),
            ],
            &["y"],
        );
        let names = ["gain", "shift", "mean", "last", "own", "other"];
        let tensors = names.map(|name| floats(name, &[2]));
        let graph = model.graph.as_mut().unwrap();
        graph.initializer.extend(tensors);
        graph.initializer.push(floats("w", &[6, 2]));
        read(&model).unwrap()
    };
    let gram = |graph: &Graph, name: &str| {
        let parameter = graph.find(name).unwrap();
        let program = Program::<f64>::new(graph, graph.outputs()[0], &[parameter]).unwrap();
        let mut workspace = program.workspace();
        let x = [0.1, -0.2, 0.3, 0.5, -0.4, 0.2];
        program.forward(&mut workspace, &[&x]).unwrap();
        program.backward(&mut workspace, &[1.0, 0.0, 0.0, 1.0]);
        let mut gram = [0.0; 4];
        workspace.gram(0, &mut gram);
        gram
    };
    let (apart, tied) = (network("own", "other"), network("gain", "gain"));
    for name in ["gain", "last", "shift"] {
        let (want, got) = (gram(&apart, name), gram(&tied, name));
        assert!(want[0] > 0.0);
        for (want, got) in want.iter().zip(got) {
            assert!(
                (want - got).abs() < 1e-12 * want.abs(),
                "{name}: {want} and {got}"
            );
        }
    }
    // What is a statistic and nothing else is still refused.
    let statistic = apart.find("own").unwrap();
    let refused = Program::<f64>::new(&apart, apart.outputs()[0], &[statistic]);
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("cannot be differentiated by"), "{message}");
}

fn with_integers(mut node: NodeProto, name: &str, ints: &[i64], i: i64) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: name.into(),
        ints: ints.to_vec(),
        i,
        r#type: if ints.is_empty() { 2 } else { 7 },
        ..Default::default()
    });
    node
}

#[test]
fn what_couples_the_samples_of_a_batch_is_refused_by_name() {
    let mean = || with_integers(node("ReduceMean", &["x"], &["mean"]), "axes", &[0], 0);
    let less = || node("Sub", &["x", "mean"], &["y"]);
    let softmax = |axis| with_integers(node("Softmax", &["x"], &["y"]), "axis", &[], axis);
    let open = |nodes| read(&model(info("x", 1, &[0, 3]), nodes, &["y"]));
    let refused = |nodes: Vec<NodeProto>, name: &str| {
        let message = open(nodes).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        assert!(message.contains("couples the samples"), "{message}");
    };
    refused(vec![mean(), less()], "node 'mean' (ReduceMean)");
    refused(
        vec![
            node("Transpose", &["x"], &["t"]),
            node("MatMul", &["t", "x"], &["y"]),
        ],
        "node 'y' (MatMul)",
    );
    refused(vec![softmax(0)], "node 'y' (Softmax)");

    // The same with a batch of 1, and along another axis.
    read(&model(info("x", 1, &[1, 3]), vec![mean(), less()], &["y"])).unwrap();
    open(vec![softmax(-1)]).unwrap();
    let along = with_integers(node("ReduceMean", &["x"], &["mean"]), "axes", &[1], 0);
    open(vec![along, less()]).unwrap();
}
