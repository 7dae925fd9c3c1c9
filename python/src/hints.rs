//! What the stubs call the types of other packages.

use std::convert::Infallible;

use numpy::{Element, PyArrayDyn, PyArrayMethods};
use pyo3::inspect::{PyStaticConstant, PyStaticExpr};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{Borrowed, type_hint_identifier, type_hint_subscript};

/// `numpy.typing.ArrayLike`.
pub const ARRAY_LIKE: PyStaticExpr = type_hint_identifier!("numpy.typing", "ArrayLike");

/// An element type with a name in the stubs.
pub trait Named: Element {
    /// `numpy.float64` and the like.
    const NAME: PyStaticExpr;
}

impl Named for f32 {
    const NAME: PyStaticExpr = type_hint_identifier!("numpy", "float32");
}

impl Named for f64 {
    const NAME: PyStaticExpr = type_hint_identifier!("numpy", "float64");
}

impl Named for i64 {
    const NAME: PyStaticExpr = type_hint_identifier!("numpy", "int64");
}

impl Named for u8 {
    const NAME: PyStaticExpr = type_hint_identifier!("numpy", "uint8");
}

/// An array that goes to Python.
pub struct Array<'py, T>(pub Bound<'py, PyArrayDyn<T>>);

impl<'py, T: Named> Array<'py, T> {
    /// The numbers of `values` in the shape `shape`, which has as many.
    pub fn new(py: Python<'py>, values: Vec<T>, shape: &[usize]) -> PyResult<Self> {
        let flat = numpy::PyArray1::from_vec(py, values);
        Ok(Self(flat.reshape(shape)?))
    }
}

impl<'py, T: Named> IntoPyObject<'py> for Array<'py, T> {
    type Target = PyArrayDyn<T>;
    type Output = Bound<'py, PyArrayDyn<T>>;
    type Error = Infallible;

    const OUTPUT_TYPE: PyStaticExpr =
        type_hint_subscript!(type_hint_identifier!("numpy.typing", "NDArray"), T::NAME);

    fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(self.0)
    }
}

/// Single or double precision, as the caller asked.
pub struct RealArray<'py>(pub Bound<'py, PyAny>);

impl<'py> IntoPyObject<'py> for RealArray<'py> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = Infallible;

    const OUTPUT_TYPE: PyStaticExpr = type_hint_subscript!(
        type_hint_identifier!("numpy.typing", "NDArray"),
        type_hint_subscript!(
            type_hint_identifier!("numpy", "floating"),
            type_hint_identifier!("typing", "Any")
        )
    );

    fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(self.0)
    }
}

/// Whatever NumPy makes an array of.
pub struct ArrayLike<'py>(pub Bound<'py, PyAny>);

impl<'a, 'py> FromPyObject<'a, 'py> for ArrayLike<'py> {
    type Error = Infallible;

    const INPUT_TYPE: PyStaticExpr = ARRAY_LIKE;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, Self::Error> {
        Ok(Self(object.to_owned()))
    }
}

/// A dict by name, of values that are told apart later.
pub struct Dictionary<'py>(pub Bound<'py, PyDict>);

impl<'a, 'py> FromPyObject<'a, 'py> for Dictionary<'py> {
    type Error = PyErr;

    const INPUT_TYPE: PyStaticExpr = <Facts<'static> as IntoPyObject<'static>>::OUTPUT_TYPE;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(object.cast::<PyDict>()?.to_owned()))
    }
}

/// An object of another package, by the name that the stubs give it.
macro_rules! foreign {
    ($name:ident, $module:literal, $class:literal) => {
        #[doc = concat!("`", $module, ".", $class, "`.")]
        pub struct $name<'py>(pub Bound<'py, PyAny>);

        impl<'py> IntoPyObject<'py> for $name<'py> {
            type Target = PyAny;
            type Output = Bound<'py, PyAny>;
            type Error = Infallible;

            const OUTPUT_TYPE: PyStaticExpr = type_hint_identifier!($module, $class);

            fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(self.0)
            }
        }
    };
}

foreign!(PandasFrame, "pandas", "DataFrame");
foreign!(PolarsFrame, "polars", "DataFrame");
foreign!(ArrowTable, "pyarrow", "Table");
foreign!(Figure, "matplotlib.figure", "Figure");
foreign!(Anything, "typing", "Any");
// Where every supported Python has it.
foreign!(Capsule, "typing_extensions", "CapsuleType");

/// A dict from names to values of one type.
macro_rules! dictionary {
    ($name:ident, $value:expr) => {
        #[doc = concat!("A dict of `", stringify!($name), "` by name.")]
        pub struct $name<'py>(pub Bound<'py, PyDict>);

        impl<'py> IntoPyObject<'py> for $name<'py> {
            type Target = PyDict;
            type Output = Bound<'py, PyDict>;
            type Error = Infallible;

            const OUTPUT_TYPE: PyStaticExpr = type_hint_subscript!(
                type_hint_identifier!("builtins", "dict"),
                type_hint_identifier!("builtins", "str"),
                $value
            );

            fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(self.0)
            }
        }
    };
}

dictionary!(
    Grams,
    <Array<'static, f64> as IntoPyObject<'static>>::OUTPUT_TYPE
);
dictionary!(Texts, type_hint_identifier!("builtins", "str"));
dictionary!(Reals, type_hint_identifier!("builtins", "float"));
dictionary!(Facts, type_hint_identifier!("typing", "Any"));
dictionary!(
    Shapes,
    type_hint_subscript!(
        type_hint_identifier!("builtins", "tuple"),
        type_hint_identifier!("builtins", "int"),
        PyStaticExpr::Constant {
            value: PyStaticConstant::Ellipsis
        }
    )
);

/// A shape.
pub struct Shape<'py>(pub Bound<'py, PyTuple>);

impl<'py> IntoPyObject<'py> for Shape<'py> {
    type Target = PyTuple;
    type Output = Bound<'py, PyTuple>;
    type Error = Infallible;

    const OUTPUT_TYPE: PyStaticExpr = type_hint_subscript!(
        type_hint_identifier!("builtins", "tuple"),
        type_hint_identifier!("builtins", "int"),
        PyStaticExpr::Constant {
            value: PyStaticConstant::Ellipsis
        }
    );

    fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(self.0)
    }
}
