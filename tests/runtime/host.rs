//! A loop that a host drives from a poll of its own.

use crate::common::loops::MS;
use hvloop::event::Turn;
use hvloop::{EventLoop, Interest, Listen, TcpServer};
use hvloop_test_support::{DEADLINE, Monitor};
use mio::unix::SourceFd;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The host: sleeps on the loop's descriptor as long as it may, and lets it turn.
fn host(event_loop: &EventLoop) -> (hvloop::ShutdownReport, usize) {
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(4);
    assert_eq!(
        event_loop.run_once(Some(Duration::ZERO)).unwrap(),
        Turn::Continue
    );
    let local = event_loop.local().unwrap();
    let fd = local.backend_fd().unwrap();
    let interest = mio::Interest::READABLE;
    poll.registry()
        .register(&mut SourceFd(&fd), mio::Token(0), interest)
        .unwrap();
    let mut turns = 0;
    loop {
        let wait = local.prepare_wait();
        if let Err(e) = poll.poll(&mut events, wait) {
            assert_eq!(e.kind(), std::io::ErrorKind::Interrupted);
        }
        turns += 1;
        match event_loop.run_once(Some(Duration::ZERO)).unwrap() {
            Turn::Continue => {}
            Turn::Stopped(report) => return (report, turns),
        }
    }
}

/// Tasks from other threads wake the host, each of them; timers are on time; sockets and the stop work.
#[test]
fn host_driven_loop() {
    const TASKS: usize = 5_000;
    let event_loop = EventLoop::new().unwrap();
    let server = TcpServer::new(&event_loop);
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let (ran, ticks) = (Monitor::new(0), Monitor::new(0));
    let t = ticks.clone();
    event_loop
        .set_interval(5 * MS, move |_| t.update(|t| *t += 1))
        .unwrap();
    let (other, r, t) = (event_loop.clone(), ran.clone(), ticks.clone());
    let user = std::thread::spawn(move || {
        for n in 1..=TASKS {
            let ran = r.clone();
            other
                .queue_in_loop(move || ran.update(|ran| *ran += 1))
                .unwrap();
            // Asleep again before the next one, more often than not.
            assert!(r.wait(DEADLINE, |ran| *ran == n), "a wake was lost");
        }
        let mut stream = TcpStream::connect(address.inet().unwrap()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(b"through a host").unwrap();
        let mut back = [0; 14];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"through a host");
        assert!(t.wait(DEADLINE, |ticks| *ticks >= 5));
        other.stop();
        assert_eq!(stream.read(&mut back).unwrap(), 0);
    });
    let (report, turns) = host(&event_loop);
    user.join().unwrap();
    assert!(report.is_clean(), "{report}");
    let ticks = ticks.read(|t| *t);
    assert!(
        turns < 3 * (TASKS + ticks) + 1000,
        "it spins: {turns} turns, {ticks} ticks"
    );
}

/// A host whose poll is edge-triggered (mio's) is not told again of what one poll of the loop's could
/// not hold: `prepare_wait` has to say so.
#[test]
fn host_hears_of_more_than_a_poll_holds() {
    const SOURCES: usize = 1_500;
    rlimit::increase_nofile_limit(SOURCES as u64 * 4).unwrap();
    let event_loop = EventLoop::new().unwrap();
    let turn = event_loop.run_once(Some(Duration::ZERO)).unwrap();
    assert_eq!(turn, Turn::Continue);
    let local = event_loop.local().unwrap();
    let read = Monitor::new(0);
    let mut peers = Vec::new();
    for _ in 0..SOURCES {
        let (mut peer, mut socket) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        peer.write_all(b"x").unwrap();
        peers.push(peer);
        let (fd, read) = (socket.try_clone().unwrap(), read.clone());
        local
            .add_fd(fd.as_fd(), Interest::Read, move |_, _| {
                while let Ok(1..) = socket.read(&mut [0; 10]) {
                    read.update(|read| *read += 1);
                }
            })
            .unwrap();
    }
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(4);
    let fd = local.backend_fd().unwrap();
    let interest = mio::Interest::READABLE;
    poll.registry()
        .register(&mut SourceFd(&fd), mio::Token(0), interest)
        .unwrap();
    while read.read(|read| *read) < SOURCES {
        let wait = local.prepare_wait();
        poll.poll(&mut events, wait.or(Some(DEADLINE))).unwrap();
        let told = !events.is_empty() || wait.is_some();
        assert!(
            told,
            "the host slept, with {} read",
            read.read(|read| *read)
        );
        let turn = event_loop.run_once(Some(Duration::ZERO)).unwrap();
        assert_eq!(turn, Turn::Continue);
    }
    assert_eq!(local.prepare_wait(), None, "nothing more is there");
}
