//! The clients of a history, and how their peers behave.

use crate::deflating::DeflatePlan;
use crate::history::ms;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// One client and the other end of its connections.
#[derive(Debug, Clone)]
pub struct ClientPlan {
    pub kind: Kind,
    pub tls: bool,
    pub route: RoutePlan,
    pub host: Host,
    pub manner: Manner,
    pub reconnect: Option<Duration>,
    pub ping: Option<Duration>,
    pub pong_timeout: Duration,
    pub open_timeout: Duration,
    pub close_timeout: Duration,
    pub write_timeout: Option<Duration>,
    pub send_limit: usize,
    pub keep_callbacks: bool,
    pub deflate: Option<DeflatePlan>,
    pub proxy: Option<ProxyPlan>,
    /// Redirects that the client follows.
    pub redirects: u32,
    /// Redirects of the peer, before it takes the upgrade.
    pub hops: u32,
}

/// A proxy between a client and its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyPlan {
    pub socks: bool,
    /// With a user and a password.
    pub login: bool,
    pub outcome: Outcome,
}

/// What a proxy does with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Connects,
    Refuses,
    Garbage,
    Hangs,
    Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    WebSocket,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutePlan {
    Accept(Duration),
    Refuse(Duration),
    Hole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Literal,
    /// The addresses, the good one at that place, after that time; `None`: never an answer.
    Name {
        good: usize,
        bad: usize,
        after: Option<Duration>,
    },
    /// No such name.
    Unknown(Duration),
}

/// How a peer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Echoes and follows the protocol.
    Good,
    /// As `Good`, and sends messages and Pings of its own.
    Chatty,
    /// As `Good`, but sends a few bytes at a time.
    Dribble,
    /// As `Good`, but reads only now and then.
    Slow(Duration),
    /// As `Good`, but takes a little every so often.
    Sip(Duration),
    /// As `Sip`, and as `Leave` after a while; it goes on taking what comes.
    Depart(Duration),
    /// Closes, in order, after that time.
    CloseFirst(Duration),
    /// Never answers a Close and never ends the connection.
    NoAnswer,
    /// Sends without end and takes no notice.
    Flood,
    /// Sends bytes that are no frames, after that time.
    Garbage(Duration),
    /// Answers the upgrade with something else.
    HttpError,
    /// Accepts and says nothing, not even for TLS.
    Mute,
    /// As `Mute`, but not below: TLS is there.
    Mum,
    /// Accepts and ends the stream.
    Drop,
    /// Ends the stream after that time, without a Close.
    Leave(Duration),
    /// Breaks the connection after that time.
    Reset(Duration),
    /// Neither reads nor sends any more after that time.
    Vanish(Duration),
}

impl ClientPlan {
    /// Nothing between the client and its peer is in their way, and the peer follows the protocol.
    pub fn is_good(&self) -> bool {
        let through = self
            .proxy
            .is_none_or(|proxy| proxy.outcome == Outcome::Connects);
        through && self.manner.is_good()
    }
}

impl Manner {
    /// How often it takes a little, if it does not read all that comes.
    pub fn sips(self) -> Option<Duration> {
        match self {
            Self::Sip(every) | Self::Depart(every) => Some(every),
            _ => None,
        }
    }

    /// After which time it ends its stream, without a word.
    pub fn leaves(self) -> Option<Duration> {
        match self {
            Self::Leave(after) => Some(after),
            Self::Depart(every) => Some(10 * every),
            _ => None,
        }
    }

    /// Follows the protocol to its end.
    pub fn is_good(self) -> bool {
        matches!(
            self,
            Self::Good
                | Self::Chatty
                | Self::Dribble
                | Self::Slow(_)
                | Self::Sip(_)
                | Self::CloseFirst(_)
        )
    }
}

/// The clients of the history of that seed.
pub fn clients(seed: u64, rng: &mut StdRng) -> Vec<ClientPlan> {
    let count = rng.random_range(1..=4);
    let mut clients: Vec<_> = (0..count).map(|_| client(rng)).collect();
    extend(seed, &mut clients);
    take_time(seed, &mut clients);
    clients
}

