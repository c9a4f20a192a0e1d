//! Proxies that refuse, and that misbehave.

use crate::common::loops::patient;
use crate::common::proxies::{Kind, ask, bytes, url};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::CloseReason;
use hvloop::event::{ProxyError, SocksReply};
use hvloop::ws::{ConnectionError, Initiator};
use hvloop_test_support::{ScriptConn, ScriptServer, Tls};
use std::error::Error;
use std::io;
use std::sync::Arc;

over_both! {
    http_proxy_refuses_or_misbehaves => http;
    socks_proxy_refuses_or_misbehaves => socks;
    proxy_resets => resets;
}

type Script = fn(&mut ScriptConn) -> io::Result<()>;

/// How an attempt through that proxy ends.
fn error_of(transport: Transport, kind: Kind, script: Script) -> CloseReason {
    let net = Net::new(transport);
    let proxy = ScriptServer::start(Tls::Off, script);
    let thread = patient();
    let options = net.options().proxy(Some(kind.at(proxy.addr())));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(url(transport)).unwrap();
    let event = client.only_close();
    assert!(
        !event.was_open && !event.clean && event.http_status.is_none(),
        "{event:?}"
    );
    // What it says is its own end; what is wrong with what it says is found here.
    let found_here = match &event.error {
        Some(ConnectionError::Transport(CloseReason::Proxy(e))) => matches!(
            e,
            ProxyError::Malformed(_)
                | ProxyError::HeadTooLarge { .. }
                | ProxyError::TooManyHeaders { .. }
        ),
        _ => false,
    };
    let initiator = match found_here {
        true => Initiator::Local,
        false => Initiator::Remote,
    };
    assert_eq!(event.initiator, initiator, "{event:?}");
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    match event.error {
        Some(ConnectionError::Transport(reason)) => {
            assert!(reason.source().is_some() && !reason.is_clean());
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(transport: Transport, kind: Kind, table: &[(Script, ProxyError)]) {
    for (n, (script, expected)) in table.iter().enumerate() {
        match error_of(transport, kind, *script) {
            CloseReason::Proxy(e) => {
                assert_eq!(e.to_string(), expected.to_string(), "case {n}");
            }
            other => panic!("case {n}: {other:?}"),
        }
    }
}

fn refused(status: u16) -> ProxyError {
    ProxyError::Refused {
        status,
        answer: Arc::default(),
    }
}

/// Answers the CONNECT.
fn say(conn: &mut ScriptConn, answer: &[u8]) -> io::Result<()> {
    ask(conn, Kind::Http, "localhost", 81)?;
    conn.send(answer)?;
    conn.finish()
}

fn http(transport: Transport) {
    let limit = 16 * 1024;
    let not_http = ProxyError::Malformed("it does not begin with HTTP/1.");
    let table: [(Script, ProxyError); 9] = [
        (
            |conn| {
                ask(conn, Kind::Http, "localhost", 81)?;
                conn.send_byte_by_byte(b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n")?;
                conn.finish()
            },
            refused(407),
        ),
        (
            |conn| say(conn, b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>"),
            refused(502),
        ),
        (
            |conn| say(conn, b"HTTP/1.1 302 x\r\nLocation: http://x/\r\n\r\n"),
            refused(302),
        ),
        (|conn| say(conn, b"SSH-2.0-OpenSSH_9\r\n"), not_http.clone()),
        (|conn| say(conn, b"\x05\x00"), not_http),
        (
            |conn| say(conn, b"HTTP/1.1 2xx\r\n\r\n"),
            ProxyError::Malformed("it is not HTTP"),
        ),
        (
            |conn| {
                ask(conn, Kind::Http, "localhost", 81)?;
                conn.send(b"HTTP/1.1 200 OK\r\nX: ")?;
                while conn.send(&[b'x'; 4096]).is_ok() {}
                Ok(())
            },
            ProxyError::HeadTooLarge { limit },
        ),
        (
            |conn| {
                ask(conn, Kind::Http, "localhost", 81)?;
                conn.send(b"HTTP/1.1 200 OK\r\n")?;
                while conn.send(b"X: y\r\n").is_ok() {}
                Ok(())
            },
            ProxyError::TooManyHeaders { limit: 100 },
        ),
        (
            |conn| {
                ask(conn, Kind::Http, "localhost", 81)?;
                conn.send(b"HTTP/1.1 200 OK\r\nX: y\r\n")?;
                conn.finish()
            },
            ProxyError::Ended,
        ),
    ];
    check(transport, Kind::Http, &table);
}

/// Answers the greeting, or goes on to answer the request if that is allowed.
fn say_socks(conn: &mut ScriptConn, method: &[u8], reply: &[u8]) -> io::Result<()> {
    bytes(conn, 3)?;
    conn.send(method)?;
    if method == [5, 0] {
        bytes(conn, 16)?;
        conn.send(reply)?;
    }
    conn.wait_for_release();
    Ok(())
}

fn socks(transport: Transport) {
    let not_socks = ProxyError::Malformed("it is not SOCKS5");
    let table: [(Script, ProxyError); 8] = [
        (
            |conn| say_socks(conn, &[5, 0xff], &[]),
            ProxyError::NoAcceptableMethod,
        ),
        (
            |conn| say_socks(conn, &[5, 2], &[]),
            ProxyError::Malformed("a method that was not offered"),
        ),
        (
            |conn| say_socks(conn, b"HTTP/1.1 400 Bad Request\r\n\r\n", &[]),
            not_socks.clone(),
        ),
        (
            |conn| say_socks(conn, &[5, 0], &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
            ProxyError::Socks(SocksReply::NotAllowed),
        ),
        (
            |conn| say_socks(conn, &[5, 0], &[5, 5]),
            ProxyError::Socks(SocksReply::ConnectionRefused),
        ),
        (|conn| say_socks(conn, &[5, 0], &[4, 90]), not_socks),
        (
            |conn| say_socks(conn, &[5, 0], &[5, 0, 0, 9]),
            ProxyError::Malformed("an unknown type of address"),
        ),
        (
            |conn| {
                ask(conn, Kind::Socks, "localhost", 81)?;
                conn.send(&[5, 0, 0, 1, 127])?;
                conn.finish()
            },
            ProxyError::Ended,
        ),
    ];
    check(transport, Kind::Socks, &table);
    let table: [(Script, ProxyError); 1] = [(
        |conn| {
            bytes(conn, 4)?;
            conn.send(&[5, 2])?;
            bytes(conn, 9)?;
            conn.send(&[1, 1])?;
            conn.wait_for_release();
            Ok(())
        },
        ProxyError::LoginFailed,
    )];
    check(transport, Kind::SocksWithLogin, &table);
}

fn resets(transport: Transport) {
    let reason = error_of(transport, Kind::Http, |conn| {
        ask(conn, Kind::Http, "localhost", 81)?;
        conn.reset()
    });
    assert!(matches!(reason, CloseReason::Io(_)), "{reason:?}");
}
