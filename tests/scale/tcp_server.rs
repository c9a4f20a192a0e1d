//! Ten thousand connections on a pool of two loops, and one `stop()`. The clients are a process of
//! their own.

use crate::common::alone::alone;
use hvloop::{EventLoopThread, EventLoopThreadPool, Listen, LoadBalance, LoopOptions, TcpServer};
use hvloop_test_support::{ChildLimit, DEADLINE, Latch, fds};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 10_000;
/// Accepted for sending to each, just before the stop.
const LAST_WORDS: usize = 10_000;
const ADDRESS: &str = "HVLOOP_TEST_TCP_LOAD";

#[test]
fn pool_stop_delivers_to_ten_thousand() {
    if let Some(status) = alone("tcp_server::pool_stop_delivers_to_ten_thousand") {
        return assert!(status.success());
    }
    let options = LoopOptions::new().drain_timeout(4 * DEADLINE);
    let before = fds::open_fds();
    let pool = EventLoopThreadPool::with_options(2, &options).unwrap();
    let acceptor = EventLoopThread::with_loop(hvloop::EventLoop::with_options(options).unwrap());
    pool.start().unwrap();
    acceptor.start().unwrap();
    let server = TcpServer::with_workers(acceptor.event_loop(), &pool);
    server.set_load_balance(LoadBalance::LeastConnections);
    let opened = Latch::new(CLIENTS);
    let closed = Arc::new(AtomicUsize::new(0));
    let o = opened.clone();
    server.on_connection(move |_| o.count_down());
    let c = closed.clone();
    server.on_close(move |_, reason| {
        assert!(reason.is_clean(), "{reason}");
        c.fetch_add(1, Ordering::Relaxed);
    });
    let address = server
        .listen(Listen::tcp(([127, 0, 0, 1], 0)))
        .unwrap()
        .inet()
        .unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tcp_server::child_program", "--nocapture"])
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
    for event_loop in pool.event_loops() {
        assert_eq!(event_loop.metrics().connections, CLIENTS as u64 / 2);
    }
    assert_eq!(server.broadcast(&[7; LAST_WORDS]), CLIENTS);
    let began = Instant::now();
    acceptor.stop();
    pool.stop();
    let reports = pool.join().unwrap();
    assert!(acceptor.join().unwrap().is_clean());
    let elapsed = began.elapsed();
    for report in &reports {
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.closed_cleanly, CLIENTS / 2);
        assert!(report.elapsed < 4 * DEADLINE);
    }
    assert_eq!(closed.load(Ordering::Relaxed), CLIENTS);
    assert_eq!(server.connection_num(), 0);
    // At once.
    let again = TcpListener::bind(address);
    assert!(again.is_ok(), "{again:?}");
    drop(again);

    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // To the end: the harness in the child has something to say behind it.
    let lines: Vec<_> = lines.map(Result::unwrap).collect();
    let told = lines.into_iter().find(|line| line.starts_with("clients:"));
    let expected = format!("clients: {CLIENTS} clean, {} bytes", CLIENTS * LAST_WORDS);
    assert_eq!(told, Some(expected));
    assert!(child.wait().unwrap().success());
    drop(child);
    fds::assert_no_new_fds(&before);
    println!(
        "{CLIENTS} connections, stop() to the last join(): {elapsed:?}; {}",
        reports[0]
    );
}

/// The clients; does nothing in the parent.
#[test]
fn child_program() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let mut streams = Vec::with_capacity(CLIENTS);
    while streams.len() < CLIENTS {
        let stream = TcpStream::connect(&address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        streams.push(stream);
    }
    let (mut clean, mut bytes) = (0, 0);
    let mut buffer = vec![0; 64 * 1024];
    for mut stream in streams {
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    clean += 1;
                    break;
                }
                Ok(n) => bytes += n,
                Err(_) => break,
            }
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "\nclients: {clean} clean, {bytes} bytes").unwrap();
}
