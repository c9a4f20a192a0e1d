//! TLS between the queue and the socket: rustls driven by readiness, reads and writes apart.

use super::outcome::Flushed;
use super::state::ConnState;
use super::tls_layer::{AHEAD, TlsLayer};
use super::{Conn, Fed, close};
use crate::conn::{Connect, Handler};
use crate::core::buffers::BufferPool;
use crate::error::CloseReason;
use crate::log;
use crate::machine::lifecycle::Lifecycle;
use crate::sys::clock;
use crate::tls::{TlsError, TlsServerConfig, TlsSession};
use std::io;

/// Starts TLS on a connection that has just reached its target. `false`: it is to have none.
pub(super) fn begin(conn: &Conn<'_>, options: &Connect) -> bool {
    let Some(config) = &options.tls else {
        return false;
    };
    match TlsSession::client(config, options.target.server_name()) {
        Ok(session) => {
            let state = &mut *conn.state();
            let _one_of_both = state.life.connected(true) || state.life.tunnelled(true);
            state.tls = Some(Box::new(TlsLayer::new(session)));
        }
        Err(e) => close::now(conn, CloseReason::Tls(e)),
    }
    true
}

/// Starts the server's side of TLS on a connection that was accepted.
pub(super) fn accept(conn: &Conn<'_>, config: &TlsServerConfig) {
    match TlsSession::server(config.as_rustls().clone()) {
        Ok(session) => {
            {
                let mut state = conn.state();
                state.life.connected(true);
                state.tls = Some(Box::new(TlsLayer::new(session)));
            }
            conn.read_what_came_early();
        }
        Err(e) => close::now(conn, CloseReason::Tls(e)),
    }
}

pub(super) fn is_there(conn: &Conn<'_>) -> bool {
    conn.state().tls.is_some()
}

/// Hands ciphertext to the session and what it decrypts to the handler: all of it, since no
/// event will tell of bytes that are in the session already.
pub(super) fn feed(conn: &Conn<'_>, handler: &mut Box<dyn Handler>, data: &[u8]) -> Fed {
    let found = with_tls(conn, |tls| match tls.broken {
        true => Err(Fed::More), // finishing: what comes is discarded
        false => Ok(tls.heads.broken_at(data)),
    });
    let broken_at = match found {
        None => return Fed::Stop,
        Some(Err(fed)) => return fed,
        Some(Ok(broken_at)) => broken_at,
    };
    let buffers = &conn.core().buffers;
    let mut plain = buffers.take_plain();
    let fed = match broken_at.map(|at| data.split_at(at)) {
        None => decrypt(conn, handler, data, &mut plain),
        Some((good, rest)) => {
            let fed = decrypt(conn, handler, good, &mut plain);
            if fed == Fed::More {
                // With its alert the session takes nothing any more.
                encrypt_all(conn);
                decrypt(conn, handler, rest, &mut plain)
            } else {
                fed
            }
        }
    };
    buffers.give_plain(plain);
    fed
}

/// Encrypts all that was accepted.
fn encrypt_all(conn: &Conn<'_>) {
    let state = &mut *conn.state();
    let buffers = &conn.core().buffers;
    if let Some(tls) = state.tls.as_mut() {
        tls.encrypt(&mut state.out, usize::MAX, buffers);
    }
}

fn decrypt(
    conn: &Conn<'_>,
    handler: &mut Box<dyn Handler>,
    mut cipher: &[u8],
    plain: &mut [u8],
) -> Fed {
    loop {
        let before = cipher.len();
        // Taken out for the call: a pin hook of the user's may run in it.
        let taken = match conn.place().is_closing() {
            true => None,
            false => conn.state().tls.take(),
        };
        let Some(mut tls) = taken else {
            return Fed::Stop;
        };
        let received = tls.session.receive(&mut cipher);
        let (wants_write, is_done) = (tls.session.wants_write(), !tls.session.is_handshaking());
        conn.state().tls = Some(tls);
        if let Err(e) = received {
            return failed(conn, e);
        }
        if wants_write {
            conn.mark_dirty();
        }
        if is_done {
            may_be_up(conn, handler);
        }
        let mut progress = cipher.len() < before;
        loop {
            let n = match with_tls(conn, |tls| tls.session.read_plain(plain)) {
                Some(0) => break,
                Some(n) => n,
                None => return Fed::Stop,
            };
            progress = true;
            if conn.deliver(handler, &mut plain[..n]) == Fed::Stop {
                return Fed::Stop;
            }
        }
        if has_ended(conn) {
            return Fed::End;
        }
        match cipher.is_empty() {
            true => return conn.fed(),
            false if progress => {}
            // Nothing was consumed and nothing came out: there would be no end to it.
            false => return failed(conn, TlsError::Truncated),
        }
    }
}

/// Whether the peer's `close_notify` has come, and all that was before it is done; once.
pub(super) fn has_ended(conn: &Conn<'_>) -> bool {
    let mut state = conn.state();
    // What the handler has kept, and what a pause holds back, is before it.
    let held = state.read.behind || state.holds_back();
    if state.life.is_closed() || held {
        return false;
    }
    let Some(tls) = state.tls.as_mut() else {
        return false;
    };
    let ended = tls.end_waits();
    tls.end_seen |= ended;
    ended
}

/// A TLS error is terminal. What was accepted and is encrypted goes out, and then the alert; of a
/// connection that never was up, or has nothing more to say, if the socket takes it at once.
fn failed(conn: &Conn<'_>, error: TlsError) -> Fed {
    let core = conn.core();
    log::debug!("hvloop: TLS: {error}");
    let finishes = {
        let mut state = conn.state();
        let finishes = state.life.is_up() || state.life == Lifecycle::Flushing;
        if finishes {
            state.break_tls(&core.buffers);
            state.charge(&core.memory);
        } else {
            let flushed = state.write_out_tls(&core.buffers, &mut 0);
            log::debug!("hvloop: TLS: alert {flushed:?}");
        }
        finishes
    };
    let reason = CloseReason::Tls(error);
    if finishes {
        close::fail(conn, reason);
    } else {
        close::now_unless_settled(conn, reason);
    }
    conn.fed()
}

/// The handshake is done: the protocol above begins, if it has not.
fn may_be_up(conn: &Conn<'_>, handler: &mut Box<dyn Handler>) {
    let up = conn.state().life.secured();
    if up {
        conn.begin(handler);
    }
}

/// Runs `f` on the connection's TLS; `None`: it is closing or gone.
fn with_tls<R>(conn: &Conn<'_>, f: impl FnOnce(&mut TlsLayer) -> R) -> Option<R> {
    let mut state = conn.state();
    match state.life.is_closed() {
        true => None,
        false => state.tls.as_deref_mut().map(f),
    }
}

impl ConnState {
    /// Encrypts and writes, by turns, until all is out or the socket takes no more.
    pub(super) fn write_out_tls(&mut self, pool: &BufferPool, written: &mut usize) -> Flushed {
        loop {
            if let Some(tls) = self.tls.as_mut() {
                if self.out.is_empty() {
                    tls.encrypt(&mut self.out, AHEAD, pool);
                }
                if tls.session.wants_write() {
                    if tls.unsent() == 0 && self.out.is_empty() {
                        // Of TLS's own: the queue begins with it.
                        self.write.progress = clock::now();
                    }
                    tls.session.take_cipher(self.out.tail(0, pool));
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
                if !tls.encrypt(&mut self.out, AHEAD, pool) {
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

    pub(super) fn clear_tls_queue(&mut self, pool: &BufferPool) {
        if let Some(tls) = self.tls.as_mut() {
            tls.plain.clear(pool);
        }
    }
}
