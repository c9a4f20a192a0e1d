//! What holds for all kinds of packages.

#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

mod limits;
mod memory;
mod reference;
mod splits;

use super::{LengthCoding, LengthField, Unpack, UnpackError, Unpacker};
use reference::{Kind, Outcome, Spec};
use std::ops::ControlFlow;

/// SplitMix64: the same numbers in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// Feeds a stream in pieces and stops at the packages that `stop` names by their number. After a
/// stop, `at_once` says whether to resume before more comes in.
fn feed(
    spec: &Spec,
    pieces: &[&[u8]],
    mut stop: impl FnMut(usize) -> bool,
    mut at_once: impl FnMut() -> bool,
) -> Outcome {
    let mut unpacker = Unpacker::new(spec.setting().expect("a valid setting"));
    let mut outcome = Outcome::default();
    let packages = &mut outcome.packages;
    let mut stopped = false;
    let mut each = |stopped: &mut bool, package: &mut [u8]| {
        assert!(!package.is_empty());
        packages.push(package.to_vec());
        // A handler may: it must not show in what comes later.
        package.fill(0xee);
        *stopped = stop(packages.len() - 1);
        match *stopped {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let mut result = Ok(());
    for piece in pieces {
        let mut data = piece.to_vec();
        stopped = false;
        result = unpacker.push(&mut data, |package| each(&mut stopped, package));
        while stopped && at_once() {
            stopped = false;
            result = unpacker.push(&mut [], |package| each(&mut stopped, package));
        }
        if result.is_err() {
            break;
        }
    }
    while stopped && result.is_ok() {
        stopped = false;
        result = unpacker.push(&mut [], |package| each(&mut stopped, package));
    }
    if let Err(error) = result {
        assert_eq!(unpacker.push(&mut [], |_| unreachable!()), Err(error));
        assert_eq!(unpacker.push(&mut [1; 99], |_| unreachable!()), Err(error));
        assert_eq!(unpacker.held(), 0, "nothing is held after an error");
    }
    outcome.rest = unpacker.held();
    outcome.error = result.err();
    outcome
}

/// Feeds a stream in pieces without a stop.
fn feed_all(spec: &Spec, pieces: &[&[u8]]) -> Outcome {
    feed(spec, pieces, |_| false, || true)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

fn fixed(len: usize) -> Spec {
    Spec {
        kind: Kind::Fixed(len),
        max: 4096,
    }
}

fn delimiter(bytes: &[u8]) -> Spec {
    Spec {
        kind: Kind::Delimiter(bytes.to_vec()),
        max: 4096,
    }
}

fn length([body_offset, offset, bytes]: [usize; 3], adjustment: i32, coding: LengthCoding) -> Spec {
    Spec {
        kind: Kind::Length {
            body_offset,
            offset,
            bytes,
            adjustment,
            coding,
        },
        max: 4096,
    }
}

/// Settings with a stream each, which ends in whole packages or in the beginning of one.
fn samples() -> Vec<(Spec, Vec<u8>)> {
    use LengthCoding::{BigEndian, LittleEndian, Varint};
    let long = [
        varint(130),
        vec![7; 130],
        varint(0),
        vec![0x85, 0x00, 1, 2, 3, 4, 5],
    ]
    .concat();
    let mqtt = [b"\x30\x03abc\xc0\x00\x10\x82\x01".as_slice(), &[9; 130]].concat();
    vec![
        (fixed(1), b"abc".to_vec()),
        (fixed(4), b"abcdefghij".to_vec()),
        (delimiter(b"\n"), b"one\n\n\ntwo\nthree".to_vec()),
        (delimiter(b"\r\n"), b"one\r\n\r\n\r\r\n\n\r\ntwo\r".to_vec()),
        (delimiter(b"aab"), b"aaabaabaaaaabab aab".to_vec()),
        (
            delimiter(b"--=_boundary"),
            b"x--=_boundar--=_boundary--=_boundary-".to_vec(),
        ),
        (
            length([5, 1, 4], 0, BigEndian),
            b"f\0\0\0\x02hig\0\0\0\0h\0\0\0\x03abci\0\0".to_vec(),
        ),
        (
            length([2, 0, 2], -2, LittleEndian),
            b"\x03\0a\x02\0\x05\0abc\x04".to_vec(),
        ),
        (
            length([4, 0, 1], 2, BigEndian),
            b"\x00ABCxx\x01ABCxxx\x00".to_vec(),
        ),
        (
            length([8, 0, 8], 0, BigEndian),
            b"\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\0".to_vec(),
        ),
        (
            length([8, 2, 3], -1, LittleEndian),
            b"hh\x02\0\0tttbhh\x01\0\0ttt".to_vec(),
        ),
        (length([2, 1, 1], 0, Varint), mqtt),
        (length([4, 0, 4], 0, Varint), long.clone()),
        (length([1, 0, 1], 0, Varint), long),
        (
            length([5, 1, 2], -1, Varint),
            b"a\x03ttbba\x81\x00tta\x01tta\x02t".to_vec(),
        ),
    ]
}

#[test]
fn the_examples_of_libhv() {
    use LengthCoding::{BigEndian, Varint};
    type Row<'a> = (Spec, &'a [u8], &'a [&'a [u8]], usize);
    let table: [Row<'_>; 4] = [
        // UNPACK_BY_FIXED_LENGTH
        (fixed(3), b"abcdefgh", &[b"abc", b"def"], 2),
        // ftp_unpack_setting
        (
            delimiter(b"\r\n"),
            b"220 hi\r\nUSER\n a\r\n\r\nQUI",
            &[b"220 hi\r\n", b"USER\n a\r\n", b"\r\n"],
            3,
        ),
        // mqtt_unpack_setting
        (
            length([2, 1, 1], 0, Varint),
            b"\x30\x02hi\xc0\x00\xd0\x81\x00!\xe0",
            &[b"\x30\x02hi", b"\xc0\x00", b"\xd0\x81\x00!"],
            1,
        ),
        // grpc_unpack_setting
        (
            length([5, 1, 4], 0, BigEndian),
            b"\0\0\0\0\x02hi\x01\0\0\0\0\0\0\0\0",
            &[b"\0\0\0\0\x02hi", b"\x01\0\0\0\0"],
            4,
        ),
    ];
    for (spec, stream, packages, rest) in table {
        let outcome = feed_all(&spec, &[stream]);
        assert_eq!(outcome.packages, packages, "{spec:?}");
        assert_eq!((outcome.error, outcome.rest), (None, rest), "{spec:?}");
        assert_eq!(outcome, spec.cut(stream), "{spec:?}");
    }
}

#[test]
fn a_change_of_setting_begins_with_what_is_held() {
    let mut unpacker = Unpacker::new(Unpack::delimiter(b"\n").build().unwrap());
    let mut seen = Vec::new();
    let mut data = *b"size 4\nabcdefghij";
    let result = unpacker.push(&mut data, |package| {
        seen.push(package.to_vec());
        ControlFlow::Break(())
    });
    assert_eq!((result, unpacker.held()), (Ok(()), 10));
    unpacker.set(Unpack::fixed(4).build().unwrap());
    let result = unpacker.push(&mut [], |package| {
        seen.push(package.to_vec());
        ControlFlow::Continue(())
    });
    assert_eq!(result, Ok(()));
    assert_eq!(seen, [b"size 4\n".as_slice(), b"abcd", b"efgh"]);
    assert_eq!(unpacker.take_rest(), b"ij");
    assert_eq!(unpacker.held(), 0);
    unpacker.push(&mut [1; 3], |_| unreachable!()).unwrap();
    assert_eq!(unpacker.held(), 3);
}

#[test]
fn a_panic_in_a_callback_does_not_bring_the_package_again() {
    let mut unpacker = Unpacker::new(Unpack::fixed(2).build().unwrap());
    let stop = |_: &mut [u8]| ControlFlow::Break(());
    unpacker.push(&mut b"aabbc".to_vec(), stop).unwrap();
    let call = std::panic::AssertUnwindSafe(|| unpacker.push(&mut [], |_| panic!("of a callback")));
    assert!(std::panic::catch_unwind(call).is_err());
    let mut seen = Vec::new();
    let result = unpacker.push(&mut b"c".to_vec(), |package| {
        seen.extend_from_slice(package);
        ControlFlow::Continue(())
    });
    assert_eq!((result, seen.as_slice()), (Ok(()), b"cc".as_slice()));
}

#[test]
fn what_the_peer_said_is_not_in_the_debug_text() {
    let mut unpacker = Unpacker::new(Unpack::delimiter(b"\r\n").build().unwrap());
    unpacker
        .push(&mut b"secret".to_vec(), |_| unreachable!())
        .unwrap();
    let text = format!("{unpacker:?}");
    assert!(
        text.contains(r#"b"\r\n""#) && text.contains("held: 6"),
        "{text}"
    );
    assert!(!text.contains("115") && !text.contains("secret"), "{text}");
    assert_eq!(
        UnpackError::BadVarint.to_string(),
        "the length of a package is no varint of 64 bits"
    );
    let field = LengthField::default();
    assert_eq!(
        Unpack::length_field(field),
        Unpack::length_field(LengthField::new())
    );
}
