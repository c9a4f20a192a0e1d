//! The buffers that connections share: an idle connection owns none.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// The size of the loop's two read buffers.
const READ_BUFFER: usize = 64 * 1024;
/// Out-buffers kept for the next connection that has something to send.
const KEPT: usize = 64;
/// An out-buffer that grew beyond this is given back to the system.
const KEPT_CAPACITY: usize = 64 * 1024;

/// One read buffer for what comes from the socket, one for what TLS decrypted, and spare
/// out-buffers.
#[derive(Default)]
pub(crate) struct BufferPool {
    socket: Cell<Vec<u8>>,
    #[cfg(feature = "tls")]
    plain: Cell<Vec<u8>>,
    /// Where short pieces are gathered for a write.
    scratch: Cell<Vec<u8>>,
    spare: RefCell<Vec<Vec<u8>>>,
    /// The shared bytes in the queues of this loop, by their address, and in how many places.
    shared: RefCell<HashMap<usize, usize>>,
    /// Their sum.
    shared_bytes: Cell<usize>,
}

impl BufferPool {
    /// Takes the buffer for socket reads; give it back with [`BufferPool::give_socket`].
    pub(crate) fn take_socket(&self) -> Vec<u8> {
        sized(self.socket.take())
    }

    pub(crate) fn give_socket(&self, buffer: Vec<u8>) {
        self.socket.set(buffer);
    }

    /// Takes the buffer for decrypted bytes; give it back with [`BufferPool::give_plain`].
    #[cfg(feature = "tls")]
    pub(crate) fn take_plain(&self) -> Vec<u8> {
        sized(self.plain.take())
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

    /// An empty out-buffer, with room if one was spare.
    pub(crate) fn take_spare(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives an out-buffer back.
    pub(crate) fn give_spare(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT_CAPACITY && spare.len() < KEPT {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

fn sized(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.resize(READ_BUFFER, 0);
    buffer
}
