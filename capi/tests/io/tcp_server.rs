//! Servers: listeners that come and go, workers, all connections.

use crate::recorder::{Event, Recorder};
use crate::streams::{Client, Server, echo};
use crate::support::*;
use hvloop_capi::event_loop::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::io::stream::*;
use hvloop_capi::pool::*;
use hvloop_capi::tcp_server::*;
use std::ffi::c_void;
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::thread::ThreadId;

const NO_POOL_HOOK: hvloop_pool_hook = hvloop_pool_hook {
    call: None,
    drop: None,
    data: null_mut(),
};

fn pool(threads: usize) -> *mut hvloop_pool {
    let pool = unsafe { hvloop_pool_new(threads, null()) };
    let started = unsafe { hvloop_pool_start(pool, NO_POOL_HOOK, NO_POOL_HOOK) };
    assert_eq!(started, 0);
    pool
}

/// Who connects between `socket` and `start` waits, and is served.
#[test]
fn connects_before_the_start() {
    let here = Loop::started();
    let served = Recorder::with(echo);
    let server = unsafe { hvloop_tcp_server_new(here.get()) };
    unsafe {
        assert_eq!(hvloop_tcp_server_port(server), NOT_FOUND);
        assert_eq!(hvloop_tcp_server_start(server), STATE);
        assert!(hvloop_tcp_server_socket(server, null(), 0, 7) > 2);
    }
    let port = unsafe { hvloop_tcp_server_port(server) };
    let peer = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    unsafe {
        // Callbacks may come later, too.
        assert_eq!(
            hvloop_tcp_server_set_callbacks(server, served.callbacks()),
            0
        );
        assert_eq!(hvloop_tcp_server_start(server), 0);
    }
    served.wait_count("the open", 1, Event::is_open);
    drop(peer);
    served.wait_count("the end", 1, Event::is_close);
    assert_eq!(served.closes()[0].2, "closed by the peer");
    unsafe { hvloop_tcp_server_free(server) };
}

/// Listeners close at once, connections go on, and the same port may be opened again right away, on whatever thread.
#[test]
fn listener_closed_and_reopened() {
    let (here, clients) = (Loop::started(), Loop::started());
    let served = Recorder::with(echo);
    let server = Server::started(&here, &served);
    let first = Recorder::new();
    let client = Client::open(&clients, &first, server.port);
    // Not in the backlog any more, which goes with the listener.
    served.wait_count("the open there", 1, Event::is_open);
    let reopen = || unsafe {
        assert_eq!(hvloop_tcp_server_close_listeners(server.get()), 0);
        let host = c"127.0.0.1".as_ptr();
        let fd = hvloop_tcp_server_socket(server.get(), host, server.port, 0);
        assert!(fd > 2, "{}", last_error());
        assert_eq!(hvloop_tcp_server_start(server.get()), 0);
    };
    for round in 1..=10 {
        match round % 2 {
            0 => here.run(reopen),
            _ => reopen(),
        }
        let got = Recorder::new();
        let other = Client::open(&clients, &got, server.port);
        other.send(b"again");
        got.wait_bytes("the echo", b"again");
    }
    client.send(b"still there");
    first.wait_bytes("the echo", b"still there");
    assert_eq!(
        unsafe { hvloop_tcp_server_close_listeners(server.handle) },
        0
    );
    let refused = TcpStream::connect(("127.0.0.1", u16::try_from(server.port).unwrap()));
    assert!(refused.is_err(), "closed at once");
}

/// A stop ends all connections, each once, and the server may be started again, with workers, too.
#[test]
fn stopped_and_started_again() {
    let (here, clients) = (Loop::started(), Loop::started());
    let served = Recorder::with(echo);
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let _open = [
        Client::open(&clients, &got, server.port),
        Client::open(&clients, &got, server.port),
    ];
    served.wait_count("two", 2, Event::is_open);
    assert_eq!(unsafe { hvloop_tcp_server_stop(server.handle) }, 0);
    assert_eq!(unsafe { hvloop_tcp_server_stop(server.handle) }, 0);
    served.wait_count("two ends", 2, Event::is_close);
    got.wait_count("two ends there", 2, Event::is_close);
    let workers = pool(2);
    unsafe {
        assert_eq!(hvloop_tcp_server_set_workers(server.handle, workers), 0);
        assert!(hvloop_tcp_server_socket(server.handle, c"127.0.0.1".as_ptr(), server.port, 0) > 2);
        assert_eq!(hvloop_tcp_server_start(server.handle), 0);
    }
    let again = Recorder::new();
    let client = Client::open(&clients, &again, server.port);
    client.send(b"again");
    again.wait_bytes("the echo", b"again");
    drop(server);
    unsafe { hvloop_pool_free(workers) };
}

