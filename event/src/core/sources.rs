//! What is on the loop and is not a connection: listeners, datagram sockets, descriptors of the
//! user's.

use super::LoopCore;
use crate::error::{CloseReason, LoopClosed};
use crate::io::datagram::DatagramSocket;
use crate::local_loop::LocalLoop;
use crate::mutant::mutant;
use crate::sys::Key;
use crate::sys::{Interest, Listener, Poller};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// The half of a source that the system knows; borrowed for moments.
#[derive(Debug)]
pub(crate) enum SourceIo {
    Listener(Listener),
    Datagrams(DatagramSocket),
    /// The user's own; its handler has it.
    Foreign,
}

/// The half that calls the user; taken out for each call and put back (I4).
pub(crate) trait SourceHandler {
    /// Registers what the handler itself has.
    fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        let (_, _) = (poller, key);
        Ok(())
    }

    /// Takes that off the poller, before `on_close`.
    fn deregister(&mut self, poller: &Poller) {
        let _ = poller;
    }

    /// Does what readiness allows, within the budget of a turn.
    fn on_ready(&mut self, local: &LocalLoop, key: Key);

    /// Something that was put off for the loop's own frame.
    fn on_call(&mut self, local: &LocalLoop, key: Key, call: SourceCall) {
        let (_, _, _) = (local, key, call);
    }

    /// A timer of [`LoopCore::arm_source_timer`].
    fn on_timer(&mut self, local: &LocalLoop, key: Key) {
        let _ = (local, key);
    }

    /// The loop is stopping.
    fn on_stop(&mut self, local: &LocalLoop, key: Key) {
        local.core().begin_close(key, CloseReason::Stopped);
    }

    /// The source is off the poller and closed.
    fn on_close(self: Box<Self>, local: &LocalLoop, reason: CloseReason);
}

/// See [`SourceHandler::on_call`].
pub(crate) enum SourceCall {
    /// It is on the loop.
    Opened,
    /// A send or a setting that another thread, or a call without a result, asked for failed.
    Failed(Arc<io::Error>, Option<SocketAddr>),
    /// Looks for something else from now on.
    Interest(Interest),
}

/// A source's place on the loop.
pub(crate) struct SourceSlot {
    /// `None` once it is closed.
    pub(crate) io: Option<SourceIo>,
    pub(crate) handler: Option<Box<dyn SourceHandler>>,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// It ends in step 10.
    pub(crate) closed: bool,
    pub(crate) in_ready: bool,
    /// A listener that waits for descriptors.
    pub(crate) waiting: bool,
    /// Goes on while the loop drains, and does not keep it alive.
    pub(crate) background: bool,
    /// What the report calls it.
    name: String,
}

/// Why a source is not on the loop. The handler comes back.
pub(crate) enum AddError<H> {
    Closed(LoopClosed<H>),
    Io(io::Error, H),
}

impl<H> AddError<H> {
    /// The same error with something else to give back.
    pub(crate) fn map<T>(self, f: impl FnOnce(H) -> T) -> AddError<T> {
        match self {
            Self::Closed(LoopClosed(handler)) => AddError::Closed(LoopClosed(f(handler))),
            Self::Io(e, handler) => AddError::Io(e, f(handler)),
        }
    }
}

impl SourceIo {
    fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        match self {
            Self::Listener(listener) => listener.register(poller, key),
            Self::Datagrams(socket) => socket.register(poller, key),
            Self::Foreign => Ok(()),
        }
    }

    fn deregister(&mut self, poller: &Poller) {
        match self {
            Self::Listener(listener) => listener.deregister(poller),
            Self::Datagrams(socket) => socket.deregister(poller),
            Self::Foreign => {}
        }
    }
}

impl SourceSlot {
    pub(crate) fn describe(&self) -> &str {
        &self.name
    }
}

