//! Gradients of a layer's weights, J_k = Σₜ δ_k(t) a(t)ᵀ, from cotangents that are zero in the same places: an output's row is a
//! sum over the positions at which its cotangents are not zero.

use std::ops::Range;

use super::active::each_of_line;
use super::{Active, LINE, Tile, cost, rows_at_once, share};
use crate::Scalar;
use crate::packed::{Columns, PANEL, Panels, Start};
use crate::simd::{Isa, Kernel, Moves, Simd, dispatch};
use crate::weights::LayerShape;

/// Outputs whose lists are made together. Of rows that lie far apart a line at a time comes slowly from memory, several that
/// follow each other come at once; of more the lists would not stay in a cache.
const TOGETHER: usize = 8 * LINE;

/// Positions that a list goes over, at most.
const DEPTH: usize = 128;

/// Elements that [`gradients`] needs beside its result.
pub(crate) fn space<T: Scalar>(shape: LayerShape, v: usize) -> usize {
    let isa = Isa::best();
    panel_space::<T>(isa, shape) + TOGETHER * (DEPTH + LINE) * v + LINE
}

fn panel_space<T: Scalar>(isa: Isa, shape: LayerShape) -> usize {
    // What follows starts on a cache line too.
    Panels::<T>::len(isa, shape.positions, shape.inputs).next_multiple_of(LINE)
}

/// What [`gradients`] costs for cotangents gy (V × T × O), relative to forming gradients without looking for zeros; `None` if
/// it cannot be done.
pub(crate) fn gradients_cost<T: Scalar>(shape: LayerShape, gy: &[T], v: usize) -> Option<f64> {
    let (t, o) = (shape.positions, shape.outputs);
    let fits = v >= super::FEWEST && t * o > 0 && u16::try_from(t).is_ok();
    fits.then(|| cost::<T>(Isa::best(), v, shape.inputs, share(gy, v, t, o), 1.0))
}

/// rows (V × O × C) ← J_k of every cotangent, for x (T × C) and gy (V × T × O), which [`gradients_cost`] has found fit.
pub(crate) fn gradients<T: Scalar>(
    shape: LayerShape,
    x: &[T],
    gy: &[T],
    rows: &mut [T],
    space: &mut [T],
) {
    let (t, c, o) = (shape.positions, shape.inputs, shape.outputs);
    let v = rows.len() / (o * c).max(1);
    let isa = Isa::best();
    let (panels, values) = space.split_at_mut(panel_space::<T>(isa, shape));
    let active = Active {
        x: gy,
        v,
        n: t,
        c: o,
        n_lists: 1,
        first: 0,
        lists: Vec::new(),
        channels: Vec::new(),
        values,
    };
    dispatch(
        isa,
        Job {
            active,
            weights: Panels::pack(isa, t, c, x, panels),
            rows,
        },
    );
}

struct Job<'a, T> {
    /// Its lists are of positions, one for each of TOGETHER outputs.
    active: Active<'a, T>,
    /// x.
    weights: Panels<'a, T>,
    rows: &'a mut [T],
}

impl<T: Scalar> Kernel<T> for Job<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Job {
            mut active,
            weights,
            rows: gradients,
        } = self;
        let (v, t, o, c) = (active.v, active.n, active.c, weights.n());
        assert_eq!(gradients.len(), v * o * c, "rows are V × O × C");
        let rows = rows_at_once::<T, S>(v);
        let y = gradients.as_mut_ptr();
        for output in (0..o).step_by(TOGETHER) {
            for start in (0..t).step_by(DEPTH) {
                active.fill_across(simd, output, start..t.min(start + DEPTH));
                for column in (0..c).step_by(PANEL * S::LANES) {
                    let panel = weights.panel(column);
                    for lane in 0..TOGETHER.min(o - output) {
                        for first in (0..v).step_by(rows) {
                            let tile = Tile {
                                simd,
                                active: &active,
                                list: 0,
                                goes_on: start > 0,
                                from: &[lane as u32],
                                first,
                                panel: panel.at,
                                step: panel.step,
                                columns: Columns {
                                    start: Start::Zero,
                                    column,
                                    width: (c - column).min(panel.vectors * S::LANES),
                                },
                                y: y.wrapping_add((first * o + output + lane) * c + column),
                                y_image: o * c,
                                n_rows: rows.min(v - first),
                            };
                            // SAFETY: lists hold positions below T, for each of which a panel has a row; outputs are below O,
                            // and n_rows cotangents are left.
                            unsafe { tile.run_any(panel.vectors) };
                        }
                    }
                }
            }
        }
    }
}

