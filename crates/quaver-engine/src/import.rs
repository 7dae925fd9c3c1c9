//! ONNX model to [`Graph`]: names resolved, shapes inferred, constants folded, everything checked.
//!
//! What is not supported is an error here, before anything runs, and names node, operator and attribute.

mod elements;
mod functions;
mod inputs;
mod live;
mod origin;
pub(crate) mod probabilities;
mod sequences;
mod traced;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::compose::{BODY_OPSET, Body};
use crate::graph::{Graph, Node, Origin, Param, Rearranged, Value, ValueId};
use crate::onnx::node::{Input, NodeContext};
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto};
use crate::onnx::{self, tensors};
use crate::op::{Built, Operator, Spec};
use crate::ops;
use crate::tensor::{Data, Element, Tensor, n_elements};
use crate::{EngineError, EngineErrorKind};
use functions::{Call, Opsets};

/// The operator sets whose definitions are read. The oldest is where ONNX settled on NumPy broadcasting.
pub(crate) const OPSETS: std::ops::RangeInclusive<i64> = 7..=27;

/// The domain of classical models (scikit-learn's).
pub(crate) const ML: &str = "ai.onnx.ml";

/// How deep bodies and branches may nest.
const MAX_DEPTH: usize = 64;

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
    });
    importer.read()
}

/// The nodes a graph was read from, and what was asked for.
#[derive(Debug, Default)]
pub(crate) struct Source {
    calls: Vec<Call<'static>>,
    wanted: Vec<String>,
    shapes: Shapes,
    /// The number of initializers and inputs: the graph's first values.
    n_given: usize,
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

/// What a node becomes.
fn build(context: &NodeContext<'_>) -> Result<Built, EngineError> {
    let proto = context.proto;
    let build = ops::builder(&proto.domain, &proto.op_type)
        .ok_or_else(|| EngineError::unsupported("not a supported operator"))?;
    build(context)
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

    fn node(&mut self, proto: &NodeProto, opsets: Opsets, depth: usize) -> Result<(), EngineError> {
        if is_default(&proto.domain) && sequences::concerns(&proto.op_type) {
            return self.sequence(proto, opsets, depth);
        }
        let inputs: Vec<Option<Input>> = proto
            .input
            .iter()
            .map(|name| {
                if name.is_empty() {
                    return Ok(None);
                }
                let value = self.names.get(name).copied().ok_or_else(|| {
                    EngineError::format(format!(
                        "its input '{name}' is neither an input, an initializer nor the output of an earlier node"
                    ))
                })?;
                let known = &self.graph.values[value.index()];
                Ok(Some(Input {
                    value,
                    shape: known.shape.clone(),
                    element: known.element,
                    constant: known.constant.clone(),
                    producer: self.producers.get(&value).cloned(),
                }))
            })
            .collect::<Result<_, EngineError>>()?;
        let context = NodeContext {
            proto,
            opset: opsets.of(&proto.domain),
            inputs,
        };
        if self.follows(&context) {
            self.traced(&context, opsets, depth)
        } else {
            let built = build(&context)?;
            self.built(&context, built, opsets, depth)
        }
    }

    /// Adds what a node has become.
    fn built(
        &mut self,
        context: &NodeContext<'_>,
        built: Built,
        opsets: Opsets,
        depth: usize,
    ) -> Result<(), EngineError> {
        let proto = context.proto;
        match built {
            Built::Alias => {
                let input = context.input(0)?.value;
                if let Some(name) = proto.output.first().filter(|name| !name.is_empty()) {
                    self.alias(name, input)?;
                }
                self.outputs_left_out(proto, 1)
            }
            Built::Constant(tensor) => {
                refuse_nan(&tensor)?;
                crate::tensor::n_stored(tensor.shape())?;
                let name = self.output_name(proto, 0);
                if proto.op_type == "Constant" && !tensor.shape().is_empty() {
                    self.parameter(&name, tensor, true)?;
                } else {
                    let origin = self.origin(context, tensor.element());
                    self.declare(Value::constant(name, tensor, origin))?;
                }
                self.outputs_left_out(proto, 1)
            }
            Built::Steps(specs) => {
                let n_specs = specs.len();
                for (at, spec) in specs.into_iter().enumerate() {
                    self.step(context, at, spec)?;
                }
                self.outputs_left_out(proto, n_specs)
            }
            Built::Body(body) => {
                // To people, the nodes of a body are the one they stand for.
                let is_outermost = self.layer.is_none() && !body.is_branch;
                if is_outermost {
                    self.layer = Some(proto.op_type.clone());
                    self.settings = origin::settings_of(context);
                }
                let done = self.body(proto, body, opsets, depth);
                if is_outermost {
                    self.layer = None;
                    self.settings.clear();
                }
                done
            }
        }
    }

    /// Reads the nodes that stand for `proto`.
    fn body(
        &mut self,
        proto: &NodeProto,
        body: Body,
        opsets: Opsets,
        depth: usize,
    ) -> Result<(), EngineError> {
        if depth == MAX_DEPTH {
            return Err(EngineError::format(format!(
                "branches nested {MAX_DEPTH} deep"
            )));
        }
        let opsets = match body.is_branch {
            true => opsets,
            false => Opsets {
                default: BODY_OPSET,
                ..opsets
            },
        };
        for (name, tensor) in body.constants {
            refuse_nan(&tensor)?;
            self.declare(Value::constant(name, tensor, None))?;
        }
        for (name, tensor) in body.parameters {
            refuse_nan(&tensor)?;
            self.parameter(&name, tensor, false)?;
        }
        let first = self.graph.values.len();
        for mut node in body.nodes {
            if !body.is_branch {
                node_name(proto).clone_into(&mut node.name);
            }
            self.node(&node, opsets, depth + 1)
                .map_err(|e| e.within(&node.op_type))?;
        }
        for (output, inner) in proto.output.iter().zip(&body.outputs) {
            if let Some(inner) = inner
                && !output.is_empty()
            {
                let value = self.lookup(inner)?;
                self.alias(output, value)?;
                // What a body made up is better known by the file's name.
                if !body.is_branch && value.index() >= first {
                    output.clone_into(&mut self.graph.values[value.index()].name);
                }
            }
        }
        Ok(())
    }

    /// Another name of a value.
    fn alias(&mut self, name: &str, value: ValueId) -> Result<(), EngineError> {
        match self.names.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(EngineError::format(format!(
                "value '{name}' is defined twice"
            ))),
        }
    }

