//! Is a network as sensitive on one set of data as on another? Training against test data, this month's against last
//! month's; and one network against another on the same data.
//!
//! A comparison takes the scores of both sets in one by one, in any order, and ends as plain data: for every measure both
//! distributions, tests of whether they differ, and by how much their quantiles do, over all samples and class by class.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::measure::{MEASURES, Measure};
use crate::outliers::MeasureValues;
use crate::statistics::{
    Bootstrap, KolmogorovSmirnov, MannWhitney, QuantileDifference, Sorted, holm,
    kolmogorov_smirnov, mann_whitney,
};
use crate::table::{Column, Kind, Value};
use crate::{Error, ErrorKind, Score, Summary};

/// The quantiles that are compared.
pub const SHARES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Which of the two sets a score belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first: training data.
    First,
    /// The second: test data.
    Second,
}

impl Side {
    /// The first or the second.
    pub fn name(self) -> &'static str {
        match self {
            Side::First => "first",
            Side::Second => "second",
        }
    }
}

/// A comparison, gathering scores.
#[derive(Debug, Clone)]
pub struct CompareStudy {
    n_classes: usize,
    bootstrap: Bootstrap,
    blocks: Vec<Gathered>,
}

#[derive(Debug, Clone)]
struct Gathered {
    block: Arc<str>,
    sets: [SetScores; 2],
}

/// What is kept of the scores of one set.
#[derive(Debug, Clone)]
pub struct SetScores {
    /// Counts and medians; accuracy.
    pub summary: Summary,
    /// Per sample its class (that of the objective) and its measures, in the order of [`MEASURES`].
    pub samples: Vec<(Option<usize>, MeasureValues)>,
}

/// What came out, block by block.
#[derive(Debug, Clone)]
pub struct CompareReport {
    /// In the order in which blocks were first seen.
    pub blocks: Vec<BlockComparison>,
    /// The blocks of which one set alone has scores, and which one: there is nothing to compare them with.
    pub unmatched: Vec<(Arc<str>, Side)>,
}

/// Both sets when one block was perturbed.
#[derive(Debug, Clone)]
pub struct BlockComparison {
    /// The block's name.
    pub block: Arc<str>,
    /// The first and the second set.
    pub sets: [SetScores; 2],
    /// Over all samples: one entry per measure that has values in both sets.
    pub overall: Vec<MeasureComparison>,
    /// Class by class, for classes that occur in both sets.
    pub classes: Vec<(usize, Vec<MeasureComparison>)>,
}

/// One measure of both sets.
#[derive(Debug, Clone)]
pub struct MeasureComparison {
    /// Which measure.
    pub measure: &'static Measure,
    /// Samples in the first and in the second set.
    pub n: [usize; 2],
    /// Whether the distributions differ in any way.
    pub ks: KolmogorovSmirnov,
    /// Whether the second set has the larger values.
    pub mann_whitney: MannWhitney,
    /// p of `ks` and of `mann_whitney`, each corrected after Holm for all measures: over all samples, or of all classes.
    pub corrected: Corrected,
    /// By how much quantiles differ, at [`SHARES`].
    pub quantiles: Vec<QuantileDifference>,
}

/// p values corrected for the number of tests ([`holm`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corrected {
    /// Of the test of Kolmogorov and Smirnov.
    pub ks: f64,
    /// Of the test of Mann and Whitney.
    pub mann_whitney: f64,
}

impl CompareStudy {
    /// A comparison for a network with `n_classes` outputs.
    pub fn new(n_classes: usize, bootstrap: Bootstrap) -> Self {
        Self {
            n_classes,
            bootstrap,
            blocks: Vec::new(),
        }
    }

    /// Takes a score of one of the sets in.
    pub fn add(&mut self, side: Side, score: &Score) {
        let at = self
            .blocks
            .iter()
            .position(|have| have.block == score.block);
        let at = at.unwrap_or_else(|| {
            let set = || SetScores {
                summary: Summary::new(self.n_classes),
                samples: Vec::new(),
            };
            self.blocks.push(Gathered {
                block: Arc::clone(&score.block),
                sets: [set(), set()],
            });
            self.blocks.len() - 1
        });
        let set = &mut self.blocks[at].sets[match side {
            Side::First => 0,
            Side::Second => 1,
        }];
        set.summary.add(score);
        let values = MEASURES.each_ref().map(|measure| measure.of(score));
        set.samples.push((score.label, values));
    }

