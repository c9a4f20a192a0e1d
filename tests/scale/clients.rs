//! Ten thousand clients on one loop, and one `stop()`. The server is a process of its own, which
//! counts the Close frames.

use crate::common::alone::alone;
use hvloop::event::tls::TlsClientConfig;
use hvloop::{ClientOptions, EventLoopThread, LoopOptions, WebSocketClient};
use hvloop_test_support::{DEADLINE, Latch, Mode, Peer, ThreadLog, fds};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Connects being made at one time: what a backlog takes.
const WAVE: usize = 500;

fn stop_closes_all(clients: usize, tls: bool) {
    let peer = Peer::start(tls, Mode::Echo);
    let before = fds::open_fds();
    // One process answers all of them, one after the other.
    let mut options = ClientOptions::new()
        .open_timeout(4 * DEADLINE)
        .close_timeout(4 * DEADLINE);
    if let Some(pem) = peer.ca_pem() {
        let tls = TlsClientConfig::builder().root_pem(pem.as_bytes());
        options = options.tls(tls.build().unwrap());
    }
    let loop_options = LoopOptions::new().drain_timeout(4 * DEADLINE);
    let event_loop = hvloop::EventLoop::with_options(loop_options).unwrap();
    let thread = EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    let threads = ThreadLog::new();
    let (clean, closes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut all = Vec::with_capacity(clients);
    while all.len() < clients {
        let wave = WAVE.min(clients - all.len());
        let opened = Latch::new(wave);
        for _ in 0..wave {
            let client = WebSocketClient::with_options(thread.event_loop(), options.clone());
            let o = opened.clone();
            client.on_open(move |_, _| o.count_down());
            let (clean, closes, threads) = (clean.clone(), closes.clone(), threads.clone());
            client.on_close(move |_, event| {
                threads.record();
                closes.fetch_add(1, Ordering::Relaxed);
                clean.fetch_add(usize::from(event.clean), Ordering::Relaxed);
            });
            client.open(peer.url().as_str()).unwrap();
            all.push(client);
        }
        opened.expect("a wave of clients");
    }
    assert_eq!(thread.event_loop().metrics().connections, clients as u64);

    thread.stop();
    let report = thread.join().unwrap();
    // Read at once: everything was told before join() returned.
    assert_eq!(closes.load(Ordering::Relaxed), clients);
    assert_eq!(clean.load(Ordering::Relaxed), clients);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.closed_cleanly, clients);
    threads.assert_one_thread();
    fds::assert_no_new_fds(&before);
    drop(all);

    let wanted = format!("close.1001={clients}");
    let stats = peer.wait_until_for(Duration::from_secs(60), &["open=0", &wanted]);
    assert_eq!((stats.abrupt, stats.truncated, stats.resets), (0, 0, 0));
    println!(
        "{clients} clients, tls {tls}: {report}; the server: {}",
        stats.to_line()
    );
}

/// One after the other: both look at the process's open files.
#[test]
fn ten_thousand_over_ws_and_a_thousand_over_wss() {
    if let Some(status) = alone("clients::ten_thousand_over_ws_and_a_thousand_over_wss") {
        return assert!(status.success());
    }
    stop_closes_all(10_000, false);
    stop_closes_all(1_000, true);
}
