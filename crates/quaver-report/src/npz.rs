//! Arrays as NumPy's `.npz`: written value by value, so that no array need be in memory.

use std::path::{Path, PathBuf};

use npyz::{AutoSerialize, DType, WriterBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::atomic::AtomicFile;
use crate::error::{ReportError, ReportErrorKind};

/// An `.npz` file being written. It appears at [`finish`](Self::finish); a writer that is dropped before leaves no
/// trace.
pub struct NpzWriter {
    archive: ZipWriter<AtomicFile>,
    path: PathBuf,
}

/// Refuses a name that does not end in `.npz`: NumPy would take the file for something else.
///
/// # Errors
/// `Format`, naming it.
pub fn check_npz_path(path: &Path) -> Result<(), ReportError> {
    match path.extension().is_some_and(|extension| extension == "npz") {
        true => Ok(()),
        false => Err(ReportError::at(
            ReportErrorKind::Format,
            path,
            "the name must end in .npz",
        )),
    }
}

impl NpzWriter {
    /// Starts a file at `path`.
    ///
    /// # Errors
    /// `Format` for a name of another kind of file ([`check_npz_path`]), `Io` if it cannot be created.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        check_npz_path(path)?;
        Ok(Self {
            archive: ZipWriter::new(AtomicFile::create(path)?),
            path: path.to_owned(),
        })
    }

    /// Adds the array `name` of this shape; `values` are its elements in row-major order, as many as the shape says.
    ///
    /// # Errors
    /// The first error of `values`; `Io` if they cannot be written, `Row` if they are not as many.
    pub fn array<T: AutoSerialize, E: From<ReportError>>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = Result<T, E>>,
    ) -> Result<(), E> {
        self.start(name)?;
        let shape: Vec<u64> = shape.iter().map(|axis| *axis as u64).collect();
        let path = &self.path;
        let failed = |error: std::io::Error| ReportError::writing(path, error);
        let options = npyz::WriteOptions::<T>::new().default_dtype().shape(&shape);
        let mut array = options
            .writer(&mut self.archive)
            .begin_nd()
            .map_err(failed)?;
        let wanted: u64 = shape.iter().product();
        let mut n = 0;
        for value in values {
            array.push(&value?).map_err(failed)?;
            n += 1;
        }
        if n != wanted {
            let message = format!("array {name:?} of shape {shape:?} is given {n} values");
            return Err(ReportError::at(ReportErrorKind::Row, path, message).into());
        }
        Ok(array.finish().map_err(failed)?)
    }

    /// Adds the array `name` of texts, one axis long, as NumPy's fixed-width Unicode.
    ///
    /// # Errors
    /// `Io` if they cannot be written.
    pub fn texts(&mut self, name: &str, values: &[&str]) -> Result<(), ReportError> {
        self.start(name)?;
        let path = &self.path;
        let failed = |error: std::io::Error| ReportError::writing(path, error);
        // NumPy has no text of width 0.
        let lengths = values.iter().map(|text| text.chars().count());
        let width = lengths.max().unwrap_or(0).max(1);
        let text = format!("<U{width}").parse();
        let text = text.map_err(|error| failed(std::io::Error::other(error)))?;
        let options = npyz::WriteOptions::<str>::new().dtype(DType::Plain(text));
        let mut array = options
            .shape(&[values.len() as u64])
            .writer(&mut self.archive)
            .begin_nd()
            .map_err(failed)?;
        for value in values {
            array.push(value).map_err(failed)?;
        }
        array.finish().map_err(failed)
    }

    fn start(&mut self, name: &str) -> Result<(), ReportError> {
        // Stored, not deflated: readers then find samples in the file itself.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        let started = self.archive.start_file(format!("{name}.npy"), options);
        started.map_err(|error| ReportError::writing(&self.path, error))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// `Io` if it cannot be written.
    pub fn finish(self) -> Result<(), ReportError> {
        let file = self.archive.finish();
        file.map_err(|error| ReportError::writing(&self.path, error))?
            .commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), ReportError>;

    fn write(path: &Path, numbers: &[f32]) -> Outcome {
        let mut npz = NpzWriter::create(path)?;
        let numbers = numbers.iter().map(|x| Ok::<f32, ReportError>(*x));
        npz.array("x", &[2, 2], numbers)?;
        npz.array("y", &[3], [1i64, -2, 3].map(Ok::<i64, ReportError>))?;
        npz.texts("names", &["fgsm", "größer als", ""])?;
        npz.texts("none", &[])?;
        npz.finish()
    }

    #[test]
    fn reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        write(&path, &[1.0, 2.5, -3.0, f32::INFINITY]).unwrap();
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        macro_rules! array {
            ($name:literal) => {
                npyz::NpyFile::new(archive.by_name($name).unwrap()).unwrap()
            };
        }
        assert_eq!(array!("x.npy").shape(), [2, 2]);
        assert_eq!(
            array!("x.npy").into_vec::<f32>().unwrap(),
            [1.0, 2.5, -3.0, f32::INFINITY]
        );
        assert_eq!(array!("y.npy").into_vec::<i64>().unwrap(), [1, -2, 3]);
        assert_eq!(
            array!("names.npy").into_vec::<String>().unwrap(),
            ["fgsm", "größer als", ""]
        );
        assert_eq!(array!("none.npy").shape(), [0]);
        let first = std::fs::read(&path).unwrap();
        write(&path, &[1.0, 2.5, -3.0, f32::INFINITY]).unwrap();
        assert!(std::fs::read(&path).unwrap() == first);
    }

    #[test]
    fn failures_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let error = write(&path, &[1.0, 2.0, 3.0]).unwrap_err();
        assert_eq!(error.kind(), ReportErrorKind::Row);
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
