//! Clients and servers that the tests begin with, and what both sides have.

use crate::recorder::{Event, Recorder};
use crate::support::*;
use hvloop_capi::event_loop::hvloop_loop_release;
use hvloop_capi::io::common::*;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::io::stream::*;
use hvloop_capi::task::hvloop_task;
use hvloop_capi::tcp_client::*;
use hvloop_capi::tcp_server::*;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A server that is freed with the test.
pub struct Server {
    pub handle: *mut hvloop_tcp_server,
    pub port: i32,
}

unsafe impl Send for Server {}
unsafe impl Sync for Server {}

impl Server {
    /// Listens and accepts, with those callbacks.
    pub fn started(event_loop: &Loop, recorder: &Arc<Recorder>) -> Self {
        let handle = unsafe { hvloop_tcp_server_new(event_loop.get()) };
        assert!(!handle.is_null());
        let set = unsafe { hvloop_tcp_server_set_callbacks(handle, recorder.callbacks()) };
        assert_eq!(set, 0);
        let fd = unsafe { hvloop_tcp_server_socket(handle, c"127.0.0.1".as_ptr(), 0, 0) };
        assert!(fd > 2, "{}", last_error());
        let port = unsafe { hvloop_tcp_server_port(handle) };
        assert!(port > 0);
        assert_eq!(unsafe { hvloop_tcp_server_start(handle) }, 0);
        Self { handle, port }
    }

    pub fn get(&self) -> *mut hvloop_tcp_server {
        self.handle
    }

    pub fn free(&mut self) {
        let handle = std::mem::replace(&mut self.handle, std::ptr::null_mut());
        unsafe { hvloop_tcp_server_free(handle) };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.free();
    }
}

/// A client that is freed with the test.
pub struct Client(pub *mut hvloop_tcp_client);

unsafe impl Send for Client {}
unsafe impl Sync for Client {}

impl Client {
    pub fn new(event_loop: &Loop, recorder: &Arc<Recorder>) -> Self {
        let client = unsafe { hvloop_tcp_client_new(event_loop.get()) };
        assert!(!client.is_null());
        let set = unsafe { hvloop_tcp_client_set_callbacks(client, recorder.callbacks()) };
        assert_eq!(set, 0);
        Self(client)
    }

    /// Has a socket for that port of this host: its descriptor.
    pub fn socket(&self, port: i32) -> i32 {
        let fd = unsafe { hvloop_tcp_client_socket(self.0, c"127.0.0.1".as_ptr(), port) };
        assert!(fd > 2, "{}", last_error());
        fd
    }

    pub fn connect(&self) {
        let begun = unsafe { hvloop_tcp_client_connect(self.0) };
        assert_eq!(begun, 0, "{}", last_error());
    }

    /// One that is open.
    pub fn open(event_loop: &Loop, recorder: &Arc<Recorder>, port: i32) -> Self {
        let client = Self::new(event_loop, recorder);
        client.socket(port);
        client.connect();
        recorder.wait_count("the open", 1, Event::is_open);
        client
    }

    pub fn close(&self) {
        assert_eq!(unsafe { hvloop_tcp_client_close(self.0) }, 0);
    }

    pub fn send(&self, data: &[u8]) -> i64 {
        unsafe { hvloop_tcp_client_send(self.0, data.as_ptr().cast(), data.len()) }
    }

    pub fn io(&self) -> Kept {
        Kept(unsafe { hvloop_tcp_client_io(self.0) })
    }

    pub fn free(&mut self) {
        let handle = std::mem::replace(&mut self.0, std::ptr::null_mut());
        unsafe { hvloop_tcp_client_free(handle) };
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.free();
    }
}

/// Sends back what comes.
pub fn echo(event: &Event, io: *mut hvloop_io) {
    if let Event::Message(_, bytes) = event {
        let sent = unsafe { hvloop_io_send(io, bytes.as_ptr().cast(), bytes.len()) };
        assert_eq!(sent, i64::try_from(bytes.len()).unwrap());
    }
}

