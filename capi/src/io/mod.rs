//! Everything with a descriptor is one kind of handle for C: streams, datagram sockets, WebSockets, descriptors of
//! the user's.
//!
//! | module | holds |
//! |---|---|
//! | `common` | what all kinds have |
//! | `stream`, `datagram`, `websocket`, `foreign` | one kind each, and what it alone has |
//! | `callbacks` | what is called of a stream, and how its handle is found then |
//! | `open` | the handles of the connections of one client or server |
//! | `unpack` | how a stream is cut into packages |
//! | `end` | why a connection has ended |

pub mod callbacks;
pub mod common;
pub mod datagram;
pub(crate) mod end;
pub mod foreign;
pub(crate) mod open;
pub mod stream;
pub mod unpack;
pub(crate) mod websocket;

use self::callbacks::IoCallbacks;
use self::datagram::Datagram;
use self::foreign::Foreign;
use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::callback::Data;
use crate::ffi::gate::Gate;
use crate::ffi::handle::{self, Object, Opaque};
use hvloop::{Address, Channel, ChannelId, ClientConnection, EventLoop, WebSocketChannel};
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Anything with a descriptor: a connection, a datagram socket, a WebSocket, a descriptor of the user's. There is
/// one handle for each, which all of its callbacks are given. Counted: `hvloop_io_retain` and
/// `hvloop_io_release`. Each function may be called on any thread, unless it says otherwise. When the connection
/// has ended, its functions say so; they never reach another one.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_io {
    _private: (),
}

impl Opaque for hvloop_io {
    type Body = IoBody;
    const KIND: usize = 10;
}

/// What Rust has of a handle.
pub(crate) type Io = Object<hvloop_io>;

/// What is behind a `hvloop_io`.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_io_kind {
    /// A stream: TCP, TLS, Unix.
    Stream = 1,
    /// A UDP socket.
    Datagram = 2,
    /// A WebSocket, of either side.
    Websocket = 3,
    /// A descriptor of the user's.
    Foreign = 4,
}

/// See [`hvloop_io`].
pub(crate) struct IoBody {
    what: What,
    id: u64,
    fd: c_int,
    /// How it ended, as a number of the system's; 0: in order, or not yet.
    error: AtomicI32,
    binding: Mutex<Option<Arc<Data>>>,
    /// Callbacks for this connection alone.
    own: Mutex<Option<Arc<IoCallbacks>>>,
    /// There are some in `own`.
    has_own: AtomicBool,
    /// C has closed it.
    closing: AtomicBool,
    /// That of the client or server whose connection it is.
    gate: Option<Arc<Gate>>,
}

/// What it is.
pub(crate) enum What {
    Stream(Channel),
    Datagram(Datagram),
    WebSocket(WebSocketChannel),
    /// The open connection of a client.
    WebSocketClient(ClientConnection),
    Foreign(Foreign),
}

/// What all kinds have.
pub(crate) trait Connection: Send + Sync {
    fn kind(&self) -> hvloop_io_kind;
    /// Where it is; `None`: nowhere any more.
    fn event_loop(&self) -> Option<EventLoop>;
    fn is_open(&self) -> bool;
    fn peer(&self) -> Option<Address>;
    fn local(&self) -> Option<Address>;
    /// Bytes that wait to be sent.
    fn buffered(&self) -> usize;
    /// Ends it in order.
    fn close(&self);
    /// Ends it at the end of this turn.
    fn close_now(&self);
    fn pause_reading(&self) -> Outcome {
        Err(unsupported())
    }
    fn resume_reading(&self) -> Outcome {
        Err(unsupported())
    }
}

impl What {
    pub(crate) fn connection(&self) -> &dyn Connection {
        match self {
            Self::Stream(channel) => channel,
            Self::Datagram(datagram) => datagram,
            Self::WebSocket(channel) => channel,
            Self::WebSocketClient(connection) => connection,
            Self::Foreign(foreign) => foreign,
        }
    }
}

/// It is of a kind that does not have this.
pub(crate) fn unsupported() -> Failure {
    let text = "a hvloop_io of this kind does not do this";
    Failure::new(hvloop_error::Unsupported, text)
}

