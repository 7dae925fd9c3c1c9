//! The picture of an image's maps.

use quaver::{ImageMap, MapMeasure, Region, Verdict};
use quaver_report::{Sheet, Tile};

use crate::class_name;

/// The image and h* on top; below, a row for each scale: the shown measure over the image, by itself, and the rank.
pub fn sheet(name: &str, map: &ImageMap, class_names: Option<&[String]>) -> Sheet {
    let width = map.axes.width;
    let image = colours(&map.input, map, true);
    let heading = vec![
        ascii(&format!(
            "{name}: predicted {} (p = {:.4}), objective about {} (p = {:.4})",
            class_name(class_names, map.predicted),
            map.p_predicted,
            class_name(class_names, map.label),
            map.p_label,
        )),
        format!(
            "ceiling FI_max = {:.4e}; whole image: FI at {:.1} % of it, rank {} of {}",
            map.fi_max(),
            100.0 * map.whole.saturation,
            map.whole.rank,
            map.rank_max
        ),
    ];
    let strength: Vec<f64> = norms(&map.direction, map);
    let first = vec![
        Tile::picture("image", width, image.clone()),
        Tile::picture(
            "direction of greatest influence h*",
            width,
            colours(&map.direction, map, false),
        )
        .note("grey is no change"),
        Tile::heat("strength of h* per pixel", width, &strength),
    ];
    let mut sheet = Sheet::new(heading).row(first);
    for &scale in &map.scales {
        let Some(summary) = map.summary(scale, Region::All) else {
            continue;
        };
        let shown = summary.shown();
        let percent = 100.0 * summary.saturated_share;
        let note = match summary.verdict {
            Verdict::Saturated => format!("FI is saturated ({percent:.0} %): fi_lambda shown"),
            Verdict::PartlySaturated => format!("FI at its ceiling in {percent:.0} % of windows"),
            Verdict::Informative => String::new(),
        };
        let plane = |measure| map.plane(measure, scale, Region::All).unwrap_or_default();
        let name = format!("{} {scale} x {scale}", shown.name());
        // Beside FI its companion, and where that is shown already the trace.
        let beside = match shown {
            MapMeasure::FiLambda => MapMeasure::FisherTrace,
            _ => MapMeasure::FiLambda,
        };
        sheet = sheet.row(vec![
            Tile::heat(format!("{name}, over the image"), width, plane(shown))
                .over(&image)
                .note(note),
            Tile::heat(name, width, plane(shown)),
            Tile::heat(
                format!("{} {scale} x {scale}", beside.name()),
                width,
                plane(beside),
            ),
            rank(scale, map, plane(MapMeasure::Rank)),
        ]);
    }
    sheet
}

/// Ranks from none to all, so that colours mean the same at every scale.
fn rank(scale: usize, map: &ImageMap, ranks: &[f64]) -> Tile {
    let low = ranks.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ranks.iter().copied().fold(0.0, f64::max);
    let note = match low == high {
        true => format!("{low} of {} everywhere", map.rank_max),
        false => format!("{low} to {high} of {}", map.rank_max),
    };
    let title = format!("rank {scale} x {scale}");
    Tile::heat_within(title, map.axes.width, ranks, (0.0, map.rank_max as f64)).note(note)
}

/// The first three channels as colours, or the first alone as grey. Preprocessing is unknown here: values are stretched,
/// from the smallest to the largest, or around zero.
fn colours(values: &[f64], map: &ImageMap, is_image: bool) -> Vec<[u8; 3]> {
    let n = map.axes.n_pixels();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = match is_image {
        true => (low, high),
        false => {
            let size = low.abs().max(high.abs());
            (-size, size)
        }
    };
    let span = if high > low { high - low } else { 1.0 };
    let channel = |c: usize| if map.axes.channels >= 3 { c } else { 0 };
    let byte = |at: usize| (255.0 * (values[at] - low) / span).round() as u8;
    (0..n)
        .map(|at| std::array::from_fn(|c| byte(channel(c) * n + at)))
        .collect()
}

/// The norm over channels at each pixel.
fn norms(values: &[f64], map: &ImageMap) -> Vec<f64> {
    let n = map.axes.n_pixels();
    let squared = |at: usize| {
        (0..map.axes.channels)
            .map(|c| values[c * n + at].powi(2))
            .sum::<f64>()
    };
    (0..n).map(|at| squared(at).sqrt()).collect()
}

/// What the font of a picture can write.
fn ascii(text: &str) -> String {
    let plain = |c: char| if c.is_ascii() { c } else { '?' };
    text.chars().map(plain).collect()
}
