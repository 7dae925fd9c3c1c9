//! A classifier, read from an ONNX file.

use std::path::{Path, PathBuf};

use quaver_data::{DataError, Dataset, InputFile, Joined, OpenOptions};
use quaver_engine::{Graph, Head, HeadChoice, HeadKind, ImportOptions, Initializer};
use quaver_geometry::Family;

use crate::{Error, ErrorKind, Port};

/// How a model is read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// The output to analyse. Default: the model's only output.
    pub output: Option<String>,
    /// The shape of one sample, without the batch axis, for models that leave it open.
    pub input_shape: Option<Vec<usize>>,
    /// How the head is found. Default: by the graph's last operators.
    pub head: HeadChoice,
    /// The standard deviation σ of a regression's noise, in units of its outputs. Default: 1.
    pub noise: f64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            output: None,
            input_shape: None,
            head: HeadChoice::default(),
            noise: 1.0,
        }
    }
}

/// A classifier with its head recognised, ready to be compiled for a question.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) graph: Graph,
    pub(crate) head: Head,
    /// Whether nobody has said what the output is.
    pub(crate) is_detected: bool,
    pub(crate) family: Family,
    /// What a sample consists of.
    inputs: Vec<Port>,
    /// The shape of a sample: that of the only input, or the number of values of all of them.
    shape: Vec<usize>,
}

impl Model {
    /// Reads the ONNX file at `path`.
    ///
    /// # Errors
    /// Names the file and, where there is one, the node, operator and attribute that cannot be read; says why a
    /// network is not a classifier.
    pub fn load(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let graph = Graph::read(path, &options.import())?;
        Self::from_graph(graph, options).map_err(|e| e.within(path.display()))
    }

    /// The same with other parameters: `edit` gets every floating-point initializer with its values before
    /// anything is made of them.
    ///
    /// # Errors
    /// As for [`Model::load`].
    pub fn load_edited(
        path: impl AsRef<Path>,
        options: &LoadOptions,
        edit: impl FnMut(&Initializer, &mut [f64]),
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        let graph = Graph::read_edited(path, &options.import(), edit)?;
        Self::from_graph(graph, options).map_err(|e| e.within(path.display()))
    }

    /// Reads a model from memory.
    ///
    /// # Errors
    /// As for [`Model::load`]; external data cannot be read.
    pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Self, Error> {
        Self::from_graph(Graph::decode(bytes, &options.import())?, options)
    }

    fn from_graph(graph: Graph, options: &LoadOptions) -> Result<Self, Error> {
        let head = Head::find(&graph, options.head)?;
        let family = match head.kind {
            HeadKind::Logits | HeadKind::Softmax | HeadKind::LogSoftmax => Family::Softmax,
            HeadKind::Sigmoid => Family::Sigmoid,
            HeadKind::MultiLabel => Family::MultiLabel,
            HeadKind::Regression => Family::Gaussian {
                sigma: options.noise,
            },
        };
        let inputs: Vec<Port> = graph
            .inputs()
            .iter()
            .map(|&input| Port {
                name: graph.name(input).to_owned(),
                shape: graph.shape(input)[1..].to_vec(),
            })
            .collect();
        let shape = match inputs.as_slice() {
            [] => {
                return Err(Error::new(
                    ErrorKind::Model,
                    "the model has no input: there is nothing to give it",
                ));
            }
            [input] => input.shape.clone(),
            _ => vec![inputs.iter().map(Port::n_values).sum()],
        };
        Ok(Self {
            graph,
            head,
            is_detected: options.head == HeadChoice::Detect,
            family,
            inputs,
            shape,
        })
    }

    /// The number of classes K; of labels or means, where the head is not one of classes.
    pub fn n_classes(&self) -> usize {
        self.head.n_classes
    }

    /// The shape of one sample, without the batch axis: that of the only input. The values of several inputs follow
    /// each other in the order of [`Model::inputs`], and the shape is their number.
    pub fn input_shape(&self) -> &[usize] {
        &self.shape
    }

    /// The files beside the model's own that its weights were read from, by name.
    pub fn external_files(&self) -> &[PathBuf] {
        self.graph.external_files()
    }

    /// What a sample consists of, in the model's order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// Opens data for this network: what lies at `path`, or one file for each input where `inputs` name them.
    ///
    /// # Errors
    /// As for [`open`](crate::open) and [`Joined::open`].
    pub fn open_data(
        &self,
        path: &Path,
        inputs: &[InputFile],
        options: &OpenOptions,
    ) -> Result<Box<dyn Dataset>, DataError> {
        if inputs.is_empty() {
            return quaver_data::open(path, options, Some(&self.shape));
        }
        let ports = self.inputs.iter();
        let ports: Vec<(String, Vec<usize>)> = ports
            .map(|port| (port.name.clone(), port.shape.clone()))
            .collect();
        Joined::open(&ports, inputs, options)
    }

    /// Whether the samples of `dataset` have as many values as the network takes.
    pub(crate) fn check_shape(&self, dataset: &dyn Dataset) -> Result<(), Error> {
        let (have, want) = (dataset.shape(), self.input_shape());
        match have.iter().product::<usize>() == want.iter().product::<usize>() {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Data,
                format!("samples have shape {have:?}, the network takes {want:?}"),
            )),
        }
    }

    /// How the outputs are the parameters of a distribution.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The head: what is stripped, and which value is differentiated.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The graph as it was read.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

impl LoadOptions {
    pub(crate) fn import(&self) -> ImportOptions {
        ImportOptions {
            output: self.output.clone(),
            input_shape: self.input_shape.clone(),
        }
    }
}
