//! Descriptors and mio sources of the user's.

use crate::common::loops::{on_loop, started, stop_clean};
use hvloop::{Interest, IoHandle};
use hvloop_test_support::{DEADLINE, Event, Monitor, wait_for};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Told when it is dropped, and on which thread.
struct Guard(Monitor<Vec<std::thread::ThreadId>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.update(|seen| seen.push(std::thread::current().id()));
    }
}

fn pipe() -> (PipeReader, io::PipeWriter) {
    io::pipe().unwrap()
}

/// A pipe of another library's: read as it fills, closed by its handle from another thread.
#[test]
fn add_fd_reads_a_pipe() {
    let thread = started();
    let (mut reader, mut writer) = pipe();
    let (got, dropped) = (Monitor::new(Vec::new()), Monitor::new(Vec::new()));
    let (g, guard) = (got.clone(), Guard(dropped.clone()));
    let handle = on_loop(thread.event_loop(), move |local| {
        let fd = reader.try_clone().unwrap();
        local
            .add_fd(fd.as_fd(), Interest::Read, move |handle, ready| {
                let _guard = &guard;
                assert!(ready.readable);
                // One read a call: the descriptor blocks.
                let mut buffer = [0; 3];
                let n = reader.read(&mut buffer).unwrap();
                g.update(|got: &mut Vec<u8>| got.extend_from_slice(&buffer[..n]));
                // More may be there than was read, of which nothing tells again.
                if n == buffer.len() && got_less(&g) {
                    handle.call_again().unwrap();
                }
            })
            .unwrap()
    });
    fn got_less(got: &Monitor<Vec<u8>>) -> bool {
        got.read(|got| got.len() < 10)
    }
    writer.write_all(b"0123456789").unwrap();
    assert!(got.wait(DEADLINE, |got| got == b"0123456789"));
    handle.close().unwrap();
    assert!(
        dropped.wait(DEADLINE, |d| d.len() == 1),
        "dropped with its source"
    );
    let loop_thread = on_loop(thread.event_loop(), |_| std::thread::current().id());
    assert_eq!(dropped.read(Clone::clone), [loop_thread]);
    // Of what has gone nothing is asked in vain.
    handle.call_again().unwrap();
    handle.set_interest(Interest::Both).unwrap();
    stop_clean(&thread);
    assert!(handle.close().is_err(), "the loop is gone");
}

/// A mio source; its interest changes while it is on the loop.
#[test]
fn add_source_with_changing_interest() {
    let thread = started();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let writable = Monitor::new(0);
    let got = Monitor::new(Vec::new());
    let (w, g) = (writable.clone(), got.clone());
    let handle: IoHandle = on_loop(thread.event_loop(), move |local| {
        let source = mio::net::UnixStream::from_std(ours);
        local
            .add_source(source, Interest::Read, move |_, source, ready| {
                if ready.writable {
                    w.update(|w| *w += 1);
                }
                let mut buffer = [0; 100];
                while let Ok(n) = source.read(&mut buffer) {
                    g.update(|got: &mut Vec<u8>| got.extend_from_slice(&buffer[..n]));
                    if n == 0 {
                        break;
                    }
                }
            })
            .unwrap()
    });
    theirs.write_all(b"one").unwrap();
    assert!(got.wait(DEADLINE, |got| got == b"one"));
    assert_eq!(writable.read(|w| *w), 0);
    handle.set_interest(Interest::Both).unwrap();
    assert!(
        writable.wait(DEADLINE, |w| *w > 0),
        "room to write is told anew"
    );
    theirs.write_all(b" two").unwrap();
    assert!(got.wait(DEADLINE, |got| got == b"one two"));
    stop_clean(&thread);
}

/// A panic takes the source off, and nothing else; a stop takes off what is left.
#[test]
fn source_that_panics_and_source_at_stop() {
    let thread = started();
    let (reader, mut writer) = pipe();
    let (other, _kept) = pipe();
    let dropped = Monitor::new(Vec::new());
    let guards = [Guard(dropped.clone()), Guard(dropped.clone())];
    on_loop(thread.event_loop(), move |local| {
        let [one, two] = guards;
        local
            .add_fd(reader.as_fd(), Interest::Read, move |_, _| {
                let _guard = &one;
                panic!("on purpose");
            })
            .unwrap();
        let quiet = move |_: &IoHandle, _| {
            let _guard = &two;
        };
        local.add_fd(other.as_fd(), Interest::Read, quiet).unwrap();
    });
    writer.write_all(b"x").unwrap();
    assert!(dropped.wait(DEADLINE, |d| d.len() == 1));
    let alive = Event::new();
    let a = alive.clone();
    thread.event_loop().queue_in_loop(move || a.set()).unwrap();
    alive.expect("the loop goes on");
    assert_eq!(thread.event_loop().metrics().holds, 1, "the quiet one");
    stop_clean(&thread);
    assert_eq!(dropped.read(Vec::len), 2);
}

/// What the system cannot poll is refused with what it said; and so is everything by a loop that stops.
#[test]
fn refused_sources() {
    let thread = started();
    let e = on_loop(thread.event_loop(), |local| {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        local
            .add_fd(file.as_fd(), Interest::Read, |_, _| {})
            .unwrap_err()
    });
    assert_eq!(e.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(thread.event_loop().metrics().holds, 0);
    let hold = thread.event_loop().hold("for the test").unwrap();
    thread.stop();
    assert!(wait_for(DEADLINE.as_secs(), || thread
        .event_loop()
        .is_stopping()));
    let e = on_loop(thread.event_loop(), |local| {
        let (reader, _writer) = pipe();
        local
            .add_fd(reader.as_fd(), Interest::Read, |_, _| {})
            .unwrap_err()
    });
    assert_eq!(e.kind(), io::ErrorKind::NotConnected);
    drop(hold);
    assert!(thread.join().unwrap().is_clean());
}
