//! Writes a page with everything a page can hold, filled with made-up results:
//! `cargo run -p quaver-report --example gallery -- page.html`.

use std::path::Path;

use quaver::table::{Column, Kind, Value};
use quaver_report::{
    Axis, BarChart, BoxPlot, EcdfChart, Figure, GroupedBarChart, Histogram, Interval, LineChart,
    ManhattanChart, Mark, Order, Page, Pixels, RankingTable, ReportError, RunRecord, ScatterChart,
    Section, TableRow, Thumbnail, Tone,
};
use serde_json::json;

/// A made-up sample.
struct Sample {
    index: i64,
    fi: f64,
    margin: f64,
    is_mislabelled: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: gallery PAGE.html")?;
    let samples = samples();
    let page = Page::new("Outliers in mnist-test by influence")
        .lead("How strongly a small change of the input moves each of 10,000 predictions of lenet5.onnx, and whether the samples that move most are the mislabelled ones.")
        .section(summary())
        .section(ranking(&samples)?)
        .section(detection(&samples))
        .section(distribution(&samples))
        .section(comparison(&samples))
        .section(layers()?)
        .record(record());
    page.save(Path::new(&path))?;
    Ok(())
}

fn summary() -> Section {
    Section::new("At a glance")
        .facts([
            ("Samples", "10,000"),
            ("Accuracy", "98.5 %"),
            ("Median FI", "0.0214"),
            ("Median rank", "9 of 9"),
            ("Saturated", "3.1 %"),
            ("AUC, FI against labels", "0.962"),
        ])
        .callout(
            Tone::Caution,
            "FI is saturated for 3.1 % of the samples: there it says how unsure the prediction is and nothing about the input. Compare saturated samples by rank or margin instead.",
        )
        .callout(Tone::Good, "Every Gram had full rank, so that no sample had to be left out.")
        .paragraph("A sample with a high influence measure sits where the network's output changes fast. Mislabelled and unusual samples tend to be among them.")
}

fn ranking(samples: &[Sample]) -> Result<Section, ReportError> {
    let columns = vec![
        Column::new(
            "sample",
            Kind::Int,
            "Index of the sample in the dataset, from 0.",
        ),
        Column::new("label", Kind::Text, "The class it is labelled as."),
        Column::new("predicted", Kind::Text, "The class with the highest logit."),
        Column::new("p", Kind::Float, "Probability of the predicted class."),
        Column::new(
            "fi",
            Kind::Float,
            "Influence measure of the log-likelihood under input perturbations, in nats² per unit of Fisher length.",
        ),
        Column::new(
            "fi_max",
            Kind::Float,
            "The largest value FI can take at these probabilities.",
        ),
        Column::new("saturation", Kind::Float, "fi / fi_max, between 0 and 1."),
        Column::new(
            "margin",
            Kind::Float,
            "Smallest L2 perturbation that changes the prediction to first order; infinite if none does.",
        ),
    ];
    let mut sorted: Vec<&Sample> = samples.iter().collect();
    sorted.sort_by(|a, b| b.fi.total_cmp(&a.fi));
    let mut table = RankingTable::new("The most influential samples", columns)
        .ordered_by("fi", Order::Descending);
    for (place, sample) in sorted.into_iter().enumerate() {
        let label = sample.index / 20 % 10;
        let predicted = (label + i64::from(sample.is_mislabelled) * (1 + sample.index % 9)) % 10;
        let saturation = sample.fi / (sample.fi + 0.4);
        let margin = match sample.index % 17 {
            0 => Value::Float(f64::INFINITY),
            _ => Value::Float(sample.margin),
        };
        let label_cell = match sample.index % 23 {
            0 => Value::Null,
            _ => Value::Text(label.to_string()),
        };
        let alt = format!("sample {}", sample.index);
        let mut row = TableRow::new(vec![
            sample.index.into(),
            label_cell,
            predicted.to_string().into(),
            (0.3 + 0.69 * (1.0 - saturation)).into(),
            sample.fi.into(),
            (sample.fi + 0.4).into(),
            saturation.into(),
            margin,
        ]);
        if place < 200 {
            let pixels = glyph(sample.index);
            row = row.picture(Thumbnail::new(28, 28, Pixels::Gray(&pixels), alt)?);
        }
        if sample.is_mislabelled {
            row = row.badge(Tone::Problem, "label disagrees");
        }
        if saturation > 0.8 {
            row = row.badge(Tone::Caution, "saturated");
        }
        table.push(row);
    }
    Ok(Section::new("Ranking")
        .paragraph("Click a column's name to sort by it.")
        .table(table.all_in(10_000, "scores.parquet")))
}

