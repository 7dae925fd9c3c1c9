//! The head: which value holds the logits, and what the network does to them afterwards.

use crate::graph::{Graph, Node, ValueId};
use crate::import::probabilities::is_complement;
use crate::{EngineError, EngineErrorKind};

/// What turns logits into the network's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// Nothing: the output is the logits.
    Logits,
    /// A Softmax, stripped.
    Softmax,
    /// A LogSoftmax, stripped.
    LogSoftmax,
    /// A Sigmoid of one number, stripped: the log-odds of the second of two classes.
    Sigmoid,
    /// Several answers of yes or no, their Sigmoid stripped if there is one.
    MultiLabel,
    /// Nothing: the output is the means of a regression.
    Regression,
}

impl HeadKind {
    /// The operator's ONNX name, or `logits`.
    pub fn name(self) -> &'static str {
        match self {
            HeadKind::Logits => "logits",
            HeadKind::Softmax => "Softmax",
            HeadKind::LogSoftmax => "LogSoftmax",
            HeadKind::Sigmoid => "Sigmoid",
            HeadKind::MultiLabel => "multi-label",
            HeadKind::Regression => "regression",
        }
    }
}

/// How the head is to be found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeadChoice {
    /// By the graph's last operators; a network that maps its input to something of the same shape is taken
    /// for a regressor and refused.
    #[default]
    Detect,
    /// The output is taken for logits as it is, whatever computes it.
    Logits,
    /// Each output is a yes or no of its own; a Sigmoid at the end is stripped.
    MultiLabel,
    /// The output is the means of a regression.
    Regression,
}

/// Where a classifier's logits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the network does to the logits.
    pub kind: HeadKind,
    /// The output as the model gives it.
    pub output: ValueId,
    /// The value that is differentiated.
    pub logits: ValueId,
    /// The number of classes K; 2 for a sigmoid of one number. The number of labels or means for other kinds.
    pub n_classes: usize,
}

impl Head {
    /// Finds the head of `graph`.
    ///
    /// # Errors
    /// When the network is not a classifier: it has several outputs to choose from, one class, or the output
    /// has the input's own shape. When something before the logits ranks values: its node, which is not supported.
    pub fn find(graph: &Graph, choice: HeadChoice) -> Result<Self, EngineError> {
        let output = choose_output(graph)?;
        let (kind, logits) = match choice {
            HeadChoice::Logits => (HeadKind::Logits, output),
            HeadChoice::Detect => strip(graph, output),
            HeadChoice::MultiLabel => match strip(graph, output) {
                (HeadKind::Sigmoid, logits) => (HeadKind::MultiLabel, logits),
                _ if is_positive(graph, output) => {
                    return Err(not_a_classifier(format!(
                        "its output '{}' is never negative, as probabilities are not, but it is not one Sigmoid that computes it; name what is before the sigmoids (--output)",
                        graph.name(output)
                    )));
                }
                _ => (HeadKind::MultiLabel, output),
            },
            HeadChoice::Regression => (HeadKind::Regression, output),
        };
        graph.refuse_ranking(logits)?;
        let n = graph.n_elements(logits);
        if matches!(kind, HeadKind::MultiLabel | HeadKind::Regression) {
            return Ok(Head {
                kind,
                output,
                logits,
                n_classes: n,
            });
        }
        let kind = match kind {
            // Several sigmoids are several answers of yes or no, not one of K classes.
            HeadKind::Sigmoid if n > 1 => {
                return Err(not_a_classifier(format!(
                    "'{}' is {n} independent sigmoids (multi-label), not one distribution over classes; say so (--head multi-label)",
                    graph.name(output)
                )));
            }
            kind => kind,
        };
        if kind == HeadKind::Logits && choice == HeadChoice::Detect {
            if is_positive(graph, output) {
                return Err(not_a_classifier(format!(
                    "its output '{}' is never negative, as probabilities are not, but no softmax is found before it; name its logits (--output), or if these are logits all the same, say so (--head logits)",
                    graph.name(output)
                )));
            }
            let is_reconstruction = match *graph.inputs() {
                [input] => n > 1 && graph.shape(input) == graph.shape(output),
                _ => false,
            };
            if is_reconstruction {
                return Err(not_a_classifier(format!(
                    "its output '{}' has the shape of its input, {:?}, as an autoencoder's has; if these are logits all the same, say so (--head logits)",
                    graph.name(output),
                    graph.shape(output)
                )));
            }
        }
        if !has_one_axis(graph, logits) {
            return Err(not_a_classifier(format!(
                "'{}' has shape {:?}, more than one axis; name a value with one axis of classes (--output)",
                graph.name(logits),
                graph.shape(logits)
            )));
        }
        let n_classes = match (kind, n) {
            (HeadKind::Sigmoid, 1) => 2,
            (_, 1) => {
                return Err(not_a_classifier(format!(
                    "'{}' is one number: a single class has no distribution (a sigmoid of one number would be two)",
                    graph.name(logits)
                )));
            }
            (_, n) => n,
        };
        Ok(Head {
            kind,
            output,
            logits,
            n_classes,
        })
    }

