//! A descriptor of a user's: something to read comes at times.

use super::World;
use crate::sys::Key;
use crate::sys::sim::watch::Watch;
use std::collections::VecDeque;
use std::io;

/// The state of a [`Pipe`].
pub(in crate::sys::sim) struct PipeEnd {
    pub(in crate::sys::sim) watch: Watch,
    unread: VecDeque<u8>,
}

/// The reading end of a pipe of this thread's world; dropping it closes it.
#[derive(Debug)]
pub struct Pipe {
    id: usize,
}

impl Pipe {
    /// Its number, for [`World::fill`].
    pub fn id(&self) -> usize {
        self.id
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: nothing.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let world = World::here();
        let mut net = world.net.borrow_mut();
        let pipe = &mut net.pipes[self.id];
        if pipe.unread.is_empty() {
            pipe.watch.readable.used = false;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = buf.len().min(pipe.unread.len());
        for (to, from) in buf.iter_mut().zip(pipe.unread.drain(..n)) {
            *to = from;
        }
        Ok(n)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Some(world) = World::find() {
            world.net.borrow_mut().pipes[self.id].watch.close();
        }
    }
}

/// Opens a pipe.
pub(in crate::sys::sim) fn open(world: &World) -> Pipe {
    let mut net = world.net.borrow_mut();
    net.pipes.push(PipeEnd {
        watch: Watch::opened(),
        unread: VecDeque::new(),
    });
    Pipe {
        id: net.pipes.len() - 1,
    }
}

/// Writes into a pipe's other end.
pub(in crate::sys::sim) fn fill(world: &World, pipe: usize, data: &[u8]) {
    let short = world.faults().drained_by_short_io;
    let mut net = world.net.borrow_mut();
    let pipe = &mut net.pipes[pipe];
    pipe.unread.extend(data);
    pipe.watch.readable.mark(short);
}

pub(in crate::sys::sim) fn register_pipe(world: &World, id: usize, at: Option<(usize, Key)>) {
    let mut net = world.net.borrow_mut();
    let pipe = &mut net.pipes[id];
    pipe.watch.poller = at;
    pipe.watch.readable.set |= !pipe.unread.is_empty();
}
