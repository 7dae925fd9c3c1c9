//! Convolution over up to three spatial axes, with groups: forward, backward to its input, and the class Gram of its weights.
//!
//! Channels-last: a value is positions × channels. Weights never change, so they are laid out once, for the way
//! that costs least: Winograd's algorithm for 3×3 kernels of stride 1, tap by tap for depthwise ones, what every position sends
//! where few channels are written, a product over rows found through a table of positions for all others.

mod weights;

use std::sync::OnceLock;

use crate::depthwise::Depthwise;
use crate::direct::{Direct, Links};
use crate::narrow::{self, Narrow};
use crate::packed::Panels;
use crate::simd::{Isa, dispatch};
use crate::window::{AXES, Window};
use crate::winograd::{Tile, Tiling, Winograd};
use crate::{Onward, Scalar, sparse, wanted};

/// The shape of a convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvShape {
    /// How the kernel slides.
    pub window: Window,
    /// Input channels C.
    pub c_in: usize,
    /// Output channels O.
    pub c_out: usize,
    /// Groups; divides both C and O.
    pub groups: usize,
}

impl ConvShape {
    pub(crate) fn c_group(&self) -> usize {
        self.c_in / self.groups
    }

    pub(crate) fn o_group(&self) -> usize {
        self.c_out / self.groups
    }

    /// Multiply–accumulates of one forward pass.
    pub fn macs(&self) -> u64 {
        (self.c_out * self.c_group() * self.window.n_taps() * self.window.n_output()) as u64
    }

    /// Padding before height and width of the convolution that carries cotangents back, if Winograd's
    /// algorithm applies to this one.
    fn winograd_pads(&self) -> Option<([usize; 2], [usize; 2])> {
        let w = &self.window;
        let fits = w.kernel == [1, 3, 3]
            && w.stride == [1; AXES]
            && w.dilation == [1; AXES]
            && w.pad[0] == 0
            && w.input[0] == 1
            && self.groups == 1;
        let back = |axis: usize| 2usize.checked_sub(w.pad[axis]);
        let (Some(h), Some(v)) = (back(1), back(2)) else {
            return None;
        };
        fits.then_some(([w.pad[1], w.pad[2]], [h, v]))
    }
}

/// Channels read below which Winograd's algorithm is not used.
const FEWEST_READ: usize = 8;

/// The share of its time that the definition takes where half of the cotangents are zero ([`crate::sparse`]).
const DONE_BEHIND_RELU: f64 = 0.6;

/// Which algorithms may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions {
    /// The instruction set; [`Isa::best`] unless told.
    pub isa: Isa,
    /// Whether 3×3 convolutions of stride 1 may be computed by Winograd's algorithm, which rounds differently.
    pub winograd: bool,
    /// How many cotangents are expected at once: what the choice for the reverse pass is made for.
    pub n_cotangents: usize,
}

impl Default for ConvOptions {
    fn default() -> Self {
        Self {
            isa: Isa::best(),
            winograd: true,
            n_cotangents: 9,
        }
    }
}

/// A convolution in one direction, ready to run.
#[derive(Debug)]
enum Route<T> {
    Direct(Direct<T>),
    Depthwise(Depthwise<T>),
    Narrow(Narrow<T>),
    Winograd(Winograd<T>),
}

impl<T: Scalar> Route<T> {
    fn run(&self, x: &[T], y: &mut [T], scratch: &mut Vec<T>, onward: Onward<'_, '_, T>) {
        match self {
            Route::Direct(direct) => direct.run(x, y, scratch, onward),
            Route::Depthwise(depthwise) => {
                depthwise.run(x, y);
                (onward.done)(0, y);
            }
            Route::Narrow(narrow) => narrow.run(x, y, scratch, onward.done),
            Route::Winograd(winograd) => winograd.run(x, y, scratch, onward.done),
        }
    }
}

/// A convolution with its weights, ready to run.
#[derive(Debug)]
pub struct Conv<T> {
    shape: ConvShape,
    forward: Route<T>,
    backward: Route<T>,
    /// What cotangents are multiplied by, O; the weights of the way back are already.
    slope: Option<Vec<T>>,
    /// Which position reads which, for the gradients of the weights; made when first needed.
    links: OnceLock<Links>,
    /// How Winograd's algorithm takes the gradients of the weights, where it applies.
    gradient: Option<Tiling>,
}

