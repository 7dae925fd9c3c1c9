//! Operators on sequences of tensors are read by the importer, which alone knows sequences.

use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::Built;

/// Never reached for a node of a file.
pub(super) fn build(_: &NodeContext<'_>) -> Result<Built, EngineError> {
    Err(EngineError::unsupported("a sequence inside an operator"))
}
