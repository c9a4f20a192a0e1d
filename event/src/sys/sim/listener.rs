//! The twin of a listening socket.

use super::made::{Made, OwnedSocket};
use super::poller::Poller;
use super::stream::Stream;
use super::world::World;
use super::world::backlog::{self, EXHAUSTED};
use crate::sys::Key;
use crate::sys::{Address, SocketOptions};
use std::io;

/// A listener of this thread's world; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Listener {
    id: usize,
}

impl Listener {
    /// Opens a listener.
    ///
    /// # Errors
    ///
    /// The address is in use, or the world has no descriptor to give.
    pub(crate) fn bind(
        address: &Address,
        backlog: u32,
        options: &SocketOptions,
    ) -> io::Result<Self> {
        let id = backlog::listen(&World::here(), address, backlog, options.reuse_port)?;
        Ok(Self { id })
    }

    /// A listener that was made elsewhere.
    ///
    /// # Errors
    ///
    /// It is none.
    pub(crate) fn made(socket: OwnedSocket) -> io::Result<Self> {
        match socket.take() {
            Some(Made::Listener(id)) => Ok(Self { id }),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// For another loop: there is one here.
    ///
    /// # Errors
    ///
    /// Always.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Registers with the poller.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        backlog::register_ear(&World::here(), self.id, Some((poller.id(), key)));
        Ok(())
    }

    /// Takes the listener off the poller.
    pub(crate) fn deregister(&mut self, _poller: &Poller) {
        backlog::register_ear(&World::here(), self.id, None);
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// Never; the operating system's twin has some.
    pub(crate) fn local(&self) -> io::Result<Address> {
        Ok(backlog::ear_address(&World::here(), self.id))
    }

    /// This side's address of all that it accepts: nobody listens at several here.
    pub(crate) fn only_local(&self) -> Option<Address> {
        self.local().ok()
    }

    /// Takes the next connection that waits.
    ///
    /// # Errors
    ///
    /// None waits, or the world says so, by its seed.
    pub(crate) fn accept(&self) -> io::Result<(Stream, Address)> {
        let (fd, peer) = backlog::accept(&World::here(), self.id)?;
        Ok((Stream::accepted(fd), peer))
    }

    /// Turns the connection that waits longest away.
    pub(crate) fn turn_away(&mut self) -> bool {
        backlog::turn_away(&World::here(), self.id)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(world) = World::find() {
            backlog::close_ear(&world, self.id);
        }
    }
}

/// What an error of [`Listener::accept`] means for the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// None waits.
    Blocked,
    /// One connection had ended before it was accepted; others may wait.
    Gone,
    /// There is no descriptor.
    Exhausted,
    /// Anything else.
    #[allow(dead_code, reason = "the operating system has more to say")]
    Other,
}

impl AcceptError {
    /// See the operating system's twin.
    pub(crate) fn of(e: &io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::WouldBlock => Self::Blocked,
            io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => Self::Gone,
            _ if e.to_string() == EXHAUSTED => Self::Exhausted,
            _ => Self::Other,
        }
    }
}
