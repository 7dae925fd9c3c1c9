//! ONNX model to [`Graph`]: names resolved, shapes inferred, constants folded, everything checked.
//!
//! What is not supported is an error here, before anything runs, and names node, operator and attribute.

mod inputs;

use std::collections::HashMap;
use std::path::Path;

use crate::graph::{Graph, Node, Value, ValueId};
use crate::onnx::node::{Input, NodeContext};
use crate::onnx::proto::{GraphProto, ModelProto, NodeProto};
use crate::onnx::{self, tensors};
use crate::op::{Built, Operator, Spec};
use crate::ops;
use crate::tensor::{Data, Tensor, n_elements};
use crate::{EngineError, EngineErrorKind};

/// The operator sets whose definitions are read. The oldest is where ONNX settled on NumPy broadcasting.
pub(crate) const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;

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

/// The graph of `model`.
pub(crate) fn import(
    model: &ModelProto,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Graph, EngineError> {
    let proto = model
        .graph
        .as_ref()
        .ok_or_else(|| EngineError::format("the model has no graph"))?;
    let opset = default_opset(model)?;
    let wanted: Vec<&str> = match &options.output {
        Some(name) if !proto.node.iter().any(|node| node.output.contains(name)) => {
            return Err(no_such_value(name));
        }
        Some(name) => vec![name],
        None => proto
            .output
            .iter()
            .map(|output| output.name.as_str())
            .collect(),
    };
    if wanted.is_empty() {
        return Err(EngineError::format("the model has no output"));
    }
    let live = live_nodes(proto, &wanted)?;
    refuse_unknown_operators(&live, opset)?;

    let mut importer = Importer {
        opset,
        graph: Graph {
            values: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        },
        names: HashMap::new(),
    };
    importer.initializers(proto, folder, &live, &wanted)?;
    inputs::declare(&mut importer, proto, &live, options)?;
    for node in &live {
        importer.node(node).map_err(|e| {
            e.within(format_args!(
                "node '{}' ({}, opset {opset})",
                node_name(node),
                node.op_type
            ))
        })?;
    }
    for name in wanted {
        let output = importer.lookup(name)?;
        importer.graph.outputs.push(output);
    }
    Ok(importer.graph)
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

fn default_opset(model: &ModelProto) -> Result<i64, EngineError> {
    let opset = model
        .opset_import
        .iter()
        .find(|id| is_default(&id.domain))
        .map(|id| id.version)
        .ok_or_else(|| {
            EngineError::format("the model does not say which opset of the ONNX domain it uses")
        })?;
    if OPSETS.contains(&opset) {
        Ok(opset)
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

/// The nodes that lead to `wanted`, in the file's order.
fn live_nodes<'a>(
    proto: &'a GraphProto,
    wanted: &[&str],
) -> Result<Vec<&'a NodeProto>, EngineError> {
    let mut producer = HashMap::new();
    for (at, node) in proto.node.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if producer.insert(output.as_str(), at).is_some() {
                return Err(EngineError::format(format!(
                    "node '{}' ({}): value '{output}' is computed twice",
                    node_name(node),
                    node.op_type
                )));
            }
        }
    }
    let mut live = vec![false; proto.node.len()];
    let mut open: Vec<&str> = wanted.to_vec();
    while let Some(name) = open.pop() {
        if let Some(&at) = producer.get(name)
            && !std::mem::replace(&mut live[at], true)
        {
            open.extend(proto.node[at].input.iter().map(String::as_str));
        }
    }
    let nodes = proto.node.iter().zip(live);
    Ok(nodes
        .filter_map(|(node, live)| live.then_some(node))
        .collect())
}

