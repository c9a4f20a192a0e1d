//! Each `on_close` comes once, and tells the truth.

use super::limits::{self, Limits};
use super::{is_fast, undisturbed};
use crate::ctx::Ctx;
use crate::history::{ClientPlan, Host, Kind, Manner, Outcome, RoutePlan};
use hvloop_event::CloseReason;
use hvloop_ws::{ClientState, CloseEvent, ConnectionError, Initiator};
use std::io::ErrorKind;
use std::time::Duration;

/// An `on_close`, as it comes.
pub fn check_close(ctx: &Ctx, c: usize, event: &CloseEvent) {
    let client = &ctx.clients[c];
    let record = client.record.borrow();
    ctx.check(record.live, || {
        format!("I5: client {c}: on_close twice, or for nothing")
    });
    ctx.check(event.attempt == record.attempt + 1, || {
        format!(
            "I5: client {c}: attempt {} was told after {}",
            event.attempt, record.attempt
        )
    });
    ctx.check(event.was_open == record.in_session, || {
        format!("client {c}: was_open is {}", event.was_open)
    });
    if event.reconnect_in.is_some() {
        ctx.check(
            record.ended.is_none() && !ctx.event_loop.is_stopping(),
            || format!("client {c} wants to reconnect after it was closed or its loop stopped"),
        );
    }
    let expected = match event.reconnect_in {
        Some(_) => ClientState::BackingOff,
        None => ClientState::Closed,
    };
    let state = client.state();
    ctx.check(state.is_none_or(|state| state == expected), || {
        format!("client {c} is {state:?} in on_close")
    });
    ctx.check(!event.clean || event.error.is_none(), || {
        format!("client {c}: clean, with an error")
    });
    let by_us = event.initiator == Initiator::Local && event.error.is_none();
    ctx.check(!by_us || record.ended.is_some(), || {
        format!("client {c} was closed by this side, and nobody had asked")
    });
    match &event.error {
        None => {
            let by_us = matches!(event.initiator, Initiator::Local | Initiator::Loop);
            ctx.check(event.clean || by_us, || {
                format!("client {c}: an end without a reason")
            });
        }
        Some(error) => {
            let waited = ctx.world.elapsed().saturating_sub(record.began);
            let session = record.sessions.last().filter(|_| record.in_session);
            let silent = matches!(error, ConnectionError::PongTimedOut(_));
            let paused = session.is_some_and(|session| session.paused);
            ctx.check(!silent || !paused, || {
                format!("client {c} did not read, and calls its peer silent")
            });
            check_error(ctx, c, &client.plan, error, waited);
        }
    }
    let session = record.sessions.last().filter(|_| record.in_session);
    if let Some((session, fd)) = session.and_then(|session| Some((session, session.fd?))) {
        let plan = &client.plan;
        let limits = Limits {
            close: plan.close_timeout,
            linger: plan.close_timeout,
            stall: plan.write_timeout,
        };
        let by_loop = !session.pinged_elsewhere && session.accepted.iter().all(|a| a.on_loop);
        let given_up = record.ended.is_some();
        if let Err(why) = limits::check_event(ctx, fd, event, &limits, by_loop, given_up) {
            ctx.violation(format!("client {c}, fd {fd}: {why}: {event:?}"));
        }
    }
}

/// An `on_close` of a TCP client.
pub fn check_tcp_close(ctx: &Ctx, c: usize, reason: &CloseReason) {
    let client = &ctx.clients[c];
    let record = client.record.borrow();
    ctx.check(record.live, || {
        format!("I5: client {c}: on_close twice, or for nothing")
    });
    let turn = ctx.event_loop.metrics().ticks;
    let late = record.given_up.is_some_and(|given_up| turn > given_up + 1);
    // While the loop is paused its turns end nothing.
    ctx.check(!late || ctx.paused.get(), || {
        format!("client {c}: an attempt after it was closed between two")
    });
    let by_us = !matches!(reason, CloseReason::Local) || record.ended.is_some();
    ctx.check(by_us, || {
        format!("client {c} was closed by this side, and nobody had asked")
    });
    let waited = ctx.world.elapsed().saturating_sub(record.began);
    check_reason(ctx, c, &client.plan, reason, waited);
    let session = record.sessions.last().filter(|_| record.in_session);
    if let Some(fd) = session.and_then(|session| session.fd)
        && let Err(why) = limits::check_reason(ctx, fd, reason, client.plan.close_timeout)
    {
        ctx.violation(format!("client {c}, fd {fd}: {why}: {reason:?}"));
    }
}

