//! The event-loop runtime of hvloop: libhv's `EventLoop` on mio, with a shutdown that finishes.
//!
//! One thread runs an [`EventLoop`]; callbacks run on that thread, never nested; other threads hand
//! work over with [`EventLoop::run_in_loop`] and [`EventLoop::queue_in_loop`]. Everything that owns
//! a socket holds a counted reference on its loop: [`EventLoop::stop`] makes every connection
//! finish, and only when the count is zero, or a deadline has forced the rest, does
//! [`EventLoop::run`] return, with a [`ShutdownReport`].
//!
//! ```
//! use hvloop_event::{EventLoop, EventLoopThread};
//! use std::time::Duration;
//!
//! let thread = EventLoopThread::new()?;
//! thread.start()?;
//! let (tell, told) = std::sync::mpsc::channel();
//! thread.event_loop().set_timeout(Duration::from_millis(1), move |_| {
//!     let on_loop = EventLoop::current().is_some();
//!     tell.send(on_loop).unwrap_or_default();
//! })?;
//! assert_eq!(told.recv(), Ok(true));
//! thread.stop();
//! assert!(thread.join()?.is_clean());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Callbacks
//!
//! - They run on the loop's thread, one at a time and never inside one another: what a callback asks for
//!   (a send, a close, a stop) has its callbacks after it has returned.
//! - Everything may be called inside of them, also what ends the connection, its server or its loop.
//! - They are set before the call that begins (`connect`, `listen`, `open`, `bind`) and belong to it. Its
//!   last callback is `on_close`, once, with the reason; then they are dropped, on the loop's thread.
//! - One that panics ends its connection, and nothing else: the panic is caught and counted in
//!   [`Metrics::panics`].
//! - A slow one keeps its loop waiting, but is not taken for a slow peer: limits of time count from when it
//!   has returned.
//!
//! # Options
//!
//! Options are values with one setter a field, which takes them and gives them back. What may be absent is
//! set by the value or `None`. A limit on waiting is a `…_timeout`, a period an `…_interval`, and both are a
//! [`Duration`](std::time::Duration); sizes are bytes. No setter fails: what is out of range is an error of
//! the call that uses it.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used))]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

#[macro_use]
mod macros;

mod core;
#[cfg(feature = "cron")]
mod cron;
mod error;
mod event_loop;
mod event_loop_thread;
mod event_loop_thread_pool;
mod framing;
mod hold;
pub mod http;
mod listener_set;
mod load_balance;
mod local_loop;
#[doc(hidden)]
pub mod log;
mod machine;
mod memory_limit;
mod metrics;
mod migrate;
mod options;
mod panic;
mod proxy;
mod report;
mod sessions;
#[cfg(all(unix, not(hvloop_sim)))]
pub mod signal;
mod source;
mod sync;
mod sys;
mod tcp;
mod timer_thread;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;
mod udp;
mod user_data;
pub mod zone;

#[cfg(feature = "cron")]
pub use self::cron::{CronError, CronSchedule};
#[doc(hidden)]
pub use self::sync::{change, lock};
#[doc(hidden)]
pub use self::user_data::UserData;
pub use self::{
    conn::{Connect, Listen, ListenError, ListenErrorKind, Listening},
    core::{
        LocalLoop,
        attachments::{Attachment, AttachmentId},
        idle::IdleId,
        lookup::DnsQuery,
        shared::{LoopId, Task},
        timers::TimerId,
    },
    error::{
        CloseReason, ConnectPhase, DatagramError, JoinError, LoopClosed, RunError, SendError,
        StartError, TryQueueError,
    },
    event_loop::{EventLoop, Turn},
    event_loop_thread::EventLoopThread,
    event_loop_thread_pool::EventLoopThreadPool,
    framing::{LengthCoding, LengthField, Unpack, UnpackBuilder, UnpackError, UnpackSettingError},
    hold::Hold,
    load_balance::LoadBalance,
    machine::backoff::{Backoff, Growth, PolicyError, ReconnectPolicy},
    memory_limit::OnMemoryLimit,
    metrics::Metrics,
    options::LoopOptions,
    proxy::{Proxy, ProxyAnswer, ProxyConfigError, ProxyError, ProxyTargetError, SocksReply},
    report::ShutdownReport,
    source::{IoHandle, Ready},
    sync::Phase as LoopStatus,
    sys::{
        Address, ForeignSource, Interest, Interface, OwnedSocket, Resolver, SocketOptions,
        SystemResolver,
    },
    tcp::{Channel, ChannelId, ConnectError, TcpClient, TcpServer},
    timer_thread::TimerThread,
    transport::conn,
    udp::{UdpChannel, UdpClient, UdpOptions, UdpServer},
};
#[cfg(feature = "tls")]
pub use rustls;

/// What users hold may go to, and mostly be used on, any thread.
const _: () = {
    const fn send<T: Send>() {}
    const fn send_sync<T: Send + Sync>() {}
    send::<(Hold, conn::Transport)>();
    send_sync::<(EventLoop, EventLoopThread, EventLoopThreadPool, TimerThread)>();
    send_sync::<(
        Channel,
        TcpClient,
        TcpServer,
        conn::ListenerSet,
        conn::Ticket,
    )>();
    send_sync::<(UdpChannel, UdpClient, UdpServer, IoHandle)>();
    #[cfg(all(unix, not(hvloop_sim)))]
    send_sync::<signal::SignalHandle>();
    #[cfg(feature = "tls")]
    send_sync::<(tls::TlsClientConfig, tls::TlsClientConfigBuilder)>();
    #[cfg(feature = "tls")]
    send_sync::<(tls::TlsServerConfig, tls::TlsServerConfigBuilder)>();
};

/// The simulated world of `tests/simulation`; not part of the library.
#[cfg(hvloop_sim)]
#[doc(hidden)]
pub mod sim {
    pub use crate::core::current::forget_all as forget_loops;
    pub use crate::sys::sim::{
        Answer, Backlog, DatagramIo, DatagramPeer, Faults, Moved, Peer, PeerIo, Pipe, Route, World,
        mutant_is_on,
    };
}
