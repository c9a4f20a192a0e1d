//! How many system calls a message costs, and a client, as strace counts them. `tests/interop/programs.sh` installs
//! it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame};
use hvloop::{
    ClientOptions, EventLoop, EventLoopThread, Listen, LoopOptions, WebSocketClient,
    WebSocketServer, WebSocketService,
};
use hvloop_test_support::{ChildLimit, DEADLINE, opcode};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const ROUNDS: usize = 200;
/// What opening and closing costs at the most, in calls of one kind.
const REST: usize = 20;
/// What the start of the program and the test harness cost at the most.
const START: usize = 500;
const WHAT: &str = "HVLOOP_TEST_SYSCALLS";
const ADDRESS: &str = "HVLOOP_TEST_SYSCALLS_ADDRESS";
/// Fewer than a backlog takes.
const CLIENTS: usize = 100;

/// Runs the child under strace, and `with` it what says what it is to be; how often it made each system call.
fn traced(
    what: &str,
    address: &str,
    with: impl FnOnce(&mut Lines<BufReader<ChildStdout>>),
) -> HashMap<String, usize> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/programs.sh");
    assert!(Command::new(setup).status().unwrap().success());
    let table = tempfile(what);
    let mut child = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&table)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_program", "--nocapture"])
        .env(WHAT, what)
        .env(ADDRESS, address)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _limit = ChildLimit::of(&child);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    with(&mut lines);
    assert!(lines.all(|line| line.is_ok()));
    assert!(child.wait().unwrap().success());
    let text = std::fs::read_to_string(&table).unwrap();
    std::fs::remove_file(&table).unwrap();
    // % time, seconds, usecs/call, calls, (errors,) syscall
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let calls = words.get(3)?.parse().ok()?;
        Some((words.last()?.to_string(), calls))
    };
    let calls: HashMap<_, _> = text.lines().filter_map(row).collect();
    println!("{what}: {calls:?}");
    calls
}

fn tempfile(what: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("hvloop-{what}-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

/// Echoes in bursts of that many messages; how often the server made each system call.
fn calls(burst: usize) -> HashMap<String, usize> {
    traced("serve", "", |lines| {
        let address = lines
            .find_map(|line| {
                line.unwrap()
                    .strip_prefix("listening at ")
                    .map(str::to_owned)
            })
            .unwrap();
        let net = Net::new(Transport::Tcp);
        let mut peer = WsPeer::open(&net, address.parse().unwrap(), "/");
        let messages = frame(opcode::BINARY, true, &[7; 100]).repeat(burst);
        for _ in 0..ROUNDS {
            peer.peer.send(&messages);
            for _ in 0..burst {
                assert_eq!(peer.frame().payload, [7; 100]);
            }
        }
        peer.close();
    })
}

/// What is known is not asked for: a connect that has a peer has no error, a client has one address at each end,
/// and what has ended holds nothing to be discarded.
#[test]
fn syscalls_per_client() {
    let server_thread = EventLoopThread::new().unwrap();
    server_thread.start().unwrap();
    let server = WebSocketServer::new(server_thread.event_loop());
    server.route("*", WebSocketService::new());
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let calls = traced("connect", &address.to_string(), |_| {});
    let of = |name: &str| calls.get(name).copied().unwrap_or(0);
    assert!(of("connect") >= CLIENTS, "{calls:?}");
    for (name, each) in [
        ("socket", 1),
        ("connect", 1),
        ("getpeername", 1),
        ("getsockname", 1),
        ("getsockopt", 0),
        ("setsockopt", 2),
        ("epoll_ctl", 2),
        ("sendto", 2),
        ("shutdown", 1),
        ("ioctl", 0),
    ] {
        let made = of(name);
        assert!(
            made <= each * CLIENTS + REST,
            "{made} of {name} for {CLIENTS} clients: {calls:?}"
        );
    }
    server_thread.stop();
    server_thread.join().unwrap();
}

/// One poll, one read and one write for all the messages of a turn, and no other call at all.
#[test]
fn syscalls_per_message() {
    for burst in [1, 50] {
        let calls = calls(burst);
        let of = |name: &str| calls.get(name).copied().unwrap_or(0);
        assert!(of("sendto") >= ROUNDS / 2, "{calls:?}");
        // A burst may come, and so go, in two pieces.
        let turns = if burst == 1 { ROUNDS } else { 2 * ROUNDS };
        for name in ["recvfrom", "sendto", "epoll_wait"] {
            assert!(
                of(name) <= turns + REST,
                "{} of {name}: {calls:?}",
                of(name)
            );
        }
        let all: usize = calls
            .iter()
            .filter(|(name, _)| *name != "total")
            .map(|(_, n)| n)
            .sum();
        let those = of("recvfrom") + of("sendto") + of("epoll_wait");
        assert!(all - those <= START, "{} others: {calls:?}", all - those);
    }
}

/// The server, or the clients; does nothing in the parent.
#[test]
fn child_program() {
    match std::env::var(WHAT).as_deref() {
        Ok("serve") => serve(),
        Ok("connect") => connect(&std::env::var(ADDRESS).unwrap()),
        _ => {}
    }
}

fn serve() {
    let event_loop = EventLoop::new().unwrap();
    let server = WebSocketServer::new(&event_loop);
    let stop = event_loop.clone();
    let echo = WebSocketService::new()
        .on_message(|channel, message| channel.send(message).unwrap())
        .on_close(move |_, _| stop.stop());
    server.route("*", echo);
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    println!("\nlistening at {address}");
    assert!(event_loop.run().unwrap().is_clean());
}

fn connect(address: &str) {
    // Close handshakes may take their time under strace.
    let options = LoopOptions::new().drain_timeout(4 * DEADLINE);
    let event_loop = EventLoop::with_options(options).unwrap();
    let left = Arc::new(AtomicUsize::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let options = ClientOptions::new()
                .open_timeout(4 * DEADLINE)
                .close_timeout(4 * DEADLINE);
            let client = WebSocketClient::with_options(&event_loop, options);
            let (left, stop) = (left.clone(), event_loop.clone());
            client.on_open(move |_, _| {
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    stop.stop();
                }
            });
            client.on_close(|_, event| assert!(event.clean, "{event}"));
            client.open(&format!("ws://{address}/")).unwrap();
            client
        })
        .collect();
    assert!(event_loop.run().unwrap().is_clean());
    drop(clients);
}
