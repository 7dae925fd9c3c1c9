//! Resize and Upsample: each axis by itself, as a selection of places (nearest) or as a matrix of weights
//! (linear, cubic) along it.

use crate::EngineError;
use crate::compose::{Body, Name};
use crate::onnx::node::{NodeContext, resolve_axis};
use crate::onnx::proto::AttributeProto;
use crate::op::Built;
use crate::tensor::{Data, Tensor, n_elements};

/// How places of one axis are computed.
struct Axis {
    n_in: usize,
    n_out: usize,
    scale: f64,
    /// Beginning and end of the region that is resized, as fractions; for one coordinate mode.
    region: (f64, f64),
}

/// What the attributes say.
struct Method {
    mode: String,
    coordinates: String,
    nearest: String,
    cubic: f64,
    exclude_outside: bool,
    antialias: bool,
}

impl Method {
    fn read(node: &NodeContext<'_>, is_old: bool) -> Self {
        // Before opset 11 there was one way to place coordinates and one to round them.
        let (coordinates, nearest) = match is_old {
            true => ("asymmetric", "floor"),
            false => ("half_pixel", "round_prefer_floor"),
        };
        Self {
            mode: node.string("mode", "nearest"),
            coordinates: node.string("coordinate_transformation_mode", coordinates),
            nearest: node.string("nearest_mode", nearest),
            cubic: node.float("cubic_coeff_a", -0.75),
            exclude_outside: node.flag("exclude_outside", false),
            antialias: node.flag("antialias", false),
        }
    }

    /// The place of the input that place `at` of the output is computed from.
    fn place(&self, axis: &Axis, at: usize) -> Result<f64, EngineError> {
        let (n_in, n_out) = (axis.n_in as f64, axis.n_out as f64);
        let at = at as f64;
        let half_pixel = (at + 0.5) / axis.scale - 0.5;
        Ok(match self.coordinates.as_str() {
            "half_pixel" => half_pixel,
            "half_pixel_symmetric" => {
                let adjustment = n_out / (axis.scale * n_in);
                n_in / 2.0 * (1.0 - adjustment) + half_pixel
            }
            "pytorch_half_pixel" if axis.n_out > 1 => half_pixel,
            "pytorch_half_pixel" => 0.0,
            // The length before it was rounded down to whole places.
            "align_corners" if axis.n_out > 1 => at * (n_in - 1.0) / (axis.scale * n_in - 1.0),
            "align_corners" => 0.0,
            "asymmetric" => at / axis.scale,
            "tf_crop_and_resize" => {
                let (start, end) = axis.region;
                match axis.n_out {
                    1 => 0.5 * (start + end) * (n_in - 1.0),
                    _ => (start + at * (end - start) / (n_out - 1.0)) * (n_in - 1.0),
                }
            }
            other => {
                return Err(EngineError::unsupported(format!(
                    "attribute coordinate_transformation_mode = '{other}'"
                )));
            }
        })
    }

    /// The nearest place for each place of the output.
    fn nearest(&self, axis: &Axis) -> Result<Vec<i64>, EngineError> {
        (0..axis.n_out)
            .map(|at| {
                let x = self.place(axis, at)?;
                let x = match self.nearest.as_str() {
                    "round_prefer_floor" => (x - 0.5).ceil(),
                    "round_prefer_ceil" => (x + 0.5).floor(),
                    "floor" => x.floor(),
                    "ceil" => x.ceil(),
                    other => {
                        return Err(EngineError::format(format!(
                            "attribute nearest_mode = '{other}'"
                        )));
                    }
                };
                Ok((x as i64).clamp(0, axis.n_in as i64 - 1))
            })
            .collect()
    }

    /// Which places of the output lie outside the input.
    fn outside(&self, axis: &Axis) -> Result<Vec<bool>, EngineError> {
        let inside = 0.0..=axis.n_in as f64 - 1.0;
        (0..axis.n_out)
            .map(|at| Ok(!inside.contains(&self.place(axis, at)?)))
            .collect()
    }

    /// The weight of a tap at `distance` from the place.
    fn kernel(&self, distance: f64) -> f64 {
        let (d, a) = (distance.abs(), self.cubic);
        match self.mode.as_str() {
            "linear" => (1.0 - d).max(0.0),
            _ if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
            _ if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
            _ => 0.0,
        }
    }

    /// n_out × n_in weights.
    fn weights(&self, axis: &Axis) -> Result<Vec<f64>, EngineError> {
        let reach = if self.mode == "linear" { 1.0 } else { 2.0 };
        // Against aliasing the kernel spans as many places as one place of the output stands for.
        let stretch = match self.antialias {
            true => axis.scale.min(1.0),
            false => 1.0,
        };
        let n_in = axis.n_in as f64;
        let mut weights = vec![0.0; axis.n_out * axis.n_in];
        for (at, row) in weights.chunks_exact_mut(axis.n_in).enumerate() {
            let x = self.place(axis, at)?;
            if self.coordinates == "tf_crop_and_resize" && !(0.0..=n_in - 1.0).contains(&x) {
                continue;
            }
            let first = (x - reach / stretch).floor();
            let count = (2.0 * reach / stretch).ceil() + 2.0;
            let taps = (0..count as i64).map(|tap| first + tap as f64);
            let taps = taps.map(|tap| (tap, self.kernel((tap - x) * stretch)));
            let taps = taps.filter(|&(tap, _)| !self.exclude_outside || (0.0..n_in).contains(&tap));
            let taps: Vec<(f64, f64)> = taps.collect();
            let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
            for (tap, weight) in taps {
                row[tap.clamp(0.0, n_in - 1.0) as usize] += weight / total;
            }
        }
        Ok(weights)
    }
}

