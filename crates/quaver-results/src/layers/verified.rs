//! What disturbing layers for real came to: for the page, for the terminal, for other programs.

use quaver::table::{Column, Kind, Value};
use quaver::verify::{Disturbance, Disturbed, Verification};
use quaver_report::{
    Axis, BarChart, Figure, LineChart, Mark, RankingTable, ScatterChart, Section, TableRow,
    TextOptions, Tone, text_table, typeset,
};
use serde_json::{Value as Json, json};

use super::Names;

/// Curves that are drawn: as many as can be told apart.
const DRAWN: usize = 6;

/// The columns of [`rows`].
fn columns(found: &Verification) -> Vec<Column> {
    let strength = match found.disturbance {
        Disturbance::Noise => {
            "Length of the noise, relative to the norm of the layer's parameters."
        }
        Disturbance::Knockout => "Share of the layer's parameters set to zero.",
        Disturbance::KnockoutUnits => "Share of the layer's units set to zero.",
    };
    vec![
        Column::new("layer", Kind::Text, "Layer, or another block."),
        Column::new("strength", Kind::Float, strength),
        Column::new(
            "mean_kl",
            Kind::Float,
            "Observed Kullback-Leibler divergence of the answers, nats, mean over samples and draws.",
        ),
        Column::new(
            "predicted_kl",
            Kind::Float,
            "What noise of that strength should cause to second order: strength^2 times the mean noise_kl.",
        ),
        Column::new(
            "agreement",
            Kind::Float,
            "Share of samples whose prediction stays.",
        ),
        Column::new(
            "accuracy",
            Kind::Float,
            "Share of labelled samples that are classified as their label says.",
        ),
    ]
}

/// Every layer, called `name`, at every strength.
fn rows(found: &Verification, name: impl Fn(&str) -> String) -> Vec<Vec<Value>> {
    let row = |d: &Disturbed| {
        vec![
            name(&d.block).into(),
            d.strength.into(),
            d.mean_kl.into(),
            d.predicted_kl.into(),
            d.agreement.into(),
            d.accuracy.into(),
        ]
    };
    found.layers.iter().map(row).collect()
}

/// What each layer, called `name`, came to when it was disturbed, as columns and rows: strength, observed and predicted
/// divergence, agreement, accuracy.
pub fn disturbed_table(
    found: &Verification,
    name: impl Fn(&str) -> String,
) -> (Vec<Column>, Vec<Vec<Value>>) {
    (columns(found), rows(found, name))
}

/// How well each measure orders the layers as the observed divergence does, as columns and rows.
pub fn agreement_table(found: &Verification) -> (Vec<Column>, Vec<Vec<Value>>) {
    let columns = vec![
        Column::new("measure", Kind::Text, "Measure."),
        Column::new("strength", Kind::Float, "Strength."),
        Column::new(
            "rank_correlation",
            Kind::Float,
            "Spearman's, with the observed divergence.",
        ),
    ];
    let rows: Vec<Vec<Value>> = found
        .agreements
        .iter()
        .map(|a| vec![a.measure.into(), a.strength.into(), a.correlation.into()])
        .collect();
    (columns, rows)
}

/// Which layers, called `name`, could not be disturbed, in a sentence.
pub fn left_out(found: &Verification, name: impl Fn(&str) -> String) -> Option<String> {
    let out = found.left_out.iter().map(|block| name(block));
    let out = out.collect::<Vec<String>>().join(", ");
    (!out.is_empty()).then(|| format!("Not disturbed, since their units are not known: {out}."))
}

