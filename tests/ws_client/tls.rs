//! What is TLS's alone.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use hvloop::event::rustls;
use hvloop::event::tls::{CertificateProblem, TlsClientConfig, TlsError};
use hvloop::ws::ConnectionError;
use hvloop::{ClientOptions, CloseReason, Connect, TcpClient};
use hvloop_test_support::{
    DEADLINE, EchoServer, Mode, Monitor, ScriptServer, TestCa, Tls, opcode, wait_for,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

fn tls_error(config: TlsClientConfig, server: Arc<rustls::ServerConfig>) -> Option<TlsError> {
    let server = EchoServer::start(Tls::With(server));
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), ClientOptions::new().tls(config));
    client.client.on_open(|ws, _| ws.close(1000, "").unwrap());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    match event.error {
        None => {
            assert!(event.clean, "{event:?}");
            None
        }
        Some(ConnectionError::Transport(CloseReason::Tls(e))) => Some(e),
        other => panic!("{other:?}"),
    }
}

fn trusting(ca: &TestCa) -> TlsClientConfig {
    let builder = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    builder.build().unwrap()
}

#[test]
fn tls_verify_matrix() {
    let ca = TestCa::new();
    let good = || ca.server_config(&["127.0.0.1", "localhost"]);
    // An address in the certificate, checked as such.
    assert_eq!(tls_error(trusting(&ca), good()), None);
    // Verified by default: the platform does not know this CA.
    let by_default = TlsClientConfig::new();
    if let Ok(config) = by_default {
        assert!(matches!(
            tls_error(config, good()),
            Some(TlsError::Certificate(_))
        ));
    }
    let problem = |server| match tls_error(trusting(&ca), server) {
        Some(TlsError::Certificate(problem)) => problem,
        other => panic!("{other:?}"),
    };
    let expired = problem(ca.expired_config());
    assert!(
        matches!(expired, CertificateProblem::Expired { since: Some(_) }),
        "{expired:?}"
    );
    let wrong = problem(ca.wrong_name_config());
    assert!(
        matches!(wrong, CertificateProblem::NotValidForName { .. }),
        "{wrong:?}"
    );
    let own = problem(TestCa::self_signed_config());
    assert!(
        matches!(
            own,
            CertificateProblem::UnknownIssuer | CertificateProblem::Other(_)
        ),
        "{own:?}"
    );
    // Opting out has a name that says so.
    let any = TlsClientConfig::builder()
        .dangerous()
        .accept_any_certificate();
    assert_eq!(
        tls_error(any.build().unwrap(), TestCa::self_signed_config()),
        None
    );
    // A client certificate, demanded and given, and not given.
    let (chain, key) = ca.client_cert();
    let with_cert = TlsClientConfig::builder()
        .root_pem(ca.ca_pem().as_bytes())
        .client_auth_pem(chain.as_bytes(), key.as_bytes());
    assert_eq!(
        tls_error(with_cert.build().unwrap(), ca.client_auth_config()),
        None
    );
    assert!(tls_error(trusting(&ca), ca.client_auth_config()).is_some());
}

/// Both sides write a lot before either reads: no deadlock, nothing lost.
#[test]
fn tls_bidirectional_flood() {
    const EACH: usize = 64;
    let net = Net::new(Transport::Wss);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        let (mut got, mut sent) = (0, 0);
        while got < EACH {
            if sent < EACH {
                conn.send_frame(opcode::BINARY, true, &vec![sent as u8; 128 * 1024])?;
                sent += 1;
            }
            let frame = conn.read_frame()?.expect("a message");
            assert_eq!(frame.payload, vec![got as u8; 128 * 1024]);
            got += 1;
        }
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.on_open(|ws, _| {
        for n in 0..EACH {
            ws.send_binary(&vec![n as u8; 128 * 1024]).unwrap();
        }
    });
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
    client.seen.read(|seen| {
        assert_eq!(seen.messages.len(), EACH);
        for (n, message) in seen.messages.iter().enumerate() {
            assert!(*message == vec![n as u8; 128 * 1024]);
        }
    });
}

/// Much more than a read's budget comes at once, then nothing: what is decrypted, or still in the
/// socket, needs no further event to be delivered.
#[test]
fn tls_buffered_no_edge() {
    let net = Net::new(Transport::Wss);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        for n in 0..8 {
            conn.send_frame(opcode::BINARY, true, &vec![n; 1024 * 1024])?;
        }
        for _ in 0..1000 {
            conn.send_frame(opcode::TEXT, true, b"small")?;
        }
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait("all of it", |seen| seen.messages.len() == 1008);
    client.seen.read(|seen| {
        for n in 0..8u8 {
            assert!(seen.messages[n as usize] == vec![n; 1024 * 1024]);
        }
    });
    server.release();
}

/// Messages of a mebibyte, which is many records and many reads, both ways at once.
#[test]
fn tls_1mib_message() {
    const MIB: usize = 1024 * 1024;
    let net = Net::new(Transport::Wss);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    let message = |n: usize| -> Vec<u8> { (0..MIB).map(|i| (i * 7 + n) as u8).collect() };
    for n in 0..8 {
        client.client.send_binary(&message(n)).unwrap();
    }
    client.wait("eight echoes", |seen| seen.messages.len() == 8);
    client.seen.read(|seen| {
        for (n, got) in seen.messages.iter().enumerate() {
            assert!(*got == message(n), "message {n}");
        }
    });
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// A TLS client of ours, a peer that takes bytes off the wire by hand.
fn raw_peer(
    script: impl FnOnce(std::net::TcpStream) + Send + 'static,
) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || script(listener.accept().unwrap().0));
    (port, thread)
}

