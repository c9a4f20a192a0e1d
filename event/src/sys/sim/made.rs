//! The twin of sockets that were made elsewhere.

use super::world::fd::Fd;
use super::world::{World, backlog, packets};
use crate::sys::Address;
use std::io;
use std::net::SocketAddr;

/// A socket of this thread's world that is not the library's; dropping it closes it.
#[derive(Debug)]
pub struct OwnedSocket(Option<Made>);

/// What it is, by its number in the world.
#[derive(Debug, Clone, Copy)]
pub(super) enum Made {
    Stream(Fd),
    Listener(usize),
    Datagrams(usize),
}

impl OwnedSocket {
    /// A stream that is not connected, and its descriptor.
    ///
    /// # Errors
    ///
    /// The world has no descriptor to give.
    pub fn stream() -> io::Result<(Self, u64)> {
        let fd = World::here().socket()?;
        Ok((Self(Some(Made::Stream(fd))), fd))
    }

    /// A listener.
    ///
    /// # Errors
    ///
    /// As [`OwnedSocket::stream`], or the address is in use.
    pub fn listener(address: &Address, backlog: u32) -> io::Result<Self> {
        let id = backlog::listen(&World::here(), address, backlog, false)?;
        Ok(Self(Some(Made::Listener(id))))
    }

    /// A datagram socket, maybe with a peer.
    ///
    /// # Errors
    ///
    /// As [`OwnedSocket::listener`].
    pub fn datagrams(address: SocketAddr, peer: Option<SocketAddr>) -> io::Result<Self> {
        let id = packets::open_socket(&World::here(), address)?;
        if let Some(peer) = peer {
            packets::connect_socket(&World::here(), id, peer);
        }
        Ok(Self(Some(Made::Datagrams(id))))
    }

    /// It is somebody else's now, who closes it.
    pub(super) fn take(mut self) -> Option<Made> {
        self.0.take()
    }
}

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        let Some(world) = World::find() else { return };
        match self.0 {
            Some(Made::Stream(fd)) => world.close(fd),
            Some(Made::Listener(id)) => backlog::close_ear(&world, id),
            Some(Made::Datagrams(id)) => packets::close_socket(&world, id),
            None => {}
        }
    }
}

/// Every address is of its family.
pub(crate) fn fits(_socket: &OwnedSocket, _address: &Address) -> bool {
    true
}
