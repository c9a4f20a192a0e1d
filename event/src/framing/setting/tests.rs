#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails
use super::*;
use crate::framing::LengthCoding;

#[test]
fn the_default_size_is_that_of_libhv() {
    let setting = Unpack::delimiter(b"\n").build().unwrap();
    assert_eq!(setting.max_size, 1 << 21);
}

#[test]
fn what_is_refused_and_why() {
    let table = [
        (Unpack::fixed(0), "the fixed package length is zero"),
        (
            Unpack::fixed((2 << 20) + 1),
            "the fixed package length, 2097153 bytes, is over the limit of 2097152 bytes",
        ),
        (
            Unpack::delimiter(b""),
            "the delimiter has 0 bytes, which is not from 1 to 16",
        ),
        (
            Unpack::delimiter(b"12345678901234567"),
            "the delimiter has 17 bytes, which is not from 1 to 16",
        ),
        (
            Unpack::delimiter(b"\r\n").max_size(1),
            "the delimiter, 2 bytes, is over the package limit of 1 bytes",
        ),
        (
            Unpack::length_field(LengthField::new().bytes(9)),
            "the length field has 9 bytes, which is not from 1 to 8",
        ),
        (
            Unpack::length_field(LengthField::new().coding(LengthCoding::Varint).bytes(11)),
            "the length field has 11 bytes, which is not from 1 to 10",
        ),
        (
            Unpack::length_field(LengthField::new().body_offset(4)),
            "the body at 4 begins inside the length field, 4 bytes at 1",
        ),
        (
            Unpack::length_field(LengthField::new()).max_size(4),
            "the head, 5 bytes, is over the package limit of 4 bytes",
        ),
        (
            Unpack::length_field(LengthField::new().adjustment(1)).max_size(5),
            "no package can have a length adjusted by 1",
        ),
    ];
    for (builder, text) in table {
        let error = builder.clone().build().expect_err(text);
        assert_eq!(error.to_string(), text, "{builder:?}");
    }
}

#[test]
fn the_order_of_the_calls_does_not_matter() {
    let large = Unpack::fixed(3 << 20).max_size(3 << 20).build();
    assert!(large.is_ok());
    assert_eq!(
        Unpack::fixed(5).max_size(0).max_size(5).build(),
        Unpack::fixed(5).max_size(5).build()
    );
    assert!(Unpack::delimiter(b"\r\n").max_size(2).build().is_ok());
    assert!(
        Unpack::length_field(LengthField::new())
            .max_size(5)
            .build()
            .is_ok()
    );
}
