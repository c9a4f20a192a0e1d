//! `stop()` against lookups, back-offs, handshakes, errors and timers that are under way.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::Resolver;
use hvloop::ws::Initiator;
use hvloop::ws::protocol::frame_len;
use hvloop::{
    ClientState, EventLoop, EventLoopThread, LoopOptions, LoopStatus, ReconnectPolicy,
    SocketOptions, WebSocketClient,
};
use hvloop_test_support::{
    Blackhole, DEADLINE, Event, Latch, Mode, Monitor, ScriptServer, refuse_port,
};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

over_both! {
    stop_during_dns => during_dns;
    stop_during_backoff => during_backoff;
    stop_blackholed_peer => blackholed;
    stop_after_write_error => after_write_error;
    stop_with_handshakes_in_flight => handshakes_in_flight;
    stop_with_pending_interval => pending_interval;
    stop_loop_under_reconnecting_client => under_reconnecting;
    stop_reports_what_is_alive => reports;
}

/// A resolver that answers when it is let go, and counts.
#[derive(Clone)]
struct Slow {
    asked: Monitor<usize>,
    answered: Monitor<usize>,
    go: Event,
}

impl Slow {
    fn new() -> Self {
        Self {
            asked: Monitor::new(0),
            answered: Monitor::new(0),
            go: Event::new(),
        }
    }

    /// A loop that asks this resolver.
    fn running(&self) -> EventLoopThread {
        let options = LoopOptions::new()
            .resolver(Arc::new(self.clone()))
            .drain_timeout(DEADLINE);
        let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
        thread.start().unwrap();
        thread
    }
}

impl Resolver for Slow {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.update(|asked| *asked += 1);
        assert!(self.go.wait(DEADLINE), "never let go");
        self.answered.update(|answered| *answered += 1);
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }
}

/// Lookups of several names, some of which share a call; none has been answered when the loop is gone,
/// and the answers that come later reach nobody.
fn during_dns(transport: Transport) {
    const CLIENTS: usize = 6;
    const NAMES: usize = 3;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let slow = Slow::new();
    let thread = slow.running();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| Recorded::new(thread.event_loop(), net.options()))
        .collect();
    for (n, client) in clients.iter().enumerate() {
        let url = server.url_with_host(&format!("slow{}.test", n % NAMES));
        client.client.open(&url).unwrap();
    }
    // A lookup of the user's own, too: its callback goes unused.
    let captured = Arc::new(());
    let (mine, called, begun) = (captured.clone(), Event::new(), Event::new());
    let (c, b) = (called.clone(), begun.clone());
    thread
        .event_loop()
        .post_event(move |local| {
            let answer = move |_| {
                let _mine = &mine;
                c.set();
            };
            local.resolve_dns("slow0.test", answer).unwrap();
            b.set();
        })
        .unwrap();
    begun.expect("the lookups");
    assert!(slow.asked.wait(DEADLINE, |asked| *asked == NAMES));
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!(report.aborted_connects, CLIENTS, "{report}");
    assert!(report.is_clean(), "{report}");
    assert_eq!(slow.answered.read(|n| *n), 0, "it waited for an answer");
    assert_eq!(Arc::strong_count(&captured), 1, "a callback is left");
    for client in &clients {
        assert_eq!(client.only_close().initiator, Initiator::Loop);
    }
    slow.go.set();
    assert!(slow.answered.wait(DEADLINE, |answered| *answered == NAMES));
    drop(thread);
    for client in &clients {
        client.only_close();
        assert_eq!(client.threads.calls(), 1);
    }
    // Nobody asks again.
    assert_eq!(slow.asked.read(|asked| *asked), NAMES);
    assert!(!called.is_set());
    assert_eq!(server.stop().accepted, 0);
}

