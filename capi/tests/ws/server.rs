//! The server: routes, HTTP, topics, workers.

use crate::support::*;
use hvloop_capi::http_response::*;
use hvloop_capi::io::common::*;
use hvloop_capi::io::hvloop_io;
use hvloop_capi::pool::*;
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::client_options::*;
use hvloop_capi::ws::connection::*;
use hvloop_capi::ws::server::*;
use hvloop_capi::ws::server_settings::*;
use hvloop_capi::ws::service::*;
use hvloop_test_support::{DEADLINE, Monitor};
use std::ffi::c_void;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::ptr;

/// What a server answers to these bytes.
fn ask(port: u16, request: &str) -> String {
    let mut peer = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    peer.set_read_timeout(Some(DEADLINE)).expect("a time-out");
    peer.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    peer.read_to_string(&mut answer).expect("an answer");
    answer
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Ask: yes\r\nConnection: close\r\n\r\n")
}

#[test]
fn two_routes_and_http() {
    let thread = Thread::start();
    let named = |name: &'static str| {
        Record::with(move |seen, io| {
            if *seen == Seen::Open {
                unsafe { hvloop_ws_send(io, 1, name.as_ptr().cast(), name.len()) };
            }
        })
    };
    let (chat, rest) = (named("chat"), named("rest"));
    let server = Server::idle(thread.event_loop, &chat);
    server.route("/chat");
    let other = Server::idle(thread.event_loop, &rest);
    unsafe {
        let routed = hvloop_ws_server_route(server.server, c"/*".as_ptr(), other.service);
        assert_eq!(routed, 0);
        assert_eq!(hvloop_ws_server_start(server.server), -5);
        assert_eq!(hvloop_ws_server_port(server.server), -11);
    }
    server.listen();
    for (path, name) in [("/chat", "chat"), ("/chat/2", "rest"), ("/", "rest")] {
        let record = Record::new();
        let client = Client::new(thread.event_loop, &record);
        client.open(&server.url_at(path));
        record.wait_message(name.as_bytes());
    }
    // By default what is no upgrade is told so.
    assert!(ask(server.port(), &get("/")).starts_with("HTTP/1.1 426 "));
    let answers = http(|request, answer| {
        use hvloop_capi::http_request::*;
        use hvloop_capi::http_response::*;
        let path = unsafe { string(hvloop_http_request_path(request)) };
        if path != "/api" {
            return 1;
        }
        let count = unsafe { hvloop_http_request_header_count(request) };
        let mut text = unsafe { string(hvloop_http_request_method(request)) };
        for n in 0..count as usize {
            let (mut name, mut value) = (ptr::null(), ptr::null());
            let got =
                unsafe { hvloop_http_request_header(request, n, &raw mut name, &raw mut value) };
            assert_eq!(got, 0);
            text.push_str(&format!(" {}={}", string(name), string(value)));
        }
        let (mut name, none) = (ptr::null(), ptr::null_mut());
        let got =
            unsafe { hvloop_http_request_header(request, count as usize, &raw mut name, none) };
        assert_eq!(got, -3);
        assert!(unsafe { hvloop_http_request_query(request) }.is_null());
        let mut size = 7;
        assert!(!unsafe { hvloop_http_request_body(request, &raw mut size) }.is_null());
        assert_eq!(size, 0);
        add_header(answer, "Content-Type", "text/plain");
        set_body(answer, &text);
        let set = unsafe { hvloop_http_response_set_status(answer, 202) };
        assert_eq!(set, 0);
        0
    });
    unsafe { assert_eq!(hvloop_ws_server_on_http(server.server, answers), 0) };
    let answer = ask(server.port(), &get("/api"));
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nContent-Type: text/plain\r\n"),
        "{answer}"
    );
    assert!(
        answer.ends_with("GET host=x x-ask=yes connection=close"),
        "{answer}"
    );
    assert!(ask(server.port(), &get("/else")).starts_with("HTTP/1.1 404 "));
    // Another one takes its place.
    let all = http(|_, _| 0);
    unsafe { assert_eq!(hvloop_ws_server_on_http(server.server, all), 0) };
    assert!(ask(server.port(), &get("/else")).starts_with("HTTP/1.1 200 "));
}

