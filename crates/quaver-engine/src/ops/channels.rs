//! Where the channels of a value stand: ONNX has them first, kernels that run over positions want them last.

use std::borrow::Cow;
use std::sync::Arc;

use quaver_kernels::Scalar;
use quaver_kernels::layout::transpose;

use crate::op::{Flow, Lower, Operator, Saved, Step};

/// The order of the axes of N × C × positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As ONNX defines them.
    ChannelsFirst,
    /// N × positions × C.
    ChannelsLast,
}

impl Layout {
    /// Runs a channels-last `kernel` from x to y, which are in this layout, with the channels and positions
    /// (of x, of y) given.
    pub(super) fn run<T: Scalar>(
        self,
        x: &[T],
        y: &mut [T],
        channels: (usize, usize),
        positions: (usize, usize),
        kernel: impl FnOnce(&[T], &mut [T]),
    ) {
        if self == Layout::ChannelsLast {
            return kernel(x, y);
        }
        // Only constants and single nodes under test come this way: a program's values are channels-last.
        let mut y_last = vec![T::ZERO; y.len()];
        kernel(&self.last(x, channels.0, positions.0), &mut y_last);
        transpose(positions.1, channels.1, &y_last, y);
    }

    /// x (N × channels × positions, in this layout) with its channels last.
    pub(super) fn last<T: Scalar>(
        self,
        x: &[T],
        channels: usize,
        positions: usize,
    ) -> Cow<'_, [T]> {
        if self == Layout::ChannelsLast {
            return Cow::Borrowed(x);
        }
        let mut x_last = vec![T::ZERO; x.len()];
        transpose(channels, positions, x, &mut x_last);
        Cow::Owned(x_last)
    }
}

/// N × rows × columns to N × columns × rows.
#[derive(Debug, Clone)]
struct Relayout {
    rows: usize,
    columns: usize,
}

/// The operator that transposes the last two axes of N × rows × columns.
pub(crate) fn relayout(rows: usize, columns: usize) -> Arc<dyn Operator> {
    Arc::new(Relayout { rows, columns })
}

impl Operator for Relayout {}

impl<T: Scalar> Lower<T> for Relayout {
    fn lower(&self) -> Box<dyn Step<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> Step<T> for Relayout {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        transpose(self.rows, self.columns, x[0], y);
    }

    fn flow(&self, _: usize) -> Flow {
        // One row or one column is the same sequence of numbers either way.
        if self.rows == 1 || self.columns == 1 {
            Flow::Pass
        } else {
            Flow::Write
        }
    }

    fn vjp(&self, _: usize, _: &Saved<T>, gy: &[T], gx: &mut [T], _: &mut Vec<T>) {
        transpose(self.columns, self.rows, gy, gx);
    }
}
