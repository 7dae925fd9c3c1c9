//! Pixels set to extreme values, one after another: the attack by which Shu & Zhu (AAAI-19, arXiv 1901.07152) ask
//! whether a map of FI finds the weak spots of a network.
//!
//! The attacks of this file differ in nothing but the order in which they take pixels. For each pixel every corner is
//! tried (all combinations of lowest and highest value of up to three channels; of more, all lowest and all highest),
//! and the best is kept, unless the pixel as it was is better still. The map is taken anew after every pixel, because
//! it belongs to a point; with a static map pixels are taken in the order of the first one.

use super::guide::{GuideSettings, Sensitivity, descending};
use super::random::Random;
use super::space::Pixels;
use super::victim::{Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

/// An entry whose attack takes pixels by `guide`.
macro_rules! entry {
    ($name:literal, $guide:expr, $by_default:literal, $about:literal) => {
        Entry {
            name: $name,
            about: $about,
            budget: Curve::Pixels,
            by_default: $by_default,
            instances: |options: &AttackOptions| {
                vec![Instance::free(PixelByPixel {
                    guide: $guide,
                    count: options.pixels,
                    static_map: options.static_map,
                    settings: options.guide_settings(),
                })]
            },
        }
    };
}

#[rustfmt::skip]
pub(super) const ENTRIES: [Entry; 5] = [
    entry!("fi-pixel", Guide::Fi, true, "pixels set to an extreme, the one of largest single-pixel FI first (Shu & Zhu 2019)"),
    entry!("fi-lambda-pixel", Guide::FiLambda, true, "the same by FI_lambda, which does not saturate"),
    entry!("gradient-pixel", Guide::Gradient, false, "the same by the squared gradient of -log p"),
    entry!("reach-pixel", Guide::Reach, true, "the same by gradient times the way to the extreme: the first-order change"),
    entry!("random-pixel", Guide::Random, true, "the same in random order: what any map must beat"),
];

/// What decides which pixel comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guide {
    Fi,
    FiLambda,
    Gradient,
    Reach,
    Random,
}

struct PixelByPixel {
    guide: Guide,
    count: usize,
    static_map: bool,
    settings: GuideSettings,
}

impl Attack for PixelByPixel {
    fn run(&self, victim: &mut Victim<'_>, random: &mut Random) -> Result<(), Stop> {
        let pixels = victim.pixels;
        let corners = corners(pixels.channels);
        let mut u = victim.start.to_vec();
        let mut deficit = f64::INFINITY;
        let mut free = vec![true; pixels.count()];
        let mut order: Vec<usize> = Vec::new();
        for step in 0..self.count.min(pixels.count()) {
            if step == 0 || !self.static_map && self.guide != Guide::Random {
                order = self.order(victim, &u, random, step == 0)?;
            }
            let Some(&pixel) = order.iter().find(|&&pixel| free[pixel]) else {
                break;
            };
            free[pixel] = false;
            let mut best = (deficit, u.clone());
            for corner in &corners {
                let moved = with_corner(&u, pixels, pixel, corner);
                // A corner in which the pixel already lies is the point that is known.
                if moved == u {
                    continue;
                }
                let answer = victim.try_at(&moved)?;
                if answer.deficit < best.0 {
                    best = (answer.deficit, moved);
                }
            }
            (deficit, u) = best;
        }
        Ok(())
    }
}

impl PixelByPixel {
    /// The pixels in the order of the map at `u`.
    fn order(
        &self,
        victim: &mut Victim<'_>,
        u: &[f64],
        random: &mut Random,
        first: bool,
    ) -> Result<Vec<usize>, Stop> {
        let pixels = victim.pixels;
        if self.guide == Guide::Random {
            return Ok(shuffled(pixels.count(), random));
        }
        let answer = victim.ask(u)?;
        let sensitivity = Sensitivity::read(victim, &answer, self.settings)?;
        let sign = victim.goal.sign();
        let value = |pixel: usize| -> Result<f64, Stop> {
            Ok(match self.guide {
                Guide::Fi => sensitivity.fi(pixels, pixel, self.settings)?,
                Guide::FiLambda => sensitivity.fi_lambda(pixels, pixel, self.settings),
                Guide::Gradient => sensitivity.gradient_squared(pixels, pixel),
                Guide::Reach => sensitivity.reach(pixels, pixel, u, sign),
                Guide::Random => 0.0,
            })
        };
        let values: Vec<f64> = (0..pixels.count()).map(value).collect::<Result<_, _>>()?;
        let order = descending(&values);
        if first && let Some(&pixel) = order.first() {
            let measures = sensitivity.measures(pixels, pixel, self.settings)?;
            victim.first_pixel = Some((pixel, measures));
        }
        Ok(order)
    }
}

/// A random order of 0..n (Fisher & Yates).
fn shuffled(n: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

/// The corners of a pixel's box that are tried: all 2^C for up to three channels, else the two of equal values.
pub(super) fn corners(channels: usize) -> Vec<Vec<f64>> {
    const MOST: usize = 3;
    if channels > MOST {
        return vec![vec![0.0; channels], vec![1.0; channels]];
    }
    let bit = |corner: usize, channel: usize| f64::from(u8::from(corner >> channel & 1 == 1));
    (0..1 << channels)
        .map(|corner| (0..channels).map(|channel| bit(corner, channel)).collect())
        .collect()
}

/// `u` with one pixel at `corner`.
pub(super) fn with_corner(u: &[f64], pixels: Pixels, pixel: usize, corner: &[f64]) -> Vec<f64> {
    let mut moved = u.to_vec();
    for (i, &value) in pixels.coordinates(pixel).zip(corner) {
        moved[i] = value;
    }
    moved
}

/// The number of pixels in which two points differ.
pub(super) fn n_changed(pixels: Pixels, a: &[f64], b: &[f64]) -> usize {
    let differs = |&pixel: &usize| pixels.coordinates(pixel).any(|i| a[i] != b[i]);
    (0..pixels.count()).filter(differs).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_and_orders() {
        assert_eq!(corners(1), [[0.0], [1.0]]);
        assert_eq!(corners(3).len(), 8);
        assert_eq!(corners(5), [[0.0; 5], [1.0; 5]]);
        let mut order = shuffled(100, &mut Random::new(&[1]));
        assert_ne!(order, shuffled(100, &mut Random::new(&[2])));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        let pixels = Pixels::of(&[2, 1, 2], false);
        let u = [0.5; 4];
        let moved = with_corner(&u, pixels, 1, &[0.0, 1.0]);
        assert_eq!(moved, [0.5, 0.0, 0.5, 1.0]);
        assert_eq!(n_changed(pixels, &u, &moved), 1);
    }
}
