//! Calling and dropping user code: no borrow held, panics caught, time taken.

use super::LoopCore;
use crate::sys::clock;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl LoopCore {
    /// Calls user code. `None`: it panicked, which was logged and counted; what it leaves behind
    /// is the caller's to close.
    pub(crate) fn call_user<R>(&self, what: &str, f: impl FnOnce() -> R) -> Option<R> {
        debug_assert!(self.is_unborrowed(), "a borrow is alive at a user callback");
        let start = clock::now();
        let result = catch_unwind(AssertUnwindSafe(f));
        let took = clock::now().saturating_duration_since(start);
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let counters = &self.shared.counters;
        if took_ns > counters.longest_callback_ns.get() {
            counters.longest_callback_ns.set(took_ns);
        }
        let options = &self.shared.options;
        if options.slow_callback.is_some_and(|limit| took > limit) {
            log::warn!(
                "hvloop: a {what} callback held the loop {} for {took:?}",
                options.name
            );
        }
        match result {
            Ok(value) => Some(value),
            Err(payload) => {
                self.note_panic(what, payload);
                None
            }
        }
    }

    /// Drops what may be the user's: a `Drop` of theirs may call back in, or panic.
    pub(crate) fn drop_user<T>(&self, value: T) {
        debug_assert!(self.is_unborrowed(), "a borrow is alive at a user's drop");
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.note_panic("drop", payload);
        }
    }

    fn note_panic(&self, what: &str, payload: Box<dyn Any + Send>) {
        self.shared.counters.panics.add(1);
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        log::error!(
            "hvloop: a {what} callback of loop {} panicked: {text}",
            self.shared.options.name
        );
        // Even a panic's payload may panic when dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
    }

    /// I4: no borrow is alive.
    fn is_unborrowed(&self) -> bool {
        self.poller.try_borrow_mut().is_ok()
            && self.slots.try_borrow_mut().is_ok()
            && self.sources.try_borrow_mut().is_ok()
            && self.timers.try_borrow_mut().is_ok()
            && self.killed_early.try_borrow_mut().is_ok()
            && self.deferred.try_borrow_mut().is_ok()
            && self.local_tasks.try_borrow_mut().is_ok()
            && self.dirty.try_borrow_mut().is_ok()
            && self.ready.try_borrow_mut().is_ok()
            && self.closing.try_borrow_mut().is_ok()
            && self.attachments.try_borrow_mut().is_ok()
            && self.lookups.try_borrow_mut().is_ok()
            && self.idles.try_borrow_mut().is_ok()
            && self.context.try_borrow_mut().is_ok()
            && self.drain.try_borrow_mut().is_ok()
            && self.rng.try_borrow_mut().is_ok()
    }
}
