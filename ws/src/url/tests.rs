use super::{UrlError, WsTarget, WsUrl};
use std::error::Error;

#[test]
fn good_urls() {
    // (text, TLS, host, port, resource, Host header)
    let table = [
        (
            "ws://example.com",
            false,
            "example.com",
            80,
            "/",
            "example.com",
        ),
        (
            "wss://example.com",
            true,
            "example.com",
            443,
            "/",
            "example.com",
        ),
        (
            "WS://Example.COM/A",
            false,
            "example.com",
            80,
            "/A",
            "example.com",
        ),
        ("ws://h:80/", false, "h", 80, "/", "h"),
        ("ws://h:443/", false, "h", 443, "/", "h:443"),
        ("wss://h:443/", true, "h", 443, "/", "h"),
        (
            "wss://h:8443/a/b?c=d&e",
            true,
            "h",
            8443,
            "/a/b?c=d&e",
            "h:8443",
        ),
        ("ws://h?q", false, "h", 80, "/?q", "h"),
        ("ws://h/?", false, "h", 80, "/?", "h"),
        (
            "ws://h/a b/%23?x y",
            false,
            "h",
            80,
            "/a%20b/%23?x%20y",
            "h",
        ),
        ("ws://h/ä", false, "h", 80, "/%C3%A4", "h"),
        (
            "ws://127.0.0.1:9000/x",
            false,
            "127.0.0.1",
            9000,
            "/x",
            "127.0.0.1:9000",
        ),
        ("ws://[::1]:9000/x", false, "::1", 9000, "/x", "[::1]:9000"),
        (
            "wss://[2001:DB8::1]",
            true,
            "2001:db8::1",
            443,
            "/",
            "[2001:db8::1]",
        ),
        (
            "ws://bücher.example/",
            false,
            "xn--bcher-kva.example",
            80,
            "/",
            "xn--bcher-kva.example",
        ),
        ("  ws://h/  ", false, "h", 80, "/", "h"),
        (
            "ws://h/a?b=http://c/d",
            false,
            "h",
            80,
            "/a?b=http://c/d",
            "h",
        ),
        ("ws://h/{a}|b^[c]?{d}|e^[f]`", false, "h", 80, "", "h"),
    ];
    for (text, tls, host, port, resource, host_header) in table {
        let url = WsUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(url.is_tls(), tls, "{text}");
        assert_eq!(url.host(), Some(host), "{text}");
        assert_eq!(url.port(), Some(port), "{text}");
        let target = WsTarget::Host {
            host: host.to_owned(),
            ip: host.parse().ok(),
            port,
        };
        assert_eq!(url.target(), &target, "{text}");
        if !resource.is_empty() {
            assert_eq!(url.resource(), resource, "{text}");
        }
        assert_eq!(url.host_header(), host_header, "{text}");
        assert_eq!(url.ip(), host.parse().ok(), "{text}");
        assert_eq!(WsUrl::parse(&url.to_string()).as_ref(), Ok(&url), "{text}");
    }
}

#[test]
fn bad_urls() {
    let scheme = |s: &str| UrlError::UnsupportedScheme(s.to_owned());
    let table = [
        ("http://h/", scheme("http")),
        ("https://h/", scheme("https")),
        ("wsx://h/", scheme("wsx")),
        ("h:80", scheme("h")),
        ("ws:h", UrlError::MissingSlashes),
        ("ws:/h", UrlError::MissingSlashes),
        ("ws://", UrlError::EmptyHost),
        ("ws:///path", UrlError::EmptyHost),
        ("ws://\\path", UrlError::EmptyHost),
        ("ws://:80/", UrlError::EmptyHost),
        ("ws://h/#", UrlError::Fragment),
        ("ws://h/a#b", UrlError::Fragment),
        ("ws://u@h/", UrlError::UserInfo),
        ("ws://u:p@h/", UrlError::UserInfo),
        ("ws://:p@h/", UrlError::UserInfo),
        ("ws://h/\r\nX: y", UrlError::ControlCharacter),
        ("ws://h\t/", UrlError::ControlCharacter),
    ];
    for (text, error) in table {
        assert_eq!(WsUrl::parse(text), Err(error), "{text:?}");
    }
    for text in [
        "",
        "h",
        "/path",
        "ws://h:99999/",
        "ws://h:x/",
        "ws://[::1",
        "ws://a b/",
    ] {
        let error = WsUrl::parse(text).expect_err(text);
        assert!(matches!(error, UrlError::Syntax(_)), "{text:?}: {error:?}");
        assert!(error.source().is_some());
    }
}

