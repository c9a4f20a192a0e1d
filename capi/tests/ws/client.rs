//! The client, against the server of the same ABI.

use crate::support::*;
use hvloop_capi::http_response::*;
use hvloop_capi::io::common::*;
use hvloop_capi::reconnect::{HVLOOP_ENDLESS, hvloop_reconnect};
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::client_options::*;
use hvloop_capi::ws::connection::*;
use hvloop_capi::ws::service::*;
use hvloop_test_support::{DEADLINE, Monitor, ScriptServer, Tls, opcode, refuse_port};
use std::ptr;
use std::time::Duration;

pub fn policy(ms: u32) -> hvloop_reconnect {
    hvloop_reconnect {
        min_delay_ms: ms,
        max_delay_ms: ms,
        delay_policy: 0,
        max_retries: HVLOOP_ENDLESS,
        jitter: 0.0,
    }
}

fn echo_both_ways(transport: Transport) {
    let net = Net::new(transport);
    let thread = Thread::start();
    let served = Record::echo();
    let server = Server::start_with(&net, thread.event_loop, &served);
    let record = Record::new();
    let client = Client::with(&net, ptr::null(), &record);
    client.open(&server.url());
    record.wait_open();
    client.send("tëxt");
    let bytes = [0_u8, 255, 7];
    let sent = unsafe { hvloop_ws_client_send(client.0, 2, bytes.as_ptr().cast(), 3) };
    assert_eq!(sent, 3);
    record.wait_message(&bytes);
    let messages = [
        Seen::Message(1, "tëxt".into()),
        Seen::Message(2, bytes.to_vec()),
    ];
    assert_eq!(record.all()[1..], messages);
    assert_eq!(served.all()[1..], messages);
    client.close();
    let closed = record.wait_close();
    let good = Seen::Close {
        had_io: true,
        code: 1000,
        reason: String::new(),
        error: 0,
        text: "1000".to_owned(),
    };
    assert_eq!(closed, good);
    assert_eq!(served.wait_close(), good);
}

#[test]
fn echo_ws() {
    echo_both_ways(Transport::Ws);
}

#[test]
fn echo_wss() {
    echo_both_ways(Transport::Wss);
}

#[test]
fn a_connection_is_one_handle() {
    let thread = Thread::start();
    let served = Record::new();
    let server = Server::start(thread.event_loop, &served);
    let kept = Monitor::new(Vec::new());
    let k = kept.clone();
    let record = Record::with(move |_, io| {
        if !io.is_null() {
            k.update(|kept| kept.push(retained(io)));
        }
    });
    let client = Client::new(thread.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    let io = unsafe { hvloop_ws_client_io(client.0) };
    unsafe {
        assert_eq!(
            hvloop_io_kind_of(io),
            hvloop_capi::io::hvloop_io_kind::Websocket as i32
        );
        assert!(hvloop_io_fd(io) > 2 && hvloop_io_id(io) > 0);
        assert_eq!(hvloop_io_is_open(io), 1);
        let mut text = [0; 64];
        let length = hvloop_io_peer_text(io, text.as_mut_ptr(), text.len());
        assert_eq!(string(text.as_ptr()).len() as i32, length);
        assert!(string(text.as_ptr()).ends_with(&format!(":{}", server.port())));
        assert_eq!(hvloop_ws_send(io, 1, b"hi".as_ptr().cast(), 2), 2);
        assert_eq!(hvloop_ws_ping(io), 0);
        assert_eq!(hvloop_ws_state_of(io), hvloop_ws_state::Open as i32);
    }
    served.wait_message(b"hi");
    client.close();
    record.wait_close();
    client.wait_state(hvloop_ws_state::Closed);
    unsafe {
        assert_eq!(hvloop_io_is_open(io), 0);
        assert_eq!(hvloop_ws_state_of(io), hvloop_ws_state::Closed as i32);
        assert_eq!(hvloop_ws_send(io, 1, b"hi".as_ptr().cast(), 2), -6);
        assert_eq!(hvloop_ws_close(io, 1000, ptr::null()), 0);
        assert!(hvloop_ws_client_io(client.0).is_null());
        let mut others = 0;
        kept.read(|kept| {
            for other in kept {
                others += usize::from(other.get() != io);
            }
        });
        assert_eq!(others, 0);
        kept.update(|kept| kept.drain(..).for_each(|io| hvloop_io_release(io.get())));
        hvloop_io_release(io);
    }
}

#[test]
fn refused_upgrade_with_its_body() {
    let thread = Thread::start();
    let served = Record::new();
    let server = Server::start(thread.event_loop, &served);
    let refuse = http(|request, answer| {
        assert_eq!(header_of(request, "X-Who").as_deref(), Some("me"));
        unsafe { assert_eq!(hvloop_http_response_set_status(answer, 401), 0) };
        add_header(answer, "X-Why", "because");
        set_body(answer, "who are you?");
        1
    });
    unsafe { assert_eq!(hvloop_ws_service_on_upgrade(server.service, refuse), 0) };
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    unsafe {
        let set = hvloop_ws_client_set_header(client.0, c"X-Who".as_ptr(), c"me".as_ptr());
        assert_eq!(set, 0);
        assert!(hvloop_ws_client_response(client.0).is_null());
    }
    client.open(&server.url());
    let Seen::Close {
        had_io,
        code,
        error,
        text,
        ..
    } = record.wait_close()
    else {
        unreachable!()
    };
    assert!(
        !had_io && code == 1006 && error == libc_econnrefused(),
        "{error} {text}"
    );
    assert!(text.contains("401"), "{text}");
    let response = unsafe { hvloop_ws_client_response(client.0) };
    assert_eq!(unsafe { hvloop_http_response_status(response) }, 401);
    assert_eq!(header_in(response, "x-why").as_deref(), Some("because"));
    assert_eq!(body_of(response), "who are you?");
    unsafe { hvloop_http_response_free(response) };
    assert_eq!(served.all(), []);
    assert_eq!(record.closes(), 1);
}

fn libc_econnrefused() -> i32 {
    std::io::Error::from(std::io::ErrorKind::ConnectionRefused)
        .raw_os_error()
        .unwrap_or(if cfg!(target_os = "linux") { 111 } else { 61 })
}

#[test]
fn a_url_that_is_none_begins_nothing() {
    let record = Record::new();
    let client = Client::new(ptr::null(), &record);
    for url in ["", "http://localhost/", "ws://", "ws://h/#f", "localhost"] {
        let url = c(url);
        let opened = unsafe { hvloop_ws_client_open(client.0, url.as_ptr()) };
        assert_eq!(opened, -3, "{url:?}");
        assert!(last_error().contains("URL"), "{}", last_error());
        assert_eq!(client.state(), 0);
    }
    assert_eq!(record.all(), []);
    drop(client);
    record.wait_dropped();
}

#[test]
fn nobody_listens() {
    let thread = Thread::start();
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&c(&format!("ws://{}/", refuse_port())));
    let closed = record.wait_close();
    let Seen::Close { had_io, error, .. } = closed else {
        unreachable!()
    };
    assert!(!had_io && error == libc_econnrefused());
}

