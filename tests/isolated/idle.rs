//! An idle loop does nothing at all. Alone in its test program, since it watches a thread for ten
//! seconds.
#![allow(clippy::unwrap_used)]

use hvloop::{EventLoopThread, WebSocketClient};
use hvloop_test_support::{EchoServer, Latch, Tls, ctxt, wait_for};
use std::sync::mpsc;
use std::time::Duration;

/// 100 connections with default options, and no wake-up of their loop in 10 s.
#[test]
fn idle_no_wakeups() {
    let server = EchoServer::start(Tls::Off);
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    let opened = Latch::new(100);
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let client = WebSocketClient::new(thread.event_loop());
            let o = opened.clone();
            client.on_open(move |_, _| o.count_down());
            client.open(&server.url()).unwrap();
            client
        })
        .collect();
    opened.expect("100 connections");
    let (tell, told) = mpsc::channel();
    let task = move || tell.send(ctxt::current_tid().unwrap()).unwrap();
    thread.event_loop().queue_in_loop(task).unwrap();
    let tid = told.recv().unwrap();
    // At rest once a reading stays the same for a moment.
    let mut last = u64::MAX;
    assert!(wait_for(30, || {
        let before = std::mem::replace(&mut last, ctxt::voluntary_ctxt_switches(tid).unwrap());
        std::thread::sleep(Duration::from_millis(20));
        before == last
    }));
    let (switches, ticks) = (last, thread.event_loop().metrics().ticks);
    std::thread::sleep(Duration::from_secs(10)); // the time that is measured
    let metrics = thread.event_loop().metrics();
    assert_eq!(ctxt::voluntary_ctxt_switches(tid).unwrap(), switches);
    assert_eq!((metrics.ticks, metrics.connections), (ticks, 100));
    println!(
        "0 wake-ups in 10 s with {} connections",
        metrics.connections
    );
    drop(clients);
}
