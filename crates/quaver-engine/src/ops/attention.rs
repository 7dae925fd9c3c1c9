//! Attention and RotaryEmbedding as products, sums and a softmax.

use crate::EngineError;
use crate::compose::{Body, Name};
use crate::onnx::node::NodeContext;
use crate::onnx::proto::AttributeProto;
use crate::op::Built;

/// One of Q, K and V as batch × heads × length × size.
struct Heads {
    name: Name,
    heads: usize,
    length: usize,
    size: usize,
}

fn heads(
    node: &NodeContext<'_>,
    body: &mut Body,
    index: usize,
    count: &str,
) -> Result<Heads, EngineError> {
    let x = node.input(index)?;
    let name = node.name(index)?.clone();
    match *x.shape.as_slice() {
        [_, heads, length, size] => Ok(Heads {
            name,
            heads,
            length,
            size,
        }),
        [batch, length, width] => {
            let heads = usize::try_from(node.int(count, 0)).unwrap_or(0);
            if heads == 0 || !width.is_multiple_of(heads) {
                return Err(EngineError::shape(format!(
                    "attribute {count} = {heads} for input {index} of shape {:?}",
                    x.shape
                )));
            }
            let size = width / heads;
            let split = body.reshape(&name, &[batch, length, heads, size]);
            let name = body.transpose(&split, &[0, 2, 1, 3]);
            Ok(Heads {
                name,
                heads,
                length,
                size,
            })
        }
        _ => Err(EngineError::shape(format!(
            "input {index} of shape {:?}",
            x.shape
        ))),
    }
}

/// softmax(scale · Q Kᵀ + mask) V.
pub(super) fn attention(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    for (index, what) in [(6, "nonpad_kv_seqlen")] {
        if node.optional(index).is_some() {
            return Err(EngineError::unsupported(format!("{what} (input {index})")));
        }
    }
    let mut body = Body::new(node);
    let batch = node.input(0)?.shape.first().copied().unwrap_or(0);
    let q = heads(node, &mut body, 0, "q_num_heads")?;
    let mut k = heads(node, &mut body, 1, "kv_num_heads")?;
    let mut v = heads(node, &mut body, 2, "kv_num_heads")?;
    let mut past = 0;
    if let (Some(key), Some(_)) = (node.optional(4), node.optional(5)) {
        past = key.shape.get(2).copied().unwrap_or(0);
        let along = || vec![AttributeProto::int("axis", 2)];
        k.name = body.with("Concat", &[node.name(4)?, &k.name], along());
        v.name = body.with("Concat", &[node.name(5)?, &v.name], along());
        k.length += past;
        v.length += past;
    }
    let present = (k.name.clone(), v.name.clone());
    if k.heads == 0 || !q.heads.is_multiple_of(k.heads) || v.heads != k.heads || q.size == 0 {
        return Err(EngineError::shape(format!(
            "{} heads of Q for {} of K and {} of V",
            q.heads, k.heads, v.heads
        )));
    }
    let shared = q.heads / k.heads;
    if shared > 1 {
        // Each head of K and V serves several of Q.
        for part in [&mut k, &mut v] {
            let one = body.reshape(&part.name, &[batch, part.heads, 1, part.length, part.size]);
            let wanted = body.sizes(&[batch, part.heads, shared, part.length, part.size]);
            let all = body.op("Expand", &[&one, &wanted]);
            part.name = body.reshape(&all, &[batch, q.heads, part.length, part.size]);
        }
    }
    let scale = node.float("scale", 1.0 / (q.size as f64).sqrt());
    let scale = body.number(scale)?;
    let scaled = body.op("Mul", &[&q.name, &scale]);
    let keys = body.transpose(&k.name, &[0, 1, 3, 2]);
    let raw = body.op("MatMul", &[&scaled, &keys]);
    let softcap = node.float("softcap", 0.0);
    let cap = |body: &mut Body, scores: Name| -> Result<Name, EngineError> {
        if softcap == 0.0 {
            return Ok(scores);
        }
        let cap = body.number(softcap)?;
        let small = body.op("Div", &[&scores, &cap]);
        let flat = body.op("Tanh", &[&small]);
        Ok(body.op("Mul", &[&flat, &cap]))
    };
    let mut scores = cap(&mut body, raw.clone())?;
    let capped = scores.clone();
    let low = body.number(f64::NEG_INFINITY)?;
    if let Some(mask) = node.optional(3) {
        let mut name = node.name(3)?.clone();
        let given = mask.shape.last().copied().unwrap_or(0);
        let is_bool = mask.element == crate::tensor::Element::Bool;
        if given < k.length && given > 1 {
            // What the mask does not reach is masked.
            let mut pads = vec![0; 2 * mask.shape.len()];
            if let Some(last) = pads.last_mut() {
                *last = (k.length - given) as i64;
            }
            let pads = body.ints(&pads);
            let fill = if is_bool {
                body.number(0.0)?
            } else {
                low.clone()
            };
            name = body.op("Pad", &[&name, &pads, &fill]);
        }
        scores = if is_bool {
            body.op("Where", &[&name, &scores, &low])
        } else {
            body.op("Add", &[&scores, &name])
        };
    }
    if node.flag("is_causal", false) {
        let see = |at: usize| at % k.length <= at / k.length + past;
        let mask = (0..q.length * k.length).map(|at| if see(at) { 0.0 } else { f64::NEG_INFINITY });
        let mask = body.floats(&[q.length, k.length], mask.collect())?;
        scores = body.op("Add", &[&scores, &mask]);
    }
    let masked = scores.clone();
    let weights = body.with("Softmax", &[&scores], vec![AttributeProto::int("axis", -1)]);
    let mut y = body.op("MatMul", &[&weights, &v.name]);
    if node.input(0)?.shape.len() == 3 {
        y = body.transpose(&y, &[0, 2, 1, 3]);
        y = body.reshape(&y, &[batch, q.length, q.heads * v.size]);
    }
    let inspected = match node.int("qk_matmul_output_mode", 0) {
        0 => raw,
        1 => capped,
        2 => masked,
        _ => weights,
    };
    body.finish(vec![
        Some(y),
        Some(present.0),
        Some(present.1),
        Some(inspected),
    ])
}

