//! The formats of datasets: one file each, and one line each in [`FORMATS`].

use std::path::Path;

use crate::file::Stream;
use crate::{DataError, DataErrorKind, Dataset, OpenOptions, labels, shards};

mod cifar;
mod csv;
mod folder;
pub(crate) mod idx;
mod image;
mod ipc;
pub(crate) mod npy;
mod npz;
mod parquet;
mod parquet_pages;
mod tar;

pub use idx::labels_beside;

/// One format: the name by which it is chosen, how it is recognised, and what opens it.
struct Format {
    name: &'static str,
    recognised_by: Signs,
    open: Opener,
    parts: Parts,
}

type Opener = fn(&Path, &OpenOptions, Option<&[usize]>) -> Result<Box<dyn Dataset>, DataError>;

/// What a format calls by names that a user may choose.
#[derive(Clone, Copy)]
enum Parts {
    Arrays,
    Columns,
    Nothing,
}

enum Signs {
    /// A folder, not a file.
    Folder,
    /// Endings of the file's name in lower case, less `.gz`; or for a file of another name its first bytes.
    File(&'static [&'static str], fn(&[u8]) -> bool),
    /// Nothing: it must be chosen.
    Nothing,
}

#[rustfmt::skip]
const FORMATS: [Format; 13] = [
    Format { name: "npz", recognised_by: Signs::File(&[".npz"], npz::is_zip), open: npz::open, parts: Parts::Arrays },
    Format { name: "npy", recognised_by: Signs::File(&[".npy"], npy::is_npy), open: npy::open, parts: Parts::Nothing },
    Format { name: "idx", recognised_by: Signs::File(&["-ubyte", ".idx"], idx::is_idx), open: idx::open, parts: Parts::Nothing },
    Format { name: "cifar", recognised_by: Signs::File(&[".bin"], |_| false), open: cifar::open, parts: Parts::Nothing },
    Format { name: "cifar10", recognised_by: Signs::Nothing, open: cifar::open_10, parts: Parts::Nothing },
    Format { name: "cifar100", recognised_by: Signs::Nothing, open: cifar::open_100, parts: Parts::Nothing },
    Format { name: "cifar100-coarse", recognised_by: Signs::Nothing, open: cifar::open_100_coarse, parts: Parts::Nothing },
    Format { name: "parquet", recognised_by: Signs::File(&[".parquet", ".pq"], parquet::is_parquet), open: parquet::open, parts: Parts::Columns },
    Format { name: "arrow", recognised_by: Signs::File(&[".arrow", ".feather", ".ipc", ".arrows"], ipc::is_arrow), open: ipc::open, parts: Parts::Columns },
    Format { name: "csv", recognised_by: Signs::File(&[".csv", ".tsv"], |_| false), open: csv::open, parts: Parts::Columns },
    Format { name: "tar", recognised_by: Signs::File(&[".tar", ".tgz"], |_| false), open: tar::open, parts: Parts::Nothing },
    Format { name: "image", recognised_by: Signs::File(&[".jpg", ".jpeg", ".png", ".bmp", ".webp"], |_| false), open: image::open, parts: Parts::Nothing },
    Format { name: "folder", recognised_by: Signs::Folder, open: folder::open, parts: Parts::Nothing },
];

/// The names that [`OpenOptions::format`] may have.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.name)
}

/// Opens the dataset at `path`, or the datasets one after another that a pattern such as `train-{000..012}.tar` or
/// `part-*.parquet` stands for, whose format is [`OpenOptions::format`], or told by its name, or else by its
/// first bytes.
///
/// `expected` is the shape of a network's input without a batch axis, `[3, 32, 32]` for example. The samples get
/// this shape where theirs differs only by axes of length 1 or by flattening. A folder of images is read in grey
/// or in colour as it asks for. Without it samples keep their own shape: `[C, H, W]` for images.
///
/// Labels come with the data, or from [`OpenOptions::labels`], and may be missing except where the format
/// always has them.
///
/// # Errors
/// When the data cannot be read, are not what their format says, have no samples, or do not fit `expected`,
/// or when an option does not fit them. Values are checked when a sample is read, and not here.
pub fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    check_names(path, options)?;
    labels::apply(open_unlabelled(path, options, expected)?, options)
}

