//! The best single pixel, by trying all of them: every pixel at every corner. What no map can beat with one pixel set
//! to an extreme, and the yardstick for those that choose one.

use super::pixel::{corners, with_corner};
use super::random::Random;
use super::victim::{Stop, Victim};
use super::{Attack, AttackOptions, Curve, Entry, Instance};

pub(super) const ENTRY: Entry = Entry {
    name: "best-pixel",
    about: "the best single pixel at an extreme, by trying every pixel and corner: costs pixels x corners queries",
    budget: Curve::Pixels,
    by_default: false,
    instances: |_: &AttackOptions| vec![Instance::free(BestPixel)],
};

struct BestPixel;

impl Attack for BestPixel {
    fn run(&self, victim: &mut Victim<'_>, _random: &mut Random) -> Result<(), Stop> {
        let pixels = victim.pixels;
        let corners = corners(pixels.channels);
        for pixel in 0..pixels.count() {
            for corner in &corners {
                // Success is no reason to stop: the best is looked for, and the victim remembers it.
                let u = with_corner(victim.start, pixels, pixel, corner);
                victim.ask(&u)?;
            }
        }
        Ok(())
    }
}
