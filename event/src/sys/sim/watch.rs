//! Edges of readiness, and what a poller is told of something that is no connection.

use crate::sys::Key;

/// One direction's readiness.
#[derive(Default)]
pub(super) struct Edge {
    /// To be told at the next poll.
    pub(super) set: bool,
    /// Told, and `WouldBlock` has not been seen since: pollers other than epoll say no more.
    pub(super) used: bool,
}

/// What a poller is told of something that is no connection.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) open: bool,
    pub(super) poller: Option<(usize, Key)>,
    pub(super) readable: Edge,
    pub(super) writable: Edge,
}

impl Watch {
    pub(super) fn opened() -> Self {
        Self {
            open: true,
            ..Self::default()
        }
    }

    pub(super) fn is_ready(&self, poller: usize) -> bool {
        let mine = self.poller.is_some_and(|(id, _)| id == poller);
        mine && (self.readable.set || self.writable.set)
    }

    pub(super) fn close(&mut self) {
        self.open = false;
        self.poller = None;
    }
}

impl Edge {
    /// It is ready, anew. Unless a short read uses readiness up, nothing is told before
    /// `WouldBlock` was seen.
    pub(super) fn mark(&mut self, drained_by_short_io: bool) {
        self.set |= drained_by_short_io || !self.used;
    }
}
