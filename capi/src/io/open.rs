//! The handles of the connections that one client or server has open.

use super::{Io, lock};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// See the module. Keeps each from `enter` to `leave`.
#[derive(Default)]
pub(crate) struct Open(Mutex<HashMap<u64, Arc<Io>>>);

impl Open {
    /// It is open.
    pub(crate) fn enter(&self, io: &Arc<Io>) {
        lock(&self.0).insert(io.body.id(), io.clone());
    }

    /// It has ended.
    pub(crate) fn leave(&self, id: u64) -> Option<Arc<Io>> {
        lock(&self.0).remove(&id)
    }

    pub(crate) fn find(&self, id: u64) -> Option<Arc<Io>> {
        lock(&self.0).get(&id).cloned()
    }

    /// Those that are open now, for calls with nothing locked.
    pub(crate) fn all(&self) -> Vec<Arc<Io>> {
        lock(&self.0).values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}
