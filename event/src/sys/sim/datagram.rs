//! The twin of a UDP socket.

use super::poller::Poller;
use super::world::World;
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
        let id = World::here().open_socket(address)?;
        Ok(Self { id })
    }

    /// Registers with the poller.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        World::here().register_socket(self.id, Some((poller.id(), key)));
        Ok(())
    }

    /// Takes the socket off the poller.
    pub(crate) fn deregister(&mut self, _poller: &Poller) {
        World::here().register_socket(self.id, None);
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        Ok(World::here().socket_address(self.id))
    }

    /// Sends to and hears from that address alone.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<()> {
        World::here().connect_socket(self.id, to);
        Ok(())
    }

    /// The next datagram that waits.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        World::here().receive(self.id, buf)
    }

    /// Sends one datagram.
    ///
    /// # Errors
    ///
    /// As of a socket.
    pub(crate) fn send(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        World::here().send(self.id, data, to)
    }

    /// Whether an event will tell, or has still to tell, that there is room to send.
    pub(crate) fn tells_of_room(&self) -> bool {
        World::here().tells_of_room(self.id)
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
            world.close_socket(self.id);
        }
    }
}
