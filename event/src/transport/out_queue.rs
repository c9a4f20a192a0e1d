//! Bytes on their way to the socket.

use crate::core::buffers::BufferPool;
use crate::core::spares::SHORT_SPARE;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where the head is worth moving to the front: amortised, each byte moves at most once.
const COMPACT: usize = 64 * 1024;
/// Shared bytes are copied into a queue that holds no more than this with them: the queue of a peer that
/// reads. One whose peer does not read shares what comes after.
const COPY: usize = 1024;
/// Pieces shorter than this, in bytes, are gathered for one write.
const SHORT: usize = 16 * 1024;
/// The most bytes that are gathered for one write.
const GATHERED: usize = 64 * 1024;

/// A queue of bytes that owns no memory while it is empty. Most are its own; those of a broadcast
/// are shared with other queues.
#[derive(Debug, Default)]
pub(crate) struct OutQueue {
    buffer: Vec<u8>,
    head: usize,
    /// Apart: few queues have any.
    shared: Option<Box<SharedPieces>>,
}

/// The bytes of a queue that others hold, too.
#[derive(Debug, Default)]
struct SharedPieces {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are written.
    written: usize,
    /// Bytes of all pieces that are not.
    len: usize,
    /// Bytes that were moved off the front of the queue's own since there are pieces: their places stay
    /// what they were.
    moved: usize,
}

/// Bytes of many queues, and where among the queue's own they come.
#[derive(Debug)]
struct Piece {
    /// Before the byte of `buffer` at this index, plus `moved`.
    at: usize,
    data: Arc<[u8]>,
}

impl OutQueue {
    /// Bytes queued.
    pub(crate) fn len(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, |shared| shared.len);
        self.buffer.len() - self.head + shared
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that come next, for one write. Where that is one long piece, it is lent; short ones are
    /// gathered in `scratch`, however many there are.
    pub(crate) fn next<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let first = self.first();
        if first.len() >= SHORT || first.len() == self.len() {
            return first;
        }
        scratch.clear();
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next().filter(|_| scratch.len() < GATHERED) {
            let room = GATHERED - scratch.len();
            scratch.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        scratch
    }

    /// The first of the pieces.
    fn first(&self) -> &[u8] {
        self.pieces().next().unwrap_or_default()
    }

