//! `stop()`: everything on the loop finishes, and `run()` returns after it.

use crate::common::loops::{patient, running};
use crate::common::ws_client::{Net, Recorded, Transport, asked_proxy};
use crate::over_both;
use hvloop::event::JoinError;
use hvloop::ws::Initiator;
use hvloop::{EventLoop, EventLoopThread, LoopStatus, WebSocketClient};
use hvloop_test_support::{DEADLINE, Latch, Mode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

over_both! {
    stop_closes_every_socket => closes_every_socket;
    stop_from_each_callback => from_each_callback;
    stop_peer_never_answers => peer_never_answers;
    stop_peer_floods => peer_floods;
    client_stop_leaves_loop => leaves_the_loop;
    attach_before_run => before_run;
    panic_in_each_callback => panics;
    drop_client_in_each_callback => drops;
    reopen_in_onclose => reopens;
    close_in_every_state => closes;
}

fn closes_every_socket(transport: Transport) {
    const CLIENTS: usize = 50;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| Recorded::new(thread.event_loop(), net.options()))
        .collect();
    for client in &clients {
        client.client.open(&server.url()).unwrap();
    }
    for client in &clients {
        client.wait_open();
    }
    thread.stop();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.closed_cleanly, CLIENTS);
    for client in &clients {
        // Told before run() returned.
        let event = client.seen.read(|seen| seen.closed.clone());
        assert_eq!(event.len(), 1);
        assert!(event[0].clean && event[0].was_open, "{:?}", event[0]);
        assert_eq!(event[0].initiator, Initiator::Loop);
        client.threads.assert_one_thread();
    }
    let stats = server.wait_until(|stats| stats.open == 0);
    assert_eq!(stats.closes_with(1001), CLIENTS as u64);
    assert_eq!((stats.abrupt, stats.truncated), (0, 0));
}

fn from_each_callback(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    for place in ["open", "message", "close", "timer", "task"] {
        let thread = Arc::new(patient());
        let event_loop = thread.event_loop().clone();
        let client = WebSocketClient::with_options(&event_loop, net.options());
        let closed = Latch::new(1);
        let stop = {
            let (event_loop, thread) = (event_loop.clone(), Arc::downgrade(&thread));
            move |here: &str| {
                if here == place {
                    event_loop.stop();
                    event_loop.stop();
                    if let Some(thread) = thread.upgrade() {
                        thread.stop();
                        assert_eq!(thread.join(), Err(JoinError::WouldDeadlock));
                    }
                }
            }
        };
        let s = stop.clone();
        let (to_timer, to_task) = (stop.clone(), stop.clone());
        client.on_open(move |ws, _| {
            s("open");
            // Still taken: the Close of a stop in this callback goes out at the tick's end.
            ws.send_text("x").unwrap();
            let local = EventLoop::current().unwrap();
            let to_timer = to_timer.clone();
            local.set_timeout(Duration::ZERO, move |_| to_timer("timer"));
            let to_task = to_task.clone();
            local.queue_in_loop(move || to_task("task"));
        });
        let s = stop.clone();
        client.on_message(move |ws, _| {
            s("message");
            if place == "close" {
                ws.close(1000, "").unwrap();
            }
        });
        let c = closed.clone();
        client.on_close(move |_, event| {
            assert!(event.clean, "{place}: {event:?}");
            stop("close");
            c.count_down();
        });
        client.open(&server.url()).unwrap();
        closed.expect(place);
        assert!(event_loop.wait_stopped(Some(DEADLINE)), "{place}");
        assert!(thread.join().unwrap().is_clean(), "{place}");
    }
}

fn peer_never_answers(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::NeverClose);
    let thread = running(Duration::from_millis(50));
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!((report.forced, report.closed_cleanly), (1, 0), "{report}");
    assert_eq!(report.still_held.len(), 1);
    let port = server.port().to_string();
    assert!(report.still_held[0].contains(&port), "{report}");
    let event = client.only_close();
    assert!(!event.clean && event.code == 1006, "{event:?}");
    server.wait_until(|stats| stats.closes_with(1001) == 1);
}