#[test]
fn headers_and_subprotocols() {
    let thread = Thread::start();
    let told = Monitor::new(Vec::new());
    let t = told.clone();
    let served = Record::with_heads(move |seen, io, request, response| {
        if *seen == Seen::Open {
            assert!(response.is_null());
            let mut name = [0; 32];
            let length = unsafe { hvloop_ws_subprotocol(io, name.as_mut_ptr(), name.len()) };
            assert_eq!(length, 4);
            t.update(|told| {
                told.push(header_of(request, "X-A"));
                told.push(header_of(request, "X-B"));
                told.push(header_of(request, "Cookie"));
                told.push(Some(string(name.as_ptr())));
            });
        }
    });
    let server = Server::start(thread.event_loop, &served);
    let accept = http(|request, answer| {
        use hvloop_capi::http_request::*;
        unsafe {
            assert_eq!(string(hvloop_http_request_method(request)), "GET");
            assert_eq!(string(hvloop_http_request_path(request)), "/a%20b");
            assert_eq!(string(hvloop_http_request_query(request)), "c=d");
        }
        add_header(answer, "Set-Cookie", "e=f");
        0
    });
    unsafe {
        assert_eq!(hvloop_ws_service_on_upgrade(server.service, accept), 0);
        for name in [c"new1", c"old1"] {
            assert_eq!(
                hvloop_ws_service_add_subprotocol(server.service, name.as_ptr()),
                0
            );
        }
    }
    let record = Record::with_heads(|seen, _, request, response| {
        if *seen == Seen::Open {
            assert!(request.is_null());
            assert_eq!(unsafe { hvloop_http_response_status(response) }, 101);
            assert_eq!(header_in(response, "set-cookie").as_deref(), Some("e=f"));
            let chosen = header_in(response, "Sec-WebSocket-Protocol");
            assert_eq!(chosen.as_deref(), Some("new1"));
        }
    });
    let client = Client::new(thread.event_loop, &record);
    unsafe {
        for (name, value) in [
            (c"X-A", c"1"),
            (c"X-B", c"2"),
            (c"x-a", c"3"),
            (c"Cookie", c"g=h"),
        ] {
            let set = hvloop_ws_client_set_header(client.0, name.as_ptr(), value.as_ptr());
            assert_eq!(set, 0);
        }
        assert_eq!(
            hvloop_ws_client_set_header(client.0, c"x-b".as_ptr(), ptr::null()),
            0
        );
        let list = c"old1, new1";
        assert_eq!(
            hvloop_ws_client_set_subprotocols(client.0, list.as_ptr()),
            0
        );
    }
    client.open(&server.url_at("/a%20b?c=d"));
    record.wait_open();
    served.wait_open();
    told.read(|told| {
        let told: Vec<_> = told.iter().map(Option::as_deref).collect();
        assert_eq!(told, [Some("3"), None, Some("g=h"), Some("new1")]);
    });
    unsafe {
        assert_eq!(hvloop_ws_client_clear_headers(client.0), 0);
        assert_eq!(hvloop_ws_client_set_subprotocols(client.0, ptr::null()), 0);
    }
}

