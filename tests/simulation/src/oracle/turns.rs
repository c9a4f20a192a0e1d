//! What must be true of every turn: its work is bounded, and no timer waits for another turn.

use crate::ctx::Ctx;
use hvloop_event::Metrics;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Bytes that one connection may bring in one turn: twice its allowance, and one short read more.
const READ_BUDGET: u64 = 2 * 256 * 1024 + 16 * 1024;
/// Datagrams that one socket may read in one turn, in bytes.
const DATAGRAM_BUDGET: u64 = 32 * 65_507;

/// What is remembered from turn to turn.
#[derive(Default)]
pub struct Turns {
    last: Cell<Option<Metrics>>,
    /// The time that the last turn worked with.
    now: Cell<Option<Instant>>,
    burned: Cell<Duration>,
}

impl Turns {
    /// What was due before that had its turn already.
    pub fn last_now(&self) -> Option<Instant> {
        self.now.get()
    }
}

/// After each turn.
pub fn check_turn(ctx: &Ctx) {
    let metrics = ctx.event_loop.metrics();
    let turns = &ctx.turns;
    // Time passes in polls alone, but for what callbacks take.
    let burned = ctx.burned.get() - turns.burned.replace(ctx.burned.get());
    turns.now.set(ctx.world.instant().checked_sub(burned));
    if let Some(last) = turns.last.replace(Some(metrics)) {
        // Connections that came in this turn read in it, too.
        let connections = last.connections.max(metrics.connections).max(1);
        let read = metrics.bytes_in - last.bytes_in;
        let most = connections * READ_BUDGET + ctx.extras.sockets() * DATAGRAM_BUDGET;
        ctx.check(read <= most, || {
            format!("I12: {read} bytes of {connections} connections were read in one turn")
        });
    }
}
