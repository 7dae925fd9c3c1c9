//! What a task is about: a model with samples, or a store of what was computed from one.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use quaver::{Dataset, Description, LabelChoice, Network, Port, ScoreOptions, Source};
use quaver_report::RunRecord;
use quaver_results::Subjects;
use quaver_store::{Paths, record};
use serde_json::{Value as Json, json};

use crate::dataset::Dataset as Files;
use crate::error::{data_error, option_error, raised};
use crate::model::Model;
use crate::samples::{Labels, Samples, View};
use crate::tasks::store::Store;

const HAS_SAMPLES: &str = "a store has its samples already; give it alone, or a model with samples";

/// A model or a store: the object, or the path of an ONNX file or of a store's folder.
#[derive(FromPyObject)]
pub enum Given<'py> {
    /// A model.
    #[pyo3(transparent)]
    Model(Bound<'py, Model>),
    /// A store.
    #[pyo3(transparent)]
    Store(Bound<'py, Store>),
    /// The path of either.
    #[pyo3(transparent)]
    Path(PathBuf),
}

impl<'py> Given<'py> {
    /// The object itself, read where a path was given.
    pub fn read(self, py: Python<'py>) -> PyResult<Origin<'py>> {
        Ok(match self {
            Self::Model(model) => Origin::Model(model),
            Self::Store(store) => Origin::Store(store),
            Self::Path(path) if quaver_store::is_store(&path) => {
                Origin::Store(Bound::new(py, Store::open(py, path)?)?)
            }
            Self::Path(path) => Origin::Model(Bound::new(py, Model::load(py, path)?)?),
        })
    }
}

/// Who has evaluations to give.
#[derive(Clone)]
pub enum Origin<'py> {
    /// A network, which computes them.
    Model(Bound<'py, Model>),
    /// Somebody who kept them.
    Store(Bound<'py, Store>),
}

/// What is scored.
pub struct Subject<'py> {
    /// Who is asked.
    pub origin: Origin<'py>,
    /// The samples of a network.
    pub samples: Option<Samples<'py>>,
    /// Their labels, where the samples do not bring any.
    pub labels: Option<Labels>,
    /// What the data say about each output, where a class is not enough.
    pub targets: Option<Samples<'py>>,
    /// Some of the samples, as a list of their places.
    chosen: Option<String>,
}

/// The same for a result to keep: its page shows samples, and says what it was made from.
pub struct Kept {
    model: Option<Py<Model>>,
    store: Option<Py<Store>>,
    samples: Option<Py<PyAny>>,
    labels: Option<Labels>,
    targets: Option<Py<PyAny>>,
    chosen: Option<String>,
}

impl<'py> Subject<'py> {
    /// A network needs samples, and a store has its own.
    pub fn new(
        origin: Origin<'py>,
        samples: Option<Samples<'py>>,
        labels: Option<Labels>,
        targets: Option<Samples<'py>>,
    ) -> PyResult<Self> {
        match (&origin, &samples) {
            (Origin::Model(_), None) => return Err(data_error("give samples for the model: x")),
            (Origin::Store(_), Some(_)) => return Err(data_error(HAS_SAMPLES)),
            _ => {}
        }
        if let Origin::Store(store) = &origin {
            let decided = [("y", labels.is_some()), ("targets", targets.is_some())];
            if let Some((name, _)) = decided.iter().find(|(_, given)| *given) {
                return Err(raised(store.get().inner().decided(name)));
            }
        }
        Ok(Self {
            origin,
            samples,
            labels,
            targets,
            chosen: None,
        })
    }

    /// For tasks that need the network itself: a store stands for what it was made from, and `indices` choose of that.
    pub fn of_network(
        py: Python<'py>,
        given: Given<'py>,
        samples: Option<Samples<'py>>,
        labels: Option<Labels>,
        indices: Option<Vec<usize>>,
    ) -> PyResult<Self> {
        match given.read(py)? {
            Origin::Store(store) => Self::of_store(py, &store, samples, labels, indices),
            _ if indices.is_some() => Err(option_error(
                "indices: choose of a store's samples; of others give those that you want as x",
            )),
            origin => Self::new(origin, samples, labels, None),
        }
    }

    /// What a store was made from: its network and data are opened; data that were in memory are given again.
    pub fn of_store(
        py: Python<'py>,
        store: &Bound<'py, Store>,
        samples: Option<Samples<'py>>,
        labels: Option<Labels>,
        indices: Option<Vec<usize>>,
    ) -> PyResult<Self> {
        let store = store.get().inner();
        let list = indices.map(|indices| {
            let indices: Vec<String> = indices.iter().map(usize::to_string).collect();
            indices.join(",")
        });
        if samples.is_some() && !store.is_of_memory() {
            return Err(data_error(HAS_SAMPLES));
        }
        if labels.is_some() && samples.is_none() {
            return Err(raised(store.decided("y")));
        }
        let network = py.detach(|| store.reopen_model()).map_err(raised)?;
        let model = Bound::new(py, Model::reopened(network))?;
        let Some(samples) = samples else {
            let inner = model.get().inner();
            let dataset = py.detach(|| {
                let found = store.reopen_data(list.as_deref(), None)?;
                Files::reopened(found, inner)
            });
            let dataset = Bound::new(py, dataset.map_err(raised)?)?.into_any();
            return Self::new(Origin::Model(model), Some(dataset.extract()?), None, None);
        };
        let mut subject = Self::new(Origin::Model(model), Some(samples), labels, None)?;
        let x = subject.view(subject.network()?)?.fingerprint();
        let y = subject.labels.as_ref().map(Labels::fingerprint);
        let which = store.given_again(&x, y.as_ref(), list.as_deref());
        subject.chosen = which.map_err(raised)?.indices;
        Ok(subject)
    }

    /// The network, which a store is not.
    pub fn network(&self) -> PyResult<&quaver::Model> {
        match &self.origin {
            Origin::Model(model) => Ok(model.get().inner()),
            Origin::Store(_) => Err(option_error(
                "this needs the network itself, and not a store",
            )),
        }
    }

    /// Where the files lie that a store of this is made from.
    pub fn paths(&self) -> Paths {
        let model = match &self.origin {
            Origin::Model(model) => model.get().path().map(Path::to_owned),
            Origin::Store(_) => None,
        };
        let data = self.samples.as_ref();
        Paths {
            model,
            ..data.map(Samples::paths).unwrap_or_default()
        }
    }

    /// What titles call the network.
    pub fn model_name(&self) -> String {
        match &self.origin {
            Origin::Model(model) => model.get().name(),
            Origin::Store(store) => store.get().inner().network_name(),
        }
    }

    /// What titles call the data.
    pub fn data_name(&self) -> String {
        match (&self.origin, &self.samples) {
            (Origin::Store(store), _) => store.get().inner().data_name(),
            (_, Some(samples)) => samples.name(),
            _ => "the data".to_owned(),
        }
    }

    /// Lets `work` have the evaluations, and the samples where they are at hand. Whether labels fit, and are there where
    /// they are needed, is seen before.
    pub fn with<R>(
        &self,
        options: &ScoreOptions,
        work: impl FnOnce(&dyn Source, Option<&View<'_>>) -> PyResult<R>,
    ) -> PyResult<R> {
        match &self.origin {
            Origin::Store(store) => {
                let store = store.get().inner();
                if let Some(name) = store.contradicted(options) {
                    return Err(raised(store.decided(name)));
                }
                let selection = store.select(&options.wrt);
                let selection = selection.and_then(|chosen| chosen.merging(options));
                let selection = selection.map_err(raised)?;
                options.check(selection.description()).map_err(raised)?;
                work(&selection, None)
            }
            Origin::Model(model) => {
                let model = model.get().inner();
                let view = self.view(model)?;
                let targets = self.targets(model)?;
                if model.family().has_classes() {
                    quaver::check_labels(&view, model.n_classes())
                        .map_err(|error| raised(error.into()))?;
                    let needs_label = options.label == LabelChoice::True && targets.is_none();
                    if needs_label && !view.has_labels()? {
                        return Err(data_error(
                            "the data have no labels; give them (--labels) or use the predicted class (--label predicted)",
                        ));
                    }
                }
                let mut network = Network::new(model, &view, options).map_err(raised)?;
                if let Some(targets) = &targets {
                    network = network.with_targets(targets).map_err(raised)?;
                }
                work(&network, Some(&view))
            }
        }
    }

    /// The samples as a dataset for a network.
    pub fn view(&self, model: &quaver::Model) -> PyResult<View<'_>> {
        match &self.samples {
            Some(samples) => samples
                .view(self.labels.clone(), model.inputs())?
                .choosing(self.chosen.as_deref()),
            None => Err(data_error("give samples for the model: x")),
        }
    }

    fn targets(&self, model: &quaver::Model) -> PyResult<Option<View<'_>>> {
        let outputs = [Port {
            name: "targets".to_owned(),
            shape: vec![model.n_classes()],
        }];
        let targets = self.targets.as_ref();
        targets
            .map(|targets| targets.view(None, &outputs))
            .transpose()
    }

    /// What evaluations depend on beside the options that a store knows itself, as the command line says it.
    pub fn made_from(&self) -> PyResult<RunRecord> {
        self.described(RunRecord::new(), false)
    }

    /// What was run: model, data, and how both were read.
    pub fn record(&self, command: &str) -> PyResult<RunRecord> {
        let record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", command);
        self.described(record, true)
    }

    /// The same for tasks that the command line has for networks of one input: labels are said where they are arrays, and
    /// `data` holds a list where it takes several files.
    pub fn record_of_pictures(&self, command: &str, is_list: bool) -> PyResult<RunRecord> {
        let (Origin::Model(model), Some(samples)) = (&self.origin, &self.samples) else {
            return Err(data_error("give a model with samples: x"));
        };
        let model = model.get();
        let data = samples.record(&self.view(model.inner())?, true)?;
        let record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", command)
            .with("model", model.record(true)?)
            .with("data", if is_list { json!([data]) } else { data });
        let inputs = samples.inputs_record(true)?;
        let record = match inputs.is_empty() {
            true => record,
            false => record.with("inputs", inputs),
        };
        let labels = match &self.labels {
            Some(labels) => Some(labels.fingerprint()),
            None => samples.labels_record(true)?,
        };
        let record = match labels {
            Some(labels) => record.with("labels", labels),
            None => record,
        };
        let record = match samples.class_map_record(true)? {
            Some(class_map) => record.with("class_map", class_map),
            None => record,
        };
        let record = match samples.indices_record(true)? {
            Some(list) => record.with("indices_file", list),
            None => record,
        };
        let record = samples.opened(record::of_model(record, model.options()));
        Ok(match &self.chosen {
            Some(list) => record.with("indices", list.as_str()),
            None => record,
        })
    }

    fn described(&self, record: RunRecord, with_paths: bool) -> PyResult<RunRecord> {
        let (model, samples) = match (&self.origin, &self.samples) {
            (Origin::Store(store), _) => {
                let store = store.get().inner();
                return Ok(record
                    .with("store", store.folder().display().to_string())
                    .with(
                        "made_from",
                        Json::Object(store.identity().made_from.clone()),
                    ));
            }
            (Origin::Model(model), Some(samples)) => (model.get(), samples),
            (Origin::Model(_), None) => return Err(data_error("give samples for the model: x")),
        };
        let inner = model.inner();
        let targets = self.targets(inner)?;
        let labels = match &self.labels {
            Some(labels) => Some(labels.fingerprint()),
            None => samples.labels_record(with_paths)?,
        };
        let record = record
            .with("model", model.record(with_paths)?)
            .with("data", samples.record(&self.view(inner)?, with_paths)?);
        let targets = targets.map(|targets| targets.fingerprint());
        // As the command line orders them, which has files of inputs besides.
        let inputs: [Json; 0] = [];
        let record = match with_paths {
            true => record
                .with("inputs", json!(inputs))
                .with("labels", labels)
                .with("targets", targets),
            false => record
                .with("labels", labels)
                .with("targets", targets)
                .with("inputs", json!(inputs))
                .with("class_map", samples.class_map_record(false)?),
        };
        Ok(samples.opened(record::of_model(record, model.options())))
    }

    /// Keeps it for later.
    pub fn keep(self) -> Kept {
        let (model, store) = match self.origin {
            Origin::Model(model) => (Some(model.unbind()), None),
            Origin::Store(store) => (None, Some(store.unbind())),
        };
        Kept {
            model,
            store,
            samples: self.samples.map(Samples::into_object),
            labels: self.labels,
            targets: self.targets.map(Samples::into_object),
            chosen: self.chosen,
        }
    }
}

impl Kept {
    /// What was kept.
    pub fn subject<'py>(&self, py: Python<'py>) -> PyResult<Subject<'py>> {
        let samples = |object: &Option<Py<PyAny>>| {
            let object = object.as_ref().map(|object| object.bind(py));
            object.map(|object| object.extract::<Samples<'py>>())
        };
        let origin = match (&self.model, &self.store) {
            (Some(model), _) => Origin::Model(model.bind(py).clone()),
            (None, Some(store)) => Origin::Store(store.bind(py).clone()),
            (None, None) => return Err(data_error("nothing was kept of this result")),
        };
        Ok(Subject {
            origin,
            samples: samples(&self.samples).transpose()?,
            labels: self.labels.clone(),
            targets: samples(&self.targets).transpose()?,
            chosen: self.chosen.clone(),
        })
    }

    /// Lets `work` have the samples for a page, and the record of the run.
    pub fn for_page<R>(
        &self,
        py: Python<'_>,
        command: &str,
        options: &ScoreOptions,
        work: impl FnOnce(&Subject<'_>, &Subjects<'_>, RunRecord) -> PyResult<R>,
    ) -> PyResult<R> {
        let subject = self.subject(py)?;
        let record = subject.record(command)?;
        subject.with(options, |source, view| {
            let described: &Description = source.description();
            let record = record::of_scores(record, options, described);
            let dataset = view.map(|view| view as &dyn Dataset);
            let subjects = Subjects::new(dataset, described.class_names.as_deref());
            work(&subject, &subjects, record)
        })
    }
}
