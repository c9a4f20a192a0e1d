//! `TcpClient` through a proxy, plain and with TLS.

use crate::common::loops::patient;
use crate::common::proxies::{KINDS, Kind, answer, ask, granted, leading, relay};
use hvloop::event::conn::{Conn, Handler};
use hvloop::event::tls::{TlsClientConfig, TlsIdentities, TlsServerConfig};
use hvloop::event::{ConnectError, ProxyError, ProxyTargetError};
use hvloop::{
    CloseReason, Connect, EventLoopThread, Listen, ReconnectPolicy, TcpClient, TcpServer,
};
use hvloop_test_support::{DEADLINE, Monitor, ScriptServer, TestCa, Tls};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Default)]
struct Seen {
    opened: usize,
    bytes: Vec<u8>,
    closed: Vec<CloseReason>,
}

/// A client that sends `hello` and records what it sees.
fn recorded(thread: &EventLoopThread, hello: &[u8]) -> (TcpClient, Monitor<Seen>) {
    let seen = Monitor::new(Seen::default());
    let client = TcpClient::new(thread.event_loop());
    let (s, hello) = (seen.clone(), hello.to_vec());
    client.on_connect(move |channel| {
        s.update(|seen| seen.opened += 1);
        channel.send(&hello).unwrap();
    });
    let s = seen.clone();
    client.on_message(move |_, data| s.update(|seen| seen.bytes.extend_from_slice(data)));
    let s = seen.clone();
    client.on_close(move |_, reason| s.update(|seen| seen.closed.push(reason.clone())));
    (client, seen)
}

fn echo(thread: &EventLoopThread, listen: Listen) -> (TcpServer, SocketAddr) {
    let server = TcpServer::new(thread.event_loop());
    server.on_message(|channel, data| channel.send(data).unwrap());
    let address = server.listen(listen).unwrap().inet().unwrap();
    (server, address)
}

