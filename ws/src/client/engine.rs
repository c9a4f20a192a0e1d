//! One `open()` on the loop's thread: its attempts, the back-off between them, the callbacks.

use super::WebSocketClient;
use super::callbacks::Callbacks;
use super::event::{CloseEvent, ConnectionError, Initiator, Message, OpenEvent};
use super::session::Session;
use super::shared::{ClientState, Inner, Plan};
use crate::handshake::HandshakeError;
use crate::mutant::mutant;
use crate::protocol::{OpCode, encode_close, encode_frame, frame_len};
use hvloop_event::conn::{Conn, ConnId};
use hvloop_event::{
    Attachment, Backoff, CloseReason, Connect, LocalLoop, LoopClosed, SendError, TimerId,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Where the present session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// DNS, connect, TLS, upgrade.
    Connecting,
    /// Messages go both ways.
    Open,
    /// Our Close is out, the peer's is awaited.
    CloseSent,
    /// Nothing more is read or sent.
    Done,
}

/// See the module. Lives on the loop as an attachment, from `begin` to the last `on_close`.
pub(super) struct Engine {
    inner: Arc<Inner>,
    plan: Plan,
    callbacks: RefCell<Callbacks>,
    backoff: RefCell<Option<Backoff>>,
    retry: Cell<Option<TimerId>>,
    /// `on_close` is on the stack; the callbacks are released after it.
    telling: Cell<bool>,
    /// `close()`, `stop()` or the loop's stop: no attempt follows.
    ended_by_user: Cell<bool>,
    attempt: Cell<u32>,
    sessions: Cell<u32>,
    // The present session.
    stage: Cell<Stage>,
    session: Cell<u64>,
    conn: Cell<Option<ConnId>>,
    close_timer: Cell<Option<TimerId>>,
    /// Who ended it, and what went wrong: the first to say so counts.
    verdict: RefCell<Verdict>,
}

/// What is known of a session's end before its socket is closed.
#[derive(Default)]
struct Verdict {
    initiator: Option<Initiator>,
    error: Option<ConnectionError>,
    /// The peer's Close: code (1005: none) and reason.
    peer_close: Option<(u16, String)>,
    close_sent: bool,
}

impl Engine {
    /// Begins an `open()` on the loop's thread. Calls no user.
    pub(super) fn begin(local: &LocalLoop, inner: Arc<Inner>, plan: Plan) {
        let backoff = plan.options.reconnect.map(Backoff::new);
        let engine = Rc::new(Self {
            callbacks: RefCell::new(inner.take_staged()),
            backoff: RefCell::new(backoff),
            retry: Cell::new(None),
            telling: Cell::new(false),
            ended_by_user: Cell::new(false),
            attempt: Cell::new(0),
            sessions: Cell::new(0),
            stage: Cell::new(Stage::Connecting),
            session: Cell::new(0),
            conn: Cell::new(None),
            close_timer: Cell::new(None),
            verdict: RefCell::default(),
            inner,
            plan,
        });
        match local.attach(engine.clone()) {
            Ok(id) => engine.inner.set_engine(Some(id)),
            Err(_) => engine.ended_by_user.set(true),
        }
        engine.connect(local);
    }

    /// The client's engine, inside a callback of its loop.
    pub(super) fn here(inner: &Arc<Inner>) -> Option<(LocalLoop, Rc<Self>)> {
        let local = hvloop_event::EventLoop::current()?;
        let engine = Self::find(&local, inner)?;
        Some((local, engine))
    }

