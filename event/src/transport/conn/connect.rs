//! Where to connect to, and how.

use super::SendBudget;
use crate::proxy::{Proxy, ProxyTargetError, Tunnel};
use crate::transport::settings::{ConnSettings, conn_setters};
use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where to connect to, and how. For [`LocalLoop::connect`](crate::LocalLoop::connect) and
/// [`TcpClient::connect`](crate::TcpClient::connect).
#[derive(Clone)]
#[must_use]
pub struct Connect {
    pub(crate) target: Target,
    pub(crate) proxy: Option<Proxy>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsClientConfig>,
    pub(crate) settings: ConnSettings,
}

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
            settings: ConnSettings::new(),
        }
    }

    setters! {
        /// Speak TLS.
        #[cfg(feature = "tls")]
        with_tls(config: crate::tls::TlsClientConfig) => tls;

        /// Connect through this proxy; `None`, the default: directly. The proxy is told the target's name,
        /// which is not looked up here. [`open_timeout`](Self::open_timeout) is over both ways, and
        /// [`Conn::peer_addr`](super::Conn::peer_addr) is the proxy's. A Unix socket cannot be asked for.
        ///
        /// libhv: `TcpClient::setProxy`, `hio_set_proxy`.
        proxy(proxy: impl Into<Option<Proxy>>) => proxy;

        /// The account of the send queue; may be shared with handles.
        budget(budget: Arc<SendBudget>) => settings.budget;
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
