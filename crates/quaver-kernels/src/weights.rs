//! Class Grams of a layer's weights: the inner products of J_k = Σₜ δ_k(t) a(t)ᵀ, for all pairs of cotangents.
//!
//! a(t) is what the layer reads at position t (C numbers: a row of its input, or an unfolded patch), δ_k(t) the
//! k-th cotangent of what it writes there (O numbers). Two exact ways, of which the cheaper is taken:
//!
//! - direct: form all J_k (V·O·T·C multiply–adds, fewer where cotangents are zero) and multiply them with each other;
//! - through the kernel matrix K(t, t') = a(t)·a(t'): with E_k = K δ_k, S_kl = ⟨E_k, δ_l⟩, which costs
//!   T²·C + V·T²·O and never forms a gradient. A dense layer (T = 1) costs one ‖a‖² and V²/2 products of length O.

use crate::buffer::{aligned, apart};
use crate::gram::{Factors, accumulate_scaled};
use crate::layout::{transpose, transpose_apart};
use crate::packed::{Dense, Panels, Start, product};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::{Scalar, sparse};

/// The sizes of a layer: T positions, C numbers read and O written at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShape {
    /// Positions T.
    pub positions: usize,
    /// Numbers read at each, C.
    pub inputs: usize,
    /// Numbers written at each, O.
    pub outputs: usize,
}

impl LayerShape {
    /// Multiply–adds of the inner products of V formed gradients. They are summed in double precision: about three times
    /// the price.
    pub(crate) fn cost_of_pairs(&self, v: usize) -> usize {
        3 * v * (v + 1) / 2 * self.outputs * self.inputs
    }

    /// Multiply–adds that a kernel matrix, once there, leaves to be done for V cotangents.
    pub(crate) fn cost_through(&self, v: usize) -> usize {
        let (t, o) = (self.positions, self.outputs);
        v * t * t * o + 3 * v * (v + 1) / 2 * t * o
    }

    /// Multiply–adds of forming gradients, `effort` of them done, and multiplying them with each other.
    fn cost_direct(&self, v: usize, effort: f64) -> usize {
        let forming = v * self.outputs * self.positions * self.inputs;
        (effort * forming as f64) as usize + self.cost_of_pairs(v)
    }

    fn cost_kernel(&self, v: usize) -> usize {
        self.positions.pow(2) * self.inputs + self.cost_through(v)
    }

    /// Multiply–adds of the cheaper way for V cotangents.
    pub(crate) fn cost(&self, v: usize) -> usize {
        self.cost_direct(v, 1.0).min(self.cost_kernel(v))
    }
}

/// How the class Gram of a layer's weights is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All gradients are formed.
    Direct,
    /// All gradients are formed, and zeros of the cotangents left out.
    Lists,
    /// Through the kernel matrix.
    Kernel,
}

/// The way that costs least for the cotangents gy (V × T × O).
fn way<T: Scalar>(shape: LayerShape, gy: &[T], v: usize) -> Way {
    let lists = sparse::gradients_cost(shape, gy, v).filter(|&cost| cost < 1.0);
    match lists {
        _ if shape.cost_kernel(v) <= shape.cost_direct(v, lists.unwrap_or(1.0)) => Way::Kernel,
        Some(_) => Way::Lists,
        None => Way::Direct,
    }
}

