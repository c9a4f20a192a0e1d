//! Requests and answers as tables; answers whole, byte by byte and cut in two at every point.

use super::*;
use crate::WsUrl;
use crate::handshake::HeadError;
use tungstenite::handshake::derive_accept_key;

fn request() -> UpgradeRequest {
    UpgradeRequest::new(&WsUrl::parse("ws://h.example:81/a?b").expect("a URL"))
}

/// The value of a header in a request on the wire.
fn value<'a>(bytes: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(bytes).expect("ASCII");
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// An attempt, and an answer to it in which `{accept}` stands for the right one.
fn attempt(
    request: &UpgradeRequest,
    limits: HandshakeLimits,
    answer: &str,
) -> (ClientHandshake, Vec<u8>) {
    let (handshake, bytes) = ClientHandshake::start(request, limits);
    let key = value(&bytes, "Sec-WebSocket-Key").expect("a key");
    let answer = answer.replace("{accept}", &derive_accept_key(key.as_bytes()));
    (handshake, answer.into_bytes())
}

/// The outcome without the number of bytes consumed, which depends on the delivery.
type Outcome = Result<Option<UpgradeResponse>, HandshakeError>;

/// Feeds pieces until the handshake is over; also what is left over for the frames.
fn feed(handshake: &mut ClientHandshake, pieces: &[&[u8]]) -> (Outcome, Vec<u8>) {
    let mut pieces = pieces.iter();
    while let Some(piece) = pieces.next() {
        let (outcome, consumed) = match handshake.feed(piece) {
            Ok(Progress::NeedMore) => continue,
            Ok(Progress::Done { response, consumed }) => (Ok(Some(response)), consumed),
            Err(error) => (Err(error), 0),
        };
        let mut tail = piece[consumed..].to_vec();
        pieces.for_each(|piece| tail.extend_from_slice(piece));
        assert_eq!(handshake.feed(b"x"), Err(HandshakeError::Finished));
        return (outcome, tail);
    }
    (Ok(None), Vec::new())
}

/// The same outcome by every delivery; `tail` is what is left over after a success.
fn every_delivery(request: &UpgradeRequest, answer: &str, tail: &[u8]) -> Outcome {
    let limits = HandshakeLimits::default();
    let (mut handshake, mut bytes) = attempt(request, limits, answer);
    bytes.extend_from_slice(tail);
    let (outcome, left) = feed(&mut handshake, &[&bytes]);
    let check = |other: (Outcome, Vec<u8>), how: &str| {
        let same_headers = |a: &UpgradeResponse, b: &UpgradeResponse| {
            // Each attempt has a key of its own, so the accept differs.
            a.subprotocol == b.subprotocol && a.headers.keys().eq(b.headers.keys())
        };
        match (&outcome, &other.0) {
            (Ok(Some(a)), Ok(Some(b))) => assert!(same_headers(a, b), "{how}: {answer:?}"),
            // How much of a body comes with the head depends on the delivery.
            (
                Err(HandshakeError::Status { status: a, .. }),
                Err(HandshakeError::Status { status: b, .. }),
            ) => {
                assert_eq!(a, b, "{how}: {answer:?}");
            }
            (a, b) => assert_eq!(a, b, "{how}: {answer:?}"),
        }
        if outcome.is_ok() {
            assert_eq!(other.1, tail, "{how}: {answer:?}");
        }
    };
    if matches!(outcome, Ok(Some(_))) {
        assert_eq!(left, tail, "whole: {answer:?}");
    }
    let (mut handshake, mut bytes) = attempt(request, limits, answer);
    bytes.extend_from_slice(tail);
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    check(feed(&mut handshake, &pieces), "byte by byte");
    for cut in 0..=bytes.len() {
        let (mut handshake, mut bytes) = attempt(request, limits, answer);
        bytes.extend_from_slice(tail);
        let (a, b) = bytes.split_at(cut);
        check(feed(&mut handshake, &[a, b]), "cut in two");
    }
    outcome
}

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