/// Refuses names of columns or arrays where nothing in the data has names: they would choose nothing.
fn check_names(path: &Path, options: &OpenOptions) -> Result<(), DataError> {
    let plain = OpenOptions::default();
    let first = shards::expand(path)?.and_then(|paths| paths.into_iter().next());
    let path = first.as_deref().unwrap_or(path);
    let format = chosen(path, options)?;
    let (arrays, columns) = match format.parts {
        Parts::Arrays => (true, false),
        Parts::Columns => (false, true),
        // Members of an archive go by their extensions, for samples and for labels.
        Parts::Nothing if format.name == "tar" => return Ok(()),
        Parts::Nothing => (false, false),
    };
    let given = [
        ("--x-key", !arrays && options.x_key != plain.x_key),
        ("--y-key", !arrays && options.y_key != plain.y_key),
        ("--columns", !columns && !options.columns.is_empty()),
        ("--label-column", !columns && options.label_column.is_some()),
    ];
    let Some((option, _)) = given.into_iter().find(|(_, given)| *given) else {
        return Ok(());
    };
    let what = match option {
        "--x-key" | "--y-key" => "arrays by names, as .npz files have",
        _ => "columns, as tables have",
    };
    let why = format_args!("{option}: the format ({}) has no {what}", format.name);
    Err(DataError::at(DataErrorKind::Option, path, why))
}

/// Opens the dataset at `path` for what its array, or its column, called `name` says of each sample: that takes the place of
/// the labels. Of `options` the format counts and, of an `.npz` file, which array holds the samples.
///
/// # Errors
/// As for [`open`]; and when there is none of that name, or nothing in the format has names.
pub fn open_part(
    path: &Path,
    name: &str,
    options: &OpenOptions,
) -> Result<Box<dyn Dataset>, DataError> {
    let open = |path: &Path| {
        let format = chosen(path, options)?;
        let mut part = OpenOptions {
            format: options.format.clone(),
            x_key: options.x_key.clone(),
            ..OpenOptions::default()
        };
        match format.parts {
            Parts::Arrays => part.y_key = name.to_owned(),
            Parts::Columns => {
                part.label_column = Some(name.to_owned());
                // Whatever makes up a sample is not asked for.
                part.columns = vec![name.to_owned()];
            }
            Parts::Nothing => {
                return Err(DataError::at(
                    DataErrorKind::Option,
                    path,
                    format_args!(
                        "has neither arrays nor columns by names ({}): give a file",
                        format.name
                    ),
                ));
            }
        }
        (format.open)(path, &part, None)
    };
    match shards::expand(path)? {
        Some(paths) => shards::open(&paths, open),
        None => open(path),
    }
}

/// Opens what lies at `path`, one file or several, still without what other files say of labels and classes.
pub(crate) fn open_unlabelled(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let open = |path: &Path| {
        let format = chosen(path, options)?;
        (format.open)(path, options, expected)
    };
    match shards::expand(path)? {
        Some(paths) => shards::open(&paths, open),
        None => open(path),
    }
}

fn chosen(path: &Path, options: &OpenOptions) -> Result<&'static Format, DataError> {
    match &options.format {
        Some(name) => named(name),
        None => recognise(path),
    }
}

fn named(name: &str) -> Result<&'static Format, DataError> {
    let format = FORMATS.iter().find(|format| format.name == name);
    format.ok_or_else(|| {
        DataError::new(
            DataErrorKind::Option,
            format!("there is no format {name:?}, only {}", all_names()),
        )
    })
}

fn recognise(path: &Path) -> Result<&'static Format, DataError> {
    let metadata = path
        .metadata()
        .map_err(|error| DataError::reading(path, error))?;
    let mut formats = FORMATS.iter();
    if metadata.is_dir() {
        let folder = formats.find(|format| matches!(format.recognised_by, Signs::Folder));
        return folder.ok_or_else(|| unknown(path));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let by_name = formats.find(|format| match &format.recognised_by {
        Signs::File(endings, _) => endings.iter().any(|ending| name.ends_with(ending)),
        Signs::Folder | Signs::Nothing => false,
    });
    if let Some(format) = by_name {
        return Ok(format);
    }
    let magic = Stream::open(path)?.magic()?;
    let by_magic = FORMATS.iter().find(|format| match &format.recognised_by {
        Signs::File(_, has_magic) => has_magic(&magic),
        Signs::Folder | Signs::Nothing => false,
    });
    by_magic.ok_or_else(|| unknown(path))
}

fn unknown(path: &Path) -> DataError {
    DataError::at(
        DataErrorKind::Format,
        path,
        format_args!(
            "is in no format that is recognised: choose one of {} with --format",
            all_names()
        ),
    )
}

fn all_names() -> String {
    format_names().collect::<Vec<_>>().join(", ")
}