#[test]
fn requests_with_bodies_one_after_another() {
    let thread = Thread::start();
    let server = Server::idle(thread.event_loop, &Record::new());
    unsafe {
        assert_eq!(hvloop_ws_server_set_max_body_size(server.server, 8), 0);
        assert_eq!(hvloop_ws_server_set_keep_alive(server.server, 60_000), 0);
        assert_eq!(hvloop_ws_server_set_keep_alive(server.server, -2), -3);
    }
    let peer = Monitor::new(Vec::new());
    let p = peer.clone();
    let answers = http(move |request, answer| {
        use hvloop_capi::http_request::*;
        let mut size = 0;
        let start = unsafe { hvloop_http_request_body(request, &raw mut size) };
        let set = unsafe { hvloop_http_response_set_body(answer, start, size) };
        assert_eq!(set, 0);
        let mut text = [0; 64];
        let length = unsafe { hvloop_http_request_peer_text(request, text.as_mut_ptr(), 64) };
        p.update(|peer| peer.push((string(text.as_ptr()), length as usize)));
        let (mut storage, mut length) = ([0_u64; 16], 128);
        let place = (&raw mut storage).cast();
        let put = unsafe { hvloop_http_request_peer(request, place, &raw mut length) };
        assert_eq!((put, length), (0, 16));
        0
    });
    unsafe { assert_eq!(hvloop_ws_server_on_http(server.server, answers), 0) };
    server.listen();
    let post = |length: usize, body: &str, end: &str| {
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{end}\r\n{body}")
    };
    let both = post(3, "one", "") + &post(6, "second", "Connection: close\r\n");
    let answer = ask(server.port(), &both);
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    let one = answer.find("one").expect("the first");
    assert!(answer.find("second").is_some_and(|second| second > one));
    assert!(ask(server.port(), &post(9, "", "")).starts_with("HTTP/1.1 413 "));
    peer.read(|peer| {
        assert_eq!(peer.len(), 2);
        let (text, length) = &peer[0];
        assert!(
            text.starts_with("127.0.0.1:") && text.len() == *length,
            "{text}"
        );
    });
    // Without keep-alive each is the last.
    unsafe { assert_eq!(hvloop_ws_server_set_keep_alive(server.server, 0), 0) };
    let answer = ask(server.port(), &post(3, "one", ""));
    assert!(answer.contains("Connection: close"), "{answer}");
}

#[test]
fn server_freed_while_it_answers() {
    let thread = Thread::start();
    let place = Monitor::new(None::<Shared<hvloop_ws_server>>);
    let p = place.clone();
    let dropped = std::sync::Arc::new(());
    let d = dropped.clone();
    let answers = http(move |_, answer| {
        let _ = &d;
        let server = p.update(Option::take).expect("once").get();
        unsafe { hvloop_ws_server_free(server) };
        set_body(answer, "the last words");
        0
    });
    let served = Record::new();
    let server = std::mem::ManuallyDrop::new(Server::start(thread.event_loop, &served));
    unsafe { assert_eq!(hvloop_ws_server_on_http(server.server, answers), 0) };
    place.update(|place| *place = Some(Shared(server.server)));
    let port = server.port();
    // Of an ended server: in whole, or not at all.
    let answer = ask(port, &get("/"));
    assert!(
        answer.is_empty() || answer.ends_with("the last words"),
        "{answer}"
    );
    let gone = || std::sync::Arc::strong_count(&dropped) == 1;
    assert!(hvloop_test_support::wait_for(30, gone));
    unsafe { hvloop_ws_service_free(server.service) };
    served.wait_dropped();
}

