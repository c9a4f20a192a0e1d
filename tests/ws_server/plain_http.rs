//! Requests that ask for no upgrade.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::ws_peer::WsPeer;
use crate::common::ws_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::ws::handshake::HttpResponse;
use hvloop::ws::http::{Method, StatusCode};

over_tcp_and_tls! {
    /// A page and a health check beside the WebSockets; the connection ends after the answer, in order.
    serves_a_page => page_scenario;
}

fn page_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let page = "<!doctype html>".repeat(20_000);
    let body = page.clone();
    server.server.on_http(
        move |request| match (request.method.clone(), request.path.as_str()) {
            (Method::GET | Method::HEAD, "/") => HttpResponse::html(body.clone()),
            (Method::GET, "/health") => HttpResponse::new(StatusCode::NO_CONTENT),
            (_, "/panic") => panic!("on purpose"),
            _ => StatusCode::NOT_FOUND.into(),
        },
    );
    let to = server.listen(&net);
    let ask = |line: &str| {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer
            .send(format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes());
        let head = peer.head();
        let (body, end) = peer.peer.rest();
        assert_eq!(end, End::Clean, "{head}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        (head, body)
    };
    let (head, body) = ask("GET /?from=here");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(body == page.as_bytes(), "{} bytes", body.len());
    let (head, body) = ask("HEAD /");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", page.len())),
        "{head}"
    );
    assert_eq!(body.len(), 0);
    let (head, body) = ask("GET /health");
    assert!(head.starts_with("HTTP/1.1 204 No Content\r\n"), "{head}");
    assert!(
        !head.contains("Content-Length") && body.is_empty(),
        "{head}"
    );
    assert!(ask("POST /").0.starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(
        ask("GET /panic")
            .0
            .starts_with("HTTP/1.1 500 Internal Server Error\r\n")
    );
    WsPeer::open(&net, to, "/").close();
    assert!(
        server.seen.read(|seen| seen.failed.is_empty()),
        "none asked for a WebSocket"
    );
    stop_panicked(&thread);
}

fn stop_panicked(thread: &hvloop::EventLoopThread) {
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!((report.forced, report.failed), (0, 0), "{report}");
    assert_eq!(thread.event_loop().metrics().panics, 1);
}

/// Without `on_http` a path that has a service says what it is for, and others are not there.
#[test]
fn plain_http_by_default() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = hvloop::WebSocketServer::new(thread.event_loop());
    server.route("/ws", hvloop::WebSocketService::new());
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    for (path, status) in [("/ws", "426 Upgrade Required"), ("/", "404 Not Found")] {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer
            .send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let head = peer.head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{head}"
        );
        assert_eq!(head.contains("\r\nUpgrade: websocket\r\n"), path == "/ws");
        peer.peer.rest();
    }
    stop_clean(&thread);
}
