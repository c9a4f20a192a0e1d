//! Callbacks for when the loop has nothing to do.

use super::shared::next_id;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// Names an idle callback among all of the process. Never names another one, also when it is gone, and nothing
/// on another loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdleId(NonZeroU64);

number_id!(IdleId);

impl IdleId {
    /// The name of one that nobody knows yet.
    pub(crate) fn next() -> Self {
        Self(next_id())
    }
}

/// A user's callback.
pub(crate) type OnIdle = Box<dyn FnMut(IdleId)>;

/// An idle callback; it is taken out for the call.
pub(super) struct Idle {
    callback: Option<OnIdle>,
    /// How many calls are left; `None`: any number.
    left: Option<u32>,
}

/// Those of a loop, in the order of their names. What is the user's leaves by return value, to be dropped with no
/// borrow alive.
#[derive(Default)]
pub(super) struct Idles(RefCell<BTreeMap<IdleId, Idle>>);

impl Idles {
    /// Adds one, to be called so many times (`None`: any number).
    pub(super) fn add(&self, id: IdleId, repeat: Option<u32>, callback: OnIdle) {
        let idle = Idle {
            callback: Some(callback),
            left: repeat,
        };
        self.0.borrow_mut().insert(id, idle);
    }

    /// Takes one off, if it is there.
    pub(super) fn remove(&self, id: IdleId) -> Option<Idle> {
        self.0.borrow_mut().remove(&id)
    }

    /// All that are there.
    pub(super) fn ids(&self) -> Vec<IdleId> {
        self.0.borrow().keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Takes a callback out for its call, unless one before has taken it off.
    pub(super) fn take(&self, id: IdleId) -> Option<OnIdle> {
        self.0.borrow_mut().get_mut(&id)?.callback.take()
    }

    /// After a call. What is returned is over: its last call, or killed in it.
    pub(super) fn put_back(&self, id: IdleId, callback: OnIdle) -> Option<OnIdle> {
        let mut idles = self.0.borrow_mut();
        let Some(idle) = idles.get_mut(&id) else {
            return Some(callback);
        };
        if let Some(left) = idle.left.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                idles.remove(&id); // empty: its callback is here
                return Some(callback);
            }
        }
        idle.callback = Some(callback);
        None
    }

    /// Takes all off.
    pub(super) fn drain(&self) -> Vec<Idle> {
        std::mem::take(&mut *self.0.borrow_mut())
            .into_values()
            .collect()
    }

    pub(super) fn is_unborrowed(&self) -> bool {
        self.0.try_borrow_mut().is_ok()
    }
}
