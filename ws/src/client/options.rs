//! What can be set about a client.

use super::request::{BeforeConnect, ConnectRequest, RequestHead};
use super::socket::SocketOptions;
use crate::deflate::DeflateOptions;
use crate::event::CloseEvent;
use crate::handshake::{HandshakeLimits, HeadError, credentials};
use crate::link::WhenFull;
use crate::protocol::Limits;
use hvloop_event::{Connect, Proxy, ReconnectPolicy};
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The hook of [`ClientOptions::reconnect_if`].
type ReconnectIf = Arc<dyn Fn(&CloseEvent) -> bool + Send + Sync>;

/// Options of a [`WebSocketClient`](super::WebSocketClient); they hold from the next `open()` on.
///
/// ```
/// use hvloop_ws::ClientOptions;
/// use std::time::Duration;
///
/// let options = ClientOptions::new()
///     .open_deadline(Duration::from_secs(3))
///     .bearer_auth("123")
///     .subprotocol("chat");
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientOptions {
    pub(super) open_deadline: Duration,
    pub(super) close_timeout: Duration,
    pub(super) ping_interval: Option<Duration>,
    pub(super) pong_deadline: Duration,
    pub(super) message_timeout: Option<Duration>,
    pub(super) when_full: WhenFull,
    pub(super) write_stall: Option<Duration>,
    pub(super) send_limit: usize,
    pub(super) limits: Limits,
    pub(super) deflate: Option<DeflateOptions>,
    pub(super) handshake: HandshakeLimits,
    pub(super) reconnect: Option<ReconnectPolicy>,
    pub(super) reconnect_if: Option<ReconnectIf>,
    pub(super) retry_after_limit: Duration,
    pub(super) before_connect: Option<BeforeConnect>,
    pub(super) keep_callbacks: bool,
    pub(super) socket: SocketOptions,
    pub(super) proxy: Option<Proxy>,
    pub(super) redirects: u32,
    pub(super) head: Arc<RequestHead>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<hvloop_event::tls::TlsClientConfig>,
}

