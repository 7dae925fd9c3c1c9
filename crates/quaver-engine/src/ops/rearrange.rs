//! Operators that copy values to other places: Transpose, Slice, Pad, Gather, Expand and Split.
//!
//! Each is a map from every place of the output to the place of the input it is copied from (or to none, where
//! a constant fills it). The transpose adds cotangents up where they came from.

use std::sync::Arc;

use quaver_kernels::Scalar;

use super::lookup;
use crate::EngineError;
use crate::onnx::node::{Input, NodeContext, resolve_axis};
use crate::op::{Built, Lower, Operator, Saved, Spec, Step};
use crate::tensor::{MAX_ELEMENTS, broadcast, n_elements, strides};

/// `length` consecutive places of the output copied from as many consecutive ones of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    from: u32,
    to: u32,
    length: u32,
}

#[derive(Debug, Clone)]
struct Rearrange {
    runs: Vec<Run>,
    n_in: usize,
    n_out: usize,
    /// What stands where nothing is copied to.
    fill: f64,
}

impl Operator for Rearrange {}

impl<T: Scalar> Lower<T> for Rearrange {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> Step<T> for Rearrange {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        y.fill(T::from_f64(self.fill));
        for run in &self.runs {
            let length = run.length as usize;
            y[run.to as usize..][..length].copy_from_slice(&x[0][run.from as usize..][..length]);
        }
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        gx.fill(T::ZERO);
        let cotangents = gy.chunks_exact(self.n_out);
        for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(self.n_in)) {
            for run in &self.runs {
                let length = run.length as usize;
                let gx = &mut gx[run.from as usize..][..length];
                for (gx, &gy) in gx.iter_mut().zip(&gy[run.to as usize..][..length]) {
                    *gx += gy;
                }
            }
        }
    }
}

/// The places of `input` along each axis, `None` for fill; the output's shape is the lists' lengths.
pub(super) type Places = Vec<Vec<Option<usize>>>;

/// A rearrangement that acts on each axis by itself.
pub(super) fn by_axis(input: &Input, places: &Places, fill: f64) -> Result<Mapped, EngineError> {
    let shape: Vec<usize> = places.iter().map(Vec::len).collect();
    n_elements(&shape)?;
    let mut index = vec![Some(0)];
    for (places, stride) in places.iter().zip(strides(&input.shape)) {
        index = index
            .iter()
            .flat_map(|&base: &Option<usize>| {
                places.iter().map(move |&at| Some(base? + at? * stride))
            })
            .collect();
    }
    Ok(Mapped { index, shape, fill })
}

/// For every place of the output, the place of the input.
pub(super) struct Mapped {
    pub index: Vec<Option<usize>>,
    pub shape: Vec<usize>,
    pub fill: f64,
}

impl Mapped {
    fn operator(&self, n_in: usize) -> Rearrange {
        let mut runs: Vec<Run> = Vec::new();
        for (to, from) in self.index.iter().enumerate() {
            let Some(from) = from else { continue };
            // Tensors have at most 2³¹ elements, so places fit.
            let (from, to) = (*from as u32, to as u32);
            match runs.last_mut() {
                Some(run) if run.from + run.length == from && run.to + run.length == to => {
                    run.length += 1;
                }
                _ => runs.push(Run {
                    from,
                    to,
                    length: 1,
                }),
            }
        }
        Rearrange {
            runs,
            n_in,
            n_out: self.index.len(),
            fill: self.fill,
        }
    }

    pub(super) fn build(self, input: &Input) -> Result<Built, EngineError> {
        if let Some(constant) = &input.constant {
            let tensor = constant.gather(self.shape, &self.index, self.fill)?;
            return Ok(Built::Constant(tensor));
        }
        let op = self.operator(input.shape.iter().product());
        Ok(Built::step(op, vec![input.value], self.shape))
    }
}

pub(super) fn all(dim: usize) -> Vec<Option<usize>> {
    (0..dim).map(Some).collect()
}

