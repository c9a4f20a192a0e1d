//! The timers of a loop, and those that are on their way to it.

use super::shared::LoopShared;
use super::timers::{Batch, Fired, TimerId, Timers};
use crate::sys::{Key, clock};
use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What a timer does when it fires.
pub(crate) enum TimerAction {
    /// A user's callback.
    User(Box<dyn FnMut(TimerId)>),
    /// One of an entity's own, by its number.
    Entity(Key, u8),
}

/// See the module. What is the user's leaves by return value, to be dropped with no borrow alive.
pub(crate) struct LoopTimers {
    timers: RefCell<Timers<TimerAction>>,
    /// Timers of other threads that were killed here before they arrived.
    killed_early: RefCell<HashSet<TimerId>>,
}

impl LoopTimers {
    pub(super) fn new() -> Self {
        Self {
            timers: RefCell::new(Timers::new()),
            killed_early: RefCell::default(),
        }
    }

    /// See [`Timers::insert`].
    pub(super) fn arm(
        &self,
        shared: &LoopShared,
        id: TimerId,
        deadline: Option<Instant>,
        period: Option<Duration>,
        repeat: Option<u32>,
        action: TimerAction,
    ) {
        let mut timers = self.timers.borrow_mut();
        timers.insert(id, deadline, period, repeat, action);
        shared.counters.timers.set(timers.len() as u64);
    }

    /// Lets a timer count from now again. See [`Timers::reset`].
    pub(super) fn reset(&self, id: TimerId, period: Option<Duration>) -> bool {
        let mut timers = self.timers.borrow_mut();
        timers.reset(id, clock::now(), period)
    }

    /// Takes a timer off: whether there was one, and its callback.
    pub(super) fn kill(&self, shared: &LoopShared, id: TimerId) -> (bool, Option<TimerAction>) {
        let mut timers = self.timers.borrow_mut();
        let before = timers.len();
        let removed = timers.remove(id);
        let existed = removed.is_some() || timers.len() < before;
        shared.counters.timers.set(timers.len() as u64);
        if !existed && shared.is_arming() {
            self.killed_early.borrow_mut().insert(id);
        }
        (existed, removed)
    }

    /// A timer of another thread arrives. `false`: it was killed before.
    pub(crate) fn arrives(&self, shared: &LoopShared, id: TimerId) -> bool {
        shared.end_arming();
        let mut killed = self.killed_early.borrow_mut();
        let wanted = !killed.remove(&id);
        if !shared.is_arming() {
            killed.clear(); // ids that were over already
        }
        wanted
    }

    /// When the next one is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.borrow().next_deadline()
    }

    /// Begins step 7.
    pub(super) fn begin_batch(&self) -> Batch {
        self.timers.borrow_mut().begin_batch()
    }

    /// See [`Timers::pop_due`].
    pub(super) fn pop_due(&self, now: Instant, batch: &Batch) -> Option<Fired<TimerAction>> {
        self.timers.borrow_mut().pop_due(now, batch)
    }

    /// See [`Timers::finish`].
    pub(super) fn finish(&self, fired: Fired<TimerAction>, now: Instant) -> Option<TimerAction> {
        self.timers.borrow_mut().finish(fired, now)
    }

    pub(super) fn len(&self) -> u64 {
        self.timers.borrow().len() as u64
    }

    /// Takes every timer off.
    pub(super) fn drain(&self) -> Vec<TimerAction> {
        self.timers.borrow_mut().drain()
    }

    pub(super) fn is_unborrowed(&self) -> bool {
        self.timers.try_borrow_mut().is_ok() && self.killed_early.try_borrow_mut().is_ok()
    }
}
