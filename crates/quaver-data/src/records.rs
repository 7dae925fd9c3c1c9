//! Samples that lie one after another in a file, each as an array of numbers.

use std::path::Path;

use crate::columns::Columns;
use crate::element::{ArrayHeader, Element, Order};
use crate::file::{Region, Stream};
use crate::prepare::no_samples;
use crate::source::{Content, Raw, Source};
use crate::{DataError, DataErrorKind};

/// Where the samples lie in a file and what they are.
pub(crate) struct Records {
    pub(crate) region: Region,
    pub(crate) element: Element,
    /// The number of samples.
    pub(crate) count: usize,
    /// Bytes of each sample before its values.
    pub(crate) skip: u64,
    /// The shape of one sample as the file has it.
    pub(crate) shape: Vec<usize>,
    /// Who gathers the numbers of a sample where they do not lie next to each other.
    pub(crate) columns: Option<Columns>,
    /// One per sample, four bytes each: the only part of the data that is held in memory.
    pub(crate) labels: Option<Vec<u32>>,
    pub(crate) class_names: Option<Vec<String>>,
}

/// The samples, still without labels, of an array whose header was read from `stream`. Its first axis counts them.
pub(crate) fn array(stream: Stream<'_>, header: &ArrayHeader) -> Result<Records, DataError> {
    let refuse = |message: String| Err(DataError::at(DataErrorKind::Shape, stream.name(), message));
    let (count, shape) = match header.shape.as_slice() {
        [] => return refuse("holds a single number, not samples".to_owned()),
        [0, ..] => return Err(no_samples(stream.name())),
        [_] => {
            return refuse(format!(
                "has shape {:?}: the first axis counts the samples, and none is left for their values",
                header.shape
            ));
        }
        // Without values the length of the file would not bound the number of samples.
        [_, shape @ ..] if shape.contains(&0) => {
            return refuse(format!("samples of shape {shape:?} hold no values"));
        }
        [count, shape @ ..] => (*count, shape.to_vec()),
    };
    let Some(n_bytes) = header.n_bytes() else {
        return Err(DataError::at(
            DataErrorKind::Format,
            stream.name(),
            format_args!("declares shape {:?}, which no file can hold", header.shape),
        ));
    };
    let region = stream.into_region(n_bytes)?;
    let columns = match header.order {
        Order::C => None,
        Order::Fortran => Some(Columns::new(region.clone(), header)),
    };
    Ok(Records {
        region,
        element: header.element,
        count,
        skip: 0,
        shape,
        columns,
        labels: None,
        class_names: None,
    })
}

impl Source for Records {
    fn name(&self) -> &Path {
        self.region.name()
    }

    fn len(&self) -> usize {
        self.count
    }

    fn content(&self) -> Content {
        Content::Arrays(self.shape.clone())
    }

    fn read(&self, index: usize) -> Result<Raw, DataError> {
        if let Some(columns) = &self.columns {
            return Ok(Raw::Numbers(self.element.decode(&columns.read(index)?)));
        }
        let n_values: usize = self.shape.iter().product();
        let mut bytes = vec![0; n_values * self.element.size()];
        let stride = self.skip + bytes.len() as u64;
        self.region
            .read(index as u64 * stride + self.skip, &mut bytes)?;
        Ok(Raw::Numbers(self.element.decode(&bytes)))
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let labels = self.labels.as_ref();
        Ok(labels.map(|labels| labels[index] as usize))
    }

    fn range(&self) -> Option<(f64, f64)> {
        self.element.range()
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }
}
