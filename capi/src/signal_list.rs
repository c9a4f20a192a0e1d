//! What a loop listens to for C.

use hvloop::signal::SignalHandle;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The signals that a loop listens to for C, by the numbers that C has.
#[derive(Default)]
pub(crate) struct Signals(Mutex<(u64, BTreeMap<u64, SignalHandle>)>);

impl Signals {
    pub(crate) fn add(&self, handle: SignalHandle) -> u64 {
        let mut signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        signals.0 += 1;
        let id = signals.0;
        signals.1.insert(id, handle);
        id
    }

    pub(crate) fn remove(&self, id: u64) -> Option<SignalHandle> {
        let mut signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        signals.1.remove(&id)
    }
}
