//! Connections of `TcpClient` that do not come up, and why.

use crate::common::loops::{MS, on_loop, resolving, started, started_with, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use crate::over_tcp_and_tls;
use hvloop::event::ConnectPhase;
use hvloop::event::tls::{TlsClientConfig, TlsError};
use hvloop::{CloseReason, Connect, EventLoop, LocalLoop};
use hvloop_test_support::{Blackhole, ScriptServer, TestCa, Tls, refuse_port};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

over_tcp_and_tls! {
    /// The first of several addresses is refused: the next one is tried, in the same attempt.
    first_address_refused => second_address;
    connect_error_kinds => error_kinds;
}

/// Connects and returns how that ended, which is once, and never with a channel.
fn failure(event_loop: &EventLoop, options: Connect) -> CloseReason {
    let connections = |l: &LocalLoop| l.event_loop().metrics().connections;
    let before = on_loop(event_loop, connections);
    let client = Recorded::new(event_loop);
    client.client.connect(options).unwrap();
    let reason = client.only_close();
    assert_eq!(client.seen.read(|seen| seen.connected), 0, "{reason}");
    client.threads.assert_one_thread();
    assert!(!client.client.is_connected());
    assert_eq!(on_loop(event_loop, connections), before);
    reason
}

fn second_address(transport: Transport) {
    // The echo listens on 127.0.0.1 alone: nobody is at the same port of the others.
    let refused = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
    let thread = started_with(resolving(move |host| match host {
        "localhost" => {
            let all = refused.into_iter().chain([Ipv4Addr::LOCALHOST]);
            Ok(all.map(IpAddr::from).collect())
        }
        _ => Ok(refused.map(IpAddr::from).to_vec()),
    }));
    let net = Net::new(transport);
    let server = net.echo();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to_host("localhost", server.addr().port()));
    assert_eq!(
        client.client.channel().unwrap().peer_addr(),
        Some(server.addr())
    );
    client.client.send(b"through").unwrap();
    client.wait("the echo", |seen| seen.bytes == b"through");
    // All of them refused: the error is that of one of them.
    let reason = failure(
        thread.event_loop(),
        net.to_host("refused.test", server.addr().port()),
    );
    match reason {
        CloseReason::Connect(Some(address), e) => {
            assert!(refused.map(IpAddr::from).contains(&address.ip()));
            assert_eq!(e.kind(), io::ErrorKind::ConnectionRefused);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.accepted(), 1);
    stop_without_panic(&thread);
}

fn error_kinds(transport: Transport) {
    let net = Net::new(transport);
    let thread = started_with(resolving(|host| match host {
        "none.test" => Ok(Vec::new()),
        _ => Err(io::Error::other("the resolver's own words")),
    }));
    let event_loop = thread.event_loop();

    match failure(event_loop, net.to_host("unknown.test", 1)) {
        CloseReason::Dns(e) => assert!(e.to_string().contains("own words"), "{e}"),
        other => panic!("dns: {other:?}"),
    }
    match failure(event_loop, net.to_host("none.test", 1)) {
        CloseReason::Dns(e) => assert_eq!(e.kind(), io::ErrorKind::NotFound),
        other => panic!("no address: {other:?}"),
    }

    let refused = refuse_port();
    match failure(event_loop, net.to_host("127.0.0.1", refused.port())) {
        CloseReason::Connect(Some(address), e) => {
            assert_eq!(address, refused);
            assert_eq!(e.kind(), io::ErrorKind::ConnectionRefused);
        }
        other => panic!("refused: {other:?}"),
    }

    let hole = Blackhole::new().unwrap();
    let options = net.to_host(&hole.addr().ip().to_string(), hole.addr().port());
    match failure(event_loop, options.open_timeout(50 * MS)) {
        CloseReason::OpenTimedOut { phase, limit } => {
            assert_eq!((phase, limit), (ConnectPhase::Connect, 50 * MS));
        }
        other => panic!("timed out: {other:?}"),
    }

    if transport == Transport::Tls {
        tls_kinds(event_loop, &net);
    } else {
        // The peer is gone before it said anything: that is an open connection's end.
        let server = ScriptServer::accept_then_drop();
        let client = Recorded::new(event_loop);
        client.client.connect(net.to(&server)).unwrap();
        let reason = client.only_close();
        assert_eq!(client.seen.read(|seen| seen.connected), 1);
        assert!(
            matches!(reason, CloseReason::Peer | CloseReason::Io(_)),
            "{reason:?}"
        );
    }
    stop_without_panic(&thread);
}

fn tls_kinds(event_loop: &EventLoop, net: &Net) {
    // Nobody that we trust.
    let server = net.echo();
    let stranger = TestCa::new();
    let tls = TlsClientConfig::builder().root_pem(stranger.ca_pem().as_bytes());
    let to = |server: &ScriptServer| Connect::to("127.0.0.1", server.addr().port());
    let options = to(&server).with_tls(tls.build().unwrap());
    match failure(event_loop, options) {
        CloseReason::Tls(TlsError::Certificate(_)) => {}
        other => panic!("certificate: {other:?}"),
    }
    // Not TLS at all.
    let plain = ScriptServer::start(Tls::Off, |conn| {
        conn.send(b"220 smtp.test ESMTP\r\n")?;
        conn.finish()
    });
    match failure(event_loop, net.to(&plain)) {
        CloseReason::Tls(TlsError::Protocol(_)) => {}
        other => panic!("protocol: {other:?}"),
    }
    // Gone inside the handshake.
    let gone = ScriptServer::accept_then_drop();
    match failure(event_loop, net.to(&gone)) {
        CloseReason::Truncated | CloseReason::Io(_) | CloseReason::Tls(TlsError::Truncated) => {}
        other => panic!("peer: {other:?}"),
    }
    // Mute inside the handshake.
    let mute = ScriptServer::mute_tls();
    // Enough for the phases before that one.
    match failure(event_loop, net.to(&mute).open_timeout(1_000 * MS)) {
        CloseReason::OpenTimedOut { phase, .. } => assert_eq!(phase, ConnectPhase::Tls),
        other => panic!("mute: {other:?}"),
    }
}

/// A connect that takes its time is given up by the deadline in every phase, also in the lookup.
#[test]
fn connect_deadline_covers_dns() {
    let go = hvloop_test_support::Event::new();
    let g = go.clone();
    let thread = started_with(resolving(move |_| {
        assert!(g.wait(hvloop_test_support::DEADLINE));
        Ok(vec![IpAddr::from(Ipv4Addr::LOCALHOST)])
    }));
    let options = Connect::to("slow.test", 1).open_timeout(20 * MS);
    match failure(thread.event_loop(), options) {
        CloseReason::OpenTimedOut { phase, .. } => assert_eq!(phase, ConnectPhase::Dns),
        other => panic!("{other:?}"),
    }
    assert!(!go.is_set());
    go.set();
    stop_without_panic(&thread);
}

/// A long way to connect is not a deadline for what is connected.
#[test]
fn connect_deadline_ends_with_the_connect() {
    let net = Net::new(Transport::Tls);
    let server = net.echo();
    let thread = started();
    let client = Recorded::new(thread.event_loop());
    client.connect(net.to(&server).open_timeout(2 * crate::common::loops::HOUR));
    assert_eq!(thread.event_loop().metrics().timers, 0, "disarmed");
    stop_without_panic(&thread);
}
