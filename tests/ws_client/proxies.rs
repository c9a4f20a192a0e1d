//! A WebSocket through a proxy that behaves.

use crate::common::loops::patient;
use crate::common::proxies::{KINDS, Kind, ask, granted, leading, url};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::{ConnectPhase, ProxyError, ProxyTargetError, Resolver};
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{CloseReason, EventLoop, EventLoopThread, LoopOptions, OpenError, ReconnectPolicy};
use hvloop_test_support::{DEADLINE, Mode, ScriptServer, Tls, refuse_port};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

over_both! {
    /// The proxy alone looks the target up; TLS verifies the target; messages are whole.
    echo_through_a_proxy => echoes;
    /// What comes in one segment with the proxy's answer is the target's.
    bytes_behind_the_proxys_answer => behind;
    mute_proxy_times_out => mute;
    proxy_cannot_be_reached => unreachable;
    /// Each attempt goes through the proxy.
    reconnects_through_a_proxy => reconnects;
    stop_says_goodbye_through_a_proxy => stops;
    redirects_go_through_the_proxy => redirects;
}

/// A resolver that knows nobody.
struct Nobody;

impl Resolver for Nobody {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A loop that cannot look a name up.
fn nameless() -> EventLoopThread {
    let options = LoopOptions::new()
        .resolver(Arc::new(Nobody))
        .drain_timeout(DEADLINE);
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    thread
}

fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("//").unwrap();
    rest.trim_end_matches('/').parse().unwrap()
}

/// The server's URL, by name.
fn by_name(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}

fn echoes(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let big = vec![7; 1 << 20];
    for kind in KINDS {
        let proxy = leading(kind, "localhost", address(&server.url()));
        let thread = nameless();
        let options = net.options().proxy(Some(kind.at(proxy.addr())));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&by_name(&server.url())).unwrap();
        client.wait_open();
        client.client.send_text("there").unwrap();
        client.client.send_binary(&big).unwrap();
        client.wait("the echo", |seen| seen.messages.len() == 2);
        client
            .seen
            .read(|seen| assert!(seen.messages[0] == b"there" && seen.messages[1] == big));
        assert_eq!(client.client.peer_addr(), Some(proxy.addr()));
        assert_eq!(client.client.buffered_amount(), 0);
        client.client.close(1000, "").unwrap();
        assert!(client.only_close().clean, "{kind:?}");
        client.threads.assert_one_thread();
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
        assert_eq!(proxy.accepted(), 1);
    }
    server.wait_until(|stats| stats.open == 0 && stats.clean == 4 && stats.abrupt == 0);
}

fn behind(transport: Transport) {
    let net = Net::new(transport);
    for kind in KINDS {
        let proxy = ScriptServer::start(Tls::Off, move |conn| {
            ask(conn, kind, "localhost", 81)?;
            let mut bytes = granted(kind);
            // A client speaks first, in both protocols; what the target says before that is a refusal.
            bytes.extend_from_slice(match transport {
                Transport::Ws => b"HTTP/1.1 503 Go away\r\nContent-Length: 0\r\n\r\n",
                // A fatal alert: access_denied.
                Transport::Wss => b"\x15\x03\x03\x00\x02\x02\x31",
            });
            conn.send(&bytes)?;
            conn.wait_for_release();
            Ok(())
        });
        let thread = patient();
        let options = net.options().proxy(Some(kind.at(proxy.addr())));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(url(transport)).unwrap();
        let event = client.only_close();
        match transport {
            Transport::Ws => assert_eq!(event.http_status, Some(503), "{event:?}"),
            Transport::Wss => {
                let Some(ConnectionError::Transport(CloseReason::Tls(e))) = &event.error else {
                    panic!("{event:?}");
                };
                assert!(e.to_string().contains("access_denied"), "{e}");
            }
        }
    }
}

fn mute(transport: Transport) {
    const LIMIT: Duration = Duration::from_millis(60);
    let net = Net::new(transport);
    let dribble = ScriptServer::start(Tls::Off, |conn| {
        for byte in b"HTTP/1.1 200 OK\r\n"
            .iter()
            .chain(b"X: y\r\n".iter().cycle())
        {
            conn.send(&[*byte])?;
            if conn.released_within(Duration::from_millis(5)) {
                break;
            }
        }
        Ok(())
    });
    for (proxy, kind) in [
        (&ScriptServer::mute_tcp(), Kind::Http),
        (&ScriptServer::mute_tcp(), Kind::Socks),
        (&dribble, Kind::Http),
    ] {
        let thread = patient();
        let options = net
            .options()
            .proxy(Some(kind.at(proxy.addr())))
            .open_timeout(LIMIT);
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open("ws://localhost/").unwrap();
        let event = client.only_close();
        let Some(ConnectionError::Transport(CloseReason::OpenTimedOut { phase, limit })) =
            event.error
        else {
            panic!("{event:?}");
        };
        // A busy machine may not have come so far.
        assert!(
            matches!(phase, ConnectPhase::Proxy | ConnectPhase::Connect),
            "{phase}"
        );
        assert_eq!((limit, event.initiator), (LIMIT, Initiator::Local));
        proxy.release();
    }
}

