//! What many scores say together.

use super::Score;
use super::quantiles::Quantiles;

/// A sample counts as saturated from this share of its ceiling on.
const SATURATED: f64 = 0.99;

/// From this share of saturated samples on, FI as a whole says nothing that p_y does not.
const ALMOST_ALL: f64 = 0.95;

/// Counts and medians over scores, gathered one score at a time in bounded memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    n_classes: usize,
    n_samples: u64,
    labelled: u64,
    correct: u64,
    saturated: u64,
    full_rank: u64,
    fi: Quantiles,
    saturation: Quantiles,
    fi_lambda: Quantiles,
    grad_norm: Quantiles,
}

impl Summary {
    /// Of no scores yet, of a network of `n_classes` classes.
    pub fn new(n_classes: usize) -> Self {
        Self {
            n_classes,
            n_samples: 0,
            labelled: 0,
            correct: 0,
            saturated: 0,
            full_rank: 0,
            fi: Quantiles::default(),
            saturation: Quantiles::default(),
            fi_lambda: Quantiles::default(),
            grad_norm: Quantiles::default(),
        }
    }

    /// Takes a score in.
    pub fn add(&mut self, score: &Score) {
        let measures = &score.measures;
        self.n_samples += 1;
        if let Some(label) = score.true_label {
            self.labelled += 1;
            self.correct += u64::from(Some(label) == score.predicted);
        }
        self.saturated += u64::from(measures.saturation >= SATURATED);
        self.full_rank += u64::from(measures.rank + 1 == self.n_classes);
        self.fi.add(measures.fi);
        self.saturation.add(measures.saturation);
        self.fi_lambda.add(measures.fi_lambda);
        self.grad_norm.add(measures.grad_norm);
    }

    /// How many scores.
    pub fn n_samples(&self) -> u64 {
        self.n_samples
    }

    /// Samples whose predicted class is the label in the data, and samples that have one.
    pub fn n_correct(&self) -> (u64, u64) {
        (self.correct, self.labelled)
    }

    /// The share of labelled samples that are classified as their label says; `None` without labels.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct, self.labelled)
    }

    /// The share of samples whose FI is at least 99 % of its ceiling; `None` without samples.
    pub fn saturated_share(&self) -> Option<f64> {
        share(self.saturated, self.n_samples)
    }

    /// The share of samples whose block moves the output in all K − 1 directions; `None` without samples.
    pub fn full_rank_share(&self) -> Option<f64> {
        share(self.full_rank, self.n_samples)
    }

    /// Medians by column name (`fi`, `saturation`, `fi_lambda`, `grad_norm`), exact to 1 part in 2000. Empty
    /// without samples.
    pub fn medians(&self) -> Vec<(&'static str, f64)> {
        let columns = [
            ("fi", &self.fi),
            ("saturation", &self.saturation),
            ("fi_lambda", &self.fi_lambda),
            ("grad_norm", &self.grad_norm),
        ];
        let medians = columns
            .into_iter()
            .map(|(name, values)| (name, values.median()));
        medians
            .filter_map(|(name, median)| Some((name, median?)))
            .collect()
    }

    /// What the saturation means for the reader, in a sentence or two; empty without samples.
    pub fn verdict(&self) -> String {
        let Some(share) = self.saturated_share() else {
            return String::new();
        };
        let percent = percent(share);
        let ceiling = "its ceiling (1 - p) / p";
        if share >= ALMOST_ALL {
            format!(
                "FI is saturated: {percent} of the samples reach {ceiling}, because the perturbation can move the \
                 output in every direction that counts for p_label. Here FI ranks samples by p_label alone and knows nothing else of the \
                 network's sensitivity; fi_lambda, grad_norm and margin_radius do."
            )
        } else if share > 0.0 {
            format!(
                "FI is saturated for {percent} of the samples: there it equals {ceiling} and depends on p_label \
                 alone; compare them by fi_lambda, grad_norm or margin_radius."
            )
        } else {
            format!("FI is saturated for no sample: none comes within 1 % of {ceiling}.")
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A share in percent; 100 % and 0 % only if it is exactly that.
fn percent(share: f64) -> String {
    match (share * 1000.0).round() {
        _ if share == 1.0 => "100 %".to_owned(),
        1000.0 => "almost 100 %".to_owned(),
        0.0 if share > 0.0 => "less than 0.1 %".to_owned(),
        tenths => format!("{} %", tenths / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use quaver_geometry::{ClassGram, Objective, Settings, measure};

    use super::*;

    /// A sample of three classes whose Gram has rank 2 (saturated) or 1.
    fn score(true_label: Option<usize>, saturated: bool) -> Score {
        let logits = [2.0, 0.5, -1.0];
        let second = if saturated { 1.0 } else { 0.0 };
        let full = [1.0, 0.0, 0.0, 0.0, second, 0.0, 0.0, 0.0, 0.0];
        let gram = ClassGram::from_full(3, &full).unwrap();
        let objective = Objective::NegLogLik { label: 1 };
        Score {
            index: 0,
            key: None,
            label: Some(1),
            true_label,
            predicted: Some(0),
            p_label: Some(0.2),
            p_predicted: Some(0.7),
            block: "input".into(),
            relative: None,
            n_classes_kept: 3,
            lost_trace: 0.0,
            measures: measure(&logits, &gram, objective, &Settings::default()).unwrap(),
        }
    }

    fn summary(saturated: usize, free: usize) -> Summary {
        let mut summary = Summary::new(3);
        for at in 0..saturated + free {
            summary.add(&score(Some(at % 2), at < saturated));
        }
        summary
    }

    #[test]
    fn counts() {
        let summary = summary(3, 1);
        assert_eq!(summary.n_samples(), 4);
        assert_eq!(summary.accuracy(), Some(0.5));
        assert_eq!(summary.saturated_share(), Some(0.75));
        assert_eq!(summary.full_rank_share(), Some(0.75));
        let fi = score(None, true).measures.fi;
        let (name, median) = summary.medians()[0];
        assert!(name == "fi" && (median - fi).abs() < fi / 2000.0);
        let empty = Summary::new(3);
        assert_eq!((empty.accuracy(), empty.saturated_share()), (None, None));
        assert_eq!((empty.verdict(), empty.medians().len()), (String::new(), 0));
    }

    #[test]
    fn the_verdict_says_how_many_are_saturated() {
        assert!(
            summary(20, 0)
                .verdict()
                .starts_with("FI is saturated: 100 %")
        );
        assert!(
            summary(19, 1)
                .verdict()
                .starts_with("FI is saturated: 95 %")
        );
        assert!(
            summary(1, 1)
                .verdict()
                .starts_with("FI is saturated for 50 %")
        );
        assert!(
            summary(0, 5)
                .verdict()
                .starts_with("FI is saturated for no sample")
        );
        assert_eq!(
            (percent(0.9999), percent(1e-6)),
            ("almost 100 %".into(), "less than 0.1 %".into())
        );
    }
}
