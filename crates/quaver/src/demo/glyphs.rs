//! The pictures of the demo: ten hand-designed glyphs, drawn with a wobbly pen.
//!
//! A demo needs a data set that ships inside the binary, that anyone may redistribute, and in which the
//! truth is known: which labels are wrong and which pictures are two pictures at once. So this module
//! draws one. Each glyph is a few strokes in a unit box; every sample
//! moves the corners, turns, stretches and shears the strokes, picks a pen width and an ink strength, and
//! adds a little noise. The jitter is wide enough that a few glyphs are honestly ambiguous (a turned plus
//! is a cross, a flat-headed arrow is a T), as in real data.
//!
//! # Stability
//!
//! The same options give the same bytes on every platform and in every release: a network trained on
//! these pictures ships beside this module, and documented numbers refer to them. So the random numbers come
//! from a generator of this crate ([`Random`]) instead of a dependency that may change its streams, and the drawing
//! uses only operations that IEEE 754 rounds exactly (`+ − × ÷ √`): rotations come from the rational
//! parametrisation of the circle instead of `sin` and `cos`.
//!
//! A sample is drawn from `(seed, index)` alone, so a longer set extends a shorter one. Only *where* the
//! outliers are planted depends on the number of samples.
//!
//! What this module deliberately does not do: touch files, or know about networks.

mod pen;

use crate::random::Random;
use pen::draw;

/// The names of the ten classes, in label order.
pub const CLASS_NAMES: [&str; 10] = [
    "circle", "square", "triangle", "plus", "cross", "arrow", "tee", "ell", "zed", "ess",
];

/// Width and height of a picture in pixels.
pub const SIDE: usize = 28;

/// The largest shift, in pixels and along each axis, of a picture that is laid over another one.
pub const MAX_OVERLAY_SHIFT: i32 = 4;

/// One picture, the label the data set claims for it, and the truth about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glyph {
    /// Grey values, row by row, shape `SIDE × SIDE`; 0 is background, 255 is full ink.
    pub pixels: Vec<u8>,
    /// The label the data set claims, an index into [`CLASS_NAMES`]. Wrong if `origin` is
    /// [`Origin::Mislabelled`].
    pub label: u8,
    /// How the sample came about.
    pub origin: Origin,
}

/// How a sample came about: what an outlier detector is supposed to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A picture with its own label.
    Clean,
    /// A picture that carries the label of another class.
    Mislabelled {
        /// The class the picture was drawn from.
        true_class: u8,
    },
    /// The pixelwise maximum of two pictures of different classes, each shifted by up to
    /// [`MAX_OVERLAY_SHIFT`] pixels; the label is the class of the first.
    Overlaid {
        /// The class of the second picture.
        other: u8,
    },
}

/// What to generate. [`GlyphOptions::default`] is the set the shipped demo network was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlyphOptions {
    /// How many samples.
    pub n_samples: usize,
    /// Selects the whole random stream; different seeds share no picture.
    pub seed: u64,
    /// How many of the samples get a wrong label.
    pub mislabelled: usize,
    /// How many of the samples are two pictures laid over each other.
    pub overlaid: usize,
}

impl Default for GlyphOptions {
    /// 4000 samples with seed 1, of which 80 are mislabelled and 80 overlaid.
    fn default() -> Self {
        Self {
            n_samples: 4000,
            seed: 1,
            mislabelled: 80,
            overlaid: 80,
        }
    }
}

impl GlyphOptions {
    /// `n_samples` clean samples.
    pub fn clean(n_samples: usize, seed: u64) -> Self {
        Self {
            n_samples,
            seed,
            mislabelled: 0,
            overlaid: 0,
        }
    }

    /// `n_samples` samples with the default share of outliers: 2 % mislabelled and 2 % overlaid.
    pub fn with_outliers(n_samples: usize, seed: u64) -> Self {
        Self {
            n_samples,
            seed,
            mislabelled: n_samples / 50,
            overlaid: n_samples / 50,
        }
    }
}

/// Draws the data set that `options` describes.
///
/// Every run of ten consecutive samples starting at a multiple of ten is drawn from each class once, in
/// random order. Outliers lie at random positions and no sample is an outlier twice.
///
/// # Panics
///
/// If more outliers than samples are asked for.
pub fn generate(options: &GlyphOptions) -> Vec<Glyph> {
    let outliers = outlier_positions(options);
    let mut kinds = vec![Kind::Clean; options.n_samples];
    for (rank, &sample_idx) in outliers.iter().enumerate() {
        kinds[sample_idx] = if rank < options.mislabelled {
            Kind::Mislabelled
        } else {
            Kind::Overlaid
        };
    }
    kinds
        .into_iter()
        .enumerate()
        .map(|(sample_idx, kind)| sample(options.seed, sample_idx, kind))
        .collect()
}

