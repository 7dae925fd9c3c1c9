//! What the caller says about the data beyond their path.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::picture::{Colours, Crop, Resize};
use crate::resample::Interpolation;
use crate::{DataError, transform_file};

/// Where the channels lie in the samples of an array file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// `[C, H, W]`, or an array without channels.
    #[default]
    Nchw,
    /// `[H, W, C]`, brought to `[C, H, W]` when a sample is read, unless the network's input has the shape
    /// `[H, W, C]` too.
    Nhwc,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nchw => "nchw",
            Self::Nhwc => "nhwc",
        })
    }
}

/// How to open a dataset.
///
/// Images are converted to [`colours`](Self::colours), resized, cropped, and then treated as arrays are: every value
/// a network is given is `(value · scale − mean) / std`, with `mean` and `std` of its channel.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOptions {
    /// The format, one of [`format_names`](crate::format_names); by default it is recognised. `cifar` tells
    /// CIFAR-10 and CIFAR-100 apart by the length of the file, and takes the fine labels of CIFAR-100.
    pub format: Option<String>,
    /// The array of an `.npz` file that holds the samples; `x` by default. In a tar archive, the extension of the
    /// member that does, where it is not `x` and there are several that could.
    pub x_key: String,
    /// The array of an `.npz` file that holds the labels; `y` by default, and then it may be absent.
    pub y_key: String,
    /// The columns of a table that make up a sample, in this order; by default those that can, less the labels'.
    pub columns: Vec<String>,
    /// The column of a table that holds the labels. By default the one called `label`, `labels`, `target` or `class`
    /// (the first of these that there is), and then it may be absent.
    pub label_column: Option<String>,
    /// A file of labels: `.npy`, idx, or text with one label per line, each gzipped or not. Text may have a
    /// sample's key before each label. It takes the place of labels that come with the samples. None by default.
    pub labels: Option<PathBuf>,
    /// A file that gives every class name its label, for labels that are names; by default names sorted are labels
    /// 0, 1, ….
    pub class_map: Option<PathBuf>,
    /// Whether symbolic links in a folder of images may lead out of it; they may not by default.
    pub follow_links: bool,
    /// How the data are laid out (not the network's input); [`Layout::Nchw`] by default. Per-channel `mean` and
    /// `std` follow it.
    pub layout: Layout,
    /// The factor on the values as the file has them; 1 by default.
    pub scale: f64,
    /// What is subtracted after scaling: one value, one per channel, or none (the default) for 0.
    pub mean: Vec<f64>,
    /// What is divided by at last: one value, one per channel, or none (the default) for 1.
    pub std: Vec<f64>,
    /// The size that images are brought to; none by default.
    pub resize: Option<Resize>,
    /// The middle of them that is taken after that; all by default.
    pub crop: Option<Crop>,
    /// How images are resized; [`Interpolation::Bilinear`] by default.
    pub interpolation: Interpolation,
    /// The channels of images; by default grey where the network has one channel, and else red, green, blue.
    pub colours: Option<Colours>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            format: None,
            x_key: "x".to_owned(),
            y_key: "y".to_owned(),
            columns: Vec::new(),
            label_column: None,
            labels: None,
            class_map: None,
            follow_links: false,
            layout: Layout::Nchw,
            scale: 1.0,
            mean: Vec::new(),
            std: Vec::new(),
            resize: None,
            crop: None,
            interpolation: Interpolation::default(),
            colours: None,
        }
    }
}

impl OpenOptions {
    /// Takes the preprocessing that the file at `path` describes: one of Quaver's own in TOML or JSON, or the
    /// `preprocessor_config.json` of a Hugging Face model. What the file does not speak of stays as it is.
    ///
    /// # Errors
    /// Names what in the file is not understood: nothing is passed over that would change a value.
    pub fn read_transform(&mut self, path: &Path) -> Result<(), DataError> {
        transform_file::read(path, self)
    }
}
