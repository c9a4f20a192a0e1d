//! Zones of IPv6 addresses in URLs (RFC 6874): the URL parser follows WHATWG's standard, which has none.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands as it is in a URL's zone: unreserved (RFC 3986 section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The longest zone; names of interfaces are far shorter on every system but one.
const MAX: usize = 256;

/// A URL without the zone of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonedUrl {
    /// The URL without it.
    pub url: String,
    /// The zone, as the system knows it: the name of a network interface, or its number.
    pub zone: String,
}

/// Cuts the zone out of a URL: `ws://[fe80::1%25eth0]/` has the zone `eth0`. The `%` may stand for itself,
/// as in `[fe80::1%eth0]`, if the zone does not begin with 25. `None`: it has none.
///
/// For protocols above, whose URLs have hosts.
///
/// # Errors
///
/// What stands there is not a zone: empty, too long, or with a character that no interface has in its name.
pub fn cut_zone(url: &str) -> Option<Result<ZonedUrl, BadZone>> {
    let slashes = url.find("//")?;
    // Else they are in a path or a query, and there is no host.
    let scheme = |c: u8| c.is_ascii_alphanumeric() || b"+-.:".contains(&c);
    if !url.bytes().take(slashes).all(scheme) {
        return None;
    }
    let begin = slashes + 2;
    let end = url[begin..].find(['/', '?', '#', '\\']);
    let authority = &url[begin..end.map_or(url.len(), |end| begin + end)];
    // Behind the user's name and password, which may have brackets.
    let host = authority.rfind('@').map_or(0, |at| at + 1);
    let inside = authority[host..].strip_prefix('[')?;
    let inside = &inside[..inside.find(']')?];
    let percent = inside.find('%')?;
    let written = &inside[percent + 1..];
    let decoded = match written.strip_prefix("25") {
        Some(encoded) => percent_decode_str(encoded).decode_utf8().ok(),
        None => Some(written.into()),
    };
    let fits = |zone: &str| {
        let fits = |c: u8| c.is_ascii_graphic() && !b"%/[]".contains(&c);
        (1..=MAX).contains(&zone.len()) && zone.bytes().all(fits)
    };
    let Some(zone) = decoded.filter(|zone| fits(zone)) else {
        return Some(Err(BadZone));
    };
    let at = begin + host + 1 + percent;
    Some(Ok(ZonedUrl {
        url: format!("{}{}", &url[..at], &url[at + 1 + written.len()..]),
        zone: zone.into_owned(),
    }))
}

/// What stands in a URL where the zone of an IPv6 address would be is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadZone;

/// Puts a zone into a URL whose host is an IPv6 address.
pub fn put_zone(url: &str, zone: &str) -> String {
    let encoded = utf8_percent_encode(zone, ENCODED);
    url.replacen(']', &format!("%25{encoded}]"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_urls() {
        for (url, cut) in [
            (
                "ws://[fe80::1%25eth0]/",
                Some(Ok(("ws://[fe80::1]/", "eth0"))),
            ),
            (
                "ws://[fe80::1%eth0]:8/?",
                Some(Ok(("ws://[fe80::1]:8/?", "eth0"))),
            ),
            ("ws://[fe80::1%251]", Some(Ok(("ws://[fe80::1]", "1")))),
            ("ws://[fe80::1%1]", Some(Ok(("ws://[fe80::1]", "1")))),
            ("ws://[fe80::1%2525]", Some(Ok(("ws://[fe80::1]", "25")))),
            (
                "ws://[fe80::1%25en-1%3a0]/",
                Some(Ok(("ws://[fe80::1]/", "en-1:0"))),
            ),
            (
                "http://u:p@[::1%lo]:1/",
                Some(Ok(("http://u:p@[::1]:1/", "lo"))),
            ),
            (
                "http://u:[@[::1%lo]:1/",
                Some(Ok(("http://u:[@[::1]:1/", "lo"))),
            ),
            ("ws://[fe80::1%25]", Some(Err(BadZone))),
            ("ws://[fe80::1%]", Some(Err(BadZone))),
            ("ws://[fe80::1%25%00]", Some(Err(BadZone))),
            ("ws://[fe80::1%25%ff]", Some(Err(BadZone))),
            ("ws://[fe80::1%25a%2fb]", Some(Err(BadZone))),
            ("ws://[fe80::1% ]", Some(Err(BadZone))),
            ("ws://[fe80::1]/%25eth0]", None),
            ("ws://h/[::1%lo]", None),
            ("ws://h?[::1%lo]", None),
            ("ws://h%25eth0/", None),
            ("ws://[fe80::1%25eth0", None),
            ("ws:[::1%lo]", None),
            ("/a?b=ws://[::1%lo]", None),
            ("//[::1%lo]/a", Some(Ok(("//[::1]/a", "lo")))),
            ("", None),
        ] {
            let cut = cut.map(|cut| {
                cut.map(|(url, zone)| ZonedUrl {
                    url: url.into(),
                    zone: zone.into(),
                })
            });
            assert_eq!(cut_zone(url), cut, "{url}");
            if let Some(Ok(ZonedUrl { url, zone })) = cut {
                let again = cut_zone(&put_zone(&url, &zone));
                // The first bracket is the host's, but for what a password may have.
                if !url.contains("[@") {
                    assert_eq!(again, Some(Ok(ZonedUrl { url, zone })));
                }
            }
        }
    }
}
