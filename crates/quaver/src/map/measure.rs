//! What a map can be of.

/// A measure of a window; every window has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapMeasure {
    /// FI.
    Fi,
    /// FI/FI_max.
    Saturation,
    /// The rank of the window's metric.
    Rank,
    /// FI_λ.
    FiLambda,
    /// tr G.
    FisherTrace,
    /// ‖∇f‖².
    Gradient2,
    /// FI in the published program's arithmetic.
    CompatFi,
    /// The rank in it.
    CompatRank,
}

impl MapMeasure {
    /// All measures, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Fi,
        Self::Saturation,
        Self::Rank,
        Self::FiLambda,
        Self::FisherTrace,
        Self::Gradient2,
        Self::CompatFi,
        Self::CompatRank,
    ];

    /// The name in files and options, and the meaning with units.
    const fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Fi => ("fi", "influence measure FI (Shu & Zhu 2019), dimensionless"),
            Self::Saturation => ("saturation", "FI as a share of its ceiling, in [0, 1]"),
            Self::Rank => ("rank", "directions in which the window moves the output"),
            Self::FiLambda => ("fi_lambda", "FI under a budget: does not saturate"),
            Self::FisherTrace => (
                "fisher_trace",
                "trace of the Fisher metric, nats per squared input unit",
            ),
            Self::Gradient2 => (
                "gradient2",
                "squared norm of the objective's gradient, nats² per squared input unit",
            ),
            Self::CompatFi => ("compat_fi", "FI in the published program's arithmetic"),
            Self::CompatRank => ("compat_rank", "rank in the published program's arithmetic"),
        }
    }

    /// The name in files and options.
    pub const fn name(self) -> &'static str {
        self.entry().0
    }

    /// The meaning, with units.
    pub const fn doc(self) -> &'static str {
        self.entry().1
    }

    /// The measure of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// Whether it is there only with [`MapOptions::compat`](crate::MapOptions::compat).
    pub const fn is_compat(self) -> bool {
        matches!(self, Self::CompatFi | Self::CompatRank)
    }
}
