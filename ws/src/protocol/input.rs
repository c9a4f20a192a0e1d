//! The bytes of one read and how far they are used.

use std::ops::Range;

/// What one read brought: the caller's buffer, and how far the [`Reader`](super::Reader) got in it.
///
/// The reader unmasks in place, so the bytes change.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    position: usize,
}

impl<'b> Input<'b> {
    /// The bytes that a read brought, all of them still to be parsed.
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes are not parsed yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The bytes that are not parsed yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    /// Takes the next `count` bytes; where they are. `count` is at most `remaining()`.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        debug_assert!(
            count <= self.remaining(),
            "a reader takes only what is there"
        );
        let start = self.position;
        self.position += count;
        start..self.position
    }

    /// Where the next `count` bytes are, which are not taken yet. `count` is at most `remaining()`.
    pub(super) fn ahead(&self, count: usize) -> Range<usize> {
        debug_assert!(
            count <= self.remaining(),
            "a reader looks only at what is there"
        );
        self.position..self.position + count
    }

    /// Takes everything and looks at none of it.
    pub(super) fn discard(&mut self) {
        self.position = self.bytes.len();
    }

    /// Bytes taken before.
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Bytes taken before, to be unmasked.
    pub(super) fn get_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }
}
