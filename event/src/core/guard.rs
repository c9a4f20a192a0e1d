//! Calling and dropping user code: panics caught, time taken.
//!
//! The clock is read for the outermost call alone. A connection's handler calls those of its user from
//! within, for each message of a read: two looks at the clock for each would cost as much as the rest of
//! a short one.

use super::shared::LoopShared;
use crate::log;
use crate::panic::{self, drop_payload};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The call of user code that is on the stack, and what was called from within.
#[derive(Default)]
pub(super) struct Calling {
    outermost: Cell<bool>,
    within: Cell<usize>,
    last: Cell<&'static str>,
}

impl Calling {
    /// A call begins. Whether it is the outermost one, which ends with [`Calling::end`].
    pub(super) fn begin(&self, what: &'static str) -> bool {
        let within = self.outermost.replace(true);
        let count = if within { self.within.get() + 1 } else { 0 };
        self.within.set(count);
        self.last.set(what);
        !within
    }

    /// The outermost call has ended.
    pub(super) fn end(&self) {
        self.outermost.set(false);
    }

    /// Who held the loop, of the call that has ended last.
    fn who(&self) -> String {
        let (within, last) = (self.within.get(), self.last.get());
        match within {
            0 | 1 => format!("a {last} callback"),
            _ => format!("{within} callbacks in a row, the last of them a {last} callback,"),
        }
    }
}

impl LoopShared {
    /// Calls user code. `None`: it panicked, which was logged and counted.
    pub(super) fn catch<R>(&self, what: &str, f: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(f));
        result
            .map_err(|payload| self.note_panic(what, payload))
            .ok()
    }

    /// Counts how long a call took.
    pub(super) fn note_time(&self, took: Duration, calling: &Calling) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if took_ns > self.counters.longest_callback_ns.get() {
            self.counters.longest_callback_ns.set(took_ns);
        }
        if self.options.slow_callback.is_some_and(|limit| took > limit) {
            let (who, name) = (calling.who(), &self.options.name);
            log::warn!("hvloop: {who} held the loop {name} for {took:?}");
        }
    }

    /// Drops what may be the user's: a `Drop` of theirs may panic.
    pub(super) fn drop_user<T>(&self, value: T) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.note_panic("drop", payload);
        }
    }

    /// Counts and logs a panic that was caught.
    pub(super) fn note_panic(&self, what: &str, payload: Box<dyn Any + Send>) {
        self.counters.panics.add(1);
        let text = panic::text(&*payload);
        log::error!(
            "hvloop: a {what} callback of loop {} panicked: {text}",
            self.options.name
        );
        drop_payload(payload);
    }
}
