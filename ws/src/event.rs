//! What the callbacks are told, in either role.

use crate::client::{PrepareError, RedirectError};
use crate::handshake::{BadRequest, HandshakeError, UpgradeError};
use crate::protocol::ProtocolError;
use hvloop_event::CloseReason;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A message, borrowed for the time of the callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message (opcode 1), valid UTF-8.
    Text(&'a str),
    /// A binary message (opcode 2).
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload's bytes, of either kind.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

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

/// What went wrong with a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionError {
    /// Below WebSocket: DNS, connect, TLS, a time-out, the socket.
    Transport(CloseReason),
    /// In the upgrade.
    Handshake(Arc<HandshakeError>),
    /// TLS agreed on a protocol that is not HTTP/1.1 (ALPN): a server that speaks that alone, which
    /// the client's own TLS configuration offered.
    WrongAlpn(String),
    /// The server's answer to the upgrade was a redirect that was not followed.
    Redirect(Arc<RedirectError>),
    /// The attempt was not begun: its hook did not let it
    /// ([`ClientOptions::before_connect`](crate::ClientOptions::before_connect)).
    Prepare(PrepareError),
    /// The peer ended the connection in the middle of the upgrade.
    UpgradeInterrupted,
    /// What a client sent is no request.
    BadRequest(BadRequest),
    /// A client's request for a WebSocket was not a proper one.
    BadUpgrade(UpgradeError),
    /// This server refused the upgrade with that HTTP status.
    Refused(u16),
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// The peer sent nothing within the ping interval and the pong deadline together.
    PeerSilent(Duration),
    /// The peer did not answer the Close in time.
    CloseTimedOut(Duration),
    /// The peer did not finish a message, or a frame, in time after it had begun it: see `message_timeout`
    /// of the options. It was told 1008.
    MessageTimedOut(Duration),
    /// The send queue had no room for a message, and the options say
    /// [`WhenFull::Close`](crate::WhenFull::Close).
    PeerTooSlow,
    /// The connections of the loop held more than so many bytes
    /// ([`LoopOptions::memory_limit`](hvloop_event::LoopOptions::memory_limit)), this one the most.
    MemoryLimit(usize),
    /// A callback panicked.
    CallbackPanicked,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(reason) => write!(f, "{reason}"),
            Self::Handshake(e) => write!(f, "the upgrade failed: {e}"),
            Self::WrongAlpn(name) => write!(f, "TLS agreed on {name:?}, not on HTTP/1.1"),
            Self::Redirect(e) => write!(f, "{e}"),
            Self::Prepare(e) => write!(f, "{e}"),
            Self::UpgradeInterrupted => f.write_str("the peer ended the upgrade"),
            Self::BadRequest(e) => write!(f, "{e}"),
            Self::BadUpgrade(e) => write!(f, "{e}"),
            Self::Refused(status) => write!(f, "refused with HTTP status {status}"),
            Self::Protocol(e) => write!(f, "the peer broke the protocol: {e}"),
            Self::PeerSilent(t) => write!(f, "the peer sent nothing for {t:?}"),
            Self::CloseTimedOut(t) => write!(f, "the peer did not answer the Close within {t:?}"),
            Self::MessageTimedOut(t) => write!(f, "the peer did not finish a message within {t:?}"),
            Self::MemoryLimit(limit) => write!(
                f,
                "the loop's connections held more than {limit} bytes, this one the most"
            ),
            Self::PeerTooSlow => f.write_str("the peer was too slow for what was sent"),
            Self::CallbackPanicked => f.write_str("a callback panicked"),
        }
    }
}

impl std::error::Error for ConnectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(reason) => Some(reason),
            Self::Handshake(e) => Some(&**e),
            Self::Redirect(e) => Some(&**e),
            Self::Prepare(e) => Some(e),
            Self::Protocol(e) => Some(e),
            Self::BadRequest(e) => Some(e),
            Self::BadUpgrade(e) => Some(e),
            _ => None,
        }
    }
}
