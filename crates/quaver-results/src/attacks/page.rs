//! The report.

use quaver::attack::Curve;
use quaver::{AttackSummary, Bounds};
use quaver_report::{
    Axis, Figure, LineChart, Page, RankingTable, ReportError, RunRecord, Section, TableRow, Tone,
};

use super::examples::Examples;
use super::summary::{attack_table, info, remarks};
use crate::named;

/// The page about attacks within `bounds`, on the network and the data that the record names.
///
/// # Errors
/// If a picture cannot be encoded.
pub fn build(
    bounds: Bounds,
    summary: &AttackSummary,
    examples: &Examples,
    record: RunRecord,
) -> Result<Page, ReportError> {
    let (n, correct) = (summary.n_samples(), summary.n_correct());
    let (network, data) = named(&record);
    let mut page = Page::new(format!("Robustness of {network}"))
        .lead(format!(
            "How little it takes to make {network} classify samples of {data} otherwise. {correct} of {n} samples are \
             classified as their label says, and were attacked. No perturbed sample leaves the range of the data, {} to \
             {}; radii and norms are shares of that range.",
            bounds.low, bounds.high
        ))
        .section(rates(summary))
        .section(budgets(summary));
    let pictures = examples.figures()?;
    if !pictures.is_empty() {
        let section = Section::new("What the attacks did").paragraph(
            "For each of the first samples on which an attack succeeded: the sample, then for each attack that did on the \
             left what it changed (grey where nothing, black and white for the largest change), on the right what came \
             of it, and as what it is classified.",
        );
        page = page.section(pictures.into_iter().fold(section, Section::figure));
    }
    Ok(page.record(record))
}

fn rates(summary: &AttackSummary) -> Section {
    let (columns, rows) = attack_table(summary);
    let table = RankingTable::new("Attacks", columns).rows(rows.into_iter().map(TableRow::new));
    let remarks = remarks(summary);
    let section = Section::new("How often do attacks succeed?").table(table);
    let section = match remarks.is_empty() {
        true => section,
        false => section.list(remarks),
    };
    section.callout(
        Tone::Note,
        "A success rate is what these attacks found, a lower bound on what there is to find: robustness to them is \
         no proof of robustness.",
    )
}

fn budgets(summary: &AttackSummary) -> Section {
    let section = Section::new("What does success cost?");
    if summary.rates().all(|rate| rate.successes == 0) {
        return section.paragraph("No attack succeeded on any sample.");
    }
    let mut section = section.paragraph(
        "At each budget, the share of samples for which the attack succeeded without spending more. The further up and to \
         the left a line runs, the stronger the attack, or the weaker the network. Where there are few budgets, such as the \
         radii that were asked for, each is marked.",
    );
    for curve in Curve::ALL {
        let of_this = |name: &str| {
            curve == Curve::Queries || info(name).is_some_and(|attack| attack.budget == curve)
        };
        let mut chart = LineChart::new(
            axis(curve),
            Axis::linear("Share of attacked samples flipped").spanning(0.0, 1.0),
        );
        let curves = summary.curves(curve).into_iter();
        let curves: Vec<_> = curves.filter(|(name, _)| of_this(name)).collect();
        let budgets = || {
            curves
                .iter()
                .flat_map(|(_, points)| points)
                .map(|point| point.0)
        };
        let last = budgets().fold(f64::NEG_INFINITY, f64::max);
        let first = match curve {
            Curve::Queries => budgets().fold(last, f64::min),
            _ => 0.0,
        };
        // Beyond the last step lines go on for a little: nothing was lost there, and a single radius is no wall.
        let end = match curve {
            Curve::Queries => last,
            _ => 1.1 * last,
        };
        for (name, points) in &curves {
            chart = chart
                .series(*name, steps(points, first, end))
                .stairs()
                .marked(stairs(points, last));
        }
        if last.is_finite() {
            let title = format!("Success within a budget of {}", budget(curve));
            section = section.figure(Figure::new(title, chart));
        }
    }
    section
}

fn axis(curve: Curve) -> Axis {
    match curve {
        Curve::Queries => Axis::log(label(curve)),
        _ => Axis::linear(label(curve)),
    }
}

/// What a budget is of, in a title.
fn budget(curve: Curve) -> &'static str {
    match curve {
        Curve::Linf => "L∞ norm",
        Curve::L2 => "L2 norm",
        Curve::Pixels | Curve::Queries => label(curve),
    }
}

fn label(curve: Curve) -> &'static str {
    match curve {
        Curve::Linf => "L∞ norm (share of the range)",
        Curve::L2 => "L2 norm (share of the range)",
        Curve::Pixels => "pixels changed",
        Curve::Queries => "forward passes",
    }
}

/// The top of each step, where there are few: budgets that differ by less than can be seen are one.
fn stairs(points: &[(f64, f64)], last: f64) -> Vec<(f64, f64)> {
    const MOST: usize = 8;
    let tops: Vec<(f64, f64)> = points
        .chunk_by(|a, b| b.0 - a.0 < 0.01 * last)
        .filter_map(<[_]>::last)
        .copied()
        .collect();
    match tops.len() <= MOST {
        true => tops,
        false => Vec::new(),
    }
}

/// A staircase through the points, from `first` to `last`: between two budgets nothing is gained.
fn steps(points: &[(f64, f64)], first: f64, last: f64) -> Vec<(f64, f64)> {
    let mut stairs = vec![(first, 0.0)];
    let mut height = 0.0;
    for &(budget, share) in points {
        stairs.extend([(budget, height), (budget, share)]);
        height = share;
    }
    stairs.push((last, height));
    stairs
}
