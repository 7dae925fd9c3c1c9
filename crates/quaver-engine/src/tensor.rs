//! Constant tensors: what initializers hold and what folding produces.

use std::sync::Arc;

use quaver_kernels::Scalar;

use crate::EngineError;

/// No value that is computed may have more elements: a cap against shapes made to exhaust memory.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;

/// No tensor in a file may have more elements; that many are there to be read at least.
const MAX_STORED: usize = 1 << 31;

/// What kind of numbers a value holds. While a network runs all three are held in its floating-point type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Float,
    Int,
    Bool,
}

/// The values of a [`Tensor`], in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// As read from the file; also what f16 and bf16 become.
    F32(Vec<f32>),
    /// As read from the file, or folded at load: folding is always done in double precision.
    F64(Vec<f64>),
    /// Every integer type.
    Int(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::F32(x) => x.len(),
            Data::F64(x) => x.len(),
            Data::Int(x) => x.len(),
            Data::Bool(x) => x.len(),
        }
    }
}

/// An immutable tensor; clones share their values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    shape: Vec<usize>,
    data: Arc<Data>,
}

impl Tensor {
    pub(crate) fn new(shape: Vec<usize>, data: Data) -> Result<Self, EngineError> {
        if n_stored(&shape)? != data.len() {
            return Err(EngineError::format(format!(
                "a tensor of shape {shape:?} has {} values",
                data.len()
            )));
        }
        Ok(Self {
            shape,
            data: Arc::new(data),
        })
    }

    /// A one-axis tensor of integers: a shape, a list of axes.
    pub(crate) fn ints(values: Vec<i64>) -> Self {
        Self {
            shape: vec![values.len()],
            data: Arc::new(Data::Int(values)),
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn n_elements(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(*self.data, Data::F32(_) | Data::F64(_))
    }

    /// `values` as elements of the given kind; what is not whole is cut towards zero.
    pub(crate) fn of(
        element: Element,
        shape: Vec<usize>,
        values: Vec<f64>,
    ) -> Result<Self, EngineError> {
        let data = match element {
            Element::Float => Data::F64(values),
            Element::Int => Data::Int(values.iter().map(|&x| x as i64).collect()),
            Element::Bool => Data::Bool(values.iter().map(|&x| x != 0.0).collect()),
        };
        Self::new(shape, data)
    }

    pub(crate) fn element(&self) -> Element {
        match *self.data {
            Data::F32(_) | Data::F64(_) => Element::Float,
            Data::Int(_) => Element::Int,
            Data::Bool(_) => Element::Bool,
        }
    }

    /// The same tensor in floating point, which is what networks run in.
    pub(crate) fn to_floats(&self) -> Result<Self, EngineError> {
        match self.element() {
            Element::Float => Ok(self.clone()),
            _ => Self::of(Element::Float, self.shape.clone(), self.numbers()),
        }
    }

    /// The values as numbers, whatever they are; integers beyond 2⁵³ are rounded.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        match &*self.data {
            Data::F32(x) => x.iter().map(|&x| f64::from(x)).collect(),
            Data::F64(x) => x.clone(),
            Data::Int(x) => x.iter().map(|&x| x as f64).collect(),
            Data::Bool(x) => x.iter().map(|&x| f64::from(u8::from(x))).collect(),
        }
    }

