//! Normalisation of consecutive elements: y = (x − mean) / √(variance + ε), or without the mean (RMS), the core
//! of LayerNormalization, GroupNormalization, InstanceNormalization, RMSNormalization and of
//! MeanVarianceNormalization.
//!
//! With r = 1/√(variance + ε) the transpose is r (g − mean g − y · mean(g y)); without the mean, its term is gone.

use quaver_kernels::Scalar;

use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::{NodeContext, resolve_axes};
use crate::onnx::proto::AttributeProto;
use crate::op::{Built, Flow, Lower, Operator, Saved, Step};

#[derive(Debug, Clone)]
struct Normalize {
    /// How many consecutive elements share a mean and a variance.
    length: usize,
    epsilon: f64,
    /// Whether the mean is subtracted.
    centre: bool,
}

impl Operator for Normalize {}

impl<T: Scalar> Lower<T> for Normalize {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

fn mean<T: Scalar>(values: impl Iterator<Item = T>, n: T) -> T {
    values.sum::<T>() / n
}

impl<T: Scalar> Step<T> for Normalize {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, rates: &mut Vec<T>) {
        let n = T::from_f64(self.length as f64);
        rates.clear();
        for (x, y) in x[0]
            .chunks_exact(self.length)
            .zip(y.chunks_exact_mut(self.length))
        {
            let centre = match self.centre {
                true => mean(x.iter().copied(), n),
                false => T::ZERO,
            };
            let variance = mean(x.iter().map(|&x| (x - centre) * (x - centre)), n);
            let rate = T::ONE / (variance + T::from_f64(self.epsilon)).sqrt();
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - centre) * rate;
            }
            rates.push(rate);
        }
        if let Some(saved) = saved {
            saved.values.clear();
            saved.values.extend_from_slice(y);
            saved.values.extend_from_slice(rates);
        }
    }

    fn flow(&self, _: usize) -> Flow {
        Flow::InPlace
    }

    fn vjp_in_place(&self, _: usize, saved: &Saved<T>, g: &mut [T]) {
        let n = T::from_f64(self.length as f64);
        let n_rows = saved.values.len() / (self.length + 1);
        let (y, rates) = saved.values.split_at(n_rows * self.length);
        let rows = y.chunks_exact(self.length).zip(rates).cycle();
        for (g, (y, &rate)) in g.chunks_exact_mut(self.length).zip(rows) {
            let level = match self.centre {
                true => mean(g.iter().copied(), n),
                false => T::ZERO,
            };
            let along = mean(g.iter().zip(y).map(|(&g, &y)| g * y), n);
            for (g, &y) in g.iter_mut().zip(y) {
                *g = rate * (*g - level - y * along);
            }
        }
    }
}

/// The core, as bodies call it: attributes length, epsilon and centre.
pub(super) fn core(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let n: usize = x.shape.iter().product();
    let length = usize::try_from(node.int("length", 0)).unwrap_or(0);
    if length == 0 || !n.is_multiple_of(length) {
        return Err(EngineError::shape(format!(
            "groups of {length} elements of a value of shape {:?}",
            x.shape
        )));
    }
    let op = Normalize {
        length,
        epsilon: node.float("epsilon", 0.0),
        centre: node.flag("centre", true),
    };
    Ok(Built::step(op, vec![x.value], x.shape.clone()))
}

fn attributes(length: usize, epsilon: f64, centre: bool) -> Vec<AttributeProto> {
    vec![
        AttributeProto::int("length", i64::try_from(length).unwrap_or(0)),
        AttributeProto::float("epsilon", epsilon as f32),
        AttributeProto::int("centre", i64::from(centre)),
    ]
}

/// Over the axes from `axis` on; scale and bias broadcast.
fn trailing(node: &NodeContext<'_>, centre: bool) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", -1, x.shape.len())?;
    let length = x.shape[axis..].iter().product();
    let epsilon = node.float("epsilon", f64::from(1e-5f32));
    let mut body = Body::new(node);
    let mut y = body.private(
        "Normalize",
        &[node.name(0)?],
        attributes(length, epsilon, centre),
    );
    y = body.op("Mul", &[&y, node.name(1)?]);
    if node.optional(2).is_some() {
        y = body.op("Add", &[&y, node.name(2)?]);
    }
    if node.proto.output.len() < 2 {
        return body.returns(y);
    }
    // Mean and 1/√(variance + ε), for whoever reads them.
    let axes: Vec<i64> = (axis..x.shape.len()).map(|axis| axis as i64).collect();
    let mean = body.reduce("ReduceMean", node.name(0)?, &axes, true);
    let centred = body.op("Sub", &[node.name(0)?, &mean]);
    let squares = body.op("Mul", &[&centred, &centred]);
    let variance = body.reduce("ReduceMean", &squares, &axes, true);
    let epsilon = body.number(epsilon)?;
    let variance = body.op("Add", &[&variance, &epsilon]);
    let deviation = body.op("Sqrt", &[&variance]);
    let rate = body.op("Reciprocal", &[&deviation]);
    body.finish(vec![Some(y), Some(mean), Some(rate)])
}

/// Mean and variance of the axes from `axis` on.
pub(super) fn layer(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    trailing(node, true)
}

/// The mean square of the axes from `axis` on.
pub(super) fn rms(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    trailing(node, false)
}

