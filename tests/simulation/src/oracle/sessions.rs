//! What was accepted and what arrived.

use super::undisturbed;
use crate::clients::{Client, Session};
use crate::ctx::Ctx;
use crate::history::{Kind, Manner};
use crate::peers::Log;
use hvloop_event::{CloseReason, ShutdownReport};
use hvloop_ws::{CloseEvent, ConnectionError, Initiator};
use std::time::Duration;

pub(super) fn check_sessions(
    ctx: &Ctx,
    c: usize,
    client: &Client,
    report: Option<&ShutdownReport>,
) {
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
        if let Some(nonsense) = log.nonsense.as_ref().filter(|_| !log.misbehaved) {
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
            ctx.check(log.ponged == log.pings, || {
                let (ping, ponged) = (log.pings, log.ponged);
                format!("client {c}: Ping {ping} was not answered, {ponged} was")
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
    let in_time = report.is_some_and(|report| report.is_clean())
        && client.plan.close_timeout > Duration::from_secs(1)
        && client
            .plan
            .write_timeout
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

/// Whether it was a close or a stop that began the end, and not a fault of the peer's, which may come before
/// the loop has what other threads have sent.
pub fn was_asked_for(event: &CloseEvent) -> bool {
    matches!(
        event.error,
        None | Some(ConnectionError::CloseTimedOut(_) | ConnectionError::Transport(_))
    )
}

/// For a message of another thread: it was on its way before anything began to end.
fn sent_before_the_end(ctx: &Ctx, session: &Session, number: u64) -> bool {
    let by = session
        .event
        .as_ref()
        .filter(|event| was_asked_for(event))
        .map(|event| event.initiator);
    match by {
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
    let garbage = matches!(client.plan.manner, Manner::Garbage(_));
    ctx.check(got <= log.bytes_sent || garbage, || {
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
