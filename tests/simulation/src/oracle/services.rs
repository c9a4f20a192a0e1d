//! What must be true of WebSocket servers and their connections.

use super::limits::{self, Limits};
use super::sessions::was_asked_for;
use super::{is_fast, undisturbed_by};
use crate::ctx::Ctx;
use crate::history::ServicePlan;
use crate::peers::Log;
use crate::servers::listens;
use crate::services::{Service, TOPIC, Visited, closes_when_full};
use hvloop_event::{CloseReason, ShutdownReport};
use hvloop_ws::{ChannelState, CloseEvent, ConnectionError, Initiator, WebSocketServer};
use std::collections::BTreeMap;
use std::time::Duration;

/// An `on_failed`: a connection that became no WebSocket.
pub fn check_failed(ctx: &Ctx, s: usize, fd: u64, error: &ConnectionError) {
    let logs = ctx.logs.borrow();
    let Some(log) = logs.get(&fd) else {
        return ctx.violation(format!("service {s}: nobody is fd {fd}"));
    };
    ctx.check(log.status != Some(101), || {
        format!("service {s}: {error:?}, and it had said yes")
    });
    let refused = matches!(
        error,
        ConnectionError::BadRequest(_)
            | ConnectionError::BadUpgrade(_)
            | ConnectionError::Refused(_)
    );
    if refused {
        let panicked = matches!(error, ConnectionError::Refused(500)) && ctx.panics.get() > 0;
        ctx.check(log.bad_request || panicked, || {
            format!("service {s}: the request was right: {error:?}")
        });
    }
}

/// An `on_close`, as it comes: it comes once and tells the truth.
pub fn check_visit_close(ctx: &Ctx, s: usize, visited: &Visited, event: &CloseEvent) {
    let plan = &ctx.services[s].plan;
    let wrong =
        |why: &str| ctx.violation(format!("service {s}, fd {}: {why}: {event:?}", visited.fd));
    if visited.event.is_some() {
        return wrong("I5: on_close twice");
    }
    if !event.was_open || visited.channel.state() != ChannelState::Closed {
        wrong("it was open, and is closed");
    }
    if visited.channel.is_subscribed(TOPIC) {
        wrong("it is still subscribed");
    }
    let too_slow = matches!(event.error, Some(ConnectionError::PeerTooSlow));
    if event.clean && event.error.is_some() && !too_slow {
        wrong("clean, with an error");
    }
    if event.error.is_none() {
        match event.initiator {
            Initiator::Local if visited.ended.is_none() => wrong("nobody had asked"),
            Initiator::Loop if !ctx.event_loop.is_stopping() => wrong("the loop does not stop"),
            Initiator::Remote if !event.clean => wrong("an end without a reason"),
            _ => {}
        }
    }
    if visited.full_on_loop && closes_when_full(plan) && !too_slow {
        wrong("its queue was full, which closes");
    }
    if let Some(error) = &event.error {
        check_error(ctx, plan, visited, error, &wrong);
    }
    let limits = Limits {
        close: plan.close_timeout,
        linger: plan.linger,
        stall: plan.write_timeout,
    };
    let by_loop = visited.maybe.is_empty()
        && !visited.pinged_elsewhere
        && visited.accepted.iter().all(|a| a.on_loop);
    let given_up = visited.ended.is_some();
    if let Err(why) = limits::check_event(ctx, visited.fd, event, &limits, by_loop, given_up) {
        wrong(&why);
    }
}

