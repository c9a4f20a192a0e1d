//! Errors: what was refused and why. Refused values come back inside.

use crate::framing::UnpackError;
use crate::proxy::ProxyError;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The loop takes no more work: it has stopped, or is too far on the way there.
///
/// Holds what was refused, so that nothing is lost in silence.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event loop is closed")]
pub struct LoopClosed<T = ()>(pub T);

impl<T> LoopClosed<T> {
    /// The refused value.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The same error without the refused value, for passing on by `?`. Drops the value.
    pub fn without_value(self) -> LoopClosed {
        LoopClosed(())
    }
}

impl<T> fmt::Debug for LoopClosed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoopClosed")
    }
}

/// Why [`EventLoop::try_queue_in_loop`](crate::EventLoop::try_queue_in_loop) did not take a task, which
/// comes back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryQueueError<F> {
    /// As many tasks wait as [`LoopOptions::task_limit`](crate::LoopOptions::task_limit) allows: the loop
    /// has to run some first.
    #[error("the event loop's queue of tasks is full")]
    Full(F),
    /// The loop takes no more work.
    #[error("the event loop is closed")]
    Closed(F),
}

impl<F> TryQueueError<F> {
    /// The refused task.
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(f) | Self::Closed(f) => f,
        }
    }
}

impl<F> fmt::Debug for TryQueueError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Closed(_) => "Closed",
        })
    }
}

/// Why [`EventLoop::run`](crate::EventLoop::run) or
/// [`run_once`](crate::EventLoop::run_once) did not run the loop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The loop is running, or is owned by another thread which called `run_once`.
    #[error("the event loop is already running")]
    AlreadyRunning,
    /// Called inside a callback of a loop: a thread runs one loop at a time.
    #[error("run() was called inside a callback of a loop")]
    InsideCallback,
    /// The loop has stopped; a stopped loop stays stopped.
    #[error("the event loop is closed")]
    Closed,
    /// The system failed while the loop was set up or polled.
    #[error("the event loop failed: {0}")]
    Io(#[from] io::Error),
}

/// Why [`EventLoopThread::join`](crate::EventLoopThread::join) has no report to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Called on the loop's own thread, which would wait for itself.
    #[error("join() was called on the loop's own thread")]
    WouldDeadlock,
    /// The thread was never started.
    #[error("the loop thread was never started")]
    NotStarted,
    /// This is a child made by fork: the thread is its parent's.
    #[error("the loop thread is that of the process that this one was forked from")]
    Forked,
    /// The loop ended with an error instead of a report.
    #[error("the loop ended with an error: {0}")]
    Failed(Arc<str>),
}

/// Why [`EventLoopThread::start`](crate::EventLoopThread::start) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It was started before. A stopped loop stays stopped: make a new one.
    #[error("the loop thread was started before")]
    AlreadyStarted,
    /// The loop is run by somebody else, or has stopped.
    #[error("the loop thread could not run its loop: {0}")]
    Run(#[source] RunError),
    /// The system had no thread to give.
    #[error("the loop thread could not be spawned: {0}")]
    Spawn(#[source] io::Error),
}

/// Why bytes or a message were not accepted for sending. What was refused is still the caller's:
/// sending borrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no open connection: not open yet, closing or closed.
    #[error("the connection is not open")]
    NotOpen,
    /// The send queue has no room: the peer reads slower than this side sends.
    #[error(
        "the send queue is full: {queued} bytes queued, {size} more are over the limit of {limit}"
    )]
    QueueFull {
        /// The limit of the queue, in bytes.
        limit: usize,
        /// What is queued and not yet written to the socket, in bytes.
        queued: usize,
        /// What this send would have added, in bytes.
        size: usize,
    },
    /// The loop takes no more work.
    #[error("the event loop is closed")]
    LoopClosed,
}

/// Why a datagram was not accepted for sending, or not sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DatagramError {
    /// The socket is not open, or has no peer to send to.
    NotOpen,
    /// No UDP datagram can be that long: 65,507 bytes over IPv4, 65,527 over IPv6.
    TooLong {
        /// The longest possible payload, in bytes.
        limit: usize,
        /// What was to be sent, in bytes.
        size: usize,
    },
    /// The system takes no datagrams now, and no more may wait.
    QueueFull {
        /// The limit of the queue, in bytes.
        limit: usize,
        /// What waits, in bytes.
        queued: usize,
        /// What this send would have added, in bytes.
        size: usize,
    },
    /// The loop takes no more work.
    LoopClosed,
    /// What the system said.
    Io(Arc<io::Error>),
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("the socket is not open, or has no peer"),
            Self::TooLong { limit, size } => {
                write!(f, "{size} bytes are over the limit of a datagram, {limit}")
            }
            Self::QueueFull {
                limit,
                queued,
                size,
            } => write!(
                f,
                "the send queue is full: {queued} bytes queued, {size} more are over the limit of {limit}"
            ),
            Self::LoopClosed => f.write_str("the event loop is closed"),
            Self::Io(e) => write!(f, "the datagram was not sent: {e}"),
        }
    }
}

impl Error for DatagramError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            _ => None,
        }
    }
}

