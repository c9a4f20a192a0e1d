//! Calling and dropping user code: no borrow held, panics caught, time taken.

use super::LoopCore;
use super::shared::LoopShared;
use crate::log;
use crate::panic::drop_payload;
use crate::sys::{Poller, clock};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many entities are looked at for borrows.
const FEW: usize = 32;

impl LoopShared {
    /// Drops what may be the user's, where no thread runs the loop (any more).
    pub(super) fn drop_user<T>(&self, value: T) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.note_panic("drop", payload);
        }
    }

    /// Counts and logs a panic that was caught.
    fn note_panic(&self, what: &str, payload: Box<dyn Any + Send>) {
        self.counters.panics.add(1);
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        log::error!(
            "hvloop: a {what} callback of loop {} panicked: {text}",
            self.options.name
        );
        drop_payload(payload);
    }
}

impl LoopCore {
    /// Calls user code. `None`: it panicked, which was logged and counted; what it leaves behind
    /// is the caller's to close.
    pub(crate) fn call_user<R>(&self, what: &str, f: impl FnOnce() -> R) -> Option<R> {
        debug_assert!(self.is_unborrowed(), "a borrow is alive at a user callback");
        let start = clock::now();
        let result = catch_unwind(AssertUnwindSafe(f));
        let end = clock::now();
        self.seen.set(end);
        let took = end.saturating_duration_since(start);
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
                self.shared.note_panic(what, payload);
                None
            }
        }
    }

    /// Drops what may be the user's: a `Drop` of theirs may call back in, or panic.
    pub(crate) fn drop_user<T>(&self, value: T) {
        debug_assert!(self.is_unborrowed(), "a borrow is alive at a user's drop");
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.shared.note_panic("drop", payload);
        }
    }

    /// Drops several values, each by itself: a second panic on the way out of the first would end the
    /// process.
    pub(crate) fn drop_each<T>(&self, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.drop_user(value);
        }
    }

    /// Lets a user's source do something with the poller, which is borrowed meanwhile; nothing that the
    /// source may call wants it for itself. `None`: it panicked, which was logged and counted, or the
    /// loop has closed.
    pub(crate) fn call_with_poller<R>(
        &self,
        what: &str,
        f: impl FnOnce(&Poller) -> R,
    ) -> Option<R> {
        let called = match &*self.poller.borrow() {
            Some(poller) => catch_unwind(AssertUnwindSafe(|| f(poller))),
            None => return None,
        };
        called
            .map_err(|payload| self.shared.note_panic(what, payload))
            .ok()
    }

    /// I4: no borrow is alive.
    fn is_unborrowed(&self) -> bool {
        self.poller.try_borrow_mut().is_ok()
            && self.entities.try_borrow_mut().is_ok()
            && self.are_unborrowed()
            && self.timers.try_borrow_mut().is_ok()
            && self.killed_early.try_borrow_mut().is_ok()
            && self.deferred.try_borrow_mut().is_ok()
            && self.local_tasks.try_borrow_mut().is_ok()
            && self.dirty.try_borrow_mut().is_ok()
            && self.ready.try_borrow_mut().is_ok()
            && self.costly.try_borrow_mut().is_ok()
            && self.closing.try_borrow_mut().is_ok()
            && self.attachments.try_borrow_mut().is_ok()
            && self.lookups.try_borrow_mut().is_ok()
            && self.idles.try_borrow_mut().is_ok()
            && self.context.try_borrow_mut().is_ok()
            && self.drain.try_borrow_mut().is_ok()
            && self.rng.try_borrow_mut().is_ok()
    }
    /// The first of them: they are looked at with each callback of a debug build.
    fn are_unborrowed(&self) -> bool {
        let entities = self.entities.borrow();
        entities.first(FEW).all(|entity| entity.is_unborrowed())
    }
}
