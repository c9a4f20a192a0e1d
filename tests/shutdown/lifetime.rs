//! What must not happen inside a call, and what must happen although the loop has not got to it.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::Initiator;
use hvloop::{ClientState, CloseEvent, OpenError, SendError, WebSocketClient};
use hvloop_test_support::{DEADLINE, Event, Mode, Monitor, ScriptServer, refuse_port};
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

over_both! {
    no_reentrant_onclose => no_reentrance;
    client_use_after_loop_stop => use_after_stop;
    close_before_the_loop_knows => close_of_a_posted_open;
    drop_before_the_loop_knows => drop_of_a_posted_open;
    close_spares_a_later_open => close_before_open;
}

thread_local! {
    /// An API call is on this thread's stack.
    static IN_CALL: Cell<bool> = const { Cell::new(false) };
}

/// A client whose closes are counted, and which none of them may reach inside a call.
fn watched(client: WebSocketClient, closes: &Monitor<usize>) -> WebSocketClient {
    let closes = closes.clone();
    client.on_close(move |_, _| {
        let inside = IN_CALL.get();
        closes.update(|closes| *closes += 1);
        assert!(!inside, "on_close inside an API call");
    });
    client
}

/// Every call that ends a connection or cannot begin one, inside a callback: on_close comes later,
/// from the loop's own frame.
fn no_reentrance(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let resetting = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        conn.reset()
    });
    let resetting = Arc::new(resetting);
    for how in [
        "close",
        "stop",
        "drop",
        "refused",
        "connecting",
        "by force",
        "send",
    ] {
        let thread = patient();
        let closes = Monitor::new(0);
        let new = {
            let (event_loop, options) = (thread.event_loop().clone(), net.options());
            let closes = closes.clone();
            move || {
                let client = WebSocketClient::with_options(&event_loop, options.clone());
                watched(client, &closes)
            }
        };
        // The other one is open, and this is its last handle.
        let other = new();
        let open = Event::new();
        let o = open.clone();
        other.on_open(move |_, _| o.set());
        let to = if how == "send" {
            resetting.url()
        } else {
            server.url()
        };
        other.open(&to).unwrap();
        open.expect("the other client");
        let other = Mutex::new(Some(other));

        let client = new();
        let (event_loop, url, peer) =
            (thread.event_loop().clone(), server.url(), resetting.clone());
        let refused = format!("ws://{}/", refuse_port());
        client.on_open(move |ws, _| {
            IN_CALL.set(true);
            let other = other.lock().unwrap().take().unwrap();
            match how {
                "close" => other.close(1000, "").unwrap(),
                "stop" => other.stop(),
                "refused" => {
                    let new = new();
                    new.open(&refused).unwrap();
                    new.detach();
                }
                "connecting" => {
                    let new = new();
                    new.open(&url).unwrap();
                    new.close(1000, "").unwrap();
                    drop(new);
                }
                "by force" => {
                    event_loop.stop_with(Duration::ZERO);
                    assert!(matches!(new().open(&url), Err(OpenError::LoopClosed)));
                }
                "send" => {
                    peer.release();
                    peer.wait_finished(1);
                    // Written in this call, where it fails.
                    other.send_binary(&vec![0; 256 * 1024]).unwrap();
                }
                _ => {}
            }
            drop(other);
            ws.close(1000, "").unwrap();
            IN_CALL.set(false);
        });
        client.open(&server.url()).unwrap();
        let expected = match how {
            "refused" | "connecting" => 3,
            _ => 2,
        };
        let all = closes.wait(DEADLINE, |closes| *closes == expected);
        assert!(all, "{how}: {}", closes.read(|closes| *closes));
        thread.stop();
        thread.join().unwrap();
        assert_eq!(closes.read(|closes| *closes), expected, "{how}");
        assert_eq!(thread.event_loop().metrics().panics, 0, "{how}");
    }
}

