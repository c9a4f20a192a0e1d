//! The read path: readiness to handler.

use super::outcome::Read;
use super::parts::HeldUp;
use super::{Conn, Fed, close, connect, discard, hold_up, proxy, tls};
use crate::conn::Handler;
use crate::error::CloseReason;
use crate::machine::lifecycle::Lifecycle;
use crate::proxy::ProxyError;
use crate::sys::{Stream, clock};
use std::io;
use std::sync::Arc;

/// Reads of one connection in one tick.
const READS: usize = 4;

/// What one connection may bring in one tick, in bytes: half of those that are read, and what is made of
/// them (messages, inflated bytes).
const ALLOWANCE: usize = READS * 64 * 1024;

/// A read is not made shorter than this for the sake of what may still be brought; and no longer.
const SHORT_READ: usize = 16 * 1024;
const LONG_READ: usize = 256 * 1024;

/// Does what the connection's readiness allows; a TLS handshake waits for its turn.
pub(super) fn ready(conn: &Conn<'_>, has_turn: bool) {
    let (life, readable, flush) = {
        let state = conn.state();
        let behind = state.read.behind && state.read.held_up != HeldUp::Yes;
        let readable = behind || (state.has_something() && !state.holds_back());
        (
            state.life,
            readable,
            state.write.writable && state.wants_write(),
        )
    };
    match life {
        Lifecycle::Resolving | Lifecycle::Closed => {}
        // Or adopted, and not up yet: then there are no racers, and what came is noted.
        Lifecycle::Connecting => connect::check_racers(conn),
        Lifecycle::Securing if readable && !has_turn => {
            conn.core().registry.queue_costly(conn.place())
        }
        _ => {
            check_half_open(conn);
            if flush {
                conn.mark_dirty();
            }
            if readable && !hold_up::waits(conn) {
                read(conn);
            }
        }
    }
}

/// Begins a call of a handler outside of a read.
pub(super) fn allow(conn: &Conn<'_>) {
    conn.core().allow(ALLOWANCE);
}

/// Nothing is read from a half-open connection any more: that it broke is looked for when the poller
/// speaks of something.
fn check_half_open(conn: &Conn<'_>) {
    let gone = {
        let mut state = conn.state();
        if !state.life.is_up() || !state.read.side.looks() {
            return;
        }
        match state.socket.stream.as_ref().map(Stream::connected) {
            Some(Ok(None)) => Some(io::ErrorKind::ConnectionReset.into()),
            Some(Err(e)) => Some(e),
            Some(Ok(Some(_))) | None => None,
        }
    };
    if let Some(e) = gone {
        close::now(conn, CloseReason::Io(Arc::new(e)));
    }
}

/// Where a read goes.
enum To {
    /// To the buffer of the loop.
    Loop,
    /// To the handler's room.
    Handler,
}

fn read(conn: &Conn<'_>) {
    let Some(mut handler) = conn.connection.handler.take() else {
        return;
    };
    let core = conn.core();
    let mut buffer = core.buffers.take_socket();
    let mut left = READS;
    allow(conn);
    catch_up(conn, &mut handler);
    loop {
        if left == 0 || !core.may_bring() {
            conn.mark_ready();
            break;
        }
        left -= 1;
        let read = match room(conn, &mut handler) {
            Some(room) => (read_once(conn, room), To::Handler),
            // What it brings has to be handled in this turn, or kept.
            None => (
                read_once(conn, at_most(core.allowance(), &mut buffer)),
                To::Loop,
            ),
        };
        match read {
            (Read::Data(n), into) => {
                core.shared.counters.bytes_in.add(n as u64);
                core.spend(n.div_ceil(2));
                let fed = match into {
                    To::Handler => {
                        conn.guarded(&mut handler, |handler, conn| {
                            handler.on_room_filled(conn, n);
                        });
                        conn.fed()
                    }
                    To::Loop => {
                        if n == buffer.len() {
                            core.buffers.read_filled();
                        }
                        feed(conn, &mut handler, &mut buffer[..n])
                    }
                };
                match fed {
                    Fed::More => {}
                    Fed::Stop => break,
                    Fed::End => {
                        peer_ended(conn, &mut handler);
                        break;
                    }
                }
            }
            (Read::Blocked, _) => break,
            (Read::End, _) => {
                peer_ended(conn, &mut handler);
                break;
            }
            (Read::Failed(e), _) => {
                close::now_unless_settled(conn, CloseReason::Io(Arc::new(e)));
                break;
            }
        }
    }
    core.buffers.give_socket(buffer);
    conn.connection.handler.set(Some(handler));
    discard::watch(conn);
}

