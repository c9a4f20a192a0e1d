//! The race of connects over a host's addresses (RFC 8305 section 5, "Happy Eyeballs").
//!
//! The addresses are tried in their order, the next one when the one before has failed or has not
//! connected within the attempt delay. None is given up while others run; the first to connect
//! wins, and with that the race is over: its owner drops it. The owner does the connecting: it does what
//! [`ConnectRace::poll`] says until that is to wait, and reports what became of it.

use std::time::{Duration, Instant};

/// What the race wants now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Action<A> {
    /// Begin to connect to this address, the n-th of the race; then poll again.
    Start(usize, A),
    /// Poll again at this time, or when an attempt has ended.
    WaitUntil(Instant),
    /// Nothing is left to begin: wait for an attempt to end.
    Wait,
    /// Every address has failed, or there was none.
    Failed,
}

/// How far one address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Untried,
    Running,
    Failed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ConnectRace<A> {
    attempts: Vec<(A, Attempt)>,
    /// The first address that is untried; all before it are not.
    next: usize,
    running: usize,
    /// When the next address is due by time; `None`: never, the clock does not reach that far.
    next_at: Option<Instant>,
    attempt_delay: Duration,
}

impl<A: Clone> ConnectRace<A> {
    /// A race over these addresses, in this order; the first is due at `now`. `attempt_delay` is
    /// how long an attempt may go on before the next one starts beside it.
    pub(crate) fn new(addresses: Vec<A>, now: Instant, attempt_delay: Duration) -> Self {
        let untried = |address| (address, Attempt::Untried);
        Self {
            attempts: addresses.into_iter().map(untried).collect(),
            next: 0,
            running: 0,
            next_at: Some(now),
            attempt_delay,
        }
    }

    /// What to do at `now`. A [`Action::Start`] counts as done.
    pub(crate) fn poll(&mut self, now: Instant) -> Action<A> {
        let Some((address, attempt)) = self.attempts.get_mut(self.next) else {
            return match self.running {
                0 => Action::Failed,
                _ => Action::Wait,
            };
        };
        match self.next_at {
            Some(at) if now < at => Action::WaitUntil(at),
            Some(_) => {
                *attempt = Attempt::Running;
                let action = Action::Start(self.next, address.clone());
                self.next += 1;
                self.running += 1;
                self.next_at = now.checked_add(self.attempt_delay);
                action
            }
            None => Action::Wait,
        }
    }

    /// The attempt at the n-th address has failed: the next one is due at once. Ignored unless
    /// that attempt was running.
    pub(crate) fn on_failed(&mut self, index: usize, now: Instant) {
        if let Some((_, attempt @ Attempt::Running)) = self.attempts.get_mut(index) {
            *attempt = Attempt::Failed;
            self.running -= 1;
            self.next_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