/// Every call on a client whose loop has stopped: an answer, no callback, no hang.
fn use_after_stop(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let options = net.options().keep_callbacks(true);
    let client = Recorded::new(thread.event_loop(), options.clone());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    thread.stop();
    thread.join().unwrap();
    let late = Recorded::new(thread.event_loop(), options);
    drop(thread);
    for (ws, closes) in [(&client, 1), (&late, 0)] {
        let calls = ws.threads.calls();
        let client = &ws.client;
        assert!(matches!(
            client.open(&server.url()),
            Err(OpenError::LoopClosed)
        ));
        assert_eq!(client.send_text("late"), Err(SendError::NotOpen));
        assert_eq!(client.send_binary(b"late"), Err(SendError::NotOpen));
        assert_eq!(client.ping(b"late"), Err(SendError::NotOpen.into()));
        client.close(1000, "late").unwrap();
        client.stop();
        assert!(client.join().is_err());
        client.set_options(net.options());
        client.on_drain(|_| unreachable!());
        assert_eq!(client.state(), ClientState::Closed);
        assert!(!client.is_connected());
        assert_eq!(client.buffered_amount(), 0);
        assert_eq!(client.peer_addr().is_some(), closes == 1);
        assert!(client.event_loop().unwrap().is_stopping());
        client.clone().detach();
        drop(client.clone());
        ws.seen.read(|seen| assert_eq!(seen.closed.len(), closes));
        assert_eq!(ws.threads.calls(), calls);
    }
    let (captured, handle) = (Arc::new(()), late.client);
    let mine = captured.clone();
    handle.on_open(move |_, _| drop(mine.clone()));
    std::thread::spawn(move || drop(handle)).join().unwrap();
    assert_eq!(Arc::strong_count(&captured), 1);
}

/// Another thread opens a client while the loop's thread is in a callback, which then does `then`
/// with the client.
fn after_a_posted_open(
    transport: Transport,
    then: impl FnOnce(WebSocketClient) + Send + 'static,
) -> (hvloop::EventLoopThread, Vec<CloseEvent>) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let Recorded { client, seen, .. } = Recorded::new(thread.event_loop(), net.options());
    let client = Arc::new(Mutex::new(Some(client)));
    let (in_task, opened) = (Event::new(), Event::new());
    let (i, o, c) = (in_task.clone(), opened.clone(), client.clone());
    thread
        .event_loop()
        .queue_in_loop(move || {
            i.set();
            o.expect("open()");
            then(c.lock().unwrap().take().unwrap());
        })
        .unwrap();
    in_task.expect("the task");
    client
        .lock()
        .unwrap()
        .as_ref()
        .unwrap()
        .open(&server.url())
        .unwrap();
    opened.set();
    let closed = seen.wait(DEADLINE, |seen| !seen.closed.is_empty());
    assert!(
        closed,
        "the call was lost; opened: {}",
        seen.read(|seen| seen.opened)
    );
    let ended = hvloop_test_support::wait_for(30, || {
        let metrics = thread.event_loop().metrics();
        (metrics.connections, metrics.timers, metrics.holds) == (0, 0, 0)
    });
    assert!(ended, "{:?}", thread.event_loop().metrics());
    (thread, seen.read(|seen| seen.closed.clone()))
}

fn close_of_a_posted_open(transport: Transport) {
    let kept = Arc::new(Mutex::new(None));
    let k = kept.clone();
    let (thread, closed) = after_a_posted_open(transport, move |client| {
        client.close(1000, "").unwrap();
        *k.lock().unwrap() = Some(client);
    });
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert!(
        closed[0].initiator == Initiator::Local && !closed[0].was_open,
        "{closed:?}"
    );
    assert_eq!(
        kept.lock().unwrap().as_ref().unwrap().state(),
        ClientState::Closed
    );
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

fn drop_of_a_posted_open(transport: Transport) {
    let (thread, closed) = after_a_posted_open(transport, drop);
    assert_eq!(closed.len(), 1, "{closed:?}");
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// Another thread closes, and after that the loop's thread opens: the close was of what was before.
fn close_before_open(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    let (in_task, closed) = (Event::new(), Event::new());
    let (i, c) = (in_task.clone(), closed.clone());
    let (ws, url) = (client.client.clone(), server.url());
    thread
        .event_loop()
        .queue_in_loop(move || {
            i.set();
            c.expect("close()");
            ws.open(&url).unwrap();
        })
        .unwrap();
    in_task.expect("the task");
    client.client.close(1000, "").unwrap();
    closed.set();
    client.wait_open();
    client.client.send_text("x").unwrap();
    client.wait("its echo", |seen| seen.messages == [b"x"]);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
