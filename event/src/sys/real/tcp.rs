//! Non-blocking TCP streams.

use super::super::Poller;
use crate::core::slots::Key;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

/// Whether a read or write that did less than it was asked for has used up the readiness, so that
/// the extra call which would say `WouldBlock` can be saved. True of epoll and kqueue; elsewhere
/// mio arms the socket again only on `WouldBlock`.
pub(crate) const fn short_io_means_drained() -> bool {
    cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "ios",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))
}

/// A non-blocking TCP stream, close-on-exec.
///
/// Only `read` and `write` are used, never `write_vectored`: std sends with `MSG_NOSIGNAL` in
/// `write` but not in `write_vectored`, which would raise SIGPIPE in a host that kept its default
/// disposition.
#[derive(Debug)]
pub(crate) struct TcpStream(mio::net::TcpStream);

impl TcpStream {
    /// Starts a connect. The outcome is read with [`TcpStream::connected`] once the stream is
    /// writable.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        mio::net::TcpStream::connect(address).map(Self)
    }

    /// Registers with the poller for reading and writing, once for the stream's whole life.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        poller.registry().register(
            &mut self.0,
            mio::Token(key.to_token()),
            mio::Interest::READABLE | mio::Interest::WRITABLE,
        )
    }

    /// Takes the stream off the poller; dropping it then closes it.
    pub(crate) fn deregister(&mut self, poller: &Poller) {
        if let Err(e) = poller.registry().deregister(&mut self.0) {
            log::debug!("hvloop: deregister: {e}");
        }
    }

    /// `Ok(true)` once connected, `Ok(false)` while the connect goes on, else why it failed.
    pub(crate) fn connected(&self) -> io::Result<bool> {
        if let Some(e) = self.0.take_error()? {
            return Err(e);
        }
        match self.0.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
            // Some systems say EINVAL of a socket that is not connected yet.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Turns Nagle's algorithm off (`true`) or on.
    pub(crate) fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.0.set_nodelay(on)
    }

    /// The address of the other side.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// The address of this side.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Reads what is there; `Ok(0)` is the end of the stream.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    /// Writes what fits; never raises SIGPIPE.
    pub(crate) fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    /// Ends the writing side (FIN after what was written).
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}
