//! Options that several commands share, and how their values are read.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use quaver::{
    Centre, Colours, Crop, DataErrorKind, Dataset, HeadChoice, InputFile, Interpolation,
    LabelChoice, Layout, LoadOptions, Model, OpenOptions, Resize, Subset,
};
use quaver_report::RunRecord;
use quaver_store::{is_store, record};

use crate::failure::Failure;

/// How the model is read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Output, or any other value, to analyse [default: the only output].
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,

    /// Shape of one sample, without the batch axis, where the model leaves it open: 3,224,224.
    #[arg(long, value_name = "DIMS", value_delimiter = ',')]
    pub input_shape: Option<Vec<usize>>,

    /// What the output is: detect (a Softmax, LogSoftmax or Sigmoid at the end is found and stripped), logits (as it
    /// is), multi-label (a yes or no each), or gaussian:SIGMA (a regression with noise).
    #[arg(long, value_name = "HEAD", default_value = "detect", value_parser = head)]
    pub head: (HeadChoice, f64),
}

impl ModelArgs {
    /// What was asked for, for the record of a run.
    pub fn record(&self, record: RunRecord) -> RunRecord {
        record::of_model(record, &self.options())
    }

    /// The first option that was given. Of a store, whose network was read before, none has a meaning.
    pub fn given(&self) -> Option<&'static str> {
        first_given(&[
            ("--output", self.output.is_some()),
            ("--input-shape", self.input_shape.is_some()),
            ("--head", self.options().head != HeadChoice::Detect),
        ])
    }

    pub fn options(&self) -> LoadOptions {
        LoadOptions {
            output: self.output.clone(),
            input_shape: self.input_shape.clone(),
            head: self.head.0,
            noise: self.head.1,
        }
    }
}

/// How the data are read, and which of them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Format of DATA [default: recognised].
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(quaver::format_names()))]
    pub format: Option<String>,

    /// Array of an .npz file that holds the samples, or extension of the members of a .tar that do.
    #[arg(long, value_name = "KEY", default_value = "x")]
    pub x_key: String,

    /// Array of an .npz file that holds the labels.
    #[arg(long, value_name = "KEY", default_value = "y")]
    pub y_key: String,

    /// Columns of a table that make up a sample, in this order [default: all that can, less the labels].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,

    /// Column of a table that holds the labels [default: label, labels, target or class, where there is one].
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,

    /// Values of one input of a model that has several, in place of DATA: an array file, an array of an .npz file or a
    /// column of a table (NAME=FILE:KEY). Given once for each input.
    #[arg(long, value_name = "NAME=FILE", value_parser = parsed::<InputFile>)]
    pub input: Vec<InputFile>,

    /// File of labels: .npy, idx, or text with one label per line, or a sample's key and its label.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// File of class names and their labels: JSON (imagenet_class_index.json, config.json), or text.
    #[arg(long, value_name = "FILE")]
    pub class_map: Option<PathBuf>,

    /// Follow symbolic links that lead out of a folder of images.
    #[arg(long)]
    pub follow_links: bool,

    /// Layout of the samples in array files [default: nchw].
    #[arg(long, value_parser = ["nchw", "nhwc"])]
    pub layout: Option<String>,

    /// File of preprocessing, TOML or JSON, or a model's preprocessor_config.json; options below override it.
    #[arg(long, value_name = "FILE")]
    pub transform: Option<PathBuf>,

    /// Factor on the values as the file has them: a number, or a fraction such as 1/255 [default: 1].
    #[arg(long, value_name = "FACTOR", value_parser = number, allow_negative_numbers = true)]
    pub scale: Option<f64>,

    /// What is subtracted after scaling: one number, or one per channel: 0.485,0.456,0.406.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = number, allow_hyphen_values = true)]
    pub mean: Vec<f64>,

    /// What is divided by at last: one number, or one per channel.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = number, allow_hyphen_values = true)]
    pub std: Vec<f64>,

    /// Resize images to a height and width, 224x224, or their shorter side, 256.
    #[arg(long, value_name = "HxW|N", value_parser = resize)]
    pub resize: Option<Resize>,

    /// Take the middle of images, after they are resized: 224x224, or 224.
    #[arg(long, value_name = "HxW|N", value_parser = crop)]
    pub crop: Option<Crop>,

    /// How images are resized; the pixels are Pillow's [default: bilinear].
    #[arg(long, value_name = "FILTER", value_parser = PossibleValuesParser::new(Interpolation::names()))]
    pub interpolation: Option<String>,

    /// Channels of images [default: grey or rgb, as the model has them].
    #[arg(long, value_parser = PossibleValuesParser::new(Colours::names()))]
    pub colours: Option<String>,

    /// Samples to take: 0,5,10-20, or @FILE with such lists as its lines [default: all].
    #[arg(long, value_name = "LIST")]
    pub indices: Option<String>,

    /// The first N of them only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
}

impl DataArgs {
    /// What was asked for, for the record of a run; what a transform file says is written out.
    pub fn record(&self, record: RunRecord) -> Result<RunRecord, Failure> {
        let limit = self.limit.map(NonZeroUsize::get);
        let indices = self.indices.as_deref();
        Ok(record::of_data(record, &self.options()?, indices, limit))
    }