impl LoopCore {
    /// Puts a source on the loop, which from now on it holds (I8).
    pub(crate) fn add_source<H: SourceHandler + 'static>(
        &self,
        name: String,
        io: SourceIo,
        handler: H,
    ) -> Result<Key, AddError<H>> {
        if self.is_stopping() || !self.shared.gate.acquire() {
            return Err(AddError::Closed(LoopClosed(handler)));
        }
        let added = self.insert_source(name, io, handler, false);
        if added.is_err() {
            self.shared.release();
        }
        added
    }

    /// Puts a source on the loop that goes on while it drains, and does not keep it alive.
    pub(crate) fn add_background_source<H: SourceHandler + 'static>(
        &self,
        name: String,
        handler: H,
    ) -> Result<Key, AddError<H>> {
        if self.has_closed() {
            return Err(AddError::Closed(LoopClosed(handler)));
        }
        self.insert_source(name, SourceIo::Foreign, handler, true)
    }

    fn insert_source<H: SourceHandler + 'static>(
        &self,
        name: String,
        mut io: SourceIo,
        mut handler: H,
        background: bool,
    ) -> Result<Key, AddError<H>> {
        let key = self.sources.borrow_mut().insert(SourceSlot {
            io: None,
            handler: None,
            readable: false,
            writable: false,
            closed: false,
            in_ready: false,
            waiting: false,
            background,
            name,
        });
        // The handler's half may be the user's, and panic.
        let registered = self.call_with_poller("source register", |poller| {
            io.register(poller, key)?;
            handler.register(poller, key)
        });
        let registered = registered.unwrap_or_else(|| {
            let text = "the loop has closed, or the source panicked";
            Err(io::Error::other(text))
        });
        if let Err(e) = registered {
            let slot = self.sources.borrow_mut().remove(key);
            drop(slot);
            return Err(AddError::Io(e, handler));
        }
        if let Some(slot) = self.sources.borrow_mut().get_mut(key) {
            slot.io = Some(io);
            slot.handler = Some(Box::new(handler));
        }
        Ok(key)
    }

    /// Runs `f` on the system's half; `None`: it is closing or gone.
    pub(crate) fn with_source<R>(
        &self,
        key: Key,
        f: impl FnOnce(&mut SourceSlot) -> R,
    ) -> Option<R> {
        let mut sources = self.sources.borrow_mut();
        sources.get_mut(key).filter(|slot| !slot.closed).map(f)
    }

    /// Calls the handler with no borrow held, if the source is not closing and its call is not on
    /// the stack.
    pub(crate) fn call_source(
        &self,
        local: &LocalLoop,
        key: Key,
        f: impl FnOnce(&mut dyn SourceHandler, &LocalLoop),
    ) {
        let taken = self.with_source(key, |slot| slot.handler.take()).flatten();
        let Some(mut handler) = taken else { return };
        f(&mut *handler, local);
        // Slots are freed only in step 10, so that it is still there.
        if let Some(slot) = self.sources.borrow_mut().get_mut(key) {
            slot.handler = Some(handler);
        }
    }

    /// Steps 5 and 6 for a source.
    pub(crate) fn dispatch_source(&self, local: &LocalLoop, key: Key) {
        self.call_source(local, key, |handler, local| handler.on_ready(local, key));
    }

    /// Tells the handler from the loop's own frame, in step 8.
    pub(crate) fn defer_source_call(&self, key: Key, call: SourceCall) {
        let f = move |local: &LocalLoop| {
            let core = local.core();
            core.call_source(local, key, |handler, local| {
                handler.on_call(local, key, call)
            });
        };
        self.defer(super::Deferred::Call(Box::new(f)));
    }

    /// The loop is stopping.
    pub(super) fn stop_source(&self, local: &LocalLoop, key: Key) {
        let kept = self.with_source(key, |slot| slot.background) == Some(true);
        if kept || mutant!("sources_kept_at_stop") {
            return;
        }
        self.call_source(local, key, |handler, local| handler.on_stop(local, key));
    }

    /// Step 10 for a source: off the poller, closed, told, freed, released.
    pub(super) fn end_source(&self, local: &LocalLoop, key: Key, reason: CloseReason) {
        let (mut io, mut handler) = match self.sources.borrow_mut().get_mut(key) {
            Some(slot) => (slot.io.take(), slot.handler.take()),
            None => return,
        };
        self.call_with_poller("source deregister", |poller| {
            if let Some(io) = &mut io {
                io.deregister(poller);
            }
            if let Some(handler) = &mut handler {
                handler.deregister(poller);
            }
        });
        drop(io);
        if let Some(handler) = handler {
            handler.on_close(local, reason);
        }
        let slot = self.sources.borrow_mut().remove(key);
        if slot.is_some_and(|slot| !slot.background) {
            self.shared.release();
        }
    }

    /// Calls [`SourceHandler::on_timer`] later.
    pub(crate) fn arm_source_timer(
        &self,
        key: Key,
        after: std::time::Duration,
    ) -> Option<super::timers::TimerId> {
        let id = self.shared.next_timer_id();
        let deadline = crate::sys::clock::now().checked_add(after);
        let action = super::TimerAction::Source(key);
        self.arm(id, deadline, None, Some(1), action);
        Some(id)
    }
}
