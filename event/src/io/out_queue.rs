//! Bytes on their way to the socket.

use crate::core::buffers::BufferPool;

/// Where the head is worth moving to the front: amortised, each byte moves at most once.
const COMPACT: usize = 64 * 1024;

/// A queue of bytes that owns no memory while it is empty.
#[derive(Debug, Default)]
pub(crate) struct OutQueue {
    buffer: Vec<u8>,
    head: usize,
}

impl OutQueue {
    /// Bytes queued.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The queued bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    /// The buffer to append to, and to nothing else.
    pub(crate) fn tail(&mut self, pool: &BufferPool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take_spare();
        } else if self.head >= COMPACT && self.head >= self.len() {
            self.buffer.drain(..self.head);
            self.head = 0;
        }
        &mut self.buffer
    }

    /// Takes `n` bytes off the front; an emptied buffer goes back to the pool.
    pub(crate) fn consume(&mut self, n: usize, pool: &BufferPool) {
        self.head += n;
        debug_assert!(self.head <= self.buffer.len());
        if self.head == self.buffer.len() {
            self.clear(pool);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, pool: &BufferPool) {
        self.head = 0;
        pool.give_spare(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_through_compaction_and_reuse() {
        let pool = BufferPool::default();
        let mut queue = OutQueue::default();
        let (mut sent, mut seen) = (0u32, 0u32);
        for round in 0..40u32 {
            for _ in 0..2000 {
                let bytes = sent.to_le_bytes();
                queue.tail(&pool).extend_from_slice(&bytes);
                sent += 1;
            }
            while queue.len() > (round as usize % 3) * 4096 {
                let word: [u8; 4] = queue.bytes()[..4].try_into().expect("four bytes");
                assert_eq!(u32::from_le_bytes(word), seen);
                seen += 1;
                queue.consume(4, &pool);
            }
        }
        while !queue.is_empty() {
            queue.consume(4, &pool);
            seen += 1;
        }
        assert_eq!(sent, seen);
        assert_eq!(queue.buffer.capacity(), 0, "an empty queue owns no memory");
    }
}
