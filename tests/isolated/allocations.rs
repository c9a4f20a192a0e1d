//! A steady echo allocates nothing on the loop's thread: the loop is driven on this thread, whose
//! allocations are counted.
#![allow(clippy::unwrap_used)]

use hvloop::event::Turn;
use hvloop::event::tls::TlsClientConfig;
use hvloop::{ClientOptions, EventLoop, Message, WebSocketClient};
use hvloop_test_support::{EchoServer, TestCa, Tls};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const WARM_UP: usize = 200;
const MESSAGES: usize = 1_000;

/// Turns the loop until so many echoes came.
fn turn_until(event_loop: &EventLoop, echoes: &AtomicUsize, wanted: usize) {
    while echoes.load(Ordering::Relaxed) < wanted {
        assert_eq!(event_loop.run_once(None).unwrap(), Turn::Continue);
    }
}

fn allocations_per_thousand(options: ClientOptions, url: &str) -> u64 {
    let event_loop = EventLoop::new().unwrap();
    let client = WebSocketClient::with_options(&event_loop, options);
    let echoes = Arc::new(AtomicUsize::new(0));
    let seen = echoes.clone();
    client.on_open(|ws, _| ws.send_text(&"x".repeat(500)).unwrap());
    client.on_message(move |ws, message| {
        seen.fetch_add(1, Ordering::Relaxed);
        let Message::Text(text) = message else {
            panic!("not the echo")
        };
        ws.send_text(text).unwrap();
    });
    client.on_close(|_, event| assert!(event.clean, "{event}"));
    client.open(url).unwrap();
    turn_until(&event_loop, &echoes, WARM_UP);
    let counted = allocation_counter::measure(|| {
        turn_until(&event_loop, &echoes, WARM_UP + MESSAGES);
    });
    event_loop.stop();
    assert!(event_loop.run().unwrap().is_clean());
    counted.count_total
}

#[test]
fn steady_echo_allocates_nothing_ws() {
    let server = EchoServer::start(Tls::Off);
    let count = allocations_per_thousand(ClientOptions::new(), &server.url());
    assert_eq!(count, 0, "allocations in {MESSAGES} messages");
}

/// rustls allocates for each record it writes and reads; none of it may be ours. The bound is what
/// rustls 0.23 does, two a message, with room for one more.
#[test]
fn steady_echo_allocates_little_wss() {
    let ca = TestCa::new();
    let server = EchoServer::start(Tls::On(&ca));
    let tls = TlsClientConfig::builder()
        .root_pem(ca.ca_pem().as_bytes())
        .build()
        .unwrap();
    let count = allocations_per_thousand(ClientOptions::new().tls(tls), &server.url());
    println!("{count} allocations in {MESSAGES} messages over wss");
    assert!(count <= 3 * MESSAGES as u64, "{count} allocations");
}