fn check_error(
    ctx: &Ctx,
    plan: &ServicePlan,
    visited: &Visited,
    error: &ConnectionError,
    wrong: &dyn Fn(&str),
) {
    let logs = ctx.logs.borrow();
    let Some(log) = logs.get(&visited.fd) else {
        return wrong("there is no such peer");
    };
    let too_big = log.sent.iter().any(|data| data.len() > plan.max_message);
    match error {
        ConnectionError::Protocol(_) if !log.misbehaved && !too_big => {
            wrong("the peer followed the protocol");
        }
        ConnectionError::PongTimedOut(silent) if plan.ping.is_none_or(|ping| *silent < ping) => {
            wrong("it had not been silent for that long");
        }
        ConnectionError::PongTimedOut(_) if visited.paused => wrong("it was not read from"),
        ConnectionError::CloseTimedOut(limit) if *limit != plan.close_timeout => {
            wrong("that is not its limit");
        }
        ConnectionError::MemoryLimit(limit) if plan.memory.is_none_or(|m| m.limit != *limit) => {
            wrong("that is not its limit");
        }
        ConnectionError::PeerTooSlow if !visited.full || !closes_when_full(plan) => {
            wrong("its queue was not full");
        }
        ConnectionError::CallbackPanicked if ctx.panics.get() == 0 => wrong("nothing panicked"),
        ConnectionError::Transport(reason) => {
            let may = match reason {
                CloseReason::Local => visited.ended.is_some(),
                CloseReason::Stopped => ctx.event_loop.is_stopping(),
                CloseReason::WriteTimedOut(limit) => plan.write_timeout == Some(*limit),
                CloseReason::ReadTimedOut(_) => plan.ping.is_some(),
                CloseReason::Panicked => ctx.panics.get() > 0,
                CloseReason::Tls(_) | CloseReason::Truncated => plan.tls,
                CloseReason::Peer | CloseReason::Forced | CloseReason::Io(_) => true,
                CloseReason::Protocol(_) => log.misbehaved || too_big,
                CloseReason::MemoryLimit(limit) => plan.memory.is_some_and(|m| m.limit == *limit),
                _ => false,
            };
            if !may {
                wrong("which is not so");
            }
        }
        _ => {}
    }
}

/// When `run()` has returned.
pub fn check_over(ctx: &Ctx, s: usize, service: &Service) {
    if let Some(server) = &*service.server.borrow() {
        let mut channels = 0;
        server.for_each_channel(|_| channels += 1);
        let left = (
            WebSocketServer::connection_num(server),
            channels,
            server.subscriber_num(TOPIC),
        );
        ctx.check(left == (0, 0, 0), || {
            format!("service {s}: {left:?} connections, channels, subscribers after run()")
        });
        let held = server.memory();
        ctx.check(held == 0, || {
            format!("I13: the connections of service {s} hold {held} bytes after run()")
        });
    }
    ctx.check(!listens(&ctx.world, &service.address), || {
        format!("service {s} listens after run()")
    });
    for visited in service.visited.borrow().values() {
        ctx.check(visited.event.is_some(), || {
            format!("I5: service {s}: an on_close never came")
        });
        let queued = visited.channel.buffered_amount();
        ctx.check(queued == 0, || {
            format!("I10: service {s}: {queued} bytes are left on an account")
        });
    }
}

/// Whoever asked for no WebSocket had an answer that says so, if any.
pub fn check_answers(ctx: &Ctx) {
    let logs = ctx.logs.borrow();
    for log in logs.values().filter(|log| log.bad_request) {
        // 500: a callback panicked.
        let may = [200, 400, 403, 404, 426];
        let answered = log
            .status
            .is_none_or(|status| may.contains(&status) || (status == 500 && ctx.panics.get() > 0));
        ctx.check(answered, || {
            format!(
                "{:?} is the answer to a request for no WebSocket",
                log.status
            )
        });
    }
}

/// When all that was under way has arrived.
pub fn check_visits(ctx: &Ctx, s: usize, service: &Service, report: Option<&ShutdownReport>) {
    let logs = ctx.logs.borrow();
    for visited in service.visited.borrow().values() {
        let Some(log) = logs.get(&visited.fd) else {
            ctx.violation(format!("service {s}: nobody is fd {}", visited.fd));
            continue;
        };
        let checked = check_received(ctx, visited, log)
            .and_then(|()| check_delivered(ctx, service, visited, log))
            .and_then(|()| check_end(ctx, service, visited, log, report));
        if let Err(why) = checked {
            ctx.violation(format!("service {s}, fd {}: {why}", visited.fd));
        }
    }
}

/// What the server got is what its peer sent, from the beginning.
fn check_received(ctx: &Ctx, visited: &Visited, log: &Log) -> Result<(), String> {
    let same = visited
        .got
        .iter()
        .zip(&log.sent)
        .all(|(got, sent)| got == sent);
    if !same || visited.got.len() > log.sent.len() {
        return Err("it got what nobody had sent".to_owned());
    }
    let Some(event) = &visited.event else {
        return Ok(());
    };
    // The peer's Close came, behind all that it had sent.
    if event.clean && event.initiator == Initiator::Remote && visited.ended.is_none() {
        let (got, sent) = (visited.got.len(), log.sent.len());
        if got != sent {
            return Err(format!("{got} of {sent} messages were delivered"));
        }
        if ctx.panics.get() == 0 && log.close.is_some() && log.ponged < log.pings {
            return Err(format!(
                "Ping {} was not answered, {} was",
                log.pings, log.ponged
            ));
        }
    }
    Ok(())
}

