//! Requests that are not HTTP/1.1 by the letter (RFC 9112): each side of the connection, and what is
//! between them, could read them otherwise. And what only looks odd, and is served.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, request};
use crate::common::ws_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::ws::handshake::{Accept, HttpResponse};
use hvloop::{WebSocketServer, WebSocketService};
use hvloop_test_support::{DEADLINE, Monitor};

over_tcp_and_tls! {
    /// Refused with a status, as an upgrade and as a plain request; nothing behind it is looked at.
    malformed_requests_are_refused => malformed;
    /// RFC 9110 section 5.6.1.2: empty elements of a list are none, in every list of a request.
    empty_list_elements => lists;
}

fn malformed(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    server
        .server
        .on_http(|_| HttpResponse::html("served, and should not have been"));
    let to = server.listen(&net);
    let upgrade = request("/", "");
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n".to_owned();
    let host = |with: &'static str| move |text: &str| text.replace("Host: localhost\r\n", with);
    let target = |with: &'static str| move |text: &str| text.replacen(" / ", with, 1);
    let line = |with: &'static str| move |text: &str| text.replacen("\r\n\r\n", with, 1);
    let version = |with: &'static str| move |text: &str| text.replacen(" HTTP/1.1", with, 1);
    type Spoil = Box<dyn Fn(&str) -> String>;
    let both: Vec<(Spoil, &str)> = vec![
        (Box::new(host("")), "400"),
        (Box::new(host("Host: a\r\nHost: a\r\n")), "400"),
        (Box::new(host("Host:\r\n")), "400"),
        (Box::new(host("Host: \t\r\n")), "400"),
        (Box::new(host("Host: a b\r\n")), "400"),
        (Box::new(host("Host: u@a\r\n")), "400"),
        (Box::new(host("Host: a:x\r\n")), "400"),
        (Box::new(host("Host: a/b\r\n")), "400"),
        (Box::new(host("Host: http://a\r\n")), "400"),
        (Box::new(host("Host: [::1\r\n")), "400"),
        (Box::new(host("Host : localhost\r\n")), "400"),
        (Box::new(target(" /a#b ")), "400"),
        (Box::new(target(" /# ")), "400"),
        (Box::new(target(" * ")), "400"),
        (Box::new(target(" localhost:80 ")), "400"),
        (Box::new(target(" a/b ")), "400"),
        (Box::new(target("  / ")), "400"),
        (Box::new(target(" /a b ")), "400"),
        (Box::new(target(" http:///a ")), "400"),
        (Box::new(target(" http://u@h/ ")), "400"),
        (Box::new(target(" ftp://h/ ")), "400"),
        (Box::new(line("\r\nX : y\r\n\r\n")), "400"),
        (Box::new(line("\r\nX\t: y\r\n\r\n")), "400"),
        (Box::new(line("\r\nX: y\r\n folded\r\n\r\n")), "400"),
        (Box::new(line("\r\n X: y\r\n\r\n")), "400"),
        (Box::new(line("\r\nX: a\0b\r\n\r\n")), "400"),
        (Box::new(line("\r\nX: a\rb\r\n\r\n")), "400"),
        (Box::new(line("\r\nX: a\nY: b\r\n\r\n")), "400"),
        (Box::new(line("\n\n")), "400"),
        (Box::new(line("\r\nno colon\r\n\r\n")), "400"),
        (Box::new(line("\r\n: y\r\n\r\n")), "400"),
        (
            Box::new(line("\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n")),
            "400",
        ),
        (
            Box::new(line("\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")),
            "400",
        ),
        (Box::new(line("\r\nContent-Length: 1, 1\r\n\r\n")), "400"),
        (Box::new(line("\r\nContent-Length: -1\r\n\r\n")), "400"),
        (Box::new(line("\r\nContent-Length: x\r\n\r\n")), "400"),
        (
            Box::new(line(
                "\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            )),
            "400",
        ),
        (
            Box::new(line("\r\nTransfer-Encoding: chunked, gzip\r\n\r\n")),
            "400",
        ),
        (Box::new(line("\r\nTransfer-Encoding:\r\n\r\n")), "400"),
        (Box::new(version(" HTTP/2.0")), "505"),
        (Box::new(version(" HTTP/1.2")), "505"),
        (Box::new(version(" HTTP/0.9")), "505"),
        (Box::new(version(" HTTP/1")), "400"),
        (Box::new(version(" HTTP/11.1")), "400"),
        (Box::new(version(" http/1.1")), "400"),
        (Box::new(version("")), "400"),
    ];
    // A plain request may have a body.
    let of_upgrades: Vec<(Spoil, &str)> = vec![
        (Box::new(line("\r\nContent-Length: 5\r\n\r\n")), "400"),
        (
            Box::new(line("\r\nTransfer-Encoding: chunked\r\n\r\n")),
            "400",
        ),
        (
            Box::new(line("\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")),
            "400",
        ),
    ];
    let mut told = 0;
    let mut refused = |good: &str, spoil: &Spoil, status: &str| {
        let text = spoil(good);
        assert_ne!(text, good);
        let mut peer = WsPeer::mute(&net, to);
        // What stands behind it is no request, and no frame.
        peer.peer.send(format!("{text}GET /").as_bytes());
        let head = peer.head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{text:?}: {head}"
        );
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        peer.peer.rest();
        told += 1;
        server.wait("it is told", |seen| seen.failed.len() == told);
    };
    for (spoil, status) in &both {
        refused(&upgrade, spoil, status);
        refused(&plain, spoil, status);
    }
    for (spoil, status) in &of_upgrades {
        refused(&upgrade, spoil, status);
    }
    assert_eq!(server.seen.read(|seen| seen.opened), 0);
    stop_clean(&thread);
}

fn lists(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let offered = Monitor::new(Vec::new());
    let o = offered.clone();
    let server = WebSocketServer::new(thread.event_loop());
    let service = WebSocketService::new().on_upgrade(move |request| {
        let names: Vec<_> = request.subprotocols().map(str::to_owned).collect();
        let first = names.first().cloned();
        o.update(|offered| offered.push(names));
        Ok(match first {
            Some(name) => Accept::new().subprotocol(&name).unwrap(),
            None => Accept::new(),
        })
    });
    server.route("/", service);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    // (lines of Sec-WebSocket-Protocol, what they offer)
    let table: [(&[&str], &[&str]); 7] = [
        (&["ocpp1.6,"], &["ocpp1.6"]),
        (&["a,,b"], &["a", "b"]),
        (&[",a", "", " ,\tb\t, "], &["a", "b"]),
        (&[""], &[]),
        (&[",", " , ,"], &[]),
        // What is no subprotocol is not offered, and refuses nothing.
        (&["a b, ok, \"q,r\""], &["ok"]),
        (&["a/b, \u{e4}"], &[]),
    ];
    for (lines, names) in table {
        let further: String = lines
            .iter()
            .map(|line| format!("Sec-WebSocket-Protocol: {line}\r\n"))
            .collect();
        let text = request("/", &further)
            .replace("Upgrade: websocket", "Upgrade: ,websocket,\t,")
            .replace(
                "Connection: Upgrade",
                "Connection: ,\r\nConnection:\r\nConnection: keep-alive,,upgrade\t,",
            );
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(text.as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{lines:?}: {head}");
        let chosen = head.split_once("Sec-WebSocket-Protocol: ");
        let chosen = chosen.map(|(_, rest)| rest.split("\r\n").next().unwrap());
        assert_eq!(chosen, names.first().copied(), "{lines:?}");
        peer.close();
        assert!(offered.wait(DEADLINE, |offered| !offered.is_empty()));
        let seen = offered.update(|offered| offered.pop().unwrap());
        assert_eq!(seen, names, "{lines:?}");
    }
    stop_clean(&thread);
}

/// What is right, if not usual.
#[test]
fn odd_requests_are_served() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = WebSocketServer::new(thread.event_loop());
    let tell = |host: Option<&str>, path: &str, query: Option<&str>| {
        format!("{} {path} {}", host.unwrap_or("-"), query.unwrap_or("-"))
    };
    server.on_http(move |request| {
        let same = request.header("host") == request.host();
        let text = tell(request.host(), &request.path, request.query.as_deref());
        HttpResponse::html(format!("{same} {text}"))
    });
    let service = WebSocketService::new().on_open(move |channel, request| {
        let text = tell(request.host(), &request.path, request.query.as_deref());
        channel.send_text(&text).unwrap();
    });
    server.route("*", service);
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let plain = |text: &str| {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(text.as_bytes());
        peer.peer.end();
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{text:?}: {head}");
        String::from_utf8(peer.peer.rest().0).unwrap()
    };
    let table = [
        ("GET / HTTP/1.0\r\n\r\n", "true - / -"),
        (
            "\r\n\r\nGET /a HTTP/1.1\r\nHost: h:1\r\n\r\n",
            "true h:1 /a -",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            "true [::1]:80 * -",
        ),
        (
            "GET http://other.test:8080/a?b HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "true other.test:8080 /a b",
        ),
        (
            "GET HTTPS://other.test HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "true other.test / -",
        ),
        (
            "GET /a?u=http://x/ HTTP/1.1\r\nhOST:h\r\n\r\n",
            "true h /a u=http://x/",
        ),
        (
            "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
            "true h /p -",
        ),
        (
            "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n",
            "true h /p -",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(plain(text), expected, "{text:?}");
    }
    for (text, expected) in [
        (request("/", "Content-Length: 0\r\n"), "localhost / -"),
        (
            request("/", "").replacen(" / ", " ws://a.test/b?c ", 1),
            "a.test /b c",
        ),
        (request("wss://a.test:7", ""), "a.test:7 / -"),
    ] {
        let mut peer = WsPeer::mute(&net, to);
        peer.peer.send(text.as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{text:?}: {head}");
        assert_eq!(peer.frame().payload, expected.as_bytes(), "{text:?}");
        peer.close();
    }
    stop_clean(&thread);
}
