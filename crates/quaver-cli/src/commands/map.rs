//! `quaver map`: where in an image the network's answer can be moved.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use quaver::table::Value;
use quaver::{
    Classes, Dataset, Error, ErrorKind, ImageMap, LabelChoice, MapOptions, ObjectiveChoice,
    Precision,
};
use quaver_report::Section;
use quaver_results::{map_json, map_page, map_rows, map_section, map_sheet, map_text, write_map};
use quaver_store::record;
use serde_json::Value as Json;

use crate::arguments::{DataArgs, ModelArgs, label_choice, number, parsed};
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;
use crate::pages;
use crate::sources::Sources;

/// How many failed samples are told of one by one.
const TOLD: usize = 5;

/// Map every pixel of images: FI of the windows around it at several scales, with rank, saturation and companions.
///
/// DATA is an image file, or a dataset as `score` reads it, of which --indices or --limit choose the images; there may be
/// several. A store (score --store) stands for the network and the data that it was made from. For each image DIR gets a
/// picture (.png: FI per scale, laid over the image, and the perturbation of greatest influence), all maps as arrays (.npz: fi, saturation, rank, fi_lambda, fisher_trace, gradient2, per channel and for all
/// channels together), and maps.json, the numbers to read them by. Windows are cut at the border. Where FI is saturated
/// its map is flat and says so, and the picture shows fi_lambda in its place. An image that cannot be read is left out;
/// the exit status then is 3.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quaver map net.onnx cat.jpg --resize 224x224 --scale 1/255 \\
    --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  quaver map cifar.onnx test_batch.bin --indices 0,5,10-12 --scale 1/255 -o maps
  quaver map mnist.onnx digits.npz --limit 3 --scales 1,5,9 --report maps.html
  quaver map net.onnx data.npz --limit 1 --label true --compat 1e-3 --json | jq .images[0].maps
  quaver map grams --indices 17,42")]
pub struct Map {
    /// ONNX file, and image files or data; or a store of Grams (score --store) alone.
    #[arg(required = true, value_names = ["MODEL", "DATA"], num_args = 1..)]
    subject: Vec<PathBuf>,

    /// Folder for pictures, arrays and maps.json; it is made if it is not there.
    #[arg(short, long, value_name = "DIR", default_value = "quaver-maps")]
    out: PathBuf,

    /// Write a page to look at, one file.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,

    /// What maps.json has on stdout, in place of a table.
    #[arg(long)]
    json: bool,

    /// Sides of the windows, odd.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "1,3,5,7"
    )]
    scales: Vec<usize>,

    /// Whose -log p is the objective: predicted, true (the label in the data), or the number of a class.
    #[arg(long, value_name = "LABEL", default_value = "predicted", value_parser = label_choice, help_heading = "Measures")]
    label: LabelChoice,

    /// Objective f, as for score.
    #[arg(long, value_name = "F", default_value = "nll", value_parser = parsed::<ObjectiveChoice>, help_heading = "Measures")]
    objective: ObjectiveChoice,

    /// Classes kept apart, as for score.
    #[arg(long, value_name = "M", value_parser = parsed::<Classes>, help_heading = "Measures")]
    classes: Option<Classes>,

    /// Eigenvalues above RTOL times the largest count towards the rank [default: 1e-6 in f32, 1e-10 in f64].
    #[arg(long, value_name = "RTOL", value_parser = number, allow_negative_numbers = true, help_heading = "Measures")]
    rtol: Option<f64>,

    /// Budget of FI_lambda: 1 / sigma², sigma being the size of a plausible perturbation in input units.
    #[arg(long, value_name = "LAMBDA", default_value = "1", value_parser = number, allow_negative_numbers = true, help_heading = "Measures")]
    lambda: f64,

    /// Add maps in the published program's arithmetic with its EPS (0.001 there): slower.
    #[arg(long, value_name = "EPS", value_parser = number, allow_negative_numbers = true, help_heading = "Measures")]
    compat: Option<f64>,

    /// Stop at the first image that cannot be read or mapped.
    #[arg(long)]
    strict: bool,

    /// Number type the network is run in.
    #[arg(long, value_parser = ["f32", "f64"], default_value = "f32", help_heading = "Measures")]
    precision: String,

    /// Compute 3x3 convolutions by their definition: slower, rounds differently.
    #[arg(long, help_heading = "Measures")]
    no_winograd: bool,

    /// Worker threads; the results are the same for any number [default: all cores].
    #[arg(
        long,
        value_name = "N",
        env = "QUAVER_THREADS",
        help_heading = "Measures"
    )]
    threads: Option<NonZeroUsize>,

    #[command(flatten)]
    data_args: DataArgs,

    #[command(flatten)]
    model_args: ModelArgs,
}

