//! What must be true of every history.

use crate::clients::{Client, Session};
use crate::ctx::Ctx;
use crate::history::{ClientPlan, Host, Kind, Manner, RoutePlan};
use crate::peers::Log;
use hvloop_event::{CloseReason, RunError, ShutdownReport};
use hvloop_ws::{ClientState, CloseEvent, ConnectionError, Initiator};
use std::time::Duration;

/// More than the world's delays make.
const SLACK: Duration = Duration::from_millis(100);

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
        let ended = record.ended.is_some_and(|ended| ended.on_loop);
        ctx.check(!ended && !ctx.event_loop.is_stopping(), || {
            format!("client {c} wants to reconnect after it was closed or its loop stopped")
        });
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
            let log = record.sessions.last().and_then(|session| session.fd);
            let waited = ctx.world.elapsed().saturating_sub(record.began);
            check_error(ctx, c, &client.plan, error, waited, log);
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
    let by_us = !matches!(reason, CloseReason::Local) || record.ended.is_some();
    ctx.check(by_us, || {
        format!("client {c} was closed by this side, and nobody had asked")
    });
    let waited = ctx.world.elapsed().saturating_sub(record.began);
    check_reason(ctx, c, &client.plan, reason, waited);
}

/// The line carries what a history sends within a second.
fn is_fast(ctx: &Ctx) -> bool {
    let faults = &ctx.history.faults;
    faults.window as f64 > 1e6 * faults.latency.as_secs_f64()
}

/// Nothing in the world or in the peer can have broken the connection.
fn undisturbed(ctx: &Ctx, plan: &ClientPlan) -> bool {
    ctx.history.faults.reset == 0.0 && plan.manner.is_good()
}

