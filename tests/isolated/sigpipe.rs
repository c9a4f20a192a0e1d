//! In a host that kept SIGPIPE's default disposition, as C and C++ programs do, writing to a peer
//! that is gone must not end the process, and hvloop must leave the disposition alone.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use hvloop::event::tls::TlsClientConfig;
use hvloop::{ClientOptions, Connect, EventLoopThread, TcpClient, WebSocketClient};
use hvloop_test_support::{ChildLimit, Event, ScriptServer, TestCa, Tls};
use std::io::{IoSlice, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

const WHAT: &str = "HVLOOP_TEST_SIGPIPE";
const URL: &str = "HVLOOP_TEST_URL";
const CA: &str = "HVLOOP_TEST_CA";
const SIGPIPE: i32 = 13;

fn run_child(what: &str, url: &str, ca: &str) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_program", "--nocapture"])
        .envs([(WHAT, what), (URL, url), (CA, ca)])
        .spawn()
        .unwrap();
    let _limit = ChildLimit::of(&child);
    child.wait().unwrap()
}

#[test]
fn sigpipe_default_host() {
    // The child really has the default disposition: what is known to raise the signal ends it.
    let control = run_child("control", "", "");
    assert_eq!(control.signal(), Some(SIGPIPE), "{control:?}");
    let ca = TestCa::new();
    for tls in [Tls::Off, Tls::On(&ca)] {
        // Opens, and is gone for good: a reset.
        let server = ScriptServer::start(tls, |conn| {
            conn.accept_upgrade()?;
            conn.reset()
        });
        let status = run_child("client", &server.url(), &ca.ca_pem());
        assert!(status.success(), "{}: {status:?}", server.url());
    }
}

/// Nor does a Unix stream raise it, for which std says MSG_NOSIGNAL in newer versions alone.
#[test]
fn sigpipe_unix_stream() {
    let status = run_child("unix", "", "");
    assert!(status.success(), "{status:?}");
}

/// The program; does nothing in the parent.
#[test]
fn child_program() {
    let Ok(what) = std::env::var(WHAT) else {
        return;
    };
    sigpipe::reset(); // to the default: std ignores the signal
    let before = dispositions();
    if what == "control" {
        return write_vectored_to_the_gone();
    }
    if what == "unix" {
        write_to_unix_peers_that_are_gone();
        return assert_eq!(dispositions(), before);
    }
    let tls = TlsClientConfig::builder().root_pem(std::env::var(CA).unwrap().as_bytes());
    let options = ClientOptions::new().tls(tls.build().unwrap());
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    for _ in 0..50 {
        let client = WebSocketClient::with_options(thread.event_loop(), options.clone());
        let closed = Event::new();
        let c = closed.clone();
        client.on_open(|ws, _| while ws.send_binary(&[0; 100_000]).is_ok() {});
        client.on_close(move |_, _| c.set());
        client.open(&std::env::var(URL).unwrap()).unwrap();
        while !closed.is_set() {
            let _ = client.send_text("into the void");
        }
    }
    thread.stop();
    thread.join().unwrap();
    assert_eq!(dispositions(), before);
}

fn write_to_unix_peers_that_are_gone() {
    let path = std::env::temp_dir().join(format!("hvloop-sigpipe-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    for _ in 0..50 {
        let client = TcpClient::new(thread.event_loop());
        let closed = Event::new();
        let c = closed.clone();
        client.on_connect(|channel| while channel.send(&[0; 100_000]).is_ok() {});
        client.on_close(move |_, _| c.set());
        client.connect(Connect::unix(&path)).unwrap();
        drop(listener.accept().unwrap());
        while !closed.is_set() {
            let _ = client.send(b"into the void");
        }
    }
    thread.stop();
    thread.join().unwrap();
    let _ = std::fs::remove_file(&path);
}

/// Which signals the process ignores and catches.
fn dispositions() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of_signals = status
        .lines()
        .filter(|l| l.starts_with("SigIgn") || l.starts_with("SigCgt"));
    of_signals.map(str::to_owned).collect()
}

/// What std does without MSG_NOSIGNAL.
fn write_vectored_to_the_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let written = stream.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"b")]);
    panic!("still here after {written:?}");
}
