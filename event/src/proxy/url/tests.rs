#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

#[test]
fn urls() {
    let http = Proxy::http;
    let socks = Proxy::socks5;
    let table: [(&str, Proxy); 14] = [
        ("http://proxy:3128", http("proxy", 3128)),
        ("http://proxy:3128/", http("proxy", 3128)),
        (" HTTP://Proxy.Example \n", http("proxy.example", 80)),
        ("http://[::1]:8080", http("::1", 8080)),
        ("http://127.0.0.1", http("127.0.0.1", 80)),
        ("http://bücher.example:1", http("xn--bcher-kva.example", 1)),
        (
            "http://user:secret@proxy:1",
            http("proxy", 1).credentials("user", "secret").unwrap(),
        ),
        (
            "http://us%40er:p%3A%2F%C3%BC@proxy:1",
            http("proxy", 1).credentials("us@er", "p:/ü").unwrap(),
        ),
        (
            "http://user@proxy:1",
            http("proxy", 1).credentials("user", "").unwrap(),
        ),
        ("socks5://proxy", socks("proxy", 1080)),
        ("socks5h://proxy:9050", socks("proxy", 9050)),
        ("socks5://127.0.0.1:1", socks("127.0.0.1", 1)),
        ("socks5://[::1]:1/", socks("::1", 1)),
        (
            "socks5h://a%20b:c%0Ad@proxy:2",
            socks("proxy", 2).credentials("a b", "c\nd").unwrap(),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(Proxy::parse(text), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_is_no_proxy() {
    use ProxyConfigError as E;
    let scheme = |name: &str| E::UnsupportedScheme(name.to_owned());
    let table = [
        ("", E::Syntax(ParseError::RelativeUrlWithoutBase)),
        (
            "proxy.example",
            E::Syntax(ParseError::RelativeUrlWithoutBase),
        ),
        ("http://proxy:99999", E::Syntax(ParseError::InvalidPort)),
        ("http://[::1", E::Syntax(ParseError::InvalidIpv6Address)),
        ("http://", E::Host),
        ("socks5://", E::Host),
        ("socks5://b%C3%BCcher:1", E::Host),
        ("https://proxy:1", scheme("https")),
        ("socks4://proxy:1", scheme("socks4")),
        ("proxy:3128", scheme("proxy")),
        ("http://proxy:1/path", E::Superfluous),
        ("http://proxy:1/?q", E::Superfluous),
        ("socks5://proxy:1#f", E::Superfluous),
        ("http://us%3Aer:x@proxy:1", E::UserName),
        ("http://user:x%0D%0A@proxy:1", E::Password),
        ("http://%ff:x@proxy:1", E::UserName),
        ("http://user:%ff@proxy:1", E::Password),
        ("socks5://:x@proxy:1", E::UserName),
    ];
    for (text, expected) in table {
        assert_eq!(Proxy::parse(text), Err(expected), "{text:?}");
    }
}
