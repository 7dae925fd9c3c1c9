//! More operators that copy values to other places: DepthToSpace, SpaceToDepth, Tile, Trilu, GatherElements,
//! GatherND, Compress, ReverseSequence and CenterCropPad; indices that come with the
//! sample are another file's.

use super::pick;
use super::rearrange::{Mapped, Places, all, by_axis};
use crate::EngineError;
use crate::compose::Body;
use crate::onnx::node::{NodeContext, resolve_axis};
use crate::op::Built;
use crate::tensor::{n_elements, strides};

fn block(node: &NodeContext<'_>) -> Result<(usize, [usize; 4]), EngineError> {
    let x = node.input(0)?;
    let size = usize::try_from(node.int("blocksize", 0)).unwrap_or(0);
    match *x.shape.as_slice() {
        [n, c, h, w] if size > 0 && size < 1 << 15 => Ok((size, [n, c, h, w])),
        _ => Err(EngineError::shape(format!(
            "attribute blocksize = {size} for a value of shape {:?}",
            x.shape
        ))),
    }
}

/// Channels to blocks of positions.
pub(super) fn depth_to_space(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (b, [n, c, h, w]) = block(node)?;
    if !c.is_multiple_of(b * b) {
        return Err(EngineError::shape(format!(
            "{c} channels in blocks of {b} × {b}"
        )));
    }
    let rest = c / (b * b);
    let (split, perm) = match node.string("mode", "DCR").as_str() {
        "DCR" => ([n, b, b, rest, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, rest, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        other => return Err(EngineError::format(format!("attribute mode = '{other}'"))),
    };
    let mut body = Body::new(node);
    let y = body.reshape(node.name(0)?, &split);
    let y = body.transpose(&y, &perm);
    let y = body.reshape(&y, &[n, rest, h * b, w * b]);
    body.returns(y)
}

/// Blocks of positions to channels.
pub(super) fn space_to_depth(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (b, [n, c, h, w]) = block(node)?;
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(EngineError::shape(format!(
            "{h} × {w} positions in blocks of {b} × {b}"
        )));
    }
    let mut body = Body::new(node);
    let y = body.reshape(node.name(0)?, &[n, c, h / b, b, w / b, b]);
    let y = body.transpose(&y, &[0, 3, 5, 1, 2, 4]);
    let y = body.reshape(&y, &[n, c * b * b, h / b, w / b]);
    body.returns(y)
}

/// Every axis repeated.
pub(super) fn tile(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let repeats = node.required_constant(1, "list of repeats")?.integers();
    let repeats: Option<Vec<usize>> = repeats
        .filter(|repeats| repeats.len() == x.shape.len())
        .and_then(|repeats| repeats.iter().map(|&n| usize::try_from(n).ok()).collect());
    let repeats = repeats.ok_or_else(|| {
        EngineError::format(format!(
            "its repeats do not fit a value of shape {:?}",
            x.shape
        ))
    })?;
    let lengths: Option<Vec<usize>> = x
        .shape
        .iter()
        .zip(&repeats)
        .map(|(&dim, &n)| dim.checked_mul(n))
        .collect();
    let lengths = lengths.ok_or_else(|| EngineError::shape("repeats too large to count"))?;
    n_elements(&lengths)?;
    let axis = |(&dim, &n): (&usize, &usize)| (0..n).flat_map(|_| all(dim)).collect();
    let places: Places = x.shape.iter().zip(&repeats).map(axis).collect();
    by_axis(x, &places, 0.0)?.build(x)
}

/// The upper or lower triangle of the last two axes, zeros elsewhere.
pub(super) fn trilu(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let &[.., rows, columns] = x.shape.as_slice() else {
        return Err(EngineError::shape(format!(
            "a value of shape {:?} has no matrix",
            x.shape
        )));
    };
    let k = match node.constant(1, "diagonal k")?.and_then(|k| k.integers()) {
        Some(k) => i128::from(k.first().copied().unwrap_or(0)),
        None => 0,
    };
    let upper = node.flag("upper", true);
    let n: usize = x.shape.iter().product();
    let keeps = |at: usize| {
        let (row, column) = (at / columns % rows, at % columns);
        let above = column as i128 - row as i128;
        if upper { above >= k } else { above <= k }
    };
    let index = (0..n).map(|at| Some(at).filter(|&at| keeps(at))).collect();
    let shape = x.shape.clone();
    Mapped {
        index,
        shape,
        fill: 0.0,
    }
    .build(x)
}

fn indices(node: &NodeContext<'_>) -> Result<(Vec<i64>, Vec<usize>), EngineError> {
    let tensor = node.required_constant(1, "list of indices")?;
    let values = tensor
        .integers()
        .ok_or_else(|| EngineError::format("its indices (input 1) are not integers"))?;
    Ok((values, tensor.shape().to_vec()))
}

/// For each place of the indices, the element at that place but for the index along `axis`.
pub(super) fn gather_elements(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let axis = node.axis("axis", 0, x.shape.len())?;
    if node.input(1)?.constant.is_none() {
        return pick::elements(node, axis);
    }
    let (values, shape) = indices(node)?;
    let index = element_places(&x.shape, axis, &values, &shape)?;
    let index = index.into_iter().map(Some).collect();
    Mapped {
        index,
        shape,
        fill: 0.0,
    }
    .build(x)
}

/// Places in a value of shape `x` that indices of shape `shape` along `axis` mean.
pub(super) fn element_places(
    x: &[usize],
    axis: usize,
    values: &[i64],
    shape: &[usize],
) -> Result<Vec<usize>, EngineError> {
    let fits = shape.len() == x.len() && (0..x.len()).all(|at| at == axis || shape[at] <= x[at]);
    if !fits {
        return Err(EngineError::shape(format!(
            "indices of shape {shape:?} for a value of shape {x:?}"
        )));
    }
    let (from, to) = (strides(x), strides(shape));
    let places = values.iter().enumerate().map(|(at, &value)| {
        let along = |d: usize| at / to[d] % shape[d];
        let others = (0..x.len())
            .filter(|&d| d != axis)
            .map(|d| along(d) * from[d]);
        let place: usize = others.sum();
        Ok(place + resolve_axis(value, x[axis])? * from[axis])
    });
    places
        .collect::<Result<_, EngineError>>()
        .map_err(|_| EngineError::format(format!("an index beyond axis {axis} of {x:?}")))
}

/// Slices at the places that the last axis of the indices says.
pub(super) fn gather_nd(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let batch = usize::try_from(node.int("batch_dims", 0)).unwrap_or(usize::MAX);
    if node.input(1)?.constant.is_none() {
        return pick::slices(node, batch);
    }
    let (values, shape) = indices(node)?;
    let (starts, length, lead) = slice_places(&x.shape, batch, &values, &shape)?;
    let index = starts
        .iter()
        .flat_map(|&start| (start..start + length).map(Some))
        .collect();
    let shape = [lead.as_slice(), &x.shape[batch + depth(&shape)..]].concat();
    Mapped {
        index,
        shape,
        fill: 0.0,
    }
    .build(x)
}

fn depth(indices: &[usize]) -> usize {
    indices.last().copied().unwrap_or(0)
}

/// Where the slices start that indices of shape `shape` mean, how long they are, and the axes they lie along.
pub(super) fn slice_places(
    x: &[usize],
    batch: usize,
    values: &[i64],
    shape: &[usize],
) -> Result<(Vec<usize>, usize, Vec<usize>), EngineError> {
    let wrong = || {
        EngineError::shape(format!(
            "indices of shape {shape:?} (batch_dims {batch}) for a value of shape {x:?}"
        ))
    };
    let depth = depth(shape);
    let fits = batch < shape.len()
        && batch + depth <= x.len()
        && x[..batch] == shape[..batch]
        && !shape.contains(&0);
    if !fits {
        return Err(wrong());
    }
    let from = strides(x);
    let lead = &shape[..shape.len() - 1];
    let per_batch: usize = lead[batch..].iter().product();
    let batch_length: usize = x[batch..].iter().product();
    let starts = values.chunks_exact(depth).enumerate().map(|(at, tuple)| {
        let mut start = at / per_batch * batch_length;
        for (d, &value) in tuple.iter().enumerate() {
            start += resolve_axis(value, x[batch + d]).map_err(|_| wrong())? * from[batch + d];
        }
        Ok(start)
    });
    let starts: Vec<usize> = starts.collect::<Result<_, EngineError>>()?;
    Ok((starts, x[batch + depth..].iter().product(), lead.to_vec()))
}

/// The places along an axis where a condition holds.
pub(super) fn compress(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let condition = node.required_constant(1, "condition")?.numbers();
    let n: usize = x.shape.iter().product();
    let kept = |limit: usize| -> Vec<Option<usize>> {
        let holds = condition.iter().take(limit).enumerate();
        holds
            .filter(|&(_, &x)| x != 0.0)
            .map(|(at, _)| Some(at))
            .collect()
    };
    if node.attribute("axis").is_none() {
        let index = kept(n);
        let shape = vec![index.len()];
        return Mapped {
            index,
            shape,
            fill: 0.0,
        }
        .build(x);
    }
    let axis = node.axis("axis", 0, x.shape.len())?;
    let mut places: Places = x.shape.iter().map(|&dim| all(dim)).collect();
    places[axis] = kept(x.shape[axis]);
    by_axis(x, &places, 0.0)?.build(x)
}

/// The first places along the time axis in reverse, as many as each sequence of the batch is long.
pub(super) fn reverse_sequence(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let (batch, time) = (
        node.axis("batch_axis", 1, rank)?,
        node.axis("time_axis", 0, rank)?,
    );
    let lengths = node.required_constant(1, "sequence lengths")?.integers();
    let lengths: Option<Vec<usize>> = lengths
        .filter(|lengths| lengths.len() == x.shape[batch] && batch != time)
        .and_then(|lengths| lengths.iter().map(|&n| usize::try_from(n).ok()).collect());
    let lengths = lengths
        .filter(|lengths| lengths.iter().all(|&n| n <= x.shape[time]))
        .ok_or_else(|| EngineError::format("its sequence lengths do not fit the value"))?;
    let stride = strides(&x.shape);
    let n: usize = x.shape.iter().product();
    let index = (0..n).map(|at| {
        let along = |axis: usize| at / stride[axis] % x.shape[axis];
        let (t, length) = (along(time), lengths[along(batch)]);
        Some(if t < length {
            at - t * stride[time] + (length - 1 - t) * stride[time]
        } else {
            at
        })
    });
    let (index, shape) = (index.collect(), x.shape.clone());
    Mapped {
        index,
        shape,
        fill: 0.0,
    }
    .build(x)
}

/// Axes cut or padded with zeros around their middle.
pub(super) fn center_crop_pad(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let rank = x.shape.len();
    let sizes = node
        .required_constant(1, "shape")?
        .integers()
        .ok_or_else(|| EngineError::format("its shape (input 1) is not made of sizes"))?;
    let axes: Vec<usize> = match node.ints("axes") {
        None => (0..rank).collect(),
        Some(axes) => axes
            .iter()
            .map(|&axis| resolve_axis(axis, rank))
            .collect::<Result<_, _>>()?,
    };
    if axes.len() != sizes.len() {
        return Err(EngineError::format(format!(
            "{} sizes for {} axes",
            sizes.len(),
            axes.len()
        )));
    }
    let mut places: Places = x.shape.iter().map(|&dim| all(dim)).collect();
    for (&axis, &size) in axes.iter().zip(&sizes) {
        let dim = x.shape[axis] as i64;
        if !(0..1 << 28).contains(&size) {
            return Err(EngineError::format(format!(
                "a size of {size} for axis {axis}"
            )));
        }
        // Where the difference is odd, less is cut and padded before than after.
        let before = if size < dim {
            (dim - size) / 2
        } else {
            -((size - dim) / 2)
        };
        places[axis] = (0..size)
            .map(|at| {
                usize::try_from(at + before)
                    .ok()
                    .filter(|&at| at < x.shape[axis])
            })
            .collect();
    }
    by_axis(x, &places, 0.0)?.build(x)
}
