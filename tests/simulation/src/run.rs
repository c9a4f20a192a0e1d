//! Runs one history.

use crate::clients::Client;
use crate::ctx::Ctx;
use crate::history::{History, Host, RoutePlan, When};
use crate::oracle;
use crate::peers::{self, Certificates, Logs};
use hvloop_event::sim::{Answer, Route, World, forget_loops};
use hvloop_event::{EventLoop, LoopOptions, Turn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// More turns than any history needs.
const TURNS: u64 = 200_000;
/// The "thread" of the stop that ends every history.
const LAST: u64 = 9;

/// Runs it and says what was wrong; nothing is right.
pub fn run(history: &History, certificates: &Rc<Certificates>, trace: bool) -> Vec<String> {
    let world = World::enter(history.seed, history.faults.clone());
    if trace {
        world.trace();
        eprintln!("{history:#?}");
    }
    peers::reseed(history.seed);
    let logs = Logs::default();
    set_up(&world, history, certificates, &logs);
    let options = LoopOptions::new()
        .dangerous_seed(history.seed)
        .slow_callback(None)
        .drain_timeout(history.drain_timeout);
    if let Ok(event_loop) = EventLoop::with_options(options) {
        let play = || play(&world, history, event_loop, logs, certificates);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(play)) {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| Some((*payload.downcast_ref::<&str>()?).to_owned()));
            world.violation(format!("panic: {}", text.unwrap_or_default()));
        }
    }
    // What is left of a history that was given up, and may be broken.
    let _ = catch_unwind(|| Ctx::with(abandon));
    let _ = catch_unwind(forget_loops);
    Ctx::forget();
    let violations = world.violations();
    World::leave();
    violations
}

fn set_up(world: &Rc<World>, history: &History, certificates: &Rc<Certificates>, logs: &Logs) {
    let lookup = Answer {
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        after: Some(Duration::from_millis(20)),
    };
    world.name("lookup.test", lookup);
    for (c, plan) in history.clients.iter().enumerate() {
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), Client::port(c));
        let route = match plan.route {
            RoutePlan::Refuse(after) => Route::Refuse(after),
            RoutePlan::Hole => Route::Hole,
            RoutePlan::Accept(after) => {
                let (logs, certificates, plan) = (logs.clone(), certificates.clone(), plan.clone());
                let accept = move |fd| peers::peer(fd, c, &plan, &certificates, &logs);
                Route::Accept(after, Box::new(accept))
            }
        };
        world.route(address, route);
        // All clients of a history share the names; the last one says what they are.
        match plan.host {
            Host::Literal => {}
            Host::Unknown(after) => world.name(
                "unknown.test",
                Answer {
                    addresses: Vec::new(),
                    after: Some(after),
                },
            ),
            Host::Name { good, bad, after } => {
                let mut addresses: Vec<IpAddr> = (0..bad)
                    .map(|n| Ipv4Addr::new(127, 0, 1, n as u8).into())
                    .collect();
                addresses.insert(good, Ipv4Addr::LOCALHOST.into());
                world.name("name.test", Answer { addresses, after });
            }
        }
    }
}

