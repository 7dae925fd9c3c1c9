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

use crate::random::Random;

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

type Point = (f64, f64);

/// How the corners of a stroke are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pen {
    /// Straight pieces.
    Sharp,
    /// Straight pieces, and the end joins the start.
    SharpLoop,
    /// A curve near the corners.
    Smooth,
    /// A closed curve near the corners.
    SmoothLoop,
}

use Pen::{Sharp, SharpLoop, Smooth, SmoothLoop};

/// The strokes of each class, in the box [−1, 1]² with x to the right and y down.
#[rustfmt::skip]
const STROKES: [&[(Pen, &[Point])]; 10] = [
    // circle
    &[(SmoothLoop, &[(0.45, -1.08), (1.08, -0.45), (1.08, 0.45), (0.45, 1.08),
                     (-0.45, 1.08), (-1.08, 0.45), (-1.08, -0.45), (-0.45, -1.08)])],
    // square
    &[(SharpLoop, &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)])],
    // triangle
    &[(SharpLoop, &[(0.0, -0.95), (0.98, 0.75), (-0.98, 0.75)])],
    // plus
    &[(Sharp, &[(0.0, -0.95), (0.0, 0.95)]), (Sharp, &[(-0.95, 0.0), (0.95, 0.0)])],
    // cross
    &[(Sharp, &[(-0.75, -0.75), (0.75, 0.75)]), (Sharp, &[(0.75, -0.75), (-0.75, 0.75)])],
    // arrow
    &[(Sharp, &[(0.0, 0.95), (0.0, -0.95)]), (Sharp, &[(-0.7, -0.2), (0.0, -0.95), (0.7, -0.2)])],
    // tee
    &[(Sharp, &[(0.0, 0.95), (0.0, -0.75)]), (Sharp, &[(-0.85, -0.75), (0.85, -0.75)])],
    // ell
    &[(Sharp, &[(-0.55, -0.95), (-0.55, 0.8), (0.75, 0.8)])],
    // zed
    &[(Sharp, &[(-0.75, -0.85), (0.75, -0.85), (-0.75, 0.85), (0.75, 0.85)])],
    // ess
    &[(Smooth, &[(0.75, -0.7), (0.1, -1.1), (-0.95, -0.75), (-0.6, 0.05),
                 (0.6, -0.05), (0.95, 0.75), (-0.1, 1.1), (-0.75, 0.7)])],
];

/// Standard deviation of every corner's own movement, in units of the box.
const CORNER_WOBBLE: f64 = 0.095;
/// Standard deviation of tan(angle / 2): about 10 degrees.
const HALF_TURN: f64 = 0.09;
/// Standard deviation of the shear.
const SHEAR: f64 = 0.13;
/// Half the box in pixels, smallest and largest, drawn for x and y apart.
const HALF_SIZE: (f64, f64) = (5.5, 9.8);
/// Standard deviation of the centre's movement, in pixels.
const DRIFT: f64 = 1.2;
/// Pen width in pixels, smallest and largest.
const PEN_WIDTH: (f64, f64) = (1.3, 3.6);
/// Width in pixels over which the ink fades at a stroke's edge, smallest and largest.
const FADE: (f64, f64) = (0.9, 2.2);
/// Strength of the ink, smallest and largest.
const INK: (f64, f64) = (0.55, 1.0);
/// Largest noise added to or taken from a pixel.
const NOISE: f64 = 0.06;

/// Draws one picture of `class`.
fn draw(class: u8, random: &mut Random) -> Vec<u8> {
    let cut = random.between((0.02, 0.16));
    let to_pixels = Affine::random(random);
    let mut pieces: Vec<(Point, Point)> = Vec::new();
    for &(pen, corners) in STROKES[usize::from(class)] {
        let wobbled: Vec<Point> = corners
            .iter()
            .map(|&(x, y)| {
                let dx = CORNER_WOBBLE * random.normal();
                let dy = CORNER_WOBBLE * random.normal();
                (x + dx, y + dy)
            })
            .collect();
        let path: Vec<Point> = stroke_path(&wobbled, pen, cut)
            .into_iter()
            .map(|point| to_pixels.apply(point))
            .collect();
        pieces.extend(path.windows(2).map(|ends| (ends[0], ends[1])));
    }

    let half_width = 0.5 * random.between(PEN_WIDTH);
    let fade = random.between(FADE);
    let ink = random.between(INK);
    let mut pixels = Vec::with_capacity(SIDE * SIDE);
    for row in 0..SIDE {
        for col in 0..SIDE {
            let here = (col as f64, row as f64);
            let distance = pieces
                .iter()
                .map(|&piece| squared_distance(here, piece))
                .fold(f64::INFINITY, f64::min)
                .sqrt();
            let coverage = (0.5 + (half_width - distance) / fade).clamp(0.0, 1.0);
            let value = ink * coverage + random.between((-NOISE, NOISE));
            // The cast truncates: the half rounds to nearest.
            pixels.push((255.0 * value.clamp(0.0, 1.0) + 0.5) as u8);
        }
    }
    pixels
}

