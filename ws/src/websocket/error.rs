//! Why a call was refused.

use crate::protocol::MAX_CONTROL_PAYLOAD;
use hvloop_event::SendError;

/// Why a `close` was refused: of [`WebSocketClient`](crate::WebSocketClient::close) or
/// [`WebSocketChannel`](crate::WebSocketChannel::close).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// An application may not send this code (RFC 6455 section 7.4).
    #[error("close code {0} may not be sent")]
    BadCode(u16),
}

/// Why a `ping` was refused: of [`WebSocketClient`](crate::WebSocketClient::ping) or
/// [`WebSocketChannel`](crate::WebSocketChannel::ping).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// The payload is longer than that of a control frame may be, 125 bytes (RFC 6455 section 5.5).
    #[error("a Ping of {size} bytes is over the {MAX_CONTROL_PAYLOAD} bytes allowed")]
    TooLong {
        /// Its length, in bytes.
        size: usize,
    },
    /// As of a message.
    #[error("{0}")]
    Send(#[from] SendError),
}
