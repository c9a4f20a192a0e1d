//! What was given up before it came: other threads have the names of what they begin (timers, lookups, idle
//! callbacks) before its loop knows of it.

use super::shared::LoopShared;
use std::cell::RefCell;
use std::collections::HashSet;

/// Names that were given up on the loop's thread while something was on its way, which may have them.
#[derive(Default)]
pub(crate) struct GivenUp(RefCell<HashSet<u64>>);

impl GivenUp {
    /// There is nothing of that name; if it comes, it is not wanted.
    pub(super) fn note(&self, shared: &LoopShared, name: u64) {
        if shared.is_arming() {
            self.0.borrow_mut().insert(name);
        }
    }

    /// Something of another thread's arrives. `false`: it was given up before.
    pub(crate) fn arrives(&self, shared: &LoopShared, name: u64) -> bool {
        shared.end_arming();
        let mut given_up = self.0.borrow_mut();
        let wanted = !given_up.remove(&name);
        if !shared.is_arming() {
            given_up.clear(); // names of what was over already
        }
        wanted
    }

    pub(super) fn is_unborrowed(&self) -> bool {
        self.0.try_borrow_mut().is_ok()
    }
}
