//! What is copied and what memory is owned; and that no stream takes quadratic time, which would
//! make some of these tests run for hours.

use super::*;
use crate::framing::assembler::KEEP;

fn unpacker(spec: &Spec) -> Unpacker {
    Unpacker::new(spec.setting().expect("a valid setting"))
}

fn go(_: &mut [u8]) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn only_a_package_that_spans_reads_is_copied() {
    let mut unpacker = unpacker(&delimiter(b"\r\n"));
    let mut first = *b"one\r\ntwo\r\nthr";
    let range = first.as_ptr_range();
    let mut seen = Vec::new();
    let mut note = |range: &std::ops::Range<*const u8>, package: &mut [u8]| {
        seen.push((package.to_vec(), range.contains(&package.as_ptr())));
        ControlFlow::Continue(())
    };
    unpacker
        .push(&mut first, |package| note(&range, package))
        .unwrap();
    assert_eq!(unpacker.held(), 3);
    let mut second = *b"ee\r\nfour\r\n";
    let range = second.as_ptr_range();
    unpacker
        .push(&mut second, |package| note(&range, package))
        .unwrap();
    let seen: Vec<(&[u8], bool)> = seen.iter().map(|(p, here)| (p.as_slice(), *here)).collect();
    let expected: [(&[u8], bool); 4] = [
        (b"one\r\n", true),
        (b"two\r\n", true),
        (b"three\r\n", false),
        (b"four\r\n", true),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn whole_packages_own_no_memory() {
    for (spec, stream) in samples() {
        let whole = spec.cut(&stream);
        let mut stream = stream[..stream.len() - whole.rest].to_vec();
        let mut unpacker = unpacker(&spec);
        for _ in 0..3 {
            unpacker.push(&mut stream.clone(), go).unwrap();
            assert_eq!(unpacker.capacity(), 0, "{spec:?}");
        }
        let stop = |_: &mut [u8]| ControlFlow::Break(());
        unpacker.push(&mut stream, stop).unwrap();
        assert!(unpacker.held() > 0 && unpacker.capacity() > 0);
        unpacker.push(&mut [], go).unwrap();
        assert!(unpacker.held() == 0 && unpacker.capacity() <= KEEP);
    }
}

#[test]
fn a_package_that_spanned_reads_leaves_little_behind() {
    for len in [1, 10, KEEP, 100_000] {
        let spec = Spec {
            kind: Kind::Delimiter(b"\n".to_vec()),
            max: 200_000,
        };
        let mut unpacker = unpacker(&spec);
        unpacker.push(&mut vec![b'a'; len], go).unwrap();
        assert!(unpacker.capacity() >= len);
        unpacker.push(&mut b"\n".to_vec(), go).unwrap();
        assert_eq!(unpacker.held(), 0);
        assert!(
            unpacker.capacity() <= KEEP,
            "{} after {len}",
            unpacker.capacity()
        );
    }
}

#[test]
fn what_is_announced_takes_no_memory() {
    let spec = Spec {
        max: usize::MAX,
        ..length([8, 0, 8], 0, LengthCoding::BigEndian)
    };
    let mut unpacker = unpacker(&spec);
    // A length that the limit, which is none, lets through.
    let mut sent = (u64::MAX >> 1).to_be_bytes().to_vec();
    unpacker.push(&mut sent, go).unwrap();
    for _ in 0..1000 {
        unpacker.push(&mut [0; 100], go).unwrap();
        assert!(unpacker.capacity() <= 2 * unpacker.held().max(KEEP));
    }
    assert_eq!(unpacker.held(), 100_008);
    // One that it does not.
    let mut unpacker = Unpacker::new(Unpack::length_field(LengthField::new()).build().unwrap());
    assert!(unpacker.push(&mut [0xff; 3], go).is_ok());
    assert!(unpacker.push(&mut [0xff; 60_000], go).is_err());
    assert!(unpacker.held() == 0 && unpacker.capacity() <= KEEP);
}

#[test]
fn an_error_gives_the_memory_back() {
    let spec = Spec {
        max: 100_000,
        ..delimiter(b"\n")
    };
    let mut unpacker = unpacker(&spec);
    unpacker.push(&mut vec![0; 99_999], go).unwrap();
    let error = unpacker.push(&mut [0], go).unwrap_err();
    assert!(unpacker.held() == 0 && unpacker.capacity() == 0);
    assert_eq!(unpacker.push(&mut vec![0; 99_999], go), Err(error));
    assert_eq!(unpacker.capacity(), 0);
}

#[test]
fn a_delimiter_is_looked_for_once_in_every_byte() {
    const LEN: usize = 1 << 19;
    // Nothing like the delimiter, its first byte all along, and all of it but the end.
    for filler in [b"a".as_slice(), b"\r", b"\r\n\r"] {
        let spec = Spec {
            max: 2 * LEN,
            ..delimiter(b"\r\n\r\n")
        };
        let mut unpacker = unpacker(&spec);
        let mut lens = Vec::new();
        let mut each = |package: &mut [u8]| {
            lens.push(package.len());
            ControlFlow::Continue(())
        };
        for &byte in filler.iter().cycle().take(LEN) {
            unpacker.push(&mut [byte], &mut each).unwrap();
        }
        unpacker
            .push(&mut b"a\r\n\r\n".to_vec(), &mut each)
            .unwrap();
        assert_eq!(lens, [LEN + 5], "{filler:?}");
    }
}

#[test]
fn a_long_rest_is_handed_on_bit_by_bit_in_linear_time() {
    const LEN: usize = 1 << 19;
    let mut unpacker = unpacker(&fixed(2));
    let mut seen = 0;
    let mut stop = |package: &mut [u8]| {
        seen += package.len();
        ControlFlow::Break(())
    };
    unpacker.push(&mut vec![1; LEN], &mut stop).unwrap();
    let mut left = LEN - 2;
    // Two bytes in, two out, while there is a long rest.
    for _ in 0..LEN / 4 {
        unpacker.push(&mut [1, 1], &mut stop).unwrap();
        assert_eq!(unpacker.held(), left);
    }
    while left > 0 {
        unpacker.push(&mut [], &mut stop).unwrap();
        left -= 2;
        assert_eq!(unpacker.held(), left);
        assert!(
            unpacker.capacity() <= KEEP.max(4 * left),
            "{} for {left}",
            unpacker.capacity()
        );
    }
    assert_eq!(seen, LEN + LEN / 2);
}
