//! What a poll says.

use super::Key;

/// What one poll said about one source. Edge-triggered: said once until used up.
// Large: the flags are the poller's own, each of which may come with any other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readiness {
    /// Whose event this is; may be stale.
    pub(crate) key: Key,
    /// There may be something to read, or the end of the stream, or an error.
    pub(crate) readable: bool,
    /// There may be room to write, or a connect has ended.
    pub(crate) writable: bool,
    /// The peer has ended its side, or the socket failed.
    pub(crate) hangup: bool,
    /// There is urgent data in the stream: a read stops before it, although more is there.
    pub(crate) urgent: bool,
}
