//! A classifier, read from an ONNX file.

use std::path::Path;

use quaver_engine::{Graph, Head, HeadChoice, ImportOptions, ValueId};

use crate::{Error, ErrorKind};

/// How a model is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// The output to analyse. Default: the model's only output.
    pub output: Option<String>,
    /// The shape of one sample, without the batch axis, for models that leave it open.
    pub input_shape: Option<Vec<usize>>,
    /// How the head is found. Default: by the graph's last operators.
    pub head: HeadChoice,
}

/// A classifier with its head recognised, ready to be compiled for a question.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) graph: Graph,
    pub(crate) head: Head,
    pub(crate) input: ValueId,
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

    /// Reads a model from memory.
    ///
    /// # Errors
    /// As for [`Model::load`]; external data cannot be read.
    pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Self, Error> {
        Self::from_graph(Graph::decode(bytes, &options.import())?, options)
    }

    fn from_graph(graph: Graph, options: &LoadOptions) -> Result<Self, Error> {
        let head = Head::find(&graph, options.head)?;
        match *graph.inputs() {
            [input] => Ok(Self { graph, head, input }),
            _ => {
                let names: Vec<&str> = graph.inputs().iter().map(|&id| graph.name(id)).collect();
                Err(Error::new(
                    ErrorKind::Model,
                    format!(
                        "the model has {} inputs ({}); models with one input are supported",
                        names.len(),
                        names.join(", ")
                    ),
                ))
            }
        }
    }

    /// The number of classes K.
    pub fn n_classes(&self) -> usize {
        self.head.n_classes
    }

    /// The shape of one sample, without the batch axis.
    pub fn input_shape(&self) -> &[usize] {
        &self.graph.shape(self.input)[1..]
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
