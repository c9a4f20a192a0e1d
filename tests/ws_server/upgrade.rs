//! The upgrade: what is accepted, what is refused and how.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{ACCEPT, WsPeer, frame, request};
use crate::common::ws_server::{Recorded, echo};
use crate::over_tcp_and_tls;
use hvloop::ws::ConnectionError;
use hvloop::ws::handshake::{Accept, HandshakeLimits, HttpResponse, UpgradeError};
use hvloop::ws::http::StatusCode;
use hvloop::{CloseReason, Listening, WebSocketServer, WebSocketService};
use hvloop_test_support::{DEADLINE, Monitor, opcode};
use std::net::TcpListener;
use std::time::Duration;

over_tcp_and_tls! {
    /// Each path has its service, and `on_open` gets the request.
    routes_by_path => routes_scenario;
    /// Frames in the same bytes as the request are not lost.
    first_frame_with_request => first_frame_scenario;
    /// On a listener that was made elsewhere.
    upgrade_on_a_given_listener => given_listener_scenario;
    /// One byte at a time.
    server_handshake_byte_by_byte => bytewise_scenario;
}

fn given_listener_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let listening = Listening::from_listener(listener, net.listen()).unwrap();
    let address = server.server.listen_on(listening).unwrap();
    assert_eq!(address.inet(), Some(to));
    let mut peer = WsPeer::open(&net, to, "/");
    peer.send(opcode::TEXT, b"hello");
    assert_eq!(peer.frame().payload, b"hello");
    peer.close();
    stop_clean(&thread);
    TcpListener::bind(to).unwrap();
}

fn routes_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = WebSocketServer::new(thread.event_loop());
    for path in ["/one", "/two/*"] {
        let service = WebSocketService::new().on_open(move |channel, request| {
            let query = request.query.as_deref().unwrap_or("none");
            let agent = request.header("User-Agent").unwrap_or("nobody");
            let text = format!("{path} {} {query} {agent}", request.path);
            channel.send_text(&text).unwrap();
        });
        server.route(path, service);
    }
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    for (path, further, expected) in [
        ("/one", "", "/one /one none nobody"),
        ("/one?a=b&c", "user-agent: me\r\n", "/one /one a=b&c me"),
        ("/two/three", "", "/two/* /two/three none nobody"),
    ] {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(request(path, further).as_bytes());
        assert!(
            peer.head()
                .starts_with("HTTP/1.1 101 Switching Protocols\r\n")
        );
        assert_eq!(peer.frame().payload, expected.as_bytes());
        peer.close();
    }
    let mut peer = WsPeer::mute(&net, to);
    peer.peer.send(request("/three", "").as_bytes());
    assert!(peer.head().starts_with("HTTP/1.1 404 Not Found\r\n"));
    stop_clean(&thread);
}

fn first_frame_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let mut peer = WsPeer::mute(&net, to);
    let mut bytes = request("/", "").into_bytes();
    bytes.extend(frame(opcode::TEXT, true, b"at once"));
    bytes.extend(frame(opcode::BINARY, false, b"and "));
    peer.peer.send(&bytes);
    assert!(peer.head().contains(ACCEPT));
    assert_eq!(peer.frame().payload, b"at once");
    peer.peer.send(&frame(opcode::CONTINUATION, true, b"later"));
    assert_eq!(peer.frame().payload, b"and later");
    peer.close();
    stop_clean(&thread);
}

fn bytewise_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let mut peer = WsPeer::mute(&net, to);
    let mut bytes = request("/", "X-Long: and so on\r\n").into_bytes();
    bytes.extend(frame(opcode::TEXT, true, b"slowly"));
    for byte in bytes {
        peer.peer.send(&[byte]);
    }
    assert!(peer.head().contains(ACCEPT));
    assert_eq!(peer.frame().payload, b"slowly");
    peer.close();
    stop_clean(&thread);
}

