//! What can be set about a client.

use super::request::{BeforeConnect, ConnectRequest, RequestHead};
use super::transport::TransportOptions;
use crate::deflate::DeflateOptions;
use crate::events::CloseEvent;
use crate::handshake::{HandshakeLimits, HeadError, credentials};
use crate::protocol::Limits;
use crate::websocket::{ConnectionOptions, WhenFull, connection_setters};
use hvloop_event::setters;
use hvloop_event::{Connect, Proxy, ReconnectPolicy, SocketOptions};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
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
///     .open_timeout(Duration::from_secs(3))
///     .bearer_auth("123")
///     .subprotocol("chat");
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientOptions {
    pub(super) all: SharedValues,
}

/// The values of options, which their clones share for as long as none of them is changed: a thousand clients with
/// the same options hold them once.
#[derive(Clone)]
pub(super) struct SharedValues(Arc<Values>);

thread_local! {
    /// What a client of this thread was made with last.
    static LAST: Cell<Weak<Values>> = const { Cell::new(Weak::new()) };
}

/// See the methods of [`ClientOptions`], which set these.
#[derive(Clone)]
pub(super) struct Values {
    pub(super) open_timeout: Duration,
    /// What a connection is kept by, which each holds, too.
    pub(super) connection: Arc<ConnectionOptions>,
    pub(super) transport: TransportOptions,
    pub(super) handshake: HandshakeLimits,
    pub(super) reconnect: ReconnectOptions,
    pub(super) before_connect: Option<BeforeConnect>,
    pub(super) keep_callbacks: bool,
    pub(super) redirects: u32,
    pub(super) head: Arc<RequestHead>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<hvloop_event::tls::TlsClientConfig>,
    /// How to connect, made of these when it is first needed.
    connect: OnceLock<Connect>,
}

impl PartialEq for Values {
    /// Hooks are the same if one is a clone of the other.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            open_timeout,
            connection,
            transport,
            handshake,
            reconnect,
            before_connect,
            keep_callbacks,
            redirects,
            head,
            #[cfg(feature = "tls")]
            tls,
            connect: _,
        } = self;
        #[cfg(feature = "tls")]
        if *tls != other.tls {
            return false;
        }
        *open_timeout == other.open_timeout
            && *connection == other.connection
            && *transport == other.transport
            && *handshake == other.handshake
            && *reconnect == other.reconnect
            && is_same_hook(before_connect, &other.before_connect)
            && *keep_callbacks == other.keep_callbacks
            && *redirects == other.redirects
            && *head == other.head
    }
}

fn is_same_hook<T: ?Sized>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Whether a client connects again, and when.
#[derive(Clone)]
pub(super) struct ReconnectOptions {
    /// `None`: never.
    pub(super) policy: Option<ReconnectPolicy>,
    pub(super) condition: Option<ReconnectIf>,
    pub(super) max_retry_after: Duration,
}

impl PartialEq for ReconnectOptions {
    fn eq(&self, other: &Self) -> bool {
        self.policy == other.policy
            && is_same_hook(&self.condition, &other.condition)
            && self.max_retry_after == other.max_retry_after
    }
}

impl Values {
    fn new() -> Self {
        Self {
            open_timeout: Duration::from_secs(10),
            connection: Arc::default(),
            transport: TransportOptions::default(),
            handshake: HandshakeLimits::default(),
            reconnect: ReconnectOptions {
                policy: None,
                condition: None,
                max_retry_after: Duration::from_secs(3600),
            },
            before_connect: None,
            keep_callbacks: false,
            redirects: 0,
            head: Arc::new(RequestHead::new()),
            #[cfg(feature = "tls")]
            tls: None,
            connect: OnceLock::new(),
        }
    }

    /// How to connect, to whatever host and within the whole of `open_timeout`. Its clones share what is set.
    pub(super) fn connect(&self) -> Connect {
        let connect = self.connect.get_or_init(|| {
            let connect = self.transport.apply(Connect::to("", 0));
            connect
                .open_timeout(self.open_timeout)
                .close_timeout(self.connection.close_timeout)
        });
        connect.clone()
    }
}

impl SharedValues {
    /// The same, held together with the last client of this thread if that had the same: options are often made
    /// anew for each of many clients.
    pub(super) fn shared(self) -> Self {
        // Not borrowed: what is dropped meanwhile may be a user's.
        let last = LAST.try_with(Cell::take).unwrap_or_default().upgrade();
        let shared = match last.filter(|last| Arc::ptr_eq(last, &self.0) || **last == *self.0) {
            Some(last) => Self(last),
            None => self,
        };
        // Unless the thread ends.
        let _ = LAST.try_with(|last| last.set(Arc::downgrade(&shared.0)));
        shared
    }
}

impl Deref for SharedValues {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.0
    }
}

/// To set these options otherwise, which then have values of their own.
impl DerefMut for SharedValues {
    fn deref_mut(&mut self) -> &mut Values {
        let values = Arc::make_mut(&mut self.0);
        values.connect = OnceLock::new();
        values
    }
}

impl ClientOptions {
    /// The defaults: 10 s to open, 5 s for the close handshake, a Ping after 30 s of silence and
    /// 10 s for the answer, 30 s to write some of what is queued, 16 MiB send queue, 16 MiB per frame and 64 MiB per
    /// message, no reconnect, TLS verified by the platform.
    pub fn new() -> Self {
        static DEFAULTS: LazyLock<Arc<Values>> = LazyLock::new(|| Arc::new(Values::new()));
        Self {
            all: SharedValues(DEFAULTS.clone()),
        }
    }