fn detection(samples: &[Sample]) -> Section {
    let by_fi: Vec<(f64, bool)> = samples.iter().map(|s| (s.fi, s.is_mislabelled)).collect();
    let by_margin = samples
        .iter()
        .map(|s| (-s.margin, s.is_mislabelled))
        .collect();
    let mut random = Random(5);
    let by_entropy = samples
        .iter()
        .map(|s| (s.fi.ln() + 1.5 * random.normal(), s.is_mislabelled));
    let curves = [
        ("FI", by_fi),
        ("Margin", by_margin),
        ("Entropy", by_entropy.collect()),
    ];
    let mut roc = LineChart::new(
        Axis::linear("False positive rate").spanning(0.0, 1.0),
        Axis::linear("True positive rate").spanning(0.0, 1.0),
    );
    let mut pr = LineChart::new(
        Axis::linear("Recall").spanning(0.0, 1.0),
        Axis::linear("Precision").spanning(0.0, 1.0),
    );
    for (name, scores) in curves {
        let (roc_points, pr_points) = roc_and_pr(scores);
        roc = roc.series(name, roc_points);
        pr = pr.series(name, pr_points);
    }
    let roc = roc.reference("Chance", vec![(0.0, 0.0), (1.0, 1.0)]);
    let pr = pr.reference("Chance", vec![(0.0, 0.05), (1.0, 0.05)]);
    Section::new("Finding mislabelled samples")
        .figure(
            Figure::new("Receiver operating characteristic", roc)
                .caption("Mislabelled samples found against correct ones flagged, as the threshold falls.")
                .how_to_read("A curve near the upper left corner finds most mislabelled samples before it flags correct ones. The dotted diagonal is guessing."),
        )
        .figure(
            Figure::new("Precision and recall", pr)
                .caption("How many of the flagged samples are mislabelled, against how many of the mislabelled are flagged.")
                .how_to_read("Further up is better. Unlike the curve on the left this one feels how rare mislabelled samples are."),
        )
}

fn distribution(samples: &[Sample]) -> Section {
    let of = |is_mislabelled| {
        samples
            .iter()
            .filter(move |s| s.is_mislabelled == is_mislabelled)
    };
    let marks = |is_mislabelled| {
        let mark = |s: &Sample| Mark {
            x: s.fi,
            y: s.margin,
            title: format!("sample {}: FI {:.3}, margin {:.3}", s.index, s.fi, s.margin),
        };
        of(is_mislabelled).map(mark).collect()
    };
    let scatter = ScatterChart::new(Axis::log("FI (nats²)"), Axis::log("Margin (L2)"))
        .group("Label agrees", marks(false))
        .group("Label disagrees", marks(true));
    let values = |is_mislabelled| of(is_mislabelled).map(|s| s.fi).collect();
    let histogram = Histogram::new(Axis::log("FI (nats²)"))
        .as_shares()
        .group("Label agrees", values(false))
        .group("Label disagrees", values(true))
        .marker("flagged from here", 0.35);
    Section::new("Where the samples lie")
        .figure(
            Figure::new("FI by label", histogram)
                .caption("The distribution of FI among samples whose label agrees with their picture and those whose does not.")
                .how_to_read("Bars are shares of their own group, so that the few can be compared with the many. Two humps apart mean that a threshold separates them."),
        )
        .figure(
            Figure::new("FI and margin", scatter)
                .caption("Each mark is a sample.")
                .how_to_read("Samples at the lower right are both influential and close to the decision boundary. Point at a mark to see which sample it is."),
        )
}

fn comparison(samples: &[Sample]) -> Section {
    let half = |odd: i64| samples.iter().filter(move |s| s.index % 2 == odd);
    let values = |odd, factor: f64| half(odd).map(|s| s.fi * factor).collect::<Vec<f64>>();
    let ecdf = EcdfChart::new(Axis::log("FI (nats²)"))
        .group("train", values(0, 1.0))
        .group("test", values(1, 1.6))
        .gap();
    let mut boxes = BoxPlot::new(Axis::log("FI (nats²)"), ["train", "test"]);
    let mut bars = GroupedBarChart::new("Median FI (nats²)", ["train", "test"]);
    for (class, name) in ["aeroplane", "automobile", "bird", "cat"]
        .iter()
        .enumerate()
    {
        let of = |odd, factor: f64| -> Vec<f64> {
            let class = class as i64;
            let values = half(odd).filter(|s| s.index / 2 % 4 == class);
            values.map(|s| s.fi * factor).collect()
        };
        let (train, test) = (of(0, 1.0 + 0.2 * class as f64), of(1, 1.6));
        let bar = |values: &[f64]| {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
            Some(Interval {
                low: at(0.45),
                value: at(0.5),
                high: at(0.55),
            })
        };
        bars = bars.group(*name, [bar(&train), bar(&test)]);
        boxes = boxes.group(*name, [train, test]);
    }
    Section::new("Train against test")
        .figure(
            Figure::new("Distribution functions", ecdf)
                .caption("Which share of each set has at most this FI.")
                .how_to_read("A curve further right is a set with larger values. The dashed line is where the curves lie furthest apart."),
        )
        .figure(
            Figure::new("FI by class", boxes)
                .how_to_read("The box holds the middle half of a class, the whiskers 90 % of it, the thick line is the median."),
        )
        .figure(
            Figure::new("Medians by class", bars)
                .how_to_read("The thin line is the interval in which the median is known to lie."),
        )
}

