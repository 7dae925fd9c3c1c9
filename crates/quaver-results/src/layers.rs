//! Layers: medians in a table, a section of a page, and what disturbing them for real came to.

mod names;

use quaver::layers::{LAYER_MEASURES, LayerReport, LayerSummary};
use quaver::table::{Column, Kind, Value};
use quaver::verify::Verification;
use quaver_report::{Axis, BarChart, BoxPlot, Figure, ManhattanChart, Section, Tone};

use crate::axis;

pub use names::Names;

/// The columns of [`layer_row`].
pub fn layer_columns() -> Vec<Column> {
    let mut columns = vec![
        Column::new("network", Kind::Text, "ONNX file."),
        Column::new("layer", Kind::Text, "Layer, or another block."),
        Column::new("n_samples", Kind::Int, "Samples scored."),
        Column::new(
            "theta_norm",
            Kind::Float,
            "Euclidean norm of the parameters.",
        ),
        Column::new(
            "saturated_share",
            Kind::Float,
            "Share of samples whose FI is at 99 % of its ceiling or above.",
        ),
    ];
    for measure in &LAYER_MEASURES {
        let of = |name: String, what: &str| {
            Column::new(name, Kind::Float, format!("{what}: {}", measure.doc))
        };
        columns.push(of(measure.name.to_owned(), "Median over samples"));
        columns.push(of(format!("{}_q25", measure.name), "First quartile"));
        columns.push(of(format!("{}_q75", measure.name), "Third quartile"));
    }
    columns
}

/// A layer of a network as a row.
pub fn layer_row(network: &str, layer: &LayerSummary) -> Vec<Value> {
    let mut row: Vec<Value> = vec![
        network.into(),
        (*layer.block).into(),
        (layer.n_samples as i64).into(),
        layer.theta_norm.into(),
        layer.saturated_share.into(),
    ];
    for measure in &LAYER_MEASURES {
        let quartiles = layer.quartiles(measure.name);
        row.push(quartiles.map(|q| q.median).into());
        row.push(quartiles.map(|q| q.first).into());
        row.push(quartiles.map(|q| q.third).into());
    }
    row
}

/// The section of a page about the layers of one network.
pub fn layers_section(
    network: &str,
    report: &LayerReport,
    verification: Option<&Verification>,
) -> Section {
    let layers = &report.layers;
    let names = Names::of_layers(report);
    // In half a row there is no room for the names of so many.
    let wide = layers.len() > 10;
    let manhattan = |measure: &'static str| {
        let chart = ManhattanChart::new(axis(measure));
        layers.iter().fold(chart, |chart, layer| {
            let points = layer.indices.iter().zip(layer.values(measure));
            let points =
                points.filter_map(|(index, value)| Some(((*value)?, format!("sample {index}"))));
            chart.block(names.of(&layer.block), points)
        })
    };
    let tone = match layers.iter().any(|layer| layer.saturated_share >= 0.95) {
        true => Tone::Caution,
        false => Tone::Good,
    };
    let boxes = ["rel_fi_lambda", "rel_fisher_lambda_max"].map(|measure| {
        let chart = BoxPlot::new(Axis::log(measure), [measure]);
        let chart = layers.iter().fold(chart, |chart, layer| {
            let values: Vec<f64> = layer.values(measure).iter().flatten().copied().collect();
            chart.group(names.of(&layer.block), [values])
        });
        Figure::new(format!("{measure} per layer"), chart).how_to_read(
            "A box holds the middle half of the samples. Further right, the same relative change of the layer's \
             parameters moves the network's answer more.",
        )
    });
    let section = Section::new(network)
        .callout(tone, report.verdict())
        .figure(Figure::new("FI of every sample and layer", manhattan("fi")).wide(wide).how_to_read(
            "Each point is a sample. Where the layers look alike, FI has reached its ceiling (1 - p) / p in all of them.",
        ))
        .figure(Figure::new("rel_fi_lambda of every sample and layer", manhattan("rel_fi_lambda")).wide(wide).how_to_read(
            "The same samples under a budget, relative to the size of each layer: this does not saturate.",
        ));
    let section = boxes.into_iter().fold(section, Section::figure);
    match verification {
        None => section,
        Some(verification) => section.figure(verified_figure(verification)),
    }
}

/// Observed against predicted, strength by strength.
fn verified_figure(found: &Verification) -> Figure {
    let mut chart = BarChart::new("Spearman correlation with the observed order of layers");
    for agreement in &found.agreements {
        if let Some(correlation) = agreement.correlation {
            let name = format!("{} at {}", agreement.measure, agreement.strength);
            chart = chart.bar(name, correlation);
        }
    }
    Figure::new(format!("Layers disturbed for real ({})", found.disturbance.name()), chart).how_to_read(
        "Each bar compares the order in which a measure puts the layers with the order of the divergence that a \
         disturbance of that strength really caused: 1 is the same order, 0 no relation.",
    )
}

/// What each layer, called `name`, came to when it was disturbed, as columns and rows: strength, observed and predicted divergence.
pub fn disturbed_table(
    found: &Verification,
    name: impl Fn(&str) -> String,
) -> (Vec<Column>, Vec<Vec<Value>>) {
    let columns = vec![
        Column::new("layer", Kind::Text, "Layer."),
        Column::new(
            "strength",
            Kind::Float,
            "Relative size of the noise, or share of parameters.",
        ),
        Column::new("mean_kl", Kind::Float, "Observed divergence, nats."),
        Column::new("predicted_kl", Kind::Float, "To second order."),
        Column::new("agreement", Kind::Float, "Share of predictions that stay."),
        Column::new("accuracy", Kind::Float, "Share of labels that are met."),
    ];
    let rows: Vec<Vec<Value>> = found
        .layers
        .iter()
        .map(|d| {
            vec![
                name(&d.block).into(),
                d.strength.into(),
                d.mean_kl.into(),
                d.predicted_kl.into(),
                d.agreement.into(),
                d.accuracy.into(),
            ]
        })
        .collect();
    (columns, rows)
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
