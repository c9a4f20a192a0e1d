//! What happens when one of a connection's own timers fires.

use super::parts::Timer;
use super::{Conn, close, connect, proxy, write};
use crate::error::{CloseReason, ConnectPhase};
use crate::machine::lifecycle::Lifecycle;
use crate::transport::settings::ConnSettings;
use std::time::Duration;

/// The timer has fired.
pub(super) fn fired(conn: &Conn<'_>, which: Timer) {
    conn.state().timers.take(which);
    match which {
        Timer::Open if conn.is_up() => {
            conn.tell_if_up(|handler, conn| handler.on_open_timeout(conn));
        }
        Timer::Open => open_timed_out(conn),
        Timer::Race => connect::go_on(conn),
        Timer::Stall => check_stall(conn),
        Timer::Linger => close::now_unless_settled(conn, CloseReason::Forced),
        Timer::Quiet => check_quiet(conn),
        Timer::Flood => end_flood(conn),
    }
}

/// Closes a connection that is not open in time.
pub(super) fn open_timed_out(conn: &Conn<'_>) {
    let (phase, limit) = {
        let state = conn.state();
        (phase_of(state.life), state.settings.open_timeout)
    };
    if let Some(phase) = phase {
        // A proxy may have refused, and not have said all of why.
        let refusal = proxy::refusal(conn);
        let reason = CloseReason::OpenTimedOut { phase, limit };
        close::now(conn, refusal.unwrap_or(reason));
    }
}

/// What is under way in a connection that is not open yet.
fn phase_of(life: Lifecycle) -> Option<ConnectPhase> {
    match life {
        Lifecycle::Resolving => Some(ConnectPhase::Dns),
        Lifecycle::Connecting => Some(ConnectPhase::Connect),
        Lifecycle::Tunnelling => Some(ConnectPhase::Proxy),
        Lifecycle::Securing => Some(ConnectPhase::Tls),
        Lifecycle::Opening => Some(ConnectPhase::Handshake),
        _ => None,
    }
}

/// The stall deadline: closes, or waits on if the socket took something meanwhile.
fn check_stall(conn: &Conn<'_>) {
    write::try_to_write(conn);
    let (limit, reason, idle) = {
        let state = conn.state();
        let Some((limit, reason)) = state.stall_limit().filter(|_| state.wants_write()) else {
            return;
        };
        let now = conn.core().now();
        let idle = now.saturating_duration_since(state.write.progress);
        (limit, reason, idle)
    };
    match limit.checked_sub(idle).filter(|rest| !rest.is_zero()) {
        None => close::now_unless_settled(conn, reason),
        Some(rest) => conn.arm(Timer::Stall, rest),
    }
}

/// The short deadline of a flooded connection: closes. A failure stays what it was.
fn end_flood(conn: &Conn<'_>) {
    let failure = {
        let state = conn.state();
        let reason = state.end_reason();
        reason.filter(|reason| !reason.is_clean()).cloned()
    };
    close::now_unless_settled(conn, failure.unwrap_or(CloseReason::Forced));
}

/// Arms the deadline of a connection that may be quiet for so long, if it has one. One timer looks again
/// and again, so that a read costs no more than noting its time.
pub(super) fn watch_quiet(conn: &Conn<'_>) {
    let first = {
        let mut state = conn.state();
        if state.timers.is_armed(Timer::Quiet) {
            return;
        }
        state.read.last = conn.core().clock_now();
        state.settings.quiet_limits().map(|(limit, _)| limit).min()
    };
    if let Some(first) = first {
        conn.arm(Timer::Quiet, first);
    }
}

/// Changes the limits to being quiet, counted from now.
pub(super) fn set_quiet(conn: &Conn<'_>, change: impl FnOnce(&mut ConnSettings)) {
    change(&mut conn.state().settings);
    conn.disarm(Timer::Quiet);
    watch_quiet(conn);
}

/// The deadline: closes, or waits on if something came or went meanwhile.
fn check_quiet(conn: &Conn<'_>) {
    write::try_to_write(conn);
    let now = conn.core().now();
    let mut next: Option<Duration> = None;
    let mut reason = None;
    {
        let mut state = conn.state();
        if !state.life.is_up() {
            return; // finishing: that has a deadline of its own
        }
        if state.holds_back() {
            state.read.last = now;
        }
        for (limit, reads_only) in state.settings.quiet_limits() {
            let last = match reads_only {
                true => state.read.last,
                false => state.read.last.max(state.write.progress),
            };
            let quiet = now.saturating_duration_since(last);
            match limit.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
                Some(rest) => next = Some(next.map_or(rest, |next| next.min(rest))),
                None if reads_only => reason = Some(CloseReason::ReadTimedOut(limit)),
                None => reason = Some(CloseReason::IdleTimedOut(limit)),
            }
        }
    }
    match (reason, next) {
        (Some(reason), _) => close::now(conn, reason),
        (None, Some(next)) => conn.arm(Timer::Quiet, next),
        (None, None) => {}
    }
}
