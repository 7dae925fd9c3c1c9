//! The transforms of F(m×m, 3×3) along one axis, on vectors across channels.
//!
//! Of the trilinear form Σ_p (A δ)_p (G w)_p (Bᵀ d)_p each of the three factors has its transform, and the transpose of
//! that is what a derivative needs: outputs come by Aᵀ, gradients of the weights by Gᵀ.

use crate::Scalar;
use crate::packed::ABREAST;
use crate::simd::Simd;

// The points ±p have denominators 2p²(p² − q²), 0 has a²b² = 1, with a² = 1/2 and b² = 2.
const A: f64 = std::f64::consts::FRAC_1_SQRT_2;
const B: f64 = std::f64::consts::SQRT_2;
const AT_A: f64 = -1.5;
const AT_B: f64 = 6.0;

/// Outputs of a tile per axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    /// F(2×2, 3×3).
    Two,
    /// F(4×4, 3×3).
    Four,
}

impl Tile {
    /// m.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Tile::Two => 2,
            Tile::Four => 4,
        }
    }

    /// (m + 2)².
    pub(crate) fn points(self) -> usize {
        (self.outputs() + 2).pow(2)
    }

    /// G: what a kernel's three taps become along one axis, at each of the m + 2 points.
    pub(super) fn weights(self) -> &'static [[f64; 3]] {
        match self {
            Tile::Two => &[
                [1.0, 0.0, 0.0],
                [0.5, 0.5, 0.5],
                [0.5, -0.5, 0.5],
                [0.0, 0.0, 1.0],
            ],
            Tile::Four => &[
                [1.0, 0.0, 0.0],
                [1.0 / AT_A, A / AT_A, 0.5 / AT_A],
                [1.0 / AT_A, -A / AT_A, 0.5 / AT_A],
                [1.0 / AT_B, B / AT_B, 2.0 / AT_B],
                [1.0 / AT_B, -B / AT_B, 2.0 / AT_B],
                [0.0, 0.0, 1.0],
            ],
        }
    }

    /// G g Gᵀ for kernels g side by side, of which `taps` holds the nine taps row by row: `points` in the same order.
    pub(super) fn transform_weights<T: Scalar>(
        self,
        taps: &[[f64; ABREAST]; 9],
        points: &mut [[T; ABREAST]],
    ) {
        let g = self.weights();
        // G g, a row of three for each point of the first axis.
        for (g_row, points) in g.iter().zip(points.chunks_exact_mut(g.len())) {
            let mut row = [[0.0; ABREAST]; 3];
            for (column, sums) in row.iter_mut().enumerate() {
                for (tap, g) in g_row.iter().enumerate() {
                    for (sum, x) in sums.iter_mut().zip(&taps[3 * tap + column]) {
                        *sum += g * x;
                    }
                }
            }
            for (g_column, point) in g.iter().zip(points) {
                for (i, x) in point.iter_mut().enumerate() {
                    let products = g_column.iter().zip(&row).map(|(g, row)| g * row[i]);
                    *x = T::from_f64(products.sum());
                }
            }
        }
    }
}

/// The constants of F(4×4, 3×3), broadcast.
#[derive(Clone, Copy)]
pub(super) struct Constants<V> {
    a: V,
    b: V,
    half: V,
    two: V,
    minus_half: V,
    minus_two: V,
    minus_five_halves: V,
    /// a³ and b³.
    a_cubed: V,
    b_cubed: V,
    /// What interpolation at ±a and at ±b divides by, inverted.
    at_a: V,
    at_b: V,
}

impl<V: Copy> Constants<V> {
    #[inline(always)]
    pub(super) fn new<T: Scalar, S: Simd<T, V = V>>(simd: S) -> Self {
        let splat = |x: f64| simd.splat(T::from_f64(x));
        Self {
            a: splat(A),
            b: splat(B),
            half: splat(0.5),
            two: splat(2.0),
            minus_half: splat(-0.5),
            minus_two: splat(-2.0),
            minus_five_halves: splat(-2.5),
            a_cubed: splat(A * A * A),
            b_cubed: splat(B * B * B),
            at_a: splat(1.0 / AT_A),
            at_b: splat(1.0 / AT_B),
        }
    }
}

/// Aᵀ t along one axis; the first m of the N entries are the outputs.
#[inline(always)]
pub(super) fn transform_output<T: Scalar, S: Simd<T>, const N: usize>(
    s: S,
    c: Constants<S::V>,
    t: [S::V; N],
) -> [S::V; N] {
    let mut y = t;
    if N == 4 {
        y[0] = s.add(s.add(t[0], t[1]), t[2]);
        y[1] = s.sub(s.sub(t[1], t[2]), t[3]);
    } else {
        let (sum_a, diff_a) = (s.add(t[1], t[2]), s.sub(t[1], t[2]));
        let (sum_b, diff_b) = (s.add(t[3], t[4]), s.sub(t[3], t[4]));
        y[0] = s.add(t[0], s.add(sum_a, sum_b));
        y[1] = s.mul_add(c.a, diff_a, s.mul(c.b, diff_b));
        y[2] = s.mul_add(c.half, sum_a, s.mul(c.two, sum_b));
        y[3] = s.add(s.mul_add(c.a_cubed, diff_a, s.mul(c.b_cubed, diff_b)), t[5]);
    }
    y
}

