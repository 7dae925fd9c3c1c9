//! Maps: where in an image the network's answer can be moved, window by window.
//!
//! A window is a block of perturbed values like any other: k × k pixels around a pixel, cut at the border, of one
//! channel or of all. Its class Gram is the sum of its pixels' outer products, so one Jacobian gives the maps of all
//! scales and channels, and what is left to do per window is algebra in K − 1 dimensions ([`windows`]).

mod axes;
mod compat;
mod measure;
mod planes;
mod windows;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use quaver_data::{Dataset, Sample};
use quaver_engine::Real;
use quaver_geometry::{
    Classes, Contrasts, Measures, ObjectiveChoice, Output, Settings, Softmax, Truth, Whitening,
    direction, measure as measures_of,
};
use quaver_kernels::spectra::Question;

use crate::network::Compiled;
use crate::parallel::{ordered, workers};
use crate::sensitivity::{Sensitivity, State};
use crate::{
    Error, ErrorKind, LabelChoice, Model, Network, Precision, SampleFailure, ScoreOptions,
};

pub use axes::{ImageAxes, Region};
pub use measure::MapMeasure;
pub use planes::{MapSummary, Range, Verdict};

use planes::Planes;

/// What is computed and how.
#[derive(Debug, Clone, PartialEq)]
pub struct MapOptions {
    /// Sides of the windows, odd. Default: 1, 3, 5, 7, those of Shu & Zhu.
    pub scales: Vec<usize>,
    /// Whose probability the objective is about. Default: the predicted class, because a map asks about the decision.
    pub label: LabelChoice,
    /// The objective f whose sensitivity is measured. Default: −log p of the label.
    pub objective: ObjectiveChoice,
    /// Which classes are kept apart, as [`ScoreOptions::classes`].
    pub classes: Option<Classes>,
    /// Eigenvalues above `rtol` times the largest count towards the rank. Default: [`Precision::default_rtol`].
    pub rtol: Option<f64>,
    /// The budget λ = 1/σ² of FI_λ, as [`ScoreOptions::lambda`]. Default: 1.
    pub lambda: f64,
    /// The ε of the published program's arithmetic: two more maps. Default: not computed.
    pub compat: Option<f64>,
    /// The number type the network is run in. Default: single precision.
    pub precision: Precision,
    /// Whether Winograd's algorithm may be used. Default: yes.
    pub winograd: bool,
    /// Worker threads, each with an image of its own; results do not depend on it. Default: one for every core.
    pub threads: Option<NonZeroUsize>,
}

impl Default for MapOptions {
    fn default() -> Self {
        Self {
            scales: vec![1, 3, 5, 7],
            label: LabelChoice::Predicted,
            objective: ObjectiveChoice::default(),
            classes: None,
            rtol: None,
            lambda: 1.0,
            compat: None,
            precision: Precision::default(),
            winograd: true,
            threads: None,
        }
    }
}

impl MapOptions {
    /// The tolerance in force.
    pub fn rtol(&self) -> f64 {
        self.rtol.unwrap_or(self.precision.default_rtol())
    }

    /// Which measures the maps have.
    pub fn measures(&self) -> Vec<MapMeasure> {
        let measures = MapMeasure::ALL.into_iter();
        measures
            .filter(|measure| self.compat.is_some() || !measure.is_compat())
            .collect()
    }

    fn check(&self, axes: ImageAxes) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Option, why));
        if self.scales.is_empty() {
            return refuse("no scale is given: expected odd numbers of pixels".to_owned());
        }
        for (at, &scale) in self.scales.iter().enumerate() {
            if scale % 2 == 0 {
                return refuse(format!(
                    "scale {scale}: a window has a pixel in its middle, so its side is odd"
                ));
            }
            if scale > 2 * axes.height.max(axes.width) {
                return refuse(format!(
                    "scale {scale} is more than twice the image's side ({} x {} pixels)",
                    axes.height, axes.width
                ));
            }
            if self.scales[..at].contains(&scale) {
                return refuse(format!("scale {scale} is given twice"));
            }
        }
        if self.compat.is_some() && self.objective != ObjectiveChoice::Nll {
            return refuse(format!(
                "objective {}: the published program's arithmetic (compat) has nll only",
                self.objective
            ));
        }
        Ok(())
    }
}

