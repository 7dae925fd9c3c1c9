//! ONNX files: bytes to messages to checked values. Everything here treats its input as hostile.

pub(crate) mod external;
pub(crate) mod node;
pub(crate) mod proto;
pub(crate) mod tensors;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use prost::Message;

use crate::EngineError;
use proto::ModelProto;

/// The largest model file that is read: protobuf itself stops at 2 GiB.
const MAX_FILE: u64 = 2 << 30;

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<ModelProto, EngineError> {
    let io = |e: std::io::Error| EngineError::io(&e).within(path.display());
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > MAX_FILE {
        return Err(EngineError::format(format!(
            "{}: {length} bytes is more than a protobuf file can hold (2 GiB)",
            path.display()
        )));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
    decode(&bytes).map_err(|e| e.within(path.display()))
}

/// Decodes a model. A file cut short, or of another kind, is recognised here.
pub(crate) fn decode(bytes: &[u8]) -> Result<ModelProto, EngineError> {
    if bytes.is_empty() {
        return Err(EngineError::format("the file is empty"));
    }
    let model = ModelProto::decode(bytes)
        .map_err(|_| EngineError::format("not an ONNX file, or a truncated one"))?;
    if model.graph.is_none() || model.opset_import.is_empty() {
        return Err(EngineError::format(
            "not an ONNX model: it has no graph or no opset",
        ));
    }
    Ok(model)
}
