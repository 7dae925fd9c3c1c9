//! A part: some hundred evaluations as a Parquet file.
//!
//! Columns (docs/schema.md): index, key, true_label, target, outputs, p, n_classes_kept, lost_trace, gram_0, gram_1, …
//! (one for each block, the lower triangle of the centred class Gram, row by row), error.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    Float32Builder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use quaver::{
    ClassGram, Classes, Error, ErrorKind, Evaluated, Evaluation, Family, LabelChoice,
    SampleFailure, Softmax,
};

use crate::identity::{Identity, StoredAs, StoredBlock, damaged};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The evaluations as the bytes of a Parquet file.
pub(crate) fn encode(identity: &Identity, evaluated: &[Evaluated]) -> Result<Vec<u8>, BoxError> {
    let mut columns = Columns::new(identity);
    for evaluated in evaluated {
        columns.push(identity, evaluated)?;
    }
    let batch = columns.finish(identity)?;
    let properties = WriterProperties::builder()
        .set_created_by(concat!("quaver version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "quaver".to_owned(),
            serde_json::to_string(identity)?,
        )]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

struct Columns {
    index: Int64Builder,
    key: StringBuilder,
    true_label: Int64Builder,
    target: ListBuilder<Float64Builder>,
    outputs: ListBuilder<Float64Builder>,
    p: ListBuilder<Float64Builder>,
    n_kept: Int64Builder,
    lost_trace: ListBuilder<Float64Builder>,
    grams: Vec<Numbers>,
    error: StringBuilder,
}

/// Lists of numbers in one of two types.
enum Numbers {
    Single(ListBuilder<Float32Builder>),
    Double(ListBuilder<Float64Builder>),
}

impl Numbers {
    fn new(stored_as: StoredAs) -> Self {
        match stored_as {
            StoredAs::F32 => Self::Single(ListBuilder::new(Float32Builder::new())),
            StoredAs::F64 => Self::Double(ListBuilder::new(Float64Builder::new())),
        }
    }

    fn push(&mut self, values: Option<&[f64]>) {
        match self {
            Self::Single(list) => {
                let rounded = values.unwrap_or_default().iter().map(|&x| x as f32);
                rounded.for_each(|x| list.values().append_value(x));
                list.append(values.is_some());
            }
            Self::Double(list) => push(list, values),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Single(list) => Arc::new(list.finish()),
            Self::Double(list) => Arc::new(list.finish()),
        }
    }
}

fn push(list: &mut ListBuilder<Float64Builder>, values: Option<&[f64]>) {
    list.values().append_slice(values.unwrap_or_default());
    list.append(values.is_some());
}

impl Columns {
    fn new(identity: &Identity) -> Self {
        let list = || ListBuilder::new(Float64Builder::new());
        Self {
            index: Int64Builder::new(),
            key: StringBuilder::new(),
            true_label: Int64Builder::new(),
            target: list(),
            outputs: list(),
            p: list(),
            n_kept: Int64Builder::new(),
            lost_trace: list(),
            grams: identity
                .blocks
                .iter()
                .map(|_| Numbers::new(identity.stored_as))
                .collect(),
            error: StringBuilder::new(),
        }
    }

    fn push(&mut self, identity: &Identity, evaluated: &Evaluated) -> Result<(), BoxError> {
        match evaluated {
            Err(failure) => {
                self.index.append_value(i64::try_from(failure.index)?);
                self.key.append_option(failure.key.as_deref());
                self.true_label.append_null();
                self.n_kept.append_null();
                for list in [
                    &mut self.target,
                    &mut self.outputs,
                    &mut self.p,
                    &mut self.lost_trace,
                ] {
                    push(list, None);
                }
                self.grams.iter_mut().for_each(|gram| gram.push(None));
                self.error.append_value(failure.error.to_string());
            }
            Ok(evaluation) => {
                self.index.append_value(i64::try_from(evaluation.index)?);
                self.key.append_option(evaluation.key.as_deref());
                let label = evaluation.true_label.map(i64::try_from).transpose()?;
                self.true_label.append_option(label);
                push(&mut self.target, evaluation.target.as_deref());
                push(&mut self.outputs, Some(&evaluation.outputs));
                let family = identity.family.parse::<Family>();
                let p = match family.is_ok_and(Family::has_classes) {
                    true => Some(Softmax::new(&evaluation.outputs)?.p().to_vec()),
                    false => None,
                };
                push(&mut self.p, p.as_deref());
                let lumping = evaluation.lumping.as_ref();
                let n_kept = lumping.map(|lumping| i64::try_from(lumping.n_classes()));
                self.n_kept.append_option(n_kept.transpose()?);
                let lost = lumping.map(|_| evaluation.lost_traces.as_slice());
                push(&mut self.lost_trace, lost);
                for (column, gram) in self.grams.iter_mut().zip(&evaluation.grams) {
                    column.push(Some(&gram.packed()));
                }
                self.error.append_null();
            }
        }
        Ok(())
    }

    fn finish(mut self, identity: &Identity) -> Result<RecordBatch, BoxError> {
        let mut columns: Vec<(String, &str, ArrayRef)> = vec![
            (
                "index".into(),
                "Position of the sample in the data, from 0.",
                Arc::new(self.index.finish()),
            ),
            (
                "key".into(),
                "Name of the sample.",
                Arc::new(self.key.finish()),
            ),
            (
                "true_label".into(),
                "Label in the data.",
                Arc::new(self.true_label.finish()),
            ),
            (
                "target".into(),
                "What the data say about each output.",
                Arc::new(self.target.finish()),
            ),
            (
                "outputs".into(),
                "Logits (softmax), logits of each label, or means.",
                Arc::new(self.outputs.finish()),
            ),
            (
                "p".into(),
                "Probabilities of the classes.",
                Arc::new(self.p.finish()),
            ),
            (
                "n_classes_kept".into(),
                "Classes of the lumped problem; empty if none were merged.",
                Arc::new(self.n_kept.finish()),
            ),
            (
                "lost_trace".into(),
                "Per block, the Fisher trace that merging classes lost, estimated.",
                Arc::new(self.lost_trace.finish()),
            ),
        ];
        for (at, gram) in self.grams.iter_mut().enumerate() {
            let doc = "Lower triangle of the class Gram, row by row.";
            columns.push((format!("gram_{at}"), doc, gram.finish()));
        }
        columns.push((
            "error".into(),
            "Why there is nothing.",
            Arc::new(self.error.finish()),
        ));
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, doc, array)| {
                let mut about = HashMap::from([("description".to_owned(), (*doc).to_owned())]);
                let block = name
                    .strip_prefix("gram_")
                    .and_then(|at| at.parse::<usize>().ok());
                if let Some(block) =
                    block.and_then(|at| identity.blocks.get(at).map(StoredBlock::name))
                {
                    about.insert("block".to_owned(), block.to_owned());
                }
                Field::new(name, array.data_type().clone(), true).with_metadata(about)
            })
            .collect();
        let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

/// The evaluations of a part, from the bytes of its file.
pub(crate) fn decode(identity: &Identity, bytes: Vec<u8>) -> Result<Vec<Evaluated>, BoxError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))?
        .with_batch_size(identity.part_size)
        .build()?;
    let (classes, label) = identity.merging()?;
    let family: Family = identity.family.parse().map_err(|_| damaged("family"))?;
    let mut evaluated = Vec::new();
    for batch in reader {
        let rows = Rows::new(identity, &batch?)?;
        for row in 0..rows.n {
            evaluated.push(rows.evaluated(row, classes, label, family)?);
        }
    }
    Ok(evaluated)
}

