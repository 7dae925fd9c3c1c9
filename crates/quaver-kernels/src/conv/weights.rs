//! Class Grams of a convolution's weights, by whichever of four exact ways costs least for its sizes and V cotangents.
//!
//! Unfolded into patches, a convolution is a layer of T positions, and has the two ways of [`crate::weights`]: all
//! gradients J_k, or the kernel matrix of what is read. Where the kernel slides by ones the kernel matrix is put together
//! from the products of pixels, K(t, t') = Σ P(t + tap, t' + tap), and patches are never laid out; and a 3×3 kernel has
//! its gradients in Winograd's domain.

use super::{Conv, ConvShape};
use crate::buffer::aligned;
use crate::direct::{Links, OUTSIDE};
use crate::weights::{self, LayerShape};
use crate::{Scalar, gram, sums};

/// How the class Gram of the weights is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As a layer of patches, by the way that costs least there.
    Patches,
    /// The kernel matrix, from products of pixels.
    Pixels,
    /// The gradients, in Winograd's domain.
    Winograd,
}

impl<T: Scalar> Conv<T> {
    /// S (V × V) ← S + the class Gram of the weights, from the input x (N × input positions × C) and the
    /// cotangents gy (V × N × output positions × O) of the output.
    pub fn weight_gram(
        &self,
        n_images: usize,
        x: &[T],
        gy: &[T],
        s: &mut [f64],
        scratch: &mut Vec<T>,
    ) {
        let v = gy.len() / (n_images * self.shape.window.n_output() * self.shape.c_out);
        if self.shape.c_group() == 1 {
            // Few weights and no product to form them by.
            let n = self.shape.c_out * self.shape.window.n_taps();
            let mut rows = vec![T::ZERO; v * n];
            self.weight_rows(n_images, x, gy, &mut rows, scratch);
            return gram::accumulate(&rows, &rows, v, s);
        }
        self.weight_gram_by(self.way(n_images, v), n_images, x, gy, s, scratch);
    }

    fn weight_gram_by(
        &self,
        way: Way,
        n_images: usize,
        x: &[T],
        gy: &[T],
        s: &mut [f64],
        scratch: &mut Vec<T>,
    ) {
        match (way, &self.gradient) {
            (Way::Winograd, Some(gradient)) => {
                let v = s.len().isqrt();
                let n_rows = v * self.shape.c_out * self.layer(1).inputs;
                let start = n_rows.next_multiple_of(16);
                let space = aligned(scratch, start + gradient.gradient_space::<T>(n_images));
                let (rows, space) = space.split_at_mut(start);
                let rows = &mut rows[..n_rows];
                gradient.gradients(x, gy, rows, space);
                let factors = gram::Factors::of(self.slope.as_deref(), 1);
                gram::accumulate_scaled(rows, rows, v, factors, s);
            }
            (Way::Pixels, _) => {
                let layer = self.layer(1);
                let kernel = self.kernel_matrix(x, scratch);
                weights::kernel_gram(layer, &kernel, gy, self.slope.as_deref(), s, scratch);
            }
            _ => self.each_group(n_images, x, gy, |group, shape, patches, gy| {
                let slope = self.slope.as_deref();
                let slope = slope.map(|slope| &slope[group * shape.outputs..][..shape.outputs]);
                weights::weight_gram(shape, patches, gy, slope, s, scratch);
            }),
        }
    }

    /// The layer that one group is, over the patches of `n_images`.
    fn layer(&self, n_images: usize) -> LayerShape {
        let window = &self.shape.window;
        LayerShape {
            positions: n_images * window.n_output(),
            inputs: window.n_taps() * self.shape.c_group(),
            outputs: self.shape.o_group(),
        }
    }

    /// The way that costs least for V cotangents.
    fn way(&self, n_images: usize, v: usize) -> Way {
        let ConvShape {
            window,
            c_in,
            groups,
            ..
        } = &self.shape;
        if *groups > 1 || window.is_identity() {
            return Way::Patches;
        }
        let layer = self.layer(n_images);
        let mut best = (layer.cost(v), Way::Patches);
        let mut consider = |cost: usize, way: Way| {
            if cost < best.0 {
                best = (cost, way);
            }
        };
        if window.stride == [1; 3] && n_images == 1 {
            // A sum over taps is bound by memory: each addition costs as much as a few multiply-adds.
            let kernel =
                window.n_input().pow(2) * c_in + 4 * window.n_taps() * window.n_output().pow(2);
            consider(kernel + layer.cost_through(v), Way::Pixels);
        }
        if let Some(gradient) = &self.gradient {
            let products = gradient.gradient_cost(n_images, v);
            consider(products + layer.cost_of_pairs(v), Way::Winograd);
        }
        best.1
    }

