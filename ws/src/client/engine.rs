//! One `open()` on the loop's thread: its attempts, the back-off between them, the callbacks.

mod attempt;
mod connected;
mod hops;
mod opening;
mod preparing;
mod reconnect;
mod session;

use self::attempt::Attempt;
use self::opening::{Opening, Trip};
use self::reconnect::Reconnect;
use self::session::alpn;
use super::WebSocketClient;
use super::answer::Answer;
use super::callbacks::{Callbacks, OpenEvent, fill};
use super::connection::ClientConnection;
use super::options::ClientOptions;
use super::plan::Plan;
use super::shared::{ClientShared, ClientState};
use crate::events::{CloseEvent, Initiator, Message};
use crate::handshake::UpgradeResponse;
use crate::websocket::{Outgoing, WebSocket};
use hvloop_event::conn::Conn;
use hvloop_event::{Attachment, CloseReason, LocalLoop, ReconnectPolicy, SendError, change, lock};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// See the module. Lives on the loop as an attachment, from `begin` to the last `on_close`.
pub(super) struct Engine {
    client: Arc<ClientShared>,
    /// Which of the client's `open()`s it is.
    number: u64,
    options: ClientOptions,
    callbacks: RefCell<Callbacks>,
    attempt: Attempt,
    /// Attempts follow the first one. Apart: it has a plan to keep.
    reconnect: Option<Box<Reconnect>>,
    /// How many attempts became a session.
    sessions: Cell<u32>,
    /// For the hook.
    last_close: RefCell<Option<Box<CloseEvent>>>,
    /// `on_close` is on the stack; the callbacks are released after it.
    telling: Cell<bool>,
    /// `close()`, `stop()` or the loop's stop: no attempt follows.
    ended_by_user: Cell<bool>,
}

impl Engine {
    /// Begins an `open()` on the loop's thread. Calls no user.
    pub(super) fn begin(
        local: &LocalLoop,
        client: Arc<ClientShared>,
        plan: Arc<Plan>,
        number: u64,
    ) {
        let options = plan.options.clone();
        // The back-off of the on_close in which this open() was called.
        let carried = lock(&client.carried).take();
        let (reconnect, until) = Reconnect::new(&plan, carried).unzip();
        let engine = Rc::new(Self {
            callbacks: RefCell::new(client.take_staged()),
            attempt: Attempt::new(&client, &options),
            reconnect,
            sessions: Cell::new(0),
            last_close: RefCell::new(None),
            telling: Cell::new(false),
            ended_by_user: Cell::new(false),
            client,
            number,
            options,
        });
        match local.attach(engine.clone()) {
            Ok(id) => engine.client.set_engine(Some(id)),
            Err(_) => engine.ended_by_user.set(true),
        }
        match (&engine.reconnect, until.flatten()) {
            (Some(reconnect), Some(until)) if !local.is_stopping() => {
                engine.client.set_state(ClientState::BackingOff);
                let wait = until.saturating_duration_since(local.clock_now());
                reconnect.arm(local, &engine, wait);
            }
            _ => engine.connect(local, plan),
        }
    }

    /// The client's engine, inside a callback of its loop.
    pub(super) fn here(client: &ClientShared) -> Option<(LocalLoop, Rc<Self>)> {
        let local = hvloop_event::EventLoop::current()?;
        let engine = Self::find(&local, client)?;
        Some((local, engine))
    }