/// What is no proper upgrade is refused with its status and its error, and hurts nobody else.
#[test]
fn bad_upgrades_are_refused() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let mut witness = WsPeer::open(&net, to, "/");
    let good = request("/", "");
    let cases = [
        (
            good.replace(" HTTP/1.1", " HTTP/1.0"),
            "400",
            UpgradeError::Version,
        ),
        (good.replace("GET", "POST"), "405", UpgradeError::Method),
        (
            request("/", "Content-Length: 5\r\n"),
            "400",
            UpgradeError::Body,
        ),
        (
            request("/", "Transfer-Encoding: chunked\r\n"),
            "400",
            UpgradeError::Body,
        ),
        (
            good.replace("Connection: Upgrade", "Connection: close"),
            "400",
            UpgradeError::Connection,
        ),
        (
            good.replace("Version: 13", "Version: 8"),
            "426",
            UpgradeError::WebSocketVersion,
        ),
        (good.replace("ZSBub25jZQ==", ""), "400", UpgradeError::Key),
        (good.replace("jZQ==", "j!Q=="), "400", UpgradeError::Key),
    ];
    for (before, (text, status, error)) in cases.into_iter().enumerate() {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(text.as_bytes());
        let head = peer.head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{text}{head}"
        );
        assert!(head.contains("Connection: "), "{head}");
        assert_eq!(
            head.contains("Sec-WebSocket-Version: 13\r\n"),
            status == "426"
        );
        peer.peer.rest();
        server.wait("a failure", |seen| {
            let last = seen.failed.last();
            seen.failed.len() == before + 1
                && matches!(last, Some(ConnectionError::BadUpgrade(e)) if *e == error)
        });
    }
    witness.send(opcode::TEXT, b"still here");
    assert_eq!(witness.frame().payload, b"still here");
    witness.close();
    stop_clean(&thread);
}

/// A head without end, too many headers, or no HTTP at all: refused as soon as it shows.
#[test]
fn header_flood() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let limits = HandshakeLimits::new()
        .max_header_bytes(4096)
        .max_headers(20);
    server.server.set_handshake_limits(limits);
    let to = server.listen(&net);
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(4096));
    let many = format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(21));
    let late_end = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", "x".repeat(20));
    for (text, status) in [
        (long.as_str(), "431 Request Header Fields Too Large"),
        (&many, "431 Request Header Fields Too Large"),
        ("\x16\x03\x01\x02\x00\x01\x00", "400 Bad Request"),
        ("hello\r\n\r\n", "400 Bad Request"),
        ("GET nowhere HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nbad header: x\r\n\r\n", "400 Bad Request"),
        (&late_end, "400 Bad Request"),
    ] {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(text.as_bytes());
        let head = peer.head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{text:?}: {head}"
        );
        let (body, _) = peer.peer.rest();
        assert!(!body.is_empty(), "it says what was wrong");
    }
    server.wait("each told", |seen| seen.failed.len() == 7);
    let all = server.seen.read(|seen| seen.failed.clone());
    let bad = |error: &ConnectionError| matches!(error, ConnectionError::BadRequest(_));
    assert!(all.iter().all(bad), "{all:?}");
    stop_clean(&thread);
}

/// The server chooses among those offered, or none; the client checks. What was not offered is never
/// sent.
#[test]
fn subprotocol_rules() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = WebSocketServer::new(thread.event_loop());
    let chosen = Monitor::new(Vec::new());
    for (path, choice) in [("/b", "b"), ("/other", "other"), ("/none", "")] {
        let seen = chosen.clone();
        let service = WebSocketService::new()
            .on_upgrade(move |_| match choice {
                "" => Ok(Accept::new()),
                name => Accept::new()
                    .subprotocol(name)
                    .map_err(|_| StatusCode::IM_A_TEAPOT.into()),
            })
            .on_open(move |channel, request| {
                let offered: Vec<_> = request.subprotocols().map(str::to_owned).collect();
                let got = channel.subprotocol().map(str::to_owned);
                seen.update(|seen| seen.push((offered, got)));
            });
        server.route(path, service);
    }
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let answer = |path: &str, offer: &str| {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(request(path, offer).as_bytes());
        peer.head()
    };
    let offer = "Sec-WebSocket-Protocol: a,b\r\nSec-WebSocket-Protocol: c\r\n";
    let head = answer("/b", offer);
    assert!(head.contains("\r\nSec-WebSocket-Protocol: b\r\n"), "{head}");
    let head = answer("/none", offer);
    assert!(
        head.starts_with("HTTP/1.1 101") && !head.contains("Protocol:"),
        "{head}"
    );
    // The server's mistake, not the client's.
    let head = answer("/other", offer);
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    let head = answer("/b", "");
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    assert!(chosen.wait(DEADLINE, |seen| seen.len() == 2));
    let abc: Vec<_> = ["a", "b", "c"].map(str::to_owned).into();
    let expected = [(abc.clone(), Some("b".to_owned())), (abc, None)];
    assert_eq!(chosen.read(Clone::clone), expected);
    thread.stop();
    thread.join().unwrap();
}

