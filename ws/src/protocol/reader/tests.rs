//! Streams as tables; each is delivered whole, byte by byte and cut in two at every point.

use super::gathered::MIN_AHEAD;
use super::*;
use crate::protocol::{OpCode, encode_close, encode_frame};

/// An event, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(close) => Self::Close(close.map(|(code, reason)| (code, reason.into()))),
        }
    }
}

type Outcome = (Vec<Said>, Option<ProtocolError>);

/// Feeds pieces; checks that each is used up and that nothing comes after an end.
fn feed(reader: &mut Reader, pieces: &[&[u8]]) -> Outcome {
    let (mut said, mut failed) = (Vec::new(), None);
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut input = Input::new(&mut bytes);
        loop {
            let finished = reader.is_finished();
            match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    assert!(!finished, "an event after the end: {event:?}");
                    said.push(event.into());
                }
                Err(error) => {
                    assert!(
                        !finished && failed.is_none(),
                        "an error after the end: {error:?}"
                    );
                    failed = Some(error);
                }
            }
        }
        assert_eq!(input.remaining(), 0);
    }
    (said, failed)
}

fn every_delivery(role: Role, limits: Limits, stream: &[u8], expected: &Outcome) {
    let new = || Reader::new(role, limits);
    assert_eq!(&feed(&mut new(), &[stream]), expected, "whole: {stream:x?}");
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(
        &feed(&mut new(), &bytes),
        expected,
        "byte by byte: {stream:x?}"
    );
    for cut in 0..stream.len().min(400) {
        let (a, b) = stream.split_at(cut);
        assert_eq!(
            &feed(&mut new(), &[a, b]),
            expected,
            "cut at {cut}: {stream:x?}"
        );
    }
}

/// Frames of a peer, built for one role.
struct Frames {
    mask: Option<[u8; 4]>,
    bytes: Vec<u8>,
}

impl Frames {
    /// What the peer of `role` sends.
    fn to(role: Role) -> Self {
        let mask = match role {
            Role::Client => None,
            Role::Server => Some([0x37, 0xfa, 0x21, 0x3d]),
        };
        Self {
            mask,
            bytes: Vec::new(),
        }
    }

    fn frame(mut self, opcode: OpCode, fin: bool, payload: impl AsRef<[u8]>) -> Self {
        encode_frame(&mut self.bytes, opcode, fin, payload.as_ref(), self.mask);
        self
    }

    fn close(mut self, close: Option<(u16, &str)>) -> Self {
        encode_close(&mut self.bytes, close, self.mask);
        self
    }

