//! The twin of descriptors that are not the library's.

use super::poller::Poller;
use super::world::{Pipe, World, pipe};
use crate::sys::Key;
use std::io;

/// What a user may put on the loop.
pub trait ForeignSource {
    /// The pipe that it is.
    fn pipe(&self) -> &Pipe;
}

impl ForeignSource for Pipe {
    fn pipe(&self) -> &Pipe {
        self
    }
}

/// What the loop looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Room to write.
    Write,
    /// Both.
    Both,
}

/// Registers with the poller.
///
/// # Errors
///
/// Never; the operating system's twin has some.
pub(crate) fn register(
    source: &mut dyn ForeignSource,
    poller: &Poller,
    key: Key,
    _interest: Interest,
) -> io::Result<()> {
    pipe::register_pipe(&World::here(), source.pipe().id(), Some((poller.id(), key)));
    Ok(())
}

/// Looks for something else from now on: what holds already is told again.
///
/// # Errors
///
/// Never; the operating system's twin has some.
pub(crate) fn reregister(
    source: &mut dyn ForeignSource,
    poller: &Poller,
    key: Key,
    interest: Interest,
) -> io::Result<()> {
    register(source, poller, key, interest)
}

/// Takes it off the poller.
pub(crate) fn deregister(source: &mut dyn ForeignSource, _poller: &Poller) {
    pipe::register_pipe(&World::here(), source.pipe().id(), None);
}
