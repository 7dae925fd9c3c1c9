//! What a column of a table can hold, and a cell of it as numbers or as a label.

use std::ops::Range;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_schema::{DataType, Field};

use crate::label_column::{Cell, LabelColumn};

/// Whether a column holds encoded images: bytes, or what Hugging Face's datasets write, bytes with a path.
pub(super) fn is_image(field: &Field) -> bool {
    let is_bytes = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    };
    match field.data_type() {
        DataType::Struct(fields) => fields
            .iter()
            .any(|field| field.name() == "bytes" && is_bytes(field.data_type())),
        data_type => is_bytes(data_type),
    }
}

/// Whether a column holds numbers, or lists of them.
pub(super) fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            is_numeric(field.data_type())
        }
        DataType::Boolean => true,
        data_type => data_type.is_integer() || data_type.is_floating(),
    }
}

/// The axes of a column of lists of numbers; 0 of any other.
pub(super) fn n_axes(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _)
            if is_numeric(data_type) =>
        {
            1 + n_axes(field.data_type())
        }
        _ => 0,
    }
}

/// Adds the numbers in these rows of a column to `values`; gives the shape that each row has.
pub(super) fn extend(
    array: &dyn Array,
    rows: Range<usize>,
    values: &mut Vec<f64>,
) -> Result<Vec<usize>, String> {
    /// A row may hold no more numbers.
    const MOST_VALUES: usize = 1 << 28;
    if rows.clone().any(|row| array.is_null(row)) {
        return Err("holds null".to_owned());
    }
    if values.len().saturating_add(rows.len()) > MOST_VALUES {
        return Err("holds too many numbers for one sample".to_owned());
    }
    macro_rules! numbers {
        ($type:ty, $to_f64:expr) => {{
            let numbers = &array.as_primitive::<$type>().values()[rows];
            values.extend(numbers.iter().copied().map($to_f64));
        }};
    }
    macro_rules! lists {
        ($offset:ty) => {{
            let list = array.as_list::<$offset>();
            let offsets = &list.value_offsets()[rows.start..=rows.end];
            let lengths: Vec<usize> = offsets
                .windows(2)
                .map(|ends| (ends[1] - ends[0]) as usize)
                .collect();
            let length = lengths.first().copied().unwrap_or(0);
            if lengths.iter().any(|&other| other != length) {
                return Err("holds a ragged list".to_owned());
            }
            let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
            return with_axis(length, extend(list.values(), first..last, values)?);
        }};
    }
    match array.data_type() {
        DataType::Boolean => {
            let bits = array.as_boolean().values();
            values.extend(rows.map(|row| f64::from(bits.value(row))));
        }
        DataType::UInt8 => numbers!(UInt8Type, f64::from),
        DataType::Int8 => numbers!(Int8Type, f64::from),
        DataType::UInt16 => numbers!(UInt16Type, f64::from),
        DataType::Int16 => numbers!(Int16Type, f64::from),
        DataType::UInt32 => numbers!(UInt32Type, f64::from),
        DataType::Int32 => numbers!(Int32Type, f64::from),
        DataType::UInt64 => numbers!(UInt64Type, |value| value as f64),
        DataType::Int64 => numbers!(Int64Type, |value| value as f64),
        DataType::Float16 => numbers!(Float16Type, f64::from),
        DataType::Float32 => numbers!(Float32Type, f64::from),
        DataType::Float64 => numbers!(Float64Type, |value| value),
        DataType::List(_) => lists!(i32),
        DataType::LargeList(_) => lists!(i64),
        DataType::FixedSizeList(_, length) => {
            let list = array.as_fixed_size_list();
            let length = usize::try_from(*length).unwrap_or(0);
            // A slice of the array has its values sliced too.
            let inner = rows.start * length..rows.end * length;
            return with_axis(length, extend(list.values(), inner, values)?);
        }
        data_type => return Err(format!("holds {data_type}, which is no number")),
    }
    Ok(Vec::new())
}

fn with_axis(length: usize, inner: Vec<usize>) -> Result<Vec<usize>, String> {
    if length == 0 {
        return Err("holds an empty list".to_owned());
    }
    Ok([vec![length], inner].concat())
}

/// Gives a cell of a column of labels to `labels`.
pub(super) fn push_label(
    cells: &dyn Array,
    row: usize,
    labels: &mut LabelColumn<'_>,
) -> Result<(), String> {
    if cells.is_null(row) {
        return labels.push(Cell::Missing);
    }
    match cells.data_type() {
        DataType::Utf8 => labels.push(Cell::Text(cells.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => labels.push(Cell::Text(cells.as_string::<i64>().value(row))),
        DataType::Utf8View => labels.push(Cell::Text(cells.as_string_view().value(row))),
        DataType::Dictionary(..) => {
            let dictionary = cells.as_any_dictionary();
            let key = dictionary.normalized_keys()[row];
            push_label(dictionary.values(), key, labels)
        }
        // Hugging Face's datasets write −1 where a test set has no labels.
        DataType::Int64 if cells.as_primitive::<Int64Type>().value(row) == -1 => {
            labels.push(Cell::Missing)
        }
        data_type if n_axes(data_type) == 0 => {
            let mut number = Vec::new();
            extend(cells, row..row + 1, &mut number)?;
            labels.push(Cell::Number(number[0]))
        }
        data_type => Err(format!("the column of labels holds {data_type}")),
    }
}
