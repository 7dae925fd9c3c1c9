//! The demo's report.

use quaver::Score;
use quaver::demo::{CLASS_NAMES, Glyph, SIDE};
use quaver::table::{Column, Kind};
use quaver_report::{
    Axis, Figure, LineChart, Order, Page, Pixels, RankingTable, ReportError, Section, TableRow,
    Thumbnail, Tone,
};

use super::{Outcome, truth};

/// Rows of the ranking on the page: nearly twice the planted outliers, of which a good measure puts most on top.
const RANKED: usize = 300;

pub fn build(outcome: &Outcome) -> Result<Page, ReportError> {
    let n = outcome.study.scores.len();
    let planted = outcome.n_planted();
    Ok(Page::new("Which training pictures does the network find suspicious?")
        .lead(format!(
            "A small convolutional network was trained on {n} drawn glyphs. In {planted} of them something is wrong: \
             the label, or a second glyph laid over the first. Nobody told the network. The influence measure FI \
             (Shu & Zhu, AAAI-19) says how strongly its loss reacts to a change of the picture, and ranks them."
        ))
        .section(detection(outcome))
        .section(ceiling(outcome))
        .section(ranking(outcome)?)
        .record(outcome.record.clone()))
}

fn detection(outcome: &Outcome) -> Section {
    let mut facts = Vec::new();
    for (name, found) in &outcome.detections {
        facts.push((format!("ROC-AUC, {name}"), format!("{:.3}", found.roc.auc)));
        let area = found.precision_recall.auc;
        facts.push((format!("PR-AUC, {name}"), format!("{area:.3}")));
    }
    let share = outcome.n_planted() as f64 / outcome.study.scores.len() as f64;
    let mut roc = LineChart::new(
        Axis::linear("share of clean pictures ranked as high (false positives)").spanning(0.0, 1.0),
        Axis::linear("share of outliers found").spanning(0.0, 1.0),
    );
    let mut precision = LineChart::new(
        Axis::linear("share of outliers found (recall)").spanning(0.0, 1.0),
        Axis::linear("share of outliers in what is retrieved (precision)").spanning(0.0, 1.0),
    );
    // Two lines are a comparison; the third measure's area is among the facts and in the file.
    for (name, found) in outcome.detections.iter().take(2) {
        roc = roc.series(*name, found.roc.points.clone());
        precision = precision.series(*name, found.precision_recall.points.clone());
    }
    roc = roc.reference("chance", vec![(0.0, 0.0), (1.0, 1.0)]);
    precision = precision.reference("chance", vec![(0.0, share), (1.0, share)]);
    Section::new("Does the ranking find the outliers?")
        .facts(facts)
        .figure(
            Figure::new("Receiver operating characteristic", roc).how_to_read(
                "The closer a line comes to the upper left corner, the fewer clean pictures have to be looked at \
                 before the outliers are found. The dotted line is a ranking by chance.",
            ),
        )
        .figure(
            Figure::new("Precision and recall", precision).how_to_read(
                "With few outliers among many pictures this is the sterner test: of the pictures ranked highest, \
                 how many are outliers? Between measured points the interpolation of Davis & Goadrich is used.",
            ),
        )
}

fn ceiling(outcome: &Outcome) -> Section {
    let summary = &outcome.summary;
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
    };
    let tone = match summary.saturated_share() {
        Some(share) if share > 0.0 => Tone::Caution,
        _ => Tone::Good,
    };
    Section::new("What FI can and cannot tell here")
        .callout(tone, summary.verdict())
        .facts([
            (
                "Network agrees with the label",
                percent(summary.accuracy()),
            ),
            ("FI at its ceiling", percent(summary.saturated_share())),
            (
                "Output moves in all K − 1 directions",
                percent(summary.full_rank_share()),
            ),
        ])
        .paragraph(
            "FI has a ceiling, (1 − p) / p for the probability p of the label, and a block as large as a whole \
             picture reaches it. A saturated FI is a good outlier score, because an outlier is a picture whose \
             label the network does not believe; but it is then no more than that disbelief. fi_lambda allows \
             only perturbations of a plausible size and does not saturate.",
        )
}

fn ranking(outcome: &Outcome) -> Result<Section, ReportError> {
    let columns = vec![
        Column::new("index", Kind::Int, "Position of the picture in the data."),
        Column::new("label", Kind::Text, "The glyph that the data claim it is."),
        Column::new("predicted", Kind::Text, "The glyph that the network sees."),
        Column::new("truth", Kind::Text, "What was done to the picture."),
        Column::new("p_label", Kind::Float, "Probability of the label."),
        Column::new("fi", Kind::Float, "Influence measure FI of -log p_label."),
        Column::new(
            "rank",
            Kind::Int,
            "Directions in which the output moves; at most 9.",
        ),
        Column::new("fi_max", Kind::Float, "Ceiling of FI, (1 - p) / p."),
        Column::new("saturation", Kind::Float, "FI / FI_max."),
        Column::new(
            "fi_lambda",
            Kind::Float,
            "FI under a budget; does not saturate.",
        ),
        Column::new(
            "grad_norm",
            Kind::Float,
            "Norm of the gradient of the loss.",
        ),
    ];
    let mut scores: Vec<&Score> = outcome.study.scores.iter().collect();
    scores.sort_by(|a, b| b.measures.fi.total_cmp(&a.measures.fi));
    let mut table = RankingTable::new("The most influential pictures", columns)
        .limit(RANKED)
        .ordered_by("fi", Order::Descending);
    let n = scores.len();
    for score in scores.into_iter().take(RANKED) {
        table.push(row(score, &outcome.study.set.glyphs()[score.index])?);
    }
    Ok(Section::new("The most influential pictures")
        .paragraph(
            "Sorted by FI. Click a column to sort by it, or type to filter: “overlaid” leaves the pictures with \
             two glyphs.",
        )
        .table(table.all_in(n, "demo.csv")))
}

fn row(score: &Score, glyph: &Glyph) -> Result<TableRow, ReportError> {
    let measures = &score.measures;
    let name = |class: Option<usize>| class.map_or("", |class| CLASS_NAMES[class]);
    let (label, predicted) = (name(score.label), name(score.predicted));
    let alt = format!("picture {}, said to be {label}", score.index);
    let picture = Thumbnail::new(SIDE, SIDE, Pixels::Gray(&glyph.pixels), alt)?;
    Ok(TableRow::new(vec![
        (score.index as i64).into(),
        label.into(),
        predicted.into(),
        truth(&glyph.origin).into(),
        score.p_label.into(),
        measures.fi.into(),
        (measures.rank as i64).into(),
        measures.fi_max.into(),
        measures.saturation.into(),
        measures.fi_lambda.into(),
        measures.grad_norm.into(),
    ])
    .picture(picture))
}
