//! One gradient check for every row of the operator table, and values worked out by hand.
//!
//! Each case is a graph of one node, run through import and program as any model is: for random directions d
//! and u, ⟨u, J d⟩ by central differences must equal ⟨Jᵀ u, d⟩ by the reverse pass.

mod cases;
mod params;

use cases::cases;

use crate::import::Shapes;
use crate::onnx::proto::{
    AttributeProto, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};
use crate::ops::{ML_OPERATORS, OPERATORS};
use crate::{Graph, ImportOptions, Program, Real};

/// An input of the node under test.
#[derive(Clone)]
enum In {
    /// Given with the sample; the shape starts with the batch axis of 1.
    Sample(Vec<i64>),
    /// A constant of floating-point numbers.
    Floats(Vec<i64>, Vec<f64>),
    /// A constant list of integers.
    Ints(Vec<i64>),
    /// Constant integers of any shape.
    Shaped(Vec<i64>, Vec<i64>),
    /// Left out.
    Missing,
}

struct Case {
    op: &'static str,
    opset: i64,
    inputs: Vec<In>,
    attributes: Vec<AttributeProto>,
    /// Sample values lie in this interval, at least 0.02 from every multiple of 0.5, where kinks may be.
    domain: (f64, f64),
    n_outputs: usize,
    /// The domain of the operator.
    of: &'static str,
    /// Nothing flows back: the output is a step function of the input.
    is_flat: bool,
    shapes: Shapes,
    wanted: Option<usize>,
}

/// A node of opset 17 with one output.
fn case(op: &'static str, inputs: impl Into<Vec<In>>) -> Case {
    Case {
        op,
        opset: 17,
        inputs: inputs.into(),
        attributes: Vec::new(),
        domain: (-2.0, 2.0),
        n_outputs: 1,
        of: "",
        is_flat: false,
        shapes: Shapes::OneSample,
        wanted: None,
    }
}

impl Case {
    /// Axes are what they are: there is no batch.
    fn whole(mut self) -> Self {
        self.shapes = Shapes::Whole;
        self
    }

    /// Only output `at` is read, of as many as lead up to it.
    fn wants(mut self, at: usize) -> Self {
        self.n_outputs = at + 1;
        self.wanted = Some(at);
        self
    }

    fn flat(mut self) -> Self {
        self.is_flat = true;
        self
    }

    fn ml(mut self) -> Self {
        self.of = "ai.onnx.ml";
        self
    }

    fn floats(mut self, name: &str, values: &[f32]) -> Self {
        self.attributes.push(AttributeProto {
            name: name.into(),
            floats: values.to_vec(),
            r#type: 6,
            ..Default::default()
        });
        self
    }

    fn ints(mut self, name: &str, values: &[i64]) -> Self {
        self.attributes.push(AttributeProto {
            name: name.into(),
            ints: values.to_vec(),
            r#type: 7,
            ..Default::default()
        });
        self
    }

    fn int(mut self, name: &str, value: i64) -> Self {
        self.attributes.push(AttributeProto {
            name: name.into(),
            i: value,
            r#type: 2,
            ..Default::default()
        });
        self
    }

    fn float(mut self, name: &str, value: f32) -> Self {
        self.attributes.push(AttributeProto {
            name: name.into(),
            f: value,
            r#type: 1,
            ..Default::default()
        });
        self
    }

    fn string(mut self, name: &str, value: &str) -> Self {
        self.attributes.push(AttributeProto {
            name: name.into(),
            s: value.as_bytes().to_vec(),
            r#type: 3,
            ..Default::default()
        });
        self
    }

    fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    fn on(mut self, low: f64, high: f64) -> Self {
        self.domain = (low, high);
        self
    }

    fn outputs(mut self, n: usize) -> Self {
        self.n_outputs = n;
        self
    }

