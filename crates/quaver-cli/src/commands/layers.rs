//! `quaver layers`: which layers of a network matter.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use quaver::layers::{LAYER_MEASURES, LayerReport, LayerStudy};
use quaver::table::{Column, Value};
use quaver::verify::{Disturbance, Verification, VerifyOptions, verify_layers};
use quaver_report::{RunRecord, TableWriter, TextOptions, text_table};
use quaver_results::{
    MEAN_NOISE, Names, layer_columns, layer_row, layers_page, layers_sections, ranking_column,
    verified_json, verified_text,
};
use serde_json::{Value as Json, json};

use crate::arguments::number;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;
use crate::pages;
use crate::scoring::{COMPAT, ScoringArgs, Subject, SubjectArgs, Tally};

/// Names of layers are long, and without them a table is of no use.
const WIDE: TextOptions = TextOptions {
    width: 140,
    digits: 4,
};

const WRT: &str =
    "What is perturbed, one block each, as for score [default: layers,params; of a store, all]";

/// Compare the layers of a network, or of several: FI of each layer and of all parameters, and what does not saturate.
///
/// Blocks are every layer and all parameters together unless --wrt says otherwise. A layer with K - 1 parameters or more
/// usually reaches FI's ceiling, so that FI is the same for all: layers are ranked by noise_kl, the divergence that noise
/// relative to the layer's size causes. Further networks on the same data stand beside the first (--model).
#[derive(Debug, Args)]
#[command(mut_arg("wrt", |wrt| wrt.help(WRT)), after_help = "\
Examples:
  quaver layers net.onnx data.npz --limit 200
  quaver layers net.onnx data.npz --report layers.html -o layers.csv
  quaver layers net.onnx data.npz --limit 200 --verify noise --strengths 0.03,0.1
  quaver layers a.onnx data.npz --model b.onnx --model c.onnx --report networks.html
  quaver layers net.onnx data.npz --wrt 'layer:*conv*' --rank-by rel_fisher_lambda_max --json")]
pub struct Layers {
    #[command(flatten)]
    subject: SubjectArgs,

    /// Another ONNX file to compare with, on the same data; may be given several times.
    #[arg(long = "model", value_name = "FILE")]
    others: Vec<PathBuf>,

    /// Write one row per network and layer to FILE (.parquet, .csv, .ndjson).
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write a page to look at, one file, and its numbers beside it as JSON.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// One JSON object on stdout in place of the text.
    #[arg(long)]
    json: bool,

    /// Measure by whose median layers are ranked; by the mean of noise_kl.
    #[arg(long, value_name = "MEASURE", default_value = "noise_kl", value_parser = PossibleValuesParser::new(LAYER_MEASURES.map(|m| m.name)))]
    rank_by: String,

    /// Disturb every layer for real, and hold what the network does against the prediction: noise (of a length relative
    /// to the layer's), knockout (of a share of its parameters) or knockout-units (of a share of its output channels or
    /// outputs, each with its weights and its bias).
    #[arg(long, value_name = "HOW", value_parser = ["noise", "knockout", "knockout-units"], help_heading = "Verification")]
    verify: Option<String>,

    /// How strongly, for --verify.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0.01,0.1,0.3", value_parser = number, allow_negative_numbers = true, requires = "verify", help_heading = "Verification")]
    strengths: Vec<f64>,

    /// Draws per layer and strength, for --verify.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        requires = "verify",
        help_heading = "Verification"
    )]
    draws: usize,

    /// Seed of the draws, for --verify.
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 0,
        requires = "verify",
        help_heading = "Verification"
    )]
    seed: u64,

    #[command(flatten)]
    scoring: ScoringArgs,
}

/// Whether a measure is relative to the norm of a layer's parameters.
fn is_relative(measure: &str) -> bool {
    measure.starts_with("rel_") || measure == "noise_kl"
}

/// What one network came to.
struct Found {
    network: String,
    report: LayerReport,
    verification: Option<Verification>,
    record: RunRecord,
    tally: Tally,
}

