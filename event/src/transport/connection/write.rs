//! The write path: queue to socket.

use super::outcome::Flushed;
use super::parts::Timer;
use super::{Call, Conn, close, discard, tls};
use crate::error::CloseReason;
use crate::machine::lifecycle::Lifecycle;
use crate::machine::write_side::WriteSide;
use crate::sys::clock;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Writes what is queued, as far as the socket takes it, and moves a finishing connection on.
/// Calls no user.
pub(super) fn flush(conn: &Conn<'_>) {
    let core = conn.core();
    let (flushed, written, low_water, sent, read_on) = {
        let state = &mut *conn.state();
        if state.life.is_closed() || state.socket.stream.is_none() {
            return;
        }
        let (mut written, before) = (0, state.unsent());
        let flushed = state.write_out(&core.buffers, &mut written);
        if written > 0 {
            state.write.progress = core.clock_now();
        }
        let sent = state.took(before.saturating_sub(state.unsent()));
        let read_on = written > 0 && state.discard_on();
        state.charge(&core.memory);
        (flushed, written, state.fell_low(), sent, read_on)
    };
    core.shared.counters.bytes_out.add(written as u64);
    if low_water {
        conn.defer(Call::LowWater);
    }
    if sent {
        conn.defer(Call::Sent);
    }
    if read_on {
        conn.mark_ready();
    }
    match flushed {
        Flushed::All => flushed_all(conn),
        Flushed::Blocked => watch_stall(conn),
        Flushed::Budget => conn.mark_dirty(),
        Flushed::Failed(e) => failed(conn, e),
    }
}

/// Writes bytes that are on the account and not queued, if nothing is before them; how many the socket took.
/// Those are told of as if they had been queued. Calls no user.
pub(super) fn at_once(conn: &Conn<'_>, head: &[u8], body: &[u8]) -> usize {
    let core = conn.core();
    if tls::is_there(conn) {
        return 0;
    }
    let size = head.len() + body.len();
    let (written, failure, low_water) = {
        let state = &mut *conn.state();
        if !state.takes_data() || state.wants_write() {
            return 0;
        }
        let (written, failure) = state.write_parts(head, body);
        if written > 0 {
            state.settings.budget.release(written);
            state.write.progress = core.clock_now();
            state.write.untold += written;
            state.write.above_high |= size > state.write.marks.1;
        }
        (written, failure, written == size && state.fell_low())
    };
    core.shared.counters.bytes_out.add(written as u64);
    if low_water {
        conn.defer(Call::LowWater);
    }
    if let Some(e) = failure {
        failed(conn, e);
    }
    written
}

/// Nothing more can be written.
fn failed(conn: &Conn<'_>, error: io::Error) {
    let stands = close::settled_reason(conn).or_else(|| peer_gone(conn));
    close::now(conn, stands.unwrap_or(CloseReason::Io(Arc::new(error))));
}

/// Writes although nobody told of room. The system does so late: Linux when a third of a buffer of
/// megabytes is free, and of a Unix socket when three quarters are. Before a peer is said to take
/// nothing it is tried.
pub(super) fn try_to_write(conn: &Conn<'_>) {
    let waits = {
        let mut state = conn.state();
        let waits = state.socket.stream.is_some() && state.wants_write();
        state.write.writable |= waits;
        waits
    };
    if waits {
        flush(conn);
    }
}

/// The reason to end that stands although writing failed: the peer's end was read before, and nothing
/// that was accepted is lost by it.
fn peer_gone(conn: &Conn<'_>) -> Option<CloseReason> {
    let state = conn.state();
    let ended = state.read.side.has_ended() && state.life == Lifecycle::Flushing;
    let gone = ended && state.unsent() == 0;
    state.end_reason().filter(|_| gone).cloned()
}

/// Everything is written: a finishing connection ends TLS, then its write side, then waits for
/// the peer's end.
fn flushed_all(conn: &Conn<'_>) {
    let (finishing, end, again) = {
        let state = &mut *conn.state();
        let finishing = state.life == Lifecycle::Flushing;
        let half = state.life.is_up() && state.write.side == WriteSide::Closing;
        if !finishing && !half {
            return;
        }
        if state.begin_tls_end() {
            (finishing, false, true)
        } else {
            let end = state.read.side.has_ended();
            state.end_write_side(finishing && end);
            if finishing {
                state.life.flushed();
            }
            if finishing && !end {
                state.discard_answers();
            }
            (finishing, end, false)
        }
    };
    if again {
        flush(conn);
    } else if !finishing {
        // A half close: the peer's side goes on.
    } else if end {
        close::in_order(conn);
    } else {
        close::await_end(conn);
        // What came before this may have been left unread by the handler's end.
        conn.mark_ready();
        discard::watch(conn);
    }
}

/// Arms the stall deadline if none is.
fn watch_stall(conn: &Conn<'_>) {
    let limit = {
        let state = conn.state();
        let limit = state.stall_limit();
        limit.filter(|_| !state.timers.is_armed(Timer::Stall))
    };
    if let Some((limit, _)) = limit {
        conn.arm(Timer::Stall, limit);
    }
}

/// The limit to a standing queue has changed: counted from now.
pub(super) fn set_stall(conn: &Conn<'_>, limit: Option<Duration>) {
    conn.state().settings.write_timeout = limit;
    conn.disarm(Timer::Stall);
    let waits = {
        let mut state = conn.state();
        let waits = state.socket.stream.is_some() && state.wants_write();
        if waits {
            state.write.progress = clock::now();
        }
        waits
    };
    if waits {
        watch_stall(conn);
    }
}
