//! After a `_free` nothing is called, wherever it comes from.

use crate::recorder::{Event, Recorder};
use crate::streams::{Client, Server, echo};
use crate::support::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::stream::*;
use hvloop_capi::pool::*;
use hvloop_capi::tcp_client::*;
use hvloop_capi::tcp_server::*;
use hvloop_capi::udp::*;
use std::ffi::c_void;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Clients that are freed on another thread while they are called all the time.
#[test]
fn no_callback_after_free() {
    let there = Loop::started();
    let server = Server::started(&there, &Recorder::with(echo));
    let port = server.port;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                let here = Loop::started();
                for round in 0..100 {
                    let got = Recorder::with(echo);
                    let mut client = Client::new(&here, &got);
                    client.socket(port);
                    client.connect();
                    // At any moment of its life.
                    match round % 4 {
                        0 => {}
                        1 => got.wait_count("the open", 1, Event::is_open),
                        _ => {
                            got.wait_count("the open", 1, Event::is_open);
                            client.send(&[round; 50]);
                            let balls = usize::from(round % 4);
                            got.wait_count("balls", balls, |e| matches!(e, Event::Message(..)));
                        }
                    }
                    client.free();
                    got.over.store(true, Ordering::SeqCst);
                    let events = got.events();
                    assert_eq!(events.last(), Some(&Event::Dropped), "{events:?}");
                    here.run(|| ());
                    here.run(|| ());
                    assert_eq!(got.late.load(Ordering::SeqCst), 0, "{:?}", got.events());
                    assert_eq!(got.count(|e| *e == Event::Dropped), 1);
                }
            });
        }
    });
}

/// A server that is freed while connections on several loops call back.
#[test]
fn no_callback_after_a_server_is_freed() {
    let (here, clients) = (Loop::started(), Loop::started());
    for _ in 0..20 {
        let pool = unsafe { hvloop_pool_new(3, null()) };
        let none = || hvloop_pool_hook {
            call: None,
            drop: None,
            data: std::ptr::null_mut(),
        };
        assert_eq!(unsafe { hvloop_pool_start(pool, none(), none()) }, 0);
        let served = Recorder::with(echo);
        let server = unsafe { hvloop_tcp_server_new(here.get()) };
        unsafe {
            assert_eq!(
                hvloop_tcp_server_set_callbacks(server, served.callbacks()),
                0
            );
            assert_eq!(hvloop_tcp_server_set_workers(server, pool), 0);
            assert!(hvloop_tcp_server_socket(server, c"127.0.0.1".as_ptr(), 0, 0) > 2);
            assert_eq!(hvloop_tcp_server_start(server), 0);
            assert_eq!(hvloop_tcp_server_set_workers(server, null()), STATE);
        }
        let port = unsafe { hvloop_tcp_server_port(server) };
        let got = Recorder::with(echo);
        let open: Vec<_> = (0..6)
            .map(|_| {
                let client = Client::new(&clients, &got);
                client.socket(port);
                client.connect();
                client
            })
            .collect();
        got.wait_count("six", 6, Event::is_open);
        for client in &open {
            client.send(b"ball");
        }
        served.wait_count("balls", 20, |e| matches!(e, Event::Message(..)));
        unsafe { hvloop_tcp_server_free(server) };
        served.over.store(true, Ordering::SeqCst);
        assert_eq!(served.count(|e| *e == Event::Dropped), 1);
        got.wait_count("all ends", 6, Event::is_close);
        assert_eq!(served.late.load(Ordering::SeqCst), 0);
        drop(open);
        unsafe { hvloop_pool_free(pool) };
    }
}

/// A client that is freed in each of its own callbacks: that one returns, no other one comes, and it does not wait.
#[test]
fn freed_in_each_callback() {
    let (here, there) = (Loop::started(), Loop::started());
    let served = Recorder::with(echo);
    let server = Server::started(&there, &served);
    type Which = fn(&Event) -> bool;
    let callbacks: [Which; 4] = [
        Event::is_open,
        |e| matches!(e, Event::Message(..)),
        |e| matches!(e, Event::Written(..)),
        Event::is_close,
    ];
    for nowait in [false, true] {
        for (number, which) in callbacks.into_iter().enumerate() {
            let closes = number == 3;
            let handle = Arc::new(AtomicPtr::new(std::ptr::null_mut()));
            let at = handle.clone();
            let got = Recorder::with(move |event, io| {
                if event.is_open() {
                    unsafe { hvloop_io_send(io, b"a".as_ptr().cast(), 1) };
                }
                if which(event) {
                    let client = at.swap(std::ptr::null_mut(), Ordering::SeqCst);
                    match nowait {
                        true => unsafe { hvloop_tcp_client_free_nowait(client) },
                        false => unsafe { hvloop_tcp_client_free(client) },
                    }
                } else if closes && matches!(event, Event::Message(..)) {
                    assert_eq!(unsafe { hvloop_io_close(io) }, 0);
                }
            });
            let mut client = Client::new(&here, &got);
            handle.store(client.0, Ordering::SeqCst);
            client.socket(server.port);
            client.connect();
            client.0 = std::ptr::null_mut();
            got.wait("the drop", |events| events.contains(&Event::Dropped));
            here.run(|| ());
            here.run(|| ());
            let events = got.events();
            // Dropped as the call has returned, or within `_free`, before the call is noted.
            let called: Vec<_> = events.iter().filter(|e| **e != Event::Dropped).collect();
            assert!(which(called[called.len() - 1]), "{events:?}");
            assert_eq!(events.len(), called.len() + 1, "{events:?}");
        }
    }
}

