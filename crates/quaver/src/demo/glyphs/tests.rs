//! The pictures are what they were, and what was asked for.

use super::*;

/// FNV-1a, 64 bits.
fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn count(glyphs: &[Glyph], wanted: impl Fn(&Origin) -> bool) -> usize {
    glyphs.iter().filter(|glyph| wanted(&glyph.origin)).count()
}

/// The shipped network belongs to exactly these pictures: if this test fails, do not update the
/// hashes without training it again.
#[test]
fn pictures_never_change() {
    let hash = |glyphs: &[Glyph]| {
        fnv(glyphs
            .iter()
            .flat_map(|glyph| glyph.pixels.iter().copied().chain([glyph.label])))
    };
    let clean = generate(&GlyphOptions::clean(100, 1));
    assert_eq!(
        hash(&clean),
        0x7f29_dee5_e77e_6e32,
        "the first 100 clean pictures"
    );
    let demo = generate(&GlyphOptions::default());
    assert_eq!(hash(&demo), 0x8bf6_27bb_a83c_e507, "the demo set");
}

#[test]
fn seeds_differ_and_longer_sets_extend_shorter_ones() {
    let short = generate(&GlyphOptions::clean(30, 7));
    let long = generate(&GlyphOptions::clean(55, 7));
    assert_eq!(short[..], long[..30]);
    let reseeded = generate(&GlyphOptions::clean(30, 8));
    assert!(
        short
            .iter()
            .zip(&reseeded)
            .all(|(a, b)| a.pixels != b.pixels)
    );
}

#[test]
fn classes_are_balanced() {
    let glyphs = generate(&GlyphOptions::clean(200, 3));
    for block in glyphs.chunks(10) {
        let mut labels: Vec<u8> = block.iter().map(|glyph| glyph.label).collect();
        labels.sort_unstable();
        assert_eq!(labels, (0..10).collect::<Vec<u8>>());
    }
    let leaders: Vec<u8> = glyphs.iter().step_by(10).map(|glyph| glyph.label).collect();
    assert!(leaders.iter().any(|&label| label != leaders[0]));
}

#[test]
fn outliers_are_planted_as_asked() {
    let options = GlyphOptions {
        n_samples: 500,
        seed: 5,
        mislabelled: 40,
        overlaid: 25,
    };
    let glyphs = generate(&options);
    let clean = generate(&GlyphOptions::clean(500, 5));
    assert_eq!(
        count(&glyphs, |o| matches!(o, Origin::Mislabelled { .. })),
        40
    );
    assert_eq!(count(&glyphs, |o| matches!(o, Origin::Overlaid { .. })), 25);
    for (glyph, honest) in glyphs.iter().zip(&clean) {
        match glyph.origin {
            Origin::Clean => assert_eq!(glyph, honest),
            Origin::Mislabelled { true_class } => {
                assert_eq!(glyph.pixels, honest.pixels);
                assert_eq!(true_class, honest.label);
                assert_ne!(glyph.label, true_class);
                assert!(glyph.label < 10);
            }
            Origin::Overlaid { other } => {
                assert_eq!(glyph.label, honest.label);
                assert_ne!(glyph.label, other);
                assert!(other < 10);
            }
        }
    }
}

#[test]
fn overlaid_pictures_are_the_maximum_of_two_shifted_pictures() {
    let options = GlyphOptions {
        n_samples: 60,
        seed: 9,
        mislabelled: 0,
        overlaid: 60,
    };
    let clean = generate(&GlyphOptions::clean(60, 9));
    for (sample_idx, (glyph, first)) in generate(&options).iter().zip(&clean).enumerate() {
        let (second, other, shifts) = overlay_partner(9, sample_idx, first.label);
        assert_eq!(glyph.origin, Origin::Overlaid { other });
        for row in 0..SIDE as i32 {
            for col in 0..SIDE as i32 {
                let value = |pixels: &[u8], shift: Shift| {
                    let (r, c) = (row - shift.down, col - shift.right);
                    assert!(shift.down.abs() <= 4 && shift.right.abs() <= 4);
                    let inside = (0..28).contains(&r) && (0..28).contains(&c);
                    if inside {
                        pixels[(r * 28 + c) as usize]
                    } else {
                        0
                    }
                };
                let expected = value(&first.pixels, shifts[0]).max(value(&second, shifts[1]));
                assert_eq!(glyph.pixels[(row * 28 + col) as usize], expected);
            }
        }
    }
}

#[test]
fn pictures_have_ink_and_background() {
    for (sample_idx, glyph) in generate(&GlyphOptions::with_outliers(1000, 2))
        .iter()
        .enumerate()
    {
        assert_eq!(glyph.pixels.len(), SIDE * SIDE);
        let inked = glyph.pixels.iter().filter(|&&value| value > 60).count();
        let empty = glyph.pixels.iter().filter(|&&value| value < 30).count();
        assert!(inked >= 15, "sample {sample_idx}: {inked} inked pixels");
        assert!(empty >= 150, "sample {sample_idx}: {empty} empty pixels");
    }
}

#[test]
#[should_panic(expected = "do not fit into 10 samples")]
fn more_outliers_than_samples_are_refused() {
    generate(&GlyphOptions {
        n_samples: 10,
        seed: 0,
        mislabelled: 6,
        overlaid: 5,
    });
}
