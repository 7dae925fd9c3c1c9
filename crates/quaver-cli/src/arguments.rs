//! Options that several commands share, and how their values are read.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use quaver::{Dataset, HeadChoice, LabelChoice, Layout, LoadOptions, OpenOptions, Subset};

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

    /// Array of an .npz file that holds the samples.
    #[arg(long, value_name = "KEY", default_value = "x")]
    pub x_key: String,

    /// Array of an .npz file that holds the labels.
    #[arg(long, value_name = "KEY", default_value = "y")]
    pub y_key: String,

    /// File of labels: .npy, idx, or text with one label per line.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// Layout of the samples in array files.
    #[arg(long, value_parser = ["nchw", "nhwc"], default_value = "nchw")]
    pub layout: String,

    /// Factor on the values as the file has them: a number, or a fraction such as 1/255.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = number, allow_negative_numbers = true)]
    pub scale: f64,

    /// What is subtracted after scaling: one number, or one per channel: 0.485,0.456,0.406.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = number, allow_hyphen_values = true)]
    pub mean: Vec<f64>,

    /// What is divided by at last: one number, or one per channel.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = number, allow_hyphen_values = true)]
    pub std: Vec<f64>,

    /// Height and width to resize the images of a folder to: 224x224.
    #[arg(long, value_name = "HxW", value_parser = height_and_width)]
    pub resize: Option<(usize, usize)>,

    /// Samples to take: 0,5,10-20, or @FILE with such lists as its lines [default: all].
    #[arg(long, value_name = "LIST")]
    pub indices: Option<String>,

    /// The first N of them only.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
}

impl DataArgs {
    /// How the file is read.
    pub fn options(&self) -> OpenOptions {
        OpenOptions {
            format: self.format.clone(),
            x_key: self.x_key.clone(),
            y_key: self.y_key.clone(),
            labels: self.labels.clone(),
            layout: match self.layout.as_str() {
                "nhwc" => Layout::Nhwc,
                _ => Layout::Nchw,
            },
            scale: self.scale,
            mean: self.mean.clone(),
            std: self.std.clone(),
            resize: self.resize,
        }
    }

    /// Opens the chosen samples of `path` for a network whose input has shape `expected`.
    pub fn open(&self, path: &Path, expected: &[usize]) -> Result<Box<dyn Dataset>, Failure> {
        self.open_for(path, Some(expected))
    }

    /// Opens the chosen samples of `path` as they are, for no network.
    pub fn open_as_is(&self, path: &Path) -> Result<Box<dyn Dataset>, Failure> {
        self.open_for(path, None)
    }

    fn open_for(
        &self,
        path: &Path,
        expected: Option<&[usize]>,
    ) -> Result<Box<dyn Dataset>, Failure> {
        let dataset = quaver::open(path, &self.options(), expected)?;
        let chosen = match (&self.indices, self.limit) {
            (None, None) => return Ok(dataset),
            (Some(list), _) => quaver::parse_indices(list)?,
            (None, Some(limit)) => (0..dataset.len().min(limit.get())).collect(),
        };
        let limit = self.limit.map_or(chosen.len(), NonZeroUsize::get);
        let chosen: Vec<usize> = chosen.into_iter().take(limit).collect();
        let subset = Subset::new(dataset, chosen);
        let subset = subset.map_err(|error| Failure::Input(format!("{}: {error}", path.display())));
        Ok(Box::new(subset?))
    }
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

fn height_and_width(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once('x').map(|(h, w)| (h.parse(), w.parse()));
    match sides {
        Some((Ok(h), Ok(w))) if h > 0 && w > 0 => Ok((h, w)),
        _ => Err("give a height and a width: 224x224".to_owned()),
    }
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
        assert_eq!(height_and_width("3x5"), Ok((3, 5)));
        assert!(height_and_width("3").is_err() && height_and_width("0x5").is_err());
    }
}
