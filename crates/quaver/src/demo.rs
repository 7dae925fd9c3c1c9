//! The main job on data whose truth is known: a small network and pictures that need no file.
//!
//! The pictures are the network's own training set, in which some labels were planted wrong and some pictures are
//! two pictures laid over each other, as in the outlier experiment of Shu & Zhu (AAAI-19, §4). Whether a measure
//! finds them is then a number: the area under its ROC and precision–recall curves.

mod glyphs;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use quaver_data::{DataError, Dataset, Sample, Units};

use crate::curves::CurveError;
use crate::{Error, LoadOptions, Model, SampleFailure, Score, ScoreOptions, ScoreTable};

pub use crate::curves::Detection;
pub use glyphs::{CLASS_NAMES, Glyph, GlyphOptions, MAX_OVERLAY_SHIFT, Origin, SIDE, generate};

/// The network: three convolutions, trained on [`GlyphOptions::default`] by `tools/train_demo.py`.
const NETWORK: &[u8] = include_bytes!("../assets/demo_glyphs.onnx");

/// The ONNX file of the demo's network.
pub fn network() -> &'static [u8] {
    NETWORK
}

/// Reads the demo's network, which takes grey values from 0 (background) to 1 (full ink), shape 1 × 28 × 28.
///
/// # Errors
/// None on a correct build.
pub fn model() -> Result<Model, Error> {
    Model::from_bytes(NETWORK, &LoadOptions::default())
}

/// Glyphs as a dataset.
#[derive(Debug, Clone)]
pub struct GlyphSet {
    glyphs: Vec<Glyph>,
    class_names: Vec<String>,
}

impl GlyphSet {
    /// Draws the set that `options` describe.
    ///
    /// # Errors
    /// If more outliers than samples are asked for.
    pub fn generate(options: &GlyphOptions) -> Result<Self, Error> {
        let planted = options.mislabelled.saturating_add(options.overlaid);
        if planted > options.n_samples {
            let n = options.n_samples;
            let message = format!("{planted} outliers cannot be planted among {n} samples");
            return Err(Error::new(crate::ErrorKind::Option, message));
        }
        Ok(Self {
            glyphs: generate(options),
            class_names: CLASS_NAMES.map(str::to_owned).to_vec(),
        })
    }

    /// The pictures with the truth about them.
    pub fn glyphs(&self) -> &[Glyph] {
        &self.glyphs
    }
}

impl Dataset for GlyphSet {
    fn len(&self) -> usize {
        self.glyphs.len()
    }

    fn shape(&self) -> &[usize] {
        &[1, SIDE, SIDE]
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let glyph = self.glyph(index)?;
        let grey = glyph.pixels.iter().map(|&pixel| f64::from(pixel) / 255.0);
        Ok(Sample {
            values: grey.collect(),
            label: Some(glyph.label.into()),
            key: None,
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        Ok(Some(self.glyph(index)?.label.into()))
    }

    fn units(&self) -> Units {
        Units::scaled(1.0 / 255.0, Some((0.0, 255.0)))
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(&self.class_names)
    }
}

impl GlyphSet {
    fn glyph(&self, index: usize) -> Result<&Glyph, DataError> {
        let glyph = self.glyphs.get(index);
        glyph.ok_or_else(|| DataError::out_of_range(index, self.glyphs.len()))
    }
}

/// The demo's result: pictures and their scores, in the same order.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The pictures.
    pub set: GlyphSet,
    /// One score per picture, for the label that the data claim.
    pub scores: Vec<Score>,
}

impl Demo {
    /// Draws the pictures and scores them on `threads` threads (default: all cores); `on_score` sees every score as
    /// soon as it is known, and setting `stop` ends the run.
    ///
    /// # Errors
    /// As [`GlyphSet::generate`]; [`crate::ErrorKind::Interrupted`] after `stop` was set.
    pub fn run(
        options: &GlyphOptions,
        threads: Option<NonZeroUsize>,
        stop: &AtomicBool,
        mut on_score: impl FnMut(&Score),
    ) -> Result<Self, Error> {
        let set = GlyphSet::generate(options)?;
        let score_options = ScoreOptions {
            threads,
            ..ScoreOptions::default()
        };
        let mut scores = Vec::with_capacity(set.len());
        model()?.score_each(&set, &score_options, stop, |scored| {
            let scored = scored.map_err(SampleFailure::into_error)?;
            scored.iter().for_each(&mut on_score);
            scores.extend(scored);
            Ok(())
        })?;
        Ok(Self { set, scores })
    }

    /// The table of the scores.
    pub fn table(&self) -> ScoreTable {
        ScoreTable::of_inputs(false)
    }

    /// How well `measure` finds the planted outliers, the larger the more suspicious.
    ///
    /// # Errors
    /// If there are no outliers, or nothing else.
    pub fn detection(&self, measure: impl Fn(&Score) -> f64) -> Result<Detection, CurveError> {
        let scores: Vec<f64> = self.scores.iter().map(measure).collect();
        let planted: Vec<bool> = self
            .set
            .glyphs
            .iter()
            .map(|glyph| glyph.origin != Origin::Clean)
            .collect();
        Detection::new(&scores, &planted)
    }
}