/// Finds the handle of a connection, as its binding in Rust.
struct Slot(Weak<Io>);

impl IoBody {
    /// A handle that nobody has yet; `id` is 0: one of its own. The gate is that of the client or server whose
    /// connection it is.
    pub(crate) fn create(
        what: What,
        id: u64,
        fd: Option<c_int>,
        gate: Option<&Arc<Gate>>,
    ) -> Arc<Io> {
        Object::new(Self {
            what,
            id: match id {
                0 => ChannelId::next().raw(),
                id => id,
            },
            fd: fd.unwrap_or(-1),
            error: AtomicI32::new(0),
            binding: Mutex::default(),
            own: Mutex::default(),
            has_own: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            gate: gate.cloned(),
        })
    }

    /// That of a stream that has come up, which is found by it from now on.
    pub(crate) fn of_new_stream(channel: &Channel, gate: &Arc<Gate>) -> Arc<Io> {
        let what = What::Stream(channel.clone());
        let io = Self::create(what, channel.id().raw(), channel.fd(), Some(gate));
        channel.set_binding(Slot(Arc::downgrade(&io)));
        io
    }

    /// That of a server's WebSocket that has come up, which is found by it from now on.
    pub(crate) fn of_new_websocket(channel: &WebSocketChannel, gate: &Arc<Gate>) -> Arc<Io> {
        let what = What::WebSocket(channel.clone());
        let io = Self::create(what, channel.id().raw(), channel.fd(), Some(gate));
        channel.set_binding(Slot(Arc::downgrade(&io)));
        io
    }

    /// The one that a stream was given.
    pub(crate) fn of_stream(channel: &Channel) -> Option<Arc<Io>> {
        channel.binding::<Slot>()?.0.upgrade()
    }

    /// The one that a WebSocket was given.
    pub(crate) fn of_websocket(channel: &WebSocketChannel) -> Option<Arc<Io>> {
        channel.binding::<Slot>()?.0.upgrade()
    }

    pub(crate) fn what(&self) -> &What {
        &self.what
    }

    /// The number that `hvloop_io_id` tells.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn stream(&self) -> Outcome<&Channel> {
        match &self.what {
            What::Stream(channel) => Ok(channel),
            _ => Err(unsupported()),
        }
    }

    pub(crate) fn datagram(&self) -> Outcome<&Datagram> {
        match &self.what {
            What::Datagram(datagram) => Ok(datagram),
            _ => Err(unsupported()),
        }
    }

    /// Calls C, unless whose connection it is was freed.
    pub(crate) fn enter<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        match &self.gate {
            Some(gate) => gate.enter(call),
            None => Some(call()),
        }
    }

    /// Callbacks for this connection alone.
    fn own(&self) -> Option<Arc<IoCallbacks>> {
        match self.has_own.load(Ordering::Acquire) {
            true => lock(&self.own).clone(),
            false => None,
        }
    }

    /// Sets callbacks for this connection alone, or none; what was there comes back.
    pub(crate) fn set_own(&self, own: Option<Arc<IoCallbacks>>) -> Option<Arc<IoCallbacks>> {
        let mut place = lock(&self.own);
        self.has_own.store(own.is_some(), Ordering::Release);
        std::mem::replace(&mut *place, own)
    }

    /// C has closed it, and it may not have ended yet.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Says why it ended, before `on_close`.
    pub(crate) fn failed(&self, error: c_int) {
        self.error.store(error, Ordering::Relaxed);
    }

    /// Its last callback is over: gives up what C has kept with it, which may keep this handle itself.
    pub(crate) fn ended(&self) {
        let binding = lock(&self.binding).take();
        let own = self.set_own(None);
        // With nothing locked.
        drop((binding, own));
    }
}

/// The handle behind a pointer.
///
/// # Safety
///
/// As [`handle::get`].
pub(crate) unsafe fn io<'a>(io: *const hvloop_io) -> Outcome<&'a IoBody> {
    // SAFETY: the caller's word.
    unsafe { handle::get(io) }.map(|object| &object.body)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
