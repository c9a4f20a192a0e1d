//! Compressed messages of every sort: blocks of each kind, final or not, in any order, and what of them
//! may be missing.

use super::*;
use crate::deflate::blocks::{Blocks, End, Truth};
use crate::protocol::{OpCode, encode_frame};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x99];

/// A reader with permessage-deflate, whose peer compresses by these parameters.
fn reader(role: Role, bits: u8, takeover: bool) -> Reader {
    let mut reader = Reader::new(role, Limits::default());
    reader.set_deflate(&DeflateParams {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    });
    reader
}

/// The frames of a compressed message, cut at these places.
fn frames(role: Role, kind: OpCode, payload: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mask = (role == Role::Server).then_some(MASK);
    let (mut out, mut from) = (Vec::new(), 0);
    for (n, &to) in cuts.iter().chain([&payload.len()]).enumerate() {
        let opcode = match n {
            0 => kind,
            _ => OpCode::Continuation,
        };
        let start = out.len();
        encode_frame(&mut out, opcode, n == cuts.len(), &payload[from..to], mask);
        if n == 0 {
            out[start] |= 0x40;
        }
        from = to;
    }
    out
}

/// Feeds a stream in pieces of so many bytes: the messages, and the error that ended it.
fn read(
    reader: &mut Reader,
    stream: &[u8],
    mut size: impl FnMut() -> usize,
) -> (Vec<Vec<u8>>, Option<ProtocolError>) {
    let (mut stream, mut got) = (stream.to_vec(), Vec::new());
    let mut rest = &mut stream[..];
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at_mut(size().clamp(1, rest.len()));
        rest = behind;
        let mut input = Input::new(piece);
        loop {
            match reader.next(&mut input) {
                Ok(Some(Event::Binary(bytes))) => got.push(bytes.to_vec()),
                Ok(Some(Event::Text(text))) => got.push(text.as_bytes().to_vec()),
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => break,
                Err(error) => return (got, Some(error)),
            }
        }
    }
    (got, None)
}

/// Blocks of every kind in any order, messages that end in each way, fragments and reads cut anywhere, in
/// both roles, with windows of every size: what comes out is what was put in, also when it refers to what
/// was before a final block.
#[test]
fn every_state_between_messages() {
    let rng = &mut StdRng::seed_from_u64(11);
    for bits in 9..=15 {
        for takeover in [true, false] {
            for role in [Role::Server, Role::Client] {
                let mut reader = reader(role, bits, takeover);
                let mut truth = Truth::new(bits);
                for message in 0..60 {
                    if !takeover {
                        truth = Truth::new(bits);
                    }
                    let (payload, plain) = Blocks::random(rng, &mut truth);
                    let mut cuts: Vec<usize> = (0..rng.random_range(0..4))
                        .map(|_| rng.random_range(0..=payload.len()))
                        .collect();
                    cuts.sort_unstable();
                    let stream = frames(role, OpCode::Binary, &payload, &cuts);
                    let most = [1, 3, 40, 1 << 20][rng.random_range(0..4)];
                    let (got, error) = read(&mut reader, &stream, || rng.random_range(1..=most));
                    let place = format!("{bits} {takeover} {role:?} message {message}");
                    assert_eq!(error, None, "{place}");
                    assert!(got == [plain], "{place}: another message");
                }
            }
        }
    }
}

/// The smallest ones.
#[test]
fn final_blocks_and_empty_messages() {
    // "Hello" of RFC 7692 section 7.2.3.4, with and without the 0x00 behind; then "Hello" that refers to it.
    let with: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let without = &with[..7];
    let again: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
    let simple: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let hello = || b"Hello".to_vec();
    for role in [Role::Server, Role::Client] {
        for first in [with, without, simple] {
            let mut reader = reader(role, 15, true);
            for (payload, plain) in [
                (first, hello()),
                (again, hello()),
                (&[0x00], vec![]),
                (&[0x02, 0x00], vec![]),
                (&[0x03, 0x00], vec![]),
                (first, hello()),
                (&[0x01, 0x00, 0x00, 0xff, 0xff], vec![]),
                (again, hello()),
            ] {
                let stream = frames(role, OpCode::Text, payload, &[]);
                let expected = (vec![plain], None);
                assert_eq!(read(&mut reader, &stream, || 1), expected, "{payload:x?}");
            }
        }
    }
}

/// What is cut anywhere is refused as soon as the message has ended, unless what is left is whole by itself.
#[test]
fn a_message_cut_short_is_refused_at_once() {
    let rng = &mut StdRng::seed_from_u64(12);
    for round in 0..40 {
        let role = [Role::Server, Role::Client][round % 2];
        let (bits, takeover) = (rng.random_range(9..=15), rng.random_bool(0.5));
        let mut truth = Truth::new(bits);
        let (before, plain) = Blocks::random(rng, &mut truth);
        if !takeover {
            truth = Truth::new(bits);
        }
        let mut blocks = Blocks::default();
        blocks.fill(rng, &mut truth, 3);
        let end = [End::Flush, End::Final, End::FinalAndByte][round % 3];
        let whole = blocks.whole_cuts(end);
        let payload = blocks.finish(end);
        for cut in 0..payload.len() {
            // Of a long one, its ends and some places between.
            if (200..payload.len().saturating_sub(50)).contains(&cut) && rng.random_bool(0.9) {
                continue;
            }
            let mut reader = reader(role, bits, takeover);
            let mut stream = frames(role, OpCode::Binary, &before, &[]);
            let cuts = match cut {
                2.. => vec![cut / 2],
                _ => vec![],
            };
            stream.extend(frames(role, OpCode::Binary, &payload[..cut], &cuts));
            let (got, error) = read(&mut reader, &stream, || 1 << 20);
            let is_whole = whole.contains(&cut);
            let expected = (!is_whole).then_some(ProtocolError::InvalidDeflate);
            assert_eq!(error, expected, "{cut} of {}, round {round}", payload.len());
            assert_eq!(got.len(), 1 + usize::from(is_whole));
            assert!(got[0] == plain);
        }
    }
}

