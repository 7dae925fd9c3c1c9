//! Convolution as a product whose left rows are found through a table: any kernel, stride, dilation, padding.
//!
//! Output positions that read the same taps form a phase. Forward there is one phase, of all taps; going back
//! through a stride there are several, each with the taps that meet its positions.

use crate::packed::{Dense, Packed, Panels, ROWS, Rows, Start, product};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::sparse::{self, Active};
use crate::window::{AXES, Window};
use crate::{Onward, Scalar};

/// A position outside the input.
pub(crate) const OUTSIDE: u32 = u32::MAX;

/// The positions that read through one set of taps.
#[derive(Debug, Clone)]
pub(crate) struct Phase {
    /// Indices of the taps, in row-major order.
    pub taps: Vec<usize>,
    /// The positions written.
    pub to: Vec<u32>,
    /// The position read, or [`OUTSIDE`]: written positions × taps.
    pub from: Vec<u32>,
}

/// Which position reads which, through which tap.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    pub n_from: usize,
    pub n_to: usize,
    pub phases: Vec<Phase>,
}

fn coordinates(mut index: usize, shape: [usize; AXES]) -> [usize; AXES] {
    let mut at = [0; AXES];
    for axis in (0..AXES).rev() {
        at[axis] = index % shape[axis];
        index /= shape[axis];
    }
    at
}

fn index(at: [usize; AXES], shape: [usize; AXES]) -> u32 {
    ((at[0] * shape[1] + at[1]) * shape[2] + at[2]) as u32
}

impl Links {
    /// Output positions read input positions.
    pub(crate) fn forward(w: &Window) -> Self {
        let all = (0..w.n_output()).map(|o| {
            let at = coordinates(o, w.output);
            let from = w.taps().map(|tap| {
                let source = |axis: usize| w.source(axis, at[axis], tap[axis]);
                match [source(0), source(1), source(2)] {
                    [Some(d), Some(h), Some(v)] => index([d, h, v], w.input),
                    _ => OUTSIDE,
                }
            });
            from.collect::<Vec<u32>>()
        });
        Self {
            n_from: w.n_input(),
            n_to: w.n_output(),
            phases: vec![Phase {
                taps: (0..w.n_taps()).collect(),
                to: (0..w.n_output() as u32).collect(),
                from: all.flatten().collect(),
            }],
        }
    }

    /// Input positions read the output positions that read them.
    pub(crate) fn backward(w: &Window) -> Self {
        let mut phases: Vec<Phase> = Vec::new();
        for i in 0..w.n_input() {
            let at = coordinates(i, w.input);
            // On each axis o·stride = i + pad − tap·dilation, whether or not that o exists.
            let aligned = |axis: usize, tap: usize| {
                (at[axis] + w.pad[axis] + w.stride[axis] * w.kernel[axis] * w.dilation[axis]
                    - tap * w.dilation[axis])
                    .is_multiple_of(w.stride[axis])
            };
            let source = |axis: usize, tap: usize| {
                (at[axis] + w.pad[axis])
                    .checked_sub(tap * w.dilation[axis])
                    .map(|o| o / w.stride[axis])
                    .filter(|&o| o < w.output[axis])
            };
            let (mut taps, mut from) = (Vec::new(), Vec::new());
            for (t, tap) in w.taps().enumerate() {
                if (0..AXES).all(|axis| aligned(axis, tap[axis])) {
                    taps.push(t);
                    let o: Option<Vec<usize>> =
                        (0..AXES).map(|axis| source(axis, tap[axis])).collect();
                    from.push(o.map_or(OUTSIDE, |o| index([o[0], o[1], o[2]], w.output)));
                }
            }
            match phases.iter_mut().find(|phase| phase.taps == taps) {
                Some(phase) => {
                    phase.to.push(i as u32);
                    phase.from.extend(from);
                }
                None => phases.push(Phase {
                    taps,
                    to: vec![i as u32],
                    from,
                }),
            }
        }
        Self {
            n_from: w.n_output(),
            n_to: w.n_input(),
            phases,
        }
    }
}

/// A convolution, in one direction, by its definition.
#[derive(Debug)]
pub(crate) struct Direct<T> {
    isa: Isa,
    links: Links,
    groups: usize,
    /// Channels read and written, per group.
    c: usize,
    o: usize,
    /// Phase by phase, group by group: (taps · C) × O.
    weights: Vec<Packed<T>>,
    bias: Option<Vec<T>>,
    /// What positions outside hold.
    zeros: Vec<T>,
}