/// A section of the page.
pub fn section(heading: String, found: &Verification, names: &Names) -> Section {
    let what = match found.disturbance {
        Disturbance::Noise => "noise of a length relative to that of its parameters",
        Disturbance::Knockout => "a share of its parameters set to zero",
        Disturbance::KnockoutUnits => {
            "a share of its units set to zero, each with its weights and its bias"
        }
    };
    let mut section = Section::new(heading).paragraph(format!(
        "Each layer was disturbed, the others left as they are: {what}. The network was run on the same samples again.",
    ));
    if let Some(text) = left_out(found, |block| names.of(block).to_owned()) {
        section = section.callout(Tone::Note, text);
    }
    if found.disturbance == Disturbance::Noise {
        section = section.figure(predicted(found, names));
    }
    section
        .figure(damage(found, names))
        .figure(orders(found))
        .table(
            RankingTable::new("Every layer at every strength", columns(found)).rows(
                rows(found, |block| names.of(block).to_owned())
                    .into_iter()
                    .map(TableRow::new),
            ),
        )
}

/// Observed against predicted divergence.
fn predicted(found: &Verification, names: &Names) -> Figure {
    let axes = (
        Axis::log("predicted divergence, nats"),
        Axis::log("observed divergence, nats"),
    );
    let mut chart = ScatterChart::new(axes.0, axes.1).diagonal();
    for strength in strengths(found) {
        let at = found.layers.iter().filter(|d| d.strength == strength);
        let marks = at.filter_map(|d| {
            Some(Mark {
                x: d.predicted_kl?,
                y: d.mean_kl,
                title: format!(
                    "{}\nstrength {strength}\npredicted {}\nobserved {}",
                    names.of(&d.block),
                    typeset(d.predicted_kl?, 4),
                    typeset(d.mean_kl, 4)
                ),
            })
        });
        chart = chart.group(format!("strength {strength}"), marks.collect::<Vec<Mark>>());
    }
    Figure::new("Predicted and observed divergence", chart).how_to_read(
        "Each mark is a layer at one strength. From the layer's metric a divergence is predicted that is exact for little \
         noise; with more of it marks leave the dotted line of equal values.",
    )
}

/// Accuracy, or else agreement, against strength, of the layers that lose most.
fn damage(found: &Verification, names: &Names) -> Figure {
    let has_labels = found.accuracy.is_some();
    let value = |d: &Disturbed| d.accuracy.unwrap_or(d.agreement);
    let whole = found.accuracy.unwrap_or(1.0);
    let strengths = strengths(found);
    let mut layers: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for chunk in found.layers.chunks(strengths.len().max(1)) {
        let points = chunk.iter().map(|d| (d.strength, value(d)));
        let mut points: Vec<(f64, f64)> = std::iter::once((0.0, whole)).chain(points).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        layers.push((names.of(&chunk[0].block), points));
    }
    let mean = |points: &[(f64, f64)]| points.iter().map(|point| point.1).sum::<f64>();
    layers.sort_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)));
    let n_losing = layers.iter().filter(|(_, points)| loses(points)).count();
    let what = match has_labels {
        true => "accuracy",
        false => "share of predictions that stay",
    };
    let mut chart = LineChart::new(
        Axis::linear("strength"),
        Axis::linear(what).spanning(0.0, 1.0),
    );
    let n_layers = layers.len();
    for (name, points) in layers.into_iter().take(DRAWN) {
        chart = chart.series(name, points.clone()).marked(points);
    }
    let figure = Figure::new("What disturbing a layer costs", chart).how_to_read(
        "Every line is a layer, disturbed more and more from left to right. Where it falls early, the network depends on \
         that layer's exact values.",
    );
    let cost = match has_labels {
        true => "costs accuracy",
        false => "changes predictions",
    };
    figure.caption(drawn_in_words(n_losing, n_layers, cost))
}

/// Whether a layer's curve falls below where it begins, which is without disturbance.
fn loses(points: &[(f64, f64)]) -> bool {
    let whole = points.first().map_or(0.0, |point| point.1);
    points.iter().any(|point| point.1 < whole)
}

