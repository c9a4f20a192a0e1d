//! A binary message that comes in pieces.

/// See the module. Its buffer may have held other messages before: what is behind the message is no part of it.
#[derive(Default)]
pub(super) struct BinaryBuffer {
    buffer: Vec<u8>,
    len: usize,
}

impl BinaryBuffer {
    /// Bytes of the message so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes it may hold without a new allocation.
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The message so far.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let end = self.len + piece.len();
        match self.buffer.get_mut(self.len..end) {
            // What is behind stays, and is not cleared again for the next `room`.
            Some(place) => place.copy_from_slice(piece),
            None => {
                self.buffer.truncate(self.len);
                self.buffer.extend_from_slice(piece);
            }
        }
        self.len = end;
    }

    /// Room for `size` bytes behind the message, for what comes next.
    pub(super) fn room(&mut self, size: usize) -> &mut [u8] {
        let end = self.len + size;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[self.len..end]
    }

    /// The first `size` bytes of the last [`room`](Self::room) are part of the message; these.
    pub(super) fn filled(&mut self, size: usize) -> &mut [u8] {
        let from = self.len;
        self.len += size;
        &mut self.buffer[from..self.len]
    }

    /// Makes `room` the place of the message; what was its place.
    pub(super) fn move_to(&mut self, mut room: Vec<u8>) -> Vec<u8> {
        match room.get_mut(..self.len) {
            Some(start) => start.copy_from_slice(self.as_slice()),
            None => {
                room.clear();
                room.extend_from_slice(self.as_slice());
            }
        }
        std::mem::replace(&mut self.buffer, room)
    }

    /// Forgets the message; what was its place.
    pub(super) fn clear(&mut self) -> Vec<u8> {
        self.len = 0;
        std::mem::take(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_is_no_part_of_it() {
        let mut buffer = BinaryBuffer::default();
        assert!(buffer.move_to(vec![9; 100]).is_empty());
        assert_eq!(buffer.as_slice(), b"");
        buffer.push(b"abc");
        buffer.room(50)[..2].copy_from_slice(b"de");
        assert_eq!(buffer.as_slice(), b"abc", "room is not filled yet");
        assert_eq!(buffer.filled(2), b"de");
        buffer.push(b"f");
        assert_eq!(buffer.room(200).len(), 200);
        assert_eq!(buffer.filled(0), b"");
        for room in [vec![8; 4], vec![8; 300], Vec::new()] {
            drop(buffer.move_to(room));
            assert_eq!((buffer.as_slice(), buffer.len()), (&b"abcdef"[..], 6));
        }
        drop(buffer.clear());
        assert_eq!((buffer.len(), buffer.capacity()), (0, 0));
    }
}
