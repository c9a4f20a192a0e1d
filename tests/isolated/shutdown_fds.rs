//! After a stop no file descriptor of a client is open, wherever the client was. One test, alone in
//! its program, since it compares the descriptors of the whole process.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use crate::common::loops::{running, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use hvloop::event::Resolver;
use hvloop::{ClientState, EventLoop, EventLoopThread, LoopOptions, ReconnectPolicy};
use hvloop_test_support::{
    Blackhole, DEADLINE, Event, Mode, ScriptServer, fds, refuse_port, wait_for,
};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A resolver that answers when it is let go.
struct Slow(Event);

impl Resolver for Slow {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        assert!(self.0.wait(2 * DEADLINE), "never let go");
        Err(io::ErrorKind::NotFound.into())
    }
}

/// How the loop is stopped: in order, and by force.
const LIMITS: [Duration; 2] = [DEADLINE, Duration::ZERO];

/// Clients in every phase at once, some of each.
fn stop_in_all_phases(transport: Transport) {
    const EACH: usize = 5;
    for limit in LIMITS {
        let before = fds::open_fds();
        let net = Net::new(transport);
        let echo = net.server(Mode::Echo);
        let never_close = net.server(Mode::NeverClose);
        let mute_tls = ScriptServer::mute_tls();
        let mute_upgrade = ScriptServer::mute_upgrade(net.tls());
        let hole = Blackhole::new().unwrap();
        let scheme = echo.url().split(':').next().unwrap().to_owned();
        let mut urls = vec![
            ("open", echo.url()),
            ("stuck", never_close.url()),
            ("dns", format!("{scheme}://slow.test/")),
            ("tcp", format!("{scheme}://{}/", hole.addr())),
            ("upgrade", mute_upgrade.url()),
            ("back-off", format!("{scheme}://{}/", refuse_port())),
        ];
        if transport == Transport::Wss {
            urls.push(("tls", mute_tls.url_as("wss")));
        }
        let with_servers = fds::open_fds();
        let go = Event::new();
        let options = LoopOptions::new()
            .resolver(Arc::new(Slow(go.clone())))
            .drain_timeout(DEADLINE);
        let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
        thread.start().unwrap();
        let policy = ReconnectPolicy::fixed(Duration::from_secs(3600));
        let options = net
            .options()
            .reconnect(Some(policy))
            .close_timeout(Duration::from_millis(100));
        let clients: Vec<_> = urls
            .iter()
            .flat_map(|url| std::iter::repeat_n(url, EACH))
            .map(|(phase, url)| {
                let client = Recorded::new(thread.event_loop(), options.clone());
                client.client.open(url).unwrap();
                (*phase, client)
            })
            .collect();
        for (phase, client) in &clients {
            match *phase {
                "open" | "stuck" => client.wait_open(),
                "back-off" => {
                    client.wait("refused", |seen| seen.closed.len() == 1);
                    let state = || client.client.state() == ClientState::BackingOff;
                    assert!(wait_for(30, state));
                }
                _ => assert_eq!(client.client.state(), ClientState::Connecting),
            }
        }
        settle(thread.event_loop());
        let seen = fds::new_fds(&with_servers).len();
        assert!(seen > 3 * EACH, "the test sees {seen} of them");
        thread.event_loop().stop_with(limit);
        let report = thread.join().unwrap();
        if limit.is_zero() {
            assert_eq!(report.forced, 2 * EACH, "{report}");
        } else {
            assert_eq!(report.closed_cleanly, EACH, "{report}");
        }
        assert_eq!(report.aborted_connects, (urls.len() - 3) * EACH, "{report}");
        // Handles, the loop and blocked lookups are all still there.
        for (_, client) in &clients {
            client.only_close();
        }
        // The servers end here, with their ends of what was open.
        let servers = (echo, never_close, mute_tls, mute_upgrade, hole);
        drop(servers);
        fds::assert_no_new_fds(&before);
        go.set();
    }
}

/// Peers that break the connection while it is being closed, and clients that come back at once.
fn stop_under_resets() {
    let before = fds::open_fds();
    let net = Net::new(Transport::Wss);
    let resets = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.read_frame()?;
        conn.reset()
    });
    for _ in 0..10 {
        let thread = running(DEADLINE);
        let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
        let options = net.options().reconnect(Some(policy));
        let clients: Vec<_> = (0..8)
            .map(|_| Recorded::new(thread.event_loop(), options.clone()))
            .collect();
        for client in &clients {
            client.client.on_open(|ws, _| ws.send_text("x").unwrap());
            client.client.open(&resets.url()).unwrap();
        }
        clients[0].wait("a few sessions", |seen| seen.closed.len() > 3);
        thread.stop();
        thread.join().unwrap();
    }
    drop(resets);
    fds::assert_no_new_fds(&before);
}

#[test]
fn no_fd_is_left_by_clients() {
    // What the process opens once.
    drop(EventLoop::new().unwrap());
    stop_in_all_phases(Transport::Ws);
    stop_in_all_phases(Transport::Wss);
    stop_under_resets();
}
