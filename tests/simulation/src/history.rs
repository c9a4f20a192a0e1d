//! What happens in one history, drawn from its seed: the world, the clients, and who does what when.

pub use crate::client_plan::{ClientPlan, Host, Kind, Manner, Outcome, ProxyPlan, RoutePlan};
pub(crate) use crate::client_plan::{manner, sips};
pub use crate::hosting::{ServiceOp, ServicePlan, VisitPlan};
pub use crate::serving::{ExtraOp, MemoryPlan, ServerOp, ServerPlan};

use crate::client_plan::clients;
use crate::hosting::hosting;
use crate::serving::serving;
use hvloop_event::sim::Faults;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A history: with the same one, everything happens in the same way.
#[derive(Debug, Clone)]
pub struct History {
    pub seed: u64,
    pub faults: Faults,
    pub drain_timeout: Duration,
    pub clients: Vec<ClientPlan>,
    pub servers: Vec<ServerPlan>,
    pub services: Vec<ServicePlan>,
    pub actions: Vec<Action>,
    /// The stop that ends every history, by another thread.
    pub end: Duration,
}

/// Something that somebody does.
#[derive(Debug, Clone)]
pub struct Action {
    pub when: When,
    pub op: Op,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the loop runs.
    Before,
    /// By another thread.
    At(Duration, u64),
    /// Inside a callback of that sort, the next time there is one.
    In(Place),
}

/// Where callbacks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Open,
    Message,
    Drain,
    Close,
    Task,
    Timer,
    Dns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Open(usize),
    /// Closed, and opened.
    Reopen(usize),
    Send(usize, usize),
    Ping(usize),
    PauseReading(usize),
    ResumeReading(usize),
    Close(usize),
    /// By the channels of connections that are over.
    CloseOld(usize),
    /// Its policy for reconnects from now on: none, or another one.
    SetReconnect(usize, Option<Duration>),
    StopClient(usize),
    DropHandle(usize),
    Detach(usize),
    Stop,
    StopWith(Duration),
    Pause,
    Resume,
    Task,
    LocalTask,
    RunInLoop,
    Timer {
        delay: Duration,
        repeat: Option<u32>,
    },
    Kill(usize),
    Reset(usize, Option<Duration>),
    Hold,
    Release,
    Resolve,
    CancelResolve,
    Panic,
    Burn(Duration),
    Server(usize, ServerOp),
    Service(usize, ServiceOp),
    Extra(ExtraOp),
}

const MS: Duration = Duration::from_millis(1);

pub(crate) fn ms(rng: &mut StdRng, below: u64) -> Duration {
    Duration::from_micros(rng.random_range(0..below * 1000))
}

impl History {
    /// The history of that seed.
    pub fn new(seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed ^ 0x5eed);
        let clients = clients(seed, rng);
        let end = match rng.random_range(0..4) {
            0 => ms(rng, 5),
            1 => ms(rng, 50),
            _ => ms(rng, 1000),
        };
        let mut actions = Vec::new();
        for c in 0..clients.len() {
            let when = match rng.random_range(0..3) {
                0 => When::Before,
                _ => at(rng, end / 2),
            };
            actions.push(Action {
                when,
                op: Op::Open(c),
            });
            // A conversation.
            for _ in 0..rng.random_range(0..6) {
                let when = if rng.random_bool(0.5) {
                    When::In(Place::Open)
                } else {
                    at(rng, end)
                };
                let size = *[0, 1, 20, 200, 20_000, 200_000, 1_500_000]
                    .choose(rng)
                    .unwrap_or(&1);
                actions.push(Action {
                    when,
                    op: Op::Send(c, size),
                });
            }
        }
        let mut servers = serving(rng, end, &mut actions);
        if rng.random_bool(0.25) {
            churn(rng, &clients, end, &mut actions);
        }
        if rng.random_bool(0.25) {
            burst(rng, clients.len(), end, &mut actions);
        }
        for _ in 0..rng.random_range(0..30) {
            let when = when(rng, end);
            actions.push(Action {
                when,
                op: op(rng, clients.len(), end),
            });
        }
        given_up(seed, &clients, &mut actions);
        policies(seed, &clients, end, &mut actions);
        reopened(seed, &clients, &mut actions);
        held_back(seed, clients.len(), end, &mut actions);
        long_queues(seed, &clients, &mut actions);
        let hosts = &mut StdRng::seed_from_u64(seed ^ 0x4057);
        let mut services = hosting(hosts, end, &mut actions);
        let memory = &mut StdRng::seed_from_u64(seed ^ 0x11e8);
        servers
            .iter_mut()
            .map(|server| &mut server.memory)
            .chain(services.iter_mut().map(|service| &mut service.memory))
            .for_each(|limit| *limit = MemoryPlan::draw(memory));
        Self {
            seed,
            faults: faults(rng),
            drain_timeout: *[0, 10, 200, 5000, 5000]
                .map(|n| n * MS)
                .choose(rng)
                .unwrap_or(&MS),
            clients,
            servers,
            services,
            actions,
            end,
        }
    }
}

