#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

type End = Result<Option<usize>, ProxyError>;

fn new(host: &str) -> Socks5 {
    Socks5::new(
        &Proxy::socks5("p", 1),
        &ProxyTarget::new(host).unwrap(),
        443,
    )
}

fn with_login() -> Socks5 {
    let proxy = Proxy::socks5("p", 1).credentials("me", "pw").unwrap();
    Socks5::new(&proxy, &ProxyTarget::new("h").unwrap(), 443)
}

/// Starts, feeds byte by byte, and compares with feeding at once; what was sent, and what came of it.
fn run(make: impl Fn() -> Socks5, bytes: &[u8]) -> (Vec<u8>, End) {
    let (mut whole_out, mut out) = (Vec::new(), Vec::new());
    let (mut whole, mut pieces) = (make(), make());
    whole.start(&mut whole_out);
    pieces.start(&mut out);
    let at_once = whole.feed(bytes, &mut whole_out);
    let mut result = Ok(None);
    for (at, byte) in bytes.chunks(1).enumerate() {
        result = pieces.feed(byte, &mut out).map(|end| end.map(|n| n + at));
        if result != Ok(None) {
            break;
        }
    }
    assert_eq!((&whole_out, &at_once), (&out, &result));
    (out, result)
}

const GRANTED: [u8; 10] = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

#[test]
fn requests() {
    let name = |n: usize| "x".repeat(n);
    let v6 = [&[4][..], &[0; 15], &[1]].concat();
    let longest = [&[3, 255][..], name(255).as_bytes()].concat();
    let table = [
        ("10.1.2.3".to_owned(), vec![1, 10, 1, 2, 3]),
        ("::1".to_owned(), v6),
        ("abc".to_owned(), vec![3, 3, b'a', b'b', b'c']),
        (name(255), longest),
    ];
    for (host, address) in table {
        let (sent, end) = run(|| new(&host), &[&[5, 0][..], &GRANTED].concat());
        let expected = [&[5, 1, 0, 5, 1, 0][..], &address, &[1, 187]].concat();
        assert_eq!((sent, end), (expected, Ok(Some(12))), "{host}");
    }
}

#[test]
fn logs_in_if_asked_to() {
    let ask = [5, 1, 0, 3, 1, b'h', 1, 187];
    let (sent, end) = run(with_login, &[&[5, 2, 1, 0][..], &GRANTED].concat());
    let login = [1, 2, b'm', b'e', 2, b'p', b'w'];
    assert_eq!(sent, [&[5, 2, 0, 2][..], &login, &ask].concat());
    assert_eq!(end, Ok(Some(14)));
    // Not asked to.
    let (sent, end) = run(with_login, &[&[5, 0][..], &GRANTED].concat());
    assert_eq!(sent, [&[5, 2, 0, 2][..], &ask].concat());
    assert_eq!(end, Ok(Some(12)));
}

#[test]
fn answers() {
    use ProxyError as E;
    let name = [&[5, 0, 0, 3, 4][..], b"host", &[0, 80]].concat();
    let nameless = [5, 0, 0, 3, 0, 0, 80];
    let v6 = [&[5, 0, 0, 4][..], &[0; 16], &[0, 80]].concat();
    let behind = [&GRANTED[..], b"target"].concat();
    let malformed = |how| Err(E::Malformed(how));
    let table: [(&[u8], End); 10] = [
        (&GRANTED, Ok(Some(12))),
        (&name, Ok(Some(13))),
        (&nameless, Ok(Some(9))),
        (&v6, Ok(Some(24))),
        (&behind, Ok(Some(12))),
        (&GRANTED[..9], Ok(None)),
        (&name[..10], Ok(None)),
        (&[5, 0, 0, 2], malformed("an unknown type of address")),
        (b"HTTP/1.1 400 Bad Request", malformed("it is not SOCKS5")),
        (&[4, 90], malformed("it is not SOCKS5")),
    ];
    for (reply, expected) in table {
        let (_, end) = run(|| new("h"), &[&[5, 0], reply].concat());
        assert_eq!(end, expected, "{reply:?}");
    }
}

#[test]
fn refusals() {
    use ProxyError as E;
    use SocksReply as R;
    let replies = [
        R::GeneralFailure,
        R::NotAllowed,
        R::NetworkUnreachable,
        R::HostUnreachable,
        R::ConnectionRefused,
        R::TtlExpired,
        R::CommandNotSupported,
        R::AddressTypeNotSupported,
        R::Unassigned(9),
    ];
    for (number, reply) in (1..).zip(replies) {
        let (_, end) = run(|| new("h"), &[5, 0, 5, number]);
        assert_eq!(end, Err(E::Socks(reply)));
    }
    let table: [(&[u8], bool, E); 9] = [
        (&[5, 0xff], false, E::NoAcceptableMethod),
        (&[5, 0xff], true, E::NoAcceptableMethod),
        (
            &[5, 2],
            false,
            E::Malformed("a method that was not offered"),
        ),
        (&[5, 1], true, E::Malformed("a method that was not offered")),
        (&[5, 2, 1, 1], true, E::LoginFailed),
        (&[5, 2, 1, 0xff], true, E::LoginFailed),
        (
            &[5, 2, 5, 0],
            true,
            E::Malformed("another version of the login"),
        ),
        (b"HTTP/1.1 400", false, E::Malformed("it is not SOCKS5")),
        (&[0], false, E::Malformed("it is not SOCKS5")),
    ];
    for (bytes, login, expected) in table {
        let make = || if login { with_login() } else { new("h") };
        assert_eq!(run(make, bytes).1, Err(expected), "{bytes:?}");
    }
}
