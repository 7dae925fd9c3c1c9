//! Attacks in numbers and words.

use quaver::AttackSummary;
use quaver::attack::{AttackInfo, Curve, attacks};
use quaver::table::{Column, Kind, Value};
use serde_json::{Value as Json, json};

/// The attack of that name.
pub(crate) fn info(name: &str) -> Option<AttackInfo> {
    attacks().find(|attack| attack.name == name)
}

/// A row for every attack and radius: how often it succeeds, by how much, and at what cost.
pub fn attack_table(summary: &AttackSummary) -> (Vec<Column>, Vec<Vec<Value>>) {
    (summary_columns(), summary_rows(summary))
}

/// The columns of the summary.
fn summary_columns() -> Vec<Column> {
    let column = |name: &str, kind, doc: &str| Column::new(name, kind, doc);
    vec![
        column("attack", Kind::Text, "Name of the attack."),
        column(
            "radius",
            Kind::Float,
            "Radius it had to stay within, as a share of the range of the data.",
        ),
        column(
            "success",
            Kind::Float,
            "Share of the attacked samples on which it succeeded.",
        ),
        column(
            "low",
            Kind::Float,
            "Lower end of the 95 % interval of that share (Wilson).",
        ),
        column("high", Kind::Float, "Upper end of it."),
        column(
            "robust",
            Kind::Float,
            "Share of all samples that are classified as their label says, and still are after it.",
        ),
        column(
            "pixels",
            Kind::Float,
            "Median of the pixels changed, over its successes.",
        ),
        column(
            "l2",
            Kind::Float,
            "Median L2 norm of the change as a share of the range, over its successes.",
        ),
        column(
            "linf",
            Kind::Float,
            "Median of the largest change as a share of the range, over its successes.",
        ),
        column("queries", Kind::Float, "Mean number of forward passes."),
        column(
            "gradients",
            Kind::Float,
            "Mean number of cotangents swept back.",
        ),
    ]
}

/// A row for every attack and radius.
fn summary_rows(summary: &AttackSummary) -> Vec<Vec<Value>> {
    let robust = summary.robust_accuracies();
    let medians = |of| summary.medians(of);
    let norms = medians(Curve::Pixels)
        .zip(medians(Curve::L2))
        .zip(medians(Curve::Linf));
    let lines = summary.attacks().zip(summary.rates()).zip(robust);
    lines
        .zip(norms)
        .zip(summary.mean_costs())
        .map(
            |((((attack, rate), robust), ((pixels, l2), linf)), (queries, gradients))| {
                vec![
                    attack.0.into(),
                    attack.1.into(),
                    rate.share().into(),
                    rate.interval.0.into(),
                    rate.interval.1.into(),
                    robust.into(),
                    pixels.into(),
                    l2.into(),
                    linf.into(),
                    queries.into(),
                    gradients.into(),
                ]
            },
        )
        .collect()
}

/// What the numbers say of the maps.
pub fn remarks(summary: &AttackSummary) -> Vec<String> {
    let mut sentences = Vec::new();
    for name in [
        "fi-pixel",
        "fi-lambda-pixel",
        "gradient-pixel",
        "reach-pixel",
        "mfi-pso",
    ] {
        let Some(paired) = summary.compare(name, "random-pixel") else {
            continue;
        };
        sentences.push(format!(
            "{name} against random-pixel, sample by sample: {} flipped by the first alone, {} by the second alone (exact McNemar test, {})",
            paired.only_first,
            paired.only_second,
            p_value(paired.p_value)
        ));
    }
    for ((name, _), share) in summary.attacks().zip(summary.saturated_shares()) {
        if let Some(share) = share.filter(|share| name == "fi-pixel" && *share > 0.0) {
            sentences.push(format!(
                "FI of the pixel that fi-pixel took first is at its ceiling on {:.1} % of the samples: there the map cannot tell the best pixels from each other",
                100.0 * share
            ));
        }
    }
    sentences
}

/// A p-value to the digits that matter.
fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => "p < 0.001".to_owned(),
        false => format!("p = {p:.3}"),
    }
}

/// Everything as JSON.
pub fn attack_json(summary: &AttackSummary) -> Json {
    let curves: serde_json::Map<String, Json> = Curve::ALL
        .into_iter()
        .map(|curve| {
            let of: serde_json::Map<String, Json> = summary
                .curves(curve)
                .into_iter()
                .map(|(name, points)| (name.to_owned(), json!(points)))
                .collect();
            (curve.name().to_owned(), Json::Object(of))
        })
        .collect();
    let columns = summary_columns();
    let cell = |value: &Value| match value {
        Value::Null => Json::Null,
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
    };
    let attacks: Vec<Json> = summary_rows(summary)
        .iter()
        .zip(summary.rates())
        .zip(summary.saturated_shares())
        .map(|((row, rate), saturated)| {
            let names = columns.iter().map(|column| column.name.clone());
            let mut object: serde_json::Map<String, Json> =
                names.zip(row.iter().map(cell)).collect();
            object.insert("successes".to_owned(), json!(rate.successes));
            object.insert("attacked".to_owned(), json!(rate.attacked));
            object.insert("saturated_share".to_owned(), json!(saturated));
            Json::Object(object)
        })
        .collect();
    json!({
        "n_samples": summary.n_samples(),
        "n_correct": summary.n_correct(),
        "attacks": attacks,
        "success_within": curves,
        "remarks": remarks(summary),
    })
}
