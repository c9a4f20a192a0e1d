//! Whether and when another attempt of a `TcpClient` follows.

use crate::conn::{Connect, Target};
use crate::core::LocalLoop;
use crate::machine::backoff::{Backoff, ReconnectPolicy};
use std::time::{Duration, Instant};

/// A series of attempts to connect to the same place.
pub(super) struct Retry {
    /// `None`: there was no policy yet.
    backoff: Option<Backoff>,
    pub(super) options: Connect,
    /// When the first one is due, if not at once; taken when it is begun.
    pub(super) due: Option<Instant>,
    /// Begun in an `on_close` in the place of an attempt that was to wait, and not up since.
    at_once: bool,
}

/// An attempt that an `on_close` follows, for a `connect()` in it to go on with.
pub(super) struct Announced {
    backoff: Backoff,
    target: Target,
    due: Instant,
    at_once: bool,
}

impl Retry {
    pub(super) fn new(
        policy: Option<ReconnectPolicy>,
        options: Connect,
        announced: Option<Announced>,
    ) -> Self {
        let announced = announced.filter(|a| Some(*a.backoff.policy()) == policy);
        // Another place is tried at once, but not one after the other without end.
        let waits = |announced: &Announced| announced.at_once || announced.target == options.target;
        let due = announced.as_ref().filter(|a| waits(a)).map(|a| a.due);
        Self {
            at_once: announced.is_some() && due.is_none(),
            backoff: match announced {
                Some(announced) => Some(announced.backoff),
                None => policy.map(Backoff::new),
            },
            due,
            options,
        }
    }

    /// The connection is up.
    pub(super) fn on_open(&mut self, local: &LocalLoop) {
        self.at_once = false;
        if let Some(backoff) = &mut self.backoff {
            backoff.on_open(local.clock_now());
        }
    }

    /// An attempt has ended that another one may follow by that policy, which may be another one than before: when.
    pub(super) fn on_close(
        &mut self,
        local: &LocalLoop,
        policy: ReconnectPolicy,
    ) -> Option<Duration> {
        let backoff = self.backoff.get_or_insert_with(|| Backoff::new(policy));
        if *backoff.policy() != policy {
            backoff.set_policy(policy);
        }
        backoff.on_close(local.now(), local.random_u64())
    }

    /// See [`Backoff::attempt`].
    pub(super) fn attempt(&self) -> u32 {
        self.backoff.as_ref().map_or(0, Backoff::attempt)
    }

    /// The attempt that comes after `delay`, unless the user says otherwise.
    pub(super) fn announce(&self, local: &LocalLoop, delay: Duration) -> Option<Announced> {
        Some(Announced {
            backoff: self.backoff.clone()?,
            target: self.options.target.clone(),
            due: local.now().checked_add(delay)?,
            at_once: self.at_once,
        })
    }
}
