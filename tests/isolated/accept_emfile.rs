//! A server that is out of file descriptors. In a process of its own, whose limit is lowered; its peers are in this
//! one.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use hvloop::{EventLoopThread, Listen, LoopOptions, TcpServer};
use hvloop_test_support::{ChildLimit, DEADLINE, Monitor, fds, wait_for};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "HVLOOP_TEST_EMFILE";
/// How many are at the door at one time: more than a few looks turn away, and less than a backlog takes.
const AT_THE_DOOR: usize = 64;

#[test]
fn accept_emfile() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_program", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _limit = ChildLimit::of(&child);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        let address = line.strip_prefix("no descriptors at ")?;
        Some(address.parse().unwrap())
    });
    // Reads on, so that the child can write.
    let rest = std::thread::spawn(move || lines.for_each(drop));
    if let Some(address) = address {
        knock(address, &mut child);
    }
    let status = child.wait().unwrap();
    rest.join().unwrap();
    assert!(status.success() && address.is_some(), "{status:?}");
}

/// Whether the server has greeted it, or has ended it.
fn was_looked_at(stream: &TcpStream) -> Option<bool> {
    match stream.peek(&mut [0]) {
        Ok(n) => Some(n > 0),
        Err(e) if e.kind() == ErrorKind::WouldBlock => None,
        Err(_) => Some(false),
    }
}

/// Sees to it that somebody is at the door, until the server's process has ended. Those who are let in stay, until
/// they are told to go.
fn knock(address: SocketAddr, child: &mut Child) {
    let (mut door, mut inside) = (Vec::new(), Vec::new());
    while child.try_wait().unwrap().is_none() {
        let (waiting, seen): (Vec<_>, Vec<_>) = door
            .into_iter()
            .partition(|stream| was_looked_at(stream).is_none());
        door = waiting;
        inside.extend(seen.into_iter().filter(|s| was_looked_at(s) == Some(true)));
        inside.retain(|stream: &TcpStream| {
            // What it was greeted with has been seen.
            let mut stream = stream;
            !matches!(stream.read(&mut [0; 8]), Ok(0))
        });
        while door.len() < AT_THE_DOOR {
            // It does not block for long where a backlog is full, or the server has gone.
            let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100))
            else {
                break;
            };
            stream.set_nonblocking(true).unwrap();
            door.push(stream);
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn echo(stream: &mut TcpStream) {
    stream.write_all(b"echo").unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"echo");
}

/// The program; does nothing in the parent.
#[test]
fn child_program() {
    if std::env::var(CHILD).is_err() {
        return;
    }
    let options = LoopOptions::new().drain_timeout(DEADLINE);
    let thread = EventLoopThread::with_loop(hvloop::EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let server = TcpServer::new(thread.event_loop());
    server.on_connection(|channel| channel.send(b"!").unwrap());
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let address = address.inet().unwrap();
    let mut first = TcpStream::connect(address).unwrap();
    first.set_read_timeout(Some(DEADLINE)).unwrap();
    first.read_exact(&mut [0]).unwrap();
    echo(&mut first);

    // All that there are, but for some to give back later.
    let limit = fds::open_fds().len() as u64 + 20;
    rlimit::setrlimit(rlimit::Resource::NOFILE, limit, limit).unwrap();
    let files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    println!("\nno descriptors at {address}");
    let metrics = || thread.event_loop().metrics();
    assert!(wait_for(DEADLINE.as_secs(), || metrics().accept_errors > 0));

    // It does not spin: turns come with its looks, which grow rarer, and with those who come to the door, some for
    // each look.
    let (before, began) = (metrics(), Instant::now());
    std::thread::park_timeout(Duration::from_millis(500));
    let after = metrics();
    let (turns, errors) = (
        after.ticks - before.ticks,
        after.accept_errors - before.accept_errors,
    );
    let passed = began.elapsed();
    let most = 2 + passed.as_millis() as u64 / 50;
    assert!(
        errors <= most && turns <= 200 + 20 * most,
        "{turns} turns, {errors} errors in {passed:?}"
    );
    // Those that are in are served.
    for _ in 0..20 {
        echo(&mut first);
    }

    // The pauses grow to a second, and no further: as the loop's own timers see it, which come as late as its looks
    // on a busy machine.
    let samples = Monitor::new(Vec::new());
    let (s, at) = (samples.clone(), thread.event_loop().clone());
    let sample = move |_| s.update(|s| s.push(at.metrics().accept_errors));
    let second = Duration::from_secs(1);
    let timer = thread.event_loop().set_interval(second, sample).unwrap();
    let begun = metrics().accept_errors;
    let grown = |samples: &Vec<u64>| samples.last() >= Some(&(begun + 9));
    assert!(samples.wait(2 * DEADLINE, grown));
    let longest = samples.read(|samples| samples.chunk_by(|a, b| a == b).map(<[u64]>::len).max());
    let all = samples.read(Clone::clone);
    assert!(longest <= Some(3), "{all:?}");
    thread.event_loop().kill_timer(timer).unwrap();

    // With descriptors, new connections are taken again, with no event to tell of it.
    let let_in = server.connection_num();
    let samples = Monitor::new(Vec::new());
    let (s, at) = (samples.clone(), thread.event_loop().clone());
    let sample = move |_| s.update(|s| s.push((at.metrics().accepted, at.metrics().accept_errors)));
    thread
        .event_loop()
        .set_interval(second / 10, sample)
        .unwrap();
    drop(files);
    assert!(wait_for(DEADLINE.as_secs(), || server.connection_num() > let_in));
    echo(&mut first);

    // They are used up again. Somebody was let in: this shortage begins with short pauses, of 50 + 100 + 200 ms.
    let accepted = metrics().accepted;
    let three = |samples: &Vec<(u64, u64)>| {
        let (accepted, last) = *samples.last()?;
        let of_this = samples.iter().filter(|(a, _)| *a == accepted);
        let first = of_this.clone().map(|(_, errors)| *errors).min()?;
        let pauses = of_this.filter(|(_, errors)| *errors < first + 3).count();
        (last >= first + 3).then_some(pauses)
    };
    assert!(samples.wait(DEADLINE, |s| {
        s.last().is_some_and(|(a, _)| *a >= accepted) && three(s).is_some()
    }));
    let pauses = samples.read(three).unwrap();
    assert!(pauses <= 15, "{:?}", samples.read(Clone::clone));
    drop(first);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