impl<T: Scalar> Direct<T> {
    /// `weight(group, c, o, tap)` with c read and o written; so many panels of them side by side.
    pub(crate) fn new(
        isa: Isa,
        (groups, c, o): (usize, usize, usize),
        links: Links,
        side: usize,
        weight: impl Fn(usize, usize, usize, usize) -> T,
    ) -> Self {
        let (mut weights, weight) = (Vec::new(), &weight);
        for phase in &links.phases {
            for group in 0..groups {
                let size = (phase.taps.len() * c, o);
                weights.push(Packed::new(isa, size, side, |row| {
                    let (channel, tap) = (row % c, phase.taps[row / c]);
                    move |column| weight(group, channel, column, tap)
                }));
            }
        }
        Self {
            isa,
            links,
            groups,
            c,
            o,
            weights,
            bias: None,
            zeros: vec![T::ZERO; c],
        }
    }

    pub(crate) fn with_bias(self, bias: Option<Vec<T>>) -> Self {
        Self { bias, ..self }
    }

    /// Channels read, per group.
    pub(crate) fn c(&self) -> usize {
        self.c
    }

    /// Channels written, per group.
    pub(crate) fn o(&self) -> usize {
        self.o
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Multiply–adds with a number that is read, one for each tap and channel written; 0 in groups, whose products are too small
    /// to search for zeros.
    pub(crate) fn n_terms(&self) -> usize {
        match self.groups {
            1 => {
                self.links
                    .phases
                    .iter()
                    .map(|phase| phase.taps.len())
                    .sum::<usize>()
                    * self.o
            }
            _ => 0,
        }
    }

    /// Whether each position is written from that position alone.
    pub(crate) fn is_pointwise(&self) -> bool {
        let links = &self.links;
        let [phase] = links.phases.as_slice() else {
            return false;
        };
        phase.taps.len() == 1 && links.n_from == links.n_to && phase.from == phase.to
    }

    /// The weights of the only phase and group.
    pub(crate) fn weights(&self) -> Panels<'_, T> {
        self.weights[0].view()
    }

    /// Positions read.
    pub(crate) fn n_read(&self) -> usize {
        self.links.n_from
    }

    /// Whether all positions are written through the same taps, one after another.
    pub(crate) fn is_in_order(&self) -> bool {
        let phases = self.links.phases.as_slice();
        self.groups == 1 && matches!(phases, [phase] if !phase.taps.is_empty())
    }

    /// Positions written.
    pub(crate) fn n_written(&self) -> usize {
        self.links.n_to
    }

    /// Writes what the sums start from at `positions` of every image.
    fn start(&self, positions: &[u32], y: &mut [T]) {
        let o = self.groups * self.o;
        for y in y.chunks_exact_mut(self.links.n_to * o) {
            for &position in positions {
                let y = &mut y[position as usize * o..][..o];
                match &self.bias {
                    Some(bias) => y.copy_from_slice(bias),
                    None => y.fill(T::ZERO),
                }
            }
        }
    }

    /// y (V × written positions × groups · O) ← x (V × read positions × groups · C).
    pub(crate) fn run(
        &self,
        x: &[T],
        y: &mut [T],
        scratch: &mut Vec<T>,
        onward: Onward<'_, '_, T>,
    ) {
        let n_images = x.len() / (self.links.n_from * self.groups * self.c);
        assert_eq!(y.len(), n_images * self.links.n_to * self.groups * self.o);
        let isa = self.isa;
        dispatch(
            isa,
            Job {
                conv: self,
                n_images,
                x,
                y,
                scratch,
                onward,
            },
        );
    }
}

struct Job<'a, 'w, 'd, T> {
    conv: &'a Direct<T>,
    n_images: usize,
    x: &'a [T],
    y: &'a mut [T],
    scratch: &'a mut Vec<T>,
    onward: Onward<'w, 'd, T>,
}