#[test]
fn what_cannot_be_sent_is_an_error() {
    let thread = Thread::start();
    let server = Server::start(thread.event_loop, &Record::new());
    let answers = http(|_, answer| {
        use hvloop_capi::http_response::*;
        unsafe {
            let add = |name: &std::ffi::CStr, value: &std::ffi::CStr| {
                hvloop_http_response_add_header(answer, name.as_ptr(), value.as_ptr())
            };
            assert_eq!(add(c"a b", c"x"), -3);
            assert_eq!(add(c"a", c"x\r\ny"), -3);
            assert_eq!(add(c"Content-Length", c"7"), -3);
            assert_eq!(add(c"A", c"\xff"), -3);
            assert_eq!(hvloop_http_response_set_status(answer, 101), -3);
            assert_eq!(hvloop_http_response_set_status(answer, 1000), -3);
            // It may be added, as an upgrade has it; here it has no place.
            assert_eq!(add(c"Sec-WebSocket-Protocol", c"x"), 0);
        }
        0
    });
    unsafe { assert_eq!(hvloop_ws_server_on_http(server.server, answers), 0) };
    assert!(ask(server.port(), &get("/")).starts_with("HTTP/1.1 500 "));
}

#[test]
fn topics_and_broadcasts() {
    let pool = unsafe { hvloop_pool_new(2, ptr::null()) };
    let none = hvloop_pool_hook {
        call: None,
        drop: None,
        data: ptr::null_mut(),
    };
    unsafe { assert_eq!(hvloop_pool_start(pool, none, none), 0) };
    let thread = Thread::start();
    let served = Record::with(|seen, io| {
        if let Seen::Message(_, bytes) = seen {
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            let (what, topic) = text.split_once(' ').expect("two words");
            let topic = c(topic);
            let done = match what {
                "sub" => i64::from(unsafe { hvloop_ws_subscribe(io, topic.as_ptr()) }),
                "un" => i64::from(unsafe { hvloop_ws_unsubscribe(io, topic.as_ptr()) }),
                _ => unsafe {
                    hvloop_ws_publish(io, topic.as_ptr(), 2, b"\x01\x02".as_ptr().cast(), 2)
                },
            };
            let told = format!("{what} {done}");
            unsafe { hvloop_ws_send(io, 1, told.as_ptr().cast(), told.len()) };
        }
    });
    let server = Server::idle(thread.event_loop, &served);
    server.route("/*");
    unsafe {
        assert_eq!(hvloop_ws_server_set_workers(server.server, pool), 0);
        assert_eq!(hvloop_ws_server_set_balance(server.server, 0), 0);
        assert_eq!(hvloop_ws_server_set_balance(server.server, 7), -3);
    }
    server.listen();
    unsafe { assert_eq!(hvloop_ws_server_set_workers(server.server, pool), -5) };
    let records: Vec<_> = (0..4).map(|_| Record::new()).collect();
    let clients: Vec<_> = records
        .iter()
        .map(|record| {
            let client = Client::new(thread.event_loop, record);
            client.open(&server.url());
            record.wait_open();
            client
        })
        .collect();
    for (client, record) in clients.iter().zip(&records).take(3) {
        client.send("sub a");
        record.wait_message(b"sub 0");
    }
    clients[2].send("un a");
    records[2].wait_message(b"un 0");
    clients[2].send("un b");
    records[2].wait_message(b"un -11");
    let publish = |topic: &std::ffi::CStr, text: &str| unsafe {
        let (start, size) = (text.as_ptr().cast(), text.len());
        hvloop_ws_server_publish(server.server, topic.as_ptr(), 1, start, size)
    };
    assert_eq!(publish(c"a", "news"), 2);
    assert_eq!(publish(c"nobody", "news"), 0);
    records[0].wait_message(b"news");
    records[1].wait_message(b"news");
    clients[0].send("pub a");
    records[0].wait_message(b"pub 1");
    records[1].wait_message(b"\x01\x02");
    let sent = unsafe { hvloop_ws_server_broadcast(server.server, 1, b"all".as_ptr().cast(), 3) };
    assert_eq!(sent, 4);
    for record in &records {
        record.wait_message(b"all");
    }
    let has = |n: usize, message: &[u8]| {
        let all = records[n].all();
        all.iter()
            .any(|seen| matches!(seen, Seen::Message(_, bytes) if bytes == message))
    };
    assert!(!has(2, b"news") && !has(3, b"news") && !has(0, b"\x01\x02"));
    unsafe { assert_eq!(hvloop_ws_server_count(server.server), 4) };
    each_has_a_number(&server);
    drop(clients);
    served.wait("all ends", |seen| count_closes(seen) == 4);
    drop(server);
    unsafe { hvloop_pool_free(pool) };
}

