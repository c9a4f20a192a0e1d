//! What the handles of a client and its half on the loop share.

use super::answer::Answer;
use super::callbacks::Callbacks;
use super::error::OpenError;
use super::options::ClientOptions;
use super::plan::Carried;
use crate::websocket::Owner;
use hvloop_event::conn::SendBudget;
use hvloop_event::log;
use hvloop_event::{
    AttachmentId, EventLoop, EventLoopThread, LocalLoop, LoopOptions, ReconnectPolicy, StartError,
};
use hvloop_event::{change, lock};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Where a client is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientState {
    /// Nothing is there; `open()` may be called.
    Closed,
    /// DNS, connect, TLS or the upgrade is under way.
    Connecting,
    /// Messages go both ways.
    Open,
    /// The close handshake is under way.
    Closing,
    /// Waiting to connect again.
    BackingOff,
}

impl ClientState {
    fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Connecting,
            2 => Self::Open,
            3 => Self::Closing,
            4 => Self::BackingOff,
            _ => Self::Closed,
        }
    }
}

/// See the module.
pub(super) struct ClientShared {
    state: AtomicU8,
    /// Counts accepted `open()`s, so that a close means those before it and none after it.
    opens: AtomicU64,
    /// The last of them that a close was asked for, on whatever thread: no attempt follows.
    closes: AtomicU64,
    /// Counts sessions, so that a message posted for one never goes out on the next.
    session: AtomicU64,
    /// The engine's place on its loop, or 0.
    engine: AtomicU64,
    handles: Handles,
    pub(super) budget: Arc<SendBudget>,
    /// Shared with the session that was opened with them.
    options: Mutex<ClientOptions>,
    staged: Mutex<Staged>,
    host: Mutex<Host>,
    pub(super) server: Mutex<Server>,
    /// See [`Carried`].
    pub(super) carried: Mutex<Option<Box<Carried>>>,
}

/// Callbacks that were set and not taken by the loop yet. Its lock also orders an `open()` and
/// the release after the last `on_close`, so that no session is left without its callbacks.
#[derive(Default)]
struct Staged {
    /// Apart: they are few and short-lived.
    callbacks: Option<Box<Callbacks>>,
    /// The callbacks were dropped after the last `on_close`, and none was set since.
    released: bool,
}

/// The handles of users.
#[derive(Default)]
struct Handles {
    number: AtomicUsize,
    /// The connection is the loop's: no drop of a handle closes it.
    detached: AtomicBool,
}

/// What is known of the server, from the last attempt.
#[derive(Default)]
pub(super) struct Server {
    pub(super) peer: Option<SocketAddr>,
    pub(super) answer: Option<Answer>,
}

/// The loop that the client is on.
enum Host {
    /// One of somebody else's.
    Attached(EventLoop),
    /// Its own.
    Owned(OwnLoop),
}

/// The loop that a client brings.
struct OwnLoop {
    /// Once opened.
    thread: Option<Arc<EventLoopThread>>,
    /// Apart: few clients bring one.
    options: Box<LoopOptions>,
}

impl ClientShared {
    pub(super) fn attached(event_loop: EventLoop, options: ClientOptions) -> Arc<Self> {
        Self::new(Host::Attached(event_loop), options)
    }

    pub(super) fn owned(options: ClientOptions, loop_options: LoopOptions) -> Arc<Self> {
        let own = OwnLoop {
            thread: None,
            options: Box::new(loop_options),
        };
        Self::new(Host::Owned(own), options)
    }

    fn new(host: Host, options: ClientOptions) -> Arc<Self> {
        let options = options.shared();
        Arc::new(Self {
            state: AtomicU8::new(ClientState::Closed as u8),
            opens: AtomicU64::new(0),
            closes: AtomicU64::new(0),
            session: AtomicU64::new(0),
            engine: AtomicU64::new(0),
            handles: Handles::default(),
            budget: Arc::new(SendBudget::new(options.all.transport.send_limit)),
            options: Mutex::new(options),
            staged: Mutex::default(),
            host: Mutex::new(host),
            server: Mutex::default(),
            carried: Mutex::new(None),
        })
    }

    pub(super) fn state(&self) -> ClientState {
        ClientState::from_u8(self.state.load(Ordering::Acquire))
    }