/// The maps of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageMap {
    /// The image's position in the data as they are on disk.
    pub index: usize,
    /// Its name, where the data have names.
    pub key: Option<String>,
    /// The class y that the objective is about.
    pub label: usize,
    /// The label in the data, where there is one.
    pub true_label: Option<usize>,
    /// The most probable class.
    pub predicted: usize,
    /// The probability of `label`.
    pub p_label: f64,
    /// The probability of `predicted`.
    pub p_predicted: f64,
    /// Height, width and channels.
    pub axes: ImageAxes,
    /// The sides of the windows, as asked for.
    pub scales: Vec<usize>,
    /// The largest rank that a window can have: K − 1, or less where classes were merged.
    pub rank_max: usize,
    /// The measures of the whole image as one block.
    pub whole: Measures,
    /// What the network was given, (C, H, W).
    pub input: Vec<f64>,
    /// h* = G⁺∇fᵀ of the whole image, (C, H, W): the perturbation of greatest influence, along which f grows.
    pub direction: Vec<f64>,
    /// Classes kept apart, the merged rest counted as one; K if none were merged.
    pub n_classes_kept: usize,
    planes: Planes,
}

impl ImageMap {
    /// A map, row by row from the top: `measure` of the window of `scale` × `scale` pixels around each pixel, of one
    /// channel or of all together. `None` for what was not computed.
    pub fn plane(&self, measure: MapMeasure, scale: usize, region: Region) -> Option<&[f64]> {
        let at = self.scales.iter().position(|&have| have == scale)?;
        self.planes.get(measure, at, region)
    }

    /// The ceiling of FI, for every window.
    pub fn fi_max(&self) -> f64 {
        self.whole.fi_max
    }

    /// What a map says in numbers; `None` for what was not computed.
    pub fn summary(&self, scale: usize, region: Region) -> Option<MapSummary> {
        MapSummary::new(self, scale, region)
    }
}

/// A map, or why this sample has none.
pub type Mapped = Result<ImageMap, SampleFailure>;

impl Model {
    /// How the network's input is an image.
    ///
    /// # Errors
    /// When it has several inputs, whole numbers, or more axes than a height, a width and channels.
    pub fn image_axes(&self) -> Result<ImageAxes, Error> {
        let refuse = |why: &str| Err(Error::new(ErrorKind::Model, why));
        match *self.graph.inputs() {
            [input] if self.graph.is_real(input) => ImageAxes::of(self.input_shape()),
            [_] => refuse("the network's input is whole numbers (token ids), and no image"),
            _ => refuse("the network has several inputs: a map needs one, an image"),
        }
    }

    /// Maps of every image of `dataset`, handed to `emit` in order as soon as they are known; or the reason why there is
    /// none: the sample cannot be read, has no label though one is asked for, or makes the network's output infinite or
    /// NaN. Setting `stop` ends it early.
    ///
    /// # Errors
    /// When the network's input is no image or an option does not fit; when the data as a whole can no longer be read;
    /// the error of `emit`; [`ErrorKind::Interrupted`] after `stop` was set.
    pub fn map_each(
        &self,
        dataset: &dyn Dataset,
        options: &MapOptions,
        stop: &AtomicBool,
        emit: impl FnMut(Mapped) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.family().has_classes() {
            return Err(Error::new(
                ErrorKind::Model,
                "maps are of networks that tell classes apart; this one's outputs are independent",
            ));
        }
        let axes = self.image_axes()?;
        options.check(axes)?;
        let of_scores = ScoreOptions {
            label: options.label,
            classes: options.classes,
            winograd: options.winograd,
            precision: options.precision,
            ..ScoreOptions::default()
        };
        // Says whether model, data and options fit. Its Grams are of the whole image.
        let network = Network::new(self, dataset, &of_scores)?;
        match network.compiled() {
            Compiled::Single(sensitivity) => {
                self.map_with(sensitivity, axes, dataset, options, stop, emit)
            }
            Compiled::Double(sensitivity) => {
                self.map_with(sensitivity, axes, dataset, options, stop, emit)
            }
        }
    }

    fn map_with<T: Real>(
        &self,
        sensitivity: &Sensitivity<T>,
        axes: ImageAxes,
        dataset: &dyn Dataset,
        options: &MapOptions,
        stop: &AtomicBool,
        mut emit: impl FnMut(Mapped) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let settings = Settings::new(options.rtol(), options.lambda, options.compat)?;
        let mapper = Mapper {
            model: self,
            sensitivity,
            axes,
            settings,
            options,
        };
        let work = |state: &mut State<T>, at: usize| -> Result<Mapped, Error> {
            let index = dataset.original_index(at);
            let sample = match dataset.read(at) {
                Err(error) if !error.is_of_sample() => return Err(error.into()),
                sample => sample,
            };
            let mapped = sample
                .map_err(Error::from)
                .and_then(|sample| mapper.map(state, index, &sample));
            Ok(mapped.map_err(|error| SampleFailure {
                index,
                key: dataset.key(at),
                error,
            }))
        };
        ordered(
            dataset.len(),
            workers(options.threads),
            stop,
            || sensitivity.state(),
            work,
            |_, map| emit(map),
        )
    }
}