/// A back-off of an hour ends with the stop, whoever stops.
fn during_backoff(transport: Transport) {
    let net = Net::new(transport);
    let scheme = if transport == Transport::Ws {
        "ws"
    } else {
        "wss"
    };
    for who in ["loop", "client", "close", "drop"] {
        let thread = patient();
        let policy = ReconnectPolicy::fixed(Duration::from_secs(3600));
        let options = net.options().reconnect(Some(policy));
        let client = WebSocketClient::with_options(thread.event_loop(), options);
        let captured = Arc::new(());
        let (closes, mine) = (Monitor::new(0), captured.clone());
        let counted = closes.clone();
        client.on_close(move |_, event| {
            let _mine = &mine;
            assert!(event.reconnect_in.is_some());
            counted.update(|n| *n += 1);
        });
        client
            .open(&format!("{scheme}://{}/", refuse_port()))
            .unwrap();
        assert!(closes.wait(DEADLINE, |n| *n == 1), "never refused");
        assert_eq!(client.state(), ClientState::BackingOff);
        match who {
            "client" => client.stop(),
            "close" => client.close(1000, "").unwrap(),
            "drop" => drop(client),
            _ => {}
        }
        if who != "loop" {
            // The client ends alone: its callbacks go, and nothing of it holds the loop.
            settle(thread.event_loop());
            assert_eq!(Arc::strong_count(&captured), 1, "{who}");
            assert_eq!(thread.event_loop().metrics().timers, 0, "{who}");
        }
        thread.stop();
        assert!(thread.event_loop().wait_stopped(Some(DEADLINE)), "{who}");
        assert!(thread.join().unwrap().is_clean(), "{who}");
        assert_eq!(closes.read(|n| *n), 1, "{who}");
        assert_eq!(Arc::strong_count(&captured), 1, "{who}");
    }
}

/// The network takes nothing any more, with a queue before the Close: the deadline ends the socket,
/// whatever the peer does, and nothing of it stays open.
fn blackholed(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let client = Recorded::new(
        thread.event_loop(),
        net.options()
            .close_timeout(2 * DEADLINE)
            .socket(SocketOptions::new().send_buffer(64 * 1024)),
    );
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.send_binary(&vec![0; 15 << 20]).unwrap();
    settle(thread.event_loop());
    assert!(client.client.buffered_amount() > 0);
    thread.event_loop().stop_with(Duration::from_millis(100));
    let report = thread.join().unwrap();
    assert_eq!((report.closed_cleanly, report.forced), (0, 1), "{report}");
    assert!(
        report.still_held[0].contains(&server.addr().to_string()),
        "{report}"
    );
    let event = client.only_close();
    assert!(event.code == 1006 && !event.clean, "{event:?}");
    assert_eq!(client.client.buffered_amount(), 0);
    let metrics = thread.event_loop().metrics();
    assert_eq!((metrics.connections, metrics.holds), (0, 0));
    server.release();
}

/// The peer resets; the write that finds out comes right before the stop, or right after it.
fn after_write_error(transport: Transport) {
    let net = Net::new(transport);
    // Before: the loop's thread is held until the reset is there, then writes and stops.
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        conn.reset()
    });
    let server = Arc::new(server);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let (ws, event_loop, at) = (
        client.client.clone(),
        thread.event_loop().clone(),
        server.clone(),
    );
    thread
        .event_loop()
        .queue_in_loop(move || {
            at.release();
            at.wait_finished(1);
            // Written in this call, since it is over the mark for an early flush.
            ws.send_binary(&vec![0; 256 * 1024]).unwrap();
            assert_eq!(event_loop.metrics().panics, 0);
            event_loop.stop();
        })
        .unwrap();
    assert!(thread.event_loop().wait_stopped(Some(DEADLINE)), "hangs");
    thread.join().unwrap();
    let event = client.only_close();
    assert!(
        !event.clean && event.code == 1006 && event.was_open,
        "{event:?}"
    );
    assert!(event.error.is_some(), "{event:?}");
    assert_eq!(event.lost, frame_len(256 * 1024, true));
    assert_eq!(client.client.buffered_amount(), 0);
    assert_eq!(thread.event_loop().metrics().holds, 0);
    assert_eq!(thread.event_loop().metrics().panics, 0);

    // After: the peer resets in answer to our Close, with more of ours on the way.
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.read_frame()?;
        conn.reset()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client
        .client
        .send_binary(&vec![0; 12 * 1024 * 1024])
        .unwrap();
    thread.stop();
    assert!(thread.event_loop().wait_stopped(Some(DEADLINE)), "hangs");
    let report = thread.join().unwrap();
    assert_eq!((report.closed_cleanly, report.forced), (0, 0), "{report}");
    let event = client.only_close();
    assert!(!event.clean && event.code == 1006, "{event:?}");
    assert_eq!(client.client.buffered_amount(), 0);
}