    /// All bytes, in the pieces that they lie in.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut own = self.head;
        let mut shared = self.shared.as_deref().map(|shared| {
            let skip = std::iter::once(shared.written).chain(std::iter::repeat(0));
            (shared.moved, shared.pieces.iter().zip(skip).peekable())
        });
        std::iter::from_fn(move || {
            let next = shared.as_mut().and_then(|(moved, pieces)| {
                let at = pieces.peek()?.0.at - *moved;
                Some((at, pieces))
            });
            match next {
                Some((at, pieces)) if at == own => {
                    let (piece, skip) = pieces.next()?;
                    Some(&piece.data[skip..])
                }
                Some((at, _)) => Some(&self.buffer[std::mem::replace(&mut own, at)..at]),
                None => {
                    let rest = &self.buffer[own..];
                    own = self.buffer.len();
                    (!rest.is_empty()).then_some(rest)
                }
            }
        })
    }

    /// The buffer to append `size` bytes to, about, and to nothing else.
    pub(crate) fn tail(&mut self, size: usize, pool: &BufferPool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take_spare(size, 2 * size);
            self.buffer.clear();
        } else if self.head >= COMPACT && self.head >= self.buffer.len() - self.head {
            self.buffer.drain(..self.head);
            self.moved_to_front();
        }
        let len = self.buffer.len() + size;
        if len > SHORT_SPARE && len > self.buffer.capacity() {
            let left = self.buffer.len() - self.head;
            let needed = (left + size).max(2 * left);
            let mut longer = pool.take_spare(needed, needed);
            longer.clear();
            longer.extend_from_slice(&self.buffer[self.head..]);
            pool.give_spare(std::mem::replace(&mut self.buffer, longer));
            self.moved_to_front();
        }
        &mut self.buffer
    }

    /// The bytes before the head are gone.
    fn moved_to_front(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.moved += self.head;
        }
        self.head = 0;
    }

    /// Appends bytes that other queues may hold, too.
    pub(crate) fn push_shared(&mut self, data: &Arc<[u8]>, pool: &BufferPool) {
        if self.len() + data.len() <= COPY || data.is_empty() {
            self.tail(data.len(), pool).extend_from_slice(data);
            return;
        }
        let end = self.buffer.len();
        let shared = self.shared.get_or_insert_default();
        shared.len += data.len();
        pool.hold_shared(data);
        shared.pieces.push_back(Piece {
            at: end + shared.moved,
            data: data.clone(),
        });
    }

    /// Takes `n` bytes, no more than there are, off the front; an emptied buffer goes back to the pool.
    pub(crate) fn consume(&mut self, mut n: usize, pool: &BufferPool) {
        while let Some(shared) = &mut self.shared {
            let Some(piece) = shared.pieces.front() else {
                self.shared = None;
                break;
            };
            let own = (piece.at - shared.moved - self.head).min(n);
            (self.head, n) = (self.head + own, n - own);
            if n == 0 {
                break;
            }
            let taken = (piece.data.len() - shared.written).min(n);
            shared.written += taken;
            shared.len -= taken;
            n -= taken;
            if shared.written < piece.data.len() {
                break;
            }
            pool.release_shared(&piece.data);
            shared.pieces.pop_front();
            shared.written = 0;
        }
        self.head += n;
        debug_assert!(self.head <= self.buffer.len());
        if self.is_empty() {
            self.clear(pool);
        }
    }

    /// Bytes of memory that are this queue's own.
    pub(crate) fn memory(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, |shared| {
            size_of::<SharedPieces>() + shared.pieces.capacity() * size_of::<Piece>()
        });
        self.buffer.capacity() + shared
    }

    /// Bytes of the queue that others may hold, too.
    pub(crate) fn shared_len(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.len)
    }

    /// The bytes that it shares.
    pub(crate) fn shared_data(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        let shared = self.shared.iter();
        shared.flat_map(|shared| shared.pieces.iter().map(|piece| &piece.data))
    }

    /// The queue leaves its loop, whose account has what it shares.
    pub(crate) fn leave(&self, pool: &BufferPool) {
        self.shared_data()
            .for_each(|data| pool.release_shared(data));
    }

    /// The queue comes to a loop.
    pub(crate) fn arrive(&self, pool: &BufferPool) {
        self.shared_data().for_each(|data| pool.hold_shared(data));
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, pool: &BufferPool) {
        self.head = 0;
        self.leave(pool);
        self.shared = None;
        pool.give_spare(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_through_compaction_and_reuse() {
        let pool = BufferPool::default();
        let (mut queue, mut scratch) = (OutQueue::default(), Vec::new());
        let (mut sent, mut seen) = (0u32, 0u32);
        for round in 0..40u32 {
            for _ in 0..2000 {
                let bytes = sent.to_le_bytes();
                queue.tail(4, &pool).extend_from_slice(&bytes);
                sent += 1;
            }
            while queue.len() > (round as usize % 3) * 4096 {
                let next = queue.next(&mut scratch);
                let word: [u8; 4] = next[..4].try_into().expect("four bytes");
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
            for unit in [30, 700] {
                let (mut queue, mut scratch) = (OutQueue::default(), Vec::new());
                let (mut expected, mut out) = (Vec::new(), Vec::new());
                let mut take = |queue: &mut OutQueue| {
                    let next = queue.next(&mut scratch);
                    let n = step.min(next.len());
                    out.extend_from_slice(&next[..n]);
                    queue.consume(n, &pool);
                    (n, out.len())
                };
                for round in 0..24u8 {
                    let own = vec![round; 4 * unit * usize::from(round % 4)];
                    let shared: Arc<[u8]> = vec![!round; unit * usize::from(round % 5)].into();
                    queue.tail(own.len(), &pool).extend_from_slice(&own);
                    queue.push_shared(&shared, &pool);
                    queue.push_shared(&shared, &pool);
                    expected.extend_from_slice(&own);
                    expected.extend_from_slice(&shared);
                    expected.extend_from_slice(&shared);
                    take(&mut queue);
                    let (_, taken) = take(&mut queue);
                    assert_eq!(taken + queue.len(), expected.len());
                }
                while !queue.is_empty() {
                    assert!(
                        take(&mut queue).0 > 0,
                        "bytes are left, and none comes next"
                    );
                }
                assert!(out == expected, "step {step}, unit {unit}");
                assert!(queue.buffer.capacity() == 0 && queue.shared.is_none());
            }
        }
    }

    /// A queue that nobody empties holds no copy, and one write takes many pieces.
    #[test]
    fn short_pieces_are_shared_and_written_together() {
        let pool = BufferPool::default();
        let (mut queue, mut scratch) = (OutQueue::default(), Vec::new());
        let data: Arc<[u8]> = vec![7; 40].into();
        for _ in 0..10_000 {
            queue.push_shared(&data, &pool);
        }
        assert_eq!(queue.len(), 400_000);
        assert!(queue.buffer.capacity() <= 2 * COPY);
        let mut writes = 0;
        while !queue.is_empty() {
            let n = queue.next(&mut scratch).len();
            queue.consume(n, &pool);
            writes += 1;
        }
        assert!(writes <= 8, "{writes} writes");
        assert!(scratch.capacity() <= 2 * GATHERED);
        assert_eq!(Arc::strong_count(&data), 1);
    }
}
