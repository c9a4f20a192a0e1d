//! What a request is for: its target (RFC 9112 section 3.2), and the host in it or in Host.

use http::Method;
use std::net::Ipv6Addr;

/// A request's target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    /// The host, maybe with a port, if the target is a whole URL.
    pub(super) authority: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// # Errors
    ///
    /// In words, what it is instead of a target.
    pub(super) fn parse(method: &Method, text: &'a str) -> Result<Self, &'static str> {
        if text.contains('#') {
            return Err("a fragment in its target");
        }
        if *method == Method::CONNECT {
            return Err("a CONNECT, which is for proxies");
        }
        let (authority, text) = match text.split_once("://") {
            _ if text.starts_with('/') => (None, text),
            None if text == "*" && *method == Method::OPTIONS => (None, text),
            None => return Err("a target that is no path"),
            Some((scheme, rest)) => {
                let known = ["http", "https", "ws", "wss"];
                if !known.iter().any(|s| s.eq_ignore_ascii_case(scheme)) {
                    return Err("a target of another scheme");
                }
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at(end);
                if !is_authority(authority.as_bytes()) {
                    return Err("a target without a proper host");
                }
                (Some(authority), rest)
            }
        };
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        Ok(Self {
            path: if path.is_empty() { "/" } else { path },
            query,
            authority,
        })
    }
}

/// Whether this is a host, maybe with a port (RFC 3986 section 3.2), and nothing before or behind it.
pub(super) fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => (is_ipv6(&rest[..end]), &rest[end + 1..]),
            None => return false,
        },
        _ => {
            let end = text.iter().position(|byte| *byte == b':');
            let (name, port) = text.split_at(end.unwrap_or(text.len()));
            (is_name(name), port)
        }
    };
    host && match port {
        [] => true,
        // A number of any length, or none; those over 65535 are no ports.
        [b':', digits @ ..] => digits
            .iter()
            .try_fold(0u16, |port, byte| {
                let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
                port.checked_mul(10)?.checked_add(digit.into())
            })
            .is_some(),
        _ => false,
    }
}

/// An address, maybe with the name of a zone (RFC 6874), which is the client's own affair.
fn is_ipv6(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |byte| *byte == b'%');
    let address = parts.next().and_then(|text| std::str::from_utf8(text).ok());
    let proper = address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok());
    proper && parts.next().is_none_or(is_name)
}

/// `reg-name`, and not empty.
fn is_name(text: &[u8]) -> bool {
    let mut bytes = text.iter();
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'%' => digit(bytes.next()) && digit(bytes.next()),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte),
        };
        if !fits {
            return false;
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for good in [
            "h",
            "a.b-c_d",
            "h:",
            "h:80",
            "h:065535",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:443",
            "[fe80::1%25eth0]:1",
            "%41",
        ] {
            assert!(is_authority(good.as_bytes()), "{good:?}");
        }
        for bad in [
            "", ":", ":80", "h:x", "h:65536", "h:1:2", "h:-1", "u@h", "a b", "a/b", "a?b", "a#b",
            "::1", "[::1", "[::1]x", "[]", "[h]", "[::1]]", "a\\b", "ä", "a\0", "%4", "%zz", "<h>",
            "h: 80", "[::1%]",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn targets() {
        let get = |text| Target::parse(&Method::GET, text).ok();
        let target = |path, query, authority| {
            Some(Target {
                path,
                query,
                authority,
            })
        };
        assert_eq!(get("/"), target("/", None, None));
        assert_eq!(get("/a?b?c"), target("/a", Some("b?c"), None));
        assert_eq!(get("/?"), target("/", Some(""), None));
        assert_eq!(get("//h/a"), target("//h/a", None, None));
        assert_eq!(get("/a?u=ws://h/"), target("/a", Some("u=ws://h/"), None));
        assert_eq!(get("ws://h:1"), target("/", None, Some("h:1")));
        assert_eq!(get("HTTP://h?q"), target("/", Some("q"), Some("h")));
        assert_eq!(
            get("https://[::1]/a?b"),
            target("/a", Some("b"), Some("[::1]"))
        );
        for bad in [
            "*",
            "h:80",
            "a",
            "",
            "?q",
            "/a#b",
            "/#",
            "ws://h/#f",
            "ws:///a",
            "ws://u@h/",
            "ws://h:x/",
            "ftp://h/",
            "a/ws://h/",
            "ws:/h",
        ] {
            assert_eq!(get(bad), None, "{bad:?}");
        }
        let options = Target::parse(&Method::OPTIONS, "*").ok();
        assert_eq!(options, target("*", None, None));
        assert!(Target::parse(&Method::CONNECT, "h:80").is_err());
        assert!(Target::parse(&Method::CONNECT, "/").is_err());
    }
}