fn peer_floods(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Flood);
    let thread = running(Duration::from_millis(200));
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait("flooded", |seen| seen.messages.len() > 10);
    let before = client.seen.read(|seen| seen.messages.len());
    assert!(before > 0);
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!(report.closed_cleanly + report.forced, 1, "{report}");
    client.only_close();
}

fn leaves_the_loop(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let one = Recorded::new(thread.event_loop(), net.options());
    let other = Recorded::new(thread.event_loop(), net.options());
    for client in [&one, &other] {
        client.client.open(&server.url()).unwrap();
        client.wait_open();
    }
    one.client.stop();
    assert!(one.only_close().clean);
    assert_eq!(thread.event_loop().status(), LoopStatus::Running);
    other.client.send_text("still here").unwrap();
    other.wait("the echo", |seen| seen.messages == [b"still here"]);
    drop(one);
    other.client.send_text("again").unwrap();
    other.wait("the echo", |seen| seen.messages.len() == 2);
    thread.stop();
    assert_eq!(thread.join().unwrap().closed_cleanly, 1);
}

fn before_run(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let event_loop = EventLoop::new().unwrap();
    let client = Recorded::new(&event_loop, net.options());
    client.client.open(&server.url()).unwrap();
    assert_eq!(event_loop.status(), LoopStatus::Idle, "nobody started it");
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    client.wait_open();
    thread.stop();
    assert_eq!(thread.join().unwrap().closed_cleanly, 1);

    // Stopped before it ran: the attempt still gets its one close.
    let event_loop = EventLoop::new().unwrap();
    let client = Recorded::new(&event_loop, net.options());
    client.client.open(&server.url()).unwrap();
    event_loop.stop();
    let report = event_loop.run().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(client.only_close().initiator, Initiator::Loop);
    assert_eq!(client.seen.read(|seen| seen.opened), 0);
}

fn panics(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let witness = Recorded::new(thread.event_loop(), net.options());
    witness.client.open(&server.url()).unwrap();
    witness.wait_open();
    for (n, place) in ["open", "message", "close"].into_iter().enumerate() {
        let client = WebSocketClient::with_options(thread.event_loop(), net.options());
        let closed = Latch::new(1);
        client.on_open(move |ws, _| {
            assert!(place != "open", "on purpose");
            ws.send_text("x").unwrap();
        });
        client.on_message(move |ws, _| {
            assert!(place != "message", "on purpose");
            ws.close(1000, "").unwrap();
        });
        let c = closed.clone();
        client.on_close(move |_, _| {
            c.count_down();
            assert!(place != "close", "on purpose");
        });
        client.open(&server.url()).unwrap();
        closed.expect(place);
        let expected = (n as u64 + 1).min(2);
        server.wait_until(|stats| stats.closes_with(1011) == expected);
    }
    thread
        .event_loop()
        .queue_in_loop(|| panic!("on purpose"))
        .unwrap();
    let told = Latch::new(1);
    let t = told.clone();
    let timer = thread
        .event_loop()
        .set_timeout(Duration::ZERO, |_| panic!("on purpose"));
    timer.unwrap();
    thread
        .event_loop()
        .set_timeout(Duration::from_millis(1), move |_| t.count_down())
        .unwrap();
    told.expect("the loop goes on");
    assert_eq!(thread.event_loop().metrics().panics, 5);
    witness.client.send_text("alive").unwrap();
    witness.wait("the echo", |seen| seen.messages == [b"alive"]);
    thread.stop();
    assert_eq!(thread.join().unwrap().closed_cleanly, 1);
}