/// One error that names every operator that is missing, rather than one per attempt.
fn refuse_unknown_operators(nodes: &[&NodeProto], opset: i64) -> Result<(), EngineError> {
    let mut unknown: Vec<(String, &NodeProto, usize)> = Vec::new();
    for node in nodes {
        let known = is_default(&node.domain)
            && ops::find(&node.op_type).is_some_and(|def| def.since <= opset);
        if known {
            continue;
        }
        let name = if is_default(&node.domain) {
            node.op_type.clone()
        } else {
            format!("{}.{}", node.domain, node.op_type)
        };
        match unknown.iter_mut().find(|(other, ..)| *other == name) {
            Some((.., count)) => *count += 1,
            None => unknown.push((name, node, 1)),
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = unknown
        .iter()
        .map(|(name, first, count)| match count {
            1 => format!("{name} (node '{}')", node_name(first)),
            _ => format!("{name} ({count} nodes, first '{}')", node_name(first)),
        })
        .collect();
    Err(EngineError::unsupported(format!(
        "operators that are not supported in opset {opset}: {}",
        list.join(", ")
    )))
}

struct Importer {
    opset: i64,
    graph: Graph,
    names: HashMap<String, ValueId>,
}

impl Importer {
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
        live: &[&NodeProto],
        wanted: &[&str],
    ) -> Result<(), EngineError> {
        let mut used: Vec<&str> = live
            .iter()
            .flat_map(|node| &node.input)
            .map(String::as_str)
            .chain(wanted.iter().copied())
            .collect();
        used.sort_unstable();
        for initializer in &proto.initializer {
            if used.binary_search(&initializer.name.as_str()).is_err() {
                continue;
            }
            let place = format!("initializer '{}'", initializer.name);
            let tensor = tensors::tensor(initializer, folder).map_err(|e| e.within(&place))?;
            refuse_nan(&tensor).map_err(|e| e.within(&place))?;
            self.declare(Value {
                name: initializer.name.clone(),
                shape: tensor.shape().to_vec(),
                constant: Some(tensor),
                initializer: Some(initializer.name.clone()),
            })?;
        }
        Ok(())
    }

    fn node(&mut self, proto: &NodeProto) -> Result<(), EngineError> {
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
                    constant: known.constant.clone(),
                }))
            })
            .collect::<Result<_, EngineError>>()?;
        let context = NodeContext {
            proto,
            opset: self.opset,
            inputs,
        };
        let def = ops::find(&proto.op_type)
            .ok_or_else(|| EngineError::unsupported("not a supported operator"))?;
        match (def.build)(&context)? {
            Built::Alias => {
                let input = context.input(0)?.value;
                let name = proto.output.first().cloned().unwrap_or_default();
                self.names.insert(name, input);
                self.outputs_left_out(proto, 1)
            }
            Built::Constant(tensor) => {
                refuse_nan(&tensor)?;
                let initializer = self.provenance(proto, &context);
                self.declare_output(proto, 0, tensor.shape().to_vec(), Some(tensor), initializer)?;
                self.outputs_left_out(proto, 1)
            }
            Built::Steps(specs) => {
                let n_specs = specs.len();
                for (at, spec) in specs.into_iter().enumerate() {
                    self.step(proto, &context, at, spec)?;
                }
                self.outputs_left_out(proto, n_specs)
            }
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

    /// A rearranged initializer is still that parameter.
    fn provenance(&self, proto: &NodeProto, context: &NodeContext<'_>) -> Option<String> {
        let keeps = matches!(
            proto.op_type.as_str(),
            "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" | "Flatten" | "Cast"
        );
        let input = context.optional(0).filter(|_| keeps)?;
        self.graph.values[input.value.index()].initializer.clone()
    }

    fn declare_output(
        &mut self,
        proto: &NodeProto,
        at: usize,
        shape: Vec<usize>,
        constant: Option<Tensor>,
        initializer: Option<String>,
    ) -> Result<ValueId, EngineError> {
        n_elements(&shape)?;
        // An output nobody reads may be nameless; the name it gets cannot clash with one from a file.
        let name = match proto.output.get(at).filter(|name| !name.is_empty()) {
            Some(name) => name.clone(),
            None => format!("\0{}:{at}", self.graph.values.len()),
        };
        self.declare(Value {
            name,
            shape,
            constant,
            initializer,
        })
    }

    fn step(
        &mut self,
        proto: &NodeProto,
        context: &NodeContext<'_>,
        at: usize,
        spec: Spec,
    ) -> Result<(), EngineError> {
        let constants: Option<Vec<&Tensor>> = spec
            .inputs
            .iter()
            .map(|input| self.graph.values[input.index()].constant.as_ref())
            .collect();
        if let Some(constants) = constants {
            let tensor = fold(&*spec.op, &constants, &spec.shape)?;
            refuse_nan(&tensor)?;
            self.declare_output(proto, at, spec.shape, Some(tensor), None)?;
            return Ok(());
        }
        let mut params = Vec::new();
        for &index in &spec.params {
            let Some(input) = context.optional(index) else {
                continue;
            };
            let Some(tensor) = &input.constant else {
                continue;
            };
            if self.graph.values[input.value.index()].initializer.is_none() || !tensor.is_float() {
                continue;
            }
            refuse_infinite(tensor).map_err(|e| {
                e.within(format_args!(
                    "parameter '{}'",
                    self.graph.values[input.value.index()].name
                ))
            })?;
            params.push(input.value);
        }
        let output = self.declare_output(proto, at, spec.shape, None, None)?;
        self.graph.nodes.push(Node {
            name: node_name(proto).to_owned(),
            op_type: proto.op_type.clone(),
            op: spec.op,
            inputs: spec.inputs,
            output,
            params,
        });
        Ok(())
    }
}

/// Runs an operator whose every input is constant, in double precision.
fn fold(op: &dyn Operator, constants: &[&Tensor], shape: &[usize]) -> Result<Tensor, EngineError> {
    let inputs: Option<Vec<Vec<f64>>> = constants.iter().map(|tensor| tensor.floats()).collect();
    let inputs = inputs.ok_or_else(|| {
        EngineError::unsupported("this operator on constants that are not floating-point numbers")
    })?;
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let mut output = vec![0.0; n_elements(shape)?];
    let step = crate::op::Lower::<f64>::lower(op);
    step.forward(&inputs, &mut output, None, &mut Vec::new());
    Tensor::new(shape.to_vec(), Data::F64(output))
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
