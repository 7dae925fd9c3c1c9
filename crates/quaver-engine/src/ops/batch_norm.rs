//! BatchNormalization in inference: y = (x − mean) / √(variance + ε) · scale + bias per channel (axis 1).

use std::sync::Arc;

use quaver_kernels::elementwise::Slopes;
use quaver_kernels::gram::accumulate;
use quaver_kernels::sums::affine_rows;
use quaver_kernels::{Scalar, elementwise};

use super::affine::Affine;
use super::channels::Layout;
use crate::EngineError;
use crate::onnx::node::NodeContext;
use crate::op::{Built, ChannelsLast, Flow, LayoutContext, Lower, Operator, Saved, Step, Trained};

#[derive(Debug, Clone)]
struct BatchNorm {
    affine: Affine,
    /// x ↦ (x − mean) / √(variance + ε), what the scale multiplies.
    standard: Affine,
    /// Elements per channel and sample.
    inner: usize,
    layout: Layout,
    /// Whether cotangents pass as they are: the layer before multiplies them.
    passes: bool,
}

impl Operator for BatchNorm {
    fn trains(&self, role: usize) -> bool {
        role == 1 || role == 2
    }

    fn channels_last(&self, _: &LayoutContext<'_>) -> Option<ChannelsLast> {
        Some(ChannelsLast {
            op: Arc::new(BatchNorm {
                layout: Layout::ChannelsLast,
                ..self.clone()
            }),
            seeks: false,
        })
    }

    fn as_affine(&self) -> Option<(&[f64], &[f64])> {
        Some((&self.affine.scale, &self.affine.shift))
    }

    fn without_slope(&self) -> Option<Arc<dyn Operator>> {
        Some(Arc::new(BatchNorm {
            passes: true,
            ..self.clone()
        }))
    }
}

impl<T: Scalar> Lower<T> for BatchNorm {
    fn lower(&self) -> Box<dyn Step<T>> {
        let convert = |values: &[f64]| values.iter().map(|&x| T::from_f64(x)).collect();
        Box::new(Lowered {
            scale: convert(&self.affine.scale),
            shift: convert(&self.affine.shift),
            standard: [&self.standard.scale, &self.standard.shift].map(|values| convert(values)),
            inner: self.inner,
            layout: self.layout,
            passes: self.passes,
        })
    }
}

struct Lowered<T> {
    scale: Vec<T>,
    shift: Vec<T>,
    /// Scale and shift to x̂.
    standard: [Vec<T>; 2],
    inner: usize,
    layout: Layout,
    passes: bool,
}

impl<T: Scalar> Lowered<T> {
    fn is_last(&self) -> bool {
        self.layout == Layout::ChannelsLast || self.inner == 1
    }

    /// The gradients of scale and bias, `n_rows` numbers each, of one pass over the cotangents.
    fn gradients(&self, n: usize, x: &[T], gy: &[T], n_rows: usize) -> [Vec<T>; 2] {
        let x = self.layout.last(x, n, self.inner);
        let gy = self.layout.last(gy, n, self.inner);
        let (mut sums, mut products) = (vec![T::ZERO; n_rows], vec![T::ZERO; n_rows]);
        affine_rows(n, &x, &gy, &mut sums, &mut products);
        let [scale, shift] = &self.standard;
        let channels = scale.iter().zip(shift).cycle();
        for ((product, &sum), (&scale, &shift)) in products.iter_mut().zip(&sums).zip(channels) {
            // x̂ = x · scale + shift.
            *product = *product * scale + sum * shift;
        }
        [products, sums]
    }
}

impl<T: Scalar> Step<T> for Lowered<T> {
    fn forward(&self, x: &[&[T]], y: &mut [T], _: Option<&mut Saved<T>>, _: &mut Vec<T>) {
        if self.is_last() {
            return elementwise::affine(x[0], y, &self.scale, &self.shift);
        }
        let channels = self.scale.iter().zip(&self.shift).cycle();
        let rows = x[0]
            .chunks_exact(self.inner)
            .zip(y.chunks_exact_mut(self.inner));
        for ((x, y), (&scale, &shift)) in rows.zip(channels) {
            for (&x, y) in x.iter().zip(y) {
                *y = x * scale + shift;
            }
        }
    }

