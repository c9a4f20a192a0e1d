//! The limit for a message that is under way: from its first byte to its last.

use super::WebSocket;
use hvloop_event::conn::Conn;
use hvloop_event::{LocalLoop, TimerId};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The message that the peer has begun and not finished, of a connection where that has a limit.
#[derive(Default)]
pub(super) struct Unfinished {
    began: Cell<Option<Instant>>,
    /// Looks whether it is finished. Runs out by itself when nothing is under way any more.
    timer: Cell<Option<TimerId>>,
}

impl Unfinished {
    /// The peer is inside of no message.
    pub(super) fn finished(&self) {
        self.began.set(None);
    }

    /// The peer is inside a message, and all that came of it was read.
    pub(super) fn goes_on(&self, ws: &Rc<WebSocket>, conn: &Conn<'_>) {
        let Some(limit) = ws.options.message_timeout else {
            return;
        };
        let local = conn.local();
        let began = self.began.get().unwrap_or_else(|| local.clock_now());
        self.began.set(Some(began));
        if self.timer.get().is_none() {
            let spent = local.now().saturating_duration_since(began);
            self.look_after(limit.saturating_sub(spent), ws, conn);
        }
    }

    /// What it takes from now on counts: before, this side kept it waiting.
    pub(super) fn waited(&self, now: Instant) {
        if self.began.get().is_some() {
            self.began.set(Some(now));
        }
    }

    /// Whether the message under way has passed that limit.
    pub(super) fn is_over(&self, limit: Duration, now: Instant) -> bool {
        let began = self.began.get();
        began.is_some_and(|began| now.saturating_duration_since(began) >= limit)
    }

    /// Has the handler, which knows what has come, look at it.
    fn look_after(&self, time: Duration, ws: &Rc<WebSocket>, conn: &Conn<'_>) {
        let (ws, at) = (Rc::downgrade(ws), conn.local().clone());
        let timer = conn.local().set_timeout(time, move |_| {
            let Some(ws) = ws.upgrade() else {
                return;
            };
            if let Some(unfinished) = &ws.unfinished {
                unfinished.timer.set(None);
            }
            if let Some(conn) = ws.open_conn(&at) {
                conn.call_handler();
            }
        });
        self.timer.set(Some(timer));
    }

    /// The connection has ended.
    pub(super) fn stop(&self, local: &LocalLoop) {
        if let Some(timer) = self.timer.take() {
            local.kill_timer(timer);
        }
    }
}
