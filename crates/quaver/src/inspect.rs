//! What is in a model: for reading before anything is computed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use quaver_engine::{Graph, Head, HeadKind, Layer, ValueId};

use crate::{Error, LoadOptions};

/// An input or output: its name and the shape of one sample, without the batch axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The ONNX name.
    pub name: String,
    /// The shape of one sample.
    pub shape: Vec<usize>,
}

impl Port {
    /// The number of values of one sample.
    pub fn n_values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What a model consists of. That there is one says that every operator in it is supported: a model with one that
/// is not cannot be read, and the error names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What is fed in.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// What the classifier's head is, or why the model is not a classifier.
    pub head: Result<HeadFacts, String>,
    /// Nodes that have trainable parameters, in order: the blocks `layer:NAME`.
    pub layers: Vec<Layer>,
    /// Trainable parameters, in the order of their first use: the blocks `param:NAME`.
    pub parameters: Vec<Parameter>,
    /// How often each operator occurs, constants folded.
    pub operators: BTreeMap<String, usize>,
    /// Trainable numbers; one used twice counts once.
    pub n_params: usize,
    /// Multiply–accumulates of one forward pass of one sample.
    pub macs: u64,
}

/// A trainable parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The initializer's name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The layers that use it, by name.
    pub layers: Vec<String>,
}

/// The head of a classifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadFacts {
    /// What turns the logits into the output.
    pub kind: HeadKind,
    /// The value that is differentiated.
    pub logits: String,
    /// The number of classes K.
    pub n_classes: usize,
}

/// Reads the ONNX file at `path` and says what is in it.
///
/// # Errors
/// If the file cannot be read; if something in it is not supported, the node, operator, opset and attribute.
pub fn inspect(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Inspection, Error> {
    let graph = Graph::read(path.as_ref(), &options.import())?;
    let port = |&id: &ValueId| Port {
        name: graph.name(id).to_owned(),
        shape: graph.shape(id).get(1..).unwrap_or_default().to_vec(),
    };
    let head = match Head::find(&graph, options.head) {
        Err(e) if !e.unsupported_nodes().is_empty() => {
            return Err(e.within(path.as_ref().display()).into());
        }
        head => head,
    };
    // What is needed for the logits; without a head, for the first output.
    let wanted = match &head {
        Ok(head) => Some(head.logits),
        Err(_) => graph.outputs().first().copied(),
    };
    let layers = wanted.map(|id| graph.layers(id)).unwrap_or_default();
    Ok(Inspection {
        inputs: graph.inputs().iter().map(port).collect(),
        outputs: graph.outputs().iter().map(port).collect(),
        parameters: wanted.map_or_else(Vec::new, |id| parameters(&graph, id, &layers)),
        layers,
        operators: wanted.map(|id| graph.operators(id)).unwrap_or_default(),
        n_params: wanted.map_or(0, |id| graph.n_params(id)),
        macs: wanted.map_or(0, |id| graph.macs(id)),
        head: match head {
            Ok(head) => Ok(HeadFacts {
                kind: head.kind,
                logits: graph.name(head.logits).to_owned(),
                n_classes: head.n_classes,
            }),
            Err(error) => Err(error.to_string()),
        },
    })
}

fn parameters(graph: &Graph, wanted: ValueId, layers: &[Layer]) -> Vec<Parameter> {
    let mut users: HashMap<ValueId, Vec<String>> = HashMap::new();
    for layer in layers {
        for &value in &layer.values {
            let names = users.entry(value).or_default();
            if !names.contains(&layer.name) {
                names.push(layer.name.clone());
            }
        }
    }
    let facts = |id: ValueId| Parameter {
        name: graph.parameter_name(id).to_owned(),
        shape: graph.shape(id).to_vec(),
        layers: users.remove(&id).unwrap_or_default(),
    };
    graph.parameters(wanted).into_iter().map(facts).collect()
}
