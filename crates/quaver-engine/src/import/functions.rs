//! Model-local functions: each node that calls one is replaced by the function's nodes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{is_default, node_name};
use crate::EngineError;
use crate::onnx::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
};

/// How deep functions may call each other: a cap against recursion, which ONNX forbids.
const MAX_DEPTH: usize = 64;
/// How many nodes a model may have: a cap against functions that double at every level.
const MAX_NODES: usize = 1 << 20;

/// The operator sets that a graph or a function is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opsets {
    /// The version of the default domain.
    pub default: i64,
    /// The version of `ai.onnx.ml`.
    pub ml: i64,
}

impl Opsets {
    /// What `imports` says; `None` without the default domain.
    pub fn read(imports: &[OperatorSetIdProto]) -> Option<Self> {
        let version = |wanted: &dyn Fn(&str) -> bool| {
            let id = imports.iter().find(|id| wanted(&id.domain))?;
            Some(id.version)
        };
        let ml = version(&|domain| domain == super::ML);
        Some(Self {
            default: version(&is_default).or(ml.map(|_| *super::OPSETS.end()))?,
            ml: ml.unwrap_or(1),
        })
    }

    /// The version of `domain`.
    pub fn of(self, domain: &str) -> i64 {
        if domain == super::ML {
            self.ml
        } else {
            self.default
        }
    }
}

/// A node and the operator sets it is written in.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub node: Cow<'a, NodeProto>,
    pub opsets: Opsets,
}

impl Call<'_> {
    /// The same, without the model it was read from.
    pub fn into_owned(self) -> Call<'static> {
        Call {
            node: Cow::Owned(self.node.into_owned()),
            opsets: self.opsets,
        }
    }
}

type Functions<'a> = HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>;

/// The nodes of `graph`, calls of the model's functions written out.
pub(super) fn flatten<'a>(
    model: &'a ModelProto,
    graph: &'a GraphProto,
    opsets: Opsets,
) -> Result<Vec<Call<'a>>, EngineError> {
    let functions = model
        .functions
        .iter()
        .map(|f| ((f.domain.as_str(), f.name.as_str(), f.overload.as_str()), f))
        .collect();
    let mut calls = Vec::with_capacity(graph.node.len());
    for node in &graph.node {
        let node = Cow::Borrowed(node);
        expand(&functions, Call { node, opsets }, 0, &mut calls)?;
    }
    Ok(calls)
}

fn expand<'a>(
    functions: &Functions<'a>,
    call: Call<'a>,
    depth: usize,
    calls: &mut Vec<Call<'a>>,
) -> Result<(), EngineError> {
    let node = &call.node;
    let key = (
        node.domain.as_str(),
        node.op_type.as_str(),
        node.overload.as_str(),
    );
    // The default domain means what the specification says, whatever a file calls its functions.
    let function = functions.get(&key).filter(|_| !is_default(&node.domain));
    let Some(function) = function else {
        if calls.len() >= MAX_NODES {
            return Err(EngineError::format(format!(
                "more than {MAX_NODES} nodes, functions written out"
            )));
        }
        calls.push(call);
        return Ok(());
    };
    let place = |e: EngineError| {
        e.within(format_args!(
            "node '{}' (function {})",
            node_name(node),
            node.op_type
        ))
    };
    if depth == MAX_DEPTH {
        return Err(place(EngineError::format(format!(
            "functions that call each other {MAX_DEPTH} deep"
        ))));
    }
    let opsets = Opsets::read(&function.opset_import).unwrap_or(call.opsets);
    let scope = Scope::new(function, node).map_err(place)?;
    for inner in &function.node {
        let node = Cow::Owned(scope.node(inner));
        expand(functions, Call { node, opsets }, depth + 1, calls)?;
    }
    for (from, to) in scope.passed_through() {
        let node = Cow::Owned(NodeProto {
            input: vec![from],
            output: vec![to],
            op_type: "Identity".to_owned(),
            ..Default::default()
        });
        calls.push(Call { node, opsets });
    }
    Ok(())
}

/// What the names and attributes inside a function stand for in one call of it.
struct Scope<'a> {
    function: &'a FunctionProto,
    call: &'a NodeProto,
    names: HashMap<&'a str, &'a str>,
    /// Leads the names of values that live inside the function alone.
    prefix: String,
}

impl<'a> Scope<'a> {
    fn new(function: &'a FunctionProto, call: &'a NodeProto) -> Result<Self, EngineError> {
        if call.input.len() > function.input.len() || call.output.len() > function.output.len() {
            return Err(EngineError::format(format!(
                "{} inputs and {} outputs of a function of {} and {}",
                call.input.len(),
                call.output.len(),
                function.input.len(),
                function.output.len()
            )));
        }
        let inputs = function.input.iter().enumerate();
        let inputs = inputs.map(|(at, name)| (name, call.input.get(at)));
        let mut names: HashMap<&str, &str> = inputs
            .map(|(formal, actual)| (formal.as_str(), actual.map_or("", String::as_str)))
            .collect();
        for (formal, actual) in function.output.iter().zip(&call.output) {
            if !actual.is_empty() {
                names.entry(formal).or_insert(actual);
            }
        }
        let first = call.output.iter().find(|name| !name.is_empty());
        let prefix = first.cloned().unwrap_or_default();
        Ok(Self {
            function,
            call,
            names,
            prefix,
        })
    }

    fn name(&self, inner: &str) -> String {
        match self.names.get(inner) {
            _ if inner.is_empty() => String::new(),
            Some(outer) => (*outer).to_owned(),
            None => format!("{}/{inner}", self.prefix),
        }
    }

    fn node(&self, inner: &NodeProto) -> NodeProto {
        let names = |list: &[String]| list.iter().map(|name| self.name(name)).collect();
        NodeProto {
            input: names(&inner.input),
            output: names(&inner.output),
            name: format!("{}/{}", node_name(self.call), node_name(inner)),
            op_type: inner.op_type.clone(),
            attribute: inner
                .attribute
                .iter()
                .filter_map(|attribute| self.attribute(attribute))
                .collect(),
            domain: inner.domain.clone(),
            overload: inner.overload.clone(),
        }
    }

    /// An attribute with what it refers to put in its place; nothing where the call leaves it out.
    fn attribute(&self, inner: &AttributeProto) -> Option<AttributeProto> {
        if inner.ref_attr_name.is_empty() {
            let mut attribute = inner.clone();
            if let Some(graph) = &mut attribute.g {
                self.rename(graph);
            }
            return Some(attribute);
        }
        let given = self.call.attribute.iter();
        let mut candidates = given.chain(&self.function.attribute_proto);
        let value = candidates.find(|a| a.name == inner.ref_attr_name)?;
        Some(AttributeProto {
            name: inner.name.clone(),
            ..value.clone()
        })
    }

    /// A branch inside a function sees the function's names, and its own values get the prefix too.
    fn rename(&self, graph: &mut GraphProto) {
        for node in &mut graph.node {
            *node = self.node(node);
        }
        for initializer in &mut graph.initializer {
            initializer.name = self.name(&initializer.name);
        }
        for output in &mut graph.output {
            output.name = self.name(&output.name);
        }
    }

    /// Outputs that are inputs of the function as they are.
    fn passed_through(&self) -> Vec<(String, String)> {
        let outputs = self.function.output.iter().zip(&self.call.output);
        outputs
            .filter(|(formal, actual)| self.function.input.contains(formal) && !actual.is_empty())
            .map(|(formal, actual)| (self.name(formal), actual.clone()))
            .collect()
    }
}
