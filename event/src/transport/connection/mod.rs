//! A connection: what the loop tells it, and what it can be told to do.
//!
//! A message comes in by `read` (through `tls`) to the [`Handler`], and goes out by `sending`, `state` and
//! `write`.

mod adopt;
#[cfg(hvloop_sim)]
mod check;
mod close;
mod connect;
mod deadlines;
mod discard;
mod handle;
mod hold_up;
mod leave;
mod outcome;
mod parts;
mod proxy;
mod read;
mod sending;
mod state;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls_layer;
mod write;

#[cfg(feature = "tls")]
pub(crate) use self::tls_layer::TlsLayer;
pub(crate) use self::{adopt::adopt, connect::connect};

use crate::conn::{ConnId, Handler};
use crate::core::LocalLoop;
use crate::core::LoopCore;
use crate::core::account::Account;
use crate::core::entity::{Entity, Need, Place};
use crate::error::CloseReason;
use crate::machine::ending::Ending;
use crate::machine::lifecycle::Lifecycle;
use crate::sys::{Readiness, Stream, clock};
use parts::Timer;
use state::ConnState;
use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A connection on its loop.
pub(crate) struct Connection {
    place: Place,
    /// Taken out for each call, and put back (I4).
    handler: Cell<Option<Box<dyn Handler>>>,
    /// The handler is to be called in step 8.
    is_called: Cell<bool>,
    state: RefCell<ConnState>,
}

/// A connection, on the loop's thread, for the time of a call.
#[derive(Clone)]
pub struct Conn<'a> {
    local: &'a LocalLoop,
    connection: Rc<Connection>,
}

/// What a connection puts off to step 8.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// The send queue fell to its low mark.
    LowWater,
    /// What the handler waits for has left the send queue.
    Sent,
    /// An adopted connection comes up.
    Up,
    /// It leaves this loop.
    Leave,
    /// The handler asked to be called.
    Handler,
}

impl Call {
    const ALL: [Self; 5] = {
        use Call::*;
        [LowWater, Sent, Up, Leave, Handler]
    };
}

/// How a turn of reading a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fed {
    /// Go on reading.
    More,
    /// The connection is closing; stop.
    Stop,
    /// The peer ended its side inside the stream (TLS `close_notify`).
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    End,
}

impl Connection {
    fn new(place: Place, state: ConnState, handler: Option<Box<dyn Handler>>) -> Self {
        Self {
            place,
            handler: Cell::new(handler),
            is_called: Cell::new(false),
            state: RefCell::new(state),
        }
    }

    /// Whether a call of the handler is on the stack.
    fn is_in_call(&self) -> bool {
        let handler = self.handler.take();
        let is_out = handler.is_none();
        self.handler.set(handler);
        is_out
    }
}

impl Entity for Connection {
    fn place(&self) -> &Place {
        &self.place
    }

    fn note(&self, event: &Readiness) {
        self.state.borrow_mut().note(event);
    }

    fn ready(self: Rc<Self>, local: &LocalLoop) {
        read::ready(&Conn::new(local, self), false);
    }

    fn costly(self: Rc<Self>, local: &LocalLoop) {
        read::ready(&Conn::new(local, self), true);
    }

    fn timer(self: Rc<Self>, local: &LocalLoop, which: u8) {
        if let Some(which) = Timer::ALL.get(usize::from(which)) {
            deadlines::fired(&Conn::new(local, self), *which);
        }
    }

    fn deferred(self: Rc<Self>, local: &LocalLoop, which: u8) {
        let conn = Conn::new(local, self);
        match Call::ALL.get(usize::from(which)) {
            // Much may have been sent since.
            Some(Call::LowWater) if !conn.state().is_still_low() => {}
            Some(Call::LowWater) => conn.tell_if_up(|handler, conn| handler.on_low_water(conn)),
            Some(Call::Sent) => conn.tell_if_up(|handler, conn| handler.on_sent(conn)),
            Some(Call::Up) => adopt::comes_up(&conn),
            Some(Call::Leave) => conn.leave_now(),
            Some(Call::Handler) => {
                conn.connection.is_called.set(false);
                read::allow(&conn);
                conn.tell_if_up(|handler, conn| handler.on_call(conn));
            }
            None => {}
        }
    }

