//! Where a stream socket is.

use super::SocketOptions;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The address of one end of a stream: IP and port, or a path in the file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// IP address and port.
    Inet(SocketAddr),
    /// A Unix socket; `None`: without a name, as that of a client usually is. On Linux and Android a
    /// name that begins with `@` is no file but an abstract name (unix(7)).
    #[cfg(unix)]
    Unix(Option<PathBuf>),
}

impl Address {
    /// IP address and port, if it has these.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Whether both are one IP address and port, in whatever form. What else may stand in the socket
    /// addresses (the flow label of IPv6) does not count.
    pub(crate) fn is_same_endpoint(&self, other: &Self) -> bool {
        match (self.inet(), other.inet()) {
            (Some(a), Some(b)) => same_endpoint(a, b),
            _ => false,
        }
    }
}

/// An address in half its room: most are those of IPv4, and others are shared where they can be.
#[derive(Debug, Clone)]
pub(crate) enum ShortAddress {
    V4(SocketAddrV4),
    Other(Arc<Address>),
}

impl ShortAddress {
    /// The address itself.
    pub(crate) fn get(&self) -> Address {
        match self {
            Self::V4(address) => Address::Inet((*address).into()),
            Self::Other(address) => Address::clone(address),
        }
    }
}

impl From<Address> for ShortAddress {
    fn from(address: Address) -> Self {
        match address {
            Address::Inet(SocketAddr::V4(address)) => Self::V4(address),
            other => Self::Other(Arc::new(other)),
        }
    }
}

/// See [`Address::is_same_endpoint`].
pub(crate) fn same_endpoint(a: SocketAddr, b: SocketAddr) -> bool {
    let scope = |address: SocketAddr| match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    };
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical() && scope(a) == scope(b)
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(Some(path)) => path.display().fmt(f),
            #[cfg(unix)]
            Self::Unix(None) => f.write_str("an unnamed Unix socket"),
        }
    }
}

/// The abstract name of a Unix socket, without the `@` or the NUL that stands before it; `None`: it is a
/// path. Only Linux and Android have such names.
#[cfg(unix)]
pub(crate) fn abstract_name(path: &Path) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt;
    let marked = path.as_os_str().as_bytes();
    let known = cfg!(any(target_os = "linux", target_os = "android"));
    marked
        .strip_prefix(b"@")
        .or_else(|| marked.strip_prefix(&[0]))
        .filter(|_| known)
}

/// The name of a Unix socket in one form: an abstract one begins with `@`.
#[cfg(unix)]
pub(crate) fn unix_name(path: PathBuf) -> PathBuf {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    match abstract_name(&path) {
        Some(name) => PathBuf::from(OsString::from_vec([b"@", name].concat())),
        None => path,
    }
}

/// How a datagram socket is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct DatagramSettings {
    /// SO_REUSEADDR: as multicast receivers on one machine need it.
    pub(crate) reuse_address: bool,
    /// SO_BROADCAST.
    pub(crate) broadcast: bool,
    /// What other sockets have, too.
    pub(crate) options: SocketOptions,
}

/// One of the machine's network interfaces, for multicast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interface {
    /// The one that the system chooses.
    #[default]
    Any,
    /// The one with this address: for IPv4.
    Address(Ipv4Addr),
    /// The one with this number (`if_nametoindex`): for IPv6.
    Index(u32),
}

/// How what is sent to a multicast group leaves; what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MulticastOut {
    pub(crate) loopback: Option<bool>,
    pub(crate) ttl: Option<u32>,
    pub(crate) interface: Option<Interface>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddrV6;

    #[test]
    fn endpoints() {
        for (a, b, same) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
            ("[::1]:1", "127.0.0.1:1", false),
            ("[fe80::1%1]:1", "[fe80::1%1]:1", true),
            ("[fe80::1%1]:1", "[fe80::1%2]:1", false),
        ] {
            let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
            assert_eq!(same_endpoint(address(a), address(b)), same, "{a} {b}");
        }
        let flow = SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, 1, 7, 0);
        let plain = SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, 1, 0, 0);
        assert!(same_endpoint(flow.into(), plain.into()));
        #[cfg(unix)]
        {
            // Two that have no name are not the same.
            let unnamed = Address::Unix(None);
            assert!(!unnamed.is_same_endpoint(&unnamed));
        }
    }
}