    /// The client's engine on that loop, if it has one.
    pub(super) fn find(local: &LocalLoop, inner: &Arc<Inner>) -> Option<Rc<Self>> {
        let engine = local.attachment::<Self>(inner.engine()?)?;
        // An owning client may have moved to another loop.
        Arc::ptr_eq(&engine.inner, inner).then_some(engine)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(super) fn handle(&self) -> WebSocketClient {
        WebSocketClient::uncounted(self.inner.clone())
    }

    /// Takes callbacks that were set on a live client.
    pub(super) fn take_staged(&self) {
        let replaced = self
            .callbacks
            .borrow_mut()
            .replace(self.inner.take_staged());
        drop(replaced);
    }

    /// Starts an attempt.
    fn connect(self: &Rc<Self>, local: &LocalLoop) {
        self.attempt.set(self.attempt.get().saturating_add(1));
        self.stage.set(Stage::Connecting);
        self.session.set(self.inner.next_session());
        *self.verdict.borrow_mut() = Verdict::default();
        self.inner.set_state(ClientState::Connecting);
        let options = &self.plan.options;
        let connect = Connect::to(self.plan.url.host(), self.plan.url.port())
            .deadline(options.open_deadline)
            .budget(self.inner.budget.clone())
            .write_stall(options.write_stall)
            .linger(options.close_timeout)
            .nodelay(options.nodelay);
        #[cfg(feature = "tls")]
        let connect = match &self.plan.tls {
            Some(tls) => connect.with_tls(tls.clone()),
            None => connect,
        };
        let session = Box::new(Session::new(self.clone()));
        match local.connect(connect, session) {
            Ok(id) => self.conn.set(Some(id)),
            Err(LoopClosed(session)) => local.refuse(session),
        }
    }

    fn conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        local.conn(self.conn.get()?)
    }

    /// Queues a frame on the open session, on the loop's thread.
    pub(super) fn send(
        &self,
        local: &LocalLoop,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let conn = self.open_conn(local).ok_or(SendError::NotOpen)?;
        let mask = local.random_u32().to_ne_bytes();
        let size = frame_len(payload.len(), true);
        let sent = conn.send_with(size, |out| {
            encode_frame(out, opcode, true, payload, Some(mask));
        });
        if matches!(sent, Err(SendError::QueueFull { .. })) {
            conn.notify_low_water();
        }
        sent
    }

    /// Queues a frame for which another thread took room; not on another session than the one it
    /// meant.
    pub(super) fn send_posted(
        &self,
        local: &LocalLoop,
        session: u64,
        opcode: OpCode,
        payload: &[u8],
    ) {
        let size = frame_len(payload.len(), true);
        let conn = self
            .open_conn(local)
            .filter(|_| self.session.get() == session);
        let Some(conn) = conn else {
            return self.inner.budget.release(size);
        };
        let mask = local.random_u32().to_ne_bytes();
        let sent = conn.send_reserved(size, |out| {
            encode_frame(out, opcode, true, payload, Some(mask));
        });
        if let Err(e) = sent {
            log::debug!("hvloop: a message was too late: {e}");
        }
    }

