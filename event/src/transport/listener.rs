//! Accepting connections.

use super::detached::{Parts, Transport};
use super::out_queue::OutQueue;
use crate::conn::Listen;
use crate::core::LocalLoop;
use crate::core::LoopCore;
use crate::core::entity::{Entity, Place, Role};
use crate::core::timers::TimerId;
use crate::error::CloseReason;
use crate::log;
use crate::sys::{AcceptError, Address, Key, Listener, Readiness, ShortAddress, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
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
pub(crate) struct Accepting {
    place: Place,
    /// `None` once it is closed.
    listener: RefCell<Option<Listener>>,
    readable: Cell<bool>,
    /// Taken out for each call, and put back (I4).
    acceptor: Cell<Option<Box<dyn Acceptor>>>,
    listen: Arc<Listen>,
    /// This side's address of all connections; `None`: it is each one's own.
    only_address: Option<ShortAddress>,
    /// This side's address of the last connection, if each has its own.
    local_address: Cell<Option<Arc<Address>>>,
    /// Waits for descriptors; nothing is accepted meanwhile.
    waiting: Cell<Option<TimerId>>,
    back_off: Cell<Duration>,
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

/// Puts an open listener on the loop; its key.
pub(crate) fn listen(
    local: &LocalLoop,
    listener: Listener,
    listen: Arc<Listen>,
    acceptor: Box<dyn Acceptor>,
) -> Result<Key, (io::Error, Box<dyn Acceptor>)> {
    let core = local.core();
    if !core.registry.admit(Role::Source) {
        return Err((io::ErrorKind::NotConnected.into(), acceptor));
    }
    let only_address = listener.only_local().map(Into::into);
    let accepting = core.registry.put(Role::Source, |place| Accepting {
        place,
        only_address,
        listener: RefCell::new(Some(listener)),
        readable: Cell::new(false),
        acceptor: Cell::new(Some(acceptor)),
        listen,
        local_address: Cell::new(None),
        waiting: Cell::new(None),
        back_off: Cell::new(BACK_OFF.0),
    });
    let key = accepting.place.key();
    let registered = core
        .poller
        .with(|poller| match &mut *accepting.listener.borrow_mut() {
            Some(listener) => listener.register(poller, key),
            None => Ok(()),
        });
    match (registered, accepting.acceptor.take()) {
        (Err(e), Some(acceptor)) => {
            core.registry.withdraw(&accepting.place);
            Err((e, acceptor))
        }
        (_, acceptor) => {
            accepting.acceptor.set(acceptor);
            Ok(key)
        }
    }
}

impl Entity for Accepting {
    fn place(&self) -> &Place {
        &self.place
    }

    fn note(&self, event: &Readiness) {
        if event.readable || event.hangup {
            self.readable.set(true);
        }
    }

    fn ready(self: Rc<Self>, local: &LocalLoop) {
        if self.waiting.get().is_some() || !self.readable.get() {
            return;
        }
        for _ in 0..ACCEPTS {
            match self.accept() {
                Accepted::One(stream, peer) => self.hand_on(local, stream, peer),
                Accepted::Blocked => return,
                Accepted::Gone => {}
                Accepted::Failed(e, turned) => return self.wait(local.core(), &e, turned),
            }
        }
        local.core().mark_ready(&self.place);
    }

    fn timer(self: Rc<Self>, local: &LocalLoop, _which: u8) {
        self.waiting.set(None);
        self.ready(local);
    }

    fn stop(self: Rc<Self>, local: &LocalLoop) {
        self.close(local, CloseReason::Stopped);
    }

    fn end(self: Rc<Self>, local: &LocalLoop, reason: CloseReason) {
        let core = local.core();
        let listener = self.listener.borrow_mut().take();
        if let Some(mut listener) = listener {
            core.poller.take_off(|poller| listener.deregister(poller));
        }
        if let Some(timer) = self.waiting.take() {
            core.kill_timer(timer);
        }
        if let Some(acceptor) = self.acceptor.take() {
            core.call_user("listener close", || acceptor.on_close(local, reason));
        }
    }

    fn describe(&self) -> String {
        format!("listener at {}", self.listen.address)
    }

    fn is_unborrowed(&self) -> bool {
        self.listener.try_borrow_mut().is_ok()
    }

    #[cfg(hvloop_sim)]
    fn check(&self) -> Result<(), String> {
        let place = &self.place;
        let looks = place.is_closing() || place.is_ready() || self.waiting.get().is_some();
        match self.readable.get() && !looks {
            true => Err("connections were left unaccepted".to_owned()),
            false => Ok(()),
        }
    }
}

impl Accepting {
    fn accept(&self) -> Accepted {
        let mut listener = self.listener.borrow_mut();
        let Some(listener) = listener.as_mut().filter(|_| !self.place.is_closing()) else {
            return Accepted::Blocked;
        };
        match listener.accept() {
            Ok((stream, peer)) => Accepted::One(stream, peer),
            Err(e) => match AcceptError::of(&e) {
                AcceptError::Blocked => {
                    self.readable.set(false);
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
    }

    fn hand_on(&self, local: &LocalLoop, stream: Stream, peer: Address) {
        let core = local.core();
        self.back_off.set(BACK_OFF.0);
        core.shared.counters.accepted.add(1);
        let local_address = self.local_address(&stream);
        let transport = Transport::accepted(stream, peer, local_address, &self.listen);
        if let Some(mut acceptor) = self.acceptor.take() {
            core.call_user("accept", || acceptor.on_accept(local, transport));
            self.acceptor.set(Some(acceptor));
        }
    }

    /// This side's address, which most connections of a listener have in common.
    fn local_address(&self, stream: &Stream) -> Option<ShortAddress> {
        if self.only_address.is_some() {
            return self.only_address.clone();
        }
        let address = match stream.local().ok()?.into() {
            ShortAddress::Other(address) => address,
            short => return Some(short),
        };
        let last = self.local_address.take();
        let shared = last.filter(|last| *last == address).unwrap_or(address);
        self.local_address.set(Some(shared.clone()));
        Some(ShortAddress::Other(shared))
    }

    /// Accepts again after a while: the readiness stays noted, and looking at once would spin.
    fn wait(&self, core: &LoopCore, e: &io::Error, turned: usize) {
        let back_off = self.back_off.get();
        if back_off == BACK_OFF.0 {
            let address = &self.listen.address;
            match e.kind() {
                // Shut down by who has it, too: it is about to be closed.
                io::ErrorKind::InvalidInput => {
                    log::debug!("hvloop: the listener at {address} was shut down: {e}");
                }
                _ => log::error!("hvloop: cannot accept at {address}, {turned} turned away: {e}"),
            }
        }
        core.shared.counters.accept_errors.add(1);
        self.waiting.set(core.arm_for(&self.place, back_off, 0));
        let longest = BACK_OFF.1;
        self.back_off.set((back_off * 2).min(longest));
    }
}

impl Transport {
    fn accepted(
        stream: Stream,
        peer: Address,
        local: Option<ShortAddress>,
        listen: &Listen,
    ) -> Self {
        let settings = listen.settings.for_another();
        stream.set_up(&settings.socket);
        let parts = Box::new(Parts {
            local,
            stream: Some(stream),
            peer: Some(peer),
            moved: false,
            read_closed: false,
            settings,
            account: None,
            out: OutQueue::default(),
            #[cfg(feature = "tls")]
            begin_tls: listen.tls.clone(),
            #[cfg(feature = "tls")]
            tls: None,
        });
        Self { parts }
    }
}
