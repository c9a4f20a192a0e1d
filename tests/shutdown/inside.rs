//! `stop()` of a client or a loop in its own callbacks, and calls that do not end.

use crate::common::loops::{patient, running};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use crate::stopping::Told;
use hvloop::ws::Initiator;
use hvloop::{EventLoop, LocalLoop, LoopStatus, SendError, WebSocketClient};
use hvloop_test_support::{DEADLINE, Event, Mode, Monitor, ScriptServer};
use std::sync::Arc;
use std::time::Duration;

over_both! {
    stop_in_ondrain => in_drain;
    client_stop_in_each_callback => client_stop;
}

/// A server that reads nothing until it is let go, then all, and closes in order.
fn slow_reader(net: &Net, go: &Event) -> ScriptServer {
    use hvloop_test_support::opcode;
    let go = go.clone();
    ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        assert!(go.wait(DEADLINE), "never let go");
        while let Some(frame) = conn.read_frame()? {
            if frame.opcode == opcode::CLOSE {
                conn.send_close(1000, "")?;
                return conn.finish();
            }
        }
        Ok(())
    })
}

/// Fills the send queue until a message is refused.
fn fill(ws: &WebSocketClient) {
    let message = vec![0; 64 * 1024];
    let full = loop {
        if let Err(e) = ws.send_binary(&message) {
            break e;
        }
    };
    assert!(matches!(full, SendError::QueueFull { .. }), "{full}");
}

fn in_drain(transport: Transport) {
    let net = Net::new(transport);
    let go = Event::new();
    let server = slow_reader(&net, &go);
    let thread = patient();
    let options = net.options().send_limit(1024 * 1024);
    let client = Recorded::new(thread.event_loop(), options);
    let (event_loop, threads) = (thread.event_loop().clone(), client.threads.clone());
    client.client.on_drain(move |_| {
        threads.record();
        event_loop.stop();
    });
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    fill(&client.client);
    go.set();
    assert!(thread.event_loop().wait_stopped(Some(DEADLINE)), "hangs");
    let report = thread.join().unwrap();
    assert_eq!((report.closed_cleanly, report.forced), (1, 0), "{report}");
    let event = client.only_close();
    assert!(
        event.clean && event.initiator == Initiator::Loop,
        "{event:?}"
    );
    client.threads.assert_one_thread();
}

/// `client.stop()` in every callback of a client with a loop of its own, which ends with it, and of
/// one on a loop that goes on.
fn client_stop(transport: Transport) {
    let net = Net::new(transport);
    let echo = net.server(Mode::Echo);
    let shared = running(DEADLINE);
    for owned in [true, false] {
        for place in ["open", "message", "drain", "close", "timer", "task"] {
            let go = Event::new();
            let server = slow_reader(&net, &go);
            let options = net.options().send_limit(1024 * 1024);
            let client = if owned {
                WebSocketClient::owned_with_options(options)
            } else {
                WebSocketClient::with_options(shared.event_loop(), options)
            };
            let closes = Monitor::new(0);
            client.on_open(move |ws, _| match place {
                "open" => ws.stop(),
                "message" => ws.send_text("x").unwrap(),
                "close" => ws.close(1000, "").unwrap(),
                "drain" => {
                    fill(ws);
                    go.set();
                }
                "timer" => {
                    let ws = ws.clone();
                    let local = EventLoop::current().unwrap();
                    local.set_timeout(Duration::ZERO, move |_| ws.stop());
                }
                _ => {
                    let ws = ws.clone();
                    EventLoop::current()
                        .unwrap()
                        .queue_in_loop(move || ws.stop());
                }
            });
            client.on_message(|ws, _| ws.stop());
            client.on_drain(|ws| ws.stop());
            let c = closes.clone();
            client.on_close(move |ws, event| {
                assert!(
                    event.clean && event.initiator == Initiator::Local,
                    "{event:?}"
                );
                ws.stop();
                ws.stop();
                c.update(|closes| *closes += 1);
            });
            let url = if place == "drain" {
                server.url()
            } else {
                echo.url()
            };
            client.open(&url).unwrap();
            let own_loop = client.event_loop().unwrap();
            assert!(closes.wait(DEADLINE, |closes| *closes == 1), "{place}");
            if owned {
                assert!(own_loop.wait_stopped(Some(DEADLINE)), "{place}");
                let report = client.join().unwrap();
                assert!(report.is_clean(), "{place}: {report}");
            } else {
                assert_eq!(shared.event_loop().status(), LoopStatus::Running);
            }
            drop(client);
            assert_eq!(closes.read(|closes| *closes), 1, "{place}");
            assert_eq!(own_loop.metrics().panics, 0, "{place}");
        }
    }
    shared.stop();
    assert!(shared.join().unwrap().is_clean());
    let stats = echo.wait_until(|stats| stats.open == 0);
    assert_eq!(
        (stats.closes_with(1000), stats.abrupt),
        (10, 0),
        "{stats:?}"
    );
}

/// Calls that queue themselves again and again keep the loop no longer than to its deadline.
#[test]
#[allow(clippy::only_used_in_recursion, reason = "dropped with the last call")]
fn stop_with_calls_that_queue_themselves() {
    fn posted(event_loop: EventLoop, mine: Arc<Told>) {
        let next = event_loop.clone();
        // Refused once the loop has closed: the end.
        drop(event_loop.queue_in_loop(move || posted(next, mine)));
    }
    fn local(at: LocalLoop, mine: Arc<Told>) {
        let next = at.clone();
        at.queue_in_loop(move || local(next, mine));
    }
    for posts in [true, false] {
        let thread = running(Duration::from_millis(50));
        let (tell, told) = std::sync::mpsc::channel();
        let mine = Arc::new(Told(tell));
        thread
            .event_loop()
            .post_event(move |here| match posts {
                true => posted(here.event_loop(), mine),
                false => local(here.clone(), mine),
            })
            .unwrap();
        let loop_thread = Monitor::new(None);
        let l = loop_thread.clone();
        let note = move || l.update(|l| *l = Some(std::thread::current().id()));
        thread.event_loop().queue_in_loop(note).unwrap();
        thread.stop();
        assert!(thread.event_loop().wait_stopped(Some(DEADLINE)), "hangs");
        thread.join().unwrap();
        let dropped_on = told.try_iter().next();
        assert_eq!(dropped_on, loop_thread.read(|l| *l), "posts: {posts}");
        assert!(dropped_on.is_some());
    }
}
