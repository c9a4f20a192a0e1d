//! The well-behaved server.

mod common;

use std::io::{Read, Write};
use std::sync::Arc;

use common::{connect, tcp, tls, try_connect};
use hvloop_test_support::{EchoServer, Mode, TestCa, Tls};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

/// Every variant of a server: plain and over TLS.
fn both(test: impl Fn(&EchoServer, Option<&Arc<TestCa>>)) {
    test(&EchoServer::start(Tls::Off), None);
    let ca = Arc::new(TestCa::new());
    test(&EchoServer::start(Tls::On(&ca)), Some(&ca));
}

#[test]
fn echoes_and_counts_a_clean_close() {
    both(|server, ca| {
        let mut client = connect(server.port(), ca);
        for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
            client.send(message.clone()).expect("send");
            assert_eq!(client.read().expect("read"), message);
        }
        client
            .close(Some(CloseFrame {
                code: 1001.into(),
                reason: "".into(),
            }))
            .expect("close");
        while client.read().is_ok() {}
        if ca.is_none() {
            drop(client);
            let stats = server.wait_until(|stats| stats.open == 0);
            assert_eq!(stats.clean, 1, "{stats:?}");
            assert_eq!(stats.truncated, 0, "{stats:?}");
            assert_eq!(stats.messages, 2);
            assert_eq!(stats.bytes, 100_005);
            assert_eq!(stats.closes_with(1001), 1);
            assert_eq!(stats.abrupt, 0);
        }
    });
}

#[test]
fn sees_whether_tls_ends_with_close_notify() {
    let ca = TestCa::new();
    let server = EchoServer::start(Tls::On(&ca));
    for polite in [true, false] {
        let (mut client, _) =
            tungstenite::client(server.url(), tls(server.port(), &ca)).expect("open");
        client.close(None).expect("close");
        while client.read().is_ok() {}
        let stream = client.get_mut();
        if polite {
            stream.conn.send_close_notify();
            stream.conn.write_tls(&mut stream.sock).expect("write");
        }
        drop(client);
        server.wait_until(|stats| stats.open == 0);
    }
    let stats = server.stats();
    assert_eq!((stats.clean, stats.truncated), (1, 1), "{stats:?}");
    assert_eq!(stats.closes_with(1005), 2);
    assert_eq!(stats.abrupt, 0);
}

#[test]
fn counts_an_abrupt_end() {
    both(|server, ca| {
        drop(connect(server.port(), ca));
        let stats = server.wait_until(|stats| stats.open == 0);
        assert_eq!(stats.abrupt, 1, "{stats:?}");
        assert_eq!(stats.truncated, u64::from(ca.is_some()), "{stats:?}");
        assert_eq!(stats.closes_total(), 0);
    });
}

#[test]
fn counts_a_protocol_error() {
    let server = EchoServer::start(Tls::Off);
    let mut client = connect(server.port(), None);
    client
        .get_mut()
        .write_all(&[0xC1, 0x80, 0, 0, 0, 0])
        .expect("write");
    server.wait_until(|stats| stats.protocol_errors == 1 && stats.abrupt == 0);
}

#[test]
fn counts_failed_handshakes() {
    both(|server, _| {
        let mut client = tcp(server.port());
        client.write_all(b"nonsense\r\n\r\n").expect("write");
        let mut answer = Vec::new();
        // The server may answer with an alert or a reset.
        let _ = client.read_to_end(&mut answer);
        server.wait_until(|stats| stats.handshakes_failed == 1 && stats.open == 0);
    });
}

#[test]
fn closes_all_clients_on_demand() {
    both(|server, ca| {
        let mut clients: Vec<_> = (0..5).map(|_| connect(server.port(), ca)).collect();
        server.wait_until(|stats| stats.upgraded == 5);
        server.close_all(1012, "restart");
        for client in &mut clients {
            let Message::Close(Some(frame)) = client.read().expect("read") else {
                panic!("not a Close frame");
            };
            assert_eq!(
                (u16::from(frame.code), frame.reason.as_str()),
                (1012, "restart")
            );
            while client.read().is_ok() {}
        }
        drop(clients);
        server.wait_until(|stats| stats.open == 0 && stats.closes_with(1012) == 5);
        let mut later = connect(server.port(), ca);
        later.send(Message::text("still there")).expect("send");
        assert_eq!(later.read().expect("read"), Message::text("still there"));
        server.abort_all();
        assert!(later.read().is_err());
    });
}

