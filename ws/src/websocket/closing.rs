//! The close handshake (RFC 6455 section 7), and failures.

use super::verdict::Verdict;
use super::{Stage, WebSocket, WhenFull};
use crate::events::{CloseEvent, ConnectionError, Initiator};
use hvloop_event::conn::Conn;
use hvloop_event::log;
use hvloop_event::{CloseReason, LocalLoop, SendError};
use std::cell::RefMut;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a Close that has not left is looked for, at most.
const LOOK: Duration = Duration::from_millis(20);

/// The close code of [`WhenFull::Close`].
const TRY_AGAIN_LATER: u16 = 1013;

impl WebSocket {
    /// Ends the connection from this side, whatever its stage.
    pub(crate) fn finish(
        self: &Rc<Self>,
        local: &LocalLoop,
        code: u16,
        reason: &str,
        initiator: Initiator,
        why: CloseReason,
    ) {
        match self.stage.get() {
            Stage::Opening => {
                self.blame(initiator, None);
                self.leave(Stage::Done);
                match self.conn(local) {
                    Some(conn) => conn.close_now(why),
                    None => log::debug!("hvloop: the attempt had ended already"),
                }
            }
            Stage::Open => {
                self.blame(initiator, None);
                self.say_close(local, code, reason);
                self.leave(Stage::CloseSent);
                // The peer's answer has to be read.
                self.resume_reading(local);
                if let Some(conn) = self.conn(local) {
                    conn.never_hold_up();
                }
                self.await_close(local);
            }
            Stage::CloseSent | Stage::Done => {}
        }
    }

    /// Ends the connection at the end of this turn, with no Close frame.
    pub(crate) fn abort(&self, local: &LocalLoop) {
        self.blame(Initiator::Local, None);
        self.leave(Stage::Done);
        if let Some(conn) = self.conn(local) {
            conn.close_now(CloseReason::Local);
        }
    }

    /// Fails the connection: the peer is told `code`, and it ends without waiting for the peer's
    /// Close (RFC 6455 section 7.1.7).
    pub(crate) fn fail(
        &self,
        local: &LocalLoop,
        code: u16,
        initiator: Initiator,
        error: ConnectionError,
    ) {
        if self.stage.get() == Stage::Done {
            return;
        }
        let text = Arc::from(error.to_string());
        self.blame(initiator, Some(error));
        if self.stage.get() == Stage::Open {
            self.say_close(local, code, "");
        }
        let from = self.leave(Stage::Done);
        if let Some(conn) = self.conn(local) {
            if from == Stage::Opening {
                conn.close_now(CloseReason::Protocol(text));
            } else {
                conn.finish(CloseReason::Protocol(text));
            }
        }
    }

    /// A callback panicked.
    pub(crate) fn fail_panicked(&self, local: &LocalLoop) {
        let error = ConnectionError::CallbackPanicked;
        self.fail(local, 1011, Initiator::Local, error);
    }

    /// Notes who ended the connection and why; the first to say so counts.
    pub(crate) fn blame(&self, initiator: Initiator, error: Option<ConnectionError>) {
        self.verdict().blame(initiator, error);
    }

