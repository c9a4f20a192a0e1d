//! A stop in every phase of a connect.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport, asked_proxy};
use crate::over_both;
use hvloop::event::Resolver;
use hvloop::ws::{ClientState, Initiator};
use hvloop::{EventLoop, EventLoopThread, LoopOptions, ReconnectPolicy};
use hvloop_test_support::{Blackhole, DEADLINE, Event, Latch, Mode, ScriptServer, refuse_port};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

over_both! {
    stop_in_every_connect_phase => every_phase;
    stop_vs_reconnect_race => against_reconnect;
    stop_in_the_turn_of_a_refusal => with_a_refusal;
}

/// A resolver that answers when it is let go.
struct Slow {
    asked: Event,
    go: Event,
}

impl Resolver for Slow {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.set();
        assert!(self.go.wait(DEADLINE), "never let go");
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }
}

/// Stops a loop whose one client is in that phase; there is one close, and no hurry.
fn stop_and_check(thread: &EventLoopThread, client: &Recorded) {
    assert_eq!(client.client.state(), ClientState::Connecting);
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!(report.aborted_connects, 1, "{report}");
    assert!(report.is_clean(), "{report}");
    let event = client.only_close();
    assert_eq!(event.initiator, Initiator::Loop, "{event:?}");
    assert!(!event.was_open && event.reconnect_in.is_none());
    client.threads.assert_one_thread();
}

fn every_phase(transport: Transport) {
    let net = Net::new(transport);
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    let options = net.options().reconnect(Some(policy));

    // DNS. The lookup is still blocked when the loop has stopped.
    let (asked, go) = (Event::new(), Event::new());
    let slow = Slow {
        asked: asked.clone(),
        go: go.clone(),
    };
    let loop_options = LoopOptions::new()
        .resolver(Arc::new(slow))
        .drain_timeout(DEADLINE);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(loop_options).unwrap());
    thread.start().unwrap();
    let client = Recorded::new(thread.event_loop(), options.clone());
    let scheme = if transport == Transport::Ws {
        "ws"
    } else {
        "wss"
    };
    client
        .client
        .open(&format!("{scheme}://slow.test/"))
        .unwrap();
    asked.expect("the lookup");
    stop_and_check(&thread, &client);
    go.set();

    // TCP.
    let hole = Blackhole::new().unwrap();
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), options.clone());
    client
        .client
        .open(&format!("{scheme}://{}/", hole.addr()))
        .unwrap();
    let connecting = Latch::new(1);
    let c = connecting.clone();
    thread
        .event_loop()
        .queue_in_loop(move || c.count_down())
        .unwrap();
    connecting.expect("the connect has begun");
    stop_and_check(&thread, &client);

    // Proxy.
    let (proxy, asked) = asked_proxy();
    let thread = patient();
    let through = hvloop::Proxy::http("127.0.0.1", proxy.addr().port());
    let proxied = options.clone().proxy(Some(through));
    let client = Recorded::new(thread.event_loop(), proxied);
    client
        .client
        .open(&format!("{scheme}://target.test/"))
        .unwrap();
    asked.expect("the CONNECT");
    stop_and_check(&thread, &client);

    // TLS.
    if transport == Transport::Wss {
        let server = ScriptServer::mute_tls();
        let thread = patient();
        let client = Recorded::new(thread.event_loop(), options.clone());
        client.client.open(&server.url_as("wss")).unwrap();
        server.wait_accepted(1);
        stop_and_check(&thread, &client);
    }

    // Upgrade.
    let server = ScriptServer::mute_upgrade(net.tls());
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    server.wait_accepted(1);
    stop_and_check(&thread, &client);

    // Back-off: the attempt had its close, and there is no other one.
    let thread = patient();
    let policy = ReconnectPolicy::fixed(Duration::from_secs(3600));
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&format!("{scheme}://{}/", refuse_port()))
        .unwrap();
    client.wait("refused", |seen| !seen.closed.is_empty());
    assert!(client.only_close().reconnect_in.is_some());
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    client.only_close();
    assert_eq!(client.client.state(), ClientState::Closed);
}

/// The server drops each session at once and the client comes back at once, while the loop stops.
fn against_reconnect(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::open_then_drop(net.tls());
    let mute = net.server(Mode::Mute);
    for round in 0..20 {
        let thread = patient();
        let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
        let options = net.options().reconnect(Some(policy));
        let clients: Vec<_> = (0..4)
            .map(|_| Recorded::new(thread.event_loop(), options.clone()))
            .collect();
        for client in &clients {
            client.client.open(&server.url()).unwrap();
        }
        clients[round % 4].wait("some sessions", |seen| seen.closed.len() > 2);
        thread.stop();
        let report = thread.join().unwrap();
        assert!(report.still_held.is_empty(), "{report}");
        for client in &clients {
            client.seen.read(|seen| {
                let attempts: Vec<u32> = seen.closed.iter().map(|e| e.attempt).collect();
                let each_once: Vec<u32> = (1..=attempts.len() as u32).collect();
                assert_eq!(attempts, each_once);
            });
            assert_eq!(client.client.state(), ClientState::Closed);
            assert!(
                client.client.open(&mute.url()).is_err(),
                "the loop is closed"
            );
        }
    }
}

/// The server's answer and its end are there when the loop stops: the stop ends the attempt, since the
/// answer is not looked at any more.
fn with_a_refusal(transport: Transport) {
    let net = Net::new(transport);
    let (go, said) = (Event::new(), Event::new());
    let g = go.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        g.set();
        // The loop is held up: all this is there when it reads next.
        conn.wait_for_release();
        conn.send(b"HTTP/1.1 401 Who?\r\n\r\n")
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    go.expect("the request");
    // What TLS sends with the end of its handshake is read in a turn before.
    settle(thread.event_loop());
    settle(thread.event_loop());
    let (holding, here) = (Event::new(), thread.event_loop().clone());
    let (h, s) = (holding.clone(), said.clone());
    let hold_up = move || {
        h.set();
        assert!(s.wait(DEADLINE), "the server did not answer");
        // In the next turn, before it reads.
        let event_loop = here.clone();
        here.queue_in_loop(move || event_loop.stop()).unwrap();
    };
    thread.event_loop().queue_in_loop(hold_up).unwrap();
    holding.expect("the task");
    server.release();
    server.wait_finished(1);
    said.set();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    let event = client.only_close();
    assert_eq!(event.initiator, Initiator::Loop, "{event:?}");
    assert!(event.error.is_none() && !event.was_open, "{event:?}");
}
