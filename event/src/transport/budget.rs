//! How much a connection may have queued: counted in bytes, over all threads.

use crate::error::SendError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The send queue's account, shared by the loop and the handles of a connection (or of a client,
/// over its reconnects).
///
/// Bytes are counted from when a send is accepted, on whatever thread, until the socket took
/// them or the connection ended.
#[derive(Debug)]
pub struct SendBudget {
    queued: AtomicUsize,
    limit: AtomicUsize,
}

impl SendBudget {
    /// An empty account with a limit in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            queued: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
        }
    }

    /// Bytes accepted and not yet taken by the socket. Any thread.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// The limit in bytes. Any thread.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets the limit in bytes; what is queued already stays. Any thread.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Takes room for `size` bytes, all or nothing. Any thread.
    ///
    /// # Errors
    ///
    /// [`SendError::QueueFull`].
    pub fn reserve(&self, size: usize) -> Result<(), SendError> {
        let limit = self.limit();
        self.queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| {
                queued.checked_add(size).filter(|&sum| sum <= limit)
            })
            .map(|_| ())
            .map_err(|queued| SendError::QueueFull {
                limit,
                queued,
                size,
            })
    }

    /// Counts `size` bytes whatever the limit: what the protocol must send, such as a Close.
    pub fn add(&self, size: usize) {
        self.queued.fetch_add(size, Ordering::Relaxed);
    }

    /// Gives room back: for bytes that were reserved and will never reach a connection.
    pub fn release(&self, size: usize) {
        let before = self.queued.fetch_sub(size, Ordering::Relaxed);
        debug_assert!(before >= size, "released {size} of {before} queued bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_strict_and_names_the_sizes() {
        let budget = SendBudget::new(10);
        assert_eq!(budget.reserve(10), Ok(()));
        let full = SendError::QueueFull {
            limit: 10,
            queued: 10,
            size: 1,
        };
        assert_eq!(budget.reserve(1), Err(full));
        budget.add(5);
        assert_eq!(budget.queued(), 15);
        budget.release(15);
        assert!(budget.reserve(usize::MAX).is_err());
        assert_eq!(budget.reserve(10), Ok(()));
    }
}
