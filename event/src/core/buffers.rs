//! The buffers that connections share: an idle connection owns none.

use super::spares::Spares;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The size of the loop's two read buffers, in bytes.
const READ: usize = 64 * 1024;
/// That of the one for sockets while there are reads that fill it.
const LONG_READ: usize = 128 * 1024;
/// For less than so many bytes the loop does not wake.
const WORTH: usize = 256 * 1024;
/// What nobody has needed for so long is given back, at the second look.
const PERIOD: Duration = Duration::from_secs(15);

/// One read buffer for what comes from the socket, one for what TLS decrypted, and spare ones for what is
/// sent, and for messages that come in pieces.
#[derive(Default)]
pub(crate) struct BufferPool {
    socket: Cell<Vec<u8>>,
    #[cfg(feature = "tls")]
    plain: Cell<Vec<u8>>,
    /// Where short pieces are gathered for a write.
    scratch: Cell<Vec<u8>>,
    spares: RefCell<Spares>,
    /// The buffer for socket reads is to have [`LONG_READ`] bytes, not [`READ`].
    long_reads: Cell<bool>,
    /// A read has filled it since the last look.
    filled: Cell<bool>,
    /// When to look for what nobody needs any more.
    look_at: Cell<Option<Instant>>,
    /// The shared bytes in the queues of this loop, by their address, and in how many places.
    shared: RefCell<HashMap<usize, usize>>,
    /// Their sum.
    shared_bytes: Cell<usize>,
}

impl BufferPool {
    /// Takes the buffer for socket reads; give it back with [`BufferPool::give_socket`].
    pub(crate) fn take_socket(&self) -> Vec<u8> {
        let size = if self.long_reads.get() {
            LONG_READ
        } else {
            READ
        };
        sized(self.socket.take(), size)
    }

    /// A read has filled the buffer for socket reads: there may be much more.
    pub(crate) fn read_filled(&self) {
        self.long_reads.set(true);
        self.filled.set(true);
    }

    pub(crate) fn give_socket(&self, buffer: Vec<u8>) {
        self.socket.set(buffer);
    }

    /// Takes the buffer for decrypted bytes; give it back with [`BufferPool::give_plain`].
    #[cfg(feature = "tls")]
    pub(crate) fn take_plain(&self) -> Vec<u8> {
        sized(self.plain.take(), READ)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn give_plain(&self, buffer: Vec<u8>) {
        self.plain.set(buffer);
    }

    /// Takes the buffer in which pieces are gathered; give it back with [`BufferPool::give_scratch`].
    pub(crate) fn take_scratch(&self) -> Vec<u8> {
        self.scratch.take()
    }

    pub(crate) fn give_scratch(&self, buffer: Vec<u8>) {
        self.scratch.set(buffer);
    }

    /// A queue of this loop holds these bytes, too: the first of them counts them.
    pub(crate) fn hold_shared(&self, data: &Arc<[u8]>) {
        let mut shared = self.shared.borrow_mut();
        let places = shared.entry(data.as_ptr().addr()).or_insert(0);
        *places += 1;
        if *places == 1 {
            self.shared_bytes.set(self.shared_bytes.get() + data.len());
        }
    }

    /// A queue of this loop holds them no longer.
    pub(crate) fn release_shared(&self, data: &Arc<[u8]>) {
        let mut shared = self.shared.borrow_mut();
        let address = data.as_ptr().addr();
        let Some(places) = shared.get_mut(&address) else {
            return;
        };
        *places -= 1;
        if *places == 0 {
            shared.remove(&address);
            self.shared_bytes.set(self.shared_bytes.get() - data.len());
        }
        if shared.is_empty() {
            *shared = HashMap::new();
        }
    }

    /// Bytes that the queues of this loop hold together.
    pub(crate) fn shared_bytes(&self) -> usize {
        self.shared_bytes.get()
    }

    /// A buffer with room for `size` bytes, and for `ideal` ones if there is one at hand; with whatever in it.
    pub(crate) fn take_spare(&self, size: usize, ideal: usize) -> Vec<u8> {
        self.spares.borrow_mut().take(size, ideal)
    }

    /// Gives it back, or another one.
    pub(crate) fn give_spare(&self, buffer: Vec<u8>) {
        self.spares.borrow_mut().give(buffer);
    }

    /// Gives the system what nobody has needed for a while, if it is time. When to ask again; `None`: there
    /// is nothing worth it.
    pub(crate) fn trim(&self, now: Instant) -> Option<Instant> {
        let mut spares = self.spares.borrow_mut();
        let reads = if self.long_reads.get() { LONG_READ } else { 0 };
        if spares.bytes() + reads < WORTH {
            self.look_at.set(None);
            return None;
        }
        let look_at = self.look_at.get();
        if look_at.is_none_or(|at| at <= now) {
            spares.look();
            if !self.filled.replace(false) && look_at.is_some() {
                self.long_reads.set(false);
                self.socket.take();
            }
            self.look_at.set(Some(now + PERIOD));
        }
        self.look_at.get()
    }
}

fn sized(mut buffer: Vec<u8>, size: usize) -> Vec<u8> {
    buffer.resize(size, 0);
    buffer
}
