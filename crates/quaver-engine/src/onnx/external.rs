//! Weights in files beside the model, where exporters put them once a model is large.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto::{ModelProto, TensorProto};
use crate::{EngineError, EngineErrorKind};

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// Whether the values of a tensor lie in a file beside the model.
pub(crate) fn holds(tensor: &TensorProto) -> bool {
    tensor.data_location == EXTERNAL
}

/// The files in `folder` that initializers of the model lie in, each once, by name.
pub(crate) fn files(model: &ModelProto, folder: Option<&Path>) -> Vec<PathBuf> {
    let Some(folder) = folder else {
        return Vec::new();
    };
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    let mut files: Vec<PathBuf> = initializers
        .filter(|tensor| holds(tensor))
        .filter_map(|tensor| place(tensor, folder).ok())
        .collect();
    files.sort();
    files.dedup();
    files
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    let found = tensor.external_data.iter().find(|entry| entry.key == key);
    found.map(|entry| entry.value.as_str())
}

/// Where the values lie.
fn place(tensor: &TensorProto, folder: &Path) -> Result<PathBuf, EngineError> {
    let location = location(tensor)?;
    // A model from elsewhere must not make us read files outside its own folder.
    if !Path::new(location)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(EngineError::format(format!(
            "external data '{location}' lies outside the model's folder"
        )));
    }
    Ok(folder.join(location))
}

fn location(tensor: &TensorProto) -> Result<&str, EngineError> {
    entry(tensor, "location").ok_or_else(|| EngineError::format("external data without a location"))
}

/// The `length` bytes of a tensor.
pub(crate) fn read(
    tensor: &TensorProto,
    folder: Option<&Path>,
    length: usize,
) -> Result<Vec<u8>, EngineError> {
    let number = |key: &str, default: u64| match entry(tensor, key) {
        None => Ok(default),
        Some(text) => text
            .parse::<u64>()
            .map_err(|_| EngineError::format(format!("external data with {key} '{text}'"))),
    };
    let offset = number("offset", 0)?;
    if number("length", length as u64)? != length as u64 {
        return Err(EngineError::format(format!(
            "external data of {} bytes where the shape needs {length}",
            entry(tensor, "length").unwrap_or_default()
        )));
    }
    // Without a folder there is no file, but a place outside of it is still worth naming.
    let path = place(tensor, folder.unwrap_or(Path::new("")))?;
    if folder.is_none() {
        return Err(EngineError::unsupported(format!(
            "external data '{}' of a model that was not read from a file",
            location(tensor)?
        )));
    }
    let named = |error: EngineError| error.within(format_args!("external data {}", path.display()));
    let refuse = |kind, what: &str| named(EngineError::new(kind, what));
    let io = |e: std::io::Error| named(EngineError::io(&e));
    // Before it is opened, since to open a named pipe is to wait for its writer.
    let metadata = path.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(refuse(EngineErrorKind::Io, "is not a regular file"));
    }
    let end = offset.checked_add(length as u64);
    if end.is_none_or(|end| end > metadata.len()) {
        return Err(refuse(
            EngineErrorKind::Format,
            "it ends before the model's data do",
        ));
    }
    let mut file = File::open(&path).map_err(io)?;
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::super::tensors;
    use super::*;

    /// Two floats in a file beside the model, with these entries.
    fn tensor(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        TensorProto {
            dims: vec![2],
            data_type: tensors::data_type::FLOAT,
            data_location: EXTERNAL,
            external_data: entries.iter().map(entry).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn values_are_read_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..4).flat_map(|i| (i as f32).to_le_bytes()).collect();
        std::fs::write(folder.path().join("weights"), bytes).unwrap();
        let read =
            |entries: &[(&str, &str)]| tensors::tensor(&tensor(entries), Some(folder.path()));
        let first = read(&[("location", "weights")]).unwrap();
        assert_eq!(first.numbers(), [0.0, 1.0]);
        let last = [("location", "./weights"), ("offset", "8"), ("length", "8")];
        assert_eq!(read(&last).unwrap().numbers(), [2.0, 3.0]);
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for (entries, fact) in [
            (vec![], "without a location"),
            (
                vec![("location", "../secret")],
                "outside the model's folder",
            ),
            (
                vec![("location", "/etc/passwd")],
                "outside the model's folder",
            ),
            (vec![("location", "sub")], "not a regular file"),
            (vec![("location", "gone")], "gone"),
            (
                vec![("location", "weights"), ("offset", "9")],
                "ends before",
            ),
            (
                vec![("location", "weights"), ("offset", "18446744073709551615")],
                "ends before",
            ),
            (
                vec![("location", "weights"), ("offset", "-1")],
                "offset '-1'",
            ),
            (vec![("location", "weights"), ("length", "4")], "of 4 bytes"),
        ] {
            let error = read(&entries).unwrap_err().to_string();
            assert!(error.contains(fact) && !error.contains('\n'), "{error}");
        }
        let outside = tensors::tensor(&tensor(&[("location", "../x")]), None).unwrap_err();
        assert!(outside.to_string().contains("outside"), "{outside}");
        let homeless = tensors::tensor(&tensor(&last), None).unwrap_err();
        assert!(homeless.to_string().contains("not read from a file"));
    }
}
