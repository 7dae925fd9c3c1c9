//! From what a format has to what a network is given: the one way for all of them.

use std::path::Path;

use crate::fit::{fit, fits};
use crate::picture::{self, Colours, Plan, Size};
use crate::source::{Content, Raw, Source};
use crate::transform::{Channels, Transform};
use crate::{DataError, DataErrorKind, Dataset, Layout, OpenOptions, Sample, Units};

/// So many images are looked at to tell whether all are of one size. Others are checked when they are read.
const MOST_PROBED: usize = 64;

/// A dataset over a [`Source`].
struct Prepared<S> {
    source: S,
    /// What is done to images.
    images: Option<Images>,
    n_values: usize,
    shape: Vec<usize>,
    transform: Transform,
}

struct Images {
    plan: Plan,
    colours: Colours,
    size: Size,
}

/// Makes the samples of `source`, laid out as `layout` says if they are arrays, fit the `expected` shape.
pub(crate) fn prepare(
    source: impl Source + 'static,
    layout: Layout,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let name = source.name();
    if source.len() == 0 {
        return Err(no_samples(name));
    }
    let (images, stored, layout) = match source.content() {
        Content::Arrays(shape) => {
            refuse_image_options(name, options)?;
            (None, shape, layout)
        }
        Content::Images if options.layout == Layout::Nhwc => {
            return Err(DataError::at(
                DataErrorKind::Option,
                name,
                "layout nhwc is for arrays; images are laid out as the network's input is",
            ));
        }
        Content::Images => {
            let plan = Plan::new(options)?;
            let size = match plan.size() {
                Some(size) => size,
                None => common_size(&source, &plan, expected)?,
            };
            let colours = options.colours.unwrap_or_else(|| colours(size, expected));
            let shape = vec![size.0, size.1, colours.count()];
            let images = Images {
                plan,
                colours,
                size,
            };
            // Pixels are decoded with their channels last.
            (Some(images), shape, Layout::Nhwc)
        }
    };
    let (data_shape, channels) = arrange(name, layout, &stored, expected)?;
    let is_moved = matches!(channels, Channels::LastToFirst(_));
    let shape = fit(
        name,
        (&data_shape, is_moved),
        expected,
        |expected| match images {
            Some(_) => resize_hint(expected),
            None => layout_hint(source.len(), &stored, layout, expected),
        },
    )?;
    let n_channels = [&data_shape, &shape].map(|shape| match channels {
        Channels::Last => shape.last().copied().unwrap_or(1),
        Channels::First | Channels::LastToFirst(_) => shape.first().copied().unwrap_or(1),
    });
    let transform = Transform::new(options, channels, n_channels)?;
    Ok(Box::new(Prepared {
        source,
        images,
        n_values: shape.iter().product(),
        shape,
        transform,
    }))
}

/// The error of every format for data without samples.
pub(crate) fn no_samples(name: &Path) -> DataError {
    DataError::at(DataErrorKind::Format, name, "no samples")
}

fn refuse_image_options(name: &Path, options: &OpenOptions) -> Result<(), DataError> {
    for (option, given) in [
        ("resize", options.resize.is_some()),
        ("crop", options.crop.is_some()),
        ("colours", options.colours.is_some()),
    ] {
        if given {
            return Err(DataError::at(
                DataErrorKind::Option,
                name,
                format_args!("{option} is for images; the samples of this file are arrays"),
            ));
        }
    }
    Ok(())
}

/// The shape of samples as a network sees them, and what is done to their channels.
fn arrange(
    name: &Path,
    layout: Layout,
    stored: &[usize],
    expected: Option<&[usize]>,
) -> Result<(Vec<usize>, Channels), DataError> {
    Ok(match (layout, stored) {
        (Layout::Nchw, shape) => (shape.to_vec(), Channels::First),
        (Layout::Nhwc, &[h, w, c]) => {
            // A network may want the channels last as well.
            let as_is =
                expected.is_some_and(|expected| expected == stored && !fits(&[c, h, w], expected));
            match as_is {
                true => (stored.to_vec(), Channels::Last),
                false => (vec![c, h, w], Channels::LastToFirst([h, w, c])),
            }
        }
        (Layout::Nhwc, shape) => {
            return Err(DataError::at(
                DataErrorKind::Option,
                name,
                format_args!(
                    "layout nhwc needs samples of three axes, and these have shape {shape:?}"
                ),
            ));
        }
    })
}

/// Grey where the network has one channel, and else red, green and blue.
fn colours((height, width): Size, expected: Option<&[usize]>) -> Colours {
    let grey = expected.is_some_and(|expected| {
        let one_channel = matches!(expected, [1, _, _] | [_, _, 1]);
        let fits_with = |channels| {
            fits(&[channels, height, width], expected) || expected == [height, width, channels]
        };
        !fits_with(3) && (one_channel || fits_with(1))
    });
    if grey { Colours::Grey } else { Colours::Rgb }
}