    /// A header as it stands, with a mask if there has to be one, and a payload that is zero.
    fn raw(mut self, first: u8, second: u8, extended: &[u8], payload: usize) -> Self {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        self.bytes.extend([first, second | masked]);
        self.bytes.extend(extended);
        if self.mask.is_some() {
            self.bytes.extend([0; 4]);
        }
        self.bytes.extend(vec![0; payload]);
        self
    }
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

#[test]
fn one_byte_delivery() {
    use Said::*;
    let long = "λ".repeat(150);
    for role in ROLES {
        let table: Vec<(Frames, Vec<Said>)> = vec![
            (Frames::to(role), vec![]),
            (
                Frames::to(role).frame(OpCode::Text, true, "héllo"),
                vec![Text("héllo".into())],
            ),
            (
                Frames::to(role).frame(OpCode::Text, true, ""),
                vec![Text(String::new())],
            ),
            (
                Frames::to(role).frame(OpCode::Binary, true, ""),
                vec![Binary(vec![])],
            ),
            (
                Frames::to(role).frame(OpCode::Text, true, &long),
                vec![Text(long.clone())],
            ),
            (
                Frames::to(role)
                    .frame(OpCode::Binary, true, [1, 2, 3])
                    .frame(OpCode::Text, true, "€")
                    .frame(OpCode::Pong, true, "")
                    .frame(OpCode::Ping, true, "p"),
                vec![
                    Binary(vec![1, 2, 3]),
                    Text("€".into()),
                    Pong(vec![]),
                    Ping(b"p".to_vec()),
                ],
            ),
            (
                Frames::to(role)
                    .close(None)
                    .frame(OpCode::Text, true, "late"),
                vec![Close(None)],
            ),
            (
                Frames::to(role)
                    .close(Some((1001, "güle")))
                    .raw(0xff, 0, &[], 0),
                vec![Close(Some((1001, "güle".into())))],
            ),
            (
                Frames::to(role)
                    .frame(OpCode::Text, false, "a\u{20ac}".as_bytes().split_at(2).0)
                    .frame(OpCode::Continuation, false, "")
                    .frame(OpCode::Continuation, false, &"\u{20ac}".as_bytes()[1..])
                    .frame(OpCode::Continuation, true, "")
                    .frame(OpCode::Text, true, "next"),
                vec![Text("a\u{20ac}".into()), Text("next".into())],
            ),
            (
                Frames::to(role).frame(OpCode::Binary, false, "").frame(
                    OpCode::Continuation,
                    true,
                    "",
                ),
                vec![Binary(vec![])],
            ),
            (
                Frames::to(role).close(Some((4999, &"x".repeat(123)))),
                vec![Close(Some((4999, "x".repeat(123))))],
            ),
        ];
        for (frames, said) in table {
            every_delivery(role, Limits::default(), &frames.bytes, &(said, None));
        }
    }
}

#[test]
fn ping_between_fragments() {
    use Said::*;
    for role in ROLES {
        let frames = Frames::to(role)
            .frame(OpCode::Text, false, "Hel")
            .frame(OpCode::Ping, true, "PP")
            .frame(OpCode::Pong, true, "Q")
            .frame(OpCode::Continuation, false, "lo ")
            .frame(OpCode::Ping, true, "")
            .frame(OpCode::Continuation, true, "you");
        let said = vec![
            Ping(b"PP".to_vec()),
            Pong(b"Q".to_vec()),
            Ping(vec![]),
            Text("Hello you".into()),
        ];
        every_delivery(role, Limits::default(), &frames.bytes, &(said, None));
        let frames = Frames::to(role)
            .frame(OpCode::Binary, false, "half")
            .close(Some((1000, "")))
            .frame(OpCode::Continuation, true, "rest");
        let said = vec![Close(Some((1000, String::new())))];
        every_delivery(role, Limits::default(), &frames.bytes, &(said, None));
    }
}

#[test]
fn fail_codes() {
    use ProtocolError::*;
    for role in ROLES {
        let f = || Frames::to(role);
        let wrong_mask = match role {
            Role::Client => (Frames::to(Role::Server), MaskedFrame),
            Role::Server => (Frames::to(Role::Client), UnmaskedFrame),
        };
        let close = |payload: &[u8]| f().frame(OpCode::Close, true, payload);
        let mut table = vec![
            (
                wrong_mask.0.frame(OpCode::Text, true, "x"),
                wrong_mask.1,
                1002,
            ),
            (f().raw(0xC1, 0, &[], 0), ReservedBits, 1002),
            (f().raw(0xA1, 0, &[], 0), ReservedBits, 1002),
            (f().raw(0x91, 0, &[], 0), ReservedBits, 1002),
            (f().raw(0xC9, 0, &[], 0), ReservedBits, 1002),
            (
                f().raw(0x89, 126, &[0, 126], 126),
                ControlTooLong { size: 126 },
                1002,
            ),
            (
                f().raw(0x88, 127, &[0, 0, 1, 0, 0, 0, 0, 0], 0),
                ControlTooLong { size: 1 << 40 },
                1002,
            ),
            (f().raw(0x09, 0, &[], 0), FragmentedControl, 1002),
            (f().raw(0x08, 0, &[], 0), FragmentedControl, 1002),
            (
                f().frame(OpCode::Continuation, true, "x"),
                UnexpectedContinuation,
                1002,
            ),
            (
                f().frame(OpCode::Continuation, false, "x"),
                UnexpectedContinuation,
                1002,
            ),
            (
                f().frame(OpCode::Text, false, "x")
                    .frame(OpCode::Text, true, "y"),
                ExpectedContinuation,
                1002,
            ),
            (
                f().frame(OpCode::Binary, false, "x")
                    .frame(OpCode::Binary, false, "y"),
                ExpectedContinuation,
                1002,
            ),
            (
                f().raw(0x82, 127, &[0x80, 0, 0, 0, 0, 0, 0, 1], 0),
                LengthOverflow,
                1002,
            ),
            (f().raw(0x82, 127, &[0xff; 8], 0), LengthOverflow, 1002),
            (f().raw(0x82, 126, &[0, 125], 125), NonMinimalLength, 1002),
            (
                f().raw(0x82, 127, &[0, 0, 0, 0, 0, 0, 0xff, 0xff], 0),
                NonMinimalLength,
                1002,
            ),
            (f().frame(OpCode::Text, true, b"\xff"), InvalidUtf8, 1007),
            (
                f().frame(OpCode::Text, true, b"a\xe2\x82"),
                InvalidUtf8,
                1007,
            ),
            (
                f().frame(OpCode::Text, false, b"\xed\xa0\x80"),
                InvalidUtf8,
                1007,
            ),
            (
                f().frame(OpCode::Text, false, b"\xe2")
                    .frame(OpCode::Continuation, true, b"\x82"),
                InvalidUtf8,
                1007,
            ),
            (
                f().frame(OpCode::Text, false, b"a\xe2\x82")
                    .frame(OpCode::Continuation, true, b""),
                InvalidUtf8,
                1007,
            ),
            (
                f().frame(OpCode::Text, false, b"\xf0\x9d\x84")
                    .frame(OpCode::Continuation, false, b"")
                    .frame(OpCode::Continuation, true, b""),
                InvalidUtf8,
                1007,
            ),
            (
                f().frame(OpCode::Text, false, b"\xf0\x9d").frame(
                    OpCode::Continuation,
                    false,
                    b"x",
                ),
                InvalidUtf8,
                1007,
            ),
            (close(b"\x03"), CloseTooShort, 1002),
            (close(b"\x03\xe8\xff"), InvalidCloseReason, 1007),
        ];
        for op in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            table.push((f().raw(0x80 | op, 0, &[], 0), ReservedOpcode(op), 1002));
        }
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            table.push((close(&code.to_be_bytes()), BadCloseCode(code), 1002));
        }
        for (frames, error, code) in table {
            assert_eq!(error.close_code(), code, "{error:?}");
            // A message before it is delivered, a message after it is not.
            let mut stream = f().frame(OpCode::Pong, true, "before").bytes;
            stream.extend(&frames.bytes);
            stream.extend(f().frame(OpCode::Text, true, "after").bytes);
            let before = vec![Said::Pong(b"before".to_vec())];
            every_delivery(role, Limits::default(), &stream, &(before, Some(error)));
        }
    }
}

