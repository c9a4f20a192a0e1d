//! Messages that are not whole, and control frames that came in pieces.

use super::frame::Payload;
use crate::protocol::ProtocolError;
use crate::protocol::utf8::TextBuffer;
use std::cell::Cell;

/// How much memory a buffer keeps from one message to the next, in bytes. An idle connection has
/// to be small; a stream of short messages cut by the ends of reads should not allocate each time.
pub(super) const KEEP: usize = 256;

/// The least that is allocated ahead of the data, in bytes, for a message that spans reads.
pub(super) const MIN_AHEAD: usize = 1024;

/// The most that is allocated ahead of the data, in bytes: what a peer announces is no reason to
/// give it memory.
const MAX_AHEAD: usize = 1 << 20;

/// See the module. One message at most, of either kind, and one control frame inside of it.
pub(super) struct Gathered {
    max_message: usize,
    text: TextBuffer,
    binary: Vec<u8>,
    control: Vec<u8>,
    /// Something was borrowed to be delivered: that buffer is to be cleared.
    delivered: Cell<bool>,
}

impl Gathered {
    /// For messages of at most so many bytes.
    pub(super) fn new(max_message: usize) -> Self {
        Self {
            max_message,
            text: TextBuffer::default(),
            binary: Vec::new(),
            control: Vec::new(),
            delivered: Cell::new(false),
        }
    }

    /// Bytes of the message so far.
    pub(super) fn len(&self) -> usize {
        self.text.len() + self.binary.len() // one of the two is empty
    }

    /// Bytes of memory that all of it takes.
    pub(super) fn memory(&self) -> usize {
        self.text.capacity() + self.binary.capacity() + self.control.capacity()
    }

    /// The text, which is whole, to be delivered.
    pub(super) fn text(&self) -> &str {
        self.delivered.set(true);
        self.text.as_str()
    }

    /// What is no text, and whole, to be delivered.
    pub(super) fn bytes(&self, target: Payload) -> &[u8] {
        self.delivered.set(true);
        match target {
            Payload::Binary => &self.binary,
            _ => &self.control,
        }
    }

    /// The text is over: it must not end inside a character.
    pub(super) fn finish_text(&self) -> Result<(), ProtocolError> {
        self.text.finish().map_err(|_| ProtocolError::InvalidUtf8)
    }

    /// Adds a portion of what was inflated, if the limit lets it.
    pub(super) fn add_inflated(
        &mut self,
        target: Payload,
        portion: &[u8],
    ) -> Result<(), ProtocolError> {
        let size = self.len() + portion.len();
        let limit = self.max_message;
        if size > limit {
            let size = size as u64;
            return Err(ProtocolError::MessageTooBig { limit, size });
        }
        self.add(target, portion, 0)
    }

    /// Adds a piece of a payload to its buffer; `left` bytes of the same frame are to come.
    pub(super) fn add(
        &mut self,
        target: Payload,
        piece: &[u8],
        left: usize,
    ) -> Result<(), ProtocolError> {
        match target {
            Payload::Text => {
                let (len, capacity) = (self.text.len(), self.text.capacity());
                if let Some(additional) = grow_by(len, capacity, piece.len(), left) {
                    self.text.reserve(additional);
                }
                self.text
                    .push(piece)
                    .map_err(|_| ProtocolError::InvalidUtf8)
            }
            Payload::Binary => {
                let (len, capacity) = (self.binary.len(), self.binary.capacity());
                if let Some(additional) = grow_by(len, capacity, piece.len(), left) {
                    self.binary.reserve_exact(additional);
                }
                self.binary.extend_from_slice(piece);
                Ok(())
            }
            Payload::Ping | Payload::Pong | Payload::Close => {
                self.control.reserve_exact(piece.len() + left); // at most 125 bytes
                self.control.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Clears what was delivered last. A control frame may have come between the fragments of a message,
    /// which `goes_on`: its buffer then stays.
    pub(super) fn recycle(&mut self, goes_on: bool) {
        if !self.delivered.take() {
            return;
        }
        self.control = Vec::new();
        if !goes_on {
            self.text.clear(KEEP);
            if self.binary.capacity() > KEEP {
                self.binary = Vec::new();
            } else {
                self.binary.clear();
            }
        }
    }

    /// Gives back the memory of messages; a control frame may be half there.
    pub(super) fn drop_messages(&mut self) {
        self.text.clear(0);
        self.binary = Vec::new();
    }

    /// Gives back all memory.
    pub(super) fn release(&mut self) {
        self.drop_messages();
        self.control = Vec::new();
    }
}

/// By how many bytes a buffer of `len` bytes should grow to take `piece` bytes, when `left` more
/// are announced; `None` when it has room.
///
/// Room is made for the announced rest, as far as that does not exceed what arrived
/// ([`MIN_AHEAD`] and [`MAX_AHEAD`] aside); and always for half of what is there, so that the
/// copies of a growing buffer stay linear in its final size, however short the pieces are.
fn grow_by(len: usize, capacity: usize, piece: usize, left: usize) -> Option<usize> {
    if capacity.saturating_sub(len) >= piece {
        return None;
    }
    let ahead = (len + piece).clamp(MIN_AHEAD, MAX_AHEAD);
    Some((piece + left.min(ahead)).max(len / 2))
}

#[cfg(test)]
mod tests {
    use super::grow_by;

    #[test]
    fn growth_is_linear_however_short_the_pieces() {
        let (mut len, mut capacity, mut copied) = (0, 0, 0);
        for _ in 0..1_000_000 {
            if let Some(additional) = grow_by(len, capacity, 1, 0) {
                assert!(additional >= 1);
                copied += len;
                capacity = len + additional;
            }
            len += 1;
        }
        assert!(copied <= 4 * len, "{copied} bytes copied for {len}");
        assert!(capacity <= 2 * len);
    }
}
