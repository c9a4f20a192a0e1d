//! Reconnecting: every failure feeds one policy, and a close by the user ends it.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::{Resolver, TcpClient};
use hvloop::ws::ClientState;
use hvloop::{Connect, EventLoop, EventLoopThread, LoopOptions, ReconnectPolicy, WebSocketClient};
use hvloop_test_support::{
    DEADLINE, Event, Latch, Mode, Monitor, ReservedPort, ScriptServer, opcode, refuse_port,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

over_both! {
    close_during_backoff => during_backoff;
    no_policy_ends_a_back_off => no_policy;
    policy_changed_in_on_close => changed_policy;
    first_attempt_fails_then_reconnects => first_fails;
    dns_recovers => dns;
    is_reconnect_in_onopen => told_in_onopen;
    backoff_schedule => schedule;
    accept_then_drop_backs_off => accept_then_drop;
    ping_timeout_reconnects => ping_timeout;
    half_open_detected => half_open;
    send_while_reconnecting => sends;
    user_close_never_reconnects => user_close;
    max_retries_end_it => retries;
}

fn during_backoff(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let scheme = transport.scheme();
    let policy = ReconnectPolicy::fixed(Duration::from_secs(3600));
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&format!("{scheme}://{}/", refuse_port()))
        .unwrap();
    client.wait("refused", |seen| seen.closed.len() == 1);
    assert!(hvloop_test_support::wait_for(30, || client.client.state() == ClientState::BackingOff));
    settle(thread.event_loop());
    let metrics = thread.event_loop().metrics();
    assert_eq!((metrics.timers, metrics.connections), (1, 0));
    client.client.close(1000, "").unwrap();
    assert!(hvloop_test_support::wait_for(30, || client.client.state() == ClientState::Closed));
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().timers, 0);
    client.only_close();
}

fn no_policy(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let scheme = transport.scheme();
    let policy = ReconnectPolicy::fixed(Duration::from_secs(3600));
    let options = net.options().reconnect(Some(policy)).keep_callbacks(true);
    let client = Recorded::new(thread.event_loop(), options);
    let url = format!("{scheme}://{}/", refuse_port());
    for times in [1, 2] {
        client.client.set_reconnect(policy).unwrap();
        client.client.open(&url).unwrap();
        client.wait("refused", |seen| seen.closed.len() == times);
        let waits = || client.client.state() == ClientState::BackingOff;
        assert!(hvloop_test_support::wait_for(30, waits));
        // Another one changes nothing about the wait.
        client
            .client
            .set_reconnect(ReconnectPolicy::fixed(MS))
            .unwrap();
        settle(thread.event_loop());
        assert!(waits());
        assert!(
            client
                .client
                .set_reconnect(policy.with_jitter(7.0))
                .is_err()
        );
        client.client.set_reconnect(None).unwrap();
        let closed = || client.client.state() == ClientState::Closed;
        assert!(hvloop_test_support::wait_for(30, closed));
        settle(thread.event_loop());
        assert_eq!(thread.event_loop().metrics().timers, 0);
    }
    // It holds for the next open(), too.
    client.client.open(&url).unwrap();
    client.wait("refused", |seen| seen.closed.len() == 3);
    let last = client.seen.read(|seen| seen.closed[2].reconnect_in);
    assert_eq!(last, None);
}

fn changed_policy(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let scheme = transport.scheme();
    let linear = ReconnectPolicy::linear(MS, 3 * MS).with_jitter(0.0);
    let client =
        WebSocketClient::with_options(thread.event_loop(), net.options().reconnect(linear));
    let waits = Monitor::new(Vec::new());
    let w = waits.clone();
    client.on_close(move |ws, event| {
        w.update(|waits| waits.push(event.reconnect_in));
        let policy = match w.read(Vec::len) {
            1 => Some(ReconnectPolicy::exponential(8 * MS, 10 * MS).with_jitter(0.0)),
            2 => None,
            _ => None, // an attempt without a policy, which is seen below
        };
        ws.set_reconnect(policy).unwrap();
    });
    client
        .open(&format!("{scheme}://{}/", refuse_port()))
        .unwrap();
    assert!(waits.wait(DEADLINE, |waits| *waits == [Some(MS), Some(8 * MS)]));
    let closed = || client.state() == ClientState::Closed;
    assert!(hvloop_test_support::wait_for(30, closed));
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().timers, 0);
    assert_eq!(waits.read(Vec::len), 2, "an attempt without a policy");
}