fn each_has_a_number(server: &Server) {
    unsafe extern "C" fn note(data: *mut c_void, io: *mut hvloop_io) {
        let ids = unsafe { &mut *data.cast::<Vec<u64>>() };
        ids.push(unsafe { hvloop_io_id(io) });
    }
    let mut ids = Vec::<u64>::new();
    let place = (&raw mut ids).cast();
    unsafe {
        assert_eq!(
            hvloop_ws_server_for_each(server.server, Some(note), place),
            0
        )
    };
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    for id in ids {
        let io = unsafe { hvloop_ws_server_io_by_id(server.server, id) };
        unsafe {
            assert_eq!(hvloop_io_id(io), id);
            hvloop_io_release(io);
        }
    }
    unsafe {
        assert!(hvloop_ws_server_io_by_id(server.server, 1 << 60).is_null());
        assert_eq!(
            hvloop_ws_server_for_each(server.server, None, ptr::null_mut()),
            -1
        );
    }
}

#[test]
fn max_connections_turns_away() {
    let thread = Thread::start();
    let server = Server::start(thread.event_loop, &Record::new());
    unsafe { assert_eq!(hvloop_ws_server_set_max_connections(server.server, 1), 0) };
    let (first, second) = (Record::new(), Record::new());
    let one = Client::new(thread.event_loop, &first);
    one.open(&server.url());
    first.wait_open();
    let two = Client::new(thread.event_loop, &second);
    two.open(&server.url());
    let closed = second.wait_close();
    assert!(
        matches!(closed, Seen::Close { had_io: false, .. }),
        "{closed:?}"
    );
}

#[test]
fn stop_ends_connections_and_start_may_follow() {
    let thread = Thread::start();
    let served = Record::new();
    let server = Server::start(thread.event_loop, &served);
    let port = server.port();
    for round in 1..=3 {
        let record = Record::new();
        let client = Client::new(thread.event_loop, &record);
        client.open(&server.url());
        record.wait_open();
        unsafe { assert_eq!(hvloop_ws_server_stop(server.server), 0) };
        let Seen::Close { code, .. } = record.wait_close() else {
            unreachable!()
        };
        assert_eq!(code, 1001);
        served.wait("an end", |seen| count_closes(seen) == round);
        // The same port, at once.
        unsafe {
            let fd =
                hvloop_ws_server_socket(server.server, c"127.0.0.1".as_ptr(), i32::from(port), 0);
            assert!(fd > 2, "{}", last_error());
            assert_eq!(hvloop_ws_server_start(server.server), 0);
        }
        assert_eq!(server.port(), port);
    }
}

#[test]
fn closed_listeners_keep_their_connections() {
    let thread = Thread::start();
    let served = Record::echo();
    let server = Server::start(thread.event_loop, &served);
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    unsafe { assert_eq!(hvloop_ws_server_close_listeners(server.server), 0) };
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    client.send("still");
    record.wait_message(b"still");
}