/// Data that could be opened, and their file.
type Opened<'a> = (&'a Path, Box<dyn Dataset>);

/// What is known after all images.
#[derive(Default)]
struct Outcome {
    images: Vec<Json>,
    /// On the page.
    sections: Vec<Section>,
    /// The image, and what is said of each of its maps.
    rows: Vec<Vec<Value>>,
    text: String,
    /// Names of files that are taken.
    stems: BTreeSet<String>,
    failed: usize,
    first_failure: Option<String>,
}

impl Outcome {
    /// Counts an image that has no map.
    fn lose(&mut self, reason: &str) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| reason.to_owned());
    }

    /// What to say if there is no map at all.
    fn nothing(&self) -> Failure {
        let why = self.first_failure.as_deref();
        let why = why.unwrap_or("the data have no samples");
        Failure::Input(format!("no image could be mapped: {why}"))
    }

    /// The name of an image's files: that of its own file, or of the data and its key or number. No two are alike.
    fn name(&mut self, data: &Path, map: &ImageMap) -> String {
        let plain = |text: &str| -> String {
            let kept = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            text.chars()
                .map(|c| if kept(c) { c } else { '_' })
                .collect()
        };
        let stem = plain(&data.file_stem().unwrap_or_default().to_string_lossy());
        let name = match &map.key {
            key if is_single(data, key.as_deref()) => stem,
            Some(key) => format!("{stem}-{}", plain(key)),
            None => format!("{stem}-{:05}", map.index),
        };
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| !self.stems.contains(name));
        let free = free.unwrap_or(name);
        self.stems.insert(free.clone());
        free
    }
}

/// Whether the data are one image file: its key then is its name.
fn is_single(data: &Path, key: Option<&str>) -> bool {
    key.is_some() && key == data.file_name().and_then(|name| name.to_str())
}

impl Map {
    pub fn run(&self, console: &Console) -> Result<(), Failure> {
        pages::check(self.report.as_ref())?;
        let was_there = self.out.exists();
        let ended = self.maps(console);
        if ended.is_err() && !was_there {
            // A folder without any map is nothing to keep; one with maps is not removed by this.
            let _ = std::fs::remove_dir(&self.out);
        }
        ended
    }

