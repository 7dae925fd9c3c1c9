//! Data with outliers of which it is known where they are: pictures laid over each other, labels changed.
//!
//! Made from any labelled data, as they are in the file (before scaling), so that a network trained on the result, or one
//! trained on the original, can be asked whether it notices.

use quaver_data::{DataError, Dataset, Sample, Units};

use crate::random::Random;
use crate::{Error, ErrorKind};

/// How pictures are laid over each other (Shu & Zhu, AAAI-19, the simulated outliers of Figure 3).
#[derive(Debug, Clone, PartialEq)]
pub struct OverlayOptions {
    /// How many outliers are made, after the samples themselves. Default: one for every ten samples.
    pub n_outliers: Option<usize>,
    /// The largest shift of either picture along each axis, in pixels. Default: 4.
    pub max_shift: usize,
    /// The value of what a shift leaves empty. Default: 0.
    pub background: f64,
    /// The seed.
    pub seed: u64,
}

impl Default for OverlayOptions {
    fn default() -> Self {
        Self {
            n_outliers: None,
            max_shift: 4,
            background: 0.0,
            seed: 0,
        }
    }
}

/// How labels are changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MislabelOptions {
    /// How many labels are changed. Default: one for every ten samples.
    pub n_outliers: Option<usize>,
    /// The seed.
    pub seed: u64,
}

/// How one sample was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The sample of the source it is, or the first of two pictures.
    pub source: usize,
    /// For an overlay the second picture.
    pub other: Option<usize>,
    /// For an overlay the shifts of both pictures, right and down, in pixels.
    pub shifts: [[isize; 2]; 2],
    /// The label it is given.
    pub label: usize,
    /// The label of `source`.
    pub true_label: usize,
}

impl Origin {
    /// Whether something was done to it.
    pub fn is_outlier(&self) -> bool {
        self.other.is_some() || self.label != self.true_label
    }
}

/// Simulated data: a dataset that is made when it is read.
pub struct Simulated<'a> {
    dataset: &'a dyn Dataset,
    origins: Vec<Origin>,
    background: f64,
}

enum Stream {
    Overlay = 101,
    Mislabel = 102,
    Chosen = 103,
}

impl From<Stream> for u64 {
    fn from(stream: Stream) -> Self {
        stream as Self
    }
}

/// The samples of `dataset`, and after them outliers: two pictures of different classes, each shifted by up to
/// `max_shift` pixels along both axes, the larger of both values in every pixel, with the label of one of the two.
///
/// Samples are `[…, height, width]`. Every outlier depends on the seed and its own number alone.
///
/// # Errors
/// If a sample has no label, there is one class only, or samples are not pictures wider and higher than the shift.
pub fn overlay<'a>(
    dataset: &'a dyn Dataset,
    options: &OverlayOptions,
) -> Result<Simulated<'a>, Error> {
    let (labels, classes) = labels(dataset)?;
    let [.., height, width] = *dataset.shape() else {
        return Err(refuse(format!(
            "samples of shape {:?} are no pictures that could be laid over each other",
            dataset.shape()
        )));
    };
    if options.max_shift >= height.min(width) {
        return Err(refuse(format!(
            "a shift of {} pixels moves pictures of {height}x{width} out of sight",
            options.max_shift
        )));
    }
    if !options.background.is_finite() {
        return Err(refuse("the background is not a finite number".to_owned()));
    }
    let n = labels.len();
    let mut origins: Vec<Origin> = labels.iter().enumerate().map(untouched).collect();
    // The samples of each class, so that a picture of another one is drawn at once and not by trial.
    let by_class: Vec<Vec<usize>> = classes
        .iter()
        .map(|class| (0..n).filter(|at| labels[*at] == *class).collect())
        .collect();
    let shift = |random: &mut Random| {
        let span = 2 * options.max_shift as u64 + 1;
        [(); 2].map(|()| random.below(span) as isize - options.max_shift as isize)
    };
    for number in 0..wanted(options.n_outliers, n) {
        let mut random = Random::new(options.seed, Stream::Overlay, number as u64);
        let source = random.below(n as u64) as usize;
        let own = by_class
            .iter()
            .position(|members| members.binary_search(&source).is_ok());
        let n_others = n - own.map_or(0, |own| by_class[own].len());
        let mut pick = random.below(n_others as u64) as usize;
        let mut other = source;
        for (class, members) in by_class.iter().enumerate() {
            if Some(class) == own {
                continue;
            }
            match members.get(pick) {
                Some(&found) => {
                    other = found;
                    break;
                }
                None => pick -= members.len(),
            }
        }
        let shifts = [shift(&mut random), shift(&mut random)];
        // Which of the two gives the label is a matter of chance as well.
        let label = labels[if random.below(2) == 0 { source } else { other }];
        origins.push(Origin {
            source,
            other: Some(other),
            shifts,
            label,
            true_label: labels[source],
        });
    }
    Ok(Simulated {
        dataset,
        origins,
        background: options.background,
    })
}

