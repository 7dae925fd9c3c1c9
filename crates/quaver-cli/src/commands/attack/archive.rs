//! The perturbed samples as a file for other programs.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use npyz::{DType, WriteOptions, WriterBuilder};
use quaver::Attacked;
use quaver_report::AtomicFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::failure::Failure;

/// An `.npz` being written. The samples wait in a temporary file without a name, because an array says how long it is
/// before its values come; the rest is a few numbers each.
pub struct Archive {
    path: PathBuf,
    target: AtomicFile,
    spool: BufWriter<File>,
    shape: Vec<u64>,
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
        let is_npz = path.extension().is_some_and(|extension| extension == "npz");
        if !is_npz {
            let path = path.display();
            return Err(Failure::Input(format!("{path}: --save writes .npz files")));
        }
        let mut names: Vec<&'static str> = plan.iter().map(|(name, _)| *name).collect();
        names.dedup();
        let spool = tempfile::tempfile().map_err(|error| writing(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            target: AtomicFile::create(path)?,
            spool: BufWriter::new(spool),
            shape: shape.iter().map(|&n| n as u64).collect(),
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
        let path = self.path.clone();
        let file = self.assemble().map_err(|error| writing(&path, &error))?;
        Ok(file.commit()?)
    }

    fn assemble(self) -> io::Result<AtomicFile> {
        let n = self.rows.len() as u64;
        let mut spool = self
            .spool
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        spool.rewind()?;
        let mut spool = BufReader::new(spool);
        let mut zip = ZipWriter::new_stream(self.target);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);

        zip.start_file("x_adv.npy", options)?;
        let mut shape = vec![n];
        shape.extend(&self.shape);
        let mut array = WriteOptions::<f64>::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut zip)
            .begin_nd()?;
        for _ in 0..shape.iter().product() {
            let mut bytes = [0; 8];
            spool.read_exact(&mut bytes)?;
            array.push(&f64::from_le_bytes(bytes))?;
        }
        array.finish()?;

        let rows = &self.rows;
        column(&mut zip, options, "y", rows.iter().map(|row| row.label))?;
        column(&mut zip, options, "index", rows.iter().map(|row| row.index))?;
        column(
            &mut zip,
            options,
            "predicted",
            rows.iter().map(|row| row.predicted),
        )?;
        column(
            &mut zip,
            options,
            "success",
            rows.iter().map(|row| row.success),
        )?;
        column(
            &mut zip,
            options,
            "attack",
            rows.iter().map(|row| row.attack),
        )?;
        column(
            &mut zip,
            options,
            "epsilon",
            rows.iter().map(|row| row.epsilon),
        )?;

        zip.start_file("attacks.npy", options)?;
        let longest = self.names.iter().map(|name| name.len()).max().unwrap_or(1);
        let text = format!("<U{longest}").parse().map_err(io::Error::other)?;
        let mut array = WriteOptions::<str>::new()
            .dtype(DType::Plain(text))
            .shape(&[self.names.len() as u64])
            .writer(&mut zip)
            .begin_nd()?;
        for name in &self.names {
            array.push(name)?;
        }
        array.finish()?;
        Ok(zip.finish()?.into_inner())
    }
}

fn column<T: npyz::AutoSerialize>(
    zip: &mut ZipWriter<impl Write + Seek>,
    options: SimpleFileOptions,
    name: &str,
    values: impl ExactSizeIterator<Item = T>,
) -> io::Result<()> {
    zip.start_file(format!("{name}.npy"), options)?;
    let mut array = WriteOptions::<T>::new()
        .default_dtype()
        .shape(&[values.len() as u64])
        .writer(zip)
        .begin_nd()?;
    array.extend(values)?;
    array.finish()
}

fn writing(path: &Path, error: &io::Error) -> Failure {
    Failure::Output(format!("{}: {error}", path.display()))
}