    fn maps(&self, console: &Console) -> Result<(), Failure> {
        let options = self.options();
        let sources = Sources::new(&self.subject, &self.data_args, &self.model_args)?;
        let model = &sources.model;
        let mut outcome = Outcome::default();
        let sets = self.open(console, &sources, &mut outcome)?;
        std::fs::create_dir_all(&self.out)
            .map_err(|error| Failure::Output(format!("{}: {error}", self.out.display())))?;
        let stop = stop_flag()?;
        let progress = console.progress(sets.iter().map(|(_, set)| set.len()).sum());
        for (path, set) in &sets {
            let mut failure = None;
            let mapped = model.map_each(&**set, &options, stop, |mapped| {
                progress.step();
                let map = match mapped {
                    Ok(map) => map,
                    Err(reason) if self.strict => return Err(reason.into_error()),
                    Err(reason) => {
                        let reason = match is_single(path, reason.key.as_deref()) {
                            // One image file, whose name the reason has.
                            true => reason.error.to_string(),
                            false => format!("{}: {reason}", path.display()),
                        };
                        outcome.lose(&reason);
                        if outcome.failed <= TOLD {
                            progress.suspend(|| console.note(format_args!("{reason}; left out")));
                        }
                        return Ok(());
                    }
                };
                let written = self.write(path, &map, set.class_names(), &options, &mut outcome);
                written.map_err(|error| {
                    let caller = Error::caller(error.to_string());
                    failure = Some(error);
                    caller
                })
            });
            let n_written = outcome.images.len();
            mapped.map_err(|error| {
                if error.kind() == ErrorKind::Interrupted && n_written > 0 {
                    let folder = self.out.display();
                    return Failure::Interrupted(format!(
                        "interrupted; the files of {n_written} images are in {folder}, without maps.json"
                    ));
                }
                failure
                    .take()
                    .unwrap_or_else(|| match (error.kind(), Failure::from(error)) {
                        (ErrorKind::Data, Failure::Input(why)) => {
                            Failure::Input(format!("{}: {why}", path.display()))
                        }
                        (_, other) => other,
                    })
            })?;
        }
        drop(progress);
        let (n_mapped, failed) = (outcome.images.len(), outcome.failed);
        if n_mapped == 0 {
            return Err(outcome.nothing());
        }
        let record = sources.record("map", Json::Array)?;
        let record = record::of_maps(record, &options);
        let all = record.clone().with("images", outcome.images);
        all.save(&self.out.join("maps.json"))?;
        if let Some(path) = &self.report {
            let page = map_page(&record, outcome.sections, outcome.rows);
            pages::write(console, path, page, Vec::new(), &record)?;
        }
        console.result(&match self.json {
            true => all.to_json_pretty(),
            false => outcome.text,
        })?;
        console.note(format_args!(
            "pictures, arrays and maps.json written to {}",
            self.out.display()
        ));
        match failed {
            0 => Ok(()),
            failed => Err(Failure::Samples(format!(
                "{failed} of {} images could not be mapped",
                failed + n_mapped
            ))),
        }
    }

    /// Opens what can be opened: of several image files one may be broken.
    fn open<'a>(
        &self,
        console: &Console,
        sources: &'a Sources,
        outcome: &mut Outcome,
    ) -> Result<Vec<Opened<'a>>, Failure> {
        let mut sets = Vec::with_capacity(sources.data.len());
        for path in &sources.data {
            match sources.dataset(path) {
                Ok(set) => sets.push((path.as_path(), set)),
                Err(Failure::Input(reason)) if !self.strict && sources.data.len() > 1 => {
                    outcome.lose(&reason);
                    if outcome.failed <= TOLD {
                        console.note(format_args!("{reason}; left out"));
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        if sets.is_empty() {
            return Err(outcome.nothing());
        }
        Ok(sets)
    }

    fn options(&self) -> MapOptions {
        MapOptions {
            scales: self.scales.clone(),
            label: self.label,
            objective: self.objective.clone(),
            classes: self.classes,
            rtol: self.rtol,
            lambda: self.lambda,
            compat: self.compat,
            precision: match self.precision.as_str() {
                "f64" => Precision::F64,
                _ => Precision::F32,
            },
            winograd: !self.no_winograd,
            threads: self.threads,
        }
    }

    /// Writes one image's files.
    fn write(
        &self,
        data: &Path,
        map: &ImageMap,
        class_names: Option<&[String]>,
        options: &MapOptions,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let stem = outcome.name(data, map);
        let file = |extension: &str| self.out.join(format!("{stem}.{extension}"));
        write_map(&file("npz"), map, &options.measures())?;
        let sheet = map_sheet(&stem, map, class_names);
        sheet.save(&file("png"))?;
        if self.report.is_some() {
            let section = map_section(&stem, map, class_names)?;
            outcome.sections.push(section);
            outcome.rows.extend(map_rows(&stem, map));
        }
        outcome.images.push(map_json(&stem, data, map));
        outcome.text.push_str(&map_text(&stem, map, class_names));
        Ok(())
    }
}