/// The samples of `dataset`, some of them with the label of another class that occurs in the data, each as likely.
///
/// # Errors
/// If a sample has no label, there is one class only, or more labels are to be changed than there are.
pub fn mislabel<'a>(
    dataset: &'a dyn Dataset,
    options: &MislabelOptions,
) -> Result<Simulated<'a>, Error> {
    let (labels, classes) = labels(dataset)?;
    let n_outliers = wanted(options.n_outliers, labels.len());
    if n_outliers > labels.len() {
        return Err(refuse(format!(
            "{n_outliers} labels are to be changed, and there are {}",
            labels.len()
        )));
    }
    let mut origins: Vec<Origin> = labels.iter().enumerate().map(untouched).collect();
    let mut random = Random::new(options.seed, Stream::Chosen, 0);
    for at in random.some_of(labels.len(), n_outliers) {
        let mut random = Random::new(options.seed, Stream::Mislabel, at as u64);
        let own = classes.iter().position(|class| *class == labels[at]);
        let step = 1 + random.below(classes.len() as u64 - 1) as usize;
        origins[at].label = classes[(own.unwrap_or(0) + step) % classes.len()];
    }
    Ok(Simulated {
        dataset,
        origins,
        background: 0.0,
    })
}

fn wanted(asked: Option<usize>, n: usize) -> usize {
    asked.unwrap_or_else(|| n.div_ceil(10))
}

fn untouched((source, label): (usize, &usize)) -> Origin {
    Origin {
        source,
        other: None,
        shifts: [[0; 2]; 2],
        label: *label,
        true_label: *label,
    }
}

/// The label of every sample, and the classes that occur.
fn labels(dataset: &dyn Dataset) -> Result<(Vec<usize>, Vec<usize>), Error> {
    let mut labels = Vec::with_capacity(dataset.len());
    for index in 0..dataset.len() {
        let label = dataset.label(index)?;
        labels.push(label.ok_or_else(|| refuse(format!("sample {index} has no label")))?);
    }
    let mut classes = labels.clone();
    classes.sort_unstable();
    classes.dedup();
    match classes.len() {
        0 | 1 => Err(refuse(format!(
            "{} class occurs in the data, and two are needed",
            classes.len()
        ))),
        _ => Ok((labels, classes)),
    }
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::Data, message)
}

impl Simulated<'_> {
    /// How every sample was made.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// The values of a picture of the source, shifted: what leaves the frame is lost.
    fn shifted(&self, index: usize, [right, down]: [isize; 2]) -> Result<Vec<f64>, DataError> {
        let values = self.dataset.read(index)?.values;
        let [.., height, width] = *self.dataset.shape() else {
            return Ok(values);
        };
        let mut moved = vec![self.background; values.len()];
        let planes = values
            .chunks(height * width)
            .zip(moved.chunks_mut(height * width));
        for (from, to) in planes {
            for row in 0..height {
                let Some(source_row) = row.checked_add_signed(-down).filter(|at| *at < height)
                else {
                    continue;
                };
                for column in 0..width {
                    let source = column.checked_add_signed(-right).filter(|at| *at < width);
                    if let Some(source) = source {
                        to[row * width + column] = from[source_row * width + source];
                    }
                }
            }
        }
        Ok(moved)
    }
}

impl Dataset for Simulated<'_> {
    fn len(&self) -> usize {
        self.origins.len()
    }

    fn shape(&self) -> &[usize] {
        self.dataset.shape()
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let origin = self.origin(index)?;
        let values = match origin.other {
            None => self.dataset.read(origin.source)?.values,
            Some(other) => {
                let mut values = self.shifted(origin.source, origin.shifts[0])?;
                let above = self.shifted(other, origin.shifts[1])?;
                for (value, above) in values.iter_mut().zip(above) {
                    *value = value.max(above);
                }
                values
            }
        };
        Ok(Sample {
            values,
            label: Some(origin.label),
            key: None,
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        Ok(Some(self.origin(index)?.label))
    }

    fn units(&self) -> Units {
        self.dataset.units()
    }

    fn class_names(&self) -> Option<&[String]> {
        self.dataset.class_names()
    }
}

impl Simulated<'_> {
    fn origin(&self, index: usize) -> Result<&Origin, DataError> {
        let origin = self.origins.get(index);
        origin.ok_or_else(|| DataError::out_of_range(index, self.origins.len()))
    }
}
