//! Datagrams: received within a budget, sent at once, or queued while the socket takes none.

mod state;

use super::budget::SendBudget;
use crate::core::LocalLoop;
use crate::core::LoopCore;
use crate::core::calls::Deferred;
use crate::core::entity::{Entity, Place, Role};
use crate::error::{CloseReason, DatagramError, SendError};
use crate::sys::{Datagrams, Key, Readiness};
use state::{State, Step};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// Datagrams received by one socket in one tick.
const RECEIVES: usize = 32;
/// Queued datagrams sent by one socket in one tick.
const SENDS: usize = 64;
/// The largest payload of a UDP datagram over IPv4: 65,535 less the headers (RFC 768, RFC 791). What is
/// within these limits is for the system to judge, by its devices and its settings.
const MAX_V4: usize = 65_507;
/// Over IPv6 the length of its own header is not counted (RFC 8200 section 3).
const MAX_V6: usize = 65_527;

/// What a datagram socket tells the layer above, on the loop's thread.
pub(crate) trait DatagramHandler {
    /// The socket is on the loop.
    fn on_open(&mut self, local: &LocalLoop);

    /// A datagram came.
    fn on_datagram(&mut self, local: &LocalLoop, data: &mut [u8], from: SocketAddr);

    /// Receiving, or sending to that address, failed; the socket goes on.
    fn on_error(&mut self, local: &LocalLoop, e: &io::Error, to: Option<SocketAddr>);

    /// All that was queued is sent: so many bytes since the last time.
    fn on_drained(&mut self, local: &LocalLoop, bytes: usize);

    /// The socket is closed.
    fn on_close(self: Box<Self>, local: &LocalLoop, reason: CloseReason);
}

/// A datagram socket on the loop, with what waits for it.
pub(crate) struct DatagramSocket {
    place: Place,
    name: String,
    /// Taken out for each call, and put back (I4).
    handler: Cell<Option<Box<dyn DatagramHandler>>>,
    /// `None` once it is closed.
    state: RefCell<Option<State>>,
}

/// Puts an open datagram socket on the loop; its key.
pub(crate) fn add(
    local: &LocalLoop,
    name: String,
    socket: Datagrams,
    budget: Arc<SendBudget>,
    handler: Box<dyn DatagramHandler>,
) -> Result<Key, (CloseReason, Box<dyn DatagramHandler>)> {
    let core = local.core();
    if !core.registry.admit(Role::Source) {
        return Err((CloseReason::Stopped, handler));
    }
    let added = core.registry.put(Role::Source, |place| DatagramSocket {
        place,
        name,
        handler: Cell::new(Some(handler)),
        state: RefCell::new(Some(State::new(socket, budget))),
    });
    let key = added.place.key();
    let registered = core.poller.with(|poller| {
        let registered = added.with_state(|state| state.socket.register(poller, key));
        registered.unwrap_or(Ok(()))
    });
    match (registered, added.handler.take()) {
        (Err(e), Some(handler)) => {
            core.registry.withdraw(&added.place);
            Err((CloseReason::Io(Arc::new(e)), handler))
        }
        (_, handler) => {
            added.handler.set(handler);
            Ok(key)
        }
    }
}

/// Tells its handler something from the loop's own frame, in step 8.
pub(crate) fn tell_later(
    core: &LoopCore,
    key: Key,
    f: impl FnOnce(&mut dyn DatagramHandler, &LocalLoop) + 'static,
) {
    let call = move |local: &LocalLoop| {
        if let Some(socket) = local.core().registry.find_as::<DatagramSocket>(key) {
            socket.with_handler(|handler| f(handler, local));
        }
    };
    core.defer(Deferred::Call(Box::new(call)));
}

/// Sends a datagram, or queues it while the socket takes none. Room for it was taken before if it is
/// `reserved`, and is the caller's again if the error is [`DatagramError::NotOpen`].
pub(crate) fn send(
    core: &LoopCore,
    key: Key,
    data: &[u8],
    to: Option<SocketAddr>,
    reserved: bool,
) -> Result<(), DatagramError> {
    let socket = core.registry.find_as::<DatagramSocket>(key);
    let sent = socket.and_then(|socket| socket.with_state(|state| state.send(data, to, reserved)));
    if sent.ok_or(DatagramError::NotOpen)?? {
        core.shared.counters.bytes_out.add(data.len() as u64);
    }
    Ok(())
}

/// Closes the socket when all that is queued is sent.
pub(crate) fn finish(local: &LocalLoop, key: Key, reason: CloseReason) {
    if let Some(socket) = local.core().registry.find_as::<DatagramSocket>(key) {
        socket.finish(local, reason);
    }
}

/// Runs `f` on the socket; `None`: it is closing or gone.
pub(crate) fn with_socket<R>(
    core: &LoopCore,
    key: Key,
    f: impl FnOnce(&Datagrams) -> R,
) -> Option<R> {
    let socket = core.registry.find_as::<DatagramSocket>(key)?;
    socket.with_state(|state| f(&state.socket))
}

impl Entity for DatagramSocket {
    fn place(&self) -> &Place {
        &self.place
    }

    fn note(&self, event: &Readiness) {
        self.with_state(|state| {
            state.readable |= event.readable || event.hangup;
            state.writable |= event.writable;
        });
    }

    fn ready(self: Rc<Self>, local: &LocalLoop) {
        if self.place.is_closing() {
            return;
        }
        self.send_waiting(local);
        self.receive_all(local);
    }

