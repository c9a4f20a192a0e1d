//! `ws+unix` and `wss+unix`: our client and our server over a Unix socket.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::socket_path::SocketPath;
use crate::common::ws_server::scheme;
use crate::common::ws_server::{Recorded, echo};
use crate::over_tcp_and_tls;
use hvloop::event::tls::{TlsClientConfig, TlsClientConfigBuilder};
use hvloop::ws::ConnectionError;
use hvloop::{Address, ClientOptions, CloseReason, Listen, WebSocketClient};
use hvloop_test_support::{DEADLINE, Monitor};

over_tcp_and_tls! {
    /// Both forms of the URL: messages both ways, the request, the addresses, a clean end.
    websocket_over_a_unix_socket => unix_scenario;
}

fn listen(net: &Net, path: &SocketPath) -> Listen {
    let listen = Listen::unix(&path.0);
    match net.transport {
        Transport::Tcp => listen,
        Transport::Tls => listen.with_tls(net.server_config()),
    }
}

/// Options that trust the net's authority.
fn options(
    net: &Net,
    name: impl FnOnce(TlsClientConfigBuilder) -> TlsClientConfigBuilder,
) -> ClientOptions {
    let tls = TlsClientConfig::builder().root_pem(net.ca.ca_pem().as_bytes());
    ClientOptions::new().tls(name(tls).build().unwrap())
}

/// What the client's callbacks saw.
fn watched(client: &WebSocketClient) -> Monitor<(Vec<Vec<u8>>, Option<hvloop::CloseEvent>)> {
    let seen = Monitor::new((Vec::new(), None));
    let s = seen.clone();
    client.on_message(move |_, data| s.update(|seen| seen.0.push(data.as_bytes().to_vec())));
    let s = seen.clone();
    client.on_close(move |_, event| s.update(|seen| seen.1 = Some(event.clone())));
    seen
}

fn unix_scenario(transport: Transport) {
    let (net, thread, path) = (Net::new(transport), started(), SocketPath::new());
    let server = Recorded::on(&thread);
    let asked = Monitor::new(Vec::new());
    let a = asked.clone();
    let service = echo(&server.seen).on_open(move |channel, request| {
        assert_eq!(channel.peer_addr(), None);
        assert!(matches!(channel.peer(), Some(Address::Unix(_))));
        let host = request.header("Host").map(str::to_owned);
        a.update(|a| a.push((request.path.clone(), request.query.clone(), host)));
    });
    server.server.route("/*", service);
    server.server.listen(listen(&net, &path)).unwrap();
    let socket = path.0.to_str().unwrap();
    let scheme = scheme(&net);
    for url in [
        format!("{scheme}+unix:{socket}:/chat?room=a:b"),
        format!("{scheme}+unix://{socket}"),
    ] {
        // The path does not name the server.
        let client = WebSocketClient::with_options(
            thread.event_loop(),
            options(&net, |tls| tls.server_name("localhost")),
        );
        let seen = watched(&client);
        client.on_open(|ws, _| ws.send_text("by path").unwrap());
        client.open(&url).unwrap();
        assert!(seen.wait(DEADLINE, |seen| seen.0 == [b"by path"]), "{url}");
        assert_eq!(client.peer_addr(), None);
        client.close(1000, "").unwrap();
        assert!(seen.wait(DEADLINE, |seen| seen.1.is_some()));
        assert!(seen.read(|seen| seen.1.clone()).unwrap().clean);
    }
    let localhost = Some("localhost".to_owned());
    let expected = [
        (
            "/chat".to_owned(),
            Some("room=a:b".to_owned()),
            localhost.clone(),
        ),
        ("/".to_owned(), None, localhost),
    ];
    assert_eq!(asked.read(Clone::clone), expected);
    stop_clean(&thread);
}

/// Nobody there; and TLS to somebody without a name: each says what it is.
#[test]
fn unix_socket_errors() {
    let (net, thread, path) = (Net::new(Transport::Tls), started(), SocketPath::new());
    let socket = path.0.to_str().unwrap();
    let failure = |url: String| {
        let client = WebSocketClient::with_options(thread.event_loop(), options(&net, |tls| tls));
        let seen = watched(&client);
        client.open(&url).unwrap();
        assert!(seen.wait(DEADLINE, |seen| seen.1.is_some()));
        let event = seen.read(|seen| seen.1.clone()).unwrap();
        match event.error {
            Some(ConnectionError::Transport(reason)) => reason,
            other => panic!("{url}: {other:?}"),
        }
    };
    let reason = failure(format!("ws+unix:{socket}"));
    assert!(
        matches!(reason, CloseReason::Connect(None, _)),
        "{reason:?}"
    );
    let server = Recorded::on(&thread);
    server.server.listen(listen(&net, &path)).unwrap();
    let reason = failure(format!("wss+unix:{socket}"));
    let CloseReason::Tls(e) = reason else {
        panic!("{reason:?}");
    };
    let nameless = hvloop::event::tls::TlsError::InvalidServerName(String::new());
    assert_eq!(e, nameless);
    stop_clean(&thread);
}
