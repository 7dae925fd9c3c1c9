//! The number types of array files.

use half::f16;

/// The type of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

/// A number as a file stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) number: Number,
    pub(crate) big_endian: bool,
}

impl Element {
    /// One unsigned byte.
    pub(crate) const U8: Self = Self {
        number: Number::U8,
        big_endian: false,
    };

    /// The range of bytes and truth values, which are the whole of what they stand for; of no other type is it known
    /// what the data use of it.
    pub(crate) fn range(self) -> Option<(f64, f64)> {
        match self.number {
            Number::Bool => Some((0.0, 1.0)),
            Number::U8 => Some((0.0, 255.0)),
            _ => None,
        }
    }

    /// The bytes one number takes.
    pub(crate) fn size(self) -> usize {
        match self.number {
            Number::Bool | Number::U8 | Number::I8 => 1,
            Number::U16 | Number::I16 | Number::F16 => 2,
            Number::U32 | Number::I32 | Number::F32 => 4,
            Number::U64 | Number::I64 | Number::F64 => 8,
        }
    }

    /// The numbers in `bytes`, in order. Integers beyond 2⁵³ are rounded to the nearest `f64`.
    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<f64> {
        macro_rules! numbers {
            ($type:ty, $to_f64:expr) => {{
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                if self.big_endian {
                    let numbers = chunks.iter().map(|chunk| <$type>::from_be_bytes(*chunk));
                    numbers.map($to_f64).collect()
                } else {
                    let numbers = chunks.iter().map(|chunk| <$type>::from_le_bytes(*chunk));
                    numbers.map($to_f64).collect()
                }
            }};
        }
        match self.number {
            Number::Bool => bytes.iter().map(|&byte| f64::from(byte != 0)).collect(),
            Number::U8 => numbers!(u8, f64::from),
            Number::I8 => numbers!(i8, f64::from),
            Number::U16 => numbers!(u16, f64::from),
            Number::I16 => numbers!(i16, f64::from),
            Number::U32 => numbers!(u32, f64::from),
            Number::I32 => numbers!(i32, f64::from),
            Number::U64 => numbers!(u64, |value| value as f64),
            Number::I64 => numbers!(i64, |value| value as f64),
            Number::F16 => numbers!(f16, f64::from),
            Number::F32 => numbers!(f32, f64::from),
            Number::F64 => numbers!(f64, |value| value),
        }
    }
}

/// In which order the numbers of an array lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Those of a sample next to each other: the last axis runs fastest.
    C,
    /// Those of one place in all samples next to each other: the first axis runs fastest.
    Fortran,
}

/// What the header of an array file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArrayHeader {
    pub(crate) element: Element,
    pub(crate) shape: Vec<usize>,
    pub(crate) order: Order,
}

impl ArrayHeader {
    /// The bytes of all numbers, unless no file can have so many.
    pub(crate) fn n_bytes(&self) -> Option<u64> {
        let n_values = self
            .shape
            .iter()
            .try_fold(1_u64, |product, &axis| product.checked_mul(axis as u64))?;
        n_values.checked_mul(self.element.size() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decoded_from_either_byte_order() {
        let cases: [(Number, &[u8], f64); 12] = [
            (Number::Bool, &[2], 1.0),
            (Number::U8, &[200], 200.0),
            (Number::I8, &[200], -56.0),
            (Number::U16, &[0xff, 0x00], 65_280.0),
            (Number::I16, &[0xff, 0x00], -256.0),
            (Number::U32, &[0xff, 0, 0, 1], 4_278_190_081.0),
            (Number::I32, &[0xff, 0, 0, 1], -16_777_215.0),
            (Number::U64, &[0, 0, 0, 1, 0, 0, 0, 2], 4_294_967_298.0),
            (Number::I64, &[0xff; 8], -1.0),
            (Number::F16, &[0x3e, 0x00], 1.5),
            (Number::F32, &[0x3f, 0xc0, 0, 0], 1.5),
            (Number::F64, &[0xbf, 0xf8, 0, 0, 0, 0, 0, 0], -1.5),
        ];
        for (number, bytes, value) in cases {
            let big = Element {
                number,
                big_endian: true,
            };
            let little = Element {
                number,
                big_endian: false,
            };
            assert_eq!(big.size(), bytes.len());
            assert_eq!(big.decode(bytes), [value], "{number:?}");
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            assert_eq!(little.decode(&reversed), [value], "{number:?}");
        }
    }

    #[test]
    fn shapes_beyond_any_file_have_no_size() {
        let header = ArrayHeader {
            element: Element::U8,
            shape: vec![usize::MAX, 3],
            order: Order::C,
        };
        assert_eq!(header.n_bytes(), None);
    }
}