pub fn peer_text(io: *const hvloop_io) -> String {
    text(|buffer, size| unsafe { hvloop_io_peer_text(io, buffer, size) })
}

pub fn local_text(io: *const hvloop_io) -> String {
    text(|buffer, size| unsafe { hvloop_io_local_text(io, buffer, size) })
}

fn text(f: impl Fn(*mut c_char, usize) -> i32) -> String {
    let mut buffer = [0_u8; 200];
    let length = f(buffer.as_mut_ptr().cast(), buffer.len());
    assert!(length >= 0, "{}", last_error());
    String::from_utf8(buffer[..usize::try_from(length).unwrap()].to_vec()).unwrap()
}

/// There and back, and an end in order: each callback as often as it should be, of one handle, and the data are
/// dropped once.
#[test]
fn echo_and_an_end_in_order() {
    let (here, there) = (Loop::started(), Loop::started());
    let served = Recorder::with(echo);
    let mut server = Server::started(&there, &served);
    let got = Recorder::new();
    let mut client = Client::new(&here, &got);
    let fd = client.socket(server.port);
    assert_eq!(unsafe { hvloop_tcp_client_is_connected(client.0) }, 0);
    assert_eq!(client.send(b"early"), i64::from(NOT_OPEN));
    client.connect();
    got.wait_count("the open", 1, Event::is_open);
    assert_eq!(unsafe { hvloop_tcp_client_is_connected(client.0) }, 1);
    let io = client.io();
    assert_eq!(unsafe { hvloop_io_fd(io.0) }, fd, "that socket was used");
    assert_eq!(unsafe { hvloop_io_kind_of(io.0) }, 1);
    assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 1);
    assert_eq!(peer_text(io.0), format!("127.0.0.1:{}", server.port));
    let its_loop = unsafe { hvloop_io_loop(io.0) };
    assert_eq!(its_loop, here.get(), "a loop has one handle");
    unsafe { hvloop_loop_release(its_loop) };
    let id = unsafe { hvloop_io_id(io.0) };
    let sent = unsafe { hvloop_io_send(io.0, b"hello".as_ptr().cast(), 5) };
    assert_eq!(sent, 5);
    got.wait("the echo", |events| {
        events.contains(&Event::Message(id, b"hello".to_vec()))
    });
    got.wait_count("that it is written", 1, |e| *e == Event::Written(id, 5));
    assert_eq!(unsafe { hvloop_tcp_server_count(server.handle) }, 1);
    client.close();
    got.wait_count("the end", 1, Event::is_close);
    served.wait_count("the end there", 1, Event::is_close);
    assert_eq!(got.closes(), [(id, 0, "closed by this side".to_owned())]);
    assert_eq!(served.closes()[0].1, 0);
    assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 0);
    assert_eq!(unsafe { hvloop_io_error(io.0) }, 0);
    assert_eq!(unsafe { hvloop_io_fd(io.0) }, fd, "kept after the end");
    assert_eq!(
        unsafe { hvloop_io_send(io.0, b"late".as_ptr().cast(), 4) },
        i64::from(NOT_OPEN)
    );
    assert!(unsafe { hvloop_tcp_client_io(client.0) }.is_null());
    assert_eq!(unsafe { hvloop_tcp_server_count(server.handle) }, 0);
    client.free();
    server.free();
    for recorder in [&got, &served] {
        assert_eq!(recorder.events().last(), Some(&Event::Dropped));
        assert_eq!(recorder.count(|e| *e == Event::Dropped), 1);
        assert_eq!(recorder.count(Event::is_open), 1);
        assert_eq!(recorder.count(Event::is_close), 1);
    }
}