/// Upgrades that are answered while the loop stops: no session opens any more.
fn handshakes_in_flight(transport: Transport) {
    const PENDING: usize = 20;
    let net = Net::new(transport);
    let (asked, answered, go) = (Latch::new(PENDING), Latch::new(PENDING), Event::new());
    let (a, b, g) = (asked.clone(), answered.clone(), go.clone());
    let server = ScriptServer::start(net.tls(), move |conn| {
        let head = conn.read_request_head()?;
        a.count_down();
        assert!(g.wait(DEADLINE), "never let go");
        let answer = hvloop_test_support::upgrade_response(&head, &[]);
        conn.send(answer.as_bytes())?;
        b.count_down();
        // Until the client's end.
        while conn.read_frame()?.is_some() {}
        Ok(())
    });
    let echo = net.server(Mode::Echo);
    let thread = patient();
    let open = Recorded::new(thread.event_loop(), net.options());
    open.client.open(&echo.url()).unwrap();
    open.wait_open();
    let pending: Vec<_> = (0..PENDING)
        .map(|_| Recorded::new(thread.event_loop(), net.options()))
        .collect();
    for client in &pending {
        client.client.open(&server.url()).unwrap();
    }
    asked.expect("the requests");
    // The loop's thread is held until all answers are in its sockets.
    let event_loop = thread.event_loop().clone();
    thread
        .event_loop()
        .queue_in_loop(move || {
            event_loop.stop();
            go.set();
            answered.expect("the answers");
        })
        .unwrap();
    let report = thread.join().unwrap();
    assert_eq!(report.aborted_connects, PENDING, "{report}");
    assert_eq!(report.closed_cleanly, 1, "{report}");
    for client in &pending {
        let event = client.only_close();
        assert_eq!(
            client.seen.read(|seen| seen.opened),
            0,
            "on_open after stop()"
        );
        assert!(
            !event.was_open && event.initiator == Initiator::Loop,
            "{event:?}"
        );
    }
    assert!(open.only_close().clean);
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

/// Tells where it was dropped.
pub struct Told(pub std::sync::mpsc::Sender<std::thread::ThreadId>);
impl Drop for Told {
    fn drop(&mut self) {
        self.0.send(std::thread::current().id()).unwrap();
    }
}

/// Timers and heartbeats go on while the loop drains, do not keep it,
/// and are dropped on its thread.
fn pending_interval(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let event_loop = thread.event_loop();
    let heartbeat = net.options().ping_interval(Some(Duration::from_millis(1)));
    let client = Recorded::new(event_loop, heartbeat);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let (tell, told) = std::sync::mpsc::channel();
    let told_of = || Arc::new(Told(tell.clone()));
    let ticks = Monitor::new(0u64);
    let (t, mine) = (ticks.clone(), told_of());
    event_loop
        .set_interval(Duration::from_millis(1), move |_| {
            let _mine = &mine;
            t.update(|ticks| *ticks += 1);
        })
        .unwrap();
    for hour in 1..10u32 {
        let mine = told_of();
        event_loop
            .set_interval(hour * Duration::from_secs(3600), move |_| {
                drop(mine.clone());
            })
            .unwrap();
    }
    let mine = told_of();
    event_loop
        .set_timeout(Duration::from_secs(3600), move |_| drop(mine))
        .unwrap();
    let hold = event_loop.hold("the test").unwrap();
    thread.stop();
    let at_stop = client.only_close();
    assert!(at_stop.clean, "{at_stop:?}");
    assert_eq!(event_loop.status(), LoopStatus::Draining);
    let before = ticks.read(|ticks| *ticks);
    assert!(
        ticks.wait(DEADLINE, |ticks| *ticks > before + 5),
        "they go on"
    );
    drop(hold);
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(
        report.elapsed < DEADLINE,
        "not before its deadline: {report}"
    );
    let after = ticks.read(|ticks| *ticks);
    drop(tell);
    let dropped_on: Vec<_> = told.iter().collect();
    assert_eq!(dropped_on.len(), 11);
    client.threads.assert_all_on(dropped_on[0]);
    assert!(dropped_on.iter().all(|id| *id == dropped_on[0]));
    assert_eq!(ticks.read(|ticks| *ticks), after);
}

/// Sessions that break while the loop stops, of clients that would come back at once.
fn under_reconnecting(transport: Transport) {
    const CLIENTS: usize = 8;
    let net = Net::new(transport);
    for round in 0..20 {
        let server = net.server(Mode::Echo);
        let thread = patient();
        let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
        let options = net.options().reconnect(Some(policy));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| Recorded::new(thread.event_loop(), options.clone()))
            .collect();
        let scheduled = Arc::new(AtomicUsize::new(0));
        for client in &clients {
            let (seen, threads) = (client.seen.clone(), client.threads.clone());
            let (url, scheduled) = (server.url(), scheduled.clone());
            client.client.on_close(move |ws, event| {
                threads.record();
                seen.update(|seen| seen.closed.push(event.clone()));
                let local = EventLoop::current().unwrap();
                // A stop may come between the decision to reconnect and this look.
                if local.is_stopping() && event.reconnect_in.is_none() {
                    assert!(ws.open(&url).is_err(), "open() while stopping");
                    // Allowed, and never called.
                    let scheduled = scheduled.clone();
                    local.set_timeout(Duration::from_secs(3600), move |_| {
                        scheduled.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            client.client.open(&server.url()).unwrap();
        }
        for client in &clients {
            client.wait_open();
        }
        // Even rounds: the stop alone. Odd ones: the server breaks them all at the same time.
        if round % 2 == 1 {
            server.abort_all();
        }
        thread.stop();
        assert!(thread.event_loop().wait_stopped(Some(DEADLINE)), "hangs");
        let report = thread.join().unwrap();
        assert_eq!(report.forced, 0, "{report}");
        for client in &clients {
            assert_eq!(client.client.state(), ClientState::Closed);
            client.seen.read(|seen| {
                let attempts: Vec<u32> = seen.closed.iter().map(|e| e.attempt).collect();
                let each_once: Vec<u32> = (1..=attempts.len() as u32).collect();
                assert_eq!(attempts, each_once);
                if round % 2 == 0 {
                    assert!(attempts.len() == 1 && seen.closed[0].clean);
                }
            });
        }
        assert_eq!(thread.event_loop().metrics().panics, 0);
        assert_eq!(scheduled.load(Ordering::Relaxed), 0);
        let stats = server.wait_until(|stats| stats.open == 0);
        if round % 2 == 0 {
            assert_eq!(stats.closes_with(1001), CLIENTS as u64);
        }
    }
}

/// What keeps a stopping loop is counted while it does, and named when the deadline comes.
fn reports(transport: Transport) {
    let net = Net::new(transport);
    let mute = net.server(Mode::NeverClose);
    let echo = net.server(Mode::Echo);
    let hole = Blackhole::new().unwrap();
    let thread = patient();
    let event_loop = thread.event_loop();
    let options = net.options().close_timeout(2 * DEADLINE);
    let stuck = Recorded::new(event_loop, options.clone());
    let good = Recorded::new(event_loop, options.clone());
    let connecting = Recorded::new(event_loop, options);
    for (client, server) in [(&stuck, &mute), (&good, &echo)] {
        client.client.open(&server.url()).unwrap();
        client.wait_open();
    }
    let scheme = if transport == Transport::Ws {
        "ws"
    } else {
        "wss"
    };
    let to_nowhere = format!("{scheme}://{}/", hole.addr());
    connecting.client.open(&to_nowhere).unwrap();
    settle(event_loop);
    let _hold = event_loop.hold("a worker of mine").unwrap();
    let metrics = event_loop.metrics();
    assert_eq!((metrics.connections, metrics.holds), (3, 4));

    thread.stop();
    good.only_close();
    connecting.only_close();
    assert_eq!(event_loop.status(), LoopStatus::Draining);
    // Those two are gone; the other two are waited for.
    assert!(hvloop_test_support::wait_for(30, || {
        let metrics = event_loop.metrics();
        (metrics.connections, metrics.holds) == (1, 2)
    }));
    assert!(!event_loop.wait_stopped(Some(Duration::from_millis(20))));
    event_loop.stop_with(Duration::ZERO);
    let report = thread.join().unwrap();
    assert_eq!(
        (
            report.closed_cleanly,
            report.forced,
            report.aborted_connects
        ),
        (1, 1, 1),
        "{report}"
    );
    assert!(!report.is_clean());
    assert_eq!(report.still_held.len(), 2, "{report}");
    assert!(
        report.still_held[0].contains(&mute.addr().to_string()),
        "{report}"
    );
    assert_eq!(report.still_held[1], "a worker of mine");
    let text = report.to_string();
    assert!(
        text.contains("1 forced") && text.contains("a worker of mine"),
        "{text}"
    );
    assert!(!stuck.only_close().clean);
    assert_eq!(event_loop.report(), Some(report));
    // It had been asked in order before it was forced.
    mute.wait_until(|stats| stats.closes_with(1001) == 1 && stats.open == 0);
}