impl<T: Scalar> Conv<T> {
    /// `weight` is O × C/groups × taps, `bias` O.
    ///
    /// # Panics
    /// If the sizes do not fit the shape.
    pub fn new(shape: ConvShape, weight: &[T], bias: Option<Vec<T>>, options: ConvOptions) -> Self {
        Self::with_slope(shape, weight, bias, None, options)
    }

    /// The same, before something that multiplies channel o by `slope[o]` (a batch normalisation): cotangents are those of what
    /// comes of that, and the convolution multiplies them. What [`Conv::forward`] writes is not multiplied.
    ///
    /// # Panics
    /// If the sizes do not fit the shape.
    pub fn with_slope(
        shape: ConvShape,
        weight: &[T],
        bias: Option<Vec<T>>,
        slope: Option<Vec<T>>,
        options: ConvOptions,
    ) -> Self {
        let taps = shape.window.n_taps();
        let (c_group, o_group) = (shape.c_group(), shape.o_group());
        assert_eq!(weight.len(), shape.c_out * c_group * taps);
        assert!(bias.as_ref().is_none_or(|b| b.len() == shape.c_out));
        assert!(slope.as_ref().is_none_or(|s| s.len() == shape.c_out));
        let at = |o: usize, c: usize, tap: usize| weight[(o * c_group + c) * taps + tap];
        let back_at = |o: usize, c: usize, tap: usize| match &slope {
            Some(slope) => slope[o] * at(o, c, tap),
            None => at(o, c, tap),
        };
        let w = &shape.window;
        let isa = options.isa;
        if c_group == 1 && o_group == 1 {
            let forth = Depthwise::new(isa, shape.c_in, Links::forward(w), |channel, tap| {
                at(channel, 0, tap)
            });
            let back = Depthwise::new(isa, shape.c_in, Links::backward(w), |channel, tap| {
                back_at(channel, 0, tap)
            });
            return Self {
                forward: Route::Depthwise(forth.with_bias(bias)),
                backward: Route::Depthwise(back),
                slope,
                links: OnceLock::new(),
                gradient: None,
                shape,
            };
        }
        let pads = shape.winograd_pads().filter(|_| options.winograd);
        let tiles = |output: [usize; AXES], c_read, n_images, done| {
            // Few channels leave most of the vectors of the transforms empty.
            pads.filter(|_| c_read >= FEWEST_READ).and_then(|_| {
                let n_weights = shape.c_in * shape.c_out;
                cheapest_tile::<T>([output[1], output[2]], n_weights, n_images, done)
            })
        };
        let forth = |tile, pad| Tiling {
            tile,
            c_in: shape.c_in,
            c_out: shape.c_out,
            input: [w.input[1], w.input[2]],
            output: [w.output[1], w.output[2]],
            pad,
        };
        let forward = match (tiles(w.output, shape.c_in, 1, 1.0), pads) {
            (Some(tile), Some((pad, _))) => {
                Route::Winograd(Winograd::new(isa, forth(tile, pad), at, bias))
            }
            _ => Route::Direct(
                Direct::new(
                    isa,
                    (shape.groups, c_group, o_group),
                    Links::forward(w),
                    1,
                    |g, c, o, tap| at(g * o_group + o, c, tap),
                )
                .with_bias(bias),
            ),
        };
        let is_narrow = shape.groups == 1 && narrow::fits::<T>(w.n_output(), shape.c_in, taps);
        let back = tiles(w.input, shape.c_out, options.n_cotangents, DONE_BEHIND_RELU);
        let backward = match (back, pads) {
            _ if is_narrow => Route::Narrow(Narrow::new(
                isa,
                (shape.c_out, shape.c_in),
                taps,
                Links::backward(w),
                back_at,
            )),
            (Some(tile), Some((_, pad))) => Route::Winograd(Winograd::new(
                isa,
                Tiling {
                    tile,
                    c_in: shape.c_out,
                    c_out: shape.c_in,
                    input: [w.output[1], w.output[2]],
                    output: [w.input[1], w.input[2]],
                    pad,
                },
                |c, o, tap| back_at(o, c, 8 - tap),
                None,
            )),
            _ => Route::Direct(Direct::new(
                isa,
                (shape.groups, o_group, c_group),
                Links::backward(w),
                sparse::panels_side_by_side::<T>(isa),
                |g, o, c, tap| back_at(g * o_group + o, c, tap),
            )),
        };
        let gradient = pads
            .filter(|_| shape.c_in.min(shape.c_out) >= FEWEST_READ)
            .map(|(pad, _)| forth(Tile::Four, pad));
        Self {
            shape,
            forward,
            backward,
            slope,
            links: OnceLock::new(),
            gradient,
        }
    }

