//! The part of a history that is about WebSocket servers: what there is, and what is done with it.

use crate::deflating::{DeflatePlan, Wish};
use crate::history::{Action, Manner, Op, Place, When, at, manner, ms, sips, when};
use crate::serving::MemoryPlan;
use hvloop_ws::WhenFull;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// One WebSocket server.
#[derive(Debug, Clone)]
pub struct ServicePlan {
    pub tls: bool,
    pub backlog: u32,
    pub max_connections: usize,
    pub send_limit: usize,
    pub write_timeout: Option<Duration>,
    pub deadline: Duration,
    pub linger: Duration,
    pub close_timeout: Duration,
    pub ping: Option<Duration>,
    pub pong_timeout: Duration,
    pub when_full: WhenFull,
    pub max_message: usize,
    pub deflate: Option<DeflatePlan>,
    /// Each connection subscribes to the topic when it opens.
    pub topic: bool,
    /// Each connection is sent a message when it opens.
    pub welcome: bool,
    pub memory: Option<MemoryPlan>,
}

/// How a peer of a server comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitPlan {
    pub manner: Manner,
    pub messages: u64,
    /// Their size; `None`: of all sorts.
    pub size: Option<usize>,
    /// The first messages come right behind the request, before its answer.
    pub hasty: bool,
}

/// Something that is done with a WebSocket server, or with the n-th of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceOp {
    Listen,
    Stop,
    CloseListeners,
    Drop,
    Visit(VisitPlan),
    /// In one frame, or in frames of that many bytes.
    Send(usize, usize, usize),
    Ping(usize),
    Broadcast(usize),
    Publish(usize),
    Close(usize),
    Abort(usize),
    Pause(usize),
    Resume(usize),
    Subscribe(usize),
    Unsubscribe(usize),
}

impl ServicePlan {
    /// What its visitors want of compression, if this server does it.
    pub fn wish(&self) -> Option<Wish> {
        self.deflate?.theirs
    }
}

/// WebSocket servers, and what happens to them.
pub fn hosting(rng: &mut StdRng, end: Duration, actions: &mut Vec<Action>) -> Vec<ServicePlan> {
    let count = *[0, 0, 1, 1, 2].choose(rng).unwrap_or(&0);
    let services: Vec<_> = (0..count).map(|_| service(rng)).collect();
    for s in 0..services.len() {
        let first = match rng.random_bool(0.6) {
            true => When::Before,
            false => at(rng, end / 4),
        };
        let mut add = |when, op| {
            let op = Op::Service(s, op);
            actions.push(Action { when, op });
        };
        add(first, ServiceOp::Listen);
        let crowd = rng.random_bool(0.1).then(|| at(rng, end));
        for _ in 0..rng.random_range(0..6) + if crowd.is_some() { 20 } else { 0 } {
            let visit = ServiceOp::Visit(visit(rng));
            add(crowd.unwrap_or_else(|| at(rng, end)), visit);
        }
        for _ in 0..rng.random_range(0..14) {
            let op = service_op(rng);
            add(when(rng, end), op);
        }
        // In the midst of a conversation.
        for _ in 0..if rng.random_bool(0.3) { 2 } else { 0 } {
            add(When::In(Place::Message), ServiceOp::Broadcast(3_000));
        }
        // Held back in the midst of what comes.
        for _ in 0..if rng.random_bool(0.3) { 4 } else { 0 } {
            let place = *[Place::Open, Place::Message]
                .choose(rng)
                .unwrap_or(&Place::Open);
            let n = rng.random_range(0..4);
            add(When::In(place), ServiceOp::Pause(n));
            add(at(rng, end), ServiceOp::Resume(n));
        }
        // A stop in the midst of upgrades.
        if crowd.is_some() && rng.random_bool(0.3) {
            let (when, op) = (When::In(Place::Open), Op::Stop);
            actions.push(Action { when, op });
        }
    }
    services
}

fn service(rng: &mut StdRng) -> ServicePlan {
    ServicePlan {
        tls: rng.random_bool(0.3),
        backlog: *[1, 100].choose(rng).unwrap_or(&1),
        max_connections: *[2, usize::MAX, usize::MAX].choose(rng).unwrap_or(&2),
        send_limit: *[1_000, 8_000, 100_000, 1 << 24]
            .choose(rng)
            .unwrap_or(&1_000),
        write_timeout: rng
            .random_bool(0.5)
            .then(|| *[30 * MS, 30_000 * MS].choose(rng).unwrap_or(&MS)),
        deadline: *[20, 10_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        linger: *[1, 50, 5_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        close_timeout: *[1, 50, 5_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        ping: rng.random_bool(0.3).then(|| MS + ms(rng, 100)),
        pong_timeout: MS + ms(rng, 300),
        when_full: match rng.random_bool(0.5) {
            true => WhenFull::Close,
            false => WhenFull::Refuse,
        },
        max_message: *[10_000, 1 << 20, 1 << 20].choose(rng).unwrap_or(&10_000),
        deflate: rng.random_bool(0.5).then(|| DeflatePlan::new(rng)),
        topic: rng.random_bool(0.5),
        welcome: rng.random_bool(0.3),
        memory: None,
    }
}

fn visit(rng: &mut StdRng) -> VisitPlan {
    VisitPlan {
        manner: match rng.random_bool(0.4) {
            true => sips(rng),
            false => manner(rng),
        },
        messages: rng.random_range(0..12),
        size: *[None, None, Some(3_000)].choose(rng).unwrap_or(&None),
        hasty: rng.random_bool(0.3),
    }
}

fn service_op(rng: &mut StdRng) -> ServiceOp {
    let n = rng.random_range(0..4);
    let size = *[1, 100, 3_000, 70_000].choose(rng).unwrap_or(&1);
    match rng.random_range(0..26) {
        0 | 1 => ServiceOp::Listen,
        2 => ServiceOp::Stop,
        3 => ServiceOp::CloseListeners,
        4 => ServiceOp::Drop,
        5..9 => ServiceOp::Send(n, size, 0),
        9 => ServiceOp::Send(n, size, 1 + size / 7),
        10 => ServiceOp::Ping(n),
        11..14 => ServiceOp::Broadcast(size),
        14..17 => ServiceOp::Publish(size),
        17..19 => ServiceOp::Close(n),
        19 => ServiceOp::Abort(n),
        20 | 21 => ServiceOp::Pause(n),
        22 | 23 => ServiceOp::Resume(n),
        24 => ServiceOp::Subscribe(n),
        _ => ServiceOp::Unsubscribe(n),
    }
}