    /// The first option that was given. Of a store, whose data were read before, none has a meaning.
    pub fn given(&self) -> Option<&'static str> {
        self.given_of_files().or(first_given(&[
            ("--indices", self.indices.is_some()),
            ("--limit", self.limit.is_some()),
        ]))
    }

    /// The first that was given, but for those that choose samples.
    pub fn given_of_files(&self) -> Option<&'static str> {
        first_given(&[
            ("--format", self.format.is_some()),
            ("--x-key", self.x_key != "x"),
            ("--y-key", self.y_key != "y"),
            ("--columns", !self.columns.is_empty()),
            ("--label-column", self.label_column.is_some()),
            ("--input", !self.input.is_empty()),
            ("--labels", self.labels.is_some()),
            ("--class-map", self.class_map.is_some()),
            ("--follow-links", self.follow_links),
            ("--layout", self.layout.is_some()),
            ("--transform", self.transform.is_some()),
            ("--scale", self.scale.is_some()),
            ("--mean", !self.mean.is_empty()),
            ("--std", !self.std.is_empty()),
            ("--resize", self.resize.is_some()),
            ("--crop", self.crop.is_some()),
            ("--interpolation", self.interpolation.is_some()),
            ("--colours", self.colours.is_some()),
        ])
    }

    /// What the transform file says, and over it what the command line does.
    pub fn options(&self) -> Result<OpenOptions, Failure> {
        let mut options = OpenOptions {
            format: self.format.clone(),
            x_key: self.x_key.clone(),
            y_key: self.y_key.clone(),
            columns: self.columns.clone(),
            label_column: self.label_column.clone(),
            labels: self.labels.clone(),
            class_map: self.class_map.clone(),
            follow_links: self.follow_links,
            ..OpenOptions::default()
        };
        if let Some(path) = &self.transform {
            options.read_transform(path)?;
        }
        if let Some(layout) = &self.layout {
            options.layout = match layout.as_str() {
                "nhwc" => Layout::Nhwc,
                _ => Layout::Nchw,
            };
        }
        options.scale = self.scale.unwrap_or(options.scale);
        for (given, option) in [
            (&self.mean, &mut options.mean),
            (&self.std, &mut options.std),
        ] {
            if !given.is_empty() {
                option.clone_from(given);
            }
        }
        options.resize = self.resize.or(options.resize);
        options.crop = self.crop.or(options.crop);
        let named = self.interpolation.as_deref();
        let named = named.and_then(Interpolation::named);
        options.interpolation = named.unwrap_or(options.interpolation);
        let named = self.colours.as_deref().and_then(Colours::named);
        options.colours = named.or(options.colours);
        Ok(options)
    }

    /// Opens the chosen samples of `path` for `model`; those of its inputs one by one, where they are given so.
    pub fn open_for(
        &self,
        path: Option<&Path>,
        model: &Model,
    ) -> Result<Box<dyn Dataset>, Failure> {
        let path = self.first(path)?;
        if is_store(path) {
            return Err(Failure::Input(format!(
                "{}: is a store of Grams, and no data for a network; leave the network out",
                path.display()
            )));
        }
        let dataset = model.open_data(path, &self.input, &self.options()?)?;
        self.chosen(path, dataset)
    }

    /// The data, or the file of the input that is named first: what labels are looked for in, and what messages say.
    pub fn first<'a>(&'a self, path: Option<&'a Path>) -> Result<&'a Path, Failure> {
        let refuse = |why: &str| Err(Failure::Input(why.to_owned()));
        match (path, self.input.as_slice()) {
            (Some(path), []) => Ok(path),
            (None, [first, ..]) => Ok(&first.path),
            (Some(_), _) => refuse("give DATA, or every input by --input NAME=FILE, and not both"),
            (None, []) => refuse(
                "give data after the model, its inputs by --input NAME=FILE, or the folder of a store alone (--store)",
            ),
        }
    }

    /// Opens the chosen samples of `path` as they are, for no network.
    pub fn open_as_is(&self, path: &Path) -> Result<Box<dyn Dataset>, Failure> {
        let dataset = quaver::open(path, &self.options()?, None)?;
        self.chosen(path, dataset)
    }

    fn chosen(&self, path: &Path, dataset: Box<dyn Dataset>) -> Result<Box<dyn Dataset>, Failure> {
        let limit = self.limit.map(NonZeroUsize::get);
        chosen(path, dataset, self.indices.as_deref(), limit)
    }
}

/// The samples of these `indices`, the first `limit` of them; all if neither is said.
pub fn chosen(
    path: &Path,
    dataset: Box<dyn Dataset>,
    indices: Option<&str>,
    limit: Option<usize>,
) -> Result<Box<dyn Dataset>, Failure> {
    Subset::choose(dataset, indices, limit).map_err(|error| match error.kind() {
        DataErrorKind::Option => error.into(),
        _ => Failure::Input(format!("{}: {error}", path.display())),
    })
}

