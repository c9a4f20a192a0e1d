//! Callbacks for when the loop has nothing to do.

use super::LoopCore;
use super::slots::OwnKey;
use crate::sys::Key;

/// Names an idle callback of one loop. Never names another one, also when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdleId(OwnKey);

/// A user's callback.
pub(crate) type OnIdle = Box<dyn FnMut(IdleId)>;

/// An idle callback; it is taken out for the call.
pub(crate) struct Idle {
    callback: Option<OnIdle>,
    /// How many calls are left; `None`: any number.
    left: Option<u32>,
}

impl LoopCore {
    /// See [`LocalLoop::set_idle`](crate::LocalLoop::set_idle).
    pub(crate) fn set_idle(&self, repeat: Option<u32>, callback: OnIdle) -> IdleId {
        let key = self.idles.borrow_mut().insert(Idle {
            callback: Some(callback),
            left: repeat,
        });
        self.tell_host();
        IdleId(self.own(key))
    }

    /// Takes one off and drops its callback, with no borrow held. `false`: there was none.
    pub(crate) fn kill_idle(&self, id: IdleId) -> bool {
        let key = self.mine(id.0);
        let removed = self.idles.borrow_mut().remove(key);
        let existed = removed.is_some();
        self.drop_user(removed);
        existed
    }

    /// Before step 1: calls each once, if there is nothing else to do.
    pub(super) fn run_idle(&self) {
        if self.idles.borrow().len() == 0 || self.has_work() || !self.shared.inbox.is_empty() {
            return;
        }
        let keys = self.idles.borrow().keys();
        for key in keys {
            let callback = match self.idles.borrow_mut().get_mut(key) {
                Some(idle) => idle.callback.take(),
                None => None, // killed by one before
            };
            let Some(mut callback) = callback else {
                continue;
            };
            self.call_user("idle", || callback(IdleId(self.own(key))));
            let ended = self.put_back_idle(key, callback);
            self.drop_user(ended);
        }
    }

    /// After a call. What is returned is over: its last call, or killed in it.
    fn put_back_idle(&self, key: Key, callback: OnIdle) -> Option<OnIdle> {
        let mut idles = self.idles.borrow_mut();
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