#[test]
fn tcp_client_through_a_proxy() {
    let ca = TestCa::new();
    let (chain, key) = ca.server_pem(&["localhost"]);
    let identities = TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
    let server_tls = TlsServerConfig::new(identities).unwrap();
    let client_tls = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let client_tls = client_tls.build().unwrap();
    let thread = patient();
    let any = || Listen::tcp(([127, 0, 0, 1], 0));
    let (_plain, plain) = echo(&thread, any());
    let (_tls, tls) = echo(&thread, any().with_tls(server_tls));
    let big: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    for kind in KINDS {
        for secure in [false, true] {
            let target = if secure { tls } else { plain };
            let proxy = leading(kind, "localhost", target);
            let connect =
                Connect::to("localhost", target.port()).proxy(Some(kind.at(proxy.addr())));
            let connect = match secure {
                true => connect.with_tls(client_tls.clone()),
                false => connect,
            };
            let (client, seen) = recorded(&thread, &big);
            client.connect(connect).unwrap();
            assert!(seen.wait(DEADLINE, |seen| seen.bytes.len() >= big.len()));
            client.close();
            assert!(seen.wait(DEADLINE, |seen| !seen.closed.is_empty()));
            seen.read(|seen| {
                assert!(seen.bytes == big && seen.opened == 1, "{kind:?}, {secure}");
                assert!(matches!(seen.closed[..], [CloseReason::Local]));
            });
        }
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// The target speaks first, in one segment with the proxy's answer, and is heard after `on_connect`.
#[test]
fn target_speaks_first() {
    for kind in KINDS {
        let proxy = ScriptServer::start(Tls::Off, move |conn| {
            ask(conn, kind, "localhost", 25)?;
            let greeting = [&granted(kind)[..], b"220 hello\r\n"].concat();
            conn.send(&greeting)?;
            conn.finish()
        });
        let thread = patient();
        let (client, seen) = recorded(&thread, b"EHLO\r\n");
        let connect = Connect::to("localhost", 25).proxy(Some(kind.at(proxy.addr())));
        client.connect(connect).unwrap();
        assert!(seen.wait(DEADLINE, |seen| !seen.closed.is_empty()));
        seen.read(|seen| {
            assert_eq!((seen.opened, &*seen.bytes), (1, &b"220 hello\r\n"[..]));
            assert!(matches!(seen.closed[..], [CloseReason::Peer]));
        });
    }
}

#[test]
fn tcp_client_reconnects_through_a_proxy() {
    let thread = patient();
    let (_server, target) = echo(&thread, Listen::tcp(([127, 0, 0, 1], 0)));
    let proxy = ScriptServer::start(Tls::Off, move |conn| match conn.number() {
        1 => Ok(()), // ends without a word
        2 => {
            conn.read_request_head()?;
            conn.send(b"HTTP/1.1 503 Busy\r\n\r\n")
        }
        _ => {
            ask(conn, Kind::HttpWithLogin, "localhost", target.port())?;
            answer(conn, Kind::HttpWithLogin)?;
            relay(conn, target)
        }
    });
    let (client, seen) = recorded(&thread, b"x");
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    client.set_reconnect(Some(policy)).unwrap();
    let proxy_at = Kind::HttpWithLogin.at(proxy.addr());
    let connect = Connect::to("localhost", target.port()).proxy(Some(proxy_at));
    client.connect(connect).unwrap();
    assert!(seen.wait(DEADLINE, |seen| seen.bytes == b"x"));
    client.close();
    assert!(seen.wait(DEADLINE, |seen| seen.closed.len() == 3));
    seen.read(|seen| {
        let [_, CloseReason::Proxy(second), CloseReason::Local] = &seen.closed[..] else {
            panic!("{:?}", seen.closed);
        };
        assert!(
            matches!(second, ProxyError::Refused { status: 503, .. }),
            "{second:?}"
        );
    });
}

/// A handler that tells why it was closed, and may not see anything else.
struct OnlyClose(Monitor<Option<CloseReason>>);

impl Handler for OnlyClose {
    fn on_up(&mut self, _conn: &Conn<'_>) {
        panic!("it came up");
    }

    fn on_data(&mut self, _conn: &Conn<'_>, _data: &mut [u8]) {
        panic!("it got data");
    }

    fn on_close(self: Box<Self>, _conn: &Conn<'_>, reason: CloseReason) {
        self.0.update(|seen| *seen = Some(reason));
    }
}

/// What no proxy can be asked for is refused before anything is begun.
#[test]
fn target_that_no_proxy_can_be_asked_for() {
    let thread = patient();
    let proxy = ScriptServer::mute_tcp();
    let long = "x".repeat(256);
    for (connect, expected) in [
        (
            Connect::unix("/tmp/never.sock"),
            ProxyTargetError::UnixSocket,
        ),
        (Connect::to(long, 1), ProxyTargetError::NameTooLong(256)),
        (Connect::to("a\r\nX: y", 1), ProxyTargetError::BadName),
    ] {
        let connect = connect.proxy(Some(Kind::Http.at(proxy.addr())));
        let (client, seen) = recorded(&thread, b"");
        let refused = client.connect(connect.clone());
        assert_eq!(refused, Err(ConnectError::Proxy(expected)));
        // The client may be used all the same.
        assert!(
            client
                .connect(Connect::to("127.0.0.1", proxy.addr().port()))
                .is_ok()
        );
        client.close();
        assert!(seen.wait(DEADLINE, |seen| seen.closed.len() == 1));
        // One level deeper: the attempt has its one close.
        let closed = Monitor::new(None);
        let handler = OnlyClose(closed.clone());
        thread
            .event_loop()
            .post_event(move |local| {
                local.connect(connect, Box::new(handler)).unwrap();
            })
            .unwrap();
        assert!(closed.wait(DEADLINE, Option::is_some));
        match closed.read(Clone::clone) {
            Some(CloseReason::Proxy(ProxyError::Target(e))) => assert_eq!(e, expected),
            other => panic!("{other:?}"),
        }
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