fn unreachable(transport: Transport) {
    let net = Net::new(transport);
    let scheme = transport.scheme();
    let url = format!("{scheme}://localhost/");
    let thread = nameless();
    let dead = refuse_port();
    let options = net.options().proxy(Some(Kind::Http.at(dead)));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&url).unwrap();
    let event = client.only_close();
    let Some(ConnectionError::Transport(CloseReason::Connect(Some(at), _))) = event.error else {
        panic!("{event:?}");
    };
    assert_eq!(at, dead);
    // Its name is unknown.
    let unknown = hvloop::Proxy::http("proxy.invalid", 1);
    let client = Recorded::new(thread.event_loop(), net.options().proxy(Some(unknown)));
    client.client.open(&url).unwrap();
    let event = client.only_close();
    assert!(
        matches!(
            event.error,
            Some(ConnectionError::Transport(CloseReason::Dns(_)))
        ),
        "{event:?}"
    );
    // It cannot be told the target's.
    let options = net.options().proxy(Some(Kind::Socks.at(dead)));
    let client = Recorded::new(thread.event_loop(), options);
    let long = format!("{scheme}://{}{}/", "x.".repeat(130), "test");
    match client.client.open(&long) {
        Err(OpenError::Proxy(ProxyTargetError::NameTooLong(264))) => {}
        other => panic!("{other:?}"),
    }
    client
        .seen
        .read(|seen| assert!(seen.closed.is_empty(), "nothing was begun"));
}

fn reconnects(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let target = address(&server.url());
    let proxy = ScriptServer::start(Tls::Off, move |conn| match conn.number() {
        1 => {
            conn.read_request_head()?;
            conn.send(b"HTTP/1.1 503 Busy\r\n\r\n")
        }
        2 => Ok(()),
        _ => {
            ask(conn, Kind::Http, "localhost", target.port())?;
            crate::common::proxies::answer(conn, Kind::Http)?;
            crate::common::proxies::relay(conn, target)
        }
    });
    let thread = patient();
    let policy = ReconnectPolicy::fixed(Duration::from_millis(1));
    let options = net.options().reconnect(Some(policy));
    let options = options.proxy(Some(Kind::Http.at(proxy.addr())));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&by_name(&server.url())).unwrap();
    client.wait_open();
    client.client.close(1000, "").unwrap();
    client.wait("its close", |seen| seen.closed.len() == 3);
    client.seen.read(|seen| {
        let Some(ConnectionError::Transport(CloseReason::Proxy(e))) = &seen.closed[0].error else {
            panic!("{:?}", seen.closed);
        };
        assert!(
            matches!(e, ProxyError::Refused { status: 503, .. }),
            "{e:?}"
        );
        let attempts: Vec<_> = seen.closed.iter().map(|event| event.attempt).collect();
        assert_eq!(attempts, [1, 2, 3]);
        assert!(seen.closed[2].clean && seen.closed[2].was_open);
    });
}

fn stops(transport: Transport) {
    let net = Net::new(transport);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let mut clients = Vec::new();
    let mut proxies = Vec::new();
    for kind in KINDS {
        let proxy = leading(kind, "localhost", address(&server.url()));
        let options = net.options().proxy(Some(kind.at(proxy.addr())));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&by_name(&server.url())).unwrap();
        client.wait_open();
        clients.push(client);
        proxies.push(proxy);
    }
    thread.stop();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    for client in &clients {
        let event = client.only_close();
        assert!(
            event.clean && event.initiator == Initiator::Loop,
            "{event:?}"
        );
    }
    server.wait_until(|stats| stats.closes_with(1001) == 4 && stats.clean == 4);
}

fn redirects(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        if head.target() == "/" {
            conn.send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n")?;
            return conn.finish();
        }
        let answer = conn.upgrade_response(&[]);
        conn.send(answer.as_bytes())?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    for kind in KINDS {
        let proxy = leading(kind, "localhost", server.addr());
        let thread = nameless();
        let options = net.options().redirects(1);
        let options = options.proxy(Some(kind.at(proxy.addr())));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&by_name(&server.url())).unwrap();
        assert!(client.only_close().clean);
        assert_eq!(proxy.accepted(), 2);
    }
}