/// A queue that is full takes nothing, and says so.
#[test]
fn full_queue_returns_minus_seven() {
    let (here, there) = (Loop::started(), Loop::started());
    let served = Recorder::with(|event, io| {
        if event.is_open() {
            assert_eq!(unsafe { hvloop_io_pause_reading(io) }, 0);
        }
    });
    let server = Server::started(&there, &served);
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    served.wait_count("the open there", 1, Event::is_open);
    let chunk = vec![7_u8; 1 << 20];
    let mut taken = 0;
    let refused = loop {
        match client.send(&chunk) {
            sent if sent < 0 => break sent,
            sent => taken += sent,
        }
        assert!(taken < 1 << 30, "there is no limit");
    };
    assert_eq!(refused, i64::from(FULL), "{}", last_error());
    let io = client.io();
    assert!(unsafe { hvloop_io_buffered(io.0) } > 0);
    assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 1, "it goes on");
    there.run(|| {
        for open in served.events().iter().filter(|e| e.is_open()) {
            let Event::Open(id) = open else { continue };
            let peer = Kept(unsafe { hvloop_tcp_server_io_by_id(server.get(), *id) });
            assert_eq!(unsafe { hvloop_io_resume_reading(peer.0) }, 0);
        }
    });
    let all = usize::try_from(taken).unwrap();
    served.wait("all that was taken", |events| {
        let size = |event: &Event| match event {
            Event::Message(_, bytes) => bytes.len(),
            _ => 0,
        };
        events.iter().map(size).sum::<usize>() == all
    });
}

/// C's pointer is kept with the connection, and given up when that has ended, or another one takes its place.
#[test]
fn bindings() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn drop_one(data: *mut c_void) {
        DROPPED.fetch_add(data as usize, Ordering::SeqCst);
    }
    let bind = |io: *mut hvloop_io, number: usize| {
        let data = std::ptr::without_provenance_mut(number);
        assert_eq!(
            unsafe { hvloop_io_set_binding(io, data, Some(drop_one)) },
            0
        );
    };
    let here = Loop::started();
    let served = Recorder::with(move |event, io| match event {
        Event::Open(_) => {
            assert!(unsafe { hvloop_io_binding(io) }.is_null());
            bind(io, 1);
            bind(io, 10);
        }
        Event::Dropped => {}
        // There to the last callback.
        _ => assert_eq!(unsafe { hvloop_io_binding(io) }.addr(), 10),
    });
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    served.wait_count("the open there", 1, Event::is_open);
    assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
    client.close();
    wait_for("the drop", || DROPPED.load(Ordering::SeqCst) == 11);
    assert_eq!(served.count(Event::is_close), 1);
}

/// A connection with callbacks of its own; those of the server go on for the others.
#[test]
fn callbacks_of_one_connection() {
    let here = Loop::started();
    let own = Recorder::with(echo);
    let own_callbacks = own.clone();
    let first = AtomicBool::new(true);
    let served = Recorder::with(move |event, io| {
        if event.is_open() && first.swap(false, Ordering::SeqCst) {
            let set = unsafe { hvloop_io_set_callbacks(io, own_callbacks.callbacks()) };
            assert_eq!(set, 0);
        }
    });
    let server = Server::started(&here, &served);
    let (one, two) = (Recorder::new(), Recorder::new());
    let client = Client::open(&here, &one, server.port);
    served.wait_count("the first open", 1, Event::is_open);
    let other = Client::open(&here, &two, server.port);
    served.wait_count("the second open", 2, Event::is_open);
    client.send(b"to its own");
    other.send(b"to the server's");
    one.wait_bytes("the echo", b"to its own");
    served.wait_bytes("no echo", b"to the server's");
    client.close();
    own.wait("the end, and the drop", |events| {
        events.last() == Some(&Event::Dropped)
    });
    assert_eq!(own.count(Event::is_close), 1);
    assert_eq!(served.count(Event::is_close), 0);
}

