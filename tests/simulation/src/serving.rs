//! The part of a history that is about servers, datagrams and the rest: what there is, and what is
//! done with it.

use crate::history::{Action, Manner, Op, Place, When, at, manner, ms, sips, when};
use crate::peers::Framing;
use hvloop_event::OnMemoryLimit;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// One server.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    pub tls: bool,
    pub unix: bool,
    pub framing: Framing,
    pub backlog: u32,
    pub max_connections: usize,
    pub send_limit: usize,
    pub write_timeout: Option<Duration>,
    pub read_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub deadline: Duration,
    pub linger: Duration,
    pub memory: Option<MemoryPlan>,
}

/// What the connections of one server may hold together.
#[derive(Debug, Clone, Copy)]
pub struct MemoryPlan {
    pub limit: usize,
    /// Reading pauses over it, for so long at the most.
    pub pause: Option<Duration>,
}

impl MemoryPlan {
    /// Seldom.
    pub fn draw(rng: &mut StdRng) -> Option<Self> {
        if rng.random_bool(0.75) {
            return None;
        }
        let pauses = [None, None, Some(MS), Some(50 * MS), Some(5_000_000 * MS)];
        Some(Self {
            limit: *[2_000, 30_000, 300_000].choose(rng).unwrap_or(&2_000),
            pause: *pauses.choose(rng).unwrap_or(&None),
        })
    }

    /// What the server does over the limit.
    pub fn manner(&self) -> OnMemoryLimit {
        self.pause
            .map_or(OnMemoryLimit::CloseGreediest, OnMemoryLimit::PauseReading)
    }
}

/// Something that is done with a server, or with the n-th of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerOp {
    Listen,
    Stop,
    CloseListeners,
    Drop,
    /// A peer connects, and sends so many messages.
    Dial(Manner, u64),
    Send(usize, usize),
    Broadcast(usize),
    Close(usize),
    Abort(usize),
    HalfClose(usize),
    Pause(usize),
    Resume(usize),
    /// To the loop that it is on: off it, and on it again.
    Move(usize),
    ReadLine(usize),
    ReadBytes(usize, usize),
    Beat(usize, Duration),
}

/// Something that is done with datagrams, descriptors and idle callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtraOp {
    /// The UDP server.
    Bind,
    /// So many datagrams come, of that size.
    Arrive(usize, usize),
    SendTo(usize),
    /// So many at once, more than the system takes.
    SendMany(usize),
    CloseServer,
    /// The UDP client, to a peer that is there or to a name where nobody is.
    Open(bool),
    Send(usize),
    /// The UDP client sends one for each of the next so many that come.
    Answer(usize),
    CloseClient,
    Pipe,
    Fill(usize),
    ClosePipe(usize),
    Idle(u32),
}

/// Servers, and what happens to them.
pub fn serving(rng: &mut StdRng, end: Duration, actions: &mut Vec<Action>) -> Vec<ServerPlan> {
    let count = *[0, 0, 1, 1, 2].choose(rng).unwrap_or(&0);
    let servers: Vec<_> = (0..count).map(|_| server(rng)).collect();
    for s in 0..servers.len() {
        let first = match rng.random_bool(0.5) {
            true => When::Before,
            false => at(rng, end / 4),
        };
        let mut add = |when, op| {
            let op = Op::Server(s, op);
            actions.push(Action { when, op });
        };
        add(first, ServerOp::Listen);
        // A crowd comes at one moment, more than one turn accepts.
        let crowd = rng.random_bool(0.1).then(|| at(rng, end));
        for _ in 0..rng.random_range(0..6) + if crowd.is_some() { 30 } else { 0 } {
            let manner = match rng.random_bool(0.5) {
                true => sips(rng),
                false => manner(rng),
            };
            let dial = ServerOp::Dial(manner, rng.random_range(0..6));
            add(crowd.unwrap_or_else(|| at(rng, end)), dial);
        }
        for _ in 0..rng.random_range(0..10) {
            let op = server_op(rng);
            add(when(rng, end), op);
        }
        // Moved in the midst of what came.
        for _ in 0..if rng.random_bool(0.15) { 4 } else { 0 } {
            let place = *[Place::Open, Place::Message]
                .choose(rng)
                .unwrap_or(&Place::Open);
            add(When::In(place), ServerOp::Move(rng.random_range(0..4)));
        }
    }
    if rng.random_bool(0.3) {
        for _ in 0..rng.random_range(1..14) {
            let op = Op::Extra(extra_op(rng));
            actions.push(Action {
                when: when(rng, end),
                op,
            });
        }
    }
    if rng.random_bool(0.1) {
        full_datagram_socket(rng, end, actions);
    }
    servers
}

