//! One sample, one block, one objective, decomposed.

use std::borrow::Cow;

use crate::class_gram::ClassGram;
use crate::distribution::{Distribution, Gradient};
use crate::error::{GeometryError, GeometryErrorKind};
use crate::factor::Factor;
use crate::objective::Objective;
use crate::output::Output;
use crate::settings::Settings;
use crate::spectral::Spectral;

/// An output distribution, a class Gram and an objective with their decomposition done, to be asked for
/// [`measures`](Self::measures), the [`direction`](Self::direction) of greatest influence, and curvatures.
///
/// The decomposition costs some K³ operations, once; what is asked of it afterwards costs less or the same.
pub struct Analysis<'a> {
    pub(crate) output: &'a Output,
    pub(crate) distribution: &'a dyn Distribution,
    pub(crate) gram: Cow<'a, ClassGram>,
    pub(crate) objective: Objective<'a>,
    pub(crate) settings: Settings,
    pub(crate) factor: Factor,
    pub(crate) spectral: Spectral,
    pub(crate) gradient: Gradient,
    /// h: the gradient along the singular directions.
    pub(crate) along: Vec<f64>,
}

impl<'a> Analysis<'a> {
    /// Decomposes. A softmax takes a Gram that is not centred too, and centres it.
    ///
    /// # Errors
    /// `Shape` if the Gram is over another number of outputs, or centred where outputs move independently; `Objective`,
    /// `Label` or `Shape` if the objective is not about this distribution; `NotFinite` if an input is NaN or infinite;
    /// `NoConvergence` if an eigenvalue iteration fails.
    pub fn new(
        output: &'a Output,
        gram: &'a ClassGram,
        objective: Objective<'a>,
        settings: &Settings,
    ) -> Result<Self, GeometryError> {
        let distribution = output.distribution();
        let gram = fitting(output, gram)?;
        let gradient = distribution.gradient(objective)?;
        let factor = Factor::new(&gram)?;
        let spectral = Spectral::new(distribution, &factor)?;
        let along = spectral.along_directions(&factor, &gradient);
        Ok(Self {
            output,
            distribution,
            gram,
            objective,
            settings: *settings,
            factor,
            spectral,
            gradient,
            along,
        })
    }

    /// How many eigenvalues of the metric exceed rtol · λ_max.
    pub fn rank(&self) -> usize {
        self.spectral.rank(self.settings.rtol())
    }
}

/// The Gram in the gauge of the distribution.
fn fitting<'a>(output: &Output, gram: &'a ClassGram) -> Result<Cow<'a, ClassGram>, GeometryError> {
    let refuse = |message: String| Err(GeometryError::new(GeometryErrorKind::Shape, message));
    let (k, found) = (output.n_outputs(), gram.n_classes());
    match output {
        Output::Softmax(_) if k != found => refuse(format!("{k} logits and a Gram of {found} classes")),
        _ if k != found => refuse(format!("{k} outputs and a Gram of {found}")),
        Output::Softmax(_) if !gram.is_centred() => {
            Ok(Cow::Owned(ClassGram::from_full(k, gram.values())?))
        }
        Output::Bernoullis(_) | Output::Gaussian(_) if gram.is_centred() => refuse(
            "a centred Gram has lost what independent outputs share: expected one from ClassGram::from_outputs".into(),
        ),
        _ => Ok(Cow::Borrowed(gram)),
    }
}
