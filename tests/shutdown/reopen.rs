//! Opening again: another URL, another transport, inside `on_close`, on a loop that has ended.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::{ClientState, OpenError, ReconnectPolicy, WebSocketClient};
use hvloop_test_support::{DEADLINE, EchoServer, Latch, Mode, Monitor, Tls};
use std::time::Duration;

over_both! {
    reopen_after_close => after_close;
    reopen_in_onclose_of_a_reconnecting_client => instead_of_reconnecting;
    reopen_after_own_stop => on_a_new_loop;
    reopen_in_onclose_ends_with_the_last_handle => ended_by_the_drop;
}

/// One client, opened from outside again and again: to a plain and a TLS server in turn, after a
/// close by us, by the peer, by accident, and after a failure.
fn after_close(transport: Transport) {
    const ROUNDS: usize = 40;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let plain = EchoServer::start(Tls::Off);
    let refused = format!("ws://{}/", hvloop_test_support::refuse_port());
    for owned in [false, true] {
        let thread = patient();
        let options = net.options().keep_callbacks(true);
        let client = Recorded::of(if owned {
            WebSocketClient::owned_with_options(options)
        } else {
            WebSocketClient::with_options(thread.event_loop(), options)
        });
        for round in 0..ROUNDS {
            let url = match round % 8 {
                7 => refused.clone(),
                even if even % 2 == 0 => server.url(),
                _ => plain.url(),
            };
            client.client.open(&url).unwrap();
            if round % 8 != 7 {
                let opened = round + 1 - round / 8;
                client.wait("open", |seen| seen.opened == opened);
                client.client.send_text(&round.to_string()).unwrap();
                client.wait("echo", |seen| {
                    seen.messages.last() == Some(&round.to_string().into_bytes())
                });
                match round % 8 {
                    0 | 1 => client.client.close(1000, "").unwrap(),
                    2 => server.close_all(1012, ""),
                    3 => plain.abort_all(),
                    // If the client has a loop of its own, this ends it.
                    _ => client.client.stop(),
                }
            }
            client.wait("close", |seen| seen.closed.len() == round + 1);
            assert_eq!(client.client.state(), ClientState::Closed);
            client.seen.read(|seen| {
                let event = &seen.closed[round];
                assert_eq!(event.attempt, 1);
                assert_eq!(event.was_open, round % 8 != 7, "{event:?}");
                assert_eq!(
                    event.clean,
                    !matches!(round % 8, 3 | 7),
                    "{round}: {event:?}"
                );
            });
        }
        if !owned {
            client.threads.assert_one_thread();
        }
        client.client.stop();
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
    }
    // Without `keep_callbacks` it is an error, not silence; set anew, it opens.
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    client.client.close(1000, "").unwrap();
    client.only_close();
    // Released right behind on_close.
    settle(thread.event_loop());
    let error = client.client.open(&server.url()).unwrap_err();
    assert!(matches!(error, OpenError::CallbacksReleased), "{error}");
    let opened = Latch::new(1);
    let o = opened.clone();
    client.client.on_open(move |_, _| o.count_down());
    client.client.open(&server.url()).unwrap();
    opened.expect("on_open");
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    client.only_close(); // the callbacks of the first time are gone
}

/// The user takes it into his own hands: in on_close he ends the reconnecting and opens another URL.
/// All callbacks stay.
fn instead_of_reconnecting(transport: Transport) {
    let net = Net::new(transport);
    let (first, second) = (net.server(Mode::Echo), net.server(Mode::Echo));
    let thread = patient();
    let policy = ReconnectPolicy::fixed(Duration::from_secs(3600));
    let client = Recorded::new(thread.event_loop(), net.options().reconnect(Some(policy)));
    let (seen, url) = (client.seen.clone(), second.url());
    client.client.on_close(move |ws, event| {
        seen.update(|seen| seen.closed.push(event.clone()));
        if event.reconnect_in.is_some() {
            assert!(matches!(ws.open(&url), Err(OpenError::AlreadyOpen)));
            ws.close(1000, "").unwrap();
            assert_eq!(ws.state(), ClientState::Closed);
            ws.open(&url).unwrap();
        }
    });
    client.client.open(&first.url()).unwrap();
    client.wait_open();
    first.abort_all();
    client.wait("open at the other server", |seen| seen.opened == 2);
    assert_eq!(client.seen.read(|seen| seen.closed.len()), 1);
    client.client.send_text("x").unwrap();
    client.wait("its echo", |seen| seen.messages == [b"x"]);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    assert_eq!(client.seen.read(|seen| seen.closed.len()), 2);
    assert_eq!(thread.event_loop().metrics().panics, 0);
}

/// A client that ends its own loop is not opened in the on_close of that, with the loop on its way
/// out; from outside it is, though the old on_close takes its time. All callbacks stay.
fn on_a_new_loop(transport: Transport) {
    const TIMES: usize = 10;
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let options = net.options().keep_callbacks(true);
    let client = Recorded::of(WebSocketClient::owned_with_options(options));
    let (seen, url) = (client.seen.clone(), server.url());
    let in_onclose = Monitor::new(0);
    let inside = in_onclose.clone();
    client.client.on_close(move |ws, event| {
        assert!(matches!(ws.open(&url), Err(OpenError::LoopClosed)));
        // The client is closed, and opened from outside while this goes on.
        inside.update(|inside| *inside += 1);
        std::thread::park_timeout(Duration::from_millis(5));
        seen.update(|seen| seen.closed.push(event.clone()));
    });
    for round in 1..=TIMES {
        client.client.open(&server.url()).unwrap();
        client.wait("open", |seen| seen.opened == round);
        let old = client.client.event_loop().unwrap();
        client.client.send_text("x").unwrap();
        client.wait("echo", |seen| seen.messages.len() == round);
        client.client.stop();
        assert!(in_onclose.wait(DEADLINE, |inside| *inside == round));
        client
            .seen
            .read(|seen| assert!(seen.closed.iter().all(|event| event.clean)));
        assert_eq!(old.metrics().panics, 0);
    }
    client.client.join().unwrap();
    assert_eq!(client.seen.read(|seen| seen.closed.len()), TIMES);
}

/// Whoever opens again in each on_close is stopped by the drop of the last handle, all the same.
fn ended_by_the_drop(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    for owned in [true, false] {
        let (sessions, refused) = (Monitor::new(0), Monitor::new(0));
        let client = if owned {
            WebSocketClient::owned_with_options(net.options())
        } else {
            WebSocketClient::with_options(thread.event_loop(), net.options())
        };
        let s = sessions.clone();
        client.on_open(move |_, _| s.update(|sessions| *sessions += 1));
        let (url, r) = (server.url(), refused.clone());
        client.on_close(move |ws, _| match ws.open(&url) {
            Ok(()) => {}
            Err(OpenError::Dropped) => r.update(|refused| *refused += 1),
            Err(e) => panic!("{e}"),
        });
        client.open(&server.url()).unwrap();
        assert!(sessions.wait(DEADLINE, |sessions| *sessions == 1));
        server.abort_all();
        assert!(
            sessions.wait(DEADLINE, |sessions| *sessions == 2),
            "by hand"
        );
        let event_loop = client.event_loop().unwrap();
        drop(client);
        assert!(refused.wait(DEADLINE, |refused| *refused == 1), "{owned}");
        server.wait_until(|stats| stats.open == 0);
        assert_eq!(sessions.read(|sessions| *sessions), 2);
        assert_eq!(event_loop.metrics().panics, 0);
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
