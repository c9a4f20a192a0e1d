//! Ending connections: finishing in order, and the closing phase.

use super::parts::{HeldUp, Timer};
use super::{Conn, leave, proxy};
use crate::error::CloseReason;
use crate::machine::lifecycle::{Finish, Lifecycle};
use crate::sys::clock;

/// Begins the end: nothing is read or written any more, and step 10 closes the fd, calls `on_close` and
/// frees the place. Only the first reason counts.
pub(super) fn now(conn: &Conn<'_>, reason: CloseReason) {
    let first = conn.state().life.close();
    if first {
        conn.core().list_closing(conn.place(), reason);
    }
}

/// As [`now`], for what happened to the transport: a reason that stands whatever that does stays.
pub(super) fn now_unless_settled(conn: &Conn<'_>, reason: CloseReason) {
    now(conn, settled_reason(conn).unwrap_or(reason));
}

/// The reason that stands whatever the transport does: what came in was wrong, or a proxy had
/// refused; or the peer agreed to the end, and all that was accepted is written.
pub(super) fn settled_reason(conn: &Conn<'_>) -> Option<CloseReason> {
    let is_tunnelling = conn.state().life == Lifecycle::Tunnelling;
    if is_tunnelling {
        return proxy::refusal(conn);
    }
    let state = conn.state();
    let all_written = state.life == Lifecycle::Lingering;
    state.end.as_ref()?.ending.settled(all_written).cloned()
}

/// See [`Conn::finish`] and [`Conn::finish_agreed`].
pub(super) fn finish(conn: &Conn<'_>, reason: CloseReason, agreed: bool) {
    let finish = {
        let mut state = conn.state();
        let finish = state.life.finish();
        if finish == Finish::Flush {
            state.end_mut().ending.begin(reason.clone(), agreed);
            if state.settings.stall_limit().is_none() {
                // It could stand for as long as it liked until now.
                state.write.progress = clock::now();
            }
            state.begin_discarding();
        }
        finish
    };
    match finish {
        Finish::Nothing => {}
        Finish::CloseNow => now(conn, reason),
        Finish::Flush => {
            conn.disarm(Timer::Open);
            conn.mark_dirty();
            // Reading was paused, and is not any more: the peer's end must be noticed.
            let held_back = {
                let mut state = conn.state();
                let held_up = std::mem::replace(&mut state.read.held_up, HeldUp::Never);
                state.read.paused || held_up == HeldUp::Yes
            };
            if held_back {
                conn.mark_ready();
            }
        }
    }
}

/// See [`Conn::fail`].
pub(super) fn fail(conn: &Conn<'_>, reason: CloseReason) {
    finish(conn, reason.clone(), false);
    let mut state = conn.state();
    if state.life == Lifecycle::Flushing {
        state.end_mut().ending.fail(reason);
    }
}

/// The last byte is written: gives the peer its time to end its side.
pub(super) fn await_end(conn: &Conn<'_>) {
    let linger = {
        let state = conn.state();
        (!state.timers.is_armed(Timer::Linger)).then_some(state.settings.close_timeout)
    };
    if let Some(linger) = linger {
        conn.arm(Timer::Linger, linger);
    }
}

/// The connection finished: closes it with the reason it was given.
pub(super) fn in_order(conn: &Conn<'_>) {
    let reason = conn.state().end_reason().cloned();
    now(conn, reason.unwrap_or(CloseReason::Peer));
}

/// Step 10: off the poller, fd closed, `on_close`, handler dropped.
pub(super) fn end(conn: &Conn<'_>, reason: CloseReason) {
    let core = conn.core();
    let transport = leave::take_off(conn);
    let (socket, racers, timers, was_open, lost) = {
        let state = &mut *conn.state();
        let unsent = state.unsent();
        if transport.is_none() {
            // What other threads have sent, and is on its way here, reaches nobody either.
            let lost = state.settings.budget.queued();
            state.end_mut().lost += lost;
        }
        state.clear_queues(&core.buffers);
        let held = &mut state.held;
        core.memory
            .discharge(held.share.as_ref(), &mut held.charged);
        state.settings.budget.release(unsent);
        let socket = state.socket.stream.take();
        let racers = state.connecting.take().map(|connecting| {
            if let Some(lookup) = connecting.lookup {
                lookup.cancel();
            }
            connecting.sockets
        });
        let timers = Timer::ALL.map(|which| state.timers.take(which));
        (socket, racers, timers, state.was_open, state.lost())
    };
    for timer in timers.into_iter().flatten() {
        core.kill_timer(timer);
    }
    if let Some(socket) = socket {
        conn.close_socket(socket);
    }
    conn.close_racers(racers.into_iter().flatten().map(|(_, _, racer)| racer));
    match (conn.connection.handler.take(), transport) {
        (Some(handler), Some(transport)) => {
            core.call_user("leave", || handler.on_leave(conn, transport));
        }
        (handler, _) => {
            core.note_end(was_open, &reason, lost);
            if let Some(handler) = handler {
                core.call_user("close", || handler.on_close(conn, reason));
            }
        }
    }
}