    fn model(&self) -> ModelProto {
        let mut graph = GraphProto::default();
        let mut node = NodeProto {
            op_type: self.op.into(),
            domain: self.of.into(),
            name: "under test".into(),
            attribute: self.attributes.clone(),
            output: (0..self.n_outputs).map(|i| format!("y{i}")).collect(),
            ..Default::default()
        };
        for (i, input) in self.inputs.iter().enumerate() {
            let name = format!("x{i}");
            let tensor = |dims: &[i64], data_type| TensorProto {
                name: name.clone(),
                dims: dims.to_vec(),
                data_type,
                ..Default::default()
            };
            match input {
                In::Sample(shape) => graph.input.push(value_info(&name, shape)),
                In::Floats(shape, values) => graph.initializer.push(TensorProto {
                    double_data: values.clone(),
                    ..tensor(shape, 11)
                }),
                In::Ints(values) => graph.initializer.push(TensorProto {
                    int64_data: values.clone(),
                    ..tensor(&[values.len() as i64], 7)
                }),
                In::Shaped(shape, values) => graph.initializer.push(TensorProto {
                    int64_data: values.clone(),
                    ..tensor(shape, 7)
                }),
                In::Missing => {}
            }
            let missing = matches!(input, In::Missing);
            node.input.push(if missing { String::new() } else { name });
        }
        for output in &node.output {
            graph.output.push(value_info(output, &[]));
        }
        graph.node.push(node);
        ModelProto {
            graph: Some(graph),
            opset_import: vec![
                OperatorSetIdProto {
                    domain: String::new(),
                    version: self.opset,
                },
                OperatorSetIdProto {
                    domain: "ai.onnx.ml".into(),
                    version: 3,
                },
            ],
            ..Default::default()
        }
    }

    fn graph(&self) -> Graph {
        let options = ImportOptions {
            output: self.wanted.map(|at| format!("y{at}")),
            ..Default::default()
        };
        crate::import::import_as(&self.model(), None, &options, self.shapes)
            .unwrap_or_else(|e| panic!("{}: {e}", self.op))
    }

    /// Distinct, irregular values of the domain, away from kinks.
    fn values(&self, n: usize, seed: f64) -> Vec<f64> {
        let (low, high) = self.domain;
        (0..n)
            .map(|i| {
                let unit = ((i as f64 + 1.0) * 0.754_877_666 + seed * 0.569_840_29).fract();
                let x = low + (high - low) * unit;
                let kink = (x * 2.0).round() / 2.0;
                if (x - kink).abs() < 0.02 {
                    kink + 0.03
                } else {
                    x
                }
            })
            .collect()
    }

    fn check(&self) {
        let graph = self.graph();
        for &output in graph.outputs() {
            let program = Program::<f64>::new(&graph, output, graph.inputs());
            if self.is_flat {
                let refusal = program.err().unwrap().to_string();
                assert!(refusal.contains("does not depend"), "{refusal}");
                continue;
            }
            let program = program.unwrap_or_else(|e| panic!("{}: {e}", self.op));
            let n_inputs = graph.inputs().len();
            let x: Vec<Vec<f64>> = (0..n_inputs)
                .map(|i| self.values(program.n_input(i), i as f64))
                .collect();
            let d: Vec<Vec<f64>> = (0..n_inputs)
                .map(|i| wave(program.n_input(i), 0.37 + i as f64))
                .collect();
            let u = [
                wave(program.n_output(), 0.91),
                wave(program.n_output(), 0.53),
            ]
            .concat();

            let step = 1e-6;
            let moved = |sign: f64| -> Vec<f64> {
                let moved: Vec<Vec<f64>> = x
                    .iter()
                    .zip(&d)
                    .map(|(x, d)| x.iter().zip(d).map(|(x, d)| x + sign * step * d).collect())
                    .collect();
                run(&program, &moved)
            };
            let (plus, minus) = (moved(1.0), moved(-1.0));
            let jd: Vec<f64> = plus
                .iter()
                .zip(&minus)
                .map(|(p, m)| (p - m) / (2.0 * step))
                .collect();

            let mut workspace = program.workspace();
            let inputs: Vec<&[f64]> = x.iter().map(Vec::as_slice).collect();
            program.forward(&mut workspace, &inputs).unwrap();
            program.backward(&mut workspace, &u);
            for (v, u) in u.chunks(program.n_output()).enumerate() {
                let want = dot(u, &jd);
                let got: f64 = (0..n_inputs)
                    .map(|i| {
                        dot(
                            &workspace.gradient(i)[v * program.n_input(i)..][..program.n_input(i)],
                            &d[i],
                        )
                    })
                    .sum();
                let scale = want.abs().max(norm(u) * norm(&jd)).max(1e-3);
                assert!(
                    (want - got).abs() < 2e-7 * scale,
                    "{}: ⟨u, J d⟩ = {want}, ⟨Jᵀ u, d⟩ = {got}",
                    self.op
                );
            }

            let single = Program::<f32>::new(&graph, output, graph.inputs()).unwrap();
            let single = run(&single, &x);
            let double = run(&program, &x);
            for (a, b) in single.iter().zip(&double) {
                assert!(
                    (a - b).abs() < 1e-4 * (1.0 + b.abs()),
                    "{}: f32 {a}, f64 {b}",
                    self.op
                );
            }
        }
    }
}

