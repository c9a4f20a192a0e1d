#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

type End = Result<Option<usize>, ProxyError>;

fn asked(proxy: &Proxy, host: &str, port: u16) -> String {
    let mut out = Vec::new();
    let mut http = HttpConnect::new(proxy, &ProxyTarget::new(host).unwrap(), port);
    http.start(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn requests() {
    let proxy = Proxy::http("proxy", 3128);
    for (host, authority) in [
        ("example.com", "example.com:443"),
        ("10.0.0.1", "10.0.0.1:443"),
        ("::1", "[::1]:443"),
    ] {
        let expected = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(asked(&proxy, host, 443), expected);
    }
    // The example of RFC 7617 section 2.
    let proxy = proxy.credentials("Aladdin", "open sesame").unwrap();
    let proxy = proxy.header("User-Agent", "x/1").unwrap();
    assert_eq!(
        asked(&proxy, "h", 1),
        "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\
         Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nUser-Agent: x/1\r\n\r\n"
    );
    let proxy = proxy.header("proxy-authorization", "Bearer 1").unwrap();
    assert_eq!(
        asked(&proxy, "h", 1),
        "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nUser-Agent: x/1\r\nproxy-authorization: Bearer 1\r\n\r\n"
    );
}

/// The answer in one piece, and byte by byte.
fn answered(bytes: &[u8]) -> End {
    let new = || HttpConnect::new(&Proxy::http("p", 1), &ProxyTarget::new("h").unwrap(), 1);
    // Then the stream ends.
    let ended = |http: &mut HttpConnect| match http.end() {
        Some(refusal) => Err(refusal),
        None => Ok(None),
    };
    let mut http = new();
    let whole = match http.feed(bytes) {
        Ok(None) => ended(&mut http),
        whole => whole,
    };
    let mut http = new();
    let mut pieces = Ok(None);
    for (at, byte) in bytes.chunks(1).enumerate() {
        pieces = http.feed(byte);
        match &mut pieces {
            Ok(None) => {}
            Ok(Some(size)) => {
                *size += at;
                break;
            }
            Err(_) => break,
        }
    }
    if pieces == Ok(None) {
        pieces = ended(&mut http);
    }
    assert_eq!(whole, pieces);
    whole
}

#[test]
fn answers() {
    let refused = |status, headers: &[(&str, &str)], body: &str| {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let answer = ProxyAnswer {
            headers: headers.collect(),
            body: body.into(),
        };
        Err(ProxyError::Refused {
            status,
            answer: Arc::new(answer),
        })
    };
    let who = [("Proxy-Authenticate", "Basic")];
    let (length, chunked) = (("Content-Length", "4"), ("transfer-encoding", "chunked"));
    let table: [(&[u8], End); 17] = [
        (b"HTTP/1.1 200 OK\r\n\r\n", Ok(Some(19))),
        (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03rest", Ok(Some(19))),
        (b"HTTP/1.0 200 Connection established\r\n\r\n", Ok(Some(39))),
        (b"HTTP/1.1 204\r\nX: y\r\n\r\n", Ok(Some(22))),
        (b"HTTP/1.1 299 x\n\n", Ok(Some(16))),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            Ok(Some(38)),
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Ok(Some(68)),
        ),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", Ok(None)),
        (
            b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n",
            refused(407, &who, ""),
        ),
        (
            b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nbodymore",
            refused(407, &[who[0], length], "body"),
        ),
        (
            b"HTTP/1.1 403 x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            refused(403, &[chunked], "no"),
        ),
        (
            b"HTTP/1.1 403 x\r\nContent-Length: 4\r\n\r\nbo",
            refused(403, &[length], "bo"),
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\n\r\nbody",
            refused(502, &[], "body"),
        ),
        (b"HTTP/1.1 101 x\r\n\r\n", refused(101, &[], "")),
        (
            b"HTTP/1.1 302 x\r\nLocation: /\r\n\r\n",
            refused(302, &[("Location", "/")], ""),
        ),
        (b"HTTP/1.1 600 x\r\n\r\n", refused(600, &[], "")),
        (b"", Ok(None)),
    ];
    for (bytes, expected) in table {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(answered(bytes), expected, "{shown:?}");
    }
}

#[test]
fn what_is_not_http() {
    let table: [&[u8]; 6] = [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x05\x00",
        b"HTTP/2 200\r\n\r\n",
        b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ];
    for bytes in table {
        let error = answered(bytes).unwrap_err();
        assert!(matches!(error, ProxyError::Malformed(_)), "{error:?}");
    }
}

#[test]
fn limits_hold_as_it_comes() {
    let start = b"HTTP/1.1 200 OK\r\n";
    let long = [&start[..], b"X: ", &vec![b'x'; MAX_HEAD]].concat();
    let limit = MAX_HEAD;
    assert_eq!(answered(&long), Err(ProxyError::HeadTooLarge { limit }));
    assert_eq!(answered(&long[..MAX_HEAD]), Ok(None));

    let lines = |n: usize| [&start[..], &b"X: y\r\n".repeat(n)].concat();
    let limit = MAX_HEADERS;
    assert_eq!(
        answered(&lines(MAX_HEADERS + 1)),
        Err(ProxyError::TooManyHeaders { limit })
    );
    let most = [&lines(MAX_HEADERS)[..], b"\r\n"].concat();
    assert_eq!(answered(&most), Ok(Some(most.len())));

    // Interim answers have no end either.
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_HEAD / 25 + 1);
    let limit = MAX_HEAD;
    assert_eq!(answered(&interim), Err(ProxyError::HeadTooLarge { limit }));
}
