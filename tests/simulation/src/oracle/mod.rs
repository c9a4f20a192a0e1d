//! What must be true of every history.

mod closes;
mod limits;
mod servers;
mod services;
mod sessions;
mod turns;

pub use closes::{check_close, check_tcp_close};
pub use servers::check_served;
pub use services::{check_failed, check_visit_close};
pub use turns::{Turns, check_turn};

use crate::clients::Client;
use crate::ctx::Ctx;
use crate::history::ClientPlan;
use hvloop_event::{RunError, ShutdownReport};
use hvloop_ws::ClientState;
use sessions::check_sessions;
use std::time::Duration;

/// More than the world's delays make.
const SLACK: Duration = Duration::from_millis(100);

/// The line carries what a history sends within a second.
fn is_fast(ctx: &Ctx) -> bool {
    let faults = &ctx.history.faults;
    faults.window as f64 > 1e6 * faults.latency.as_secs_f64()
}

/// Nothing in the world or in the peer can have broken the connection.
fn undisturbed(ctx: &Ctx, plan: &ClientPlan) -> bool {
    ctx.history.faults.reset == 0.0 && plan.is_good()
}

/// Nothing in the world can have broken a connection.
fn undisturbed_by(ctx: &Ctx) -> bool {
    ctx.history.faults.reset == 0.0
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
    for (s, server) in ctx.servers.iter().enumerate() {
        servers::check_over(ctx, s, server);
    }
    for (s, service) in ctx.services.iter().enumerate() {
        services::check_over(ctx, s, service);
    }
    ctx.extras.check_end(ctx);
}

/// When all that was under way has arrived.
pub fn check_end(ctx: &Ctx, result: &Result<ShutdownReport, RunError>) {
    for (c, client) in ctx.clients.iter().enumerate() {
        check_sessions(ctx, c, client, result.as_ref().ok());
    }
    for (s, server) in ctx.servers.iter().enumerate() {
        servers::check_transfers(ctx, s, server);
    }
    services::check_answers(ctx);
    for (s, service) in ctx.services.iter().enumerate() {
        services::check_visits(ctx, s, service, result.as_ref().ok());
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
    let latest = limits.fold(first.at + ctx.history.drain_timeout, Duration::min);
    ctx.check(now <= latest + slack, || {
        format!("the stop took {:?} longer than its deadline", now - latest)
    });
    if let Ok(report) = result {
        let late = report
            .still_held
            .iter()
            .find(|name| name.contains("listener"));
        ctx.check(late.is_none(), || format!("{late:?} outlived the stop"));
        // Room comes back as fast as the line is: all that waits goes within seconds.
        let stuck = report.still_held.iter().find(|name| name.contains("UDP"));
        let in_time = ctx.history.drain_timeout < Duration::from_secs(5)
            || ctx.stops.borrow().iter().any(|stop| stop.limit.is_some());
        ctx.check(stuck.is_none() || in_time, || format!("{stuck:?} is stuck"));
    }
    if let Ok(report) = result
        && report.still_held.is_empty()
        && ctx.history.drain_timeout > report.elapsed
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
