//! Calling and dropping user code: panics caught, time taken.

use super::shared::LoopShared;
use crate::log;
use crate::panic::{self, drop_payload};
use crate::sys::clock;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

impl LoopShared {
    /// Calls user code. `None`: it panicked, which was logged and counted. And when it had ended.
    pub(super) fn call_user<R>(&self, what: &str, f: impl FnOnce() -> R) -> (Option<R>, Instant) {
        let start = clock::now();
        let result = catch_unwind(AssertUnwindSafe(f));
        let end = clock::now();
        let took = end.saturating_duration_since(start);
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if took_ns > self.counters.longest_callback_ns.get() {
            self.counters.longest_callback_ns.set(took_ns);
        }
        if self.options.slow_callback.is_some_and(|limit| took > limit) {
            log::warn!(
                "hvloop: a {what} callback held the loop {} for {took:?}",
                self.options.name
            );
        }
        let result = result.map_err(|payload| self.note_panic(what, payload));
        (result.ok(), end)
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
