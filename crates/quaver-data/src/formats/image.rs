//! One image file: a dataset of one sample without a label.

use std::path::{Path, PathBuf};

use crate::fit::{fit, fits};
use crate::picture::{self, Target};
use crate::transform::{Channels, Transform};
use crate::{DataError, DataErrorKind, Dataset, Layout, OpenOptions, Sample};

struct Image {
    path: PathBuf,
    key: String,
    target: Target,
    shape: Vec<usize>,
    transform: Transform,
}

/// Opens a JPEG, PNG, BMP or WebP image, with values from 0 to 255, in colour or grey as `expected` asks for.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let refuse = |message: &str| Err(DataError::at(DataErrorKind::Option, path, message));
    if options.layout == Layout::Nhwc {
        return refuse("layout nhwc does not fit an image");
    }
    if options.labels.is_some() {
        return refuse("labels do not fit a single image; name a class (--label 3) or predicted");
    }
    let found = picture::size(path)?;
    let (height, width) = options.resize.unwrap_or(found);
    let (in_colour, in_grey) = ([3, height, width], [1, height, width]);
    let grey = expected.is_some_and(|expected| {
        let one_channel = expected.len() == 3 && expected[0] == 1;
        !fits(&in_colour, expected) && (one_channel || fits(&in_grey, expected))
    });
    let data_shape = if grey { in_grey } else { in_colour };
    let shape = fit(path, &data_shape, expected, |expected| match *expected {
        [1 | 3, h, w] => Some(format!("it would with --resize {h}x{w}")),
        _ => None,
    })?;
    let channels = [data_shape[0], shape.first().copied().unwrap_or(1)];
    let transform = Transform::new(options, Channels::First, channels)?;
    let key = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Box::new(Image {
        path: path.to_owned(),
        key: key.into_owned(),
        target: Target {
            size: (height, width),
            resize: options.resize.is_some(),
            grey,
        },
        shape,
        transform,
    }))
}

impl Dataset for Image {
    fn len(&self) -> usize {
        1
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn has_keys(&self) -> bool {
        true
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        match index {
            0 => Ok(None),
            _ => Err(DataError::out_of_range(index, 1)),
        }
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        self.label(index)?;
        let values = self.transform.apply(self.target.decode(&self.path)?);
        Ok(Sample {
            values: values
                .map_err(|why| DataError::at(DataErrorKind::NotFinite, &self.path, why))?,
            label: None,
            key: Some(self.key.clone()),
        })
    }
}