    fn stop(self: Rc<Self>, local: &LocalLoop) {
        self.finish(local, CloseReason::Stopped);
    }

    fn end(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        let core = local.core();
        let state = self.state.borrow_mut().take();
        if let Some(mut state) = state {
            core.poller
                .take_off(|poller| state.socket.deregister(poller));
        }
        if let Some(handler) = self.handler.take() {
            core.call_user("datagram close", || handler.on_close(local, reason));
        }
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn is_unborrowed(&self) -> bool {
        self.state.try_borrow_mut().is_ok()
    }

    /// What waits is sent when the socket takes it again, and the end comes when nothing waits any more.
    #[cfg(hvloop_sim)]
    fn check(&self) -> Result<(), String> {
        let listed = self.place.is_ready();
        let state = self.state.borrow();
        let Some(state) = state.as_ref().filter(|_| !self.place.is_closing()) else {
            return Ok(());
        };
        let waits = !state.queue.is_empty();
        if state.finishing.is_none() && state.readable && !listed {
            return Err("datagrams were left unread".to_owned());
        }
        if waits && !listed && state.writable {
            return Err("datagrams wait for a socket that takes them".to_owned());
        }
        if waits && !listed && !state.socket.tells_of_room() {
            return Err("datagrams wait, and no event will tell of room".to_owned());
        }
        if state.finishing.is_some() && !waits {
            return Err("all is sent, and it was not closed".to_owned());
        }
        Ok(())
    }
}

impl DatagramSocket {
    /// Calls the handler with no borrow held, unless its call is on the stack.
    fn with_handler(&self, f: impl FnOnce(&mut dyn DatagramHandler)) {
        if !self.place.is_closing()
            && let Some(mut handler) = self.handler.take()
        {
            f(&mut *handler);
            self.handler.set(Some(handler));
        }
    }

    fn tell_error(&self, local: &LocalLoop, e: &io::Error, to: Option<SocketAddr>) {
        self.with_handler(|handler| {
            local
                .core()
                .call_user("datagram error", || handler.on_error(local, e, to));
        });
    }

    fn finish(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        let empty = self.with_state(|state| {
            state.finishing.get_or_insert_with(|| reason.clone());
            state.queue.is_empty()
        });
        if empty == Some(true) {
            self.close(local, reason);
        }
    }

    /// Runs `f` on all but the handler; `None`: it is closing or gone.
    fn with_state<R>(&self, f: impl FnOnce(&mut State) -> R) -> Option<R> {
        match self.place.is_closing() {
            true => None,
            false => self.state.borrow_mut().as_mut().map(f),
        }
    }

    fn step(&self, f: impl FnOnce(&mut State) -> Step) -> Step {
        self.with_state(f).unwrap_or(Step::Blocked)
    }

    fn receive_all(&self, local: &LocalLoop) {
        let core = local.core();
        let mut buffer = core.buffers.take_socket();
        let mut left = RECEIVES;
        loop {
            if left == 0 {
                core.mark_ready(&self.place);
                break;
            }
            left -= 1;
            match self.step(|state| state.receive(&mut buffer)) {
                Step::Received(n, from) => {
                    core.shared.counters.bytes_in.add(n as u64);
                    let data = &mut buffer[..n];
                    self.with_handler(|handler| {
                        core.call_user("datagram", || handler.on_datagram(local, data, from));
                    });
                }
                Step::Failed(e, to) => self.tell_error(local, &e, to),
                Step::Blocked | Step::Sent { .. } => break,
            }
        }
        core.buffers.give_socket(buffer);
    }

    /// Sends what waits, as far as the socket takes it.
    fn send_waiting(self: &Rc<Self>, local: &LocalLoop) {
        let core = local.core();
        for _ in 0..SENDS {
            match self.step(State::send_waiting) {
                Step::Blocked | Step::Received(..) => return,
                Step::Failed(e, to) => {
                    self.tell_error(local, &e, to);
                    let empty = self.with_state(|state| state.queue.is_empty());
                    if empty != Some(false) {
                        break; // that was the last one
                    }
                }
                Step::Sent { all: false } => {}
                Step::Sent { all: true } => break,
            }
        }
        let left = self.with_state(|state| (state.queue.is_empty(), state.finishing.clone()));
        match left.unwrap_or_default() {
            (false, _) => core.mark_ready(&self.place),
            (true, Some(reason)) => self.clone().close(local, reason),
            (true, None) => {
                let bytes = self.with_state(|state| std::mem::take(&mut state.untold));
                let bytes = bytes.unwrap_or_default();
                self.with_handler(|handler| {
                    core.call_user("write complete", || handler.on_drained(local, bytes));
                });
            }
        }
    }
}

/// Refuses what no datagram to that address can hold.
pub(crate) fn check_size(size: usize, to: SocketAddr) -> Result<(), DatagramError> {
    let limit = match to.ip().to_canonical() {
        IpAddr::V4(_) => MAX_V4,
        IpAddr::V6(_) => MAX_V6,
    };
    match size <= limit {
        true => Ok(()),
        false => Err(DatagramError::TooLong { limit, size }),
    }
}

impl From<SendError> for DatagramError {
    fn from(e: SendError) -> Self {
        match e {
            SendError::NotOpen => Self::NotOpen,
            SendError::QueueFull {
                limit,
                queued,
                size,
            } => Self::QueueFull {
                limit,
                queued,
                size,
            },
            SendError::LoopClosed => Self::LoopClosed,
        }
    }
}
