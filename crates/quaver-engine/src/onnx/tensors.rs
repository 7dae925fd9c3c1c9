//! `TensorProto` to [`Tensor`]: every numeric type, inline or in a file beside the model.

use std::path::Path;

use half::{bf16, f16};

use super::external;
use super::proto::TensorProto;
use crate::EngineError;
use crate::tensor::{Data, Tensor, n_stored};

/// The ONNX enum `TensorProto.DataType`, as far as Quaver reads it.
pub(crate) mod data_type {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const BOOL: i32 = 9;
    pub const FLOAT16: i32 = 10;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;
    pub const UINT64: i32 = 13;
    pub const BFLOAT16: i32 = 16;

    /// The specification's name of a type.
    pub fn name(data_type: i32) -> &'static str {
        match data_type {
            FLOAT => "float",
            UINT8 => "uint8",
            INT8 => "int8",
            UINT16 => "uint16",
            INT16 => "int16",
            INT32 => "int32",
            INT64 => "int64",
            8 => "string",
            BOOL => "bool",
            FLOAT16 => "float16",
            DOUBLE => "double",
            UINT32 => "uint32",
            UINT64 => "uint64",
            BFLOAT16 => "bfloat16",
            _ => "of an unknown type",
        }
    }

    /// Whether values of the type are floating-point numbers that Quaver reads.
    pub fn is_float(data_type: i32) -> bool {
        matches!(data_type, FLOAT | DOUBLE | FLOAT16 | BFLOAT16)
    }

    /// Whether values of the type are integers that Quaver reads.
    pub fn is_integer(data_type: i32) -> bool {
        matches!(
            data_type,
            UINT8 | INT8 | UINT16 | INT16 | INT32 | INT64 | UINT32 | UINT64
        )
    }
}

/// Converts `proto`; external data is looked up in `folder`, the model's own.
pub(crate) fn tensor(proto: &TensorProto, folder: Option<&Path>) -> Result<Tensor, EngineError> {
    use data_type as t;
    let shape: Vec<usize> = proto
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim))
        .collect::<Result<_, _>>()
        .map_err(|_| EngineError::format(format!("negative dimension in {:?}", proto.dims)))?;
    let n = n_stored(&shape)?;
    let bytes_each = match proto.data_type {
        t::UINT8 | t::INT8 | t::BOOL => 1,
        t::UINT16 | t::INT16 | t::FLOAT16 | t::BFLOAT16 => 2,
        t::FLOAT | t::INT32 | t::UINT32 => 4,
        t::DOUBLE | t::INT64 | t::UINT64 => 8,
        other => {
            return Err(EngineError::unsupported(format!(
                "a tensor {} (ONNX type {other})",
                t::name(other)
            )));
        }
    };
    let outside;
    let raw: Option<&[u8]> = if external::holds(proto) {
        outside = external::read(proto, folder, n * bytes_each)?;
        Some(&outside)
    } else if proto.raw_data.is_empty() {
        None
    } else {
        Some(&proto.raw_data)
    };
    let data = match raw {
        Some(raw) => {
            if raw.len() != n * bytes_each {
                return Err(EngineError::format(format!(
                    "{} bytes of data for shape {shape:?}",
                    raw.len()
                )));
            }
            from_raw(proto.data_type, raw)
        }
        None => from_fields(proto),
    };
    Tensor::new(shape, data)
}

fn from_raw(element: i32, raw: &[u8]) -> Data {
    use data_type as t;
    fn each<const W: usize, X>(raw: &[u8], read: impl Fn([u8; W]) -> X) -> Vec<X> {
        raw.as_chunks::<W>()
            .0
            .iter()
            .map(|&bytes| read(bytes))
            .collect()
    }
    match element {
        t::FLOAT => Data::F32(each(raw, f32::from_le_bytes)),
        t::DOUBLE => Data::F64(each(raw, f64::from_le_bytes)),
        t::FLOAT16 => Data::F32(each(raw, |b| f16::from_le_bytes(b).to_f32())),
        t::BFLOAT16 => Data::F32(each(raw, |b| bf16::from_le_bytes(b).to_f32())),
        t::BOOL => Data::Bool(raw.iter().map(|&b| b != 0).collect()),
        t::UINT8 => Data::Int(raw.iter().map(|&b| i64::from(b)).collect()),
        t::INT8 => Data::Int(each(raw, |b: [u8; 1]| i64::from(i8::from_le_bytes(b)))),
        t::UINT16 => Data::Int(each(raw, |b| i64::from(u16::from_le_bytes(b)))),
        t::INT16 => Data::Int(each(raw, |b| i64::from(i16::from_le_bytes(b)))),
        t::INT32 => Data::Int(each(raw, |b| i64::from(i32::from_le_bytes(b)))),
        t::UINT32 => Data::Int(each(raw, |b| i64::from(u32::from_le_bytes(b)))),
        // Above 2⁶³ nothing that a model indexes or counts can lie; such values wrap.
        _ => Data::Int(each(raw, i64::from_le_bytes)),
    }
}

