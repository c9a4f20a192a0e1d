#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

/// Whichever it is: nothing of what follows the answer is taken.
#[test]
fn what_is_behind_the_answer_is_the_targets() {
    let table: [(Proxy, &[u8], &[u8]); 2] = [
        (
            Proxy::http("p", 1),
            b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ),
        (
            Proxy::socks5("p", 1),
            &[5, 1, 0, 5, 1, 0, 3, 1, b'h', 0, 1],
            &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        ),
    ];
    for (proxy, sent, answer) in table {
        let mut tunnel = Tunnel::new(&proxy, "h", 1).unwrap();
        let mut out = Vec::new();
        tunnel.start(&mut out);
        let bytes = [answer, b"\x16\x03\x03target"].concat();
        assert_eq!(tunnel.feed(&bytes, &mut out), Ok(Some(answer.len())));
        assert_eq!(out, sent);
    }
}

#[test]
fn targets() {
    assert_eq!(
        ProxyTarget::new("::1"),
        Ok(ProxyTarget::Ip("::1".parse().unwrap()))
    );
    assert_eq!(
        ProxyTarget::new("a.b"),
        Ok(ProxyTarget::Name("a.b".to_owned()))
    );
    assert_eq!(ProxyTarget::new("a\nb"), Err(ProxyTargetError::BadName));
}
