//! What a connection with TLS has beyond others, wherever it is.

use crate::core::buffers::BufferPool;
use crate::tls::{RecordHeads, TlsSession, TlsVersion};
use crate::transport::out_queue::OutQueue;

/// The most plain bytes in a record (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;
/// Of so many plain bytes, at least, one more is made by encryption: what records take beside long ones;
const RECORDS: usize = 512;
/// and so many by that of a short one.
const HEADS: usize = 64;
/// Encrypted bytes that wait for the socket, about.
pub(super) const AHEAD: usize = 64 * 1024;

/// The TLS state of one connection.
pub(crate) struct TlsLayer {
    pub(super) session: TlsSession,
    /// Accepted and not yet encrypted.
    pub(super) plain: OutQueue,
    /// Plain bytes whose ciphertext the socket has not taken: still on the account.
    pub(super) encrypted: usize,
    pub(super) end_sent: bool,
    pub(super) end_seen: bool,
    pub(super) heads: RecordHeads,
    /// The session found an error: it takes nothing any more, in or out.
    pub(super) broken: bool,
}

impl TlsLayer {
    /// See [`TlsSession::has_unread`].
    #[cfg(hvloop_sim)]
    pub(crate) fn has_unread(&self) -> bool {
        self.session.has_unread()
    }

    pub(super) fn new(session: TlsSession) -> Self {
        Self {
            session,
            plain: OutQueue::default(),
            encrypted: 0,
            end_sent: false,
            end_seen: false,
            heads: RecordHeads::default(),
            broken: false,
        }
    }

    /// Whether the peer's `close_notify` has come, and nobody was told.
    pub(crate) fn end_waits(&self) -> bool {
        self.session.peer_closed() && !self.end_seen
    }

    pub(crate) fn unsent(&self) -> usize {
        self.plain.len() + self.encrypted
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.unsent() > 0 || self.session.wants_write()
    }

    pub(crate) fn queue(&mut self) -> &mut OutQueue {
        &mut self.plain
    }

    pub(crate) fn plain_queue(&self) -> &OutQueue {
        &self.plain
    }

    pub(crate) fn alpn(&self) -> Option<Vec<u8>> {
        self.session.alpn().map(<[u8]>::to_vec)
    }

    pub(crate) fn client_asked_for(&self) -> Option<String> {
        self.session.client_asked_for().map(str::to_owned)
    }

    pub(crate) fn version(&self) -> Option<TlsVersion> {
        self.session.protocol_version()
    }

    pub(crate) fn peer_certificates(&self) -> Option<Vec<Vec<u8>>> {
        let chain = self.session.peer_certificates()?;
        Some(chain.iter().map(|der| der.to_vec()).collect())
    }

    /// Encrypts plain bytes to the end of `out`, record by record, until there are `most` bytes. `false`: the
    /// session took none, or there are so many already.
    ///
    /// What the session makes of one record is taken before the next one, so that it needs memory for one, and
    /// always the same.
    pub(super) fn encrypt(&mut self, out: &mut OutQueue, most: usize, pool: &BufferPool) -> bool {
        let before = self.encrypted;
        let mut scratch = pool.take_scratch();
        while !self.session.is_handshaking() && !self.plain.is_empty() && out.len() < most {
            let to_come = self.plain.len().min(most - out.len());
            let next = self.plain.next(&mut scratch);
            let n = self.session.write_plain(&next[..next.len().min(RECORD)]);
            if n == 0 {
                break;
            }
            self.plain.consume(n, pool);
            self.encrypted += n;
            let size = to_come + to_come / RECORDS + HEADS;
            self.session.take_cipher(out.tail(size, pool));
        }
        pool.give_scratch(scratch);
        self.encrypted > before
    }
}
