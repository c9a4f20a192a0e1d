//! The application protocol that TLS agrees on.

use crate::common::loops::patient;
use crate::common::ws_client::Recorded;
use hvloop::event::rustls::server::Acceptor;
use hvloop::event::tls::TlsClientConfig;
use hvloop::ws::ConnectionError;
use hvloop::{ClientOptions, CloseReason};
use hvloop_test_support::{Monitor, ScriptServer, TestCa, Tls};
use std::net::TcpListener;
use std::sync::Arc;

/// A server that speaks those.
fn server(ca: &TestCa, protocols: &[&str]) -> ScriptServer {
    let mut config = rustls::ServerConfig::clone(&ca.server_config(&["127.0.0.1"]));
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    ScriptServer::start(Tls::With(Arc::new(config)), |conn| {
        conn.accept_upgrade()?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    })
}

fn client(
    ca: &TestCa,
    protocols: &[&str],
    server: &ScriptServer,
) -> (Recorded, Monitor<Option<Vec<u8>>>) {
    let thread = patient();
    let tls = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let options = ClientOptions::new().tls(tls.alpn(protocols).build().unwrap());
    let client = Recorded::new(thread.event_loop(), options);
    let agreed = Monitor::new(None);
    let a = agreed.clone();
    client
        .client
        .on_open(move |_, event| a.update(|agreed| *agreed = event.alpn.clone()));
    client.client.open(&server.url()).unwrap();
    client.only_close();
    thread.stop();
    thread.join().unwrap();
    (client, agreed)
}

/// What is agreed on is told; no common one is the end; a server that chooses HTTP/2 is refused before
/// it sees a request.
#[test]
fn alpn_agreed_refused_and_wrong() {
    let ca = TestCa::new();
    // (client, server, agreed)
    let table: [(&[&str], &[&str], Option<&str>); 5] = [
        (&["http/1.1"], &["h2", "http/1.1"], Some("http/1.1")),
        (&["http/1.1"], &[], None),
        (&[], &["http/1.1"], None),
        (&["h2", "http/1.1"], &["http/1.1"], Some("http/1.1")),
        (&["mine"], &["mine"], Some("mine")),
    ];
    for (ours, theirs, expected) in table {
        let server = server(&ca, theirs);
        let (client, agreed) = client(&ca, ours, &server);
        assert!(client.only_close().clean, "{ours:?} {theirs:?}");
        let agreed = agreed.read(Clone::clone);
        assert_eq!(agreed.as_deref(), expected.map(str::as_bytes));
    }
    let server_of_2 = server(&ca, &["h2"]);
    let (refused, _) = client(&ca, &["http/1.1"], &server_of_2);
    let event = refused.only_close();
    let Some(ConnectionError::Transport(CloseReason::Tls(_))) = event.error else {
        panic!("{event:?}");
    };
    let both = server(&ca, &["h2", "http/1.1"]);
    let (wrong, _) = client(&ca, &["h2", "http/1.1"], &both);
    let event = wrong.only_close();
    assert!(!event.was_open && event.code == 1006, "{event:?}");
    assert!(matches!(event.error, Some(ConnectionError::WrongAlpn(name)) if name == "h2"));
}

/// With no configuration of the user's, `http/1.1` and nothing else is offered.
#[test]
fn alpn_offered_by_default() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut acceptor = Acceptor::default();
        loop {
            acceptor.read_tls(&mut stream).unwrap();
            if let Some(accepted) = acceptor.accept().unwrap() {
                let hello = accepted.client_hello();
                let offered = hello.alpn().unwrap();
                return offered.map(<[u8]>::to_vec).collect::<Vec<_>>();
            }
        }
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), ClientOptions::new());
    client
        .client
        .open(&format!("wss://localhost:{port}/"))
        .unwrap();
    assert_eq!(peer.join().unwrap(), [b"http/1.1"]);
    assert!(client.only_close().error.is_some());
}