fn check_error(
    ctx: &Ctx,
    c: usize,
    plan: &ClientPlan,
    error: &ConnectionError,
    waited: Duration,
    _log: Option<u64>,
) {
    let wrong = |why: &str| ctx.violation(format!("client {c}: {why}: {error:?}"));
    match error {
        ConnectionError::Transport(reason) => check_reason(ctx, c, plan, reason, waited),
        ConnectionError::Handshake(_) if plan.manner != Manner::HttpError => {
            wrong("the answer was right")
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
        ConnectionError::PeerSilent(silent) if plan.ping.is_none_or(|ping| *silent < ping) => {
            wrong("it had not been silent for that long")
        }
        ConnectionError::CloseTimedOut(limit) => {
            if *limit != plan.close_timeout {
                wrong("that is not its limit");
            }
            let patient =
                plan.close_timeout > Duration::from_secs(4) && !ctx.paused.get() && is_fast(ctx);
            if patient && undisturbed(ctx, plan) && !matches!(plan.manner, Manner::Slow(_)) {
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
        CloseReason::Connect(..) => {
            let refused = matches!(plan.route, RoutePlan::Refuse(_));
            if !refused && faults.no_fd == 0.0 && faults.reset == 0.0 {
                wrong("connects are accepted");
            }
        }
        CloseReason::TimedOut { limit, .. } if *limit != plan.open_deadline || waited < *limit => {
            wrong("it had not had its time")
        }
        CloseReason::Peer if plan.kind == Kind::WebSocket && undisturbed(ctx, plan) => {
            wrong("the peer says goodbye before it ends");
        }
        CloseReason::Io(_) | CloseReason::Truncated | CloseReason::Tls(_)
            if undisturbed(ctx, plan) =>
        {
            wrong("nobody broke the connection")
        }
        CloseReason::WriteStalled(limit) if plan.write_stall != Some(*limit) => {
            wrong("that is not its limit")
        }
        CloseReason::Panicked if ctx.panics.get() == 0 => wrong("nothing panicked"),
        CloseReason::Protocol(_) if plan.kind == Kind::Tcp => wrong("there is no protocol"),
        _ => {}
    }
}

/// When `run()` has returned.
pub fn check_return(ctx: &Ctx, result: &Result<ShutdownReport, RunError>) {
    ctx.work.check_end(ctx);
    let metrics = ctx.event_loop.metrics();
    ctx.check(metrics.connections == 0, || {
        format!("{} connections are left", metrics.connections)
    });
    ctx.check(metrics.timers == 0, || {
        format!("{} timers are left", metrics.timers)
    });
    let holds = ctx.work.held() as u64;
    ctx.check(metrics.holds == holds, || {
        format!(
            "I8: {} holds are left, and the history has {holds}",
            metrics.holds
        )
    });
    ctx.check(metrics.panics == ctx.panics.get(), || {
        format!(
            "{} panics, {} of them on purpose",
            metrics.panics,
            ctx.panics.get()
        )
    });
    let fds = ctx.world.open_fds();
    ctx.check(fds == 0, || {
        format!("I9: {fds} descriptors are open after run()")
    });
    check_time(ctx, result);
    for (c, client) in ctx.clients.iter().enumerate() {
        check_over(ctx, c, client);
    }
}

/// When all that was under way has arrived.
pub fn check_end(ctx: &Ctx, result: &Result<ShutdownReport, RunError>) {
    for (c, client) in ctx.clients.iter().enumerate() {
        check_sessions(ctx, c, client, result.as_ref().ok());
    }
}

/// The stop took no longer than it may, and no less than it must.
fn check_time(ctx: &Ctx, result: &Result<ShutdownReport, RunError>) {
    let now = ctx.world.elapsed();
    let Some(first) = ctx.first_stop() else {
        return ctx.check(result.is_err(), || {
            "it stopped, and nobody had asked".to_owned()
        });
    };
    let faults = &ctx.history.faults;
    let slack = SLACK + ctx.burned.get() + faults.delay * 10;
    let limits = ctx.stops.borrow();
    // Each limit counts from its own stop, and the loop's from the first.
    let limits = limits.iter().filter_map(|stop| Some(stop.at + stop.limit?));
    let latest = limits.fold(first.at + ctx.history.drain_limit, Duration::min);
    ctx.check(now <= latest + slack, || {
        format!("the stop took {:?} longer than its deadline", now - latest)
    });
    if let Ok(report) = result
        && report.still_held.is_empty()
        && ctx.history.drain_limit > report.elapsed
    {
        let forced = ctx.stops.borrow().iter().any(|stop| stop.limit.is_some());
        ctx.check(forced || ctx.work.held() == 0, || {
            "it closed over a hold".to_owned()
        });
    }
}

fn check_over(ctx: &Ctx, c: usize, client: &Client) {
    let record = client.record.borrow();
    ctx.check(!record.live || record.backing_off, || {
        format!("I5: client {c}: its on_close never came")
    });
    let buffered = client.buffered();
    ctx.check(buffered == 0, || {
        format!("I10: client {c} has {buffered} bytes on its account")
    });
    let state = client.state();
    ctx.check(
        state.is_none_or(|state| state == ClientState::Closed),
        || format!("client {c} is {state:?} after its loop has stopped"),
    );
}

fn check_sessions(ctx: &Ctx, c: usize, client: &Client, report: Option<&ShutdownReport>) {
    let record = client.record.borrow();
    let logs = ctx.logs.borrow();
    for session in &record.sessions {
        let Some(log) = session.fd.and_then(|fd| logs.get(&fd)) else {
            ctx.violation(format!("client {c}: a session with nobody"));
            continue;
        };
        ctx.check(log.client == c, || {
            format!("client {c} was connected to another's peer")
        });
        if let Some(nonsense) = &log.nonsense {
            ctx.violation(format!("client {c} sent nonsense: {nonsense}"));
        }
        match client.plan.kind {
            Kind::WebSocket => check_messages(ctx, c, client, session, log, report),
            Kind::Tcp => check_bytes(ctx, c, client, session, log),
        }
    }
}

fn check_messages(
    ctx: &Ctx,
    c: usize,
    client: &Client,
    session: &Session,
    log: &Log,
    report: Option<&ShutdownReport>,
) {
    // What arrived was accepted, once, and in its sender's order.
    let mut last = std::collections::BTreeMap::new();
    for message in &log.messages {
        let Some(accepted) = session.accepted.iter().find(|a| a.data == *message) else {
            return ctx.violation(format!("client {c}: a message arrived that nobody sent"));
        };
        let before = last.insert(accepted.sender, accepted.number);
        ctx.check(before.is_none_or(|before| before < accepted.number), || {
            format!(
                "client {c}: message {} came after {before:?}",
                accepted.number
            )
        });
    }
    // What was delivered is what the peer sent, from the beginning.
    let in_order = log.sent.len() >= session.got.len()
        && session
            .got
            .iter()
            .zip(&log.sent)
            .all(|(got, sent)| got == sent);
    ctx.check(in_order, || {
        format!("client {c}: what it got is not what was sent")
    });
    ctx.check(!log.after_close, || {
        format!("I11: client {c} sent behind its Close")
    });
    let Some(event) = &session.event else { return };
    ctx.check(!event.clean || log.close_sent, || {
        format!("client {c}: clean, without a Close")
    });
    if event.clean && event.initiator == Initiator::Remote && session.ended.is_none() {
        let (got, sent) = (session.got.len(), log.sent.len());
        ctx.check(got == sent, || {
            format!("client {c}: {got} of {sent} messages were delivered")
        });
        if ctx.panics.get() == 0 && log.close.is_some() {
            ctx.check(log.pongs >= log.pings, || {
                format!(
                    "client {c}: {} of {} Pings were answered",
                    log.pongs, log.pings
                )
            });
        }
    }
    // The Close has arrived, so that everything before it has.
    if log.close.is_some() {
        for accepted in &session.accepted {
            let strict = accepted.on_loop || sent_before_the_end(ctx, session, accepted.number);
            let arrived = log.messages.contains(&accepted.data);
            ctx.check(arrived || !strict, || {
                format!(
                    "client {c}: message {} was accepted and lost",
                    accepted.number
                )
            });
        }
    }
    let in_time = report.is_some_and(|report| report.forced == 0 && report.failed == 0)
        && client.plan.close_timeout > Duration::from_secs(1)
        && client
            .plan
            .write_stall
            .is_none_or(|limit| limit > Duration::from_secs(1));
    if event.clean && in_time && undisturbed(ctx, &client.plan) {
        ctx.check(!log.reset, || {
            format!("client {c}: a clean close broke the connection")
        });
        ctx.check(log.ended, || {
            format!("client {c}: a clean close without an end")
        });
        ctx.check(log.notified || !client.plan.tls, || {
            format!("client {c}: a clean close without close_notify")
        });
        ctx.check(log.close.is_some(), || {
            format!("client {c}: its Close never arrived")
        });
    }
}

/// For a message of another thread: it was on its way before anything began to end.
fn sent_before_the_end(ctx: &Ctx, session: &Session, number: u64) -> bool {
    match session.event.as_ref().map(|event| event.initiator) {
        Some(Initiator::Loop) => {
            session.ended.is_none() && ctx.first_stop().is_some_and(|stop| number < stop.number)
        }
        Some(Initiator::Local) => session
            .ended
            .is_some_and(|ended| !ended.on_loop && number < ended.number),
        _ => false,
    }
}

fn check_bytes(ctx: &Ctx, c: usize, client: &Client, session: &Session, log: &Log) {
    let got: usize = session.got.iter().map(Vec::len).sum();
    ctx.check(got <= log.bytes_sent, || {
        format!("client {c} got more than was sent")
    });
    // Those of other threads may come between those of the loop's.
    let mut rest = &log.bytes[..];
    let mut last = std::collections::BTreeMap::new();
    while let Some(accepted) = session.accepted.iter().find(|a| rest.starts_with(&a.data)) {
        let before = last.insert(accepted.sender, accepted.number);
        ctx.check(before.is_none_or(|before| before < accepted.number), || {
            format!(
                "client {c}: bytes {} came after {before:?}",
                accepted.number
            )
        });
        rest = &rest[accepted.data.len()..];
    }
    let cut = session.accepted.iter().any(|a| a.data.starts_with(rest));
    ctx.check(rest.is_empty() || cut, || {
        format!("client {c}: bytes arrived that nobody sent")
    });
    let orderly = matches!(
        session.reason,
        Some(CloseReason::Local | CloseReason::Stopped)
    );
    if orderly && log.ended && !log.reset {
        let stopped = matches!(session.reason, Some(CloseReason::Stopped));
        for accepted in &session.accepted {
            let in_time = match (stopped, session.ended) {
                (true, None) => ctx
                    .first_stop()
                    .is_some_and(|stop| accepted.number < stop.number),
                (false, Some(ended)) => !ended.on_loop && accepted.number < ended.number,
                _ => false,
            };
            let arrived = log
                .bytes
                .windows(accepted.data.len())
                .any(|window| window == accepted.data);
            ctx.check(arrived || !(accepted.on_loop || in_time), || {
                format!(
                    "client {c}: bytes {} were accepted and lost",
                    accepted.number
                )
            });
        }
        let plan = &client.plan;
        let patient = plan.close_timeout > Duration::from_secs(1);
        if plan.tls && patient && undisturbed(ctx, plan) {
            ctx.check(log.notified, || {
                format!("client {c}: an end without close_notify")
            });
        }
    }
}