fn first_fails(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    // It has to be had below: not the one of `refuse_port`.
    let port = ReservedPort::new();
    let address = port.addr();
    let scheme = transport.scheme();
    let policy = ReconnectPolicy::fixed(5 * MS);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&format!("{scheme}://{address}/"))
        .unwrap();
    client.wait("refused", |seen| seen.closed.len() >= 2);
    // Now there is a server.
    let server = hvloop_test_support::EchoServer::start_with(net.tls(), Mode::Echo, address.port());
    client.wait_open();
    client.client.close(1000, "").unwrap();
    server.wait_until(|stats| stats.closes_with(1000) == 1);
}

fn dns(transport: Transport) {
    struct Recovers(AtomicUsize);
    impl Resolver for Recovers {
        fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0..3 => Err(io::Error::other("offline")),
                _ => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            }
        }
    }
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let options = LoopOptions::new().resolver(Arc::new(Recovers(AtomicUsize::new(0))));
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let policy = ReconnectPolicy::fixed(MS);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&server.url_with_host("localhost"))
        .unwrap();
    client.wait_open();
    assert_eq!(client.seen.read(|seen| seen.closed.len()), 3);
}

fn told_in_onopen(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::close_first(net.tls(), 1001, "again");
    let thread = patient();
    let policy = ReconnectPolicy::fixed(MS);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    let opens = Monitor::new(Vec::new());
    let o = opens.clone();
    client.client.on_open(move |_, event| {
        o.update(|opens| opens.push((event.attempt, event.is_reconnect)));
    });
    client.client.open(&server.url()).unwrap();
    assert!(opens.wait(DEADLINE, |opens| opens.len() >= 3));
    opens.read(|opens| assert_eq!(opens[..3], [(1, false), (2, true), (3, true)]));
}

fn schedule(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let scheme = transport.scheme();
    let policy = ReconnectPolicy::exponential(2 * MS, 10 * MS).with_jitter(0.0);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&format!("{scheme}://{}/", refuse_port()))
        .unwrap();
    client.wait("five attempts", |seen| seen.closed.len() >= 5);
    client.seen.read(|seen| {
        let delays: Vec<_> = seen.closed[..5]
            .iter()
            .map(|e| e.reconnect_in.unwrap())
            .collect();
        assert_eq!(delays, [2 * MS, 4 * MS, 8 * MS, 10 * MS, 10 * MS]);
    });
    // backoff_jitter_bounds
    let policy = ReconnectPolicy::fixed(4 * MS).with_jitter(0.5);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&format!("{scheme}://{}/", refuse_port()))
        .unwrap();
    client.wait("twenty attempts", |seen| seen.closed.len() >= 20);
    client.seen.read(|seen| {
        let mut delays: Vec<_> = seen.closed.iter().filter_map(|e| e.reconnect_in).collect();
        assert!(
            delays.iter().all(|d| (2 * MS..=4 * MS).contains(d)),
            "{delays:?}"
        );
        delays.dedup();
        assert!(delays.len() > 1, "no jitter at all");
    });
}

/// A server that accepts and then drops does not reset the back-off.
fn accept_then_drop(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::open_then_drop(net.tls());
    let thread = patient();
    let policy = ReconnectPolicy::exponential(MS, 64 * MS).with_jitter(0.0);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client.client.open(&server.url()).unwrap();
    client.wait("five sessions", |seen| seen.closed.len() >= 5);
    client.seen.read(|seen| {
        for (n, event) in seen.closed[..5].iter().enumerate() {
            assert!(event.was_open, "{event:?}");
            assert_eq!(event.reconnect_in, Some(MS * (1 << n)));
        }
    });
}

/// A peer that is gone without a word, and the client comes back.
fn ping_timeout(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        if conn.number() > 1 {
            conn.send_frame(opcode::TEXT, true, b"back again")?;
        }
        conn.wait_for_release(); // reads nothing, says nothing
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .ping_interval(Some(50 * MS))
        .pong_timeout(50 * MS)
        .reconnect(Some(ReconnectPolicy::fixed(MS)));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait("the second session", |seen| {
        seen.messages.contains(&b"back again".to_vec())
    });
    client.seen.read(|seen| {
        let text = seen.closed[0].error.as_ref().unwrap().to_string();
        assert!(text.contains("sent nothing"), "{text}");
    });
    thread.stop();
    server.release();
}