/// What the peer got was accepted, once, and in its sender's order.
fn check_delivered(
    ctx: &Ctx,
    service: &Service,
    visited: &Visited,
    log: &Log,
) -> Result<(), String> {
    if let Some(nonsense) = log.nonsense.as_ref().filter(|_| !log.misbehaved) {
        return Err(format!("nonsense was sent: {nonsense}"));
    }
    if log.after_close {
        return Err("I11: something came behind the Close".to_owned());
    }
    let mut last: BTreeMap<u64, usize> = BTreeMap::new();
    let mut arrived = vec![false; visited.accepted.len()];
    for message in &log.messages {
        // The echoes may be alike: the first that has not arrived yet.
        let found = visited
            .accepted
            .iter()
            .zip(&arrived)
            .position(|(accepted, arrived)| !arrived && accepted.data == *message);
        match found {
            Some(at) => {
                arrived[at] = true;
                let before = last.insert(visited.accepted[at].sender, at);
                if before.is_some_and(|before| before > at) {
                    let number = visited.accepted[at].number;
                    return Err(format!("message {number} was overtaken"));
                }
            }
            None if visited.maybe.contains(message) => {}
            None => return Err("a message arrived that nobody sent".to_owned()),
        }
    }
    // The Close has arrived, so that everything before it has.
    if log.close.is_some() {
        for (accepted, arrived) in visited.accepted.iter().zip(arrived) {
            let before = |number: u64| accepted.number < number;
            let by = visited
                .event
                .as_ref()
                .filter(|event| was_asked_for(event))
                .map(|event| event.initiator);
            let in_time = match by {
                Some(Initiator::Loop) => {
                    visited.ended.is_none()
                        && ctx.first_stop().is_some_and(|stop| before(stop.number))
                }
                Some(Initiator::Local) => visited
                    .ended
                    .is_some_and(|ended| !ended.on_loop && before(ended.number) && !visited.full),
                _ => false,
            };
            if !arrived && (accepted.on_loop || in_time) {
                let (number, size) = (accepted.number, accepted.data.len());
                let of = service.plan.send_limit;
                return Err(format!(
                    "message {number} of {size} bytes was accepted and lost, limit {of}"
                ));
            }
        }
    }
    Ok(())
}

/// The end of the connection, as its peer saw it.
fn check_end(
    ctx: &Ctx,
    service: &Service,
    visited: &Visited,
    log: &Log,
    report: Option<&ShutdownReport>,
) -> Result<(), String> {
    let Some(event) = &visited.event else {
        return Ok(());
    };
    if event.clean && !log.close_sent {
        return Err("clean, without the peer's Close".to_owned());
    }
    if let Some(code) = log.close {
        let may: &[u16] = match (&event.error, event.initiator) {
            (Some(ConnectionError::PeerTooSlow), _) => &[1013],
            (Some(ConnectionError::CallbackPanicked), _) => &[1011],
            (Some(ConnectionError::Protocol(_)), _) => &[1002, 1007, 1009],
            (_, Initiator::Loop) => &[1001],
            (_, Initiator::Local) => &[1000, 1001],
            _ => &[1000, 4000],
        };
        let known = matches!(
            event.error,
            None | Some(
                ConnectionError::PeerTooSlow
                    | ConnectionError::CallbackPanicked
                    | ConnectionError::Protocol(_)
            )
        );
        if known && !may.contains(&code) {
            return Err(format!("its Close said {code}: {event:?}"));
        }
    }
    if let (true, Some(said)) = (event.clean, log.said)
        && log
            .close
            .is_some_and(|_| event.initiator == Initiator::Remote)
        && event.code != said
    {
        return Err(format!("the peer's Close said {said}, not {}", event.code));
    }
    let plan = &service.plan;
    let second = Duration::from_secs(1);
    let patient = plan.close_timeout > second
        && plan.linger > second
        && plan.write_timeout.is_none_or(|limit| limit > second);
    let in_time = report.is_some_and(ShutdownReport::is_clean) && patient && is_fast(ctx);
    if event.clean && in_time && undisturbed_by(ctx) && !log.misbehaved && !visited.aborted {
        if log.reset {
            return Err("a clean close broke the connection".to_owned());
        }
        if !log.ended {
            return Err("a clean close without an end".to_owned());
        }
        if plan.tls && !log.notified {
            return Err("a clean close without close_notify".to_owned());
        }
        if log.close.is_none() {
            return Err("its Close never arrived".to_owned());
        }
    }
    Ok(())
}