impl<T: Scalar> Active<'_, T> {
    /// Makes lists of `positions`, in place of those before: for each of TOGETHER channels from `start` on, where it is not
    /// zero.
    #[inline(always)]
    fn fill_across<S: Simd<T>>(&mut self, simd: S, start: usize, positions: Range<usize>) {
        // Room for what a vector stores behind the last of a list.
        let (v, room) = (self.v, positions.len() + LINE);
        self.channels.resize(TOGETHER * room, 0);
        let mut ends: [usize; TOGETHER] = std::array::from_fn(|lane| lane * room);
        let mut line = vec![T::ZERO; v * LINE];
        let end = self.c.min(start + TOGETHER);
        let moves = simd.moves().filter(|_| v <= LINE);
        for position in positions {
            for line_start in (start..end).step_by(LINE) {
                let ends = &mut ends[line_start - start..][..LINE];
                match moves {
                    Some(moves) if S::MAY_MOVE => {
                        self.append_across_columns(simd, moves, (position, line_start), ends);
                    }
                    _ => self.append_across(simd, (position, line_start), ends, &mut line),
                }
            }
        }
        self.lists.clear();
        let lists = ends.iter().enumerate();
        self.lists
            .extend(lists.map(|(lane, &end)| ((lane * room) as u32, end as u32)));
    }

    /// Adds a position to the lists of LINE channels from `start` on, which end there, where it is not zero.
    #[inline(always)]
    fn append_across<S: Simd<T>>(
        &mut self,
        simd: S,
        (position, start): (usize, usize),
        ends: &mut [usize],
        line: &mut [T],
    ) {
        let any = self.read(simd, position, start, line);
        let (mut lanes, mut n_lanes) = ([0; LINE], 0);
        for (lane, any) in any.iter().enumerate() {
            // Without a branch: which are active is anyone's guess.
            lanes[n_lanes] = lane;
            n_lanes += usize::from(*any != T::ZERO);
        }
        for &lane in &lanes[..n_lanes] {
            let at = ends[lane];
            self.channels[at] = position as u16;
            let values = &mut self.values[at * self.v..][..self.v];
            for (image, value) in values.iter_mut().enumerate() {
                *value = line[image * LINE + lane];
            }
            ends[lane] += 1;
        }
    }

    /// The same by vectors.
    #[inline(always)]
    fn append_across_columns<S: Simd<T>>(
        &mut self,
        simd: S,
        moves: Moves<S::V>,
        (position, start): (usize, usize),
        ends: &mut [usize],
    ) {
        // What is stored through pointers might be `self`, for all that the compiler knows.
        let v = self.v;
        let (channels, values) = (self.channels.as_mut_ptr(), self.values.as_mut_ptr());
        let (columns, bits) = self.columns(simd, moves, position, start);
        let ends = &mut ends[..LINE];
        each_of_line!(I {
            let end = ends[I];
            // SAFETY: a list has room for every position, and for a vector behind the last.
            unsafe {
                channels.add(end).write(position as u16);
                simd.store(values.add(end * v), columns[I]);
            }
            ends[I] = end + usize::from(bits >> I & 1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::tests::{cotangents, narrowed};

    fn check<T: Scalar>(tolerance: f64) {
        for (t, c, o) in [(5, 70, 3), (300, 130, 17), (600, 65, 16)] {
            let shape = LayerShape {
                positions: t,
                inputs: c,
                outputs: o,
            };
            let x: Vec<f64> = (0..t * c).map(|i| (i as f64 * 0.7).sin()).collect();
            for (v, zeros) in [(3, 0.9), (9, 0.7), (13, 1.0), (17, 0.8)] {
                let gy = cotangents(t * o, v, zeros);
                let (x, gy) = (narrowed::<T>(&x), narrowed::<T>(&gy));
                let mut rows = vec![T::from_f64(f64::NAN); v * o * c];
                let mut scratch = vec![T::ZERO; space::<T>(shape, v)];
                assert!(gradients_cost(shape, &gy, v).is_some_and(|cost| cost < 1.0));
                gradients(shape, &x, &gy, &mut rows, &mut scratch);
                for (at, row) in rows.iter().enumerate() {
                    let (k, output, input) = (at / (o * c), at / c % o, at % c);
                    let terms = (0..t).map(|t| {
                        let gy = gy[(k * shape.positions + t) * o + output].to_f64();
                        gy * x[t * c + input].to_f64()
                    });
                    let (row, want) = (row.to_f64(), terms.sum::<f64>());
                    assert!((row - want).abs() < tolerance * (1.0 + want.abs()));
                }
            }
            let full = narrowed::<T>(&cotangents(t * o, 9, 0.0));
            assert!(gradients_cost(shape, &full, 9).is_some_and(|cost| cost > 1.0));
        }
    }

    #[test]
    fn agrees_with_the_definition() {
        check::<f64>(1e-11);
        check::<f32>(1e-4);
    }
}
