//! The twin of a UDP socket.

use super::made::{Made, OwnedSocket};
use super::poller::Poller;
use super::world::{World, packets};
use crate::sys::Key;
use crate::sys::{DatagramSettings, Interface, MulticastOut};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A datagram socket of this thread's world; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Datagrams {
    id: usize,
}

impl Datagrams {
    /// Opens a socket at that address.
    ///
    /// # Errors
    ///
    /// The address is in use, or the world has no descriptor to give.
    pub(crate) fn bind(address: SocketAddr, _settings: &DatagramSettings) -> io::Result<Self> {
        let id = packets::open_socket(&World::here(), address)?;
        Ok(Self { id })
    }

    /// A socket that was made elsewhere.
    ///
    /// # Errors
    ///
    /// It is none for datagrams.
    pub(crate) fn made(socket: OwnedSocket, _settings: &DatagramSettings) -> io::Result<Self> {
        match socket.take() {
            Some(Made::Datagrams(id)) => Ok(Self { id }),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// The one that it sends to and hears, if there is one.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        packets::socket_peer(&World::here(), self.id)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Registers with the poller.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        packets::register_socket(&World::here(), self.id, Some((poller.id(), key)));
        Ok(())
    }

    /// Takes the socket off the poller.
    pub(crate) fn deregister(&mut self, _poller: &Poller) {
        packets::register_socket(&World::here(), self.id, None);
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        Ok(packets::socket_address(&World::here(), self.id))
    }

    /// Sends to and hears from that address alone.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<()> {
        packets::connect_socket(&World::here(), self.id, to);
        Ok(())
    }

    /// The next datagram that waits.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        packets::receive(&World::here(), self.id, buf)
    }

    /// Sends one datagram.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn send(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        packets::send(&World::here(), self.id, data, to)
    }

    /// Whether an event will tell, or has still to tell, that there is room to send.
    pub(crate) fn tells_of_room(&self) -> bool {
        packets::tells_of_room(&World::here(), self.id)
    }

    /// There are no groups here.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn set_member(&self, _: IpAddr, _: Interface, _member: bool) -> io::Result<()> {
        Ok(())
    }

    /// There are no groups here.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn set_multicast(&self, _out: &MulticastOut) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        if let Some(world) = World::find() {
            packets::close_socket(&world, self.id);
        }
    }
}
