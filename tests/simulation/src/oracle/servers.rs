//! What must be true of servers and their connections.

use super::{limits, undisturbed_by};
use crate::ctx::Ctx;
use crate::peers::{Framing, Log};
use crate::servers::{Served, Server, listens};
use hvloop_event::{CloseReason, TcpServer};

/// An `on_close`, as it comes: its reason is true.
pub fn check_served(ctx: &Ctx, s: usize, served: &Served, reason: &CloseReason) {
    let plan = &ctx.servers[s].plan;
    let may = match reason {
        CloseReason::Local => served.ended,
        CloseReason::Stopped => ctx.event_loop.is_stopping(),
        CloseReason::WriteTimedOut(_) => plan.write_timeout.is_some(),
        CloseReason::ReadTimedOut(_) => plan.read_timeout.is_some(),
        CloseReason::IdleTimedOut(_) => plan.idle_timeout.is_some(),
        CloseReason::Panicked => ctx.panics.get() > 0,
        CloseReason::Unpack(_) => {
            plan.framing != Framing::None || !served.as_planned || misbehaved(ctx, served)
        }
        CloseReason::Tls(_) | CloseReason::Truncated => plan.tls,
        CloseReason::MemoryLimit(limit) => plan.memory.is_some_and(|m| m.limit == *limit),
        // A peer may have ended the stream before, and then taken nothing.
        CloseReason::Peer | CloseReason::Forced | CloseReason::Io(_) => true,
        _ => false,
    };
    ctx.check(may, || {
        format!("server {s}: closed for {reason:?}, which is not so")
    });
    if let Err(why) = limits::check_reason(ctx, served.fd, reason, plan.linger) {
        ctx.violation(format!("server {s}, fd {}: {why}: {reason:?}", served.fd));
    }
}

fn log<R>(ctx: &Ctx, served: &Served, f: impl FnOnce(&Log) -> R) -> Option<R> {
    ctx.logs.borrow().get(&served.fd).map(f)
}

fn misbehaved(ctx: &Ctx, served: &Served) -> bool {
    log(ctx, served, |log| log.misbehaved) == Some(true)
}

/// When `run()` has returned.
pub fn check_over(ctx: &Ctx, s: usize, server: &Server) {
    let count = server
        .server
        .borrow()
        .as_ref()
        .map(TcpServer::connection_num);
    ctx.check(count.is_none_or(|count| count == 0), || {
        format!("server {s} has {count:?} connections after run()")
    });
    let held = server.server.borrow().as_ref().map(TcpServer::memory);
    ctx.check(held.is_none_or(|held| held == 0), || {
        format!("I13: the connections of server {s} hold {held:?} bytes after run()")
    });
    ctx.check(!listens(&ctx.world, &server.address), || {
        format!("server {s} listens after run()")
    });
    for served in server.served.borrow().values() {
        ctx.check(served.closed.is_some(), || {
            format!("I5: server {s}: an on_close never came")
        });
        let queued = served.channel.buffered_amount();
        ctx.check(queued == 0, || {
            format!("I10: server {s}: {queued} bytes are left on an account")
        });
    }
}

/// When all that was under way has arrived.
pub fn check_transfers(ctx: &Ctx, s: usize, server: &Server) {
    for served in server.served.borrow().values() {
        let checked = log(ctx, served, |log| check_transfer(ctx, server, served, log));
        match checked {
            Some(Err(why)) => ctx.violation(format!("server {s}, fd {}: {why}", served.fd)),
            Some(Ok(())) => {}
            None => ctx.violation(format!("server {s}: nobody is fd {}", served.fd)),
        }
    }
}

fn check_transfer(ctx: &Ctx, server: &Server, served: &Served, log: &Log) -> Result<(), String> {
    let plan = &server.plan;
    let sent: Vec<u8> = log.sent.concat();
    let got: Vec<u8> = served.got.concat();
    if !log.misbehaved && !sent.starts_with(&got) {
        return Err("it got what nobody had sent".to_owned());
    }
    if plan.framing != Framing::None && served.as_planned && !log.misbehaved {
        let whole = served
            .got
            .iter()
            .zip(&log.sent)
            .all(|(got, sent)| got == sent);
        if !whole {
            return Err("packages came cut".to_owned());
        }
    }
    if served.ordered && !served.accepted.starts_with(&log.bytes) {
        return Err("the peer got what was not sent to it, or in another order".to_owned());
    }
    let clean = served.closed.as_ref().is_some_and(CloseReason::is_clean) && !served.aborted;
    if clean && served.ordered && undisturbed_by(ctx) && reads(log) {
        if log.bytes.len() != served.accepted.len() {
            return Err(format!(
                "a clean close lost {} of {} bytes",
                served.accepted.len() - log.bytes.len(),
                served.accepted.len()
            ));
        }
        if log.reset || !log.ended {
            return Err("a clean close broke the connection".to_owned());
        }
        if plan.tls && !log.notified {
            return Err("TLS did not end with close_notify".to_owned());
        }
    }
    Ok(())
}

/// The peer keeps to the rules and reads to the end.
fn reads(log: &Log) -> bool {
    !log.misbehaved && log.nonsense.is_none()
}