/// Bytes behind a final block that are no block.
#[test]
fn trailing_bytes_are_refused() {
    let hello: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for behind in [
        &[0x00, 0x00][..],
        &[0x02],
        &[0x04],
        &[0x06],
        &[0xff],
        &[0x01, 0x02],
        b"\x00\x00\x00\xff",
        b"\x00\x00\x00\xff\xff\x00\x00",
        b"trailer",
    ] {
        for role in [Role::Server, Role::Client] {
            for takeover in [true, false] {
                let payload = [hello, behind].concat();
                for cuts in [vec![], vec![hello.len()], vec![3, hello.len() + 1]] {
                    let stream = frames(role, OpCode::Text, &payload, &cuts);
                    let expected = (vec![], Some(ProtocolError::InvalidDeflate));
                    let mut reader = reader(role, 15, takeover);
                    assert_eq!(read(&mut reader, &stream, || 2), expected, "{behind:x?}");
                }
            }
        }
    }
}

/// RSV1 and nothing to inflate: as the first message, behind others, and in fragments that are all empty.
#[test]
fn compressed_and_empty_is_refused() {
    for role in [Role::Server, Role::Client] {
        for takeover in [true, false] {
            for before in [&[][..], &[0xf2, 0x48, 0x05, 0x00][..], &[0x03, 0x00]] {
                for cuts in [vec![], vec![0], vec![0, 0]] {
                    let mut reader = reader(role, 15, takeover);
                    let mut stream = Vec::new();
                    if !before.is_empty() {
                        stream = frames(role, OpCode::Text, before, &[]);
                    }
                    stream.extend(frames(role, OpCode::Text, &[], &cuts));
                    let (got, error) = read(&mut reader, &stream, || 7);
                    assert_eq!(error, Some(ProtocolError::InvalidDeflate));
                    assert_eq!(got.len(), usize::from(!before.is_empty()));
                }
            }
        }
    }
}

/// Text is checked as it comes out, and may not end inside a character, whatever the last fragment brings.
#[test]
fn compressed_text_is_checked() {
    let cut: &[u8] = &[0x00, 0x03, 0x00, 0xfc, 0xff, b'a', 0xe2, 0x82, 0x00];
    let wrong: &[u8] = &[0x00, 0x02, 0x00, 0xfd, 0xff, b'a', 0xff];
    for role in [Role::Server, Role::Client] {
        for (payload, cuts) in [
            (cut, vec![]),
            (cut, vec![cut.len()]),
            (cut, vec![7, cut.len(), cut.len()]),
            (wrong, vec![]),
            (wrong, vec![wrong.len() - 1]),
        ] {
            let mut reader = reader(role, 15, true);
            let stream = frames(role, OpCode::Text, payload, &cuts);
            let expected = (vec![], Some(ProtocolError::InvalidUtf8));
            assert_eq!(read(&mut reader, &stream, || 3), expected, "{payload:x?}");
        }
    }
}

/// RSV1 says something of a message as a whole (RFC 7692 section 6): on a continuation, or on a control
/// frame, it is an error although the extension was agreed on. RSV2 and RSV3 are nobody's.
#[test]
fn rsv1_belongs_to_the_first_frame_alone() {
    let hello: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for role in [Role::Server, Role::Client] {
        let mask = (role == Role::Server).then_some(MASK);
        let frame = |opcode, fin, payload: &[u8], bits: u8| {
            let mut out = Vec::new();
            encode_frame(&mut out, opcode, fin, payload, mask);
            out[0] |= bits;
            out
        };
        let refused = |stream: &[u8], what: &str| {
            for size in [1, 1 << 20] {
                let (got, error) = read(&mut reader(role, 15, true), stream, || size);
                let code = error.map(|error| error.close_code());
                assert_eq!(error, Some(ProtocolError::ReservedBits), "{what}");
                assert_eq!((got, code), (vec![], Some(1002)), "{what}");
            }
        };
        for (bits, first) in [(0, b"Hel".as_slice()), (0x40, &hello[..3])] {
            for fin in [false, true] {
                let begun = frame(OpCode::Text, false, first, bits);
                let rest = frame(OpCode::Continuation, fin, &hello[3..], 0x40);
                refused(&[begun, rest].concat(), "a continuation");
            }
            let controls = [
                (OpCode::Ping, &b"life"[..]),
                (OpCode::Pong, b""),
                (OpCode::Close, b"\x03\xe8"),
            ];
            for (control, payload) in controls {
                let control = frame(control, true, payload, 0x40);
                refused(&control, "a control frame");
                let begun = frame(OpCode::Text, false, first, bits);
                refused(&[begun, control].concat(), "a control frame inside");
            }
        }
        for bits in [0x20, 0x10, 0x60, 0x50, 0x30] {
            refused(&frame(OpCode::Text, true, hello, bits), "another bit");
        }
        let good = frame(OpCode::Text, true, hello, 0x40);
        let (got, error) = read(&mut reader(role, 15, true), &good, || 1);
        assert_eq!((got, error), (vec![b"Hello".to_vec()], None));
    }
}
