//! Bytes for the peer, from any thread, wherever the connection is.

use super::Channel;
use crate::core::LocalLoop;
use crate::error::SendError;
use crate::sync::lock;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Channel {
    /// Queues bytes for the peer. On the loop's thread they are copied once and written at the end
    /// of the turn; from another thread they are handed over first.
    ///
    /// # Errors
    ///
    /// Not open, no room in the send queue, or the loop is closed; nothing was taken then. From
    /// another thread the connection may still end before the bytes get there.
    ///
    /// libhv: `Channel::write`.
    pub fn send(&self, data: &[u8]) -> Result<(), SendError> {
        let inner = self.here();
        if let Some(local) = inner.event_loop.local() {
            let conn = local.conn(inner.conn).ok_or(SendError::NotOpen)?;
            return conn.send(data);
        }
        self.reserve(data.len())?;
        self.post(Arc::from(data))
    }

    /// As [`send`](Channel::send), for bytes that go to several channels: where they are many, the
    /// queues share them instead of copying.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_shared(&self, data: &Arc<[u8]>) -> Result<(), SendError> {
        let inner = self.here();
        if let Some(local) = inner.event_loop.local() {
            let conn = local.conn(inner.conn).ok_or(SendError::NotOpen)?;
            return conn.send_shared(data);
        }
        self.reserve(data.len())?;
        self.post(data.clone())
    }

    /// Takes room for so many bytes.
    pub(in crate::tcp) fn reserve(&self, size: usize) -> Result<(), SendError> {
        let inner = self.here();
        match inner.open.load(Ordering::Acquire) {
            true => inner.budget.reserve(size),
            false => Err(SendError::NotOpen),
        }
    }

    /// Puts bytes, for which there is room, in line for the connection's loop. `true`: somebody has
    /// to [`flush`](Channel::flush); else somebody will.
    pub(in crate::tcp) fn put_in_line(&self, data: Arc<[u8]>) -> bool {
        let mut outgoing = lock(&self.inner.shared.outgoing);
        outgoing.push_back(data);
        outgoing.len() == 1
    }

    fn post(&self, data: Arc<[u8]>) -> Result<(), SendError> {
        match self.put_in_line(data) && !self.post_flush() {
            true => Err(SendError::LoopClosed),
            false => Ok(()),
        }
    }

    /// Asks the connection's loop to flush. `false`: it has closed, and what was in line is gone.
    fn post_flush(&self) -> bool {
        let channel = self.clone();
        let flush = move |local: &LocalLoop| channel.flush(local);
        let posted = self.here().event_loop.post_event(flush).is_ok();
        if !posted {
            self.drop_outgoing();
        }
        posted
    }

    /// Takes what other threads have put in line to the connection, on its loop. One line for all
    /// loops that it comes to: so a thread's bytes keep their order, whatever way their flush takes.
    pub(in crate::tcp) fn flush(&self, local: &LocalLoop) {
        let inner = self.here();
        if let Some(conn) = self.conn(local) {
            let outgoing = std::mem::take(&mut *lock(&inner.shared.outgoing));
            for data in outgoing {
                // Refused means: closed meanwhile; `on_close` tells.
                let _ = conn.send_shared_reserved(&data);
            }
        } else if !inner.open.load(Ordering::Acquire) {
            self.drop_outgoing();
        } else if !inner.is_on(local) {
            self.post_flush();
        }
        // Or it is on its way: it flushes when it arrives, or ends.
    }

    /// The connection has ended: what is in line goes nowhere.
    pub(in crate::tcp) fn drop_outgoing(&self) {
        let outgoing = std::mem::take(&mut *lock(&self.inner.shared.outgoing));
        let size = outgoing.iter().map(|data| data.len()).sum();
        self.inner.budget.release(size);
    }
}
