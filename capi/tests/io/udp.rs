//! Datagrams.

use crate::recorder::{Event, Recorder};
use crate::streams::{local_text, peer_text};
use crate::support::*;
use hvloop_capi::event_loop::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::datagram::*;
use hvloop_capi::io::stream::hvloop_io_send;
use hvloop_capi::task::hvloop_task;
use hvloop_capi::udp::*;
use std::net::UdpSocket;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A socket that is freed with the test.
struct Udp(*mut hvloop_udp);

impl Udp {
    fn new(event_loop: *mut hvloop_loop, recorder: &Arc<Recorder>) -> Self {
        let udp = unsafe { hvloop_udp_new(event_loop) };
        let set = unsafe { hvloop_udp_set_callbacks(udp, recorder.udp_callbacks()) };
        assert_eq!(set, 0);
        Self(udp)
    }

    fn bind(&self, port: i32) -> i32 {
        unsafe { hvloop_udp_bind(self.0, c"127.0.0.1".as_ptr(), port) }
    }

    fn connect(&self, port: u16) -> i32 {
        unsafe { hvloop_udp_connect(self.0, c"127.0.0.1".as_ptr(), port.into()) }
    }

    fn start(&self) {
        let started = unsafe { hvloop_udp_start(self.0) };
        assert_eq!(started, 0, "{}", last_error());
    }

    fn io(&self) -> Kept {
        Kept(unsafe { hvloop_udp_io(self.0) })
    }

    fn port(&self) -> u16 {
        u16::try_from(unsafe { hvloop_udp_port(self.0) }).unwrap()
    }
}

impl Drop for Udp {
    fn drop(&mut self) {
        unsafe { hvloop_udp_free(self.0) };
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

fn recv(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 100];
    let size = socket.recv(&mut buffer).unwrap();
    buffer[..size].to_vec()
}

fn send(io: &Kept, data: &[u8]) -> i64 {
    unsafe { hvloop_io_send(io.0, data.as_ptr().cast(), data.len()) }
}

/// What comes between `bind` and `start` waits in the system, and is answered to who sent it.
#[test]
fn sent_before_the_start() {
    let here = Loop::started();
    let got = Recorder::with(|event, io| {
        if let Event::Message(_, bytes) = event {
            let answer =
                unsafe { hvloop_io_send_to(io, bytes.as_ptr().cast(), bytes.len(), null(), 0) };
            assert_eq!(answer, i64::try_from(bytes.len()).unwrap());
        }
    });
    let udp = Udp::new(here.get(), &got);
    assert_eq!(unsafe { hvloop_udp_start(udp.0) }, STATE);
    let fd = udp.bind(0);
    assert!(fd > 2);
    let (one, two) = (socket(), socket());
    one.connect(("127.0.0.1", udp.port())).unwrap();
    one.send(b"early").unwrap();
    assert!(udp.io().0.is_null());
    udp.start();
    assert_eq!(recv(&one), b"early");
    let io = udp.io();
    assert_eq!(unsafe { hvloop_io_kind_of(io.0) }, 2);
    assert_eq!(unsafe { hvloop_io_fd(io.0) }, fd);
    assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 1);
    assert_eq!(peer_text(io.0), one.local_addr().unwrap().to_string());
    assert_eq!(local_text(io.0), format!("127.0.0.1:{}", udp.port()));
    two.send_to(b"other", ("127.0.0.1", udp.port())).unwrap();
    assert_eq!(recv(&two), b"other");
    assert_eq!(send(&io, b"to the last"), 11);
    assert_eq!(recv(&two), b"to the last");
    // To somebody in particular.
    let to = socket2::SockAddr::from(one.local_addr().unwrap());
    let sent = unsafe {
        hvloop_io_send_to(
            io.0,
            b"one".as_ptr().cast(),
            3,
            to.as_ptr().cast(),
            to.len(),
        )
    };
    assert_eq!(sent, 3);
    assert_eq!(recv(&one), b"one");
    assert_eq!(unsafe { hvloop_udp_close(udp.0) }, 0);
    got.wait_count("the end", 1, Event::is_close);
    assert_eq!(got.closes()[0].1, 0);
    assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 0);
    assert_eq!(send(&io, b"late"), i64::from(NOT_OPEN));
    assert!(udp.io().0.is_null());
}

/// With one peer: what is sent before the loop runs goes out, that peer alone is heard, and an answer of nobody is an
/// error that the socket outlives.
#[test]
fn with_one_peer() {
    let event_loop = idle_loop();
    let got = Recorder::new();
    let peer = socket();
    let udp = Udp::new(event_loop, &got);
    assert!(udp.connect(peer.local_addr().unwrap().port()) > 2);
    udp.start();
    let io = udp.io();
    assert_eq!(send(&io, b"early"), 5);
    let thread = unsafe { hvloop_capi::thread::hvloop_thread_new(event_loop) };
    let started = unsafe { hvloop_capi::thread::hvloop_thread_start(thread, NO_HOOK, NO_HOOK) };
    assert_eq!(started, 0);
    assert_eq!(recv(&peer), b"early");
    let at = ("127.0.0.1", udp.port());
    socket().send_to(b"stranger", at).unwrap();
    peer.send_to(b"answer", at).unwrap();
    got.wait_count("the answer", 1, |e| matches!(e, Event::Message(..)));
    assert_eq!(got.bytes(), b"answer");
    assert_eq!(peer_text(io.0), peer.local_addr().unwrap().to_string());
    drop(peer);
    assert_eq!(send(&io, b"nobody"), 6);
    got.wait_count(
        "the refusal",
        1,
        |e| matches!(e, Event::Error(_, error) if *error == libc::ECONNREFUSED),
    );
    assert_eq!(unsafe { hvloop_io_is_open(io.0) }, 1);
    assert_eq!(unsafe { hvloop_io_close(io.0) }, 0);
    got.wait_count("the end", 1, Event::is_close);
    drop(udp);
    assert_eq!(got.events().last(), Some(&Event::Dropped));
    unsafe { hvloop_capi::thread::hvloop_thread_free(thread) };
    unsafe { hvloop_loop_release(event_loop) };
}

