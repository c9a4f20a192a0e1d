//! The twin of the poller: what is ready, and until when nothing is.

use super::world::World;
use crate::sys::{Readiness, Wait};
use std::io;

/// The poller of one loop.
#[derive(Debug)]
pub(crate) struct Poller {
    id: usize,
}

impl Poller {
    /// A poller of this thread's world, and its waker.
    ///
    /// # Errors
    ///
    /// The world has no file descriptor to give, by its seed.
    pub(crate) fn new() -> io::Result<(Self, LoopWaker)> {
        let id = World::here().open_poller()?;
        Ok((Self { id }, LoopWaker { id }))
    }

    /// No simulated loop gives its poller up before it runs.
    ///
    /// # Errors
    ///
    /// Always.
    pub(crate) fn open_again(_waker: &LoopWaker) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Lets the world go on until something is ready, the waker was used or the wait is over.
    ///
    /// # Errors
    ///
    /// The world says so, by its seed, or would sleep for ever.
    pub(crate) fn poll(&mut self, wait: Wait, out: &mut Vec<Readiness>) -> io::Result<()> {
        World::here().poll(self.id, wait.left(), out)
    }

    /// The world tells of all at once.
    pub(crate) fn may_have_more(&self) -> bool {
        false
    }

    pub(super) fn id(&self) -> usize {
        self.id
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if let Some(world) = World::find() {
            world.close_poller(self.id);
        }
    }
}

/// Wakes a loop that is in its poll.
#[derive(Debug, Clone)]
pub(crate) struct LoopWaker {
    id: usize,
}

impl LoopWaker {
    /// Later wakes do nothing.
    pub(crate) fn close(&self) {
        if let Some(world) = World::find() {
            world.close_waker(self.id);
        }
    }

    /// Makes the poll that blocks now, or the next one, return.
    pub(crate) fn wake(&self) {
        if let Some(world) = World::find() {
            world.wake(self.id);
        }
    }
}
