//! What a network ends in: logits, probabilities with or without a softmax, and what can be told of neither.

use super::*;

#[test]
fn probabilities_without_a_softmax_are_not_taken_for_logits() {
    let sums = |last: Vec<NodeProto>| {
        let first = vec![
            node("Sigmoid", &["x"], &["p"]),
            node("ReduceSum", &["p"], &["s"]),
        ];
        read(&model(
            info("x", 1, &[1, 3]),
            [first, last].concat(),
            &["y"],
        ))
        .unwrap()
    };
    let find = |graph: &Graph| crate::Head::find(graph, crate::HeadChoice::Detect);
    let shares = sums(vec![node("Div", &["p", "s"], &["y"])]);
    let head = find(&shares).unwrap();
    assert_eq!(head.kind, crate::HeadKind::Softmax);
    let p = run(&shares, &[0.0, 1.0, -1.0]);
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-15 && (p[0] - 0.5 / 1.5).abs() < 1e-15);
    // skl2onnx in double precision, and one against the rest.
    let size = sums(vec![
        node("Abs", &["p"], &["a"]),
        node("ReduceSum", &["a"], &["t"]),
        node("Div", &["p", "t"], &["y"]),
    ]);
    assert_eq!(find(&size).unwrap().kind, crate::HeadKind::Softmax);
    assert_eq!(run(&size, &[0.0, 1.0, -1.0]), p);
    let p = run(&size, &[-800.0, -801.0, -900.0]);
    assert!((p[0] - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-12, "{p:?}");
    let guarded = |times: &str| {
        let real = |mut node: NodeProto, to: i64| {
            node.attribute.push(AttributeProto::int("to", to));
            node
        };
        sums(vec![
            real(node("Cast", &["s"], &["is_some"]), 9),
            node("Not", &["is_some"], &["is_none"]),
            real(node("Cast", &["is_none"], &["e"]), 1),
            node("Add", &["p", "e"], &["q"]),
            node("Sum", &["e", times], &["twice"]),
            node("Add", &["twice", "e"], &["thrice"]),
            node("Add", &["s", "thrice"], &["t"]),
            node("Div", &["q", "t"], &["y"]),
        ])
    };
    assert_eq!(find(&guarded("e")).unwrap().kind, crate::HeadKind::Softmax);
    let message = find(&guarded("s")).unwrap_err().to_string();
    assert!(message.contains("never negative"), "{message}");
    // Sums of sums of one value: what is found of it once is not looked for in every path to it.
    let mut doubled = vec![node("Add", &["p", "p"], &["d0"])];
    for at in 0..28 {
        let (from, to) = (format!("d{at}"), format!("d{}", at + 1));
        doubled.push(node("Add", &[&from, &from], &[&to]));
    }
    doubled.push(node("ReduceSum", &["d28"], &["t"]));
    doubled.push(node("Div", &["d28", "t"], &["y"]));
    assert_eq!(find(&sums(doubled)).unwrap().kind, crate::HeadKind::Softmax);
    let roots = sums(vec![
        node("Sqrt", &["p"], &["r"]),
        node("Mul", &["p", "p"], &["y"]),
    ]);
    let message = find(&roots).unwrap_err().to_string();
    assert!(message.contains("never negative"), "{message}");

    let one = TensorProto {
        name: "one".into(),
        data_type: 1,
        float_data: vec![1.0],
        ..Default::default()
    };
    let mut concat = node("Concat", &["q", "p"], &["y"]);
    concat.attribute.push(AttributeProto::int("axis", 1));
    let nodes = vec![
        node("Sigmoid", &["x"], &["p"]),
        node("Sub", &["one", "p"], &["q"]),
        concat,
    ];
    let mut pair = model(info("x", 1, &[1, 1]), nodes, &["y"]);
    if let Some(graph) = &mut pair.graph {
        graph.initializer.push(one);
    }
    let head = find(&read(&pair).unwrap()).unwrap();
    assert_eq!((head.kind, head.n_classes), (crate::HeadKind::Sigmoid, 2));
}