/// The size that the first images come to have, those left out that cannot be read.
fn common_size(
    source: &impl Source,
    plan: &Plan,
    expected: Option<&[usize]>,
) -> Result<Size, DataError> {
    let mut common = None;
    let mut failure = None;
    for index in 0..source.len().min(MOST_PROBED) {
        let size = source.read(index).and_then(|raw| match raw {
            Raw::Image(encoded) => picture::size(&source.place(index), &encoded),
            Raw::Numbers(_) => Ok((0, 0)),
        });
        let size = match size {
            Ok(size) => plan.size_of(size),
            Err(error) => {
                failure.get_or_insert(error);
                continue;
            }
        };
        let common = *common.get_or_insert(size);
        if size != common {
            let wanted = match expected {
                Some([1 | 3, h, w] | [h, w, 1 | 3]) => format!("{h}x{w}"),
                _ => "HxW".to_owned(),
            };
            return Err(DataError::at(
                DataErrorKind::Shape,
                &source.place(index),
                format_args!(
                    "is {}x{}, and the images before it are {}x{}: make all of one size with --resize {wanted}",
                    size.0, size.1, common.0, common.1
                ),
            ));
        }
    }
    match (common, failure) {
        (Some(size), _) => Ok(size),
        (None, Some(error)) => Err(error),
        (None, None) => Err(no_samples(source.name())),
    }
}

fn resize_hint(expected: &[usize]) -> Option<String> {
    match *expected {
        [1 | 3, h, w] | [h, w, 1 | 3] => Some(format!("they would with --resize {h}x{w}")),
        _ => None,
    }
}

/// How arrays of a shape that does not fit could be made to fit.
fn layout_hint(
    count: usize,
    stored: &[usize],
    layout: Layout,
    expected: &[usize],
) -> Option<String> {
    if let &[h, w, c] = stored {
        if layout == Layout::Nchw && fits(&[c, h, w], expected) {
            return Some("they would with --layout nhwc".to_owned());
        }
        if layout == Layout::Nhwc && fits(stored, expected) {
            return Some("they would without --layout nhwc".to_owned());
        }
    }
    let mut whole = vec![count];
    whole.extend(stored);
    (whole == expected)
        .then(|| "the whole array would; give it a first axis that counts the samples".to_owned())
}

impl<S: Source> Prepared<S> {
    fn check_index(&self, index: usize) -> Result<(), DataError> {
        if index >= self.source.len() {
            return Err(DataError::out_of_range(index, self.source.len()));
        }
        Ok(())
    }
}

/// The error of a sample that could be reached and not be understood.
fn of_sample(error: DataError) -> DataError {
    match error.kind() {
        DataErrorKind::Io => error,
        _ => error.for_sample(),
    }
}

impl<S: Source> Dataset for Prepared<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let label = self.label(index)?;
        let values = match (self.source.read(index).map_err(of_sample)?, &self.images) {
            (Raw::Numbers(values), _) => values,
            (Raw::Image(encoded), images) => {
                let place = self.source.place(index);
                let pixels = images.as_ref().map_or(Ok(Vec::new()), |images| {
                    let Images {
                        plan,
                        colours,
                        size,
                    } = images;
                    plan.decode(&place, &encoded, *colours, *size)
                });
                let pixels = pixels.map_err(of_sample)?;
                pixels.into_iter().map(f64::from).collect()
            }
        };
        let refuse = |kind, problem: String| {
            let message = format!("sample {index} {problem}");
            DataError::at(kind, &self.source.place(index), message).for_sample()
        };
        if values.len() != self.n_values {
            let problem = format!("has {} values, not {}", values.len(), self.n_values);
            return Err(refuse(DataErrorKind::Shape, problem));
        }
        let values = self.transform.apply(values);
        let values =
            values.map_err(|problem| refuse(DataErrorKind::NotFinite, problem.to_string()))?;
        Ok(Sample {
            values,
            label,
            key: self.source.key(index),
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        self.check_index(index)?;
        self.source.label(index).map_err(of_sample)
    }

    fn units(&self) -> Units {
        const PIXELS: (f64, f64) = (0.0, 255.0);
        let range = match self.images {
            Some(_) => Some(PIXELS),
            None => self.source.range(),
        };
        self.transform.units(range)
    }

    fn has_keys(&self) -> bool {
        self.source.key(0).is_some()
    }

    fn key(&self, index: usize) -> Option<String> {
        self.check_index(index).ok()?;
        self.source.key(index)
    }

    fn class_names(&self) -> Option<&[String]> {
        self.source.class_names()
    }
}
