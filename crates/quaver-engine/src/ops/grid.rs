//! GridSample: a picture read where a grid says, between its places. AffineGrid: the grid of an affine map.
//!
//! y(c, o) = Σ w(o, i) x(c, i) over the places i around the one that the grid gives for o, with w the product of one
//! weight per axis. x has its transpose; a coordinate has the slopes of its weights, inside the cell it lies in, and
//! none where it is held at the border or rounded.

use quaver_kernels::Scalar;

use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};
use crate::tensor::n_elements;

/// Pictures, volumes, and sequences.
const MOST_AXES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

#[derive(Debug, Clone)]
struct GridSample {
    /// The picture (N × C × places) and the grid (N × places of the output × axes).
    operands: Vec<Operand>,
    batch: usize,
    channels: usize,
    /// The lengths of the axes that are read between.
    lengths: Vec<usize>,
    n_out: usize,
    mode: Mode,
    padding: Padding,
    align_corners: bool,
}

/// One place of an axis, or of the picture, that is read.
#[derive(Debug, Clone, Copy, Default)]
struct Tap {
    at: usize,
    weight: f64,
    /// ∂ weight / ∂ each coordinate of the grid.
    slopes: [f64; MOST_AXES],
}

/// `x` mirrored at both ends until it lies between them, and the slope of that.
fn reflect(x: f64, low: f64, high: f64) -> (f64, f64) {
    let length = high - low;
    if length <= 0.0 {
        return (low, 0.0);
    }
    let (from, to, beyond) = match x {
        x if x < low => (low, high, low - x),
        x if x > high => (high, low, x - high),
        _ => return (x, 1.0),
    };
    let turns = (beyond / length).floor();
    let rest = beyond - turns * length;
    match turns % 2.0 == 0.0 {
        true => (from + rest * (to - from).signum(), -1.0),
        false => (to - rest * (to - from).signum(), 1.0),
    }
}

/// Keys' kernel at distance d ≥ 0, and its derivative.
fn cubic(d: f64) -> (f64, f64) {
    const A: f64 = -0.75;
    match d {
        d if d <= 1.0 => (
            ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0,
            (3.0 * (A + 2.0) * d - 2.0 * (A + 3.0)) * d,
        ),
        d if d < 2.0 => (
            ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A,
            (3.0 * A * d - 10.0 * A) * d + 8.0 * A,
        ),
        _ => (0.0, 0.0),
    }
}

impl GridSample {
    /// The first and last coordinate that lie in a picture of `length` places.
    fn bounds(&self, length: usize) -> (f64, f64) {
        match self.align_corners {
            true => (0.0, length as f64 - 1.0),
            false => (-0.5, length as f64 - 0.5),
        }
    }

    /// The place that stands for place `at`, which may lie outside.
    fn inside(&self, at: f64, length: usize) -> Option<usize> {
        let last = length as f64 - 1.0;
        let (low, high) = self.bounds(length);
        match self.padding {
            Padding::Zeros => (0.0..=last).contains(&at).then_some(at as usize),
            Padding::Border => Some(at.clamp(0.0, last) as usize),
            Padding::Reflection => Some(reflect(at, low, high).0.clamp(0.0, last) as usize),
        }
    }

    /// Calls `visit` with each place of axis `axis` that is read for coordinate `g`, its weight and slope.
    fn along(&self, axis: usize, g: f64, mut visit: impl FnMut(usize, f64, f64)) {
        let length = self.lengths[axis];
        let n = length as f64;
        let (mut x, mut slope) = match self.align_corners {
            true => ((g + 1.0) / 2.0 * (n - 1.0), (n - 1.0) / 2.0),
            false => (((g + 1.0) * n - 1.0) / 2.0, n / 2.0),
        };
        if self.mode == Mode::Nearest {
            x = x.round_ties_even();
        }
        let (low, high) = self.bounds(length);
        if x < low || x > high {
            let (moved, turned) = match self.padding {
                Padding::Zeros => (x, 1.0),
                Padding::Border => (x.clamp(0.0, n - 1.0), 0.0),
                Padding::Reflection => reflect(x, low, high),
            };
            (x, slope) = (moved, slope * turned);
        }
        let (first, t) = (x.floor(), x - x.floor());
        let mut tap = |offset: f64, weight: f64, steepness: f64| {
            if let Some(at) = self.inside(first + offset, length) {
                visit(at, weight, steepness * slope);
            }
        };
        match self.mode {
            Mode::Nearest => tap(0.0, 1.0, 0.0),
            Mode::Linear => {
                tap(0.0, 1.0 - t, -1.0);
                tap(1.0, t, 1.0);
            }
            Mode::Cubic => {
                for offset in [-1.0, 0.0, 1.0, 2.0] {
                    let (weight, steepness) = cubic((t - offset).abs());
                    tap(offset, weight, steepness * (t - offset).signum());
                }
            }
        }
    }

