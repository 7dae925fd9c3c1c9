//! A graph with other parameters than the file has.
//!
//! Values are replaced before anything is made of them: an import captures parameters in operators, folds them and lays
//! them out anew, and a change afterwards would have to follow all that.

use std::path::Path;

use crate::graph::Graph;
use crate::import::{ImportOptions, import};
use crate::onnx::proto::ModelProto;
use crate::onnx::tensors::{self, data_type};
use crate::tensor::Data;
use crate::units::{Initializer, Uses};
use crate::{EngineError, onnx};

impl Graph {
    /// Reads the ONNX file at `path` as [`Graph::read`] does, and hands every floating-point initializer with its values,
    /// in row-major order, to `edit` first.
    ///
    /// # Errors
    /// As for [`Graph::read`].
    pub fn read_edited(
        path: &Path,
        options: &ImportOptions,
        edit: impl FnMut(&Initializer, &mut [f64]),
    ) -> Result<Self, EngineError> {
        let mut model = onnx::read(path)?;
        replace(&mut model, path.parent(), edit)
            .and_then(|()| import(&model, path.parent(), options))
            .map_err(|e| e.within(path.display()))
    }
}

fn replace(
    model: &mut ModelProto,
    folder: Option<&Path>,
    mut edit: impl FnMut(&Initializer, &mut [f64]),
) -> Result<(), EngineError> {
    let Some(graph) = &mut model.graph else {
        return Ok(());
    };
    let described: Vec<Option<Initializer>> = {
        let uses = Uses::of(graph);
        let floats = graph.initializer.iter().map(|initializer| {
            data_type::is_float(initializer.data_type).then(|| uses.describe(initializer))
        });
        floats.collect()
    };
    for (initializer, described) in graph.initializer.iter_mut().zip(described) {
        let Some(described) = described else {
            continue;
        };
        let tensor = tensors::tensor(initializer, folder)
            .map_err(|e| e.within(format_args!("initializer '{}'", initializer.name)))?;
        let mut values = tensor.numbers();
        edit(&described, &mut values);
        initializer.raw_data.clear();
        initializer.int32_data.clear();
        initializer.float_data.clear();
        initializer.double_data.clear();
        initializer.external_data.clear();
        initializer.data_location = 0;
        // Half precision becomes single, as it does when it is read.
        if let Data::F64(_) = tensor.data() {
            initializer.double_data = values;
        } else {
            initializer.data_type = data_type::FLOAT;
            initializer.float_data = values.into_iter().map(|x| x as f32).collect();
        }
    }
    Ok(())
}