/// The peer is gone and the line is full: the Ping itself cannot leave, and the Close cannot either.
fn half_open(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .ping_interval(Some(100 * MS))
        .pong_timeout(100 * MS)
        .write_timeout(None)
        .close_timeout(100 * MS);
    let client = Recorded::new(thread.event_loop(), options);
    client
        .client
        .on_open(|ws, _| ws.send_binary(&vec![0; 15 << 20]).unwrap());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(
        event.code == 1006 && !event.clean && event.was_open,
        "{event:?}"
    );
    let text = event.error.unwrap().to_string();
    assert!(text.contains("sent nothing"), "{text}");
    settle(thread.event_loop());
    let metrics = thread.event_loop().metrics();
    assert_eq!((metrics.connections, metrics.timers), (0, 0));
    server.release();
}

/// Sends from another thread while sessions come and go: each is taken or refused, none goes wild.
fn sends(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let policy = ReconnectPolicy::fixed(MS);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client.client.open(&server.url()).unwrap();
    let (ws, done) = (client.client.clone(), Event::new());
    let d = done.clone();
    let sender = std::thread::spawn(move || {
        let mut taken = 0;
        while !d.is_set() {
            taken += usize::from(ws.send_text("0123456789").is_ok());
            std::thread::yield_now();
        }
        taken
    });
    for round in 1..=10 {
        client.wait("a session", |seen| {
            seen.opened >= round && !seen.messages.is_empty()
        });
        server.abort_all();
        client.wait("its end", |seen| seen.closed.len() >= round);
    }
    done.set();
    assert!(sender.join().unwrap() > 0);
    client.client.close(1000, "").unwrap();
    assert!(hvloop_test_support::wait_for(30, || client.client.state() == ClientState::Closed));
    assert!(hvloop_test_support::wait_for(30, || client
        .client
        .buffered_amount()
        == 0));
    client
        .seen
        .read(|seen| assert!(seen.messages.iter().all(|m| m == b"0123456789")));
}

fn user_close(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let policy = ReconnectPolicy::fixed(Duration::ZERO + MS);
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(1000, "").unwrap();
    assert_eq!(client.only_close().reconnect_in, None);
    settle(thread.event_loop());
    let metrics = thread.event_loop().metrics();
    assert_eq!((metrics.timers, metrics.connections), (0, 0));
    // Also when the close comes inside on_close, in the face of a retry.
    let policy = ReconnectPolicy::fixed(MS);
    let other = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    let closed = Latch::new(1);
    let c = closed.clone();
    other.client.on_close(move |ws, event| {
        assert!(event.reconnect_in.is_some());
        ws.close(1000, "").unwrap();
        c.count_down();
    });
    other
        .client
        .open(&format!("ws://{}/", refuse_port()))
        .unwrap();
    closed.expect("on_close");
    assert!(hvloop_test_support::wait_for(30, || other.client.state() == ClientState::Closed));
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().timers, 0);
}

fn retries(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let scheme = transport.scheme();
    let policy = ReconnectPolicy::fixed(MS).with_max_retries(Some(2));
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    client
        .client
        .open(&format!("{scheme}://{}/", refuse_port()))
        .unwrap();
    client.wait("the last attempt", |seen| {
        seen.closed
            .last()
            .is_some_and(|event| event.reconnect_in.is_none())
    });
    assert_eq!(client.seen.read(|seen| seen.closed.len()), 3);
}

/// The plain client: its close comes once, and it may connect again inside it.
#[test]
fn tcp_client_connects_again_in_on_close() {
    let server = ScriptServer::accept_then_drop();
    let thread = patient();
    let client = Arc::new(TcpClient::new(thread.event_loop()));
    let closes = Latch::new(3);
    fn prepare(client: &Arc<TcpClient>, port: u16, closes: Latch) {
        let again = Arc::downgrade(client);
        client.on_close(move |_, _| {
            closes.count_down();
            if closes.left() > 0 {
                let client = again.upgrade().unwrap();
                prepare(&client, port, closes.clone());
                client.connect(Connect::to("127.0.0.1", port)).unwrap();
            }
        });
    }
    prepare(&client, server.addr().port(), closes.clone());
    client
        .connect(Connect::to("127.0.0.1", server.addr().port()))
        .unwrap();
    closes.expect("three closes");
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
