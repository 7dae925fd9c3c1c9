//! `quaver inspect`: what a model is, and whether it can be differentiated.

use std::path::PathBuf;

use clap::Args;
use quaver::table::{Column, Kind, Value};
use quaver::{Error, Inspection, Port};
use quaver_report::{RunRecord, TextOptions, text_table};
use serde_json::{Value as Json, json};

use crate::arguments::ModelArgs;
use crate::console::Console;
use crate::failure::Failure;

/// Say what a model is: inputs, head, layers, parameters, operators, and whether all of it is supported.
///
/// The names of layers and parameters are those of the blocks layer:NAME and param:NAME of `quaver score --wrt`.
///
/// Exit status 2 if the model cannot be used: the reason is on stdout, in JSON too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver inspect model.onnx
  quaver inspect model.onnx --json | jq .n_params
  quaver inspect model.onnx --json | jq -r '.params[].name'
  quaver inspect model.onnx --json | jq .unsupported
  quaver inspect dynamic.onnx --input-shape 3,224,224")]
pub struct Inspect {
    /// ONNX file.
    model: PathBuf,

    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model_args: ModelArgs,
}

impl Inspect {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        let result = quaver::inspect(&self.model, &self.model_args.options());
        let text = match (&result, self.json) {
            (Ok(inspection), true) => self.json_of(inspection).to_json_pretty(),
            (Ok(inspection), false) => self.text_of(inspection),
            (Err(error), true) => self.json_of_error(error).to_json_pretty(),
            (Err(error), false) => unsupported(error),
        };
        console.result(&text)?;
        match result.map(|inspection| inspection.head) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(reason)) => Err(self.not_a_classifier(&reason)),
            Err(error) => Err(error.into()),
        }
    }

    fn not_a_classifier(&self, reason: &str) -> Failure {
        Failure::Input(format!("{}: {reason}", self.model.display()))
    }

    fn text_of(&self, inspection: &Inspection) -> String {
        let ports = |ports: &[Port]| {
            let one = |port: &Port| format!("{} {}", port.name, shape(&port.shape));
            ports.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let operators: Vec<String> = inspection
            .operators
            .iter()
            .map(|(name, count)| format!("{name} × {count}"))
            .collect();
        let mut facts = vec![
            ("model", self.model.display().to_string()),
            ("input", ports(&inspection.inputs)),
            ("output", ports(&inspection.outputs)),
        ];
        match &inspection.head {
            Ok(head) => facts.extend([
                ("classes", head.n_classes.to_string()),
                ("head", head.kind.name().to_owned()),
                ("differentiated", head.logits.clone()),
            ]),
            Err(reason) => facts.push(("classifier", format!("no: {reason}"))),
        }
        facts.extend([
            ("parameters", inspection.n_params.to_string()),
            ("MACs", format!("{} a sample", inspection.macs)),
            ("operators", operators.join(", ")),
            (
                "supported",
                "yes: every operator has a derivative".to_owned(),
            ),
        ]);
        let mut text: String = facts
            .iter()
            .map(|(name, fact)| format!("{name:<16}{fact}\n"))
            .collect();
        if !inspection.layers.is_empty() {
            text.push('\n');
            text.push_str(&layers(inspection));
            text.push('\n');
            text.push_str(&parameters(inspection));
        }
        text
    }

    fn json_of(&self, inspection: &Inspection) -> RunRecord {
        let ports = |ports: &[Port]| -> Json {
            let one = |port: &Port| json!({"name": port.name, "shape": port.shape});
            ports.iter().map(one).collect()
        };
        let (head, reason) = match &inspection.head {
            Ok(head) => (
                json!({"kind": head.kind.name(), "differentiated": head.logits}),
                Json::Null,
            ),
            Err(reason) => (Json::Null, json!(reason)),
        };
        let layers: Vec<Json> = inspection
            .layers
            .iter()
            .map(|layer| {
                let params: Vec<Json> = layer
                    .params
                    .iter()
                    .map(|(name, shape)| json!({"name": name, "shape": shape}))
                    .collect();
                json!({
                    "name": layer.name, "operator": layer.op_type, "n_params": layer.n_params(),
                    "params": params, "output_shape": layer.output_shape, "macs": layer.macs,
                })
            })
            .collect();
        let params: Vec<Json> = inspection
            .parameters
            .iter()
            .map(|param| json!({"name": param.name, "shape": param.shape, "layers": param.layers}))
            .collect();
        let n_classes = inspection.head.as_ref().ok().map(|head| head.n_classes);
        RunRecord::new()
            .with("model", self.model.display().to_string())
            .with("supported", true)
            .with("classifier", inspection.head.is_ok())
            .with("reason", reason)
            .with("inputs", ports(&inspection.inputs))
            .with("outputs", ports(&inspection.outputs))
            .with("n_classes", n_classes)
            .with("head", head)
            .with("n_params", inspection.n_params)
            .with("macs", inspection.macs)
            .with("operators", json!(inspection.operators))
            .with("layers", layers)
            .with("params", params)
    }

    fn json_of_error(&self, error: &Error) -> RunRecord {
        let nodes: Vec<Json> = error
            .unsupported_nodes()
            .iter()
            .map(|node| {
                json!({
                    "node": node.node, "operator": node.operator, "opset": node.opset,
                    "reason": node.reason,
                })
            })
            .collect();
        RunRecord::new()
            .with("model", self.model.display().to_string())
            .with("supported", false)
            .with("reason", error.to_string())
            .with("unsupported", nodes)
    }
}

