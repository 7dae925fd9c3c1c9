//! From the numbers of a file to what a network is given.

use crate::{DataError, DataErrorKind, OpenOptions, Units};

/// Brings the axes of one sample in order and standardises its values, as [`OpenOptions`] says.
#[derive(Debug, Clone)]
pub(crate) struct Transform {
    channels: Channels,
    scale: f64,
    /// Per channel, or one value for all.
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// Where the channels lie in a sample, and where they shall lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channels {
    /// First, before and after.
    First,
    /// Last in samples of this height, width and number of channels, and to be brought to the first place.
    LastToFirst([usize; 3]),
    /// Last, before and after.
    Last,
}

/// A value that is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NotFinite {
    /// As the file has it.
    Stored(f64),
    /// Only after the scale, mean and standard deviation.
    Overflow(f64),
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stored(value) if value.is_nan() => f.write_str("holds NaN"),
            Self::Stored(_) => f.write_str("holds an infinite value"),
            Self::Overflow(value) => {
                write!(
                    f,
                    "holds {value:e}, which scale, mean and std make infinite"
                )
            }
        }
    }
}

impl Transform {
    /// Checks the options against samples whose number of channels is one of `n_channels`: that of the data and
    /// that of the network's input, which differ where one of them is flattened.
    pub(crate) fn new(
        options: &OpenOptions,
        channels: Channels,
        n_channels: [usize; 2],
    ) -> Result<Self, DataError> {
        let refuse = |message: String| Err(DataError::new(DataErrorKind::Option, message));
        if !options.scale.is_finite() || options.scale == 0.0 {
            return refuse(format!(
                "scale is {}: it must be finite and not zero",
                options.scale
            ));
        }
        if let Some(mean) = options.mean.iter().find(|mean| !mean.is_finite()) {
            return refuse(format!("mean is {mean}: it must be finite"));
        }
        let positive = |std: f64| std.is_finite() && std > 0.0;
        if let Some(std) = options.std.iter().find(|&&std| !positive(std)) {
            return refuse(format!("std is {std}: it must be finite and above zero"));
        }
        for (name, values) in [("mean", &options.mean), ("std", &options.std)] {
            if values.len() > 1 && !n_channels.contains(&values.len()) {
                return refuse(format!(
                    "{name} has {} values: give one, or one for each of the {} channels",
                    values.len(),
                    n_channels[0]
                ));
            }
        }
        if options.mean.len() > 1
            && options.std.len() > 1
            && options.mean.len() != options.std.len()
        {
            return refuse(format!(
                "mean has {} values and std {}: give as many of one as of the other",
                options.mean.len(),
                options.std.len()
            ));
        }
        let n_parameters = options.mean.len().max(options.std.len()).max(1);
        let spread = |values: &[f64], neutral: f64| match values {
            [] => vec![neutral; n_parameters],
            [value] => vec![*value; n_parameters],
            values => values.to_vec(),
        };
        Ok(Self {
            channels,
            scale: options.scale,
            mean: spread(&options.mean, 0.0),
            std: spread(&options.std, 1.0),
        })
    }

    /// The map that [`apply`](Self::apply) is, of numbers that lie in `range`.
    pub(crate) fn units(&self, range: Option<(f64, f64)>) -> Units {
        Units::standardised(self.scale, &self.mean, &self.std, self.channels, range)
    }

    /// The values a network is given for the `values` of one sample.
    pub(crate) fn apply(&self, values: Vec<f64>) -> Result<Vec<f64>, NotFinite> {
        let mut values = match self.channels {
            Channels::LastToFirst(axes) => channels_first(&values, axes),
            Channels::First | Channels::Last => values,
        };
        // How many values share the parameters of one channel before those of the next one come.
        let run = match self.channels {
            Channels::Last => 1,
            Channels::First | Channels::LastToFirst(_) => values.len() / self.mean.len(),
        };
        let parameters = self.mean.iter().zip(&self.std).cycle();
        for (channel, (mean, std)) in values.chunks_exact_mut(run.max(1)).zip(parameters) {
            for value in channel {
                let result = (*value * self.scale - mean) / std;
                if !result.is_finite() {
                    return Err(if value.is_finite() {
                        NotFinite::Overflow(*value)
                    } else {
                        NotFinite::Stored(*value)
                    });
                }
                *value = result;
            }
        }
        Ok(values)
    }
}

/// `[H, W, C]` to `[C, H, W]`.
fn channels_first(values: &[f64], [height, width, channels]: [usize; 3]) -> Vec<f64> {
    let n_pixels = height * width;
    (0..channels)
        .flat_map(|channel| (0..n_pixels).map(move |pixel| pixel * channels + channel))
        .map(|from| values[from])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(scale: f64, mean: &[f64], std: &[f64]) -> OpenOptions {
        OpenOptions {
            scale,
            mean: mean.to_vec(),
            std: std.to_vec(),
            ..OpenOptions::default()
        }
    }

    #[test]
    fn scale_comes_first_then_mean_then_std() {
        let options = options(0.5, &[1.0, 2.0], &[4.0]);
        let transform = Transform::new(&options, Channels::First, [2, 2]).unwrap();
        let values = transform.apply(vec![2.0, 10.0, 4.0, 20.0]).unwrap();
        assert_eq!(values, [0.0, 1.0, 0.0, 2.0]);
    }

    #[test]
    fn channels_last_becomes_channels_first() {
        let options = options(1.0, &[0.0, 100.0], &[]);
        let transform = Transform::new(&options, Channels::LastToFirst([1, 3, 2]), [2, 2]).unwrap();
        let values = transform
            .apply(vec![1.0, 101.0, 2.0, 102.0, 3.0, 103.0])
            .unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        let transform = Transform::new(&options, Channels::Last, [2, 2]).unwrap();
        let values = transform
            .apply(vec![1.0, 101.0, 2.0, 102.0, 3.0, 103.0])
            .unwrap();
        assert_eq!(values, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let transform = Transform::new(&options(1e10, &[], &[]), Channels::First, [1, 1]).unwrap();
        assert!(matches!(
            transform.apply(vec![f64::NAN]),
            Err(NotFinite::Stored(_))
        ));
        let overflow = transform.apply(vec![0.0, 1e300]).unwrap_err();
        assert_eq!(overflow, NotFinite::Overflow(1e300));
        assert!(overflow.to_string().contains("1e300"));
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        for (options, needle) in [
            (options(0.0, &[], &[]), "scale is 0"),
            (options(f64::NAN, &[], &[]), "scale is NaN"),
            (options(1.0, &[f64::INFINITY], &[]), "mean is inf"),
            (options(1.0, &[], &[0.0]), "std is 0"),
            (options(1.0, &[], &[1.0, -1.0, 1.0]), "std is -1"),
            (options(1.0, &[], &[f64::NAN]), "std is NaN"),
            (options(1.0, &[1.0, 2.0], &[]), "mean has 2 values"),
            (options(1.0, &[], &[1.0; 4]), "each of the 3 channels"),
        ] {
            let error = Transform::new(&options, Channels::First, [3, 3]).unwrap_err();
            assert_eq!(error.kind(), DataErrorKind::Option);
            assert!(error.to_string().contains(needle), "{error}");
        }
    }
}