    /// The K logits of the classes, from the value that is differentiated.
    pub fn class_logits(&self, values: &[f64]) -> Vec<f64> {
        match self.kind {
            HeadKind::Sigmoid => vec![0.0, values[0]],
            _ => values.to_vec(),
        }
    }

    /// The cotangent of the differentiated value that stands for `cotangent` (K) of the classes' logits.
    pub fn pull_back<'a>(&self, cotangent: &'a [f64]) -> &'a [f64] {
        match self.kind {
            HeadKind::Sigmoid => &cotangent[1..],
            _ => cotangent,
        }
    }
}

fn not_a_classifier(why: String) -> EngineError {
    EngineError::new(EngineErrorKind::Option, format!("not a classifier: {why}"))
}

fn choose_output(graph: &Graph) -> Result<ValueId, EngineError> {
    match graph.outputs() {
        &[output] => Ok(output),
        outputs => {
            let names: Vec<&str> = outputs.iter().map(|&output| graph.name(output)).collect();
            Err(EngineError::new(
                EngineErrorKind::Option,
                format!(
                    "the model has {} outputs ({}); name the one to analyse (--output)",
                    names.len(),
                    names.join(", ")
                ),
            ))
        }
    }
}

/// Walks back from `output` through reshapes to a Softmax, LogSoftmax or Sigmoid, if there is one.
fn strip(graph: &Graph, output: ValueId) -> (HeadKind, ValueId) {
    if let Some(logit) = pair_of_sigmoids(graph, output) {
        return (HeadKind::Sigmoid, logit);
    }
    if let Some(logits) = exponential_of_normalised(graph, output) {
        return (HeadKind::Softmax, logits);
    }
    let mut value = output;
    while let Some(node) = graph.producer(value).map(|at| &graph.nodes[at]) {
        let kind = match node.op_type.as_str() {
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => None,
            // There is nothing to change places with.
            "Transpose" if has_one_axis(graph, value) => None,
            "Softmax" if is_whole(graph, node) => Some(HeadKind::Softmax),
            "LogSoftmax" if is_whole(graph, node) => Some(HeadKind::LogSoftmax),
            "Sigmoid" => Some(HeadKind::Sigmoid),
            _ => break,
        };
        value = node.inputs[0];
        if let Some(kind) = kind {
            return (kind, value);
        }
    }
    (HeadKind::Logits, output)
}

/// The z of which `output` is (1 − σ(z), σ(z)), if that is what it is.
fn pair_of_sigmoids(graph: &Graph, output: ValueId) -> Option<ValueId> {
    let node = |value: ValueId, op_type: &str| graph.node_of(value, op_type);
    let &[first, second] = node(output, "Concat")?.inputs.as_slice() else {
        return None;
    };
    let (rest, sigmoid) = (node(first, "Sub")?, node(second, "Sigmoid")?);
    let is_pair = graph.n_elements(output) == 2
        && graph.n_elements(second) == 1
        && rest.inputs == [second]
        && is_complement(&*rest.op, 1);
    is_pair.then(|| sigmoid.inputs[0])
}

/// The y of which `output` is exp y with y = x − log Σ exp x, if that is what it is: naive Bayes ends so. Of a LogSoftmax
/// the x.
fn exponential_of_normalised(graph: &Graph, output: ValueId) -> Option<ValueId> {
    let logits = graph.node_of(output, "Exp")?.inputs[0];
    if let Some(node) = graph.node_of(logits, "LogSoftmax") {
        return is_whole(graph, node).then(|| node.inputs[0]);
    }
    let &[x, level] = graph.node_of(logits, "Sub")?.inputs.as_slice() else {
        return None;
    };
    let mut total = level;
    while let Some(node) = graph.node_of(total, "Reshape") {
        total = node.inputs[0];
    }
    let reduce = graph.node_of(total, "ReduceLogSumExp")?;
    (reduce.inputs == [x] && graph.n_elements(level) == 1).then_some(logits)
}

/// Whether a value is certain to be nowhere negative.
fn is_positive(graph: &Graph, value: ValueId) -> bool {
    graph.ranges_of(value)[value.index()].is_positive()
}

/// Whether all axes but one are of length one, at least.
fn has_one_axis(graph: &Graph, value: ValueId) -> bool {
    graph.shape(value).iter().filter(|&&dim| dim != 1).count() <= 1
}

/// Whether a softmax runs over everything there is: one distribution per sample.
fn is_whole(graph: &Graph, node: &Node) -> bool {
    node.op
        .n_normalised()
        .is_none_or(|n| n == graph.n_elements(node.output))
}
