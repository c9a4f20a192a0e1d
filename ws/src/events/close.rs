//! The end of an attempt to connect, or of a session.

use super::ConnectionError;
use std::fmt;
use std::time::Duration;

/// Who began the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Initiator {
    /// This side: `close()`, a deadline, or an error found here: in what the peer said (a frame, the
    /// answer to the upgrade, a certificate, a redirect that is not followed), in a lookup, or in a
    /// socket of this host.
    Local,
    /// The peer, or what is before it: its Close, its end of the stream, a reset, its refusal (of the
    /// connect, of the certificate of this side, of the upgrade).
    Remote,
    /// The loop's stop.
    Loop,
}

/// The end of one attempt to connect, or of the session that it became.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CloseEvent {
    /// The close code (RFC 6455 section 7.1.5): the one in the peer's Close frame; 1005 if that had
    /// none; 1006 if there was no Close frame from the peer.
    pub code: u16,
    /// The reason in the peer's Close frame.
    pub reason: String,
    /// Whether both sides sent a Close frame, and all that this side had accepted was written.
    pub clean: bool,
    /// Who began it.
    pub initiator: Initiator,
    /// What went wrong, if anything did.
    pub error: Option<ConnectionError>,
    /// The status of an answer that refused the upgrade.
    pub http_status: Option<u16>,
    /// Bytes of messages, in their frames, that were accepted for sending, on whatever thread, and that the
    /// socket never took. What it took may still not have arrived.
    pub lost: usize,
    /// Whether the session had been open, that is, `on_open` was called.
    pub was_open: bool,
    /// Which attempt since `open()` this was, counted from 1.
    pub attempt: u32,
    /// When the client tries again, counted from now; `None`: not by itself.
    pub reconnect_in: Option<Duration>,
}

impl fmt::Display for CloseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, " {:?}", self.reason)?;
        }
        if let Some(error) = &self.error {
            write!(f, ": {error}")?;
        }
        Ok(())
    }
}