    /// The result.
    ///
    /// # Errors
    /// If both sets have scores, and none of the same block.
    pub fn finish(self) -> Result<CompareReport, Error> {
        let bootstrap = self.bootstrap;
        let (both, one) = self.blocks.into_iter().partition::<Vec<_>, _>(|gathered| {
            let mut sets = gathered.sets.iter();
            sets.all(|set| !set.samples.is_empty())
        });
        let unmatched: Vec<(Arc<str>, Side)> = one
            .into_iter()
            .map(
                |Gathered { block, sets }| match sets[0].samples.is_empty() {
                    true => (block, Side::Second),
                    false => (block, Side::First),
                },
            )
            .collect();
        if let (true, Some((block, side))) = (both.is_empty(), unmatched.first()) {
            let set = side.name();
            let message = format!("no block is in both sets: {block} is in the {set} alone");
            return Err(Error::new(ErrorKind::Option, message));
        }
        let blocks = both.into_iter();
        let blocks = blocks.map(|Gathered { block, sets }| {
            let classes = |set: &SetScores| -> BTreeSet<usize> {
                set.samples.iter().filter_map(|(class, _)| *class).collect()
            };
            let both: Vec<usize> = classes(&sets[0])
                .intersection(&classes(&sets[1]))
                .copied()
                .collect();
            let mut overall = compared(&sets, None, &bootstrap);
            correct(overall.iter_mut());
            let mut classes: Vec<(usize, Vec<MeasureComparison>)> = both
                .into_iter()
                .map(|class| (class, compared(&sets, Some(class), &bootstrap)))
                .collect();
            correct(classes.iter_mut().flat_map(|(_, of)| of));
            BlockComparison {
                overall,
                classes,
                block,
                sets,
            }
        });
        Ok(CompareReport {
            blocks: blocks.collect(),
            unmatched,
        })
    }
}

fn compared(
    sets: &[SetScores; 2],
    class: Option<usize>,
    bootstrap: &Bootstrap,
) -> Vec<MeasureComparison> {
    let measures = MEASURES.iter().enumerate();
    let compared = measures.filter_map(|(at, measure)| {
        let [first, second] = sets
            .each_ref()
            .map(|set| Sorted::new(set.values(at, class)));
        let ks = kolmogorov_smirnov(&first, &second)?;
        let mann_whitney = mann_whitney(&first, &second)?;
        Some(MeasureComparison {
            measure,
            n: [first.len(), second.len()],
            ks,
            mann_whitney,
            corrected: Corrected {
                ks: ks.p_value,
                mann_whitney: mann_whitney.p_value,
            },
            quantiles: bootstrap.quantile_differences(&first, &second, &SHARES),
        })
    });
    compared.collect()
}

/// Corrects the p values of one family of comparisons.
fn correct<'a>(family: impl Iterator<Item = &'a mut MeasureComparison>) {
    let family: Vec<&mut MeasureComparison> = family.collect();
    let of = |p: fn(&MeasureComparison) -> f64| -> Vec<f64> {
        holm(
            &family
                .iter()
                .map(|compared| p(compared))
                .collect::<Vec<f64>>(),
        )
    };
    let ks = of(|compared| compared.ks.p_value);
    let mann_whitney = of(|compared| compared.mann_whitney.p_value);
    for (compared, (ks, mann_whitney)) in family.into_iter().zip(ks.into_iter().zip(mann_whitney)) {
        compared.corrected = Corrected { ks, mann_whitney };
    }
}

impl SetScores {
    /// The values of the measure at a place in [`MEASURES`], of all samples or of those of one class.
    pub fn values(&self, measure: usize, class: Option<usize>) -> Vec<f64> {
        let is_in = |of: Option<usize>| class.is_none() || of == class;
        let samples = self.samples.iter().filter(|(of, _)| is_in(*of));
        samples.filter_map(|(_, values)| values[measure]).collect()
    }
}

