//! The timers of a loop, and those that are on their way to it.

use super::shared::{self, LoopShared};
use super::timers::{Fired, Name, TimerId, Timers};
use crate::sys::{Key, clock};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How many numbers are taken at a time: that is an operation on what all threads share.
const NUMBERS: u64 = 256;

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
    /// Numbers that are left of those that were taken for the loop's own timers.
    numbers: Cell<Range<u64>>,
}

impl LoopTimers {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            timers: RefCell::new(Timers::new(now)),
            numbers: Cell::default(),
        }
    }

    /// Arms a timer that has arrived from another thread, under its id, or a new one. See [`Timers::insert`].
    pub(super) fn arm(
        &self,
        shared: &LoopShared,
        arrived: Option<TimerId>,
        deadline: Option<Instant>,
        period: Option<Duration>,
        repeat: Option<u32>,
        action: TimerAction,
    ) -> TimerId {
        let mut timers = self.timers.borrow_mut();
        let name = arrived.map_or_else(|| Name::Number(self.next_number()), Name::Given);
        let id = timers.insert(name, deadline, period, repeat, action);
        shared.counters.timers.set(timers.len() as u64);
        id
    }

    /// A number that no timer of the process has.
    fn next_number(&self) -> u64 {
        let mut numbers = self.numbers.take();
        if numbers.is_empty() {
            numbers = shared::take_ids(NUMBERS);
        }
        let number = numbers.start;
        numbers.start += 1;
        self.numbers.set(numbers);
        number
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
        (existed, removed)
    }

    /// When the next one is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.borrow_mut().next_deadline()
    }

    /// Begins step 7.
    pub(super) fn begin_batch(&self, now: Instant) {
        self.timers.borrow_mut().begin_batch(now);
    }

    /// See [`Timers::pop_due`].
    pub(super) fn pop_due(&self) -> Option<Fired<TimerAction>> {
        self.timers.borrow_mut().pop_due()
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
        self.timers.try_borrow_mut().is_ok()
    }
}
