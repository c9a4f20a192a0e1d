//! Accepting connections, and taking them on.

use super::conn::{ConnSlot, ConnTimer};
use super::connect::set_up;
use super::out_queue::OutQueue;
use super::transport::{Parts, Transport};
use crate::conn::{AdoptError, Handler, Listen};
use crate::core::sources::{AddError, SourceHandler, SourceIo};
use crate::core::timers::TimerId;
use crate::core::{Deferred, LoopCore};
use crate::error::{CloseReason, LoopClosed};
use crate::local_loop::LocalLoop;
use crate::log;
use crate::mutant::mutant;
use crate::sync::Phase;
use crate::sys::{AcceptError, Address, Key, Listener, Stream, clock};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Connections that a listener takes in one tick.
const ACCEPTS: usize = 16;
/// How long to wait for descriptors, the first time and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a listener tells the layer above it, from the loop's own frame, on its thread. See
/// [`LocalLoop::listen`].
pub trait Acceptor {
    /// A connection was accepted: [adopt](LocalLoop::adopt) it on this loop or on another one.
    /// Dropping the transport turns it away.
    fn on_accept(&mut self, local: &LocalLoop, transport: Transport);

    /// The listener is closed, and its address can be bound again.
    fn on_close(self: Box<Self>, local: &LocalLoop, reason: CloseReason);
}

/// A listener on the loop.
struct Accepting {
    acceptor: Box<dyn Acceptor>,
    listen: Arc<Listen>,
    /// Waits for descriptors; nothing is accepted meanwhile.
    waiting: Option<TimerId>,
    back_off: Duration,
}

/// One accept.
enum Accepted {
    One(Stream, Address),
    /// None waits.
    Blocked,
    /// It ended before it was accepted.
    Gone,
    /// The system cannot now; so many were turned away.
    Failed(io::Error, usize),
}

impl LoopCore {
    /// Puts an open listener on the loop.
    pub(crate) fn listen(
        &self,
        listener: Listener,
        listen: Arc<Listen>,
        acceptor: Box<dyn Acceptor>,
    ) -> Result<Key, AddError<Box<dyn Acceptor>>> {
        let name = format!("listener at {}", listen.address);
        let handler = Accepting {
            acceptor,
            listen,
            waiting: None,
            back_off: BACK_OFF.0,
        };
        let added = self.add_source(name, SourceIo::Listener(listener), handler);
        added.map_err(|e| e.map(|handler| handler.acceptor))
    }

    fn accept(&self, key: Key) -> Accepted {
        let accepted = self.with_source(key, |slot| {
            let Some(SourceIo::Listener(listener)) = &mut slot.io else {
                return Accepted::Blocked;
            };
            match listener.accept() {
                Ok((stream, peer)) => Accepted::One(stream, peer),
                Err(e) => match AcceptError::of(&e) {
                    AcceptError::Blocked => {
                        slot.readable = false;
                        Accepted::Blocked
                    }
                    AcceptError::Gone => Accepted::Gone,
                    AcceptError::Exhausted => {
                        let mut turned = 0;
                        while turned < ACCEPTS && listener.turn_away() {
                            turned += 1;
                        }
                        Accepted::Failed(e, turned)
                    }
                    AcceptError::Other => Accepted::Failed(e, 0),
                },
            }
        });
        accepted.unwrap_or(Accepted::Blocked)
    }
}

impl SourceHandler for Accepting {
    fn on_ready(&mut self, local: &LocalLoop, key: Key) {
        let core = local.core();
        let readable = core.with_source(key, |slot| slot.readable);
        if self.waiting.is_some() || readable != Some(true) {
            return;
        }
        let accepts = match mutant!("accepts_without_budget") {
            true => usize::MAX,
            false => ACCEPTS,
        };
        for _ in 0..accepts {
            match core.accept(key) {
                Accepted::One(stream, peer) => {
                    if !mutant!("accept_back_off_never_shrinks") {
                        self.back_off = BACK_OFF.0;
                    }
                    core.shared.counters.accepted.add(1);
                    let transport = Transport::accepted(stream, peer, &self.listen);
                    core.call_user("accept", || self.acceptor.on_accept(local, transport));
                }
                Accepted::Blocked => return,
                Accepted::Gone => {}
                Accepted::Failed(e, turned) => return self.wait(core, key, &e, turned),
            }
        }
        if !mutant!("accepts_after_budget_forgotten") {
            core.mark_ready(key);
        }
    }

    fn on_timer(&mut self, local: &LocalLoop, key: Key) {
        self.waiting = None;
        local.core().with_source(key, |slot| slot.waiting = false);
        if !mutant!("accept_back_off_for_ever") {
            self.on_ready(local, key);
        }
    }

    fn on_close(self: Box<Self>, local: &LocalLoop, reason: CloseReason) {
        if let Some(timer) = self.waiting {
            local.core().kill_timer(timer);
        }
        let acceptor = self.acceptor;
        local
            .core()
            .call_user("listener close", || acceptor.on_close(local, reason));
    }
}

