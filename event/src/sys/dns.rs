//! Who looks up host names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// Who looks up host names; see [`LoopOptions::resolver`](crate::LoopOptions::resolver).
///
/// Called on a worker thread, never on a loop's, and from several threads at once: it may block. IP
/// addresses in text form do not come here. Lookups of one name may share a call, while that is no older
/// than a second; there are at most two calls for a name at a time. A panic is an error of that lookup.
pub trait Resolver: Send + Sync {
    /// The addresses of `host`, the preferred ones first.
    ///
    /// # Errors
    ///
    /// Why there is none. No address without an error is taken as a host that was not found.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;

    /// The same with the zones of IPv6 addresses of one link, as a name of `/etc/hosts` or of mDNS may
    /// have them; the ports say nothing. This is what the loop asks; as it is provided, it asks
    /// [`resolve`](Resolver::resolve), whose addresses have no zone.
    ///
    /// # Errors
    ///
    /// As `resolve`.
    fn resolve_scoped(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let found = self.resolve(host)?;
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
    }
}

/// The operating system's resolver (`getaddrinfo`), which knows of `/etc/hosts` and the like. It is
/// asked each time: nothing is cached here, so that a host which was offline is found once it is
/// not. `localhost` is found in any case (RFC 6761 section 6.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.resolve_scoped(host)?;
        Ok(found.into_iter().map(|address| address.ip()).collect())
    }

    fn resolve_scoped(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        if host.is_empty() {
            // The system would ask the root of all names.
            let text = "the host has no name";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        match (host, 0).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.collect()),
            Err(_) if is_localhost(host) => {
                let both: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
                Ok(both.map(|ip| SocketAddr::new(ip, 0)).to_vec())
            }
            Err(e) => Err(e),
        }
    }
}

/// The address that `host` is in text form, with nothing to look up; IPv6 in brackets or not, and maybe
/// with a zone (RFC 4007 section 11), which is the name of a network interface or its number. `None`: it is
/// a name.
///
/// # Errors
///
/// There is no such interface.
pub(crate) fn literal(host: &str, port: u16) -> Option<io::Result<SocketAddr>> {
    let inside = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let (address, zone) = split_zone(inside.unwrap_or(host));
    match (address.parse().ok()?, zone) {
        (IpAddr::V4(_), _) if inside.is_some() => None,
        (ip, None) => Some(Ok(SocketAddr::new(ip, port))),
        (IpAddr::V4(_), Some(_)) => None,
        (IpAddr::V6(ip), Some(zone)) => {
            let scoped = |index| SocketAddrV6::new(ip, port, 0, index).into();
            Some(interface_index(zone).map(scoped))
        }
    }
}

/// The text of an IPv6 address without its zone, and that.
pub(crate) fn split_zone(address: &str) -> (&str, Option<&str>) {
    match address.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (address, None),
    }
}

/// The number of a network interface, by its name or by that.
fn interface_index(zone: &str) -> io::Result<u32> {
    let unknown = || {
        let text = format!("there is no network interface {zone:?}");
        io::Error::new(io::ErrorKind::NotFound, text)
    };
    if !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_digit()) {
        return zone.parse().map_err(|_| unknown());
    }
    // What `if_nametoindex` says, without `unsafe`: the system reads the zone of an address of one link,
    // and asks nobody for it.
    let link_local = format!("fe80::%{zone}");
    let found = (link_local.as_str(), 0).to_socket_addrs();
    match found.map_err(|_| unknown())?.next() {
        Some(SocketAddr::V6(address)) if address.scope_id() != 0 => Ok(address.scope_id()),
        _ => Err(unknown()),
    }
}

/// Whether the name is that of this host, also if the system does not know (RFC 6761 section 6.3).
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
}

/// What is called with the answer, on a worker thread.
pub(crate) type Done = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>) + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_told_from_other_names() {
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost.", true),
            ("localhost..", false),
            ("localhost.example", false),
            ("", false),
        ] {
            assert_eq!(is_localhost(host), expected, "{host}");
        }
    }

    #[test]
    fn literals() {
        for (host, expected) in [
            ("127.0.0.1", Some("127.0.0.1:7")),
            ("::1", Some("[::1]:7")),
            ("[::1]", Some("[::1]:7")),
            ("fe80::1%3", Some("[fe80::1%3]:7")),
            ("[fe80::1%3]", Some("[fe80::1%3]:7")),
            ("::1%0", Some("[::1]:7")),
            ("[127.0.0.1]", None),
            ("127.0.0.1%1", None),
            ("localhost", None),
            ("localhost%1", None),
            ("[fe80::1%1", None),
            ("", None),
            ("%1", None),
        ] {
            let address = literal(host, 7).map(|address| address.expect(host).to_string());
            assert_eq!(address.as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn zones_are_interfaces() {
        for unknown in [
            "nosuch0",
            "",
            "4294967296",
            "lo%lo",
            "1x",
            " ",
            "\u{e4}",
            "a\0b",
        ] {
            let told = literal(&format!("fe80::1%{unknown}"), 7).expect("a literal");
            let e = told.expect_err(unknown);
            assert_eq!(e.kind(), io::ErrorKind::NotFound, "{unknown}: {e}");
        }
        // The loopback interface of Linux.
        if let Ok(index) = std::fs::read_to_string("/sys/class/net/lo/ifindex") {
            let index: u32 = index.trim().parse().expect("a number");
            for address in ["fe80::1", "::1", "2001:db8::1"] {
                let told = literal(&format!("{address}%lo"), 7).expect("a literal");
                let expected = format!("[{address}%{index}]:7");
                assert_eq!(told.expect("lo").to_string(), expected);
            }
        }
    }
}
