//! Our protocol against tungstenite's, in both roles and both directions, on seeded streams that
//! are delivered whole, byte by byte and cut at random points. Where the two differ, the
//! difference is named and asserted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hvloop_ws::WsUrl;
use hvloop_ws::handshake::{ClientHandshake, HandshakeLimits, Progress, UpgradeRequest};
use hvloop_ws::protocol::{
    self, Event, Input, Limits, OpCode, ProtocolError, Reader, Role, encode_close, encode_frame,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::io::{self, Read, Write};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

/// Small, so that random lengths meet them.
const LIMITS: Limits = Limits::new().max_frame(2000).max_message(3000);

/// What a stream says, until a Close, an error or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// Failed, with the close code that answers.
    Failed(u16),
}

/// What tungstenite makes of a Close whose code it does not allow, instead of an error.
fn their_bad_code() -> Said {
    Said::Close(Some((1002, "Protocol violation".to_owned())))
}

/// Reads pieces with our reader.
fn ours(role: Role, pieces: &[&[u8]]) -> Vec<Said> {
    let mut reader = Reader::new(role, LIMITS);
    let mut said = Vec::new();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = Input::new(&mut bytes);
        loop {
            said.push(match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Text(text))) => Said::Text(text.to_owned()),
                Ok(Some(Event::Binary(bytes))) => Said::Binary(bytes.to_vec()),
                Ok(Some(Event::Ping(bytes))) => Said::Ping(bytes.to_vec()),
                Ok(Some(Event::Pong(bytes))) => Said::Pong(bytes.to_vec()),
                Ok(Some(Event::Close(close))) => {
                    Said::Close(close.map(|(code, reason)| (code, reason.to_owned())))
                }
                Err(error) => Said::Failed(error.close_code()),
            });
        }
    }
    said
}

/// A stream that gives pieces one read at a time, then would block; what is written is kept.
struct Pipe<'p> {
    pieces: Vec<&'p [u8]>,
    written: Vec<u8>,
}

