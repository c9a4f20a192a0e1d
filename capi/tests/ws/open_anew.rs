//! `open` at whatever time: libhv's programs call it when they like.

use crate::client::policy;
use crate::support::*;
use hvloop_capi::ws::client::*;
use hvloop_capi::ws::client_options::*;
use hvloop_capi::ws::connection::*;
use hvloop_test_support::{Monitor, refuse_port};
use std::ptr;

fn opens(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| **seen == Seen::Open).count()
}

/// Which paths a server was asked for.
fn asked() -> (Record, Monitor<Vec<String>>) {
    let paths = Monitor::new(Vec::new());
    let p = paths.clone();
    let served = Record::with_heads(move |seen, _, request, _| {
        if *seen == Seen::Open {
            let path = unsafe { hvloop_capi::http_request::hvloop_http_request_path(request) };
            p.update(|paths| paths.push(string(path)));
        }
    });
    (served, paths)
}

fn while_open(on_own_loop: bool) {
    let thread = Thread::start();
    let (served, paths) = asked();
    let server = Server::start(thread.event_loop, &served);
    let record = Record::new();
    let here = if on_own_loop {
        ptr::null_mut()
    } else {
        thread.event_loop
    };
    let client = Client::new(here, &record);
    client.open(&server.url_at("/1"));
    record.wait_open();
    // Nothing of a URL that is none is begun, and nothing ended.
    let bad = unsafe { hvloop_ws_client_open(client.0, c"http://x/".as_ptr()) };
    assert_eq!((bad, client.state()), (-3, hvloop_ws_state::Open as i32));
    client.open(&server.url_at("/2"));
    record.wait("the second", |seen| opens(seen) == 2);
    // The last one wins.
    client.open(&server.url_at("/3"));
    client.open(&server.url_at("/4"));
    record.wait("the last", |seen| opens(seen) >= 3);
    let all = paths.read(Clone::clone);
    assert_eq!(all.last().map(String::as_str), Some("/4"), "{all:?}");
    assert!(
        all.starts_with(&["/1".to_owned(), "/2".to_owned()]),
        "{all:?}"
    );
    // Each session has ended before the next one began.
    let mut open = false;
    for seen in record.all() {
        match seen {
            Seen::Open => assert!(!std::mem::replace(&mut open, true)),
            Seen::Close { had_io, .. } => assert_eq!(std::mem::replace(&mut open, false), had_io),
            _ => {}
        }
    }
    client.close();
    client.wait_state(hvloop_ws_state::Closed);
}

#[test]
fn while_open_on_a_shared_loop() {
    while_open(false);
}

#[test]
fn while_open_on_a_loop_of_its_own() {
    while_open(true);
}

#[test]
fn while_it_backs_off() {
    let thread = Thread::start();
    let (served, _) = asked();
    let server = Server::start(thread.event_loop, &served);
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    let late = policy(3_600_000);
    unsafe { assert_eq!(hvloop_ws_client_set_reconnect(client.0, &raw const late), 0) };
    client.open(&c(&format!("ws://{}/", refuse_port())));
    record.wait_close();
    client.wait_state(hvloop_ws_state::BackingOff);
    client.open(&server.url());
    record.wait_open();
    assert_eq!(record.closes(), 1, "the attempt had its own");
    client.close();
    client.wait_state(hvloop_ws_state::Closed);
    record.wait("the end", |seen| count_closes(seen) == 2);
}

#[test]
fn while_it_connects() {
    let thread = Thread::start();
    let (served, _) = asked();
    let server = Server::start(thread.event_loop, &served);
    let hole = hvloop_test_support::ScriptServer::start(hvloop_test_support::Tls::Off, |conn| {
        conn.read_request_head()?;
        conn.wait_for_release();
        Ok(())
    });
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&c(&hole.url()));
    client.wait_state(hvloop_ws_state::Connecting);
    client.open(&server.url());
    record.wait_open();
    let first = record.wait_close();
    assert!(
        matches!(first, Seen::Close { had_io: false, .. }),
        "{first:?}"
    );
    assert_eq!(record.closes(), 1);
}

