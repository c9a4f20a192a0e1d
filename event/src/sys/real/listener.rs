//! Listening sockets: TCP and Unix.

use super::super::{Address, Poller, SocketOptions};
use super::made::{self, OwnedSocket};
use super::options::{before_bind, open};
use super::stream::Stream;
#[cfg(unix)]
use super::unix_name::{self, SocketFile};
use crate::log;
use crate::sys::Key;
use socket2::{SockRef, Socket, Type};
use std::fs::File;
use std::io;
use std::net::SocketAddr;

/// A non-blocking listening socket, close-on-exec.
#[derive(Debug)]
pub(crate) struct Listener {
    inner: Bound,
    /// A file descriptor to give up when there is no other, so that a connection which waits can be
    /// turned away: else it, and all behind it, would wait for ever.
    reserve: Option<File>,
    /// It was opened here.
    is_ours: bool,
}

#[derive(Debug)]
enum Bound {
    Tcp(mio::net::TcpListener),
    /// The file goes with the listener, and before it.
    #[cfg(unix)]
    Unix(
        #[allow(dead_code, reason = "dropped")] Option<SocketFile>,
        mio::net::UnixListener,
    ),
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($inner:expr, $l:ident => $call:expr) => {
        match $inner {
            Bound::Tcp($l) => $call,
            #[cfg(unix)]
            Bound::Unix(_, $l) => $call,
        }
    };
}

impl Listener {
    /// Opens a listener; connections wait in its backlog from now on.
    ///
    /// # Errors
    ///
    /// What the system said: the address is in use, there is no descriptor left.
    pub(crate) fn bind(
        address: &Address,
        backlog: u32,
        options: &SocketOptions,
    ) -> io::Result<Self> {
        let inner = match address {
            Address::Inet(address) => Bound::Tcp(bind_tcp(*address, backlog, options)?),
            #[cfg(unix)]
            Address::Unix(Some(path)) => {
                let (file, listener) = unix_name::bind(path, backlog)?;
                Bound::Unix(file, listener)
            }
            #[cfg(unix)]
            Address::Unix(None) => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        Ok(Self {
            inner,
            reserve: reserve(),
            is_ours: true,
        })
    }

    /// A listener that was made elsewhere. A Unix socket's file stays when it is closed: it is not ours.
    ///
    /// # Errors
    ///
    /// It does not listen, or is of no kind that is known here.
    pub(crate) fn made(socket: OwnedSocket) -> io::Result<Self> {
        let socket = made::take(socket, Type::STREAM)?;
        if !does_listen(&socket)? {
            return Err(made::unfit("the socket does not listen"));
        }
        Ok(Self {
            inner: Bound::of_socket(socket)?,
            reserve: reserve(),
            is_ours: false,
        })
    }

    /// The same listener once more, for another loop: who comes first gets what waits. The file of a Unix
    /// socket goes with the first one.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let socket = either!(&self.inner, l => SockRef::from(l).try_clone())?;
        Ok(Self {
            inner: Bound::of_socket(socket)?,
            reserve: reserve(),
            is_ours: false,
        })
    }

    /// Registers with the poller, once.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        let token = mio::Token(key.to_token());
        let registry = poller.registry();
        either!(&mut self.inner, l => registry.register(l, token, mio::Interest::READABLE))
    }

    /// Takes the listener off the poller; dropping it then closes it.
    pub(crate) fn deregister(&mut self, poller: &Poller) {
        if let Err(e) = either!(&mut self.inner, l => poller.registry().deregister(l)) {
            log::debug!("hvloop: deregister: {e}");
        }
    }

    /// The address that it listens at.
    pub(crate) fn local(&self) -> io::Result<Address> {
        match &self.inner {
            Bound::Tcp(listener) => listener.local_addr().map(Address::Inet),
            #[cfg(unix)]
            Bound::Unix(_, listener) => listener.local_addr().map(|a| unix_name::address(&a)),
        }
    }

    /// This side's address of all that it accepts; `None`: each has its own. So where the host has several for it,
    /// and maybe where it was made elsewhere, such as a transparent one (IP_TRANSPARENT).
    pub(crate) fn only_local(&self) -> Option<Address> {
        let address = self.local().ok().filter(|_| self.is_ours)?;
        let is_one = address
            .inet()
            .is_none_or(|inet| !inet.ip().is_unspecified());
        is_one.then_some(address)
    }

    /// Takes the next connection that waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: none waits. See [`AcceptError`] for the others.
    pub(crate) fn accept(&self) -> io::Result<(Stream, Address)> {
        match &self.inner {
            Bound::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((Stream::Tcp(stream), Address::Inet(peer)))
            }
            #[cfg(unix)]
            Bound::Unix(_, listener) => {
                let (stream, peer) = listener.accept()?;
                super::stream::no_sigpipe(&stream)?;
                Ok((Stream::Unix(stream), unix_name::address(&peer)))
            }
        }
    }

    /// Without a descriptor for the connection that waits longest: turns it away with the one in
    /// reserve. `false`: there was none in reserve, or none waits.
    pub(crate) fn turn_away(&mut self) -> bool {
        let had = self.reserve.take().is_some();
        let turned = had && self.accept().is_ok();
        self.reserve = reserve();
        turned
    }
}

impl Bound {
    fn of_socket(socket: Socket) -> io::Result<Self> {
        let own = socket.local_addr()?;
        if own.as_socket().is_some() {
            return Ok(Self::Tcp(mio::net::TcpListener::from_std(socket.into())));
        }
        #[cfg(unix)]
        if own.is_unix() {
            let listener = mio::net::UnixListener::from_std(socket.into());
            return Ok(Self::Unix(None, listener));
        }
        Err(made::unfit("the socket is neither of TCP nor of Unix"))
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Listener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        either!(&self.inner, l => l.as_fd())
    }
}

/// Whether it listens, where the system says so.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn does_listen(socket: &Socket) -> io::Result<bool> {
    socket.is_listener()
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn does_listen(_socket: &Socket) -> io::Result<bool> {
    Ok(true)
}

/// What an error of [`Listener::accept`] means for the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// None waits.
    Blocked,
    /// One connection had ended before it was accepted; others may wait.
    Gone,
    /// The process or the system is out of descriptors or memory.
    Exhausted,
    /// Anything else.
    Other,
}

impl AcceptError {
    /// See accept(2): errors that are pending on the new socket are told here, too.
    pub(crate) fn of(e: &io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::WouldBlock => return Self::Blocked,
            io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::PermissionDenied => return Self::Gone,
            io::ErrorKind::OutOfMemory => return Self::Exhausted,
            _ => {}
        }
        #[cfg(unix)]
        match e.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                return Self::Exhausted;
            }
            Some(
                libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH,
            ) => return Self::Gone,
            _ => {}
        }
        Self::Other
    }
}

fn reserve() -> Option<File> {
    let path = if cfg!(windows) { "NUL" } else { "/dev/null" };
    let opened = File::open(path);
    if let Err(e) = &opened {
        log::debug!("hvloop: no file descriptor in reserve: {e}");
    }
    opened.ok()
}

fn bind_tcp(
    address: SocketAddr,
    backlog: u32,
    options: &SocketOptions,
) -> io::Result<mio::net::TcpListener> {
    let socket = open(address, Type::STREAM)?;
    // Else a port could not be bound again while connections of its last listener are in TIME_WAIT.
    // On Windows it would mean that a port in use may be taken.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    before_bind(&socket, address, options)?;
    socket.bind(&address.into())?;
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    Ok(mio::net::TcpListener::from_std(socket.into()))
}
