//! One loop's part of what the connections of a server hold.

use super::account::Account;
use super::shared::LoopShared;
use super::timers::TimerId;
use crate::memory_limit::OnMemoryLimit;
use crate::sys::{Key, clock};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A loop tells the others of its part when that has changed by so many bytes, and at the end of a turn: small
/// messages come and go without it.
const GRAIN: usize = 64 * 1024;

/// See the module.
pub(crate) struct Share {
    pub(super) account: Arc<Account>,
    at: Weak<LoopShared>,
    /// Bytes of the connections here.
    own: Cell<usize>,
    /// What of them the account has.
    told: Cell<usize>,
    /// Connections that wait to be read.
    pub(super) waiting: RefCell<VecDeque<Key>>,
    /// The one that is read all the same.
    pub(super) first: Cell<Option<Key>>,
    /// Looks after those that wait, while there are any.
    pub(super) timer: Cell<Option<TimerId>>,
    /// Since when there are any.
    pub(super) since: Cell<Instant>,
    /// The greediest were looked for in this turn.
    pub(super) tried: Cell<bool>,
}

impl Share {
    pub(super) fn new(account: &Arc<Account>, at: &Arc<LoopShared>) -> Self {
        account.add_loop(at);
        Self {
            account: account.clone(),
            at: Arc::downgrade(at),
            own: Cell::new(0),
            told: Cell::new(0),
            waiting: RefCell::default(),
            first: Cell::new(None),
            timer: Cell::new(None),
            since: Cell::new(clock::now()),
            tried: Cell::new(false),
        }
    }

    /// That of which it is a part.
    pub(crate) fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    pub(crate) fn is_of(&self, account: &Arc<Account>) -> bool {
        Arc::ptr_eq(&self.account, account)
    }

    /// What held `before` bytes holds `now`.
    pub(super) fn change(&self, before: usize, now: usize) {
        let own = self.own.get() - before + now;
        self.own.set(own);
        if own.abs_diff(self.told.get()) >= GRAIN {
            self.tell();
        }
    }

    /// Tells the account.
    pub(super) fn tell(&self) {
        let (own, told) = (self.own.get(), self.told.get());
        if own > told {
            self.account.held.fetch_add(own - told, Ordering::SeqCst);
        } else if own < told {
            self.account.held.fetch_sub(told - own, Ordering::SeqCst);
        }
        self.told.set(own);
    }

    /// Bytes of the connections here.
    #[cfg(hvloop_sim)]
    pub(super) fn own(&self) -> usize {
        self.own.get()
    }

    /// Bytes of all, as far as is known here.
    fn held(&self) -> usize {
        (self.account.held() + self.own.get()).saturating_sub(self.told.get())
    }

    /// Whether who is in the midst of something long may have to pause.
    pub(crate) fn is_tight(&self) -> bool {
        self.held() > self.account.tight()
    }

    pub(super) fn is_over(&self) -> bool {
        self.held() > self.account.limit()
    }

    /// Who waits is looked after, and one of those that wait for others is read.
    #[cfg(hvloop_sim)]
    pub(super) fn check(&self) -> Result<(), String> {
        let waits = !self.waiting.borrow().is_empty();
        let timer = self.timer.take();
        self.timer.set(timer);
        if waits && timer.is_none() {
            return Err("connections wait to be read, and nobody looks after them".to_owned());
        }
        Ok(())
    }

    /// Whether somebody is to be closed, and nobody sees to it.
    pub(super) fn has_to_close(&self) -> bool {
        self.is_over()
            && self.account.manner() == OnMemoryLimit::CloseGreediest
            && !self.account.is_relieving()
    }

    /// Whether one with that key has to wait before it is read, if it holds part of a message or not.
    pub(crate) fn holds_up(&self, key: Key, has_part: bool) -> bool {
        match self.account.manner() {
            OnMemoryLimit::CloseGreediest => self.is_over(),
            OnMemoryLimit::PauseReading(_) if self.first.get() == Some(key) => false,
            OnMemoryLimit::PauseReading(_) => self.is_over() || has_part && self.is_tight(),
        }
    }

    /// It waits from now on.
    pub(super) fn wait(&self, key: Key) {
        self.waiting.borrow_mut().push_back(key);
        self.account.note_wait();
    }

    /// Whether those that wait may be read on.
    pub(super) fn may_go_on(&self) -> bool {
        self.account.may_go_on(self.held())
    }

    /// How long those that wait may, before somebody is closed for it.
    pub(super) fn patience(&self) -> Duration {
        match self.account.manner() {
            OnMemoryLimit::CloseGreediest => Duration::ZERO,
            OnMemoryLimit::PauseReading(limit) => limit,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.own.set(0);
        self.tell();
        self.account.remove_loop(&self.at);
    }
}
