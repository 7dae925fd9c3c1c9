//! The maps of an image in numbers and words.

use std::path::Path;

use quaver::table::{Column, Kind, Value};
use quaver::{ImageMap, MapMeasure, MapSummary, Range, Region, Verdict};
use quaver_report::{TextOptions, text_table, typeset};
use serde_json::{Value as Json, json};

use crate::class_name;

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Informative => "informative",
        Verdict::PartlySaturated => "partly saturated",
        Verdict::Saturated => "saturated",
    }
}

/// Every scale and region of a map.
fn summaries(map: &ImageMap) -> impl Iterator<Item = MapSummary> + '_ {
    let regions = move |&scale: &usize| map.axes.regions().into_iter().map(move |r| (scale, r));
    let all = map.scales.iter().flat_map(regions);
    all.filter_map(|(scale, region)| map.summary(scale, region))
}

/// What `maps.json` says of an image.
pub fn json(name: &str, data: &Path, map: &ImageMap) -> Json {
    let finite = |x: f64| {
        if x.is_finite() {
            json!(x)
        } else {
            json!(x.to_string())
        }
    };
    let range =
        |r: Range| json!({"min": finite(r.min), "median": finite(r.median), "max": finite(r.max)});
    let maps: Vec<Json> = summaries(map)
        .map(|s| {
            json!({
                "scale": s.scale, "region": s.region.name(), "fi": range(s.fi), "fi_lambda": range(s.fi_lambda),
                "compat_fi": s.compat_fi.map(range),
                "saturated_share": s.saturated_share, "full_rank_share": s.full_rank_share,
                "peak_row": s.peak.0, "peak_column": s.peak.1, "verdict": verdict(s.verdict),
                "shown": s.shown().name(),
            })
        })
        .collect();
    let whole = &map.whole;
    json!({
        "name": name, "data": data.display().to_string(), "index": map.index, "key": map.key,
        "label": map.label, "true_label": map.true_label, "predicted": map.predicted, "p_label": map.p_label,
        "p_predicted": map.p_predicted, "channels": map.axes.channels, "height": map.axes.height,
        "width": map.axes.width, "fi_max": finite(map.fi_max()), "rank_max": map.rank_max,
        "n_classes_kept": map.n_classes_kept,
        "whole_image": {
            "fi": finite(whole.fi), "saturation": whole.saturation, "rank": whole.rank,
            "fi_lambda": finite(whole.fi_lambda), "fisher_trace": finite(whole.fisher_trace),
            "grad_norm": finite(whole.grad_norm), "margin_radius": finite(whole.margin_radius),
        },
        "maps": maps,
    })
}

/// What is said of every scale and region; of the published program's arithmetic only where it was `asked` for.
pub fn columns(asked: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::new("scale", Kind::Int, "Side of the windows."),
        Column::new("region", Kind::Text, "Channels."),
        Column::new(
            "full_rank",
            Kind::Float,
            "Share of windows that move the output in every direction.",
        ),
        Column::new("fi_median", Kind::Float, "Median of FI over the windows."),
        Column::new("fi_largest", Kind::Float, "Largest FI."),
        Column::new(
            "saturated",
            Kind::Float,
            "Share of windows at 99 % of FI's ceiling or above.",
        ),
        Column::new(
            "fi_lambda_largest",
            Kind::Float,
            "Largest FI under a budget.",
        ),
    ];
    if asked {
        columns.extend([
            Column::new(
                "compat_fi_median",
                Kind::Float,
                "Median of FI in the published program's arithmetic.",
            ),
            Column::new("compat_fi_largest", Kind::Float, "Largest of it."),
        ]);
    }
    columns.extend([
        Column::new(
            "peak",
            Kind::Text,
            "Row and column of the largest fi_lambda.",
        ),
        Column::new(
            "verdict",
            Kind::Text,
            "Whether the map of FI is worth looking at.",
        ),
    ]);
    columns
}

/// Whether FI in the published program's arithmetic was asked for.
pub(super) fn has_compat(map: &ImageMap) -> bool {
    let mut scales = map.scales.iter();
    scales.any(|&scale| {
        map.plane(MapMeasure::CompatFi, scale, Region::All)
            .is_some()
    })
}

/// A row for every scale and region.
pub fn rows(map: &ImageMap) -> Vec<Vec<Value>> {
    summaries(map)
        .map(|s| {
            let mut row = vec![
                (s.scale as i64).into(),
                s.region.name().into(),
                s.full_rank_share.into(),
                s.fi.median.into(),
                s.fi.max.into(),
                s.saturated_share.into(),
                s.fi_lambda.max.into(),
            ];
            let compat = s.compat_fi.iter();
            row.extend(compat.flat_map(|fi| [fi.median, fi.max]).map(Value::Float));
            row.push(format!("{}, {}", s.peak.0, s.peak.1).into());
            row.push(verdict(s.verdict).into());
            row
        })
        .collect()
}

/// Every scale and region of a map: shares, medians, the peak, and whether FI is worth looking at.
pub fn table(map: &ImageMap) -> (Vec<Column>, Vec<Vec<Value>>) {
    (columns(has_compat(map)), rows(map))
}

/// The same of several images, each by its position in the data.
pub fn maps_table<'a>(
    maps: impl IntoIterator<Item = &'a ImageMap>,
) -> (Vec<Column>, Vec<Vec<Value>>) {
    let index = Column::new(
        "index",
        Kind::Int,
        "Position of the image in the data, from 0.",
    );
    let (mut all, mut asked) = (Vec::new(), false);
    for map in maps {
        asked |= has_compat(map);
        let index = || Value::Int(map.index as i64);
        let rows = rows(map).into_iter();
        all.extend(rows.map(|row| std::iter::once(index()).chain(row).collect()));
    }
    let columns = std::iter::once(index).chain(columns(asked)).collect();
    (columns, all)
}

/// The table for a terminal, with what the image is taken for above it.
pub fn text(name: &str, map: &ImageMap, class_names: Option<&[String]>) -> String {
    format!(
        "{name}: predicted {} with p = {:.4}; about class {}, p = {:.4}, ceiling of FI {:.4e}\n\n{}\n",
        class_name(class_names, map.predicted),
        map.p_predicted,
        class_name(class_names, map.label),
        map.p_label,
        map.fi_max(),
        text_table(
            &columns(has_compat(map)),
            &rows(map),
            &TextOptions {
                // Verdicts stay whole.
                width: 160,
                ..TextOptions::default()
            }
        )
    )
}

/// One sentence per scale, for those who cannot see the picture.
pub fn words(map: &ImageMap, class_names: Option<&[String]>) -> String {
    let mut words = format!(
        "About class {} with p = {}; FI's ceiling is {}.",
        class_name(class_names, map.label),
        typeset(map.p_label, 4),
        typeset(map.fi_max(), 4)
    );
    for &scale in &map.scales {
        if let Some(s) = map.summary(scale, Region::All) {
            words.push_str(&format!(
                " At scale {scale} FI is {}; fi_lambda is largest at row {}, column {}.",
                verdict(s.verdict),
                s.peak.0,
                s.peak.1
            ));
        }
    }
    words
}
