//! Where to listen, and how what is accepted is treated.

use super::listen_error::ListenError;
use crate::core::slots::OwnKey;
use crate::sys::{Address, Listener, OwnedSocket};
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
    /// A listener that was made elsewhere and listens already: by the code around this library, by the process
    /// that started this one, or by a service manager (socket activation). `listen` says how what is accepted is
    /// treated; its address and its backlog do not count, nor do options that a socket must have before it is
    /// bound. From now on the listener is non-blocking, for whoever else has it, too, and close-on-exec. The file
    /// of a Unix socket stays when it is closed. Any thread.
    ///
    /// A service that inetd (`wait`) or systemd (`StandardInput=socket`) starts has its listener in the place of
    /// its standard input:
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(unix)] {
    /// use hvloop_event::{EventLoop, Listen, Listening, TcpServer};
    /// use std::os::fd::AsFd;
    ///
    /// let listener = std::io::stdin().as_fd().try_clone_to_owned()?;
    /// let listen = Listen::tcp(([127, 0, 0, 1], 0)); // how connections are treated
    /// let listening = Listening::from_listener(listener, listen)?;
    ///
    /// let event_loop = EventLoop::new()?;
    /// let server = TcpServer::new(&event_loop);
    /// server.on_message(|channel, data| {
    ///     channel.send(data).unwrap_or_else(|e| eprintln!("{e}"));
    /// });
    /// println!("serving at {}", server.listen_on(listening)?);
    /// event_loop.run()?;
    /// # } Ok(()) }
    /// ```
    ///
    /// Where listeners come at the descriptors from 3 on (`LISTEN_FDS`), a package such as `listenfd` takes
    /// them, and gives the [`TcpListener`](std::net::TcpListener) or `UnixListener` for this call.
    ///
    /// # Errors
    ///
    /// It does not listen, or is neither of TCP nor of Unix; what the system said. It is closed then.
    ///
    /// libhv: `TcpServer::setListenFD`, `haccept`.
    pub fn from_listener(
        listener: impl Into<OwnedSocket>,
        mut listen: Listen,
    ) -> Result<Self, ListenError> {
        let taken = Listener::made(listener.into());
        let taken = taken.and_then(|listener| Ok((listener.local()?, listener)));
        let (address, listener) = taken.map_err(|e| ListenError::io(e, listen.address.clone()))?;
        listen.address = address;
        Ok(Self {
            listener,
            listen: Arc::new(listen),
        })
    }

    /// The same listener, with connections treated as `listen` says, whose address and backlog do not count, nor
    /// do options that a socket must have before it is bound: for what is known only after the address was taken,
    /// such as certificates.
    pub fn with(self, mut listen: Listen) -> Self {
        listen.address = self.address().clone();
        listen.backlog = self.listen.backlog;
        Self {
            listener: self.listener,
            listen: Arc::new(listen),
        }
    }

    /// The address that it listens at.
    pub fn address(&self) -> &Address {
        &self.listen.address
    }

    /// The same for one more loop.
    pub(crate) fn try_clone(&self) -> Result<Self, ListenError> {
        let cloned = self.listener.try_clone();
        let listener = cloned.map_err(|e| ListenError::io(e, self.address().clone()))?;
        Ok(Self {
            listener,
            listen: self.listen.clone(),
        })
    }
}

/// For options that the library does not know, and for logs.
#[cfg(all(unix, not(hvloop_sim)))]
impl std::os::fd::AsFd for Listening {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Names a listener of one loop. Never names another one, also when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(crate) OwnKey);

debug_fields!(Listen, this: "address" = this.address);
