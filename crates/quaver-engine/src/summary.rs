//! What a model consists of, for people: layers, operators, arithmetic.

use std::collections::BTreeMap;

use crate::graph::{Graph, ValueId};

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
    /// The nodes that `output` needs and that have parameters, in order.
    pub fn layers(&self, output: ValueId) -> Vec<Layer> {
        let nodes = self.nodes.iter().zip(self.needed_for(output));
        nodes
            .filter(|(node, needed)| *needed && !node.params.is_empty())
            .map(|(node, _)| Layer {
                name: node.name.clone(),
                op_type: node.op_type.clone(),
                params: node
                    .params
                    .iter()
                    .map(|param| {
                        let value = &self.values[param.value.index()];
                        let name = value.initializer.as_ref().unwrap_or(&value.name);
                        (name.clone(), value.shape.clone())
                    })
                    .collect(),
                values: node.params.iter().map(|param| param.value).collect(),
                output_shape: self.shape(node.output).to_vec(),
                macs: node.op.macs(),
            })
            .collect()
    }

    /// The trainable parameters that `output` depends on, in order of first use.
    pub fn parameters(&self, output: ValueId) -> Vec<ValueId> {
        let mut found = Vec::new();
        for (node, needed) in self.nodes.iter().zip(self.needed_for(output)) {
            for param in node.params.iter().filter(|_| needed) {
                if !found.contains(&param.value) {
                    found.push(param.value);
                }
            }
        }
        found
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

    /// The sum of squares of a constant; `None` for what depends on the sample.
    pub fn squared_norm(&self, value: ValueId) -> Option<f64> {
        let tensor = self.values[value.index()].constant.as_ref()?;
        let values: Vec<f64> = tensor.floats()?;
        Some(values.iter().map(|x| x * x).sum())
    }

    /// The name of the initializer that a parameter comes from.
    pub fn parameter_name(&self, parameter: ValueId) -> &str {
        let value = &self.values[parameter.index()];
        value.initializer.as_ref().unwrap_or(&value.name)
    }

    /// The number of distinct trainable numbers that `output` depends on.
    pub fn n_params(&self, output: ValueId) -> usize {
        let mut params: Vec<(String, Vec<usize>)> = self
            .layers(output)
            .into_iter()
            .flat_map(|layer| layer.params)
            .collect();
        params.sort();
        params.dedup_by(|a, b| a.0 == b.0);
        params
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
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
