//! A folder of images: one sub-folder per class, or all in one place.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::class_map::ClassMap;
use crate::picture::{self, EXTENSIONS};
use crate::prepare::{no_samples, prepare};
use crate::source::{Content, Raw, Source};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};

struct Folder {
    root: PathBuf,
    /// The sub-folders, or the folder itself under an empty name.
    folders: Vec<OsString>,
    /// One per folder, but where the images lie in one place.
    labels: Option<Vec<usize>>,
    class_names: Option<Vec<String>>,
    /// The index of the folder, and the file's name.
    images: Vec<(usize, OsString)>,
}

/// Opens a folder of JPEG, PNG, BMP or WebP images, with values from 0 to 255.
///
/// Sub-folders sorted by name are labels 0, 1, …, or have the labels that a class map gives their names. Images that
/// lie in the folder itself, where it has no sub-folder, have none of their own. What is hidden and files that are no
/// images are passed over. Images are decoded when they are read.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let folder = Folder::list(path, options)?;
    prepare(folder, options.layout, options, expected)
}

impl Folder {
    fn list(path: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let entries = Entries::of(path, options)?;
        let names = entries.sorted(path)?;
        let folders: Vec<OsString> = names
            .iter()
            .filter(|name| path.join(name).is_dir())
            .cloned()
            .collect();
        if folders.is_empty() {
            let images = names.iter().filter(|name| is_image(Path::new(name)));
            let images: Vec<(usize, OsString)> = images.map(|name| (0, name.clone())).collect();
            if images.is_empty() {
                return Err(without_images(path, &names));
            }
            return Ok(Self {
                root: path.to_path_buf(),
                folders: vec![OsString::new()],
                labels: None,
                class_names: None,
                images,
            });
        }
        if options.labels.is_some() {
            return Err(DataError::at(
                DataErrorKind::Option,
                path,
                "labels do not fit a folder of images with sub-folders: these are the classes",
            ));
        }
        let mut images = Vec::new();
        for (index, name) in folders.iter().enumerate() {
            let folder = path.join(name);
            for name in entries.sorted(&folder)? {
                if is_image(Path::new(&name)) {
                    images.push((index, name));
                } else if folder.join(&name).is_dir() {
                    return Err(DataError::at(
                        DataErrorKind::Format,
                        &folder.join(&name),
                        "is a folder inside that of a class, and images are looked for one level down only",
                    ));
                }
            }
        }
        let names: Vec<String> = folders
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        let (labels, class_names) = match ClassMap::of(options)? {
            None => ((0..names.len()).collect(), names),
            Some(classes) => (mapped(path, &names, &classes)?, classes.names().to_vec()),
        };
        if images.is_empty() {
            return Err(no_samples(path));
        }
        Ok(Self {
            root: path.to_path_buf(),
            folders,
            labels: Some(labels),
            class_names: Some(class_names),
            images,
        })
    }

    /// The image's path below the folder.
    fn below(&self, index: usize) -> PathBuf {
        let (folder, name) = &self.images[index];
        Path::new(&self.folders[*folder]).join(name)
    }
}

/// A folder of tables or archives is a dataset to its user, whose files are named by a pattern here.
fn without_images(path: &Path, names: &[OsString]) -> DataError {
    let endings = ["arrow", "parquet", "tar", "npz", "npy", "csv"];
    let has = |ending: &&str| {
        let mut extensions = names.iter().filter_map(|name| Path::new(name).extension());
        extensions.any(|extension| extension == *ending)
    };
    match endings.into_iter().find(has) {
        Some(ending) => DataError::at(
            DataErrorKind::Format,
            path,
            format_args!(
                "is a folder without images: name the files in it, '{}'",
                path.join(format!("*.{ending}")).display()
            ),
        ),
        None => no_samples(path),
    }
}

fn mapped(path: &Path, names: &[String], classes: &ClassMap) -> Result<Vec<usize>, DataError> {
    let label = |name: &String| {
        let label = classes.label(name).map(|label| label as usize);
        label.ok_or_else(|| {
            DataError::at(
                DataErrorKind::Labels,
                &path.join(name),
                "is a folder whose name is not in the class map",
            )
        })
    };
    names.iter().map(label).collect()
}

/// Lists folders below a root, and sees that symbolic links do not lead out of it.
struct Entries {
    /// The root without links in its own path; `None` where links may lead anywhere.
    root: Option<PathBuf>,
}

impl Entries {
    fn of(path: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let reading = |error| DataError::reading(path, error);
        let root = match options.follow_links {
            true => None,
            false => Some(path.canonicalize().map_err(reading)?),
        };
        Ok(Self { root })
    }

    /// The names in a folder that are not hidden.
    fn sorted(&self, folder: &Path) -> Result<Vec<OsString>, DataError> {
        let reading = |error| DataError::reading(folder, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(reading)? {
            let entry = entry.map_err(reading)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            // A link that leads nowhere is an image that cannot be read.
            if is_link
                && let (Some(root), Ok(target)) = (&self.root, entry.path().canonicalize())
                && !target.starts_with(root)
            {
                return Err(DataError::at(
                    DataErrorKind::Option,
                    &entry.path(),
                    "is a symbolic link that leads out of the folder: allow that with --follow-links",
                ));
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }
}

/// Whether there is a folder with something in it.
fn is_filled(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn is_image(name: &Path) -> bool {
    let extension = name.extension().unwrap_or_default().to_string_lossy();
    EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

impl Source for Folder {
    fn name(&self) -> &Path {
        &self.root
    }

    fn len(&self) -> usize {
        self.images.len()
    }

    fn content(&self) -> Content {
        Content::Images
    }

    fn read(&self, index: usize) -> Result<Raw, DataError> {
        let path = self.place(index);
        // One file that is gone says nothing of the others, unless the folder is, or what was mounted there.
        let bytes = picture::encoded(&path).map_err(|error| match is_filled(&self.root) {
            true => error.for_sample(),
            false => error,
        })?;
        Ok(Raw::Image(bytes))
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let folder = self.images[index].0;
        Ok(self.labels.as_ref().map(|labels| labels[folder]))
    }

    fn key(&self, index: usize) -> Option<String> {
        Some(self.below(index).to_string_lossy().into_owned())
    }

    fn place(&self, index: usize) -> PathBuf {
        self.root.join(self.below(index))
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }
}
