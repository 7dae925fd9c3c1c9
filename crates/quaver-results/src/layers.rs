//! Layers: medians in a table, sections of a page, and what disturbing them for real came to.

mod names;
mod verified;

use quaver::layers::{LAYER_MEASURES, LayerReport, LayerSummary};
use quaver::table::{Column, Kind, Value};
use quaver::verify::Verification;
use quaver_report::{
    Axis, BoxPlot, Figure, ManhattanChart, Order, Page, RankingTable, Section, TableRow, Tone,
};

use crate::axis;

pub use names::Names;
pub use verified::{
    agreement_table, disturbed_table, json as verified_json, left_out, text as verified_text,
};

/// The column by which layers are ranked unless said otherwise.
pub const MEAN_NOISE: &str = "noise_kl_mean";

/// The column whose values fall in the order of the ranking by a measure.
pub fn ranking_column(rank_by: &str) -> &str {
    match rank_by {
        "noise_kl" => MEAN_NOISE,
        measure => measure,
    }
}

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
        Column::new(
            MEAN_NOISE,
            Kind::Float,
            "Mean over samples of noise_kl: noise of a length epsilon times the layer's norm causes a mean divergence of epsilon^2 times this, nats, to second order.",
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
        layer.mean("noise_kl").into(),
    ];
    for measure in &LAYER_MEASURES {
        let quartiles = layer.quartiles(measure.name);
        row.push(quartiles.map(|q| q.median).into());
        row.push(quartiles.map(|q| q.first).into());
        row.push(quartiles.map(|q| q.third).into());
    }
    row
}

/// The page about the layers of these networks, measured on these data, without its sections. A store has one name for
/// network and data, which is said once.
pub fn layers_page(networks: &[&str], data: &str) -> Page {
    let named = networks.join(", ");
    let of = match networks {
        [one] => format!("How strongly {one} reacts to perturbations of each layer"),
        _ => "How strongly each network reacts to perturbations of its layers".to_owned(),
    };
    let lead = match named == data {
        true => format!("{of}."),
        false => format!("{of}, on the samples of {data}."),
    };
    Page::new(format!("Layers of {named}")).lead(lead)
}

/// The sections of a page about the layers of one network, ranked by a measure of [`quaver::layers::LAYER_MEASURES`].
/// Their headings name it unless the page is about it alone.
pub fn layers_sections(
    network: &str,
    report: &LayerReport,
    verification: Option<&Verification>,
    rank_by: &str,
    is_alone: bool,
) -> Vec<Section> {
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
    let boxes = ["noise_kl", "rel_fisher_lambda_max"].map(|measure| {
        let chart = BoxPlot::new(Axis::log(measure), [measure]);
        let chart = layers.iter().fold(chart, |chart, layer| {
            let values: Vec<f64> = layer.values(measure).iter().flatten().copied().collect();
            chart.group(names.of(&layer.block), [values])
        });
        let (title, how) = match measure {
            "noise_kl" => (
                "Random noise, relative to the layer",
                "A box holds the middle half of the samples. Further right, the same relative amount of noise in the \
                 layer's parameters moves the network's answers more: the divergence is the noise's relative length \
                 squared, times this.",
            ),
            _ => (
                "The worst change, relative to the layer",
                "A box holds the middle half of the samples. Further right, the worst change of one relative size moves \
                 the network's answers more.",
            ),
        };
        Figure::new(title, chart).how_to_read(how)
    });
    let headings = match is_alone {
        true => [
            "Which layers matter?".to_owned(),
            "Layers disturbed for real".to_owned(),
        ],
        false => [
            network.to_owned(),
            format!("{network}: layers disturbed for real"),
        ],
    };
    let [heading, disturbed] = headings;
    let section = Section::new(heading)
        .callout(tone, report.verdict())
        .table(ranking(network, report, &names, rank_by))
        .figure(Figure::new("FI of every sample and layer", manhattan("fi")).wide(wide).how_to_read(
            "Each point is a sample. Where the layers look alike, FI has reached its ceiling (1 - p) / p in all of them.",
        ))
        .figure(Figure::new("FI under a budget of every sample and layer", manhattan("rel_fi_lambda")).wide(wide).how_to_read(
            "The same samples under a budget, relative to the size of each layer: this does not saturate.",
        ));
    let mut sections = vec![boxes.into_iter().fold(section, Section::figure)];
    if let Some(verification) = verification {
        sections.push(verified::section(disturbed, verification, &names));
    }
    sections
}

/// All layers, those that matter most by the chosen measure first. The section is about one network, and on a phone a
/// column that says so in every row leaves no room for the others.
fn ranking(network: &str, report: &LayerReport, names: &Names, rank_by: &str) -> RankingTable {
    let mut table = RankingTable::new(
        "Layers, medians and quartiles over the samples",
        layer_columns().split_off(1),
    )
    .ordered_by(ranking_column(rank_by), Order::Descending);
    for layer in report.ranked_by(rank_by) {
        let mut cells = layer_row(network, layer).split_off(1);
        cells[0] = names.of(&layer.block).into();
        table.push(TableRow::new(cells));
    }
    table
}