/// Called every so often, until the connection ends, and dropped once.
#[test]
fn heartbeats() {
    static BEATS: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn beat(_: *mut c_void) {
        BEATS.fetch_add(1, Ordering::SeqCst);
    }
    unsafe extern "C" fn given_up(_: *mut c_void) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
    let task = hvloop_task {
        call: Some(beat),
        drop: Some(given_up),
        data: std::ptr::null_mut(),
    };
    let here = Loop::started();
    let server = Server::started(&here, &Recorder::new());
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    let io = client.io();
    assert_eq!(unsafe { hvloop_io_set_heartbeat(io.0, -7, task) }, ARGUMENT);
    assert_eq!(DROPPED.load(Ordering::SeqCst), 1, "refused");
    assert_eq!(unsafe { hvloop_io_set_heartbeat(io.0, 0, task) }, 0);
    assert_eq!(DROPPED.load(Ordering::SeqCst), 2, "none");
    assert_eq!(unsafe { hvloop_io_set_heartbeat(io.0, 1, task) }, 0);
    wait_for("three beats", || BEATS.load(Ordering::SeqCst) >= 3);
    assert_eq!(unsafe { hvloop_io_set_heartbeat(io.0, 5, NO_HOOK) }, NULL);
    client.close();
    wait_for("the drop", || DROPPED.load(Ordering::SeqCst) == 3);
}

/// Reads one at a time.
#[test]
fn reads_by_request() {
    let here = Loop::started();
    let served = Recorder::with(|event, io| match event {
        Event::Open(_) => assert_eq!(unsafe { hvloop_io_read_bytes(io, 4) }, 0),
        Event::Message(_, bytes) if bytes.len() == 4 => {
            assert_eq!(unsafe { hvloop_io_read_until(io, b'\n') }, 0);
        }
        Event::Message(_, bytes) if bytes.ends_with(b"\n") => {
            assert_eq!(unsafe { hvloop_io_read_once(io) }, 0);
        }
        _ => {}
    });
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    client.send(b"headline\nrest");
    served.wait_count("three", 3, |e| matches!(e, Event::Message(..)));
    let messages: Vec<_> = served
        .events()
        .into_iter()
        .filter_map(|e| match e {
            Event::Message(_, bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    assert_eq!(messages, [&b"head"[..], b"line\n", b"rest"]);
}

/// Quiet for too long.
#[test]
fn time_limits() {
    let here = Loop::started();
    let served = Recorder::with(|event, io| {
        if event.is_open() {
            assert_eq!(unsafe { hvloop_io_set_idle_timeout(io, 20) }, 0);
            assert_eq!(unsafe { hvloop_io_set_read_timeout(io, 0) }, 0);
            assert_eq!(unsafe { hvloop_io_set_write_timeout(io, -1) }, 0);
            assert_eq!(unsafe { hvloop_io_set_read_timeout(io, -2) }, ARGUMENT);
        }
    });
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let _client = Client::open(&here, &got, server.port);
    served.wait_count("the end", 1, Event::is_close);
    assert_eq!(served.closes()[0].1, libc::ETIMEDOUT);
}

/// No TLS, and on the loop's thread alone.
#[test]
fn tls_of_plain_streams() {
    let here = Loop::started();
    let server = Server::started(&here, &Recorder::new());
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    let io = client.io();
    assert_eq!(unsafe { hvloop_io_tls_version(io.0) }, THREAD);
    let io = &io;
    here.run(move || {
        assert_eq!(unsafe { hvloop_io_tls_version(io.0) }, 0);
        let mut buffer = [1 as c_char; 8];
        let length = unsafe { hvloop_io_alpn(io.0, buffer.as_mut_ptr(), 8) };
        assert_eq!((length, buffer[0]), (0, 0));
    });
}

/// Half an end: what the other side sends still comes.
#[test]
fn half_closed() {
    let here = Loop::started();
    let served = Recorder::with(echo);
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    client.send(b"last words");
    assert_eq!(unsafe { hvloop_io_shutdown(client.io().0) }, 0);
    got.wait_count("the end", 1, Event::is_close);
    assert_eq!(got.bytes(), b"last words");
}
