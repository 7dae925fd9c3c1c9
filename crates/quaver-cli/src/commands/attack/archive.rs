//! The perturbed samples as a file for other programs.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use quaver::Attacked;
use quaver_report::NpzWriter;

use crate::failure::Failure;

/// An `.npz` being written. The samples wait in a temporary file without a name, because an array says how long it is
/// before its values come; the rest is a few numbers each.
pub struct Archive {
    path: PathBuf,
    target: NpzWriter,
    spool: BufWriter<File>,
    shape: Vec<usize>,
    names: Vec<&'static str>,
    rows: Vec<Row>,
}

/// What is known of a perturbed sample.
struct Row {
    index: i64,
    label: i64,
    predicted: i64,
    success: u8,
    attack: i64,
    epsilon: f64,
}

impl Archive {
    /// Of samples of the given shape, perturbed by the attacks of `plan`.
    pub fn create(
        path: &Path,
        shape: &[usize],
        plan: &[(&'static str, Option<f64>)],
    ) -> Result<Self, Failure> {
        let mut names: Vec<&'static str> = plan.iter().map(|(name, _)| *name).collect();
        names.dedup();
        let spool = tempfile::tempfile().map_err(|error| writing(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            target: NpzWriter::create(path)?,
            spool: BufWriter::new(spool),
            shape: shape.to_vec(),
            names,
            rows: Vec::new(),
        })
    }

    /// Takes in what was done to a sample, if it was attacked.
    pub fn add(&mut self, attacked: &Attacked) -> Result<(), Failure> {
        for trial in &attacked.trials {
            let Some(outcome) = &trial.outcome else {
                continue;
            };
            for raw in &outcome.raw {
                let written = self.spool.write_all(&raw.to_le_bytes());
                written.map_err(|error| writing(&self.path, &error))?;
            }
            let attack = self.names.iter().position(|name| *name == trial.attack);
            self.rows.push(Row {
                index: attacked.index as i64,
                label: attacked.label as i64,
                predicted: outcome.predicted as i64,
                success: u8::from(outcome.success),
                attack: attack.unwrap_or_default() as i64,
                epsilon: trial.epsilon.unwrap_or(f64::NAN),
            });
        }
        Ok(())
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<(), Failure> {
        let failed = |error: io::Error| writing(&self.path, &error);
        let rows = &self.rows;
        let mut spool = self
            .spool
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        spool.rewind().map_err(failed)?;
        let mut spool = BufReader::new(spool);
        let mut npz = self.target;
        let shape: Vec<usize> = [&[rows.len()], self.shape.as_slice()].concat();
        let raw = (0..shape.iter().product()).map(|_| {
            let mut bytes = [0; 8];
            spool.read_exact(&mut bytes).map_err(failed)?;
            Ok(f64::from_le_bytes(bytes))
        });
        npz.array::<f64, Failure>("x_adv", &shape, raw)?;
        let n = [rows.len()];
        let int = |of: fn(&Row) -> i64| rows.iter().map(move |row| Ok::<i64, Failure>(of(row)));
        npz.array("y", &n, int(|row| row.label))?;
        npz.array("index", &n, int(|row| row.index))?;
        npz.array("predicted", &n, int(|row| row.predicted))?;
        npz.array(
            "success",
            &n,
            rows.iter().map(|row| Ok::<u8, Failure>(row.success)),
        )?;
        npz.array("attack", &n, int(|row| row.attack))?;
        npz.array(
            "epsilon",
            &n,
            rows.iter().map(|row| Ok::<f64, Failure>(row.epsilon)),
        )?;
        npz.texts("attacks", &self.names)?;
        Ok(npz.finish()?)
    }
}

fn writing(path: &Path, error: &io::Error) -> Failure {
    Failure::Output(format!("{}: {error}", path.display()))
}