impl History {
    /// Whether the sockets of the n-th client or server are made elsewhere, and given to the library.
    pub fn made_elsewhere(&self, n: usize) -> bool {
        (self.seed + n as u64).is_multiple_of(3)
    }
}

/// TCP clients that are closed while they wait to connect again, or just before they would.
fn given_up(seed: u64, clients: &[ClientPlan], actions: &mut Vec<Action>) {
    // Of its own, so that the rest of the history is the same with it.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0x61fe);
    for (c, plan) in clients.iter().enumerate() {
        let retries = plan.kind == Kind::Tcp && plan.reconnect.is_some();
        for _ in 0..if retries { rng.random_range(0..3) } else { 0 } {
            let places = [Place::Close, Place::Task, Place::Message, Place::Timer];
            let place = *places.choose(rng).unwrap_or(&Place::Close);
            actions.push(Action {
                when: When::In(place),
                op: Op::Close(c),
            });
        }
    }
}

/// Clients whose policy for reconnects is changed, or taken away, at any moment but in their `on_close`.
fn policies(seed: u64, clients: &[ClientPlan], end: Duration, actions: &mut Vec<Action>) {
    // Of its own, as in `given_up`.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0x9011);
    for (c, plan) in clients.iter().enumerate() {
        let retries = plan.reconnect.is_some();
        for _ in 0..if retries { rng.random_range(0..4) } else { 0 } {
            let places = [Place::Open, Place::Task, Place::Message, Place::Timer];
            let place = *places.choose(rng).unwrap_or(&Place::Task);
            let when = match rng.random_bool(0.3) {
                true => at(rng, end),
                false => When::In(place),
            };
            let policy = rng.random_bool(0.5).then(|| ms(rng, 20));
            actions.push(Action {
                when,
                op: Op::SetReconnect(c, policy),
            });
        }
    }
}

/// Clients that are closed and opened again where a back-off was announced.
fn reopened(seed: u64, clients: &[ClientPlan], actions: &mut Vec<Action>) {
    // Of its own, as in `given_up`.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0x4e0b);
    for (c, plan) in clients.iter().enumerate() {
        if plan.reconnect.is_some() && rng.random_bool(0.3) {
            for _ in 0..rng.random_range(1..4) {
                actions.push(Action {
                    when: When::In(Place::Close),
                    op: Op::Reopen(c),
                });
            }
        }
    }
}

/// Clients that send a lot at once to a peer that takes little.
fn long_queues(seed: u64, clients: &[ClientPlan], actions: &mut Vec<Action>) {
    // Of its own, as in `given_up`.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0x10e5);
    for (c, plan) in clients.iter().enumerate() {
        if plan.manner.sips().is_some() && rng.random_bool(0.5) {
            for _ in 0..2 {
                let size = *[3_000, 20_000].choose(rng).unwrap_or(&3_000);
                actions.push(Action {
                    when: When::In(Place::Open),
                    op: Op::Send(c, size),
                });
            }
        }
    }
}

/// Clients that read no further for a while, in the midst of what comes.
fn held_back(seed: u64, clients: usize, end: Duration, actions: &mut Vec<Action>) {
    // Of its own, as in `given_up`.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0x9a05);
    for c in 0..clients {
        for _ in 0..if rng.random_bool(0.2) { 3 } else { 0 } {
            let (open, message) = (When::In(Place::Open), When::In(Place::Message));
            let pause = *[open, message, message].choose(rng).unwrap_or(&open);
            actions.push(Action {
                when: pause,
                op: Op::PauseReading(c),
            });
            actions.push(Action {
                when: when(rng, end),
                op: Op::ResumeReading(c),
            });
        }
    }
}

/// Clients that are opened again as soon as they are closed, under a fire of messages.
fn churn(rng: &mut StdRng, clients: &[ClientPlan], end: Duration, actions: &mut Vec<Action>) {
    for _ in 0..rng.random_range(3..15) {
        let c = rng.random_range(0..clients.len());
        let when = When::In(
            *[Place::Close, Place::Task]
                .choose(rng)
                .unwrap_or(&Place::Close),
        );
        actions.push(Action {
            when,
            op: Op::Open(c),
        });
        for _ in 0..3 {
            let op = match rng.random_range(0..6) {
                0 => Op::Close(c),
                5 => Op::CloseOld(c),
                1 => Op::Task,
                _ => Op::Send(c, 3_000),
            };
            actions.push(Action {
                when: at(rng, end),
                op,
            });
        }
    }
}

