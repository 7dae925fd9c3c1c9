//! Where an axis is marked and what the marks say: multiples of 1, 2 or 5 times a power of ten.

use super::axis::Scale;
use crate::number::{minus, superscript};

/// Values with their labels, in increasing order.
pub(super) type Ticks = Vec<(f64, String)>;

/// The largest 1, 2 or 5 times a power of ten that is at most `value`, which is positive.
pub(super) fn nice_below(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    // The last is for a value that sits on a power of ten from below by rounding.
    let steps = [10.0, 5.0, 2.0, 1.0, 0.5];
    let fits = steps
        .into_iter()
        .find(|step| step * power <= value * (1.0 + 1e-9));
    fits.unwrap_or(1.0) * power
}

/// The smallest 1, 2 or 5 times a power of ten that is at least `value`, which is positive.
pub(super) fn nice_above(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fits = steps
        .into_iter()
        .find(|step| step * power >= value * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * power
}

/// The 1, 2 or 5 times a power of ten that is nearest to `value`, which is positive, in ratio.
fn nice_near(value: f64) -> f64 {
    let (below, above) = (nice_below(value), nice_above(value));
    match value / below < above / value {
        true => below,
        false => above,
    }
}

/// Widens an extent to where its axis is marked, so that both ends have a number.
pub(super) fn widen(scale: Scale, (low, high): (f64, f64), n_steps: usize) -> (f64, f64) {
    match scale {
        Scale::Linear => {
            let step = step(low, high, n_steps);
            let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
            (first * step, last * step)
        }
        Scale::Log => (nice_below(low), nice_above(high)),
    }
}

/// About `n_steps` marks between the ends of an axis.
pub(super) fn ticks(scale: Scale, (low, high): (f64, f64), n_steps: usize) -> Ticks {
    match scale {
        Scale::Linear => linear(low, high, n_steps),
        Scale::Log => {
            let ticks = log(low, high, n_steps);
            match ticks.len() {
                0 | 1 => linear(low, high, n_steps),
                _ => ticks,
            }
        }
    }
}

fn step(low: f64, high: f64, n_steps: usize) -> f64 {
    nice_near((high - low) / n_steps as f64)
}

fn linear(low: f64, high: f64, n_steps: usize) -> Ticks {
    let step = step(low, high, n_steps);
    let first = (low / step - 1e-6).ceil();
    let values = (0..=2 * n_steps).map(|k| (first + k as f64) * step);
    let values: Vec<f64> = values
        .take_while(|value| *value <= high + 1e-6 * step)
        .collect();

    let largest = low.abs().max(high.abs());
    let label = |value: f64| {
        // Zero arrives as a rounding error of the step.
        let value = if value.abs() < step * 1e-6 {
            0.0
        } else {
            value
        };
        let last = (step.log10() + 1e-9).floor();
        if value == 0.0 && !(1e-4..1e6).contains(&largest) {
            "0".to_owned()
        } else if (1e-4..1e6).contains(&largest) {
            let decimals = (-last).max(0.0) as usize;
            minus(&format!("{value:.decimals$}"))
        } else {
            // One power for the whole axis, or its numbers could not be compared.
            let power = (largest.log10() + 1e-9).floor();
            let decimals = (power - last).clamp(0.0, 17.0) as usize;
            let mantissa = format!("{:.decimals$}", value / 10f64.powf(power));
            format!("{}×10{}", minus(&mantissa), superscript(power as i32))
        }
    };
    values.iter().map(|value| (*value, label(*value))).collect()
}

fn log(low: f64, high: f64, n_steps: usize) -> Ticks {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let n_decades = (last - first).max(1) as usize;
    let every = n_decades.div_ceil(n_steps + 1);
    let mantissas: &[f64] = match n_decades {
        1 | 2 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let mut ticks = Ticks::new();
    for exponent in (first..=last).step_by(every) {
        for mantissa in mantissas {
            let value = mantissa * 10f64.powi(exponent);
            if (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(&value) {
                ticks.push((value, log_label(*mantissa, exponent, (first, last))));
            }
        }
    }
    ticks
}

fn log_label(mantissa: f64, exponent: i32, (first, last): (i32, i32)) -> String {
    if first >= -3 && last <= 4 {
        let decimals = usize::try_from(-exponent).unwrap_or(0);
        let value = mantissa * 10f64.powi(exponent);
        return format!("{value:.decimals$}");
    }
    let power = format!("10{}", superscript(exponent));
    match mantissa {
        1.0 => power,
        _ => format!("{mantissa}×{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let cases: [(Scale, f64, f64, &[&str]); 11] = [
            (
                Scale::Linear,
                0.0,
                1.0,
                &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"],
            ),
            (
                Scale::Linear,
                -1.0,
                1.0,
                &["−1.0", "−0.5", "0.0", "0.5", "1.0"],
            ),
            (Scale::Linear, 0.0, 97.0, &["0", "20", "40", "60", "80"]),
            (
                Scale::Linear,
                0.0,
                3e6,
                &[
                    "0",
                    "0.5×10⁶",
                    "1.0×10⁶",
                    "1.5×10⁶",
                    "2.0×10⁶",
                    "2.5×10⁶",
                    "3.0×10⁶",
                ],
            ),
            (Scale::Linear, 0.0, 10.6, &["0", "2", "4", "6", "8", "10"]),
            (
                Scale::Linear,
                0.0,
                2.5e-7,
                &[
                    "0",
                    "0.5×10⁻⁷",
                    "1.0×10⁻⁷",
                    "1.5×10⁻⁷",
                    "2.0×10⁻⁷",
                    "2.5×10⁻⁷",
                ],
            ),
            (
                Scale::Linear,
                1000.0,
                1001.0,
                &["1000.0", "1000.2", "1000.4", "1000.6", "1000.8", "1001.0"],
            ),
            (Scale::Log, 0.01, 100.0, &["0.01", "0.1", "1", "10", "100"]),
            (Scale::Log, 1.0, 20.0, &["1", "2", "5", "10", "20"]),
            (
                Scale::Log,
                1e-9,
                1e3,
                &["10⁻⁹", "10⁻⁷", "10⁻⁵", "10⁻³", "10⁻¹", "10¹", "10³"],
            ),
            (
                Scale::Log,
                3.0,
                4.0,
                &["3.0", "3.2", "3.4", "3.6", "3.8", "4.0"],
            ),
        ];
        for (scale, low, high, expected) in cases {
            let ticks = ticks(scale, (low, high), 5);
            let labels: Vec<&str> = ticks.iter().map(|(_, label)| &**label).collect();
            assert_eq!(labels, expected, "{low} to {high}");
            assert!(
                ticks
                    .iter()
                    .all(|(value, _)| (low..=high * 1.000001).contains(value))
            );
        }
    }

    #[test]
    fn widening_ends_on_marks() {
        let cases = [
            (Scale::Linear, (0.03, 0.97), (0.0, 1.0)),
            (Scale::Linear, (0.0, 1.0), (0.0, 1.0)),
            (Scale::Linear, (-3.0, 12.0), (-4.0, 12.0)),
            (Scale::Log, (0.0013, 730.0), (0.001, 1000.0)),
            (Scale::Log, (1.0, 1000.0), (1.0, 1000.0)),
        ];
        for (scale, extent, (low, high)) in cases {
            let (have_low, have_high) = widen(scale, extent, 5);
            assert!(
                (have_low - low).abs() < 1e-9 * (high - low),
                "{extent:?}: {have_low}"
            );
            assert!(
                (have_high - high).abs() < 1e-9 * (high - low),
                "{extent:?}: {have_high}"
            );
        }
    }

    #[test]
    fn every_extent_has_a_few_marks() {
        for scale in [Scale::Linear, Scale::Log] {
            for exponent in -140..140 {
                for ratio in [1.02, 1.7, 3.0, 10.0, 99.0, 1e4, 1e9] {
                    let low = 1.234 * 10f64.powi(exponent);
                    let extent = widen(scale, (low, low * ratio), 5);
                    let n = ticks(scale, extent, 5).len();
                    assert!((2..=9).contains(&n), "{scale:?} {extent:?}: {n}");
                }
            }
        }
    }
}
