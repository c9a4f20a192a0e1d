//! TLS between the queue and the socket: rustls driven by readiness, reads and writes apart.

use super::conn::ConnSlot;
use super::dispatch::Fed;
use super::flush::Flushed;
use super::out_queue::OutQueue;
use crate::conn::{Conn, Connect, Handler};
use crate::core::LoopCore;
use crate::core::buffers::BufferPool;
use crate::error::CloseReason;
use crate::local_loop::LocalLoop;
use crate::log;
use crate::machine::lifecycle::Lifecycle;
use crate::mutant::mutant;
use crate::sys::{Key, clock};
use crate::tls::{RecordHeads, TlsError, TlsServerConfig, TlsSession, TlsVersion};
use std::io;

/// The TLS state of one connection.
pub(crate) struct TlsLayer {
    session: TlsSession,
    /// Accepted and not yet encrypted.
    plain: OutQueue,
    /// Plain bytes whose ciphertext the socket has not taken: still on the account.
    encrypted: usize,
    end_sent: bool,
    end_seen: bool,
    heads: RecordHeads,
    /// The session found an error: it takes nothing any more, in or out.
    broken: bool,
}

impl TlsLayer {
    /// See [`TlsSession::has_unread`].
    #[cfg(hvloop_sim)]
    pub(crate) fn has_unread(&self) -> bool {
        self.session.has_unread()
    }

