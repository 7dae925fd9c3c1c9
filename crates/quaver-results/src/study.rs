//! The page of a ranking: which samples stand out, by which measure, and whether they are the known outliers.

use std::collections::BTreeSet;

use quaver::MEASURES;
use quaver::outliers::{OutlierBlock, OutlierReport, OutlierSample};
use quaver::table::{Column, Kind, Value};
use quaver_report::{
    BarChart, Figure, Histogram, LineChart, ManhattanChart, Mark, Order, RankingTable,
    ScatterChart, Section, TableRow, Tone, typeset,
};

use super::{Subjects, axis, grouped, name_classes, percent, verdict};

/// Samples on top of the ranking that have a picture, and as many more on top of each other measure's.
const PICTURES: usize = 200;
const PICTURES_OF_OTHERS: usize = 40;

/// Blocks that have sections of their own.
const MOST_BLOCKS: usize = 4;

/// Measures whose curves share the first plots; those of the others are in plots of their own, where they can be read.
const FIRST: [&str; 6] = [
    "fi",
    "fi_lambda",
    "grad_norm",
    "jacobian_norm",
    "margin_radius",
    "p_label",
];

/// From this share of its ceiling on FI says nothing that p_label does not.
const SATURATED: f64 = 0.99;

/// The sections of a page about `report`, whose samples are ranked by a measure; all rows are in the file `all_in`.
pub fn study(
    report: &OutlierReport,
    subjects: &Subjects<'_>,
    rank_by: &str,
    all_in: &str,
) -> Vec<Section> {
    let mut sections = Vec::new();
    if report.blocks.len() > 1 {
        sections.push(all_blocks(report));
    }
    for block in report.blocks.iter().take(MOST_BLOCKS) {
        let heading = |text: &str| match report.blocks.len() {
            1 => Section::new(text),
            _ => Section::new(format!("{}: {text}", block.block)),
        };
        sections.push(glance(heading("At a glance"), block));
        if !block.detections.is_empty() {
            sections.push(detection(
                heading("Which measure finds the outliers?"),
                block,
            ));
        }
        sections.push(ranking(
            heading("Ranking"),
            block,
            subjects,
            rank_by,
            all_in,
        ));
        sections.push(distributions(
            heading("Where the samples lie"),
            block,
            subjects,
        ));
    }
    sections
}

fn glance(section: Section, block: &OutlierBlock) -> Section {
    let summary = &block.summary;
    let mut facts = vec![
        ("Samples", grouped(block.samples.len() as u64)),
        ("Network agrees with the label", percent(summary.accuracy())),
        ("FI at its ceiling", percent(summary.saturated_share())),
    ];
    if let Some(n) = block.n_outliers() {
        facts.push(("Known outliers", grouped(n as u64)));
    }
    let best = block.detections.iter().max_by(|a, b| {
        let area = |found: &quaver::curves::Detection| found.precision_recall.auc;
        area(&a.1).total_cmp(&area(&b.1))
    });
    if let Some((measure, found)) = best {
        let areas = (found.roc.auc, found.precision_recall.auc);
        facts.push(("Finds them best", measure.name.to_owned()));
        facts.push((
            "Its ROC-AUC, PR-AUC",
            format!("{:.3}, {:.3}", areas.0, areas.1),
        ));
    }
    verdict(section.facts(facts), summary)
}

fn detection(section: Section, block: &OutlierBlock) -> Section {
    let (roc, precision) = curves(block, |name| FIRST.contains(&name));
    let (other_roc, other_precision) = curves(block, |name| !FIRST.contains(&name));
    let (columns, rows) = block.detection_table();
    let table = RankingTable::new(
        "How well each measure ranks the known outliers first",
        columns,
    )
    .rows(rows.into_iter().map(TableRow::new))
    .ordered_by("pr_auc", Order::Descending);
    section
        .table(table)
        .figure(
            Figure::new("Receiver operating characteristic", roc)
                .caption("Curves of measures that rank alike lie on each other: fi and p_label do where FI is saturated.")
                .how_to_read(
                    "The closer a line comes to the upper left corner, the fewer other samples have to be looked at \
                     before the outliers are found. The dotted line is a ranking by chance; beside each name is the \
                     area under its curve.",
                ),
        )
        .figure(
            Figure::new("Precision and recall", precision).how_to_read(
                "With few outliers among many samples this is the sterner test: of the samples ranked highest, how \
                 many are outliers? Between measured points the interpolation of Davis & Goadrich is used.",
            ),
        )
        .figure(Figure::new(
            "Receiver operating characteristic, the other measures",
            other_roc,
        ))
        .figure(Figure::new(
            "Precision and recall, the other measures",
            other_precision,
        ))
}