    fn flush(self: Rc<Self>, local: &LocalLoop) {
        write::flush(&Conn::new(local, self));
    }

    fn end(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        close::end(&Conn::new(local, self), reason);
    }

    /// What is not up closes, what is up is told to finish.
    fn stop(self: Rc<Self>, local: &LocalLoop) {
        let conn = Conn::new(local, self);
        // One that was adopted in this turn may have something to say.
        adopt::comes_up(&conn);
        let life = conn.state().life;
        match life {
            Lifecycle::Opening | Lifecycle::Open => {
                conn.with_handler(|handler, conn| handler.on_stop(conn));
            }
            Lifecycle::Resolving
            | Lifecycle::Connecting
            | Lifecycle::Tunnelling
            | Lifecycle::Securing => close::now(&conn, CloseReason::Stopped),
            Lifecycle::Flushing | Lifecycle::Lingering | Lifecycle::Closed => {}
        }
    }

    fn close(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        close::now(&Conn::new(local, self), reason);
    }

    fn force(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        close::now_unless_settled(&Conn::new(local, self), reason);
    }

    fn describe(&self) -> String {
        self.state.borrow().describe()
    }

    fn greed(&self) -> usize {
        self.state.borrow().greed()
    }

    fn relieve(self: Rc<Self>, local: &LocalLoop, limit: usize) {
        let conn = Conn::new(local, self);
        match conn.is_up() {
            true => {
                conn.with_handler(|handler, conn| handler.on_memory_limit(conn, limit));
            }
            false => close::now(&conn, CloseReason::MemoryLimit(limit)),
        }
    }

    fn held_for(&self, account: &Arc<Account>) -> usize {
        self.state.borrow().held_for(account)
    }

    fn need(&self) -> Option<Need> {
        hold_up::need(self)
    }

    fn read_on(self: Rc<Self>, local: &LocalLoop) {
        hold_up::read_on(&Conn::new(local, self));
    }

    fn is_unborrowed(&self) -> bool {
        self.state.try_borrow_mut().is_ok()
    }

    #[cfg(hvloop_sim)]
    fn check(&self) -> Result<(), String> {
        let handler = self.handler.take();
        let there = handler.is_some();
        self.handler.set(handler);
        match there {
            true => check::check(&self.state.borrow(), &self.place),
            false => Err("the handler was not put back".to_owned()),
        }
    }

    #[cfg(hvloop_sim)]
    fn check_memory(
        &self,
        shared: &mut std::collections::BTreeMap<usize, usize>,
    ) -> Result<usize, String> {
        check::check_memory(&self.state.borrow(), shared)
    }
}

impl<'a> Conn<'a> {
    pub(crate) fn new(local: &'a LocalLoop, connection: Rc<Connection>) -> Self {
        Self { local, connection }
    }

    pub(crate) fn find(local: &'a LocalLoop, id: ConnId) -> Option<Self> {
        let core = local.core();
        let connection: Rc<Connection> = core.registry.find_as(core.mine(id.0))?;
        let there = !connection.place.is_closing();
        there.then_some(Self { local, connection })
    }

    /// For a handler whose connection never was.
    pub(crate) fn none(local: &'a LocalLoop) -> Self {
        let state = ConnState::ended(clock::now());
        let connection = Connection::new(Place::none(), state, None);
        Self::new(local, Rc::new(connection))
    }