impl ClientOptions {
    /// The defaults: 10 s to open, 5 s for the close handshake, a Ping after 30 s of silence and
    /// 10 s for the answer, 30 s of write stall, 16 MiB send queue, 16 MiB per frame and 64 MiB per
    /// message, no reconnect, TLS verified by the platform.
    pub fn new() -> Self {
        Self {
            open_deadline: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            ping_interval: Some(Duration::from_secs(30)),
            pong_deadline: Duration::from_secs(10),
            message_timeout: None,
            when_full: WhenFull::Refuse,
            write_stall: Some(Duration::from_secs(30)),
            send_limit: Connect::DEFAULT_SEND_LIMIT,
            limits: Limits::default(),
            deflate: None,
            handshake: HandshakeLimits::default(),
            reconnect: None,
            reconnect_if: None,
            retry_after_limit: Duration::from_secs(3600),
            before_connect: None,
            keep_callbacks: false,
            socket: SocketOptions::default(),
            proxy: None,
            redirects: 0,
            head: Arc::new(RequestHead::new()),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The one deadline over DNS, connect, proxy, TLS and the upgrade, redirects included. Default 10 s.
    ///
    /// libhv: `setConnectTimeout`, which covers the connect only.
    pub fn open_deadline(mut self, deadline: Duration) -> Self {
        self.open_deadline = deadline;
        self
    }

    /// How long the peer may take to answer a Close, counted from when ours has been written, and then to
    /// end the connection. What is queued before the Close is under [`write_stall`](Self::write_stall)
    /// alone; without that, this is the limit to a queue of which nothing is taken. Default 5 s; a loop's
    /// stop may be shorter, and [`CloseEvent::lost`](crate::CloseEvent::lost) says what it cut.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sends a Ping when nothing came from the peer for this long, and each time this passes again while
    /// nothing comes; `None` or zero: never. Default 30 s.
    ///
    /// libhv: `setPingInterval`.
    pub fn ping_interval(mut self, interval: Option<Duration>) -> Self {
        self.ping_interval = interval.filter(|interval| !interval.is_zero());
        self
    }

    /// How long after the first Ping that it leaves unanswered a peer that sends nothing at all counts as
    /// dead; it may be longer or shorter than the interval. Any byte counts as life. Default 10 s.
    pub fn pong_deadline(mut self, deadline: Duration) -> Self {
        self.pong_deadline = deadline;
        self
    }

    /// How long a message of the peer may take from its first byte to its last, over all its fragments; a
    /// frame too. Then the connection is closed with 1008, and `on_close` tells
    /// [`ConnectionError::MessageTimedOut`](crate::ConnectionError::MessageTimedOut). What this side keeps
    /// waiting, by a pause or since a turn has no room for more, does not count. `None`, the default, or
    /// zero: for ever, since a large message over a slow line may take minutes.
    pub fn message_timeout(mut self, limit: Option<Duration>) -> Self {
        self.message_timeout = limit.filter(|limit| !limit.is_zero());
        self
    }

    /// Closes when the peer takes nothing of the send queue for this long, also while closing; `None` or
    /// zero: never. Default 30 s.
    pub fn write_stall(mut self, limit: Option<Duration>) -> Self {
        self.write_stall = limit;
        self
    }

    /// The limit of the send queue, in bytes on the wire. A message over it is refused. Default
    /// 16 MiB.
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.send_limit = bytes;
        self
    }

    /// What becomes of a connection whose send queue has no room for a message. Default: the message
    /// is refused, and the connection goes on.
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// Limits for what the peer sends: a frame's or message's size, in bytes. Checked before
    /// anything is allocated. Default 16 MiB and 64 MiB.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Offers permessage-deflate (RFC 7692): messages are compressed both ways if the server agrees.
    /// `None`, the default: does not. What is secret should not be compressed together with what an
    /// attacker chooses (CRIME, BREACH).
    pub fn deflate(mut self, options: Option<DeflateOptions>) -> Self {
        self.deflate = options;
        self
    }

    /// Limits for the head of the server's answer to the upgrade.
    pub fn handshake_limits(mut self, limits: HandshakeLimits) -> Self {
        self.handshake = limits;
        self
    }

    /// Connects again by that policy whenever an attempt or a session ends by anything but
    /// `close()`, `stop()`, the loop's stop, or a refusal that would come again
    /// ([`reconnect_if`](Self::reconnect_if)); `None`: never. Default `None`.
    ///
    /// A server that is busy (503, 429) may say when to come back (`Retry-After`); then the next attempt
    /// comes no earlier, see [`retry_after_limit`](Self::retry_after_limit).
    ///
    /// libhv: `setReconnect`.
    pub fn reconnect(mut self, policy: Option<ReconnectPolicy>) -> Self {
        self.reconnect = policy;
        self
    }

    /// Asked whenever [`reconnect`](Self::reconnect) would lead to another attempt, with what `on_close`
    /// is told next; `false`: none follows. Called on the loop's thread; if it panics, none follows. By
    /// default none follows a refusal that is permanent
    /// ([`CloseEvent::is_permanent`](crate::CloseEvent::is_permanent)), such as a 401 or a certificate that
    /// was refused, unless there is a [`before_connect`](Self::before_connect), which may change what was
    /// refused. Do not capture a handle of the client.
    ///
    /// ```
    /// use hvloop_ws::ClientOptions;
    /// # use hvloop_event::ReconnectPolicy;
    ///
    /// // A service that is not there while it is being deployed.
    /// let options = ClientOptions::new()
    ///     .reconnect(Some(ReconnectPolicy::new()))
    ///     .reconnect_if(|event| event.http_status == Some(404) || !event.is_permanent());
    /// ```
    pub fn reconnect_if(mut self, f: impl Fn(&CloseEvent) -> bool + Send + Sync + 'static) -> Self {
        self.reconnect_if = Some(Arc::new(f));
        self
    }

    /// The longest wait that a server's `Retry-After` can ask for; zero: it is not looked at. Default one
    /// hour.
    pub fn retry_after_limit(mut self, limit: Duration) -> Self {
        self.retry_after_limit = limit;
        self
    }

    /// Called before each attempt, the first one included, with what it will ask for: URL, headers and
    /// subprotocols, which it may change, and which then hold for that attempt. The attempt begins when
    /// it says [`ConnectRequest::proceed`], which it may do later, and on another thread: so a token that
    /// expires can be fetched anew. The wait counts into [`open_deadline`](Self::open_deadline); `close()`,
    /// `stop()` and the loop's stop end it. Either way the attempt has its one `on_close`.
    ///
    /// Called on the loop's thread, which it must not block. If it panics, or drops the request, the
    /// attempt fails ([`PrepareError`](crate::PrepareError)), and the reconnect policy goes on. Do not
    /// capture a handle of the client.
    ///
    /// ```
    /// use hvloop_event::ReconnectPolicy;
    /// use hvloop_ws::{ClientOptions, ConnectRequest};
    ///
    /// # fn fetch_token() -> Result<String, std::io::Error> { Ok("123".to_owned()) }
    /// let options = ClientOptions::new()
    ///     .reconnect(Some(ReconnectPolicy::new()))
    ///     .before_connect(|mut request: ConnectRequest| {
    ///         // Blocks, and so has a thread of its own.
    ///         std::thread::spawn(move || match fetch_token() {
    ///             Ok(token) => match request.set_bearer_auth(&token) {
    ///                 Ok(()) => request.proceed(),
    ///                 Err(e) => request.fail(e.to_string()),
    ///             },
    ///             Err(e) => request.fail(e.to_string()),
    ///         });
    ///     });
    /// ```
    pub fn before_connect(mut self, f: impl Fn(ConnectRequest) + Send + Sync + 'static) -> Self {
        self.before_connect = Some(Arc::new(f));
        self
    }

    /// Keeps the callbacks after the last `on_close`, so that `open()` may be called again without
    /// setting them anew. What they captured then lives as long as the client's handles: do not
    /// capture a handle of the client itself. Default `false`.
    pub fn keep_callbacks(mut self, keep: bool) -> Self {
        self.keep_callbacks = keep;
        self
    }

    /// TCP_NODELAY. Default on.
    pub fn nodelay(mut self, on: bool) -> Self {
        self.socket.nodelay = on;
        self
    }

    /// Connect from this address; port 0: any port. Addresses of the host that are of the other
    /// family fail. Means nothing for a Unix socket. Default: as the system chooses.
    pub fn bind(mut self, local: SocketAddr) -> Self {
        self.socket.bind = Some(local);
        self
    }

    /// Let the system probe a server that has been silent for this long (SO_KEEPALIVE), in whole
    /// seconds. The client's own Pings ([`ping_interval`](Self::ping_interval)) notice more. Default:
    /// no.
    pub fn keepalive(mut self, after: Option<Duration>) -> Self {
        self.socket.keepalive = after;
        self
    }

    /// Let the system end the connection when what was sent was not acknowledged, or could not be
    /// sent, for this long (TCP_USER_TIMEOUT), in whole milliseconds: Linux and Android; elsewhere a
    /// warning is logged. Default: as the system does, which may take a quarter of an hour.
    pub fn user_timeout(mut self, limit: Option<Duration>) -> Self {
        self.socket.user_timeout = limit;
        self
    }

    /// The size of the system's buffer for what is sent (SO_SNDBUF), in bytes; the system may take
    /// another one. Default: as the system chooses, which usually is best.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.socket.send_buffer = Some(bytes);
        self
    }

