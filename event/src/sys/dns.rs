//! Who looks up host names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

/// Who looks up host names; see [`LoopOptions::resolver`](crate::LoopOptions::resolver).
///
/// Called on a worker thread, never on a loop's, and from several threads at once: it may block. IP
/// addresses in text form do not come here. A panic is an error of that lookup.
pub trait Resolver: Send + Sync {
    /// The addresses of `host`, the preferred ones first.
    ///
    /// # Errors
    ///
    /// Why there is none. No address without an error is taken as a host that was not found.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver (`getaddrinfo`), which knows of `/etc/hosts` and the like. It is
/// asked each time: nothing is cached here, so that a host which was offline is found once it is
/// not. `localhost` is found in any case (RFC 6761 section 6.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match (host, 0).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
            Err(_) if is_localhost(host) => {
                Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
            }
            Err(e) => Err(e),
        }
    }
}

/// Whether the name is that of this host, also if the system does not know (RFC 6761 section 6.3).
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
}

/// What is called with the answer, on a worker thread.
pub(crate) type Done = Box<dyn FnOnce(io::Result<Vec<IpAddr>>) + Send>;

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
}
