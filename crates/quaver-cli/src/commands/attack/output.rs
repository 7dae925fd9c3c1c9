//! What the user is told, and what the outputs say about where they come from.

use quaver::attack::{AttackInfo, Curve, attacks};
use quaver::table::{Column, Kind, Value};
use quaver::{AttackOptions, AttackSummary, Bounds, Dataset, Model};
use quaver_report::{RunRecord, TextOptions, text_table};
use serde_json::{Value as Json, json};

use super::examples::Examples;
use super::{Attack, page};
use crate::console::Console;
use crate::failure::Failure;
use crate::record;

/// One run of the command.
pub struct Run<'a> {
    pub command: &'a Attack,
    pub options: &'a AttackOptions,
    pub bounds: Bounds,
    pub model: &'a Model,
    pub dataset: &'a dyn Dataset,
}

impl Run<'_> {
    /// What was run. No time of day, no number of threads: the same run writes the same bytes.
    pub fn record(&self) -> Result<RunRecord, Failure> {
        let (command, options) = (self.command, self.options);
        let record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", "attack")
            .with("model", record::traced_model(&command.model, self.model)?)
            .with("data", record::traced(&command.data)?);
        let record = command
            .data_args
            .record(command.model_args.record(record))?;
        Ok(record
            .with("attacks", options.attacks.clone())
            .with("bounds", vec![self.bounds.low, self.bounds.high])
            .with("label", record::label(options.label))
            .with("target", options.target.map(|target| target.to_string()))
            .with("probability", options.probability)
            .with("epsilon", options.epsilon.clone())
            .with("epsilon_l2", options.epsilon_l2.clone())
            .with("steps", options.steps)
            .with("step_size", options.step_size)
            .with("restarts", options.restarts)
            .with("deepfool_steps", options.deepfool_steps)
            .with("pixels", options.pixels)
            .with("static_map", options.static_map)
            .with("population", options.population)
            .with("particles", options.particles)
            .with("generations", options.generations)
            .with("largest_change", options.largest_change)
            .with("queries", options.max_queries)
            .with("seed", options.seed)
            .with("lambda", options.lambda)
            .with("rtol", options.rtol())
            .with("compat", options.compat)
            .with(
                "classes",
                options.classes.map(|classes| classes.to_string()),
            )
            .with("winograd", options.winograd)
            .with("precision", command.attack_args.precision.clone())
            .with(
                "class_names",
                self.dataset.class_names().map(<[String]>::to_vec),
            ))
    }

    /// Tells the user what came out, and writes the page.
    pub fn report(
        &self,
        console: &Console,
        summary: &AttackSummary,
        examples: &Examples,
        record: RunRecord,
    ) -> Result<(), Failure> {
        let json = RunRecord::new()
            .with("run", json!(record))
            .with("summary", summary_json(summary));
        if let Some(path) = &self.command.report {
            let numbers = page::build(self, summary, examples, record)?.save(path)?;
            console.note(format_args!(
                "report: {}\nnumbers: {}",
                path.display(),
                numbers.display()
            ));
        }
        let out = self.command.out.as_deref();
        let rows_on_stdout = out.is_some_and(|path| path.as_os_str() == "-");
        let text = match self.command.json {
            true => json.to_json_pretty(),
            false => summary_text(summary),
        };
        match rows_on_stdout {
            true => console.note(text.trim_end()),
            false => console.result(&text)?,
        }
        if let Some(path) = out.filter(|_| !rows_on_stdout) {
            console.note(format_args!("rows written to {}", path.display()));
        }
        if let Some(path) = &self.command.save {
            console.note(format_args!(
                "perturbed samples written to {}",
                path.display()
            ));
        }
        Ok(())
    }
}

/// The attack of that name.
pub fn info(name: &str) -> Option<AttackInfo> {
    attacks().find(|attack| attack.name == name)
}

/// The columns of the summary.
pub fn summary_columns() -> Vec<Column> {
    let column = |name: &str, kind, doc: &str| Column::new(name, kind, doc);
    vec![
        column("attack", Kind::Text, "Name of the attack."),
        column(
            "radius",
            Kind::Float,
            "Radius it had to stay within, as a share of the range of the data.",
        ),
        column(
            "success",
            Kind::Float,
            "Share of the attacked samples on which it succeeded.",
        ),
        column(
            "low",
            Kind::Float,
            "Lower end of the 95 % interval of that share (Wilson).",
        ),
        column("high", Kind::Float, "Upper end of it."),
        column(
            "robust",
            Kind::Float,
            "Share of all samples that are classified as their label says, and still are after it.",
        ),
        column(
            "pixels",
            Kind::Float,
            "Median of the pixels changed, over its successes.",
        ),
        column(
            "l2",
            Kind::Float,
            "Median L2 norm of the change as a share of the range, over its successes.",
        ),
        column(
            "linf",
            Kind::Float,
            "Median of the largest change as a share of the range, over its successes.",
        ),
        column("queries", Kind::Float, "Mean number of forward passes."),
        column(
            "gradients",
            Kind::Float,
            "Mean number of cotangents swept back.",
        ),
    ]
}

