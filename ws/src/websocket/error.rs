//! Why a call was refused.

use crate::protocol::MAX_CONTROL_PAYLOAD;
use hvloop_event::SendError;
use std::error::Error;
use std::fmt;

/// Why a `close` was refused: of [`WebSocketClient`](crate::WebSocketClient::close) or
/// [`WebSocketChannel`](crate::WebSocketChannel::close).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// An application may not send this code (RFC 6455 section 7.4).
    BadCode(u16),
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCode(code) => write!(f, "close code {code} may not be sent"),
        }
    }
}

impl Error for CloseError {}

/// Why a `ping` was refused: of [`WebSocketClient`](crate::WebSocketClient::ping) or
/// [`WebSocketChannel`](crate::WebSocketChannel::ping).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PingError {
    /// The payload is longer than that of a control frame may be, 125 bytes (RFC 6455 section 5.5).
    TooLong {
        /// Its length, in bytes.
        size: usize,
    },
    /// As of a message.
    Send(SendError),
}

impl From<SendError> for PingError {
    fn from(e: SendError) -> Self {
        Self::Send(e)
    }
}

impl fmt::Display for PingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { size } => write!(
                f,
                "a Ping of {size} bytes is over the {MAX_CONTROL_PAYLOAD} bytes allowed"
            ),
            Self::Send(e) => write!(f, "{e}"),
        }
    }
}

impl Error for PingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Send(e) => Some(e),
            Self::TooLong { .. } => None,
        }
    }
}