fn client(rng: &mut StdRng) -> ClientPlan {
    let tls = rng.random_bool(0.3);
    let route = match rng.random_range(0..12) {
        0 => RoutePlan::Refuse(ms(rng, 5)),
        1 => RoutePlan::Hole,
        2 => RoutePlan::Accept(ms(rng, 400)),
        _ => RoutePlan::Accept(ms(rng, 3)),
    };
    let host = match rng.random_range(0..8) {
        0 => Host::Name {
            good: 0,
            bad: 0,
            after: None,
        },
        1 => Host::Unknown(ms(rng, 5)),
        2 | 3 => {
            let bad = rng.random_range(0..3);
            Host::Name {
                good: rng.random_range(0..=bad),
                bad,
                after: Some(ms(rng, 20)),
            }
        }
        _ => Host::Literal,
    };
    let manner = manner(rng);
    ClientPlan {
        kind: if rng.random_bool(0.75) {
            Kind::WebSocket
        } else {
            Kind::Tcp
        },
        tls,
        route,
        host,
        manner,
        reconnect: rng.random_bool(0.4).then(|| ms(rng, 30)),
        ping: rng.random_bool(0.3).then(|| MS + ms(rng, 100)),
        pong_timeout: MS + ms(rng, 300),
        open_timeout: *[20, 300, 10_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        close_timeout: *[1, 50, 5_000].map(|n| n * MS).choose(rng).unwrap_or(&MS),
        write_timeout: rng
            .random_bool(0.5)
            .then(|| *[30 * MS, 30_000 * MS].choose(rng).unwrap_or(&MS)),
        send_limit: *[1_000, 50_000, 1 << 24].choose(rng).unwrap_or(&1_000),
        keep_callbacks: rng.random_bool(0.7),
        deflate: None,
        proxy: None,
        redirects: 0,
        hops: 0,
    }
}

/// How a peer behaves.
pub(crate) fn manner(rng: &mut StdRng) -> Manner {
    match rng.random_range(0..20) {
        0 => Manner::NoAnswer,
        1 => Manner::Flood,
        2 => Manner::Garbage(ms(rng, 100)),
        3 => Manner::HttpError,
        4 => Manner::Mute,
        5 => Manner::Drop,
        6 if rng.random_bool(0.5) => Manner::Leave(ms(rng, 100)),
        6 => Manner::Reset(ms(rng, 100)),
        7 => Manner::Vanish(ms(rng, 100)),
        8 => Manner::Dribble,
        9 => Manner::Slow(ms(rng, 50)),
        10 | 11 => Manner::CloseFirst(ms(rng, 200)),
        12..15 => Manner::Chatty,
        _ => Manner::Good,
    }
}

fn proxy(rng: &mut StdRng) -> ProxyPlan {
    let connects = Outcome::Connects;
    ProxyPlan {
        socks: rng.random_bool(0.5),
        login: rng.random_bool(0.5),
        outcome: match rng.random_bool(0.7) {
            true => connects,
            false => *[
                Outcome::Refuses,
                Outcome::Garbage,
                Outcome::Hangs,
                Outcome::Ends,
            ]
            .choose(rng)
            .unwrap_or(&connects),
        },
    }
}

/// Peers that use up limits of time.
fn take_time(seed: u64, clients: &mut [ClientPlan]) {
    // Of its own, as in `given_up`.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0x71e0);
    for plan in clients {
        if plan.manner == Manner::Good {
            plan.manner = sips(rng);
        }
        if plan.manner.sips().is_some() && rng.random_bool(0.5) {
            // Longer than a sip takes, and shorter than room is told of.
            plan.write_timeout = Some(30 * MS);
        }
        if plan.kind == Kind::WebSocket && rng.random_bool(0.03) {
            // TLS comes late, and then nothing.
            plan.manner = Manner::Mum;
            plan.tls = true;
            plan.proxy = None;
            plan.host = Host::Literal;
            plan.route = RoutePlan::Accept(100 * MS + ms(rng, 100));
            plan.open_timeout = 300 * MS;
        }
    }
}

/// Good as it is, but maybe slow.
pub(crate) fn sips(rng: &mut StdRng) -> Manner {
    let every = MS + ms(rng, 8);
    match rng.random_range(0..8) {
        0 | 1 => Manner::Sip(every),
        2 => Manner::Depart(every),
        _ => Manner::Good,
    }
}

/// What clients have beyond frames: compression, redirects and proxies.
fn extend(seed: u64, clients: &mut [ClientPlan]) {
    // Of its own, as in `given_up`.
    let rng = &mut StdRng::seed_from_u64(seed ^ 0xdef1);
    for plan in clients {
        if rng.random_bool(0.4) {
            plan.deflate = Some(DeflatePlan::new(rng));
        }
        if rng.random_bool(0.15) {
            plan.redirects = rng.random_range(0..4);
            plan.hops = rng.random_range(0..4);
        }
        if rng.random_bool(0.15) {
            plan.proxy = Some(proxy(rng));
        }
    }
}
