//! Loops, TCP peers and a recording `TcpClient`.

use hvloop::event::tls::TlsClientConfig;
use hvloop::event::{Resolver, Turn};
use hvloop::{
    CloseReason, Connect, EventLoop, EventLoopThread, LocalLoop, LoopOptions, ShutdownReport,
    TcpClient,
};
use hvloop_test_support::{DEADLINE, Monitor, ScriptConn, ScriptServer, TestCa, ThreadLog, Tls};
use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);

/// Far longer than any test.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A running loop that is never in a hurry.
pub fn started() -> EventLoopThread {
    started_with(LoopOptions::new())
}

/// A running loop with those options, whose drain is never in a hurry.
pub fn started_with(options: LoopOptions) -> EventLoopThread {
    let event_loop = EventLoop::with_options(options.drain_limit(DEADLINE)).unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    thread
}

/// Runs `f` on the loop's thread and brings its result back; an assertion that fails in it fails
/// here, since nothing comes.
#[track_caller]
pub fn on_loop<R: Send + 'static>(
    event_loop: &EventLoop,
    f: impl FnOnce(&LocalLoop) -> R + Send + 'static,
) -> R {
    let (tell, told) = mpsc::channel();
    event_loop
        .post_event(move |local| tell.send(f(local)).unwrap())
        .unwrap();
    told.recv_timeout(DEADLINE).expect("the task's result")
}

/// Stops, waits, and checks that nothing panicked and nothing was forced.
#[track_caller]
pub fn stop_clean(thread: &EventLoopThread) -> ShutdownReport {
    thread.stop();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(thread.event_loop().metrics().panics, 0);
    report
}

/// Drives a loop on this thread until it has stopped.
#[track_caller]
pub fn drive(event_loop: &EventLoop) -> ShutdownReport {
    loop {
        match event_loop.run_once(None).unwrap() {
            Turn::Continue => {}
            Turn::Stopped(report) => return report,
        }
    }
}

/// A resolver that is a closure.
pub struct Answers<F>(pub F);

impl<F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static> Resolver for Answers<F> {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(host)
    }
}

/// Loop options with that resolver.
pub fn resolving<F>(resolve: F) -> LoopOptions
where
    F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
{
    LoopOptions::new().resolver(Arc::new(Answers(resolve)))
}

/// TCP, or TLS over it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Tls,
}

/// Runs a scenario over TCP and over TLS, as `name::tcp` and `name::tls`.
#[macro_export]
macro_rules! over_tcp_and_tls {
    ($($(#[$doc:meta])* $name:ident => $scenario:ident;)*) => { $(
        $(#[$doc])*
        mod $name {
            #[test]
            fn tcp() { super::$scenario($crate::common::Transport::Tcp) }
            #[test]
            fn tls() { super::$scenario($crate::common::Transport::Tls) }
        }
    )* };
}

/// A transport's certificates.
pub struct Net {
    pub transport: Transport,
    pub ca: TestCa,
}

impl Net {
    pub fn new(transport: Transport) -> Self {
        let ca = TestCa::new();
        Self { transport, ca }
    }

    /// A peer that does what `script` says.
    pub fn peer<F>(&self, script: F) -> ScriptServer
    where
        F: Fn(&mut ScriptConn) -> io::Result<()> + Send + Sync + 'static,
    {
        let tls = match self.transport {
            Transport::Tcp => Tls::Off,
            Transport::Tls => Tls::On(&self.ca),
        };
        ScriptServer::start(tls, script)
    }

    /// A peer that echoes until the client's end, then ends in order.
    pub fn echo(&self) -> ScriptServer {
        self.peer(|conn| {
            let mut buffer = [0; 16 * 1024];
            loop {
                match conn.read(&mut buffer)? {
                    0 => return conn.finish(),
                    n => conn.send(&buffer[..n])?,
                }
            }
        })
    }

    /// A client's options for that peer.
    pub fn to(&self, server: &ScriptServer) -> Connect {
        self.to_host("127.0.0.1", server.addr().port())
    }

    pub fn to_host(&self, host: &str, port: u16) -> Connect {
        let connect = Connect::to(host, port);
        match self.transport {
            Transport::Tcp => connect,
            Transport::Tls => connect.with_tls(self.client_tls()),
        }
    }

    pub fn client_tls(&self) -> TlsClientConfig {
        let tls = TlsClientConfig::builder().root_pem(self.ca.ca_pem().as_bytes());
        tls.build().unwrap()
    }
}

/// What a client's callbacks saw.
#[derive(Default)]
pub struct Seen {
    pub connected: usize,
    pub bytes: Vec<u8>,
    pub closed: Vec<CloseReason>,
    /// Whether `on_close` had a channel.
    pub had_channel: Vec<bool>,
}

/// A client that records what it sees, and on which threads.
pub struct Recorded {
    pub client: TcpClient,
    pub seen: Monitor<Seen>,
    pub threads: ThreadLog,
}

impl Recorded {
    pub fn new(event_loop: &EventLoop) -> Self {
        let client = TcpClient::new(event_loop);
        let (seen, threads) = (Monitor::<Seen>::default(), ThreadLog::new());
        let (s, t) = (seen.clone(), threads.clone());
        client.on_connect(move |channel| {
            t.record();
            assert!(channel.is_connected() && channel.peer_addr().is_some());
            s.update(|seen| seen.connected += 1);
        });
        let (s, t) = (seen.clone(), threads.clone());
        client.on_message(move |_, data| {
            t.record();
            s.update(|seen| seen.bytes.extend_from_slice(data));
        });
        let (s, t) = (seen.clone(), threads.clone());
        client.on_close(move |channel, reason| {
            t.record();
            let open = channel.is_some_and(hvloop::Channel::is_connected);
            assert!(!open, "closed means closed");
            s.update(|seen| {
                seen.closed.push(reason.clone());
                seen.had_channel.push(channel.is_some());
            });
        });
        Self {
            client,
            seen,
            threads,
        }
    }

    /// Connects, and waits until it is.
    #[track_caller]
    pub fn connect(&self, options: Connect) {
        self.client.connect(options).unwrap();
        self.wait("connected", |seen| seen.connected > 0);
    }

    #[track_caller]
    pub fn wait(&self, what: &str, until: impl Fn(&Seen) -> bool) {
        let came = self.seen.wait(DEADLINE, until);
        let closed = self.seen.read(|seen| format!("{:?}", seen.closed));
        assert!(came, "never: {what}; closed: {closed}");
    }

    /// The one close of a client that was connected once.
    #[track_caller]
    pub fn only_close(&self) -> CloseReason {
        self.wait("closed", |seen| !seen.closed.is_empty());
        self.seen.read(|seen| {
            assert_eq!(seen.closed.len(), 1, "{:?}", seen.closed);
            assert_eq!(seen.had_channel[0], seen.connected > 0);
            seen.closed[0].clone()
        })
    }
}

/// Tells when, and on which thread, it is dropped.
pub struct Told {
    dropped: Monitor<Vec<std::thread::ThreadId>>,
}

impl Told {
    pub fn new() -> (Self, Monitor<Vec<std::thread::ThreadId>>) {
        let dropped = Monitor::default();
        (
            Self {
                dropped: dropped.clone(),
            },
            dropped,
        )
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let here = std::thread::current().id();
        self.dropped.update(|dropped| dropped.push(here));
    }
}
