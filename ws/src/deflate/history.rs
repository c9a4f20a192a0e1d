//! The last bytes of a stream.

/// The least memory for them, in bytes: short messages need little.
const LEAST: usize = 2 * 1024;

/// The last 2^n bytes of what was inflated, as a ring; its memory grows with them.
pub(super) struct History {
    ring: Vec<u8>,
    /// Where the next byte goes, once the ring is as large as it may be.
    at: usize,
    most: usize,
}

impl History {
    /// Of a window of so many bits.
    pub(super) fn new(bits: u8) -> Self {
        Self {
            ring: Vec::new(),
            at: 0,
            most: 1 << bits,
        }
    }

    /// Adds bytes, in the place of the oldest ones.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(self.most)..];
        let (first, rest) = bytes.split_at(bytes.len().min(self.most - self.ring.len()));
        let size = self.ring.len() + first.len();
        if size > self.ring.capacity() {
            let room = (2 * self.ring.capacity()).max(LEAST).max(size);
            self.ring
                .reserve_exact(room.min(self.most) - self.ring.len());
        }
        self.ring.extend_from_slice(first);
        let (end, start) = rest.split_at(rest.len().min(self.most - self.at));
        self.ring[self.at..self.at + end.len()].copy_from_slice(end);
        self.ring[..start.len()].copy_from_slice(start);
        self.at = (self.at + rest.len()) % self.most;
    }

    /// All of it, in its order.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (new, old) = self.ring.split_at(self.at);
        [old, new]
    }
}