    /// K (T × T) of the patches of one image x, summed from the products of its pixels.
    fn kernel_matrix(&self, x: &[T], scratch: &mut Vec<T>) -> Vec<T> {
        let window = &self.shape.window;
        let (n_in, n_out, n_taps) = (window.n_input(), window.n_output(), window.n_taps());
        let mut pixels = vec![T::ZERO; n_in * n_in];
        weights::kernel(n_in, self.shape.c_in, x, &mut pixels, scratch);
        let links = self.links.get_or_init(|| Links::forward(window));
        let from = &links.phases[0].from;
        let mut kernel = vec![T::ZERO; n_out * n_out];
        for tap in 0..n_taps {
            let runs = runs((0..n_out).map(|to| from[to * n_taps + tap]));
            for row in runs.iter().flat_map(Run::rows) {
                for run in &runs {
                    let to = &mut kernel[row.to * n_out + run.to..][..run.n];
                    let from = &pixels[row.from * n_in + run.from..][..run.n];
                    to.iter_mut().zip(from).for_each(|(to, &x)| *to += x);
                }
            }
        }
        kernel
    }

    /// rows (V × O × C/groups × taps) ← rows + the gradients of the weights, arguments as for
    /// [`Conv::weight_gram`].
    pub fn weight_rows(
        &self,
        n_images: usize,
        x: &[T],
        gy: &[T],
        rows: &mut [T],
        scratch: &mut Vec<T>,
    ) {
        let (c_group, taps) = (self.shape.c_group(), self.shape.window.n_taps());
        let n = self.shape.c_out * c_group * taps;
        let mut formed = Vec::new();
        self.each_group(n_images, x, gy, |group, shape, patches, gy| {
            let o_group = shape.outputs;
            let v = rows.len() / n;
            formed.resize(v * o_group * shape.inputs, T::ZERO);
            weights::weight_rows(shape, patches, gy, &mut formed, scratch);
            for (row, formed) in rows
                .chunks_exact_mut(n)
                .zip(formed.chunks_exact(o_group * shape.inputs))
            {
                let row = &mut row[group * o_group * c_group * taps..][..o_group * c_group * taps];
                // Formed taps × channels × outputs; weights are outputs × channels × taps.
                for (o, row) in row.chunks_exact_mut(c_group * taps).enumerate() {
                    let slope = self.slope.as_ref();
                    let slope = slope.map_or(T::ONE, |slope| slope[group * o_group + o]);
                    for (i, row) in row.iter_mut().enumerate() {
                        *row += slope * formed[(i % taps * c_group + i / taps) * o_group + o];
                    }
                }
            }
        });
    }

    /// rows (V × O) ← rows + the gradients of the bias, from the cotangents gy (V × N × output positions × O) of the output.
    pub fn bias_rows(&self, gy: &[T], rows: &mut [T]) {
        let Some(slope) = &self.slope else {
            return sums::bias_rows(self.shape.c_out, gy, rows);
        };
        let mut formed = vec![T::ZERO; rows.len()];
        sums::bias_rows(self.shape.c_out, gy, &mut formed);
        for ((row, formed), &slope) in rows.iter_mut().zip(formed).zip(slope.iter().cycle()) {
            *row += slope * formed;
        }
    }

    /// S (V × V) ← S + the class Gram of the bias, from the V cotangents as for [`Conv::bias_rows`].
    pub fn bias_gram(&self, v: usize, gy: &[T], s: &mut [f64]) {
        sums::bias_gram(self.shape.c_out, v, gy, self.slope.as_deref(), s);
    }

    /// Hands out each group as a layer: its sizes, what it reads (patches, taps × channels each) and the
    /// cotangents of what it writes.
    fn each_group(
        &self,
        n_images: usize,
        x: &[T],
        gy: &[T],
        mut visit: impl FnMut(usize, LayerShape, &[T], &[T]),
    ) {
        let ConvShape {
            window,
            c_in,
            c_out,
            groups,
        } = &self.shape;
        let (c_group, o_group) = (self.shape.c_group(), self.shape.o_group());
        let shape = self.layer(n_images);
        assert_eq!(
            x.len(),
            n_images * window.n_input() * c_in,
            "x is N × positions × C"
        );
        if *groups == 1 && window.is_identity() {
            return visit(0, shape, x, gy);
        }
        let links = self.links.get_or_init(|| Links::forward(window));
        let from = &links.phases[0].from;
        let mut patches = vec![T::ZERO; shape.positions * shape.inputs];
        let mut deltas = Vec::new();
        for group in 0..*groups {
            let positions = patches.chunks_exact_mut(from.len() * c_group);
            for (patches, x) in positions.zip(x.chunks_exact(window.n_input() * c_in)) {
                for (patch, &from) in patches.chunks_exact_mut(c_group).zip(from) {
                    if from == OUTSIDE {
                        patch.fill(T::ZERO);
                    } else {
                        let at = from as usize * c_in + group * c_group;
                        patch.copy_from_slice(&x[at..at + c_group]);
                    }
                }
            }
            if *groups == 1 {
                visit(0, shape, &patches, gy);
            } else {
                deltas.clear();
                for gy in gy.chunks_exact(*c_out) {
                    deltas.extend_from_slice(&gy[group * o_group..][..o_group]);
                }
                visit(group, shape, &patches, &deltas);
            }
        }
    }
}

