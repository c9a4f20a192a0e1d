//! What a loop knows of the turn that it is in.

use super::guard::Calling;
use std::cell::Cell;
use std::time::Instant;

/// See the module.
pub(super) struct Turn {
    /// The time that it works with; taken once, after the poll.
    pub(super) now: Cell<Instant>,
    /// When the last callback had ended.
    pub(super) seen: Cell<Instant>,
    /// The callback that is on the stack.
    pub(super) calling: Calling,
    /// A turn is on the stack.
    pub(super) ticking: Cell<bool>,
    /// A host waits on the poller's descriptor, or is about to.
    pub(super) host_waits: Cell<bool>,
    /// Tasks were left in the inbox by the batch limit.
    pub(super) tasks_left: Cell<bool>,
    /// What the connection that is being read may still bring in this turn, in bytes.
    pub(super) allowance: Cell<usize>,
    /// There are no more: the loop has been finished.
    pub(super) finished: Cell<bool>,
}

impl Turn {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: Cell::new(now),
            seen: Cell::new(now),
            calling: Calling::default(),
            ticking: Cell::new(false),
            host_waits: Cell::new(false),
            tasks_left: Cell::new(false),
            allowance: Cell::new(0),
            finished: Cell::new(false),
        }
    }

    /// The latest time that is known without asking the clock.
    pub(super) fn latest(&self) -> Instant {
        self.seen.get().max(self.now.get())
    }
}