impl<'p> Pipe<'p> {
    fn new(pieces: &[&'p [u8]]) -> Self {
        let pieces = pieces.iter().rev().copied().collect();
        Self {
            pieces,
            written: Vec::new(),
        }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.pieces.last_mut() {
            if piece.is_empty() {
                self.pieces.pop();
                continue;
            }
            let count = piece.len().min(buf.len());
            buf[..count].copy_from_slice(&piece[..count]);
            *piece = &piece[count..];
            return Ok(count);
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn their_context(role: Role) -> WebSocketContext {
    let config = WebSocketConfig::default()
        .read_buffer_size(512)
        .max_frame_size(Some(LIMITS.max_frame))
        .max_message_size(Some(LIMITS.max_message));
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    WebSocketContext::new(role, Some(config))
}

/// Reads pieces with tungstenite.
fn theirs(role: Role, pieces: &[&[u8]]) -> Vec<Said> {
    let mut context = their_context(role);
    let mut pipe = Pipe::new(pieces);
    let mut said = Vec::new();
    loop {
        let (one, last) = match context.read(&mut pipe) {
            Ok(Message::Text(text)) => (Said::Text(text.as_str().to_owned()), false),
            Ok(Message::Binary(bytes)) => (Said::Binary(bytes.to_vec()), false),
            Ok(Message::Ping(bytes)) => (Said::Ping(bytes.to_vec()), false),
            Ok(Message::Pong(bytes)) => (Said::Pong(bytes.to_vec()), false),
            Ok(Message::Close(close)) => {
                let close = close.map(|c| (c.code.into(), c.reason.as_str().to_owned()));
                (Said::Close(close), true)
            }
            Ok(Message::Frame(_)) => unreachable!("never read"),
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => return said,
            Err(Error::Protocol(_)) => (Said::Failed(1002), true),
            Err(Error::Utf8(_)) => (Said::Failed(1007), true),
            Err(Error::Capacity(_)) => (Said::Failed(1009), true),
            Err(other) => panic!("{other:?}"),
        };
        said.push(one);
        if last {
            return said;
        }
    }
}

/// Cuts a stream at random points.
fn cut<'s>(rng: &mut StdRng, mut stream: &'s [u8]) -> Vec<&'s [u8]> {
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        let most = *[3, 50, 1000].get(rng.random_range(0..3)).unwrap();
        let (piece, rest) = stream.split_at(rng.random_range(1..=most.min(stream.len())));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// What our reader says of a stream, after checking that every delivery makes it say the same.
fn ours_every_delivery(rng: &mut StdRng, role: Role, stream: &[u8]) -> Vec<Said> {
    let whole = ours(role, &[stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(ours(role, &bytes), whole, "byte by byte: {stream:x?}");
    for _ in 0..3 {
        assert_eq!(ours(role, &cut(rng, stream)), whole, "cut: {stream:x?}");
    }
    whole
}

/// The mask of a frame that the peer of `role` sends.
fn mask_to(rng: &mut StdRng, role: Role) -> Option<[u8; 4]> {
    match role {
        Role::Client => None,
        Role::Server => Some(rng.random()),
    }
}

fn text(rng: &mut StdRng, most: usize) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(0..=most) {
        text.push(match rng.random_range(0..6) {
            0 => 'λ',
            1 => '€',
            2 => '𝄞',
            _ => rng.random_range(' '..='~'),
        });
    }
    text
}

fn binary(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let len = rng.random_range(0..=most);
    (0..len).map(|_| rng.random()).collect()
}

fn close_code(rng: &mut StdRng) -> u16 {
    loop {
        let code = rng.random_range(1000..5000);
        // 1014 is a known difference.
        if protocol::is_sendable_close_code(code) && code != 1014 {
            return code;
        }
    }
}

/// Valid messages and frames to `role`, of which one in four streams ends with a Close.
fn valid_stream(rng: &mut StdRng, role: Role) -> (Vec<u8>, Vec<Said>) {
    let (mut out, mut said) = (Vec::new(), Vec::new());
    for _ in 0..rng.random_range(1..8) {
        let most = *[5, 130, 600].get(rng.random_range(0..3)).unwrap();
        let (first, payload) = if rng.random() {
            let text = text(rng, most / 2);
            said.push(Said::Text(text.clone()));
            (OpCode::Text, text.into_bytes())
        } else {
            let bytes = binary(rng, most);
            said.push(Said::Binary(bytes.clone()));
            (OpCode::Binary, bytes)
        };
        let message = said.len() - 1;
        let mut op = first;
        let mut rest = payload.as_slice();
        let mut fragments = *[1, 1, 2, 5].get(rng.random_range(0..4)).unwrap();
        while fragments > 0 {
            fragments -= 1;
            let len = if fragments == 0 {
                rest.len()
            } else {
                rng.random_range(0..=rest.len())
            };
            let (fragment, after) = rest.split_at(len);
            let mask = mask_to(rng, role);
            encode_frame(&mut out, op, fragments == 0, fragment, mask);
            rest = after;
            op = OpCode::Continuation;
            if fragments > 0 && rng.random() {
                let payload = binary(rng, 125);
                let mask = mask_to(rng, role);
                // Before the message, as that is not over.
                if rng.random() {
                    encode_frame(&mut out, OpCode::Ping, true, &payload, mask);
                    said.insert(said.len() - 1, Said::Ping(payload));
                } else {
                    encode_frame(&mut out, OpCode::Pong, true, &payload, mask);
                    said.insert(said.len() - 1, Said::Pong(payload));
                }
            }
        }
        assert!(message < said.len());
    }
    if rng.random_range(0..4) == 0 {
        let reason = text(rng, 30);
        let close = rng.random::<bool>().then(|| (close_code(rng), reason));
        let mask = mask_to(rng, role);
        let borrowed = close
            .as_ref()
            .map(|(code, reason)| (*code, reason.as_str()));
        encode_close(&mut out, borrowed, mask);
        said.push(Said::Close(close));
    }
    (out, said)
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

#[test]
fn what_we_encode_both_read() {
    for role in ROLES {
        for seed in 0..300 {
            let rng = &mut StdRng::seed_from_u64(seed);
            let (stream, said) = valid_stream(rng, role);
            assert_eq!(ours_every_delivery(rng, role, &stream), said, "seed {seed}");
            assert_eq!(theirs(role, &[&stream]), said, "seed {seed}");
            assert_eq!(theirs(role, &cut(rng, &stream)), said, "seed {seed}");
        }
    }
}

#[test]
fn what_they_write_we_read() {
    for role in ROLES {
        let peer = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        for seed in 0..300 {
            let rng = &mut StdRng::seed_from_u64(seed);
            let mut context = their_context(peer);
            let mut pipe = Pipe::new(&[]);
            let mut said = Vec::new();
            let mut write = |message| context.write(&mut pipe, message).unwrap();
            for _ in 0..rng.random_range(1..8) {
                match rng.random_range(0..5) {
                    0 => {
                        let text = text(rng, 400);
                        write(Message::text(text.as_str()));
                        said.push(Said::Text(text));
                    }
                    1 => {
                        let bytes = binary(rng, 2000);
                        write(Message::binary(bytes.clone()));
                        said.push(Said::Binary(bytes));
                    }
                    2 => {
                        let bytes = binary(rng, 125);
                        write(Message::Ping(bytes.clone().into()));
                        said.push(Said::Ping(bytes));
                    }
                    3 => {
                        let bytes = binary(rng, 125);
                        write(Message::Pong(bytes.clone().into()));
                        said.push(Said::Pong(bytes));
                    }
                    _ => {
                        let text = text(rng, 300);
                        let (a, b) = text.as_bytes().split_at(rng.random_range(0..=text.len()));
                        let frame = |payload: &[u8], op: OpCode, fin| {
                            Message::Frame(Frame::message(payload.to_vec(), (op as u8).into(), fin))
                        };
                        write(frame(a, OpCode::Text, false));
                        write(frame(b, OpCode::Continuation, true));
                        said.push(Said::Text(text));
                    }
                }
            }
            let code = close_code(rng);
            let close = CloseFrame {
                code: CloseCode::from(code),
                reason: "bye".into(),
            };
            write(Message::Close(Some(close)));
            said.push(Said::Close(Some((code, "bye".to_owned()))));
            let stream = pipe.written;
            assert_eq!(ours_every_delivery(rng, role, &stream), said, "seed {seed}");
        }
    }
}

/// tungstenite judges a frame when all of it is there, we do as soon as it can be judged. So it
/// gets as many zeros as its longest frame could want, after which it has to have failed too.
fn theirs_after_filler(role: Role, stream: &[u8]) -> Vec<Said> {
    theirs(role, &[stream, &vec![0; LIMITS.max_frame + 14]])
}

/// The error our reader ends a stream with.
fn our_error(role: Role, stream: &[u8]) -> Option<ProtocolError> {
    let mut reader = Reader::new(role, LIMITS);
    let mut bytes = stream.to_vec();
    let mut input = Input::new(&mut bytes);
    loop {
        match reader.next(&mut input) {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

/// Panics unless both judge a stream that may be broken alike, the known differences aside.
fn assert_agreement(role: Role, stream: &[u8], ours: &[Said], seed: u64) {
    let theirs_now = theirs(role, &[stream]);
    let Some(error) = our_error(role, stream) else {
        assert_eq!(ours, theirs_now, "{role:?} seed {seed}: {stream:x?}");
        return;
    };
    let theirs = theirs_after_filler(role, stream);
    let before = &ours[..ours.len() - 1];
    assert_eq!(
        theirs.get(..before.len()),
        Some(before),
        "{role:?} seed {seed}: {stream:x?}"
    );
    let verdict = theirs.get(before.len());
    let alike = match error {
        // They take it: anything may follow.
        ProtocolError::NonMinimalLength => true,
        ProtocolError::BadCloseCode(_) => verdict == Some(&their_bad_code()),
        // They hold the length against the limit before they look at anything else.
        _ if error.close_code() == 1002 && verdict == Some(&Said::Failed(1009)) => true,
        _ => verdict == Some(&Said::Failed(error.close_code())),
    };
    assert!(
        alike,
        "{role:?} seed {seed}: {error:?} against {verdict:?}: {stream:x?}"
    );
}

#[test]
fn what_is_broken_both_refuse() {
    let mut failures = 0;
    for role in ROLES {
        for seed in 0..3000 {
            let rng = &mut StdRng::seed_from_u64(seed);
            let (mut stream, _) = valid_stream(rng, role);
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..stream.len());
                match rng.random_range(0..4) {
                    0 => stream[at] = rng.random(),
                    1 => stream[at] ^= 1 << rng.random_range(0..8),
                    2 => stream.truncate(at + 1),
                    _ => stream.insert(at, rng.random()),
                }
            }
            let ours = ours_every_delivery(rng, role, &stream);
            failures += usize::from(matches!(ours.last(), Some(Said::Failed(_))));
            assert_agreement(role, &stream, &ours, seed);
        }
    }
    assert!(failures > 2000, "only {failures} streams were broken");
}

#[test]
fn random_headers() {
    for role in ROLES {
        for seed in 0..20_000 {
            let rng = &mut StdRng::seed_from_u64(seed);
            let mut stream = vec![rng.random(), rng.random()];
            if rng.random() {
                // Likelier to be a good beginning.
                stream[0] &= 0x8f;
                stream[1] = mask_to(rng, role).map_or(0, |_| 0x80) | (stream[1] & 0x7f);
            }
            stream.extend(binary(rng, 300));
            let ours = ours(role, &[&stream]);
            assert_agreement(role, &stream, &ours, seed);
        }
    }
}

#[test]
fn known_differences() {
    let frame = |op, payload: &[u8]| {
        let mut out = Vec::new();
        encode_frame(&mut out, op, true, payload, None);
        out
    };
    let both = |stream: &[u8]| {
        (
            ours(Role::Client, &[stream]),
            theirs(Role::Client, &[stream]),
        )
    };

    // A bad close code is an error for us; for tungstenite it is a Close that was never sent.
    for code in [999u16, 1004, 1005, 1006, 1015, 2000, 5000] {
        let (ours, theirs) = both(&frame(OpCode::Close, &code.to_be_bytes()));
        assert_eq!(ours, [Said::Failed(1002)], "{code}");
        assert_eq!(theirs, [their_bad_code()], "{code}");
    }
    // 1014 was registered after RFC 6455.
    let (ours, theirs) = both(&frame(OpCode::Close, &1014u16.to_be_bytes()));
    assert_eq!(ours, [Said::Close(Some((1014, String::new())))]);
    assert_eq!(theirs, [their_bad_code()]);

    // A length in more bytes than it needs, against RFC 6455 section 5.2.
    let (ours, theirs) = both(b"\x82\x7e\x00\x01x");
    assert_eq!(ours, [Said::Failed(1002)]);
    assert_eq!(theirs, [Said::Binary(b"x".to_vec())]);

    // The highest bit of a length: bad for us, long for them.
    let (ours, theirs) = both(b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00");
    assert_eq!(
        (ours, theirs),
        (vec![Said::Failed(1002)], vec![Said::Failed(1009)])
    );

    // We fail as soon as a frame can be judged: at its header, or at a byte that is not UTF-8.
    for (beginning, code) in [
        (&b"\x91\x05"[..], 1002),            // a reserved bit
        (b"\x81\x85\x01\x02\x03\x04", 1002), // a mask from a server
        (b"\x80\x05", 1002),                 // nothing to continue
        (b"\x89\x7e\x00\x7e", 1002),         // a long Ping
        (b"\x81\x05\xff", 1007),             // not UTF-8
    ] {
        let (ours, theirs) = both(beginning);
        assert_eq!(ours, [Said::Failed(code)], "{beginning:x?}");
        assert_eq!(theirs, [], "{beginning:x?}");
        let filled = theirs_after_filler(Role::Client, beginning);
        assert_eq!(filled, [Said::Failed(code)], "{beginning:x?}");
    }
}

/// Our request, answered by tungstenite's server, and its answer judged by us.
fn shake_hands(request: &UpgradeRequest, choose: Option<&'static str>) -> Option<String> {
    use tungstenite::handshake::server::{Request, Response};
    let (mut handshake, bytes) = ClientHandshake::start(request, HandshakeLimits::default());
    let pieces = [bytes.as_slice()];
    #[allow(clippy::result_large_err, reason = "tungstenite's signature")]
    let callback = |request: &Request, mut response: Response| {
        assert_eq!(request.uri().to_string(), "/a?b=c");
        assert_eq!(request.headers()["host"], "h.example:8080");
        assert_eq!(request.headers()["x-extra"], "1");
        if let Some(name) = choose {
            let value = name.parse().unwrap();
            response
                .headers_mut()
                .insert("sec-websocket-protocol", value);
        }
        Ok(response)
    };
    let mut server = tungstenite::accept_hdr(Pipe::new(&pieces), callback).unwrap();
    server.send(Message::text("first")).unwrap();
    let answer = &server.get_ref().written;
    match handshake.feed(answer).unwrap() {
        Progress::Done { response, consumed } => {
            // The first message came with the answer.
            let said = ours(Role::Client, &[&answer[consumed..]]);
            assert_eq!(said, [Said::Text("first".to_owned())]);
            response.subprotocol
        }
        _ => panic!("the answer is not whole"),
    }
}

#[test]
fn first_frame_with_101() {
    let url = WsUrl::parse("ws://h.example:8080/a?b=c").unwrap();
    let plain = UpgradeRequest::new(&url).header("X-Extra", "1").unwrap();
    assert_eq!(shake_hands(&plain, None), None);
    let offer = plain
        .subprotocol("chat")
        .unwrap()
        .subprotocol("chat.v2")
        .unwrap();
    assert_eq!(
        shake_hands(&offer, Some("chat.v2")),
        Some("chat.v2".to_owned())
    );
    assert_eq!(shake_hands(&offer, None), None);
}
