//! Readiness from the operating system, through mio.

use super::sleep::sleep;
use crate::log;
use crate::sys::{Key, Readiness, Wait};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The token of the waker; no [`Key`] packs to it.
const WAKER: mio::Token = mio::Token(usize::MAX);
/// Events taken from the kernel in one poll. The rest stays in the kernel for the next one.
const EVENTS: usize = 1024;

/// The poller of one loop; used by the loop's thread alone.
#[derive(Debug)]
pub(crate) struct Poller {
    poll: mio::Poll,
    events: mio::Events,
    /// The last poll brought as many events as one can: there may be more.
    full: bool,
    /// It brought none.
    quiet: bool,
}

impl Poller {
    /// Opens a poller and the waker that interrupts it.
    ///
    /// # Errors
    ///
    /// What the system said: usually that the process has no file descriptor left.
    pub(crate) fn new() -> io::Result<(Self, LoopWaker)> {
        let poll = mio::Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        let events = mio::Events::with_capacity(EVENTS);
        let waker = LoopWaker(Arc::new(Mutex::new(Some(waker))));
        let poller = Self {
            poll,
            events,
            full: false,
            quiet: false,
        };
        Ok((poller, waker))
    }

    /// Opens a poller for a waker that was closed.
    ///
    /// # Errors
    ///
    /// As [`new`](Poller::new).
    pub(crate) fn open_again(waker: &LoopWaker) -> io::Result<Self> {
        let (poller, LoopWaker(fresh)) = Self::new()?;
        let fresh = fresh.lock().unwrap_or_else(PoisonError::into_inner).take();
        *waker.0.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(poller)
    }

    /// Blocks until something is ready, the waker was used or the wait is over, and adds what is ready to
    /// `out`. An interrupted wait is an empty answer, not an error.
    pub(crate) fn poll(&mut self, wait: Wait, out: &mut Vec<Readiness>) -> io::Result<()> {
        match sleep(&mut self.poll, &mut self.events, wait, self.quiet) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(e),
        }
        let count = self.events.iter().count();
        (self.full, self.quiet) = (count >= EVENTS, count == 0);
        out.extend(
            self.events
                .iter()
                .filter(|e| e.token() != WAKER)
                .map(|e| Readiness {
                    key: Key::from_token(e.token().0),
                    readable: e.is_readable(),
                    writable: e.is_writable(),
                    hangup: e.is_read_closed() || e.is_error(),
                    urgent: e.is_priority(),
                }),
        );
        Ok(())
    }

    /// Whether more may be ready than the last poll could tell. A host whose poll is edge-triggered
    /// is not told of that again.
    pub(crate) fn may_have_more(&self) -> bool {
        self.full
    }

    /// The descriptor that is readable when a poll would not block.
    #[cfg(unix)]
    pub(crate) fn fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.poll)
    }

    /// Where sockets register themselves.
    pub(crate) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }
}

/// Wakes a sleeping loop from any thread. Outlives the loop: waking a loop that is gone does
/// nothing.
#[derive(Debug, Clone)]
pub(crate) struct LoopWaker(Arc<Mutex<Option<mio::Waker>>>);

impl LoopWaker {
    /// Closes the waker's file descriptor; later wakes do nothing.
    pub(crate) fn close(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waker);
    }

    /// Makes the poll that blocks now, or the next one, return.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(e)) = waker.as_ref().map(mio::Waker::wake) {
            log::error!("hvloop: could not wake the loop: {e}");
        }
    }
}
