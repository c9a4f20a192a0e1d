//! What a connection is set to, whichever side began it.

use super::budget::SendBudget;
use crate::sys::SocketOptions;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// See [`conn_setters`], which has the words for each. All connections of a listener, and those whose options are
/// clones of one, share one [`Settings`] until one of them is set otherwise.
#[derive(Debug, Clone)]
pub(crate) struct ConnSettings {
    pub(crate) budget: Arc<SendBudget>,
    settings: Arc<Settings>,
}

/// What does not differ from one connection to the next.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Open by then.
    pub(crate) open_timeout: Duration,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) close_timeout: Duration,
    pub(crate) socket: SocketOptions,
    /// Nothing read.
    pub(crate) read_timeout: Option<Duration>,
    /// Neither read nor written.
    pub(crate) idle_timeout: Option<Duration>,
    /// The peer's end of its side is not the end of this side.
    pub(crate) allow_half_open: bool,
}

impl ConnSettings {
    /// The default limit of a connection's send queue, in bytes.
    pub(crate) const SEND_LIMIT: usize = 16 * 1024 * 1024;

    pub(crate) fn new() -> Self {
        static DEFAULTS: LazyLock<Arc<Settings>> = LazyLock::new(|| Arc::new(Settings::new()));
        Self {
            budget: Arc::new(SendBudget::new(Self::SEND_LIMIT)),
            settings: DEFAULTS.clone(),
        }
    }

    /// The same for one more connection: with an account of its own.
    pub(crate) fn for_another(&self) -> Self {
        Self {
            budget: Arc::new(SendBudget::new(self.budget.limit())),
            settings: self.settings.clone(),
        }
    }
}

impl Deref for ConnSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// To set this connection otherwise, which then has settings of its own.
impl DerefMut for ConnSettings {
    fn deref_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Settings {
    fn new() -> Self {
        Self {
            open_timeout: Duration::from_secs(10),
            write_timeout: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
            socket: SocketOptions::new(),
            read_timeout: None,
            idle_timeout: None,
            allow_half_open: false,
        }
    }

    /// How long the connection may be quiet, counted from the last read (`true`) or from the last
    /// read or write: the shorter one decides when to look.
    pub(crate) fn quiet_limits(&self) -> impl Iterator<Item = (Duration, bool)> {
        let read = limit(self.read_timeout).map(|limit| (limit, true));
        let idle = limit(self.idle_timeout).map(|limit| (limit, false));
        read.into_iter().chain(idle)
    }

    /// How long a queue may stand.
    pub(crate) fn stall_limit(&self) -> Option<Duration> {
        limit(self.write_timeout)
    }
}

/// Zero, which nobody could keep, is no limit.
fn limit(limit: Option<Duration>) -> Option<Duration> {
    limit.filter(|limit| !limit.is_zero())
}

/// The setters of [`ConnSettings`], for the options of either side, whose field `settings` holds them.
macro_rules! conn_setters {
    () => {
        setters! {
            /// Options of the socket; of a listener, and of the sockets that it accepts. Default:
            /// [`SocketOptions::new`](crate::SocketOptions::new).
            socket(options: crate::SocketOptions) => settings.socket;

            /// The one time-out over all until [`Conn::opened`](crate::conn::Conn::opened): DNS, connect and
            /// proxy where this side connects, TLS, and the handshake of the protocol above. Default 10 s.
            ///
            /// libhv: `setConnectTimeout`, `hio_set_connect_timeout`.
            open_timeout(timeout: Duration) => settings.open_timeout;

            /// Close when the peer takes nothing of the queue for this long, also while finishing; `None` or
            /// zero: never. Default 30 s.
            ///
            /// libhv: `hio_set_write_timeout`.
            write_timeout(timeout: impl Into<Option<Duration>>) => settings.write_timeout;

            /// How long a finishing connection waits for the peer's end, counted from when the last byte was
            /// written, before it is closed by force. Until then [`write_timeout`](Self::write_timeout) alone is
            /// its limit; without that, this is the limit to a queue of which nothing is taken. Default 5 s.
            ///
            /// libhv: `hio_set_close_timeout`.
            close_timeout(timeout: Duration) => settings.close_timeout;

            /// Close when nothing was read for this long, with
            /// [`CloseReason::ReadTimedOut`](crate::CloseReason::ReadTimedOut). While reading is paused it does
            /// not count. Default: no limit.
            ///
            /// libhv: `hio_set_read_timeout`.
            read_timeout(timeout: impl Into<Option<Duration>>) => settings.read_timeout;

            /// Close when nothing was read or written for this long, with
            /// [`CloseReason::IdleTimedOut`](crate::CloseReason::IdleTimedOut). Default: no limit.
            ///
            /// libhv: `hio_set_keepalive_timeout`.
            idle_timeout(timeout: impl Into<Option<Duration>>) => settings.idle_timeout;

            /// Let this side go on sending when the peer has ended its side, as one does that ends it behind its
            /// request and waits for the answer: `on_end` is told ([client](crate::TcpClient::on_end),
            /// [server](crate::TcpServer::on_end)), and the connection stays until this side ends, too
            /// ([`Channel::close`](crate::Channel::close), or [`Channel::shutdown`](crate::Channel::shutdown)),
            /// the peer goes away, or a limit is reached. The limits for being quiet go on: nothing is read any
            /// more, so that [`read_timeout`](Self::read_timeout) counts from what was read last. With TLS the
            /// peer's end is its `close_notify`; peers with TLS 1.2 may send that and hear no more (RFC 5246
            /// section 7.2.1). Default off: the peer's end ends this side, behind what is queued.
            ///
            /// Means nothing to a WebSocket, which ends by its own rules.
            ///
            /// Netty: `ALLOW_HALF_CLOSURE`; Node: `allowHalfOpen`; libuv always does so.
            allow_half_open(on: bool) => settings.allow_half_open;
        }
    };
}
pub(crate) use conn_setters;
