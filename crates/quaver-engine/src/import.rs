//! ONNX model to [`Graph`]: names resolved, shapes inferred, constants folded, everything checked.
//!
//! What is not supported is an error here, before anything runs, and names node, operator and attribute.

mod batch;
mod elements;
mod functions;
mod inputs;
mod live;
mod nodes;
mod origin;
pub(crate) mod probabilities;
mod ranges;
mod ranks;
mod sequences;
mod traced;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::graph::{Graph, Origin, Rearranged, Value, ValueId};
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto};
use crate::onnx::{self, external, tensors};
use crate::tensor::{Data, Tensor};
use crate::{EngineError, EngineErrorKind};
use functions::{Call, Opsets};

/// The operator sets whose definitions are read. The oldest is where ONNX settled on NumPy broadcasting.
pub(crate) const OPSETS: std::ops::RangeInclusive<i64> = 7..=27;

/// The domain of classical models (scikit-learn's).
pub(crate) const ML: &str = "ai.onnx.ml";

/// How a model is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The output, or any other value, that is wanted; what does not lead to it is left out. Default: the
    /// model's outputs.
    pub output: Option<String>,
    /// The shape of one sample, without the batch axis, for models that leave it open. Default: as in the file.
    pub input_shape: Option<Vec<usize>>,
}

impl Graph {
    /// Reads the ONNX file at `path`, and external data from the files beside it.
    ///
    /// # Errors
    /// Names the file and, where there is one, the node, operator, opset and attribute that cannot be read.
    pub fn read(path: &Path, options: &ImportOptions) -> Result<Self, EngineError> {
        let model = onnx::read(path)?;
        import(&model, path.parent(), options).map_err(|e| e.within(path.display()))
    }

    /// Reads a model from memory; external data cannot be read.
    ///
    /// # Errors
    /// As for [`Graph::read`].
    pub fn decode(bytes: &[u8], options: &ImportOptions) -> Result<Self, EngineError> {
        import(&onnx::decode(bytes)?, None, options)
    }
}

/// What the axes of the inputs mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Shapes {
    /// The first is the batch, which becomes 1; every input has one.
    #[default]
    OneSample,
    /// They are what they are: single operators are tested on whatever shape.
    Whole,
}

/// The graph of `model`.
pub(crate) fn import(
    model: &ModelProto,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Graph, EngineError> {
    import_as(model, folder, options, Shapes::OneSample)
}

/// The same, with the inputs' axes read as `shapes` says.
pub(crate) fn import_as(
    model: &ModelProto,
    folder: Option<&Path>,
    options: &ImportOptions,
    shapes: Shapes,
) -> Result<Graph, EngineError> {
    let proto = model
        .graph
        .as_ref()
        .ok_or_else(|| EngineError::format("the model has no graph"))?;
    let opsets = opsets(model)?;
    let calls = functions::flatten(model, proto, opsets)?;
    let wanted: Vec<&str> = match &options.output {
        Some(name) if !calls.iter().any(|call| call.node.output.contains(name)) => {
            return Err(no_such_value(name));
        }
        Some(name) => vec![name],
        None => live::wanted_outputs(proto, shapes),
    };
    if wanted.is_empty() {
        return Err(EngineError::format("the model has no output"));
    }
    let live = live::nodes(calls, &wanted)?;
    let used = live::used_names(&live, &wanted);
    let is_open = inputs::has_open_batch(proto, &used);
    let mut importer = Importer::new(HashSet::new());
    importer.initializers(proto, folder, &used)?;
    inputs::declare(&mut importer, proto, &used, options, shapes)?;
    let wanted: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
    let calls = live.into_iter().map(Call::into_owned).collect();
    importer.graph.source = Arc::new(Source {
        calls,
        wanted,
        shapes,
        n_given: importer.graph.values.len(),
        files: external::files(model, folder),
    });
    let graph = importer.read()?;
    if is_open && shapes == Shapes::OneSample {
        graph.refuse_coupling()?;
    }
    Ok(graph)
}

/// The nodes a graph was read from, and what was asked for.
#[derive(Debug, Default)]
pub(crate) struct Source {
    calls: Vec<Call<'static>>,
    wanted: Vec<String>,
    shapes: Shapes,
    /// The number of initializers and inputs: the graph's first values.
    n_given: usize,
    /// Where initializers lie that are not in the model's own file.
    pub(crate) files: Vec<PathBuf>,
}

fn no_such_value(name: &str) -> EngineError {
    EngineError::new(
        EngineErrorKind::Option,
        format!("no node computes a value named '{name}' (--output)"),
    )
}

/// A node's name, or its first output's where it has none.
fn node_name(node: &NodeProto) -> &str {
    match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => output,
        (name, _) => name,
    }
}

fn opsets(model: &ModelProto) -> Result<Opsets, EngineError> {
    let opsets = Opsets::read(&model.opset_import).ok_or_else(|| {
        EngineError::format("the model does not say which opset of the ONNX domain it uses")
    })?;
    let opset = opsets.default;
    if OPSETS.contains(&opset) {
        Ok(opsets)
    } else {
        Err(EngineError::unsupported(format!(
            "opset {opset}: Quaver reads opsets {} to {}; re-export, or convert the file with onnx.version_converter",
            OPSETS.start(),
            OPSETS.end()
        )))
    }
}

