//! Lengths, and bodies however they are cut.

use super::*;

#[test]
fn lengths() {
    let of = |lines: &[(&'static str, &'static str)], http_1_1| {
        let lines = lines.iter().map(|(name, value)| (*name, value.as_bytes()));
        BodyLength::of(lines, http_1_1)
    };
    let length = |value| of(&[("content-length", value)], true);
    assert_eq!(of(&[("X", "y")], true), Ok(None));
    assert_eq!(length("12"), Ok(Some(BodyLength::Known(12))));
    assert_eq!(length(" 007\t"), Ok(Some(BodyLength::Known(7))));
    for bad in [
        "",
        "+1",
        "-1",
        "0x1",
        "1 2",
        "1,1",
        "1.0",
        "18446744073709551616",
    ] {
        assert!(length(bad).is_err(), "{bad:?}");
    }
    assert!(of(&[("Content-Length", "1"), ("content-length", "1")], true).is_err());
    let coding = |value| of(&[("Transfer-Encoding", value)], true);
    for good in ["chunked", "CHUNKED", ",gzip, chunked,"] {
        assert_eq!(coding(good), Ok(Some(BodyLength::Chunked)), "{good:?}");
    }
    for bad in [
        "",
        "gzip",
        "chunked, gzip",
        "chunked, chunked",
        "xchunked",
        "identity",
    ] {
        assert!(coding(bad).is_err(), "{bad:?}");
    }
    assert!(of(&[("Transfer-Encoding", "chunked")], false).is_err());
    let both = [("Transfer-Encoding", "chunked"), ("Content-Length", "1")];
    assert!(of(&both, true).is_err());
    let lines = [
        ("Transfer-Encoding", "gzip"),
        ("transfer-encoding", "chunked"),
    ];
    assert_eq!(of(&lines, true), Ok(Some(BodyLength::Chunked)));
}

#[test]
fn bodies_in_every_cut() {
    let known = |length| Some(BodyLength::Known(length));
    let chunked = Some(BodyLength::Chunked);
    let long = [b"400;x=\"y\"\r\n", &[b'x'; 1024][..], b"\r\n1\r\ny\r\n"].concat();
    let kept = [b'x'; 1024];
    type Case<'a> = (Option<BodyLength>, &'a [u8], &'a [u8], bool);
    let table: [Case<'_>; 11] = [
        (known(4), b"bodyHTTP/1.1", b"body", true),
        (known(5), b"body", b"body", false),
        (known(2000), &[b'x'; 1500], &kept, true),
        (None, b"body", b"body", false),
        (None, &[b'x'; 1025], &kept, true),
        (chunked, b"2\r\nbo\r\n2;a\r\ndy\r\n0\r\n\r\n", b"body", true),
        (chunked, b"2\r\nbo\r\n2", b"bo", false),
        (chunked, b"2\r\nbo\r\nz\r\ndy\r\n", b"bo", true),
        (chunked, b"fffffffffffffffffff\r\nb", b"", true),
        (chunked, &[b'0'; 300], b"", true),
        (chunked, &long, &kept, true),
    ];
    for (length, bytes, expected, done) in table {
        for cut in 0..=bytes.len() {
            let mut body = BodyPrefix::new(401, length);
            body.feed(&bytes[..cut]);
            assert_eq!(body.feed(&bytes[cut..]), done, "{length:?} at {cut}");
            assert_eq!(body.into_bytes(), expected, "{length:?} at {cut}");
        }
        let mut body = BodyPrefix::new(401, length);
        for byte in bytes.chunks(1) {
            body.feed(byte);
        }
        assert_eq!(
            (body.is_done(), body.into_bytes()),
            (done, expected.to_vec())
        );
    }
    for status in [100, 204, 304] {
        assert!(BodyPrefix::new(status, known(7)).is_done());
    }
    assert!(BodyPrefix::new(401, known(0)).is_done());
    assert!(BodyPrefix::nothing().is_done());
}
