//! What a network answers for one sample, and who can be asked for it.
//!
//! An [`Evaluation`] is all that measures are computed from. It comes from a [`Source`]: a network with its data
//! ([`Network`](crate::Network)), or a store in which somebody kept evaluations. Tasks do not know which.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use quaver_geometry::{ClassGram, Family, Lumping};

use crate::parallel::{ordered, workers};
use crate::{Block, Error, Precision};

/// One sample: what the network says of it, and how that moves when a block is perturbed.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The sample's position in the data as they are on disk ([`Dataset::original_index`](crate::Dataset)).
    pub index: usize,
    /// Its name, where the data have names.
    pub key: Option<String>,
    /// The label in the data, where there is one.
    pub true_label: Option<usize>,
    /// What the data say about each output, where a class is not enough: soft labels, several labels, values.
    pub target: Option<Vec<f64>>,
    /// The outputs: K logits of a softmax (0 and z for a sigmoid), K logits of several labels, K means.
    pub outputs: Vec<f64>,
    /// The classes that were merged, where some were; the Grams are then those of the lumped problem.
    pub lumping: Option<Lumping>,
    /// A class Gram per block, in (output unit per unit of the block)².
    pub grams: Vec<ClassGram>,
    /// Per block an estimate of the Fisher trace that merging classes lost; empty if none were merged.
    pub lost_traces: Vec<f64>,
}

/// A sample that could not be read, or that the network has no finite answer for. Others are not affected.
#[derive(Debug)]
pub struct SampleFailure {
    /// The sample's position in the data as they are on disk.
    pub index: usize,
    /// Its name, where it is known.
    pub key: Option<String>,
    /// What is wrong with it.
    pub error: Error,
}

impl SampleFailure {
    /// The failure as an error that names the sample, for callers to whom one is too many.
    pub fn into_error(self) -> Error {
        match self.key {
            Some(key) => {
                let index = self.index;
                self.error.within(format_args!("sample {index} ({key})"))
            }
            None => self.error.within(format_args!("sample {}", self.index)),
        }
    }
}

impl fmt::Display for SampleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "sample {} ({key}): {}", self.index, self.error),
            None => write!(f, "sample {}: {}", self.index, self.error),
        }
    }
}

/// An evaluation, or why there is none for this sample.
pub type Evaluated = Result<Evaluation, SampleFailure>;

/// One thread's access to a source: the evaluation of the sample at a position. The outer error is for what is wrong
/// with the source itself and not with one sample.
pub type Reader<'a> = Box<dyn FnMut(usize) -> Result<Evaluated, Error> + 'a>;

/// Whoever has evaluations to give.
pub trait Source: Sync {
    /// What there is.
    fn description(&self) -> &Description;

    /// Access for one thread.
    fn reader(&self) -> Reader<'_>;
}

/// What a source has.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// How many samples.
    pub n_samples: usize,
    /// K: classes, labels or means.
    pub n_outputs: usize,
    /// How the outputs are the parameters of a distribution.
    pub family: Family,
    /// What was perturbed.
    pub blocks: Vec<Block>,
    /// The number type the network is run in.
    pub precision: Precision,
    /// Whether improbable classes may be merged.
    pub merges_classes: bool,
    /// Whether samples have names.
    pub has_keys: bool,
    /// Class names in label order, where the data have them.
    pub class_names: Option<Vec<String>>,
}

/// Evaluates the samples of `ranges` one after another on `threads` threads (default: one for every core), and hands
/// each to `emit` in order. Setting `stop` ends it early.
///
/// # Errors
/// Those of the source and of `emit`; [`Interrupted`](crate::ErrorKind::Interrupted) after `stop` was set.
pub fn evaluate_each(
    source: &dyn Source,
    ranges: &[Range<usize>],
    threads: Option<NonZeroUsize>,
    stop: &AtomicBool,
    emit: impl FnMut(Evaluated) -> Result<(), Error>,
) -> Result<(), Error> {
    each(source, ranges, threads, stop, Ok, emit)
}

/// The same with some more work per sample, on the thread that evaluated it.
pub(crate) fn each<R: Send>(
    source: &dyn Source,
    ranges: &[Range<usize>],
    threads: Option<NonZeroUsize>,
    stop: &AtomicBool,
    work: impl Fn(Evaluated) -> Result<R, Error> + Sync,
    mut emit: impl FnMut(R) -> Result<(), Error>,
) -> Result<(), Error> {
    // Where each range begins in the sequence of all of them.
    let mut n = 0;
    let mut starts = Vec::with_capacity(ranges.len());
    for range in ranges {
        starts.push(n);
        n += range.len();
    }
    let position = |item: usize| {
        let at = starts.partition_point(|&start| start <= item) - 1;
        ranges[at].start + (item - starts[at])
    };
    ordered(
        n,
        workers(threads),
        stop,
        || source.reader(),
        |reader, item| work(reader(position(item))?),
        |_, result| emit(result),
    )
}
