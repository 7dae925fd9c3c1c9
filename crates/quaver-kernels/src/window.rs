//! The geometry that convolutions and pools share: a window sliding over up to three spatial axes.

/// How many spatial axes there may be; fewer are padded in front with axes of size one.
pub const AXES: usize = 3;

/// A window of `kernel` taps sliding over `input` positions, giving `output` positions, per axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Input positions per axis.
    pub input: [usize; AXES],
    /// Output positions per axis.
    pub output: [usize; AXES],
    /// Taps per axis.
    pub kernel: [usize; AXES],
    /// Step between output positions.
    pub stride: [usize; AXES],
    /// Step between taps.
    pub dilation: [usize; AXES],
    /// Positions that are missing before the first input position (the end is implied by `output`).
    pub pad: [usize; AXES],
}

impl Window {
    /// Input positions in all.
    pub fn n_input(&self) -> usize {
        self.input.iter().product()
    }

    /// Output positions in all.
    pub fn n_output(&self) -> usize {
        self.output.iter().product()
    }

    /// Taps in all.
    pub fn n_taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether each output position reads exactly the input position of the same index.
    pub fn is_identity(&self) -> bool {
        self.kernel == [1; AXES]
            && self.stride == [1; AXES]
            && self.pad == [0; AXES]
            && self.input == self.output
    }

    /// The input coordinate that output coordinate `o` reads through tap `t` on `axis`, if it is inside.
    pub fn source(&self, axis: usize, o: usize, t: usize) -> Option<usize> {
        (o * self.stride[axis] + t * self.dilation[axis])
            .checked_sub(self.pad[axis])
            .filter(|&i| i < self.input[axis])
    }

    /// The output coordinates on `axis` whose tap `t` lies inside the input: a contiguous range.
    pub fn inside(&self, axis: usize, t: usize) -> std::ops::Range<usize> {
        let (stride, offset) = (self.stride[axis], t * self.dilation[axis]);
        // o·stride + offset − pad in 0..input
        let first = self.pad[axis].saturating_sub(offset).div_ceil(stride);
        let end = (self.input[axis] + self.pad[axis])
            .saturating_sub(offset)
            .div_ceil(stride)
            .min(self.output[axis]);
        first.min(end)..end
    }

    /// The taps on every axis, as coordinates, the last axis fastest.
    pub fn taps(&self) -> impl Iterator<Item = [usize; AXES]> {
        // Counted, not nested: of nested iterators the compiler makes jumps on fields of states that are not there, which
        // are harmless, and which valgrind reports.
        let [_, kh, kw] = self.kernel;
        (0..self.n_taps()).map(move |t| [t / (kh * kw), t / kw % kh, t % kw])
    }

    /// Calls `visit(first output position, first input position, length)` for every row of output positions
    /// that `tap` reads inside the input; along a row the output advances by 1 and the input by the last
    /// axis' stride.
    pub fn rows(&self, tap: [usize; AXES], mut visit: impl FnMut(usize, usize, usize)) {
        let columns = self.inside(2, tap[2]);
        let Some(first_column) = self
            .source(2, columns.start, tap[2])
            .filter(|_| !columns.is_empty())
        else {
            return;
        };
        for od in self.inside(0, tap[0]) {
            let id = od * self.stride[0] + tap[0] * self.dilation[0] - self.pad[0];
            for oh in self.inside(1, tap[1]) {
                let ih = oh * self.stride[1] + tap[1] * self.dilation[1] - self.pad[1];
                visit(
                    (od * self.output[1] + oh) * self.output[2] + columns.start,
                    (id * self.input[1] + ih) * self.input[2] + first_column,
                    columns.len(),
                );
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A 3×3 kernel of stride 1.
    pub(crate) fn three_by_three(size: [usize; 2], pad: [usize; 2]) -> Window {
        Window {
            input: [1, size[0], size[1]],
            output: [1, size[0] + 2 * pad[0] - 2, size[1] + 2 * pad[1] - 2],
            kernel: [1, 3, 3],
            stride: [1; AXES],
            dilation: [1; AXES],
            pad: [0, pad[0], pad[1]],
        }
    }

    /// A few dozen windows: odd sizes, strides, dilations, asymmetric pads, one to three axes.
    pub(crate) fn samples() -> Vec<Window> {
        let mut windows = Vec::new();
        let mut seed = 1u64;
        let mut draw = |n: usize| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) as usize % n
        };
        while windows.len() < 60 {
            let mut w = Window {
                input: [1; AXES],
                output: [1; AXES],
                kernel: [1; AXES],
                stride: [1; AXES],
                dilation: [1; AXES],
                pad: [0; AXES],
            };
            let first_axis = draw(3);
            let mut possible = true;
            for axis in first_axis..AXES {
                w.input[axis] = 1 + draw(7);
                w.kernel[axis] = 1 + draw(3);
                w.stride[axis] = 1 + draw(3);
                w.dilation[axis] = 1 + draw(2);
                w.pad[axis] = draw(3);
                let end = draw(3);
                let reach = w.dilation[axis] * (w.kernel[axis] - 1) + 1;
                let padded = w.input[axis] + w.pad[axis] + end;
                possible &= padded >= reach;
                if possible {
                    w.output[axis] = (padded - reach) / w.stride[axis] + 1;
                }
            }
            if possible {
                windows.push(w);
            }
        }
        windows
    }

    #[test]
    fn inside_is_where_the_source_exists() {
        for w in samples() {
            for axis in 0..AXES {
                for t in 0..w.kernel[axis] {
                    let want: Vec<usize> = (0..w.output[axis])
                        .filter(|&o| w.source(axis, o, t).is_some())
                        .collect();
                    assert_eq!(w.inside(axis, t).collect::<Vec<_>>(), want, "{w:?}");
                }
            }
        }
    }
}
