//! y = x · scale + shift per channel, alone or folded into the layer before it.

use quaver_kernels::Scalar;

use crate::tensor::Tensor;

/// One scale and one shift per channel, in double precision so that folding costs no accuracy.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
}

impl Affine {
    pub(super) fn new(scale: &[f64], shift: &[f64]) -> Self {
        Self {
            scale: scale.to_vec(),
            shift: shift.to_vec(),
        }
    }

    /// This one, then `next`.
    pub(super) fn then(&self, next: &Affine) -> Affine {
        let scale = self.scale.iter().zip(&next.scale).map(|(a, b)| a * b);
        let shift = self.shift.iter().zip(&next.scale).zip(&next.shift);
        Affine {
            scale: scale.collect(),
            shift: shift.map(|((a, b), c)| a * b + c).collect(),
        }
    }

    /// Weight and bias, in a step's number type, of a layer with `affine` after it; output channels lead.
    pub(super) fn into_layer<T: Scalar>(
        affine: Option<&Affine>,
        weight: &Tensor,
        bias: Option<&Tensor>,
    ) -> (Vec<T>, Option<Vec<T>>) {
        let floats = "the builder admits only floats";
        let Some(affine) = affine else {
            return (
                weight.floats().expect(floats),
                bias.map(|bias| bias.floats().expect(floats)),
            );
        };
        let per_channel = weight.n_elements() / affine.scale.len().max(1);
        let weight = weight.floats::<f64>().expect(floats);
        let weight = weight
            .chunks(per_channel.max(1))
            .zip(&affine.scale)
            .flat_map(|(row, &scale)| row.iter().map(move |&w| T::from_f64(w * scale)))
            .collect();
        let bias = bias.map(|bias| bias.floats::<f64>().expect(floats));
        let bias = (0..affine.scale.len())
            .map(|channel| {
                let bias = bias.as_ref().map_or(0.0, |bias| bias[channel]);
                T::from_f64(bias * affine.scale[channel] + affine.shift[channel])
            })
            .collect();
        (weight, Some(bias))
    }
}
