//! Runs a model on whole tensors, whatever their axes mean: for tests against the specification's own cases.

use prost::Message;

use crate::import::{ImportOptions, Shapes, import_as};
use crate::onnx::proto::{Dimension, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor};
use crate::onnx::{self, tensors};
use crate::{EngineError, Program};

/// A tensor as numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The values in row-major order.
    pub values: Vec<f64>,
    /// The ONNX enum `TensorProto.DataType`.
    pub data_type: i32,
}

/// Reads a serialised `TensorProto`.
///
/// # Errors
/// When it is none, or of a type that is not read.
pub fn array(bytes: &[u8]) -> Result<Array, EngineError> {
    let proto = tensor_proto(bytes)?;
    let tensor = tensors::tensor(&proto, None)?;
    Ok(Array {
        shape: tensor.shape().to_vec(),
        values: tensor.numbers(),
        data_type: proto.data_type,
    })
}

fn tensor_proto(bytes: &[u8]) -> Result<TensorProto, EngineError> {
    TensorProto::decode(bytes).map_err(|_| EngineError::format("not a tensor"))
}

/// The outputs of the model `bytes` in double precision. `inputs` are serialised tensors in the order of the
/// model's inputs; those that `is_bound` names by position become constants of the model.
///
/// # Errors
/// As reading and running any model.
pub fn run(
    bytes: &[u8],
    inputs: &[Vec<u8>],
    is_bound: &dyn Fn(usize) -> bool,
) -> Result<Vec<Array>, EngineError> {
    let mut model = onnx::decode(bytes)?;
    let graph = model
        .graph
        .as_mut()
        .ok_or_else(|| EngineError::format("no graph"))?;
    let mut given = Vec::new();
    for (at, (bytes, info)) in inputs.iter().zip(&mut graph.input).enumerate() {
        let mut proto = tensor_proto(bytes)?;
        proto.name.clone_from(&info.name);
        if is_bound(at) {
            graph.initializer.push(proto);
            continue;
        }
        let tensor = tensors::tensor(&proto, None)?;
        let dim = |&dim_value: &i64| Dimension {
            dim_value,
            ..Default::default()
        };
        info.r#type = Some(TypeProto {
            tensor_type: Some(TypeProtoTensor {
                elem_type: proto.data_type,
                shape: Some(TensorShapeProto {
                    dim: proto.dims.iter().map(dim).collect(),
                }),
            }),
        });
        given.push((proto.name, tensor.numbers()));
    }
    let graph = import_as(&model, None, &ImportOptions::default(), Shapes::Whole)?;
    let mut outputs = Vec::new();
    for &output in graph.outputs() {
        let constant = graph.values[output.index()].constant.as_ref();
        let values = match constant {
            Some(tensor) => tensor.numbers(),
            None => {
                let program = Program::<f64>::new(&graph, output, &[])?;
                let x: Vec<&[f64]> = graph
                    .inputs()
                    .iter()
                    .filter_map(|&input| {
                        let found = given.iter().find(|(name, _)| name == graph.name(input))?;
                        Some(found.1.as_slice())
                    })
                    .collect();
                program.compute(&mut program.workspace(), &x)?.to_vec()
            }
        };
        outputs.push(Array {
            shape: graph.shape(output).to_vec(),
            values,
            data_type: 0,
        });
    }
    Ok(outputs)
}
