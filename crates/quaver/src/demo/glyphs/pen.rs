//! The pen: the strokes of a glyph, moved, turned, and drawn in pixels.

use super::SIDE;
use crate::random::Random;

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
pub(super) fn draw(class: u8, random: &mut Random) -> Vec<u8> {
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