/// Neighbouring positions that read neighbouring positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    to: usize,
    from: usize,
    n: usize,
}

impl Run {
    /// Its positions, each a run by itself.
    fn rows(&self) -> impl Iterator<Item = Run> + use<> {
        let Run { to, from, n } = *self;
        (0..n).map(move |at| Run {
            to: to + at,
            from: from + at,
            n: 1,
        })
    }
}

/// The runs of what positions 0, 1, … read; those that read outside are in none.
fn runs(from: impl Iterator<Item = u32>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (to, from) in from.enumerate().filter(|&(_, from)| from != OUTSIDE) {
        let from = from as usize;
        match runs.last_mut() {
            Some(run) if run.to + run.n == to && run.from + run.n == from => run.n += 1,
            _ => runs.push(Run { to, from, n: 1 }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::ConvOptions;
    use crate::window;

    fn wave<T: Scalar>(n: usize, step: f64) -> Vec<T> {
        (0..n)
            .map(|i| T::from_f64((i as f64 * step).sin()))
            .collect()
    }

    fn shape(size: [usize; 2], pad: [usize; 2], c_in: usize, c_out: usize) -> ConvShape {
        ConvShape {
            window: window::tests::three_by_three(size, pad),
            c_in,
            c_out,
            groups: 1,
        }
    }

    /// The largest difference of S by `way` in `T` from S by patches in `f64`, relative to its largest entry.
    fn error<T: Scalar>(shape: &ConvShape, way: Way, n_images: usize, v: usize) -> f64 {
        let window = &shape.window;
        let n_weights = shape.c_in * shape.c_out * window.n_taps();
        let (n_x, n_y) = (
            n_images * window.n_input() * shape.c_in,
            v * n_images * window.n_output() * shape.c_out,
        );
        let exact = Conv::<f64>::new(
            shape.clone(),
            &wave(n_weights, 0.9),
            None,
            ConvOptions::default(),
        );
        let other = Conv::<T>::new(
            shape.clone(),
            &wave(n_weights, 0.9),
            None,
            ConvOptions::default(),
        );
        // S is added to what is there.
        let (mut want, mut found) = (vec![1.0; v * v], vec![1.0; v * v]);
        let scratch = &mut Vec::new();
        exact.weight_gram_by(
            Way::Patches,
            n_images,
            &wave(n_x, 0.37),
            &wave(n_y, 0.73),
            &mut want,
            scratch,
        );
        let scratch = &mut Vec::new();
        other.weight_gram_by(
            way,
            n_images,
            &wave(n_x, 0.37),
            &wave(n_y, 0.73),
            &mut found,
            scratch,
        );
        let size = want.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let pairs = want.iter().zip(&found);
        pairs.fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / size
    }

    #[test]
    fn all_ways_agree() {
        for size in [[4, 4], [5, 7], [9, 16], [3, 13], [33, 30]] {
            for pad in [[1, 1], [0, 1], [2, 0]] {
                for (c_in, c_out, v) in [(8, 8, 1), (17, 9, 4), (33, 70, 9)] {
                    let shape = shape(size, pad, c_in, c_out);
                    for (way, n_images) in
                        [(Way::Pixels, 1), (Way::Winograd, 1), (Way::Winograd, 2)]
                    {
                        let error = error::<f64>(&shape, way, n_images, v);
                        assert!(error < 1e-12, "{shape:?} {way:?} {n_images}: {error:e}");
                    }
                }
            }
        }
    }

    /// In single precision the sums over tiles of Winograd's domain stay within 2e-5 of the largest inner product.
    #[test]
    fn the_error_in_single_precision_is_bounded() {
        for channels in [16, 64, 128] {
            let shape = shape([32, 32], [1, 1], channels, channels);
            let error = error::<f32>(&shape, Way::Winograd, 1, 9);
            assert!(error < 2e-5, "{channels} channels: {error:e}");
        }
    }

    #[test]
    fn every_way_is_taken_somewhere() {
        let way = |size: usize, stride: usize, channels: usize| {
            let mut shape = shape([size, size], [1, 1], channels, channels);
            shape.window.stride = [1, stride, stride];
            shape.window.output = [1, size / stride, size / stride];
            let n = channels * channels * 9;
            let conv = Conv::<f32>::new(shape, &vec![0.0; n], None, ConvOptions::default());
            conv.way(1, 9)
        };
        assert_eq!(way(32, 1, 16), Way::Winograd);
        assert_eq!(way(8, 1, 64), Way::Pixels);
        assert_eq!(way(8, 2, 64), Way::Patches);
    }
}
