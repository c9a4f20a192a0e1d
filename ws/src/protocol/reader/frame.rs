//! A frame whose header is read, and whose payload is coming.

/// Whose payload a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    Text,
    Binary,
    Ping,
    Pong,
    Close,
}

/// A frame whose header is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) target: Payload,
    /// The message ends with this frame.
    pub(super) fin: bool,
    /// The message is compressed.
    pub(super) compressed: bool,
    /// Nothing of the message is in the buffers: if the rest of the frame is in the input, then the
    /// message is.
    pub(super) untouched: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// How many bytes of the payload were unmasked.
    pub(super) done: usize,
    /// How many bytes of the payload are to come.
    pub(super) left: usize,
}

impl Frame {
    /// Whether it is one of a message.
    pub(super) fn is_data(&self) -> bool {
        matches!(self.target, Payload::Text | Payload::Binary)
    }
}
