//! Bytes for the peer, from any thread, wherever the connection is.

use super::Channel;
use crate::error::SendError;
use crate::local_loop::LocalLoop;
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

    /// Gives room back that was taken for bytes which go nowhere.
    pub(in crate::tcp) fn give_back(&self, size: usize) {
        self.inner.budget.release(size);
    }

    /// Hands bytes, for which there is room, over to the connection's loop.
    fn post(&self, data: Arc<[u8]>) -> Result<(), SendError> {
        let inner = self.here();
        let (channel, size) = (self.clone(), data.len());
        let deliver = move |local: &LocalLoop| channel.deliver(local, data);
        let posted = inner.event_loop.post_event(deliver);
        posted.map_err(|_| {
            inner.budget.release(size);
            SendError::LoopClosed
        })
    }

    /// Bytes, for which there is room, have come to the connection's loop, or to the one that it
    /// was on.
    pub(in crate::tcp) fn deliver(&self, local: &LocalLoop, data: Arc<[u8]>) {
        let inner = self.here();
        if let Some(conn) = self.conn(local) {
            // Refused means: closed meanwhile; `on_close` tells.
            let _ = conn.send_shared_reserved(&data);
            return;
        }
        // It left in between: what was accepted follows it, behind its arrival.
        let next = match inner.is_on(local) {
            true => inner.leaving_for.get(),
            false => Some(&inner.event_loop),
        };
        let (channel, size) = (self.clone(), data.len());
        let sent = next.map(|to| to.post_event(move |local| channel.deliver(local, data)));
        if !matches!(sent, Some(Ok(()))) {
            inner.budget.release(size);
        }
    }
}
