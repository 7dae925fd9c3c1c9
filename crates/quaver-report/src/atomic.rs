//! Files that appear whole or not at all.
//!
//! A run that is interrupted must never leave half a table that looks like a table, so every output is written to
//! a temporary file beside its target and renamed onto it at the end.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{ReportError, ReportErrorKind};

/// A file being written. It takes its place at [`commit`](Self::commit); dropped before that, it leaves no trace.
#[derive(Debug)]
pub struct AtomicFile {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl AtomicFile {
    /// Starts the file that will stand at `path`, replacing a file that is there.
    ///
    /// A symbolic link is followed, so that what it points to is replaced and not the link.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let Some(name) = path.file_name() else {
            let message = "does not name a file";
            return Err(ReportError::at(ReportErrorKind::Io, path, message));
        };
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let message = "exists and is not a regular file";
            return Err(ReportError::at(ReportErrorKind::Io, path, message));
        }
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = folder_of(&target);
        if !folder.is_dir() {
            let message = format_args!("the folder {} does not exist", folder.display());
            return Err(ReportError::at(ReportErrorKind::Io, path, message));
        }
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        // Temporary files are private by default; results are ordinary files, for the umask to decide on.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|error| {
            // The error names the temporary file, which says nothing to the user; what it wraps does not.
            let plain = io::Error::from(error.kind());
            let message = format_args!("no file can be made in its folder: {plain}");
            ReportError::at(ReportErrorKind::Io, path, message).with_source(error)
        })?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, file),
            target,
        })
    }

    /// Puts the file in its place, once its bytes are on the disk.
    pub fn commit(self) -> Result<(), ReportError> {
        let Self { file, target } = self;
        persist(file, &target).map_err(|error| ReportError::writing(&target, error))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Refuses a `path` at which no file could be made now, before what is to be written there is computed.
///
/// # Errors
/// Those of [`AtomicFile::create`]. What is there stays as it is.
pub fn check_output(path: &Path) -> Result<(), ReportError> {
    AtomicFile::create(path).map(drop)
}

/// Writes `bytes` to the file at `path`, which then holds either all of them or what it held before.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)
        .map_err(|error| ReportError::writing(path, error))?;
    file.commit()
}

fn persist(file: BufWriter<NamedTempFile>, target: &Path) -> io::Result<()> {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    // The new name is in the folder's own data. Not every file system can sync a folder, and the file is whole
    // either way, so a refusal is no error.
    if let Ok(folder) = fs::File::open(folder_of(target)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn appears_whole_at_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        atomic_write(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(names_in(folder.path())[0].starts_with(".a.csv."));
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names_in(folder.path()), ["a.csv"]);
    }

    #[test]
    fn leaves_no_trace_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&folder.path().join("a.csv")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names_in(folder.path()).is_empty());
    }

    #[test]
    fn names_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let cases = [
            (folder.path().join("no/a.csv"), "/no does not exist"),
            (folder.path().to_owned(), "is not a regular file"),
            (PathBuf::from("/"), "does not name a file"),
        ];
        for (path, message) in cases {
            let error = AtomicFile::create(&path).unwrap_err();
            assert_eq!(error.kind(), ReportErrorKind::Io);
            let text = error.to_string();
            assert!(text.starts_with(&path.display().to_string()), "{text}");
            assert!(text.contains(message), "{text}");
        }
    }

    #[test]
    fn a_check_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        check_output(&path).unwrap();
        assert!(names_in(folder.path()).is_empty());
        fs::write(&path, b"old").unwrap();
        check_output(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(check_output(folder.path()).is_err());
    }

    /// Nobody can make files there, not even an administrator.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_temporary_name_is_shown() {
        let error = check_output(Path::new("/proc/page.html")).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("/proc/page.html: ") && !text.contains(".page"),
            "{text}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn is_readable_like_any_other_file_and_follows_links() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (plain, path) = (folder.path().join("plain"), folder.path().join("a"));
        fs::write(&plain, b"").unwrap();
        atomic_write(&path, b"1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));

        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        atomic_write(&link, b"2").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"2");
    }
}
