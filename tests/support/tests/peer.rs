//! The server in a process of its own.

mod common;

use std::sync::Arc;

use common::connect;
use hvloop_test_support::{Mode, Peer, Stats};
use tungstenite::Message;

#[test]
fn serves_and_reports() {
    let peer = Peer::start(false, Mode::Echo);
    let mut clients: Vec<_> = (0..50).map(|_| connect(peer.port(), None)).collect();
    peer.wait_until(&["open=50", "upgraded>=50"]);
    for client in &mut clients {
        client.send(Message::text("x")).expect("send");
        assert_eq!(client.read().expect("read"), Message::text("x"));
    }
    drop(clients.pop());
    peer.wait_until(&["abrupt=1", "open=49"]);
    peer.close_all(1012);
    for client in &mut clients {
        while client.read().is_ok() {}
    }
    drop(clients);
    let stats = peer.wait_until(&["open=0", "close.1012=49"]);
    assert_eq!((stats.messages, stats.clean, stats.peak), (50, 49, 50));
}

#[test]
fn serves_tls() {
    let peer = Peer::start(true, Mode::Echo);
    assert!(peer.url().starts_with("wss://"));
    let pem = peer.ca_pem().expect("TLS has a certificate");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    let stranger = Arc::new(hvloop_test_support::TestCa::new());
    assert!(common::try_connect(peer.port(), Some(&stranger)).is_err());
    peer.wait_until(&["handshakes_failed=1", "open=0"]);
}

#[test]
#[should_panic(expected = "open: 0")]
fn a_wait_in_vain_shows_the_counters() {
    let peer = Peer::start(false, Mode::Mute);
    peer.wait_until_for(std::time::Duration::ZERO, &["open=1"]);
}

#[test]
fn counters_survive_the_pipe() {
    let mut stats = Stats {
        accepted: 3,
        truncated: 2,
        ..Stats::default()
    };
    stats.closes.insert(1001, 9);
    assert_eq!(Stats::from_line(&stats.to_line()), Some(stats.clone()));
    assert_eq!(stats.get("close.1001"), Some(9));
    assert_eq!(stats.get("closed"), None);
    assert_eq!(Stats::from_line("closed=1"), None);
}
