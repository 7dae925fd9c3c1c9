//! LSTM, GRU and RNN, unrolled over time into products and activations.
//!
//! X is T × N × I (N × T × I with layout 1), W D × gH × I, R D × gH × H, B D × 2gH for D directions and g gates.

use crate::EngineError;
use crate::compose::{Body, Name};
use crate::onnx::node::NodeContext;
use crate::onnx::proto::AttributeProto;
use crate::op::Built;

/// How many steps are unrolled at most: beyond, the graph would outgrow memory.
const MAX_STEPS: usize = 1 << 13;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rnn,
    Gru,
    Lstm,
}

impl Kind {
    fn n_gates(self) -> usize {
        match self {
            Kind::Rnn => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }

    fn activations(self) -> &'static [&'static str] {
        match self {
            Kind::Rnn => &["Tanh"],
            Kind::Gru => &["Sigmoid", "Tanh"],
            Kind::Lstm => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

/// A function of a gate, with its parameters.
#[derive(Debug, Clone)]
struct Activation {
    op_type: String,
    attributes: Vec<AttributeProto>,
}

/// One direction of one layer.
struct Cell {
    kind: Kind,
    hidden: usize,
    batch: usize,
    activations: Vec<Activation>,
    clip: Option<f64>,
    linear_before_reset: bool,
    /// H × gH.
    recurrence: Name,
    /// The bias of the recurrence, where it is not simply added to the other (GRU's last gate).
    inner_bias: Option<Name>,
    /// LSTM's weights from the cell state to gates i, o and f.
    peepholes: Option<[Name; 3]>,
}

impl Cell {
    fn activate(&self, body: &mut Body, which: usize, x: &Name) -> Result<Name, EngineError> {
        let x = match self.clip {
            None => x.clone(),
            Some(limit) => {
                let (low, high) = (body.number(-limit)?, body.number(limit)?);
                body.op("Clip", &[x, &low, &high])
            }
        };
        let Activation {
            op_type,
            attributes,
        } = &self.activations[which];
        Ok(body.with(op_type, &[&x], attributes.clone()))
    }

    /// Gate `at` of a value of all gates.
    fn gate(&self, body: &mut Body, x: &Name, at: usize) -> Name {
        body.slice(x, 1, at * self.hidden, (at + 1) * self.hidden)
    }

    /// The next states, from the gates' inputs at this step (N × gH) and the states before it.
    fn step(
        &self,
        body: &mut Body,
        x: &Name,
        h: &Name,
        c: &Name,
    ) -> Result<(Name, Name), EngineError> {
        let from_h = body.op("MatMul", &[h, &self.recurrence]);
        match self.kind {
            Kind::Rnn => {
                let sum = body.op("Add", &[x, &from_h]);
                let h = self.activate(body, 0, &sum)?;
                Ok((h.clone(), h))
            }
            Kind::Gru => self.gru(body, x, h, &from_h),
            Kind::Lstm => {
                let sum = body.op("Add", &[x, &from_h]);
                let [i, o, f, candidate] = [0, 1, 2, 3].map(|at| self.gate(body, &sum, at));
                let i = self.peep(body, i, c, 0);
                let f = self.peep(body, f, c, 2);
                let i = self.activate(body, 0, &i)?;
                let f = self.activate(body, 0, &f)?;
                let candidate = self.activate(body, 1, &candidate)?;
                let kept = body.op("Mul", &[&f, c]);
                let new = body.op("Mul", &[&i, &candidate]);
                let c = body.op("Add", &[&kept, &new]);
                let o = self.peep(body, o, &c, 1);
                let o = self.activate(body, 0, &o)?;
                let shown = self.activate(body, 2, &c)?;
                Ok((body.op("Mul", &[&o, &shown]), c))
            }
        }
    }

    fn peep(&self, body: &mut Body, gate: Name, c: &Name, at: usize) -> Name {
        match &self.peepholes {
            None => gate,
            Some(weights) => {
                let seen = body.op("Mul", &[&weights[at], c]);
                body.op("Add", &[&gate, &seen])
            }
        }
    }

    fn gru(
        &self,
        body: &mut Body,
        x: &Name,
        h: &Name,
        from_h: &Name,
    ) -> Result<(Name, Name), EngineError> {
        let sums = [0, 1].map(|at| {
            let (x, from_h) = (self.gate(body, x, at), self.gate(body, from_h, at));
            body.op("Add", &[&x, &from_h])
        });
        let z = self.activate(body, 0, &sums[0])?;
        let r = self.activate(body, 0, &sums[1])?;
        let mut inner = if self.linear_before_reset {
            self.gate(body, from_h, 2)
        } else {
            let reset = body.op("Mul", &[&r, h]);
            let weight = self.gate(body, &self.recurrence, 2);
            body.op("MatMul", &[&reset, &weight])
        };
        if let Some(bias) = &self.inner_bias {
            inner = body.op("Add", &[&inner, bias]);
        }
        if self.linear_before_reset {
            inner = body.op("Mul", &[&r, &inner]);
        }
        let x = self.gate(body, x, 2);
        let sum = body.op("Add", &[&x, &inner]);
        let new = self.activate(body, 1, &sum)?;
        // (1 − z) new + z h
        let difference = body.op("Sub", &[h, &new]);
        let kept = body.op("Mul", &[&z, &difference]);
        let h = body.op("Add", &[&new, &kept]);
        Ok((h.clone(), h))
    }
}

fn activations(
    node: &NodeContext<'_>,
    kind: Kind,
    directions: usize,
) -> Result<Vec<Activation>, EngineError> {
    let default = kind.activations();
    let names: Vec<String> = match node.attribute("activations") {
        Some(a) if !a.strings.is_empty() => {
            let text = |s: &Vec<u8>| String::from_utf8_lossy(s).into_owned();
            a.strings.iter().map(text).collect()
        }
        _ => (0..directions)
            .flat_map(|_| default)
            .map(|&s| s.to_owned())
            .collect(),
    };
    if names.len() != default.len() * directions {
        return Err(EngineError::format(format!(
            "attribute activations = {names:?} for {directions} directions"
        )));
    }
    // Parameters are listed for those functions alone that have some.
    let mut alphas = node.floats("activation_alpha").unwrap_or_default().iter();
    let mut betas = node.floats("activation_beta").unwrap_or_default().iter();
    let read = |name: &String| {
        let known = [
            "Relu",
            "Tanh",
            "Sigmoid",
            "Affine",
            "LeakyRelu",
            "ThresholdedRelu",
            "ScaledTanh",
            "HardSigmoid",
            "Elu",
            "Softsign",
            "Softplus",
        ];
        let op_type = known
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        let op_type = op_type.filter(|name| !matches!(*name, "Affine" | "ScaledTanh"));
        let op_type = op_type.ok_or_else(|| {
            EngineError::unsupported(format!("attribute activations with '{name}'"))
        })?;
        let mut attributes = Vec::new();
        if matches!(
            op_type,
            "LeakyRelu" | "ThresholdedRelu" | "HardSigmoid" | "Elu"
        ) {
            attributes.extend(alphas.next().map(|&a| AttributeProto::float("alpha", a)));
        }
        if op_type == "HardSigmoid" {
            attributes.extend(betas.next().map(|&b| AttributeProto::float("beta", b)));
        }
        Ok(Activation {
            op_type: op_type.to_owned(),
            attributes,
        })
    };
    names.iter().map(read).collect()
}

fn build(node: &NodeContext<'_>, kind: Kind) -> Result<Built, EngineError> {
    let (x, w, r) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let batch_first = node.flag("layout", false);
    let direction = node.string("direction", "forward");
    let g = kind.n_gates();
    let wrong = || {
        EngineError::shape(format!(
            "direction '{direction}', W of shape {:?} and R of shape {:?} for X of shape {:?}",
            w.shape, r.shape, x.shape
        ))
    };
    let (&[a, b, n_in], &[d, gh, w_in], &[rd, rgh, hidden]) =
        (x.shape.as_slice(), w.shape.as_slice(), r.shape.as_slice())
    else {
        return Err(wrong());
    };
    let (steps, batch) = if batch_first { (b, a) } else { (a, b) };
    let backwards: &[bool] = match direction.as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        _ => return Err(wrong()),
    };
    let fits = d == backwards.len()
        && rd == d
        && w_in == n_in
        && gh == rgh
        && g.checked_mul(hidden) == Some(gh);
    if !fits || x.shape.contains(&0) || hidden == 0 || steps > MAX_STEPS {
        return Err(wrong());
    }
    if let Some(lengths) = node.constant(4, "sequence lengths")?
        && lengths.numbers().iter().any(|&n| n != steps as f64)
    {
        return Err(EngineError::unsupported(
            "sequence lengths (input 4) other than the whole axis",
        ));
    }
    let activations = activations(node, kind, d)?;
    let n_activations = kind.activations().len();
    let mut body = Body::new(node);
    let mut sequence = node.name(0)?.clone();
    if batch_first {
        sequence = body.transpose(&sequence, &[1, 0, 2]);
    }
    let flat = body.reshape(&sequence, &[steps * batch, n_in]);
    let mut all_h = Vec::new();
    let (mut last_h, mut last_c) = (Vec::new(), Vec::new());
    for (at, &backward) in backwards.iter().enumerate() {
        let part = |body: &mut Body, index: usize| -> Result<Option<Name>, EngineError> {
            if node.optional(index).is_none() {
                return Ok(None);
            }
            Ok(Some(body.slice(node.name(index)?, 0, at, at + 1)))
        };
        let weight = body.slice(node.name(1)?, 0, at, at + 1);
        let weight = body.reshape(&weight, &[gh, n_in]);
        let weight = body.transpose(&weight, &[1, 0]);
        let recurrence = body.slice(node.name(2)?, 0, at, at + 1);
        let recurrence = body.reshape(&recurrence, &[gh, hidden]);
        let recurrence = body.transpose(&recurrence, &[1, 0]);
        let mut inputs = body.op("MatMul", &[&flat, &weight]);
        let mut inner_bias = None;
        if let Some(bias) = part(&mut body, 3)? {
            let bias = body.reshape(&bias, &[2 * gh]);
            let outer = body.slice(&bias, 0, 0, gh);
            let inner = body.slice(&bias, 0, gh, 2 * gh);
            inputs = body.op("Add", &[&inputs, &outer]);
            // The bias of the recurrence is added at once, but where GRU resets after it.
            let n_plain = if kind == Kind::Gru { 2 * hidden } else { gh };
            let plain = body.slice(&inner, 0, 0, n_plain);
            let zeros = body.floats(&[gh - n_plain], vec![0.0; gh - n_plain])?;
            let plain = body.with(
                "Concat",
                &[&plain, &zeros],
                vec![AttributeProto::int("axis", 0)],
            );
            inputs = body.op("Add", &[&inputs, &plain]);
            if kind == Kind::Gru {
                inner_bias = Some(body.slice(&inner, 0, n_plain, gh));
            }
        }
        let peepholes = match (kind, part(&mut body, 7)?) {
            (Kind::Lstm, Some(all)) => {
                let all = body.reshape(&all, &[3 * hidden]);
                Some([0, 1, 2].map(|p| body.slice(&all, 0, p * hidden, (p + 1) * hidden)))
            }
            _ => None,
        };
        let cell = Cell {
            kind,
            hidden,
            batch,
            activations: activations[at * n_activations..][..n_activations].to_vec(),
            clip: node.attribute("clip").map(|a| f64::from(a.f)),
            linear_before_reset: node.flag("linear_before_reset", false),
            recurrence,
            inner_bias,
            peepholes,
        };
        let state = |body: &mut Body, index: usize| -> Result<Name, EngineError> {
            match node.optional(index) {
                None => body.floats(&[batch, hidden], vec![0.0; batch * hidden]),
                Some(_) if batch_first => {
                    let initial = body.slice(node.name(index)?, 1, at, at + 1);
                    Ok(body.reshape(&initial, &[batch, hidden]))
                }
                Some(_) => {
                    let initial = body.slice(node.name(index)?, 0, at, at + 1);
                    Ok(body.reshape(&initial, &[batch, hidden]))
                }
            }
        };
        let mut h = state(&mut body, 5)?;
        let mut c = match kind {
            Kind::Lstm => state(&mut body, 6)?,
            _ => h.clone(),
        };
        let mut shown = vec![Name::new(); steps];
        for step in 0..steps {
            let t = if backward { steps - 1 - step } else { step };
            let x = body.slice(&inputs, 0, t * cell.batch, (t + 1) * cell.batch);
            (h, c) = cell.step(&mut body, &x, &h, &c)?;
            shown[t] = body.reshape(&h, &[1, 1, batch, hidden]);
        }
        let shown: Vec<&Name> = shown.iter().collect();
        all_h.push(body.with("Concat", &shown, vec![AttributeProto::int("axis", 0)]));
        last_h.push(body.reshape(&h, &[1, batch, hidden]));
        last_c.push(body.reshape(&c, &[1, batch, hidden]));
    }
    let mut join = |parts: &[Name], axis: i64, perm: &[usize]| {
        let parts: Vec<&Name> = parts.iter().collect();
        let y = body.with("Concat", &parts, vec![AttributeProto::int("axis", axis)]);
        // T × D × N × H to N × T × D × H, and D × N × H to N × D × H.
        if batch_first {
            body.transpose(&y, perm)
        } else {
            y
        }
    };
    let outputs = vec![
        Some(join(&all_h, 1, &[2, 0, 1, 3])),
        Some(join(&last_h, 0, &[1, 0, 2])),
        (kind == Kind::Lstm).then(|| join(&last_c, 0, &[1, 0, 2])),
    ];
    body.finish(outputs)
}

/// h' = f(W x + R h + b).
pub(super) fn rnn(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, Kind::Rnn)
}

/// Gated recurrent units.
pub(super) fn gru(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    build(node, Kind::Gru)
}

/// Long short-term memory.
pub(super) fn lstm(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    if node.flag("input_forget", false) {
        return Err(EngineError::unsupported("attribute input_forget = 1"));
    }
    build(node, Kind::Lstm)
}