#[test]
fn an_oversize_message_is_refused() {
    let thread = Thread::start();
    let served = Record::new();
    let server = Server::idle(thread.event_loop, &served);
    unsafe { assert_eq!(hvloop_ws_service_set_max_message_size(server.service, 4), 0) };
    server.route("/*");
    server.listen();
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    client.send("four");
    served.wait_message(b"four");
    client.send("five!");
    let Seen::Close { code, error, .. } = record.wait_close() else {
        unreachable!()
    };
    assert_eq!((code, error), (1009, 0));
    let Seen::Close { code, error, .. } = served.wait_close() else {
        unreachable!()
    };
    assert!(code == 1009 || code == 1006, "{code}");
    assert_ne!(error, 0);
}

#[test]
fn close_codes_and_reasons() {
    let thread = Thread::start();
    let served = Record::with(|seen, io| {
        if let Seen::Message(..) = seen {
            unsafe {
                assert_eq!(hvloop_ws_close(io, 999, ptr::null()), -3);
                assert_eq!(hvloop_ws_close(io, 70000, ptr::null()), -3);
                assert_eq!(hvloop_ws_close(io, 4001, c"enough".as_ptr()), 0);
            }
        }
    });
    let server = Server::start(thread.event_loop, &served);
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    client.send("close");
    let closed = record.wait_close();
    let Seen::Close { code, reason, .. } = &closed else {
        unreachable!()
    };
    assert_eq!((*code, reason.as_str()), (4001, "enough"));
    let closed = unsafe { hvloop_ws_client_close(client.0, 1, ptr::null()) };
    assert_eq!(closed, -3);
}

#[test]
fn reconnects_until_it_is_told_not_to() {
    let thread = Thread::start();
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    let (soon, late) = (policy(1), policy(3_600_000));
    unsafe { assert_eq!(hvloop_ws_client_set_reconnect(client.0, &raw const soon), 0) };
    client.open(&c(&format!("ws://{}/", refuse_port())));
    record.wait("three attempts", |seen| count_closes(seen) >= 3);
    unsafe { assert_eq!(hvloop_ws_client_set_reconnect(client.0, &raw const late), 0) };
    client.wait_state(hvloop_ws_state::BackingOff);
    let waits = || unsafe { hvloop_ws_client_next_delay(client.0) } > 1000;
    assert!(hvloop_test_support::wait_for(30, waits));
    assert!(unsafe { hvloop_ws_client_retries(client.0) } >= 3);
    let closes = record.closes();
    unsafe { assert_eq!(hvloop_ws_client_set_reconnect(client.0, ptr::null()), 0) };
    client.wait_state(hvloop_ws_state::Closed);
    assert_eq!(record.closes(), closes, "each attempt has had its own");
    // And it can be opened again.
    client.open(&c(&format!("ws://{}/", refuse_port())));
    record.wait("the last attempt", |seen| count_closes(seen) == closes + 1);
    client.wait_state(hvloop_ws_state::Closed);
    assert_eq!(unsafe { hvloop_ws_client_next_delay(client.0) }, -1);
}

#[test]
fn a_policy_that_comes_later_holds_at_once() {
    let thread = Thread::start();
    let served = Record::new();
    let server = Server::start(thread.event_loop, &served);
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&server.url());
    record.wait_open();
    let soon = policy(1);
    unsafe { assert_eq!(hvloop_ws_client_set_reconnect(client.0, &raw const soon), 0) };
    let io = unsafe { hvloop_ws_client_io(client.0) };
    unsafe {
        assert_eq!(hvloop_ws_close(io, 1000, ptr::null()), 0);
        hvloop_io_release(io);
    }
    let opens = |seen: &[Seen]| seen.iter().filter(|seen| **seen == Seen::Open).count();
    record.wait("another session", |seen| opens(seen) == 2);
    // The client's own close is the end.
    client.close();
    client.wait_state(hvloop_ws_state::Closed);
    record.wait("both ends", |seen| count_closes(seen) == 2);
}