pub(crate) fn value_info(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |&dim_value: &i64| Dimension {
        dim_value,
        ..Default::default()
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TypeProtoTensor {
                elem_type: 1,
                shape: Some(TensorShapeProto {
                    dim: shape.iter().map(dim).collect(),
                }),
            }),
        }),
    }
}

fn run<T: Real>(program: &Program<T>, x: &[Vec<f64>]) -> Vec<f64> {
    let x: Vec<Vec<T>> = x
        .iter()
        .map(|x| x.iter().map(|&x| T::from_f64(x)).collect())
        .collect();
    let inputs: Vec<&[T]> = x.iter().map(Vec::as_slice).collect();
    let mut workspace = program.workspace();
    let y = program.forward(&mut workspace, &inputs).unwrap();
    y.iter().map(|y| y.to_f64()).collect()
}

fn wave(n: usize, step: f64) -> Vec<f64> {
    (0..n).map(|i| ((i as f64 + 1.0) * step).sin()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn x(shape: &[i64]) -> In {
    In::Sample(shape.to_vec())
}

fn w(shape: &[i64]) -> In {
    let n = shape.iter().product::<i64>() as usize;
    In::Floats(shape.to_vec(), wave(n, 0.77))
}

fn positive(shape: &[i64]) -> In {
    let n = shape.iter().product::<i64>() as usize;
    In::Floats(
        shape.to_vec(),
        wave(n, 0.77).iter().map(|x| 1.5 + x).collect(),
    )
}

fn ints(values: &[i64]) -> In {
    In::Ints(values.to_vec())
}

fn number(value: f64) -> In {
    In::Floats(vec![], vec![value])
}

#[test]
fn the_reverse_pass_of_every_operator_is_the_transpose_of_its_derivative() {
    let cases = cases();
    cases.iter().for_each(Case::check);
    // These give constants alone, which have no derivative.
    let constant = [
        "Constant",
        "ConstantOfShape",
        "EyeLike",
        "If",
        "NonZero",
        "Range",
        // Read by the importer; the fixture of MaxViT has them.
        "ConcatFromSequence",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceInsert",
        "SequenceLength",
        "SplitToSequence",
        "Shape",
        "Size",
    ];
    for def in OPERATORS.iter().chain(ML_OPERATORS) {
        assert!(
            constant.contains(&def.name) || cases.iter().any(|case| case.op == def.name),
            "{} has no gradient check",
            def.name
        );
        assert!(!def.derivative.is_empty());
    }
}

fn values(case: Case, inputs: &[Vec<f64>]) -> Vec<f64> {
    let graph = case.graph();
    run(
        &Program::<f64>::new(&graph, graph.outputs()[0], graph.inputs()).unwrap(),
        inputs,
    )
}

#[test]
fn values_are_those_of_the_specification() {
    let ramp = |n: usize| vec![(1..=n).map(|i| i as f64).collect::<Vec<f64>>()];
    let pool = |op| case(op, [x(&[1, 1, 4])]).ints("kernel_shape", &[2]);
    assert_eq!(
        values(
            pool("MaxPool").ints("strides", &[3]).int("ceil_mode", 1),
            &ramp(4)
        ),
        [2.0, 4.0]
    );
    assert_eq!(
        values(pool("AveragePool").ints("pads", &[1, 0]), &ramp(4)),
        [1.0, 1.5, 2.5, 3.5]
    );
    let with_pad = pool("AveragePool")
        .ints("pads", &[1, 0])
        .int("count_include_pad", 1);
    assert_eq!(values(with_pad, &ramp(4)), [0.5, 1.5, 2.5, 3.5]);
    let reflect = case("Pad", [x(&[1, 3]), ints(&[0, 2, 0, 1])]).string("mode", "reflect");
    assert_eq!(values(reflect, &ramp(3)), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    let slice = case(
        "Slice",
        [
            x(&[1, 5]),
            ints(&[-1]),
            ints(&[i64::MIN]),
            ints(&[1]),
            ints(&[-2]),
        ],
    );
    assert_eq!(values(slice, &ramp(5)), [5.0, 3.0, 1.0]);
    let same = case(
        "Conv",
        [x(&[1, 1, 4]), In::Floats(vec![1, 1, 2], vec![1.0, 10.0])],
    );
    assert_eq!(
        values(same.string("auto_pad", "SAME_UPPER"), &ramp(4)),
        [21.0, 32.0, 43.0, 4.0]
    );
    let old_softmax = case("Softmax", [x(&[1, 2, 2])]).opset(11);
    let total: f64 = values(old_softmax, &ramp(4)).iter().sum();
    assert!(
        (total - 1.0).abs() < 1e-15,
        "before opset 13 softmax runs over all axes from `axis` on"
    );
}

#[test]
fn what_cannot_be_read_says_so() {
    let refusal = |case: Case| {
        crate::import::import(&case.model(), None, &ImportOptions::default())
            .unwrap_err()
            .to_string()
    };
    let check = |case: Case, part: &str| {
        let message = refusal(case);
        assert!(
            message.contains(part),
            "'{message}' does not contain '{part}'"
        );
    };
    check(
        case("Loop", [x(&[1, 2])]),
        "operators that are not supported: Loop in opset 17 (node 'under test')",
    );
    check(case("Gelu", [x(&[1, 2])]), "Gelu");
    check(case("Relu", [x(&[1, 2])]).opset(99), "opset 99");
    check(case("Hardmax", [x(&[1, 2])]), "step function");
    check(
        case("TreeEnsembleClassifier", [x(&[1, 2])]).ml(),
        "trees are step functions",
    );
    check(
        case("Conv", [x(&[1, 2, 4]), x(&[1, 2, 3])]),
        "node 'under test' (Conv, opset 17): its weight",
    );
    check(case("Conv", [x(&[1, 2, 4]), w(&[3, 1, 3])]), "[3, 1, 3]");
    check(case("Conv", [x(&[1, 2, 4]), w(&[3, 2, 5])]), "spanning 5");
    check(case("MatMul", [x(&[1, 2]), w(&[3, 2])]), "[3, 2]");
    check(
        case("Reshape", [x(&[1, 3]), ints(&[2, -1])]),
        "cannot be reshaped",
    );
    check(case("Relu", [x(&[4, 3])]), "fixed batch of 4");
    check(case("Relu", [x(&[0, 3, -1])]), "--input-shape");
    check(case("Gather", [x(&[1, 3]), ints(&[7])]), "index");
    check(case("Cast", [x(&[1, 3])]).int("to", 8), "string");
    check(case("Add", [x(&[1, 3]), w(&[2])]), "broadcast");
    check(
        case("Add", [x(&[1, 1]), number(f64::NAN)]),
        "initializer 'x1': element 0 is NaN",
    );
    check(
        case(
            "Gemm",
            [x(&[1, 1]), In::Floats(vec![1, 1], vec![f64::INFINITY])],
        ),
        "parameter 'x1': element 0 is inf",
    );
    check(case("Relu", [In::Missing]), "input");
}

#[test]
fn indices_may_come_with_the_sample() {
    for (op, shape, indices, want) in [
        ("Gather", vec![2], vec![1.0, -1.0], vec![2.0, 3.0]),
        ("GatherElements", vec![1, 2], vec![2.0, 0.0], vec![3.0, 1.0]),
        (
            "GatherND",
            vec![2, 2],
            vec![0.0, 2.0, 0.0, -2.0],
            vec![3.0, 2.0],
        ),
    ] {
        let mut case = case(op, [x(&[1, 3]), x(&shape)]).whole();
        if op != "GatherND" {
            case = case.int("axis", 1);
        }
        let mut model = case.model();
        if let Some(info) = model.graph.as_mut().and_then(|g| g.input.get_mut(1)) {
            let tensor = info.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
            tensor.unwrap().elem_type = 7;
        }
        let options = ImportOptions::default();
        let graph = crate::import::import_as(&model, None, &options, Shapes::Whole).unwrap();
        let data = graph.inputs()[0];
        let program = Program::<f64>::new(&graph, graph.outputs()[0], &[data]).unwrap();
        let mut workspace = program.workspace();
        let x = [1.0, 2.0, 3.0];
        let y = program.forward(&mut workspace, &[&x, &indices]).unwrap();
        assert_eq!(y, want, "{op}");
        program.backward(&mut workspace, &[1.0, 10.0]);
        let mut g = [0.0; 3];
        g[want[0] as usize - 1] += 1.0;
        g[want[1] as usize - 1] += 10.0;
        assert_eq!(workspace.gradient(0), g, "{op}");
        let beyond: Vec<f64> = indices.iter().map(|i| i + 3.0).collect();
        assert!(program.forward(&mut workspace, &[&x, &beyond]).is_err());
    }
}
