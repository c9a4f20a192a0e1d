//! A WebSocket echo server inside the test's process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::watch;

use crate::certs::{LOCAL_NAMES, TestCa};
use crate::engine::{self, Order};
use crate::stats::Stats;
use crate::wait::Monitor;

/// Whether and how a server does TLS.
#[derive(Clone, Debug, Default)]
pub enum Tls<'a> {
    /// Plain TCP: `ws://`.
    #[default]
    Off,
    /// TLS with a valid certificate of this authority for localhost and 127.0.0.1.
    On(&'a TestCa),
    /// TLS as configured, such as with a bad certificate of [`TestCa`].
    With(Arc<ServerConfig>),
}

impl Tls<'_> {
    /// The configuration, if TLS is on.
    pub(crate) fn config(&self) -> Option<Arc<ServerConfig>> {
        match self {
            Self::Off => None,
            Self::On(ca) => Some(ca.server_config(&LOCAL_NAMES)),
            Self::With(config) => Some(Arc::clone(config)),
        }
    }

    /// The scheme of URLs that lead to the server.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Off => "ws",
            Self::On(_) | Self::With(_) => "wss",
        }
    }
}

/// What a server does with its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Sends every message back and follows the protocol.
    #[default]
    Echo,
    /// Accepts TCP connections and never says a word, not even for TLS.
    Mute,
    /// Sends every message back, but never answers a Close frame and never ends a connection.
    NeverClose,
    /// Sends binary frames without an end and takes no notice of the client.
    Flood,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "echo" => Self::Echo,
            "mute" => Self::Mute,
            "never-close" => Self::NeverClose,
            "flood" => Self::Flood,
            _ => return Err(format!("no mode is called {name}")),
        })
    }
}

impl Mode {
    /// The name by which `hvloop-peer` knows the mode.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Mute => "mute",
            Self::NeverClose => "never-close",
            Self::Flood => "flood",
        }
    }
}

/// A server on 127.0.0.1 with one thread for all its connections. Dropping it drops its connections and
/// ends the thread; [`EchoServer::stop`] says goodbye first.
#[derive(Debug)]
pub struct EchoServer {
    address: SocketAddr,
    scheme: &'static str,
    stats: Monitor<Stats>,
    orders: watch::Sender<Order>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl EchoServer {
    /// Starts an echo server on a free port.
    pub fn start(tls: Tls<'_>) -> Self {
        Self::start_with(tls, Mode::Echo, 0)
    }

    /// Starts a server in `mode` on `port`, or on a free port if that is 0. A port that a server had
    /// before can be had again at once.
    pub fn start_with(tls: Tls<'_>, mode: Mode, port: u16) -> Self {
        let listener = engine::listen(port).expect("bind the test server's port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let stats = Monitor::new(Stats::default());
        let (orders, receiver) = watch::channel(Order::Go);
        let (config, theirs) = (tls.config(), stats.clone());
        let thread = std::thread::Builder::new()
            .name(format!("server-{}", address.port()))
            .spawn(move || engine::serve(listener, config, mode, theirs, receiver))
            .expect("spawn the server's thread");
        Self {
            address,
            scheme: tls.scheme(),
            stats,
            orders,
            thread: Some(thread),
        }
    }

    /// `ws://127.0.0.1:port/`, or `wss` under TLS.
    pub fn url(&self) -> String {
        self.url_with_host("127.0.0.1")
    }

    /// The same with another name for the host, such as `localhost`.
    pub fn url_with_host(&self, host: &str) -> String {
        format!("{}://{host}:{}/", self.scheme, self.port())
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it has seen so far.
    pub fn stats(&self) -> Stats {
        self.stats.read(Stats::clone)
    }

    /// Waits until `done` holds for what it has seen; panics with the counters after
    /// [`crate::DEADLINE`]. Answers the counters for which it held.
    #[track_caller]
    pub fn wait_until(&self, done: impl FnMut(&Stats) -> bool) -> Stats {
        self.wait_until_for(crate::DEADLINE, done)
    }

    /// Like [`EchoServer::wait_until`] with a limit of one's own.
    #[track_caller]
    pub fn wait_until_for(&self, limit: Duration, mut done: impl FnMut(&Stats) -> bool) -> Stats {
        let mut last = Stats::default();
        let held = self.stats.wait(limit, |stats| {
            last.clone_from(stats);
            done(stats)
        });
        assert!(held, "the server did not get there in {limit:?}: {last:#?}");
        last
    }

    /// Waits until `done` holds for what it has seen, at most for `limit`. Answers whether it held.
    #[must_use]
    pub fn reaches(&self, limit: Duration, done: impl FnMut(&Stats) -> bool) -> bool {
        self.stats.wait(limit, done)
    }

    /// Sends a Close frame on every connection that is open now; new ones are still accepted.
    pub fn close_all(&self, code: u16, reason: &str) {
        self.order(Order::Close {
            code,
            reason: reason.to_owned(),
        });
    }

    /// Drops every connection that is open now without a Close frame and without close_notify; new ones
    /// are still accepted.
    pub fn abort_all(&self) {
        self.order(Order::Abort);
    }

    /// Accepts no more, closes every connection with 1001, and waits for the clients to answer. Answers
    /// what the server had seen in the end. Panics when clients are still there after 10 s, such as one that
    /// does not read what the server sends it.
    #[track_caller]
    pub fn stop(mut self) -> Stats {
        self.order(Order::Stop);
        let result = self.join();
        assert!(result.is_ok(), "{result:?}: {:#?}", self.stats());
        self.stats()
    }

    fn order(&self, order: Order) {
        // The thread is there until stop or drop; if it failed, join tells.
        let _ = self.orders.send(order);
    }

    fn join(&mut self) -> std::io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(std::io::Error::other("the server's thread panicked")),
        }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.order(Order::Kill);
        let result = self.join();
        if !std::thread::panicking() {
            result.expect("the server ran to its end");
        }
    }
}
