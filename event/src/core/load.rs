//! How many connections a loop has, for the choice between loops.

use super::current;
use super::shared::LoopShared;
use std::cell::Cell;
use std::sync::{Arc, Weak};

/// The part of the loop's load that its own thread knows of.
#[derive(Default)]
pub(crate) struct Load {
    /// The connections that there are.
    connections: Cell<i64>,
    /// Of them, those that are part of the loop's load.
    counted: Cell<i64>,
    /// What comes now is part of it already.
    arriving: Cell<bool>,
}

impl Load {
    /// One that counts already, as on its way, is about to arrive.
    pub(crate) fn arrives_now(&self) {
        self.arriving.set(true);
    }

    /// It has arrived, or has not: it counts no more as on its way.
    fn arrived(&self, shared: &LoopShared) {
        self.arriving.set(false);
        self.count(shared, -1);
    }

    /// Counts so many connections more.
    pub(super) fn add(&self, shared: &LoopShared, more: i64) {
        let connections = self.connections.get() + more;
        self.connections.set(connections);
        shared.counters.connections.set(connections as u64); // never below zero
        if !self.arriving.get() {
            self.count(shared, 0);
        }
    }

    /// Adds to the load what has come and gone since the last time, and so many more.
    fn count(&self, shared: &LoopShared, more: i64) {
        let count = self.connections.get();
        shared.add_load(count - self.counted.replace(count) + more);
    }
}

/// A connection on its way to a loop, for the count of those that it has.
pub(crate) struct Arriving(Weak<LoopShared>);

impl Arriving {
    pub(crate) fn at(shared: &Arc<LoopShared>) -> Self {
        shared.add_load(1);
        Self(Arc::downgrade(shared))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        match current::find(&shared) {
            Some(local) => local.core().registry.load.arrived(&shared),
            None => shared.add_load(-1),
        }
    }
}