impl MeasureComparison {
    /// The medians.
    pub fn median(&self) -> Option<&QuantileDifference> {
        self.quantiles.iter().find(|quantile| quantile.share == 0.5)
    }
}

/// The columns of [`BlockComparison::rows`].
pub fn columns() -> Vec<Column> {
    let float = |name: &str, doc: &str| Column::new(name, Kind::Float, doc);
    let mut columns = vec![
        Column::new("block", Kind::Text, "What is perturbed."),
        Column::new(
            "class",
            Kind::Int,
            "Class of the objective; empty for all samples together.",
        ),
        Column::new("measure", Kind::Text, "What is compared."),
        Column::new("n_first", Kind::Int, "Samples of the first set (train)."),
        Column::new("n_second", Kind::Int, "Samples of the second set (test)."),
        float(
            "superiority",
            "Probability that a value of the second set is larger than one of the first, ties counting half; 0.5 is no difference (Mann & Whitney).",
        ),
        float(
            "p_mann_whitney",
            "Two-sided p of that, with corrections for ties and continuity; of this test alone.",
        ),
        float(
            "p_mann_whitney_holm",
            "The same, corrected for the number of tests (Holm): all measures over all samples are one family, all measures of all classes another.",
        ),
        float(
            "ks",
            "Largest distance of the distribution functions (Kolmogorov & Smirnov).",
        ),
        float("ks_location", "The value at which they are that far apart."),
        float(
            "p_ks",
            "Two-sided p of that: exact, given the ties, where the product of sizes is at most a million; else the limit for large sets. Of this test alone.",
        ),
        float(
            "p_ks_holm",
            "The same, corrected for the number of tests as p_mann_whitney_holm is.",
        ),
    ];
    for share in SHARES {
        let name = format!("q{:.0}", 100.0 * share);
        columns.extend([
            Column::new(
                format!("{name}_first"),
                Kind::Float,
                format!("{share} quantile of the first set."),
            ),
            Column::new(
                format!("{name}_second"),
                Kind::Float,
                format!("{share} quantile of the second set."),
            ),
            Column::new(
                format!("{name}_difference"),
                Kind::Float,
                "Second less first.".to_owned(),
            ),
            Column::new(
                format!("{name}_low"),
                Kind::Float,
                "Lower end of the difference's bootstrap interval.".to_owned(),
            ),
            Column::new(
                format!("{name}_high"),
                Kind::Float,
                "Upper end of it.".to_owned(),
            ),
        ]);
    }
    columns
}

impl BlockComparison {
    /// Every comparison as a row: all samples first, then class by class.
    pub fn rows(&self) -> Vec<Vec<Value>> {
        let all = self.overall.iter().map(|compared| (None, compared));
        let classes = self.classes.iter();
        let classes =
            classes.flat_map(|(class, of)| of.iter().map(|compared| (Some(*class), compared)));
        all.chain(classes)
            .map(|(class, compared)| self.row(class, compared))
            .collect()
    }

    fn row(&self, class: Option<usize>, compared: &MeasureComparison) -> Vec<Value> {
        let int = |number: usize| Value::Int(number as i64);
        let mut row = vec![
            Value::Text(self.block.to_string()),
            class.map_or(Value::Null, int),
            compared.measure.name.into(),
            int(compared.n[0]),
            int(compared.n[1]),
            compared.mann_whitney.superiority.into(),
            compared.mann_whitney.p_value.into(),
            compared.corrected.mann_whitney.into(),
            compared.ks.statistic.into(),
            compared.ks.location.into(),
            compared.ks.p_value.into(),
            compared.corrected.ks.into(),
        ];
        for quantile in &compared.quantiles {
            let QuantileDifference {
                first,
                second,
                difference,
                interval,
                ..
            } = *quantile;
            row.extend([first, second, difference, interval.0, interval.1].map(Value::Float));
        }
        row
    }
}
