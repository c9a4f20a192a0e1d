//! What a server, or a proxy, says when it refuses: all of it, however it comes. And who ended it.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::tls::{TlsClientConfig, TlsError};
use hvloop::event::{Proxy, ProxyError};
use hvloop::ws::handshake::HandshakeError;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{ClientOptions, CloseEvent, CloseReason, SocketOptions};
use hvloop_test_support::{
    ScriptConn, ScriptServer, TestCa, Tls, encode_frame, opcode, refuse_port, upgrade_response,
};
use std::io;
use std::time::Duration;

over_both! {
    /// The body comes in segments of its own.
    refusal_body_behind_its_head => bodies;
    /// The time is over, or the connection breaks, in the middle of the body.
    refusal_cut_short => cut_short;
    /// A redirect that is not followed says why; one that is followed is not waited for.
    redirect_with_a_body => redirect;
    /// What this side finds wrong is its own end; what the peer says, or does not, is the peer's.
    who_ended_it => initiators;
}

/// Time for what was sent to be read by itself.
fn pause(conn: &ScriptConn) {
    let _ = conn.released_within(Duration::from_millis(5));
}

fn closed(options: ClientOptions, url: &str) -> (CloseEvent, Recorded) {
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(url).unwrap();
    let event = client.only_close();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    (event, client)
}

/// Status and body of a refusal.
fn refusal(event: &CloseEvent) -> (u16, String) {
    match &event.error {
        Some(ConnectionError::Handshake(e)) => match &**e {
            HandshakeError::Status {
                status,
                body_prefix,
                ..
            } => (*status, String::from_utf8(body_prefix.clone()).unwrap()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn bodies(transport: Transport) {
    let net = Net::new(transport);
    let long = "x".repeat(3000);
    let table: Vec<(Vec<String>, String)> = vec![
        (
            vec!["Content-Length: 12\r\n\r\n".into(), "who are you?".into()],
            "who are you?".into(),
        ),
        (
            vec![
                "Content-Length: 12\r\n\r\nwho ".into(),
                "are ".into(),
                "you?".into(),
            ],
            "who are you?".into(),
        ),
        (
            vec!["\r\n".into(), "to the end".into()],
            "to the end".into(),
        ),
        (
            vec![
                "Transfer-Encoding: chunked\r\n".into(),
                "\r\n4;a=b\r".into(),
                "\nwho \r\n".into(),
                "8\r\nare you?\r\n0\r\n\r\n".into(),
            ],
            "who are you?".into(),
        ),
        (
            vec![
                "Content-Length: 3000\r\n\r\n".into(),
                long[..900].into(),
                long[900..].into(),
            ],
            long[..1024].into(),
        ),
    ];
    for (pieces, expected) in table {
        let ends = !pieces.concat().contains(": ");
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.read_request_head()?;
            conn.send(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n")?;
            for piece in &pieces {
                pause(conn);
                conn.send(piece.as_bytes())?;
            }
            if !ends {
                conn.wait_for_release(); // it need not end for the body to be whole
            }
            conn.finish()
        });
        let (event, client) = closed(net.options(), &server.url());
        assert_eq!(refusal(&event), (401, expected.clone()));
        assert_eq!(event.http_status, Some(401));
        assert_eq!(event.initiator, Initiator::Remote);
        let answer = client.client.upgrade_response().unwrap();
        assert_eq!(answer.body_prefix, expected.as_bytes());
        assert_eq!(answer.header("www-authenticate"), Some("Basic"));
        server.release();
    }
}

fn cut_short(transport: Transport) {
    type End = fn(&mut ScriptConn) -> io::Result<()>;
    let net = Net::new(transport);
    let ends: [(&str, End, u64); 3] = [
        (
            "the time",
            |conn| {
                conn.wait_for_release();
                Ok(())
            },
            2_000,
        ),
        (
            "a reset",
            |conn| {
                pause(conn);
                conn.reset()
            },
            60_000,
        ),
        (
            "the stream",
            |conn| {
                conn.close_without_notify();
                Ok(())
            },
            60_000,
        ),
    ];
    for (what, end, limit) in ends {
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.read_request_head()?;
            conn.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nbecause")?;
            end(conn)
        });
        let options = net.options().open_timeout(Duration::from_millis(limit));
        let (event, client) = closed(options, &server.url());
        assert_eq!(refusal(&event), (403, "because".to_owned()), "{what}");
        assert_eq!(event.http_status, Some(403), "{what}");
        assert_eq!(event.initiator, Initiator::Remote, "{what}");
        assert!(client.client.upgrade_response().is_some(), "{what}");
    }
    // The user's own end stays the user's.
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.read_request_head()?;
        conn.send(b"HTTP/1.1 403 Forbidden\r\n\r\nbecause")?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    server.wait_accepted(1);
    client.client.close(1000, "").unwrap();
    let event = client.only_close();
    assert!(
        event.initiator == Initiator::Local && event.error.is_none(),
        "{event:?}"
    );
}

fn redirect(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        match head.target() {
            "/lost" => {
                conn.send(b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\n")?;
                pause(conn);
                conn.send(b"where")?;
                conn.finish()
            }
            "/" => {
                conn.send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 5\r\n\r\n")?;
                conn.wait_for_release();
                Ok(())
            }
            _ => {
                conn.send(upgrade_response(&head, &[]).as_bytes())?;
                conn.send_close(1000, "")?;
                conn.read_close()?;
                conn.finish()
            }
        }
    });
    let lost = format!("{}/lost", server.url().trim_end_matches('/'));
    let (event, client) = closed(net.options().redirects(3), &lost);
    assert!(
        matches!(event.error, Some(ConnectionError::Redirect(_))),
        "{event:?}"
    );
    assert_eq!(
        client.client.upgrade_response().unwrap().body_prefix,
        b"where"
    );
    let (event, client) = closed(net.options(), &lost);
    assert_eq!(refusal(&event), (302, "where".to_owned()));
    assert_eq!(
        client.client.upgrade_response().unwrap().body_prefix,
        b"where"
    );
    let (event, _) = closed(net.options().redirects(3), &server.url());
    assert!(event.clean, "{event:?}");
}

