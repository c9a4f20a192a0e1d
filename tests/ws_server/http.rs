//! Requests with bodies, one after another on a connection, and what must not be taken for one.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{End, Net, Transport};
use crate::common::ws_peer::{WsPeer, frame, request};
use crate::common::ws_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::Address;
use hvloop::ws::ConnectionError;
use hvloop::ws::HttpOptions;
use hvloop::ws::handshake::{BadRequest, HttpResponse};
use hvloop::ws::http::StatusCode;
use hvloop_test_support::{DEADLINE, Event, Monitor, opcode};
use std::net::SocketAddr;

over_tcp_and_tls! {
    requests_follow_each_other => follow;
    pipelined_requests_are_answered_in_order => pipelined;
    bodies_come_in_pieces => bodies;
    a_page_and_then_a_websocket => then_a_websocket;
    who_waits_to_send_is_told_to => expects;
    requests_that_could_be_cut_differently_are_refused => smuggling;
    idle_connections_end_in_order => idle;
    answers_that_nobody_reads_hold_requests_back => held_back;
}

/// Says what it was asked.
fn echo(net: &Net, server: &Recorded, options: HttpOptions) -> SocketAddr {
    server.server.set_http_options(options);
    server.server.on_http(|request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let peer = request.peer().and_then(Address::inet);
        assert!(peer.is_some_and(|peer| peer.ip().is_loopback()), "{peer:?}");
        let text = format!("{} {} {body}", request.method, request.path);
        HttpResponse::text(StatusCode::OK, text)
    });
    server.listen(net)
}

/// An answer: its head and its body, as long as it says.
#[track_caller]
fn answer(peer: &mut WsPeer) -> (String, String) {
    let head = peer.head();
    let length = head.split_once("Content-Length: ");
    let length = length.map(|(_, rest)| rest.split("\r\n").next().unwrap());
    let length = length.map_or(0, |length| length.parse().unwrap());
    let body = peer.peer.expect(length);
    (head, String::from_utf8(body).unwrap())
}

#[track_caller]
fn says(peer: &mut WsPeer, expected: &str) -> String {
    let (head, body) = answer(peer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, expected, "{head}");
    head
}

