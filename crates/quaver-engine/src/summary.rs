//! What a model consists of, for people: layers, operators, arithmetic.

use std::collections::{BTreeMap, HashMap};

use crate::graph::{Graph, Node, ValueId};

/// An ONNX operator of the default domain that Quaver reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorInfo {
    /// The ONNX name.
    pub name: &'static str,
    /// The first opset whose definition of it is read.
    pub since: i64,
    /// The derivative in a phrase, with the subgradient chosen at each kink.
    pub derivative: &'static str,
}

/// Every operator that Quaver reads, by name.
pub fn operators() -> impl Iterator<Item = OperatorInfo> {
    crate::ops::OPERATORS.iter().map(|def| OperatorInfo {
        name: def.name,
        since: def.since,
        derivative: def.derivative,
    })
}

/// A node with trainable parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The node's name.
    pub name: String,
    /// Its operator.
    pub op_type: String,
    /// Its trainable parameters: ONNX initializer name and shape.
    pub params: Vec<(String, Vec<usize>)>,
    /// The same parameters as values of the graph.
    pub values: Vec<ValueId>,
    /// The shape of its output for one sample.
    pub output_shape: Vec<usize>,
    /// Multiply–accumulates of one forward pass.
    pub macs: u64,
}

impl Layer {
    /// The number of trainable numbers.
    pub fn n_params(&self) -> usize {
        self.params
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }
}

impl Graph {
    /// The nodes that `output` needs and that have parameters, in order. What was written out as several nodes is
    /// one layer.
    pub fn layers(&self, output: ValueId) -> Vec<Layer> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut at_name: HashMap<(&str, &str), usize> = HashMap::new();
        for (node, needed) in self.nodes.iter().zip(self.needed_for(output)) {
            let params = self.trained_by(node);
            if !needed || params.is_empty() {
                continue;
            }
            let key = (node.name.as_str(), node.layer.as_str());
            let at = *at_name.entry(key).or_insert_with(|| {
                layers.push(Layer {
                    name: node.name.clone(),
                    op_type: node.layer.clone(),
                    params: Vec::new(),
                    values: Vec::new(),
                    output_shape: Vec::new(),
                    macs: 0,
                });
                layers.len() - 1
            });
            let layer = &mut layers[at];
            layer.output_shape = self.shape(node.output).to_vec();
            layer.macs += node.op.macs();
            for value in params {
                if !layer.values.contains(&value) {
                    layer.values.push(value);
                    let shape = self.shape(value).to_vec();
                    layer.params.push((self.name(value).to_owned(), shape));
                }
            }
        }
        layers
    }

    /// The trainable parameters that `output` depends on, in order of first use.
    pub fn parameters(&self, output: ValueId) -> Vec<ValueId> {
        let mut found = Vec::new();
        let mut is_found = vec![false; self.values.len()];
        for (node, needed) in self.nodes.iter().zip(self.needed_for(output)) {
            if !needed {
                continue;
            }
            for value in self.trained_by(node) {
                if !std::mem::replace(&mut is_found[value.index()], true) {
                    found.push(value);
                }
            }
        }
        found
    }

    /// The parameters that a node is trained by: the initializers behind its constants.
    pub(crate) fn trained_by(&self, node: &Node) -> Vec<ValueId> {
        let trained = node.params.iter().filter(|param| param.is_trained);
        let origins = trained.filter_map(|param| self.values[param.value.index()].origin.as_ref());
        origins
            .flat_map(|origin| origin.params.iter().copied())
            .collect()
    }

    /// The activations that `output` depends on, `output` left out, in order.
    pub fn activations(&self, output: ValueId) -> Vec<ValueId> {
        let nodes = self.nodes.iter().zip(self.needed_for(output));
        let needed = nodes.filter(|(node, needed)| *needed && node.output != output);
        needed
            .map(|(node, _)| node.output)
            .filter(|&value| self.is_real(value))
            .collect()
    }

    /// The rows that the sample looks up in parameters (a Gather of a parameter by something computed from the inputs),
    /// which is what a text is perturbed by, in order.
    pub fn embeddings(&self, output: ValueId) -> Vec<ValueId> {
        let nodes = self.nodes.iter().zip(self.needed_for(output));
        nodes
            .filter(|(node, needed)| {
                *needed && node.op_type == "Gather" && node.params.iter().any(|p| p.role == 0)
            })
            .map(|(node, _)| node.output)
            .filter(|&value| self.is_real(value))
            .collect()
    }

    /// The name of a parameter: its initializer's.
    pub fn parameter_name(&self, parameter: ValueId) -> &str {
        self.name(parameter)
    }

    /// The sum of squares of a constant; `None` for what depends on the sample.
    pub fn squared_norm(&self, value: ValueId) -> Option<f64> {
        let tensor = self.values[value.index()].constant.as_ref()?;
        let values: Vec<f64> = tensor.floats()?;
        Some(values.iter().map(|x| x * x).sum())
    }

    /// The number of distinct trainable numbers that `output` depends on.
    pub fn n_params(&self, output: ValueId) -> usize {
        let parameters = self.parameters(output);
        parameters.iter().map(|&value| self.n_elements(value)).sum()
    }

    /// How often each operator occurs among the nodes that `output` needs, constants folded.
    pub fn operators(&self, output: ValueId) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (node, needed) in self.nodes.iter().zip(self.needed_for(output)) {
            if needed {
                *counts.entry(node.op_type.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// Multiply–accumulates of one forward pass to `output`.
    pub fn macs(&self, output: ValueId) -> u64 {
        let nodes = self.nodes.iter().zip(self.needed_for(output));
        nodes
            .filter(|(_, needed)| *needed)
            .map(|(node, _)| node.op.macs())
            .sum()
    }
}