    fn core(&self) -> &'a LoopCore {
        self.local.core()
    }

    fn place(&self) -> &Place {
        &self.connection.place
    }

    /// For moments: never while a handler is called.
    fn state(&self) -> RefMut<'_, ConnState> {
        self.connection.state.borrow_mut()
    }

    fn mark_ready(&self) {
        self.core().mark_ready(self.place());
    }

    fn mark_dirty(&self) {
        self.core().mark_dirty(self.place());
    }

    fn defer(&self, call: Call) {
        self.core().defer_for(self.place(), call as u8);
    }

    /// Arms one of its timers in place of the one that is armed.
    fn arm(&self, which: Timer, after: Duration) {
        self.disarm(which);
        let timer = self.core().arm_for(self.place(), after, which as u8);
        self.state().timers.set(which, timer);
    }

    fn disarm(&self, which: Timer) {
        let timer = self.state().timers.take(which);
        if let Some(timer) = timer {
            self.core().kill_timer(timer);
        }
    }

    /// Takes a socket off the poller and closes it.
    fn close_socket(&self, mut socket: Stream) {
        let poller = &self.core().poller;
        poller.take_off(|poller| socket.deregister(poller));
    }

    /// As [`close_socket`](Self::close_socket), those of which it is not known where they lead.
    fn close_racers(&self, sockets: impl IntoIterator<Item = Stream>) {
        for socket in sockets {
            if socket.is_to_itself() {
                // Else the system keeps its port for a minute, which is that of a server to come.
                socket.reset_on_drop();
            }
            self.close_socket(socket);
        }
    }

    /// Calls the handler, unless its call is on the stack. No borrow is held; a panic of its is turned into
    /// `on_panic`.
    fn with_handler<R>(&self, f: impl FnOnce(&mut Box<dyn Handler>, &Conn<'_>) -> R) -> Option<R> {
        let mut handler = self.connection.handler.take()?;
        let result = self.guarded(&mut handler, f);
        self.connection.handler.set(Some(handler));
        result
    }

    /// Calls the handler that the caller has taken.
    fn guarded<R>(
        &self,
        handler: &mut Box<dyn Handler>,
        f: impl FnOnce(&mut Box<dyn Handler>, &Conn<'_>) -> R,
    ) -> Option<R> {
        debug_assert!(self.connection.is_unborrowed(), "borrowed at a callback");
        let core = self.core();
        let result = core.call_user("connection", || f(handler, self));
        if result.is_none() && core.call_user("panic", || handler.on_panic(self)).is_none() {
            close::now(self, CloseReason::Panicked);
        }
        self.flush_much();
        result
    }

    fn tell_if_up(&self, f: impl FnOnce(&mut Box<dyn Handler>, &Conn<'_>)) {
        if self.is_up() {
            self.with_handler(f);
        }
    }

    /// The transport is up: the protocol above begins.
    fn begin(&self, handler: &mut Box<dyn Handler>) {
        deadlines::watch_quiet(self);
        self.guarded(handler, |handler, conn| handler.on_up(conn));
    }

    /// As `begin`, where no read is under way.
    fn begin_with_handler(&self) {
        if let Some(mut handler) = self.connection.handler.take() {
            self.begin(&mut handler);
            self.connection.handler.set(Some(handler));
        }
    }

    /// Hands plain bytes to the handler; discards them once the connection is finishing.
    fn deliver(&self, handler: &mut Box<dyn Handler>, data: &mut [u8]) -> Fed {
        if self.is_up() {
            self.guarded(handler, |handler, conn| handler.on_data(conn, data));
        }
        self.fed()
    }

    /// Whether to go on reading.
    fn fed(&self) -> Fed {
        match self.place().is_closing() {
            true => Fed::Stop,
            false => Fed::More,
        }
    }

    /// Step 8: leaves, if it still may.
    fn leave_now(&self) {
        if leave::may(self) {
            self.state().end_mut().ending = Ending::Leaving;
            close::now(self, CloseReason::Local);
        }
    }

    /// Readiness that came before the connection was up was noted, and no event will tell again.
    fn read_what_came_early(&self) {
        let early = self.state().has_something();
        if early {
            self.mark_ready();
        }
    }
}

impl fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("id", &self.place().key())
            .finish()
    }
}
