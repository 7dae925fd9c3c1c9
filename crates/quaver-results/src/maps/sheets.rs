//! The picture of an image's maps.

use quaver::{ImageMap, MapMeasure, Region, Verdict};
use quaver_report::{Figure, Panel, ReportError, Sheet, Tile};

use super::summary::has_compat;
use crate::class_name;

/// The image and h* on top; below, a row for each scale: the shown measure over the image, by itself, and the rank.
pub fn sheet(name: &str, map: &ImageMap, class_names: Option<&[String]>) -> Sheet {
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
    let named = |(name, tile): (String, Tile)| tile.titled(name);
    let first = of_image(map).into_iter().map(named).collect();
    scales(map)
        .into_iter()
        .fold(Sheet::new(heading).row(first), |sheet, scale| {
            let Scale { side, note, tiles } = scale;
            let mut note = Some(note);
            let titled = |(name, tile): (String, Tile)| {
                let tile = tile.titled(format!("{side} x {side}: {name}"));
                match note.take() {
                    Some(note) => tile.note(note),
                    None => tile,
                }
            };
            sheet.row(tiles.into_iter().map(titled).collect())
        })
}

/// The same for a page: a figure of the image, and one for each scale.
pub fn figures(map: &ImageMap) -> Result<Vec<Figure>, ReportError> {
    let panels = |tiles: Vec<(String, Tile)>, of: &str| -> Result<Vec<Panel>, ReportError> {
        let panel = |(name, tile): (String, Tile)| {
            let alt = format!("{name}{of}");
            tile.titled(name).to_panel(alt)
        };
        tiles.into_iter().map(panel).collect()
    };
    let image = panels(of_image(map), "")?;
    let mut figures = vec![Figure::panels("The image", image).wide(true)];
    for Scale { side, note, tiles } in scales(map) {
        let title = format!("Windows of {side} × {side}");
        let tiles = panels(tiles, &format!(" of windows of {side} × {side} pixels"))?;
        figures.push(Figure::panels(title, tiles).caption(note).wide(true));
    }
    Ok(figures)
}

/// The image and what its most influential change would be, each with its name.
fn of_image(map: &ImageMap) -> Vec<(String, Tile)> {
    let width = map.axes.width;
    let picture = |values, is_image| Tile::picture("", width, colours(values, map, is_image));
    vec![
        ("image".to_owned(), picture(&map.input, true)),
        (
            "direction of greatest influence h*".to_owned(),
            picture(&map.direction, false).note("grey is no change"),
        ),
        (
            "strength of h* per pixel".to_owned(),
            Tile::heat("", width, &norms(&map.direction, map)),
        ),
    ]
}

/// The maps at one scale, each with its name.
struct Scale {
    side: usize,
    /// What the reader must know of all of them.
    note: String,
    tiles: Vec<(String, Tile)>,
}

fn scales(map: &ImageMap) -> Vec<Scale> {
    let width = map.axes.width;
    let image = colours(&map.input, map, true);
    let scale = |&side: &usize| {
        let summary = map.summary(side, Region::All)?;
        let shown = summary.shown();
        let percent = 100.0 * summary.saturated_share;
        let note = match summary.verdict {
            Verdict::Saturated => format!("FI is saturated ({percent:.0} %): fi_lambda shown"),
            Verdict::PartlySaturated => format!("FI at its ceiling in {percent:.0} % of windows"),
            Verdict::Informative => String::new(),
        };
        let plane = |measure| map.plane(measure, side, Region::All).unwrap_or_default();
        let heat = |measure| Tile::heat("", width, plane(measure));
        // Beside FI what was asked for besides, or its companion, and where that is shown already the trace.
        let beside = match shown {
            _ if has_compat(map) => MapMeasure::CompatFi,
            MapMeasure::FiLambda => MapMeasure::FisherTrace,
            _ => MapMeasure::FiLambda,
        };
        let tiles = vec![
            (
                format!("{}, over the image", shown.name()),
                heat(shown).over(&image),
            ),
            (shown.name().to_owned(), heat(shown)),
            (beside.name().to_owned(), heat(beside)),
            ("rank".to_owned(), rank(map, plane(MapMeasure::Rank))),
        ];
        Some(Scale { side, note, tiles })
    };
    map.scales.iter().filter_map(scale).collect()
}

/// Ranks from none to all, so that colours mean the same at every scale.
fn rank(map: &ImageMap, ranks: &[f64]) -> Tile {
    let low = ranks.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ranks.iter().copied().fold(0.0, f64::max);
    let note = match low == high {
        true => format!("{low} of {} everywhere", map.rank_max),
        false => format!("{low} to {high} of {}", map.rank_max),
    };
    Tile::heat_within("", map.axes.width, ranks, (0.0, map.rank_max as f64)).note(note)
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
