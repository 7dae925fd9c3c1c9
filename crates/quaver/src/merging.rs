//! Classes merged after the fact: what a network would have answered had it merged them.

use quaver_geometry::{ClassGram, Classes, Softmax};

use crate::sensitivity::PROBE_SEED;
use crate::{Error, Evaluation, LabelChoice};

impl Evaluation {
    /// The same with the classes merged that `classes` does not keep apart, as seen from `label`. The Gram of all K
    /// classes holds that of any cotangents: (V J)(V J)ᵀ = V S Vᵀ, for those that a network sweeps back when it merges.
    /// Nothing happens where classes were merged before.
    ///
    /// # Errors
    /// If the label is missing or no class, or the outputs are not those of a softmax.
    pub fn merged(mut self, classes: Classes, label: LabelChoice) -> Result<Self, Error> {
        if self.lumping.is_some() || classes == Classes::All {
            return Ok(self);
        }
        let label = label.of(self.true_label, &Softmax::new(&self.outputs)?)?;
        let lumping = classes.at(&self.outputs, label)?;
        if lumping.is_whole() {
            return Ok(self);
        }
        let (rows, contrasts) = (lumping.cotangents(), lumping.contrasts());
        let probe = lumping.probe(PROBE_SEED, self.index);
        let mut lost_traces = Vec::with_capacity(self.grams.len());
        for gram in &mut self.grams {
            lost_traces.push(match &probe {
                Some(probe) => probe.lost_trace(seen_by(probe.cotangent(), gram)[0])?,
                None => 0.0,
            });
            *gram = ClassGram::from_contrasts(&contrasts, &seen_by(&rows, gram))?;
        }
        self.lost_traces = lost_traces;
        self.lumping = Some(lumping);
        Ok(self)
    }
}

/// V S Vᵀ of rows V (n × K), row-major n × n.
fn seen_by(rows: &[f64], gram: &ClassGram) -> Vec<f64> {
    let k = gram.n_classes();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut seen = Vec::new();
    for row in rows.chunks_exact(k) {
        // S is symmetric.
        let half: Vec<f64> = gram.values().chunks_exact(k).map(|s| dot(row, s)).collect();
        seen.extend(rows.chunks_exact(k).map(|other| dot(&half, other)));
    }
    seen
}