    fn flow(&self, _: usize) -> Flow {
        match self.is_last() {
            _ if self.passes => Flow::Pass,
            true => Flow::Scaled,
            false => Flow::InPlace,
        }
    }

    fn slopes<'s>(&'s self, _: usize, _: &'s Saved<T>) -> Slopes<'s, T> {
        Slopes::Factors(&self.scale)
    }

    fn vjp_in_place(&self, _: usize, _: &Saved<T>, g: &mut [T]) {
        for (g, &scale) in g
            .chunks_exact_mut(self.inner)
            .zip(self.scale.iter().cycle())
        {
            for g in g {
                *g *= scale;
            }
        }
    }

    fn param_rows(&self, param: Trained, x: &[&[T]], gy: &[T], rows: &mut [T], _: &mut Vec<T>) {
        let [of_scale, of_bias] = self.gradients(param.n_elements, x[0], gy, rows.len());
        let found = if param.role == 2 { of_bias } else { of_scale };
        rows.iter_mut().zip(found).for_each(|(row, x)| *row += x);
    }

    fn param_grams(
        &self,
        params: &mut [(Trained, Vec<f64>)],
        x: &[&[T]],
        gy: &[T],
        _: &mut Vec<T>,
    ) {
        let Some((first, _)) = params.first() else {
            return;
        };
        let (n, v) = (first.n_elements, first.n_cotangents);
        let [of_scale, of_bias] = self.gradients(n, x[0], gy, v * n);
        for (param, s) in params {
            let rows = if param.role == 2 { &of_bias } else { &of_scale };
            accumulate(rows, rows, v, s);
        }
    }
}

/// Reads a BatchNormalization node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    if node.flag("training_mode", false) || !node.flag("spatial", true) {
        return Err(EngineError::unsupported(
            "training_mode = 1 or spatial = 0: only inference with one statistic per channel has a meaning for a trained network",
        ));
    }
    let Some(&channels) = x.shape.get(1) else {
        return Err(EngineError::shape(format!(
            "an input of shape {:?} has no channels",
            x.shape
        )));
    };
    let read = |at: usize, role: &str| -> Result<Vec<f64>, EngineError> {
        let tensor = node.required_constant(at, role)?;
        tensor
            .floats()
            .filter(|values: &Vec<f64>| values.len() == channels)
            .ok_or_else(|| {
                EngineError::shape(format!(
                    "its {role} has shape {:?} for {channels} channels",
                    tensor.shape()
                ))
            })
    };
    let (scale, bias) = (read(1, "scale")?, read(2, "bias")?);
    let (mean, variance) = (read(3, "mean")?, read(4, "variance")?);
    let epsilon = node.float("epsilon", f64::from(1e-5f32));
    let standard: Vec<f64> = variance
        .iter()
        .map(|variance| 1.0 / (variance + epsilon).sqrt())
        .collect();
    let scale: Vec<f64> = scale.iter().zip(&standard).map(|(a, b)| a * b).collect();
    if let Some(channel) = scale.iter().position(|scale| !scale.is_finite()) {
        return Err(EngineError::format(format!(
            "variance + ε of channel {channel} is not positive"
        )));
    }
    let shift: Vec<f64> = (0..channels)
        .map(|c| bias[c] - mean[c] * scale[c])
        .collect();
    let op = BatchNorm {
        affine: Affine::new(&scale, &shift),
        standard: Affine::new(
            &standard,
            &(0..channels)
                .map(|c| -mean[c] * standard[c])
                .collect::<Vec<f64>>(),
        ),
        inner: x.shape[2..].iter().product(),
        layout: Layout::ChannelsFirst,
        passes: false,
    };
    Ok(Built::layer(op, vec![x.value], x.shape.clone(), vec![1, 2]))
}