/// A row for every attack and radius.
pub fn summary_rows(summary: &AttackSummary) -> Vec<Vec<Value>> {
    let robust = summary.robust_accuracies();
    let medians = |of| summary.medians(of);
    let norms = medians(Curve::Pixels)
        .zip(medians(Curve::L2))
        .zip(medians(Curve::Linf));
    let lines = summary.attacks().zip(summary.rates()).zip(robust);
    lines
        .zip(norms)
        .zip(summary.mean_costs())
        .map(
            |((((attack, rate), robust), ((pixels, l2), linf)), (queries, gradients))| {
                vec![
                    attack.0.into(),
                    attack.1.into(),
                    rate.share().into(),
                    rate.interval.0.into(),
                    rate.interval.1.into(),
                    robust.into(),
                    pixels.into(),
                    l2.into(),
                    linf.into(),
                    queries.into(),
                    gradients.into(),
                ]
            },
        )
        .collect()
}

fn summary_text(summary: &AttackSummary) -> String {
    let (n, correct) = (summary.n_samples(), summary.n_correct());
    let mut text = format!(
        "{n} samples, {correct} of them classified as their label says\n\n{}",
        text_table(
            &summary_columns(),
            &summary_rows(summary),
            &TextOptions::default()
        )
    );
    for sentence in sentences(summary) {
        text.push_str("\n- ");
        text.push_str(&sentence);
        text.push('\n');
    }
    text
}

/// What the numbers say of the maps.
pub fn sentences(summary: &AttackSummary) -> Vec<String> {
    let mut sentences = Vec::new();
    for name in [
        "fi-pixel",
        "fi-lambda-pixel",
        "gradient-pixel",
        "reach-pixel",
        "mfi-pso",
    ] {
        let Some(paired) = summary.compare(name, "random-pixel") else {
            continue;
        };
        sentences.push(format!(
            "{name} against random-pixel, sample by sample: {} flipped by the first alone, {} by the second alone (exact McNemar test, {})",
            paired.only_first,
            paired.only_second,
            p_value(paired.p_value)
        ));
    }
    for ((name, _), share) in summary.attacks().zip(summary.saturated_shares()) {
        if let Some(share) = share.filter(|share| name == "fi-pixel" && *share > 0.0) {
            sentences.push(format!(
                "FI of the pixel that fi-pixel took first is at its ceiling on {:.1} % of the samples: there the map cannot tell the best pixels from each other",
                100.0 * share
            ));
        }
    }
    sentences
}

/// A p-value to the digits that matter.
fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => "p < 0.001".to_owned(),
        false => format!("p = {p:.3}"),
    }
}

fn summary_json(summary: &AttackSummary) -> Json {
    let curves: serde_json::Map<String, Json> = Curve::ALL
        .into_iter()
        .map(|curve| {
            let of: serde_json::Map<String, Json> = summary
                .curves(curve)
                .into_iter()
                .map(|(name, points)| (name.to_owned(), json!(points)))
                .collect();
            (curve.name().to_owned(), Json::Object(of))
        })
        .collect();
    let columns = summary_columns();
    let cell = |value: &Value| match value {
        Value::Null => Json::Null,
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
    };
    let attacks: Vec<Json> = summary_rows(summary)
        .iter()
        .zip(summary.rates())
        .zip(summary.saturated_shares())
        .map(|((row, rate), saturated)| {
            let names = columns.iter().map(|column| column.name.clone());
            let mut object: serde_json::Map<String, Json> =
                names.zip(row.iter().map(cell)).collect();
            object.insert("successes".to_owned(), json!(rate.successes));
            object.insert("attacked".to_owned(), json!(rate.attacked));
            object.insert("saturated_share".to_owned(), json!(saturated));
            Json::Object(object)
        })
        .collect();
    json!({
        "n_samples": summary.n_samples(),
        "n_correct": summary.n_correct(),
        "attacks": attacks,
        "success_within": curves,
        "remarks": sentences(summary),
    })
}