    fn verdict(&self) -> RefMut<'_, Verdict> {
        RefMut::map(self.verdict.borrow_mut(), |verdict| {
            &mut **verdict.get_or_insert_default()
        })
    }

    fn say_close(&self, local: &LocalLoop, code: u16, reason: &str) {
        let conn = self.conn(local);
        let sent = conn.is_some_and(|conn| self.sender.close(&conn, code, reason));
        self.verdict().close_sent = sent;
    }

    /// Gives the peer its time to answer our Close, once that has left. Until then it is the limit to a
    /// standing queue that ends the connection; where there is none, this time is one to any progress.
    fn await_close(self: &Rc<Self>, local: &LocalLoop) {
        self.look_for_close(local, local.clock_now(), self.options.close_timeout);
    }

    /// Looks again after that time. The Close was queued at `asked`.
    fn look_for_close(self: &Rc<Self>, local: &LocalLoop, asked: Instant, after: Duration) {
        let ws = Rc::downgrade(self);
        let at = local.clone();
        let timer = local.set_timeout(after, move |_| {
            if let Some(ws) = ws.upgrade() {
                ws.close_timer.set(None);
                ws.close_is_due(&at, asked);
            }
        });
        self.close_timer.set(Some(timer));
    }

    fn close_is_due(self: &Rc<Self>, local: &LocalLoop, asked: Instant) {
        let timeout = self.options.close_timeout;
        let Some(conn) = self.conn(local).filter(Conn::is_up) else {
            return; // it ends, by limits of its own
        };
        conn.try_to_write();
        // The last thing that was written, if all is, is our Close.
        let moved = conn.write_progress().max(asked);
        let counts = conn.unsent() == 0 || conn.write_timeout().is_none();
        let waited = local.now().saturating_duration_since(moved);
        match timeout.checked_sub(waited).filter(|rest| !rest.is_zero()) {
            Some(rest) if counts => self.look_for_close(local, asked, rest),
            None if counts => self.close_timed_out(local, timeout),
            _ => self.look_for_close(local, asked, timeout.max(LOOK)),
        }
    }

    fn close_timed_out(&self, local: &LocalLoop, timeout: Duration) {
        self.stage.set(Stage::Done);
        self.verdict()
            .error
            .get_or_insert(ConnectionError::CloseTimedOut(timeout));
        if let Some(conn) = self.conn(local) {
            conn.close_now(CloseReason::Forced);
        }
    }

    /// The peer's Close came.
    pub(super) fn peer_closed(&self, local: &LocalLoop, code: u16, reason: &str) {
        self.verdict().peer_close = Some((code, reason.to_owned()));
        let why = match self.stage.get() {
            Stage::Open => {
                self.blame(Initiator::Remote, None);
                self.say_close(local, code, "");
                CloseReason::Peer
            }
            Stage::CloseSent => CloseReason::Local,
            Stage::Opening | Stage::Done => return,
        };
        let by_loop = self.verdict().initiator == Some(Initiator::Loop);
        let why = if by_loop { CloseReason::Stopped } else { why };
        self.leave(Stage::Done);
        // It has answered; what is left is the transport's, which has its own limit.
        if let Some(timer) = self.close_timer.take() {
            local.kill_timer(timer);
        }
        if let Some(conn) = self.conn(local) {
            conn.finish_agreed(why);
        }
    }

    /// The stream ended. Without the peer's Close this is the abnormal end, 1006. The peer may still read:
    /// what was accepted goes out.
    pub(crate) fn end_of_stream(&self, conn: &Conn<'_>) {
        let why = match self.stage() {
            Stage::Opening => {
                let error = ConnectionError::UpgradeInterrupted;
                let text = Arc::from(error.to_string());
                self.blame(Initiator::Remote, Some(error));
                CloseReason::Protocol(text)
            }
            _ => {
                self.blame(Initiator::Remote, None);
                CloseReason::Peer
            }
        };
        self.leave(Stage::Done);
        if let Some(timer) = self.close_timer.take() {
            conn.local().kill_timer(timer);
        }
        conn.finish(why)
    }

    /// Goes on to a later stage, from which on nothing can be sent; the stage that it was in.
    fn leave(&self, to: Stage) -> Stage {
        let from = self.stage.replace(to);
        if let Some(owner) = self.owner.get()
            && matches!(from, Stage::Opening | Stage::Open)
        {
            owner.closing();
        }
        from
    }

    /// A send was refused, on whatever thread: if for want of room, asks for the drain callback, or
    /// closes. What counts is how full the queue was then; it may have emptied since.
    pub(crate) fn refused(self: &Rc<Self>, local: &LocalLoop, error: SendError) {
        let SendError::QueueFull { limit, size, .. } = error else {
            return;
        };
        let Some(conn) = self.open_conn(local) else {
            return;
        };
        match self.options.when_full {
            WhenFull::Close if size <= limit => {
                self.blame(Initiator::Local, Some(ConnectionError::PeerTooSlow));
                let (code, why) = (TRY_AGAIN_LATER, CloseReason::Local);
                self.finish(local, code, "too slow", Initiator::Local, why);
            }
            _ => conn.notify_low_water(),
        }
    }

    /// What `on_close` is told, once the socket is closed for that reason.
    pub(crate) fn close_event(&self, was_open: bool, why: &CloseReason, lost: usize) -> CloseEvent {
        let verdict = self.verdict.take().map_or_else(Verdict::default, |v| *v);
        verdict.into_event(was_open, why, lost)
    }
}
