//! `quaver.map`: where in an image the network's answer can be moved.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use quaver::{Dataset as _, MapMeasure, MapOptions, Region};
use quaver_results::{
    map_page, map_rows, map_section, map_sheet, map_table, map_words, maps_table, write_map,
};
use quaver_store::record;

use super::save_page;
use crate::error::{data_error, of_report, option_error};
use crate::hints::{Array, ArrowTable, Figure, Grams, PandasFrame, PolarsFrame, Shape};
use crate::options::{Choice, parsed, precision as read_precision, threads as read_threads};
use crate::run::detached;
use crate::samples::{Labels, Samples};
use crate::scoring::left_out;
use crate::subject::{Given, Kept, Subject};
use crate::table::{Table, TableBuilder, text};

/// Maps every pixel of images: FI of the windows around it at several scales, with rank, saturation and companions.
///
/// `model` is a model or the path of an ONNX file, `x` images (N, C, H, W) or (N, H, W, C) as the network takes them, or data
/// files. Windows are cut at the border. Where FI is saturated its map is flat: look at fi_lambda.
///
/// A store's folder, or the store, stands for the files that it was made from, which must not have changed; `indices` choose
/// of its samples by their places in the data. Where it was made from arrays these are given again, and must be the same.
///
/// - `scales`: sides of the windows in pixels, odd.
/// - `label`: whose -log p is the objective: "predicted", "true" (then `y` are needed) or the number of a class.
/// - `strict`: True raises for the first image that cannot be mapped; else Python is warned of it.
/// - other keywords as for `Model.score`.
///
/// >>> import quaver
/// >>> maps = quaver.map(quaver.demo.model(), quaver.demo.glyphs(2).x, scales=[1, 5])
/// >>> maps, maps[0].plane("fi_lambda", 5).shape
/// (<quaver.Maps of 2 images of 1 x 28 x 28, scales 1, 5>, (28, 28))
#[pyfunction]
#[pyo3(signature = (model, x = None, y = None, *, indices = None, scales = vec![1, 3, 5, 7], label = Choice::Word("predicted".to_owned()), objective = "nll", classes = None, lambda_ = 1.0, rtol = None, compat = None, strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn map<'py>(
    py: Python<'py>,
    model: Given<'py>,
    x: Option<Samples<'py>>,
    y: Option<Labels>,
    indices: Option<Vec<usize>>,
    scales: Vec<usize>,
    label: Choice,
    objective: &str,
    classes: Option<Choice>,
    lambda_: f64,
    rtol: Option<f64>,
    compat: Option<f64>,
    strict: bool,
    precision: &str,
    winograd: bool,
    threads: Option<usize>,
    progress: Option<bool>,
) -> PyResult<Maps> {
    let classes = classes.map(|classes| parsed("classes", &classes.text()));
    let options = MapOptions {
        scales,
        label: label.label()?,
        objective: parsed("objective", objective)?,
        classes: classes.transpose()?,
        rtol,
        lambda: lambda_,
        compat,
        precision: read_precision(precision)?,
        winograd,
        threads: read_threads(threads)?,
    };
    let subject = Subject::of_network(py, model, x, y, indices)?;
    let network = subject.network()?;
    let view = subject.view(network)?;
    let (mut maps, mut first, mut n_failed) = (Vec::new(), None, 0);
    detached(py, view.len(), progress, |ticker| {
        let stop = AtomicBool::new(false);
        network.map_each(&view, &options, &stop, |mapped| {
            match mapped {
                Ok(map) => maps.push(Arc::new(map)),
                Err(failure) if strict => return Err(failure.into_error()),
                Err(failure) => {
                    n_failed += 1;
                    first.get_or_insert_with(|| failure.to_string());
                }
            }
            ticker.step()
        })
    })?;
    if maps.is_empty() {
        let why = first.unwrap_or_else(|| "the data have no samples".to_owned());
        return Err(data_error(format!("no image could be mapped: {why}")));
    }
    left_out(py, n_failed, view.len(), first)?;
    let class_names = view.class_names().map(<[String]>::to_vec);
    drop(view);
    Ok(Maps {
        maps,
        class_names: Arc::new(class_names),
        options,
        kept: subject.keep(),
    })
}

/// Maps of images, in their order: what `quaver.map` gives. `maps[i]` is an `ImageMap`.
#[pyclass(frozen, module = "quaver")]
pub struct Maps {
    maps: Vec<Arc<quaver::ImageMap>>,
    class_names: Arc<Option<Vec<String>>>,
    options: MapOptions,
    kept: Kept,
}

#[pymethods]
impl Maps {
    fn __len__(&self) -> usize {
        self.maps.len()
    }

    fn __getitem__(&self, index: isize) -> PyResult<ImageMap> {
        let n = self.maps.len();
        let at = if index < 0 { index + n as isize } else { index };
        let found = usize::try_from(at).ok().and_then(|at| self.maps.get(at));
        let found = found.ok_or_else(|| PyIndexError::new_err(format!("image {index} of {n}")))?;
        Ok(ImageMap {
            inner: Arc::clone(found),
            class_names: Arc::clone(&self.class_names),
            measures: self.options.measures(),
        })
    }