/// The points of the polyline that the pen follows. Corners are cut off (Chaikin's scheme): once and by
/// a random share for a sharp pen, so that squares differ in roundness; three times by a quarter for a
/// smooth pen, which comes close to a quadratic B-spline.
fn stroke_path(corners: &[Point], pen: Pen, cut: f64) -> Vec<Point> {
    let closed = matches!(pen, SharpLoop | SmoothLoop);
    let (n_rounds, cut) = match pen {
        Sharp | SharpLoop => (1, cut),
        Smooth | SmoothLoop => (3, 0.25),
    };
    let mut path = corners.to_vec();
    if closed {
        path.push(corners[0]);
    }
    for _ in 0..n_rounds {
        let mut rounded = Vec::with_capacity(2 * path.len());
        for ends in path.windows(2) {
            rounded.push(between_points(ends[0], ends[1], cut));
            rounded.push(between_points(ends[0], ends[1], 1.0 - cut));
        }
        if closed {
            rounded.push(rounded[0]);
        } else {
            // An open stroke keeps its ends.
            rounded[0] = path[0];
            let last = rounded.len() - 1;
            rounded[last] = path[path.len() - 1];
        }
        path = rounded;
    }
    path
}

fn between_points(a: Point, b: Point, share: f64) -> Point {
    (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1))
}