fn layers() -> Result<Section, ReportError> {
    let bars = BarChart::new("Median FI (nats²)")
        .bar("input", 0.0214)
        .bar("/features/features.0/Conv", 0.153)
        .bar("/features/features.3/Conv", 0.0871)
        .bar("/classifier/classifier.1/Gemm <weights>", 0.412)
        .bar("/classifier/classifier.4/Gemm", 0.0312);
    let mut random = Random(9);
    let mut manhattan = ManhattanChart::new(Axis::log("FI_λ (nats² per unit of weight)"));
    for layer in 0..22 {
        let scale = 10f64.powf(f64::from(layer % 7) / 3.0 - 2.0);
        let points: Vec<(f64, String)> = (0..500)
            .map(|k| (scale * random.normal().exp(), format!("sample {k}")))
            .collect();
        manhattan = manhattan.block(
            format!("/layers/layer{layer}.{}/conv/Conv", layer % 3),
            points,
        );
    }
    let manhattan = manhattan.line("flagged from here", 20.0);
    let mut few = ManhattanChart::new(Axis::linear("saturation"));
    for layer in ["conv1", "conv2", "fc"] {
        few = few.block(layer, (0..300).map(|_| (random.unit(), "")));
    }
    let mut pictures = Vec::new();
    for index in [3, 14, 15, 92] {
        let picture = Thumbnail::new(28, 28, Pixels::Gray(&glyph(index)), "a glyph")?;
        pictures.push((picture, format!("sample {index}")));
    }
    Ok(Section::new("Layers")
        .figure(
            Figure::new("Sensitivity by block", bars)
                .caption("Median FI over all samples, for perturbations of each block.")
                .how_to_read("A long bar is a block whose perturbation moves the output most."),
        )
        .figure(
            Figure::new("Every sample in every layer", manhattan)
                .caption("Each mark is a sample; layers stand in the order of the network.")
                .how_to_read("A column that stands high is a layer that reacts strongly in most samples; marks far above their column are samples to look at."),
        )
        .figure(Figure::new("Few blocks", few).how_to_read("Names stand level where there is room."))
        .figure(Figure::pictures("Samples", pictures).caption("Four samples at twice their size.")))
}

fn record() -> RunRecord {
    RunRecord::new()
        .with("command", "quaver outliers lenet5.onnx mnist-test.npz --html report.html")
        .with("version", "0.1.0")
        .with("model", json!({"path": "lenet5.onnx", "sha256": "9f2c4e1d0b7a8365c1f0d2e3b4a5968778695a4b3c2d1e0f9f2c4e1d0b7a8365", "opset": 17}))
        .with("data", json!({"path": "mnist-test.npz", "samples": 10000, "shape": [1, 28, 28]}))
        .with("options", json!({"objective": "log-likelihood", "blocks": ["input"], "precision": "f32", "threads": 8}))
}

fn samples() -> Vec<Sample> {
    let mut random = Random(1);
    let sample = |index| {
        let is_mislabelled = index % 20 == 7;
        let shift = if is_mislabelled { 2.6 } else { 0.0 };
        let fi = (-3.8 + shift + 1.1 * random.normal()).exp();
        let margin = (-0.3 * fi.ln() + 0.5 * random.normal() - 0.5).exp();
        Sample {
            index,
            fi,
            margin,
            is_mislabelled,
        }
    };
    (0..10_000).map(sample).collect()
}

fn roc_and_pr(mut scores: Vec<(f64, bool)>) -> (Curve, Curve) {
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n_positive = scores.iter().filter(|(_, positive)| *positive).count() as f64;
    let n_negative = scores.len() as f64 - n_positive;
    let (mut hits, mut misses) = (0.0, 0.0);
    let (mut roc, mut pr) = (vec![(0.0, 0.0)], Vec::new());
    for (_, positive) in scores {
        if positive {
            hits += 1.0;
        } else {
            misses += 1.0;
        }
        roc.push((misses / n_negative, hits / n_positive));
        pr.push((hits / n_positive, hits / (hits + misses)));
    }
    (roc, pr)
}

type Curve = Vec<(f64, f64)>;

/// A stroke that is different for every sample.
fn glyph(index: i64) -> Vec<u8> {
    let mut random = Random(index.unsigned_abs() + 1);
    let (a, b, c) = (
        random.unit() * 6.0,
        random.unit() * 3.0 + 1.0,
        random.unit() * 2.0 + 0.5,
    );
    let mut ink = vec![0.0f64; 28 * 28];
    for step in 0..200 {
        let t = f64::from(step) / 200.0 * 5.0;
        let (x, y) = (
            14.0 + 8.0 * (a + b * t / 2.0).sin(),
            14.0 + 9.0 * (c * t).cos(),
        );
        for (pixel, ink) in ink.iter_mut().enumerate() {
            let (dx, dy) = ((pixel % 28) as f64 - x, (pixel / 28) as f64 - y);
            *ink = ink.max(1.6 - (dx * dx + dy * dy).sqrt() / 1.3);
        }
    }
    ink.iter()
        .map(|ink| (ink.clamp(0.0, 1.0) * 255.0) as u8)
        .collect()
}

/// A small generator, so that the example needs no other crate.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