    connection_setters!(all.connection);

    setters! {
        /// How long an attempt may take over all: DNS, connect, proxy, TLS and the upgrade, redirects
        /// included. Default 10 s.
        ///
        /// libhv: `setConnectTimeout`, which covers the connect only.
        open_timeout(timeout: Duration) => all.open_timeout;

        /// Closes when the peer takes nothing of the send queue for this long, also while closing; `None` or
        /// zero: never. Default 30 s.
        write_timeout(timeout: impl Into<Option<Duration>>) => all.transport.write_timeout;

        /// The limit of the send queue, in bytes on the wire. A message over it is refused. Default
        /// 16 MiB.
        send_limit(bytes: usize) => all.transport.send_limit;

        /// Limits for the head of the server's answer to the upgrade.
        handshake_limits(limits: HandshakeLimits) => all.handshake;

        /// Connects again by that policy whenever an attempt or a session ends by anything but
        /// `close()`, `stop()`, the loop's stop, or a refusal that would come again
        /// ([`reconnect_if`](Self::reconnect_if)); `None`: never. Default `None`.
        ///
        /// A server that is busy (503, 429) may say when to come back (`Retry-After`); then the next attempt
        /// comes no earlier, see [`max_retry_after`](Self::max_retry_after).
        ///
        /// libhv: `setReconnect`.
        reconnect(policy: impl Into<Option<ReconnectPolicy>>) => all.reconnect.policy;
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
        self.all.reconnect.condition = Some(Arc::new(f));
        self
    }

    /// The longest wait that a server's `Retry-After` can ask for; zero: it is not looked at. Default one
    /// hour.
    pub fn max_retry_after(mut self, delay: Duration) -> Self {
        self.all.reconnect.max_retry_after = delay;
        self
    }

    /// Called before each attempt, the first one included, with what it will ask for: URL, headers and
    /// subprotocols, which it may change, and which then hold for that attempt. The attempt begins when
    /// it says [`ConnectRequest::proceed`], which it may do later, and on another thread: so a token that
    /// expires can be fetched anew. The wait counts into [`open_timeout`](Self::open_timeout); `close()`,
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
        self.all.before_connect = Some(Arc::new(f));
        self
    }

    setters! {
        /// Keeps the callbacks after the last `on_close`, so that `open()` may be called again without
        /// setting them anew. What they captured then lives as long as the client's handles: do not
        /// capture a handle of the client itself. Default `false`.
        keep_callbacks(keep: bool) => all.keep_callbacks;

        /// Options of the socket. Default: [`SocketOptions::new`]. The client's own Pings
        /// ([`ping_interval`](Self::ping_interval)) notice more than the system's probes.
        socket(options: SocketOptions) => all.transport.socket;

        /// Connects through this proxy; `None`, the default: directly. An HTTP proxy is asked to CONNECT
        /// for `ws` as for `wss` (RFC 6455 section 4.1, item 3). The proxy is told the host's name, which
        /// is not looked up here. Nothing is read from the environment, unless you do:
        /// [`Proxy::from_env`].
        proxy(proxy: impl Into<Option<Proxy>>) => all.transport.proxy;

        /// Follows at most that many redirects (301, 302, 303, 307, 308) of the upgrade; 0, the default:
        /// none, and such an answer is a refusal like any other. Over all hops an attempt has one
        /// [`open_timeout`](Self::open_timeout) and one `on_open` or `on_close`; each attempt begins at
        /// the URL that was opened.
        ///
        /// The Location may be relative; `http` in it means `ws`, and `https` means `wss`. From `wss` to
        /// `ws` none is followed. Another origin (scheme, host and port) does not get the headers
        /// Authorization, Cookie, Proxy-Authorization and Host that were set here, nor does any hop after
        /// it; all other headers, subprotocols and Origin are sent everywhere.
        ///
        /// libhv follows every redirect, without a limit and with all headers.
        redirects(limit: u32) => all.redirects;
    }

    /// Adds a header to the upgrade request. Checked by `open()`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.edit().add(name, value);
        self
    }

    /// The User-Agent header; `None`: it is not sent. Default `hvloop/` and the version; one that is set
    /// by [`header`](Self::header) takes its place. Checked by `open()`.
    pub fn user_agent(mut self, agent: impl Into<Option<String>>) -> Self {
        self.edit().user_agent = agent.into().map(Cow::Owned);
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

    /// Whether both hold the same values, and not only like ones.
    pub(super) fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.all.0, &other.all.0)
    }

    /// The same, for a client.
    pub(super) fn shared(self) -> Self {
        Self {
            all: self.all.shared(),
        }
    }

    /// What is sent, which other options may hold, too.
    fn edit(&mut self) -> &mut RequestHead {
        Arc::make_mut(&mut self.all.head)
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
        self.all.tls = Some(config);
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
        let values = &*self.all;
        let head = &values.head;
        let names: Vec<_> = head.headers.iter().map(|(name, _)| name).collect();
        let mut options = f.debug_struct("ClientOptions");
        options
            .field("open_timeout", &values.open_timeout)
            .field("connection", &values.connection)
            .field("transport", &values.transport)
            .field("handshake", &values.handshake)
            .field("reconnect", &values.reconnect.policy)
            .field("keep_callbacks", &values.keep_callbacks)
            .field("redirects", &values.redirects)
            .field("headers", &names)
            .field("subprotocols", &head.subprotocols)
            .field("origin", &head.origin)
            .field("user_agent", &head.user_agent);
        #[cfg(feature = "tls")]
        options.field("tls", &values.tls);
        options.finish_non_exhaustive()
    }
}