/// What a proxy says stays with the error, too.
#[test]
fn proxy_refusal_keeps_challenge_and_body() {
    type End = fn(&mut ScriptConn) -> io::Result<()>;
    let table: [(&str, End, &[u8], u64); 4] = [
        (
            "Content-Length: 9\r\n",
            |conn| conn.send(b"log in!??"),
            b"log in!??",
            60_000,
        ),
        (
            "",
            |conn| {
                conn.send(b"log in")?;
                conn.finish()
            },
            b"log in",
            60_000,
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            |conn| {
                conn.send(b"6\r\nlog")?;
                pause(conn);
                conn.send(b" in\r\n0\r\n\r\n")
            },
            b"log in",
            60_000,
        ),
        (
            "Content-Length: 900\r\n",
            |conn| conn.send(b"log in"),
            b"log in",
            2_000,
        ),
    ];
    for (header, end, body, limit) in table {
        let proxy = ScriptServer::start(Tls::Off, move |conn| {
            conn.read_request_head()?;
            let head = "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"a\"\r\n\
                        proxy-authenticate: Negotiate\r\n";
            conn.send(format!("{head}{header}\r\n").as_bytes())?;
            pause(conn);
            end(conn)?;
            conn.wait_for_release();
            Ok(())
        });
        let address = proxy.addr();
        let options = ClientOptions::new()
            .proxy(Some(Proxy::http(address.ip().to_string(), address.port())))
            .open_timeout(Duration::from_millis(limit));
        let (event, _) = closed(options, "ws://nowhere.test/");
        let Some(ConnectionError::Transport(CloseReason::Proxy(ProxyError::Refused {
            status: 407,
            answer,
        }))) = &event.error
        else {
            panic!("{header}: {event:?}");
        };
        let challenges: Vec<_> = answer.challenges().collect();
        assert_eq!(challenges, ["Basic realm=\"a\"", "Negotiate"], "{header}");
        assert_eq!(answer.body_prefix(), body, "{header}");
        assert_eq!(event.initiator, Initiator::Remote, "{header}");
        proxy.release();
    }
}