/// The columns of a batch, by name and of the type they must have.
struct Rows {
    n: usize,
    columns: Vec<ArrayRef>,
    grams: Vec<ArrayRef>,
}

const NAMES: [&str; 8] = [
    "index",
    "key",
    "true_label",
    "target",
    "outputs",
    "n_classes_kept",
    "lost_trace",
    "error",
];

impl Rows {
    fn new(identity: &Identity, batch: &RecordBatch) -> Result<Self, BoxError> {
        let column = |name: &str| {
            let column = batch.column_by_name(name).cloned();
            column.ok_or_else(|| BoxError::from(format!("it has no column {name}")))
        };
        let columns: Vec<ArrayRef> = NAMES.into_iter().map(column).collect::<Result<_, _>>()?;
        let expected: [fn(&DataType) -> bool; 8] = [
            |t| *t == DataType::Int64,
            |t| *t == DataType::Utf8,
            |t| *t == DataType::Int64,
            is_list,
            is_list,
            |t| *t == DataType::Int64,
            is_list,
            |t| *t == DataType::Utf8,
        ];
        let grams: Vec<ArrayRef> = (0..identity.blocks.len())
            .map(|at| column(&format!("gram_{at}")))
            .collect::<Result<_, _>>()?;
        let fits = columns
            .iter()
            .zip(expected)
            .all(|(column, expected)| expected(column.data_type()))
            && grams.iter().all(|gram| is_list(gram.data_type()));
        if !fits {
            return Err("its columns have other types than a store's".into());
        }
        Ok(Self {
            n: batch.num_rows(),
            columns,
            grams,
        })
    }

