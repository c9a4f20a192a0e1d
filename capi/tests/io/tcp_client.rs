//! Clients: reconnects, connects upon closes, errors.

use crate::recorder::{Event, Recorder};
use crate::streams::{Client, Server, echo, local_text};
use crate::support::*;
use hvloop_capi::event_loop::*;
use hvloop_capi::io::common::*;
use hvloop_capi::reconnect::{HVLOOP_ENDLESS, hvloop_reconnect};
use hvloop_capi::tcp_client::*;
use std::net::TcpListener;
use std::ptr::null;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A port where nobody listens, for as long as the listener is not dropped; nobody else has it meanwhile.
fn deaf_port() -> (socket2::Socket, i32) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port.into())
}

fn reconnect(delay: u32, retries: u32) -> hvloop_reconnect {
    hvloop_reconnect {
        min_delay_ms: delay,
        max_delay_ms: delay,
        delay_policy: 0,
        max_retries: retries,
        jitter: 0.0,
    }
}

fn set_reconnect(client: &Client, policy: &hvloop_reconnect) {
    assert_eq!(
        unsafe { hvloop_tcp_client_set_reconnect(client.0, policy) },
        0
    );
}

/// Each attempt has its end, with the error of the system, and is counted.
#[test]
fn reconnects_are_counted() {
    let here = Loop::started();
    let (_socket, port) = deaf_port();
    let handle = Arc::new(AtomicPtr::new(std::ptr::null_mut()));
    let counted = Arc::new(Mutex::new(Vec::new()));
    let (at, told) = (handle.clone(), counted.clone());
    let got = Recorder::with(move |event, io| {
        if event.is_close() {
            assert!(io.is_null());
            let client = at.load(Ordering::SeqCst);
            let retries = unsafe { hvloop_tcp_client_retries(client) };
            let delay = unsafe { hvloop_tcp_client_next_delay(client) };
            told.lock().unwrap().push((retries, delay));
        }
    });
    let client = Client::new(&here, &got);
    handle.store(client.0, Ordering::SeqCst);
    set_reconnect(&client, &reconnect(10, 3));
    client.socket(port);
    client.connect();
    got.wait_count("four attempts", 4, Event::is_close);
    for (id, error, reason) in got.closes() {
        assert_eq!((id, error), (0, libc::ECONNREFUSED), "{reason}");
    }
    assert_eq!(
        *counted.lock().unwrap(),
        [(0, 10), (1, 10), (2, 10), (3, 0)]
    );
    assert_eq!(unsafe { hvloop_tcp_client_next_delay(client.0) }, 0);
    // It is over: another one may begin.
    wait_for("another connect", || unsafe {
        hvloop_tcp_client_connect(client.0) == 0
    });
    got.wait_count("another attempt", 5, Event::is_close);
}

/// No policy ends the wait for the next attempt, at once; a connect may follow, and so on.
#[test]
fn no_policy_ends_a_back_off() {
    let here = Loop::started();
    let (_socket, port) = deaf_port();
    let got = Recorder::new();
    let client = Client::new(&here, &got);
    client.socket(port);
    for round in 1..=3 {
        set_reconnect(&client, &reconnect(60_000, HVLOOP_ENDLESS));
        // The end of the one before is on its way.
        wait_for("the connect", || unsafe {
            hvloop_tcp_client_connect(client.0) == 0
        });
        got.wait_count("the attempt", round, Event::is_close);
        wait_for("the back-off", || unsafe {
            hvloop_tcp_client_next_delay(client.0) == 60_000
        });
        assert_eq!(
            unsafe { hvloop_tcp_client_connect(client.0) },
            STATE,
            "it waits"
        );
        let none = unsafe { hvloop_tcp_client_set_reconnect(client.0, null()) };
        assert_eq!(none, 0);
        wait_for("no back-off", || unsafe {
            hvloop_tcp_client_next_delay(client.0) == 0
        });
        assert_eq!(got.closes().len(), round);
    }
}

/// A close takes the policy away, and a connect right after it is remembered, in a back-off, too.
#[test]
fn connect_right_after_a_close() {
    let (here, there) = (Loop::started(), Loop::started());
    let server = Server::started(&there, &Recorder::with(echo));
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    set_reconnect(&client, &reconnect(60_000, HVLOOP_ENDLESS));
    for round in 2..=20 {
        if round % 2 == 0 {
            client.close();
        } else {
            assert_eq!(unsafe { hvloop_io_close(client.io().0) }, 0);
        }
        client.connect();
        got.wait_count("the next open", round, Event::is_open);
        assert_eq!(got.closes().len(), round - 1);
        assert!(got.closes().iter().all(|close| close.1 == 0));
    }
    assert_eq!(
        unsafe { hvloop_tcp_client_connect(client.0) },
        STATE,
        "open"
    );
    let (_socket, port) = deaf_port();
    client.close();
    client.socket(port);
    set_reconnect(&client, &reconnect(60_000, HVLOOP_ENDLESS));
    client.connect();
    wait_for("the back-off", || unsafe {
        hvloop_tcp_client_next_delay(client.0) > 0
    });
    client.socket(server.port);
    client.close();
    client.connect();
    got.wait_count("the open upon a back-off", 21, Event::is_open);
    assert_eq!(client.send(b"there"), 5);
    got.wait_bytes("the echo", b"there");
}