/// Gᵀ t along one axis: the gradients of three taps.
#[inline(always)]
pub(super) fn transform_gradient<T: Scalar, S: Simd<T>, const N: usize>(
    s: S,
    c: Constants<S::V>,
    t: [S::V; N],
) -> [S::V; 3] {
    if N == 4 {
        let even = s.mul(c.half, s.add(t[1], t[2]));
        [
            s.add(t[0], even),
            s.mul(c.half, s.sub(t[1], t[2])),
            s.add(even, t[3]),
        ]
    } else {
        let even_a = s.mul(c.at_a, s.add(t[1], t[2]));
        let odd_a = s.mul(c.at_a, s.sub(t[1], t[2]));
        let even_b = s.mul(c.at_b, s.add(t[3], t[4]));
        let odd_b = s.mul(c.at_b, s.sub(t[3], t[4]));
        [
            s.add(t[0], s.add(even_a, even_b)),
            s.mul_add(c.a, odd_a, s.mul(c.b, odd_b)),
            s.mul_add(c.half, even_a, s.mul_add(c.two, even_b, t[5])),
        ]
    }
}

/// A transform along one axis. A type and not a closure: closures are not always inlined, and only inlined code is
/// compiled with the wider instructions.
pub(super) trait Transform {
    fn along<T: Scalar, S: Simd<T>, const N: usize>(
        s: S,
        c: Constants<S::V>,
        d: [S::V; N],
    ) -> [S::V; N];
}

/// Bᵀ d, N = m + 2 points.
pub(super) struct Input;

impl Transform for Input {
    #[inline(always)]
    fn along<T: Scalar, S: Simd<T>, const N: usize>(
        s: S,
        c: Constants<S::V>,
        d: [S::V; N],
    ) -> [S::V; N] {
        let mut t = d;
        if N == 4 {
            t[0] = s.sub(d[0], d[2]);
            t[1] = s.add(d[1], d[2]);
            t[2] = s.sub(d[2], d[1]);
            t[3] = s.sub(d[1], d[3]);
        } else {
            let even_a = s.mul_add(c.minus_two, d[2], d[4]);
            let odd_a = s.mul(c.a, s.mul_add(c.minus_two, d[1], d[3]));
            let even_b = s.mul_add(c.minus_half, d[2], d[4]);
            let odd_b = s.mul(c.b, s.mul_add(c.minus_half, d[1], d[3]));
            t[0] = s.add(s.mul_add(c.minus_five_halves, d[2], d[0]), d[4]);
            t[1] = s.add(even_a, odd_a);
            t[2] = s.sub(even_a, odd_a);
            t[3] = s.add(even_b, odd_b);
            t[4] = s.sub(even_b, odd_b);
            t[5] = s.add(s.mul_add(c.minus_five_halves, d[3], d[1]), d[5]);
        }
        t
    }
}

/// A δ, from the first m entries.
pub(super) struct Cotangent;

impl Transform for Cotangent {
    #[inline(always)]
    fn along<T: Scalar, S: Simd<T>, const N: usize>(
        s: S,
        c: Constants<S::V>,
        d: [S::V; N],
    ) -> [S::V; N] {
        let mut t = d;
        if N == 4 {
            t[1] = s.add(d[0], d[1]);
            t[2] = s.sub(d[0], d[1]);
            t[3] = s.sub(s.splat(T::ZERO), d[1]);
        } else {
            let even_a = s.mul_add(c.half, d[2], d[0]);
            let odd_a = s.mul_add(c.a, d[1], s.mul(c.a_cubed, d[3]));
            let even_b = s.mul_add(c.two, d[2], d[0]);
            let odd_b = s.mul_add(c.b, d[1], s.mul(c.b_cubed, d[3]));
            t[1] = s.add(even_a, odd_a);
            t[2] = s.sub(even_a, odd_a);
            t[3] = s.add(even_b, odd_b);
            t[4] = s.sub(even_b, odd_b);
            t[5] = d[3];
        }
        t
    }
}

/// A transform of an N × N array: of its columns, then of its rows.
#[expect(
    clippy::needless_range_loop,
    reason = "a column of one array, a row of another"
)]
#[inline(always)]
pub(super) fn both_axes<F: Transform, T: Scalar, S: Simd<T>, const N: usize>(
    simd: S,
    constants: Constants<S::V>,
    d: [[S::V; N]; N],
) -> [[S::V; N]; N] {
    let mut t = d;
    for j in 0..N {
        let mut column = d[0];
        for i in 0..N {
            column[i] = d[i][j];
        }
        let column = F::along(simd, constants, column);
        for i in 0..N {
            t[i][j] = column[i];
        }
    }
    for i in 0..N {
        t[i] = F::along(simd, constants, t[i]);
    }
    t
}
