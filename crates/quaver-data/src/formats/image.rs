//! One image file: a dataset of one sample without a label.

use std::path::{Path, PathBuf};

use crate::picture;
use crate::prepare::prepare;
use crate::source::{Content, Raw, Source};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};

struct Image(PathBuf);

/// Opens a JPEG, PNG, BMP or WebP image, with values from 0 to 255, in colour or grey as `expected` asks for.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    if options.labels.is_some() {
        return Err(DataError::at(
            DataErrorKind::Option,
            path,
            "labels do not fit a single image; name a class (--label 3) or predicted",
        ));
    }
    prepare(Image(path.to_owned()), options.layout, options, expected)
}

impl Source for Image {
    fn name(&self) -> &Path {
        &self.0
    }

    fn len(&self) -> usize {
        1
    }

    fn content(&self) -> Content {
        Content::Images
    }

    fn read(&self, _index: usize) -> Result<Raw, DataError> {
        picture::encoded(&self.0).map(Raw::Image)
    }

    fn label(&self, _index: usize) -> Result<Option<usize>, DataError> {
        Ok(None)
    }

    fn key(&self, _index: usize) -> Option<String> {
        let name = self.0.file_name().unwrap_or_default();
        Some(name.to_string_lossy().into_owned())
    }
}