    fn new(session: TlsSession) -> Self {
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

    /// Moves plain bytes into the session, as far as it takes them. `false`: it took none.
    fn encrypt(&mut self, pool: &BufferPool) -> bool {
        let before = self.encrypted;
        let mut scratch = pool.take_scratch();
        while !self.session.is_handshaking() && !self.plain.is_empty() {
            let n = self.session.write_plain(self.plain.next(&mut scratch));
            if n == 0 {
                break;
            }
            self.plain.consume(n, pool);
            self.encrypted += n;
        }
        pool.give_scratch(scratch);
        self.encrypted > before
    }
}

impl LoopCore {
    /// Starts TLS on a connection that has just reached its target. `false`: it is to have none.
    pub(super) fn begin_tls(&self, key: Key, options: &Connect) -> bool {
        let Some(config) = &options.tls else {
            return false;
        };
        match TlsSession::client(config, options.target.server_name()) {
            Ok(session) => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                    let _one_of_both = slot.life.connected(true) || slot.life.tunnelled(true);
                    slot.tls = Some(Box::new(TlsLayer::new(session)));
                }
            }
            Err(e) => self.begin_close(key, CloseReason::Tls(e)),
        }
        true
    }

    /// Starts the server's side of TLS on a connection that was accepted.
    pub(super) fn accept_tls(&self, key: Key, config: &TlsServerConfig) {
        match TlsSession::server(config.as_rustls().clone()) {
            Ok(session) => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                    slot.life.connected(true);
                    slot.tls = Some(Box::new(TlsLayer::new(session)));
                }
                self.read_what_came_early(key);
            }
            Err(e) => self.begin_close(key, CloseReason::Tls(e)),
        }
    }

    pub(super) fn is_secured(&self, key: Key) -> bool {
        self.slots
            .borrow()
            .get(key)
            .is_some_and(|slot| slot.tls.is_some())
    }

    /// Hands ciphertext to the session and what it decrypts to the handler: all of it, since no
    /// event will tell of bytes that are in the session already.
    pub(super) fn feed_tls(
        &self,
        local: &LocalLoop,
        key: Key,
        handler: &mut Box<dyn Handler>,
        data: &[u8],
    ) -> Fed {
        let found = self.tls(key, |tls| {
            tls.broken
                .then_some(Fed::More)
                .ok_or_else(|| tls.heads.broken_at(data))
        });
        let broken_at = match found {
            None => return Fed::Stop,
            // Finishing: what comes is discarded.
            Some(Ok(fed)) => return fed,
            Some(Err(broken_at)) => broken_at,
        };
        let mut plain = self.buffers.take_plain();
        let fed = match broken_at.map(|at| data.split_at(at)) {
            None => self.decrypt(local, key, handler, data, &mut plain),
            Some((good, rest)) => {
                let fed = self.decrypt(local, key, handler, good, &mut plain);
                if fed == Fed::More {
                    // With its alert the session takes nothing any more.
                    self.encrypt_all(key);
                    self.decrypt(local, key, handler, rest, &mut plain)
                } else {
                    fed
                }
            }
        };
        self.buffers.give_plain(plain);
        fed
    }

    /// Encrypts all that was accepted.
    fn encrypt_all(&self, key: Key) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(key)
            && let Some(tls) = slot.tls.as_mut()
        {
            while tls.encrypt(&self.buffers) {
                tls.session.take_cipher(slot.out.tail(&self.buffers));
            }
        }
    }

    fn decrypt(
        &self,
        local: &LocalLoop,
        key: Key,
        handler: &mut Box<dyn Handler>,
        mut cipher: &[u8],
        plain: &mut [u8],
    ) -> Fed {
        let plain = match mutant!("plaintext_left_in_tls") {
            true => &mut plain[..100],
            false => plain,
        };
        loop {
            let before = cipher.len();
            // Taken out for the call: a pin hook of the user's may run in it.
            let Some(mut tls) = self.take_tls(key) else {
                return Fed::Stop;
            };
            let received = tls.session.receive(&mut cipher);
            self.put_back_tls(key, tls);
            if let Err(e) = received {
                return self.tls_failed(key, e);
            }
            if self.tls(key, |tls| tls.session.wants_write()) == Some(true) {
                self.mark_dirty(key);
            }
            self.tls_may_be_up(local, key, handler);
            let mut progress = cipher.len() < before;
            loop {
                let n = match self.tls(key, |tls| tls.session.read_plain(plain)) {
                    Some(0) => break,
                    Some(n) => n,
                    None => return Fed::Stop,
                };
                progress = true;
                if self.deliver(local, key, handler, &mut plain[..n]) == Fed::Stop {
                    return Fed::Stop;
                }
                if mutant!("plaintext_left_in_tls") {
                    break;
                }
            }
            if self.tls_has_ended(key) {
                return Fed::End;
            }
            match cipher.is_empty() {
                true => return self.fed(key),
                false if progress => {}
                // Nothing was consumed and nothing came out: there would be no end to it.
                false => return self.tls_failed(key, TlsError::Truncated),
            }
        }
    }

    /// Whether the peer's `close_notify` has come, and all that was before it is done; once.
    pub(super) fn tls_has_ended(&self, key: Key) -> bool {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).filter(|slot| !slot.life.is_closed());
        // What the handler has kept, and what a pause holds back, is before it.
        let overtakes = mutant!("end_overtakes_pause");
        let slot = slot.filter(|slot| overtakes || (!slot.behind && !slot.holds_back()));
        let Some(tls) = slot.and_then(|slot| slot.tls.as_mut()) else {
            return false;
        };
        let ended = tls.end_waits();
        tls.end_seen |= ended;
        ended
    }

    /// A TLS error is terminal. What was accepted and is encrypted goes out, and then the alert; of a
    /// connection that never was up, or has nothing more to say, if the socket takes it at once.
    fn tls_failed(&self, key: Key, error: TlsError) -> Fed {
        log::debug!("hvloop: TLS: {error}");
        let finishes = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) if slot.life.is_up() || slot.life == Lifecycle::Flushing => {
                slot.break_tls(&self.buffers);
                true
            }
            Some(slot) => {
                let flushed = slot.write_out_tls(&self.buffers, &mut 0);
                log::debug!("hvloop: TLS: alert {flushed:?}");
                false
            }
            None => return Fed::Stop,
        };
        let reason = CloseReason::Tls(error);
        if finishes && !mutant!("tls_error_drops_answers") {
            self.fail_connection(key, reason);
        } else {
            let settled = self.settled_reason(key);
            self.begin_close(key, settled.unwrap_or(reason));
        }
        self.fed(key)
    }

    /// The handshake may be done: then the protocol above begins.
    fn tls_may_be_up(&self, local: &LocalLoop, key: Key, handler: &mut Box<dyn Handler>) {
        let up = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) => {
                let done = slot
                    .tls
                    .as_ref()
                    .is_some_and(|tls| !tls.session.is_handshaking());
                done && slot.life.secured()
            }
            None => false,
        };
        if up {
            if mutant!("open_deadline_anew_after_tls") {
                self.open_deadline_anew(key);
            }
            self.watch_quiet(key);
            let conn = Conn::new(local, key);
            self.guarded(handler, &conn, |handler, conn| handler.on_up(conn));
        }
    }

    /// The deliberate bug of that name.
    fn open_deadline_anew(&self, key: Key) {
        let old = match self.slots.borrow_mut().get_mut(key) {
            Some(slot) => slot
                .open_timer
                .take()
                .map(|timer| (timer, slot.settings.deadline)),
            None => None,
        };
        if let Some((timer, deadline)) = old {
            self.kill_timer(timer);
            self.arm_open(key, deadline);
        }
    }

    fn take_tls(&self, key: Key) -> Option<Box<TlsLayer>> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).filter(|slot| !slot.life.is_closed())?;
        slot.tls.take()
    }

    fn put_back_tls(&self, key: Key, tls: Box<TlsLayer>) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(key) {
            slot.tls = Some(tls);
        }
    }

    /// Runs `f` on the connection's TLS; `None`: it is closing or gone.
    fn tls<R>(&self, key: Key, f: impl FnOnce(&mut TlsLayer) -> R) -> Option<R> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).filter(|slot| !slot.life.is_closed())?;
        slot.tls.as_mut().map(|tls| f(tls))
    }
}