#[test]
fn stop_of_the_loop_says_goodbye() {
    let (here, there) = (Thread::start(), Thread::start());
    let served = Record::new();
    let server = Server::start(there.event_loop, &served);
    let record = Record::new();
    let clients: Vec<_> = (0..3)
        .map(|_| Client::new(here.event_loop, &record))
        .collect();
    for client in &clients {
        client.open(&server.url());
    }
    let opens = |seen: &[Seen]| seen.iter().filter(|seen| **seen == Seen::Open).count();
    served.wait("three", |seen| opens(seen) == 3);
    record.wait("three", |seen| opens(seen) == 3);
    here.stop();
    assert_eq!(record.closes(), 3);
    served.wait("three ends", |seen| count_closes(seen) == 3);
    for seen in served.all() {
        if let Seen::Close { code, error, .. } = seen {
            assert_eq!((code, error), (1001, 0));
        }
    }
    let url = server.url();
    let opened = unsafe { hvloop_ws_client_open(clients[0].0, url.as_ptr()) };
    assert_eq!(opened, -4, "{}", last_error());
}

#[test]
fn stop_and_join() {
    let thread = Thread::start();
    let served = Record::new();
    let server = Server::start(thread.event_loop, &served);
    let joined = Monitor::new(Vec::new());
    let place = Monitor::new(None::<Shared<hvloop_ws_client>>);
    let (j, p) = (joined.clone(), place.clone());
    let record = Record::with(move |seen, _| {
        let client = p.read(|place| *place).expect("it is there").get();
        if *seen == Seen::Open {
            // In its own callback: stop does not wait, join says that it would for ever.
            let (stopped, waited) = unsafe {
                (
                    hvloop_ws_client_stop(client),
                    hvloop_ws_client_join(client, ptr::null_mut()),
                )
            };
            j.update(|joined| joined.extend([stopped, waited]));
        }
    });
    let client = Client::new(ptr::null(), &record);
    place.update(|place| *place = Some(client.shared()));
    unsafe { assert_eq!(hvloop_ws_client_join(client.0, ptr::null_mut()), -5) };
    client.open(&server.url());
    record.wait_close();
    joined.read(|joined| assert_eq!(joined[..], [0, -12]));
    let mut report = hvloop_capi::report::hvloop_report::default();
    unsafe { assert_eq!(hvloop_ws_client_join(client.0, &raw mut report), 0) };
    assert_eq!((report.clean, report.closed_cleanly), (1, 1));
    // Of a shared loop there is nothing to join.
    let other = Client::new(thread.event_loop, &Record::new());
    unsafe { assert_eq!(hvloop_ws_client_join(other.0, ptr::null_mut()), -5) };
}

#[test]
fn no_pings_with_an_interval_of_zero() {
    let thread = Thread::start();
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    unsafe {
        for ms in [0, -1, 30_000] {
            assert_eq!(hvloop_ws_client_set_ping_interval(client.0, ms), 0);
        }
        assert_eq!(hvloop_ws_client_set_ping_interval(client.0, -2), -3);
        assert_eq!(hvloop_ws_client_set_pong_timeout(client.0, -1), -3);
    }
    // A peer that tells of what it gets, and answers nothing.
    let frames = Monitor::new(Vec::new());
    let f = frames.clone();
    let server = ScriptServer::start(Tls::Off, move |conn| {
        conn.accept_upgrade()?;
        while let Some(frame) = conn.read_frame()? {
            f.update(|frames| frames.push(frame.opcode));
        }
        Ok(())
    });
    unsafe {
        assert_eq!(hvloop_ws_client_set_ping_interval(client.0, 10), 0);
        assert_eq!(hvloop_ws_client_set_pong_timeout(client.0, 10), 0);
    }
    client.open(&c(&server.url()));
    let Seen::Close { error, text, .. } = record.wait_close() else {
        unreachable!()
    };
    assert!(error != 0 && text.contains("sent nothing"), "{text}");
    assert!(frames.wait(DEADLINE, |frames| frames.contains(&opcode::PING)));
    unsafe { assert_eq!(hvloop_ws_client_set_ping_interval(client.0, 0), 0) };
    client.wait_state(hvloop_ws_state::Closed);
    let before = frames.read(Vec::len);
    client.open(&c(&server.url()));
    client.wait_state(hvloop_ws_state::Open);
    // Many times the interval that it had.
    std::thread::sleep(Duration::from_millis(100));
    client.send("there");
    assert!(frames.wait(DEADLINE, |frames| frames.len() > before));
    frames.read(|frames| assert_eq!(frames[before..], [opcode::TEXT]));
}
