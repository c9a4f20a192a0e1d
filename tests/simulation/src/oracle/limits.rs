//! Limits of time: none begins before its time, is forgotten, or overlooks what has happened.

use super::SLACK;
use crate::ctx::Ctx;
use hvloop_event::CloseReason;
use hvloop_ws::{CloseEvent, ConnectionError};
use std::time::Duration;

/// Those of a WebSocket.
pub struct Limits {
    /// For the peer's Close.
    pub close: Duration,
    /// For the peer's end.
    pub linger: Duration,
    pub stall: Option<Duration>,
}

/// Whether that took longer than its limit and the world's delays make.
pub fn is_late(ctx: &Ctx, took: Duration, limit: Duration) -> bool {
    let slack = SLACK / 2 + ctx.burned.get() + ctx.history.faults.delay * 5;
    took > limit + slack && !ctx.paused.get()
}

/// What must be so of a stream that ended for that reason.
pub fn check_reason(
    ctx: &Ctx,
    fd: u64,
    reason: &CloseReason,
    linger: Duration,
) -> Result<(), String> {
    let (now, moved) = (ctx.world.elapsed(), ctx.world.moved(fd));
    let since = |at: Duration| now.saturating_sub(at);
    // No drain, no loop that fails and no bound to what is discarded cut it.
    let by_itself =
        !ctx.is_late() && ctx.history.faults.poll_fails == 0.0 && !may_be_cut_off(ctx, fd);
    let (what, last, limit) = match reason {
        CloseReason::WriteTimedOut(limit) => ("taken", moved.taken, *limit),
        CloseReason::Forced if by_itself => ("written", moved.written.max(moved.ended), linger),
        CloseReason::IdleTimedOut(limit) => {
            ("read or written", moved.read.max(moved.written), *limit)
        }
        CloseReason::ReadTimedOut(limit) => ("read", moved.read, *limit),
        _ => return Ok(()),
    };
    match since(last) < limit {
        true => Err(format!("some was {what} {:?} before", since(last))),
        false => Ok(()),
    }
}

/// Whether its peer said more than a connection that is ending discards.
fn may_be_cut_off(ctx: &Ctx, fd: u64) -> bool {
    let logs = ctx.logs.borrow();
    let said = logs.get(&fd).map_or(0, |log| {
        let messages: usize = log.sent.iter().map(Vec::len).sum();
        log.bytes_sent.max(messages)
    });
    said > 64 * 1024
}

/// What must be so of a WebSocket that ended so. `by_loop`: all that it was given to send came from its
/// loop's thread, so that nothing was on its way to it. `given_up`: this side has ended it, maybe at once.
pub fn check_event(
    ctx: &Ctx,
    fd: u64,
    event: &CloseEvent,
    limits: &Limits,
    by_loop: bool,
    given_up: bool,
) -> Result<(), String> {
    let (now, moved) = (ctx.world.elapsed(), ctx.world.moved(fd));
    let since = |at: Duration| now.saturating_sub(at);
    let lost = by_loop && event.lost > 0;
    if event.clean && lost {
        return Err("clean, with a loss".to_owned());
    }
    match &event.error {
        Some(ConnectionError::CloseTimedOut(_)) => {
            let written = since(moved.written);
            if written < limits.close {
                return Err(format!("the last byte was written {written:?} before"));
            }
            match lost && limits.stall.is_some() {
                true => Err("the Close had not left".to_owned()),
                false => Ok(()),
            }
        }
        Some(ConnectionError::PongTimedOut(silent)) if since(moved.read) < *silent => {
            Err(format!("some was read {:?} before", since(moved.read)))
        }
        Some(ConnectionError::Transport(CloseReason::Peer | CloseReason::Truncated))
            if lost && !given_up =>
        {
            Err("the peer could have had all".to_owned())
        }
        Some(ConnectionError::Transport(reason)) => check_reason(ctx, fd, reason, limits.linger),
        _ => Ok(()),
    }
}
