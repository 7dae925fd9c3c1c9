//! One node after another: what it becomes is added to the graph, and computed where all it reads is constant.

use super::functions::Opsets;
use super::{
    Importer, elements, is_default, live, node_name, origin, refuse_infinite, refuse_nan, sequences,
};
use crate::compose::{BODY_OPSET, Body};
use crate::graph::{Node, Param, Value, ValueId};
use crate::onnx::node::{Input, NodeContext};
use crate::onnx::proto::NodeProto;
use crate::op::{Built, Operator, Spec};
use crate::tensor::{Element, Tensor, n_elements};
use crate::{EngineError, ops};

/// How deep bodies and branches may nest.
const MAX_DEPTH: usize = 64;

/// What a node becomes.
pub(super) fn build(context: &NodeContext<'_>) -> Result<Built, EngineError> {
    let proto = context.proto;
    let build = ops::builder(&proto.domain, &proto.op_type)
        .ok_or_else(|| EngineError::unsupported(live::missing(&proto.op_type)))?;
    build(context)
}

impl Importer {
    /// Adds what a node of the file, or of a body, becomes.
    pub(super) fn node(
        &mut self,
        proto: &NodeProto,
        opsets: Opsets,
        depth: usize,
    ) -> Result<(), EngineError> {
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
    pub(super) fn built(
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
    pub(super) fn body(
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
    pub(super) fn alias(&mut self, name: &str, value: ValueId) -> Result<(), EngineError> {
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