    /// What is read for one place of the output: `taps` holds it afterwards.
    fn taps<T: Scalar>(&self, coordinates: &[T], taps: &mut Vec<Tap>, more: &mut Vec<Tap>) {
        taps.clear();
        taps.push(Tap {
            weight: 1.0,
            ..Tap::default()
        });
        for (axis, &length) in self.lengths.iter().enumerate() {
            // A grid's coordinates begin with the last axis.
            let at_grid = self.lengths.len() - 1 - axis;
            more.clear();
            self.along(axis, coordinates[at_grid].to_f64(), |at, weight, slope| {
                more.extend(taps.iter().map(|tap| {
                    let mut slopes = tap.slopes.map(|slope| slope * weight);
                    slopes[at_grid] = tap.weight * slope;
                    Tap {
                        at: tap.at * length + at,
                        weight: tap.weight * weight,
                        slopes,
                    }
                }));
            });
            std::mem::swap(taps, more);
        }
    }

    /// Calls `visit` with every place of the output, counted through the batch, and what is read for it.
    fn each<T: Scalar>(&self, grid: &[T], mut visit: impl FnMut(usize, &[Tap])) {
        let (mut taps, mut more) = (Vec::new(), Vec::new());
        for (place, coordinates) in grid.chunks_exact(self.lengths.len()).enumerate() {
            self.taps(coordinates, &mut taps, &mut more);
            visit(place, &taps);
        }
    }

    fn n_in(&self) -> usize {
        self.lengths.iter().product()
    }

    fn grid_input(&self) -> Option<usize> {
        match self.operands[1] {
            Operand::Input(at) => Some(at),
            Operand::Constant(_) => None,
        }
    }
}

impl Operator for GridSample {
    fn carries(&self, input: usize) -> bool {
        self.mode != Mode::Nearest || self.grid_input() != Some(input)
    }
}

impl<T: Scalar> Lower<T> for GridSample {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            shape: self.clone(),
            sources: self.operands.iter().map(Source::of).collect(),
        })
    }
}

struct Lowered<T> {
    shape: GridSample,
    sources: Vec<Source<T>>,
}

impl<T: Scalar> Lowered<T> {
    /// Picture and grid of the forward pass.
    fn operands<'a>(&'a self, saved: &'a Saved<T>) -> [&'a [T]; 2] {
        let n_picture = match self.sources[0] {
            Source::Input(_) => self.shape.batch * self.shape.channels * self.shape.n_in(),
            Source::Constant(_) => 0,
        };
        let (picture, grid) = saved.values.split_at(n_picture);
        let given: &[&[T]] = match self.sources[0] {
            Source::Input(_) => &[picture, grid],
            Source::Constant(_) => &[grid],
        };
        [0, 1].map(|at| self.sources[at].values(given))
    }
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        let shape = &self.shape;
        let (channels, n_in, n_out) = (shape.channels, shape.n_in(), shape.n_out);
        let picture = self.sources[0].values(x);
        shape.each(self.sources[1].values(x), |place, taps| {
            let (sample, at) = (place / n_out, place % n_out);
            for channel in sample * channels..(sample + 1) * channels {
                let x = &picture[channel * n_in..][..n_in];
                let mut sum = T::ZERO;
                for tap in taps {
                    sum += T::from_f64(tap.weight) * x[tap.at];
                }
                y[channel * n_out + at] = sum;
            }
        });
        if let Some(saved) = saved {
            saved.values.clear();
            x.iter().for_each(|x| saved.values.extend_from_slice(x));
        }
    }

    fn vjp(&self, input: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let shape = &self.shape;
        let (channels, n_in, n_out) = (shape.channels, shape.n_in(), shape.n_out);
        let [picture, grid] = self.operands(saved);
        let all = shape.batch * channels;
        let n_gx = match shape.grid_input() == Some(input) {
            true => grid.len(),
            false => all * n_in,
        };
        gx.fill(T::ZERO);
        shape.each(grid, |place, taps| {
            let (sample, at) = (place / n_out, place % n_out);
            let cotangents = gy.chunks_exact(all * n_out).zip(gx.chunks_exact_mut(n_gx));
            for (gy, gx) in cotangents {
                for channel in sample * channels..(sample + 1) * channels {
                    let gy = gy[channel * n_out + at];
                    if shape.grid_input() == Some(input) {
                        let axes = shape.lengths.len();
                        for (axis, gx) in gx[place * axes..][..axes].iter_mut().enumerate() {
                            for tap in taps {
                                let x = picture[channel * n_in + tap.at];
                                *gx += gy * T::from_f64(tap.slopes[axis]) * x;
                            }
                        }
                    } else {
                        for tap in taps {
                            gx[channel * n_in + tap.at] += gy * T::from_f64(tap.weight);
                        }
                    }
                }
            }
        });
    }
}

