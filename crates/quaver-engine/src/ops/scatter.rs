//! ScatterElements and ScatterND with indices known at load: a copy of the data with some places overwritten, or
//! joined with what is written there by a sum, a product, or the larger or smaller of them.
//!
//! What is overwritten gets no cotangent, what is written gets its own; of a product each factor that of the others; of
//! the larger or smaller, the first at a tie.

use quaver_kernels::Scalar;

use super::layout::{element_places, slice_places};
use super::operand::{Operand, Source, operands};
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reduction {
    None,
    Add,
    Mul,
    Max,
    Min,
}

#[derive(Debug, Clone)]
struct Scatter {
    /// The data and the updates.
    operands: Vec<Operand>,
    n: usize,
    /// Where each element of the updates goes; without a reduction, no place twice.
    places: Vec<(u32, u32)>,
    n_updates: usize,
    reduction: Reduction,
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
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        y.copy_from_slice(self.sources[0].values(x));
        let updates = self.sources[1].values(x);
        for &(from, to) in &self.shape.places {
            let (y, update) = (&mut y[to as usize], updates[from as usize]);
            *y = match self.shape.reduction {
                Reduction::None => update,
                Reduction::Add => *y + update,
                Reduction::Mul => *y * update,
                Reduction::Max if update > *y => update,
                Reduction::Min if update < *y => update,
                Reduction::Max | Reduction::Min => *y,
            };
        }
        if let Some(saved) = saved {
            self.slopes(x, &mut saved.values);
        }
    }

    fn vjp(&self, input: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let Scatter {
            n,
            n_updates,
            ref places,
            ..
        } = self.shape;
        let (of_data, of_updates) = saved.values.split_at(n);
        if matches!(self.sources[0], Source::Input(at) if at == input) {
            for (gy, gx) in gy.chunks_exact(n).zip(gx.chunks_exact_mut(n)) {
                for ((gx, &gy), &slope) in gx.iter_mut().zip(gy).zip(of_data) {
                    *gx = gy * slope;
                }
            }
        } else {
            gx.fill(T::ZERO);
            for (gy, gx) in gy.chunks_exact(n).zip(gx.chunks_exact_mut(n_updates)) {
                places.iter().for_each(|&(from, to)| {
                    gx[from as usize] = gy[to as usize] * of_updates[from as usize];
                });
            }
        }
    }
}

impl<T: Scalar> Lowered<T> {
    /// The derivative of each place by the data there, and by each update that went there.
    fn slopes(&self, x: &[&[T]], slopes: &mut Vec<T>) {
        let Scatter {
            n,
            n_updates,
            ref places,
            reduction,
            ..
        } = self.shape;
        slopes.clear();
        slopes.resize(n, T::ONE);
        slopes.resize(n + n_updates, T::ZERO);
        let (of_data, of_updates) = slopes.split_at_mut(n);
        let (data, updates) = (self.sources[0].values(x), self.sources[1].values(x));
        match reduction {
            Reduction::None => {
                for &(from, to) in places {
                    of_data[to as usize] = T::ZERO;
                    of_updates[from as usize] = T::ONE;
                }
            }
            Reduction::Add => of_updates.fill(T::ONE),
            Reduction::Mul => {
                // What came before each factor, and then what comes after it.
                let mut product = data.to_vec();
                for &(from, to) in places {
                    let (from, to) = (from as usize, to as usize);
                    of_updates[from] = product[to];
                    product[to] *= updates[from];
                }
                for &(from, to) in places.iter().rev() {
                    let (from, to) = (from as usize, to as usize);
                    of_updates[from] *= of_data[to];
                    of_data[to] *= updates[from];
                }
            }
            Reduction::Max | Reduction::Min => {
                let mut best = data.to_vec();
                let mut winner = vec![None; n];
                for &(from, to) in places {
                    let (from, to) = (from as usize, to as usize);
                    let wins = match reduction {
                        Reduction::Max => updates[from] > best[to],
                        _ => updates[from] < best[to],
                    };
                    if wins {
                        (best[to], winner[to]) = (updates[from], Some(from));
                    }
                }
                for (of_data, winner) in of_data.iter_mut().zip(winner) {
                    if let Some(winner) = winner {
                        *of_data = T::ZERO;
                        of_updates[winner] = T::ONE;
                    }
                }
            }
        }
    }
}

fn build(node: &NodeContext<'_>, mut places: Vec<(u32, u32)>) -> Result<Built, EngineError> {
    let (x, updates) = (node.input(0)?, node.input(2)?);
    let reduction = match node.string("reduction", "none").as_str() {
        "none" => Reduction::None,
        "add" => Reduction::Add,
        "mul" => Reduction::Mul,
        "max" => Reduction::Max,
        "min" => Reduction::Min,
        other => {
            return Err(EngineError::unsupported(format!(
                "attribute reduction = '{other}'"
            )));
        }
    };
    if reduction == Reduction::None {
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
        reduction,
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
