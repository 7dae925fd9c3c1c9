//! Small networks that passes rewrite.

use crate::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
};
use crate::ops::testing::value_info;
use crate::{Graph, Program, import};

/// An initializer of numbers between −1 and 1.
pub(crate) fn tensor(name: &str, dims: &[i64]) -> TensorProto {
    let n = dims.iter().product::<i64>();
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 11,
        double_data: (0..n).map(|i| (i as f64 * 0.7).sin()).collect(),
        ..Default::default()
    }
}

pub(crate) fn node(
    op_type: &str,
    inputs: &[&str],
    output: &str,
    attribute: &[AttributeProto],
) -> NodeProto {
    NodeProto {
        op_type: op_type.into(),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        attribute: attribute.to_vec(),
        ..Default::default()
    }
}

/// A network that reads x, of 1 × 2 × 6 × 5, and gives y.
pub(crate) fn graph(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> Graph {
    let model = ModelProto {
        graph: Some(GraphProto {
            node,
            input: vec![value_info("x", &[1, 2, 6, 5])],
            output: vec![value_info("y", &[])],
            initializer,
            ..Default::default()
        }),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 17,
        }],
        ..Default::default()
    };
    import::import(&model, None, &Default::default()).unwrap()
}

/// The output, and S of x and the parameters, all cotangents at once, with `kept` differentiated by too.
pub(crate) fn numbers(graph: &Graph, parameters: &[&str], kept: &[&str]) -> Vec<f64> {
    let output = graph.outputs()[0];
    let names = [&["x"], parameters, kept].concat();
    let wrt = names.iter().map(|name| graph.find(name).unwrap());
    let wrt: Vec<crate::ValueId> = wrt.collect();
    let program = Program::<f64>::new(graph, output, &wrt).unwrap();
    let mut workspace = program.workspace();
    let x: Vec<f64> = (0..60).map(|i| (i as f64 * 0.3).cos()).collect();
    let mut all = program.forward(&mut workspace, &[&x]).unwrap().to_vec();
    let n = all.len();
    let unit = |at: usize| if at / n == at % n { 1.0 } else { 0.0 };
    let cotangents: Vec<f64> = (0..n * n).map(unit).collect();
    program.backward(&mut workspace, &cotangents);
    for at in 0..=parameters.len() {
        let mut s = vec![0.0; n * n];
        workspace.gram(at, &mut s);
        all.extend(s);
    }
    all
}
