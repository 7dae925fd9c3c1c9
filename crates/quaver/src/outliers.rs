//! Which samples are unlike what the network learnt, and which measure says so.
//!
//! A study takes scores in one by one, from a network's run or from a store alike, and ends as plain data: every sample
//! with its measures, and, where it is known which samples are outliers, how well each measure finds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use quaver_data::Dataset;

use crate::curves::{CurveError, Detection};
use crate::measure::{MEASURES, Measure, Suspicious};
use crate::statistics::rank_correlation;
use crate::table::{Column, Kind, Value};
use crate::{Error, ErrorKind, Score, Summary};

/// Reads which samples are outliers from data whose labels say it: 1 for an outlier, 0 for any other.
///
/// # Errors
/// Names the first sample that is neither.
pub fn truth(data: &dyn Dataset) -> Result<Vec<bool>, Error> {
    let said = |index: usize| match data.label(index)? {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        other => {
            let other = other.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
            let message = format!("the truth about sample {index} is {other}, and must be 0 or 1");
            Err(Error::new(ErrorKind::Data, message))
        }
    };
    (0..data.len()).map(said).collect()
}

/// One number per measure, in the order of [`MEASURES`].
pub type MeasureValues = [Option<f64>; MEASURES.len()];

/// A study of outliers, gathering scores.
#[derive(Debug, Clone)]
pub struct OutlierStudy {
    n_classes: usize,
    truth: Option<Vec<bool>>,
    blocks: Vec<OutlierBlock>,
}

/// What a study found.
#[derive(Debug, Clone)]
pub struct OutlierReport {
    /// Block by block, in the order in which blocks were first seen.
    pub blocks: Vec<OutlierBlock>,
}

