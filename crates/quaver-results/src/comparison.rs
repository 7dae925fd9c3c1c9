//! The page of a comparison: two sets under one network or several.

use quaver::compare::{BlockComparison, MeasureComparison};
use quaver::table::{Column, Kind, Value};
use quaver::{MEASURES, Measure};
use quaver_report::{
    BoxPlot, EcdfChart, Figure, GroupedBarChart, Histogram, Interval, Order, Page, RankingTable,
    Section, TableRow,
};

use super::{axis, class_name, grouped, name_classes, percent, verdict};

/// What the sets are called.
const SETS: [&str; 2] = ["train", "test"];

/// Measures whose distributions are drawn.
const DRAWN: [&str; 4] = ["fi_lambda", "fi", "grad_norm", "margin_radius"];

/// One block under one network.
pub struct Compared<'a> {
    /// What the network is called.
    pub model: &'a str,
    /// What was found.
    pub block: &'a BlockComparison,
}

/// Every comparison as a row: the network, then the columns of [`quaver::compare::columns`].
pub fn compared_table(compared: &[Compared<'_>]) -> (Vec<Column>, Vec<Vec<Value>>) {
    let model = Column::new("model", Kind::Text, "The network.");
    let columns = std::iter::once(model).chain(quaver::compare::columns());
    let rows = compared.iter().flat_map(|one| {
        let with_model = |row: Vec<Value>| std::iter::once(one.model.into()).chain(row).collect();
        one.block.rows().into_iter().map(with_model)
    });
    (columns.collect(), rows.collect())
}

/// The page about a comparison of these two sets under these networks, without its sections.
pub fn comparison_page(networks: &[&str], sets: [&str; 2]) -> Page {
    Page::new(sets.join(" against ")).lead(format!(
        "How easily the decisions of {} are moved, on training data and on test data: where both distributions agree, the \
         network is as sure of what it has not seen as of what it has learnt from.",
        networks.join(", ")
    ))
}

/// The sections of a page about comparisons.
pub fn comparison(compared: &[Compared<'_>], class_names: Option<&[String]>) -> Vec<Section> {
    let mut sections = vec![overview(compared)];
    for one in compared {
        let name = match compared.len() {
            1 => String::new(),
            _ => format!("{}, {}: ", one.model, one.block.block),
        };
        sections.push(distributions(&name, one.block));
        if !one.block.classes.is_empty() {
            sections.push(classes(&name, one.block, class_names));
        }
        sections.push(numbers(&name, one.block, class_names));
    }
    sections
}

fn overview(compared: &[Compared<'_>]) -> Section {
    let (columns, rows) = overview_table(compared);
    let table = RankingTable::new("Accuracy beside sensitivity", columns)
        .rows(rows.into_iter().map(TableRow::new));
    let mut section = Section::new("At a glance");
    if let [one] = compared {
        let sets = &one.block.sets;
        let mut facts = vec![("Network".to_owned(), one.model.to_owned())];
        for (name, set) in SETS.iter().zip(sets) {
            facts.push((format!("Samples, {name}"), grouped(set.summary.n_samples())));
            facts.push((format!("Accuracy, {name}"), percent(set.summary.accuracy())));
        }
        section = verdict(section.facts(facts), &sets[1].summary);
    }
    section = section.table(table);
    if compared.len() < 2 {
        return section;
    }
    let mut accuracy = GroupedBarChart::new("Accuracy (%)", SETS);
    let mut median = GroupedBarChart::new("Median fi_lambda", SETS).logarithmic();
    for one in compared {
        let name = format!("{}, {}", one.model, one.block.block);
        let bars = one.block.sets.each_ref().map(|set| {
            let share = set.summary.accuracy();
            share.map(|share| Interval::point(100.0 * share))
        });
        accuracy = accuracy.group(&*name, bars);
        median = median.group(name, medians(&one.block.overall, "fi_lambda"));
    }
    section
        .figure(Figure::new("Accuracy", accuracy).how_to_read(
            "A network that is as good on test data as on training data has bars of equal length.",
        ))
        .figure(Figure::new("Sensitivity", median).how_to_read(
            "A mark further left is a network that a plausible change of the input moves less. The thin line is the \
             interval of the median. Compare networks that are fed the same values only: fi_lambda has their unit.",
        ))
}

/// A row per model and block: accuracy and medians of both sets.
pub fn overview_table(compared: &[Compared<'_>]) -> (Vec<Column>, Vec<Vec<Value>>) {
    let mut columns = vec![
        Column::new("model", Kind::Text, "The network."),
        Column::new("block", Kind::Text, "What is perturbed."),
        Column::new(
            "accuracy_train",
            Kind::Float,
            "Share of labelled samples classified as their label says, first set.",
        ),
        Column::new("accuracy_test", Kind::Float, "The same, second set."),
        Column::new(
            "saturated_test",
            Kind::Float,
            "Share of the second set whose FI is at its ceiling: there FI depends on the probability alone.",
        ),
    ];
    for measure in DRAWN {
        columns.extend([
            Column::new(
                format!("{measure}_train"),
                Kind::Float,
                format!("Median of {measure}, first set."),
            ),
            Column::new(
                format!("{measure}_test"),
                Kind::Float,
                format!("Median of {measure}, second set."),
            ),
            Column::new(
                format!("{measure}_superiority"),
                Kind::Float,
                format!(
                    "Probability that {measure} is larger in the second set; 0.5 is no difference."
                ),
            ),
        ]);
    }
    let row = |one: &Compared<'_>| {
        let [first, second] = &one.block.sets;
        let mut row: Vec<Value> = vec![
            one.model.into(),
            Value::Text(one.block.block.to_string()),
            first.summary.accuracy().into(),
            second.summary.accuracy().into(),
            second.summary.saturated_share().into(),
        ];
        for name in DRAWN {
            let found = find(&one.block.overall, name);
            let median = found.and_then(MeasureComparison::median);
            row.push(median.map(|q| q.first).into());
            row.push(median.map(|q| q.second).into());
            row.push(found.map(|c| c.mann_whitney.superiority).into());
        }
        row
    };
    (columns, compared.iter().map(row).collect())
}

fn distributions(name: &str, block: &BlockComparison) -> Section {
    let mut section = Section::new(format!("{name}Distributions"));
    for measure in DRAWN {
        let Some(found) = find(&block.overall, measure) else {
            continue;
        };
        let values = block
            .sets
            .each_ref()
            .map(|set| set.values(place(measure), None));
        let [first, second] = values;
        let histogram = Histogram::new(axis(measure))
            .as_shares()
            .group(SETS[0], first.clone())
            .group(SETS[1], second.clone());
        let ecdf = EcdfChart::new(axis(measure))
            .group(SETS[0], first)
            .group(SETS[1], second)
            .gap();
        section = section
            .figure(Figure::new(format!("{measure}: how often"), histogram).how_to_read(
                "Bars are shares of their own set, so that sets of different size compare.",
            ))
            .figure(
                Figure::new(format!("{measure}: distribution functions"), ecdf)
                    .caption(in_words(found))
                    .how_to_read(
                        "A curve further right is a set with larger values. The upright line is where the curves lie \
                         furthest apart.",
                    ),
            );
    }
    section
}

/// The tests' results in words.
fn in_words(found: &MeasureComparison) -> String {
    let (ks, rank_sum) = (&found.ks, &found.mann_whitney);
    format!(
        "A test sample has the larger value with probability {:.3} (Mann–Whitney p {}, corrected {}); the curves come \
         {:.3} apart (Kolmogorov–Smirnov p {}{}, corrected {}).",
        rank_sum.superiority,
        p_value(rank_sum.p_value),
        p_value(found.corrected.mann_whitney),
        ks.statistic,
        p_value(ks.p_value),
        if ks.is_exact { ", exact" } else { "" },
        p_value(found.corrected.ks),
    )
}

fn p_value(p: f64) -> String {
    match p {
        p if p < 1e-16 => "< 1e-16".to_owned(),
        p if p < 0.001 => format!("= {p:.1e}"),
        p => format!("= {p:.3}"),
    }
}

fn classes(name: &str, block: &BlockComparison, names: Option<&[String]>) -> Section {
    let mut boxes = BoxPlot::new(axis("fi_lambda"), SETS);
    let mut bars = GroupedBarChart::new("Median fi_lambda", SETS).logarithmic();
    for (class, compared) in &block.classes {
        let class_name = class_name(names, *class);
        let values = block.sets.each_ref();
        let values = values.map(|set| set.values(place("fi_lambda"), Some(*class)));
        boxes = boxes.group(&*class_name, values);
        bars = bars.group(class_name, medians(compared, "fi_lambda"));
    }
    Section::new(format!("{name}Class by class"))
        .figure(Figure::new("fi_lambda by class", boxes).how_to_read(
            "The box holds the middle half of a class, the whiskers 90 % of it, the thick line is the median.",
        ))
        .figure(Figure::new("Medians by class", bars).how_to_read(
            "The thin line is the interval of the median. Intervals that do not overlap are a difference that is \
             hardly chance.",
        ))
}

fn numbers(name: &str, block: &BlockComparison, names: Option<&[String]>) -> Section {
    let (mut columns, mut rows) = (quaver::compare::columns(), block.rows());
    name_classes(&mut columns, &mut rows, &["class"], names);
    let table =
        RankingTable::new("All comparisons", columns).rows(rows.into_iter().map(TableRow::new));
    // In the order of their numbers, which is not that of their names.
    let table = match names {
        Some(_) => table,
        None => table.ordered_by("class", Order::Ascending),
    };
    Section::new(format!("{name}All numbers"))
        .paragraph(
            "Over all samples first, then class by class. With many rows some p values are small by chance: those called \
             holm are corrected for it, the measures over all samples as one family of tests and those of all classes \
             as another.",
        )
        .table(table)
}

fn place(measure: &str) -> usize {
    MEASURES
        .iter()
        .position(|m: &Measure| m.name == measure)
        .unwrap_or(0)
}

fn find<'a>(compared: &'a [MeasureComparison], name: &str) -> Option<&'a MeasureComparison> {
    compared.iter().find(|c| c.measure.name == name)
}

/// The medians of both sets with their intervals.
fn medians(compared: &[MeasureComparison], name: &str) -> [Option<Interval>; 2] {
    let median = find(compared, name).and_then(MeasureComparison::median);
    let interval = |value: f64, (low, high): (f64, f64)| Interval { low, value, high };
    [
        median.map(|q| interval(q.first, q.first_interval)),
        median.map(|q| interval(q.second, q.second_interval)),
    ]
}
