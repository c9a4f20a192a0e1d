//! Descriptors that are not the library's.

use super::super::Poller;
use crate::log;
use crate::sys::Key;
#[cfg(unix)]
use mio::unix::SourceFd;
use std::io;
#[cfg(unix)]
use std::os::fd::AsRawFd;

/// What a user may put on the loop: a source of mio's. For a mere descriptor, see
/// [`LocalLoop::add_fd`](crate::LocalLoop::add_fd).
pub use mio::event::Source as ForeignSource;

/// What the loop looks for on a [`ForeignSource`] or a descriptor.
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

impl Interest {
    fn to_mio(self) -> mio::Interest {
        match self {
            Self::Read => mio::Interest::READABLE,
            Self::Write => mio::Interest::WRITABLE,
            Self::Both => mio::Interest::READABLE | mio::Interest::WRITABLE,
        }
    }
}

/// Registers with the poller.
pub(crate) fn register(
    source: &mut dyn ForeignSource,
    poller: &Poller,
    key: Key,
    interest: Interest,
) -> io::Result<()> {
    let token = mio::Token(key.to_token());
    let registry = poller.registry();
    registry.register(source, token, interest.to_mio())
}

/// Looks for something else from now on.
pub(crate) fn reregister(
    source: &mut dyn ForeignSource,
    poller: &Poller,
    key: Key,
    interest: Interest,
) -> io::Result<()> {
    let token = mio::Token(key.to_token());
    let registry = poller.registry();
    registry.reregister(source, token, interest.to_mio())
}

/// Takes it off the poller.
pub(crate) fn deregister(source: &mut dyn ForeignSource, poller: &Poller) {
    if let Err(e) = poller.registry().deregister(source) {
        log::debug!("hvloop: deregister: {e}");
    }
}

/// What has a descriptor, as a source.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct FdSource<T>(pub(crate) T);

#[cfg(unix)]
impl<T: AsRawFd> ForeignSource for FdSource<T> {
    fn register(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}
