//! NumPy's `.npy`: a magic number, a header that is a Python dictionary in text, and the array.

use std::path::Path;

use crate::element::{ArrayHeader, Element, Number, Order};
use crate::file::Stream;
use crate::prepare::prepare;
use crate::{DataError, DataErrorKind, Dataset, OpenOptions, records};

const MAGIC: &[u8] = b"\x93NUMPY";

/// A longer header belongs to a structured array, which holds no samples.
const LONGEST_HEADER: u32 = 1 << 16;

/// Whether a file with these first bytes is of this format.
pub(crate) fn is_npy(magic: &[u8]) -> bool {
    magic.starts_with(&MAGIC[..4])
}

/// Opens an array whose first axis counts the samples.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let mut stream = Stream::open(path)?;
    let header = read_header(&mut stream)?;
    let records = records::array(stream, &header)?;
    prepare(records, options.layout, options, expected)
}

/// Reads the header, so that `stream` is left at the first value.
pub(crate) fn read_header(stream: &mut Stream<'_>) -> Result<ArrayHeader, DataError> {
    let mut start = [0; 8];
    stream.fill(&mut start)?;
    let name = stream.name().to_path_buf();
    let refuse = |message: &str| DataError::at(DataErrorKind::Format, &name, message);
    if !start.starts_with(MAGIC) {
        return Err(refuse(
            "is not a .npy array: it does not begin with \\x93NUMPY",
        ));
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            stream.fill(&mut length)?;
            u32::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            stream.fill(&mut length)?;
            u32::from_le_bytes(length)
        }
        version => {
            return Err(refuse(&format!(
                "has version {version} of the .npy format, and 1 to 3 can be read"
            )));
        }
    };
    if length > LONGEST_HEADER {
        return Err(refuse(&format!(
            "has a header of {length} bytes, too long for a plain array"
        )));
    }
    let mut text = vec![0; length as usize];
    stream.fill(&mut text)?;
    let malformed = || refuse("has a malformed .npy header");
    let entries = Parser(&text).dictionary().ok_or_else(malformed)?;
    let find = |key: &str| {
        let mut matching = entries.iter().filter(|(name, _)| *name == key);
        matching.next().map(|(_, value)| value)
    };
    let element = match find("descr") {
        Some(Value::Text(descr)) => element(descr).map_err(|message| refuse(&message))?,
        Some(Value::List) => {
            return Err(refuse(
                "is a structured array: save a plain array of numbers",
            ));
        }
        _ => return Err(malformed()),
    };
    let (Some(Value::Bool(fortran)), Some(Value::Tuple(shape))) =
        (find("fortran_order"), find("shape"))
    else {
        return Err(malformed());
    };
    // With one long axis both orders are the same.
    let is_either = shape.iter().filter(|&&axis| axis != 1).count() < 2;
    Ok(ArrayHeader {
        element,
        shape: shape.clone(),
        order: match *fortran && !is_either {
            true => Order::Fortran,
            false => Order::C,
        },
    })
}

/// The number type that a `descr` such as `<f4` stands for.
fn element(descr: &str) -> Result<Element, String> {
    let unknown = || format!("has dtype {descr:?}, which is no real number or bool");
    let (order, kind) = descr.split_at_checked(1).ok_or_else(unknown)?;
    let number = match kind {
        "b1" => Number::Bool,
        "u1" => Number::U8,
        "i1" => Number::I8,
        "u2" => Number::U16,
        "i2" => Number::I16,
        "u4" => Number::U32,
        "i4" => Number::I32,
        "u8" => Number::U64,
        "i8" => Number::I64,
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        kind if kind.starts_with('O') => {
            return Err("is an array of Python objects: save a plain array of numbers".to_owned());
        }
        _ => return Err(unknown()),
    };
    let big_endian = match order {
        "<" => false,
        ">" => true,
        "|" if matches!(number, Number::Bool | Number::U8 | Number::I8) => false,
        _ => return Err(unknown()),
    };
    Ok(Element { number, big_endian })
}

enum Value<'a> {
    Text(&'a str),
    Bool(bool),
    Tuple(Vec<usize>),
    /// Of a structured array; what it holds does not matter.
    List,
}

/// Reads the part of Python's syntax that NumPy writes; the bytes are those still to be read.
struct Parser<'a>(&'a [u8]);

impl<'a> Parser<'a> {
    fn dictionary(mut self) -> Option<Vec<(&'a str, Value<'a>)>> {
        let mut entries = Vec::new();
        self.expect("{")?;
        while self.expect("}").is_none() {
            let key = self.text()?;
            self.expect(":")?;
            let value = self.value()?;
            let is_list = matches!(value, Value::List);
            entries.push((key, value));
            if is_list {
                return Some(entries);
            }
            if self.expect(",").is_none() {
                self.expect("}")?;
                break;
            }
        }
        Some(entries)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        if self.expect("True").is_some() {
            return Some(Value::Bool(true));
        }
        if self.expect("False").is_some() {
            return Some(Value::Bool(false));
        }
        if self.expect("[").is_some() {
            return Some(Value::List);
        }
        if self.expect("(").is_none() {
            return Some(Value::Text(self.text()?));
        }
        let mut axes = Vec::new();
        while self.expect(")").is_none() {
            axes.push(self.number()?);
            if self.expect(",").is_none() {
                self.expect(")")?;
                break;
            }
        }
        Some(Value::Tuple(axes))
    }

    fn text(&mut self) -> Option<&'a str> {
        let quote = if self.expect("'").is_some() {
            b'\''
        } else {
            self.expect("\"")?;
            b'"'
        };
        let length = self.0.iter().position(|&byte| byte == quote)?;
        let (text, rest) = self.0.split_at(length);
        self.0 = &rest[1..];
        str::from_utf8(text).ok()
    }

    fn number(&mut self) -> Option<usize> {
        self.0 = self.0.trim_ascii_start();
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at(length);
        // Python 2 wrote long integers with an L.
        self.0 = rest.strip_prefix(b"L").unwrap_or(rest);
        str::from_utf8(digits).ok()?.parse().ok()
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(token.as_bytes())?;
        Some(())
    }
}