/// A hook refuses with a status, headers and a body; an origin is checked; a hook that panics is 500.
#[test]
fn refusals_of_the_user() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let seen = Monitor::new(Default::default());
    let server = WebSocketServer::new(thread.event_loop());
    let failed = Monitor::new(Vec::new());
    let f = failed.clone();
    server.on_failed(move |peer, error| {
        assert!(peer.is_some());
        f.update(|failed| failed.push(error.to_string()));
    });
    let login = echo(&seen).on_upgrade(|request| match request.header("Authorization") {
        Some("Bearer 123") => Ok(Accept::new().header("X-User", "you").unwrap()),
        Some(_) => panic!("on purpose"),
        None => Err(HttpResponse::text(StatusCode::UNAUTHORIZED, "who are you?")
            .header("WWW-Authenticate", "Bearer")
            .unwrap()),
    });
    server.route("/login", login);
    let origin = echo(&seen).check_origin(|origin| origin == Some("https://good.example"));
    server.route("/origin", origin);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let answer = |path: &str, header: &str| {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(request(path, header).as_bytes());
        (peer.head(), peer)
    };
    let (head, mut peer) = answer("/login", "");
    assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{head}");
    assert!(head.contains("\r\nWWW-Authenticate: Bearer\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: 12\r\n"), "{head}");
    assert_eq!(peer.peer.rest().0, b"who are you?");
    let (head, peer) = answer("/login", "Authorization: Bearer 123\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("\r\nX-User: you\r\n"), "{head}");
    peer.close();
    let (head, _) = answer("/login", "Authorization: other\r\n");
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    for bad in [
        "",
        "Origin: https://bad.example\r\n",
        "Origin: https://good.example\r\nOrigin: x\r\n",
    ] {
        let (head, _) = answer("/origin", bad);
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
    }
    let (head, peer) = answer("/origin", "Origin: https://good.example\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    peer.close();
    assert!(failed.wait(DEADLINE, |failed| failed.len() == 5));
    let statuses: Vec<_> = [401, 500, 403, 403, 403]
        .map(|status| format!("refused with HTTP status {status}"))
        .into();
    assert_eq!(failed.read(Clone::clone), statuses);
    thread.stop();
    assert_eq!(thread.join().unwrap().still_held, [""; 0]);
    assert_eq!(thread.event_loop().metrics().panics, 1);
}

over_tcp_and_tls! {
    /// A client that says nothing, or goes in the middle, is given up after its deadline or at once.
    mute_client_times_out => mute_scenario;
}

fn mute_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    // Enough for TLS on a busy machine.
    let listen = net.listen().open_timeout(Duration::from_secs(2));
    let to = server.server.listen(listen).unwrap().inet().unwrap();
    let mut mute = WsPeer::mute(&net, to);
    mute.peer.send(b"GET / HTTP/1.1\r\n");
    let _ = mute.peer.rest();
    server.wait("timed out", |seen| {
        let last = seen.failed.last();
        matches!(
            last,
            Some(ConnectionError::Transport(CloseReason::OpenTimedOut { .. }))
        )
    });
    let patient = net.listen().open_timeout(DEADLINE);
    let to = server.server.listen(patient).unwrap().inet().unwrap();
    let mut gone = WsPeer::mute(&net, to);
    gone.peer.send(b"GET / HTTP/1.1\r\n");
    gone.peer.end();
    server.wait("given up", |seen| {
        matches!(
            seen.failed.last(),
            Some(ConnectionError::UpgradeInterrupted)
        )
    });
    assert_eq!(
        server.seen.read(|seen| (seen.opened, seen.closed.len())),
        (0, 0)
    );
    thread.stop();
    thread.join().unwrap();
}
