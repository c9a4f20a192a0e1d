//! Calls that wait for their step of a turn.

use super::LocalLoop;
use super::shared::Task;
use crate::sync::Batch;
use crate::sys::Key;
use std::cell::RefCell;
use std::collections::VecDeque;

/// A call put off to the tick's own frame (step 8), so that no API call runs user code.
pub(crate) enum Deferred {
    /// One of an entity's own, by its number.
    Entity(Key, u8),
    /// Something of the layers above.
    Call(Box<dyn FnOnce(&LocalLoop)>),
}

/// A task that is not `Send`.
pub(crate) type LocalTask = Box<dyn FnOnce()>;

/// See the module.
#[derive(Default)]
pub(super) struct Calls {
    /// Tasks that the loop has taken out of its inbox.
    pub(super) tasks: RefCell<Batch<Box<dyn Task>>>,
    pub(super) deferred: RefCell<VecDeque<Deferred>>,
    /// Tasks that are not `Send`: each has its place in the inbox, so that their order is kept.
    pub(super) local_tasks: RefCell<VecDeque<LocalTask>>,
}

impl Calls {
    /// Whether anything waits for step 8.
    pub(super) fn is_empty(&self) -> bool {
        self.deferred.borrow().is_empty()
    }

    pub(super) fn is_unborrowed(&self) -> bool {
        self.tasks.try_borrow_mut().is_ok()
            && self.deferred.try_borrow_mut().is_ok()
            && self.local_tasks.try_borrow_mut().is_ok()
    }
}
