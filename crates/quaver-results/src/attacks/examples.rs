//! Pictures of a few samples, and of what attacks made of them.

use quaver::attack::{Curve, Pixels};
use quaver::{Attacked, Bounds, Dataset};
use quaver_report::{Figure, Pixels as Bytes, ReportError, Thumbnail, typeset};

use super::summary::info;

/// Samples shown on a page: enough to see what the attacks do.
const SHOWN: usize = 8;

/// The width of two pictures beside each other, in pixels of the screen.
const PAIR: usize = 132;
/// The longer side of a sample by itself, so that its pixels are as large as those of a pair.
const SIDE: usize = 64;

/// The first samples on which an attack succeeded, where samples are pictures.
pub struct Examples {
    pixels: Pixels,
    bounds: Bounds,
    class_names: Option<Vec<String>>,
    wanted: bool,
    samples: Vec<Attacked>,
}

impl Examples {
    /// Of `dataset`, whose numbers lie within `bounds`; none are kept unless they are wanted.
    pub fn new(dataset: &dyn Dataset, bounds: Bounds, wanted: bool) -> Self {
        let pixels = Pixels::of(dataset.shape(), dataset.units().channels_last());
        // A row of values is no picture, and other numbers of channels have no colours.
        let is_picture = pixels.height > 1 && matches!(pixels.channels, 1 | 3);
        Self {
            pixels,
            bounds,
            class_names: dataset.class_names().map(<[String]>::to_vec),
            wanted: wanted && is_picture,
            samples: Vec::new(),
        }
    }

    /// Keeps the sample if it is one to show.
    pub fn add(&mut self, attacked: &Attacked) {
        let mut outcomes = attacked.trials.iter().filter_map(|t| t.outcome.as_ref());
        if self.wanted && self.samples.len() < SHOWN && outcomes.any(|o| o.success) {
            self.samples.push(attacked.clone());
        }
    }

    /// A row of pictures for every sample: itself, and for each attack that succeeded the change and the result.
    ///
    /// # Errors
    /// If a picture cannot be encoded.
    pub fn figures(&self) -> Result<Vec<Figure>, ReportError> {
        self.samples
            .iter()
            .map(|sample| self.figure(sample))
            .collect()
    }

    fn figure(&self, sample: &Attacked) -> Result<Figure, ReportError> {
        let class = |class: usize| {
            let name = self.class_names.as_ref().and_then(|names| names.get(class));
            name.cloned().unwrap_or_else(|| format!("class {class}"))
        };
        let label = class(sample.label);
        let words = format!("{label}, p\u{a0}{}", typeset(sample.p_label, 3));
        let mut pictures = vec![(
            self.picture(&self.levels(&sample.raw), "the sample")?,
            words,
        )];
        for trial in &sample.trials {
            let Some(outcome) = trial.outcome.as_ref().filter(|o| o.success) else {
                continue;
            };
            let name = match trial.epsilon {
                Some(radius) => format!("{}, radius {}", trial.attack, typeset(radius, 3)),
                None => trial.attack.to_owned(),
            };
            let changed = match info(trial.attack).map(|attack| attack.budget) {
                Some(Curve::Linf) => format!("L∞\u{a0}{}", typeset(outcome.unit.linf, 3)),
                Some(Curve::L2) => format!("L2\u{a0}{}", typeset(outcome.unit.l2, 3)),
                _ if outcome.pixels == 1 => "1\u{a0}pixel".to_owned(),
                _ => format!("{}\u{a0}pixels", outcome.pixels),
            };
            let change = self.change(&sample.raw, &outcome.raw);
            let after = class(outcome.predicted);
            let alt = format!("what {name} changed, and the sample after it");
            let p = typeset(outcome.p_predicted, 3);
            let words = format!("{name}\n{after}, p\u{a0}{p}; {changed}");
            let pair = self.pair(&change, &self.levels(&outcome.raw), &alt)?;
            pictures.push((pair, words));
        }
        Ok(
            Figure::pictures(format!("Sample {}: {label}", sample.index), pictures)
                .wide(self.is_wide())
                .led(),
        )
    }

    /// Whether the pictures of a sample need more than half a row of the page.
    fn is_wide(&self) -> bool {
        let succeeded = |sample: &Attacked| {
            let outcomes = sample.trials.iter().filter_map(|t| t.outcome.as_ref());
            outcomes.filter(|outcome| outcome.success).count()
        };
        self.samples.iter().any(|sample| succeeded(sample) > 1)
    }

    /// Numbers of the data as bytes, the range as black to white.
    fn levels(&self, raw: &[f64]) -> Vec<u8> {
        let level = |raw: &f64| byte((raw - self.bounds.low) / self.bounds.width());
        raw.iter().map(level).collect()
    }

    /// A change as bytes: none is the middle grey, the largest black or white.
    fn change(&self, before: &[f64], after: &[f64]) -> Vec<u8> {
        let change = before.iter().zip(after).map(|(a, b)| b - a);
        let largest = change.clone().fold(0.0, |a: f64, b| a.max(b.abs()));
        let share = |x: f64| if largest > 0.0 { x / largest } else { 0.0 };
        change.map(|x| byte(0.5 + 0.5 * share(x))).collect()
    }

    fn picture(&self, values: &[u8], alt: &str) -> Result<Thumbnail, ReportError> {
        let Pixels { height, width, .. } = self.pixels;
        let bytes = self.opaque(values);
        Thumbnail::enlarged(width, height, Bytes::Rgba(&bytes), alt, SIDE)
    }

    /// Two pictures beside each other, so that what belongs together stays together however narrow the page is.
    fn pair(&self, left: &[u8], right: &[u8], alt: &str) -> Result<Thumbnail, ReportError> {
        let Pixels { height, width, .. } = self.pixels;
        let (left, right) = (self.opaque(left), self.opaque(right));
        // The page shines through between them, a sixteenth of a side wide.
        let between = width.div_ceil(16);
        let clear = vec![0; 4 * between];
        let rows = left
            .chunks_exact(4 * width)
            .zip(right.chunks_exact(4 * width));
        let bytes: Vec<u8> = rows
            .flat_map(|(left, right)| [left, &clear, right].concat())
            .collect();
        Thumbnail::enlarged(2 * width + between, height, Bytes::Rgba(&bytes), alt, PAIR)
    }

    /// Red, green, blue and 255, pixel by pixel.
    fn opaque(&self, values: &[u8]) -> Vec<u8> {
        let bytes = self.in_order(values);
        let pixels = bytes.chunks_exact(self.pixels.channels);
        pixels
            .flat_map(|pixel| match *pixel {
                [red, green, blue] => [red, green, blue, u8::MAX],
                _ => [pixel[0], pixel[0], pixel[0], u8::MAX],
            })
            .collect()
    }

    /// Bytes pixel by pixel, whatever the layout of the sample.
    fn in_order(&self, values: &[u8]) -> Vec<u8> {
        let at = (0..self.pixels.count()).flat_map(|pixel| self.pixels.coordinates(pixel));
        at.map(|at| values[at]).collect()
    }
}

/// 0 to 1 as 0 to 255.
fn byte(share: f64) -> u8 {
    (255.0 * share.clamp(0.0, 1.0)).round() as u8
}