#[test]
fn stop_says_goodbye_and_frees_the_port() {
    let server = EchoServer::start(Tls::Off);
    let port = server.port();
    let mut client = connect(port, None);
    let reader = std::thread::spawn(move || {
        let first = client.read().expect("read");
        while client.read().is_ok() {}
        first
    });
    let stats = server.stop();
    assert_eq!(stats.closes_with(1001), 1, "{stats:?}");
    assert!(matches!(
        reader.join().expect("join"),
        Message::Close(Some(_))
    ));
    let again = EchoServer::start_with(Tls::Off, Mode::Echo, port);
    drop(connect(again.port(), None));
}

#[test]
fn bad_certificates_are_bad() {
    let ca = Arc::new(TestCa::new());
    let bad = [
        ca.expired_config(),
        ca.wrong_name_config(),
        TestCa::self_signed_config(),
        ca.client_auth_config(),
        TestCa::no_certificate_config(),
        TestCa::new().server_config(&["127.0.0.1"]),
    ];
    for (number, config) in bad.into_iter().enumerate() {
        let server = EchoServer::start(Tls::With(config));
        let error = try_connect(server.port(), Some(&ca)).map(|_| number);
        assert!(error.is_err(), "certificate {number} was accepted");
        println!("{number}: {}", error.unwrap_err());
    }
}

#[test]
fn client_certificate_is_accepted() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let ca = TestCa::new();
    let server = EchoServer::start(Tls::With(ca.client_auth_config()));
    let (chain, key) = ca.client_cert();
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = rustls::ClientConfig::builder_with_provider(hvloop_test_support::ring_provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(ca.roots())
        .with_client_auth_cert(chain, key)
        .expect("the key fits");
    let name = "localhost".try_into().expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
    let stream = rustls::StreamOwned::new(session, tcp(server.port()));
    let (mut client, _) = tungstenite::client(server.url(), stream).expect("open");
    client.send(Message::text("me")).expect("send");
    assert_eq!(client.read().expect("read"), Message::text("me"));
}

#[test]
fn modes_that_do_not_close() {
    let ca = Arc::new(TestCa::new());
    for tls in [None, Some(&ca)] {
        let how = || tls.map_or(Tls::Off, |ca| Tls::On(ca));
        let stubborn = EchoServer::start_with(how(), Mode::NeverClose, 0);
        let mut client = connect(stubborn.port(), tls);
        client.send(Message::text("a")).expect("send");
        assert_eq!(client.read().expect("read"), Message::text("a"));
        client.close(None).expect("close");
        client.send(Message::text("b")).expect_err("after Close");
        client.flush().expect("flush");
        let stats = stubborn.wait_until(|stats| stats.closes_with(1005) == 1);
        assert_eq!((stats.open, stats.messages), (1, 1));
        drop(client);
        let stats = stubborn.wait_until(|stats| stats.open == 0);
        assert_eq!(stats.abrupt, 0, "{stats:?}");

        let flood = EchoServer::start_with(how(), Mode::Flood, 0);
        let mut client = connect(flood.port(), tls);
        for _ in 0..100 {
            assert_eq!(client.read().expect("read").len(), 16 * 1024);
        }
        drop(client);
        flood.wait_until(|stats| stats.open == 0 && stats.abrupt == 1);
    }
    let mute = EchoServer::start_with(Tls::Off, Mode::Mute, 0);
    let client = tcp(mute.port());
    mute.wait_until(|stats| stats.open == 1);
    drop(client);
    mute.wait_until(|stats| stats.open == 0 && stats.upgraded == 0);
}
