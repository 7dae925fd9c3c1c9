//! Whether samples of one shape can be given to a network that wants another.

use std::path::Path;

use crate::{DataError, DataErrorKind};

/// Whether `data` is `expected` but for axes of length 1, or one of them is the other flattened.
pub(crate) fn fits(data: &[usize], expected: &[usize]) -> bool {
    let long = |shape: &[usize]| -> Vec<usize> {
        shape.iter().copied().filter(|&axis| axis != 1).collect()
    };
    let (long_data, long_expected) = (long(data), long(expected));
    if long_data == long_expected {
        return true;
    }
    let flat = long_data.len() <= 1 || long_expected.len() <= 1;
    flat && n_values(data).is_some_and(|n| n_values(expected) == Some(n))
}

/// The shape in which samples of shape `data` are handed out, `expected` where they fit it.
///
/// `is_moved`: their axes were put into the order of the network's input. `hint` may say how to make them fit.
pub(crate) fn fit(
    name: &Path,
    (data, is_moved): (&[usize], bool),
    expected: Option<&[usize]>,
    hint: impl FnOnce(&[usize]) -> Option<String>,
) -> Result<Vec<usize>, DataError> {
    if n_values(data).is_none_or(|n| n == 0) {
        return Err(DataError::at(
            DataErrorKind::Shape,
            name,
            format_args!("samples of shape {data:?} hold no values"),
        ));
    }
    let Some(expected) = expected else {
        return Ok(data.to_vec());
    };
    // Axes of length 1 may be anywhere in samples as they lie; once axes have been moved they say which is which.
    let does_fit = match is_moved && data.len() == expected.len() {
        true => data == expected,
        false => fits(data, expected),
    };
    if does_fit {
        return Ok(expected.to_vec());
    }
    let hint = hint(expected).map_or_else(String::new, |hint| format!(": {hint}"));
    Err(DataError::at(
        DataErrorKind::Shape,
        name,
        format_args!(
            "samples of shape {data:?} do not fit the network's input of shape {expected:?}{hint}"
        ),
    ))
}

/// The number of values of one sample, unless memory cannot hold so many.
pub(crate) fn n_values(shape: &[usize]) -> Option<usize> {
    let n = shape
        .iter()
        .try_fold(1_usize, |product, &axis| product.checked_mul(axis))?;
    // Every value becomes eight bytes, and no allocation may exceed `isize::MAX` bytes.
    (n <= isize::MAX as usize / 8).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_fit_up_to_unit_axes_and_flattening() {
        let cases: [(&[usize], &[usize], bool); 9] = [
            (&[3, 32, 32], &[3, 32, 32], true),
            (&[28, 28], &[1, 28, 28], true),
            (&[1, 28, 28], &[28, 28, 1], true),
            (&[1, 28, 28], &[784], true),
            (&[3072], &[3, 32, 32], true),
            (&[640, 1], &[1, 1, 640], true),
            (&[32, 32, 3], &[3, 32, 32], false),
            (&[784], &[1, 28, 27], false),
            (&[4, 4], &[2, 8], false),
        ];
        for (data, expected, result) in cases {
            assert_eq!(fits(data, expected), result, "{data:?} {expected:?}");
        }
    }

    #[test]
    fn samples_without_values_are_refused() {
        let error = fit(Path::new("x.npy"), (&[3, 0], false), None, |_| None).unwrap_err();
        assert_eq!(error.kind(), DataErrorKind::Shape);
        assert_eq!(
            error.to_string(),
            "x.npy: samples of shape [3, 0] hold no values"
        );
    }
}