impl ConnSlot {
    /// Encrypts and writes, by turns, until all is out or the socket takes no more.
    pub(super) fn write_out_tls(&mut self, pool: &BufferPool, written: &mut usize) -> Flushed {
        loop {
            if let Some(tls) = self.tls.as_mut() {
                if self.out.is_empty() {
                    tls.encrypt(pool);
                }
                if tls.session.wants_write() {
                    if tls.unsent() == 0 && self.out.is_empty() {
                        // Of TLS's own: the queue begins with it.
                        self.last_progress = clock::now();
                    }
                    tls.session.take_cipher(self.out.tail(pool));
                }
            }
            match self.write_queue(pool, written) {
                Flushed::All => {}
                other => return other,
            }
            let Some(tls) = self.tls.as_mut() else {
                return Flushed::All;
            };
            if !tls.session.wants_write() {
                self.settings
                    .budget
                    .release(std::mem::take(&mut tls.encrypted));
                if tls.plain.is_empty() || tls.session.is_handshaking() {
                    return Flushed::All;
                }
                if !tls.encrypt(pool) {
                    // An ended session takes no more.
                    return Flushed::Failed(io::ErrorKind::BrokenPipe.into());
                }
            }
        }
    }

    /// All is written: queues `close_notify` once. `true`: there is something to flush again.
    pub(super) fn begin_tls_end(&mut self) -> bool {
        match self.tls.as_mut() {
            Some(tls) if !tls.end_sent => {
                tls.end_sent = true;
                if mutant!("close_notify_skipped") {
                    return false;
                }
                tls.session.send_close_notify();
                tls.session.wants_write()
            }
            _ => false,
        }
    }

    /// The session found an error: what it has not encrypted goes nowhere, and its alert is the end.
    fn break_tls(&mut self, pool: &BufferPool) {
        if let Some(tls) = self.tls.as_mut() {
            tls.broken = true;
            tls.end_sent = true;
            self.settings.budget.release(tls.plain.len());
            tls.plain.clear(pool);
        }
    }

    /// The stream ended without `close_notify`.
    pub(super) fn is_truncated(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| !tls.session.peer_closed())
    }

    pub(crate) fn clear_tls_queue(&mut self, pool: &BufferPool) {
        if let Some(tls) = self.tls.as_mut() {
            tls.plain.clear(pool);
        }
    }
}