/// More datagrams than the system takes, then others behind them, and often the end.
fn full_datagram_socket(rng: &mut StdRng, end: Duration, actions: &mut Vec<Action>) {
    let many = at(rng, end);
    let mut add = |when, op| {
        let op = Op::Extra(op);
        actions.push(Action { when, op });
    };
    add(When::Before, ExtraOp::Open(true));
    add(When::Before, ExtraOp::Answer(rng.random_range(0..100)));
    add(many, ExtraOp::SendMany(rng.random_range(50..800)));
    let When::At(moment, _) = many else { return };
    for _ in 0..rng.random_range(0..6) {
        let later = When::At(moment + ms(rng, 3), rng.random_range(2..5));
        let last = rng.random_bool(0.2);
        add(
            later,
            if last {
                ExtraOp::CloseClient
            } else {
                ExtraOp::Send(8)
            },
        );
    }
}

fn server(rng: &mut StdRng) -> ServerPlan {
    let quiet = |rng: &mut StdRng| rng.random_bool(0.2).then(|| MS + ms(rng, 100));
    ServerPlan {
        tls: rng.random_bool(0.3),
        unix: rng.random_bool(0.2),
        framing: *[
            Framing::None,
            Framing::None,
            Framing::Lines,
            Framing::Lengths,
        ]
        .choose(rng)
        .unwrap_or(&Framing::None),
        backlog: *[1, 100].choose(rng).unwrap_or(&1),
        max_connections: *[2, usize::MAX, usize::MAX].choose(rng).unwrap_or(&2),
        send_limit: *[1_000, 100_000, 1 << 24].choose(rng).unwrap_or(&1_000),
        write_timeout: rng
            .random_bool(0.5)
            .then(|| *[30 * MS, 30_000 * MS].choose(rng).unwrap_or(&MS)),
        read_timeout: quiet(rng),
        idle_timeout: quiet(rng),
        deadline: *[20, 10_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        linger: *[1, 50, 5_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        memory: None,
    }
}

fn server_op(rng: &mut StdRng) -> ServerOp {
    let n = rng.random_range(0..4);
    let size = *[1, 100, 3_000, 70_000].choose(rng).unwrap_or(&1);
    match rng.random_range(0..24) {
        0 | 1 => ServerOp::Listen,
        2 => ServerOp::Stop,
        3 => ServerOp::CloseListeners,
        4 => ServerOp::Drop,
        5..8 => ServerOp::Send(n, size),
        8 => ServerOp::Broadcast(size),
        9..11 => ServerOp::Close(n),
        11 => ServerOp::Abort(n),
        12 => ServerOp::HalfClose(n),
        13..15 => ServerOp::Pause(n),
        15..17 => ServerOp::Resume(n),
        17..20 => ServerOp::Move(n),
        20 => ServerOp::ReadLine(n),
        21 => ServerOp::ReadBytes(n, size),
        _ => ServerOp::Beat(n, MS + ms(rng, 20)),
    }
}

fn extra_op(rng: &mut StdRng) -> ExtraOp {
    let n = rng.random_range(0..3);
    let size = *[8, 500, 60_000].choose(rng).unwrap_or(&8);
    match rng.random_range(0..20) {
        0..4 => ExtraOp::Bind,
        4..6 => ExtraOp::Arrive(1 + n, size),
        6 => ExtraOp::Arrive(60, 8),
        7 if rng.random_bool(0.5) => ExtraOp::SendMany(300),
        7 => ExtraOp::SendTo(size),
        8 => ExtraOp::CloseServer,
        9..12 => ExtraOp::Open(rng.random_bool(0.8)),
        12..14 => ExtraOp::Send(size),
        14 => ExtraOp::CloseClient,
        15 => ExtraOp::Pipe,
        16 => ExtraOp::Fill(n),
        17 => ExtraOp::ClosePipe(n),
        _ => ExtraOp::Idle(rng.random_range(1..4)),
    }
}
