//! Parts in memory: the few that the threads are at.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use quaver::Evaluated;

/// Parts kept: threads work in order and close together, so that two would nearly always do.
const KEPT: usize = 4;

/// A part, once somebody has read it; or why it cannot be read.
pub(crate) type Slot = Arc<OnceLock<Result<Vec<Evaluated>, String>>>;

/// The parts that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Vec<(usize, Slot)>>);

impl Cache {
    /// The place of `part`. Whoever finds it empty fills it; others wait for that and not for each other.
    pub(crate) fn slot(&self, part: usize) -> Slot {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(number, _)| *number == part) {
            let found = kept.remove(at);
            let slot = Arc::clone(&found.1);
            kept.push(found);
            return slot;
        }
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        let slot = Slot::default();
        kept.push((part, Arc::clone(&slot)));
        slot
    }
}