/// What a study found when one block was perturbed.
#[derive(Debug, Clone)]
pub struct OutlierBlock {
    /// The block's name.
    pub block: Arc<str>,
    /// Its samples, in the order in which they came.
    pub samples: Vec<OutlierSample>,
    /// What they say together.
    pub summary: Summary,
    /// Where the outliers are known: for each measure that has a value for every sample, how well it finds them.
    pub detections: Vec<(&'static Measure, Detection)>,
    /// Spearman's rank correlation of the suspicion by each measure with that by FI: at 1 it ranks as FI does.
    pub agreement_with_fi: Vec<(&'static Measure, f64)>,
    has: Has,
}

/// What at least one sample of a block has: known once, for a table asks row by row.
#[derive(Debug, Clone, Copy, Default)]
struct Has {
    key: bool,
    values: [bool; MEASURES.len()],
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierSample {
    /// Its position in the data as they are on disk.
    pub index: usize,
    /// Its name, where the data have names.
    pub key: Option<String>,
    /// The class that the data claim.
    pub label: Option<usize>,
    /// The most probable class.
    pub predicted: Option<usize>,
    /// The probability of `predicted`.
    pub p_predicted: Option<f64>,
    /// Directions in which the output moves.
    pub rank: usize,
    /// The ceiling of FI.
    pub fi_max: f64,
    /// The measures.
    pub values: MeasureValues,
    /// Whether it is an outlier, where that is known.
    pub is_outlier: Option<bool>,
}

const NO_OUTLIER: &str = "none of the scored samples is an outlier";
const ALL_OUTLIERS: &str = "all of the scored samples are outliers";

impl OutlierStudy {
    /// A study of samples of a network with `n_classes` outputs. `truth` says of every sample of the data as they are on
    /// disk whether it is an outlier, if that is known.
    pub fn new(n_classes: usize, truth: Option<Vec<bool>>) -> Self {
        Self {
            n_classes,
            truth,
            blocks: Vec::new(),
        }
    }

    /// Takes a score in.
    ///
    /// # Errors
    /// If the truth does not reach as far as the sample.
    pub fn add(&mut self, score: &Score) -> Result<(), Error> {
        let index = score.index;
        let is_outlier = match &self.truth {
            None => None,
            Some(truth) => Some(*truth.get(index).ok_or_else(|| {
                let n = truth.len();
                let message = format!("the truth is known of {n} samples, not of sample {index}");
                Error::new(ErrorKind::Data, message)
            })?),
        };
        let at = self
            .blocks
            .iter()
            .position(|block| block.block == score.block);
        let at = at.unwrap_or_else(|| {
            self.blocks.push(OutlierBlock {
                block: Arc::clone(&score.block),
                samples: Vec::new(),
                summary: Summary::new(self.n_classes),
                detections: Vec::new(),
                agreement_with_fi: Vec::new(),
                has: Has::default(),
            });
            self.blocks.len() - 1
        });
        let block = &mut self.blocks[at];
        block.summary.add(score);
        let values = MEASURES.each_ref().map(|measure| measure.of(score));
        block.has.key |= score.key.is_some();
        for (has, value) in block.has.values.iter_mut().zip(&values) {
            *has |= value.is_some();
        }
        block.samples.push(OutlierSample {
            index,
            key: score.key.clone(),
            label: score.label,
            predicted: score.predicted,
            p_predicted: score.p_predicted,
            rank: score.measures.rank,
            fi_max: score.measures.fi_max,
            values,
            is_outlier,
        });
        Ok(())
    }

    /// Forgets which samples are outliers if all of those taken in are or none is, which [`OutlierStudy::finish`] refuses; and
    /// says why.
    pub fn forget_useless_truth(&mut self) -> Option<&'static str> {
        let samples = || self.blocks.iter().flat_map(|block| &block.samples);
        let has = |wanted: bool| samples().any(|sample| sample.is_outlier == Some(wanted));
        let why = match (has(true), has(false)) {
            (false, true) => NO_OUTLIER,
            (true, false) => ALL_OUTLIERS,
            _ => return None,
        };
        let blocks = self.blocks.iter_mut();
        for sample in blocks.flat_map(|block| &mut block.samples) {
            sample.is_outlier = None;
        }
        Some(why)
    }

    /// The result.
    ///
    /// # Errors
    /// If it is said which samples are outliers, and all are or none is.
    pub fn finish(mut self) -> Result<OutlierReport, Error> {
        for block in &mut self.blocks {
            block.conclude()?;
        }
        Ok(OutlierReport {
            blocks: self.blocks,
        })
    }
}

impl OutlierBlock {
    fn conclude(&mut self) -> Result<(), Error> {
        let truth: Option<Vec<bool>> = self.samples.iter().map(|s| s.is_outlier).collect();
        let suspicions: Vec<(&'static Measure, Vec<f64>)> = (0..MEASURES.len())
            .filter_map(|at| Some((&MEASURES[at], self.suspicion(at)?)))
            .collect();
        for (measure, suspicion) in &suspicions {
            if let Some(agreement) = rank_correlation(&suspicions[0].1, suspicion) {
                self.agreement_with_fi.push((measure, agreement));
            }
            if let Some(truth) = &truth {
                let detection = Detection::new(suspicion, truth).map_err(|error| {
                    let why = match error {
                        CurveError::NoPositive => NO_OUTLIER,
                        CurveError::NoNegative => ALL_OUTLIERS,
                        _ => return Error::new(ErrorKind::Data, error.to_string()),
                    };
                    Error::new(ErrorKind::Data, format!("{why}: there is nothing to find"))
                })?;
                self.detections.push((measure, detection));
            }
        }
        Ok(())
    }

    /// How suspicious every sample is by the measure at a place in [`MEASURES`]; `None` if a sample has no value.
    fn suspicion(&self, at: usize) -> Option<Vec<f64>> {
        let value = |sample: &OutlierSample| sample.values[at].map(|v| MEASURES[at].suspicion(v));
        self.samples.iter().map(value).collect()
    }

    /// How many of the samples are known to be outliers; `None` where nothing is known.
    pub fn n_outliers(&self) -> Option<usize> {
        let known: Option<Vec<bool>> = self.samples.iter().map(|s| s.is_outlier).collect();
        known.map(|known| known.iter().filter(|is| **is).count())
    }

    /// The positions in `samples` of the most suspicious by a measure (a name of [`MEASURES`]), the first first; equals in
    /// the order of the data. Samples without a value come last.
    pub fn ranked_by(&self, measure: &str) -> Vec<usize> {
        let at = MEASURES.iter().position(|m| m.name == measure).unwrap_or(0);
        let suspicion =
            |index: usize| self.samples[index].values[at].map(|v| MEASURES[at].suspicion(v));
        let mut order: Vec<usize> = (0..self.samples.len()).collect();
        order.sort_by(|a, b| match (suspicion(*a), suspicion(*b)) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        order
    }

    /// The places in [`MEASURES`] of those that have a column.
    fn columns_of(&self) -> impl Iterator<Item = usize> + '_ {
        (0..MEASURES.len()).filter(|&at| !MEASURES[at].is_on_request() || self.has.values[at])
    }

    /// The columns of [`OutlierBlock::row`].
    pub fn columns(&self) -> Vec<Column> {
        let has_truth = self
            .samples
            .iter()
            .any(|sample| sample.is_outlier.is_some());
        let mut columns = vec![Column::new(
            "index",
            Kind::Int,
            "Position of the sample in the data, from 0.",
        )];
        if self.has.key {
            columns.push(Column::new("key", Kind::Text, "Name of the sample."));
        }
        columns.extend([
            Column::new("label", Kind::Int, "Class that the data claim, from 0."),
            Column::new("predicted", Kind::Int, "Most probable class."),
            Column::new(
                "p_predicted",
                Kind::Float,
                "Probability of the predicted class.",
            ),
            Column::new(
                "rank",
                Kind::Int,
                "Directions in which the output moves; at most K - 1.",
            ),
            Column::new("fi_max", Kind::Float, "Ceiling of FI, (1 - p) / p."),
        ]);
        for measure in self.columns_of().map(|at| &MEASURES[at]) {
            let end = match measure.suspicious {
                Suspicious::Large => "large is suspicious",
                Suspicious::Small => "small is suspicious",
            };
            columns.push(Column::new(
                measure.name,
                Kind::Float,
                format!("{}; {end}.", capitalised(measure.doc)),
            ));
        }
        if has_truth {
            columns.push(Column::new(
                "outlier",
                Kind::Int,
                "1 for a known outlier, 0 for any other sample.",
            ));
        }
        columns
    }

    /// A sample as a row of a table.
    pub fn row(&self, sample: &OutlierSample) -> Vec<Value> {
        let int = |number: usize| Value::Int(number as i64);
        let mut row = vec![int(sample.index)];
        if self.has.key {
            row.push(sample.key.clone().into());
        }
        row.extend([
            sample.label.map_or(Value::Null, int),
            sample.predicted.map_or(Value::Null, int),
            sample.p_predicted.into(),
            int(sample.rank),
            sample.fi_max.into(),
        ]);
        row.extend(self.columns_of().map(|at| Value::from(sample.values[at])));
        row.extend(sample.is_outlier.map(|is| Value::Int(is.into())));
        row
    }

    /// How well each measure finds the outliers, as columns and rows: one row per measure, the best by PR-AUC first. Without
    /// known outliers, how each measure agrees with FI.
    pub fn detection_table(&self) -> (Vec<Column>, Vec<Vec<Value>>) {
        let agreement: BTreeMap<&str, f64> = self
            .agreement_with_fi
            .iter()
            .map(|(measure, value)| (measure.name, *value))
            .collect();
        let mut columns = vec![Column::new(
            "measure",
            Kind::Text,
            "What samples are ranked by.",
        )];
        let mut rows: Vec<Vec<Value>> = Vec::new();
        if self.detections.is_empty() {
            for (measure, value) in &self.agreement_with_fi {
                rows.push(vec![measure.name.into(), (*value).into()]);
            }
        } else {
            columns.extend([
                Column::new("roc_auc", Kind::Float, "Area under the ROC curve: the probability that an outlier outranks another sample; 0.5 is chance."),
                Column::new("pr_auc", Kind::Float, "Area under the precision-recall curve (Davis & Goadrich 2006); the share of outliers is chance."),
                Column::new("average_precision", Kind::Float, "The same as a step function, without interpolation."),
                Column::new("top_hits", Kind::Float, "The share of outliers among as many of the highest ranked samples as there are outliers."),
            ]);
            let mut found: Vec<&(&'static Measure, Detection)> = self.detections.iter().collect();
            found.sort_by(|a, b| {
                b.1.precision_recall
                    .auc
                    .total_cmp(&a.1.precision_recall.auc)
            });
            for (measure, found) in found {
                rows.push(vec![
                    measure.name.into(),
                    found.roc.auc.into(),
                    found.precision_recall.auc.into(),
                    found.precision_recall.average_precision.into(),
                    found.top_hits.into(),
                    agreement.get(measure.name).copied().into(),
                ]);
            }
        }
        columns.push(Column::new(
            "rank_correlation_with_fi",
            Kind::Float,
            "Spearman's rank correlation with the ranking by FI; at 1 it is the same ranking.",
        ));
        (columns, rows)
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