    /// The shape given to [`Conv::new`].
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// y (N × output positions × O) ← conv(x (N × input positions × C)), any N. `scratch` grows to what is
    /// needed.
    pub fn forward(&self, x: &[T], y: &mut [T], scratch: &mut Vec<T>) {
        self.forward
            .run(x, y, scratch, Onward::whole(&mut |_, _| {}));
    }

    /// gx (V × input positions × C) ← the transpose of the convolution, applied to each of the V cotangents
    /// gy (V × output positions × O).
    pub fn backward_data(&self, gy: &[T], gx: &mut [T], scratch: &mut Vec<T>) {
        self.backward
            .run(gy, gx, scratch, Onward::whole(&mut |_, _| {}));
    }

    /// The same, handing every stretch of gx on as soon as it is complete.
    pub fn backward_data_then(
        &self,
        gy: &[T],
        gx: &mut [T],
        scratch: &mut Vec<T>,
        onward: Onward<'_, '_, T>,
    ) {
        if let Some(wanted) = onward.wanted
            && let Some(weights) = self.rows_for(gy, wanted)
        {
            let job = wanted::Job {
                weights,
                slope: self.slope.as_deref(),
                gy,
                gx,
                wanted,
                scratch,
                done: onward.done,
            };
            return dispatch(weights.isa(), job);
        }
        self.backward.run(gy, gx, scratch, onward);
    }

    /// The weights by rows, if it costs least to compute only what is wanted of a reverse pass.
    pub(crate) fn rows_for(&self, gy: &[T], wanted: &[u8]) -> Option<Panels<'_, T>> {
        let (Route::Direct(forth), Route::Direct(back)) = (&self.forward, &self.backward) else {
            return None;
        };
        let v = gy.len() / (back.n_read() * back.c()).max(1);
        if !self.shape.window.is_identity() || self.shape.groups > 1 || v < 3 {
            return None;
        }
        let share = wanted::share(wanted, self.shape.c_in);
        let cost = wanted::cost(back.isa(), self.shape.c_out, v * back.n_read(), share);
        (cost < 1.0 && cost < sparse::cost_of(back, gy, v, Some(wanted))).then(|| forth.weights())
    }
}