fn is_default(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

struct Importer {
    graph: Graph,
    names: HashMap<String, ValueId>,
    /// The names that sequences of tensors consist of.
    sequences: HashMap<String, Vec<String>>,
    /// The operators of the nodes that compute values.
    producers: HashMap<ValueId, String>,
    /// The parameters whose uses are followed, to be differentiated by (`traced.rs`).
    moving: HashSet<String>,
    /// The initializers that are trained somewhere, where parameters are followed.
    trained: HashSet<ValueId>,
    /// The operator of the node whose body is read.
    layer: Option<String>,
    /// What that node takes as settings rather than parameters.
    settings: Vec<ValueId>,
}

impl Importer {
    fn new(moving: HashSet<String>) -> Self {
        Self {
            graph: Graph {
                values: Vec::new(),
                nodes: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                names: HashMap::new(),
                source: Arc::default(),
            },
            names: HashMap::new(),
            sequences: HashMap::new(),
            producers: HashMap::new(),
            moving,
            trained: HashSet::new(),
            layer: None,
            settings: Vec::new(),
        }
    }

    /// The graph of the source's nodes.
    fn read(mut self) -> Result<Graph, EngineError> {
        let source = Arc::clone(&self.graph.source);
        // Nodes are read on after one that cannot be, so that all of those are named at once.
        let mut unsupported = Vec::new();
        let mut unknown: HashSet<String> = HashSet::new();
        for call in &source.calls {
            let Call { node, opsets } = call;
            let done = if live::reads_any(node, &unknown) {
                None
            } else if live::is_known(call) {
                Some(self.node(node, *opsets, 0))
            } else {
                Some(Err(EngineError::unsupported(live::missing(&node.op_type))))
            };
            match done {
                Some(Ok(())) => continue,
                Some(Err(e)) if e.kind() == EngineErrorKind::Unsupported => {
                    unsupported.push(live::unsupported(call, e.to_string()));
                }
                Some(Err(e)) => {
                    let place = live::unsupported(call, String::new());
                    return Err(e.within(format_args!(
                        "node '{}' ({}, opset {})",
                        place.node, place.operator, place.opset
                    )));
                }
                None => {}
            }
            unknown.extend(node.output.iter().filter(|name| !name.is_empty()).cloned());
        }
        if !unsupported.is_empty() {
            return Err(live::refuse(unsupported));
        }
        for name in &source.wanted {
            let mut output = self.lookup(name)?;
            if source.shapes == Shapes::OneSample {
                output = self.as_softmax(output)?;
            }
            self.graph.outputs.push(output);
        }
        self.graph.names = self.names;
        Ok(self.graph)
    }

    fn declare(&mut self, value: Value) -> Result<ValueId, EngineError> {
        let id = u32::try_from(self.graph.values.len())
            .map(ValueId)
            .map_err(|_| EngineError::format("more values than can be counted"))?;
        if self.names.insert(value.name.clone(), id).is_some() {
            return Err(EngineError::format(format!(
                "value '{}' is defined twice",
                value.name
            )));
        }
        self.graph.values.push(value);
        Ok(id)
    }

    fn lookup(&self, name: &str) -> Result<ValueId, EngineError> {
        let id = self.names.get(name).copied();
        id.ok_or_else(|| no_such_value(name))
    }

    fn initializers(
        &mut self,
        proto: &GraphProto,
        folder: Option<&Path>,
        used: &HashSet<&str>,
    ) -> Result<(), EngineError> {
        for initializer in &proto.initializer {
            if !used.contains(initializer.name.as_str()) {
                continue;
            }
            let place = format!("initializer '{}'", initializer.name);
            let tensor = tensors::tensor(initializer, folder).map_err(|e| e.within(&place))?;
            refuse_nan(&tensor).map_err(|e| e.within(&place))?;
            self.parameter(&initializer.name, tensor, false)?;
        }
        Ok(())
    }

    /// A constant of the file: a parameter, if it holds real numbers and is used as one.
    fn parameter(
        &mut self,
        name: &str,
        tensor: Tensor,
        is_literal: bool,
    ) -> Result<ValueId, EngineError> {
        let is_real = tensor.is_float();
        let id = self.declare(Value::constant(name.to_owned(), tensor, None))?;
        if is_real {
            let moves = self.moving.contains(name);
            let value = &mut self.graph.values[id.index()];
            value.origin = Some(Arc::new(Origin {
                roots: vec![id],
                params: vec![id],
                kind: Rearranged::Whole,
            }));
            (value.is_literal, value.moves) = (is_literal, moves);
        }
        Ok(id)
    }
}

fn first_where(tensor: &Tensor, wrong: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
    let found = |values: &mut dyn Iterator<Item = f64>| values.enumerate().find(|&(_, x)| wrong(x));
    match tensor.data() {
        Data::F32(x) => found(&mut x.iter().map(|&x| f64::from(x))),
        Data::F64(x) => found(&mut x.iter().copied()),
        Data::Int(_) | Data::Bool(_) => None,
    }
}

fn refuse_nan(tensor: &Tensor) -> Result<(), EngineError> {
    not_finite(first_where(tensor, f64::is_nan))
}

/// Infinities are legitimate in masks, never in trainable parameters.
fn refuse_infinite(tensor: &Tensor) -> Result<(), EngineError> {
    not_finite(first_where(tensor, |x| !x.is_finite()))
}

fn not_finite(found: Option<(usize, f64)>) -> Result<(), EngineError> {
    match found {
        None => Ok(()),
        Some((at, value)) => Err(EngineError::new(
            EngineErrorKind::NotFinite,
            format!("element {at} is {value}"),
        )),
    }
}

#[cfg(test)]
mod tests;