fn check_error(ctx: &Ctx, c: usize, plan: &ClientPlan, error: &ConnectionError, waited: Duration) {
    let wrong = |why: &str| ctx.violation(format!("client {c}: {why}: {error:?}"));
    match error {
        ConnectionError::Transport(reason) => check_reason(ctx, c, plan, reason, waited),
        ConnectionError::Handshake(_)
            if plan.manner != Manner::HttpError && (plan.hops == 0 || plan.redirects > 0) =>
        {
            wrong("the answer was right")
        }
        ConnectionError::Redirect(_) if plan.hops <= plan.redirects => {
            wrong("those are redirects that it follows")
        }
        ConnectionError::UpgradeInterrupted
            if !matches!(plan.manner, Manner::Drop | Manner::HttpError)
                && undisturbed(ctx, plan) =>
        {
            wrong("nobody interrupted the upgrade")
        }
        ConnectionError::Protocol(_) if !matches!(plan.manner, Manner::Garbage(_)) => {
            wrong("the peer followed the protocol")
        }
        ConnectionError::PongTimedOut(silent) if plan.ping.is_none_or(|ping| *silent < ping) => {
            wrong("it had not been silent for that long")
        }
        ConnectionError::CloseTimedOut(limit) => {
            if *limit != plan.close_timeout {
                wrong("that is not its limit");
            }
            let patient =
                plan.close_timeout > Duration::from_secs(4) && !ctx.paused.get() && is_fast(ctx);
            let slow = matches!(plan.manner, Manner::Slow(_) | Manner::Sip(_));
            if patient && undisturbed(ctx, plan) && !slow {
                wrong("the peer answers every Close");
            }
        }
        ConnectionError::CallbackPanicked if ctx.panics.get() == 0 => wrong("nothing panicked"),
        _ => {}
    }
}

fn check_reason(ctx: &Ctx, c: usize, plan: &ClientPlan, reason: &CloseReason, waited: Duration) {
    let wrong = |why: &str| ctx.violation(format!("client {c}: {why}: {reason:?}"));
    let faults = &ctx.history.faults;
    match reason {
        CloseReason::Dns(_) => {
            let unknown = matches!(plan.host, Host::Unknown(_));
            if !unknown && faults.no_thread == 0.0 {
                wrong("the name was there");
            }
        }
        CloseReason::Connect(_, e) => {
            let refused = matches!(plan.route, RoutePlan::Refuse(_));
            // Accepted, and broken before the loop looked: a connect that failed, as the system tells it.
            let broken =
                matches!(plan.manner, Manner::Reset(_)) && e.kind() == ErrorKind::ConnectionReset;
            if !refused && !broken && faults.no_fd == 0.0 && faults.reset == 0.0 {
                wrong("connects are accepted");
            }
        }
        CloseReason::Proxy(_) => {
            let good = plan
                .proxy
                .is_none_or(|proxy| proxy.outcome == Outcome::Connects);
            if good {
                wrong("its proxy lets it through");
            }
        }
        CloseReason::OpenTimedOut { limit, .. }
            if *limit != plan.open_timeout || waited < *limit =>
        {
            wrong("it had not had its time")
        }
        // A TCP client does not say when it tries again.
        CloseReason::OpenTimedOut { limit, .. }
            if plan.kind == Kind::WebSocket && limits::is_late(ctx, waited, *limit) =>
        {
            wrong("it had more than its time")
        }
        CloseReason::Peer if plan.kind == Kind::WebSocket && undisturbed(ctx, plan) => {
            wrong("the peer says goodbye before it ends");
        }
        CloseReason::Io(_) | CloseReason::Truncated | CloseReason::Tls(_)
            if undisturbed(ctx, plan) =>
        {
            wrong("nobody broke the connection")
        }
        CloseReason::WriteTimedOut(limit) if plan.write_timeout != Some(*limit) => {
            wrong("that is not its limit")
        }
        CloseReason::Panicked if ctx.panics.get() == 0 => wrong("nothing panicked"),
        CloseReason::Protocol(_) if plan.kind == Kind::Tcp => wrong("there is no protocol"),
        _ => {}
    }
}
