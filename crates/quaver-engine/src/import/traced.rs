//! The graph read once more, so that parameters can be followed: what is computed from them stays a node.
//!
//! Usually constants are folded, and a step captures its weights. A parameter that is used several times, cut up,
//! joined with others or put through arithmetic before any step sees it is differentiated by as an input is: its
//! uses become nodes, whose reverse passes bring the cotangents back to its own elements and add them up there.

use std::collections::HashSet;
use std::sync::Arc;

use super::nodes::build;
use super::{Importer, Opsets, elements};
use crate::EngineError;
use crate::graph::{Graph, ValueId};
use crate::onnx::node::NodeContext;
use crate::op::Built;
use crate::tensor::Element;

impl Graph {
    /// The same network with every use of the parameters `moving` followed. Values keep their names; inputs and
    /// initializers keep their places too.
    ///
    /// # Errors
    /// Names the node whose operator needs a parameter to be constant.
    pub(crate) fn traced(&self, moving: &[ValueId]) -> Result<Graph, EngineError> {
        let names: HashSet<String> = moving.iter().map(|&v| self.name(v).to_owned()).collect();
        let mut importer = Importer::new(names);
        importer.graph.source = Arc::clone(&self.source);
        importer.graph.inputs.clone_from(&self.inputs);
        importer.trained = self.nodes.iter().flat_map(|n| self.trained_by(n)).collect();
        for value in &self.values[..self.source.n_given] {
            let mut value = value.clone();
            value.moves = importer.moving.contains(&value.name);
            importer.declare(value)?;
        }
        importer.read()
    }
}

impl Importer {
    /// Whether a node reads something that is followed.
    pub(super) fn follows(&self, context: &NodeContext<'_>) -> bool {
        (0..context.inputs.len()).any(|at| self.follows_input(context, at))
    }

    /// Whether input `at` is followed. Exporters write equal tensors once: in a network that was never trained gains of 1
    /// are running variances too, and as those they are no parameters.
    fn follows_input(&self, context: &NodeContext<'_>, at: usize) -> bool {
        let Some(input) = context.optional(at) else {
            return false;
        };
        let is_statistic = context.proto.op_type == "BatchNormalization" && at >= 3;
        self.graph.values[input.value.index()].moves
            && !(is_statistic && self.trained.contains(&input.value))
    }

    /// Adds a node that reads what is followed: with those inputs as parameters of its step where that knows their
    /// gradients, else as inputs like any other.
    pub(super) fn traced(
        &mut self,
        context: &NodeContext<'_>,
        opsets: Opsets,
        depth: usize,
    ) -> Result<(), EngineError> {
        let moving: Vec<usize> = (0..context.inputs.len())
            .filter(|&at| self.follows_input(context, at))
            .collect();
        let n_outputs = context.proto.output.len();
        let is_real = (0..n_outputs).any(|at| elements::of_output(context, at) == Element::Float);
        let mut inputs = context.inputs.iter().flatten();
        let all_constant = inputs.all(|input| input.constant.is_some());
        // Which inputs the builder does not see the values of, in the order of preference.
        let attempts = [
            (!is_real || !all_constant).then(Vec::new),
            Some(moving.clone()),
            all_constant.then(|| vec![0]),
        ];
        let mut refusal = None;
        for hidden in attempts.into_iter().flatten() {
            let mut shown = context.inputs.clone();
            for &at in &hidden {
                if let Some(Some(input)) = shown.get_mut(at) {
                    input.constant = None;
                }
            }
            let attempt = NodeContext {
                proto: context.proto,
                opset: context.opset,
                inputs: shown,
            };
            let built = match build(&attempt) {
                Ok(built) => built,
                Err(error) => {
                    refusal = refusal.or(Some(error));
                    continue;
                }
            };
            // A step that knows a parameter's gradient may have captured it; nothing else may.
            let is_followed = |at: &usize| {
                hidden.contains(at)
                    || match &built {
                        Built::Alias => true,
                        Built::Steps(specs) => specs.iter().all(|spec| spec.op.trains(*at)),
                        Built::Constant(_) | Built::Body(_) => false,
                    }
            };
            if !is_real || moving.iter().all(is_followed) {
                return self.built(&attempt, built, opsets, depth);
            }
        }
        let name = |&at: &usize| Some(self.graph.name(context.optional(at)?.value));
        let refusal = refusal.map_or(String::new(), |e| format!(": {e}"));
        Err(EngineError::unsupported(format!(
            "its parameter '{}' cannot be differentiated by{refusal}",
            moving.first().and_then(name).unwrap_or_default()
        )))
    }
}
