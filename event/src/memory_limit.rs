//! What a server does when its connections hold too much memory.

use std::time::Duration;

/// What a server does while its connections together hold more memory than its limit
/// ([`TcpServer::set_memory_limit`](crate::TcpServer::set_memory_limit)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMemoryLimit {
    /// Closes those that hold the most, on whatever loop they are, until a sixteenth of the limit is free: a
    /// WebSocket with 1009 for an unfinished message and 1008 for what a pause holds back, and at once for
    /// its send queue; a [`Channel`](crate::Channel) with
    /// [`CloseReason::MemoryLimit`](crate::CloseReason::MemoryLimit).
    #[default]
    CloseGreediest,
    /// Reads no further, so that the systems of the peers hold them back: from 15/16 of the limit on those in
    /// the midst of a message or package, and at the limit all. On each loop one of them is read all the
    /// same: the one that is nearest to the end of its message, as far as that is known, else the one that
    /// holds the most. So messages are finished one after the other, and what they held is free for the
    /// next; and no more is held than the limit, one message a loop, and what is sent in answer. If it goes on for that long, the
    /// greediest are closed, as above, until an eighth is free: peers may trickle.
    PauseReading(Duration),
}
