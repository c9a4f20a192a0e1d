//! A `TcpClient` whose events are recorded, and its peers.

use super::net::{Net, Transport};
use hvloop::event::tls::TlsClientConfig;
use hvloop::{CloseReason, Connect, EventLoop, TcpClient};
use hvloop_test_support::{DEADLINE, Monitor, ScriptConn, ScriptServer, ThreadLog, Tls};
use std::io::{self, Read};

impl Net {
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
            Transport::Tls => connect.with_tls(self.tls_config()),
        }
    }

    pub fn tls_config(&self) -> TlsClientConfig {
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