/// Mean and variance of each group of channels; scale and bias per channel (per group before opset 21).
pub(super) fn group(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let groups = usize::try_from(node.int("num_groups", 0)).unwrap_or(0);
    channels(node, groups)
}

/// Mean and variance of each channel.
pub(super) fn instance(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let groups = node.input(0)?.shape.get(1).copied().unwrap_or(0);
    channels(node, groups)
}

fn channels(node: &NodeContext<'_>, groups: usize) -> Result<Built, EngineError> {
    let (x, scale, bias) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let wrong = || {
        EngineError::shape(format!(
            "{groups} groups, scale of shape {:?} and bias of shape {:?} for a value of shape {:?}",
            scale.shape, bias.shape, x.shape
        ))
    };
    let channels = x.shape.get(1).copied().unwrap_or(0);
    if groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
        return Err(wrong());
    }
    let inner: usize = x.shape[2..].iter().product();
    let per_group = scale.shape == [groups] && bias.shape == [groups];
    if !per_group && (scale.shape != [channels] || bias.shape != [channels]) {
        return Err(wrong());
    }
    let length = channels / groups * inner;
    let epsilon = node.float("epsilon", f64::from(1e-5f32));
    let mut body = Body::new(node);
    let mut y = body.private(
        "Normalize",
        &[node.name(0)?],
        attributes(length, epsilon, true),
    );
    // One axis for what a scale is meant for, one for what shares it.
    let n_scales = scale.shape[0];
    y = body.reshape(&y, &[x.shape[0], n_scales, channels / n_scales * inner]);
    let scale = body.reshape(node.name(1)?, &[n_scales, 1]);
    y = body.op("Mul", &[&y, &scale]);
    let bias = body.reshape(node.name(2)?, &[n_scales, 1]);
    y = body.op("Add", &[&y, &bias]);
    let y = body.reshape(&y, &x.shape);
    body.returns(y)
}

/// Mean and variance over `axes` (by default all but the channels), without scale and bias.
pub(super) fn mean_variance(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let axes = resolve_axes(node.ints("axes").unwrap_or(&[0, 2, 3]), rank)?;
    // The axes to normalise over are moved to the end, and back again.
    let mut perm: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    perm.extend(&axes);
    let mut back = vec![0; rank];
    perm.iter()
        .enumerate()
        .for_each(|(to, &from)| back[from] = to);
    let length = axes.iter().map(|&axis| x.shape[axis]).product();
    let mut body = Body::new(node);
    let mut y = body.transpose(node.name(0)?, &perm);
    // The specification adds 1e-9 to the deviation; to the variance it is no more than rounding.
    y = body.private("Normalize", &[&y], attributes(length, 1e-18, true));
    let y = body.transpose(&y, &back);
    body.returns(y)
}

/// x divided by its norm of order p along an axis.
pub(super) fn lp(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", -1, x.shape.len())?;
    let norm = match node.int("p", 2) {
        1 => "ReduceL1",
        2 => "ReduceL2",
        p => return Err(EngineError::unsupported(format!("attribute p = {p}"))),
    };
    let mut body = Body::new(node);
    let norm = body.reduce(norm, node.name(0)?, &[axis as i64], true);
    // What has no length stays as it is.
    let (zero, one) = (body.number(0.0)?, body.number(1.0)?);
    let is_zero = body.op("Equal", &[&norm, &zero]);
    let norm = body.op("Where", &[&is_zero, &one, &norm]);
    let y = body.op("Div", &[node.name(0)?, &norm]);
    body.returns(y)
}

/// x divided by a power of the squares of neighbouring channels: x / (bias + α/size Σ x²)^β.
pub(super) fn local_response(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let (&[batch, channels], inner) = x
        .shape
        .split_at_checked(2)
        .map_or((&[0, 0], &[][..]), |(a, b)| {
            (a.first_chunk::<2>().unwrap_or(&[0, 0]), b)
        });
    let size = usize::try_from(node.int("size", 0)).unwrap_or(0);
    if size == 0 || channels == 0 || size > 2 * channels + 1 {
        return Err(EngineError::shape(format!(
            "attribute size = {size} for a value of shape {:?}",
            x.shape
        )));
    }
    let (alpha, beta) = (
        node.float("alpha", f64::from(1e-4f32)),
        node.float("beta", 0.75),
    );
    let bias = node.float("bias", 1.0);
    // The sum over neighbours is a banded matrix times the channels.
    let (before, after) = ((size - 1) / 2, size / 2);
    let band = (0..channels * channels).map(|at| {
        let (to, from) = (at / channels, at % channels);
        let near = from + before >= to && from <= to + after;
        if near { alpha / size as f64 } else { 0.0 }
    });
    let mut body = Body::new(node);
    let squares = body.op("Mul", &[node.name(0)?, node.name(0)?]);
    let squares = body.reshape(&squares, &[batch, channels, inner.iter().product()]);
    let band = body.floats(&[channels, channels], band.collect())?;
    let sums = body.op("MatMul", &[&band, &squares]);
    let sums = body.reshape(&sums, &x.shape);
    let bias = body.number(bias)?;
    let base = body.op("Add", &[&sums, &bias]);
    let power = body.number(-beta)?;
    let factor = body.op("Pow", &[&base, &power]);
    let y = body.op("Mul", &[node.name(0)?, &factor]);
    body.returns(y)
}