fn follow(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = echo(&net, &server, HttpOptions::new());
    let mut peer = WsPeer::mute(&net, to);
    for n in 0..100 {
        let text = format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.peer.send(text.as_bytes());
        let head = says(&mut peer, &format!("GET /{n} "));
        assert!(head.contains("\r\nConnection: keep-alive\r\n"), "{head}");
    }
    // The last one says so; what is behind it is nobody's.
    peer.peer.send(
        b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\nGET /no HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let head = says(&mut peer, "GET /last ");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    peer.expect_end();
    // Older clients say so if they go on.
    for (line, goes_on) in [("", false), ("Connection: keep-alive\r\n", true)] {
        let mut peer = WsPeer::mute(&net, to);
        let text = format!("GET / HTTP/1.0\r\n{line}\r\n");
        peer.peer.send(text.as_bytes());
        let head = says(&mut peer, "GET / ");
        if goes_on {
            assert!(head.contains("\r\nConnection: keep-alive\r\n"), "{head}");
            peer.peer.send(text.as_bytes());
            says(&mut peer, "GET / ");
            peer.peer.end();
        }
        peer.expect_end();
    }
    stop_clean(&thread);
    assert!(server.seen.read(|seen| seen.failed.is_empty()));
}

fn pipelined(transport: Transport) {
    const MANY: usize = 2_000;
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = echo(&net, &server, HttpOptions::new());
    let mut peer = WsPeer::mute(&net, to);
    let mut bytes = Vec::new();
    for n in 0..MANY {
        let text = match n % 3 {
            0 => format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"),
            1 => format!("POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET "),
            _ => format!(
                "PUT /{n} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nHEA\r\n1\r\nD\r\n0\r\n\r\n"
            ),
        };
        bytes.extend_from_slice(text.as_bytes());
    }
    peer.peer.send(&bytes);
    // The end of the client's side is no reason to leave any out.
    peer.peer.end();
    for n in 0..MANY {
        let expected = match n % 3 {
            0 => format!("GET /{n} "),
            1 => format!("POST /{n} GET "),
            _ => format!("PUT /{n} HEAD"),
        };
        says(&mut peer, &expected);
    }
    peer.expect_end();
    stop_clean(&thread);
    assert!(server.seen.read(|seen| seen.failed.is_empty()));
}

fn bodies(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let limit = 300_000;
    let to = echo(&net, &server, HttpOptions::new().max_body(limit));
    let mut peer = WsPeer::mute(&net, to);
    for size in [0, 1, 100, 70_000, limit] {
        let body = "b".repeat(size);
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        for piece in [head.as_bytes(), body.as_bytes()] {
            for piece in piece.chunks(size.max(30) / 3) {
                peer.peer.send(piece);
            }
        }
        says(&mut peer, &format!("POST / {body}"));
    }
    let too_long = [
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            limit + 1
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            u64::MAX
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            limit + 1
        ),
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 400000\r\n\r\n"
            .to_owned(),
    ];
    for (n, text) in too_long.iter().enumerate() {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(text.as_bytes());
        let (head, _) = answer(&mut peer);
        assert!(head.starts_with("HTTP/1.1 413 "), "{text}: {head}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        peer.expect_end();
        server.wait("told", |seen| seen.failed.len() == n + 1);
        let error = server.seen.read(|seen| seen.failed[n].clone());
        let expected = BadRequest::BodyTooLarge { limit };
        assert!(
            matches!(&error, ConnectionError::BadRequest(e) if *e == expected),
            "{error:?}"
        );
    }
    // A client that goes in the middle of one.
    let mut cut = WsPeer::mute(&net, to);
    cut.peer
        .send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfour");
    cut.peer.end();
    let (rest, end) = cut.peer.rest();
    assert_eq!((rest.len(), end), (0, End::Clean));
    server.wait("told", |seen| {
        matches!(
            seen.failed.last(),
            Some(ConnectionError::UpgradeInterrupted)
        )
    });
    peer.peer.end();
    peer.expect_end();
    stop_clean(&thread);
}

fn then_a_websocket(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = echo(&net, &server, HttpOptions::new());
    // Each in its own segment, and all in one.
    for together in [false, true] {
        let mut peer = WsPeer::mute(&net, to);
        let post = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".to_vec();
        let mut upgrade = request("/", "").into_bytes();
        upgrade.extend(frame(opcode::TEXT, true, b"hello"));
        if together {
            peer.peer.send(&[post, upgrade].concat());
            says(&mut peer, "POST /p hi");
        } else {
            peer.peer.send(&post);
            says(&mut peer, "POST /p hi");
            peer.peer.send(&upgrade);
        }
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(peer.frame().payload, b"hello");
        peer.close();
    }
    stop_clean(&thread);
}

fn expects(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = echo(&net, &server, HttpOptions::new());
    let mut peer = WsPeer::mute(&net, to);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n";
    peer.peer.send(head.as_bytes());
    assert_eq!(peer.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.peer.send(b"body");
    says(&mut peer, "POST / body");
    // Who does not wait needs no such answer.
    peer.peer.send(format!("{head}more").as_bytes());
    says(&mut peer, "POST / more");
    peer.peer
        .send(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: a-teapot\r\n\r\n");
    let (head, _) = answer(&mut peer);
    assert!(head.starts_with("HTTP/1.1 417 "), "{head}");
    peer.expect_end();
    stop_clean(&thread);
}

fn smuggling(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let asked = Monitor::new(0);
    let a = asked.clone();
    server.server.on_http(move |request| {
        let inner = request.path != "/";
        a.update(|asked| *asked += usize::from(inner));
        StatusCode::OK.into()
    });
    let to = server.listen(&net);
    const INNER: &str = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let table = [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", 400),
        ("Content-Length: 0\r\nContent-Length: 32", 400),
        ("Content-Length: 0\r\nContent-Length: 0", 400),
        ("Content-Length: 0, 32", 400),
        ("Content-Length: +0", 400),
        ("Content-Length: 0x0", 400),
        ("Content-Length: ", 400),
        ("Content-Length : 0", 400),
        ("Content-Length:\r\n 0", 400),
        ("Transfer-Encoding: chunked\r\n\tX: 1", 400),
        ("Transfer-Encoding: identity", 400),
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: chunked, gzip", 400),
        ("Transfer-Encoding: xchunked", 400),
        ("Transfer-Encoding: \"chunked\"", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding\x0b: chunked", 400),
        ("X: 1\rTransfer-Encoding: chunked", 400),
        ("X: 1\nTransfer-Encoding: chunked", 400),
    ];
    for (lines, status) in table {
        let mut peer = WsPeer::mute(&net, to);
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\n{INNER}");
        peer.peer.send(text.as_bytes());
        let (head, _) = answer(&mut peer);
        let expected = format!("HTTP/1.1 {status} ");
        assert!(head.starts_with(&expected), "{lines:?}: {head}");
        peer.expect_end();
    }
    // Chunked as HTTP/1.0 does not have it, and chunks that are none.
    for text in [
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;\nx\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\n\r\n",
    ] {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(format!("{text}{INNER}").as_bytes());
        let (head, _) = answer(&mut peer);
        assert!(head.starts_with("HTTP/1.1 400 "), "{text:?}: {head}");
        peer.expect_end();
    }
    stop_clean(&thread);
    assert_eq!(asked.read(|asked| *asked), 0, "none was let in");
}

fn idle(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let to = echo(&net, &server, HttpOptions::new().keep_alive(100 * MS));
    let mut peer = WsPeer::mute(&net, to);
    for _ in 0..3 {
        peer.peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        says(&mut peer, "GET / ");
    }
    // In order, and nobody's failure.
    peer.expect_end();
    // One that waits for its next request, and one in the middle of one, do not put a stop off.
    let to = echo(&net, &server, HttpOptions::new().keep_alive(DEADLINE));
    let (mut waits, mut begins) = (WsPeer::mute(&net, to), WsPeer::mute(&net, to));
    for peer in [&mut waits, &mut begins] {
        peer.peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        says(peer, "GET / ");
    }
    begins.peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nCont");
    let stopped = Event::new();
    let s = stopped.clone();
    thread.event_loop().queue_in_loop(move || s.set()).unwrap();
    assert!(stopped.wait(DEADLINE));
    thread.stop();
    for mut peer in [waits, begins] {
        let (rest, end) = peer.peer.rest();
        assert_eq!((rest.len(), end), (0, End::Clean));
    }
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    // Off: each answer is the last one.
    let thread = started();
    let server = Recorded::on(&thread);
    let to = echo(&net, &server, HttpOptions::new().keep_alive(None));
    let mut peer = WsPeer::mute(&net, to);
    peer.peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = says(&mut peer, "GET / ");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    peer.expect_end();
    stop_clean(&thread);
    assert!(server.seen.read(|seen| seen.failed.is_empty()));
}

/// Who asks on and on, and reads nothing, is not answered without end.
fn held_back(transport: Transport) {
    // All of them are fewer requests than a turn has time for.
    const PAGE: usize = 1_000_000;
    const ASKED: usize = 60;
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    let answers = Monitor::new(0_usize);
    let a = answers.clone();
    server.server.on_http(move |_| {
        a.update(|answers| *answers += 1);
        HttpResponse::new(StatusCode::OK).body(vec![b'p'; PAGE])
    });
    let to = server.listen(&net);
    let mut peer = WsPeer::mute(&net, to);
    peer.peer.keep_little();
    let asked = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(ASKED);
    peer.peer.send(&asked);
    assert!(answers.wait(DEADLINE, |answers| *answers > 0));
    // What the systems keep, and one answer over the mark: far from all.
    for n in 0..ASKED {
        let (head, body) = answer(&mut peer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body.len(), PAGE);
        let ahead = answers.read(|answers| *answers) - (n + 1);
        assert!(ahead * PAGE < 24 << 20, "{ahead} answers ahead");
    }
    peer.peer.end();
    peer.expect_end();
    assert_eq!(answers.read(|answers| *answers), ASKED);
    stop_clean(&thread);
}