/// S (V × V) ← S + the class Gram of the weights (O × C), from what the layer reads, x (T × C), and the
/// cotangents of what it writes, gy (V × T × O); those of output o times `slope[o]`, if that is given.
///
/// # Panics
/// If the lengths do not fit.
pub fn weight_gram<T: Scalar>(
    shape: LayerShape,
    x: &[T],
    gy: &[T],
    slope: Option<&[T]>,
    s: &mut [f64],
    scratch: &mut Vec<T>,
) {
    let (t, o) = (shape.positions, shape.outputs);
    let v = gy.len() / (t * o).max(1);
    check(shape, x, gy, v);
    let way = way(shape, gy, v);
    if way != Way::Kernel {
        let n_rows = (v * o * shape.inputs).next_multiple_of(16);
        let n_space = space::<T>(shape).max(sparse::space::<T>(shape, v));
        let (rows, space) = aligned(scratch, n_rows + n_space).split_at_mut(n_rows);
        let rows = &mut rows[..v * o * shape.inputs];
        // V × O × C, or V × C × O.
        let each = if way == Way::Lists { shape.inputs } else { 1 };
        match way {
            Way::Lists => sparse::gradients(shape, x, gy, rows, space),
            _ => form(shape, x, gy, rows, space),
        }
        accumulate_scaled(rows, rows, v, Factors::of(slope, each), s);
        return;
    }
    let mut matrix = vec![T::ZERO; t * t];
    kernel(t, shape.inputs, x, &mut matrix, scratch);
    kernel_gram(shape, &matrix, gy, slope, s, scratch);
}

/// matrix (T × T) ← the inner products of the rows of x (T × C).
pub(crate) fn kernel<T: Scalar>(
    t: usize,
    c: usize,
    x: &[T],
    matrix: &mut [T],
    scratch: &mut Vec<T>,
) {
    let isa = Isa::best();
    let space = aligned(
        scratch,
        (c * t).next_multiple_of(16) + Panels::<T>::len(isa, c, t),
    );
    let (columns, panels) = space.split_at_mut((c * t).next_multiple_of(16));
    let columns = &mut columns[..c * t];
    transpose(t, c, x, columns);
    let packed = Panels::pack(isa, c, t, columns, panels);
    multiply(t, x, c, packed, matrix);
}

/// S (V × V) ← S + the class Gram of the weights, from the kernel matrix (T × T) of what the layer reads and the
/// cotangents gy (V × T × O) of what it writes, times `slope`.
pub(crate) fn kernel_gram<T: Scalar>(
    shape: LayerShape,
    matrix: &[T],
    gy: &[T],
    slope: Option<&[T]>,
    s: &mut [f64],
    scratch: &mut Vec<T>,
) {
    let (t, o) = (shape.positions, shape.outputs);
    let v = gy.len() / (t * o).max(1);
    let isa = Isa::best();
    let n_panels = Panels::<T>::len(isa, t, o).next_multiple_of(16);
    let space = aligned(scratch, n_panels + v * t * o);
    let (panels, products) = space.split_at_mut(n_panels);
    let products = &mut products[..v * t * o];
    for (gy, product) in gy.chunks_exact(t * o).zip(products.chunks_exact_mut(t * o)) {
        let packed = Panels::pack(isa, t, o, gy, &mut *panels);
        multiply(t, matrix, t, packed, product);
    }
    // ⟨K δ_k, δ_l⟩ is symmetric because K is.
    accumulate_scaled(products, gy, v, Factors::of(slope, 1), s);
}

/// rows (V × C × O) ← J_kᵀ = Σₜ a(t) δ_k(t)ᵀ, for x (T × C) and gy (V × T × O).
///
/// # Panics
/// If the lengths do not fit.
pub fn weight_rows<T: Scalar>(
    shape: LayerShape,
    x: &[T],
    gy: &[T],
    rows: &mut [T],
    scratch: &mut Vec<T>,
) {
    let v = gy.len() / (shape.positions * shape.outputs).max(1);
    check(shape, x, gy, v);
    let space = aligned(scratch, space::<T>(shape));
    form(shape, x, gy, rows, space);
}

fn check<T>(shape: LayerShape, x: &[T], gy: &[T], v: usize) {
    assert_eq!(x.len(), shape.positions * shape.inputs, "x is T × C");
    assert_eq!(
        gy.len(),
        v * shape.positions * shape.outputs,
        "gy is V × T × O"
    );
}