    /// A row for every image, scale and region (a channel, or all of them): shares, medians and largest values, and whether
    /// the map of FI is worth looking at.
    #[getter]
    fn table(&self) -> PyResult<Table> {
        let (columns, rows) = maps_table(self.maps.iter().map(|map| &**map));
        TableBuilder::of(columns, rows).finish(String::new())
    }

    /// The maps of all images: (N, H, W), `measure` of the window of `scale` x `scale` pixels around each pixel, of one
    /// channel or of all together (None).
    #[pyo3(signature = (measure, scale, *, channel = None))]
    fn planes<'py>(
        &self,
        py: Python<'py>,
        measure: &str,
        scale: usize,
        channel: Option<usize>,
    ) -> PyResult<Array<'py, f64>> {
        let mut values = Vec::new();
        for map in &self.maps {
            values.extend_from_slice(plane(map, measure, scale, channel)?);
        }
        let axes = self.maps[0].axes;
        Array::new(py, values, &[self.maps.len(), axes.height, axes.width])
    }

    /// Writes the page of `quaver map` to `path` (.html), and its numbers beside it as JSON.
    fn report(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let options = &self.options;
        let (mut sections, mut rows) = (Vec::new(), Vec::new());
        let class_names = (*self.class_names).as_deref();
        for map in &self.maps {
            let numbered = || format!("image {}", map.index);
            let name = map.key.clone().unwrap_or_else(numbered);
            rows.extend(map_rows(&name, map));
            let section = map_section(&name, map, class_names);
            sections.push(section.map_err(of_report)?);
        }
        let run = self.kept.subject(py)?.record_of_pictures("map", true)?;
        let run = record::of_maps(run, options);
        let page = map_page(&run, sections, rows);
        save_page(py, &path, page, Vec::new(), run)
    }

    /// A figure: image by image (the first `n`), the picture and a map of one measure for every scale.
    #[pyo3(signature = (measure = "fi_lambda", *, n = 4, figsize = None))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        measure: &str,
        n: usize,
        figsize: Option<(f64, f64)>,
    ) -> PyResult<Figure<'py>> {
        let plots = slf.py().import("quaver._plot")?;
        let arguments = (slf, measure, n, figsize);
        Ok(Figure(plots.call_method1("maps", arguments)?))
    }

    /// `table` as a pandas data frame.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<PandasFrame<'py>> {
        Table::to_pandas(&Bound::new(py, self.table()?)?)
    }

    /// `table` as a Polars data frame.
    fn to_polars<'py>(&self, py: Python<'py>) -> PyResult<PolarsFrame<'py>> {
        Table::to_polars(&Bound::new(py, self.table()?)?)
    }

    /// `table` as a PyArrow table.
    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<ArrowTable<'py>> {
        Table::to_arrow(&Bound::new(py, self.table()?)?)
    }

    fn __repr__(&self) -> String {
        let axes = self.maps[0].axes;
        let scales: Vec<String> = self.options.scales.iter().map(usize::to_string).collect();
        format!(
            "<quaver.Maps of {} images of {} x {} x {}, scales {}>",
            self.maps.len(),
            axes.channels,
            axes.height,
            axes.width,
            scales.join(", ")
        )
    }

    fn _repr_html_(&self) -> PyResult<String> {
        Ok(text::html(&self.table()?))
    }
}

/// The maps of one image, its probabilities, and the perturbation of greatest influence.
#[pyclass(frozen, module = "quaver")]
pub struct ImageMap {
    inner: Arc<quaver::ImageMap>,
    class_names: Arc<Option<Vec<String>>>,
    measures: Vec<MapMeasure>,
}

#[pymethods]
impl ImageMap {
    /// The image's position in the data.
    #[getter]
    fn index(&self) -> usize {
        self.inner.index
    }

    /// Its name, where the data have names.
    #[getter]
    fn key(&self) -> Option<String> {
        self.inner.key.clone()
    }

    /// The class that the objective is about.
    #[getter]
    fn label(&self) -> usize {
        self.inner.label
    }

    /// The most probable class.
    #[getter]
    fn predicted(&self) -> usize {
        self.inner.predicted
    }

    /// The probability of `label`.
    #[getter]
    fn p_label(&self) -> f64 {
        self.inner.p_label
    }

    /// The ceiling of FI, (1 - p) / p of the label, for every window.
    #[getter]
    fn fi_max(&self) -> f64 {
        self.inner.fi_max()
    }