/// The head of a network of three inputs that ends in `nodes`, the last of which computes y.
fn head_of(nodes: Vec<NodeProto>) -> Result<crate::Head, EngineError> {
    let mut model = model(info("x", 1, &[1, 3]), nodes, &["y"]);
    if let Some(graph) = &mut model.graph {
        let numbers = [("zero", 0.0), ("half", 0.5), ("one", 1.0), ("six", 6.0)];
        graph.initializer = numbers
            .map(|(name, number)| TensorProto {
                name: name.into(),
                data_type: 1,
                float_data: vec![number],
                ..Default::default()
            })
            .to_vec();
        let signs = vec![1.0, -2.0, 0.5, -0.25, 1.0, 2.0, 0.0, 1.0, -1.0];
        graph.initializer.push(TensorProto {
            double_data: signs,
            ..floats("w", &[3, 3])
        });
    }
    crate::Head::find(&read(&model)?, crate::HeadChoice::Detect)
}

/// The same operator again and again, from a value named as its input to y.
fn chain(op_type: &str, from: &str, n: usize) -> Vec<NodeProto> {
    let name = |at: usize| match at {
        0 => from.to_owned(),
        at if at == n => "y".to_owned(),
        at => format!("{from}{at}"),
    };
    (0..n)
        .map(|at| node(op_type, &[&name(at)], &[&name(at + 1)]))
        .collect()
}

#[test]
fn endings_that_lie_between_zero_and_one_are_not_taken_for_logits() {
    let p = || node("Sigmoid", &["x"], &["p"]);
    let scaled = || {
        vec![
            node("Mul", &["x", "half"], &["a"]),
            node("Add", &["a", "half"], &["b"]),
        ]
    };
    let twice = |n: usize| -> Vec<NodeProto> {
        let name = |at: usize| match at {
            0 => "p".to_owned(),
            at if at == n => "y".to_owned(),
            at => format!("d{at}"),
        };
        let add = |at| node("Add", &[&name(at), &name(at)], &[&name(at + 1)]);
        [vec![p()], (0..n).map(add).collect()].concat()
    };
    let refused = [
        vec![p(), node("Sub", &["one", "p"], &["y"])],
        vec![p(), node("Pow", &["p", "half"], &["y"])],
        vec![p(), node("Relu", &["p"], &["y"])],
        vec![
            p(),
            node("Less", &["p", "half"], &["c"]),
            node("Where", &["c", "p", "one"], &["y"]),
        ],
        vec![
            node("Tanh", &["x"], &["t"]),
            node("Add", &["t", "one"], &["a"]),
            node("Mul", &["a", "half"], &["y"]),
        ],
        [scaled(), vec![node("Clip", &["b", "zero", "one"], &["y"])]].concat(),
        vec![
            node("LogSoftmax", &["x"], &["l"]),
            node("Neg", &["l"], &["y"]),
        ],
        vec![
            p(),
            node("Mul", &["p", "six"], &["a"]),
            node("Round", &["a"], &["y"]),
        ],
        // However far away the sigmoid is, and by however many ways.
        [vec![p()], chain("Sqrt", "p", 3000)].concat(),
        twice(3000),
    ];
    for nodes in refused {
        let last = nodes.last().unwrap().op_type.clone();
        let message = head_of(nodes)
            .map(|head| head.kind)
            .unwrap_err()
            .to_string();
        assert!(message.contains("never negative"), "{last}: {message}");
    }
    let logits = [
        vec![
            node("MatMul", &["x", "w"], &["m"]),
            node("Relu", &["m"], &["y"]),
        ],
        vec![
            node("MatMul", &["x", "w"], &["m"]),
            node("Tanh", &["m"], &["y"]),
        ],
        [scaled(), vec![node("Clip", &["b", "zero", "six"], &["y"])]].concat(),
        vec![p(), node("Log", &["p"], &["y"])],
        vec![p(), node("Sub", &["p", "half"], &["y"])],
        vec![p(), node("Sub", &["x", "p"], &["y"])],
        vec![p(), node("MatMul", &["p", "w"], &["y"])],
        [
            vec![node("MatMul", &["x", "w"], &["m"])],
            chain("Tanh", "m", 3000),
        ]
        .concat(),
        [
            vec![
                node("MatMul", &["x", "w"], &["m"]),
                p(),
                node("Add", &["m", "p"], &["s"]),
            ],
            chain("Neg", "s", 3001),
        ]
        .concat(),
    ];
    for nodes in logits {
        let last = nodes.last().unwrap().op_type.clone();
        // With as many outputs as inputs it may be an autoencoder, but not probabilities.
        match head_of(nodes) {
            Ok(head) => assert_eq!(head.kind, crate::HeadKind::Logits, "{last}"),
            Err(e) => assert!(e.to_string().contains("shape of its input"), "{last}: {e}"),
        }
    }
}