/// Refuses a folder where a network is expected.
pub fn check_file_of_model(path: &Path) -> Result<(), Failure> {
    let path_name = path.display();
    match (path.is_dir(), is_store(path)) {
        (false, _) => Ok(()),
        (true, true) => Err(Failure::Input(format!(
            "{path_name}: is a store of Grams, which has its own network and data; give it alone"
        ))),
        (true, false) => Err(Failure::Input(format!(
            "{path_name}: is a folder, and no store of Grams in it (no store.json); give an ONNX file or a store"
        ))),
    }
}

/// Refuses labels that the network has no class for, and data without labels where they are `needed`.
pub fn check_labels(
    dataset: &dyn Dataset,
    data: &Path,
    model: &Model,
    needed: bool,
) -> Result<(), Failure> {
    let refuse = |why: &dyn Display| Failure::Input(format!("{}: {why}", data.display()));
    quaver::check_labels(dataset, model.n_classes()).map_err(|error| refuse(&error))?;
    if needed && !dataset.is_empty() && dataset.label(0)?.is_none() {
        return Err(refuse(
            &"has no labels; give them (--labels) or use the predicted class (--label predicted)",
        ));
    }
    Ok(())
}

/// The first of these options that was given.
pub fn first_given(options: &[(&'static str, bool)]) -> Option<&'static str> {
    let given = options.iter().find(|(_, given)| *given);
    given.map(|(name, _)| *name)
}

/// Reads what knows how to read itself.
pub fn parsed<T>(text: &str) -> Result<T, String>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Reads a number, or a fraction of two.
pub fn number(text: &str) -> Result<f64, String> {
    let value = match text.split_once('/') {
        Some((above, below)) => parse(above)? / parse(below)?,
        None => parse(text)?,
    };
    match value.is_finite() {
        true => Ok(value),
        false => Err("not a finite number".to_owned()),
    }
}

fn parse(text: &str) -> Result<f64, String> {
    let text = text.trim();
    text.parse()
        .map_err(|_| format!("'{text}' is not a number"))
}

/// Reads `true`, `predicted` or the number of a class.
pub fn label_choice(text: &str) -> Result<LabelChoice, String> {
    match text {
        "true" => Ok(LabelChoice::True),
        "predicted" => Ok(LabelChoice::Predicted),
        _ => text
            .parse()
            .map(LabelChoice::Class)
            .map_err(|_| "give true, predicted, or the number of a class (from 0)".to_owned()),
    }
}

/// Reads what the output is, and the noise of a regression.
fn head(text: &str) -> Result<(HeadChoice, f64), String> {
    let choice = match text {
        "detect" => HeadChoice::Detect,
        "logits" => HeadChoice::Logits,
        "multi-label" => HeadChoice::MultiLabel,
        _ => match text.strip_prefix("gaussian:").map(number) {
            Some(Ok(sigma)) if sigma > 0.0 => return Ok((HeadChoice::Regression, sigma)),
            _ => {
                return Err(
                    "give detect, logits, multi-label, or gaussian:SIGMA (SIGMA above 0)"
                        .to_owned(),
                );
            }
        },
    };
    Ok((choice, LoadOptions::default().noise))
}

/// Reads a height and a width, or the length of a shorter side.
fn resize(text: &str) -> Result<Resize, String> {
    match text.split_once('x') {
        Some(sides) => side(sides.0).zip(side(sides.1)).map(Resize::from),
        None => side(text).map(Resize::Shorter),
    }
    .ok_or_else(|| "give a height and a width, 224x224, or a shorter side, 256".to_owned())
}

/// Reads a height and a width, or one length for both.
fn crop(text: &str) -> Result<Crop, String> {
    let size = match text.split_once('x') {
        Some(sides) => side(sides.0).zip(side(sides.1)),
        None => side(text).map(|side| (side, side)),
    };
    let crop = size.map(|size| Crop {
        size,
        centre: Centre::default(),
    });
    crop.ok_or_else(|| "give a height and a width, 224x224, or one length for both".to_owned())
}

fn side(text: &str) -> Option<usize> {
    text.parse().ok().filter(|&side| side > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_fractions() {
        assert_eq!(number("1/4"), Ok(0.25));
        assert_eq!(number("-2.5e-1"), Ok(-0.25));
        for bad in ["", "x", "1/0", "nan", "1/2/3", "inf"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_and_sizes() {
        assert_eq!(label_choice("predicted"), Ok(LabelChoice::Predicted));
        assert_eq!(label_choice("7"), Ok(LabelChoice::Class(7)));
        assert!(label_choice("-1").is_err());
        assert_eq!(resize("3x5"), Ok(Resize::Exact(3, 5)));
        assert_eq!(resize("256"), Ok(Resize::Shorter(256)));
        assert_eq!(crop("7").map(|crop| crop.size), Ok((7, 7)));
        for bad in ["", "0", "0x5", "3x", "3x4x5", "-1"] {
            assert!(resize(bad).is_err() && crop(bad).is_err(), "{bad}");
        }
    }
}
