//! Where constants come from: which trainable parameters are behind a value that is the same for every sample.
//!
//! A file does not mark its trainable parameters. They are the floating-point initializers that reach the output
//! in a place where networks are trained: weights, biases, tables, gains. What is known to be a setting (running
//! statistics, bounds, initial states), a mask, a single number in arithmetic, or what scales the sample before any
//! layer is not.

use std::sync::Arc;

use super::Importer;
use crate::graph::{Origin, Rearranged, ValueId};
use crate::onnx::node::{Input, NodeContext};
use crate::tensor::{Element, Tensor};

/// The inputs of an operator that are not trained.
fn settings(op_type: &str) -> &'static [usize] {
    match op_type {
        "BatchNormalization" => &[3, 4],
        "Attention" => &[3, 4, 5],
        "Clip" | "Resize" => &[1, 2],
        "GRU" | "RNN" => &[4, 5],
        "LSTM" => &[4, 5, 6],
        "Pad" => &[2],
        "RotaryEmbedding" => &[1, 2],
        "DequantizeLinear" | "OneHot" | "Upsample" => &[1, 2],
        "Mod" | "Pow" => &[1],
        "Where" => &[0],
        _ => &[],
    }
}

/// Whether an operator of the sample is preprocessing, if no layer was before it.
pub(super) fn prepares(op_type: &str) -> bool {
    const MORE: [&str; 8] = [
        "Add", "Clip", "Div", "Mul", "Real", "Resize", "Sub", "Identity",
    ];
    MORE.contains(&op_type) || rearrangement(op_type) != Rearranged::Computed
}

/// How an operator rearranges a constant.
fn rearrangement(op_type: &str) -> Rearranged {
    match op_type {
        "Cast" | "Flatten" | "Reshape" | "Squeeze" | "Transpose" | "Unsqueeze" => Rearranged::Whole,
        "Concat" | "Expand" | "Gather" | "Pad" | "Slice" | "Split" | "Tile" => Rearranged::Parts,
        _ => Rearranged::Computed,
    }
}

/// Infinities are legitimate in masks, never in trainable parameters.
fn is_finite(tensor: &Tensor) -> bool {
    super::first_where(tensor, |x| !x.is_finite()).is_none()
}

/// The values that a node takes as settings.
pub(super) fn settings_of(context: &NodeContext<'_>) -> Vec<ValueId> {
    let settings = settings(&context.proto.op_type).iter();
    settings
        .filter_map(|&at| Some(context.optional(at)?.value))
        .collect()
}

impl Importer {
    fn origin_of(&self, input: &Input) -> Option<&Arc<Origin>> {
        self.graph.values[input.value.index()].origin.as_ref()
    }

    /// What is behind a constant that `context` computes; nothing behind what is not a real number.
    pub(super) fn origin(
        &self,
        context: &NodeContext<'_>,
        element: Element,
    ) -> Option<Arc<Origin>> {
        if element != Element::Float {
            return None;
        }
        let mut kind = rearrangement(&context.proto.op_type);
        let mut origin = Origin {
            roots: Vec::new(),
            params: Vec::new(),
            kind,
        };
        for (at, input) in context.inputs.iter().enumerate() {
            let Some((input, from)) = input.as_ref().and_then(|x| Some((x, self.origin_of(x)?)))
            else {
                continue;
            };
            kind = kind.max(from.kind);
            origin.roots.extend(&from.roots);
            if self.trains(context, at, input, false) {
                origin.params.extend(&from.params);
            }
        }
        if origin.roots.is_empty() {
            return None;
        }
        for list in [&mut origin.roots, &mut origin.params] {
            list.sort_unstable();
            list.dedup();
        }
        origin.kind = kind;
        Some(Arc::new(origin))
    }

    /// Whether a constant input is one that networks are trained by; `is_weight` if its operator says so.
    pub(super) fn trains(
        &self,
        context: &NodeContext<'_>,
        at: usize,
        input: &Input,
        is_weight: bool,
    ) -> bool {
        let op_type = context.proto.op_type.as_str();
        let Some((tensor, origin)) = input.constant.as_ref().zip(self.origin_of(input)) else {
            return false;
        };
        if settings(op_type).contains(&at) || self.settings.contains(&input.value) {
            return false;
        }
        if is_weight {
            return true;
        }
        let is_computed = origin.kind == Rearranged::Computed;
        // Data that a weight is multiplied by, such as a table of coordinates.
        let factor = context.optional(1).filter(|b| b.constant.is_some());
        let is_data = at == 0
            && matches!(op_type, "MatMul" | "Gemm" | "Conv")
            && factor.is_some_and(|b| self.origin_of(b).is_some());
        if is_data && !is_computed {
            return false;
        }
        // What scales and shifts the sample before any layer is preprocessing.
        let is_raw = |other: &Input| self.graph.values[other.value.index()].is_raw;
        if matches!(op_type, "Add" | "Sub" | "Mul" | "Div")
            && context.inputs.iter().flatten().any(is_raw)
        {
            return false;
        }
        // One number is arithmetic, but for the bias of a layer with one output.
        let is_bias = op_type == "Add"
            && !input.shape.is_empty()
            && context.inputs.iter().flatten().any(|other| {
                let producer = other.producer.as_deref();
                matches!(producer, Some("MatMul" | "Gemm" | "Conv"))
            });
        let is_literal = |root: &ValueId| self.graph.values[root.index()].is_literal;
        is_finite(tensor)
            && (tensor.n_elements() > 1 || is_computed || is_bias)
            && !origin.params.iter().all(is_literal)
    }
}
