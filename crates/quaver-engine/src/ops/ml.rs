//! The domain `ai.onnx.ml`, as far as scikit-learn's differentiable models need it.
//!
//! A linear classifier's post-transform is written as the Softmax or Sigmoid it is, so that the head is found
//! there; labels have no derivative and are left out.

use crate::EngineError;
use crate::compose::{Body, Name};
use crate::onnx::node::NodeContext;
use crate::onnx::proto::AttributeProto;
use crate::onnx::tensors::data_type;
use crate::op::Built;
use crate::tensor::{Data, Element, Tensor};

fn axis(axis: i64) -> Vec<AttributeProto> {
    vec![AttributeProto::int("axis", axis)]
}

/// Numbers of an attribute, as many as fit `n` places (one may stand for all).
fn per_feature(
    node: &NodeContext<'_>,
    name: &str,
    n: usize,
) -> Result<Option<Vec<f64>>, EngineError> {
    let Some(values) = node.floats(name).filter(|values| !values.is_empty()) else {
        return Ok(None);
    };
    if values.len() != n && values.len() != 1 {
        return Err(EngineError::shape(format!(
            "attribute {name} has {} values for {n} features",
            values.len()
        )));
    }
    Ok(Some(values.iter().map(|&x| f64::from(x)).collect()))
}

fn n_features(node: &NodeContext<'_>) -> Result<usize, EngineError> {
    let x = node.input(0)?;
    x.shape.last().copied().filter(|&n| n > 0).ok_or_else(|| {
        EngineError::shape(format!("a value of shape {:?} has no features", x.shape))
    })
}

/// Input 0 as real numbers.
fn real(body: &mut Body, node: &NodeContext<'_>) -> Result<Name, EngineError> {
    Ok(match node.input(0)?.element {
        Element::Float => node.name(0)?.clone(),
        _ => {
            let to = vec![AttributeProto::int("to", i64::from(data_type::DOUBLE))];
            body.with("Cast", &[node.name(0)?], to)
        }
    })
}

/// (x − offset) · scale per feature.
pub(super) fn scaler(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let n = n_features(node)?;
    let mut body = Body::new(node);
    let mut y = real(&mut body, node)?;
    for (name, op_type) in [("offset", "Sub"), ("scale", "Mul")] {
        if let Some(values) = per_feature(node, name, n)? {
            let values = body.floats(&[values.len()], values)?;
            y = body.op(op_type, &[&y, &values]);
        }
    }
    body.returns(y)
}

/// x, with a number in place of what is missing.
pub(super) fn imputer(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let n = n_features(node)?;
    let wrong = || EngineError::unsupported("an imputer without imputed_value_floats");
    let values = per_feature(node, "imputed_value_floats", n)?.ok_or_else(wrong)?;
    let mut body = Body::new(node);
    let x = real(&mut body, node)?;
    let replaced = node.float("replaced_value_float", 0.0);
    let missing = if replaced.is_nan() {
        body.op("IsNaN", &[&x])
    } else {
        let replaced = body.number(replaced)?;
        body.op("Equal", &[&x, &replaced])
    };
    let values = body.floats(&[values.len()], values)?;
    let y = body.op("Where", &[&missing, &values, &x]);
    body.returns(y)
}

/// 1 above the threshold, 0 elsewhere.
pub(super) fn binarizer(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let mut body = Body::new(node);
    let threshold = body.number(node.float("threshold", 0.0))?;
    let above = body.op("Greater", &[node.name(0)?, &threshold]);
    let to = vec![AttributeProto::int("to", i64::from(data_type::DOUBLE))];
    let y = body.with("Cast", &[&above], to);
    body.returns(y)
}

/// The features that input 1 lists.
pub(super) fn extract_features(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let listed = node.required_constant(1, "list of features")?;
    let mut body = Body::new(node);
    let listed = body.ints(
        &listed
            .numbers()
            .iter()
            .map(|&x| x as i64)
            .collect::<Vec<_>>(),
    );
    let y = body.with("Gather", &[node.name(0)?, &listed], axis(-1));
    // A single row is a matrix all the same.
    match node.input(0)?.shape.len() {
        1 => {
            let wanted = body.ints(&[1, -1]);
            let y = body.op("Reshape", &[&y, &wanted]);
            body.returns(y)
        }
        _ => body.returns(y),
    }
}

/// All inputs side by side.
pub(super) fn feature_vectorizer(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let names = (0..node.inputs.len()).map(|at| node.name(at));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut body = Body::new(node);
    let y = body.with("Concat", &names, axis(-1));
    body.returns(y)
}

/// The probabilities as they are; the map from labels to them is for people.
pub(super) fn zip_map(_: &NodeContext<'_>) -> Result<Built, EngineError> {
    Ok(Built::Alias)
}