    /// The size of the system's buffer for what comes in (SO_RCVBUF), in bytes; the system may take
    /// another one. Default: as the system chooses, which usually is best.
    pub fn recv_buffer(mut self, bytes: usize) -> Self {
        self.socket.recv_buffer = Some(bytes);
        self
    }

    /// Connects through this proxy; `None`, the default: directly. An HTTP proxy is asked to CONNECT
    /// for `ws` as for `wss` (RFC 6455 section 4.1, item 3). The proxy is told the host's name, which
    /// is not looked up here. Nothing is read from the environment, unless you do:
    /// [`Proxy::from_env`].
    pub fn proxy(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// Follows at most that many redirects (301, 302, 303, 307, 308) of the upgrade; 0, the default:
    /// none, and such an answer is a refusal like any other. Over all hops an attempt has one
    /// [`open_deadline`](Self::open_deadline) and one `on_open` or `on_close`; each attempt begins at
    /// the URL that was opened.
    ///
    /// The Location may be relative; `http` in it means `ws`, and `https` means `wss`. From `wss` to
    /// `ws` none is followed. Another origin (scheme, host and port) does not get the headers
    /// Authorization, Cookie, Proxy-Authorization and Host that were set here, nor does any hop after
    /// it; all other headers, subprotocols and Origin are sent everywhere.
    ///
    /// libhv follows every redirect, without a limit and with all headers.
    pub fn redirects(mut self, limit: u32) -> Self {
        self.redirects = limit;
        self
    }

    /// Adds a header to the upgrade request. Checked by `open()`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.edit().add(name, value);
        self
    }