fn drops(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    for place in ["open", "message", "close"] {
        let client = WebSocketClient::with_options(thread.event_loop(), net.options());
        let held = Arc::new(Mutex::new(None::<WebSocketClient>));
        let drop_at = {
            let held = held.clone();
            move |here: &str| {
                if here == place {
                    let last = held.lock().unwrap().take();
                    drop(last); // the last handle, inside its own callback
                }
            }
        };
        let closed = Latch::new(1);
        let d = drop_at.clone();
        client.on_open(move |ws, _| {
            ws.send_text("x").unwrap();
            d("open");
        });
        let d = drop_at.clone();
        client.on_message(move |ws, _| {
            if place == "close" {
                ws.close(1000, "").unwrap();
            }
            d("message");
        });
        let c = closed.clone();
        client.on_close(move |_, event| {
            assert!(event.clean, "{place}: {event:?}");
            drop_at("close");
            c.count_down();
        });
        // Before open(): the callbacks must find it.
        let opener = client.clone();
        *held.lock().unwrap() = Some(client);
        opener.open(&server.url()).unwrap();
        drop(opener);
        closed.expect(place);
        assert!(held.lock().unwrap().is_none(), "{place}");
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    server.wait_until(|stats| stats.open == 0 && stats.abrupt == 0);
}

fn reopens(transport: Transport) {
    const TIMES: usize = 20;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = WebSocketClient::with_options(thread.event_loop(), net.options());
    let closes = Arc::new(AtomicUsize::new(0));
    let done = Latch::new(1);
    client.on_open(|ws, event| {
        assert!(!event.is_reconnect && event.attempt == 1);
        ws.close(1000, "").unwrap();
    });
    let (url, d, c) = (server.url(), done.clone(), closes.clone());
    client.on_close(move |ws, event| {
        assert!(event.clean, "{event:?}");
        if c.fetch_add(1, Ordering::Relaxed) + 1 < TIMES {
            ws.open(&url).unwrap();
        } else {
            d.count_down();
        }
    });
    client.open(&server.url()).unwrap();
    done.expect("the last close");
    thread.stop();
    thread.join().unwrap();
    assert_eq!(closes.load(Ordering::Relaxed), TIMES);
    assert_eq!(server.stop().closes_with(1000), TIMES as u64);
}

fn closes(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    // Never opened, and closed again and again.
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.close(1000, "").unwrap();
    assert_eq!(
        client.client.close(1004, "").unwrap_err().to_string(),
        "close code 1004 may not be sent"
    );
    let server = net.server(Mode::Echo);
    // While connecting: no session, one close.
    client.client.open(&server.url()).unwrap();
    client.client.close(1000, "").unwrap();
    client.client.close(1000, "").unwrap();
    let event = client.only_close();
    assert!(
        event.initiator == Initiator::Local && event.error.is_none(),
        "{event:?}"
    );
    // In the handshake with a proxy; by close(), and by the drop of the last handle.
    for dropped in [false, true] {
        let (proxy, asked) = asked_proxy();
        let through = hvloop::Proxy::http("127.0.0.1", proxy.addr().port());
        let options = net.options().proxy(Some(through));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&server.url()).unwrap();
        asked.expect("the CONNECT");
        let seen = client.seen.clone();
        if dropped {
            drop(client);
        } else {
            client.client.close(1000, "").unwrap();
            client.client.close(1000, "").unwrap();
            client.only_close();
        }
        assert!(seen.wait(DEADLINE, |seen| !seen.closed.is_empty()));
        seen.read(|seen| {
            let [event] = &seen.closed[..] else {
                panic!("{:?}", seen.closed);
            };
            assert!(
                event.initiator == Initiator::Local && event.error.is_none(),
                "{event:?}"
            );
        });
    }
    // Open, and closing.
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(4001, "bye").unwrap();
    client.client.close(4002, "late").unwrap();
    let event = client.only_close();
    assert!(event.clean && event.code == 4001, "{event:?}");
    client.client.close(1000, "").unwrap();
    // The first may have opened before its close came.
    server.wait_until(|stats| stats.closes_with(4001) == 1 && stats.open == 0);
    thread.stop();
    thread.join().unwrap();
    client.client.close(1000, "").unwrap();
    client.client.stop();
}