impl Accepting {
    /// Accepts again after a while: the readiness stays noted, and looking at once would spin.
    fn wait(&mut self, core: &LoopCore, key: Key, e: &io::Error, turned: usize) {
        if self.back_off == BACK_OFF.0 {
            let address = &self.listen.address;
            log::error!("hvloop: cannot accept at {address}, {turned} turned away: {e}");
        }
        core.shared.counters.accept_errors.add(1);
        self.waiting = core.arm_source_timer(key, self.back_off);
        core.with_source(key, |slot| slot.waiting = true);
        let longest = match mutant!("accept_back_off_without_end") {
            true => BACK_OFF.1 * 100,
            false => BACK_OFF.1,
        };
        self.back_off = (self.back_off * 2).min(longest);
    }
}

impl Transport {
    fn accepted(stream: Stream, peer: Address, listen: &Listen) -> Self {
        let settings = listen.settings.for_another();
        set_up(&stream, &settings);
        let parts = Box::new(Parts {
            local: stream.local().ok(),
            stream: Some(stream),
            peer: Some(peer),
            moved: false,
            read_closed: false,
            settings,
            out: OutQueue::default(),
            #[cfg(feature = "tls")]
            begin_tls: listen.tls.clone(),
            #[cfg(feature = "tls")]
            tls: None,
        });
        Self { parts }
    }
}

impl LoopCore {
    /// See [`LocalLoop::adopt`].
    pub(crate) fn adopt(
        &self,
        transport: Transport,
        handler: Box<dyn Handler>,
    ) -> Result<Key, AdoptError> {
        // One that was open on another loop has to finish, and can do so here.
        let moved = transport.parts.moved;
        let refused = self.is_stopping() && !moved;
        if refused || !self.shared.gate.acquire() {
            return Err(LoopClosed((transport, handler)));
        }
        #[cfg(feature = "tls")]
        let begin_tls = transport.parts.begin_tls.clone();
        let mut slot = ConnSlot::adopted(transport, handler, clock::now());
        slot.queues().for_each(|queue| queue.arrive(&self.buffers));
        self.memory.charge(&mut slot);
        let deadline = slot.settings.deadline;
        let unsent = slot.wants_write();
        let key = self.slots.borrow_mut().insert(slot);
        self.count_connections();
        let registered = self.with_poller(|poller| {
            let mut slots = self.slots.borrow_mut();
            match slots.get_mut(key).and_then(|slot| slot.stream.as_mut()) {
                Some(stream) => stream.register(poller, key),
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        });
        if let Err(e) = registered {
            self.begin_close(key, CloseReason::Io(Arc::new(e)));
            return Ok(key);
        }
        // One that was open before has its time from when it comes up.
        if !moved {
            self.arm_open(key, deadline);
        }
        if unsent {
            self.mark_dirty(key);
        }
        #[cfg(feature = "tls")]
        if let Some(config) = begin_tls {
            self.accept_tls(key, &config);
            return Ok(key);
        }
        // Not here: no API call runs user code.
        self.defer(Deferred::Up(key));
        Ok(key)
    }

    pub(super) fn arm_open(&self, key: Key, deadline: Duration) {
        let timer = self.arm_conn_timer(None, deadline, key, ConnTimer::Open);
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.open_timer = timer;
        }
    }

    /// An adopted connection comes up.
    pub(crate) fn adopted_up(&self, local: &LocalLoop, key: Key) {
        let (up, untimed) = match self.slots.borrow_mut().get_mut(key) {
            // While there are racers it is no adopted one.
            Some(slot) if slot.connecting.is_none() => {
                let untimed = slot.open_timer.is_none().then_some(slot.settings.deadline);
                (slot.life.connected(false), untimed)
            }
            _ => (false, None),
        };
        if let Some(deadline) = untimed.filter(|_| up) {
            self.arm_open(key, deadline);
        }
        if up {
            self.read_what_came_early(key);
            self.is_up(local, key);
        }
        // It came when the others had been told already.
        if up && self.shared.gate.phase() == Phase::Draining {
            self.with_handler(local, key, |handler, conn| handler.on_stop(conn));
        }
    }

    /// Whether a connection is one that another loop could take.
    pub(crate) fn may_leave(&self, key: Key) -> bool {
        let slots = self.slots.borrow();
        let slot = slots.get(key).filter(|slot| slot.life.is_up());
        !self.is_stopping() && slot.is_some_and(|slot| slot.was_open && !slot.half_closed)
    }

    /// Step 8: a connection leaves, if it still may.
    pub(crate) fn leave(&self, key: Key) {
        if self.may_leave(key) {
            if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                slot.leaving = true;
            }
            self.begin_close(key, CloseReason::Local);
        }
    }

    /// The socket of a connection that leaves this loop, off the poller, with all that is not sent.
    pub(super) fn leaving(&self, key: Key) -> Option<Transport> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).filter(|slot| slot.leaving)?;
        let mut stream = slot.stream.take()?;
        let off = self.with_poller(|poller| {
            stream.deregister(poller);
            Ok(())
        });
        if let Err(e) = off {
            log::debug!("hvloop: a connection outlived its poller: {e}");
        }
        slot.queues().for_each(|queue| queue.leave(&self.buffers));
        let parts = Box::new(Parts {
            stream: Some(stream),
            peer: slot.peer.clone(),
            local: slot.local.clone(),
            moved: true,
            read_closed: slot.read_closed,
            settings: slot.settings.clone(),
            out: match mutant!("moved_queue_lost") {
                true => OutQueue::default(),
                false => std::mem::take(&mut slot.out),
            },
            #[cfg(feature = "tls")]
            begin_tls: None,
            #[cfg(feature = "tls")]
            tls: slot.tls.take(),
        });
        Some(Transport { parts })
    }
}