/// A listener that was made elsewhere is taken; what does not listen is refused.
#[test]
fn made_elsewhere() {
    let here = Loop::started();
    let served = Recorder::with(echo);
    let server = unsafe { hvloop_tcp_server_new(here.get()) };
    assert_eq!(
        unsafe { hvloop_tcp_server_set_callbacks(server, served.callbacks()) },
        0
    );
    let null_device = std::fs::File::open("/dev/null").unwrap().into_raw_fd();
    assert_eq!(
        unsafe { hvloop_tcp_server_from_fd(server, null_device) },
        IO
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i32::from(listener.local_addr().unwrap().port());
    let fd = listener.into_raw_fd();
    assert_eq!(unsafe { hvloop_tcp_server_from_fd(server, fd) }, fd);
    assert_eq!(unsafe { hvloop_tcp_server_port(server) }, port);
    assert_eq!(unsafe { hvloop_tcp_server_start(server) }, 0);
    let got = Recorder::new();
    let client = Client::open(&here, &got, port);
    client.send(b"a");
    got.wait_bytes("the echo", b"a");
    unsafe { hvloop_tcp_server_free(server) };
}

/// Each connection by its number, all of them, and bytes to all.
#[test]
fn all_connections() {
    let (here, clients) = (Loop::started(), Loop::started());
    let served = Recorder::new();
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let open: Vec<_> = (0..5)
        .map(|_| {
            let client = Client::new(&clients, &got);
            client.socket(server.port);
            client.connect();
            client
        })
        .collect();
    served.wait_count("five", 5, Event::is_open);
    got.wait_count("five there", 5, Event::is_open);
    assert_eq!(unsafe { hvloop_tcp_server_count(server.handle) }, 5);
    unsafe extern "C" fn note(data: *mut c_void, io: *mut hvloop_io) {
        let seen = unsafe { &*data.cast::<Mutex<Vec<u64>>>() };
        seen.lock().unwrap().push(unsafe { hvloop_io_id(io) });
    }
    let seen = Mutex::new(Vec::new());
    let data = (&raw const seen).cast_mut().cast();
    let told = unsafe { hvloop_tcp_server_for_each(server.handle, Some(note), data) };
    assert_eq!(told, 0);
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    for id in seen {
        let io = Kept(unsafe { hvloop_tcp_server_io_by_id(server.handle, id) });
        assert_eq!(unsafe { hvloop_io_id(io.0) }, id);
    }
    let sent = unsafe { hvloop_tcp_server_broadcast(server.handle, b"all".as_ptr().cast(), 3) };
    assert_eq!(sent, 5);
    got.wait_count(
        "all",
        5,
        |e| matches!(e, Event::Message(_, bytes) if bytes == b"all"),
    );
    drop(open);
    served.wait_count("five ends", 5, Event::is_close);
    assert_eq!(unsafe { hvloop_tcp_server_count(server.handle) }, 0);
}

/// More than there may be are turned away.
#[test]
fn too_many() {
    let (here, clients) = (Loop::started(), Loop::started());
    let served = Recorder::new();
    let server = Server::started(&here, &served);
    assert_eq!(
        unsafe { hvloop_tcp_server_set_max_connections(server.handle, 1) },
        0
    );
    let one = Recorder::new();
    let client = Client::open(&clients, &one, server.port);
    served.wait_count("one", 1, Event::is_open);
    let two = Recorder::new();
    let _away = Client::open(&clients, &two, server.port);
    two.wait_count("turned away", 1, Event::is_close);
    assert_eq!(served.count(Event::is_open), 1);
    client.close();
    served.wait_count("the end", 1, Event::is_close);
}

/// Two servers share the workers of one pool; each has its own callbacks, on the pool's threads.
#[test]
fn two_servers_on_one_pool() {
    let (here, clients) = (Loop::started(), Loop::started());
    let workers = pool(2);
    let mut servers = Vec::new();
    let threads = std::sync::Arc::new(Mutex::new(Vec::<ThreadId>::new()));
    for _ in 0..2 {
        let seen = threads.clone();
        let served = Recorder::with(move |event, io| {
            echo(event, io);
            seen.lock().unwrap().push(std::thread::current().id());
        });
        let handle = unsafe { hvloop_tcp_server_new(here.get()) };
        unsafe {
            assert_eq!(
                hvloop_tcp_server_set_callbacks(handle, served.callbacks()),
                0
            );
            assert_eq!(hvloop_tcp_server_set_workers(handle, workers), 0);
            assert_eq!(hvloop_tcp_server_set_balance(handle, 0), 0);
            assert!(hvloop_tcp_server_socket(handle, c"127.0.0.1".as_ptr(), 0, 0) > 2);
            assert_eq!(hvloop_tcp_server_start(handle), 0);
        }
        let port = unsafe { hvloop_tcp_server_port(handle) };
        servers.push((Server { handle, port }, served));
    }
    for round in 0..4 {
        for (number, (server, _)) in servers.iter().enumerate() {
            let got = Recorder::new();
            let client = Client::open(&clients, &got, server.port);
            let text = format!("{round} {number}");
            client.send(text.as_bytes());
            got.wait_bytes("the echo", text.as_bytes());
        }
    }
    for (_, served) in &servers {
        served.wait_count("four", 4, Event::is_open);
    }
    let acceptor = here.run(|| std::thread::current().id());
    let mut threads = threads.lock().unwrap().clone();
    threads.dedup();
    assert!(!threads.contains(&acceptor));
    threads.sort_by_key(|id| format!("{id:?}"));
    threads.dedup();
    assert_eq!(threads.len(), 2);
    drop(servers);
    unsafe { hvloop_pool_free(workers) };
}

/// A connection goes to another loop, with its callbacks, and is the same handle there.
#[test]
fn moved_to_another_loop() {
    let (here, there, clients) = (Loop::started(), Loop::started(), Loop::started());
    let at = there.get() as usize;
    let threads = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = threads.clone();
    let served = Recorder::with(move |event, io| {
        let thread = std::thread::current().id();
        seen.lock().unwrap().push((thread, io as usize));
        match event {
            Event::Open(_) => {
                let to = std::ptr::with_exposed_provenance::<hvloop_loop>(at);
                assert_eq!(unsafe { hvloop_io_move_to(io, to) }, 0);
            }
            _ => echo(event, io),
        }
    });
    let _ = there.get().expose_provenance();
    let server = Server::started(&here, &served);
    let got = Recorder::new();
    let client = Client::open(&clients, &got, server.port);
    served.wait_count("the open there", 1, Event::is_open);
    let Event::Open(id) = served.events()[0] else {
        panic!("{:?}", served.events())
    };
    let io = Kept(unsafe { hvloop_tcp_server_io_by_id(server.handle, id) });
    wait_for("the move", || {
        let its_loop = unsafe { hvloop_io_loop(io.0) };
        unsafe { hvloop_loop_release(its_loop) };
        its_loop == there.get()
    });
    client.send(b"moved");
    got.wait_bytes("the echo", b"moved");
    client.close();
    served.wait_count("the end", 1, Event::is_close);
    let (first, second) = (
        here.run(|| std::thread::current().id()),
        there.run(|| std::thread::current().id()),
    );
    let threads = threads.lock().unwrap().clone();
    assert_eq!(threads[0].0, first);
    let moved = threads[1..].iter().all(|(thread, _)| *thread == second);
    assert!(moved, "{threads:?} {second:?} {:?}", served.events());
    assert!(threads.iter().all(|(_, handle)| *handle == io.0 as usize));
}