/// What [`form`] needs beside its result.
fn space<T: Scalar>(shape: LayerShape) -> usize {
    let (t, c, o) = (shape.positions, shape.inputs, shape.outputs);
    // The second part starts on a cache line too.
    c * apart(t) + Panels::<T>::len(Isa::best(), t, o)
}

/// J_kᵀ = aᵀ δ_k (C × O) for every k: what is read is transposed once, cotangents lie as they are needed.
fn form<T: Scalar>(shape: LayerShape, x: &[T], gy: &[T], rows: &mut [T], space: &mut [T]) {
    let (t, c, o) = (shape.positions, shape.inputs, shape.outputs);
    let isa = Isa::best();
    let (columns, panels) = space.split_at_mut(c * apart(t));
    transpose_apart(t, c, x, columns, apart(t));
    for (gy, row) in gy.chunks_exact(t * o).zip(rows.chunks_exact_mut(c * o)) {
        let packed = Panels::pack(isa, t, o, gy, &mut *panels);
        multiply(c, columns, apart(t), packed, row);
    }
}

/// C (m × n) ← A (m × k, rows `stride` apart) B.
fn multiply<T: Scalar>(m: usize, a: &[T], stride: usize, b: Panels<'_, T>, c: &mut [T]) {
    struct Job<'a, T>(usize, &'a [T], usize, Panels<'a, T>, &'a mut [T]);
    impl<T: Scalar> Kernel<T> for Job<'_, T> {
        #[inline(always)]
        fn run<S: Simd<T>>(self, simd: S) {
            let Job(m, a, stride, b, c) = self;
            assert!(stride >= b.k() && a.len() >= m * stride && c.len() >= m * b.n());
            let mut rows = Dense {
                a: a.as_ptr(),
                a_stride: stride,
                c: c.as_mut_ptr(),
                c_stride: b.n(),
            };
            // SAFETY: both lengths were checked in the line above.
            unsafe { product(simd, m, b, Start::Zero, &mut rows) };
        }
    }
    dispatch(b.isa(), Job(m, a, stride, b, c));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::tests::cotangents;

    fn wave(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    #[test]
    fn all_ways_agree_with_the_definition() {
        let mut seen = Vec::new();
        for (t, c, o, v, zeros) in [
            (1, 5, 7, 3, 0.0),
            (40, 3, 2, 4, 0.0),
            (6, 40, 30, 9, 0.5),
            (100, 20, 10, 9, 0.0),
            (300, 70, 20, 9, 0.7),
            (2, 1, 1, 1, 0.0),
        ] {
            let shape = LayerShape {
                positions: t,
                inputs: c,
                outputs: o,
            };
            let (x, gy) = (wave(t * c, 0.7), cotangents(t * o, v, zeros));
            seen.push(way(shape, &gy, v));
            let mut want = vec![0.0; v * o * c];
            for k in 0..v {
                for position in 0..t {
                    for i in 0..o {
                        for j in 0..c {
                            want[(k * c + j) * o + i] +=
                                gy[(k * t + position) * o + i] * x[position * c + j];
                        }
                    }
                }
            }
            let mut rows = vec![f64::NAN; v * o * c];
            weight_rows(shape, &x, &gy, &mut rows, &mut Vec::new());
            for (row, want) in rows.iter().zip(&want) {
                assert!((row - want).abs() < 1e-12);
            }
            let mut s = vec![1.0; v * v];
            weight_gram(shape, &x, &gy, None, &mut s, &mut Vec::new());
            for k in 0..v {
                for l in 0..v {
                    let rows = want[k * o * c..][..o * c].iter().zip(&want[l * o * c..]);
                    let want: f64 = 1.0 + rows.map(|(a, b)| a * b).sum::<f64>();
                    let got = s[k * v + l];
                    assert!(
                        (got - want).abs() < 1e-10 * (1.0 + want.abs()),
                        "{shape:?}: {got} {want}"
                    );
                }
            }
        }
        for way in [Way::Direct, Way::Lists, Way::Kernel] {
            assert!(seen.contains(&way), "{way:?} was taken");
        }
    }
}