/// In callbacks: in the last one of a session, and in the midst of one.
#[test]
fn in_callbacks() {
    let thread = Thread::start();
    let (served, paths) = asked();
    let server = Server::start(thread.event_loop, &served);
    let place = Monitor::new(None::<Shared<hvloop_ws_client>>);
    let (p, urls) = (place.clone(), ["/2", "/3"].map(|path| server.url_at(path)));
    let count = std::sync::atomic::AtomicUsize::new(0);
    let record = Record::with(move |seen, _| {
        let client = p.read(|place| *place).expect("it is there").get();
        let opened = match seen {
            // While it is open.
            Seen::Open if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => unsafe {
                hvloop_ws_client_open(client, urls[0].as_ptr())
            },
            Seen::Close { code: 4000, .. } => unsafe {
                hvloop_ws_client_open(client, urls[1].as_ptr())
            },
            _ => 0,
        };
        assert_eq!(opened, 0);
    });
    let client = Client::new(thread.event_loop, &record);
    place.update(|place| *place = Some(client.shared()));
    client.open(&server.url_at("/1"));
    record.wait("the second", |seen| opens(seen) == 2);
    let closed = unsafe { hvloop_ws_client_close(client.0, 4000, ptr::null()) };
    assert_eq!(closed, 0);
    record.wait("the third", |seen| opens(seen) == 3);
    paths.read(|paths| assert_eq!(paths[..], ["/1", "/2", "/3"]));
    client.close();
    client.wait_state(hvloop_ws_state::Closed);
    record.wait("three ends", |seen| count_closes(seen) == 3);
}

/// In the `on_close` that announced another attempt.
#[test]
fn in_on_close_before_a_reconnect() {
    let thread = Thread::start();
    let (served, _) = asked();
    let server = Server::start(thread.event_loop, &served);
    let place = Monitor::new(None::<Shared<hvloop_ws_client>>);
    let (p, url) = (place.clone(), server.url());
    let record = Record::with(move |seen, _| {
        if let Seen::Close { had_io: false, .. } = seen {
            let client = p.read(|place| *place).expect("it is there").get();
            let opened = unsafe { hvloop_ws_client_open(client, url.as_ptr()) };
            assert_eq!(opened, 0, "{}", last_error());
        }
    });
    let client = Client::new(thread.event_loop, &record);
    place.update(|place| *place = Some(client.shared()));
    let late = policy(3_600_000);
    unsafe { assert_eq!(hvloop_ws_client_set_reconnect(client.0, &raw const late), 0) };
    client.open(&c(&format!("ws://{}/", refuse_port())));
    record.wait_open();
    assert_eq!(record.closes(), 1);
}

#[test]
fn close_ends_an_open_that_waits() {
    let thread = Thread::start();
    let (served, paths) = asked();
    let server = Server::start(thread.event_loop, &served);
    let record = Record::new();
    let client = Client::new(thread.event_loop, &record);
    client.open(&server.url_at("/1"));
    record.wait_open();
    client.open(&server.url_at("/2"));
    client.close();
    record.wait_close();
    client.wait_state(hvloop_ws_state::Closed);
    // Behind whatever was posted.
    client.open(&server.url_at("/3"));
    record.wait("the third", |_| {
        paths.read(|paths| paths.last().is_some_and(|p| p == "/3"))
    });
    client.wait_state(hvloop_ws_state::Open);
}

/// A client with a loop of its own begins again on a new one; what is to be called is given anew.
#[test]
fn after_a_stop() {
    let thread = Thread::start();
    let (served, _) = asked();
    let server = Server::start(thread.event_loop, &served);
    let first = Record::new();
    let client = Client::new(ptr::null(), &first);
    client.open(&server.url());
    first.wait_open();
    unsafe { assert_eq!(hvloop_ws_client_stop(client.0), 0) };
    // Set after the stop: it stays.
    let second = Record::new();
    unsafe {
        assert_eq!(
            hvloop_ws_client_set_callbacks(client.0, second.callbacks()),
            0
        );
    }
    client.open(&server.url());
    second.wait_open();
    unsafe {
        assert_eq!(hvloop_ws_client_stop(client.0), 0);
        assert_eq!(hvloop_ws_client_join(client.0, ptr::null_mut()), 0);
    }
    second.wait_dropped();
    assert_eq!(first.closes() + second.closes(), 2);
    first.wait_dropped();
    // Without any it is opened all the same.
    client.open(&server.url());
    client.wait_state(hvloop_ws_state::Open);
    let third = Record::new();
    unsafe {
        assert_eq!(
            hvloop_ws_client_set_callbacks(client.0, third.callbacks()),
            0
        );
    }
    client.close();
    third.wait_close();
}
