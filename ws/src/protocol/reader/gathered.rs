//! Messages that are not whole, and control frames that came in pieces.

use super::binary::BinaryBuffer;
use super::frame::Payload;
use crate::protocol::ProtocolError;
use crate::protocol::utf8::TextBuffer;
use std::cell::Cell;

/// Where the memory of messages that are not whole comes from, and goes to: a connection between two
/// messages has none.
pub(crate) trait Buffers {
    /// A buffer with room for `size` bytes, and for `ideal` ones if there is one at hand. What is in it is of no
    /// meaning.
    fn take(&self, size: usize, ideal: usize) -> Vec<u8>;
    /// Nobody needs this one now.
    fn give(&self, buffer: Vec<u8>);
}

/// From the system, for each message anew.
pub(super) struct Fresh;

impl Buffers for Fresh {
    fn take(&self, size: usize, _: usize) -> Vec<u8> {
        Vec::with_capacity(size)
    }

    fn give(&self, _: Vec<u8>) {}
}

/// The least that is allocated ahead of the data, in bytes, for a message that spans reads.
pub(super) const MIN_AHEAD: usize = 1024;

/// The most that is allocated ahead of the data, in bytes: what a peer announces is no reason to
/// give it memory.
const MAX_AHEAD: usize = 1 << 20;

/// From this length on, in bytes, the next of a message are worth a read of their own.
const LONG: usize = 32 * 1024;

/// See the module. One message at most, of either kind, and one control frame inside of it.
pub(super) struct Gathered {
    max_message: usize,
    text: TextBuffer,
    binary: BinaryBuffer,
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
            binary: BinaryBuffer::default(),
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
            Payload::Binary => self.binary.as_slice(),
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
        buffers: &dyn Buffers,
    ) -> Result<(), ProtocolError> {
        let size = self.len() + portion.len();
        let limit = self.max_message;
        if size > limit {
            let size = size as u64;
            return Err(ProtocolError::MessageTooBig { limit, size });
        }
        self.add(target, portion, 0, buffers)
    }

    /// Adds a piece of a payload to its buffer; `left` bytes of the same frame are to come.
    pub(super) fn add(
        &mut self,
        target: Payload,
        piece: &[u8],
        left: usize,
        buffers: &dyn Buffers,
    ) -> Result<(), ProtocolError> {
        let longer = |len, capacity| {
            let additional = grow_by(len, capacity, piece.len(), left);
            let ideal = len + piece.len() + left;
            additional.map(|additional| buffers.take(len + additional, ideal))
        };
        match target {
            Payload::Text => {
                if let Some(room) = longer(self.text.len(), self.text.capacity()) {
                    buffers.give(self.text.move_to(room));
                }
                self.text
                    .push(piece)
                    .map_err(|_| ProtocolError::InvalidUtf8)
            }
            Payload::Binary => {
                if let Some(room) = longer(self.binary.len(), self.binary.capacity()) {
                    buffers.give(self.binary.move_to(room));
                }
                self.binary.push(piece);
                Ok(())
            }
            Payload::Ping | Payload::Pong | Payload::Close => {
                self.control.reserve_exact(piece.len() + left); // at most 125 bytes
                self.control.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Where the next bytes of a binary message may be read to, of whose frame `left` are to come. `None`: that
    /// is not worth it.
    pub(super) fn room(&mut self, left: usize, buffers: &dyn Buffers) -> Option<&mut [u8]> {
        let len = self.binary.len();
        // As in `add`: what is announced is no reason to give it memory.
        let ahead = left.min(len.min(MAX_AHEAD));
        if ahead < LONG {
            return None;
        }
        if self.binary.capacity() - len < ahead {
            buffers.give(self.binary.move_to(buffers.take(len + ahead, len + left)));
        }
        let size = left.min((self.binary.capacity() - len).max(ahead));
        Some(self.binary.room(size))
    }

    /// So many bytes were read to there; these.
    pub(super) fn filled(&mut self, size: usize) -> &mut [u8] {
        self.binary.filled(size)
    }

    /// Gives back what was delivered last. A control frame may have come between the fragments of a message,
    /// which `goes_on`: its buffer then stays.
    pub(super) fn recycle(&mut self, goes_on: bool, buffers: &dyn Buffers) {
        if !self.delivered.take() {
            return;
        }
        self.control = Vec::new();
        if !goes_on {
            buffers.give(self.text.clear());
            buffers.give(self.binary.clear());
        }
    }

    /// Gives back the memory of messages; a control frame may be half there.
    pub(super) fn drop_messages(&mut self) {
        drop(self.text.clear());
        drop(self.binary.clear());
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
/// ([`MIN_AHEAD`] and [`MAX_AHEAD`] aside); and for half of what is there where that is little, so that the
/// copies of a growing buffer stay linear in its final size, however short the pieces are.
fn grow_by(len: usize, capacity: usize, piece: usize, left: usize) -> Option<usize> {
    if capacity.saturating_sub(len) >= piece {
        return None;
    }
    let ahead = (len + piece).clamp(MIN_AHEAD, MAX_AHEAD);
    let announced = piece + left.min(ahead);
    Some(match announced < len / 8 {
        true => len / 2,
        false => announced,
    })
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