    /// The User-Agent header; `None`: it is not sent. Default `hvloop/` and the version; one that is set
    /// by [`header`](Self::header) takes its place. Checked by `open()`.
    pub fn user_agent(mut self, agent: Option<String>) -> Self {
        self.edit().user_agent = agent.map(Cow::Owned);
        self
    }

    /// Sends a user name and a password (Basic, RFC 7617), in the place of an Authorization header that
    /// was set before. They can be read on the way unless it is `wss`. Checked by `open()`.
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.authorization(credentials::basic(user, password))
    }

    /// Sends a token (Bearer, RFC 6750), in the place of an Authorization header that was set before. It
    /// can be read on the way unless it is `wss`. Checked by `open()`.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.authorization(credentials::bearer(token))
    }

    fn authorization(mut self, value: Result<String, HeadError>) -> Self {
        const NAME: &str = "Authorization";
        match value {
            Ok(value) => {
                self.edit().set(NAME, Some(value));
                self
            }
            Err(e) => self.fail(e),
        }
    }

    /// Sends a cookie; several go into one Cookie header, in their order, behind one that was set as a
    /// header. Name and value are sent as they are, and checked (RFC 6265 section 4.1.1) by `open()`.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        const NAME: &str = "Cookie";
        let pair = match credentials::cookie(name, value) {
            Ok(pair) => pair,
            Err(e) => return self.fail(e),
        };
        let mut headers = self.edit().headers.iter_mut();
        match headers.find(|(name, _)| name.eq_ignore_ascii_case(NAME)) {
            Some((_, cookies)) => {
                cookies.push_str("; ");
                cookies.push_str(&pair);
                self
            }
            None => self.header(NAME, pair),
        }
    }

    /// What is sent, which other options may hold, too.
    fn edit(&mut self) -> &mut RequestHead {
        Arc::make_mut(&mut self.head)
    }

    fn fail(mut self, e: HeadError) -> Self {
        self.edit().bad.get_or_insert(e);
        self
    }

    /// Offers a subprotocol; the first one offered is the one liked best. Checked by `open()`.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.edit().subprotocols.push(name.into());
        self
    }

    /// Sends an Origin header.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.edit().origin = Some(origin.into());
        self
    }

    /// How to speak TLS. Default: verified by the platform, and `http/1.1` is offered by ALPN, as
    /// browsers do, so that a server which speaks HTTP/2 alone says no at once. A configuration of
    /// yours is taken as it is: by default that offers nothing, which every server takes for HTTP/1.1.
    /// See [`TlsClientConfigBuilder::alpn`](hvloop_event::tls::TlsClientConfigBuilder::alpn).
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: hvloop_event::tls::TlsClientConfig) -> Self {
        self.tls = Some(config);
        self
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientOptions {
    /// Leaves out the headers' values: one may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.head.headers.iter().map(|(name, _)| name).collect();
        let mut options = f.debug_struct("ClientOptions");
        options
            .field("open_deadline", &self.open_deadline)
            .field("close_timeout", &self.close_timeout)
            .field("ping_interval", &self.ping_interval)
            .field("pong_deadline", &self.pong_deadline)
            .field("write_stall", &self.write_stall)
            .field("send_limit", &self.send_limit)
            .field("limits", &self.limits)
            .field("deflate", &self.deflate)
            .field("handshake", &self.handshake)
            .field("reconnect", &self.reconnect)
            .field("keep_callbacks", &self.keep_callbacks)
            .field("socket", &self.socket)
            .field("headers", &names)
            .field("subprotocols", &self.head.subprotocols)
            .field("origin", &self.head.origin)
            .field("user_agent", &self.head.user_agent);
        #[cfg(feature = "tls")]
        options.field("tls", &self.tls);
        options.finish_non_exhaustive()
    }
}
