//! The limit for a message that is under way: from its first byte to its last.

use super::{Link, Stage};
use hvloop_event::conn::Conn;
use hvloop_event::{LocalLoop, TimerId};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The message that the peer has begun and not finished, if that has a limit.
#[derive(Default)]
pub(super) struct Unfinished {
    began: Cell<Option<Instant>>,
    /// Looks whether it is finished. Runs out by itself when nothing is under way any more.
    pub(super) timer: Cell<Option<TimerId>>,
}

impl Link {
    /// The peer is inside of no message.
    pub(super) fn message_finished(&self) {
        self.unfinished.began.set(None);
    }

    /// The peer is inside a message, and all that came of it was read.
    pub(super) fn message_unfinished(self: &Rc<Self>, conn: &Conn<'_>) {
        let Some(limit) = self.options.message_timeout else {
            return;
        };
        let local = conn.local();
        let began = self.unfinished.began.get();
        let began = began.unwrap_or_else(|| local.clock_now());
        self.unfinished.began.set(Some(began));
        if self.unfinished.timer.get().is_none() {
            let spent = local.now().saturating_duration_since(began);
            self.look_at_message(conn, limit.saturating_sub(spent));
        }
    }

    /// What it takes from now on counts: before, this side kept it waiting.
    pub(super) fn message_waited(&self, local: &LocalLoop) {
        if self.unfinished.began.get().is_some() {
            self.unfinished.began.set(Some(local.clock_now()));
        }
    }

    /// The limit, if the message under way has passed it.
    pub(super) fn message_overdue(&self, local: &LocalLoop) -> Option<Duration> {
        let limit = self.options.message_timeout?;
        let began = self.unfinished.began.get()?;
        let spent = local.now().saturating_duration_since(began);
        (spent >= limit && self.stage() == Stage::Open).then_some(limit)
    }

    /// Has the handler, which knows what has come, look at it.
    fn look_at_message(self: &Rc<Self>, conn: &Conn<'_>, after: Duration) {
        let (link, at) = (Rc::downgrade(self), conn.local().clone());
        let timer = conn.local().set_timeout(after, move |_| {
            let Some(link) = link.upgrade() else {
                return;
            };
            link.unfinished.timer.set(None);
            if let Some(conn) = link.open_conn(&at) {
                conn.call_handler();
            }
        });
        self.unfinished.timer.set(Some(timer));
    }
}