fn initiators(transport: Transport) {
    type Script = fn(&mut ScriptConn) -> io::Result<()>;
    fn spoilt(conn: &mut ScriptConn, from: &str, to: &str) -> io::Result<()> {
        let head = conn.read_request_head()?;
        let answer = upgrade_response(&head, &[]).replacen(from, to, 1);
        conn.send(answer.as_bytes())?;
        drain(conn)
    }
    fn frame(conn: &mut ScriptConn, bytes: &[u8]) -> io::Result<()> {
        conn.accept_upgrade()?;
        conn.send(bytes)?;
        drain(conn)
    }
    fn drain(conn: &mut ScriptConn) -> io::Result<()> {
        while conn.read_frame().is_ok_and(|frame| frame.is_some()) {}
        Ok(())
    }
    use Initiator::{Local, Remote};
    let net = Net::new(transport);
    let table: [(&str, Script, Initiator); 21] = [
        (
            "wrong Accept",
            |c| spoilt(c, "Accept: ", "Accept: x"),
            Local,
        ),
        (
            "no Upgrade",
            |c| spoilt(c, "Upgrade: websocket\r\n", ""),
            Local,
        ),
        (
            "no Connection",
            |c| spoilt(c, "Connection: Upgrade\r\n", ""),
            Local,
        ),
        (
            "extension",
            |c| spoilt(c, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
            Local,
        ),
        (
            "subprotocol",
            |c| spoilt(c, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
            Local,
        ),
        (
            "a 101 with a body",
            |c| spoilt(c, "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n"),
            Local,
        ),
        ("not HTTP", |c| spoilt(c, "HTTP/1.1", "SSH-2.0"), Local),
        ("old HTTP", |c| spoilt(c, "HTTP/1.1", "HTTP/1.0"), Local),
        ("a bare line feed", |c| spoilt(c, "\r\n", "\n"), Local),
        (
            "many headers",
            |c| {
                spoilt(
                    c,
                    "\r\n\r\n",
                    &format!("\r\n{}\r\n", "A: b\r\n".repeat(200)),
                )
            },
            Local,
        ),
        (
            "a long head",
            |c| {
                spoilt(
                    c,
                    "\r\n\r\n",
                    &format!("\r\nA: {}\r\n\r\n", "b".repeat(20_000)),
                )
            },
            Local,
        ),
        (
            "a status",
            |c| {
                spoilt(
                    c,
                    "101 Switching Protocols",
                    "503 Later\r\nContent-Length: 0",
                )
            },
            Remote,
        ),
        (
            "no answer",
            |c| c.read_request_head().and_then(|_| c.finish()),
            Remote,
        ),
        (
            "half an answer",
            |c| {
                c.read_request_head()?;
                c.send(b"HTTP/1.1 101")?;
                c.finish()
            },
            Remote,
        ),
        ("a reserved bit", |c| frame(c, &[0xC1, 0]), Local),
        ("no UTF-8", |c| frame(c, &[0x81, 1, 0xFF]), Local),
        (
            "too long",
            |c| frame(c, &[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]),
            Local,
        ),
        (
            "a bad Close",
            |c| frame(c, &encode_frame(opcode::CLOSE, true, &[3, 0xEE])),
            Local,
        ),
        (
            "a Close",
            |c| frame(c, &encode_frame(opcode::CLOSE, true, &[3, 0xE9])),
            Remote,
        ),
        (
            "an end",
            |c| c.accept_upgrade().and_then(|_| c.finish()),
            Remote,
        ),
        (
            "a reset",
            |c| c.accept_upgrade().and_then(|_| c.reset()),
            Remote,
        ),
    ];
    for (what, script, expected) in table {
        let server = ScriptServer::start(net.tls(), script);
        let (event, _) = closed(net.options(), &server.url());
        assert_eq!(event.initiator, expected, "{what}: {event:?}");
    }
}

#[test]
fn who_ended_it_below_websocket() {
    let ca = TestCa::new();
    let net = Net::new(Transport::Wss);
    // A certificate that this side refuses, and one of this side that the server misses.
    let server = ScriptServer::start(Tls::On(&ca), |conn| conn.read_request_head().map(drop));
    let (event, _) = closed(net.options(), &server.url());
    let refused = |event: &CloseEvent| match &event.error {
        Some(ConnectionError::Transport(CloseReason::Tls(e))) => e.clone(),
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(refused(&event), TlsError::Certificate(_)),
        "{event:?}"
    );
    assert_eq!(event.initiator, Initiator::Local, "{event:?}");
    let server = ScriptServer::start(Tls::With(ca.client_auth_config()), |conn| {
        conn.read_request_head().map(drop)
    });
    let tls = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let options = ClientOptions::new().tls(tls.build().unwrap());
    let (event, _) = closed(options, &server.url());
    assert!(
        matches!(refused(&event), TlsError::AlertReceived(_)),
        "{event:?}"
    );
    assert_eq!(event.initiator, Initiator::Remote, "{event:?}");
    // Nobody there; nobody of that name; no such address here.
    let plain = ClientOptions::new;
    let url = format!("ws://{}/", refuse_port());
    let (event, _) = closed(plain(), &url);
    assert_eq!(event.initiator, Initiator::Remote, "{event:?}");
    let from = std::net::SocketAddr::from(([192, 0, 2, 1], 0));
    let (event, _) = closed(plain().socket(SocketOptions::new().bind(from)), &url);
    assert_eq!(event.initiator, Initiator::Local, "{event:?}");
    // Does not ask the machine's own, which may take its time.
    struct Nobody;
    impl hvloop::event::Resolver for Nobody {
        fn resolve(&self, _host: &str) -> io::Result<Vec<std::net::IpAddr>> {
            Err(io::ErrorKind::NotFound.into())
        }
    }
    let options = hvloop::LoopOptions::new().resolver(std::sync::Arc::new(Nobody));
    let event_loop = hvloop::EventLoop::with_options(options).unwrap();
    let thread = hvloop::EventLoopThread::with_loop(event_loop);
    thread.start().unwrap();
    let client = Recorded::new(thread.event_loop(), plain());
    client.client.open("ws://name.invalid/").unwrap();
    let event = client.only_close();
    assert!(
        matches!(
            event.error,
            Some(ConnectionError::Transport(CloseReason::Dns(_)))
        ),
        "{event:?}"
    );
    assert_eq!(event.initiator, Initiator::Local, "{event:?}");
}
