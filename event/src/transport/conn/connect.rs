//! Where to connect to, and how.

use super::SendBudget;
use crate::proxy::{Proxy, ProxyTargetError, Tunnel};
use crate::sync::lock;
use crate::sys::{Address, OwnedSocket, made};
use crate::transport::settings::{ConnSettings, conn_setters};
use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where to connect to, and how. For [`LocalLoop::connect`](crate::LocalLoop::connect) and
/// [`TcpClient::connect`](crate::TcpClient::connect).
#[derive(Clone)]
#[must_use]
pub struct Connect {
    pub(crate) target: Target,
    pub(crate) proxy: Option<Box<Proxy>>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsClientConfig>,
    /// A socket that was made elsewhere, for the first attempt that comes to connect.
    made: Option<MadeSocket>,
    pub(crate) settings: ConnSettings,
}

/// What the clones of a [`Connect`] share, since there is one.
type MadeSocket = Arc<Mutex<Option<OwnedSocket>>>;

/// Where a connect goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A name or an IP address, and a port.
    Host(String, u16),
    /// A Unix socket: a path, or an abstract name behind an `@`.
    #[cfg(unix)]
    Unix(PathBuf),
}

impl Target {
    /// The name that TLS is to verify.
    #[cfg(feature = "tls")]
    pub(crate) fn server_name(&self) -> &str {
        match self {
            Self::Host(host, _) => host,
            // Nothing is known of it, unless the configuration has a name of its own.
            #[cfg(unix)]
            Self::Unix(_) => "",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Connect {
    /// The default limit of a connection's send queue: 16 MiB.
    pub const DEFAULT_SEND_LIMIT: usize = ConnSettings::SEND_LIMIT;

    /// To `host` (a name, or an IP address; of IPv6 maybe with the zone of an address of one link, the
    /// name or number of a network interface: `fe80::1%eth0`) at `port`. Defaults: no TLS, 10 s to
    /// open, 16 MiB send queue, 30 s to write some of it, 5 s to close, TCP_NODELAY on, no keepalive
    /// and no limit to how long the connection may be quiet.
    pub fn to(host: impl Into<String>, port: u16) -> Self {
        Self::target(Target::Host(host.into(), port))
    }

    /// To the Unix socket at that path, with the same defaults. With TLS, the configuration must
    /// name the server: the path does not. On Linux and Android a path that begins with `@` or a NUL is an
    /// abstract name; the file `@x` is `./@x`.
    ///
    /// While the server's backlog is full, the connect is tried again until [`open_timeout`](Self::open_timeout).
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::target(Target::Unix(crate::sys::unix_name(path.into())))
    }

    /// Goes to that host and port instead, with the same options: connections whose options are clones of one share
    /// what these say. The [account](Self::budget) is the same, too.
    pub fn with_host(self, host: impl Into<String>, port: u16) -> Self {
        Self {
            target: Target::Host(host.into(), port),
            ..self
        }
    }

    /// Goes to that Unix socket instead, as [`unix`](Self::unix) has it; as [`with_host`](Self::with_host).
    #[cfg(unix)]
    pub fn with_unix(self, path: impl Into<PathBuf>) -> Self {
        Self {
            target: Target::Unix(crate::sys::unix_name(path.into())),
            ..self
        }
    }

    fn target(target: Target) -> Self {
        Self {
            target,
            proxy: None,
            #[cfg(feature = "tls")]
            tls: None,
            made: None,
            settings: ConnSettings::new(),
        }
    }

    /// Connects this socket, which was made elsewhere and maybe bound or set up, in the place of one of the
    /// library's: to the address of the target, or of the proxy, that is of its family, and of several to the
    /// first alone. One that is connected already, by a `connect` of the caller's, `accept` or `socketpair`, is
    /// taken as it is: the target is then the name that TLS verifies, and where reconnects go. (A name is
    /// looked up all the same.)
    ///
    /// There is one socket for all clones of these options: the first attempt that comes to connect has it, and
    /// what follows (a reconnect, another `connect`) opens its own. From then on it is non-blocking, for whoever
    /// else has it, too, and close-on-exec. [`SocketOptions::bind`](crate::SocketOptions::bind) means nothing to
    /// it. What is no stream socket fails with [`CloseReason::Connect`](crate::CloseReason::Connect).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(unix)] {
    /// use hvloop_event::{Connect, EventLoop, TcpClient};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let client = TcpClient::new(&event_loop);
    /// let connected = std::net::TcpStream::connect("127.0.0.1:7")?;
    /// client.connect(Connect::to("127.0.0.1", 7).with_socket(connected))?;
    /// # } Ok(()) }
    /// ```
    ///
    /// libhv: `hio_get` and `hconnect`, `TcpClient::createsocket(struct sockaddr*)` and `bind`.
    pub fn with_socket(mut self, socket: impl Into<OwnedSocket>) -> Self {
        self.made = Some(Arc::new(Mutex::new(Some(socket.into()))));
        self
    }

    /// Takes the socket that was made elsewhere.
    pub(crate) fn take_made(&self) -> Option<OwnedSocket> {
        lock(self.made.as_ref()?).take()
    }

    /// Gives it back, for the next try.
    pub(crate) fn give_back(&self, socket: OwnedSocket) {
        if let Some(made) = &self.made {
            *lock(made) = Some(socket);
        }
    }

    /// Whether that address is for the socket that was made elsewhere, if there is one.
    pub(crate) fn fits(&self, address: &Address) -> bool {
        let made = self.made.as_ref().map(|made| lock(made));
        made.is_none_or(|made| made.as_ref().is_none_or(|made| made::fits(made, address)))
    }

    /// Whether there is a socket that was made elsewhere.
    pub(crate) fn has_made(&self) -> bool {
        let made = self.made.as_ref();
        made.is_some_and(|made| lock(made).is_some())
    }

    setters! {
        /// Speak TLS.
        #[cfg(feature = "tls")]
        with_tls(config: crate::tls::TlsClientConfig) => tls;

        /// The account of the send queue; may be shared with handles.
        budget(budget: Arc<SendBudget>) => settings.budget;
    }

    /// Connect through this proxy; `None`, the default: directly. The proxy is told the target's name,
    /// which is not looked up here. [`open_timeout`](Self::open_timeout) is over both ways, and
    /// [`Conn::peer_addr`](super::Conn::peer_addr) is the proxy's. A Unix socket cannot be asked for.
    ///
    /// libhv: `TcpClient::setProxy`, `hio_set_proxy`.
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.proxy = proxy.into().map(Box::new);
        self
    }

    /// The handshake with the proxy, if there is one.
    pub(crate) fn tunnel(&self) -> Result<Option<Tunnel>, ProxyTargetError> {
        match (&self.proxy, &self.target) {
            (None, _) => Ok(None),
            (Some(proxy), Target::Host(host, port)) => Tunnel::new(proxy, host, *port).map(Some),
            #[cfg(unix)]
            (Some(_), Target::Unix(_)) => Err(ProxyTargetError::UnixSocket),
        }
    }

    /// Where the socket is to be connected to.
    pub(crate) fn first_stop(&self) -> Target {
        match &self.proxy {
            Some(proxy) => Target::Host(proxy.host().to_owned(), proxy.port()),
            None => self.target.clone(),
        }
    }

    conn_setters!();
}

debug_fields!(Connect, this:
    "target" = this.target,
    "proxy" = this.proxy,
    "open_timeout" = this.settings.open_timeout,
);
