//! One `open()` on the loop's thread: its attempts, the back-off between them, the callbacks.

mod legs;
mod preparing;

use self::legs::Leg;
use super::WebSocketClient;
use super::callbacks::{Callbacks, OpenEvent};
use super::redirect::Route;
use super::request::RequestHead;
use super::retry_after::retry_after;
use super::session::alpn;
use super::shared::{Carried, ClientState, Inner, Plan};
use crate::event::{CloseEvent, Initiator, Message};
use crate::handshake::UpgradeResponse;
use crate::link::{Link, LinkOptions, Outgoing};
use crate::mutant::mutant;
use crate::protocol::Role;
use hvloop_event::conn::Conn;
use hvloop_event::{Attachment, Backoff, CloseReason, LocalLoop, SendError, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module. Lives on the loop as an attachment, from `begin` to the last `on_close`.
pub(super) struct Engine {
    inner: Arc<Inner>,
    plan: Plan,
    callbacks: RefCell<Callbacks>,
    backoff: RefCell<Option<Backoff>>,
    retry: Cell<Option<TimerId>>,
    /// When that is.
    retry_at: Cell<Option<Instant>>,
    /// Begun in an on_close in the place of an attempt that was to wait.
    at_once: bool,
    /// The time for the hook that an attempt waits for.
    preparing: Cell<Option<TimerId>>,
    /// `on_close` is on the stack; the callbacks are released after it.
    telling: Cell<bool>,
    /// `close()`, `stop()` or the loop's stop: no attempt follows.
    ended_by_user: Cell<bool>,
    attempt: Cell<u32>,
    sessions: Cell<u32>,
    /// The number of the present session, and its connection.
    session: Cell<u64>,
    link: RefCell<Rc<Link>>,
    /// The attempt's way over redirects, and what its present leg is made of.
    route: RefCell<Route>,
    leg: RefCell<Leg>,
    /// What the attempt sends, on each leg.
    head: RefCell<Arc<RequestHead>>,
    /// For the hook.
    last_close: RefCell<Option<Box<CloseEvent>>>,
    /// The leg ends because it led to the next one.
    hopping: Cell<bool>,
    /// When the attempt began.
    began: Cell<Option<Instant>>,
}

impl Engine {
    /// Begins an `open()` on the loop's thread. Calls no user.
    pub(super) fn begin(local: &LocalLoop, inner: Arc<Inner>, plan: Plan) {
        // The back-off of the on_close in which this open() was called.
        let carried = inner.take_carried();
        let carried =
            carried.filter(|c| Some(c.backoff.policy()) == plan.options.reconnect.as_ref());
        // Another place is tried at once, but not one after the other without end.
        let waits = |carried: &Carried| carried.at_once || carried.url == plan.url;
        let until = carried.as_deref().filter(|c| waits(c)).map(|c| c.until);
        let at_once = carried.is_some() && until.is_none();
        let backoff = match carried {
            Some(carried) => Some(carried.backoff),
            None => plan.options.reconnect.map(Backoff::new),
        };
        let engine = Rc::new(Self {
            callbacks: RefCell::new(inner.take_staged()),
            backoff: RefCell::new(backoff),
            retry: Cell::new(None),
            retry_at: Cell::new(None),
            at_once,
            preparing: Cell::new(None),
            telling: Cell::new(false),
            ended_by_user: Cell::new(false),
            attempt: Cell::new(0),
            sessions: Cell::new(0),
            session: Cell::new(0),
            link: RefCell::new(link(&inner, &plan)),
            route: RefCell::new(route(&plan)),
            leg: RefCell::new(Leg::first(&plan)),
            head: RefCell::new(plan.options.head.clone()),
            last_close: RefCell::new(None),
            hopping: Cell::new(false),
            began: Cell::new(None),
            inner,
            plan,
        });
        match local.attach(engine.clone()) {
            Ok(id) => engine.inner.set_engine(Some(id)),
            Err(_) => engine.ended_by_user.set(true),
        }
        match until.filter(|_| !local.is_stopping()) {
            Some(until) => {
                engine.inner.set_state(ClientState::BackingOff);
                engine.retry_after(local, until.saturating_duration_since(local.clock_now()));
            }
            None => engine.connect(local),
        }
    }

    /// The client's engine, inside a callback of its loop.
    pub(super) fn here(inner: &Arc<Inner>) -> Option<(LocalLoop, Rc<Self>)> {
        let local = hvloop_event::EventLoop::current()?;
        let engine = Self::find(&local, inner)?;
        Some((local, engine))
    }

    /// The client's engine on that loop, if it has one.
    pub(super) fn find(local: &LocalLoop, inner: &Arc<Inner>) -> Option<Rc<Self>> {
        let engine = local.attachment::<Self>(inner.engine(local)?)?;
        // An owning client may have moved to another loop.
        Arc::ptr_eq(&engine.inner, inner).then_some(engine)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn link(&self) -> Rc<Link> {
        self.link.borrow().clone()
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

    /// What the next attempt is told by.
    fn begin_attempt(&self, local: &LocalLoop) {
        self.attempt.set(self.attempt.get().saturating_add(1));
        self.session.set(self.inner.next_session());
        self.inner.set_answer(None);
        self.began.set(Some(local.clock_now()));
    }

    /// Starts an attempt.
    fn connect(self: &Rc<Self>, local: &LocalLoop) {
        self.begin_attempt(local);
        *self.route.borrow_mut() = route(&self.plan);
        *self.leg.borrow_mut() = Leg::first(&self.plan);
        *self.head.borrow_mut() = self.plan.options.head.clone();
        match &self.plan.options.before_connect {
            // A loop that is stopping takes no connection.
            Some(hook) if !local.is_stopping() => self.prepare(local, hook.clone()),
            _ => self.connect_leg(local),
        }
    }

    /// Queues a frame or message on the open session, on the loop's thread.
    pub(super) fn send(&self, local: &LocalLoop, message: Outgoing<'_>) -> Result<(), SendError> {
        self.link().send(local, message)
    }

    /// Queues what another thread took room, if it is still the session that it meant.
    pub(super) fn send_posted(
        &self,
        local: &LocalLoop,
        session: u64,
        message: Outgoing<'_>,
    ) -> bool {
        self.is_session(session) && self.link().send_reserved(local, message)
    }

    /// Whether that is the number of the present session.
    pub(super) fn is_session(&self, session: u64) -> bool {
        self.session.get() == session
    }

    /// A send of another thread was refused for want of room, in that session.
    pub(super) fn refused(&self, local: &LocalLoop, session: u64, error: SendError) {
        if self.session.get() == session {
            self.link().refused(local, error);
        }
    }

    /// The user's `close()`, in any state.
    pub(super) fn close(self: &Rc<Self>, local: &LocalLoop, code: u16, reason: &str) {
        self.ended_by_user.set(true);
        if self.give_up_waiting(local, Initiator::Local, CloseReason::Local)
            || self.give_up_preparing(local, Initiator::Local, CloseReason::Local)
        {
            return;
        }
        let why = CloseReason::Local;
        self.link()
            .finish(local, code, reason, Initiator::Local, why);
    }

    /// The upgrade is done.
    pub(super) fn opened(self: &Rc<Self>, conn: &Conn<'_>, response: UpgradeResponse) {
        let (link, options) = (self.link(), &self.plan.options.deflate);
        if let (Some(options), Some(params)) = (options, &response.deflate) {
            link.set_deflate(conn.local(), options, params);
        }
        link.open(conn);
        self.inner.set_state(ClientState::Open);
        if let Some(backoff) = self.backoff.borrow_mut().as_mut() {
            backoff.on_open(conn.local().clock_now());
        }
        let (url, redirects) = {
            let route = self.route.borrow();
            (route.url().clone(), route.hops())
        };
        let response = Arc::new(response);
        self.note_answer(response.clone());
        let event = OpenEvent {
            response,
            alpn: alpn(conn),
            url,
            redirects,
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

    /// Hands a message to the user; `None`: the callback panicked.
    pub(super) fn deliver(self: &Rc<Self>, local: &LocalLoop, message: Message<'_>) -> Option<()> {
        let f = self.callbacks.borrow_mut().message.take();
        let Some(mut f) = f else { return Some(()) };
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
        done
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
            self.link().fail_panicked(local);
        }
    }

    pub(super) fn note_peer(&self, conn: &Conn<'_>) {
        self.inner.set_peer(conn.peer_addr());
    }

    /// What the server answered to the upgrade, for [`WebSocketClient::upgrade_response`].
    pub(super) fn note_answer(&self, answer: Arc<UpgradeResponse>) {
        self.inner.set_answer(Some(answer));
    }

    /// The attempt or session has ended and its socket is closed: tells the user, and goes on. Or only
    /// a leg of the attempt has, and the next one begins.
    pub(super) fn session_ended(
        self: &Rc<Self>,
        conn: &Conn<'_>,
        was_open: bool,
        why: CloseReason,
    ) {
        let local = conn.local();
        let Some(why) = self.leg_ended(local, why) else {
            return;
        };
        let link = self.link();
        link.ended(local);
        // An engine that a stopping loop did not take has not got those that an on_close left it.
        self.take_staged();
        let mut event = link.close_event(was_open, &why, conn.lost());
        event.attempt = self.attempt.get();
        event.reconnect_in = self.next_delay(local, &event);
        if self.plan.options.before_connect.is_some() {
            *self.last_close.borrow_mut() = Some(Box::new(event.clone()));
        }
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
            self.retry_at.set(local.clock_now().checked_add(delay));
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
            // Only an open() in this on_close goes on with it.
            self.inner.take_carried();
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

    /// How long to wait for the next attempt; `None`: there is none.
    fn next_delay(&self, local: &LocalLoop, event: &CloseEvent) -> Option<Duration> {
        if self.backoff.borrow().is_none() || !self.may_reconnect(local, event) {
            return None;
        }
        let mut backoff = self.backoff.borrow_mut();
        let backoff = backoff.as_mut()?;
        let delay = backoff.on_close(local.now(), local.random_u64());
        if mutant!("reconnect_armed_while_stopping") {
            return delay;
        }
        let delay = delay.filter(|_| !self.is_ended() && !local.is_stopping())?;
        let wanted = retry_after(event, self.plan.options.retry_after_limit);
        let wanted = wanted.filter(|_| !mutant!("retry_after_ignored"));
        Some(wanted.map_or(delay, |wanted| wanted.max(delay)))
    }

    /// Whether another attempt makes sense: the user's to say, else unless the refusal is permanent. What a
    /// hook may change before the next attempt is not.
    fn may_reconnect(&self, local: &LocalLoop, event: &CloseEvent) -> bool {
        let options = &self.plan.options;
        match &options.reconnect_if {
            // Its answer would mean nothing.
            Some(_) if self.is_ended() || local.is_stopping() => true,
            Some(f) => local.call_user("reconnect_if", || f(event)) == Some(true),
            None => {
                options.before_connect.is_some()
                    || !event.is_permanent()
                    || mutant!("permanent_refusal_retried")
            }
        }
    }

    /// `close()` in the on_close that announced a back-off: an `open()` in the same one goes on with it.
    fn carry_back_off(&self) {
        let backoff = self.backoff.borrow();
        let (Some(backoff), Some(until)) = (&*backoff, self.retry_at.get()) else {
            return;
        };
        if self.telling.get() && !mutant!("back_off_begins_anew") {
            self.inner.set_carried(Carried {
                backoff: backoff.clone(),
                until,
                url: self.plan.url.clone(),
                at_once: self.at_once && self.sessions.get() == 0,
            });
        }
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
                if engine.is_ended() {
                    // By another thread, whose close is on its way.
                    engine.give_up_waiting(&at, Initiator::Local, CloseReason::Local);
                } else {
                    engine.retry.set(None);
                    engine.connect(&at);
                }
            }
        });
        self.retry.set(Some(timer));
    }

    /// Ends the wait for the next attempt; `false`: there is none. Each attempt has had its on_close, but
    /// an `open()` that has begun none yet has had none at all, and gets it.
    fn give_up_waiting(
        self: &Rc<Self>,
        local: &LocalLoop,
        initiator: Initiator,
        why: CloseReason,
    ) -> bool {
        let Some(timer) = self.retry.take() else {
            return false;
        };
        local.kill_timer(timer);
        if self.attempt.get() > 0 || mutant!("waiting_open_ends_untold") {
            self.carry_back_off();
            self.end(local);
            return true;
        }
        self.begin_attempt(local);
        self.link().blame(initiator, None);
        self.end_unconnected(local, why);
        true
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
        if let Some(id) = self.inner.engine(local) {
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

/// The way of an attempt that has not begun.
fn route(plan: &Plan) -> Route {
    Route::new(plan.url.clone(), plan.options.redirects)
}

/// A connection of that `open()`, before there is one.
fn link(inner: &Arc<Inner>, plan: &Plan) -> Rc<Link> {
    let options = LinkOptions {
        limits: plan.options.limits,
        close_timeout: plan.options.close_timeout,
        ping_interval: plan.options.ping_interval,
        pong_deadline: plan.options.pong_deadline,
        message_timeout: plan.options.message_timeout,
        when_full: plan.options.when_full,
    };
    let inner = inner.clone();
    let closing = move || inner.set_state(ClientState::Closing);
    Link::new(Role::Client, options, Box::new(closing))
}

impl Attachment for Engine {
    /// The loop is stopping: no attempt follows; a back-off ends here. Connections are told by the
    /// session.
    fn on_stop(&self, local: &LocalLoop) {
        self.ended_by_user.set(true);
        if let Some(engine) = Self::find(local, &self.inner) {
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
