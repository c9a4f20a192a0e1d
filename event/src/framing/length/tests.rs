#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails
use super::*;

const MAX: usize = 1 << 20;

fn field(body_offset: usize, offset: usize, bytes: usize, coding: LengthCoding) -> LengthField {
    LengthField::new()
        .body_offset(body_offset)
        .offset(offset)
        .bytes(bytes)
        .coding(coding)
}

#[test]
fn every_width_in_either_order() {
    for width in 1..=8 {
        let mut bytes = vec![0xaa, 0xaa];
        bytes.extend(vec![0; width]);
        let mut expected = 2 + width;
        if width > 1 {
            bytes[width] = 1; // the second to last of the field
            expected += 256;
        }
        bytes[width + 1] = 7;
        expected += 7;
        let big = field(2 + width, 2, width, LengthCoding::BigEndian);
        assert_eq!(big.validate(MAX), Ok(()));
        assert_eq!(
            big.package_len(&[], &bytes, MAX),
            Ok(Some(expected)),
            "{width}"
        );
        bytes[2..].reverse();
        let little = field(2 + width, 2, width, LengthCoding::LittleEndian);
        assert_eq!(
            little.package_len(&[], &bytes, MAX),
            Ok(Some(expected)),
            "{width}"
        );
        // Its bytes may lie on either side of the seam.
        for at in 0..bytes.len() {
            let (held, more) = bytes.split_at(at);
            assert_eq!(
                little.package_len(held, more, MAX),
                Ok(Some(expected)),
                "{width} {at}"
            );
            assert_eq!(little.package_len(held, &[], MAX), Ok(None), "{width} {at}");
        }
    }
}

#[test]
fn the_head_moves_with_the_varint() {
    // What libhv calculates: body_offset + varint_bytes - length_field_bytes + body.
    let table: [(usize, usize, &[u8], usize); 5] = [
        (2, 1, &[0, 5], 2 + 5),
        (2, 1, &[0, 0x85, 0], 3 + 5),
        (5, 4, &[0, 5], 2 + 5),
        (7, 4, &[0, 5], 4 + 5),
        (7, 1, &[0, 0x80, 1], 8 + 128),
    ];
    for (body_offset, bytes, stream, len) in table {
        let field = field(body_offset, 1, bytes, LengthCoding::Varint);
        assert_eq!(
            field.package_len(&[], stream, MAX),
            Ok(Some(len)),
            "{stream:?}"
        );
    }
}

#[test]
fn what_is_refused() {
    use LengthCoding::{BigEndian, LittleEndian, Varint};
    use UnpackSettingError as E;
    let inside = |body_offset, offset, bytes| E::BodyInField {
        body_offset,
        offset,
        bytes,
    };
    let adjusted = |by| Err(E::AdjustmentOutOfRange { adjustment: by });
    let big = field(5, 1, 4, BigEndian);
    let table = [
        (
            field(5, 1, 0, BigEndian),
            Err(E::FieldBytes { bytes: 0, most: 8 }),
        ),
        (
            field(99, 1, 9, LittleEndian),
            Err(E::FieldBytes { bytes: 9, most: 8 }),
        ),
        (
            field(99, 1, 0, Varint),
            Err(E::FieldBytes { bytes: 0, most: 10 }),
        ),
        (field(99, 1, 10, Varint), Ok(())),
        (
            field(99, 1, 11, Varint),
            Err(E::FieldBytes {
                bytes: 11,
                most: 10,
            }),
        ),
        (field(4, 1, 4, BigEndian), Err(inside(4, 1, 4))),
        (
            field(9, usize::MAX, 4, BigEndian),
            Err(inside(9, usize::MAX, 4)),
        ),
        (field(MAX, 1, 4, BigEndian), Ok(())),
        (
            field(MAX + 1, 1, 4, BigEndian),
            Err(E::HeadOverMax {
                head: MAX + 1,
                max: MAX,
            }),
        ),
        (field(MAX + 9, 1, 10, Varint), Ok(())),
        (
            field(MAX + 10, 1, 10, Varint),
            Err(E::HeadOverMax {
                head: MAX + 1,
                max: MAX,
            }),
        ),
        (big.adjustment((MAX - 5) as i32), Ok(())),
        (big.adjustment((MAX - 4) as i32), adjusted((MAX - 4) as i32)),
        (big.adjustment(i32::MIN), Ok(())),
        (field(2, 0, 1, BigEndian).adjustment(-255), Ok(())),
        (field(2, 0, 1, BigEndian).adjustment(-256), adjusted(-256)),
        (field(2, 0, 1, Varint).adjustment(i32::MIN), Ok(())),
    ];
    for (field, result) in table {
        assert_eq!(field.validate(MAX), result, "{field:?}");
    }
}
