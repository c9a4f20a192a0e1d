//! Lengths that are too great, negative or not readable.

use super::*;
use LengthCoding::{BigEndian, LittleEndian, Varint};

fn with_max(mut spec: Spec, max: usize) -> Spec {
    spec.max = max;
    spec
}

fn too_long(limit: usize, size: impl Into<Option<u64>>) -> UnpackError {
    UnpackError::TooLong {
        limit,
        size: size.into(),
    }
}

/// The outcome, which is the same byte by byte.
fn outcome(spec: &Spec, stream: &[u8]) -> Outcome {
    let whole = feed_all(spec, &[stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(feed_all(spec, &bytes), whole, "{spec:?} {stream:?}");
    assert_eq!(spec.cut(stream), whole, "{spec:?} {stream:?}");
    whole
}

#[test]
fn a_package_of_the_greatest_size_is_whole_and_one_byte_more_is_not() {
    let table: [(Spec, &[u8], &[u8], UnpackError); 6] = [
        (
            delimiter(b"\n"),
            b"1234567\n",
            b"12345678\n",
            too_long(8, None),
        ),
        (
            delimiter(b"\r\n"),
            b"123456\r\n",
            b"1234567\r\n",
            too_long(8, None),
        ),
        (
            delimiter(b"\r\n"),
            b"\r\n",
            b"12345\r\r\r\n",
            too_long(8, None),
        ),
        (
            length([2, 0, 2], 0, BigEndian),
            b"\0\x06abcdef",
            b"\0\x07abcdefg",
            too_long(8, 9),
        ),
        (
            length([2, 0, 2], -2, LittleEndian),
            b"\x08\0abcdef",
            b"\x09\0abcdefg",
            too_long(8, 9),
        ),
        (
            length([2, 1, 1], 0, Varint),
            b"t\x06abcdef",
            b"t\x07abcdefg",
            too_long(8, 9),
        ),
    ];
    for (spec, good, bad, error) in table {
        let spec = with_max(spec, 8);
        let good_outcome = outcome(&spec, good);
        assert_eq!(good_outcome.packages, [good]);
        assert_eq!(good_outcome.error, None);
        assert_eq!(outcome(&spec, bad).error, Some(error));
        // The packages before it come through.
        let both = outcome(&spec, &[good, bad].concat());
        assert_eq!(
            (both.packages, both.error),
            (vec![good.to_vec()], Some(error))
        );
    }
}

#[test]
fn a_missing_delimiter_is_an_error_at_the_limit_and_not_before() {
    let spec = with_max(delimiter(b"\r\n"), 8);
    assert_eq!(outcome(&spec, b"1234567").error, None);
    assert_eq!(outcome(&spec, b"12345678").error, Some(too_long(8, None)));
    assert_eq!(outcome(&spec, b"1234567\r").error, Some(too_long(8, None)));
}

#[test]
fn a_length_is_judged_when_its_field_is_there() {
    // The head goes on for six bytes more.
    let spec = length([10, 0, 4], 0, BigEndian);
    assert_eq!(feed_all(&spec, &[&[0xff; 3]]).error, None);
    let error = too_long(4096, u64::from(u32::MAX) + 10);
    assert_eq!(feed_all(&spec, &[&[0xff; 4]]).error, Some(error));
}

#[test]
fn huge_lengths() {
    let max = [0xff; 8];
    let huge = [varint(u64::MAX), vec![1]].concat();
    let table: [(Spec, &[u8], Option<UnpackError>); 9] = [
        (
            length([8, 0, 8], 0, BigEndian),
            &max,
            Some(too_long(4096, None)),
        ),
        (
            length([8, 0, 8], 0, LittleEndian),
            &max,
            Some(too_long(4096, None)),
        ),
        (
            length([8, 0, 8], 9, LittleEndian),
            &max,
            Some(too_long(4096, None)),
        ),
        (
            length([8, 0, 8], -8, BigEndian),
            &max,
            Some(too_long(4096, u64::MAX)),
        ),
        (
            length([8, 0, 8], -9, BigEndian),
            &max,
            Some(too_long(4096, u64::MAX - 1)),
        ),
        // Over 32 bits, where libhv would see a length of 1.
        (
            length([8, 0, 8], 0, BigEndian),
            &[0, 0, 0, 1, 0, 0, 0, 1],
            Some(too_long(4096, (1 << 32) + 9)),
        ),
        (length([8, 0, 8], 0, LittleEndian), &[1, 0, 0, 0, 1], None),
        (
            length([1, 0, 1], 0, Varint),
            &huge,
            Some(too_long(4096, None)),
        ),
        (
            length([1, 0, 1], i32::MIN, Varint),
            &huge,
            Some(too_long(4096, u64::MAX - (1 << 31) + 10)),
        ),
    ];
    for (spec, stream, error) in table {
        assert_eq!(outcome(&spec, stream).error, error, "{spec:?}");
    }
}

#[test]
fn negative_lengths() {
    let negative = |length, adjustment| UnpackError::NegativeLength { length, adjustment };
    let spec = length([4, 0, 2], -4, BigEndian);
    assert_eq!(outcome(&spec, &[0, 4, 1, 2]).packages.len(), 1);
    // libhv would cut these off inside the head.
    assert_eq!(outcome(&spec, &[0, 3, 1, 2]).error, Some(negative(3, -4)));
    assert_eq!(outcome(&spec, &[0, 0]).error, Some(negative(0, -4)));
    let spec = length([1, 0, 1], i32::MIN, Varint);
    assert_eq!(outcome(&spec, &[5]).error, Some(negative(5, i32::MIN)));
}

#[test]
fn varints_end_within_ten_bytes_and_64_bits() {
    let spec = length([1, 0, 1], 0, Varint);
    let bad = Some(UnpackError::BadVarint);
    let long_zero = [[0x80; 9].as_slice(), &[0]].concat();
    assert_eq!(outcome(&spec, &long_zero).packages, [long_zero]);
    assert_eq!(outcome(&spec, &[0x80; 9]).error, None);
    assert_eq!(outcome(&spec, &[0x80; 10]).error, bad);
    assert_eq!(
        outcome(&spec, &[[0x80; 10].as_slice(), &[0]].concat()).error,
        bad
    );
    assert_eq!(
        outcome(&spec, &[[0xff; 9].as_slice(), &[2]].concat()).error,
        bad
    );
    assert_eq!(
        outcome(&spec, &[[0x80; 9].as_slice(), &[0x81]].concat()).error,
        bad
    );
}

#[test]
fn the_texts_name_limit_and_size() {
    let table = [
        (
            too_long(8, 9),
            "a package of 9 bytes is over the limit of 8 bytes",
        ),
        (too_long(8, None), "a package is over the limit of 8 bytes"),
        (
            UnpackError::NegativeLength {
                length: 3,
                adjustment: -4,
            },
            "the length of a package, 3, adjusted by -4, is negative",
        ),
    ];
    for (error, text) in table {
        assert_eq!(error.to_string(), text);
    }
}