impl Layers {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        pages::check(self.report.as_ref())?;
        if let Some(path) = &self.out {
            quaver_report::check_table_path(path)?;
        }
        self.scoring.measures.check_ranking(&self.rank_by)?;
        let verification = self.verification();
        if let Some(options) = &verification {
            options.check()?;
        }
        let first = self.subject.subject()?;
        if let (Subject::Store(folder), false) = (&first, self.others.is_empty()) {
            return Err(Failure::Input(format!(
                "--model: {} is a store, which has one network; give MODEL DATA to compare it with others",
                folder.display()
            )));
        }
        let name = first.model_name();
        let named = match first {
            Subject::Network { model, .. } => model,
            Subject::Store(_) => Path::new(&name),
        };
        let others = self.others.iter().map(PathBuf::as_path);
        let paths: Vec<&Path> = std::iter::once(named).chain(others).collect();
        let mut names = pages::distinct_names(&paths).into_iter();
        let mut next = || names.next().unwrap_or_default();
        let mut all = vec![self.study(console, &first, next())?];
        for model in &self.others {
            let data = first.data();
            all.push(self.study(console, &Subject::Network { model, data }, next())?);
        }
        let record = match all.as_slice() {
            [one] => one.record.clone(),
            _ => {
                let runs: Vec<Json> = all.iter().map(|found| json!(found.record)).collect();
                RunRecord::new()
                    .with("command", "layers")
                    .with("runs", runs)
            }
        };
        if let Some(path) = &self.out {
            let mut table = TableWriter::create(path, &layer_columns(), &record)?;
            for found in &all {
                for layer in &found.report.layers {
                    table.write_row(&layer_row(&found.network, layer))?;
                }
            }
            table.finish()?;
            console.note(format_args!("rows written to {}", path.display()));
        }
        if let Some(path) = &self.report {
            let names: Vec<&str> = all.iter().map(|found| found.network.as_str()).collect();
            let page = layers_page(&names, &first.data_name());
            let sections = |found: &Found| {
                let (verification, by) = (found.verification.as_ref(), &self.rank_by);
                let is_alone = all.len() == 1;
                layers_sections(&found.network, &found.report, verification, by, is_alone)
            };
            let sections = all.iter().flat_map(sections).collect();
            pages::write(console, path, page, sections, &record)?;
        }
        console.result(&match self.json {
            true => RunRecord::new()
                .with("run", json!(record))
                .with("networks", all.iter().map(to_json).collect::<Vec<Json>>())
                .to_json_pretty(),
            false => all.iter().map(|found| self.text(found)).collect(),
        })?;
        all.iter().try_for_each(|found| found.tally.verdict())
    }

    /// How layers are disturbed, if they are.
    fn verification(&self) -> Option<VerifyOptions> {
        let disturbance = match self.verify.as_deref()? {
            "knockout" => Disturbance::Knockout,
            "knockout-units" => Disturbance::KnockoutUnits,
            _ => Disturbance::Noise,
        };
        Some(VerifyOptions {
            disturbance,
            strengths: self.strengths.clone(),
            draws: self.draws,
            seed: self.seed,
            ..VerifyOptions::default()
        })
    }

    fn study(
        &self,
        console: &Console,
        subject: &Subject<'_>,
        network: String,
    ) -> Result<Found, Failure> {
        let mut scoring = self.scoring.clone();
        if scoring.measures.wrt.is_empty() && matches!(subject, Subject::Network { .. }) {
            scoring.measures.wrt = vec!["layers".to_owned(), "params".to_owned()];
        }
        let job = scoring.open(console, subject)?;
        // A store's network and data, before what takes long.
        let reopened = match (job.store(), &self.verify) {
            (Some(store), Some(_)) => {
                let network = store.reopen_model()?;
                let data = store.reopen_data(None, None)?.dataset(&network.model)?;
                Some((network, data))
            }
            _ => None,
        };
        let source = job.source(console)?;
        let blocks = &source.description().blocks;
        if is_relative(&self.rank_by) && blocks.iter().all(|block| block.norm.is_none()) {
            let names: Vec<&str> = blocks.iter().map(|block| &*block.name).collect();
            return Err(Failure::Input(format!(
                "--rank-by {}: is relative to the size of parameters, and {} has none; score layers (--wrt layers,params), or \
                 rank by fisher_trace",
                self.rank_by,
                names.join(", ")
            )));
        }
        let record = job.record("layers", source.description())?;
        let mut study = LayerStudy::default();
        let tally = job.each(console, &*source, |scored| {
            if let Ok(scores) = scored {
                scores.iter().for_each(|score| study.add(score));
            }
            Ok(())
        })?;
        let report = study.finish();
        let verification = match self.verification() {
            None => None,
            Some(options) => {
                let options = VerifyOptions {
                    precision: source.description().precision,
                    threads: job.options.threads,
                    ..options
                };
                let load = self.scoring.model.options();
                let (file, load, dataset) = match (&reopened, subject, job.dataset()) {
                    (Some((network, data)), ..) => (network.file.as_path(), &network.load, &**data),
                    (None, Subject::Network { model, .. }, Some(data)) => (*model, &load, data),
                    _ => return Err(Failure::Input("--verify: give MODEL DATA".to_owned())),
                };
                let progress =
                    console.progress(blocks.len() * options.strengths.len() * options.draws);
                Some(verify_layers(
                    file,
                    load,
                    dataset,
                    (blocks, &report),
                    &options,
                    stop_flag()?,
                    || progress.step(),
                )?)
            }
        };
        let record = match &self.verify {
            None => record,
            Some(how) => record
                .with("verify", how.as_str())
                .with("strengths", self.strengths.clone())
                .with("draws", self.draws)
                .with("seed", self.seed),
        };
        Ok(Found {
            network,
            report,
            verification,
            record,
            tally,
        })
    }

    fn text(&self, found: &Found) -> String {
        const SHOWN: [&str; 9] = [
            "layer",
            "theta_norm",
            "fi",
            "saturation",
            "fi_max",
            "rank",
            MEAN_NOISE,
            "rel_fi_lambda",
            "rel_fisher_trace",
        ];
        let columns = layer_columns();
        let shown: Vec<usize> = (0..columns.len())
            .filter(|&at| {
                let name = columns[at].name.as_str();
                SHOWN.contains(&name)
                    || name == ranking_column(&self.rank_by)
                    || name == COMPAT && self.scoring.measures.has_compat()
            })
            .collect();
        let heads: Vec<Column> = shown.iter().map(|&at| columns[at].clone()).collect();
        let names = Names::of_layers(&found.report);
        let layers = found.report.ranked_by(&self.rank_by);
        let rows: Vec<Vec<Value>> = layers
            .into_iter()
            .map(|layer| {
                let mut row = layer_row(&found.network, layer);
                row[1] = names.of(&layer.block).into();
                shown.iter().map(|&at| row[at].clone()).collect()
            })
            .collect();
        format!(
            "{}: medians by layer, the largest {} first\n\n{}\n{}\n",
            found.network,
            ranking_column(&self.rank_by),
            text_table(&heads, &rows, &WIDE),
            found.report.verdict()
        ) + &found
            .verification
            .as_ref()
            .map_or_else(String::new, |found| verified_text(found, &names, &WIDE))
    }
}

fn to_json(found: &Found) -> Json {
    let columns = layer_columns();
    let cell = |value: &Value| match value {
        Value::Null => Json::Null,
        Value::Int(number) => json!(number),
        Value::Float(number) if number.is_finite() => json!(number),
        Value::Float(number) => json!(number.to_string()),
        Value::Text(text) => json!(text),
    };
    let layers: Vec<Json> = found
        .report
        .layers
        .iter()
        .map(|layer| {
            let row = layer_row(&found.network, layer);
            let cells = columns.iter().zip(&row);
            json!(cells.fold(RunRecord::new(), |object, (column, value)| {
                object.with(column.name.as_str(), cell(value))
            }))
        })
        .collect();
    json!({
        "network": found.network, "verdict": found.report.verdict(), "layers": layers,
        "verification": found.verification.as_ref().map(verified_json),
    })
}