#[test]
fn errors_say_what_to_do() {
    let text = |url: &str| WsUrl::parse(url).expect_err(url).to_string();
    assert!(text("ws://u:p@h/").contains("Authorization header"));
    assert!(text("http://h/").contains("is ws"));
    assert!(text("https://h/").contains("is wss"));
}

#[cfg(unix)]
#[test]
fn unix_urls() {
    // (text, TLS, path, resource, as text)
    let table = [
        (
            "ws+unix:/a.sock",
            false,
            "/a.sock",
            "/",
            "ws+unix:/a.sock:/",
        ),
        (
            "ws+unix:///a.sock",
            false,
            "/a.sock",
            "/",
            "ws+unix:/a.sock:/",
        ),
        (
            "WS+Unix:/a.sock:",
            false,
            "/a.sock",
            "/",
            "ws+unix:/a.sock:/",
        ),
        (
            "ws+unix:/a.sock:/b/c?d=e:f",
            false,
            "/a.sock",
            "/b/c?d=e:f",
            "ws+unix:/a.sock:/b/c?d=e:f",
        ),
        (
            "ws+unix:/a.sock:?q",
            false,
            "/a.sock",
            "/?q",
            "ws+unix:/a.sock:/?q",
        ),
        (
            "ws+unix:/a.sock:/b c",
            false,
            "/a.sock",
            "/b%20c",
            "ws+unix:/a.sock:/b%20c",
        ),
        (
            "ws+unix:/a.sock://h/x",
            false,
            "/a.sock",
            "//h/x",
            "ws+unix:/a.sock://h/x",
        ),
        ("ws+unix:////", false, "//", "/", "ws+unix:////:/"),
        (
            "ws+unix://////a:/b",
            false,
            "////a",
            "/b",
            "ws+unix://////a:/b",
        ),
        (
            "wss+unix:/a b/%3A%3f%.sock:/",
            true,
            "/a b/:?%.sock",
            "/",
            "wss+unix:/a b/%3A%3f%.sock:/",
        ),
    ];
    for (text, tls, path, resource, whole) in table {
        let url = WsUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(url.is_tls(), tls, "{text}");
        assert_eq!(url.unix_path(), Some(path.as_ref()), "{text}");
        assert_eq!(url.target(), &WsTarget::Unix(path.into()), "{text}");
        assert_eq!(
            (url.host(), url.ip(), url.port()),
            (None, None, None),
            "{text}"
        );
        assert_eq!(url.resource(), resource, "{text}");
        assert_eq!(url.host_header(), "localhost", "{text}");
        assert_eq!(url.as_str(), whole, "{text}");
        assert_eq!(WsUrl::parse(whole).as_ref(), Ok(&url), "{text}");
    }
    let table = [
        ("ws+unix:", UrlError::SocketPath),
        ("ws+unix:/", UrlError::SocketPath),
        ("ws+unix:a.sock", UrlError::SocketPath),
        ("ws+unix::/", UrlError::SocketPath),
        ("ws+unix:/a.sock?q", UrlError::SocketPath),
        ("ws+unix:/a%00.sock", UrlError::SocketPath),
        ("ws+unix://a.sock", UrlError::SocketHost),
        ("ws+unix://localhost/a.sock", UrlError::SocketHost),
        ("ws+unix:/a#.sock", UrlError::Fragment),
        ("ws+unix:/a.sock:/b#c", UrlError::Fragment),
        ("ws+unix:/a\n.sock", UrlError::ControlCharacter),
        (
            "unix:/a.sock",
            UrlError::UnsupportedScheme("unix".to_owned()),
        ),
    ];
    for (text, error) in table {
        assert_eq!(WsUrl::parse(text), Err(error), "{text:?}");
    }
}

/// Abstract names, which are no files.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn abstract_unix_urls() {
    for (text, name, whole) in [
        ("ws+unix:@a", "@a", "ws+unix:@a:/"),
        ("wss+unix:@a/b%3Ac:/d?e", "@a/b:c", "wss+unix:@a/b%3Ac:/d?e"),
        ("ws+unix:@@:", "@@", "ws+unix:@@:/"),
    ] {
        let url = WsUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(url.target(), &WsTarget::Unix(name.into()), "{text}");
        assert_eq!(url.to_string(), whole);
        assert_eq!(WsUrl::parse(whole).as_ref(), Ok(&url));
    }
    for text in ["ws+unix:@", "ws+unix:@:/", "ws+unix:@a?q", "ws+unix:@a%00b"] {
        assert_eq!(WsUrl::parse(text), Err(UrlError::SocketPath), "{text}");
    }
}