/// The typed repeated fields, where files written by older exporters keep their values.
fn from_fields(proto: &TensorProto) -> Data {
    use data_type as t;
    let half_bits = || proto.int32_data.iter().map(|&bits| bits as u16);
    match proto.data_type {
        t::FLOAT => Data::F32(proto.float_data.clone()),
        t::DOUBLE => Data::F64(proto.double_data.clone()),
        t::FLOAT16 => Data::F32(half_bits().map(|b| f16::from_bits(b).to_f32()).collect()),
        t::BFLOAT16 => Data::F32(half_bits().map(|b| bf16::from_bits(b).to_f32()).collect()),
        t::BOOL => Data::Bool(proto.int32_data.iter().map(|&x| x != 0).collect()),
        t::INT64 => Data::Int(proto.int64_data.clone()),
        t::UINT64 | t::UINT32 => {
            Data::Int(proto.uint64_data.iter().map(|&x| x.cast_signed()).collect())
        }
        _ => Data::Int(proto.int32_data.iter().map(|&x| i64::from(x)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(proto: TensorProto, want: Data) {
        assert_eq!(*tensor(&proto, None).unwrap().data(), want);
    }

    #[test]
    fn every_type_is_read_from_raw_bytes_and_from_fields() {
        let proto = |data_type, raw_data: &[u8]| TensorProto {
            dims: vec![1],
            data_type,
            raw_data: raw_data.to_vec(),
            ..Default::default()
        };
        check(proto(1, &1.5f32.to_le_bytes()), Data::F32(vec![1.5]));
        check(proto(11, &1.5f64.to_le_bytes()), Data::F64(vec![1.5]));
        check(proto(10, &0x3e00u16.to_le_bytes()), Data::F32(vec![1.5]));
        check(proto(16, &0x3fc0u16.to_le_bytes()), Data::F32(vec![1.5]));
        check(proto(3, &[0xff]), Data::Int(vec![-1]));
        check(proto(2, &[0xff]), Data::Int(vec![255]));
        check(proto(5, &[0xff, 0xff]), Data::Int(vec![-1]));
        check(proto(7, &(-2i64).to_le_bytes()), Data::Int(vec![-2]));
        check(proto(9, &[1]), Data::Bool(vec![true]));
        let fields = TensorProto {
            dims: vec![2],
            data_type: 10,
            int32_data: vec![0x3e00, 0x3c00],
            ..Default::default()
        };
        check(fields, Data::F32(vec![1.5, 1.0]));
    }

    #[test]
    fn contradictions_are_errors() {
        let bad = |proto: TensorProto| tensor(&proto, None).unwrap_err().to_string();
        let base = TensorProto {
            dims: vec![2],
            data_type: 1,
            ..Default::default()
        };
        assert_eq!(bad(base.clone()), "a tensor of shape [2] has 0 values");
        assert_eq!(
            bad(TensorProto {
                raw_data: vec![0; 7],
                ..base.clone()
            }),
            "7 bytes of data for shape [2]"
        );
        assert!(
            bad(TensorProto {
                dims: vec![-1],
                ..base.clone()
            })
            .contains("negative")
        );
        assert!(
            bad(TensorProto {
                dims: vec![1 << 40, 1 << 40],
                ..base.clone()
            })
            .contains("too large")
        );
        assert!(
            bad(TensorProto {
                data_type: 8,
                ..base
            })
            .contains("string")
        );
    }
}