/// Pairs of features turned by an angle that depends on the position.
pub(super) fn rotary(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let mut body = Body::new(node);
    let shape = node.input(0)?.shape.clone();
    let x = heads(node, &mut body, 0, "num_heads")?;
    let batch = shape.first().copied().unwrap_or(0);
    let partial = usize::try_from(node.int("rotary_embedding_dim", 0)).unwrap_or(0);
    let turned = if partial == 0 { x.size } else { partial };
    let half = turned / 2;
    if turned > x.size || half == 0 || !turned.is_multiple_of(2) {
        return Err(EngineError::shape(format!(
            "attribute rotary_embedding_dim = {partial} for features of {}",
            x.size
        )));
    }
    let table = |body: &mut Body, index: usize| -> Result<Name, EngineError> {
        let mut name = node.name(index)?.clone();
        if node.optional(3).is_some() {
            name = body.op("Gather", &[&name, node.name(3)?]);
        }
        // The same for every head.
        Ok(body.reshape(&name, &[batch, 1, x.length, half]))
    };
    let cos = table(&mut body, 1)?;
    let sin = table(&mut body, 2)?;
    let main = body.slice(&x.name, 3, 0, turned);
    let interleaved = node.flag("interleaved", false);
    let (a, b) = if interleaved {
        let pairs = body.reshape(&main, &[batch, x.heads, x.length, half, 2]);
        (body.slice(&pairs, 4, 0, 1), body.slice(&pairs, 4, 1, 2))
    } else {
        (
            body.slice(&main, 3, 0, half),
            body.slice(&main, 3, half, turned),
        )
    };
    let flat = [batch, x.heads, x.length, half];
    let (a, b) = (body.reshape(&a, &flat), body.reshape(&b, &flat));
    let products =
        [(&a, &cos), (&b, &sin), (&a, &sin), (&b, &cos)].map(|(x, t)| body.op("Mul", &[x, t]));
    let real = body.op("Sub", &[&products[0], &products[1]]);
    let imaginary = body.op("Add", &[&products[2], &products[3]]);
    let along = |axis: i64| vec![AttributeProto::int("axis", axis)];
    let mut y = if interleaved {
        let paired = [batch, x.heads, x.length, half, 1];
        let (re, im) = (
            body.reshape(&real, &paired),
            body.reshape(&imaginary, &paired),
        );
        let pairs = body.with("Concat", &[&re, &im], along(4));
        body.reshape(&pairs, &[batch, x.heads, x.length, turned])
    } else {
        body.with("Concat", &[&real, &imaginary], along(3))
    };
    if turned < x.size {
        let rest = body.slice(&x.name, 3, turned, x.size);
        y = body.with("Concat", &[&y, &rest], along(3));
    }
    if shape.len() == 3 {
        y = body.transpose(&y, &[0, 2, 1, 3]);
        y = body.reshape(&y, &shape);
    }
    body.returns(y)
}