/// Which of the three recipes a sample follows.
#[derive(Clone, Copy)]
enum Kind {
    Clean,
    Mislabelled,
    Overlaid,
}

fn sample(seed: u64, sample_idx: usize, kind: Kind) -> Glyph {
    let class = class_of(seed, sample_idx);
    let pixels = draw(
        class,
        &mut Random::new(seed, Stream::Picture, sample_idx as u64),
    );
    match kind {
        Kind::Clean => Glyph {
            pixels,
            label: class,
            origin: Origin::Clean,
        },
        Kind::Mislabelled => {
            let mut random = Random::new(seed, Stream::Mislabel, sample_idx as u64);
            Glyph {
                pixels,
                label: another_class(class, &mut random),
                origin: Origin::Mislabelled { true_class: class },
            }
        }
        Kind::Overlaid => {
            let (second, other, shifts) = overlay_partner(seed, sample_idx, class);
            Glyph {
                pixels: pixelwise_max(&shifted(&pixels, shifts[0]), &shifted(&second, shifts[1])),
                label: class,
                origin: Origin::Overlaid { other },
            }
        }
    }
}

/// The second picture of an overlaid sample, its class, and the shifts of the first and second picture.
fn overlay_partner(seed: u64, sample_idx: usize, class: u8) -> (Vec<u8>, u8, [Shift; 2]) {
    let mut random = Random::new(seed, Stream::Overlay, sample_idx as u64);
    let other = another_class(class, &mut random);
    let shifts = [Shift::random(&mut random), Shift::random(&mut random)];
    (draw(other, &mut random), other, shifts)
}

/// The class a sample is drawn from: block `sample_idx / 10` holds a random permutation of the classes.
fn class_of(seed: u64, sample_idx: usize) -> u8 {
    let n_classes = CLASS_NAMES.len();
    let block = (sample_idx / n_classes) as u64;
    let mut random = Random::new(seed, Stream::Classes, block);
    random.some_of(n_classes, n_classes)[sample_idx % n_classes] as u8
}

/// A uniformly random class other than `class`.
fn another_class(class: u8, random: &mut Random) -> u8 {
    let n_classes = CLASS_NAMES.len() as u8;
    let step = 1 + random.below(u64::from(n_classes) - 1) as u8;
    (class + step) % n_classes
}

/// The positions of the planted outliers: the mislabelled ones first, then the overlaid ones.
fn outlier_positions(options: &GlyphOptions) -> Vec<usize> {
    let n_outliers = options.mislabelled.saturating_add(options.overlaid);
    assert!(
        n_outliers <= options.n_samples,
        "{} mislabelled and {} overlaid samples do not fit into {} samples",
        options.mislabelled,
        options.overlaid,
        options.n_samples,
    );
    let mut random = Random::new(options.seed, Stream::Outliers, 0);
    random.some_of(options.n_samples, n_outliers)
}

/// A whole-pixel translation: right and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    right: i32,
    down: i32,
}

impl Shift {
    fn random(random: &mut Random) -> Self {
        let span = 2 * MAX_OVERLAY_SHIFT as u64 + 1;
        let mut one = || random.below(span) as i32 - MAX_OVERLAY_SHIFT;
        Self {
            right: one(),
            down: one(),
        }
    }
}

/// The picture moved by `shift`; what leaves the frame is lost and what enters is background.
fn shifted(pixels: &[u8], shift: Shift) -> Vec<u8> {
    let inside = |at: usize, by: i32| {
        usize::try_from(at as i32 - by)
            .ok()
            .filter(|&from| from < SIDE)
    };
    let mut moved = vec![0; SIDE * SIDE];
    for row in 0..SIDE {
        for col in 0..SIDE {
            if let (Some(r), Some(c)) = (inside(row, shift.down), inside(col, shift.right)) {
                moved[row * SIDE + col] = pixels[r * SIDE + c];
            }
        }
    }
    moved
}

fn pixelwise_max(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(&a, &b)| a.max(b)).collect()
}

/// Independent random streams, so that adding draws to one leaves the others as they are.
#[derive(Clone, Copy)]
enum Stream {
    Classes = 1,
    Picture = 2,
    Mislabel = 3,
    Overlay = 4,
    Outliers = 5,
}

impl From<Stream> for u64 {
    fn from(stream: Stream) -> Self {
        stream as Self
    }
}

#[cfg(test)]
mod tests;