/// What a connection was doing when its time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectPhase {
    /// Looking up the host's addresses.
    Dns,
    /// Connecting.
    Connect,
    /// In the handshake with the proxy.
    Proxy,
    /// In the TLS handshake.
    Tls,
    /// In the handshake of the protocol above (WebSocket: the upgrade).
    Handshake,
}

impl fmt::Display for ConnectPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "DNS lookup",
            Self::Connect => "connect",
            Self::Proxy => "proxy handshake",
            Self::Tls => "TLS handshake",
            Self::Handshake => "protocol handshake",
        })
    }
}

/// Why a connection, or an attempt to make one, ended. Every one that was begun ends with exactly
/// one of these.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CloseReason {
    /// This side ended it.
    Local,
    /// The peer ended it.
    Peer,
    /// The loop is stopping, and the connection finished in order (or had not been established).
    Stopped,
    /// The deadline of the stopping loop, or of the closing connection, forced it; or its peer did not stop
    /// sending as it was closing.
    Forced,
    /// It was not open in time.
    OpenTimedOut {
        /// What was under way.
        phase: ConnectPhase,
        /// The whole time it was given.
        limit: Duration,
    },
    /// The host's addresses could not be looked up; with a proxy, the proxy's.
    Dns(Arc<io::Error>),
    /// No address could be connected to; the error is that of the last one tried.
    Connect(Option<SocketAddr>, Arc<io::Error>),
    /// The proxy did not lead to the target.
    Proxy(ProxyError),
    /// TLS failed.
    #[cfg(feature = "tls")]
    Tls(crate::tls::TlsError),
    /// The peer ended a TLS connection without saying so (`close_notify`): data may be missing.
    Truncated,
    /// Reading or writing failed.
    Io(Arc<io::Error>),
    /// The peer took nothing of what was queued for this long.
    WriteTimedOut(Duration),
    /// Nothing came from the peer for this long.
    ReadTimedOut(Duration),
    /// What came breaks the rule of its packages.
    Unpack(UnpackError),
    /// Nothing came from the peer and nothing was written to it for this long.
    IdleTimedOut(Duration),
    /// The connections of the loop, or of the server, held more than so many bytes
    /// ([`LoopOptions::memory_limit`](crate::LoopOptions::memory_limit),
    /// [`TcpServer::set_memory_limit`](crate::TcpServer::set_memory_limit)), this one the most.
    MemoryLimit(usize),
    /// A callback of the connection panicked.
    Panicked,
    /// The protocol above ended it; the text says why.
    Protocol(Arc<str>),
}

impl CloseReason {
    /// Whether the connection ended in order: by either side, or by the loop's stop.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Local | Self::Peer | Self::Stopped)
    }

    /// Whether the same attempt would most likely fail in the same way, so that a client does not make it
    /// by default:
    ///
    /// - an HTTP proxy refused with 301, 308, 4xx (but for 408, 421, 423, 425 and 429, which pass), 501 or
    ///   505; a SOCKS proxy refused the login, or by its rules;
    /// - the server's certificate was refused (but for one that is not valid yet: the clock of this
    ///   host may be wrong), or the server refused this side's;
    /// - the two share no version of TLS, or no protocol (ALPN).
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Proxy(e) => e.is_permanent(),
            #[cfg(feature = "tls")]
            Self::Tls(e) => e.is_permanent(),
            _ => false,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this side"),
            Self::Peer => f.write_str("closed by the peer"),
            Self::Stopped => f.write_str("the event loop stopped"),
            Self::Forced => f.write_str("the closing deadline passed"),
            Self::OpenTimedOut { phase, limit } => {
                write!(f, "not open within {limit:?}, while in the {phase}")
            }
            Self::Dns(e) => write!(f, "DNS lookup failed: {e}"),
            Self::Connect(Some(address), e) => write!(f, "connect to {address} failed: {e}"),
            Self::Connect(None, e) => write!(f, "connect failed: {e}"),
            Self::Proxy(e) => write!(f, "the proxy: {e}"),
            #[cfg(feature = "tls")]
            Self::Tls(e) => write!(f, "TLS failed: {e}"),
            Self::Truncated => f.write_str("the peer ended TLS without close_notify"),
            Self::Io(e) => write!(f, "I/O failed: {e}"),
            Self::WriteTimedOut(t) => write!(f, "the peer read nothing for {t:?}"),
            Self::ReadTimedOut(t) => write!(f, "the peer sent nothing for {t:?}"),
            Self::Unpack(e) => write!(f, "framing: {e}"),
            Self::IdleTimedOut(t) => write!(f, "nothing was sent or received for {t:?}"),
            Self::MemoryLimit(limit) => write!(
                f,
                "all connections held more than {limit} bytes, this one the most"
            ),
            Self::Panicked => f.write_str("a callback panicked"),
            Self::Protocol(why) => f.write_str(why),
        }
    }
}

impl Error for CloseReason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dns(e) | Self::Connect(_, e) | Self::Io(e) => Some(&**e),
            Self::Proxy(e) => Some(e),
            #[cfg(feature = "tls")]
            Self::Tls(e) => Some(e),
            Self::Unpack(e) => Some(e),
            _ => None,
        }
    }
}
