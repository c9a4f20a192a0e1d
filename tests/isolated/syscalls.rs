//! How many system calls a message costs, as strace counts them. `tests/interop/programs.sh` installs
//! it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, frame};
use hvloop::{EventLoop, Listen, WebSocketServer, WebSocketService};
use hvloop_test_support::{ChildLimit, opcode};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const ROUNDS: usize = 200;
/// What opening and closing costs at the most, in calls of one kind.
const REST: usize = 20;
/// What the start of the program and the test harness cost at the most.
const START: usize = 500;
const WHAT: &str = "HVLOOP_TEST_SYSCALLS";

/// Echoes in bursts of that many messages; how often the server made each system call.
fn calls(burst: usize) -> HashMap<String, usize> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/programs.sh");
    assert!(Command::new(setup).status().unwrap().success());
    let table = std::env::temp_dir().join(format!("hvloop-{}-{burst}", std::process::id()));
    let mut child = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&table)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_program", "--nocapture"])
        .env(WHAT, "serve")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _limit = ChildLimit::of(&child);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
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
    println!("bursts of {burst}: {calls:?}");
    calls
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

/// The server; does nothing in the parent.
#[test]
fn child_program() {
    if std::env::var(WHAT).is_err() {
        return;
    }
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