/// All that images share.
struct Mapper<'a, T> {
    model: &'a Model,
    sensitivity: &'a Sensitivity<T>,
    axes: ImageAxes,
    settings: Settings,
    options: &'a MapOptions,
}

impl<T: Real> Mapper<'_, T> {
    fn map(&self, state: &mut State<T>, index: usize, sample: &Sample) -> Result<ImageMap, Error> {
        let options = self.options;
        let label_of = |softmax: &Softmax| options.label.of(sample.label, softmax);
        let response = self
            .sensitivity
            .run(state, index, &sample.values, |logits| {
                label_of(&Softmax::new(logits)?)
            })?;
        let softmax = Softmax::new(&response.logits)?;
        let (p, predicted) = (softmax.p().to_vec(), softmax.argmax());
        let label = label_of(&softmax)?;
        let k = self.model.n_classes();
        if label >= k {
            return Err(Error::new(
                ErrorKind::Data,
                format!("label {label} for a network of {k} classes (numbered from 0)"),
            ));
        }
        let output = Output::from(softmax);
        let objective = options.objective.at(&output, Truth::Class(label))?;
        let (output, logits, objective) = match &response.lumping {
            None => (output, response.logits.as_slice(), objective),
            Some(lumping) => (
                Output::from(Softmax::new(lumping.logits())?),
                lumping.logits(),
                lumping.objective(objective)?,
            ),
        };
        let gram = &response.grams[0];
        let whole = measures_of(logits, gram, objective, &self.settings)?;
        let contrasts = self
            .sensitivity
            .contrasts(&response)
            .ok_or_else(|| Error::new(ErrorKind::Model, "the network's outputs are not classes"))?;
        let n_rows = contrasts.n_cotangents();
        let jacobian = self.sensitivity.jacobian(state, 0, n_rows);
        let whitening = Whitening::new(&output, objective)?;
        let c = direction(logits, gram, objective, &self.settings)?;

        let mut planes = Planes::new(&options.measures(), options.scales.len(), self.axes);
        let question = Question {
            rtol: self.settings.rtol(),
            lambda: self.settings.lambda() / whitening.metric(),
        };
        let transform = product(&whitening, &contrasts);
        let windows = windows::Windows {
            jacobian,
            axes: self.axes,
            scales: &options.scales,
        };
        windows.measure(&transform, &whitening, question, &mut planes);
        if let (Some(epsilon), Output::Softmax(softmax)) = (options.compat, &output) {
            // The label's place among the classes that are kept.
            let label = match objective {
                quaver_geometry::Objective::NegLogLik { label } => label,
                _ => label,
            };
            compat::measure(&windows, &contrasts, softmax, label, epsilon, &mut planes)?;
        }
        let rank_max = whitening.n_free();
        Ok(ImageMap {
            index,
            key: sample.key.clone(),
            label,
            true_label: sample.label,
            predicted,
            p_label: p[label],
            p_predicted: p[predicted],
            axes: self.axes,
            scales: options.scales.clone(),
            rank_max,
            whole,
            input: self.axes.channels_first(&sample.values),
            direction: self.axes.channels_first(&pulled(jacobian, &contrasts, &c)),
            n_classes_kept: rank_max + 1,
            planes,
        })
    }
}

/// A Eᵀ (K′ × K′): whitened coordinates from the rows of the contrasts E.
fn product(whitening: &Whitening, contrasts: &Contrasts) -> Vec<f64> {
    let k = contrasts.n_classes();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let rows = whitening.rows().chunks_exact(k);
    rows.flat_map(|a| contrasts.rows().chunks_exact(k).map(move |e| dot(a, e)))
        .collect()
}

/// Jᵀ c (n values) from the rows E J: c sums to zero, so that Jᵀ c = (E J)ᵀ E c.
fn pulled<T: Real>(jacobian: &[T], contrasts: &Contrasts, c: &[f64]) -> Vec<f64> {
    let n = jacobian.len() / contrasts.n_cotangents();
    let mut sum = vec![0.0; n];
    for (v, row) in jacobian.chunks_exact(n).enumerate() {
        let weight: f64 = contrasts.row(v).iter().zip(c).map(|(e, c)| e * c).sum();
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += weight * x.to_f64();
        }
    }
    sum
}