fn layers(inspection: &Inspection) -> String {
    let columns = [
        ("layer", Kind::Text),
        ("operator", Kind::Text),
        ("parameters", Kind::Int),
        ("output", Kind::Text),
        ("MACs", Kind::Int),
    ]
    .map(|(name, kind)| Column::new(name, kind, ""));
    let rows: Vec<Vec<Value>> = inspection
        .layers
        .iter()
        .map(|layer| {
            vec![
                layer.name.as_str().into(),
                layer.op_type.as_str().into(),
                Value::Int(i64::try_from(layer.n_params()).unwrap_or(i64::MAX)),
                shape(&layer.output_shape).into(),
                Value::Int(i64::try_from(layer.macs).unwrap_or(i64::MAX)),
            ]
        })
        .collect();
    text_table(&columns, &rows, &whole())
}

fn parameters(inspection: &Inspection) -> String {
    let columns = [
        ("parameter", Kind::Text),
        ("shape", Kind::Text),
        ("numbers", Kind::Int),
        ("layers", Kind::Text),
    ]
    .map(|(name, kind)| Column::new(name, kind, ""));
    let rows: Vec<Vec<Value>> = inspection
        .parameters
        .iter()
        .map(|param| {
            let n = param.shape.iter().product::<usize>();
            vec![
                param.name.as_str().into(),
                shape(&param.shape).into(),
                Value::Int(i64::try_from(n).unwrap_or(i64::MAX)),
                param.layers.join(", ").into(),
            ]
        })
        .collect();
    text_table(&columns, &rows, &whole())
}

/// Every node that cannot be read.
fn unsupported(error: &Error) -> String {
    let columns = [
        ("node", Kind::Text),
        ("operator", Kind::Text),
        ("opset", Kind::Int),
        ("reason", Kind::Text),
    ]
    .map(|(name, kind)| Column::new(name, kind, ""));
    let nodes = error.unsupported_nodes();
    if nodes.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<Value>> = nodes
        .iter()
        .map(|node| {
            vec![
                node.node.as_str().into(),
                node.operator.as_str().into(),
                Value::Int(node.opset),
                node.reason.as_str().into(),
            ]
        })
        .collect();
    text_table(&columns, &rows, &whole())
}

fn shape(dims: &[usize]) -> String {
    let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
    dims.join("×")
}

/// Names are there to be copied: nothing is cut.
fn whole() -> TextOptions {
    TextOptions {
        width: usize::MAX,
        ..TextOptions::default()
    }
}