/// x divided by its norm.
pub(super) fn normalizer(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let x = node.input(0)?;
    let mut body = Body::new(node);
    let norm = node.string("norm", "MAX");
    match (norm.as_str(), x.producer.as_deref()) {
        // Probabilities sum to 1 already.
        ("L1", Some("Softmax")) => return Ok(Built::Alias),
        // σ(z)/Σσ(z) is a softmax of log σ(z): so written, the head is found.
        ("L1", Some("Sigmoid")) => {
            let logits = body.op("Log", &[node.name(0)?]);
            let y = body.with("Softmax", &[&logits], axis(-1));
            return body.returns(y);
        }
        _ => {}
    }
    let values = real(&mut body, node)?;
    let norm = match norm.as_str() {
        "L1" => body.reduce("ReduceL1", &values, &[-1], true),
        "L2" => body.reduce("ReduceL2", &values, &[-1], true),
        "MAX" => {
            let sizes = body.op("Abs", &[&values]);
            body.reduce("ReduceMax", &sizes, &[-1], true)
        }
        other => return Err(EngineError::format(format!("attribute norm = '{other}'"))),
    };
    let y = body.op("Div", &[&values, &norm]);
    body.returns(y)
}

/// x W + b with the rows of W in attribute coefficients.
fn scores(
    body: &mut Body,
    node: &NodeContext<'_>,
    n_rows: usize,
    coefficients: Vec<f64>,
    intercepts: &[f32],
) -> Result<Name, EngineError> {
    let n = n_features(node)?;
    if n_rows == 0 || coefficients.len() != n_rows * n || ![0, n_rows].contains(&intercepts.len()) {
        return Err(EngineError::shape(format!(
            "attributes coefficients ({}) and intercepts ({}) for {n} features and {n_rows} scores",
            coefficients.len(),
            intercepts.len()
        )));
    }
    let x = real(body, node)?;
    let x = body.reshape(&x, &[node.input(0)?.shape.iter().product::<usize>() / n, n]);
    let weight = Tensor::new(vec![n_rows, n], Data::F64(coefficients))?;
    let weight = body.parameter("coefficients", weight);
    let mut inputs = vec![&x, &weight];
    let bias;
    if !intercepts.is_empty() {
        let values = intercepts.iter().map(|&b| f64::from(b)).collect();
        let values = Tensor::new(vec![n_rows], Data::F64(values))?;
        bias = body.parameter("intercepts", values);
        inputs.push(&bias);
    }
    Ok(body.with("Gemm", &inputs, vec![AttributeProto::int("transB", 1)]))
}

fn doubles(values: Option<&[f32]>) -> Vec<f64> {
    let values = values.unwrap_or_default();
    values.iter().map(|&x| f64::from(x)).collect()
}

/// Scores of each class, or of the second of two, and what the post-transform makes of them.
pub(super) fn linear_classifier(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let coefficients = doubles(node.floats("coefficients"));
    let intercepts = node.floats("intercepts").unwrap_or_default();
    let n_rows = coefficients.len() / n_features(node)?;
    let labels = node
        .attribute("classlabels_strings")
        .map_or(0, |a| a.strings.len());
    let n_classes = labels.max(node.ints("classlabels_ints").map_or(0, <[i64]>::len));
    let transform = node.string("post_transform", "NONE");
    let mut body = Body::new(node);
    let opposite = |x: &[f64]| {
        let (a, b) = x.split_at(x.len() / 2);
        a.iter().zip(b).all(|(a, b)| *a == -b)
    };
    let pair = n_classes == 2 && transform == "LOGISTIC";
    let symmetric =
        pair && n_rows == 2 && opposite(&coefficients) && opposite(&doubles(Some(intercepts)));
    let y = if symmetric || pair && n_rows == 1 {
        // (σ(−z), σ(z)) is the softmax of (0, z): so written, the head is found.
        let z = scores(
            &mut body,
            node,
            1,
            coefficients[coefficients.len() - coefficients.len() / n_rows..].to_vec(),
            &intercepts[intercepts.len() - intercepts.len() / n_rows..],
        )?;
        let zero = body.number(0.0)?;
        let rest = body.op("Mul", &[&z, &zero]);
        let both = body.with("Concat", &[&rest, &z], axis(-1));
        body.with("Softmax", &[&both], axis(-1))
    } else {
        let z = scores(&mut body, node, n_rows, coefficients, intercepts)?;
        let z = if n_classes == 2 && n_rows == 1 {
            let other = body.op("Neg", &[&z]);
            body.with("Concat", &[&other, &z], axis(-1))
        } else {
            z
        };
        match transform.as_str() {
            "NONE" => z,
            "SOFTMAX" => body.with("Softmax", &[&z], axis(-1)),
            "LOGISTIC" => body.op("Sigmoid", &[&z]),
            other => {
                return Err(EngineError::unsupported(format!(
                    "attribute post_transform = '{other}'"
                )));
            }
        }
    };
    body.finish(vec![None, Some(y)])
}

/// x W + b.
pub(super) fn linear_regressor(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let transform = node.string("post_transform", "NONE");
    if transform != "NONE" {
        return Err(EngineError::unsupported(format!(
            "attribute post_transform = '{transform}'"
        )));
    }
    let targets = usize::try_from(node.int("targets", 1)).unwrap_or(0);
    let mut body = Body::new(node);
    let coefficients = doubles(node.floats("coefficients"));
    let intercepts = node.floats("intercepts").unwrap_or_default();
    let y = scores(&mut body, node, targets, coefficients, intercepts)?;
    body.returns(y)
}