    /// Channels, height and width.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Shape<'py>> {
        Ok(Shape(PyTuple::new(py, self.image_shape())?))
    }

    /// The sides of the windows.
    #[getter]
    fn scales(&self) -> Vec<usize> {
        self.inner.scales.clone()
    }

    /// The names of the measures that there are maps of.
    #[getter]
    fn measures(&self) -> Vec<&'static str> {
        self.measures.iter().map(|measure| measure.name()).collect()
    }

    /// What the network was given: (C, H, W).
    #[getter]
    fn input<'py>(&self, py: Python<'py>) -> PyResult<Array<'py, f64>> {
        Array::new(py, self.inner.input.clone(), &self.image_shape())
    }

    /// The perturbation of greatest influence h* of the whole image: (C, H, W), in the units of the input.
    #[getter]
    fn direction<'py>(&self, py: Python<'py>) -> PyResult<Array<'py, f64>> {
        Array::new(py, self.inner.direction.clone(), &self.image_shape())
    }

    /// A map: (H, W), `measure` of the window of `scale` x `scale` pixels around each pixel, of one channel or of all
    /// together (None).
    #[pyo3(signature = (measure, scale, *, channel = None))]
    fn plane<'py>(
        &self,
        py: Python<'py>,
        measure: &str,
        scale: usize,
        channel: Option<usize>,
    ) -> PyResult<Array<'py, f64>> {
        let values = plane(&self.inner, measure, scale, channel)?.to_vec();
        Array::new(py, values, &self.image_shape()[1..])
    }

    /// All maps by name, as in the .npz of the command line: x and direction (C, H, W), fi_scale3 (C, H, W) one channel at a
    /// time, fi_scale3_all (H, W) all channels together.
    fn arrays<'py>(&self, py: Python<'py>) -> PyResult<Grams<'py>> {
        let arrays = PyDict::new(py);
        let shape = self.image_shape();
        arrays.set_item("x", self.input(py)?)?;
        arrays.set_item("direction", self.direction(py)?)?;
        for measure in &self.measures {
            for &scale in &self.inner.scales {
                let of = |region| {
                    self.inner
                        .plane(*measure, scale, region)
                        .unwrap_or_default()
                };
                let channels = (0..shape[0]).flat_map(|c| of(Region::Channel(c)).to_vec());
                let name = format!("{}_scale{scale}", measure.name());
                arrays.set_item(&name, Array::new(py, channels.collect(), &shape)?)?;
                let all = of(Region::All).to_vec();
                arrays.set_item(format!("{name}_all"), Array::new(py, all, &shape[1..])?)?;
            }
        }
        Ok(Grams(arrays))
    }

    /// A row for every scale and region.
    #[getter]
    fn table(&self) -> PyResult<Table> {
        let (columns, rows) = map_table(&self.inner);
        TableBuilder::of(columns, rows).finish(map_words(&self.inner, self.names()))
    }

    /// Writes all maps as arrays (.npz), or as the command line's sheet of pictures (.png).
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let saved = match extension {
            Some("npz") => py.detach(|| write_map(&path, &self.inner, &self.measures)),
            Some("png") => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let class_names = self.names();
                py.detach(|| map_sheet(&stem, &self.inner, class_names).save(&path))
            }
            _ => {
                return Err(option_error(format!(
                    "{}: maps are saved as .npz or .png",
                    path.display()
                )));
            }
        };
        saved.map_err(of_report)
    }

    fn __repr__(&self) -> PyResult<String> {
        let map = &self.inner;
        Ok(format!(
            "<quaver.ImageMap of image {}: about class {}, p = {:.4}, ceiling of FI {:.4e}>\n\n{}",
            map.index,
            map.label,
            map.p_label,
            map.fi_max(),
            text::plain(&self.table()?)
        ))
    }

    fn _repr_png_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let sheet = map_sheet("image", &self.inner, self.names());
        let png = py.detach(|| sheet.to_png()).map_err(of_report)?;
        Ok(PyBytes::new(py, &png))
    }
}

impl ImageMap {
    fn names(&self) -> Option<&[String]> {
        (*self.class_names).as_deref()
    }

    fn image_shape(&self) -> [usize; 3] {
        let axes = self.inner.axes;
        [axes.channels, axes.height, axes.width]
    }
}

/// A map by names, or what there is.
fn plane<'a>(
    map: &'a quaver::ImageMap,
    measure: &str,
    scale: usize,
    channel: Option<usize>,
) -> PyResult<&'a [f64]> {
    let named = MapMeasure::named(measure).ok_or_else(|| {
        let names = MapMeasure::ALL.map(MapMeasure::name);
        option_error(format!(
            "measure '{measure}': there are {}",
            names.join(", ")
        ))
    })?;
    let region = channel.map_or(Region::All, Region::Channel);
    map.plane(named, scale, region).ok_or_else(|| {
        option_error(format!(
            "no map of {measure} at scale {scale}, channel {}: there are scales {:?}, {} channels{}",
            channel.map_or("all".to_owned(), |channel| channel.to_string()),
            map.scales,
            map.axes.channels,
            if named.is_compat() { "; compat was not asked for" } else { "" }
        ))
    })
}
