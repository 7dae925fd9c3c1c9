//! Sequences of tensors, which exporters write for chunks and splits. They exist while a model is read and not
//! after: a sequence is a list of names, and what takes from it is another name of a value.

use super::{Importer, Opsets};
use crate::EngineError;
use crate::compose::Body;
use crate::graph::Value;
use crate::onnx::node::resolve_axis;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::tensor::Tensor;

/// Whether an operator has sequences among its inputs or outputs.
pub(super) fn concerns(op_type: &str) -> bool {
    matches!(
        op_type,
        "ConcatFromSequence"
            | "SequenceAt"
            | "SequenceConstruct"
            | "SequenceEmpty"
            | "SequenceInsert"
            | "SequenceLength"
            | "SplitToSequence"
    )
}

fn attribute(proto: &NodeProto, name: &str, default: i64) -> i64 {
    let found = proto.attribute.iter().find(|a| a.name == name);
    found.map_or(default, |a| a.i)
}

impl Importer {
    /// Reads a node with sequences.
    pub(super) fn sequence(
        &mut self,
        proto: &NodeProto,
        opsets: Opsets,
        depth: usize,
    ) -> Result<(), EngineError> {
        let missing = || EngineError::format("an input or output is missing");
        let output = proto.output.first().ok_or_else(missing)?;
        match proto.op_type.as_str() {
            "SequenceConstruct" | "SequenceEmpty" => {
                let names = proto.input.clone();
                self.sequences.insert(output.clone(), names);
                Ok(())
            }
            "SplitToSequence" => self.split_to_sequence(proto, output, opsets, depth),
            "SequenceInsert" => {
                let mut names = self.names_of(proto)?;
                let new = proto.input.get(1).ok_or_else(missing)?.clone();
                let at = match proto.input.get(2) {
                    Some(_) => self.place(proto, 2, names.len() + 1)?,
                    None => names.len(),
                };
                names.insert(at, new);
                self.sequences.insert(output.clone(), names);
                Ok(())
            }
            "SequenceAt" => {
                let names = self.names_of(proto)?;
                let at = self.place(proto, 1, names.len())?;
                let value = self.lookup(&names[at])?;
                self.alias(output, value)
            }
            "SequenceLength" => {
                let n = i64::try_from(self.names_of(proto)?.len()).unwrap_or(i64::MAX);
                let tensor = Tensor::ints(vec![n]).reshaped(&[])?;
                self.declare(Value::constant(output.clone(), tensor, None))?;
                Ok(())
            }
            _ => {
                let names = self.names_of(proto)?;
                let axis = attribute(proto, "axis", 0);
                let mut body = Body::of(proto);
                let mut parts = names;
                if attribute(proto, "new_axis", 0) == 1 {
                    let axes = body.ints(&[axis]);
                    let unsqueeze = |part: &String| body.op("Unsqueeze", &[part, &axes]);
                    parts = parts.iter().map(unsqueeze).collect();
                }
                let inputs: Vec<&String> = parts.iter().collect();
                let joined = body.with("Concat", &inputs, vec![AttributeProto::int("axis", axis)]);
                body.outputs = vec![Some(joined)];
                self.body(proto, body, opsets, depth)
            }
        }
    }

    fn names_of(&self, proto: &NodeProto) -> Result<Vec<String>, EngineError> {
        let name = proto.input.first().map_or("", String::as_str);
        let found = self.sequences.get(name).cloned();
        found.ok_or_else(|| EngineError::format(format!("'{name}' is not a sequence")))
    }

    /// The integers of constant input `index`.
    fn integers(&self, proto: &NodeProto, index: usize) -> Result<Option<Tensor>, EngineError> {
        let Some(name) = proto.input.get(index).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let constant = self.graph.values[self.lookup(name)?.index()]
            .constant
            .clone();
        constant.map(Some).ok_or_else(|| {
            EngineError::unsupported(format!(
                "its input {index} is computed from the sample; only constants are supported there"
            ))
        })
    }

    /// A place among `n` that constant input `index` says.
    fn place(&self, proto: &NodeProto, index: usize, n: usize) -> Result<usize, EngineError> {
        let at = self.integers(proto, index)?.and_then(|t| t.integers());
        let at = at.and_then(|at| at.first().copied());
        let at = at.ok_or_else(|| EngineError::format("its position is missing"))?;
        resolve_axis(at, n)
            .map_err(|_| EngineError::format(format!("position {at} of a sequence of {n}")))
    }

    fn split_to_sequence(
        &mut self,
        proto: &NodeProto,
        output: &str,
        opsets: Opsets,
        depth: usize,
    ) -> Result<(), EngineError> {
        let x = proto.input.first().map_or("", String::as_str);
        let shape = self.graph.values[self.lookup(x)?.index()].shape.clone();
        let axis = resolve_axis(attribute(proto, "axis", 0), shape.len())?;
        let dim = shape[axis];
        let split = self.integers(proto, 1)?;
        let keeps = split.is_some() || attribute(proto, "keepdims", 1) == 1;
        let chunks = |size: usize| -> Vec<usize> {
            (0..dim)
                .step_by(size)
                .map(|at| size.min(dim - at))
                .collect()
        };
        let sizes = match &split {
            None => chunks(1),
            Some(split) => {
                let given = split.integers().unwrap_or_default();
                let given = given.into_iter().map(|n| usize::try_from(n).ok());
                let given: Option<Vec<usize>> = given.collect();
                match given.as_deref() {
                    Some(&[size]) if split.shape().is_empty() && size > 0 => chunks(size),
                    Some(sizes) if !split.shape().is_empty() => sizes.to_vec(),
                    _ => {
                        return Err(EngineError::format(
                            "its split (input 1) is not made of sizes",
                        ));
                    }
                }
            }
        };
        let mut body = Body::of(proto);
        let lengths = body.sizes(&sizes);
        let along = vec![AttributeProto::int("axis", axis as i64)];
        let mut parts = body.several("Split", &[&x.to_owned(), &lengths], along, sizes.len());
        if !keeps {
            let axes = body.sizes(&[axis]);
            parts = parts
                .iter()
                .map(|part| body.op("Squeeze", &[part, &axes]))
                .collect();
        }
        self.body(proto, body, opsets, depth)?;
        self.sequences.insert(output.to_owned(), parts);
        Ok(())
    }
}
