//! The poller of a loop that no thread runs yet, and what wakes it.

use crate::sync::lock;
use crate::sys::{LoopWaker, Poller};
use std::io;
use std::sync::Mutex;

/// See the module.
pub(super) struct Parked {
    waker: LoopWaker,
    /// `None`: a thread runs the loop, or its descriptors were given back.
    poller: Mutex<Option<Poller>>,
}

impl Parked {
    /// Opens a poller; and its waker.
    pub(super) fn new() -> io::Result<(Self, LoopWaker)> {
        let (poller, waker) = Poller::new()?;
        let poller = Mutex::new(Some(poller));
        let parked = Self {
            waker: waker.clone(),
            poller,
        };
        Ok((parked, waker))
    }

    /// Takes the poller, or opens it again.
    pub(super) fn take(&self) -> io::Result<Poller> {
        match lock(&self.poller).take() {
            Some(poller) => Ok(poller),
            None => Poller::open_again(&self.waker),
        }
    }

    /// Gives the descriptors back, until [`take`](Self::take).
    #[cfg(not(hvloop_sim))]
    pub(super) fn park(&self) {
        let mut poller = lock(&self.poller);
        if let Some(poller) = poller.take() {
            drop(poller);
            self.waker.close();
        }
    }

    /// Gives them back for good.
    pub(super) fn close(&self) {
        drop(lock(&self.poller).take());
        self.waker.close();
    }
}