/// The squared distance from a point to a line piece.
fn squared_distance(point: Point, (a, b): (Point, Point)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (px, py) = (point.0 - a.0, point.1 - a.1);
    let length2 = dx * dx + dy * dy;
    let along = if length2 > 0.0 {
        ((px * dx + py * dy) / length2).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let (ex, ey) = (px - along * dx, py - along * dy);
    ex * ex + ey * ey
}

/// The map from a glyph's box to pixels: `matrix` (2 × 2) times the point, plus `centre`.
struct Affine {
    matrix: [[f64; 2]; 2],
    centre: Point,
}

impl Affine {
    /// Rotation × shear × scale, about a point near the middle of the picture.
    fn random(random: &mut Random) -> Self {
        // (1 − t², 2t) / (1 + t²) is the point of the unit circle at angle 2·atan t.
        let t = HALF_TURN * random.normal();
        let norm = 1.0 + t * t;
        let (cos, sin) = ((1.0 - t * t) / norm, 2.0 * t / norm);
        let shear = SHEAR * random.normal();
        let (wide, high) = (random.between(HALF_SIZE), random.between(HALF_SIZE));
        let middle = (SIDE as f64 - 1.0) / 2.0;
        let x = middle + DRIFT * random.normal();
        let y = middle + DRIFT * random.normal();
        Self {
            matrix: [
                [cos * wide, (cos * shear - sin) * high],
                [sin * wide, (sin * shear + cos) * high],
            ],
            centre: (x, y),
        }
    }

    fn apply(&self, (x, y): Point) -> Point {
        let [top, bottom] = self.matrix;
        (
            top[0] * x + top[1] * y + self.centre.0,
            bottom[0] * x + bottom[1] * y + self.centre.1,
        )
    }
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
mod tests {
    use super::*;

    /// FNV-1a, 64 bits.
    fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    fn count(glyphs: &[Glyph], wanted: impl Fn(&Origin) -> bool) -> usize {
        glyphs.iter().filter(|glyph| wanted(&glyph.origin)).count()
    }

    /// The shipped network belongs to exactly these pictures: if this test fails, do not update the
    /// hashes without training it again.
    #[test]
    fn pictures_never_change() {
        let hash = |glyphs: &[Glyph]| {
            fnv(glyphs
                .iter()
                .flat_map(|glyph| glyph.pixels.iter().copied().chain([glyph.label])))
        };
        let clean = generate(&GlyphOptions::clean(100, 1));
        assert_eq!(
            hash(&clean),
            0x7f29_dee5_e77e_6e32,
            "the first 100 clean pictures"
        );
        let demo = generate(&GlyphOptions::default());
        assert_eq!(hash(&demo), 0x8bf6_27bb_a83c_e507, "the demo set");
    }

    #[test]
    fn seeds_differ_and_longer_sets_extend_shorter_ones() {
        let short = generate(&GlyphOptions::clean(30, 7));
        let long = generate(&GlyphOptions::clean(55, 7));
        assert_eq!(short[..], long[..30]);
        let reseeded = generate(&GlyphOptions::clean(30, 8));
        assert!(
            short
                .iter()
                .zip(&reseeded)
                .all(|(a, b)| a.pixels != b.pixels)
        );
    }

    #[test]
    fn classes_are_balanced() {
        let glyphs = generate(&GlyphOptions::clean(200, 3));
        for block in glyphs.chunks(10) {
            let mut labels: Vec<u8> = block.iter().map(|glyph| glyph.label).collect();
            labels.sort_unstable();
            assert_eq!(labels, (0..10).collect::<Vec<u8>>());
        }
        let leaders: Vec<u8> = glyphs.iter().step_by(10).map(|glyph| glyph.label).collect();
        assert!(leaders.iter().any(|&label| label != leaders[0]));
    }

    #[test]
    fn outliers_are_planted_as_asked() {
        let options = GlyphOptions {
            n_samples: 500,
            seed: 5,
            mislabelled: 40,
            overlaid: 25,
        };
        let glyphs = generate(&options);
        let clean = generate(&GlyphOptions::clean(500, 5));
        assert_eq!(
            count(&glyphs, |o| matches!(o, Origin::Mislabelled { .. })),
            40
        );
        assert_eq!(count(&glyphs, |o| matches!(o, Origin::Overlaid { .. })), 25);
        for (glyph, honest) in glyphs.iter().zip(&clean) {
            match glyph.origin {
                Origin::Clean => assert_eq!(glyph, honest),
                Origin::Mislabelled { true_class } => {
                    assert_eq!(glyph.pixels, honest.pixels);
                    assert_eq!(true_class, honest.label);
                    assert_ne!(glyph.label, true_class);
                    assert!(glyph.label < 10);
                }
                Origin::Overlaid { other } => {
                    assert_eq!(glyph.label, honest.label);
                    assert_ne!(glyph.label, other);
                    assert!(other < 10);
                }
            }
        }
    }

    #[test]
    fn overlaid_pictures_are_the_maximum_of_two_shifted_pictures() {
        let options = GlyphOptions {
            n_samples: 60,
            seed: 9,
            mislabelled: 0,
            overlaid: 60,
        };
        let clean = generate(&GlyphOptions::clean(60, 9));
        for (sample_idx, (glyph, first)) in generate(&options).iter().zip(&clean).enumerate() {
            let (second, other, shifts) = overlay_partner(9, sample_idx, first.label);
            assert_eq!(glyph.origin, Origin::Overlaid { other });
            for row in 0..SIDE as i32 {
                for col in 0..SIDE as i32 {
                    let value = |pixels: &[u8], shift: Shift| {
                        let (r, c) = (row - shift.down, col - shift.right);
                        assert!(shift.down.abs() <= 4 && shift.right.abs() <= 4);
                        let inside = (0..28).contains(&r) && (0..28).contains(&c);
                        if inside {
                            pixels[(r * 28 + c) as usize]
                        } else {
                            0
                        }
                    };
                    let expected = value(&first.pixels, shifts[0]).max(value(&second, shifts[1]));
                    assert_eq!(glyph.pixels[(row * 28 + col) as usize], expected);
                }
            }
        }
    }

    #[test]
    fn pictures_have_ink_and_background() {
        for (sample_idx, glyph) in generate(&GlyphOptions::with_outliers(1000, 2))
            .iter()
            .enumerate()
        {
            assert_eq!(glyph.pixels.len(), SIDE * SIDE);
            let inked = glyph.pixels.iter().filter(|&&value| value > 60).count();
            let empty = glyph.pixels.iter().filter(|&&value| value < 30).count();
            assert!(inked >= 15, "sample {sample_idx}: {inked} inked pixels");
            assert!(empty >= 150, "sample {sample_idx}: {empty} empty pixels");
        }
    }

    #[test]
    #[should_panic(expected = "do not fit into 10 samples")]
    fn more_outliers_than_samples_are_refused() {
        generate(&GlyphOptions {
            n_samples: 10,
            seed: 0,
            mislabelled: 6,
            overlaid: 5,
        });
    }
}
