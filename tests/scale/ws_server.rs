//! Ten thousand WebSockets on a pool of two loops, and one `stop()`. The clients are a process of their
//! own.

use crate::common::alone::alone;
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame};
use hvloop::{
    EventLoopThreadPool, Listen, LoopOptions, ServiceOptions, WebSocketServer, WebSocketService,
};
use hvloop_test_support::{ChildLimit, DEADLINE, Latch, fds, opcode};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const CLIENTS: usize = 10_000;
/// Accepted for sending to each, just before the stop.
const LAST_WORDS: usize = 5_000;
const ADDRESS: &str = "HVLOOP_TEST_WEBSOCKET_LOAD";

#[test]
fn pool_stop_sends_ten_thousand_closes() {
    if let Some(status) = alone("ws_server::pool_stop_sends_ten_thousand_closes") {
        return assert!(status.success());
    }
    let before = fds::open_fds();
    let options = LoopOptions::new().drain_timeout(4 * DEADLINE);
    let pool = EventLoopThreadPool::with_options(2, &options).unwrap();
    pool.start().unwrap();
    let server = WebSocketServer::per_loop(&pool);
    let (opened, closed) = (Latch::new(CLIENTS), Arc::new(AtomicUsize::new(0)));
    let (o, c) = (opened.clone(), closed.clone());
    let service = WebSocketService::new()
        // One process answers them, one after the other.
        .options(ServiceOptions::new().close_timeout(4 * DEADLINE))
        .on_open(move |channel, _| {
            channel.subscribe("last words");
            o.count_down();
        })
        .on_close(move |_, event| {
            assert!(event.clean && event.code == 1001, "{event}");
            c.fetch_add(1, Ordering::Relaxed);
        });
    server.route("/", service);
    let listen = Listen::tcp(([127, 0, 0, 1], 0)).backlog(1024);
    let address = server.listen(listen).unwrap().inet().unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ws_server::child_program", "--nocapture"])
        .env(ADDRESS, address.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _limit = ChildLimit::of(&child);
    // One after the other, by two processes that other ones keep waiting.
    assert!(
        opened.wait(4 * DEADLINE),
        "{} connections are missing",
        opened.left()
    );
    assert_eq!(server.connection_num(), CLIENTS);
    assert!(
        pool.event_loops().all(|l| l.metrics().connections > 0),
        "both loops accept"
    );
    let last_words = "x".repeat(LAST_WORDS);
    assert_eq!(server.publish_text("last words", &last_words), CLIENTS);
    let began = Instant::now();
    pool.stop();
    let reports = pool.join().unwrap();
    let elapsed = began.elapsed();
    let clean: usize = reports.iter().map(|report| report.closed_cleanly).sum();
    assert_eq!(clean, CLIENTS);
    for report in &reports {
        assert!(report.is_clean(), "{report}");
        assert!(report.elapsed < 4 * DEADLINE);
    }
    assert_eq!(closed.load(Ordering::Relaxed), CLIENTS);
    assert_eq!(
        (server.connection_num(), server.subscriber_num("last words")),
        (0, 0)
    );
    // At once.
    let again = TcpListener::bind(address);
    assert!(again.is_ok(), "{again:?}");
    drop(again);

    // To the end: the harness in the child has something to say behind it.
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<_> = lines.map(Result::unwrap).collect();
    let told = lines.into_iter().find(|line| line.starts_with("clients:"));
    let expected = format!("clients: {CLIENTS} last words, {CLIENTS} times 1001, {CLIENTS} clean");
    assert_eq!(told, Some(expected));
    assert!(child.wait().unwrap().success());
    drop(child);
    drop(server);
    fds::assert_no_new_fds(&before);
    println!(
        "{CLIENTS} WebSockets, stop() to the last join(): {elapsed:?}; {}",
        reports[0]
    );
}

/// The clients; does nothing in the parent.
#[test]
fn child_program() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let (net, address) = (Net::new(Transport::Tcp), address.parse().unwrap());
    let peers: Vec<_> = (0..CLIENTS)
        .map(|_| WsPeer::open(&net, address, "/"))
        .collect();
    let (mut words, mut going_away, mut clean) = (0, 0, 0);
    for mut peer in peers {
        let first = peer.frame();
        words += usize::from(first.opcode == opcode::TEXT && first.payload.len() == LAST_WORDS);
        going_away += usize::from(peer.frame().close_code() == Some(1001));
        peer.peer.send(&close_frame(1001, ""));
        peer.expect_end();
        clean += 1;
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\nclients: {words} last words, {going_away} times 1001, {clean} clean"
    )
    .unwrap();
}
