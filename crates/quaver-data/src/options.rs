//! What the caller says about the data beyond their path.

use std::path::PathBuf;

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

/// How to open a dataset.
///
/// Every value a network is given is `(value · scale − mean) / std`, with `mean` and `std` of its channel.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOptions {
    /// The format, one of [`format_names`](crate::format_names); by default it is recognised. `cifar` tells
    /// CIFAR-10 and CIFAR-100 apart by the length of the file, and takes the fine labels of CIFAR-100.
    pub format: Option<String>,
    /// The array of an `.npz` file that holds the samples; `x` by default.
    pub x_key: String,
    /// The array of an `.npz` file that holds the labels; `y` by default, and then it may be absent.
    pub y_key: String,
    /// A file of labels: `.npy`, idx, or text with one label per line, each gzipped or not. It takes the place
    /// of labels that come with the samples. None by default.
    pub labels: Option<PathBuf>,
    /// How the data are laid out (not the network's input); [`Layout::Nchw`] by default. Per-channel `mean` and
    /// `std` follow it.
    pub layout: Layout,
    /// The factor on the values as the file has them; 1 by default.
    pub scale: f64,
    /// What is subtracted after scaling: one value, one per channel, or none (the default) for 0.
    pub mean: Vec<f64>,
    /// What is divided by at last: one value, one per channel, or none (the default) for 1.
    pub std: Vec<f64>,
    /// The height and width that the images of a folder are resized to; none by default.
    pub resize: Option<(usize, usize)>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            format: None,
            x_key: "x".to_owned(),
            y_key: "y".to_owned(),
            labels: None,
            layout: Layout::Nchw,
            scale: 1.0,
            mean: Vec::new(),
            std: Vec::new(),
            resize: None,
        }
    }
}
