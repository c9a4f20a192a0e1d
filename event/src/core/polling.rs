//! The poller of a loop, and what it said last.

use super::shared::LoopShared;
use crate::sys::{Poller, Readiness, Wait};
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// See the module.
pub(crate) struct Polling {
    /// Gone once the loop has closed: a `LocalLoop` that a user kept holds no fd.
    poller: RefCell<Option<Poller>>,
    /// Out during steps 5 and 6.
    pub(super) events: Cell<Vec<Readiness>>,
}

impl Polling {
    pub(super) fn new(poller: Poller) -> Self {
        Self {
            poller: RefCell::new(Some(poller)),
            events: Cell::default(),
        }
    }

    /// Runs `f` with the poller, for registering sockets.
    ///
    /// # Errors
    ///
    /// The loop has closed.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Poller) -> io::Result<R>) -> io::Result<R> {
        match &*self.poller.borrow() {
            Some(poller) => f(poller),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Takes something off the poller, which a closed loop has none of.
    pub(crate) fn take_off(&self, f: impl FnOnce(&Poller)) {
        if let Some(poller) = &*self.poller.borrow() {
            f(poller);
        }
    }

    /// Lets a user's source do something with the poller, which is borrowed meanwhile; nothing that the
    /// source may call wants it for itself. `None`: it panicked, which was logged and counted, or the
    /// loop has closed.
    pub(crate) fn call<R>(
        &self,
        shared: &LoopShared,
        what: &str,
        f: impl FnOnce(&Poller) -> R,
    ) -> Option<R> {
        let called = match &*self.poller.borrow() {
            Some(poller) => catch_unwind(AssertUnwindSafe(|| f(poller))),
            None => return None,
        };
        called
            .map_err(|payload| shared.note_panic(what, payload))
            .ok()
    }

    /// Steps 1 and 2, once it is known how long to sleep at the most.
    pub(super) fn poll(&self, wait: Wait) -> io::Result<()> {
        let mut events = self.events.take();
        let polled = match self.poller.borrow_mut().as_mut() {
            Some(poller) => poller.poll(wait, &mut events),
            None => Ok(()),
        };
        self.events.set(events);
        polled
    }

    /// Whether a poll may have left something that the system does not tell again.
    pub(super) fn may_have_more(&self) -> bool {
        let poller = self.poller.borrow();
        poller.as_ref().is_some_and(|poller| poller.may_have_more())
    }

    /// Closes the descriptors.
    pub(super) fn close(&self) {
        drop(self.poller.borrow_mut().take());
    }

    pub(super) fn is_unborrowed(&self) -> bool {
        self.poller.try_borrow_mut().is_ok()
    }
}