    fn open_conn<'a>(&self, local: &'a LocalLoop) -> Option<Conn<'a>> {
        match self.stage.get() {
            Stage::Open => self.conn(local),
            _ => None,
        }
    }

    /// Asks for `on_drain` after a refused send.
    pub(super) fn notify_drain(&self, local: &LocalLoop) {
        if let Some(conn) = self.open_conn(local) {
            conn.notify_low_water();
        }
    }

    /// The user's `close()`, in any state.
    pub(super) fn close(self: &Rc<Self>, local: &LocalLoop, code: u16, reason: &str) {
        self.ended_by_user.set(true);
        if let Some(timer) = self.retry.take() {
            // Between two attempts: each has had its on_close.
            local.kill_timer(timer);
            return self.end(local);
        }
        self.finish(local, code, reason, Initiator::Local, CloseReason::Local);
    }

    /// Ends the present session from this side.
    pub(super) fn finish(
        self: &Rc<Self>,
        local: &LocalLoop,
        code: u16,
        reason: &str,
        initiator: Initiator,
        why: CloseReason,
    ) {
        match self.stage.get() {
            Stage::Connecting => {
                self.blame(initiator, None);
                self.stage.set(Stage::Done);
                self.inner.set_state(ClientState::Closing);
                match self.conn(local) {
                    Some(conn) => conn.close_now(why),
                    None => log::debug!("hvloop: the attempt had ended already"),
                }
            }
            Stage::Open => {
                self.blame(initiator, None);
                self.send_close(local, code, reason);
                self.stage.set(Stage::CloseSent);
                self.inner.set_state(ClientState::Closing);
                self.await_close(local);
            }
            Stage::CloseSent | Stage::Done => {}
        }
    }

    /// Fails the session: the peer is told `code`, and the connection ends without waiting for its
    /// Close (RFC 6455 section 7.1.7).
    pub(super) fn fail(
        self: &Rc<Self>,
        local: &LocalLoop,
        code: u16,
        initiator: Initiator,
        error: ConnectionError,
    ) {
        if self.stage.get() == Stage::Done {
            return;
        }
        let was_open = self.stage.get() == Stage::Open;
        let text = Arc::from(error.to_string());
        self.blame(initiator, Some(error));
        if was_open {
            self.send_close(local, code, "");
        }
        let connecting = self.stage.replace(Stage::Done) == Stage::Connecting;
        self.inner.set_state(ClientState::Closing);
        if let Some(conn) = self.conn(local) {
            if connecting {
                conn.close_now(CloseReason::Protocol(text));
            } else {
                conn.finish(CloseReason::Protocol(text));
            }
        }
    }

    /// Notes who ended the session and why; the first to say so counts.
    pub(super) fn blame(&self, initiator: Initiator, error: Option<ConnectionError>) {
        let mut verdict = self.verdict.borrow_mut();
        if verdict.initiator.is_none() {
            verdict.initiator = Some(initiator);
            verdict.error = error;
        }
    }

    fn send_close(&self, local: &LocalLoop, code: u16, reason: &str) {
        let Some(conn) = self.conn(local) else { return };
        let mask = local.random_u32().to_ne_bytes();
        let body = (code != 1005).then_some((code, reason));
        let mut frame = Vec::new();
        encode_close(&mut frame, body, Some(mask));
        let sent = conn.send_control(frame.len(), |out| out.extend_from_slice(&frame));
        self.verdict.borrow_mut().close_sent = sent.is_ok();
    }

    /// Gives the peer its time to answer our Close.
    fn await_close(self: &Rc<Self>, local: &LocalLoop) {
        let timeout = self.plan.options.close_timeout;
        let engine = Rc::downgrade(self);
        let at = local.clone();
        let session = self.session.get();
        let timer = local.set_timeout(timeout, move |_| {
            if let Some(engine) = engine.upgrade().filter(|e| e.session.get() == session) {
                engine.close_timer.set(None);
                engine.close_timed_out(&at, timeout);
            }
        });
        self.close_timer.set(Some(timer));
    }

    fn close_timed_out(&self, local: &LocalLoop, timeout: Duration) {
        self.stage.set(Stage::Done);
        self.verdict
            .borrow_mut()
            .error
            .get_or_insert(ConnectionError::CloseTimedOut(timeout));
        if let Some(conn) = self.conn(local) {
            conn.close_now(CloseReason::Forced);
        }
    }

    /// The peer's Close came.
    pub(super) fn peer_closed(self: &Rc<Self>, local: &LocalLoop, code: u16, reason: &str) {
        self.verdict.borrow_mut().peer_close = Some((code, reason.to_owned()));
        let why = match self.stage.get() {
            Stage::Open => {
                self.blame(Initiator::Remote, None);
                self.send_close(local, code, "");
                CloseReason::Peer
            }
            Stage::CloseSent => CloseReason::Local,
            Stage::Connecting | Stage::Done => return,
        };
        let by_loop = self.verdict.borrow().initiator == Some(Initiator::Loop);
        let why = if by_loop { CloseReason::Stopped } else { why };
        self.stage.set(Stage::Done);
        self.inner.set_state(ClientState::Closing);
        // It has answered; what is left is the transport's, which has its own limit.
        if let Some(timer) = self.close_timer.take() {
            local.kill_timer(timer);
        }
        if let Some(conn) = self.conn(local) {
            conn.finish_agreed(why);
        }
    }

    /// The upgrade is done.
    pub(super) fn opened(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        response: crate::handshake::UpgradeResponse,
    ) {
        let limit = self.inner.budget.limit();
        conn.opened();
        conn.set_water_marks(limit / 4, limit / 2);
        self.stage.set(Stage::Open);
        self.inner.set_state(ClientState::Open);
        if let Some(backoff) = self.backoff.borrow_mut().as_mut() {
            backoff.on_open(conn.local().now());
        }
        let event = OpenEvent {
            response,
            attempt: self.attempt.get(),
            is_reconnect: self.sessions.get() > 0,
        };
        self.sessions.set(self.sessions.get().saturating_add(1));
        let local = conn.local();
        let f = self.callbacks.borrow_mut().open.take();
        if let Some(mut f) = f {
            let ws = self.handle();
            let done = local.call_user("on_open", || f(&ws, &event));
            let unused = {
                let mut callbacks = self.callbacks.borrow_mut();
                let older = Callbacks {
                    open: Some(f),
                    ..Callbacks::default()
                };
                callbacks.fill(older)
            };
            local.drop_user(unused);
            self.after_callback(local, done);
        }
    }

    /// Hands a message to the user.
    pub(super) fn deliver(self: &Rc<Self>, local: &LocalLoop, message: Message<'_>) {
        let f = self.callbacks.borrow_mut().message.take();
        let Some(mut f) = f else { return };
        let ws = self.handle();
        let done = local.call_user("on_message", || f(&ws, message));
        let unused = {
            let mut callbacks = self.callbacks.borrow_mut();
            match callbacks.message {
                None => {
                    callbacks.message = Some(f);
                    None
                }
                Some(_) => Some(f),
            }
        };
        if unused.is_some() {
            local.drop_user(unused);
        }
        self.after_callback(local, done);
    }

    /// The send queue is low again.
    pub(super) fn drained(self: &Rc<Self>, local: &LocalLoop) {
        let f = self.callbacks.borrow_mut().drain.take();
        let Some(mut f) = f else { return };
        let ws = self.handle();
        let done = local.call_user("on_drain", || f(&ws));
        let older = Callbacks {
            drain: Some(f),
            ..Callbacks::default()
        };
        let unused = self.callbacks.borrow_mut().fill(older);
        local.drop_user(unused);
        self.after_callback(local, done);
    }

    /// A callback that panicked closes its connection with 1011.
    fn after_callback(self: &Rc<Self>, local: &LocalLoop, done: Option<()>) {
        if done.is_none() {
            self.fail(
                local,
                1011,
                Initiator::Local,
                ConnectionError::CallbackPanicked,
            );
        }
    }

    pub(super) fn note_peer(&self, conn: &Conn<'_>) {
        self.inner.set_peer(conn.peer_addr());
    }

    /// The attempt or session has ended and its socket is closed: tells the user, and goes on.
    pub(super) fn session_ended(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        was_open: bool,
        why: CloseReason,
    ) {
        let local = conn.local();
        if let Some(timer) = self.close_timer.take() {
            local.kill_timer(timer);
        }
        self.conn.set(None);
        self.stage.set(Stage::Done);
        // An engine that a stopping loop did not take has not got those that an on_close left it.
        self.take_staged();
        let mut event = self.close_event(was_open, &why);
        event.reconnect_in = self.next_delay(local);
        let again = event.reconnect_in.is_some();
        if !again {
            self.leave(local);
        }
        self.inner.set_state(if again {
            ClientState::BackingOff
        } else {
            ClientState::Closed
        });
        // Armed before the call, so that close() in it finds the back-off to cancel.
        if let Some(delay) = event.reconnect_in {
            self.retry_after(local, delay);
        }
        let f = self.callbacks.borrow_mut().close.take();
        if let Some(mut f) = f {
            let ws = self.handle();
            self.telling.set(true);
            local.call_user("on_close", || f(&ws, &event));
            if mutant!("on_close_twice") {
                local.call_user("on_close", || f(&ws, &event));
            }
            self.telling.set(false);
            let older = Callbacks {
                close: Some(f),
                ..Callbacks::default()
            };
            let unused = self.callbacks.borrow_mut().fill(older);
            local.drop_user(unused);
        }
        if self.retry.get().is_none() {
            self.release(local);
        }
    }

    fn close_event(&self, was_open: bool, why: &CloseReason) -> CloseEvent {
        let verdict = std::mem::take(&mut *self.verdict.borrow_mut());
        // Written, too: else what was accepted before our Close is lost with it.
        let clean = verdict.close_sent && verdict.peer_close.is_some() && why.is_clean();
        let error = verdict.error.or_else(|| {
            let orderly = clean || matches!(why, CloseReason::Local | CloseReason::Stopped);
            (!orderly).then(|| ConnectionError::Transport(why.clone()))
        });
        let http_status = match &error {
            Some(ConnectionError::Handshake(e)) => match **e {
                HandshakeError::Status { status, .. } => Some(status),
                _ => None,
            },
            _ => None,
        };
        let initiator = verdict.initiator.unwrap_or(match why {
            CloseReason::Stopped => Initiator::Loop,
            CloseReason::Local
            | CloseReason::Forced
            | CloseReason::TimedOut { .. }
            | CloseReason::WriteStalled(_)
            | CloseReason::Silent(_)
            | CloseReason::Panicked => Initiator::Local,
            _ => Initiator::Remote,
        });
        let (code, reason) = verdict.peer_close.unwrap_or((1006, String::new()));
        CloseEvent {
            code,
            reason,
            clean,
            initiator,
            error,
            http_status,
            was_open,
            attempt: self.attempt.get(),
            reconnect_in: None,
        }
    }

    /// How long to wait for the next attempt; `None`: there is none.
    fn next_delay(&self, local: &LocalLoop) -> Option<Duration> {
        let mut backoff = self.backoff.borrow_mut();
        let backoff = backoff.as_mut()?;
        let delay = backoff.on_close(local.now(), local.random_u64());
        if mutant!("reconnect_armed_while_stopping") {
            return delay;
        }
        delay.filter(|_| !self.is_ended() && !local.is_stopping())
    }

    /// Whether no attempt may follow; also if a close is still on its way from another thread.
    fn is_ended(&self) -> bool {
        self.ended_by_user.get() || self.inner.is_close_asked(self.plan.number)
    }

    fn retry_after(self: &Rc<Self>, local: &LocalLoop, delay: Duration) {
        let engine = Rc::downgrade(self);
        let at = local.clone();
        let timer = local.set_timeout(delay, move |_| {
            if let Some(engine) = engine.upgrade() {
                engine.retry.set(None);
                match engine.is_ended() {
                    true => engine.end(&at),
                    false => engine.connect(&at),
                }
            }
        });
        self.retry.set(Some(timer));
    }

    /// The last attempt is over: nothing more will come. In its on_close, an `open()` may follow.
    fn end(&self, local: &LocalLoop) {
        self.leave(local);
        self.inner.set_state(ClientState::Closed);
        if !self.telling.get() {
            self.release(local);
        }
    }

    /// Takes the engine off the loop.
    fn leave(&self, local: &LocalLoop) {
        if let Some(id) = self.inner.engine() {
            let mine = local
                .attachment::<Self>(id)
                .is_some_and(|engine| std::ptr::eq(&*engine, self));
            if mine {
                self.inner.set_engine(None);
                local.detach(id);
            }
        }
    }

    /// Drops the callbacks, or keeps them for a next `open()`: one that was called already, or one
    /// that the options foresee.
    fn release(&self, local: &LocalLoop) {
        let callbacks = std::mem::take(&mut *self.callbacks.borrow_mut());
        let keep = self.plan.options.keep_callbacks;
        local.drop_user(self.inner.release(callbacks, keep));
        // An `open()` in on_close has begun already: its engine takes what was kept for it.
        if let Some(engine) = Self::find(local, &self.inner) {
            let kept = self.inner.take_staged();
            let rest = engine.callbacks.borrow_mut().fill(kept);
            local.drop_user(rest);
        }
    }
}

impl Attachment for Engine {
    /// The loop is stopping: no attempt follows; a back-off ends here. Connections are told by the
    /// session.
    fn on_stop(&self, local: &LocalLoop) {
        self.ended_by_user.set(true);
        if let Some(timer) = self.retry.take() {
            local.kill_timer(timer);
            self.end(local);
        }
    }

    fn on_loop_end(&self, local: &LocalLoop) {
        self.release(local);
    }
}