#[test]
fn sigmoids_that_are_not_one_are_not_taken_for_log_odds() {
    let find = |nodes| {
        let graph = read(&model(info("x", 1, &[1, 3]), nodes, &["y"])).unwrap();
        crate::Head::find(&graph, crate::HeadChoice::MultiLabel)
    };
    for op_type in ["HardSigmoid", "Softmax"] {
        let message = find(vec![node(op_type, &["x"], &["y"])]).unwrap_err();
        assert!(message.to_string().contains("(--output)"), "{message}");
    }
    let head = find(vec![node("Sigmoid", &["x"], &["y"])]).unwrap();
    assert!(head.output != head.logits);
    find(vec![node("Neg", &["x"], &["y"])]).unwrap();
}

#[test]
fn a_softmax_is_found_behind_what_changes_nothing() {
    let of = |node: NodeProto, name: &str, ints: &[i64], i: i64| with_integers(node, name, ints, i);
    let endings = [
        vec![
            node("LogSoftmax", &["x"], &["l"]),
            node("Exp", &["l"], &["y"]),
        ],
        vec![
            of(node("Softmax", &["x"], &["p"]), "axis", &[], -1),
            of(node("Transpose", &["p"], &["y"]), "perm", &[1, 0], 0),
        ],
    ];
    for nodes in endings {
        let graph = read(&model(info("x", 1, &[1, 3]), nodes, &["y"])).unwrap();
        let head = crate::Head::find(&graph, crate::HeadChoice::Detect).unwrap();
        assert_eq!(head.kind, crate::HeadKind::Softmax);
        assert_eq!(graph.name(head.logits), "x");
    }
}

#[test]
fn a_softmax_written_out_is_one_where_exponentials_are_rounded_to_zero() {
    let nodes = || {
        vec![
            node("ReduceMax", &["x"], &["top"]),
            node("Sub", &["x", "top"], &["less"]),
            node("Exp", &["less"], &["e"]),
            node("ReduceSum", &["e"], &["s"]),
            node("Div", &["e", "s"], &["y"]),
        ]
    };
    let graph = read(&model(info("x", 1, &[1, 3]), nodes(), &["y"])).unwrap();
    let head = crate::Head::find(&graph, crate::HeadChoice::Detect).unwrap();
    assert_eq!(head.kind, crate::HeadKind::Softmax);
    let program = Program::<f64>::new(&graph, head.logits, &[graph.inputs()[0]]).unwrap();
    let mut workspace = program.workspace();
    let z = program
        .forward(&mut workspace, &[&[1.0, -2000.0, 3.0]])
        .unwrap();
    assert_eq!(z, [-2.0, -2003.0, 0.0]);
    // What the largest is subtracted from all is no difference between logits.
    program.backward(&mut workspace, &[-1.0, 1.0, 0.0]);
    assert_eq!(workspace.gradient(0), [-1.0, 1.0, 0.0]);
}
