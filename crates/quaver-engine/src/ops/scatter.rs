//! ScatterElements and ScatterND with indices known at load: a copy of the data with some places overwritten, or
//! added to. What is overwritten gets no cotangent, what is written gets its own.

use quaver_kernels::Scalar;

use super::layout::{element_places, slice_places};
use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};

#[derive(Debug, Clone)]
struct Scatter {
    /// The data and the updates.
    operands: Vec<Operand>,
    n: usize,
    /// Where each element of the updates goes; without addition, no place twice.
    places: Vec<(u32, u32)>,
    n_updates: usize,
    add: bool,
}

impl Operator for Scatter {}

impl<T: Scalar> Lower<T> for Scatter {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(Lowered {
            shape: self.clone(),
            sources: self.operands.iter().map(Source::of).collect(),
        })
    }
}

struct Lowered<T> {
    shape: Scatter,
    sources: Vec<Source<T>>,
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        y.copy_from_slice(self.sources[0].values(x));
        let updates = self.sources[1].values(x);
        for &(from, to) in &self.shape.places {
            let (y, update) = (&mut y[to as usize], updates[from as usize]);
            *y = if self.shape.add { *y + update } else { update };
        }
    }

    fn vjp(&self, input: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let Scatter {
            n,
            n_updates,
            ref places,
            add,
            ..
        } = self.shape;
        if matches!(self.sources[0], Source::Input(at) if at == input) {
            gx.copy_from_slice(gy);
            for gx in gx.chunks_exact_mut(n).filter(|_| !add) {
                places.iter().for_each(|&(_, to)| gx[to as usize] = T::ZERO);
            }
        } else {
            gx.fill(T::ZERO);
            for (gy, gx) in gy.chunks_exact(n).zip(gx.chunks_exact_mut(n_updates)) {
                places
                    .iter()
                    .for_each(|&(from, to)| gx[from as usize] = gy[to as usize]);
            }
        }
    }
}

fn build(node: &NodeContext<'_>, mut places: Vec<(u32, u32)>) -> Result<Built, EngineError> {
    let (x, updates) = (node.input(0)?, node.input(2)?);
    let add = match node.string("reduction", "none").as_str() {
        "none" => false,
        "add" => true,
        other => {
            return Err(EngineError::unsupported(format!(
                "attribute reduction = '{other}'"
            )));
        }
    };
    if !add {
        // Of several updates of one place the last one stands.
        places.sort_by_key(|&(from, to)| (to, std::cmp::Reverse(from)));
        places.dedup_by_key(|&mut (_, to)| to);
    }
    let (operands, values) = operands(&[x, updates])?;
    let op = Scatter {
        operands,
        n: x.shape.iter().product(),
        places,
        n_updates: updates.shape.iter().product(),
        add,
    };
    Ok(Built::step(op, values, x.shape.clone()))
}

/// Single elements along an axis.
pub(super) fn elements(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, updates) = (node.input(0)?, node.input(2)?);
    let axis = node.axis("axis", 0, x.shape.len())?;
    let indices = node.required_constant(1, "list of indices")?;
    let values = indices
        .integers()
        .filter(|_| updates.shape == indices.shape())
        .ok_or_else(|| {
            EngineError::shape(format!(
                "indices of shape {:?} for updates of shape {:?}",
                indices.shape(),
                updates.shape
            ))
        })?;
    let places = element_places(&x.shape, axis, &values, indices.shape())?;
    let places = places
        .iter()
        .enumerate()
        .map(|(from, &to)| (from as u32, to as u32));
    build(node, places.collect())
}

/// Slices at tuples of indices.
pub(super) fn slices(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let (x, updates) = (node.input(0)?, node.input(2)?);
    let indices = node.required_constant(1, "list of indices")?;
    let values = indices
        .integers()
        .ok_or_else(|| EngineError::format("its indices (input 1) are not integers"))?;
    let (starts, length, lead) = slice_places(&x.shape, 0, &values, indices.shape())?;
    let depth = indices.shape().last().copied().unwrap_or(0);
    if updates.shape != [&lead, &x.shape[depth..]].concat() {
        return Err(EngineError::shape(format!(
            "updates of shape {:?} for indices of shape {:?} into {:?}",
            updates.shape,
            indices.shape(),
            x.shape
        )));
    }
    let places = starts.iter().flat_map(|&start| start..start + length);
    let places = places
        .enumerate()
        .map(|(from, to)| (from as u32, to as u32));
    build(node, places.collect())
}