    pub(super) fn set_state(&self, state: ClientState) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// Closed to Connecting, for one of the threads that call `open()`; the number of this `open()`.
    pub(super) fn begin_open(&self) -> Result<u64, OpenError> {
        // Nobody could close it any more, other than by the loop's stop.
        let Handles { number, detached } = &self.handles;
        if number.load(Ordering::Acquire) == 0 && !detached.load(Ordering::Acquire) {
            return Err(OpenError::Dropped);
        }
        let staged = lock(&self.staged);
        if staged.released {
            return Err(OpenError::CallbacksReleased);
        }
        self.state
            .compare_exchange(
                ClientState::Closed as u8,
                ClientState::Connecting as u8,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .map_err(|_| OpenError::AlreadyOpen)?;
        Ok(self.opens.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Notes that a close was asked for; the number of the last `open()`, which it is for.
    pub(super) fn ask_close(&self) -> u64 {
        let number = self.opens.load(Ordering::Acquire);
        self.closes.fetch_max(number, Ordering::AcqRel);
        number
    }

    /// Whether a close was asked for of the `open()` of that number.
    pub(super) fn is_close_asked(&self, number: u64) -> bool {
        self.closes.load(Ordering::Acquire) >= number
    }

    pub(super) fn session(&self) -> u64 {
        self.session.load(Ordering::Acquire)
    }

    /// The next session's number; the loop's thread.
    pub(super) fn next_session(&self) -> u64 {
        self.session.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(super) fn engine(&self, local: &LocalLoop) -> Option<AttachmentId> {
        match self.engine.load(Ordering::Acquire) {
            0 => None,
            bits => Some(local.attachment_id(bits - 1)),
        }
    }

    pub(super) fn set_engine(&self, id: Option<AttachmentId>) {
        let bits = id.map_or(0, |id| id.to_bits() + 1);
        self.engine.store(bits, Ordering::Release);
    }

    pub(super) fn options(&self) -> ClientOptions {
        lock(&self.options).clone()
    }

    /// Changes one of the options.
    pub(super) fn set_policy(&self, policy: Option<ReconnectPolicy>) {
        change(&self.options, |old| {
            let fresh = old.clone().reconnect(policy);
            std::mem::replace(old, fresh)
        });
    }

    pub(super) fn set_options(&self, options: ClientOptions) {
        change(&self.options, |old| {
            std::mem::replace(old, options.shared())
        });
    }

    /// Keeps callbacks until the loop takes them.
    pub(super) fn stage(&self, callbacks: Callbacks) {
        change(&self.staged, |staged| {
            staged.released = false;
            staged.callbacks.get_or_insert_default().replace(callbacks)
        });
    }

    pub(super) fn take_staged(&self) -> Callbacks {
        let staged = lock(&self.staged).callbacks.take();
        staged.map_or_else(Callbacks::default, |callbacks| *callbacks)
    }

    /// After the last `on_close`: keeps the callbacks for an `open()` that was called meanwhile, or
    /// if `keep` foresees one, unless newer ones are set. What is to be dropped comes back.
    #[must_use]
    pub(super) fn release(&self, callbacks: Callbacks, keep: bool) -> Callbacks {
        let mut staged = lock(&self.staged);
        if keep || self.state() != ClientState::Closed {
            return match callbacks.is_empty() {
                true => callbacks,
                false => staged.callbacks.get_or_insert_default().fill(callbacks),
            };
        }
        // What another thread has set while `on_close` ran is for the next `open()`.
        staged.released |= staged.callbacks.is_none() && !callbacks.is_empty();
        callbacks
    }

    pub(super) fn add_handle(&self) {
        self.handles.number.fetch_add(1, Ordering::Relaxed);
    }

    /// `true`: that was the last one, and nobody detached the client.
    pub(super) fn remove_handle(&self) -> bool {
        let Handles { number, detached } = &self.handles;
        number.fetch_sub(1, Ordering::AcqRel) == 1 && !detached.load(Ordering::Acquire)
    }

    pub(super) fn detach(&self) {
        self.handles.detached.store(true, Ordering::Release);
    }

    pub(super) fn event_loop(&self) -> Option<EventLoop> {
        match &*lock(&self.host) {
            Host::Attached(event_loop) => Some(event_loop.clone()),
            Host::Owned(own) => own.thread.as_ref().map(|t| t.event_loop().clone()),
        }
    }

    pub(super) fn own_thread(&self) -> Option<Arc<EventLoopThread>> {
        match &*lock(&self.host) {
            Host::Attached(_) => None,
            Host::Owned(own) => own.thread.clone(),
        }
    }

    pub(super) fn take_own_thread(&self) -> Option<Arc<EventLoopThread>> {
        match &mut *lock(&self.host) {
            Host::Attached(_) => None,
            Host::Owned(own) => own.thread.take(),
        }
    }

    /// The loop for a new session; an owning client whose loop is stopping gets a new one.
    pub(super) fn loop_for_open(&self) -> Result<EventLoop, OpenError> {
        let mut host = lock(&self.host);
        let own = match &mut *host {
            Host::Attached(event_loop) if event_loop.is_stopping() => {
                return Err(OpenError::LoopClosed);
            }
            Host::Attached(event_loop) => return Ok(event_loop.clone()),
            Host::Owned(own) => own,
        };
        if let Some(event_loop) = own.thread.as_ref().map(|thread| thread.event_loop()) {
            if !event_loop.is_stopping() {
                return Ok(event_loop.clone());
            }
            // In a callback of the loop that the client stopped, which still has its callbacks.
            if event_loop.is_in_loop_thread() {
                return Err(OpenError::LoopClosed);
            }
        }
        let event_loop = EventLoop::with_options((*own.options).clone())?;
        let thread = EventLoopThread::with_loop(event_loop.clone());
        thread.start().map_err(|e| match e {
            StartError::Spawn(e) => OpenError::Thread(e),
            e => OpenError::Thread(io::Error::other(e)),
        })?;
        let old = own.thread.replace(Arc::new(thread));
        drop(host);
        // Its last on_close may still be running; the callbacks come back after it. No lock is held.
        if let Some(old) = old
            && let Err(e) = old.join()
        {
            log::debug!("hvloop: the loop before: {e}");
        }
        Ok(event_loop)
    }
}

impl Owner for ClientShared {
    fn closing(&self) {
        self.set_state(ClientState::Closing);
    }
}