/// Several things by one thread, or in one callback, at the same moment.
fn burst(rng: &mut StdRng, clients: usize, end: Duration, actions: &mut Vec<Action>) {
    let when = if rng.random_bool(0.5) {
        at(rng, end)
    } else {
        when(rng, end)
    };
    for _ in 0..rng.random_range(2..8) {
        let op = op(rng, clients, end);
        actions.push(Action { when, op });
    }
}

/// Each sort of misbehaviour is there or not, so that the others show what they do alone.
fn faults(rng: &mut StdRng) -> Faults {
    let mut faults = Faults::default();
    let mut odds = |highest: f64| match rng.random_range(0..4) {
        0 => highest,
        1 => highest / 10.0,
        _ => 0.0,
    };
    faults.short_read = odds(0.8);
    faults.short_write = odds(0.8);
    faults.interrupted = odds(0.3);
    faults.poll_interrupted = odds(0.3);
    faults.spurious = odds(0.3);
    faults.postponed = odds(0.3);
    faults.late_wake = odds(0.5);
    faults.oversleep = odds(0.5);
    faults.no_fd = odds(0.1);
    faults.no_thread = odds(0.1);
    faults.accept_gone = odds(0.2);
    faults.accept_exhausted = odds(0.2);
    faults.datagram_lost = odds(0.2);
    faults.datagram_twice = odds(0.1);
    faults.datagram_refused = odds(0.5);
    faults.reset = odds(0.2);
    faults.read_stop = odds(0.5);
    faults.poll_fails = if rng.random_bool(0.01) { 0.01 } else { 0.0 };
    faults.latency = *[0, 50, 2_000, 40_000]
        .map(Duration::from_micros)
        .choose(rng)
        .unwrap_or(&MS);
    faults.window = *[500, 4_000, 64_000, 1_000_000, 3_000_000]
        .choose(rng)
        .unwrap_or(&4_000);
    faults.drained_by_short_io = rng.random_bool(0.5);
    faults.room_told_late = rng.random_bool(0.3);
    faults
}

pub(crate) fn at(rng: &mut StdRng, end: Duration) -> When {
    let at = Duration::from_nanos(rng.random_range(0..=end.as_nanos() as u64));
    When::At(at, rng.random_range(2..5))
}

pub(crate) fn when(rng: &mut StdRng, end: Duration) -> When {
    match rng.random_range(0..10) {
        0 => When::Before,
        1..5 => at(rng, end),
        // While it drains.
        5 => When::At(end + ms(rng, 30), rng.random_range(2..5)),
        _ => When::In(
            *[
                Place::Open,
                Place::Message,
                Place::Drain,
                Place::Close,
                Place::Task,
                Place::Timer,
                Place::Dns,
            ]
            .choose(rng)
            .unwrap_or(&Place::Task),
        ),
    }
}

fn op(rng: &mut StdRng, clients: usize, end: Duration) -> Op {
    let c = rng.random_range(0..clients);
    match rng.random_range(0..46) {
        0..4 => Op::Open(c),
        4..9 => Op::Send(
            c,
            *[0, 1, 125, 126, 3_000, 70_000].choose(rng).unwrap_or(&1),
        ),
        9 => Op::Ping(c),
        10 | 11 => Op::Close(c),
        12 => Op::CloseOld(c),
        13 => Op::StopClient(c),
        14 => Op::DropHandle(c),
        15 => Op::Detach(c),
        16 | 17 => Op::Stop,
        18 => Op::StopWith(*[0, 1, 30, 1000].map(|n| n * MS).choose(rng).unwrap_or(&MS)),
        19 => Op::Pause,
        20 => Op::Resume,
        21..25 => Op::Task,
        25 | 26 => Op::LocalTask,
        27 => Op::RunInLoop,
        28..33 => Op::Timer {
            delay: if rng.random_bool(0.3) {
                Duration::ZERO
            } else {
                ms(rng, 60)
            },
            repeat: *[Some(1), Some(1), Some(3), None]
                .choose(rng)
                .unwrap_or(&None),
        },
        33..36 => Op::Kill(rng.random_range(0..6)),
        36..38 => Op::Reset(
            rng.random_range(0..6),
            rng.random_bool(0.5).then(|| ms(rng, 30)),
        ),
        38 => Op::Hold,
        39 | 40 => Op::Release,
        41 if rng.random_bool(0.5) => Op::CancelResolve,
        41 | 42 => Op::Resolve,
        43 => Op::Panic,
        44 => Op::Burn(ms(rng, 20)),
        _ => Op::StopWith(end + MS),
    }
}