/// The tile that costs least for `n_images` outputs of that size, if one beats the definition.
///
/// The unit is a multiply–add per pair of channels. Weights that do not stay in the second-level cache have
/// to be fetched once per pass, which then costs about as much as twelve multiply–adds each. The definition takes the time of
/// the share `done` of its own.
fn cheapest_tile<T>(
    output: [usize; 2],
    n_weights: usize,
    n_images: usize,
    done: f64,
) -> Option<Tile> {
    const CACHE: usize = 512 << 10;
    const FETCH: usize = 12;
    let fetch = |points: usize| {
        let large = points * n_weights * size_of::<T>() > CACHE;
        if large { FETCH * points } else { 0 }
    };
    let cost = |tile: Tile| {
        let m = tile.outputs();
        let tiles = output[0].div_ceil(m) * output[1].div_ceil(m);
        tiles * n_images * tile.points() + fetch(tile.points())
    };
    let direct = done * (output[0] * output[1] * n_images * 9) as f64 + fetch(9) as f64;
    [Tile::Two, Tile::Four]
        .into_iter()
        .min_by_key(|&tile| cost(tile))
        // The transforms take their time too.
        .filter(|&tile| (cost(tile) as f64) < 0.8 * direct)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::window;

    fn wave(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    /// Going back through ResNet-50's 3×3 layers: Winograd's algorithm, but where four by four positions would not pay for
    /// four times the weights.
    #[test]
    fn few_positions_do_not_pay_for_fetching_transformed_weights() {
        let back = |size, c: usize| cheapest_tile::<f32>([size, size], c * c, 9, DONE_BEHIND_RELU);
        assert_eq!(back(4, 512), None);
        assert_eq!(back(8, 256), Some(Tile::Four));
        assert_eq!(back(32, 64), Some(Tile::Four));
    }

    /// The reverse pass, checked to hand out every element once, as it stays.
    pub(crate) fn backward<T: Scalar>(
        conv: &Conv<T>,
        gy: &[T],
        gx: &mut [T],
        wanted: Option<&[u8]>,
    ) {
        let mut handed = vec![None; gx.len()];
        let mut done = |start: usize, g: &mut [T]| {
            for (to, &x) in handed[start..].iter_mut().zip(&*g) {
                assert!(to.is_none(), "handed out once");
                *to = Some(x);
            }
        };
        let onward = Onward {
            wanted,
            done: &mut done,
        };
        conv.backward_data_then(gy, gx, &mut Vec::new(), onward);
        for (x, handed) in gx.iter().zip(handed) {
            assert_eq!(Some(*x), handed, "complete when it is handed out");
        }
    }

    /// Whether zeros in the cotangents are left out.
    pub(crate) fn seeks<T: Scalar>(conv: &Conv<T>, gy: &[T], v: usize) -> bool {
        let Route::Direct(direct) = &conv.backward else {
            return false;
        };
        crate::sparse::Active::seek(direct, gy, v, None, &mut Vec::new()).is_some()
    }

    /// The definition, position by position.
    fn naive(shape: &ConvShape, weight: &[f64], bias: Option<&[f64]>, x: &[f64]) -> Vec<f64> {
        let w = &shape.window;
        let (c_group, o_group) = (shape.c_group(), shape.o_group());
        let mut y = Vec::new();
        for position in 0..w.n_output() {
            for o in 0..shape.c_out {
                let at = [
                    position / (w.output[1] * w.output[2]),
                    position / w.output[2] % w.output[1],
                    position % w.output[2],
                ];
                let mut sum = bias.map_or(0.0, |b| b[o]);
                for c in 0..c_group {
                    for (t, tap) in w.taps().enumerate() {
                        let source: Option<Vec<usize>> =
                            (0..AXES).map(|a| w.source(a, at[a], tap[a])).collect();
                        if let Some(s) = source {
                            let channel = o / o_group * c_group + c;
                            let i = (s[0] * w.input[1] + s[1]) * w.input[2] + s[2];
                            sum += weight[(o * c_group + c) * w.n_taps() + t]
                                * x[i * shape.c_in + channel];
                        }
                    }
                }
                y.push(sum);
            }
        }
        y
    }

    #[test]
    fn forward_and_backward_agree_with_the_definition() {
        let (isas, mut draw) = (Isa::available(), 0);
        for window in window::tests::samples() {
            for (c_in, c_out, groups) in [
                (1, 1, 1),
                (3, 4, 1),
                (4, 6, 2),
                (19, 19, 19),
                (2, 6, 2),
                (9, 37, 1),
            ] {
                let shape = ConvShape {
                    window: window.clone(),
                    c_in,
                    c_out,
                    groups,
                };
                let (n_in, n_out) = (window.n_input() * c_in, window.n_output() * c_out);
                let weight = wave(c_out * c_in / groups * window.n_taps(), 0.9);
                let bias = wave(c_out, 1.7);
                let x = wave(n_in, 0.31);
                let options = ConvOptions {
                    isa: isas[draw % isas.len()],
                    ..ConvOptions::default()
                };
                draw += 1;
                let conv = Conv::new(shape.clone(), &weight, Some(bias.clone()), options);
                let (mut y, mut scratch) = (vec![f64::NAN; n_out], Vec::new());
                conv.forward(&x, &mut y, &mut scratch);
                let want = naive(&shape, &weight, Some(&bias), &x);
                for (y, want) in y.iter().zip(&want) {
                    assert!((y - want).abs() < 1e-12, "{shape:?}");
                }

                // ⟨conv(x), u⟩ = ⟨x, convᵀ(u)⟩ for two cotangents at once, without the bias; and, the output
                // being linear in the weights too, = ⟨w, ∂⟨conv(x), u⟩/∂w⟩.
                let u = wave(2 * n_out, 0.53);
                let mut rows = vec![0.0; 2 * weight.len()];
                conv.weight_rows(1, &x, &u, &mut rows, &mut scratch);
                let mut s = vec![0.0; 4];
                conv.weight_gram(1, &x, &u, &mut s, &mut scratch);
                for (at, s) in s.iter().enumerate() {
                    let (a, b) = (
                        &rows[at / 2 * weight.len()..],
                        &rows[at % 2 * weight.len()..],
                    );
                    let want: f64 = a.iter().zip(&b[..weight.len()]).map(|(a, b)| a * b).sum();
                    assert!((s - want).abs() < 1e-9 * (1.0 + want.abs()), "{shape:?}");
                }
                let mut gx = vec![f64::NAN; 2 * n_in];
                backward(&conv, &u, &mut gx, None);
                let linear = naive(&shape, &weight, None, &x);
                for v in 0..2 {
                    let by_weights = rows[v * weight.len()..].iter().zip(&weight);
                    let by_weights: f64 = by_weights.map(|(a, b)| a * b).sum();
                    let left: f64 = linear.iter().zip(&u[v * n_out..]).map(|(a, b)| a * b).sum();
                    let right: f64 = x.iter().zip(&gx[v * n_in..]).map(|(a, b)| a * b).sum();
                    let tolerance = 1e-10 * (1.0 + left.abs());
                    assert!((left - right).abs() < tolerance, "{shape:?}");
                    assert!((left - by_weights).abs() < tolerance, "{shape:?}");
                }
            }
        }
    }

    /// A slope behind a convolution is that slope times its cotangents, whichever way is taken.
    #[test]
    fn a_slope_multiplies_cotangents() {
        for (size, kernel, stride, c_in, c_out, groups) in [
            (6, 1, 1, 20, 70, 1),
            (9, 3, 1, 16, 24, 1),
            (3, 3, 1, 40, 33, 1),
            (7, 3, 2, 9, 16, 1),
            (5, 3, 1, 3, 64, 1),
            (6, 3, 1, 8, 12, 2),
            (6, 3, 1, 5, 5, 5),
        ] {
            let axes = |size| [1, size, size];
            let shape = ConvShape {
                window: window::Window {
                    input: axes(size),
                    output: axes((size - 1) / stride + 1),
                    kernel: axes(kernel),
                    stride: axes(stride),
                    dilation: [1; AXES],
                    pad: [0, kernel / 2, kernel / 2],
                },
                c_in,
                c_out,
                groups,
            };
            let (n_taps, n_out) = (kernel * kernel, shape.window.n_output() * c_out);
            let n_in = shape.window.n_input() * c_in;
            let weight = wave(c_out * shape.c_group() * n_taps, 0.9);
            let slope: Vec<f64> = (0..c_out).map(|o| (o as f64 * 0.7).cos()).collect();
            let (options, v) = (ConvOptions::default(), 4);
            let plain = Conv::new(shape.clone(), &weight, None, options);
            let sloped = Conv::with_slope(shape, &weight, None, Some(slope.clone()), options);
            for zeros in [0.0, 0.7] {
                let gy = sparse::tests::cotangents(n_out, v, zeros);
                let scaled = gy.iter().zip(slope.iter().cycle());
                let scaled: Vec<f64> = scaled.map(|(g, slope)| g * slope).collect();
                let x = wave(n_in, 0.31);
                let wanted: Vec<u8> = (0..n_in).map(|at| [0, 0xFF, 0][at % 3]).collect();
                let all = |conv: &Conv<f64>, gy: &[f64]| {
                    let (mut gx, mut part) = (vec![0.0; v * n_in], vec![0.0; v * n_in]);
                    backward(conv, gy, &mut gx, None);
                    backward(conv, gy, &mut part, Some(&wanted));
                    let masked = part.iter_mut().zip(wanted.iter().cycle());
                    masked.for_each(|(part, &is)| *part *= f64::from(is & 1));
                    let mut s = vec![0.0; v * v];
                    conv.weight_gram(1, &x, gy, &mut s, &mut Vec::new());
                    let mut rows = vec![1.0; v * weight.len()];
                    conv.weight_rows(1, &x, gy, &mut rows, &mut Vec::new());
                    let mut bias = vec![1.0; v * c_out];
                    conv.bias_rows(gy, &mut bias);
                    let mut s_bias = vec![0.0; v * v];
                    conv.bias_gram(v, gy, &mut s_bias);
                    [gx, part, s, rows, bias, s_bias].concat()
                };
                let (want, found) = (all(&plain, &scaled), all(&sloped, &gy));
                let size = want.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                for (want, found) in want.iter().zip(&found) {
                    assert!((want - found).abs() < 1e-12 * size, "{want} {found}");
                }
            }
        }
    }
}