    /// Outputs that no step computes (the mask of a Dropout) exist for nobody: reading one is an error there.
    fn outputs_left_out(&self, proto: &NodeProto, n_computed: usize) -> Result<(), EngineError> {
        match proto.output.get(n_computed..) {
            Some(rest) if rest.iter().any(|name| self.names.contains_key(name)) => {
                Err(EngineError::format("an output of that name exists already"))
            }
            _ => Ok(()),
        }
    }

    /// The name of output `at`. One nobody reads may have none; what it gets cannot clash with a file's.
    fn output_name(&self, proto: &NodeProto, at: usize) -> String {
        match proto.output.get(at).filter(|name| !name.is_empty()) {
            Some(name) => name.clone(),
            None => format!("\0{}:{at}", self.graph.values.len()),
        }
    }

    fn step(
        &mut self,
        context: &NodeContext<'_>,
        at: usize,
        spec: Spec,
    ) -> Result<(), EngineError> {
        let element = elements::of_output(context, at);
        let name = self.output_name(context.proto, at);
        n_elements(&spec.shape)?;
        let known = |input: &ValueId| &self.graph.values[input.index()];
        let constants: Option<Vec<&Tensor>> = spec
            .inputs
            .iter()
            .map(|input| known(input).constant.as_ref())
            .collect();
        let moves = element == Element::Float && self.follows(context);
        let mut varying = spec
            .inputs
            .iter()
            .map(known)
            .filter(|v| v.constant.is_none());
        let is_raw = varying.all(|value| value.is_raw);
        let output = match constants {
            Some(constants) => {
                let tensor = fold(&*spec.op, &constants, &spec.shape, element)?;
                refuse_nan(&tensor)?;
                let origin = self.origin(context, element);
                let value = Value::constant(name, tensor, origin);
                let output = self.declare(Value { moves, ..value })?;
                if !moves {
                    return Ok(());
                }
                output
            }
            None => self.declare(Value::variable(name, spec.shape.clone(), element))?,
        };
        let params = self.params(context, &spec, element)?;
        let is_trained = params.iter().any(|param| param.is_trained);
        let proto = context.proto;
        let is_raw = is_raw && !is_trained && origin::prepares(&proto.op_type);
        self.graph.values[output.index()].is_raw = is_raw;
        self.producers.insert(output, proto.op_type.clone());
        let layer = self.layer.as_ref().unwrap_or(&proto.op_type);
        self.graph.nodes.push(Node {
            name: node_name(proto).to_owned(),
            op_type: proto.op_type.clone(),
            layer: layer.clone(),
            params,
            op: spec.op,
            inputs: spec.inputs,
            output,
        });
        Ok(())
    }

    /// The constant inputs of a node that initializers are behind.
    fn params(
        &self,
        context: &NodeContext<'_>,
        spec: &Spec,
        element: Element,
    ) -> Result<Vec<Param>, EngineError> {
        let mut params = Vec::new();
        for (role, input) in context.inputs.iter().enumerate() {
            let Some(input) = input else { continue };
            let value = &self.graph.values[input.value.index()];
            let (Some(tensor), Some(_)) = (&input.constant, &value.origin) else {
                continue;
            };
            let is_weight = spec.params.contains(&role);
            let is_trained =
                element == Element::Float && self.trains(context, role, input, is_weight);
            if is_trained {
                refuse_infinite(tensor)
                    .map_err(|e| e.within(format_args!("parameter '{}'", value.name)))?;
            }
            params.push(Param {
                value: input.value,
                role,
                is_trained,
            });
        }
        Ok(params)
    }
}

/// Runs an operator whose every input is constant, in double precision.
fn fold(
    op: &dyn Operator,
    constants: &[&Tensor],
    shape: &[usize],
    element: Element,
) -> Result<Tensor, EngineError> {
    let inputs: Vec<Vec<f64>> = constants.iter().map(|tensor| tensor.numbers()).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let mut output = vec![0.0; n_elements(shape)?];
    if !output.is_empty() {
        let step = crate::op::Lower::<f64>::lower(op);
        step.forward(&inputs, &mut output, None, &mut Vec::new());
    }
    Tensor::of(element, shape.to_vec(), output)
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
