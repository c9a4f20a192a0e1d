//! What is sent as one.

use super::error::PingError;
use crate::events::Message;
use crate::protocol::{MAX_CONTROL_PAYLOAD, OpCode, Role, message_len};
use std::num::NonZeroUsize;

/// A control frame, or a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(super) opcode: OpCode,
    pub(super) payload: &'a [u8],
    /// The longest payload of a frame; `None`: a message is one frame.
    pub(super) fragment: Option<NonZeroUsize>,
}

impl<'a> Outgoing<'a> {
    /// A Ping of the user's.
    pub(crate) fn ping(payload: &'a [u8]) -> Result<Self, PingError> {
        match payload.len() {
            0..=MAX_CONTROL_PAYLOAD => Ok(Self::frame(OpCode::Ping, payload)),
            size => Err(PingError::TooLong { size }),
        }
    }

    /// One frame.
    pub(super) fn frame(opcode: OpCode, payload: &'a [u8]) -> Self {
        Self {
            opcode,
            payload,
            fragment: None,
        }
    }

    /// A message, in frames of at most `fragment` bytes of payload; 0: as one frame.
    pub(crate) fn fragmented(message: Message<'a>, fragment: usize) -> Self {
        Self {
            opcode: message.opcode(),
            payload: message.as_bytes(),
            fragment: NonZeroUsize::new(fragment),
        }
    }

    /// The same with a copy of its payload, or another one.
    pub(super) fn with<'b>(&self, payload: &'b [u8]) -> Outgoing<'b> {
        Outgoing { payload, ..*self }
    }

    /// How many bytes of the send queue it takes, at most.
    pub(super) fn queue_size(&self, role: Role) -> usize {
        message_len(self.payload.len(), self.fragment, role == Role::Client)
    }
}

/// What the handles of either role have alike: they have `send_outgoing`, and `on_websocket`, which runs a
/// closure on the connection that there is now.
macro_rules! handle_methods {
    () => {
        /// Sends a message: one frame, written at the end of the loop's turn.
        ///
        /// # Errors
        ///
        /// Not open, no room in the send queue (then `on_drain` tells when to try again), or the loop is
        /// closed; nothing was taken then. From another thread the connection may still end before the
        /// message gets there; it is never sent on a later one.
        ///
        /// libhv: `send`.
        pub fn send(&self, message: Message<'_>) -> Result<(), SendError> {
            self.send_outgoing(Outgoing::fragmented(message, 0))
        }

        /// Sends a text message. See [`send`](Self::send).
        ///
        /// # Errors
        ///
        /// As `send`.
        pub fn send_text(&self, text: &str) -> Result<(), SendError> {
            self.send(Message::Text(text))
        }

        /// Sends a binary message. See [`send`](Self::send).
        ///
        /// # Errors
        ///
        /// As `send`.
        ///
        /// libhv: `send(buf, len, WS_OPCODE_BINARY)`.
        pub fn send_binary(&self, data: &[u8]) -> Result<(), SendError> {
            self.send(Message::Binary(data))
        }

        /// Sends a message as frames of at most `fragment_bytes` bytes of payload (RFC 6455 section 5.4),
        /// for peers that have a limit for a frame; 0: as one frame. All of them are queued, or none; no
        /// other message comes between them. With permessage-deflate the compressed message is cut. Any
        /// thread.
        ///
        /// # Errors
        ///
        /// As `send`.
        ///
        /// libhv: `send(buf, len, fragment, opcode)`.
        pub fn send_fragmented(
            &self,
            message: Message<'_>,
            fragment_bytes: usize,
        ) -> Result<(), SendError> {
            self.send_outgoing(Outgoing::fragmented(message, fragment_bytes))
        }

        /// Sends a Ping with a payload of at most 125 bytes. This side answers the peer's Pings and watches
        /// its own by itself ([`ping_interval`](crate::ServiceOptions::ping_interval)).
        ///
        /// # Errors
        ///
        /// The payload is too long for a control frame (RFC 6455 section 5.5); or as `send`.
        ///
        /// libhv: `sendPing`.
        pub fn ping(&self, payload: &[u8]) -> Result<(), PingError> {
            Ok(self.send_outgoing(Outgoing::ping(payload)?)?)
        }

        /// Reads no further for now, so that a peer that sends faster than its messages are dealt with is
        /// held back by TCP. Called in a callback of this connection, no message follows that one; from
        /// another thread, those that are under way still come. Nothing is lost, unless the connection
        /// breaks meanwhile. It holds for the connection that there is now, and means nothing if that is not
        /// open. Any thread.
        ///
        /// While it is paused, the end of the connection may go unnoticed, no Ping is answered, and this
        /// side's own heartbeat is suspended. A close, or a stop, by whichever side of this program, reads
        /// on: what comes before the peer's Close is discarded then, as always.
        pub fn pause_reading(&self) {
            self.on_websocket(|websocket, local| websocket.pause_reading(local));
        }

        /// Reads again. Any thread.
        pub fn resume_reading(&self) {
            self.on_websocket(|websocket, local| websocket.resume_reading(local));
        }
    };
}
pub(crate) use handle_methods;
