//! A few values that are dear to make, kept for whoever asks next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::DataError;

/// The values made last, each made once however many threads ask for it. One that cannot be made is tried again.
pub(crate) struct Recent<K, V> {
    slots: Mutex<VecDeque<(K, Slot<V>)>>,
    kept: usize,
}

type Slot<V> = Arc<Mutex<Option<V>>>;

impl<K: PartialEq + Copy, V> Recent<K, V> {
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            slots: Mutex::new(VecDeque::new()),
            kept,
        }
    }

    /// The place of a value, for one thread at a time. Only the look-up locks what all share.
    pub(crate) fn slot(&self, key: K) -> Slot<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let position = slots.iter().position(|(known, _)| *known == key);
        let entry = position.and_then(|position| slots.remove(position));
        let entry = entry.unwrap_or_else(|| (key, Slot::default()));
        let slot = Arc::clone(&entry.1);
        slots.push_front(entry);
        slots.truncate(self.kept);
        slot
    }

    /// The value, made where it is not there.
    pub(crate) fn get(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, DataError>,
    ) -> Result<V, DataError>
    where
        V: Clone,
    {
        let slot = self.slot(key);
        let mut value = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = &*value {
            return Ok(value.clone());
        }
        let made = make()?;
        Ok(value.insert(made).clone())
    }
}