    fn int(&self, column: usize, row: usize) -> Option<usize> {
        let column = self.columns[column].as_primitive::<Int64Type>();
        column
            .is_valid(row)
            .then(|| usize::try_from(column.value(row)).unwrap_or(usize::MAX))
    }

    fn text(&self, column: usize, row: usize) -> Option<String> {
        let column = self.columns[column].as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    fn evaluated(
        &self,
        row: usize,
        classes: Classes,
        label: LabelChoice,
        family: Family,
    ) -> Result<Evaluated, BoxError> {
        let index = self.int(0, row).ok_or("a row has no index")?;
        let key = self.text(1, row);
        if let Some(error) = self.text(7, row) {
            let error = Error::new(ErrorKind::Data, error);
            return Ok(Err(SampleFailure { index, key, error }));
        }
        let outputs = numbers(&self.columns[4], row).ok_or("a row has no outputs")?;
        let true_label = self.int(2, row);
        let lumping = match self.int(5, row) {
            None => None,
            Some(n_kept) => {
                let label = label.of(true_label, &Softmax::new(&outputs)?)?;
                let lumping = classes.at(&outputs, label)?;
                if lumping.n_classes() != n_kept {
                    return Err("its merged classes do not follow from its outputs".into());
                }
                Some(lumping)
            }
        };
        let n = lumping.as_ref().map_or(outputs.len(), |l| l.n_classes());
        let centred = family.has_classes();
        let gram = |column: &ArrayRef| -> Result<ClassGram, BoxError> {
            let packed = numbers(column, row).ok_or("a row has no Gram")?;
            Ok(ClassGram::from_packed(n, centred, &packed)?)
        };
        Ok(Ok(Evaluation {
            index,
            key,
            true_label,
            target: numbers(&self.columns[3], row),
            lumping,
            grams: self.grams.iter().map(gram).collect::<Result<_, _>>()?,
            lost_traces: numbers(&self.columns[6], row).unwrap_or_default(),
            outputs,
        }))
    }
}

fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(of) if matches!(of.data_type(), DataType::Float32 | DataType::Float64))
}

/// The numbers of one list.
fn numbers(column: &ArrayRef, row: usize) -> Option<Vec<f64>> {
    let lists = column.as_list::<i32>();
    if lists.is_null(row) {
        return None;
    }
    let list = lists.value(row);
    Some(match list.data_type() {
        DataType::Float32 => {
            let values = list.as_primitive::<Float32Type>().values();
            values.iter().map(|&x| f64::from(x)).collect()
        }
        _ => list.as_primitive::<Float64Type>().values().to_vec(),
    })
}
