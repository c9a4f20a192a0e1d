//! What is on a loop, as the loop knows it: connections, listeners, datagram sockets, descriptors of the
//! user's. To the loop they are one thing, which is told at each step of a turn what there is to do.

use super::LocalLoop;
use super::account::Account;
use crate::error::CloseReason;
use crate::sys::{Key, Readiness};
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// What the loop has to do for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Part of the loop's load; asked to finish when everything else has been.
    Connection,
    /// Asked to finish first, so that nothing new comes in.
    Source,
    /// Goes on while the loop drains, and does not keep it alive.
    Background,
}

/// What something needs to hand on what it holds of what came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Bytes that are still to come, if that is known; else `usize::MAX`.
    pub(crate) missing: usize,
    /// Bytes of memory that it holds.
    pub(crate) holds: usize,
}

/// Something's place on its loop: its name, and the lists that it is on.
#[derive(Debug)]
pub(crate) struct Place {
    key: Key,
    role: Role,
    /// On the list of step 6.
    pub(super) ready: Cell<bool>,
    /// On the list of step 9.
    pub(super) dirty: Cell<bool>,
    /// On the list of step 10, or past it.
    pub(super) closing: Cell<bool>,
}

impl Place {
    pub(super) fn new(key: Key, role: Role) -> Self {
        Self {
            key,
            role,
            ready: Cell::new(false),
            dirty: Cell::new(false),
            closing: Cell::new(false),
        }
    }

    /// The place of nothing: what was never on a loop has ended.
    pub(crate) fn none() -> Self {
        let place = Self::new(Key::NONE, Role::Background);
        place.closing.set(true);
        place
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether it ends in step 10, or has.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether it is to be looked at without waiting for the poller.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// Whether it is to be flushed.
    #[cfg(hvloop_sim)]
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.get()
    }
}

/// See the module. The numbers are those of a turn's steps in `docs/design.md`. Each call comes from the
/// loop's own frame with no borrow alive (I4).
pub(crate) trait Entity: Any {
    fn place(&self) -> &Place;

    /// Step 5: takes note of what the poller said.
    fn note(&self, event: &Readiness);

    /// Steps 5 and 6: does what that allows, within the budget of a turn.
    fn ready(self: Rc<Self>, local: &LocalLoop);

    /// The end of step 6: does what takes long, for which it asked by
    /// [`queue_costly`](super::LoopCore::queue_costly).
    fn costly(self: Rc<Self>, local: &LocalLoop) {
        self.ready(local);
    }

    /// Step 7: one of its own timers, by the number that it was armed with.
    fn timer(self: Rc<Self>, local: &LocalLoop, which: u8) {
        let _ = (local, which);
    }

    /// Step 8: one of its own calls, by the number that it was put off with.
    fn deferred(self: Rc<Self>, local: &LocalLoop, which: u8) {
        let _ = (local, which);
    }

    /// Step 9: writes.
    fn flush(self: Rc<Self>, local: &LocalLoop) {
        let _ = local;
    }

    /// Step 10: off the poller, closed, told. Its place is freed after that.
    fn end(self: Rc<Self>, local: &LocalLoop, reason: CloseReason);

    /// Step 11: the loop is stopping.
    fn stop(self: Rc<Self>, local: &LocalLoop);

    /// Begins the end, for that reason unless it has begun.
    fn close(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        local.core().list_closing(self.place(), reason);
    }

    /// As `close`, as the loop ends.
    fn force(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        self.close(local, reason);
    }

    /// What the report calls it.
    fn describe(&self) -> String;

    /// Bytes of memory that would be there without it.
    fn greed(&self) -> usize {
        0
    }

    /// All together hold more than `limit` bytes, this one the most: gives back what it holds.
    fn relieve(self: Rc<Self>, local: &LocalLoop, limit: usize) {
        let _ = (local, limit);
    }

    /// Bytes of memory that it has on that account.
    fn held_for(&self, account: &Arc<Account>) -> usize {
        let _ = account;
        0
    }

    /// What it needs to hand on what it holds, if it could be read on.
    fn need(&self) -> Option<Need> {
        None
    }

    /// It need not wait any more before it is read.
    fn read_on(self: Rc<Self>, local: &LocalLoop) {
        let _ = local;
    }

    /// Whether no borrow of it is alive.
    fn is_unborrowed(&self) -> bool;

    /// What of it does not hold between two turns.
    #[cfg(hvloop_sim)]
    fn check(&self) -> Result<(), String>;

    /// The bytes that it has on the loop's account, if they are what it holds. Adds what it shares, by
    /// address.
    #[cfg(hvloop_sim)]
    fn check_memory(
        &self,
        _shared: &mut std::collections::BTreeMap<usize, usize>,
    ) -> Result<usize, String> {
        Ok(0)
    }
}
