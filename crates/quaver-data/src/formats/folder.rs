//! A folder with one sub-folder of images per class.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fit::{fit, fits};
use crate::picture::{self, EXTENSIONS, LONGEST_SIDE, Size, Target};
use crate::records::no_samples;
use crate::transform::{Channels, Transform};
use crate::{DataError, DataErrorKind, Dataset, Layout, OpenOptions, Sample, Units};

struct Folder {
    root: PathBuf,
    /// The sub-folders in label order.
    classes: Vec<OsString>,
    class_names: Vec<String>,
    /// The label and the file's name.
    images: Vec<(usize, OsString)>,
    target: Target,
    shape: Vec<usize>,
    transform: Transform,
}

/// Opens a folder of JPEG, PNG, BMP or WebP images, with values from 0 to 255.
///
/// Sub-folders sorted by name are labels 0, 1, …; what is hidden and files that are no images are passed over.
/// Images are decoded when they are read, in colour, or in grey by the ITU-R 601 weights where `expected` has
/// one channel. Transparency is dropped and the orientation that a camera notes is not applied.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let refuse = |message: &str| Err(DataError::at(DataErrorKind::Option, path, message));
    if options.layout == Layout::Nhwc {
        return refuse("layout nhwc does not fit a folder of images");
    }
    if options.labels.is_some() {
        return refuse("labels do not fit a folder of images: its sub-folders are the classes");
    }
    let (classes, images) = list(path)?;
    let mut class_names = Vec::new();
    for class in &classes {
        class_names.push(class.to_string_lossy().into_owned());
    }
    let file_of = |(label, name): &(usize, OsString)| path.join(&classes[*label]).join(name);
    let (height, width) = match options.resize {
        Some(size) => resized(size)?,
        None => common_size(images.iter().map(file_of), expected)?,
    };
    let in_colour = [3, height, width];
    let in_grey = [1, height, width];
    let grey = expected.is_some_and(|expected| {
        let one_channel = expected.len() == 3 && expected[0] == 1;
        !fits(&in_colour, expected) && (one_channel || fits(&in_grey, expected))
    });
    let data_shape = if grey { in_grey } else { in_colour };
    let shape = fit(path, &data_shape, expected, |expected| match *expected {
        [1 | 3, h, w] => Some(format!("they would with --resize {h}x{w}")),
        _ => None,
    })?;
    let channels = [data_shape[0], shape.first().copied().unwrap_or(1)];
    let transform = Transform::new(options, Channels::First, channels)?;
    Ok(Box::new(Folder {
        root: path.to_path_buf(),
        classes,
        class_names,
        images,
        target: Target {
            size: (height, width),
            resize: options.resize.is_some(),
            grey,
        },
        shape,
        transform,
    }))
}

/// The sub-folders in label order, and the label and name of every image.
type Listing = (Vec<OsString>, Vec<(usize, OsString)>);

fn list(path: &Path) -> Result<Listing, DataError> {
    let entries = sorted_entries(path)?;
    let is_folder = |name: &OsString| path.join(name).is_dir();
    let classes: Vec<OsString> = entries.into_iter().filter(is_folder).collect();
    if classes.is_empty() {
        return Err(DataError::at(
            DataErrorKind::Format,
            path,
            "no samples: a folder of images has one sub-folder for each class",
        ));
    }
    let mut images = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let folder = path.join(class);
        for name in sorted_entries(&folder)? {
            if is_image(Path::new(&name)) {
                images.push((label, name));
            } else if folder.join(&name).is_dir() {
                return Err(DataError::at(
                    DataErrorKind::Format,
                    &folder.join(&name),
                    "is a folder inside that of a class, and images are looked for one level down only",
                ));
            }
        }
    }
    if images.is_empty() {
        return Err(no_samples(path));
    }
    Ok((classes, images))
}

fn sorted_entries(folder: &Path) -> Result<Vec<OsString>, DataError> {
    let reading = |error| DataError::reading(folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(reading)? {
        let name = entry.map_err(reading)?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn is_image(name: &Path) -> bool {
    let extension = name.extension().unwrap_or_default().to_string_lossy();
    EXTENSIONS
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

fn resized((height, width): Size) -> Result<Size, DataError> {
    let sides = 1..=LONGEST_SIDE;
    if sides.contains(&height) && sides.contains(&width) {
        return Ok((height, width));
    }
    Err(DataError::new(
        DataErrorKind::Option,
        format!("resize is {height}x{width}: each side must be from 1 to {LONGEST_SIDE}"),
    ))
}

/// The size that all images have.
fn common_size(
    mut files: impl Iterator<Item = PathBuf>,
    expected: Option<&[usize]>,
) -> Result<Size, DataError> {
    let first = files
        .next()
        .map_or(Ok((0, 0)), |file| picture::size(&file))?;
    for file in files {
        let size = picture::size(&file)?;
        if size != first {
            let wanted = match expected {
                Some([_, h, w]) => format!("{h}x{w}"),
                _ => "HxW".to_owned(),
            };
            return Err(DataError::at(
                DataErrorKind::Shape,
                &file,
                format_args!(
                    "is {}x{}, and the images before it are {}x{}: make all of one size with --resize {wanted}",
                    size.0, size.1, first.0, first.1
                ),
            ));
        }
    }
    Ok(first)
}

impl Folder {
    fn image(&self, index: usize) -> Result<&(usize, OsString), DataError> {
        self.images
            .get(index)
            .ok_or_else(|| DataError::out_of_range(index, self.images.len()))
    }
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let (label, name) = self.image(index)?;
        let key = Path::new(&self.classes[*label]).join(name);
        let path = self.root.join(&key);
        let values = self.target.decode(&path)?;
        let values = self.transform.apply(values).map_err(|problem| {
            DataError::at(
                DataErrorKind::NotFinite,
                &path,
                format_args!("sample {index} {problem}"),
            )
        })?;
        Ok(Sample {
            values,
            label: Some(*label),
            key: Some(key.to_string_lossy().into_owned()),
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        Ok(Some(self.image(index)?.0))
    }

    fn has_keys(&self) -> bool {
        true
    }

    fn units(&self) -> Units {
        self.transform.units(Some((0.0, 255.0)))
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(&self.class_names)
    }
}
