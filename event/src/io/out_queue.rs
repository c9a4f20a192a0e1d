//! Bytes on their way to the socket.

use crate::core::buffers::BufferPool;
use crate::mutant::mutant;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where the head is worth moving to the front: amortised, each byte moves at most once.
const COMPACT: usize = 64 * 1024;
/// Shared bytes up to this many are cheaper copied than kept apart.
const COPY: usize = 1024;

/// A queue of bytes that owns no memory while it is empty. Most are its own; those of a broadcast
/// are shared with other queues.
#[derive(Debug, Default)]
pub(crate) struct OutQueue {
    buffer: Vec<u8>,
    head: usize,
    shared: VecDeque<Shared>,
    /// Bytes in `shared` that are not written.
    shared_len: usize,
}

/// Bytes of many queues, and where among the queue's own they come.
#[derive(Debug)]
struct Shared {
    /// Before the byte of `buffer` at this index.
    at: usize,
    data: Arc<[u8]>,
    written: usize,
}

impl OutQueue {
    /// Bytes queued.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.head + self.shared_len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that come next: not all of them, if shared ones are among them.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self.shared.front() {
            None => &self.buffer[self.head..],
            Some(shared) if shared.at == self.head => &shared.data[shared.written..],
            Some(shared) => &self.buffer[self.head..shared.at],
        }
    }

    /// The buffer to append to, and to nothing else.
    pub(crate) fn tail(&mut self, pool: &BufferPool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take_spare();
        } else if self.head >= COMPACT && self.head >= self.buffer.len() - self.head {
            self.buffer.drain(..self.head);
            for shared in &mut self.shared {
                shared.at -= self.head;
            }
            self.head = 0;
        }
        &mut self.buffer
    }

    /// Appends bytes that other queues may hold, too.
    pub(crate) fn push_shared(&mut self, data: &Arc<[u8]>, pool: &BufferPool) {
        if data.len() <= COPY {
            self.tail(pool).extend_from_slice(data);
            return;
        }
        self.shared_len += data.len();
        self.shared.push_back(Shared {
            at: match mutant!("shared_overtakes") {
                true => self.head,
                false => self.buffer.len(),
            },
            data: data.clone(),
            written: 0,
        });
    }

    /// Takes `n` bytes, no more than [`bytes`](OutQueue::bytes) has, off the front; an emptied
    /// buffer goes back to the pool.
    pub(crate) fn consume(&mut self, n: usize, pool: &BufferPool) {
        match self.shared.front_mut() {
            Some(shared) if shared.at == self.head => {
                shared.written += n;
                self.shared_len -= n;
                debug_assert!(shared.written <= shared.data.len());
                if shared.written == shared.data.len() {
                    self.shared.pop_front();
                }
            }
            _ => self.head += n,
        }
        debug_assert!(self.head <= self.buffer.len());
        if self.is_empty() {
            self.clear(pool);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, pool: &BufferPool) {
        self.head = 0;
        self.shared = VecDeque::new();
        self.shared_len = 0;
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

    /// Own and shared bytes, taken off in pieces of any size, come out as they were put in.
    #[test]
    fn shared_bytes_keep_their_place() {
        let pool = BufferPool::default();
        for step in [1, 7, 1024, 1500, 100_000] {
            let mut queue = OutQueue::default();
            let (mut expected, mut out) = (Vec::new(), Vec::new());
            for round in 0..60u8 {
                let own = vec![round; 3000 * usize::from(round % 4)];
                let shared: Arc<[u8]> = vec![!round; 700 * usize::from(round % 5)].into();
                queue.tail(&pool).extend_from_slice(&own);
                queue.push_shared(&shared, &pool);
                expected.extend_from_slice(&own);
                expected.extend_from_slice(&shared);
                for _ in 0..2 {
                    let n = step.min(queue.bytes().len());
                    out.extend_from_slice(&queue.bytes()[..n]);
                    queue.consume(n, &pool);
                }
                assert_eq!(out.len() + queue.len(), expected.len());
            }
            while !queue.is_empty() {
                let n = step.min(queue.bytes().len());
                assert!(n > 0, "bytes are left, and none comes next");
                out.extend_from_slice(&queue.bytes()[..n]);
                queue.consume(n, &pool);
            }
            assert!(out == expected, "step {step}");
            assert!(queue.buffer.capacity() == 0 && queue.shared.capacity() == 0);
        }
    }
}
