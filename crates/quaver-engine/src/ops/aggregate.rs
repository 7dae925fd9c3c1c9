//! Reductions that are not linear: extremes, products, norms and logarithms of sums.
//!
//! Each keeps ∂y/∂x for every element of its input, and the transpose spreads the cotangent over them.

use quaver_kernels::Scalar;

use super::reduce::groups;
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, Lower, Operator, Saved, Step};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    L1,
    L2,
    LogSum,
    LogSumExp,
    Max,
    Min,
    Prod,
    SumSquare,
}

impl Kind {
    /// What is made of no elements at all.
    fn of_nothing(self) -> f64 {
        match self {
            Kind::L1 | Kind::L2 | Kind::SumSquare => 0.0,
            Kind::Prod => 1.0,
            Kind::LogSum | Kind::LogSumExp | Kind::Max => f64::NEG_INFINITY,
            Kind::Min => f64::INFINITY,
        }
    }
}

#[derive(Debug, Clone)]
struct Aggregate {
    kind: Kind,
    /// For every element of the input, the element of the output it goes into.
    into: Vec<u32>,
    n_out: usize,
}

impl Operator for Aggregate {}

impl<T: Scalar> Lower<T> for Aggregate {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl Aggregate {
    fn fold<T: Scalar>(&self, x: &[T], y: &mut [T], from: T, join: impl Fn(T, T) -> T) {
        y.fill(from);
        for (&x, &into) in x.iter().zip(&self.into) {
            let y = &mut y[into as usize];
            *y = join(*y, x);
        }
    }

    /// The largest of each group; not-a-number if any is.
    fn largest<T: Scalar>(&self, x: &[T], y: &mut [T]) {
        self.fold(x, y, T::NEG_INFINITY, |y, x| if x <= y { y } else { x });
    }

    /// The slope at `x` where the slope depends on the element and the result alone.
    fn slope<T: Scalar>(&self, x: T, y: T) -> T {
        match self.kind {
            Kind::L1 if x > T::ZERO => T::ONE,
            Kind::L1 if x < T::ZERO => -T::ONE,
            Kind::L2 if y != T::ZERO => x / y,
            Kind::LogSum => (-y).exp(),
            Kind::LogSumExp => (x - y).exp(),
            Kind::SumSquare => x + x,
            _ => T::ZERO,
        }
    }

    /// The first element equal to the extreme takes the whole slope.
    fn winners<T: Scalar>(&self, x: &[T], y: &[T], slopes: &mut Vec<T>) {
        let mut open = vec![true; self.n_out];
        slopes.extend(x.iter().zip(&self.into).map(|(&x, &into)| {
            let into = into as usize;
            if x == y[into] && std::mem::take(&mut open[into]) {
                T::ONE
            } else {
                T::ZERO
            }
        }));
    }

    /// The product of the others, which division cannot give where an element is 0.
    fn others<T: Scalar>(&self, x: &[T], slopes: &mut Vec<T>) {
        let mut n_zeros = vec![0u32; self.n_out];
        let mut product = vec![T::ONE; self.n_out];
        for (&x, &into) in x.iter().zip(&self.into) {
            match x == T::ZERO {
                true => n_zeros[into as usize] += 1,
                false => product[into as usize] *= x,
            }
        }
        slopes.extend(x.iter().zip(&self.into).map(|(&x, &into)| {
            let product = product[into as usize];
            match (n_zeros[into as usize], x == T::ZERO) {
                (0, _) => product / x,
                (1, true) => product,
                _ => T::ZERO,
            }
        }));
    }
}

impl<T: Scalar> Step<T> for Aggregate {
    fn forward(&self, x: &[&[T]], y: &mut [T], saved: Option<&mut Saved<T>>, scratch: &mut Vec<T>) {
        let x = x[0];
        match self.kind {
            Kind::L1 => self.fold(x, y, T::ZERO, |y, x| y + x.abs()),
            Kind::L2 => {
                self.fold(x, y, T::ZERO, |y, x| y + x * x);
                y.iter_mut().for_each(|y| *y = y.sqrt());
            }
            Kind::LogSum => {
                self.fold(x, y, T::ZERO, |y, x| y + x);
                y.iter_mut().for_each(|y| *y = y.ln());
            }
            Kind::LogSumExp => {
                scratch.clear();
                scratch.resize(y.len(), T::ZERO);
                self.largest(x, scratch);
                y.fill(T::ZERO);
                for (&x, &into) in x.iter().zip(&self.into) {
                    y[into as usize] += (x - scratch[into as usize]).exp();
                }
                for (y, &largest) in y.iter_mut().zip(&*scratch) {
                    *y = largest + y.ln();
                }
            }
            Kind::Max => self.largest(x, y),
            Kind::Min => {
                self.fold(x, y, -T::NEG_INFINITY, |y, x| if x >= y { y } else { x });
            }
            Kind::Prod => self.fold(x, y, T::ONE, |y, x| y * x),
            Kind::SumSquare => self.fold(x, y, T::ZERO, |y, x| y + x * x),
        }
        let Some(saved) = saved else { return };
        let slopes = &mut saved.values;
        slopes.clear();
        match self.kind {
            Kind::Max | Kind::Min => self.winners(x, y, slopes),
            Kind::Prod => self.others(x, slopes),
            _ => {
                let each = x.iter().zip(&self.into);
                slopes.extend(each.map(|(&x, &into)| self.slope(x, y[into as usize])));
            }
        }
    }

    fn vjp(&self, _: usize, saved: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        let cotangents = gy.chunks_exact(self.n_out);
        for (gy, gx) in cotangents.zip(gx.chunks_exact_mut(self.into.len())) {
            for ((gx, &into), &slope) in gx.iter_mut().zip(&self.into).zip(&saved.values) {
                *gx = gy[into as usize] * slope;
            }
        }
    }
}

fn build(node: &NodeContext<'_>, kind: Kind) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    // Without axes each element is a group of its own.
    let (into, n_out, shape) = match groups(node)? {
        Some(groups) if groups.into.is_empty() => {
            return groups.of_nothing(kind.of_nothing());
        }
        Some(groups) => (groups.into, groups.n_out, groups.shape),
        None => {
            let n: usize = x.shape.iter().product();
            ((0..n as u32).collect(), n, x.shape.clone())
        }
    };
    Ok(Built::step(
        Aggregate { kind, into, n_out },
        vec![x.value],
        shape,
    ))
}

/// Declares the builder of a reduction.
macro_rules! aggregate {
    ($build:ident, $kind:ident, $doc:literal) => {
        #[doc = $doc]
        pub(super) fn $build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
            build(node, Kind::$kind)
        }
    };
}

aggregate!(l1, L1, "Σ |x|.");
aggregate!(l2, L2, "√Σ x².");
aggregate!(log_sum, LogSum, "log Σ x.");
aggregate!(log_sum_exp, LogSumExp, "log Σ exp x.");
aggregate!(max, Max, "The largest.");
aggregate!(min, Min, "The smallest.");
aggregate!(prod, Prod, "The product.");
aggregate!(sum_square, SumSquare, "Σ x².");