/// ROC, and precision and recall, of the measures that are `chosen`, each named with the area under its curve.
fn curves(block: &OutlierBlock, chosen: impl Fn(&str) -> bool) -> (LineChart, LineChart) {
    let unit = |label: &str| quaver_report::Axis::linear(label).spanning(0.0, 1.0);
    let mut roc = LineChart::new(
        unit("Share of other samples ranked as high (false positives)"),
        unit("Share of outliers found (recall)"),
    );
    let mut precision = LineChart::new(
        unit("Share of outliers found (recall)"),
        unit("Share of outliers in what is retrieved (precision)"),
    );
    for (measure, found) in block.detections.iter().filter(|(m, _)| chosen(m.name)) {
        let named = |area: f64| format!("{} {area:.3}", measure.name);
        roc = roc.series(named(found.roc.auc), found.roc.points.clone());
        precision = precision.series(
            named(found.precision_recall.auc),
            found.precision_recall.points.clone(),
        );
    }
    let share = block.n_outliers().unwrap_or(0) as f64 / block.samples.len().max(1) as f64;
    (
        roc.reference("chance", vec![(0.0, 0.0), (1.0, 1.0)]),
        precision.reference("chance", vec![(0.0, share), (1.0, share)]),
    )
}

fn ranking(
    section: Section,
    block: &OutlierBlock,
    subjects: &Subjects<'_>,
    rank_by: &str,
    all_in: &str,
) -> Section {
    let order = block.ranked_by(rank_by);
    let mut with_picture: BTreeSet<usize> = order.iter().take(PICTURES).copied().collect();
    for measure in &MEASURES {
        let ranked = block.ranked_by(measure.name);
        with_picture.extend(ranked.into_iter().take(PICTURES_OF_OTHERS));
    }
    let direction = match MEASURES.iter().find(|measure| measure.name == rank_by) {
        Some(measure) if measure.suspicious == quaver::Suspicious::Small => Order::Ascending,
        _ => Order::Descending,
    };
    let mut columns = block.columns();
    let mut rows: Vec<Vec<Value>> = order
        .iter()
        .map(|&at| block.row(&block.samples[at]))
        .collect();
    let classes = ["label", "predicted"];
    name_classes(&mut columns, &mut rows, &classes, subjects.class_names);
    let mut table = RankingTable::new("Samples, the most suspicious first", columns)
        .ordered_by(rank_by, direction);
    for (at, row) in order.into_iter().zip(rows) {
        let sample = &block.samples[at];
        let mut row = TableRow::new(row);
        if let Some(picture) = subjects
            .picture(sample.index)
            .filter(|_| with_picture.contains(&at))
        {
            row = row.picture(picture);
        }
        if sample.is_outlier == Some(true) {
            row = row.badge(Tone::Problem, "outlier");
        }
        if disagrees(sample) {
            row = row.badge(Tone::Caution, "label disagrees");
        }
        if saturation(sample) >= SATURATED {
            row = row.badge(Tone::Note, "saturated");
        }
        table.push(row);
    }
    section
        .paragraph(
            "Click a column to sort by it. Type to filter: “saturated” leaves the samples whose FI is at its ceiling, \
             “p_label<0.1” those whose label the network hardly believes.",
        )
        .table(table.all_in(block.samples.len(), all_in))
}