/// Which layers are drawn, and what disturbing them does: those that lose most come first, and not all need lose anything.
fn drawn_in_words(n_losing: usize, n_layers: usize, cost: &str) -> String {
    let drawn = match n_layers.saturating_sub(DRAWN) {
        0 => String::new(),
        n => format!(" {DRAWN} of {n_layers} are drawn; the other {n} are in the table."),
    };
    match n_losing {
        0 => format!("At these strengths disturbing no layer {cost}.{drawn}"),
        n if n > DRAWN || (n == DRAWN && n < n_layers) => {
            let others = n_layers - DRAWN;
            format!("The {DRAWN} layers that lose most; the other {others} are in the table.")
        }
        n if n == n_layers => String::new(),
        n => format!(
            "Disturbing {n} of {n_layers} layers {cost}, disturbing the others does not.{drawn}"
        ),
    }
}

/// How well measures order the layers.
fn orders(found: &Verification) -> Figure {
    let mut chart = BarChart::new("Spearman correlation with the observed order of layers");
    for agreement in &found.agreements {
        if let Some(correlation) = agreement.correlation {
            let name = format!("{} at {}", agreement.measure, agreement.strength);
            chart = chart.bar(name, correlation);
        }
    }
    Figure::new("Which measure foresees the order?", chart).how_to_read(
        "Each bar compares the order in which a measure puts the layers with the order of the divergence that a \
         disturbance of that strength really caused: 1 is the same order, 0 no relation.",
    )
}

fn strengths(found: &Verification) -> Vec<f64> {
    let mut strengths: Vec<f64> = Vec::new();
    for disturbed in &found.layers {
        if !strengths.contains(&disturbed.strength) {
            strengths.push(disturbed.strength);
        }
    }
    strengths
}

/// For the terminal.
pub fn text(found: &Verification, names: &Names, options: &TextOptions) -> String {
    let (heads, orders) = agreement_table(found);
    let name = |block: &str| names.of(block).to_owned();
    format!(
        "\nlayers disturbed for real ({})\n\n{}{}\nagreement of the order of layers with the observed divergence\n\n{}",
        found.disturbance.name(),
        text_table(&columns(found), &rows(found, name), options),
        left_out(found, name).map_or_else(String::new, |text| format!("{text}\n")),
        text_table(&heads, &orders, options)
    )
}

/// For other programs.
pub fn json(found: &Verification) -> Json {
    let layers: Vec<Json> = found
        .layers
        .iter()
        .map(|d| {
            json!({
                "layer": &*d.block, "strength": d.strength, "mean_kl": d.mean_kl, "predicted_kl": d.predicted_kl,
                "agreement": d.agreement, "accuracy": d.accuracy,
            })
        })
        .collect();
    let orders: Vec<Json> = found
        .agreements
        .iter()
        .map(|a| json!({"measure": a.measure, "strength": a.strength, "rank_correlation": a.correlation}))
        .collect();
    let left_out: Vec<&str> = found.left_out.iter().map(|block| &**block).collect();
    json!({
        "disturbance": found.disturbance.name(), "accuracy": found.accuracy, "layers": layers, "agreements": orders,
        "left_out": left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_said_as_it_is() {
        let said = |losing, layers| drawn_in_words(losing, layers, "costs");
        let drawn = " 6 of 21 are drawn; the other 15 are in the table.";
        let nothing = "At these strengths disturbing no layer costs.";
        assert_eq!(said(0, 4), nothing);
        assert_eq!(said(0, 21), format!("{nothing}{drawn}"));
        let three = "layers costs, disturbing the others does not.";
        assert_eq!(said(3, 4), format!("Disturbing 3 of 4 {three}"));
        assert_eq!(said(3, 21), format!("Disturbing 3 of 21 {three}{drawn}"));
        assert_eq!(said(6, 6), "");
        for n in [6, 9, 21] {
            let most = "The 6 layers that lose most; the other 15 are in the table.";
            assert_eq!(said(n, 21), most);
        }
        assert!(loses(&[(0.0, 0.9), (0.1, 0.8)]) && !loses(&[(0.0, 0.9), (0.1, 0.9)]));
    }
}
