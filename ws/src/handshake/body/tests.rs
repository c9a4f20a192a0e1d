use super::*;

const LIMIT: usize = 64;

/// What is made of these bytes, given whole and byte by byte; `None`: more is awaited.
fn read(length: BodyLength, bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, BadRequest> {
    let whole = {
        let mut reader = BodyReader::new(length, LIMIT)?;
        let done = reader.feed(bytes);
        done.map(|done| done.map(|consumed| (reader.into_bytes(), consumed)))
    };
    let mut reader = BodyReader::new(length, LIMIT)?;
    let mut single = Ok(None);
    for (at, byte) in bytes.iter().enumerate() {
        match reader.feed(std::slice::from_ref(byte)) {
            Ok(None) => {}
            Ok(Some(consumed)) => {
                single = Ok(Some((reader.into_bytes(), at + consumed)));
                break;
            }
            Err(e) => {
                single = Err(e);
                break;
            }
        }
    }
    assert_eq!(whole, single, "{:?}", String::from_utf8_lossy(bytes));
    whole
}

fn chunked(bytes: &str) -> Result<Option<(Vec<u8>, usize)>, BadRequest> {
    read(BodyLength::Chunked, bytes.as_bytes())
}

#[test]
fn as_long_as_it_says() {
    let body = read(BodyLength::Known(5), b"helloGET /").unwrap().unwrap();
    assert_eq!(body, (b"hello".to_vec(), 5));
    assert_eq!(read(BodyLength::Known(5), b"hell").unwrap(), None);
    let limit = read(BodyLength::Known(LIMIT as u64), &[7; LIMIT]).unwrap();
    assert_eq!(limit.unwrap().1, LIMIT);
    for length in [LIMIT as u64 + 1, u64::MAX] {
        let error = read(BodyLength::Known(length), b"").unwrap_err();
        assert_eq!(error, BadRequest::BodyTooLarge { limit: LIMIT });
    }
}

#[test]
fn in_chunks() {
    for (bytes, body, behind) in [
        ("0\r\n\r\n", "", 0),
        ("5\r\nhello\r\n0\r\n\r\nGET", "hello", 3),
        (
            "5;a=b\r\nhello\r\n00A\r\n0123456789\r\n000\r\n\r\n",
            "hello0123456789",
            0,
        ),
        ("1\r\na\r\n0\r\nExpires: 0\r\nX-Sum: 7\r\n\r\nP", "a", 1),
        ("5\r\na\r\nbc\r\n0\r\n\r\n", "a\r\nbc", 0),
    ] {
        let (found, consumed) = chunked(bytes).unwrap().unwrap();
        assert_eq!(found, body.as_bytes(), "{bytes:?}");
        assert_eq!(consumed, bytes.len() - behind, "{bytes:?}");
    }
    for bytes in [
        "",
        "5",
        "5\r\n",
        "5\r\nhell",
        "5\r\nhello\r",
        "0\r\n",
        "0\r\nA: b\r\n",
    ] {
        assert_eq!(chunked(bytes).unwrap(), None, "{bytes:?}");
    }
}

#[test]
fn what_could_be_cut_differently_is_refused() {
    for bytes in [
        "\r\n",
        " 5\r\nhello\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "g\r\n",
        ";a=b\r\n",
        "5;a=\nb\r\nhello\r\n",
        "5;a=\rb\r\nhello\r\n",
        "ffffffffffffffffff\r\n",
        "0\r\nno trailer\r\n\r\n",
        "0\r\n folded: 1\r\n\r\n",
        "0\r\nA: b\n\r\n",
    ] {
        let error = chunked(bytes).unwrap_err();
        assert!(
            matches!(error, BadRequest::Chunk(_)),
            "{bytes:?}: {error:?}"
        );
        assert_eq!(error.status(), 400);
    }
    let error = chunked("30\r\n000000000000000000000000000000000000000000000000\r\n11\r\n");
    assert_eq!(error, Err(BadRequest::BodyTooLarge { limit: LIMIT }));
    let error = chunked("fffffffffffffff\r\n").unwrap_err();
    assert_eq!(error.status(), 413);
}

#[test]
fn lines_that_carry_nothing_are_few() {
    let line = |n: usize| format!("1;{}\r\na\r\n", "x".repeat(n));
    assert!(chunked(&line(MAX_CHUNK_LINE - 4)).unwrap().is_none());
    assert!(matches!(
        chunked(&line(MAX_CHUNK_LINE - 3)),
        Err(BadRequest::Chunk(_))
    ));
    let mut reader = BodyReader::new(BodyLength::Chunked, usize::MAX).unwrap();
    let bytes = line(200);
    let failed = (0..1_000).position(|_| reader.feed(bytes.as_bytes()).is_err());
    let failed = failed.expect("it ends");
    assert!((80..100).contains(&failed), "after {failed}");
    // Of a usual size they go on for ever.
    let mut reader = BodyReader::new(BodyLength::Chunked, usize::MAX).unwrap();
    for _ in 0..10_000 {
        assert_eq!(reader.feed(b"1\r\na\r\n").unwrap(), None);
    }
    let trailers = format!("0\r\n{}", "A: b\r\n".repeat(MAX_OVERHEAD / 6 + 1));
    assert!(matches!(chunked(&trailers), Err(BadRequest::Chunk(_))));
}
