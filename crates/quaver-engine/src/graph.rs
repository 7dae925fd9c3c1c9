//! The typed graph: single assignment, every shape known, one sample (the batch axis is 1).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::import::Source;
use crate::op::Operator;
use crate::tensor::{Element, Tensor};

/// A value of a [`Graph`](crate::Graph): an input, a constant, or what a node computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a value.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub name: String,
    pub shape: Vec<usize>,
    pub element: Element,
    /// The tensor, if the value does not depend on the sample.
    pub constant: Option<Tensor>,
    /// The initializers a constant of real numbers was computed from, itself if it is one.
    pub origin: Option<Arc<Origin>>,
    /// An initializer that was written as the output of a node: it is a parameter where a weight is expected,
    /// elsewhere part of the arithmetic.
    pub is_literal: bool,
    /// A constant that nodes of this graph compute from a parameter to be differentiated by, or that parameter.
    pub moves: bool,
    /// Given with the sample, or that moved and scaled: preprocessed at most.
    pub is_raw: bool,
}

impl Value {
    /// A value that comes with the sample or is computed from it.
    pub(crate) fn variable(name: String, shape: Vec<usize>, element: Element) -> Self {
        Self {
            name,
            shape,
            element,
            constant: None,
            origin: None,
            is_literal: false,
            moves: false,
            is_raw: false,
        }
    }

    /// A value that is the same for every sample.
    pub(crate) fn constant(name: String, tensor: Tensor, origin: Option<Arc<Origin>>) -> Self {
        Self {
            constant: Some(tensor.clone()),
            origin,
            ..Self::variable(name, tensor.shape().to_vec(), tensor.element())
        }
    }

    /// The initializer whose elements these are, each once, in whatever order.
    pub(crate) fn whole(&self) -> Option<ValueId> {
        let origin = self.origin.as_ref()?;
        match (&*origin.roots, origin.kind) {
            (&[root], Rearranged::Whole) => Some(root),
            _ => None,
        }
    }
}

/// What is behind a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Every initializer it depends on.
    pub roots: Vec<ValueId>,
    /// Those of them that are trained, as far as the way here says.
    pub params: Vec<ValueId>,
    pub kind: Rearranged,
}

/// What a constant has of the initializers behind it; each kind includes those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rearranged {
    /// All elements of one, in another order or shape at most.
    Whole,
    /// Elements of some.
    Parts,
    /// Numbers computed from them.
    Computed,
}

/// One operation with one output.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The ONNX node's name, or its first output's where it has none.
    pub name: String,
    /// The operator; of the file's node in `layer`, if that was written out as others.
    pub op_type: String,
    pub layer: String,
    pub op: Arc<dyn Operator>,
    /// What the operator is run on; constants it captured when it was built are not listed.
    pub inputs: Vec<ValueId>,
    pub output: ValueId,
    /// Constants among the ONNX node's inputs that initializers are behind, and that `inputs` does not list.
    pub params: Vec<Param>,
}

/// A use of initializers by a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Param {
    /// The constant that the node reads.
    pub value: ValueId,
    /// As which of the ONNX node's inputs.
    pub role: usize,
    /// Whether it is one that networks are trained by.
    pub is_trained: bool,
}

/// A model as read from ONNX, checked and folded, ready to be compiled.
#[derive(Debug, Clone)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    /// In an order in which every node comes after those it depends on.
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
    /// Every name a value goes by: an Identity gives it one more.
    pub(crate) names: HashMap<String, ValueId>,
    /// The nodes it was read from.
    pub(crate) source: Arc<Source>,
}

impl Graph {
    /// The inputs that are given with every sample.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The outputs, in the model's order.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// The name of a value.
    pub fn name(&self, value: ValueId) -> &str {
        &self.values[value.index()].name
    }

    /// The shape of a value for one sample, the batch axis of 1 included.
    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.values[value.index()].shape
    }

    /// The number of elements of a value for one sample.
    pub fn n_elements(&self, value: ValueId) -> usize {
        self.shape(value).iter().product()
    }

    /// Whether a value holds real numbers, which can be differentiated by; token ids and masks cannot.
    pub fn is_real(&self, value: ValueId) -> bool {
        self.values[value.index()].element == Element::Float
    }

    /// The value of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.names.get(name).copied()
    }

    /// The files beside the model's own that its weights were read from, by name.
    pub fn external_files(&self) -> &[PathBuf] {
        &self.source.files
    }

    /// The index of the node that computes `value`.
    pub(crate) fn producer(&self, value: ValueId) -> Option<usize> {
        self.nodes.iter().position(|node| node.output == value)
    }

    /// How often each value is read: by nodes, as an output, or because it is in `keep`.
    pub(crate) fn n_uses(&self, keep: &[ValueId]) -> Vec<usize> {
        let mut n_uses = vec![0; self.values.len()];
        let reads = self.nodes.iter().flat_map(|node| &node.inputs);
        for value in reads.chain(&self.outputs).chain(keep) {
            n_uses[value.index()] += 1;
        }
        n_uses
    }

    /// Which nodes `output` depends on.
    pub(crate) fn needed_for(&self, output: ValueId) -> Vec<bool> {
        let mut wanted = vec![false; self.values.len()];
        wanted[output.index()] = true;
        let mut needed = vec![false; self.nodes.len()];
        for (node, needed) in self.nodes.iter().zip(&mut needed).rev() {
            if wanted[node.output.index()] {
                *needed = true;
                let params = node.params.iter().map(|param| &param.value);
                for value in node.inputs.iter().chain(params) {
                    wanted[value.index()] = true;
                }
            }
        }
        needed
    }
}
