//! A server that is out of file descriptors. In a process of its own, whose limit is lowered.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use hvloop::event::Metrics;
use hvloop::{EventLoopThread, Listen, TcpServer};
use hvloop_test_support::{DEADLINE, fds, wait_for};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const CHILD: &str = "HVLOOP_TEST_EMFILE";

#[test]
fn accept_emfile() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_program", "--nocapture"])
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{status:?}");
}

fn echo(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"echo").unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"echo");
}

/// How long so many failed accepts take from the first to the last, with somebody at the door all the time.
fn errors_take(
    count: u64,
    address: SocketAddr,
    streams: &mut Vec<TcpStream>,
    metrics: &dyn Fn() -> Metrics,
) -> Duration {
    let mut first = None;
    let before = metrics().accept_errors;
    let deadline = Instant::now() + DEADLINE;
    loop {
        // The descriptor of one that came before is taken again at once. Seldom enough that the backlog, out of
        // which a look takes a few, is never full: connecting would then block.
        drop(streams.pop());
        streams.extend(TcpStream::connect(address));
        let errors = metrics().accept_errors - before;
        let now = Instant::now();
        if errors > 0 {
            let first = *first.get_or_insert(now);
            if errors >= count {
                return now - first;
            }
        }
        assert!(now < deadline, "{errors} errors");
        std::thread::park_timeout(Duration::from_millis(25));
    }
}

/// The program; does nothing in the parent.
#[test]
fn child_program() {
    if std::env::var(CHILD).is_err() {
        return;
    }
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    let server = TcpServer::new(thread.event_loop());
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let address = address.inet().unwrap();
    let mut first = TcpStream::connect(address).unwrap();
    echo(&mut first);

    // Descriptors for the clients alone: each that the server would need is missing.
    let open = fds::open_fds().len() as u64;
    let clients = 10;
    let limit = open + 2 * clients;
    rlimit::setrlimit(rlimit::Resource::NOFILE, limit, limit.max(4096)).unwrap();
    let mut streams = Vec::new();
    while let Ok(stream) = TcpStream::connect(address) {
        streams.push(stream);
    }
    let metrics = || thread.event_loop().metrics();
    assert!(wait_for(DEADLINE.as_secs(), || metrics().accept_errors > 0));

    // It does not spin: turns come with its looks, which grow rarer, and with what others do.
    let before = metrics();
    std::thread::park_timeout(Duration::from_millis(500));
    let after = metrics();
    let (turns, errors) = (
        after.ticks - before.ticks,
        after.accept_errors - before.accept_errors,
    );
    assert!(
        turns <= 60 && errors <= 12,
        "{turns} turns, {errors} errors in half a second"
    );
    // Those that are in are served.
    for _ in 0..20 {
        echo(&mut first);
    }

    // The pauses grow to a second, and no further: 100 + 200 + 400 + 800 + 3 * 1,000 ms, or a little more.
    let grown = errors_take(8, address, &mut streams, &metrics);
    assert!(grown < Duration::from_secs(10), "{grown:?}");

    // With descriptors, new connections are taken again, with no event to tell of it.
    drop(streams);
    assert!(wait_for(DEADLINE.as_secs(), || server.connection_num() == 1));
    let mut again = TcpStream::connect(address).unwrap();
    echo(&mut again);
    echo(&mut first);

    // One was let in: the next shortage begins with short pauses, of 50 + 100 + 200 ms.
    let mut streams = Vec::new();
    while let Ok(stream) = TcpStream::connect(address) {
        streams.push(stream);
    }
    let begun = metrics().accept_errors;
    let shrunk = errors_take(4, address, &mut streams, &metrics);
    assert!(shrunk < Duration::from_millis(2500), "{shrunk:?}");
    assert!(metrics().accept_errors >= begun + 3);
    drop(streams);
    drop((first, again));
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
