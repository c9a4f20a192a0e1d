//! The upgrade: what is accepted, what is refused, and that refusals are told.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::rustls;
use hvloop::event::tls::TlsClientConfig;
use hvloop::ws::ConnectionError;
use hvloop::ws::handshake::HandshakeError;
use hvloop::{ClientOptions, CloseEvent};
use hvloop_test_support::{
    EchoServer, ScriptServer, TestCa, Tls, encode_frame, opcode, upgrade_response,
};
use std::time::Duration;

over_both! {
    handshake_401 => refused_by_status;
    subprotocol_rules => subprotocols;
    unsolicited_extension => extension;
    header_flood => flood;
    slow_link_handshake => slow_link;
    first_frame_with_101 => with_the_101;
    connection_header_lists => lists;
    wrong_answers => wrong;
    headers_are_sent => sent;
}

fn close_of(net: &Net, server: &ScriptServer) -> CloseEvent {
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert_eq!(client.seen.read(|seen| seen.opened), 0);
    assert!(!event.was_open && !event.clean, "{event:?}");
    event
}

fn error_of(net: &Net, server: &ScriptServer) -> HandshakeError {
    match close_of(net, server).error {
        Some(ConnectionError::Handshake(e)) => (*e).clone(),
        other => panic!("{other:?}"),
    }
}

fn refused_by_status(transport: Transport) {
    let net = Net::new(transport);
    let headers = ["WWW-Authenticate: Bearer"];
    let server = ScriptServer::http_status(net.tls(), "401 Unauthorized", &headers, "who are you?");
    let event = close_of(&net, &server);
    assert_eq!(event.http_status, Some(401));
    let Some(ConnectionError::Handshake(e)) = event.error else {
        panic!("{event:?}");
    };
    let HandshakeError::Status {
        status, headers, ..
    } = &*e
    else {
        panic!("{e:?}");
    };
    assert_eq!(*status, 401);
    assert_eq!(headers["www-authenticate"], "Bearer");
}

fn answering(net: &Net, headers: &'static [&'static str]) -> ScriptServer {
    ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade_with(headers)?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    })
}

fn subprotocols(transport: Transport) {
    let net = Net::new(transport);
    // Offered and chosen.
    let server = answering(&net, &["Sec-WebSocket-Protocol: chat.v2"]);
    let thread = patient();
    let options = net.options().subprotocol("chat.v1").subprotocol("chat.v2");
    let client = Recorded::new(thread.event_loop(), options);
    client.client.on_open(|_, event| {
        assert_eq!(event.response.subprotocol.as_deref(), Some("chat.v2"));
    });
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
    settle(thread.event_loop());
    assert_eq!(thread.event_loop().metrics().panics, 0);
    // Not offered.
    let error = error_of(&net, &server);
    assert!(
        matches!(error, HandshakeError::UnsolicitedSubprotocol(_)),
        "{error:?}"
    );
}

fn extension(transport: Transport) {
    let net = Net::new(transport);
    let server = answering(&net, &["Sec-WebSocket-Extensions: permessage-deflate"]);
    let error = error_of(&net, &server);
    assert!(
        matches!(error, HandshakeError::UnsolicitedExtension(_)),
        "{error:?}"
    );
}

/// A head without end is cut off at its limit, however it comes.
fn flood(transport: Transport) {
    let net = Net::new(transport);
    for lines in [true, false] {
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.read_request_head()?;
            conn.send(b"HTTP/1.1 101 Switching Protocols\r\n")?;
            let more = if lines {
                "X: y\r\n".repeat(500)
            } else {
                "x".repeat(3000)
            };
            while conn.send(more.as_bytes()).is_ok() {}
            Ok(())
        });
        let error = error_of(&net, &server);
        assert!(
            matches!(
                error,
                HandshakeError::HeadersTooLarge { .. } | HandshakeError::TooManyHeaders { .. }
            ),
            "{error:?}"
        );
    }
}

