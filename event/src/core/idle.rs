//! Callbacks for when the loop has nothing to do.

use super::slots::{OwnKey, Slots};
use crate::sys::Key;
use std::cell::RefCell;

/// Names an idle callback of one loop. Never names another one, also when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdleId(pub(crate) OwnKey);

/// A user's callback.
pub(crate) type OnIdle = Box<dyn FnMut(IdleId)>;

/// An idle callback; it is taken out for the call.
pub(super) struct Idle {
    callback: Option<OnIdle>,
    /// How many calls are left; `None`: any number.
    left: Option<u32>,
}

/// Those of a loop. What is the user's leaves by return value, to be dropped with no borrow alive.
#[derive(Default)]
pub(super) struct Idles(pub(super) RefCell<Slots<Idle>>);

impl Idles {
    /// Adds one, to be called so many times (`None`: any number).
    pub(super) fn add(&self, repeat: Option<u32>, callback: OnIdle) -> Key {
        self.0.borrow_mut().insert(Idle {
            callback: Some(callback),
            left: repeat,
        })
    }

    /// Takes one off, if it is there.
    pub(super) fn remove(&self, key: Key) -> Option<Idle> {
        self.0.borrow_mut().remove(key)
    }

    /// All that are there.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.0.borrow().keys()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().len() == 0
    }

    /// Takes a callback out for its call, unless one before has taken it off.
    pub(super) fn take(&self, key: Key) -> Option<OnIdle> {
        self.0.borrow_mut().get_mut(key)?.callback.take()
    }

    /// After a call. What is returned is over: its last call, or killed in it.
    pub(super) fn put_back(&self, key: Key, callback: OnIdle) -> Option<OnIdle> {
        let mut idles = self.0.borrow_mut();
        let Some(idle) = idles.get_mut(key) else {
            return Some(callback);
        };
        if let Some(left) = idle.left.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                idles.remove(key); // empty: its callback is here
                return Some(callback);
            }
        }
        idle.callback = Some(callback);
        None
    }
}