#[test]
fn limit_error_text() {
    let limits = Limits {
        max_frame: 300,
        max_message: 500,
    };
    for role in ROLES {
        let f = || Frames::to(role);
        let at_limit = f().frame(OpCode::Binary, true, [0; 300]);
        every_delivery(
            role,
            limits,
            &at_limit.bytes,
            &(vec![Said::Binary(vec![0; 300])], None),
        );
        let over = ProtocolError::FrameTooBig {
            limit: 300,
            size: 301,
        };
        let frames = f().frame(OpCode::Text, true, [0; 301]);
        every_delivery(role, limits, &frames.bytes, &(vec![], Some(over)));
        assert_eq!(
            over.to_string(),
            "a frame of 301 bytes is over the limit of 300 bytes"
        );

        let whole = f()
            .frame(OpCode::Text, false, [b'x'; 250])
            .frame(OpCode::Continuation, true, [b'x'; 250])
            .frame(OpCode::Text, true, "again");
        let said = vec![Said::Text("x".repeat(500)), Said::Text("again".into())];
        every_delivery(role, limits, &whole.bytes, &(said, None));
        let over = ProtocolError::MessageTooBig {
            limit: 500,
            size: 501,
        };
        let frames =
            f().frame(OpCode::Binary, false, [0; 250])
                .frame(OpCode::Continuation, false, [0; 251]);
        every_delivery(role, limits, &frames.bytes, &(vec![], Some(over)));
        assert!(over.to_string().contains("501") && over.to_string().contains("500"));
        assert_eq!(over.close_code(), 1009);

        // A single frame is a message too.
        let small = Limits {
            max_frame: 300,
            max_message: 9,
        };
        let over = ProtocolError::MessageTooBig { limit: 9, size: 10 };
        let frames = f().frame(OpCode::Binary, true, [0; 10]);
        every_delivery(role, small, &frames.bytes, &(vec![], Some(over)));
    }
}

/// Bytes held by a reader's buffers.
fn held(reader: &Reader) -> usize {
    reader.memory()
}

#[test]
fn huge_length_header() {
    // Only the header counts: nothing is allocated for what is announced.
    for limits in [
        Limits::default(),
        Limits {
            max_frame: usize::MAX,
            max_message: usize::MAX,
        },
    ] {
        let mut reader = Reader::new(Role::Client, limits);
        let (said, error) = feed(&mut reader, &[b"\x82\x7f\x00\x00\x00\x00\x80\x00\x00\x00"]);
        assert!(said.is_empty());
        assert_eq!(
            error.is_some(),
            limits == Limits::default(),
            "2 GiB against {limits:?}"
        );
        assert_eq!(held(&reader), 0);
    }
    let unlimited = Limits {
        max_frame: usize::MAX,
        max_message: usize::MAX,
    };
    let mut reader = Reader::new(Role::Client, unlimited);
    feed(
        &mut reader,
        &[b"\x82\x7f\x00\x00\x00\x00\x80\x00\x00\x00", b"x"],
    );
    assert!(
        held(&reader) <= 1 + MIN_AHEAD,
        "{} bytes held for one",
        held(&reader)
    );
    feed(&mut reader, &[&[7; 100_000]]);
    assert!(held(&reader) <= 3 * 100_000, "{} bytes held", held(&reader));
}