#[test]
fn listeners_made_elsewhere_and_unix_sockets() {
    let thread = Thread::start();
    let server = Server::idle(thread.event_loop, &Record::echo());
    server.route("/*");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let fd = listener.into_raw_fd();
    unsafe {
        assert_eq!(hvloop_ws_server_from_fd(server.server, -1), -3);
        assert_eq!(hvloop_ws_server_from_fd(server.server, fd), fd);
        assert_eq!(hvloop_ws_server_port(server.server), i32::from(port));
        let stdin = std::io::stdin();
        let other = std::os::fd::AsFd::as_fd(&stdin)
            .try_clone_to_owned()
            .expect("a copy");
        assert!(hvloop_ws_server_from_fd(server.server, other.into_raw_fd()) < 0);
        let taken =
            hvloop_ws_server_socket(server.server, c"127.0.0.1".as_ptr(), i32::from(port), 0);
        assert_eq!(taken, -8);
        let bad = hvloop_ws_server_socket(server.server, c"127.0.0.1".as_ptr(), 65536, 0);
        assert_eq!(bad, -3);
        let nobody = hvloop_ws_server_socket(server.server, c"no.such.host.invalid".as_ptr(), 0, 0);
        assert!(nobody < 0);
    }
    let folder = std::env::temp_dir().join(format!("hvloop-capi-unix-{}", std::process::id()));
    let path = c(folder.to_str().expect("UTF-8"));
    unsafe {
        assert!(hvloop_ws_server_socket(server.server, path.as_ptr(), -1, 0) > 2);
        assert_eq!(hvloop_ws_server_port(server.server), 0);
        assert_eq!(hvloop_ws_server_start(server.server), 0);
    }
    for url in [
        format!("ws://127.0.0.1:{port}/"),
        format!("ws+unix:{}:/", path.to_str().expect("UTF-8")),
    ] {
        let record = Record::new();
        let client = Client::new(thread.event_loop, &record);
        client.open(&c(&url));
        record.wait_open();
        client.send("here");
        record.wait_message(b"here");
    }
}

#[test]
fn a_send_queue_that_is_full() {
    let thread = Thread::start();
    let drained = Monitor::new(0_usize);
    let d = drained.clone();
    let served = Record::with(|seen, io| {
        if *seen == Seen::Open {
            unsafe { assert_eq!(hvloop_io_pause_reading(io), 0) };
        }
    });
    let server = Server::start(thread.event_loop, &served);
    let record = Record::with(move |seen, _| {
        if *seen == Seen::Drain {
            d.update(|drained| *drained += 1);
        }
    });
    let client = Client::new(ptr::null(), &record);
    let limit = 256 * 1024;
    unsafe {
        let set = hvloop_ws_client_set_send_limit(client.0, limit);
        assert_eq!(set, 0);
    }
    client.open(&server.url());
    record.wait_open();
    served.wait_open();
    let block = vec![7_u8; 64 * 1024];
    let mut sent = 0_usize;
    let full = loop {
        let taken =
            unsafe { hvloop_ws_client_send(client.0, 2, block.as_ptr().cast(), block.len()) };
        match taken {
            0.. => sent += block.len(),
            failed => break failed,
        }
        assert!(sent < 1 << 30, "never full");
    };
    assert_eq!(full, -7, "{}", last_error());
    assert!(unsafe { hvloop_ws_client_buffered(client.0) } > 0);
    unsafe extern "C" fn resume(_: *mut c_void, io: *mut hvloop_io) {
        unsafe { assert_eq!(hvloop_io_resume_reading(io), 0) };
    }
    unsafe {
        let resumed = hvloop_ws_server_for_each(server.server, Some(resume), ptr::null_mut());
        assert_eq!(resumed, 0);
    }
    assert!(drained.wait(DEADLINE, |drained| *drained > 0));
    client.close();
    let Seen::Close { code, error, .. } = record.wait_close() else {
        unreachable!()
    };
    assert_eq!((code, error), (1000, 0));
    let bytes: usize = served
        .all()
        .iter()
        .map(|seen| match seen {
            Seen::Message(_, bytes) => bytes.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(bytes, sent);
}
