//! What a loop shares with its process: signals and forks. Each test in a process of its own.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use crate::common::alone::alone;
use hvloop::signal::{SIGTERM, SIGUSR1, SIGUSR2};
use hvloop::{
    Connect, EventLoop, EventLoopThread, EventLoopThreadPool, Listen, Listening, LoopOptions,
    TcpClient, TcpServer, UdpOptions, UdpServer,
};
use hvloop_test_support::{ChildLimit, DEADLINE, Event, Monitor, fds, wait_for};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

fn kill(signal: &str) {
    let pid = std::process::id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success());
}

fn started() -> EventLoopThread {
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    thread
}

/// Which signals the process catches and ignores.
fn dispositions() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |line: &&str| line.starts_with("SigCgt") || line.starts_with("SigIgn");
    status.lines().filter(of).map(str::to_owned).collect()
}

/// On the loop's thread, for every loop that listens, until it is removed; nothing else is touched.
#[test]
fn signals_are_callbacks() {
    if let Some(status) = alone("signals_are_callbacks") {
        return assert!(status.success(), "{status:?}");
    }
    let before = dispositions();
    let (one, other) = (started(), started());
    let server = TcpServer::new(one.event_loop());
    server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    assert_eq!(dispositions(), before, "what nobody asked for");

    let seen = Monitor::new(Vec::new());
    let listen = |thread: &EventLoopThread, signal| {
        let seen = seen.clone();
        let name = std::thread::current().id();
        let listening = thread.event_loop().add_signal(signal, move |signal| {
            assert_ne!(
                std::thread::current().id(),
                name,
                "not in the handler's thread"
            );
            seen.update(|seen| seen.push(signal));
        });
        listening.unwrap()
    };
    let first = listen(&one, SIGUSR1);
    let _second = listen(&other, SIGUSR1);
    let _third = listen(&other, SIGUSR2);
    // Both are there when the loops have run what was posted.
    for thread in [&one, &other] {
        let there = Event::new();
        let t = there.clone();
        thread.event_loop().queue_in_loop(move || t.set()).unwrap();
        there.expect("a turn");
    }
    kill("-USR1");
    assert!(seen.wait(DEADLINE, |seen| *seen == [SIGUSR1, SIGUSR1]));
    kill("-USR2");
    assert!(seen.wait(DEADLINE, |seen| *seen == [SIGUSR1, SIGUSR1, SIGUSR2]));
    first.remove();
    first.remove();
    let gone = Event::new();
    let g = gone.clone();
    one.event_loop().queue_in_loop(move || g.set()).unwrap();
    gone.expect("a turn");
    kill("-USR1");
    assert!(seen.wait(DEADLINE, |seen| seen.len() == 4));
    for forbidden in [9, 19, 11] {
        let e = one.event_loop().add_signal(forbidden, |_| {}).unwrap_err();
        assert_eq!(e.kind(), std::io::ErrorKind::InvalidInput, "{forbidden}");
    }
    // Listening keeps no loop alive.
    for thread in [&one, &other] {
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
    }
    assert!(one.event_loop().add_signal(SIGUSR1, |_| {}).is_err());
    // Nobody listens, and it ends nothing.
    kill("-USR1");
}

/// The first SIGTERM stops in order, the second one by force.
#[test]
fn sigterm_stops_the_loop() {
    if let Some(status) = alone("sigterm_stops_the_loop") {
        return assert!(status.success(), "{status:?}");
    }
    for force in [false, true] {
        let options = LoopOptions::new().drain_timeout(2 * DEADLINE);
        let event_loop = EventLoop::with_options(options).unwrap();
        event_loop.stop_on_signals(&[SIGTERM]).unwrap();
        let hold = force.then(|| event_loop.hold("never given back").unwrap());
        let handle = event_loop.clone();
        let sender = std::thread::spawn(move || {
            assert!(wait_for(DEADLINE.as_secs(), || handle.is_running()));
            let there = Event::new();
            let t = there.clone();
            handle.queue_in_loop(move || t.set()).unwrap();
            there.expect("a turn");
            kill("-TERM");
            assert!(wait_for(DEADLINE.as_secs(), || handle.is_stopping()));
            if force {
                kill("-TERM");
            }
        });
        let report = event_loop.run().unwrap();
        sender.join().unwrap();
        assert_eq!(report.is_clean(), !force, "{report}");
        // Not by the drain's own limit.
        assert!(report.elapsed < 2 * DEADLINE, "{report}");
        drop(hold);
    }
}

