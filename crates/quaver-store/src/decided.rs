//! What was decided when a store was filled, and cannot be asked of it any more.

use quaver::{Error, ErrorKind, Precision, ScoreOptions};

use crate::Store;

impl Store {
    /// The first of the options that ask for what only the network could do otherwise.
    pub fn contradicted(&self, options: &ScoreOptions) -> Option<&'static str> {
        let is_single = self.identity().precision != "f64";
        let decided = [
            (
                "precision",
                options.precision == Precision::F64 && is_single,
            ),
            ("winograd", !options.winograd),
        ];
        let found = decided.iter().find(|(_, asked)| *asked);
        found.map(|(name, _)| *name)
    }

    /// Refuses `option`, which was decided when the store was filled.
    pub fn decided(&self, option: &str) -> Error {
        Error::new(
            ErrorKind::Option,
            format!(
                "{option}: {} is a store, where that was decided when it was filled; leave the option out, or give the \
                 network and its data",
                self.folder().display()
            ),
        )
    }
}