    /// The same values under another shape of as many elements.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Result<Self, EngineError> {
        if n_stored(shape)? != self.n_elements() {
            return Err(EngineError::shape(format!(
                "{:?} cannot be reshaped to {shape:?}",
                self.shape
            )));
        }
        Ok(Self {
            shape: shape.to_vec(),
            data: Arc::clone(&self.data),
        })
    }

    /// The values as floating-point numbers; `None` for integers and truth values.
    pub(crate) fn floats<T: Scalar>(&self) -> Option<Vec<T>> {
        match &*self.data {
            Data::F32(x) => Some(x.iter().map(|&x| T::from_f64(f64::from(x))).collect()),
            Data::F64(x) => Some(x.iter().map(|&x| T::from_f64(x)).collect()),
            Data::Int(_) | Data::Bool(_) => None,
        }
    }

    /// The values as integers; `None` for floating-point numbers.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        match &*self.data {
            Data::Int(x) => Some(x.clone()),
            Data::Bool(x) => Some(x.iter().map(|&x| i64::from(x)).collect()),
            Data::F32(_) | Data::F64(_) => None,
        }
    }

    /// The elements at `index` (−1: `fill`), as a tensor of `shape`: what every rearrangement of a constant is.
    pub(crate) fn gather(
        &self,
        shape: Vec<usize>,
        index: &[Option<usize>],
        fill: f64,
    ) -> Result<Self, EngineError> {
        fn pick<X: Copy>(x: &[X], index: &[Option<usize>], fill: X) -> Vec<X> {
            index.iter().map(|i| i.map_or(fill, |i| x[i])).collect()
        }
        let data = match &*self.data {
            Data::F32(x) => Data::F32(pick(x, index, fill as f32)),
            Data::F64(x) => Data::F64(pick(x, index, fill)),
            Data::Int(x) => Data::Int(pick(x, index, fill as i64)),
            Data::Bool(x) => Data::Bool(pick(x, index, fill != 0.0)),
        };
        Tensor::new(shape, data)
    }
}

/// The number of elements of `shape`, refused when it overflows or is absurd.
pub(crate) fn n_elements(shape: &[usize]) -> Result<usize, EngineError> {
    count(shape, MAX_ELEMENTS)
}

/// The same for a tensor whose values lie in a file.
pub(crate) fn n_stored(shape: &[usize]) -> Result<usize, EngineError> {
    count(shape, MAX_STORED)
}

fn count(shape: &[usize], most: usize) -> Result<usize, EngineError> {
    // Nothing is in a tensor with a dimension of 0, but its strides are products of the others all the same.
    shape
        .iter()
        .try_fold(1usize, |n, &dim| n.checked_mul(dim.max(1)))
        .filter(|&n| n <= most)
        .map(|n| if shape.contains(&0) { 0 } else { n })
        .ok_or_else(|| EngineError::shape(format!("a tensor of shape {shape:?} is too large")))
}

/// Row-major strides of `shape`, in elements.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    strides
}

/// The shape two operands broadcast to (NumPy's rule, which is ONNX's).
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, EngineError> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], axis: usize| {
        (axis + shape.len())
            .checked_sub(rank)
            .map_or(1, |at| shape[at])
    };
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(EngineError::shape(format!(
                "{a:?} and {b:?} do not broadcast"
            ))),
        })
        .collect()
}

/// For every element of `to`, the element of `from` that broadcasts onto it.
pub(crate) fn broadcast_index(from: &[usize], to: &[usize]) -> Vec<u32> {
    let lead = to.len() - from.len();
    let from_strides = strides(from);
    let mut index = vec![0u32];
    for (axis, &dim) in to.iter().enumerate() {
        let step = match axis.checked_sub(lead) {
            Some(at) if from[at] != 1 => from_strides[at],
            _ => 0,
        };
        index = index
            .iter()
            .flat_map(|&base| (0..dim).map(move |i| base + (i * step) as u32))
            .collect();
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_tensors_have_bounded_strides() {
        assert_eq!(n_elements(&[2, 0, 3]).unwrap(), 0);
        assert_eq!(strides(&[2, 0, 3]), [0, 3, 1]);
        assert!(n_elements(&[0, 1 << 40, 1 << 40]).is_err());
    }

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[2, 1, 3], &[4, 1]).unwrap(), [2, 4, 3]);
        assert_eq!(broadcast(&[], &[2]).unwrap(), [2]);
        assert!(broadcast(&[2], &[3]).is_err());
        assert_eq!(broadcast_index(&[2, 1], &[2, 3]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(broadcast_index(&[3], &[2, 3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(broadcast_index(&[], &[2]), [0, 0]);
    }

    #[test]
    fn absurd_shapes_are_refused() {
        assert!(n_elements(&[usize::MAX, 2]).is_err());
        assert!(n_elements(&[1 << 20, 1 << 20]).is_err());
        assert!(Tensor::new(vec![2], Data::Int(vec![1])).is_err());
    }
}