/// Axes in the order `perm` (by default reversed).
pub(super) fn transpose(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let perm: Vec<usize> = match node.ints("perm") {
        None => (0..rank).rev().collect(),
        Some(perm) => perm
            .iter()
            .map(|&axis| resolve_axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if sorted.into_iter().ne(0..rank) {
        return Err(EngineError::format(format!(
            "attribute perm = {perm:?} for {rank} axes"
        )));
    }
    let x_strides = strides(&x.shape);
    let shape: Vec<usize> = perm.iter().map(|&axis| x.shape[axis]).collect();
    let mut index = vec![0];
    for &axis in &perm {
        index = index
            .iter()
            .flat_map(|&base| (0..x.shape[axis]).map(move |i| (base, i)))
            .map(|(base, i)| base + i * x_strides[axis])
            .collect();
    }
    let index = index.into_iter().map(Some).collect();
    Mapped {
        index,
        shape,
        fill: 0.0,
    }
    .build(x)
}

/// Every `step`-th place from `start` to `end`, per axis.
pub(super) fn slice(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let missing = |what: &str| EngineError::format(format!("its {what} are missing"));
    let starts = node
        .ints_or_input("starts", 1)?
        .ok_or_else(|| missing("starts"))?;
    let ends = node
        .ints_or_input("ends", 2)?
        .ok_or_else(|| missing("ends"))?;
    let axes = match node.ints_or_input("axes", 3)? {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = node
        .ints_or_input("steps", 4)?
        .unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(EngineError::format(
            "starts, ends, axes and steps are of different lengths",
        ));
    }
    let mut places: Places = x.shape.iter().map(|&dim| all(dim)).collect();
    for (at, &axis) in axes.iter().enumerate() {
        let axis = resolve_axis(axis, rank)?;
        let dim = i64::try_from(x.shape[axis]).unwrap_or(i64::MAX);
        let step = steps[at];
        if step == 0 {
            return Err(EngineError::format("a step of 0"));
        }
        let from_end = |i: i64| if i < 0 { i.saturating_add(dim) } else { i };
        // What is out of range is clamped: ends of ±2⁶³ mean "to the end".
        let (low, high) = if step > 0 { (0, dim) } else { (-1, dim - 1) };
        let start = from_end(starts[at]).clamp(low.max(0), high);
        let end = from_end(ends[at]).clamp(low, high);
        let count = if step > 0 { end - start } else { start - end };
        let count = (count.max(0) as u64).div_ceil(step.unsigned_abs());
        places[axis] = (0..count)
            .map(|i| usize::try_from(start + i as i64 * step).ok())
            .collect();
    }
    by_axis(x, &places, 0.0)?.build(x)
}

/// Places before and after, filled with a constant, the edge, a reflection or the other end.
pub(super) fn pad(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let pads = node
        .ints_or_input("pads", 1)?
        .ok_or_else(|| EngineError::format("its pads are missing"))?;
    let fill = node.float_or_input("value", 2)?.unwrap_or(0.0);
    let axes: Vec<usize> = match node.ints_or_input("axes", 3)? {
        Some(axes) => axes
            .iter()
            .map(|&axis| resolve_axis(axis, rank))
            .collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(EngineError::format(format!(
            "{} pads for {} axes",
            pads.len(),
            axes.len()
        )));
    }
    let mode = node.string("mode", "constant");
    let mut places: Places = x.shape.iter().map(|&dim| all(dim)).collect();
    for (at, &axis) in axes.iter().enumerate() {
        let (begin, end) = (pads[at], pads[axes.len() + at]);
        let dim = i64::try_from(x.shape[axis]).unwrap_or(i64::MAX);
        let limit = MAX_ELEMENTS as i64;
        if !(-limit..=limit).contains(&begin)
            || !(-limit..=limit).contains(&end)
            || begin + dim + end < 0
        {
            return Err(EngineError::format(format!(
                "pads {begin} and {end} of an axis of {dim}"
            )));
        }
        if dim == 0 && mode != "constant" {
            return Err(EngineError::shape(format!(
                "mode {mode} of an axis without places"
            )));
        }
        places[axis] = (-begin..dim + end)
            .map(|i| {
                let inside = match mode.as_str() {
                    "constant" => Some(i).filter(|i| (0..dim).contains(i)),
                    "edge" => Some(i.clamp(0, dim - 1)),
                    "wrap" => Some(i.rem_euclid(dim)),
                    "reflect" => {
                        let period = (2 * (dim - 1)).max(1);
                        let i = i.rem_euclid(period);
                        Some(i.min(period - i).min(dim - 1))
                    }
                    other => {
                        return Err(EngineError::format(format!("attribute mode = '{other}'")));
                    }
                };
                Ok(inside.and_then(|i| usize::try_from(i).ok()))
            })
            .collect::<Result<_, _>>()?;
    }
    by_axis(x, &places, fill)?.build(x)
}

/// The places `indices` along an axis, in the shape of `indices`.
pub(super) fn gather(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", 0, x.shape.len())?;
    if node.input(1)?.constant.is_none() {
        return lookup::build(node, axis);
    }
    let indices = node.required_constant(1, "list of indices")?;
    let places: Vec<Option<usize>> = indices
        .integers()
        .ok_or_else(|| EngineError::format("its indices (input 1) are not integers"))?
        .iter()
        .map(|&i| resolve_axis(i, x.shape[axis]).map(Some))
        .collect::<Result<_, _>>()
        .map_err(|_| {
            EngineError::format(format!("an index beyond axis {axis} of {:?}", x.shape))
        })?;
    let mut by: Places = x.shape.iter().map(|&dim| all(dim)).collect();
    by[axis] = places;
    let mut mapped = by_axis(x, &by, 0.0)?;
    mapped
        .shape
        .splice(axis..=axis, indices.shape().iter().copied());
    mapped.build(x)
}

/// Axes of length 1 repeated, and new ones led.
pub(super) fn expand(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let wanted: Option<Vec<usize>> = node
        .required_constant(1, "shape")?
        .integers()
        .and_then(|dims| dims.iter().map(|&dim| usize::try_from(dim).ok()).collect());
    let wanted =
        wanted.ok_or_else(|| EngineError::format("its shape (input 1) is not made of sizes"))?;
    let shape = broadcast(&x.shape, &wanted)?;
    n_elements(&shape)?;
    let index = crate::tensor::broadcast_index(&x.shape, &shape);
    let index = index.into_iter().map(|i| Some(i as usize)).collect();
    Mapped {
        index,
        shape,
        fill: 0.0,
    }
    .build(x)
}

/// Consecutive parts along an axis, one output each.
pub(super) fn split(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", 0, x.shape.len())?;
    let (dim, n) = (x.shape[axis], node.proto.output.len());
    let sizes: Vec<usize> = match node.ints_or_input("split", 1)? {
        Some(sizes) => sizes
            .iter()
            .map(|&size| usize::try_from(size))
            .collect::<Result<_, _>>()
            .map_err(|_| EngineError::format("a part of negative size"))?,
        None => {
            let size = dim.div_ceil(n.max(1));
            (0..n)
                .map(|at| size.min(dim.saturating_sub(at * size)))
                .collect()
        }
    };
    if sizes.len() != n
        || sizes
            .iter()
            .try_fold(0usize, |sum, &size| sum.checked_add(size))
            != Some(dim)
    {
        return Err(EngineError::shape(format!(
            "parts of sizes {sizes:?} of axis {axis} of {:?} into {n} outputs",
            x.shape
        )));
    }
    let mut start = 0;
    let mut specs = Vec::with_capacity(n);
    for size in sizes {
        let mut places: Places = x.shape.iter().map(|&dim| all(dim)).collect();
        places[axis] = (start..start + size).map(Some).collect();
        start += size;
        let mapped = by_axis(x, &places, 0.0)?;
        specs.push(Spec {
            op: Arc::new(mapped.operator(x.shape.iter().product())),
            inputs: vec![x.value],
            shape: mapped.shape,
            params: Vec::new(),
        });
    }
    Ok(Built::Steps(specs))
}