fn numbers(
    node: &NodeContext<'_>,
    index: usize,
    role: &str,
) -> Result<Option<Vec<f64>>, EngineError> {
    let tensor = node.constant(index, role)?;
    Ok(tensor
        .map(|t| t.numbers())
        .filter(|values| !values.is_empty()))
}

/// The axes to be resized, by number.
fn axes(node: &NodeContext<'_>, is_old: bool) -> Result<Vec<(usize, Axis)>, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let listed: Vec<usize> = match node.ints("axes") {
        None => (0..rank).collect(),
        Some(axes) => axes
            .iter()
            .map(|&axis| resolve_axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    let n = listed.len();
    let (scales, sizes) = match is_old {
        true => (numbers(node, 1, "scales")?, None),
        false => (numbers(node, 2, "scales")?, numbers(node, 3, "sizes")?),
    };
    let attribute = node.floats("scales");
    let scales = scales.or(attribute.map(|s| s.iter().map(|&s| f64::from(s)).collect()));
    let roi = match node.string("coordinate_transformation_mode", "") == "tf_crop_and_resize" {
        true => numbers(node, 1, "roi")?.filter(|roi| roi.len() == 2 * n),
        false => None,
    };
    let mut sized = match (scales, sizes) {
        (_, Some(sizes)) if sizes.len() == n => {
            let ratio = |at: usize| sizes[at] / x.shape[listed[at]] as f64;
            let ratios = (0..n).map(ratio);
            let common = match node.string("keep_aspect_ratio_policy", "stretch").as_str() {
                "not_larger" => Some(ratios.fold(f64::INFINITY, f64::min)),
                "not_smaller" => Some(ratios.fold(0.0, f64::max)),
                _ => None,
            };
            let sized = (0..n).map(|at| match common {
                Some(scale) => (scale, (scale * x.shape[listed[at]] as f64 + 0.5).floor()),
                None => (ratio(at), sizes[at]),
            });
            sized.collect::<Vec<_>>()
        }
        (Some(scales), None) if scales.len() == n => (0..n)
            .map(|at| {
                (
                    scales[at],
                    (scales[at] * x.shape[listed[at]] as f64).floor(),
                )
            })
            .collect(),
        (scales, sizes) => {
            return Err(EngineError::format(format!(
                "scales {scales:?} and sizes {sizes:?} for {n} axes"
            )));
        }
    };
    let axes = sized.drain(..).enumerate().map(|(at, (scale, n_out))| {
        let n_in = x.shape[listed[at]];
        let in_range = scale.is_finite() && scale > 0.0 && (1.0..2e9).contains(&n_out) && n_in > 0;
        if !in_range {
            return Err(EngineError::shape(format!(
                "axis {} of {:?} is scaled by {scale} to {n_out}",
                listed[at], x.shape
            )));
        }
        let axis = Axis {
            n_in,
            n_out: n_out as usize,
            scale,
            region: roi
                .as_ref()
                .map_or((0.0, 1.0), |roi| (roi[at], roi[n + at])),
        };
        Ok((listed[at], axis))
    });
    axes.collect()
}

fn build(node: &NodeContext<'_>, is_old: bool) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let method = Method::read(node, is_old);
    let extrapolates = method.coordinates == "tf_crop_and_resize";
    let mut outside = Outside::default();
    let mut body = Body::new(node);
    let mut y: Name = node.name(0)?.clone();
    let mut shape = x.shape.clone();
    for (at, axis) in axes(node, is_old)? {
        if axis.n_in == axis.n_out && axis.scale == 1.0 && !extrapolates {
            continue;
        }
        shape[at] = axis.n_out;
        n_elements(&shape)?;
        if extrapolates {
            outside.axes.push((at, method.outside(&axis)?));
        }
        match method.mode.as_str() {
            "nearest" => {
                let places = body.ints(&method.nearest(&axis)?);
                let along = vec![AttributeProto::int("axis", at as i64)];
                y = body.with("Gather", &[&y, &places], along);
            }
            "linear" | "cubic" => {
                n_elements(&[axis.n_in, axis.n_out])?;
                let weights = method.weights(&axis)?;
                let weights = body.floats(&[axis.n_out, axis.n_in], weights)?;
                let inner: usize = shape[at + 1..].iter().product();
                let outer: usize = shape[..at].iter().product();
                y = body.reshape(&y, &[outer, axis.n_in, inner]);
                y = body.op("MatMul", &[&weights, &y]);
                y = body.reshape(&y, &shape);
            }
            other => {
                return Err(EngineError::format(format!("attribute mode = '{other}'")));
            }
        }
    }
    // The weights of linear and cubic places outside are 0 already.
    let value = node.float("extrapolation_value", 0.0);
    if extrapolates && (value != 0.0 || method.mode == "nearest") {
        let mask = body.tensor(outside.mask(&shape)?);
        let value = body.number(value)?;
        y = body.op("Where", &[&mask, &value, &y]);
    }
    body.returns(y)
}

/// The places of the output that are computed from outside the input.
#[derive(Default)]
struct Outside {
    /// Axes, and which of their places are.
    axes: Vec<(usize, Vec<bool>)>,
}

impl Outside {
    fn mask(&self, shape: &[usize]) -> Result<Tensor, EngineError> {
        let mut mask = vec![false; n_elements(shape)?];
        for (axis, outside) in &self.axes {
            let inner: usize = shape[axis + 1..].iter().product();
            for (at, mask) in mask.iter_mut().enumerate() {
                *mask |= outside[at / inner % shape[*axis]];
            }
        }
        Tensor::new(shape.to_vec(), Data::Bool(mask))
    }
}

/// Every axis at another length.
pub(super) fn resize(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, node.opset < 11)
}

/// What Resize was before opset 10.
pub(super) fn upsample(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, true)
}