/// Garbage is a TLS error and the end; the peer gets an alert.
#[test]
fn tls_garbage_peer() {
    let alert = Monitor::new(Vec::new());
    let a = alert.clone();
    let (port, peer) = raw_peer(move |mut stream| {
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        let mut rest = Vec::new();
        // A reset is one way for the end to look like.
        let _ = stream.read_to_end(&mut rest);
        a.update(|alert| *alert = rest);
    });
    let ca = TestCa::new();
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), ClientOptions::new().tls(trusting(&ca)));
    client
        .client
        .open(&format!("wss://127.0.0.1:{port}/"))
        .unwrap();
    let event = client.only_close();
    let Some(ConnectionError::Transport(CloseReason::Tls(_))) = event.error else {
        panic!("{event:?}");
    };
    peer.join().unwrap();
}

/// The client's hello does not fit into the socket: the rest goes out when there is room.
#[test]
fn tls_handshake_blocked_write() {
    let ca = TestCa::new();
    let server = ScriptServer::start(Tls::On(&ca), |conn| {
        conn.accept_upgrade()?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    // A hello of many kilobytes.
    let protocols: Vec<String> = (0..200).map(|n| format!("{n:0>200}")).collect();
    let config = TlsClientConfig::builder()
        .root_pem(ca.ca_pem().as_bytes())
        .alpn(protocols);
    let client = Recorded::new(
        thread.event_loop(),
        ClientOptions::new().tls(config.build().unwrap()),
    );
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
}

/// Both sides say close_notify; TCP alone, without WebSocket.
#[test]
fn close_notify_sent() {
    let ca = TestCa::new();
    let config = ca.server_config(&["127.0.0.1"]);
    let told = Monitor::new(None);
    let t = told.clone();
    let (port, peer) = raw_peer(move |stream| {
        let tls = rustls::ServerConnection::new(config).unwrap();
        let mut stream = rustls::StreamOwned::new(tls, stream);
        let mut all = Vec::new();
        // Without close_notify rustls makes this an UnexpectedEof.
        let result = stream.read_to_end(&mut all);
        t.update(|t| *t = Some((result.is_ok(), all)));
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let thread = patient();
    let client = TcpClient::new(thread.event_loop());
    let closed = Monitor::new(None);
    let c = closed.clone();
    client.on_connect(|channel| {
        channel.send(b"all of this").unwrap();
        channel.close();
    });
    client.on_close(move |_, reason| c.update(|c| *c = Some(reason.to_string())));
    client
        .connect(Connect::to("127.0.0.1", port).with_tls(trusting(&ca)))
        .unwrap();
    assert!(
        told.wait(DEADLINE, |t| *t == Some((true, b"all of this".to_vec()))),
        "{:?}",
        told.read(Clone::clone)
    );
    assert!(closed.wait(DEADLINE, |c| c.as_deref() == Some("closed by this side")));
    peer.join().unwrap();
}

/// The end of the stream without close_notify is no orderly end.
#[test]
fn eof_without_close_notify() {
    let net = Net::new(Transport::Wss);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.send_frame(opcode::TEXT, true, b"last words")?;
        conn.close_without_notify();
        Ok(())
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(event.code == 1006 && !event.clean, "{event:?}");
    let truncated = matches!(
        event.error,
        Some(ConnectionError::Transport(
            CloseReason::Truncated | CloseReason::Io(_)
        ))
    );
    assert!(truncated, "{event:?}");
    client
        .seen
        .read(|seen| assert_eq!(seen.messages, [b"last words"]));
}

/// A TLS peer that reads nothing costs the queue's limit, and the connection in the end.
#[test]
fn tls_slow_peer_memory() {
    const LIMIT: usize = 2 * 1024 * 1024;
    let net = Net::new(Transport::Wss);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .send_limit(LIMIT)
        .write_timeout(Some(Duration::from_millis(200)));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    client.wait_open();
    // The kernel takes some, the queue the rest, and then nothing moves.
    let mut refused = 0;
    let gone = || client.seen.read(|seen| !seen.closed.is_empty());
    let stalled = wait_for(30, || {
        refused += usize::from(client.client.send_binary(&[0; 100_000]).is_err());
        assert!(client.client.buffered_amount() <= LIMIT);
        gone()
    });
    assert!(stalled && refused > 0, "{refused} refused");
    assert!(client.only_close().error.is_some());
    assert_eq!(client.client.buffered_amount(), 0);
    server.release();
}

/// A plain client on a TLS port, and the other way round: an error, at once.
#[test]
fn the_wrong_kind_of_server() {
    let net = Net::new(Transport::Wss);
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client
        .client
        .open(&server.url().replace("wss", "ws"))
        .unwrap();
    assert!(client.only_close().error.is_some());
    let plain = EchoServer::start(Tls::Off);
    let client = Recorded::new(thread.event_loop(), net.options());
    client
        .client
        .open(&plain.url().replace("ws", "wss"))
        .unwrap();
    let event = client.only_close();
    assert!(event.error.is_some(), "{event:?}");
}
