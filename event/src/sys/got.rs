//! What one read of a stream brought.

/// What one read of a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Got {
    /// So many bytes; none are the end of the stream.
    pub(crate) bytes: usize,
    /// Whether more may be there, of which no event will tell: the buffer is full, or the read ended
    /// early for another reason than that nothing is left. `false`: this read has used up the
    /// readiness, and the one which would say `WouldBlock` can be saved, unless the poller spoke of
    /// urgent data.
    pub(crate) more: bool,
}
