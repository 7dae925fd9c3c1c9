//! Operators that are written out as other operators: a body of nodes that is read in place of the node.

use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::op::Built;
use crate::tensor::{Data, Tensor};

/// The opset in which bodies are written.
pub(crate) const BODY_OPSET: i64 = 20;

/// The domain of operators that exist in bodies alone.
pub(crate) const PRIVATE: &str = "\0quaver";

/// The name of a value in a body.
pub(crate) type Name = String;

/// Nodes and constants that compute a node's outputs from its inputs.
#[derive(Debug)]
pub(crate) struct Body {
    pub nodes: Vec<NodeProto>,
    pub constants: Vec<(Name, Tensor)>,
    /// Constants that are parameters: what a file holds in attributes.
    pub parameters: Vec<(Name, Tensor)>,
    /// What each output of the node is, `None` where nothing computes it.
    pub outputs: Vec<Option<Name>>,
    /// The nodes are a branch of the file's own, in its opset, rather than written by an operator.
    pub is_branch: bool,
    prefix: String,
}

impl Body {
    /// An empty body for `node`.
    pub(crate) fn new(node: &NodeContext<'_>) -> Self {
        Self::of(node.proto)
    }

    /// The same, of a node whose inputs are no tensors.
    pub(crate) fn of(proto: &NodeProto) -> Self {
        Self {
            nodes: Vec::new(),
            constants: Vec::new(),
            parameters: Vec::new(),
            outputs: Vec::new(),
            is_branch: false,
            // Outputs are named once each, so what starts with one is named once too.
            prefix: proto.output.last().cloned().unwrap_or_default(),
        }
    }

    fn fresh(&self) -> Name {
        format!(
            "{}#{}",
            self.prefix,
            self.nodes.len() + self.constants.len()
        )
    }

    /// A constant.
    pub(crate) fn tensor(&mut self, tensor: Tensor) -> Name {
        let name = self.fresh();
        self.constants.push((name.clone(), tensor));
        name
    }

    /// A parameter that the node holds in attribute `attribute`.
    pub(crate) fn parameter(&mut self, attribute: &str, tensor: Tensor) -> Name {
        let name = format!("{}.{attribute}", self.prefix);
        self.parameters.push((name.clone(), tensor));
        name
    }

    /// A list of integers.
    pub(crate) fn ints(&mut self, values: &[i64]) -> Name {
        self.tensor(Tensor::ints(values.to_vec()))
    }

    /// A shape.
    pub(crate) fn sizes(&mut self, values: &[usize]) -> Name {
        let values = values.iter().map(|&x| i64::try_from(x).unwrap_or(i64::MAX));
        self.tensor(Tensor::ints(values.collect()))
    }

    /// Numbers of the given shape.
    pub(crate) fn floats(
        &mut self,
        shape: &[usize],
        values: Vec<f64>,
    ) -> Result<Name, EngineError> {
        let tensor = Tensor::new(shape.to_vec(), Data::F64(values))?;
        Ok(self.tensor(tensor))
    }

    /// One number without axes.
    pub(crate) fn number(&mut self, value: f64) -> Result<Name, EngineError> {
        self.floats(&[], vec![value])
    }

    /// The output of a node.
    pub(crate) fn op(&mut self, op_type: &str, inputs: &[&Name]) -> Name {
        self.with(op_type, inputs, Vec::new())
    }

    /// The output of a node with attributes.
    pub(crate) fn with(
        &mut self,
        op_type: &str,
        inputs: &[&Name],
        attribute: Vec<AttributeProto>,
    ) -> Name {
        self.several(op_type, inputs, attribute, 1).remove(0)
    }

    /// The outputs of a node with several.
    pub(crate) fn several(
        &mut self,
        op_type: &str,
        inputs: &[&Name],
        attribute: Vec<AttributeProto>,
        n_outputs: usize,
    ) -> Vec<Name> {
        let name = self.fresh();
        let output: Vec<Name> = match n_outputs {
            1 => vec![name],
            _ => (0..n_outputs).map(|at| format!("{name}:{at}")).collect(),
        };
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.clone()).collect(),
            output: output.clone(),
            op_type: op_type.to_owned(),
            attribute,
            ..Default::default()
        });
        output
    }

    /// The output of an operator that exists in bodies alone.
    pub(crate) fn private(
        &mut self,
        op_type: &str,
        inputs: &[&Name],
        attribute: Vec<AttributeProto>,
    ) -> Name {
        let name = self.with(op_type, inputs, attribute);
        if let Some(node) = self.nodes.last_mut() {
            PRIVATE.clone_into(&mut node.domain);
        }
        name
    }

    /// `x` under another shape.
    pub(crate) fn reshape(&mut self, x: &Name, shape: &[usize]) -> Name {
        let shape = self.sizes(shape);
        self.with(
            "Reshape",
            &[x, &shape],
            vec![AttributeProto::int("allowzero", 1)],
        )
    }

    /// `x` with its axes in another order.
    pub(crate) fn transpose(&mut self, x: &Name, perm: &[usize]) -> Name {
        let perm: Vec<i64> = perm.iter().map(|&axis| axis as i64).collect();
        self.with("Transpose", &[x], vec![AttributeProto::ints("perm", &perm)])
    }

    /// Places `from` to `to` of one axis.
    pub(crate) fn slice(&mut self, x: &Name, axis: usize, from: usize, to: usize) -> Name {
        let (from, to, axis) = (self.sizes(&[from]), self.sizes(&[to]), self.sizes(&[axis]));
        self.op("Slice", &[x, &from, &to, &axis])
    }

    /// A sum, mean or other reduction over `axes`.
    pub(crate) fn reduce(&mut self, op_type: &str, x: &Name, axes: &[i64], keep: bool) -> Name {
        let axes = self.ints(axes);
        // Every reduction but ReduceSum took its axes from an attribute before opset 18.
        self.with(
            op_type,
            &[x, &axes],
            vec![AttributeProto::int("keepdims", i64::from(keep))],
        )
    }

    /// The node's one output.
    pub(crate) fn returns(self, output: Name) -> Result<Built, EngineError> {
        self.finish(vec![Some(output)])
    }

    /// The node's outputs.
    pub(crate) fn finish(mut self, outputs: Vec<Option<Name>>) -> Result<Built, EngineError> {
        self.outputs = outputs;
        Ok(Built::Body(self))
    }
}

impl NodeContext<'_> {
    /// The name of required input `index`, for use in a body.
    pub(crate) fn name(&self, index: usize) -> Result<&Name, EngineError> {
        self.input(index)?;
        self.proto
            .input
            .get(index)
            .ok_or_else(|| EngineError::format(format!("input {index} is missing")))
    }
}