/// handshake_byte_by_byte, with pauses that a slow link would make.
fn slow_link(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        let answer = upgrade_response(&head, &["X-Padding: 0123456789"]);
        for byte in answer.as_bytes() {
            conn.send(&[*byte])?;
            // The link's pause; nobody releases the server.
            assert!(!conn.released_within(Duration::from_micros(200)));
        }
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
}

fn with_the_101(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        let mut bytes = upgrade_response(&head, &[]).into_bytes();
        bytes.extend(encode_frame(opcode::TEXT, true, b"first"));
        bytes.extend(encode_frame(opcode::CLOSE, true, &[0x03, 0xe8]));
        conn.send(&bytes)?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
    client
        .seen
        .read(|seen| assert_eq!(seen.messages, [b"first"]));
}

fn lists(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        let answer = upgrade_response(&head, &[]);
        assert!(answer.contains("Connection: Upgrade"), "{answer}");
        let answer = answer
            .replace("Connection: Upgrade", "Connection: ,keep-alive,, uPgRaDe")
            .replace(
                "Upgrade: websocket",
                "Upgrade:\r\nSec-WebSocket-Extensions: ,\r\nSec-WebSocket-Protocol:\r\n\
                 Upgrade: WebSocket\t, ",
            );
        conn.send(answer.as_bytes())?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    assert!(client.only_close().clean);
}

/// Makes a right answer wrong.
type Spoil = fn(String) -> String;

fn wrong(transport: Transport) {
    let net = Net::new(transport);
    let cases: [(&str, Spoil); 4] = [
        ("no Upgrade", |a| a.replace("Upgrade: websocket\r\n", "")),
        ("no Connection", |a| {
            a.replace("Connection: Upgrade\r\n", "")
        }),
        ("wrong Accept", |a| {
            a.replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x")
        }),
        ("not HTTP", |_| "SSH-2.0-OpenSSH_9\r\n\r\n".to_owned()),
    ];
    for (what, spoil) in cases {
        let server = ScriptServer::start(net.tls(), move |conn| {
            let head = conn.read_request_head()?;
            conn.send(spoil(upgrade_response(&head, &[])).as_bytes())?;
            while conn.read_frame().is_ok_and(|frame| frame.is_some()) {}
            Ok(())
        });
        let error = error_of(&net, &server);
        let right = match what {
            "no Upgrade" => matches!(error, HandshakeError::MissingUpgrade),
            "no Connection" => matches!(error, HandshakeError::MissingConnectionUpgrade),
            "wrong Accept" => matches!(error, HandshakeError::AcceptMismatch),
            _ => matches!(error, HandshakeError::Malformed(_)),
        };
        assert!(right, "{what}: {error:?}");
    }
}

fn sent(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        let head = conn.read_request_head()?;
        assert_eq!(head.target(), "/a/b?c=d%20e");
        assert_eq!(head.header("X-Token"), Some("secret"));
        assert_eq!(head.header("Origin"), Some("https://example.test"));
        assert_eq!(head.header("Sec-WebSocket-Version"), Some("13"));
        conn.send(upgrade_response(&head, &[]).as_bytes())?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let options = net
        .options()
        .header("X-Token", "secret")
        .origin("https://example.test");
    let client = Recorded::new(thread.event_loop(), options);
    let url = format!("{}/a/b?c=d%20e", server.url().trim_end_matches('/'));
    client.client.open(&url).unwrap();
    assert!(client.only_close().clean);
}

/// The request must leave the TLS layer with the handshake's last flight, without a push from
/// anything else: the server says nothing but what TLS makes it say.
#[test]
fn wss_handshake_buffered() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let ca = TestCa::new();
        let config = ca.server_config_of(&["127.0.0.1"], version);
        let server = EchoServer::start(Tls::With(config));
        let tls = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
        let options = ClientOptions::new().tls(tls.build().unwrap());
        let thread = patient();
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&server.url()).unwrap();
        client.wait_open();
        client.client.send_text("there").unwrap();
        client.wait("the echo", |seen| seen.messages == [b"there"]);
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
    }
}