    /// The client's engine on that loop, if it has one.
    pub(super) fn find(local: &LocalLoop, client: &ClientShared) -> Option<Rc<Self>> {
        let engine = local.attachment::<Self>(client.engine(local)?)?;
        // An owning client may have moved to another loop.
        std::ptr::eq(&*engine.client, client).then_some(engine)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn websocket(&self) -> Rc<WebSocket> {
        self.attempt.websocket.borrow().clone()
    }

    /// Takes callbacks that were set on a live client.
    pub(super) fn take_staged(&self) {
        let staged = self.client.take_staged();
        let replaced = self.callbacks.borrow_mut().replace(staged);
        drop(replaced);
    }

    /// Starts an attempt at what `open()` asked for.
    fn connect(self: &Rc<Self>, local: &LocalLoop, plan: Arc<Plan>) {
        self.begin_attempt();
        let mut opening = Opening::new(plan, local.clock_now());
        // A loop that is stopping takes no connection.
        let hook = self.options.all.before_connect.as_ref();
        let hook = hook.filter(|_| !local.is_stopping());
        let set_out = match hook {
            Some(_) => Ok(()),
            None => opening.set_out(),
        };
        *self.attempt.opening.borrow_mut() = Some(opening);
        match (hook, set_out) {
            (Some(hook), _) => self.prepare(local, hook.clone()),
            (None, Ok(())) => self.connect_hop(local, self.options.all.open_timeout),
            (None, Err(e)) => {
                self.attempt.renew_websocket(&self.client, &self.options);
                self.fail_to_prepare(local, e);
            }
        }
    }

    /// What the next attempt is told by.
    fn begin_attempt(&self) {
        let session = self.client.next_session();
        self.attempt.begin(session);
        change(&self.client.server, |server| server.answer.take());
    }

    /// Queues a frame or message on the open session, on the loop's thread.
    pub(super) fn send(&self, local: &LocalLoop, message: Outgoing<'_>) -> Result<(), SendError> {
        self.websocket().send(local, message)
    }

    /// Whether that is the number of the present session.
    pub(super) fn is_session(&self, session: u64) -> bool {
        self.attempt.session.get() == session
    }

    /// The user's `close()`, in any state.
    pub(super) fn close(self: &Rc<Self>, local: &LocalLoop, code: u16, reason: &str) {
        if !self.give_up_unconnected(local) {
            let (who, why) = (Initiator::Local, CloseReason::Local);
            self.websocket().finish(local, code, reason, who, why);
        }
    }

    /// The user's `close_now()`, in any state.
    pub(super) fn close_now(self: &Rc<Self>, local: &LocalLoop) {
        if !self.give_up_unconnected(local) {
            self.websocket().abort(local);
        }
    }

    /// The user's other policy for reconnects, or none: that ends a wait for the next attempt.
    pub(super) fn set_reconnect(
        self: &Rc<Self>,
        local: &LocalLoop,
        policy: Option<ReconnectPolicy>,
    ) {
        if let Some(reconnect) = &self.reconnect {
            reconnect.set_policy(policy);
        }
        if policy.is_none() {
            self.give_up_waiting(local, Initiator::Local, CloseReason::Local);
        }
    }

    /// The user's end of what has no connection; `false`: there is one.
    fn give_up_unconnected(self: &Rc<Self>, local: &LocalLoop) -> bool {
        self.ended_by_user.set(true);
        self.give_up_waiting(local, Initiator::Local, CloseReason::Local)
            || self.give_up_preparing(local, Initiator::Local, CloseReason::Local)
    }

    /// The upgrade is done.
    pub(super) fn opened(self: &Rc<Self>, conn: &Conn<'_>, response: UpgradeResponse) {
        let websocket = self.websocket();
        websocket.open(conn, response.deflate.as_ref());
        self.client.set_state(ClientState::Open);
        if let Some(reconnect) = &self.reconnect {
            reconnect.opened(conn.local().clock_now());
        }
        // What only an attempt needs goes.
        let opening = self.attempt.opening.take();
        let Some(Trip { route, .. }) = opening.and_then(|opening| opening.trip) else {
            return; // it was an attempt until now
        };
        self.note_answer(Answer::packed(&response));
        let redirects = route.hops();
        let event = OpenEvent {
            response: Arc::new(response),
            alpn: alpn(conn),
            url: route.into_url(),
            redirects,
            connection: ClientConnection::new(
                conn,
                self.client.clone(),
                self.attempt.session.get(),
            ),
            attempt: self.attempt.number.get(),
            is_reconnect: self.sessions.get() > 0,
        };
        self.sessions.set(self.sessions.get().saturating_add(1));
        let local = conn.local();
        let done = self.call(local, "on_open", |all| &mut all.open, |f, ws| f(ws, &event));
        self.after_callback(local, done);
    }

    /// Hands a message to the user; `None`: the callback panicked.
    pub(super) fn deliver(self: &Rc<Self>, local: &LocalLoop, message: Message<'_>) -> Option<()> {
        self.call(
            local,
            "on_message",
            |all| &mut all.message,
            |f, ws| f(ws, message),
        )
    }

    /// The send queue is low again.
    pub(super) fn drained(self: &Rc<Self>, local: &LocalLoop) {
        let done = self.call(local, "on_drain", |all| &mut all.drain, |f, ws| f(ws));
        self.after_callback(local, done);
    }

    /// Calls one of the user's callbacks, if it is set, with a handle. It is taken out for the time, and one
    /// that was set meanwhile takes its place. `None`: it panicked.
    fn call<F>(
        &self,
        local: &LocalLoop,
        what: &'static str,
        slot: impl Fn(&mut Callbacks) -> &mut Option<F>,
        call: impl FnOnce(&mut F, &WebSocketClient),
    ) -> Option<()> {
        let f = slot(&mut self.callbacks.borrow_mut()).take();
        let Some(mut f) = f else { return Some(()) };
        let ws = WebSocketClient::uncounted(self.client.clone());
        let done = local.call_user(what, || call(&mut f, &ws));
        let unused = fill(slot(&mut self.callbacks.borrow_mut()), Some(f));
        if unused.is_some() {
            local.drop_user(unused);
        }
        done
    }

    /// A callback that panicked closes its connection with 1011.
    fn after_callback(self: &Rc<Self>, local: &LocalLoop, done: Option<()>) {
        if done.is_none() {
            self.websocket().fail_panicked(local);
        }
    }

    pub(super) fn note_peer(&self, conn: &Conn<'_>) {
        lock(&self.client.server).peer = conn.peer_addr();
    }

    /// What the server answered to the upgrade, for [`WebSocketClient::upgrade_response`].
    pub(super) fn note_answer(&self, answer: Answer) {
        lock(&self.client.server).answer = Some(answer);
    }

    /// The attempt or session has ended and its socket is closed: tells the user, and goes on. Or only
    /// a hop of the attempt has, and the next one begins.
    pub(super) fn session_ended(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        was_open: bool,
        why: CloseReason,
    ) {
        let local = conn.local();
        let Some(why) = self.hop_ended(local, why) else {
            return;
        };
        drop(self.attempt.opening.take());
        let websocket = self.websocket();
        websocket.ended(local);
        // An engine that a stopping loop did not take has not got those that an on_close left it.
        self.take_staged();
        let mut event = websocket.close_event(was_open, &why, conn.lost());
        event.attempt = self.attempt.number.get();
        let reconnect = self.reconnect.as_ref();
        event.reconnect_in =
            reconnect.and_then(|reconnect| reconnect.delay(local, || self.is_ended(), &event));
        if self.options.all.before_connect.is_some() {
            *self.last_close.borrow_mut() = Some(Box::new(event.clone()));
        }
        let again = event.reconnect_in.is_some();
        if !again {
            self.leave(local);
        }
        self.client.set_state(if again {
            ClientState::BackingOff
        } else {
            ClientState::Closed
        });
        // Armed before the call, so that close() in it finds the back-off to cancel.
        if let (Some(reconnect), Some(delay)) = (reconnect, event.reconnect_in) {
            reconnect.arm(local, self, delay);
        }
        self.telling.set(true);
        self.call(
            local,
            "on_close",
            |all| &mut all.close,
            |f, ws| f(ws, &event),
        );
        self.telling.set(false);
        // Only an open() in this on_close goes on with it.
        change(&self.client.carried, Option::take);
        if !reconnect.is_some_and(|reconnect| reconnect.is_armed()) {
            self.release(local);
        }
    }

    /// Whether no attempt may follow; also if a close is still on its way from another thread.
    fn is_ended(&self) -> bool {
        self.ended_by_user.get() || self.client.is_close_asked(self.number)
    }

    /// The wait for the next attempt is over.
    fn retry(self: &Rc<Self>, local: &LocalLoop) {
        if self.is_ended() {
            // By another thread, whose close is on its way.
            self.give_up_waiting(local, Initiator::Local, CloseReason::Local);
        } else if let Some(reconnect) = &self.reconnect {
            reconnect.disarm(local);
            self.connect(local, reconnect.plan.clone());
        }
    }

    /// Ends the wait for the next attempt; `false`: there is none. Each attempt has had its on_close, but
    /// an `open()` that has begun none yet has had none at all, and gets it.
    fn give_up_waiting(
        self: &Rc<Self>,
        local: &LocalLoop,
        initiator: Initiator,
        why: CloseReason,
    ) -> bool {
        let Some(reconnect) = &self.reconnect else {
            return false;
        };
        if !reconnect.disarm(local) {
            return false;
        }
        if self.attempt.number.get() > 0 {
            if self.telling.get() {
                let failed = self.sessions.get() == 0;
                if let Some(carried) = reconnect.carried(failed) {
                    *lock(&self.client.carried) = Some(Box::new(carried));
                }
            }
            self.end(local);
            return true;
        }
        self.begin_attempt();
        self.websocket().blame(initiator, None);
        self.end_unconnected(local, why);
        true
    }

    /// The last attempt is over: nothing more will come. In its on_close, an `open()` may follow.
    fn end(&self, local: &LocalLoop) {
        self.leave(local);
        self.client.set_state(ClientState::Closed);
        if !self.telling.get() {
            self.release(local);
        }
    }

    /// Takes the engine off the loop.
    fn leave(&self, local: &LocalLoop) {
        if let Some(id) = self.client.engine(local) {
            let mine = local
                .attachment::<Self>(id)
                .is_some_and(|engine| std::ptr::eq(&*engine, self));
            if mine {
                self.client.set_engine(None);
                local.detach(id);
            }
        }
    }

    /// Drops the callbacks, or keeps them for a next `open()`: one that was called already, or one
    /// that the options foresee.
    fn release(&self, local: &LocalLoop) {
        let callbacks = std::mem::take(&mut *self.callbacks.borrow_mut());
        let keep = self.options.all.keep_callbacks;
        local.drop_user(self.client.release(callbacks, keep));
        // An `open()` in on_close has begun already: its engine takes what was kept for it.
        if let Some(engine) = Self::find(local, &self.client) {
            let kept = self.client.take_staged();
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
        if let Some(engine) = Self::find(local, &self.client) {
            let why = || CloseReason::Stopped;
            if !engine.give_up_waiting(local, Initiator::Loop, why()) {
                engine.give_up_preparing(local, Initiator::Loop, why());
            }
        }
    }

    fn on_loop_end(&self, local: &LocalLoop) {
        self.release(local);
    }
}