/// Reads a GridSample node.
pub(super) fn sample(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, grid) = (node.input(0)?, node.input(1)?);
    let axes = x.shape.len().saturating_sub(2);
    let fits = grid.shape.len() == x.shape.len()
        && (1..=MOST_AXES).contains(&axes)
        && grid.shape.first() == x.shape.first()
        && grid.shape.last() == Some(&axes)
        && !x.shape.contains(&0);
    if !fits {
        return Err(EngineError::shape(format!(
            "a grid of shape {:?} for a value of shape {:?}",
            grid.shape, x.shape
        )));
    }
    let mode = match node.string("mode", "linear").as_str() {
        "nearest" => Mode::Nearest,
        "linear" | "bilinear" => Mode::Linear,
        "cubic" | "bicubic" => Mode::Cubic,
        other => return Err(EngineError::format(format!("attribute mode = '{other}'"))),
    };
    let padding = match node.string("padding_mode", "zeros").as_str() {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => {
            return Err(EngineError::format(format!(
                "attribute padding_mode = '{other}'"
            )));
        }
    };
    let places = &grid.shape[1..=axes];
    let shape = [&x.shape[..2], places].concat();
    let (operands, values) = operands(&[x, grid])?;
    let op = GridSample {
        operands,
        batch: x.shape[0],
        channels: x.shape[1],
        lengths: x.shape[2..].to_vec(),
        n_out: n_elements(places)?,
        mode,
        padding,
        align_corners: node.flag("align_corners", false),
    };
    Ok(Built::step(op, values, shape))
}

/// Reads an AffineGrid node: the matrix applied to every place of the output.
pub(super) fn affine(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let theta = node.input(0)?;
    let size = node.required_constant(1, "size")?.numbers();
    let lengths: Vec<usize> = size.iter().skip(2).map(|&length| length as usize).collect();
    let axes = lengths.len();
    let batch = theta.shape.first().copied().unwrap_or(0);
    let fits = (1..=MOST_AXES).contains(&axes)
        && theta.shape == [batch, axes, axes + 1]
        && size.iter().all(|&length| length >= 1.0)
        && size[0] == batch as f64;
    if !fits {
        return Err(EngineError::shape(format!(
            "a map of shape {:?} for a grid of size {size:?}",
            theta.shape
        )));
    }
    let n_out = n_elements(&lengths)?;
    n_elements(&[n_out, axes + 1])?;
    let align_corners = node.flag("align_corners", false);
    let coordinate = |at: usize, length: usize| match (align_corners, length) {
        (true, 1) => 0.0,
        (true, n) => -1.0 + 2.0 * at as f64 / (n as f64 - 1.0),
        (false, n) => -1.0 + (2.0 * at as f64 + 1.0) / n as f64,
    };
    let mut places = vec![1.0; n_out * (axes + 1)];
    for (mut at, place) in places.chunks_exact_mut(axes + 1).enumerate() {
        for (place, &length) in place.iter_mut().zip(lengths.iter().rev()) {
            *place = coordinate(at % length, length);
            at /= length;
        }
    }
    let mut body = Body::new(node);
    let places = body.floats(&[n_out, axes + 1], places)?;
    let map = body.transpose(node.name(0)?, &[0, 2, 1]);
    let grid = body.op("MatMul", &[&places, &map]);
    let shape = [&[batch], lengths.as_slice(), &[axes]].concat();
    let grid = body.reshape(&grid, &shape);
    body.returns(grid)
}