fn distributions(section: Section, block: &OutlierBlock, subjects: &Subjects<'_>) -> Section {
    let knows = block.n_outliers().is_some();
    let stands_out = |sample: &OutlierSample| match sample.is_outlier {
        Some(is) => is,
        None => disagrees(sample),
    };
    let names = match knows {
        true => ["other samples", "known outliers"],
        false => ["label agrees", "label disagrees"],
    };
    let values = |measure: &str, outstanding: bool| -> Vec<f64> {
        let at = place(measure);
        let samples = block
            .samples
            .iter()
            .filter(|s| stands_out(s) == outstanding);
        samples.filter_map(|sample| sample.values[at]).collect()
    };
    let histogram = |measure: &str| {
        let plot = Histogram::new(axis(measure)).as_shares();
        let plot = plot.group(names[0], values(measure, false));
        let second = values(measure, true);
        match second.is_empty() {
            true => plot,
            false => plot.group(names[1], second),
        }
    };
    let marks = |outstanding: bool| -> Vec<Mark> {
        let samples = block
            .samples
            .iter()
            .filter(|s| stands_out(s) == outstanding);
        let mark = |sample: &OutlierSample| {
            let value = |measure: &str| sample.values[place(measure)].unwrap_or(f64::NAN);
            Mark {
                x: value("fi"),
                y: value("fi_lambda"),
                title: describe(sample, subjects),
            }
        };
        samples.map(mark).collect()
    };
    let mut scatter =
        ScatterChart::new(axis("fi"), axis("fi_lambda")).group(names[0], marks(false));
    if block.samples.iter().any(stands_out) {
        scatter = scatter.group(names[1], marks(true));
    }
    let mut agreement = BarChart::new("Rank correlation with the ranking by FI");
    for (measure, value) in &block.agreement_with_fi {
        agreement = agreement.bar(measure.name, *value);
    }
    let apart = "Bars are shares of their own group, so that the few can be compared with the many. Two humps apart \
                 mean that a threshold separates the groups.";
    section
        .figure(Figure::new("FI", histogram("fi")).how_to_read(apart))
        .figure(Figure::new("FI under a budget", histogram("fi_lambda")).how_to_read(apart))
        .figure(
            Figure::new("FI and FI under a budget", scatter).how_to_read(
                "Each mark is a sample; point at it to see which. FI asks how much an infinitesimal change of any size \
                 could matter, fi_lambda how much one of plausible size does: samples low in the cloud look worse \
                 by FI than a plausible change can make them.",
            ),
        )
        .figure(
            Figure::new("Do the measures agree?", agreement).how_to_read(
                "At 1 a measure ranks the samples exactly as FI does and adds nothing to it; p_label is at 1 where FI \
                 is saturated. At 0 it has nothing to do with FI.",
            ),
        )
}

/// All blocks in one plot and one table: a row per block and measure.
fn all_blocks(report: &OutlierReport) -> Section {
    let mut columns = vec![Column::new("block", Kind::Text, "What is perturbed.")];
    let mut rows = Vec::new();
    for block in &report.blocks {
        let (of_block, found) = block.detection_table();
        if columns.len() == 1 {
            columns.extend(of_block);
        }
        let name = || Value::Text(block.block.to_string());
        rows.extend(
            found
                .into_iter()
                .map(|row| TableRow::new(std::iter::once(name()).chain(row).collect())),
        );
    }
    let table = RankingTable::new("Every measure of every block", columns).rows(rows);
    let mut section = Section::new("All blocks");
    if report.blocks.len() > MOST_BLOCKS {
        section = section.callout(
            Tone::Note,
            format!(
                "Below are the first {MOST_BLOCKS} of {} blocks one by one; name fewer with --wrt to see others.",
                report.blocks.len()
            ),
        );
    }
    let mut chart = ManhattanChart::new(axis("fi_lambda"));
    for block in &report.blocks {
        let at = place("fi_lambda");
        let points = block.samples.iter().map(|sample| {
            let value = sample.values[at].unwrap_or(f64::NAN);
            (value, format!("sample {}", sample.index))
        });
        chart = chart.block(&*block.block, points);
    }
    section.table(table).figure(
        Figure::new("Every sample in every block", chart).wide(report.blocks.len() > 10).how_to_read(
            "A column that stands high is a block that most samples are sensitive to; marks far above their column \
             are samples to look at. Blocks have units of their own: compare the shapes, and heights only between \
             blocks of one kind.",
        ),
    )
}

fn place(measure: &str) -> usize {
    MEASURES.iter().position(|m| m.name == measure).unwrap_or(0)
}

fn saturation(sample: &OutlierSample) -> f64 {
    sample.values[place("saturation")].unwrap_or(0.0)
}

fn disagrees(sample: &OutlierSample) -> bool {
    sample.label.is_some() && sample.label != sample.predicted
}

fn describe(sample: &OutlierSample, subjects: &Subjects<'_>) -> String {
    let mut text = match &sample.key {
        Some(key) => format!("sample {} ({key})", sample.index),
        None => format!("sample {}", sample.index),
    };
    if let (Some(label), Some(predicted)) = (sample.label, sample.predicted) {
        let (label, predicted) = (subjects.class(label), subjects.class(predicted));
        text.push_str(&format!("\nlabel {label}, predicted {predicted}"));
    }
    for measure in ["fi", "fi_lambda", "p_label"] {
        if let Some(value) = sample.values[place(measure)] {
            text.push_str(&format!("\n{measure} {}", typeset(value, 4)));
        }
    }
    text
}