/// A child that drops all it has from its parent hurts neither.
#[test]
fn fork_child_drop_is_harmless() {
    if let Some(status) = alone("fork_child_drop_is_harmless") {
        return assert!(status.success(), "{status:?}");
    }
    let path = std::env::temp_dir().join(format!("hvloop-fork-{}.sock", std::process::id()));
    let (thread, pool) = (started(), EventLoopThreadPool::with_threads(2).unwrap());
    pool.start().unwrap();
    let server = TcpServer::with_workers(thread.event_loop(), &pool);
    server.on_message(|channel, data| channel.send(data).unwrap());
    let tcp = server
        .listen(Listen::tcp(([127, 0, 0, 1], 0)))
        .unwrap()
        .inet()
        .unwrap();
    server.listen(Listen::unix(&path)).unwrap();
    let udp = UdpServer::new(thread.event_loop());
    udp.on_message(|socket, data, from| socket.send_to(data, from).unwrap());
    let udp_at = udp
        .bind(([127, 0, 0, 1], 0).into(), UdpOptions::new())
        .unwrap();
    let client = TcpClient::new(thread.event_loop());
    let answers = Monitor::new(0);
    let a = answers.clone();
    client.on_connect(|channel| channel.send(b"1").unwrap());
    client.on_message(move |_, _| a.update(|a| *a += 1));
    client
        .connect(Connect::to("127.0.0.1", tcp.port()))
        .unwrap();
    assert!(answers.wait(DEADLINE, |a| *a == 1));
    let ticks = Monitor::new(0u64);
    let t = ticks.clone();
    let period = Duration::from_millis(2);
    thread
        .event_loop()
        .set_interval(period, move |_| t.update(|t| *t += 1))
        .unwrap();

    match fork::fork().unwrap() {
        fork::Fork::Child => {
            drop((client, udp, server, pool, thread));
            std::process::exit(0);
        }
        fork::Fork::Parent(child) => {
            // It ends, by itself.
            let state = || std::fs::read_to_string(format!("/proc/{child}/stat"));
            let over = || state().map_or(true, |s| s.contains(") Z "));
            assert!(wait_for(DEADLINE.as_secs(), over), "the child hangs");
        }
    }
    // All that the parent has goes on: timers, registered sockets, new ones, the file.
    let now = ticks.read(|t| *t);
    assert!(ticks.wait(DEADLINE, |t| *t > now + 5));
    client.send(b"2").unwrap();
    assert!(answers.wait(DEADLINE, |a| *a == 2));
    let mut stream = TcpStream::connect(tcp).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.send_to(b"x", udp_at).unwrap();
    socket.recv(&mut [0]).unwrap();
    drop(stream);
    pool.stop();
    thread.stop();
    for report in pool.join().unwrap() {
        assert!(
            report.forced == 0 || report.still_held.len() <= 1,
            "{report}"
        );
    }
    thread.join().unwrap();
    assert!(!path.exists());
    let _ = fds::open_fds();
}

/// A service whose listener is in the place of its standard input, as inetd and systemd give it: a descriptor that
/// outlived an `exec`, and others of which the service knows nothing.
#[test]
fn listener_is_the_standard_input() {
    const SERVICE: &str = "HVLOOP_TEST_SERVICE";
    if std::env::var(SERVICE).is_ok() {
        let listener = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
        let listen = Listen::tcp(([127, 0, 0, 1], 0));
        let listening = Listening::from_listener(listener, listen).unwrap();
        let event_loop = EventLoop::new().unwrap();
        let server = TcpServer::new(&event_loop);
        server.on_message(|channel, data| channel.send(data).unwrap());
        let stopped = event_loop.clone();
        server.on_close(move |_, _| stopped.stop());
        server.listen_on(listening).unwrap();
        assert!(event_loop.run().unwrap().is_clean());
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // In its backlog before the service is there.
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut service = Command::new(std::env::current_exe().unwrap());
    service
        .args(["--exact", "listener_is_the_standard_input", "--nocapture"])
        .env(SERVICE, "1")
        .stdin(OwnedFd::from(listener));
    let mut service = service.spawn().unwrap();
    let _limit = ChildLimit::of(&service);
    peer.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    peer.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
    drop(peer);
    assert!(service.wait().unwrap().success());
}
