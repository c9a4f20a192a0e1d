//! Where to listen, and how what is accepted is treated.

use super::listen_error::ListenError;
use crate::core::slots::OwnKey;
use crate::sys::{Address, Listener};
use crate::transport::budget::SendBudget;
use crate::transport::settings::{ConnSettings, conn_setters};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where to listen, and how accepted connections are treated. For
/// [`TcpServer::listen`](crate::TcpServer::listen) and
/// [`LocalLoop::listen`](crate::LocalLoop::listen).
#[derive(Clone)]
#[must_use]
pub struct Listen {
    pub(crate) address: Address,
    pub(crate) backlog: u32,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsServerConfig>,
    pub(crate) settings: ConnSettings,
}

impl Listen {
    /// Connections that may wait to be accepted, unless [`backlog`](Listen::backlog) says otherwise.
    pub const DEFAULT_BACKLOG: u32 = 1024;

    /// At an IP address and port; port 0: any that is free. Defaults for each connection: no TLS,
    /// 10 s for the handshakes, 16 MiB send queue, 30 s to write some of it, 5 s to close, TCP_NODELAY
    /// on, no keepalive and no limit to how long it may be quiet.
    pub fn tcp(address: impl Into<SocketAddr>) -> Self {
        Self::at(Address::Inet(address.into()))
    }

    /// At a path, with the same defaults. The socket file is removed when the listener closes. One that
    /// was left behind, and whose socket nobody has open any more, is taken over: of several listeners at
    /// once, also of other processes, by one, under a lock on the directory (`flock`, for which it must be
    /// readable). Who has the socket is not asked and does not notice. What is no socket stays.
    ///
    /// On Linux and Android a path that begins with `@` or a NUL is an abstract name, which has no file
    /// and no access rights; the file `@x` is `./@x`.
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(Address::Unix(Some(crate::sys::unix_name(path.into()))))
    }

    fn at(address: Address) -> Self {
        Self {
            address,
            backlog: Self::DEFAULT_BACKLOG,
            #[cfg(feature = "tls")]
            tls: None,
            settings: ConnSettings::new(),
        }
    }

    setters! {
        /// Speak TLS.
        #[cfg(feature = "tls")]
        with_tls(config: crate::tls::TlsServerConfig) => tls;

        /// Connections that may wait to be accepted; the system may have a lower limit. Default 1024.
        backlog(connections: u32) => backlog;
    }

    /// The limit of each connection's send queue, in bytes. Default 16 MiB.
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.settings.budget = Arc::new(SendBudget::new(bytes));
        self
    }

    conn_setters!();

    /// Opens the listener: from now on connections wait in its backlog, until a loop has it. Any
    /// thread.
    ///
    /// # Errors
    ///
    /// What the system said, usually that the address is in use.
    pub fn bind(mut self) -> Result<Listening, ListenError> {
        let opened = Listener::bind(&self.address, self.backlog, &self.settings.socket);
        // Where port 0 led.
        let opened = opened.and_then(|listener| Ok((listener.local()?, listener)));
        let (address, listener) = opened.map_err(|e| ListenError::io(e, self.address.clone()))?;
        self.address = address;
        Ok(Listening {
            listener,
            listen: Arc::new(self),
        })
    }
}

/// An open listener on its way to a loop: see [`LocalLoop::listen`](crate::LocalLoop::listen).
/// Dropping it closes it.
#[derive(Debug)]
#[must_use = "dropping a Listening closes the listener"]
pub struct Listening {
    pub(crate) listener: Listener,
    pub(crate) listen: Arc<Listen>,
}

impl Listening {
    /// The address that it listens at.
    pub fn address(&self) -> &Address {
        &self.listen.address
    }
}

/// Names a listener of one loop. Never names another one, also when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(crate) OwnKey);

debug_fields!(Listen, this: "address" = this.address);