/// A server that is freed in a callback of one of its connections.
#[test]
fn server_freed_in_on_message() {
    let (here, there) = (Loop::started(), Loop::started());
    let handle = Arc::new(AtomicPtr::new(std::ptr::null_mut()));
    let at = handle.clone();
    let served = Recorder::with(move |event, io| {
        if matches!(event, Event::Message(..)) {
            unsafe { hvloop_tcp_server_free(at.swap(std::ptr::null_mut(), Ordering::SeqCst)) };
            // Its connections go on to their end.
            assert_eq!(unsafe { hvloop_io_kind_of(io) }, 1);
        }
    });
    let mut server = Server::started(&there, &served);
    handle.store(server.handle, Ordering::SeqCst);
    let got = Recorder::new();
    let client = Client::open(&here, &got, server.port);
    server.handle = std::ptr::null_mut();
    client.send(b"free");
    got.wait_count("the end", 1, Event::is_close);
    assert_eq!(served.count(Event::is_close), 0);
    assert_eq!(served.count(|e| *e == Event::Dropped), 1);
}

/// Handles of connections outlive whose they are.
#[test]
fn connections_outlive_their_client() {
    let (here, there) = (Loop::started(), Loop::started());
    let served = Recorder::with(echo);
    let mut server = Server::started(&there, &served);
    let got = Recorder::new();
    let mut client = Client::open(&here, &got, server.port);
    served.wait_count("the open there", 1, Event::is_open);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn given_up(_: *mut c_void) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
    let io = client.io();
    assert_eq!(
        unsafe { hvloop_io_set_binding(io.0, std::ptr::null_mut(), Some(given_up)) },
        0
    );
    client.free();
    server.free();
    wait_for("the end", || unsafe { hvloop_io_is_open(io.0) } == 0);
    wait_for("the drop", || DROPPED.load(Ordering::SeqCst) == 1);
    assert_eq!(
        unsafe { hvloop_io_send(io.0, b"late".as_ptr().cast(), 4) },
        i64::from(NOT_OPEN)
    );
    drop((here, there));
    // Its loop has stopped.
    assert_eq!(unsafe { hvloop_io_close(io.0) }, 0);
    assert_eq!(unsafe { hvloop_io_error(io.0) }, 0);
}

/// On loops that never run, and on those that have stopped.
#[test]
fn freed_where_nothing_runs() {
    let event_loop = idle_loop();
    let got = Recorder::new();
    unsafe {
        let client = hvloop_tcp_client_new(event_loop);
        assert_eq!(hvloop_tcp_client_set_callbacks(client, got.callbacks()), 0);
        assert!(hvloop_tcp_client_socket(client, c"127.0.0.1".as_ptr(), 1) > 2);
        assert_eq!(hvloop_tcp_client_connect(client), 0);
        hvloop_tcp_client_free(client);
        let server = hvloop_tcp_server_new(event_loop);
        assert_eq!(hvloop_tcp_server_set_callbacks(server, got.callbacks()), 0);
        assert!(hvloop_tcp_server_socket(server, c"127.0.0.1".as_ptr(), 0, 1) > 2);
        assert_eq!(hvloop_tcp_server_start(server), 0);
        hvloop_tcp_server_free(server);
        let udp = hvloop_udp_new(event_loop);
        assert_eq!(hvloop_udp_set_callbacks(udp, got.udp_callbacks()), 0);
        assert!(hvloop_udp_bind(udp, c"127.0.0.1".as_ptr(), 0) > 2);
        assert_eq!(hvloop_udp_start(udp), 0);
        hvloop_udp_free(udp);
        hvloop_capi::event_loop::hvloop_loop_release(event_loop);
    }
    assert_eq!(got.events(), vec![Event::Dropped; 3]);
}