impl<T: Scalar> Kernel<T> for Job<'_, '_, '_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let conv = self.conv;
        let Onward { wanted, done } = self.onward;
        let mut weights = conv.weights.iter();
        for phase in conv.links.phases.iter().filter(|p| p.taps.is_empty()) {
            conv.start(&phase.to, self.y);
        }
        if let Some(mut active) = Active::seek(conv, self.x, self.n_images, wanted, self.scratch) {
            if !conv.is_pointwise() {
                active.fill(simd, 0..conv.links.n_from);
            }
            let phases = conv.links.phases.iter().zip(weights);
            for (phase, weights) in phases.filter(|(phase, _)| !phase.taps.is_empty()) {
                let job = sparse::Job {
                    conv,
                    phase,
                    weights: weights.view(),
                    start: conv.bias.as_deref().map_or(Start::Zero, Start::Bias),
                    active: &mut active,
                    wanted: wanted.filter(|_| conv.bias.is_none()),
                    y: &mut *self.y,
                    done: &mut *done,
                };
                job.run(simd);
            }
            if !conv.is_in_order() {
                done(0, self.y);
            }
            return;
        }
        let is_pointwise = conv.is_pointwise();
        for phase in &conv.links.phases {
            let m = self.n_images * phase.to.len();
            // What is written in order is handed out by and by.
            let at_once = if conv.is_in_order() { ROWS } else { m.max(1) };
            for group in 0..conv.groups {
                let weights = weights.next().expect("one per phase and group").view();
                if phase.taps.is_empty() {
                    continue;
                }
                let start = match &conv.bias {
                    Some(bias) => Start::Bias(&bias[group * conv.o..][..conv.o]),
                    None => Start::Zero,
                };
                let (c_all, o_all) = (conv.groups * conv.c, conv.groups * conv.o);
                let x = self.x.as_ptr().wrapping_add(group * conv.c);
                let y = self.y.as_mut_ptr().wrapping_add(group * conv.o);
                let mut linked = Linked {
                    phase,
                    x,
                    x_image: conv.links.n_from * c_all,
                    c_all,
                    y,
                    y_image: conv.links.n_to * o_all,
                    o_all,
                    zeros: conv.zeros.as_ptr(),
                    image: 0,
                    position: 0,
                };
                for first in (0..m).step_by(at_once) {
                    let count = at_once.min(m - first);
                    // SAFETY: positions are below the counts that `Direct::run` checked both lengths against, a
                    // group's channels lie inside a position's, and x and y are different slices.
                    unsafe {
                        if is_pointwise {
                            let mut rows = Dense {
                                a: x.wrapping_add(first * c_all),
                                a_stride: c_all,
                                c: y.wrapping_add(first * o_all),
                                c_stride: o_all,
                            };
                            product(simd, count, weights, start, &mut rows);
                        } else {
                            product(simd, count, weights, start, &mut linked);
                        }
                    }
                    if conv.is_in_order() {
                        // SAFETY: `count` rows of y from `first` on, which nothing else holds while they are handed out.
                        let rows = unsafe {
                            std::slice::from_raw_parts_mut(y.add(first * o_all), count * o_all)
                        };
                        done(first * o_all, rows);
                    }
                }
            }
        }
        if !conv.is_in_order() {
            done(0, self.y);
        }
    }
}

/// Rows that follow a phase's table, image after image.
struct Linked<'a, T> {
    phase: &'a Phase,
    x: *const T,
    x_image: usize,
    c_all: usize,
    y: *mut T,
    y_image: usize,
    o_all: usize,
    zeros: *const T,
    /// The next row, wherever a product begins to count: its image, and its index among the phase's positions.
    image: usize,
    position: usize,
}

impl<T> Rows<T> for Linked<'_, T> {
    #[inline(always)]
    fn taps(&self) -> usize {
        self.phase.taps.len()
    }

    #[inline(always)]
    fn fill(
        &mut self,
        _: usize,
        count: usize,
        stride: usize,
        a: &mut [*const T],
        c: &mut [*mut T],
    ) {
        let taps = self.phase.taps.len();
        for (i, c) in c.iter_mut().enumerate().take(count) {
            let x = self.x.wrapping_add(self.image * self.x_image);
            let from = &self.phase.from[self.position * taps..][..taps];
            for (tap, &from) in from.iter().enumerate() {
                a[tap * stride + i] = if from == OUTSIDE {
                    self.zeros
                } else {
                    x.wrapping_add(from as usize * self.c_all)
                };
            }
            let to = self.phase.to[self.position] as usize;
            *c = self
                .y
                .wrapping_add(self.image * self.y_image + to * self.o_all);
            self.position += 1;
            if self.position == self.phase.to.len() {
                self.position = 0;
                self.image += 1;
            }
        }
    }
}
