//! Where a proxy is to lead.

use super::error::ProxyTargetError;
use std::net::IpAddr;

/// The longest name of a host, in bytes: SOCKS5 counts it in one (RFC 1928 section 5), and DNS allows no
/// more.
const MAX_NAME: usize = 255;

/// Where the proxy is to lead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ProxyTarget {
    Ip(IpAddr),
    Name(String),
}

impl ProxyTarget {
    /// A name that may stand in a request line, or an IP address.
    pub(super) fn new(host: &str) -> Result<Self, ProxyTargetError> {
        if let Ok(ip) = host.parse() {
            return Ok(Self::Ip(ip));
        }
        // The forbidden host code points of WHATWG's URL standard, and all but ASCII.
        let fits = |c: u8| c.is_ascii_graphic() && !b"#%/:<>?@[\\]^|".contains(&c);
        match host.len() {
            0 => Err(ProxyTargetError::BadName),
            size if size > MAX_NAME => Err(ProxyTargetError::NameTooLong(size)),
            _ if !host.bytes().all(fits) => Err(ProxyTargetError::BadName),
            _ => Ok(Self::Name(host.to_owned())),
        }
    }
}