/// A close takes back a connect that was remembered.
#[test]
fn close_after_a_remembered_connect() {
    let here = Loop::started();
    let server = Server::started(&here, &Recorder::new());
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    let all = &client;
    // On the loop's thread nothing ends meanwhile.
    here.run(move || {
        all.close();
        all.connect();
        all.connect();
        all.close();
    });
    got.wait_count("the end", 1, Event::is_close);
    here.run(|| ());
    here.run(|| ());
    assert_eq!(got.count(Event::is_open), 1);
    client.connect();
    got.wait_count("the open", 2, Event::is_open);
}

/// Connects again, and closes, in its own callbacks.
#[test]
fn connects_in_on_close() {
    let here = Loop::started();
    let server = Server::started(&here, &Recorder::new());
    let handle = Arc::new(AtomicPtr::new(std::ptr::null_mut()));
    let at = handle.clone();
    let rounds = AtomicUsize::new(0);
    let got = Recorder::with(move |event, _| {
        let client = at.load(Ordering::SeqCst);
        if event.is_open() {
            assert_eq!(unsafe { hvloop_tcp_client_close(client) }, 0);
            let round = rounds.fetch_add(1, Ordering::SeqCst);
            if round == 3 {
                // Remembered.
                assert_eq!(unsafe { hvloop_tcp_client_connect(client) }, 0);
            }
        } else if event.is_close() && rounds.load(Ordering::SeqCst) < 10 {
            let begun = unsafe { hvloop_tcp_client_connect(client) };
            assert_eq!(begun, 0, "{}", last_error());
        }
    });
    let client = Client::new(&here, &got);
    handle.store(client.0, Ordering::SeqCst);
    client.socket(server.port);
    client.connect();
    got.wait_count("ten ends", 10, Event::is_close);
    assert_eq!(got.count(Event::is_open), 10);
}

/// The loop stops under a client: one end, in order, and nothing can be begun any more, remembered or not.
#[test]
fn the_loop_stops() {
    let there = Loop::started();
    let server = Server::started(&there, &Recorder::new());
    let here = Loop::started();
    let answer = Arc::new(AtomicI64::new(1));
    let handle = Arc::new(AtomicPtr::new(std::ptr::null_mut()));
    let (told, at) = (answer.clone(), handle.clone());
    let got = Recorder::with(move |event, _| {
        if event.is_close() {
            let client = at.load(Ordering::SeqCst);
            let begun = unsafe { hvloop_tcp_client_connect(client) };
            told.store(begun.into(), Ordering::SeqCst);
        }
    });
    let client = Client::open(&here, &got, server.port);
    handle.store(client.0, Ordering::SeqCst);
    set_reconnect(&client, &reconnect(1, HVLOOP_ENDLESS));
    assert_eq!(unsafe { hvloop_loop_stop(here.get()) }, 0);
    assert_eq!(unsafe { hvloop_loop_wait_stopped(here.get(), 60_000) }, 0);
    assert_eq!(got.closes().len(), 1);
    assert_eq!(got.closes()[0].1, 0, "{:?}", got.closes());
    assert_eq!(answer.load(Ordering::SeqCst), i64::from(CLOSED));
    assert_eq!(unsafe { hvloop_tcp_client_connect(client.0) }, CLOSED);
    assert_eq!(client.send(b"late"), i64::from(NOT_OPEN));
    assert_eq!(unsafe { hvloop_tcp_client_close(client.0) }, 0);
}

/// A connect that was remembered, and cannot be begun, has its end.
#[test]
fn remembered_and_stopped() {
    let there = Loop::started();
    let server = Server::started(&there, &Recorder::new());
    let here = Loop::started();
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    let (all, event_loop) = (&client, &here);
    here.run(move || {
        all.close();
        all.connect();
        assert_eq!(unsafe { hvloop_loop_stop(event_loop.get()) }, 0);
    });
    assert_eq!(unsafe { hvloop_loop_wait_stopped(here.get(), 60_000) }, 0);
    let closes = got.closes();
    assert_eq!(closes.len(), 2, "{closes:?}");
    assert_ne!(closes[0].0, 0);
    assert_eq!((closes[1].0, closes[1].1), (0, libc::ECANCELED));
    assert_eq!(got.count(Event::is_open), 1);
}

