//! What an operator's builder sees of an ONNX node: its attributes and inputs, read with errors that say
//! which attribute of which node is wrong.

use super::proto::{AttributeProto, NodeProto};
use crate::EngineError;
use crate::graph::ValueId;
use crate::tensor::{Element, Tensor};

/// One input of a node: its value, shape and, if it does not depend on the sample, its tensor.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub value: ValueId,
    pub shape: Vec<usize>,
    pub element: Element,
    pub constant: Option<Tensor>,
    /// The operator that computes it, if a node does.
    pub producer: Option<String>,
}

/// A node with everything its builder may look at.
#[derive(Debug)]
pub(crate) struct NodeContext<'a> {
    pub proto: &'a NodeProto,
    /// The version of the node's operator set that the model asks for.
    pub opset: i64,
    /// One entry per input of the node; `None` where an optional input is left out.
    pub inputs: Vec<Option<Input>>,
}

impl NodeContext<'_> {
    fn find(&self, name: &str) -> Option<&AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).map_or(default, |a| a.i)
    }

    pub fn float(&self, name: &str, default: f64) -> f64 {
        self.find(name).map_or(default, |a| f64::from(a.f))
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name, i64::from(default)) != 0
    }

    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.find(name).map(|a| a.ints.as_slice())
    }

    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.find(name).map(|a| a.floats.as_slice())
    }

    pub fn string(&self, name: &str, default: &'static str) -> String {
        self.find(name).map_or_else(
            || default.to_owned(),
            |a| String::from_utf8_lossy(&a.s).into_owned(),
        )
    }

    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.find(name)
    }

    /// Non-negative integers, one per spatial axis; `default` for each when the attribute is not given.
    pub fn sizes(&self, name: &str, n: usize, default: usize) -> Result<Vec<usize>, EngineError> {
        let Some(values) = self.ints(name) else {
            return Ok(vec![default; n]);
        };
        let sizes: Option<Vec<usize>> = values.iter().map(|&x| usize::try_from(x).ok()).collect();
        sizes.filter(|sizes| sizes.len() == n).ok_or_else(|| {
            EngineError::format(format!(
                "attribute {name} = {values:?} for {n} spatial axes"
            ))
        })
    }

    /// An axis attribute, counted from the end when negative.
    pub fn axis(&self, name: &str, default: i64, rank: usize) -> Result<usize, EngineError> {
        resolve_axis(self.int(name, default), rank)
    }

    /// Input `index`, required.
    pub fn input(&self, index: usize) -> Result<&Input, EngineError> {
        self.optional(index)
            .ok_or_else(|| EngineError::format(format!("input {index} is missing")))
    }

    /// Input `index`, if it is given.
    pub fn optional(&self, index: usize) -> Option<&Input> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// The tensor of optional input `index`, which must not depend on the sample.
    pub fn constant(&self, index: usize, role: &str) -> Result<Option<&Tensor>, EngineError> {
        match self.optional(index) {
            None => Ok(None),
            Some(Input {
                constant: Some(tensor),
                ..
            }) => Ok(Some(tensor)),
            Some(_) => Err(EngineError::unsupported(format!(
                "its {role} (input {index}) is computed from the sample; only constants are supported there"
            ))),
        }
    }

    /// The same, required.
    pub fn required_constant(&self, index: usize, role: &str) -> Result<&Tensor, EngineError> {
        self.constant(index, role)?
            .ok_or_else(|| EngineError::format(format!("its {role} (input {index}) is missing")))
    }

    /// A constant list of integers that is attribute `name` before some opset and input `index` after it.
    pub fn ints_or_input(&self, name: &str, index: usize) -> Result<Option<Vec<i64>>, EngineError> {
        if let Some(values) = self.ints(name) {
            return Ok(Some(values.to_vec()));
        }
        self.constant(index, name)?
            .map(|tensor| {
                tensor.integers().ok_or_else(|| {
                    EngineError::format(format!("{name} (input {index}) is not integer"))
                })
            })
            .transpose()
    }

    /// A constant number that is attribute `name` before some opset and input `index` after it.
    pub fn float_or_input(&self, name: &str, index: usize) -> Result<Option<f64>, EngineError> {
        if let Some(attribute) = self.find(name) {
            return Ok(Some(f64::from(attribute.f)));
        }
        self.constant(index, name)?
            .map(|tensor| {
                tensor
                    .floats::<f64>()
                    .and_then(|values| values.first().copied())
                    .ok_or_else(|| {
                        EngineError::format(format!("{name} (input {index}) is not a number"))
                    })
            })
            .transpose()
    }
}

/// `axis` counted from the end when negative, checked against `rank`.
pub(crate) fn resolve_axis(axis: i64, rank: usize) -> Result<usize, EngineError> {
    let rank_i = i64::try_from(rank).unwrap_or(i64::MAX);
    let resolved = if axis < 0 { axis + rank_i } else { axis };
    usize::try_from(resolved)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| EngineError::format(format!("axis {axis} of a value with {rank} axes")))
}

/// Every axis resolved, sorted, without repetition.
pub(crate) fn resolve_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, EngineError> {
    let mut resolved: Vec<usize> = axes
        .iter()
        .map(|&axis| resolve_axis(axis, rank))
        .collect::<Result<_, _>>()?;
    resolved.sort_unstable();
    if resolved.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(EngineError::format(format!("axes {axes:?} repeat")));
    }
    Ok(resolved)
}