/// Where the handler itself wants what comes next.
fn room<'h>(conn: &Conn<'_>, handler: &'h mut Box<dyn Handler>) -> Option<&'h mut [u8]> {
    if !conn.is_up() || tls::is_there(conn) {
        return None;
    }
    let room = handler.room(conn).filter(|room| !room.is_empty())?;
    // It is handled in this turn.
    Some(at_most(2 * conn.core().allowance(), room))
}

/// As much of a buffer as may be read to in this turn.
fn at_most(bytes: usize, buffer: &mut [u8]) -> &mut [u8] {
    let most = bytes.clamp(SHORT_READ, LONG_READ).min(buffer.len());
    &mut buffer[..most]
}

fn read_once(conn: &Conn<'_>, buffer: &mut [u8]) -> Read {
    if hold_up::waits(conn) {
        return Read::Blocked;
    }
    let mut state = conn.state();
    if state.life.is_closed() || state.holds_back() || state.read.behind {
        return Read::Blocked;
    }
    let read = state.read(buffer);
    if let Read::Data(n) = read {
        state.read.last = conn.core().clock_now();
        state.count_discarded(n);
    }
    read
}

/// Lets the handler go on with what it kept in an earlier turn.
fn catch_up(conn: &Conn<'_>, handler: &mut Box<dyn Handler>) {
    let is_behind = {
        let mut state = conn.state();
        let was_behind = std::mem::take(&mut state.read.behind);
        if was_behind {
            // That nothing was read meanwhile is not the peer's doing.
            state.read.last = clock::now();
        }
        was_behind && state.life.is_up()
    };
    if is_behind {
        conn.guarded(handler, |handler, conn| handler.on_call(conn));
    }
    if tls::has_ended(conn) {
        peer_ended(conn, handler);
    }
}

/// Hands bytes from the socket on: to the handshake with a proxy, and through TLS if there is any.
fn feed(conn: &Conn<'_>, handler: &mut Box<dyn Handler>, data: &mut [u8]) -> Fed {
    let is_tunnelling = conn.state().life == Lifecycle::Tunnelling;
    if is_tunnelling {
        return feed_proxy(conn, handler, data);
    }
    match tls::is_there(conn) {
        true => tls::feed(conn, handler, data),
        false => conn.deliver(handler, data),
    }
}

/// Hands on what the proxy said, and what comes behind its answer to TLS or the handler: no event
/// will tell of it again.
fn feed_proxy(conn: &Conn<'_>, handler: &mut Box<dyn Handler>, data: &mut [u8]) -> Fed {
    match proxy::feed(conn, data) {
        Ok(None) => {
            conn.mark_dirty();
            conn.fed()
        }
        Ok(Some(consumed)) => {
            if connect::at_target(conn) {
                conn.mark_dirty();
            } else {
                conn.begin(handler);
            }
            match data.get_mut(consumed..) {
                None | Some([]) => conn.fed(),
                Some(rest) => feed(conn, handler, rest),
            }
        }
        Err(e) => {
            close::now(conn, CloseReason::Proxy(e));
            Fed::Stop
        }
    }
}

/// The peer ended its side.
fn peer_ended(conn: &Conn<'_>, handler: &mut Box<dyn Handler>) {
    let (life, truncated) = {
        let mut state = conn.state();
        state.read.side.ended();
        (state.life, state.is_truncated())
    };
    match life {
        // It may still read: what was accepted goes out.
        Lifecycle::Opening | Lifecycle::Open if truncated => {
            close::finish(conn, CloseReason::Truncated, false);
        }
        Lifecycle::Opening | Lifecycle::Open => {
            conn.guarded(handler, |handler, conn| handler.on_end(conn));
        }
        // Flushing goes on: the peer may still read. The flush ends it.
        Lifecycle::Flushing => conn.mark_dirty(),
        Lifecycle::Lingering => close::in_order(conn),
        Lifecycle::Tunnelling => {
            close::now_unless_settled(conn, CloseReason::Proxy(ProxyError::Ended));
        }
        Lifecycle::Securing => close::now(conn, CloseReason::Truncated),
        Lifecycle::Resolving | Lifecycle::Connecting | Lifecycle::Closed => {}
    }
}