fn play(
    world: &Rc<World>,
    history: &History,
    event_loop: EventLoop,
    logs: Logs,
    certificates: &Rc<Certificates>,
) {
    let pending = history
        .actions
        .iter()
        .filter_map(|action| match action.when {
            When::In(place) => Some((place, action.op)),
            _ => None,
        });
    let ctx = Ctx::new(
        world.clone(),
        history.clone(),
        event_loop.clone(),
        logs,
        certificates.clone(),
        pending.collect(),
    );
    for (c, client) in ctx.clients.iter().enumerate() {
        client.make(&ctx, c);
    }
    for (s, server) in ctx.servers.iter().enumerate() {
        server.make(&ctx, s);
    }
    for (s, service) in ctx.services.iter().enumerate() {
        service.make(&ctx, s);
    }
    ctx.extras.set_up(&ctx);
    for action in &history.actions {
        match action.when {
            When::Before => world.as_thread(2, || ctx.perform(action.op)),
            When::At(at, thread) => {
                let op = action.op;
                world.call_later(at, thread, move || Ctx::with(|ctx| ctx.perform(op)));
            }
            When::In(_) => {}
        }
    }
    world.call_later(history.end, LAST, || {
        Ctx::with(|ctx| ctx.perform(crate::history::Op::Stop));
    });
    let mut turns = 0;
    let result = loop {
        match event_loop.run_once(None) {
            Ok(Turn::Continue) => {}
            Ok(Turn::Stopped(report)) => break Ok(report),
            Err(e) => break Err(e),
        }
        turns += 1;
        oracle::check_turn(&ctx);
        if turns > TURNS {
            world.violation(format!("it does not end: {:?}", event_loop.status()));
        }
        if !world.violations().is_empty() {
            return; // nothing that follows means anything
        }
    };
    world.note(|| format!("run() has returned: {result:?}"));
    ctx.ended.set(true);
    if result.is_err() {
        let may = history.faults.poll_fails > 0.0;
        ctx.check(may, || format!("the loop failed: {result:?}"));
    }
    oracle::check_return(&ctx, &result);
    // What is under way to the peers arrives, and what other threads still want is refused.
    world.settle(Duration::from_secs(10));
    oracle::check_end(&ctx, &result);
    after(&ctx);
}

/// What is asked of a loop that has stopped: an answer, and nothing else.
fn after(ctx: &Rc<Ctx>) {
    use crate::history::{ExtraOp, Op, ServerOp, ServiceOp};
    for thread in [World::LOOP_THREAD, 2] {
        ctx.world.as_thread(thread, || {
            for c in 0..ctx.clients.len() {
                for op in [
                    Op::Send(c, 20),
                    Op::Open(c),
                    Op::Close(c),
                    Op::StopClient(c),
                ] {
                    ctx.perform(op);
                }
            }
            for s in 0..ctx.servers.len() {
                for op in [ServerOp::Send(0, 20), ServerOp::Listen, ServerOp::Stop] {
                    ctx.perform(Op::Server(s, op));
                }
            }
            for s in 0..ctx.services.len() {
                let send = ServiceOp::Send(0, 20, 0);
                let broadcast = ServiceOp::Broadcast(2_000);
                for op in [send, broadcast, ServiceOp::Listen, ServiceOp::Stop] {
                    ctx.perform(Op::Service(s, op));
                }
            }
            for op in [
                ExtraOp::Bind,
                ExtraOp::Open(true),
                ExtraOp::SendTo(8),
                ExtraOp::Fill(0),
            ] {
                ctx.perform(Op::Extra(op));
            }
            for op in [Op::Task, Op::RunInLoop, Op::Stop, Op::Pause, Op::Resume] {
                ctx.perform(op);
            }
        });
    }
    ctx.work.clear();
    drop_handles(ctx);
    let metrics = ctx.event_loop.metrics();
    ctx.check(metrics.holds == 0, || {
        format!("I8: {} holds at the very end", metrics.holds)
    });
}

/// Lets everything go, in a world where nothing is looked at any more.
fn abandon(ctx: &Rc<Ctx>) {
    ctx.ended.set(true);
    ctx.work.clear();
    drop_handles(ctx);
}

fn drop_handles(ctx: &Rc<Ctx>) {
    for client in &ctx.clients {
        client.drop_handle(ctx);
    }
    for (s, server) in ctx.servers.iter().enumerate() {
        server.perform(ctx, s, crate::history::ServerOp::Drop);
    }
    for (s, service) in ctx.services.iter().enumerate() {
        service.perform(ctx, s, crate::history::ServiceOp::Drop);
    }
    ctx.extras.drop_handles();
}