#[test]
fn memory_is_given_back() {
    for (op, bytes) in [
        (OpCode::Text, 100_000),
        (OpCode::Binary, 100_000),
        (OpCode::Ping, 125),
    ] {
        let mut reader = Reader::new(Role::Server, Limits::default());
        let stream = Frames::to(Role::Server)
            .frame(op, true, vec![b'x'; bytes])
            .bytes;
        let (a, b) = stream.split_at(stream.len() / 2);
        let (said, error) = feed(&mut reader, &[a, b]);
        assert_eq!((said.len(), error), (1, None));
        assert_eq!(held(&reader), 0, "after {op:?}");
    }
    // After the end nothing is kept, not even of a message that was begun.
    let begun = Frames::to(Role::Client)
        .frame(OpCode::Binary, false, [0; 5000])
        .bytes;
    for end in [&b"\x88\x00"[..], &b"\xff\x00"[..]] {
        let mut reader = Reader::new(Role::Client, Limits::default());
        feed(&mut reader, &[&begun, end]);
        assert_eq!(held(&reader), 0);
    }
    assert!(
        size_of::<Reader>() <= 256,
        "a reader takes {} bytes",
        size_of::<Reader>()
    );
}

#[test]
fn whole_messages_stay_where_they_are() {
    for role in ROLES {
        let mut bytes = Frames::to(role)
            .frame(OpCode::Text, true, "text")
            .frame(OpCode::Binary, true, "binary")
            .frame(OpCode::Ping, true, "ping")
            .bytes;
        let memory = bytes.as_ptr_range();
        let mut input = Input::new(&mut bytes);
        let mut reader = Reader::new(role, Limits::default());
        let mut events = 0;
        while let Some(event) = reader.next(&mut input).expect("valid frames") {
            let payload = match event {
                Event::Text(text) => text.as_bytes(),
                Event::Binary(bytes) | Event::Ping(bytes) => bytes,
                other => panic!("{other:?}"),
            };
            assert!(
                memory.contains(&payload.as_ptr()),
                "{payload:x?} was copied"
            );
            events += 1;
        }
        assert_eq!(events, 3);
        assert_eq!(held(&reader), 0);
    }
    // The header in one read and the payload in the next: still no copy.
    let (mut head, mut payload) = (b"\x82\x03".to_vec(), b"abc".to_vec());
    let memory = payload.as_ptr_range();
    let mut reader = Reader::new(Role::Client, Limits::default());
    assert_eq!(reader.next(&mut Input::new(&mut head)), Ok(None));
    match reader.next(&mut Input::new(&mut payload)) {
        Ok(Some(Event::Binary(bytes))) => assert!(memory.contains(&bytes.as_ptr())),
        other => panic!("{other:?}"),
    };
}

#[test]
fn bad_text_fails_before_its_frame_ends() {
    // The frame announces 100 bytes; the second piece is wrong, the rest never comes.
    let mut reader = Reader::new(Role::Client, Limits::default());
    assert_eq!(
        feed(&mut reader, &[b"\x81\x64good", b"\xc3"]),
        (vec![], None)
    );
    assert_eq!(
        feed(&mut reader, &[b"("]),
        (vec![], Some(ProtocolError::InvalidUtf8))
    );
}

/// Messages are passed over, from the middle of one on; control frames between them come, also when one is
/// half there, and what is no frame is found.
#[test]
fn messages_are_passed_over() {
    for role in ROLES {
        let before = Frames::to(role).frame(OpCode::Text, false, "begun").bytes;
        let stream = Frames::to(role)
            .frame(OpCode::Continuation, false, b"\xff no text")
            .frame(OpCode::Ping, true, "between")
            .frame(OpCode::Continuation, true, "")
            .frame(OpCode::Binary, true, [7; 300])
            .frame(OpCode::Text, true, "")
            .close(Some((1000, "bye")))
            .bytes;
        let broken = Frames::to(role).frame(OpCode::Continuation, true, "").bytes;
        for cut in 0..stream.len() {
            let mut reader = Reader::new(role, Limits::default());
            assert_eq!(feed(&mut reader, &[&before]), (vec![], None));
            reader.skip_messages();
            let (mut said, error) = feed(&mut reader, &[&stream[..cut]]);
            assert_eq!(error, None);
            reader.skip_messages();
            let (rest, error) = feed(&mut reader, &[&stream[cut..]]);
            assert_eq!(error, None);
            said.extend(rest);
            let ping = Said::Ping(b"between".to_vec());
            let close = Said::Close(Some((1000, "bye".into())));
            assert_eq!(said, [ping, close], "cut at {cut}");
        }
        let mut reader = Reader::new(role, Limits::default());
        reader.skip_messages();
        let expected = (vec![], Some(ProtocolError::UnexpectedContinuation));
        assert_eq!(feed(&mut reader, &[&broken]), expected);
    }
}