/// What is printed parses, to the same: texts put together of what URLs are made of, well or not.
#[test]
fn print_and_parse_are_inverse() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    const SCHEMES: [&str; 6] = ["ws:", "wss:", "WS:", "ws+unix:", "wss+unix:", "Ws+Unix:"];
    const PIECES: [&str; 52] = [
        "/",
        "/",
        "//",
        "///",
        "\\",
        ":",
        ":",
        "?",
        "?",
        "#",
        "@",
        "&",
        "=",
        "%",
        "%2F",
        "%3a",
        "%3F",
        "%25",
        "%00",
        "%zz",
        "%2e%2E",
        ".",
        "..",
        "a",
        "b c",
        " ",
        "\t",
        "h",
        "H.Example",
        "b\u{fc}cher.test",
        "xn--a",
        "1.2.3.4",
        "0x7f.1",
        "[::1]",
        "[2001:DB8::0]",
        "[fe80::1%25eth0]",
        "[::ffff:1.2.3.4]",
        "[",
        "]",
        "80",
        "443",
        "0",
        "65536",
        "u:p@",
        "u@",
        ";",
        ",",
        "{}",
        "|",
        "\u{e4}",
        "\u{1f600}",
        "'\"<>^`",
    ];
    let mut rng = StdRng::seed_from_u64(7);
    let (mut good, mut unix) = (0, 0);
    for _ in 0..200_000 {
        let mut text = SCHEMES[rng.random_range(0..SCHEMES.len())].to_owned();
        if rng.random_bool(0.6) {
            text.push_str(["//", "//h", "///", "/a"][rng.random_range(0..4)]);
        }
        for _ in 0..rng.random_range(0..8) {
            text.push_str(PIECES[rng.random_range(0..PIECES.len())]);
        }
        let Ok(url) = WsUrl::parse(&text) else {
            continue;
        };
        good += 1;
        unix += usize::from(url.host().is_none());
        let printed = url.to_string();
        let again = WsUrl::parse(&printed);
        assert_eq!(
            again.as_ref(),
            Ok(&url),
            "{text:?} is printed as {printed:?}"
        );
        assert!(url.resource().starts_with('/'), "{text:?}");
    }
    assert!(
        good > 20_000 && unix > 5_000,
        "{good} good ones, {unix} of Unix sockets"
    );
}

/// The zone is kept for the connect, printed, and told to nobody.
#[test]
fn zones() {
    for (text, host, printed) in [
        (
            "ws://[fe80::1%25eth0]/",
            "fe80::1%eth0",
            "ws://[fe80::1%25eth0]/",
        ),
        (
            "ws://[FE80:0::1%eth0]",
            "fe80::1%eth0",
            "ws://[fe80::1%25eth0]/",
        ),
        (
            "wss://[fe80::1%253]:8443/a?b",
            "fe80::1%3",
            "wss://[fe80::1%253]:8443/a?b",
        ),
        (
            "ws://[fe80::1%2525]:80/",
            "fe80::1%25",
            "ws://[fe80::1%2525]/",
        ),
        (
            "ws://[::1%25a:b%401]:8/",
            "::1%a:b@1",
            "ws://[::1%25a%3Ab%401]:8/",
        ),
    ] {
        let url = WsUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(url.host(), Some(host), "{text}");
        assert_eq!(url.to_string(), printed);
        assert_eq!(WsUrl::parse(printed).as_ref(), Ok(&url), "{text}");
        let ip = host.split('%').next().and_then(|ip| ip.parse().ok());
        assert_eq!((url.ip(), ip.is_some()), (ip, true), "{text}");
        assert!(!url.host_header().contains('%'), "{}", url.host_header());
        assert!(!url.resource().contains('%'), "{}", url.resource());
    }
    assert_ne!(
        WsUrl::parse("ws://[fe80::1%251]/"),
        WsUrl::parse("ws://[fe80::1%252]/")
    );
    for text in [
        "ws://[fe80::1%25]/",
        "ws://[fe80::1%]/",
        "ws://[fe80::1%25a%2Fb]/",
        "ws://[fe80::1%25%E4]/",
    ] {
        assert_eq!(WsUrl::parse(text), Err(UrlError::Zone), "{text}");
    }
    for text in ["ws://[127.0.0.1%251]/", "ws://[h%251]/", "ws://h%251/"] {
        let url = WsUrl::parse(text);
        assert!(matches!(url, Err(UrlError::Syntax(_))), "{text}: {url:?}");
    }
}
