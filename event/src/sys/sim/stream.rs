//! The twin of a non-blocking stream, TCP or Unix.

use super::made::{Made, OwnedSocket};
use super::poller::Poller;
use super::world::World;
use super::world::fd::Fd;
use crate::sys::Key;
use crate::sys::{Address, Got, SocketOptions};
use std::io;
use std::net::SocketAddr;

/// A stream of this thread's world; dropping it closes its descriptor.
#[derive(Debug)]
pub(crate) struct Stream {
    fd: Fd,
}

impl Stream {
    /// Starts a connect.
    ///
    /// # Errors
    ///
    /// The world has no descriptor to give.
    pub(crate) fn connect(address: &Address, _bind: Option<SocketAddr>) -> io::Result<Self> {
        let fd = World::here().connect(address)?;
        Ok(Self { fd })
    }

    /// As [`connect`](Self::connect), with a socket that was made elsewhere.
    ///
    /// # Errors
    ///
    /// It is no stream.
    pub(crate) fn connect_made(
        made: OwnedSocket,
        address: &Address,
    ) -> Result<Self, (io::Error, Option<OwnedSocket>)> {
        let Some(Made::Stream(fd)) = made.take() else {
            return Err((io::ErrorKind::InvalidInput.into(), None));
        };
        World::here().connect_socket(fd, address);
        Ok(Self { fd })
    }

    pub(super) fn accepted(fd: Fd) -> Self {
        Self { fd }
    }

    /// Registers with the poller for reading and writing.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        World::here().register(self.fd, poller.id(), key);
        Ok(())
    }

    /// Takes the stream off the poller.
    pub(crate) fn deregister(&mut self, _poller: &Poller) {
        World::here().deregister(self.fd);
    }

    /// The peer's address once connected, `None` while the connect goes on.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub(crate) fn connected(&self) -> io::Result<Option<Address>> {
        let connected = World::here().with_socket(self.fd, |socket| socket.connected())?;
        connected.then(|| self.peer()).transpose()
    }

    /// Whether it is connected to itself.
    pub(crate) fn is_to_itself(&self) -> bool {
        match (self.local(), self.peer()) {
            (Ok(local), Ok(peer)) => local.is_same_endpoint(&peer),
            _ => false,
        }
    }

    /// Nothing is kept of a connection here.
    pub(crate) fn reset_on_drop(&self) {}

    /// The pipes have sizes of their own, and nobody probes a peer here.
    pub(crate) fn set_up(&self, _options: &SocketOptions) {}

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// Not connected.
    pub(crate) fn peer(&self) -> io::Result<Address> {
        World::here().with_socket(self.fd, |socket| socket.peer_addr())
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn local(&self) -> io::Result<Address> {
        Ok(World::here().with_socket(self.fd, |socket| socket.local.clone()))
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<Got> {
        World::here().read(self.fd, buf)
    }

    /// Whether nothing is there to be read but what a poll will tell of.
    pub(crate) fn tells_of_data(&self) -> bool {
        World::here().with_socket(self.fd, |socket| {
            let nothing = socket.inbound.is_empty() && socket.inbound_end.is_none();
            nothing || socket.readable.set
        })
    }

    /// Writes what fits.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        World::here().write(self.fd, buf)
    }

    /// Writes what fits of both, one behind the other.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn write_parts(&mut self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        self.write(&[head, body].concat())
    }

    /// Bytes that came in and were not read.
    pub(crate) fn unread(&self) -> usize {
        World::here().with_socket(self.fd, |socket| socket.inbound.len())
    }

    /// Bytes sent that the peer may not have read, at most.
    pub(crate) fn send_buffer(&self) -> usize {
        World::here().faults().window
    }

    /// Ends the writing side.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        World::here().shutdown_write(self.fd)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(world) = World::find() {
            world.close(self.fd);
        }
    }
}