/// This side's address, before the socket is made and after it; in use.
#[test]
fn bound_clients() {
    let here = Loop::started();
    let server = Server::started(&here, &Recorder::new());
    for before in [true, false] {
        let (socket, port) = deaf_port();
        let got = Recorder::new();
        let client = Client::new(&here, &got);
        let bind = || unsafe { hvloop_tcp_client_bind(client.0, c"127.0.0.1".as_ptr(), port) };
        if !before {
            client.socket(server.port);
            assert_eq!(bind(), IO, "in use: {}", last_error());
        }
        drop(socket);
        assert_eq!(bind(), 0, "{}", last_error());
        if before {
            client.socket(server.port);
        }
        client.connect();
        got.wait_count("the open", 1, Event::is_open);
        assert_eq!(local_text(client.io().0), format!("127.0.0.1:{port}"));
    }
}

/// Names, and what is none.
#[test]
fn hosts() {
    let here = Loop::started();
    let server = Server::started(&here, &Recorder::new());
    let got = Recorder::new();
    let client = Client::new(&here, &got);
    let socket = |host: &std::ffi::CStr, port| unsafe {
        hvloop_tcp_client_socket(client.0, host.as_ptr(), port)
    };
    assert_eq!(unsafe { hvloop_tcp_client_connect(client.0) }, STATE);
    assert!(last_error().contains("hvloop_tcp_client_socket"));
    assert_eq!(socket(c"", 80), ARGUMENT);
    assert_eq!(socket(c"127.0.0.1", 65_536), ARGUMENT);
    assert_eq!(socket(c"a name with spaces", 80), IO, "{}", last_error());
    assert!(socket(c"localhost", server.port) > 2, "{}", last_error());
    client.connect();
    got.wait_count("the open", 1, Event::is_open);
}

/// Unix sockets: a path in the place of a host.
#[test]
fn unix_sockets() {
    let here = Loop::started();
    let path = std::env::temp_dir().join(format!("hvloop-capi-{}.sock", std::process::id()));
    let text = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let got = Recorder::new();
    let client = Client::new(&here, &got);
    assert!(unsafe { hvloop_tcp_client_socket(client.0, text.as_ptr(), -1) } > 2);
    client.connect();
    got.wait_count("the open", 1, Event::is_open);
    let (mut peer, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut peer, b"hello").unwrap();
    got.wait_bytes("the bytes", b"hello");
    let io = client.io();
    assert_eq!(crate::streams::peer_text(io.0), path.to_str().unwrap());
    let mut storage = [0_u64; 16];
    let mut length = 128;
    let place = (&raw mut storage).cast();
    assert_eq!(unsafe { hvloop_io_peer(io.0, place, &raw mut length) }, 0);
    assert!(length > 2 && length < 128);
    drop(peer);
    got.wait_count("the end", 1, Event::is_close);
    std::fs::remove_file(&path).unwrap();
}

/// What is not open in time has its end.
#[test]
fn connect_timeout() {
    let here = Loop::started();
    // Full: what else connects waits for room that nobody makes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i32::from(listener.local_addr().unwrap().port());
    let got = Recorder::new();
    let client = Client::new(&here, &got);
    // A proxy that never answers: the connection is up, and never open.
    let url = std::ffi::CString::new(format!("http://127.0.0.1:{port}")).unwrap();
    let set = unsafe { hvloop_tcp_client_set_proxy(client.0, url.as_ptr()) };
    assert_eq!(set, 0, "{}", last_error());
    assert_eq!(
        unsafe { hvloop_tcp_client_set_connect_timeout(client.0, 20) },
        0
    );
    assert!(unsafe { hvloop_tcp_client_socket(client.0, c"example.invalid".as_ptr(), 80) } > 2);
    client.connect();
    got.wait_count("the end", 1, Event::is_close);
    assert_eq!(got.closes()[0].1, libc::ETIMEDOUT, "{:?}", got.closes());
    let bad = unsafe { hvloop_tcp_client_set_proxy(client.0, c"no proxy".as_ptr()) };
    assert_eq!(bad, ARGUMENT);
}

/// Callbacks replaced while the connection is there: at once, and each dropped once.
#[test]
fn callbacks_replaced_under_fire() {
    let (here, there) = (Loop::started(), Loop::started());
    let server = Server::started(&there, &Recorder::with(echo));
    let all: Vec<_> = (0..200).map(|_| Recorder::with(echo)).collect();
    let mut client = Client::open(&here, &all[0], server.port);
    client.send(&[1; 100]);
    for recorder in &all[1..] {
        let set = unsafe { hvloop_tcp_client_set_callbacks(client.0, recorder.callbacks()) };
        assert_eq!(set, 0);
        std::thread::yield_now();
    }
    all[199].wait_count("the ball", 1, |e| matches!(e, Event::Message(..)));
    client.free();
    for recorder in &all {
        assert_eq!(recorder.count(|e| *e == Event::Dropped), 1);
        assert_eq!(recorder.events().last(), Some(&Event::Dropped));
    }
}