#[test]
fn the_request_on_the_wire() {
    let request = request()
        .header("X-Token", "caf\u{e9} 1")
        .and_then(|r| r.header("x-token", "2"))
        .and_then(|r| r.header("Host", "other"))
        .and_then(|r| r.origin("http://o.example"))
        .and_then(|r| r.subprotocol("chat.v2"))
        .and_then(|r| r.subprotocol("chat"))
        .expect("a request");
    let (_, bytes) = ClientHandshake::start(&request, HandshakeLimits::default());
    let key = value(&bytes, "Sec-WebSocket-Key").expect("a key");
    assert_eq!(key.len(), 24);
    let expected = format!(
        "GET /a?b HTTP/1.1\r\nHost: other\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat.v2, chat\r\nOrigin: http://o.example\r\n\
         X-Token: caf\u{e9} 1\r\nx-token: 2\r\n\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
    let debug = format!("{request:?}");
    assert!(
        debug.contains("X-Token") && !debug.contains("caf"),
        "{debug}"
    );
    let (_, bytes) = ClientHandshake::start(&self::request(), HandshakeLimits::default());
    assert_eq!(value(&bytes, "Host"), Some("h.example:81"));
    assert_eq!(value(&bytes, "Sec-WebSocket-Protocol"), None);
}

#[test]
fn nonce_fresh() {
    let mut keys: Vec<String> = (0..50)
        .map(|_| ClientHandshake::start(&request(), HandshakeLimits::default()).1)
        .map(|bytes| {
            value(&bytes, "Sec-WebSocket-Key")
                .expect("a key")
                .to_owned()
        })
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 50);
}

#[test]
fn bad_requests() {
    for name in ["", "a b", "a:b", "a\r\nb", "ä", "a\0"] {
        let error = request().header(name, "v").expect_err(name);
        assert_eq!(error, HeadError::BadHeaderName(name.to_owned()));
    }
    for value in ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\x7f"] {
        let error = request().header("X", value).expect_err(value);
        assert_eq!(
            error,
            HeadError::BadHeaderValue {
                name: "X".to_owned()
            }
        );
        assert!(request().origin(value).is_err(), "{value:?}");
        assert!(request().header("Host", value).is_err(), "{value:?}");
    }
    for name in [
        "Connection",
        "upgrade",
        "Sec-WebSocket-Key",
        "SEC-WEBSOCKET-VERSION",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let error = request().header(name, "v").expect_err(name);
        assert_eq!(error, HeadError::ReservedHeader(name.to_owned()));
    }
    for name in ["", "a b", "a,b", "a/b", "ä", "a\r\nb", "\"a\""] {
        let error = request().subprotocol(name).expect_err(name);
        assert_eq!(error, HeadError::BadSubprotocol(name.to_owned()));
    }
    let twice = request().subprotocol("a").and_then(|r| r.subprotocol("a"));
    assert_eq!(
        twice.expect_err("twice"),
        HeadError::DuplicateSubprotocol("a".to_owned())
    );
    assert!(
        request()
            .subprotocol("a")
            .and_then(|r| r.subprotocol("A"))
            .is_ok()
    );
}

