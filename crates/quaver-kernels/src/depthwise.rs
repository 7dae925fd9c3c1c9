//! Depthwise convolution: every channel by itself, vectors across channels.

use crate::Scalar;
use crate::direct::{Links, OUTSIDE};
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// A depthwise convolution in one direction.
#[derive(Debug)]
pub(crate) struct Depthwise<T> {
    isa: Isa,
    links: Links,
    channels: usize,
    /// Taps × channels.
    weight: Vec<T>,
    bias: Vec<T>,
}

impl<T: Scalar> Depthwise<T> {
    /// `weight(channel, tap)`.
    pub(crate) fn new(
        isa: Isa,
        channels: usize,
        links: Links,
        weight: impl Fn(usize, usize) -> T,
    ) -> Self {
        let n_taps = links.phases.iter().flat_map(|phase| &phase.taps).max();
        let n_taps = n_taps.map_or(0, |&last| last + 1);
        Self {
            isa,
            channels,
            weight: (0..n_taps * channels)
                .map(|i| weight(i % channels, i / channels))
                .collect(),
            bias: vec![T::ZERO; channels],
            links,
        }
    }

    pub(crate) fn with_bias(self, bias: Option<Vec<T>>) -> Self {
        match bias {
            Some(bias) => Self { bias, ..self },
            None => self,
        }
    }

    /// y (V × written positions × channels) ← x (V × read positions × channels).
    pub(crate) fn run(&self, x: &[T], y: &mut [T]) {
        let n_images = x.len() / (self.links.n_from * self.channels);
        assert_eq!(x.len(), n_images * self.links.n_from * self.channels);
        assert_eq!(y.len(), n_images * self.links.n_to * self.channels);
        dispatch(self.isa, Job { conv: self, x, y });
    }
}

struct Job<'a, T> {
    conv: &'a Depthwise<T>,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Scalar> Kernel<T> for Job<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Depthwise {
            links,
            channels,
            weight,
            bias,
            ..
        } = self.conv;
        let channels = *channels;
        let images = self.x.chunks_exact(links.n_from * channels);
        for (x, y) in images.zip(self.y.chunks_exact_mut(links.n_to * channels)) {
            for phase in &links.phases {
                let n_taps = phase.taps.len();
                for (i, &to) in phase.to.iter().enumerate() {
                    let from = &phase.from[i * n_taps..][..n_taps];
                    let y = &mut y[to as usize * channels..][..channels];
                    let mut channel = 0;
                    while channel + S::LANES <= channels {
                        // SAFETY: a whole vector of channels is left, in y, in the bias, in a tap's weights
                        // and at every position that is not outside.
                        unsafe {
                            let mut sum = simd.load(bias[channel..].as_ptr());
                            for (&tap, &from) in phase.taps.iter().zip(from) {
                                if from != OUTSIDE {
                                    let x = &x[from as usize * channels + channel..];
                                    let w = &weight[tap * channels + channel..];
                                    sum = simd.mul_add(
                                        simd.load(x[..S::LANES].as_ptr()),
                                        simd.load(w[..S::LANES].as_ptr()),
                                        sum,
                                    );
                                }
                            }
                            simd.store(y[channel..].as_mut_ptr(), sum);
                        }
                        channel += S::LANES;
                    }
                    for channel in channel..channels {
                        let mut sum = bias[channel];
                        for (&tap, &from) in phase.taps.iter().zip(from) {
                            if from != OUTSIDE {
                                sum += x[from as usize * channels + channel]
                                    * weight[tap * channels + channel];
                            }
                        }
                        y[channel] = sum;
                    }
                }
            }
        }
    }
}
