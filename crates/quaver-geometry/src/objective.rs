//! What is being influenced.

/// A function f = φ(p) of the output distribution, at one sample.
///
/// With w = ∂φ/∂p the geometry needs two things of it (derived): the gradient in the outputs u = C w, C the Fisher
/// information of the output distribution, and the ceiling FI_max = wᵀ C w (Var_p(w) of a softmax), the squared length
/// of ∇f if every direction of the output could be reached. A raw logit is not a function of p, has no finite influence,
/// and can therefore not be asked for.
///
/// What a user chooses before there is a sample is an [`ObjectiveChoice`](crate::ObjectiveChoice).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Objective<'t> {
    /// f = −log p_y of a softmax: u = p − e_y, FI_max = (1 − p_y)/p_y. With y the true label the training loss, with y
    /// the predicted label the (lack of) confidence. In nats.
    NegLogLik {
        /// y, from 0.
        label: usize,
    },
    /// f = p_y of a softmax: u = p_y (e_y − p), FI_max = p_y (1 − p_y). Dimensionless.
    Prob {
        /// y, from 0.
        label: usize,
    },
    /// f = log p_a − log p_b of a softmax: u = e_a − e_b, FI_max = 1/p_a + 1/p_b. In nats.
    Margin {
        /// a, from 0.
        a: usize,
        /// b ≠ a, from 0.
        b: usize,
    },
    /// f = log p_y − log(1 − p_y) of a softmax: u = (e_y − p)/(1 − p_y), FI_max = 1/(p_y (1 − p_y)). In nats.
    LogOdds {
        /// y, from 0.
        label: usize,
    },
    /// f = −Σ p_k log p_k of a softmax: u_k = −p_k (log p_k + f), FI_max = Var_p(log p). In nats. Stationary, with all
    /// influence zero, where all classes are equally probable.
    Entropy,
    /// f = −Σ t_k log p_k of a softmax: u = p − t, FI_max = Σ t_k²/p_k − 1. In nats.
    CrossEntropy {
        /// t (K values), not negative, of sum 1 (to 10⁻⁶; it is divided by its sum).
        target: &'t [f64],
    },
    /// f = −Σ_j log P(label j) of independent Bernoullis: u_j = p_j − y_j, FI_max = Σ_j 1/P(label j) − 1. In nats.
    BinaryNll {
        /// The label of every output (K values).
        labels: &'t [bool],
    },
    /// f = −log P(label) of one of several independent Bernoullis: FI_max = 1/P(label) − 1. In nats.
    OutputNll {
        /// j, from 0.
        output: usize,
        /// Its label.
        label: bool,
    },
    /// f = ½‖y − μ‖²/σ², −log of a Gaussian density up to a constant: u = (μ − y)/σ², FI_max = ‖y − μ‖²/σ². In nats.
    Residual {
        /// y (K values).
        target: &'t [f64],
    },
}

impl Objective<'_> {
    /// The word for it in messages and in [`ObjectiveChoice`](crate::ObjectiveChoice).
    pub fn name(&self) -> &'static str {
        match self {
            Self::NegLogLik { .. } | Self::BinaryNll { .. } | Self::Residual { .. } => "nll",
            Self::OutputNll { .. } => "nll:J",
            Self::Prob { .. } => "prob",
            Self::Margin { .. } => "margin",
            Self::LogOdds { .. } => "log-odds",
            Self::Entropy => "entropy",
            Self::CrossEntropy { .. } => "cross-entropy",
        }
    }
}
