//! Which slices of a parameter belong to one unit of its layer: to an output channel of a convolution or of a
//! normalisation, to an output of a dense layer.

use std::collections::HashMap;

use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};

/// A floating-point initializer of a file, as [`Graph::read_edited`](crate::Graph::read_edited) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initializer {
    /// Its name.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Where the units of its layer lie; `None` where it is not known to be the weight or bias of a layer that has units,
    /// or is used more than once.
    pub units: Option<LayerUnits>,
}

/// Where the units of a layer lie in one of its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerUnits {
    /// Tells layers apart: a weight and a bias of one layer have the same number.
    pub layer: usize,
    /// The axis of the parameter that counts the units.
    pub axis: usize,
}

/// Where values of a graph come from and go to.
pub(crate) struct Uses<'a> {
    graph: &'a GraphProto,
    /// For each value, the nodes that read it, and as which input.
    readers: HashMap<&'a str, Vec<(usize, usize)>>,
    writers: HashMap<&'a str, usize>,
}

impl<'a> Uses<'a> {
    pub(crate) fn of(graph: &'a GraphProto) -> Self {
        let mut uses = Self {
            graph,
            readers: HashMap::new(),
            writers: HashMap::new(),
        };
        for (at, node) in graph.node.iter().enumerate() {
            for (input, name) in node.input.iter().enumerate() {
                uses.readers.entry(name).or_default().push((at, input));
            }
            for name in &node.output {
                uses.writers.insert(name, at);
            }
        }
        uses
    }

    /// What is known of an initializer.
    pub(crate) fn describe(&self, initializer: &TensorProto) -> Initializer {
        let dims = initializer.dims.iter();
        let shape: Vec<usize> = dims.map(|&n| usize::try_from(n).unwrap_or(0)).collect();
        Initializer {
            name: initializer.name.clone(),
            units: self.units(&initializer.name, &shape, 0),
            shape,
        }
    }

    fn units(&self, name: &str, shape: &[usize], depth: usize) -> Option<LayerUnits> {
        // A file may have a cycle; nobody rearranges a weight this often.
        const DEEPEST: usize = 8;
        let &[(at, input)] = self.readers.get(name)?.as_slice() else {
            return None;
        };
        let node = &self.graph.node[at];
        if depth > DEEPEST || !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return None;
        }
        let rank = shape.len();
        let last = rank.checked_sub(1);
        let own = |axis: Option<usize>| {
            let axis = axis.filter(|&axis| axis < rank)?;
            Some(LayerUnits { layer: at, axis })
        };
        match (node.op_type.as_str(), input) {
            ("Identity" | "Cast", 0) => self.units(node.output.first()?, shape, depth + 1),
            ("Transpose", 0) => {
                let order: Vec<usize> = match ints(node, "perm") {
                    None => (0..rank).rev().collect(),
                    Some(order) => {
                        let axes = order.iter().map(|&axis| usize::try_from(axis).ok());
                        axes.collect::<Option<_>>()?
                    }
                };
                let turned: Option<Vec<usize>> =
                    order.iter().map(|&axis| shape.get(axis).copied()).collect();
                let units = self.units(node.output.first()?, &turned?, depth + 1)?;
                let axis = *order.get(units.axis)?;
                Some(LayerUnits { axis, ..units })
            }
            ("Conv", 1 | 2) => own(Some(0)),
            ("ConvTranspose", 1) if int(node, "group", 1) == 1 => own(Some(1)),
            ("ConvTranspose", 2) if int(node, "group", 1) == 1 => own(Some(0)),
            ("Gemm", 1) => own(Some(usize::from(int(node, "transB", 0) == 0))),
            ("Gemm", 2) => own(last),
            ("MatMul", 1) if rank >= 2 => own(last),
            ("BatchNormalization" | "InstanceNormalization" | "GroupNormalization", 1 | 2) => {
                own(Some(0))
            }
            ("LayerNormalization" | "RMSNormalization", 1 | 2) if rank == 1 => own(last),
            ("Add", 0 | 1) => {
                // The bias of the layer before: one number for each unit.
                let layer = *self.writers.get(node.input.get(1 - input)?.as_str())?;
                let op_type = self.graph.node[layer].op_type.as_str();
                if !matches!(op_type, "MatMul" | "Gemm" | "Conv" | "ConvTranspose") {
                    return None;
                }
                let mut long = (0..rank).filter(|&axis| shape[axis] > 1);
                let axis = long.next().or(last)?;
                long.next().is_none().then_some(LayerUnits { layer, axis })
            }
            _ => None,
        }
    }
}

fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    let found = node.attribute.iter().find(|a| a.name == name);
    found.map_or(default, |a| a.i)
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    let found = node.attribute.iter().find(|a| a.name == name)?;
    Some(&found.ints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::AttributeProto;

    fn node(
        op_type: &str,
        input: &[&str],
        output: &str,
        attribute: &[AttributeProto],
    ) -> NodeProto {
        NodeProto {
            op_type: op_type.to_owned(),
            input: input.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute: attribute.to_vec(),
            ..NodeProto::default()
        }
    }

    fn tensor(name: &str, dims: &[i64]) -> TensorProto {
        TensorProto {
            name: name.to_owned(),
            dims: dims.to_vec(),
            ..TensorProto::default()
        }
    }

    /// The units of each parameter of a graph.
    fn found(nodes: Vec<NodeProto>, parameters: &[(&str, &[i64])]) -> Vec<Option<(usize, usize)>> {
        let graph = GraphProto {
            node: nodes,
            ..GraphProto::default()
        };
        let uses = Uses::of(&graph);
        let units = parameters
            .iter()
            .map(|(name, dims)| uses.describe(&tensor(name, dims)).units);
        units
            .map(|units| units.map(|units| (units.layer, units.axis)))
            .collect()
    }

    #[test]
    fn a_layer_and_its_bias_have_the_same_units() {
        let nodes = vec![
            node("Conv", &["x", "w", "b"], "y", &[]),
            node("MatMul", &["y", "v"], "z", &[]),
            node("Add", &["c", "z"], "s", &[]),
            node(
                "Gemm",
                &["s", "g", "h"],
                "t",
                &[AttributeProto::int("transB", 1)],
            ),
            node("ConvTranspose", &["t", "d"], "u", &[]),
        ];
        let parameters: [(&str, &[i64]); 7] = [
            ("w", &[8, 3, 5, 5]),
            ("b", &[8]),
            ("v", &[8, 4]),
            ("c", &[1, 4]),
            ("g", &[6, 4]),
            ("h", &[6]),
            ("d", &[6, 2, 3, 3]),
        ];
        let expected = [(0, 0), (0, 0), (1, 1), (1, 1), (3, 0), (3, 0), (4, 1)];
        assert_eq!(found(nodes, &parameters), expected.map(Some));
    }

    #[test]
    fn what_is_turned_first_is_followed() {
        let nodes = vec![
            node(
                "Transpose",
                &["w"],
                "t",
                &[AttributeProto::ints("perm", &[1, 0])],
            ),
            node("Cast", &["t"], "c", &[]),
            node("MatMul", &["x", "c"], "y", &[]),
            node("Transpose", &["v"], "u", &[]),
            node("Gemm", &["y", "u"], "z", &[]),
        ];
        let parameters: [(&str, &[i64]); 2] = [("w", &[7, 3]), ("v", &[2, 7])];
        assert_eq!(found(nodes, &parameters), [Some((2, 0)), Some((4, 0))]);
    }

    #[test]
    fn what_has_no_units_or_more_than_one_use_has_none() {
        let nodes = vec![
            node("MatMul", &["x", "tied"], "y", &[]),
            node("MatMul", &["y", "tied"], "z", &[]),
            node("Add", &["z", "positions"], "s", &[]),
            node("LSTM", &["s", "w", "r"], "h", &[]),
            node("Identity", &["loop"], "loop", &[]),
            node(
                "Transpose",
                &["bad"],
                "b",
                &[AttributeProto::ints("perm", &[5, -1])],
            ),
        ];
        let parameters: [(&str, &[i64]); 6] = [
            ("tied", &[4, 4]),
            ("positions", &[9, 4]),
            ("w", &[1, 16, 4]),
            ("unused", &[4]),
            ("loop", &[4]),
            ("bad", &[4, 4]),
        ];
        assert_eq!(found(nodes, &parameters), [None; 6]);
    }
}