#[test]
fn good_answers() {
    let accept = "Sec-WebSocket-Accept: {accept}\r\n";
    let table = [
        format!("{GOOD}\r\n"),
        format!(
            "HTTP/1.1 101\r\nupgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n{accept}\r\n"
        ),
        format!(
            "HTTP/1.1 101 x\r\nUpgrade: websocket \r\nConnection: keep-alive\r\n\
             Connection: upgrade\r\n{accept}\r\n"
        ),
        format!("{GOOD}Sec-WebSocket-Extensions: \r\n\r\n"),
        format!("{GOOD}Content-Length: 0\r\n\r\n"),
        // RFC 9110 section 5.6.1.2: empty elements of a list are none.
        format!(
            "{}Upgrade: ,websocket,, \r\nUpgrade:\r\nConnection: ,\r\nConnection: ,,Upgrade\t,\r\n\
             Sec-WebSocket-Extensions: , ,\r\nSec-WebSocket-Protocol: ,\r\n\r\n",
            "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {accept}\r\n"
        ),
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n{GOOD}\r\n"),
    ];
    for answer in &table {
        for tail in [&b""[..], b"\x81\x02hi\x81"] {
            let response = every_delivery(&request(), answer, tail);
            match response {
                Ok(Some(response)) => {
                    assert_eq!(response.status, 101);
                    assert_eq!(response.subprotocol, None);
                    assert!(response.headers.contains_key("sec-websocket-accept"));
                }
                other => panic!("{answer:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn bad_answers() {
    use HandshakeError::*;
    let good = |from: &str, to: &str| format!("{}\r\n", GOOD.replace(from, to));
    let table = [
        (good("Upgrade: websocket", "X: y"), MissingUpgrade),
        (good("Upgrade: websocket", "Upgrade: h2c"), MissingUpgrade),
        (
            good(
                "Upgrade: websocket",
                "Upgrade: websocket\r\nUpgrade: websocket",
            ),
            MissingUpgrade,
        ),
        (
            good("Connection: Upgrade", "Connection: close"),
            MissingConnectionUpgrade,
        ),
        (
            good("Connection: Upgrade", "X: y"),
            MissingConnectionUpgrade,
        ),
        (
            good("Connection: Upgrade", "Connection: upgrades"),
            MissingConnectionUpgrade,
        ),
        (
            good("{accept}", "c3RhbGUga2V5IHN0YWxlIGtleTA="),
            AcceptMismatch,
        ),
        (good("Sec-WebSocket-Accept", "X"), AcceptMismatch),
        (
            format!("{GOOD}Sec-WebSocket-Accept: {{accept}}\r\n\r\n"),
            AcceptMismatch,
        ),
        (
            format!("{GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
            UnsolicitedExtension("permessage-deflate".to_owned()),
        ),
        (
            format!("{GOOD}Sec-WebSocket-Protocol: chat\r\n\r\n"),
            UnsolicitedSubprotocol("chat".to_owned()),
        ),
        (
            good("Upgrade: websocket", "Upgrade: websocket, h2c"),
            MissingUpgrade,
        ),
        (format!("{GOOD}Content-Length: 5\r\n\r\n"), UnexpectedBody),
        (
            format!("{GOOD}Transfer-Encoding: chunked\r\n\r\n"),
            UnexpectedBody,
        ),
        ("HTTP/1.0 101 x\r\n\r\n".to_owned(), WrongVersion),
    ];
    for (answer, error) in table {
        assert_eq!(
            every_delivery(&request(), &answer, b""),
            Err(error),
            "{answer:?}"
        );
    }
    for answer in [
        "SSH-2.0-OpenSSH\r\n",
        "\r\nHTTP/1.1 101 x\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "\x15\x03\x01",
        "HTTP/1.1 abc x\r\n\r\n",
        "HTTP/1.1 101 x\r\nno colon\r\n\r\n",
        "HTTP/1.1 101 x\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 101 x\r\nA: \x01\r\n\r\n",
        "HTTP/1.1 101 x\r\nA: \0\r\n\r\n",
        "HTTP/1.1 101 x\r\nA : b\r\n\r\n",
        "HTTP/1.1 401 x\r\nA\t: b\r\n\r\n",
        "HTTP/1.1 401 x\r\nA: b\n\r\n",
        "HTTP/1.1 401 x\n\n",
        "HTTP/1.1 101 x\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 101 x\r\r\n",
        "HTTP/1.10 101 x\r\n\r\n",
        "HTTP/1.1  101 x\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        &format!("{GOOD}Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        &format!("{GOOD}Content-Length: x\r\n\r\n"),
        &format!("{GOOD}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ] {
        let outcome = every_delivery(&request(), answer, b"");
        assert!(
            matches!(outcome, Err(Malformed(_))),
            "{answer:?}: {outcome:?}"
        );
    }
}

#[test]
fn subprotocol_rules() {
    let offer = || {
        request()
            .subprotocol("a")
            .and_then(|r| r.subprotocol("b"))
            .expect("two names")
    };
    let answer = |line: &str| format!("{GOOD}{line}\r\n");
    let chosen = |outcome: Outcome| outcome.map(|response| response.and_then(|r| r.subprotocol));
    for line in [
        "Sec-WebSocket-Protocol: b\r\n",
        "Sec-WebSocket-Protocol: ,b\t,\r\n",
        "Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: b\r\n",
    ] {
        assert_eq!(
            chosen(every_delivery(&offer(), &answer(line), b"x")),
            Ok(Some("b".to_owned()))
        );
    }
    let none = "Sec-WebSocket-Protocol: ,\r\n";
    assert_eq!(
        chosen(every_delivery(&offer(), &answer(none), b"")),
        Ok(None)
    );
    for value in ["c", "B", "a, b"] {
        let line = format!("Sec-WebSocket-Protocol: {value}\r\n");
        let error = HandshakeError::UnsolicitedSubprotocol(value.to_owned());
        assert_eq!(
            chosen(every_delivery(&offer(), &answer(&line), b"")),
            Err(error)
        );
    }
    let twice = "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n";
    assert!(every_delivery(&offer(), &answer(twice), b"").is_err());
    assert_eq!(chosen(every_delivery(&offer(), &answer(""), b"")), Ok(None));
    let insisting = offer().require_subprotocol(true);
    let error = HandshakeError::MissingSubprotocol;
    assert_eq!(
        chosen(every_delivery(&insisting, &answer(""), b"")),
        Err(error)
    );
    let nothing_offered = request().require_subprotocol(true);
    assert_eq!(
        chosen(every_delivery(&nothing_offered, &answer(""), b"")),
        Ok(None)
    );
}

/// The body of a refusal that ends by itself, or with the stream, however it is cut.
#[test]
fn refusals_keep_their_body() {
    let long = "x".repeat(5000);
    let chunks = format!("3\r\nwho\r\n1388\r\n{long}\r\n0\r\n\r\n");
    // (headers and body, what is kept, whether it ends by itself)
    let table = [
        ("Content-Length: 4\r\n\r\nbody", "body", true),
        ("Content-Length: 4\r\n\r\nbodyHTTP/1.1", "body", true),
        ("Content-Length: 0\r\n\r\n", "", true),
        ("Content-Length: 9\r\n\r\nbody", "body", false),
        ("\r\nbody", "body", false),
        ("\r\n", "", false),
        (&format!("\r\n{long}"), &long[..1024], true),
        (
            &format!("Content-Length: 5000\r\n\r\n{long}"),
            &long[..1024],
            true,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
            "body",
            true,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\nd",
            "bod",
            false,
        ),
        (
            &format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"),
            &format!("who{}", &long[..1021]),
            true,
        ),
        // Whatever it is, the status stands.
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\nb", "", true),
    ];
    for (rest, kept, by_itself) in table {
        let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n";
        let answer = format!("{head}{rest}").into_bytes();
        let cuts = (1..answer.len()).step_by(1 + answer.len() / 200);
        let deliveries = cuts.map(|cut| vec![&answer[..cut], &answer[cut..]]);
        let bytewise: Vec<_> = answer.chunks(1).collect();
        for pieces in deliveries.chain([vec![&answer[..]], bytewise]) {
            let limits = HandshakeLimits::default();
            let (mut handshake, _) = ClientHandshake::start(&request(), limits);
            let ended = pieces.iter().find_map(|piece| handshake.feed(piece).err());
            assert_eq!(ended.is_some(), by_itself, "{rest:.60}");
            assert_eq!(handshake.refusal().is_some(), !by_itself);
            let ended = ended.or_else(|| handshake.end());
            let Some(HandshakeError::Status {
                status,
                headers,
                body_prefix,
            }) = ended
            else {
                panic!("{rest:.60}: {ended:?}");
            };
            assert_eq!(status, 401);
            assert_eq!(headers["www-authenticate"], "Basic");
            assert_eq!(String::from_utf8_lossy(&body_prefix), kept, "{rest:.60}");
            assert_eq!(handshake.end(), None);
        }
    }
    // Of HTTP/1.0, and with a status that has no body.
    for answer in [
        "HTTP/1.0 403 x\r\n\r\nbody",
        "HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n",
    ] {
        let (mut handshake, _) = ClientHandshake::start(&request(), HandshakeLimits::default());
        let fed = handshake.feed(answer.as_bytes()).err();
        let status = |e: HandshakeError| matches!(e, HandshakeError::Status { .. });
        assert!(
            fed.or_else(|| handshake.end()).is_some_and(status),
            "{answer}"
        );
    }
    let (mut handshake, _) = ClientHandshake::start(&request(), HandshakeLimits::default());
    assert_eq!(handshake.feed(b"HTTP/1.1 401"), Ok(Progress::NeedMore));
    assert_eq!(handshake.end(), None, "it has not answered");
}

#[test]
fn header_flood() {
    let limits = HandshakeLimits {
        max_header_bytes: 300,
        max_headers: 4,
    };
    let outcome = |answer: &str, piece: usize| {
        let (mut handshake, bytes) = attempt(&request(), limits, answer);
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        feed(&mut handshake, &pieces).0
    };
    let head_of = |len: usize| {
        // The right accept takes 28 bytes in the place of the 8 of "{accept}".
        let padding = len - (GOOD.len() + 20) - "X: \r\n\r\n".len();
        format!("{GOOD}X: {}\r\n\r\n", "x".repeat(padding))
    };
    for piece in [1, 7, 100_000] {
        assert!(matches!(outcome(&head_of(300), piece), Ok(Some(_))));
        let too_large = Err(HandshakeError::HeadersTooLarge { limit: 300 });
        assert_eq!(outcome(&head_of(301), piece), too_large);
        // One line that never ends; interim answers that never end.
        assert_eq!(
            outcome(&format!("HTTP/1.1 101 {}", "x".repeat(9000)), piece),
            too_large
        );
        assert_eq!(
            outcome(&"HTTP/1.1 100 C\r\n\r\n".repeat(50), piece),
            too_large
        );
        let too_many = Err(HandshakeError::TooManyHeaders { limit: 4 });
        assert_eq!(
            outcome(&format!("{GOOD}A: b\r\nC: d\r\n\r\n"), piece),
            too_many
        );
        assert!(matches!(
            outcome(&format!("{GOOD}A: b\r\n\r\n"), piece),
            Ok(Some(_))
        ));
    }
    // The parser has a limit of its own, which a larger one of ours cannot lift.
    let limits = HandshakeLimits {
        max_header_bytes: 1 << 20,
        max_headers: 1000,
    };
    for (count, good) in [(MAX_HEADERS - 3, true), (MAX_HEADERS - 2, false)] {
        let answer = format!("{GOOD}{}\r\n", "A: b\r\n".repeat(count));
        let (mut handshake, bytes) = attempt(&request(), limits, &answer);
        assert_eq!(handshake.feed(&bytes).is_ok(), good, "{count} headers more");
    }
}

#[test]
fn memory_follows_what_arrived() {
    let (mut handshake, bytes) = attempt(
        &request(),
        HandshakeLimits::default(),
        &format!("{GOOD}\r\n"),
    );
    handshake.feed(&bytes).expect("a good answer");
    assert_eq!(
        handshake.head.capacity(),
        0,
        "a head in one piece is not copied"
    );
}