/// A bound socket that gets a peer; sockets one after the other; nobody to answer.
#[test]
fn one_after_the_other() {
    let here = Loop::started();
    let got = Recorder::new();
    let udp = Udp::new(here.get(), &got);
    udp.bind(0);
    let port = udp.port();
    assert!(udp.connect(socket().local_addr().unwrap().port()) > 2);
    assert_eq!(udp.port(), port, "the address is kept");
    udp.bind(0);
    udp.start();
    let first = udp.io();
    assert_eq!(send(&first, b"?"), i64::from(NOT_FOUND), "nobody spoke");
    assert_eq!(udp.bind(udp.port().into()), IO, "in use");
    udp.bind(0);
    udp.start();
    got.wait_count("the first's end", 1, Event::is_close);
    let second = udp.io();
    assert_ne!(first.0, second.0);
    assert_eq!(got.closes()[0].0, unsafe { hvloop_io_id(first.0) });
    assert_eq!(udp.bind(-1), ARGUMENT);
    let long = vec![0_u8; 70_000];
    let to = socket2::SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9)));
    let refused = unsafe {
        hvloop_io_send_to(
            second.0,
            long.as_ptr().cast(),
            70_000,
            to.as_ptr().cast(),
            to.len(),
        )
    };
    assert_eq!(refused, i64::from(ARGUMENT), "{}", last_error());
}

/// Freed in its own callback, and under fire.
#[test]
fn freed() {
    let here = Loop::started();
    let handle = Arc::new(AtomicPtr::new(null_mut()));
    let at = handle.clone();
    let got = Recorder::with(move |event, _| {
        if matches!(event, Event::Message(..)) {
            unsafe { hvloop_udp_free(at.swap(null_mut(), Ordering::SeqCst)) };
        }
    });
    let mut udp = Udp::new(here.get(), &got);
    handle.store(udp.0, Ordering::SeqCst);
    udp.bind(0);
    udp.start();
    let port = udp.port();
    udp.0 = null_mut();
    socket().send_to(b"free", ("127.0.0.1", port)).unwrap();
    got.wait("the drop", |events| events.contains(&Event::Dropped));
    here.run(|| ());
    here.run(|| ());
    assert_eq!(got.count(Event::is_close), 0);
    let fire = socket();
    for _ in 0..200 {
        let got = Recorder::new();
        let udp = Udp::new(here.get(), &got);
        udp.bind(0);
        let at = ("127.0.0.1", udp.port());
        udp.start();
        for _ in 0..5 {
            // The socket may have gone, which the next call is told.
            let _ = fire.send_to(b"fire", at);
        }
        drop(udp);
        got.over.store(true, Ordering::SeqCst);
        here.run(|| ());
        assert_eq!(got.late.load(Ordering::SeqCst), 0, "{:?}", got.events());
        assert_eq!(got.events().last(), Some(&Event::Dropped));
    }
}

/// Groups: joined once it is started; what is none is an error.
#[test]
fn groups() {
    let here = Loop::started();
    let got = Recorder::new();
    let udp = Udp::new(here.get(), &got);
    let join = |group: &std::ffi::CStr, on: &std::ffi::CStr| unsafe {
        hvloop_udp_join_group(udp.0, group.as_ptr(), on.as_ptr())
    };
    assert_eq!(join(c"239.255.0.1", c"127.0.0.1"), NOT_OPEN);
    assert_eq!(unsafe { hvloop_udp_set_broadcast(udp.0, 1) }, 0);
    assert!(unsafe { hvloop_udp_bind(udp.0, null(), 0) } > 2);
    udp.start();
    assert_eq!(join(c"no group", c"127.0.0.1"), ARGUMENT);
    assert_eq!(join(c"239.255.0.1", c"no interface"), ARGUMENT);
    assert_eq!(join(c"239.255.0.1", c"127.0.0.1"), 0);
    let sender = socket();
    let interface = std::net::Ipv4Addr::LOCALHOST;
    let sender = socket2::Socket::from(sender);
    sender.set_multicast_if_v4(&interface).unwrap();
    let to = std::net::SocketAddr::from(([239, 255, 0, 1], udp.port()));
    here.run(|| ());
    sender.send_to(b"all", &to.into()).unwrap();
    got.wait_count("what was sent to the group", 1, |e| {
        matches!(e, Event::Message(..))
    });
    let left =
        unsafe { hvloop_udp_leave_group(udp.0, c"239.255.0.1".as_ptr(), c"127.0.0.1".as_ptr()) };
    assert_eq!(left, 0);
    let _ = hvloop_task { ..NO_HOOK };
}
